"""From octets to a `ParsedMessage`: never raises, bounded in every direction (mail-protocol-pitfalls sections 4 and 8).

An own scanner, not the standard library's `email` package: that one recurses (1,000 nested multiparts), is quadratic in places (8,000 parameters take
4 s) and takes a lone CR for a line end. Here nothing recurses and every pass is linear in its input.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from postroom.clock import SystemClock
from postroom.mime import defects as flaws
from postroom.mime.addresses import parse_list
from postroom.mime.bodies import gather
from postroom.mime.dates import parse_date
from postroom.mime.headers import (
    HeaderBlock,
    conversation_index,
    decoded,
    first_id,
    importance_of,
    raw_text,
    reference_ids,
    scan_header,
    synthetic_id,
)
from postroom.mime.structure import Budget, opaque, walk
from postroom.mime.values import Address, Attachment, Limits, ParsedMessage

__all__ = ["parse_message"]

_ONCE: Final = (  # RFC 5322 §3.6, RFC 2045
    "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Subject", "Date", "Message-ID", "In-Reply-To", "References",
    "Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "MIME-Version",
)  # fmt: skip
_SPELLING: Final = {name.lower(): name for name in _ONCE}
_DEFAULT_LIMITS: Final = Limits()


def parse_message(
    octets: bytes, *, limits: Limits = _DEFAULT_LIMITS, monotonic: Callable[[], float] | None = None
) -> ParsedMessage:
    """Understand a message as far as it can be understood. Never raises, whatever the octets.

    `monotonic` counts the seconds of `limits.seconds` (the machine's when not given). Beyond a limit the rest is one opaque attachment
    (application/octet-stream) and a defect.
    """
    octets = bytes(octets)
    budget = Budget(limits.seconds, monotonic or SystemClock().monotonic)
    try:
        return _parse(octets, limits, budget)
    except Exception:  # noqa: BLE001, RUF100 - the last resort: a parser's mistake must never stop the queue (pitfalls 4.1)
        return _unparsed(octets)


def _parse(octets: bytes, limits: Limits, budget: Budget) -> ParsedMessage:
    defects = flaws.Defects()
    data = octets if len(octets) <= limits.octets else octets[: limits.octets]
    block = scan_header(data, _begin(data, defects), len(data), limits, defects)
    if not block.fields:
        defects.add(flaws.NO_HEADERS)
    fields = _Fields(block, limits, budget, defects)
    message_id, synthetic = _message_id(block, octets, defects)
    leaves = walk(data, 0, block, limits, budget, defects)
    if len(octets) > limits.octets:
        defects.add(flaws.TOO_LARGE)
        leaves.append(opaque(octets[limits.octets :]))
    content = gather(leaves, budget, defects)
    from_ = fields.addresses("From")
    if not from_:
        defects.add(flaws.NO_FROM)
    return ParsedMessage(
        digest=hashlib.sha256(octets).hexdigest(),
        size=len(octets),
        message_id=message_id,
        message_id_synthetic=synthetic,
        subject=decoded(block.raw("subject"))[0],
        from_=from_,
        sender=next(iter(fields.addresses("Sender")), None),
        reply_to=fields.addresses("Reply-To"),
        to=fields.addresses("To"),
        cc=fields.addresses("Cc"),
        bcc=fields.addresses("Bcc"),
        date=fields.date(),
        received=fields.received(),
        in_reply_to=first_id(block.text("in-reply-to"), bare=False),
        references=reference_ids(block.text("references")),
        conversation_index=conversation_index(block.text("thread-index")),
        importance=importance_of(block),
        text=content.text,
        html=content.html,
        attachments=tuple(content.attachments),
        headers=fields.all(),
        defects=defects.as_tuple(),
    )


def _begin(data: bytes, defects: flaws.Defects) -> int:
    """Where the header starts: after a byte order mark and an mbox `From ` line."""
    start = 0
    if data.startswith(b"\xef\xbb\xbf"):
        defects.add(flaws.BYTE_ORDER_MARK)
        start = 3
    if data.startswith((b"From ", b">From "), start):
        defects.add(flaws.MBOX_LINE)
        end = data.find(b"\n", start)
        start = len(data) if end < 0 else end + 1
    return start


def _message_id(block: HeaderBlock, octets: bytes, defects: flaws.Defects) -> tuple[str, bool]:
    found = first_id(block.text("message-id"), bare=True)
    if found:
        return found, False
    defects.add(flaws.UNUSABLE_MESSAGE_ID if "message-id" in block.first else flaws.NO_MESSAGE_ID)
    return synthetic_id(block, octets[block.end :]), True


@dataclass(slots=True)
class _Fields:
    """The header's fields as values. Address limits count over all fields of the message."""

    block: HeaderBlock
    limits: Limits
    budget: Budget
    defects: flaws.Defects
    counted: int = 0

    def addresses(self, name: str) -> tuple[Address, ...]:
        text = self.block.text(name.lower())
        if not text:
            return ()
        if self.budget.spent:
            self.defects.add(flaws.TOO_SLOW)
            return ()
        found = parse_list(text, limit=max(self.limits.addresses - self.counted, 0))
        self.counted += len(found.addresses)
        if found.unusable:
            self.defects.add(flaws.unusable_address(name))
        if found.overflow:
            self.defects.add(flaws.TOO_MANY_ADDRESSES)
        return found.addresses

    def date(self) -> datetime | None:
        if "date" not in self.block.first:
            self.defects.add(flaws.NO_DATE)
            return None
        date = parse_date(self.block.text("date"))
        if date is None:
            self.defects.add(flaws.unusable_date("Date"))
        return date

    def received(self) -> tuple[datetime, ...]:
        """The moment stands after the last semicolon (RFC 5322 §3.6.7)."""
        found = (
            parse_date(raw_text(value).rpartition(";")[2])
            for name, value in self.block.fields
            if name.lower() == "received" and b";" in value
        )
        return tuple(moment for moment in found if moment is not None)

    def all(self) -> tuple[tuple[str, str], ...]:
        seen: set[str] = set()
        out: list[tuple[str, str]] = []
        for n, (name, value) in enumerate(self.block.fields):
            if n % 64 == 63 and self.budget.spent:
                self.defects.add(flaws.TOO_SLOW)
                break
            self._flag(name.lower(), value, seen)
            text, whole = decoded(value)
            if not whole:
                self.defects.add(flaws.BAD_ENCODED_WORD)
            out.append((name, text))
        return tuple(out)

    def _flag(self, name: str, value: bytes, seen: set[str]) -> None:
        if name in _SPELLING:
            if name in seen:
                self.defects.add(flaws.doubled(_SPELLING[name]))
            seen.add(name)
        if not value.isascii():
            self.defects.add(flaws.RAW_8BIT)
        if b"\x00" in value:
            self.defects.add(flaws.CONTROL_CHARACTERS)


def _unparsed(octets: bytes) -> ParsedMessage:
    digest = hashlib.sha256(octets).hexdigest()
    return ParsedMessage(
        digest=digest,
        size=len(octets),
        message_id=f"<{digest[:40]}@synthetic.postroom.invalid>",
        message_id_synthetic=True,
        attachments=(Attachment("message.eml", "application/octet-stream", octets),),
        defects=(flaws.PARSER_FAILURE,),
    )
