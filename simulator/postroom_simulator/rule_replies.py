"""Answers that rules write: a message of the mailbox is the pattern (MS-OXWSRULES 2.2.4: ServerReplyWithMessage; MS-OXORULE 2.2.5.1.1)."""

from __future__ import annotations

from email.utils import format_datetime
from typing import TYPE_CHECKING

from postroom_simulator.actors.courier import Mail
from postroom_simulator.actors.replies import why_not_them
from postroom_simulator.compose import encoded, field_lines, mailbox
from postroom_simulator.directory import Account, canonical
from postroom_simulator.errors import StoreError
from postroom_simulator.headers import decoded, head_end, message_id_of, read_headers
from postroom_simulator.journal import Kind
from postroom_simulator.rules import LOOP_HEADER, Letter, Verdict

if TYPE_CHECKING:
    from postroom_simulator.world import World

__all__ = ["answers"]


def answers(world: World, account: Account, letter: Letter, sender: str, verdict: Verdict) -> list[Mail]:
    """One for each rule that wants one. Who never gets an automatic reply (RFC 3834 §2) gets none of these either."""
    own = {canonical(address) for address in (account.address, *account.aliases)}
    reason = why_not_them(letter, sender, own)
    if reason:
        world.journal.add(Kind.NOTE, account=account.address, detail=f"a rule does not answer: {reason}")
        return []
    found = []
    for uid in verdict.replies:
        octets = _pattern(world, account, uid)
        if octets is None:
            world.journal.add(Kind.NOTE, account=account.address, detail="a rule answers nothing: its message is gone")
        else:
            found.append(Mail(sender, _answer(world, account, letter, sender, octets), "rule"))
    return found


def _pattern(world: World, account: Account, uid: int) -> bytes | None:
    try:
        item = world.store.item(uid)
        return world.store.rendered(item) if item.account == canonical(account.address) else None
    except StoreError:
        return None


def _answer(world: World, account: Account, letter: Letter, sender: str, pattern: bytes) -> bytes:
    """Subject and content of the pattern, to the sender of what came; marked as automatic."""
    end = head_end(pattern)
    given = read_headers(pattern[:end])
    subject = next((decoded(value) for name, value in given if name.lower() == "subject"), "")
    about = message_id_of(letter.octets)
    fields = [
        ("From", mailbox(account.name, account.address)),
        ("To", sender),
        ("Subject", encoded(subject or f"RE: {letter.header('Subject')}")),
        ("Date", format_datetime(world.clock.now())),
        ("Message-ID", f"<{world.ids.token(24)}@{world.hostname}>"),
        *([("In-Reply-To", about), ("References", about)] if about and about.isprintable() else []),
        ("Auto-Submitted", "auto-replied"),
        (LOOP_HEADER, account.address),
        ("MIME-Version", "1.0"),
        *((name, value) for name, value in given if name.lower().startswith("content-")),
    ]
    return field_lines(fields) + b"\r\n" + pattern[end:].removeprefix(b"\r\n").removeprefix(b"\n")
