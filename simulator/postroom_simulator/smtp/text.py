"""From octets to lines and to a message's text. No state of the dialogue here, and nothing that grows without limit."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["ChunkedText", "LineBuffer", "MessageText", "TooLong", "has_long_line", "lone_line_ends", "parse_chunk"]

END = b"\r\n.\r\n"
ENDLESS = 2**20
LONG_LINE = 998
_KEPT_OF_LONG_LINES = 16


@dataclass(frozen=True, slots=True)
class TooLong:
    """A line was over the limit and is gone, to its end. `endless`: its end never came within 1 MiB. `beginning`: its first octets,
    the same however it was cut."""

    endless: bool = False
    beginning: bytes = field(default=b"", compare=False)


class LineBuffer:
    """Input not used yet. Lines end with CR LF and nothing else (mail-protocol-pitfalls 1)."""

    __slots__ = ("_beginning", "_dropped", "_octets", "_searched")

    def __init__(self) -> None:
        self._octets = bytearray()
        self._searched = 0  # no CR LF begins before this
        self._dropped = 0  # octets of a line over the limit that are gone already
        self._beginning = b""  # of that line

    def __len__(self) -> int:
        return len(self._octets)

    def feed(self, octets: bytes | bytearray) -> None:
        self._octets += octets

    def clear(self) -> None:
        self._octets.clear()
        self._searched = self._dropped = 0

    def take_all(self) -> bytes:
        octets = bytes(self._octets)
        self.clear()
        return octets

    def take_octets(self, most: int) -> bytes:
        """Up to `most` of what is there, whatever it means."""
        taken = bytes(memoryview(self._octets)[:most])
        del self._octets[:most]
        self._searched = 0
        return taken

    def put_back(self, octets: bytes | bytearray) -> None:
        """In front of whatever came since."""
        self._octets[:0] = octets
        self._searched = 0

    def take_line(self, limit: int, auth_limit: int) -> bytes | TooLong | None:
        """The next line without its CR LF; None when it is not complete. Limits count the CR LF; `auth_limit` is for a line that
        begins with AUTH. A line over its limit costs no more memory than the limit, and its tail is never taken for a line."""
        octets = self._octets
        at = octets.find(b"\r\n", self._searched)
        if at < 0:
            self._searched = max(0, len(octets) - 1)
            if self._dropped or len(octets) >= self._limit(limit, auth_limit):
                return self._drop()
            return None
        self._searched = 0
        if self._dropped or at + 2 > self._limit(limit, auth_limit):
            long = TooLong(self._dropped + at > ENDLESS, self._beginning_of_line())
            del octets[: at + 2]
            self._dropped = 0
            return long
        line = bytes(octets[:at])
        del octets[: at + 2]
        return line

    def _limit(self, limit: int, auth_limit: int) -> int:
        return auth_limit if self._octets[:5].upper() == b"AUTH " else limit

    def _drop(self) -> TooLong | None:
        """Forget the line so far but for an octet that may be half of its end."""
        self._beginning = self._beginning_of_line()
        keep = 1 if self._octets.endswith(b"\r") else 0
        self._dropped += len(self._octets) - keep
        del self._octets[: len(self._octets) - keep]
        self._searched = 0
        if self._dropped <= ENDLESS:
            return None
        self._dropped = 0
        return TooLong(True, self._beginning)

    def _beginning_of_line(self) -> bytes:
        """Of a line over the limit, which was longer than that when it was first looked at."""
        return self._beginning if self._dropped else bytes(self._octets[:_KEPT_OF_LONG_LINES])


class MessageText:
    """The text of one message on its way in: RFC 5321 §4.5.2 (transparency) and §4.1.1.4 (only CR LF . CR LF ends it).

    Counts octets as RFC 1870 §4 does: line ends as two, without dots of transparency and without the final dot. Over `limit` octets are
    counted and dropped.
    """

    __slots__ = ("_limit", "_raw", "_stuffed", "_text", "received")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._text = bytearray(b"\r\n")  # the end of the DATA line: a dot on the first line is one at the start of a line
        self._raw = 0  # octets received, with all dots
        self._stuffed = 0  # CR LF . seen so far
        self.received = 0
        """Octets of the finished text; only right after the end."""

    def feed(self, octets: bytes) -> bytes | None:
        """Take octets. None: the text goes on; else what came behind its end."""
        text = self._text
        before = len(text)
        text += octets
        end = text.find(END, max(0, before - 4))
        if end >= 0:
            rest = bytes(text[end + 5 :])
            self._stuffed += text.count(b"\r\n.", max(0, before - 2), end + 3) - 1  # the final dot is none of them
            self._raw += end + 2 - before
            del text[end + 2 :]
            self.received = self._raw - self._stuffed
            return rest
        self._raw += len(octets)
        self._stuffed += text.count(b"\r\n.", max(0, before - 2))
        if self._raw - self._stuffed > self._limit + len(END):
            del text[:-4]
        return None

    @property
    def too_big(self) -> bool:
        """Right after the end only."""
        return self.received > self._limit

    def octets(self) -> bytes:
        """The finished text, exactly as meant: one dot less on each line that began with one. Not when `too_big`."""
        if self._stuffed:
            return bytes(self._text.replace(b"\r\n.", b"\r\n")[2:])
        return bytes(memoryview(self._text)[2:])


class ChunkedText:
    """The text of one message that comes in counted chunks (RFC 3030 §2): no dots, no end but the last chunk's. Over `limit` octets
    are counted and dropped."""

    __slots__ = ("_limit", "_text", "received")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._text = bytearray()  # no list of pieces: they may be of one octet each, and weigh fifty times what they bring
        self.received = 0

    def feed(self, octets: bytes) -> None:
        self.received += len(octets)
        if self.too_big:
            self._text.clear()
        else:
            self._text += octets

    @property
    def too_big(self) -> bool:
        return self.received > self._limit

    def octets(self) -> bytes:
        """Exactly as they came; nothing when `too_big`."""
        return bytes(self._text)


_CHUNK = re.compile(r"([0-9]{1,20})(?: +(LAST))?\Z", re.IGNORECASE)


def parse_chunk(argument: str | None) -> tuple[int, bool] | None:
    """The count of a BDAT and whether it is the last; None for what cannot be read."""
    match = _CHUNK.match(argument or "")
    return (int(match[1]), match[2] is not None) if match else None


def lone_line_ends(octets: bytes) -> bool:
    """Whether there is a CR without LF or an LF without CR."""
    pairs = octets.count(b"\r\n")
    return octets.count(b"\n") != pairs or octets.count(b"\r") != pairs


def has_long_line(octets: bytes) -> bool:
    """Whether a line has more than 998 octets without its end (RFC 5322 §2.1.1)."""
    start, length = 0, len(octets)
    while length - start > LONG_LINE:
        end = octets.rfind(b"\r\n", start, start + LONG_LINE + 2)
        if end < 0:
            return True
        start = end + 2
    return False
