"""What kind of item a message makes where it is delivered (ews reference 8; MS-OXCMAIL 2.2.3): reports, meeting notices, S/MIME, and all others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from email import message_from_bytes
from email.message import Message
from types import MappingProxyType

from postroom_simulator.headers import head_end

__all__ = ["item_class", "report_class"]

_READ = frozenset({"displayed", "dispatched", "processed"})
_DELIVERY: Mapping[str, str] = MappingProxyType(
    {
        "failed": "REPORT.IPM.Note.NDR",
        "delayed": "REPORT.IPM.Note.Delayed.DR",
        "delivered": "REPORT.IPM.Note.DR",
        "relayed": "REPORT.IPM.Note.Relayed.DR",
        "expanded": "REPORT.IPM.Note.Expanded.DR",
    }
)
"""By Action of RFC 3464 §2.3.3; the first that any recipient has."""
MOST_RECIPIENTS = 1000
"""Recipients of a report that are looked at (our choice)."""


def report_class(octets: bytes) -> str | None:
    """The class of a report; None for all other mail, which is not even parsed."""
    if b"multipart/report" not in octets[: head_end(octets)].lower():
        return None
    try:
        message = message_from_bytes(octets)
        return _report(message) if message.get_content_type() == "multipart/report" else None
    except (RecursionError, ValueError):
        return None


def item_class(message: Message) -> str:
    """Of a parsed message."""
    kind = message.get_content_type()
    method = _method(message)
    if method is not None:
        return {"request": "IPM.Schedule.Meeting.Request", "cancel": "IPM.Schedule.Meeting.Canceled"}.get(
            method, "IPM.Schedule.Meeting.Resp.Pos" if method == "reply" else "IPM.Note"
        )
    if kind == "multipart/report":
        return _report(message)
    if kind in ("application/pkcs7-mime", "application/x-pkcs7-mime", "multipart/encrypted"):
        return "IPM.Note.SMIME"
    if kind == "multipart/signed":
        return "IPM.Note.SMIME.MultipartSigned"
    return "IPM.Note"


def _report(message: Message) -> str:
    """By what the part for machines says, or where that says nothing by its kind; a report about anything else (abuse, say) is mail."""
    said = list(_said(message))
    disposition = next((text for name, text in said if name == "Disposition"), None)
    if disposition is not None:
        done = {word.strip() for word in re.split(r"[,/]", disposition.rpartition(";")[2])}
        return "REPORT.IPM.Note.IPNRN" if done & _READ else "REPORT.IPM.Note.IPNNRN"
    actions = {text for name, text in said if name == "Action"}
    found = next((one for action, one in _DELIVERY.items() if action in actions), None)
    return found or _KINDS.get(str(message.get_param("report-type", "")).lower(), "IPM.Note")


_KINDS: Mapping[str, str] = MappingProxyType(
    {"delivery-status": "REPORT.IPM.Note.NDR", "disposition-notification": "REPORT.IPM.Note.IPNRN"}
)


def _said(message: Message) -> Iterator[tuple[str, str]]:
    """Disposition and Action fields, in lower case."""
    payload = message.get_payload()
    for part in payload if isinstance(payload, list) else ():
        if not isinstance(part, Message):
            continue
        kind = part.get_content_type()
        if kind in ("message/delivery-status", "message/global-delivery-status"):
            blocks = _blocks(part)[:MOST_RECIPIENTS]
            yield from (("Action", str(block["Action"]).strip().lower()) for block in blocks if block["Action"])
        elif kind in ("message/disposition-notification", "message/global-disposition-notification"):
            yield from (
                ("Disposition", str(block["Disposition"]).strip().lower()) for block in _blocks(part) if block["Disposition"]
            )


def _blocks(part: Message) -> list[Message]:
    """Groups of fields; the parser makes messages of those of the kinds that it knows."""
    payload = part.get_payload()
    if isinstance(payload, list):
        return [one for one in payload if isinstance(one, Message)]
    octets = part.get_payload(decode=True)
    text = octets if isinstance(octets, bytes) else b""
    return [message_from_bytes(block) for block in re.split(rb"\r?\n\r?\n", text.strip())[: MOST_RECIPIENTS + 1]]


def _method(message: Message) -> str | None:
    """Of the calendar part near the top of a message, in lower case."""
    waiting, looked = [message], 0
    while waiting and looked < 50:
        part, looked = waiting.pop(0), looked + 1
        if part.get_content_type() == "text/calendar":
            return str(part.get_param("method", "")).lower() or None
        payload = part.get_payload()
        if part.is_multipart() and isinstance(payload, list) and part.get_content_maintype() == "multipart":
            waiting += [one for one in payload if isinstance(one, Message)]
    return None
