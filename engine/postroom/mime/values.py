"""Messages as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

__all__ = ["Address", "Attachment", "Importance", "Limits", "OutgoingMessage", "ParsedMessage"]

Importance = int
"""0 low, 1 normal, 2 high: the numbers of `DeliverIncomingEmail`."""


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox: `address` as written (control characters removed, never empty), display name decoded."""

    address: str
    name: str = ""

    @property
    def key(self) -> str:
        """For comparison: exact and case-insensitive (reference 4.8)."""
        return self.address.casefold()


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file. `filename` is a safe label, never a path (pitfalls 4.5); `octets` are decoded. A message/rfc822 part is kept with
    its own octets, untouched."""

    filename: str
    content_type: str
    octets: bytes
    content_id: str = ""
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds before parsing (pitfalls section 8); what lies beyond is one opaque part and a defect."""

    octets: int = 25 * 1024 * 1024
    levels: int = 50
    parts: int = 1_000
    header_lines: int = 1_000
    header_octets: int = 256 * 1024
    parameters: int = 100
    addresses: int = 5_000
    seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """What a message says, as far as it can be understood. Made by `mime.parse.parse_message`, which never raises.

    digest      SHA-256 of the octets, hexadecimal
    message_id  with its angle brackets, blanks removed; synthesised from (From, Date, Subject, body) when missing or unusable, then
                `message_id_synthetic` (reference 4.4)
    from_       all From addresses in order; the first decides
    date        aware UTC from Date, None when missing or unusable
    received    moments of the Received fields, topmost (newest) first, unusable ones left out
    importance  from Importance, X-Priority, X-MSMail-Priority
    text, html  the body's alternatives, decoded; None when absent
    headers     every field in order, name as written, value unfolded and decoded
    defects     what was wrong, one short English phrase each, in a stable spelling
    """

    digest: str
    size: int
    message_id: str
    message_id_synthetic: bool = False
    subject: str = ""
    from_: tuple[Address, ...] = ()
    sender: Address | None = None
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    date: datetime | None = None
    received: tuple[datetime, ...] = ()
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    conversation_index: str = ""
    importance: Importance = 1
    text: str | None = None
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    defects: tuple[str, ...] = ()

    def header(self, name: str) -> str | None:
        """The first field of this name (any case), or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """What `mime.compose.compose` turns into octets. Line breaks and NULs in header values are refused, never passed on.

    Bcc recipients belong to the envelope only and are not among these values. `charset`: of the text and the HTML, where these can be written in it; else
    they are UTF-8, as headers always are.
    """

    message_id: str
    date: datetime
    from_: Address
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    subject: str = ""
    text: str | None = None
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    importance: Importance = 1
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    delivery_receipt: bool = False
    read_receipt: bool = False
    extra_headers: tuple[tuple[str, str], ...] = field(default=())
    charset: str = "utf-8"
