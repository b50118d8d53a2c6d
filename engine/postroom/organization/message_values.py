"""An incoming message as CheckIncomingEmail and DeliverIncomingEmail take it, and what both directions make of addresses and files."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from postroom.errors import InvalidValue
from postroom.mime.addresses import parse_list
from postroom.mime.values import Address, Attachment, ParsedMessage
from postroom.model import ActivityMimeAttachment, Lookup
from postroom.model.text import one_line
from postroom.rules.tracking_header import TRACKING_HEADER, email_id_of

__all__ = ["IncomingMessage", "addresses_of", "attachment_rows", "importance_of", "message_id_key"]

_MESSAGE_ID_LIMIT = 320


def message_id_key(message_id: str) -> str:
    """A Message-ID as it is stored and compared: at most 320 characters; a longer one keeps its beginning and a hash of the whole, so that
    two long ones stay two (ours)."""
    message_id = one_line(message_id.strip(), len(message_id))
    if len(message_id) <= _MESSAGE_ID_LIMIT:
        return message_id
    digest = hashlib.sha256(message_id.encode("utf-8")).hexdigest()
    return message_id[: _MESSAGE_ID_LIMIT - len(digest) - 1] + "#" + digest


def addresses_of(value: Iterable[Address | str | Lookup] | str) -> tuple[Address, ...]:
    """Addresses from values, or from text separated by ";" (suggested, reference 4.1) or ",". Unusable parts are left out."""
    parts: Iterable[Address | str | Lookup] = [value] if isinstance(value, str) else value
    found: list[Address] = []
    for part in parts:
        if isinstance(part, Address):
            found.append(part)
        elif isinstance(part, str):
            for piece in part.split(";"):
                found.extend(parse_list(piece).addresses)
    return tuple(found)


def importance_of(value: int | str) -> int:
    """0, 1 or 2, as a number or its text (reference 4.1). Raises InvalidValue."""
    if str(value) not in ("0", "1", "2"):
        raise InvalidValue(f"importance: 0, 1 or 2 expected, not {str(value)[:40]!r}")
    return int(value)


def attachment_rows(activity: Lookup, attachments: Iterable[Attachment]) -> list[ActivityMimeAttachment]:
    """The files of an email as records, numbered from 1."""
    return [
        ActivityMimeAttachment(
            objectid=activity,
            objecttypecode="email",
            filename=one_line(one.filename, 255),
            mimetype=one_line(one.content_type, 256),
            body=base64.b64encode(one.octets).decode("ascii"),
            attachmentnumber=number,
            filesize=len(one.octets),
        )
        for number, one in enumerate(attachments, start=1)
    ]


def _synthetic_id(from_: Sequence[Address], received_on: datetime | None, subject: str, body: str) -> str:
    """From From, date, subject and body, as `mime.parse` does it for a message; "" without a date."""
    if received_on is None:
        return ""
    digest = hashlib.sha256()
    for part in (from_[0].key if from_ else "", received_on.isoformat(), subject, body):
        octets = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(octets))
        digest.update(octets)
    return f"<{digest.hexdigest()[:40]}@synthetic.postroom.invalid>"


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """`received_on` aware UTC; None only where CheckIncomingEmail asks. `body` is HTML when `html`. `email_id`: of the sent email that our own
    header names, or ""."""

    message_id: str
    subject: str = ""
    from_: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    conversation_index: str = ""
    email_id: str = ""
    received_on: datetime | None = None
    submitted_by: str = ""
    importance: int = 1
    body: str = ""
    html: bool = False
    attachments: tuple[Attachment, ...] = ()

    @classmethod
    def of(
        cls,
        *,
        message_id: str,
        subject: str = "",
        from_: Iterable[Address | str | Lookup] | str = (),
        to: Iterable[Address | str | Lookup] | str = (),
        cc: Iterable[Address | str | Lookup] | str = (),
        bcc: Iterable[Address | str | Lookup] | str = (),
        in_reply_to: str = "",
        references: Sequence[str] = (),
        conversation_index: str = "",
        received_on: datetime | None = None,
        submitted_by: str = "",
        importance: int = 1,
        body: str = "",
        attachments: tuple[Attachment, ...] = (),
    ) -> IncomingMessage:
        """From the documented parameters. A body that looks like HTML is taken as such. What is delivered (it was received at some moment) without a
        Message-ID gets one of its own making, always the same for the same message (reference 4.4)."""
        from_ = addresses_of(from_)
        return cls(
            message_id=message_id_key(message_id) or _synthetic_id(from_, received_on, subject, body),
            subject=subject,
            from_=from_,
            to=addresses_of(to),
            cc=addresses_of(cc),
            bcc=addresses_of(bcc),
            in_reply_to=message_id_key(in_reply_to),
            references=tuple(references),
            conversation_index=conversation_index,
            received_on=received_on,
            submitted_by=submitted_by,
            importance=importance,
            body=body,
            html=body.lstrip()[:200].lower().startswith(("<html", "<!doctype", "<div", "<p", "<body")),
            attachments=attachments,
        )

    @classmethod
    def of_parsed(cls, parsed: ParsedMessage, received_on: datetime, submitted_by: str) -> IncomingMessage:
        """From a parsed message: HTML if present, else text (reference 4.10)."""
        return cls(
            message_id=message_id_key(parsed.message_id),
            subject=parsed.subject,
            from_=parsed.from_,
            to=parsed.to,
            cc=parsed.cc,
            bcc=parsed.bcc,
            in_reply_to=message_id_key(parsed.in_reply_to),
            references=parsed.references,
            conversation_index=parsed.conversation_index,
            email_id=email_id_of(parsed.header(TRACKING_HEADER)),
            received_on=received_on,
            submitted_by=submitted_by,
            importance=parsed.importance,
            body=parsed.html if parsed.html is not None else (parsed.text or ""),
            html=parsed.html is not None,
            attachments=parsed.attachments,
        )

    @property
    def sender(self) -> Address | None:
        """The first From address decides."""
        return self.from_[0] if self.from_ else None

    @property
    def everybody(self) -> Iterator[str]:
        """The addresses of sender and recipients: from, to, cc, bcc."""
        return (one.address for group in (self.from_[:1], self.to, self.cc, self.bcc) for one in group)
