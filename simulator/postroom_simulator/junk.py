"""Blocked senders of a mailbox: kept beside the Junk folder, where mail of theirs goes."""

from __future__ import annotations

from email.utils import parseaddr

from postroom_simulator.directory import canonical
from postroom_simulator.headers import head_end, read_headers
from postroom_simulator.store.interface import MailStore, Role

__all__ = ["block", "blocked", "is_junk", "unblock"]

_KEY = "blocked senders"
MOST = 1024
"""So many senders are remembered, the last ones (the limit of real mailboxes)."""


def blocked(store: MailStore, account: str) -> list[str]:
    """Canonical addresses, the last blocked last."""
    return list((store.folder(account, Role.JUNK).properties or {}).get(_KEY, ()))


def is_junk(store: MailStore, account: str, sender: str, octets: bytes) -> bool:
    """Whether a message is from somebody blocked: by its envelope or its From."""
    known = blocked(store, account)
    if not known:
        return False
    froms = [value for name, value in read_headers(octets[: head_end(octets)] + b"\r\n") if name.lower() == "from"]
    addresses = {canonical(parseaddr(one)[1]) for one in froms} | {canonical(sender)}
    return not addresses.isdisjoint(known)


def block(store: MailStore, account: str, sender: str) -> None:
    known = [one for one in blocked(store, account) if one != canonical(sender)]
    _keep(store, account, [*known, canonical(sender)][-MOST:])


def unblock(store: MailStore, account: str, sender: str) -> None:
    _keep(store, account, [one for one in blocked(store, account) if one != canonical(sender)])


def _keep(store: MailStore, account: str, senders: list[str]) -> None:
    folder = store.folder(account, Role.JUNK)
    if senders != blocked(store, account):
        store.set_folder(folder.uid, properties=dict(folder.properties or {}) | {_KEY: senders})
