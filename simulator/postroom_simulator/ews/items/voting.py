"""Voting buttons: what may be answered to a message, kept as the property PidLidVerbStream (MS-OXOMSG 2.2.1.74), and what was (PidLidVerbResponse)."""

from __future__ import annotations

import base64
import struct
from typing import TYPE_CHECKING, Any

from postroom_simulator.ews.fields import Extended, path_of
from postroom_simulator.ews.items import mapi

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call
    from postroom_simulator.store.interface import Item

__all__ = ["options", "voting"]

Value = dict[str, Any]
_OPTION = 4
"""VerbType of a voting option; others are what every message can be answered by."""
_PROMPTS = {0: "None", 1: "Send", 2: "VotingOption"}
"""SendBehavior, and the SendPrompt of a VotingOptionData (the numbers of that enumeration are our reading)."""
_LIMIT = 31
"""Options that one message has at most (MS-OXOMSG 2.2.1.74.1: ID is 1 to 31)."""


def _path(number: int, kind: str) -> Extended:
    found = path_of("ExtendedFieldURI", {"@DistinguishedPropertySetId": "Common", "@PropertyId": number, "@PropertyType": kind})
    assert isinstance(found, Extended)
    return found


def voting(_: Call, item: Item, properties: Value, __: Any) -> Value | None:
    """A VotingInformationType; None for a message about which nobody votes."""
    stream = mapi.read(item, properties, _path(0x8520, "Binary"), {})
    response = mapi.read(item, properties, _path(0x8524, "String"), {})
    found = options(_octets(stream))
    value: Value = {"UserOptions": {"VotingOptionData": found}} if found else {}
    return value | ({"VotingResponse": response} if response else {}) or None


def _octets(given: Any) -> bytes:
    if isinstance(given, str):
        return base64.b64decode(given)
    return given if isinstance(given, bytes) else b""


class _Reader:
    """Fields one behind the other. Raises ValueError where they end."""

    def __init__(self, octets: bytes) -> None:
        self._octets, self._at = octets, 0

    def take(self, count: int) -> bytes:
        found = self._octets[self._at : self._at + count]
        if len(found) != count:
            raise ValueError("the stream is cut")
        self._at += count
        return found

    def number(self, kind: str) -> int:
        (found,) = struct.unpack("<" + kind, self.take(struct.calcsize(kind)))
        return int(found)

    def text(self, width: int = 1) -> bytes:
        """Behind its count of characters, of so many octets each."""
        return self.take(self.number("B") * width)


def options(stream: bytes) -> list[Value]:
    """VotingOptionDataTypes, in order; none for a stream that cannot be read."""
    reader = _Reader(stream)
    try:
        if reader.number("H") != 0x0102:
            return []
        rows = [_option(reader) for _ in range(min(reader.number("I"), 2 * _LIMIT))]
        names = _wide_names(reader, len(rows))
    except (ValueError, UnicodeDecodeError):
        return []
    return [
        {"DisplayName": name or narrow, "SendPrompt": _PROMPTS.get(behavior, "None")}
        for (kind, narrow, behavior), name in zip(rows, names, strict=True)
        if kind == _OPTION
    ]


def _option(reader: _Reader) -> tuple[int, str, int]:
    """A VoteOption: kind, name, behavior."""
    kind = reader.number("I")
    name = reader.text().decode("cp1252", "replace")
    reader.text()  # class of the answer
    reader.text()
    reader.text()  # the name again
    reader.take(4 + 1 + 4 + 4)
    behavior = reader.number("I")
    reader.take(4 + 4 + 4)
    return kind, name, behavior


def _wide_names(reader: _Reader, count: int) -> list[str]:
    """The VoteOptionExtras: the names with all their letters."""
    if reader.number("H") != 0x0104:
        raise ValueError("no extras")
    found = []
    for _ in range(count):
        found.append(reader.text(2).decode("utf-16-le"))
        reader.text(2)
    return found
