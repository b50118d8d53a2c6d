"""Properties as a message's octets: what is sent, and what MimeContent and POP3 show of an item that has no octets of its own.

The same properties give the same octets: boundaries come from the content. Written line by line, so that a great many recipients or a very long text cost
no more than their length.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from email.utils import format_datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from postroom_simulator.compose import base64_lines, encoded, mailbox
from postroom_simulator.ews.items.html import text_of
from postroom_simulator.headers import head_end, read_headers
from postroom_simulator.store.contents import with_line_ends

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call

__all__ = ["compose", "envelope_of", "new_message_id", "with_fields", "without_fields"]

Value = dict[str, Any]
Part = tuple[list[tuple[str, str]], bytes]
"""Fields about the content, and the body."""

_IMPORTANCE = {"High": "high", "Low": "low"}
_SENSITIVITY = {"Personal": "Personal", "Private": "Private", "Confidential": "Company-Confidential"}
_RECIPIENTS = (("To", "ToRecipients"), ("Cc", "CcRecipients"), ("Bcc", "BccRecipients"), ("Reply-To", "ReplyTo"))
_GOVERNED = frozenset(
    [
        "from",
        "sender",
        "to",
        "cc",
        "bcc",
        "reply-to",
        "subject",
        "message-id",
        "in-reply-to",
        "references",
        "importance",
        "sensitivity",
        "x-priority",
        "priority",
        "thread-topic",
        "thread-index",
        "date",
        "keywords",
        "disposition-notification-to",
        "return-receipt-to",
        "mime-version",
    ]
)
"""Fields that come from properties of their own; and all that begin with "content-"."""
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`{|}~0-9A-Za-z]+")
_LONGEST_LINE = 998  # RFC 5322 §2.1.1


def new_message_id(call: Call) -> str:
    """A Message-ID, from the world's numbers."""
    return f"<{call.world.ids.number('ews message'):08x}.{call.world.ids.random.getrandbits(64):016x}@{call.world.hostname}>"


def envelope_of(value: Value) -> list[str]:
    """The addresses that a message goes to, each once, in order."""
    found: dict[str, str] = {}
    for _, name in _RECIPIENTS[:3]:
        for box in (value.get(name) or {}).get("Mailbox") or ():
            address = box.get("EmailAddress") or ""
            found.setdefault(address.lower(), address)
    return [address for address in found.values() if address]


def compose(value: Value, *, bcc: bool = False) -> bytes:
    """A MessageType's value as RFC 5322 octets with CR LF. `bcc` keeps that field: for the sender's own copy."""
    fields = _fields(value, bcc=bcc)
    about, body = _content(value)
    lines = [*fields, ("MIME-Version", "1.0"), *about]
    return "".join(f"{name}: {text}\r\n" for name, text in lines).encode("utf-8", "replace") + b"\r\n" + body


# -- fields


def _fields(value: Value, *, bcc: bool) -> list[tuple[str, str]]:
    given = (value.get("InternetMessageHeaders") or {}).get("InternetMessageHeader") or ()
    rest = [(one["@HeaderName"], _long(one[""])) for one in given if _is_free(one["@HeaderName"])]
    trace = [pair for pair in rest if pair[0].lower() in ("received", "return-path", "delivered-to")]
    fields = [*trace]
    if value.get("DateTimeSent") is not None:
        fields.append(("Date", format_datetime(value["DateTimeSent"])))
    for name, element in (("From", "From"), ("Sender", "Sender")):
        box = (value.get(element) or {}).get("Mailbox")
        if box and not (name == "Sender" and value.get("From") == value.get("Sender")):
            fields.append((name, _addresses([box])))
    for name, element in _RECIPIENTS:
        boxes = (value.get(element) or {}).get("Mailbox") or ()
        if boxes and (name != "Bcc" or bcc):
            fields.append((name, _addresses(boxes)))
    fields += [(name, text) for name, text in _plain_fields(value) if text]
    fields += [pair for pair in rest if pair not in trace]
    return fields


def _plain_fields(value: Value) -> list[tuple[str, str]]:
    sender = ((value.get("From") or {}).get("Mailbox") or {}).get("EmailAddress") or ""
    categories = (value.get("Categories") or {}).get("String") or ()
    index = value.get("ConversationIndex")
    return [
        ("Subject", _long(value.get("Subject") or "")),
        ("Message-ID", _line(value.get("InternetMessageId") or "")),
        ("In-Reply-To", _line(value.get("InReplyTo") or "")),
        ("References", "\r\n ".join((value.get("References") or "").split())),
        ("Importance", _IMPORTANCE.get(value.get("Importance", ""), "")),
        ("Sensitivity", _SENSITIVITY.get(value.get("Sensitivity", ""), "")),
        ("Keywords", ",\r\n ".join(encoded(_line(one)) for one in categories)),
        ("Thread-Topic", _long(value.get("ConversationTopic") or "")),
        ("Thread-Index", base64.b64encode(index).decode("ascii") if index else ""),
        ("Disposition-Notification-To", _line(sender) if value.get("IsReadReceiptRequested") else ""),
        ("Return-Receipt-To", _line(sender) if value.get("IsDeliveryReceiptRequested") else ""),
    ]


def _is_free(name: str) -> bool:
    folded = name.lower()
    return _TOKEN.fullmatch(name) is not None and folded not in _GOVERNED and not folded.startswith("content-")


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _long(text: str) -> str:
    """Unstructured text of any length, in encoded words of RFC 2047 where it needs them."""
    text = "".join(c if c.isprintable() else " " for c in text)
    if len(text) <= 2000:
        return encoded(text)
    return "\r\n ".join(_word(text[at : at + 30]) for at in range(0, len(text), 30))


def _word(text: str) -> str:
    return f"=?utf-8?b?{base64.b64encode(text.encode('utf-8', 'replace')).decode('ascii')}?="


def _addresses(boxes: Iterable[Value]) -> str:
    return ",\r\n ".join(_address(box) for box in boxes)


def _address(box: Value) -> str:
    address, name = _line(box.get("EmailAddress") or ""), _line(box.get("Name") or "")
    usable = "".join(c for c in address if c not in "<>,; ")
    if "@" not in usable:  # no address of RFC 5322: shown as an empty group with a name
        return f"{mailbox(name or address or 'unknown', 'x').removesuffix(' <x>')}:;"
    return mailbox(name if name != address else "", usable)


def with_fields(octets: bytes, fields: Iterable[tuple[str, str]]) -> bytes:
    """A message with further fields at its top."""
    return "".join(f"{name}: {text}\r\n" for name, text in fields).encode("utf-8", "replace") + octets


def without_fields(octets: bytes, names: Iterable[str]) -> bytes:
    """A message without the fields of these names (in lower case); all else octet for octet."""
    dropped = {name.encode() for name in names}
    end = head_end(octets)
    kept, dropping = [], False
    for line in octets[:end].splitlines(keepends=True):
        if line[:1] not in (b" ", b"\t"):
            dropping = line.partition(b":")[0].strip().lower() in dropped
        if not dropping:
            kept.append(line)
    return b"".join(kept) + octets[end:]


def has_field(octets: bytes, name: str) -> bool:
    return any(one.lower() == name for one, _ in read_headers(octets))


# -- content


def _content(value: Value) -> Part:
    inline: list[Part] = []
    attached: list[Part] = []
    for element, attachment in value.get("Attachments") or ():
        part = _attachment(element, attachment)
        (inline if attachment.get("IsInline") and attachment.get("ContentId") else attached).append(part)
    body = value.get("Body") or {"@BodyType": "Text", "": ""}
    if body["@BodyType"] == "HTML":
        main = _multipart("alternative", [_text(text_of(body[""]), "plain"), _text(body[""], "html")])
        if inline:
            main = _multipart("related", [main, *inline])
    else:
        main, attached = _text(body[""], "plain"), [*inline, *attached]
    return _multipart("mixed", [main, *attached]) if attached else main


def _text(text: str, subtype: str) -> Part:
    octets = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode("utf-8", "replace")
    about = [("Content-Type", f"text/{subtype}; charset={'us-ascii' if octets.isascii() else 'utf-8'}")]
    if octets and not octets.endswith(b"\r\n"):
        octets += b"\r\n"
    if octets.isascii() and b"\0" not in octets and max(map(len, octets.split(b"\r\n"))) <= _LONGEST_LINE:
        return [*about, ("Content-Transfer-Encoding", "7bit")], octets
    foreign = len(octets.translate(None, bytes(range(128))))
    if 6 * foreign > len(octets):
        return [*about, ("Content-Transfer-Encoding", "base64")], base64_lines(octets)
    quoted = binascii.b2a_qp(octets.replace(b"\r\n", b"\n"), istext=True).replace(b"\n", b"\r\n")
    return [*about, ("Content-Transfer-Encoding", "quoted-printable")], quoted


def _attachment(element: str, attachment: Value) -> Part:
    name = _line(attachment.get("Name") or "attachment")
    if element == "ReferenceAttachment":
        return _reference(name, attachment)
    if element == "ItemAttachment":
        octets = with_line_ends(inner_octets(attachment))
        about = [
            ("Content-Type", "message/rfc822"),
            ("Content-Disposition", f"attachment{_parameter('filename', name + '.eml')}"),
        ]
        if not octets.isascii():
            about.append(("Content-Transfer-Encoding", "8bit"))
        return about, octets
    main, _, sub = (
        (attachment.get("ContentType") or "application/octet-stream").partition(";")[0].strip().lower().partition("/")
    )
    if main in ("multipart", "message") or not (_TOKEN.fullmatch(main) and _TOKEN.fullmatch(sub)):
        main, sub = "application", "octet-stream"
    disposition = "inline" if attachment.get("IsInline") else "attachment"
    about = [
        ("Content-Type", f"{main}/{sub}{_parameter('name', name)}"),
        ("Content-Transfer-Encoding", "base64"),
        ("Content-Disposition", f"{disposition}{_parameter('filename', name)}"),
    ]
    if attachment.get("ContentId"):
        about.append(("Content-ID", f"<{_line(attachment['ContentId']).strip('<>')}>"))
    if attachment.get("ContentLocation"):
        about.append(("Content-Location", _long(attachment["ContentLocation"])))
    return about, base64_lines(attachment.get("Content") or b"")


REFERENCE_FIELD = "X-Attachment-"
"""Fields of a part that stands for a thing elsewhere begin so, and go on with the property's name (our choice)."""


def _reference(name: str, attachment: Value) -> Part:
    """An attachment by reference: message/external-body with an URL (RFC 2017; our choice), its further properties in fields of the part."""
    about = [
        (
            "Content-Type",
            f"message/external-body; access-type=URL{_parameter('url', _line(attachment['AttachLongPathName']))}{_parameter('name', name)}",
        ),
        ("Content-Disposition", f"attachment{_parameter('filename', name)}"),
    ]
    for key in REFERENCE_PROPERTIES:
        if attachment.get(key) is not None:
            value = attachment[key]
            about.append((f"{REFERENCE_FIELD}{key}", _long(str(value).lower() if isinstance(value, bool) else str(value))))
    kind = attachment.get("ContentType") or "application/octet-stream"
    return about, f"Content-Type: {_line(kind)}\r\n\r\n".encode("utf-8", "replace")


REFERENCE_PROPERTIES: Mapping[str, type] = MappingProxyType(
    {
        "ProviderType": str,
        "ProviderEndpointUrl": str,
        "AttachmentThumbnailUrl": str,
        "AttachmentPreviewUrl": str,
        "PermissionType": int,
        "OriginalPermissionType": int,
        "AttachmentIsFolder": bool,
    }
)
"""Of an attachment by reference, beside its name and where it is."""


def inner_octets(attachment: Value) -> bytes:
    """An attached item as a message: as it came, or made of its properties."""
    if "@Mime" in attachment:
        octets: bytes = attachment["@Mime"]
        return octets
    inner = next((one for name, one in attachment.items() if name[:1].isupper() and isinstance(one, dict)), {})
    return compose(inner)


def _parameter(name: str, text: str) -> str:
    """A parameter of RFC 2045, with RFC 2231 where it is not ASCII."""
    if text.isascii():
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f';\r\n {name}="{escaped}"'
    return f";\r\n {name}*=utf-8''{''.join(_percent(octet) for octet in text.encode('utf-8', 'replace'))}"


def _percent(octet: int) -> str:
    character = chr(octet)
    return character if character.isascii() and (character.isalnum() or character in "-._") else f"%{octet:02X}"


def _multipart(subtype: str, parts: list[Part]) -> Part:
    drawn = hashlib.sha256(subtype.encode())
    for about, body in parts:
        drawn.update(repr(about).encode() + body)
    boundary = f"=_{drawn.hexdigest()[:40]}"
    pieces = []
    for about, body in parts:
        head = "".join(f"{name}: {text}\r\n" for name, text in about).encode("utf-8", "replace")
        pieces.append(f"--{boundary}\r\n".encode() + head + b"\r\n" + body + (b"" if body.endswith(b"\r\n") else b"\r\n"))
    pieces.append(f"--{boundary}--\r\n".encode())
    return [("Content-Type", f'multipart/{subtype}; boundary="{boundary}"')], b"".join(pieces)
