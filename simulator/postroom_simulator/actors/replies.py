"""Out-of-office replies: RFC 3834. Whether one may be sent is a pure function of what came and when the last one went."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime

from postroom_simulator.actors.values import AutoReply
from postroom_simulator.compose import base64_lines, encoded, entity, mailbox
from postroom_simulator.directory import Account, canonical
from postroom_simulator.headers import message_id_of
from postroom_simulator.rules import Letter

__all__ = ["reply_message", "why_not", "why_not_them"]

_NOBODY = re.compile(
    r"(?:mailer-?daemon|postmaster|no-?reply|do-?not-?reply|bounces?|listserv|majordomo|root|abuse)(?:[+=-].*)?\Z"
    r"|owner-.*|.*-(?:owner|request|relay|bounces?|noreply)\Z",
    re.IGNORECASE,
)
"""Local parts behind which nobody reads: RFC 3834 §2, RFC 5230 §4.6."""

_TAG = re.compile(r"<(?:!doctype|html|body|div|p|span|br|b|i|a|table)\b[^<>]*>", re.IGNORECASE)
"""A text with one of these is HTML (our choice)."""

_LIST_FIELDS = ("List-Id", "List-Help", "List-Subscribe", "List-Unsubscribe", "List-Post", "List-Owner", "List-Archive")
"""RFC 2369, RFC 2919."""


def why_not(reply: AutoReply, account: Account, letter: Letter, sender: str, last: datetime | None, now: datetime) -> str:
    """Why this mail is not answered; "" when it is. `last`: when its sender was answered before."""
    if (reply.start is not None and now < reply.start) or (reply.end is not None and now >= reply.end):
        return "nobody is away"
    own = {canonical(address) for address in (account.address, *account.aliases)}
    return why_not_them(letter, sender, own) or _why_not_this(reply, letter, own, last, now)


def why_not_them(letter: Letter, sender: str, own: set[str]) -> str:
    """Who never gets an automatic reply."""
    local = sender.rpartition("@")[0]
    if not sender or not local:
        return "it comes from nobody"
    if canonical(sender) in own:
        return "it comes from the account itself"
    if _NOBODY.match(local):
        return "nobody reads mail for its sender"
    if letter.header("Auto-Submitted").partition(";")[0].strip().lower() not in ("", "no"):
        return "it is automatic itself"
    if letter.header("Precedence").strip().lower() in ("bulk", "list", "junk"):
        return "it is bulk mail"
    if any(name in letter.headers for name in _LIST_FIELDS):
        return "it comes from a list"
    if letter.loops():
        return "a rule has sent it on"
    suppressed = re.split(r"[,\s]+", letter.header("X-Auto-Response-Suppress").lower())
    return "its sender wants no automatic reply" if {"all", "oof", "autoreply"} & set(suppressed) else ""


def _why_not_this(reply: AutoReply, letter: Letter, own: set[str], last: datetime | None, now: datetime) -> str:
    if reply.only_addressed and not own & {canonical(address) for address in letter.recipients()}:
        return "it does not name the account"
    if last is not None and (now - last).total_seconds() < reply.interval:
        return "its sender has been answered already"
    return ""


def reply_message(
    reply: AutoReply,
    account: Account,
    letter: Letter,
    sender: str,
    *,
    now: datetime,
    hostname: str,
    token: Callable[[int], str],
) -> bytes:
    """RFC 3834 §3: to the sender of the envelope, and marked as automatic."""
    subject = reply.subject if reply.subject is not None else f"{reply.prefix}{letter.header('Subject')}"
    about = message_id_of(letter.octets)
    fields = [
        ("From", mailbox(account.name, account.address)),
        ("To", sender),
        ("Subject", encoded(subject)),
        ("Date", format_datetime(now)),
        ("Message-ID", f"<{token(24)}@{hostname}>"),
        *([("In-Reply-To", about), ("References", about)] if about and about.isprintable() else []),
        ("Auto-Submitted", "auto-replied"),
        ("Precedence", "bulk"),
        ("MIME-Version", "1.0"),
        *([("Content-Language", reply.language)] if reply.language else []),
        ("Content-Type", f"text/{'html' if _TAG.search(reply.text) else 'plain'}; charset=utf-8"),
        ("Content-Transfer-Encoding", "base64"),
    ]
    return entity(fields, base64_lines(reply.text.encode("utf-8", "replace")))
