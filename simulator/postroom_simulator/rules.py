"""What an account's rules make of a message: a pure decision, and the messages that forwarding writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from email import message_from_bytes
from email.message import Message
from email.utils import format_datetime, getaddresses

from postroom_simulator.compose import base64_lines, encoded, entity, field_lines, mailbox, multipart
from postroom_simulator.directory import Account, Rule, fold
from postroom_simulator.headers import HeaderMap, decoded, head_end, read_headers
from postroom_simulator.rule_conditions import fulfils

__all__ = ["LOOP_HEADER", "MAX_HOPS", "Forward", "Letter", "Verdict", "judge", "write"]

LOOP_HEADER = "X-Loop"
"""Each message that a rule writes carries one for every account whose rules it passed; an account never sends on a message that
carries its own (our choice of header, the oldest in use)."""

MAX_HOPS = 100
"""Received fields with which a message counts as running in a circle (RFC 5321 §6.3 asks for at least 100)."""

QUOTE_LIMIT = 256 * 1024
"""Characters of the original that `forward_to` quotes (our choice)."""


class Letter:
    """A message as rules look at it."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.headers = HeaderMap(octets)
        self._fields = read_headers(octets)
        self._parsed: Message | None = None

    def header(self, name: str) -> str:
        """The first such field, decoded; "" where there is none."""
        return decoded(self.headers.get(name) or "")

    def recipients(self) -> set[str]:
        """Addresses in To and Cc, folded."""
        values = [value for name, value in self._fields if name.lower() in ("to", "cc")]
        try:
            return {fold(address) for _, address in getaddresses(values) if address}
        except RecursionError:  # comments in comments in comments
            return set()

    def loops(self) -> list[str]:
        return [value for name, value in self._fields if name.lower() == LOOP_HEADER.lower()]

    def hops(self) -> int:
        return sum(name.lower() == "received" for name, _ in self._fields)

    def message(self) -> Message:
        """Parsed once; an empty one where the octets are nothing that the parser takes."""
        if self._parsed is None:
            try:
                self._parsed = message_from_bytes(self.octets)
            except (RecursionError, ValueError):
                self._parsed = Message()
        return self._parsed

    def head(self) -> str:
        """All fields as they were written."""
        return self.octets[: head_end(self.octets)].decode("utf-8", "replace")

    def text(self) -> str:
        return _text_of(self.octets)

    def has_attachments(self) -> bool:
        """Whether a part is to be shown apart from the text."""
        try:
            return any(part.get_content_disposition() == "attachment" for part in self.message().walk())
        except (RecursionError, ValueError):
            return False

    def may_pass(self, account: Account) -> bool:
        """Whether the account's rules may send this on."""
        return self.hops() < MAX_HOPS and fold(account.address) not in map(fold, self.loops())


@dataclass(frozen=True, slots=True)
class Forward:
    """A message to write. `how` is "attachment", "quote" or "redirect"."""

    how: str
    recipients: tuple[str, ...]
    rule: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What rules decided: where the message goes (`move_to`: folder name, role or uid; `delete`: to Deleted Items; `gone`: nowhere), whether it counts
    as read, what is sent on, the name of the rule that moved it, folders for copies, what is said beside it, and the uids of messages that answer it."""

    move_to: str | int | None = None
    delete: bool = False
    read: bool = False
    forwards: tuple[Forward, ...] = ()
    moved_by: str = ""
    copies: tuple[str | int, ...] = ()
    gone: bool = False
    importance: str | None = None
    categories: tuple[str, ...] = ()
    replies: tuple[int, ...] = ()


def judge(rules: Iterable[Rule], letter: Letter, account: Account | None = None, now: datetime | None = None) -> Verdict:
    """Walk the rules in order up to one that stops. Of several that move or delete, the first decides; of several importances the last (our
    choice). `account`: whose rules; `now`: when the message is received. Conditions about either do not hold without it."""
    verdict = Verdict()
    for rule in rules:
        if not rule.enabled or not _applies(rule, letter, account, now):
            continue
        decided = verdict.move_to or verdict.delete or verdict.gone
        if not decided and (rule.move_to or rule.delete or rule.delete_for_good):
            gone, delete = rule.delete_for_good, rule.delete and not rule.delete_for_good
            move_to = None if gone or delete else rule.move_to
            verdict = replace(verdict, gone=gone, delete=delete, move_to=move_to, moved_by=rule.name)
        verdict = replace(
            verdict,
            read=verdict.read or rule.mark_read,
            forwards=verdict.forwards + tuple(Forward(how, to, rule.name) for how, to in _sent_on(rule) if to),
            copies=verdict.copies + ((rule.copy_to,) if rule.copy_to else ()),
            importance=rule.mark_importance or verdict.importance,
            categories=tuple(dict.fromkeys(verdict.categories + rule.categories)),
            replies=verdict.replies + ((rule.reply_with,) if rule.reply_with is not None else ()),
        )
        if rule.stop:
            break
    return verdict


def _applies(rule: Rule, letter: Letter, account: Account | None, now: datetime | None) -> bool:
    if rule.conditions is not None and not fulfils(letter, rule.conditions, account, now):
        return False
    if rule.exceptions is not None and fulfils(letter, rule.exceptions, account, now, any_of=True):
        return False
    if rule.from_contains is not None and rule.from_contains.casefold() not in letter.header("From").casefold():
        return False
    if rule.subject_contains is not None and rule.subject_contains.casefold() not in letter.header("Subject").casefold():
        return False
    return rule.sent_to is None or fold(rule.sent_to) in letter.recipients()


def _sent_on(rule: Rule) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return (
        ("attachment", rule.forward_as_attachment_to),
        ("quote", rule.forward_to),
        ("redirect", rule.redirect_to),
    )


# -- writing what is sent on


def write(
    forward: Forward, account: Account, letter: Letter, *, now: datetime, token: Callable[[int], str], hostname: str
) -> bytes:
    """The octets of a message that a rule sends. `token` makes random hexadecimal text."""
    prefix = "Resent-" if forward.how == "redirect" else ""
    fields = [
        (f"{prefix}From", mailbox(account.name, account.address)),
        (f"{prefix}To", ", ".join(forward.recipients)),
        (f"{prefix}Date", format_datetime(now)),
        (f"{prefix}Message-ID", f"<{token(24)}@{hostname}>"),
        *((LOOP_HEADER, address) for address in (*(letter.loops() if not prefix else ()), account.address)),
    ]
    if forward.how == "redirect":
        newline = b"\n" if b"\r\n" not in letter.octets[: head_end(letter.octets)] and b"\n" in letter.octets else b"\r\n"
        return field_lines(fields, newline) + letter.octets
    fields += [("Subject", encoded("FW: " + letter.header("Subject"))), ("MIME-Version", "1.0")]
    if forward.how == "attachment":
        return _as_attachment(fields, letter, token)
    return _as_quote(fields, letter)


def _as_attachment(fields: list[tuple[str, str]], letter: Letter, token: Callable[[int], str]) -> bytes:
    """multipart/mixed with an empty text and the original's exact octets as message/rfc822 (RFC 2046 §5.2.1)."""
    boundary = f"=_{token(32)}"
    while boundary.encode() in letter.octets:
        boundary = f"=_{token(32)}"
    encoding = ("Content-Transfer-Encoding", "7bit" if letter.octets.isascii() else "8bit")
    text = entity([("Content-Type", 'text/plain; charset="us-ascii"')], b"")
    original = entity([("Content-Type", "message/rfc822"), ("Content-Disposition", "attachment"), encoding], letter.octets)
    fields += [("Content-Type", f'multipart/mixed; boundary="{boundary}"'), encoding]
    return entity(fields, multipart(boundary, [text, original]))


def _as_quote(fields: list[tuple[str, str]], letter: Letter) -> bytes:
    """text/plain in UTF-8 with the original's first fields and its text below a line, as mail clients do."""
    shown = [f"{name}: {letter.header(name)}" for name in ("From", "Date", "To", "Cc", "Subject") if letter.header(name)]
    text = "\n".join(["", "-----Original Message-----", *shown, "", _text_of(letter.octets)])
    body = text.replace("\r\n", "\n").encode("utf-8", "replace")
    fields += [("Content-Type", 'text/plain; charset="utf-8"'), ("Content-Transfer-Encoding", "base64")]
    return entity(fields, base64_lines(body))


def _text_of(octets: bytes) -> str:
    """The first text/plain part, else the first text of any kind, else nothing."""
    try:
        message: Message = message_from_bytes(octets)
        texts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    except (RecursionError, ValueError):  # nested too deep, or nothing the parser takes for a message
        return ""
    texts.sort(key=lambda part: part.get_content_subtype() != "plain")
    if not texts:
        return ""
    payload = texts[0].get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    try:
        text = raw.decode(texts[0].get_content_charset() or "utf-8", "replace")
    except LookupError:  # a charset that nobody knows
        text = raw.decode("utf-8", "replace")
    return text[:QUOTE_LIMIT]
