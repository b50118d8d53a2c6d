"""What a report says of the message that it is about, as MAPI properties (MS-OXOMSG 2.2.2.29 to 2.2.3; RFC 3464, RFC 8098)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email import message_from_bytes
from email.message import Message
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any

from postroom_simulator.ews.items.mapi import Key, Mirror
from postroom_simulator.headers import decoded

__all__ = ["MIRRORS", "facts_of"]

Value = dict[str, Any]
_STATUS = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})")


def facts_of(octets: bytes) -> Value:
    """subject, message_id, sent: of the original; status, diagnostic: of the first recipient that has such. Only what is said."""
    try:
        message = message_from_bytes(octets)
        blocks = [block for part in _parts(message) for block in _groups(part)]
    except (RecursionError, ValueError):
        return {}
    found: Value = {}
    for block in blocks:
        found.setdefault("subject", decoded(_flat(block["Subject"])) or None)
        found.setdefault("message_id", _flat(block["Original-Message-ID"] or block["Message-ID"]) or None)
        found.setdefault("sent", _date(_flat(block["Date"])))
        found.setdefault("diagnostic", _flat(block["Diagnostic-Code"]) or None)
        status = _STATUS.search(_flat(block["Status"]))
        found.setdefault("status", int("".join(status.groups())) if status else None)
        found = {name: one for name, one in found.items() if one is not None}
    return found


def _flat(value: object) -> str:
    return " ".join(str(value or "").split())


def _date(text: str) -> Any:
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None


def _parts(message: Message) -> list[Message]:
    """Those for machines, and the original or its head."""
    payload = message.get_payload()
    return [one for one in payload if isinstance(one, Message)][1:10] if isinstance(payload, list) else []


def _groups(part: Message) -> list[Message]:
    payload = part.get_payload()
    if isinstance(payload, list):
        return [one for one in payload[:100] if isinstance(one, Message)]
    octets = part.get_payload(decode=True)
    return [message_from_bytes(octets)] if isinstance(octets, bytes) else []


def _fact(name: str) -> Mirror:
    return Mirror(lambda _, properties: (properties.get("@Report") or {}).get(name))


MIRRORS: Mapping[Key, Mirror] = MappingProxyType(
    {
        ("", 0x0032): Mirror(lambda _, one: one.get("DateTimeSent") if "@Report" in one else None),
        ("", 0x0049): _fact("subject"),
        ("", 0x004E): _fact("sent"),
        ("", 0x0C1B): _fact("diagnostic"),
        ("", 0x0C20): _fact("status"),
        ("", 0x1046): _fact("message_id"),
    }
)
"""PidTagReportTime, PidTagOriginalSubject, PidTagOriginalSubmitTime, PidTagSupplementaryInfo, PidTagNonDeliveryReportStatusCode,
PidTagOriginalMessageId (MS-OXPROPS)."""
