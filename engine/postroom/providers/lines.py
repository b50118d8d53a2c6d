"""Reading lines and dotted texts from a connection, bounded, and showing a stranger's words safely."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from typing import Protocol

from postroom.errors import ConnectionFailed, ProtocolError
from postroom.model.secret import Secret

__all__ = ["LineReader", "Overlong", "forms_of", "printable"]

CHUNK_OCTETS = 64 * 1024
KEEP_OCTETS = 64 * 1024
"""How much of an overlong text is kept as evidence."""


def forms_of(user: str, password: Secret) -> tuple[bytes, ...]:
    """The octets in which a password crosses the line: as it is, and as AUTH LOGIN and AUTH PLAIN send it. For `printable`'s `hide`."""
    plain = password.reveal().encode("utf-8", "surrogateescape")
    both = b"\0" + user.encode("utf-8", "surrogateescape") + b"\0" + plain
    return (base64.b64encode(both), base64.b64encode(plain), plain)


def printable(said: bytes | str, limit: int = 300, *, hide: Iterable[bytes] = ()) -> str:
    """What a server said, for logs and error texts: at most `limit` characters, control characters and non-ASCII octets escaped
    (mail-protocol-pitfalls section 1: replies are data from a stranger). `hide`: octets that are not shown, the credentials: some
    servers say again what they did not understand."""
    octets = said.encode("utf-8", "backslashreplace") if isinstance(said, str) else said
    for secret in hide:
        octets = octets.replace(secret, b"***") if secret else octets
    text = octets[: 4 * limit + 4].decode("utf-8", "backslashreplace")[: limit + 1]
    shown = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


class Overlong(ProtocolError):
    """A dotted text was longer than allowed; it was read to its end and only its `head` was kept."""

    def __init__(self, text: str, head: bytes) -> None:
        super().__init__(text)
        self.head = head


class _Source(Protocol):
    def recv(self, limit: int, /) -> bytes: ...


class LineReader(io.BufferedIOBase):
    """What `Connection.makefile("rb")` gives: file-like as far as poplib and smtplib need it, and it tells what is `pending`.

    A line ends with LF for `readline` (servers' replies), and a text with CR LF "." CR LF and nothing else for `read_text`.
    """

    def __init__(self, source: _Source) -> None:
        self._source = source
        self._buffer = bytearray()
        self._start = 0

    @property
    def pending(self) -> int:
        """Octets received and not yet read. Must be none when a TLS handshake begins."""
        return len(self._buffer) - self._start

    def readable(self) -> bool:
        return True

    def _fill(self) -> bool:
        """Receive some more; False at the end of the stream."""
        if self._start > CHUNK_OCTETS:
            del self._buffer[: self._start]
            self._start = 0
        octets = self._source.recv(CHUNK_OCTETS)
        self._buffer += octets
        return bool(octets)

    def readline(self, limit: int | None = -1, /) -> bytes:
        """Up to and including LF; at most `limit` octets; what there is at the end of the stream."""
        bound = limit if limit is not None and limit >= 0 else None
        searched = 0
        while True:
            end = self._buffer.find(b"\n", self._start + searched)
            if end >= 0:
                return self._take(end + 1 - self._start if bound is None else min(bound, end + 1 - self._start))
            searched = self.pending
            if bound is not None and searched >= bound:
                return self._take(bound)
            if not self._fill():
                return self._take(self.pending)

    def read(self, size: int | None = -1, /) -> bytes:
        while size is None or size < 0 or self.pending < size:
            if not self._fill():
                break
        return self._take(self.pending if size is None or size < 0 else min(size, self.pending))

    def _take(self, count: int) -> bytes:
        with memoryview(self._buffer) as view:
            taken = bytes(view[self._start : self._start + count])
        self._start += count
        if self._start == len(self._buffer):
            self._buffer.clear()
            self._start = 0
        return taken

    def read_text(self, limit: int, *, discard: int | None = None) -> bytes:
        """The text after a status line, up to CR LF "." CR LF, unstuffed, its last line end included (RFC 1939 §3).

        A text longer than `limit` octets is read to its end without being kept and raises `Overlong`; one longer than
        `discard` (default: four times `limit`, ours) raises ProtocolError at once: nothing can be said on that line any more.
        Raises ConnectionFailed when the stream ends first: a cut message is no message.
        """
        bound = discard if discard is not None else 4 * limit
        if self._at_start_dot():
            return b""
        searched = 0
        while True:
            end = self._buffer.find(b"\r\n.\r\n", self._start + searched)
            if end >= 0:
                if end + 2 - self._start > limit + KEEP_OCTETS:
                    break
                text = self._take(end + 2 - self._start)
                self._take(3)
                return _checked(_unstuffed(text), limit)
            searched = max(0, self.pending - 4)
            if self.pending > limit + KEEP_OCTETS:
                break
            self._more()
        return self._discard(limit, bound)

    def _at_start_dot(self) -> bool:
        """Whether the text is empty: its first line is the end line. Then it is taken."""
        while self.pending < 3 and b".\r\n".startswith(self._buffer[self._start :]):
            self._more()
        if self._buffer.startswith(b".\r\n", self._start):
            self._take(3)
            return True
        return False

    def _more(self) -> None:
        if not self._fill():
            raise ConnectionFailed("the connection ended in the middle of a text")

    def _discard(self, limit: int, bound: int) -> bytes:
        head = bytes(self._buffer[self._start : self._start + KEEP_OCTETS])
        passed = 0
        while (end := self._buffer.find(b"\r\n.\r\n", self._start)) < 0:
            drop = max(0, self.pending - 4)
            passed += drop
            if passed > bound:
                raise ProtocolError(f"the server sends a text without end: more than {bound} octets")
            self._take(drop)
            self._more()
        self._take(end + 5 - self._start)
        raise Overlong(f"a text of more than {limit} octets", _unstuffed(head))


def _unstuffed(text: bytes) -> bytes:
    """One dot less on each line that begins with one, and nothing else."""
    if text.startswith(b"."):
        text = text[1:]
    return text.replace(b"\r\n.", b"\r\n") if b"\r\n." in text else text


def _checked(text: bytes, limit: int) -> bytes:
    if len(text) > limit:
        raise Overlong(f"a text of more than {limit} octets", text[:KEEP_OCTETS])
    return text
