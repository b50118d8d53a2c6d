"""Conversations: which messages belong together (ews reference 8; MS-OXOMSG 2.2.1.2, 2.2.1.3).

Messages of one topic are one conversation, as in Exchange 2007 (our choice): most mail has no Thread-Index, and replies keep the topic."""

from __future__ import annotations

import hashlib
import struct
from datetime import datetime
from typing import TYPE_CHECKING, Any

from postroom_simulator.ews.ids import Id, Kind, mailbox_number, write_id
from postroom_simulator.ews.items.mail import topic
from postroom_simulator.headers import decoded, read_headers

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call
    from postroom_simulator.store.interface import Item

__all__ = [
    "child_index",
    "conversation_id",
    "conversation_number",
    "new_index",
    "number_of_topic",
    "topic_of",
    "topic_of_octets",
]

Value = dict[str, Any]
_EPOCH_GAP = 11_644_473_600
"""Seconds from 1601 to 1970."""


def topic_of(properties: Value) -> str:
    return str(properties.get("ConversationTopic") or topic(properties.get("Subject") or "") or "")


def topic_of_octets(head: bytes) -> str:
    """Of a message, by its head."""
    fields = {name.lower(): value for name, value in reversed(read_headers(head))}
    flat = {name: decoded(" ".join(fields.get(name, "").split())) for name in ("thread-topic", "subject")}
    return flat["thread-topic"] or topic(flat["subject"]) or ""


def conversation_number(item: Item, properties: Value) -> int:
    """The same for all items of a conversation in a mailbox; items without a topic have one each."""
    text = topic_of(properties)
    return number_of_topic(text) if text else _number(b"\0" + struct.pack(">Q", item.uid))


def number_of_topic(text: str) -> int:
    return _number(text.casefold().encode("utf-8", "replace"))


def _number(octets: bytes) -> int:
    return int.from_bytes(hashlib.sha256(octets).digest()[:8]) >> 1


def conversation_id(item: Item, properties: Value) -> Value:
    """An ItemIdType."""
    return {"@Id": write_id(Id(Kind.CONVERSATION, mailbox_number(item.account), conversation_number(item, properties)))}


def new_index(call: Call, now: datetime) -> bytes:
    """PidTagConversationIndex of the first message of a conversation (MS-OXOMSG 2.2.1.3): 22 octets."""
    ticks = int((now.timestamp() + _EPOCH_GAP) * 10_000_000)
    return b"\x01" + struct.pack(">Q", ticks)[1:6] + call.world.ids.random.randbytes(16)


def child_index(call: Call, parent: bytes | None, now: datetime) -> bytes:
    """Of an answer: that of what it answers, and five octets."""
    if not parent or len(parent) < 22:
        return new_index(call, now)
    then = int.from_bytes(b"\0" + parent[1:6] + b"\0\0") / 10_000_000 - _EPOCH_GAP
    apart = max(int((now.timestamp() - then) * 10_000_000), 0)
    code, shifted = (0x80000000, apart >> 23) if apart >> 49 else (0, apart >> 18)
    packed = struct.pack(">I", code | (shifted & 0x7FFFFFFF))
    return parent + packed + bytes([call.world.ids.random.getrandbits(8)])
