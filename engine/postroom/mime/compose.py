"""From an `OutgoingMessage` to octets that any server takes: CRLF, ASCII header, lines within 998 octets, nothing injected.

The same message gives the same octets: boundaries come from the message id, never from chance.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from postroom.mime.addresses import is_usable
from postroom.mime.dates import format_date
from postroom.mime.encode import address_text, fold, parameter, text_tokens
from postroom.mime.values import Address, Attachment, OutgoingMessage

__all__ = ["ComposeError", "compose"]

MAX_LINE: Final = 998
_CONTROL: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_FIELD_NAME: Final = re.compile(r"[!-9;-~]{1,70}")
_MESSAGE_ID: Final = re.compile(r"<[!-;=?-~]{1,900}>")
_CONTENT_TYPE: Final = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}(?:; ?[A-Za-z0-9!#$&^_.+-]{1,60}=(?:[A-Za-z0-9!#$&^_.+-]{1,100}|\"[ !#-\[\]-~]{0,100}\"))*"
)
_LONE_CR_OR_LF: Final = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_PROBLEMS: Final = {"\r": "holds a line break", "\n": "holds a line break", "\x00": "holds a NUL"}
_LINE_ENDS: Final = re.compile(r"\r\n|\r|\n")
_OURS: Final = frozenset(
    {"date", "from", "to", "cc", "bcc", "subject", "message-id", "in-reply-to", "references", "importance", "x-priority", "return-receipt-to",
     "disposition-notification-to", "mime-version"}
)  # fmt: skip


class ComposeError(ValueError):
    """A value that cannot be written safely. `field` names it: a header field, `filename`, `content_id`, `content_type`, `text`, `html`."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


@dataclass(frozen=True, slots=True)
class _Part:
    """Header fields (octets, CRLF after each) and body; a body's last line end belongs to what follows."""

    fields: bytes
    body: bytes


def compose(message: OutgoingMessage, *, utf8: bool = False, eight_bit: bool = False) -> bytes:
    """The message's octets, ending with CRLF.

    `utf8`: the peer offers SMTPUTF8 (RFC 6531), so headers and addresses may hold UTF-8. `eight_bit`: the peer offers 8BITMIME (RFC 6152).
    Raises ComposeError for line breaks, NUL and other controls in any value, for unusable addresses and ids, for an address beyond ASCII without
    `utf8`, and for a moment without a zone.
    """
    root = _Body(message, eight_bit).build()
    out = _header(message, utf8) + b"MIME-Version: 1.0\r\n" + root.fields + b"\r\n" + root.body
    return out if out.endswith(b"\r\n") else out + b"\r\n"


# -- the header ----------------------------------------------------------------------------------------------------------------------------


def _header(message: OutgoingMessage, utf8: bool) -> bytes:
    try:
        date = format_date(message.date)
    except ValueError as error:
        raise ComposeError("Date", str(error)) from None
    out = [
        fold("Date", date.split(" ")),
        _addresses("From", (message.from_,), utf8),
        _addresses("To", message.to, utf8),
        _addresses("Cc", message.cc, utf8),
        _text("Subject", message.subject, utf8),
        fold("Message-ID", [_id("Message-ID", message.message_id)]),
    ]
    if message.in_reply_to:
        out.append(fold("In-Reply-To", [_id("In-Reply-To", message.in_reply_to)]))
    if message.references:
        out.append(fold("References", [_id("References", one) for one in message.references]))
    out.extend(_flags(message, utf8))
    out.extend(_extra(name, value, utf8) for name, value in message.extra_headers)
    return b"".join(out)


def _flags(message: OutgoingMessage, utf8: bool) -> list[bytes]:
    if message.importance not in (0, 1, 2):
        raise ComposeError("Importance", "neither 0, 1 nor 2")
    out: list[bytes] = []
    if message.importance != 1:
        high = message.importance == 2
        out += [fold("Importance", ["high" if high else "low"]), fold("X-Priority", ["1" if high else "5"])]
    if message.delivery_receipt:  # the envelope's NOTIFY (RFC 3461) is the transport's; this is what older servers look at
        out.append(_addresses("Return-Receipt-To", (message.from_,), utf8))
    if message.read_receipt:  # RFC 8098 §2.1
        out.append(_addresses("Disposition-Notification-To", (message.from_,), utf8))
    return out


def _extra(name: str, value: str, utf8: bool) -> bytes:
    if not _FIELD_NAME.fullmatch(name):
        raise ComposeError(ascii(name)[:80], "not a header field name")
    if name.lower() in _OURS or name.lower().startswith("content-"):
        raise ComposeError(name, "is set from the message's own values")
    return _text(name, value, utf8)


def _checked(field: str, value: str) -> str:
    match = _CONTROL.search(value)
    if match is not None:
        raise ComposeError(
            field, _PROBLEMS.get(match[0], "holds half a character" if match[0] >= "\ud800" else "holds a control character")
        )
    return value


def _text(name: str, value: str, utf8: bool) -> bytes:
    return fold(name, text_tokens(_checked(name, value), utf8=utf8))


def _addresses(name: str, addresses: tuple[Address, ...], utf8: bool) -> bytes:
    if not addresses:
        return b""
    tokens: list[str] = []
    for address in addresses:
        _checked(name, address.name)
        _checked(name, address.address)
        if not is_usable(address.address) or len(address.address.encode()) > 900:
            raise ComposeError(name, f"{ascii(address.address)[:100]} is not an address")
        if not utf8 and not address.address.isascii():
            raise ComposeError(name, "an address beyond ASCII needs a server that offers SMTPUTF8")
        if tokens:
            tokens[-1] += ","
        tokens += address_text(address, utf8=utf8)
    return fold(name, tokens)


def _id(name: str, value: str) -> str:
    _checked(name, value)
    if not _MESSAGE_ID.fullmatch(value):
        raise ComposeError(name, f"{ascii(value)[:100]} is not a message id in angle brackets")
    return value


# -- the body ------------------------------------------------------------------------------------------------------------------------------


class _Body:
    """alternative(text, related(html, images)) within mixed(..., files), as much of it as is needed."""

    def __init__(self, message: OutgoingMessage, eight_bit: bool) -> None:
        self.message = message
        self.eight_bit = eight_bit
        self.multiparts = 0

    def build(self) -> _Part:
        message = self.message
        shown = [one for one in message.attachments if one.inline and one.content_id and message.html is not None]
        files = [self._file(one) for one in message.attachments if one not in shown]
        parts: list[_Part] = []
        if message.text is not None:
            parts.append(self._text("plain", message.text))
        if message.html is not None:
            html = self._text("html", message.html)
            images = [self._file(one) for one in shown]
            parts.append(self._multipart("related", [html, *images], 'type="text/html"') if images else html)
        if len(parts) > 1:
            parts = [self._multipart("alternative", parts)]
        if files:
            return self._multipart("mixed", [*parts, *files])
        return parts[0] if parts else self._text("plain", "")

    def _multipart(self, kind: str, parts: list[_Part], extra: str = "") -> _Part:
        self.multiparts += 1
        boundary = self._boundary(parts)
        lines = [b"--%s\r\n%s\r\n%s\r\n" % (boundary, part.fields, part.body) for part in parts]
        fields = fold(
            "Content-Type", [f"multipart/{kind};", *([f"{extra};"] if extra else []), f'boundary="{boundary.decode()}"']
        )
        body = b"".join(lines) + b"--%s--\r\n" % boundary
        if not body.isascii():  # a multipart says the most that is within (RFC 2045 §6.4)
            fields += fold("Content-Transfer-Encoding", ["8bit"])
        return _Part(fields, body)

    def _boundary(self, parts: list[_Part]) -> bytes:
        """From the message id; `=_` cannot occur in base64 or quoted-printable, and what stands in plain text is avoided by counting on."""
        n = 0
        while True:
            seed = f"{self.message.message_id}/{self.multiparts}/{n}".encode()
            boundary = b"=_" + hashlib.sha256(seed).hexdigest()[:40].encode()
            if not any(boundary in part.body for part in parts):
                return boundary
            n += 1

    def _text(self, kind: str, text: str) -> _Part:
        if "\x00" in text:
            raise ComposeError("html" if kind == "html" else "text", "holds a NUL")
        text = _LINE_ENDS.sub("\r\n", text)
        charset, octets = _encoded(text, self.message.charset)
        if octets is None:
            raise ComposeError("html" if kind == "html" else "text", "holds half a character")
        encoding, body = _text_encoding(octets, self.eight_bit)
        fields = fold("Content-Type", [f"text/{kind};", f"charset={charset}"]) + fold("Content-Transfer-Encoding", [encoding])
        return _Part(fields, body)

    def _file(self, attachment: Attachment) -> _Part:
        kind = _checked("content_type", attachment.content_type)
        if not _CONTENT_TYPE.fullmatch(kind):
            raise ComposeError("content_type", f"{ascii(kind)[:100]} is not a content type")
        lower = kind.lower()
        encoding, body = "base64", _base64(attachment.octets)
        if lower.startswith(("multipart/", "message/")):
            # These may not be encoded (RFC 2045 §6.4): sent as they are where that is possible, else as a file of no particular kind.
            identity = _identity(attachment.octets, self.eight_bit) if lower.startswith("message/") else ""
            kind = kind if identity else "application/octet-stream"
            encoding, body = (identity, attachment.octets) if identity else (encoding, body)
        fields = fold("Content-Type", [*_separated(kind)]) + fold("Content-Transfer-Encoding", [encoding])
        disposition = ["inline" if attachment.inline else "attachment"]
        if attachment.filename:
            disposition[0] += ";"
            disposition += parameter("filename", _checked("filename", attachment.filename))
        fields += fold("Content-Disposition", disposition)
        if attachment.content_id:
            cid = _checked("content_id", attachment.content_id).strip("<>")
            if not _MESSAGE_ID.fullmatch(f"<{cid}>"):
                raise ComposeError("content_id", f"{ascii(cid)[:100]} is not a content id")
            fields += fold("Content-ID", [f"<{cid}>"])
        return _Part(fields, body)


def _encoded(text: str, wanted: str) -> tuple[str, bytes | None]:
    """(name of the character set, the octets): ASCII where that is enough, else the wanted set, else UTF-8; None for half a character."""
    if text.isascii():
        return "us-ascii", text.encode("ascii")
    for charset in dict.fromkeys((wanted, "utf-8")):
        try:
            return charset, text.encode(charset)
        except (UnicodeEncodeError, LookupError):
            continue
    return "utf-8", None


def _separated(kind: str) -> list[str]:
    """`text/calendar; method=REQUEST` at its semicolons, so that it can be folded there."""
    pieces = re.split(r"; ?(?=[A-Za-z0-9!#$&^_.+-]+=)", kind)
    return [f"{piece};" for piece in pieces[:-1]] + pieces[-1:]


def _identity(octets: bytes, eight_bit: bool) -> str:
    """The encoding under which these octets pass unchanged, or "": only CRLF line ends, no NUL, lines within 998 octets."""
    if b"\x00" in octets or _LONE_CR_OR_LF.search(octets) or _too_long(octets):
        return ""
    if octets.isascii():
        return "7bit"
    return "8bit" if eight_bit else ""


def _too_long(octets: bytes) -> bool:
    return len(octets) > MAX_LINE and any(len(line) > MAX_LINE for line in octets.split(b"\r\n"))


def _text_encoding(octets: bytes, eight_bit: bool) -> tuple[str, bytes]:
    """Identity where it fits, else quoted-printable, or base64 where that is much shorter. `From ` at a line's start is encoded: mboxes are still about."""
    identity = _identity(octets, eight_bit)
    if identity and not re.search(rb"(?m)^From ", octets):
        return identity, octets
    quoted = binascii.b2a_qp(octets.replace(b"\r\n", b"\n"), istext=True)
    quoted = re.sub(rb"(?m)^From ", b"=46rom ", quoted).replace(b"\n", b"\r\n")
    if len(quoted) > len(octets) * 5 // 3:
        return "base64", _base64(octets)
    return "quoted-printable", quoted


def _base64(octets: bytes) -> bytes:
    """Lines of 76 characters; no line end after the last."""
    packed = binascii.b2a_base64(octets, newline=False)
    return b"\r\n".join(packed[n : n + 76] for n in range(0, len(packed), 76))
