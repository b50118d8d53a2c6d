"""Octets to command lines, and lines to keywords and numbers. Everything here is bounded, and nothing guesses."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

__all__ = ["Line", "LineReader", "looks_like_http", "parse_number", "printable", "printable_utf8", "split_keyword"]

_NUMBER = re.compile(rb"[0-9]{1,10}")
_PRINTABLE = re.compile(rb"[\x20-\x7e]*")
_HTTP = re.compile(rb"(?:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|PRI) ", re.IGNORECASE)

_KEPT_OF_LONG_LINES = 64
ENDLESS = 2**20
"""Octets of one line after which no end of it is waited for (our choice)."""


@dataclass(slots=True)  # not frozen: that costs more than the line
class Line:
    """One line without its CR LF. Of a line over the limit only the beginning is kept, and `too_long` is set."""

    octets: bytes
    too_long: bool = False


class LineReader:
    """Cuts octets into lines at CR LF and at nothing else (mail-protocol-pitfalls 1).

    Lines are found only when asked for, so a limit may change from line to line, and what was not asked for can be
    forgotten (`clear`). A line that passes the limit without an end is thrown away while it comes in: an unfinished line
    costs at most the limit, and its tail is never taken for a line of its own.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._beginning: bytes | None = None  # of a line that is being thrown away
        self._dropped = 0  # octets of it

    @property
    def endless(self) -> bool:
        """The line that is being thrown away has gone on for too long."""
        return self._dropped > ENDLESS

    def feed(self, octets: bytes) -> None:
        self._buffer += octets

    def clear(self) -> None:
        """Forget everything that was not yet asked for."""
        self._buffer.clear()
        self._searched = self._dropped = 0
        self._beginning = None

    def __len__(self) -> int:
        """Octets held."""
        return len(self._buffer)

    def leading(self, pattern: re.Pattern[bytes], start: int = 0) -> re.Match[bytes] | None:
        """What lies next, or behind `start` more octets, if it is like the pattern. It stays; `skip` takes it."""
        return pattern.match(self._buffer, start) if self._beginning is None else None

    def skip(self, octets: int) -> None:
        """Forget whole lines that `leading` has shown."""
        del self._buffer[:octets]
        self._searched = 0

    def next_line(self, limit: int) -> Line | None:
        """The next whole line, or None until more comes. `limit` counts octets with the CR LF."""
        if not self._buffer:
            return None
        end = self._buffer.find(b"\r\n", self._searched)
        if end < 0:
            self._discard_over(limit)
            self._searched = max(0, len(self._buffer) - 1)  # the last octet may be the CR of a CR LF
            return None
        if self._beginning is not None or end + 2 > limit:
            line = Line(self._beginning or bytes(self._buffer[: _kept(limit)]), too_long=True)
        else:
            line = Line(bytes(self._buffer[:end]))
        del self._buffer[: end + 2]
        self._searched = self._dropped = 0
        self._beginning = None
        return line

    def _discard_over(self, limit: int) -> None:
        if self._beginning is None and len(self._buffer) < limit:
            return
        if self._beginning is None:
            self._beginning = bytes(self._buffer[: _kept(limit)])
        self._dropped += len(self._buffer) - 1
        del self._buffer[:-1]


def _kept(limit: int) -> int:
    """So much of a line over the limit is there however it was cut."""
    return min(_KEPT_OF_LONG_LINES, limit - 1)


def printable(line: bytes) -> bool:
    """Whether the line has only the octets that RFC 2449 §3 admits: 0x20 to 0x7E."""
    return _PRINTABLE.fullmatch(line) is not None


def printable_utf8(line: bytes) -> bool:
    """Whether the line is UTF-8 (RFC 3629) without control characters."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not any(unicodedata.category(character) == "Cc" for character in text)


def split_keyword(line: bytes) -> tuple[bytes, bytes | None]:
    """The keyword in upper case, and what follows the first space (None: no space).

    Folds ASCII only: `bytes.upper` knows no other letters.
    """
    keyword, space, rest = line.partition(b" ")
    return keyword.upper(), rest if space else None


def parse_number(digits: bytes) -> int | None:
    """1 to 10 ASCII digits as a number, else None. `int()` alone would take signs, blanks, "_" and digits of other scripts."""
    return int(digits) if _NUMBER.fullmatch(digits) is not None else None


def looks_like_http(line: bytes) -> bool:
    """Whether a browser was made to talk to this port (mail-protocol-pitfalls 1)."""
    return _HTTP.match(line) is not None
