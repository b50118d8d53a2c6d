"""Properties as a message's octets: what is sent, and what MimeContent and POP3 show of an item that has no octets of its own."""

from __future__ import annotations

import email.policy
from collections.abc import Iterable
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call

__all__ = ["compose", "envelope_of", "new_message_id"]

Value = dict[str, Any]
_POLICY = email.policy.SMTP.clone(utf8=False, cte_type="7bit", max_line_length=78)
_IMPORTANCE = {"High": "high", "Low": "low"}
_SENSITIVITY = {"Personal": "Personal", "Private": "Private", "Confidential": "Company-Confidential"}
_RECIPIENTS = (("To", "ToRecipients"), ("Cc", "CcRecipients"), ("Bcc", "BccRecipients"), ("Reply-To", "ReplyTo"))


def new_message_id(call: Call) -> str:
    """A Message-ID, from the world's numbers."""
    return f"<{call.world.ids.number('ews message'):08x}.{call.world.ids.random.getrandbits(64):016x}@{call.world.hostname}>"


def envelope_of(value: Value) -> list[str]:
    """The addresses that a message goes to, each once, in order."""
    found: dict[str, str] = {}
    for _, name in _RECIPIENTS[:3]:
        for box in (value.get(name) or {}).get("Mailbox", ()):
            address = box.get("EmailAddress", "")
            found.setdefault(address.lower(), address)
    return [address for address in found.values() if address]


def compose(value: Value, *, bcc: bool = False) -> bytes:
    """A MessageType's value as RFC 5322 octets with CR LF. `bcc` keeps that field: for the sender's own copy."""
    message = EmailMessage(_POLICY)
    for name, element in (("From", "From"), ("Sender", "Sender")):
        box = (value.get(element) or {}).get("Mailbox")
        if box and not (name == "Sender" and value.get("From") == value.get("Sender")):
            message[name] = _addresses([box])
    for name, element in _RECIPIENTS:
        boxes = (value.get(element) or {}).get("Mailbox", ())
        if boxes and (name != "Bcc" or bcc):
            message[name] = _addresses(boxes)
    _fields(message, value)
    _body(message, value.get("Body"))
    for element, attachment in value.get("Attachments") or ():
        _attach(message, element, attachment)
    return message.as_bytes()


def _fields(message: EmailMessage, value: Value) -> None:
    plain = {
        "Subject": value.get("Subject"),
        "Message-ID": value.get("InternetMessageId"),
        "In-Reply-To": value.get("InReplyTo"),
        "References": value.get("References"),
        "Importance": _IMPORTANCE.get(value.get("Importance", "")),
        "Sensitivity": _SENSITIVITY.get(value.get("Sensitivity", "")),
        "Thread-Topic": value.get("ConversationTopic"),
    }
    if value.get("DateTimeSent") is not None:
        plain["Date"] = format_datetime(value["DateTimeSent"])
    sender = ((value.get("From") or {}).get("Mailbox") or {}).get("EmailAddress")
    if value.get("IsReadReceiptRequested") and sender:
        plain["Disposition-Notification-To"] = sender
    if value.get("IsDeliveryReceiptRequested") and sender:
        plain["Return-Receipt-To"] = sender
    for name, text in plain.items():
        if text:
            message[name] = _line(str(text))
    for header in (value.get("InternetMessageHeaders") or {}).get("InternetMessageHeader", ()):
        if header["@HeaderName"].lower().startswith("x-"):
            message[header["@HeaderName"]] = _line(header[""])


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _addresses(boxes: Iterable[Value]) -> list[Address]:
    made = []
    for box in boxes:
        address, name = box.get("EmailAddress", ""), _line(box.get("Name") or "")
        local, _, domain = address.rpartition("@")
        try:
            made.append(Address(name if name != address else "", local, domain))
        except (ValueError, IndexError):  # no address of RFC 5322: shown as a name
            made.append(Address(name or _line(address) or "unknown"))
    return made


def _body(message: EmailMessage, body: Value | None) -> None:
    text = (body or {}).get("", "").replace("\r\n", "\n")
    text = text.encode("utf-8", "replace").decode("utf-8")
    subtype = "html" if (body or {}).get("@BodyType") == "HTML" else "plain"
    message.set_content(text, subtype=subtype, charset="utf-8" if not text.isascii() else "us-ascii")


def _attach(message: EmailMessage, element: str, attachment: Value) -> None:
    name = _line(attachment.get("Name") or "attachment")
    if element == "ItemAttachment":
        inner = email.message_from_bytes(attachment.get("Mime", b""), policy=_POLICY)
        part = EmailMessage(_POLICY)
        part.set_content(inner, filename=name, disposition="attachment")
    else:
        main, _, sub = (attachment.get("ContentType") or "application/octet-stream").partition("/")
        if main in ("multipart", "message") or not sub.replace("-", "").replace(".", "").replace("+", "").isalnum():
            main, sub = "application", "octet-stream"
        part = EmailMessage(_POLICY)
        disposition = "inline" if attachment.get("IsInline") else "attachment"
        content = attachment.get("Content", b"")
        part.set_content(content, maintype=main, subtype=sub, disposition=disposition, filename=name)
        if attachment.get("ContentId"):
            part["Content-ID"] = f"<{_line(attachment['ContentId'])}>"
    if not message.is_multipart() or message.get_content_type() != "multipart/mixed":
        message.make_mixed()
    message.attach(part)
