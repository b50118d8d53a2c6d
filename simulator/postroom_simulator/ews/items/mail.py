"""A message's octets as properties (ews reference 7, 8): read once for each content, whatever its octets are."""

from __future__ import annotations

import base64
import email
import email.policy
import io
import mimetypes
from datetime import UTC, datetime
from email.generator import BytesGenerator
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import collapse_rfc2231_value, getaddresses, parsedate_to_datetime
from typing import Any

from postroom_simulator.ews.items.compose import REFERENCE_FIELD, REFERENCE_PROPERTIES
from postroom_simulator.headers import decoded
from postroom_simulator.store.contents import with_line_ends

__all__ = ["read_message"]

Value = dict[str, Any]
DEEPEST = 60
"""Levels of parts that are read."""
_IMPORTANCE = {"high": "High", "low": "Low", "1": "High", "2": "High", "4": "Low", "5": "Low"}
_SENSITIVITY = {"personal": "Personal", "private": "Private", "company-confidential": "Confidential"}


def read_message(octets: bytes) -> Value:
    """Elements of MessageType that come from the octets. "Attachments" are elements with their octets under "Content" (files) or the inner
    message's octets under "@Mime" (items), without ids; the list is empty where there are none."""
    parsed = _parsed(octets)
    attachments = _attachments(parsed)
    value: Value = {
        "Subject": _header(parsed, "Subject") or None,
        "Body": _body(parsed),
        "Importance": _IMPORTANCE.get(_first_word(_header(parsed, "Importance") or _header(parsed, "X-Priority"))),
        "Sensitivity": _SENSITIVITY.get(_header(parsed, "Sensitivity").strip().lower()),
        "InReplyTo": _header(parsed, "In-Reply-To") or None,
        "References": _header(parsed, "References") or None,
        "InternetMessageId": _header(parsed, "Message-ID") or None,
        "DateTimeSent": _date(_header(parsed, "Date")),
        "ToRecipients": _recipients(parsed, "To"),
        "CcRecipients": _recipients(parsed, "Cc"),
        "BccRecipients": _recipients(parsed, "Bcc"),
        "ReplyTo": _recipients(parsed, "Reply-To"),
        "From": _first(parsed, "From") or _first(parsed, "Sender"),
        "Sender": _first(parsed, "Sender") or _first(parsed, "From"),
        "IsReadReceiptRequested": True if parsed["Disposition-Notification-To"] else None,
        "IsDeliveryReceiptRequested": True if parsed["Return-Receipt-To"] else None,
        "ConversationIndex": _index(_header(parsed, "Thread-Index")),
        "ConversationTopic": _header(parsed, "Thread-Topic") or topic(_header(parsed, "Subject")),
        "InternetMessageHeaders": {
            "InternetMessageHeader": [{"@HeaderName": name, "": decoded(_flat(_text(one)))} for name, one in parsed.raw_items()]
        },
        "HasAttachments": any(not one.get("IsInline") for _, one in attachments),
        "Attachments": attachments,
    }
    value["DisplayTo"] = _display(value["ToRecipients"])
    value["DisplayCc"] = _display(value["CcRecipients"])
    keywords = _header(parsed, "Keywords")
    value["Categories"] = {"String": [one.strip() for one in keywords.split(",") if one.strip()]} if keywords else None
    return {name: one for name, one in value.items() if one is not None}


def _attachments(parsed: Message) -> list[tuple[str, Value]]:
    body = _body_part(parsed)
    found: list[tuple[str, Value]] = []
    _collect(parsed, body, found)
    return found


def _parsed(octets: bytes) -> Message:
    """Parts nested so deep that nobody means it stay unread: there is a head and no body then (our choice)."""
    if octets.count(b"boundary") + octets.lower().count(b"message/rfc822") > DEEPEST:
        try:
            parsed = email.message_from_bytes(octets, policy=email.policy.compat32)
            if _depth(parsed) <= DEEPEST:
                return parsed
        except RecursionError:
            pass
        return BytesHeaderParser(policy=email.policy.compat32).parsebytes(octets)
    return email.message_from_bytes(octets, policy=email.policy.compat32)


def _depth(parsed: Message) -> int:
    deepest, waiting = 0, [(parsed, 1)]
    while waiting:
        part, depth = waiting.pop()
        deepest = max(deepest, depth)
        if part.is_multipart():
            waiting += [(one, depth + 1) for one in part.get_payload() if isinstance(one, Message)]
    return deepest


def _collect(part: Message, body: Message | None, found: list[tuple[str, Value]]) -> None:
    if part is body:
        return
    kind = part.get_content_type()
    if kind == "message/rfc822":
        inner = part.get_payload()
        if isinstance(inner, list) and inner and isinstance(inner[0], Message):
            octets = _octets(inner[0])
            name = decoded(_flat(_text(inner[0]["Subject"] or ""))) or decoded(part.get_filename() or "") or "Untitled"
            found.append(
                ("ItemAttachment", {"Name": name, "ContentType": kind, "Size": len(octets), "IsInline": False, "@Mime": octets})
            )
        return
    if kind == "message/external-body" and str(part.get_param("access-type", "")).lower() == "url":
        found.append(("ReferenceAttachment", _reference(part)))
        return
    if part.is_multipart():
        children = [one for one in part.get_payload() if isinstance(one, Message)]
        if kind == "multipart/alternative":
            children = [one for one in children if one.is_multipart() or one.get_content_maintype() != "text" or one is body]
        for one in children:
            _collect(one, body, found)
        return
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    filename = part.get_filename()
    content_id = _flat(str(part["Content-ID"] or "")).strip("<> ") or None
    value = {
        "Name": decoded(filename) if filename else _default_name(kind, len(found) + 1),
        "ContentType": kind,
        "ContentId": content_id,
        "ContentLocation": _flat(str(part["Content-Location"])) if part["Content-Location"] else None,
        "Size": len(content),
        "IsInline": part.get_content_disposition() == "inline"
        or (content_id is not None and part.get_content_disposition() is None),
        "IsContactPhoto": False,
        "Content": content,
    }
    found.append(("FileAttachment", {key: one for key, one in value.items() if one is not None}))


def _reference(part: Message) -> Value:
    """A part that stands for a thing elsewhere (RFC 2017): a ReferenceAttachment."""
    inner = part.get_payload()
    url = "".join(collapse_rfc2231_value(part.get_param("url") or "").split())  # RFC 2017 §3.1: white space is no part of it
    filename = part.get_filename()
    value: Value = {
        "Name": decoded(filename) if filename else url.rstrip("/").rpartition("/")[2] or "attachment",
        "ContentType": inner[0].get_content_type() if isinstance(inner, list) and isinstance(inner[0], Message) else None,
        "Size": 0,
        "IsInline": False,
        "AttachLongPathName": url,
    }
    for name, kind in REFERENCE_PROPERTIES.items():
        text = _header(part, REFERENCE_FIELD + name)
        if kind is bool:
            value[name] = {"true": True, "false": False}.get(text)
        elif kind is int:
            value[name] = int(text) if text.isdecimal() and len(text) < 10 else None
        else:
            value[name] = text or None
    return {name: one for name, one in value.items() if one is not None}


def _default_name(kind: str, number: int) -> str:
    """A part without a name gets one (our choice, as real servers make ATT00001.txt)."""
    return f"ATT{number:05}{mimetypes.guess_extension(kind) or '.dat'}"


def _octets(message: Message) -> bytes:
    """An inner message again, with CR LF; its fields are folded as they were."""
    out = io.BytesIO()
    BytesGenerator(out, mangle_from_=False, maxheaderlen=0, policy=email.policy.compat32).flatten(message)
    return with_line_ends(out.getvalue())


def topic(subject: str) -> str | None:
    """The subject without its reply and forward prefixes (MS-OXOMSG 2.2.1.5)."""
    text = subject.strip()
    while ":" in text[:4] and 1 <= text.index(":") <= 3 and text[: text.index(":")].isalpha():
        text = text[text.index(":") + 1 :].strip()
    return text or None


# -- parts


def _body_part(parsed: Message) -> Message | None:
    """The part that is shown as body: HTML before plain text, never an attachment."""
    if parsed.is_multipart():
        children = [one for one in parsed.get_payload() if isinstance(one, Message)]
        if parsed.get_content_type() == "multipart/alternative":
            found = [one for one in map(_body_part, children) if one is not None]
            return next((one for one in reversed(found) if one.get_content_subtype() == "html"), found[0] if found else None)
        if parsed.get_content_type() == "message/rfc822":
            return None
        return next((one for one in map(_body_part, children[:1]) if one is not None), None)
    if parsed.get_content_maintype() != "text" or parsed.get_content_subtype() not in ("plain", "html"):
        return None
    return None if parsed.get_content_disposition() == "attachment" else parsed


def _body(parsed: Message) -> Value:
    part = _body_part(parsed)
    if part is None:
        return {"@BodyType": "Text", "": ""}
    octets = part.get_payload(decode=True)
    content = octets if isinstance(octets, bytes) else b""
    charset = part.get_content_charset() or "utf-8"
    try:
        text = content.decode(charset, "replace")
    except LookupError:
        text = content.decode("utf-8", "replace")
    return {"@BodyType": "HTML" if part.get_content_subtype() == "html" else "Text", "": text}


# -- header fields


def _flat(text: str) -> str:
    return " ".join(text.split())


def _header(parsed: Message, name: str) -> str:
    given = _fields(parsed, name)
    return decoded(_flat(given[0])) if given else ""


def _first_word(text: str) -> str:
    """Of "1 (Highest)" the number."""
    return text.split(maxsplit=1)[0].lower() if text.strip() else ""


def _fields(parsed: Message, name: str) -> list[str]:
    """The values of all fields of a name, octets beyond ASCII read as UTF-8 (RFC 6532)."""
    return [_text(value) for key, value in parsed.raw_items() if key.lower() == name.lower()]


def _text(value: str) -> str:
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _recipients(parsed: Message, name: str) -> Value | None:
    given = [_flat(one) for one in _fields(parsed, name)]
    boxes = [mailbox(decoded(shown), address) for shown, address in getaddresses(given) if address]
    return {"Mailbox": boxes} if boxes else None


def _first(parsed: Message, name: str) -> Value | None:
    found = _recipients(parsed, name)
    return {"Mailbox": found["Mailbox"][0]} if found else None


def mailbox(name: str, address: str) -> Value:
    """An EmailAddressType."""
    return {"Name": name or address, "EmailAddress": address, "RoutingType": "SMTP", "MailboxType": "Mailbox"}


def _display(recipients: Value | None) -> str | None:
    return "; ".join(one["Name"] for one in recipients["Mailbox"]) if recipients else None


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def _index(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=False) if text else None
    except ValueError:
        return None
