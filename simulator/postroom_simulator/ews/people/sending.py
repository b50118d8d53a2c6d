"""Who may send as whom (ews reference 8, 19: ErrorSendAsDenied)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from postroom_simulator.directory import Account, canonical
from postroom_simulator.ews.call import Call
from postroom_simulator.ews.errors import EwsError

__all__ = ["check_sender", "may_send_as", "may_send_on_behalf", "senders"]

Value = dict[str, Any]


def may_send_as(account: Account, owner: Account) -> bool:
    """Whether mail of the account may look as if it came from `owner` alone."""
    return account is owner or _named(account, owner.send_as)


def may_send_on_behalf(account: Account, owner: Account) -> bool:
    """Whether the account may write for `owner`, itself named as sender: by right, or as a delegate."""
    return account is owner or _named(account, owner.send_on_behalf) or canonical(account.address) in owner.delegation.delegates


def _named(account: Account, addresses: set[str]) -> bool:
    return bool({canonical(one) for one in addresses} & {canonical(one) for one in (account.address, *account.aliases)})


def _owner(call: Call, box: Mapping[str, Any] | None) -> Account:
    """Raises EwsError for somebody who has no mailbox here."""
    found = call.world.directory.get(str(((box or {}).get("Mailbox") or {}).get("EmailAddress", "")))
    if not isinstance(found, Account):
        raise EwsError("ErrorSendAsDenied")
    return found


def check_sender(call: Call, message: Mapping[str, Any]) -> None:
    """Raises EwsError ErrorSendAsDenied where the caller may not send a message with these From and Sender.

    Another's From with oneself as Sender is sent on behalf; another as Sender too needs the right to send as them, and both be the same."""
    author, sender = _owner(call, message["From"]), _owner(call, message["Sender"])
    if sender is call.account:
        allowed = may_send_on_behalf(call.account, author) or may_send_as(call.account, author)
    else:
        allowed = sender is author and may_send_as(call.account, author)
    if not allowed:
        raise EwsError("ErrorSendAsDenied")


def senders(call: Call, properties: Mapping[str, Any], own: Value) -> Value:
    """From and Sender of a message about to be sent; `own` is the caller's. Who may send as somebody does not show; who may send on behalf shows
    as sender, even where the message says otherwise (or is octets that name nobody but the author)."""
    author = properties.get("From") or own
    sender = properties.get("Sender") or author
    found = call.world.directory.get(str((author.get("Mailbox") or {}).get("EmailAddress", "")))
    if isinstance(found, Account) and not may_send_as(call.account, found) and may_send_on_behalf(call.account, found):
        named = call.world.directory.get(str((sender.get("Mailbox") or {}).get("EmailAddress", "")))
        sender = own if named is found else sender
    return {"From": author, "Sender": sender}
