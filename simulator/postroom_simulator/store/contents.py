"""Octets kept once for all who have them, in memory up to a budget and beyond it in one spool file that has no name."""

from __future__ import annotations

import os
import tempfile
import weakref
from hashlib import sha256

from postroom_simulator.errors import StoreError
from postroom_simulator.headers import head_end

__all__ = ["MEMORY_BUDGET", "Content", "Contents", "has_utf8_head", "wire_form", "wire_length", "with_line_ends"]

MEMORY_BUDGET = 64 * 1024 * 1024
"""Octets of all messages together that stay in memory (our choice)."""


def wire_length(octets: bytes) -> tuple[int, bool]:
    """Octets as a line protocol counts them (each line end two, no stuffing, last line ended; RFC 1939 §11), and whether the
    octets are already as they would be sent."""
    lone = octets.count(b"\n") - octets.count(b"\r\n")
    unended = bool(octets) and not octets.endswith(b"\n")
    dotted = octets.startswith(b".") or b"\n." in octets
    return len(octets) + lone + 2 * unended, not (lone or unended or dotted)


def with_line_ends(octets: bytes) -> bytes:
    """Every line ended by CR LF, the last one too. A lone CR stays."""
    octets = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return octets if not octets or octets.endswith(b"\n") else octets + b"\r\n"


def wire_form(octets: bytes) -> bytes:
    """As a line protocol sends it (RFC 1939 §3, RFC 5321 §4.5.2): with its line ends, leading dots doubled; the closing "." line is
    left out."""
    octets = with_line_ends(octets)
    if octets.startswith(b"."):
        octets = b"." + octets
    return octets.replace(b"\n.", b"\n..")


def has_utf8_head(octets: bytes) -> bool:
    """Whether the head has octets beyond ASCII and all of it is UTF-8 (RFC 6532 §3.2)."""
    head = octets[: head_end(octets)]
    if head.isascii():
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class Content:
    """One body. `octets` is None when it lies in the spool file from `offset` on."""

    __slots__ = ("digest", "octets", "offset", "plain", "references", "size", "utf8_head", "wire_size")

    def __init__(self, octets: bytes, digest: str) -> None:
        self.octets: bytes | None = octets
        self.offset = 0
        self.digest = digest
        self.size = len(octets)
        self.wire_size, self.plain = wire_length(octets)
        self.utf8_head = not octets.isascii() and has_utf8_head(octets)
        self.references = 0


class Contents:
    """Bodies by SHA-256, counted by reference. Not locked: the store does that.

    A body goes to the spool file when memory is full, and stays there. When more of the file is waste than is needed (and more
    than `memory_budget`), it is written anew; so it stays within a small multiple of what is needed.
    """

    def __init__(self, memory_budget: int = MEMORY_BUDGET) -> None:
        self._budget = memory_budget
        self._by_digest: dict[str, Content] = {}
        self._in_memory = 0
        self._spool = _Spool()

    @property
    def in_memory(self) -> int:
        """Octets kept in memory."""
        return self._in_memory

    @property
    def spooled(self) -> int:
        """Octets in the spool file that are still needed."""
        return self._spool.live

    def add(self, octets: bytes) -> Content:
        """Keep the octets; one reference more."""
        digest = sha256(octets).hexdigest()
        content = self._by_digest.get(digest)
        if content is None:
            content = Content(octets, digest)
            if self._in_memory + content.size <= self._budget:
                self._in_memory += content.size
            else:
                content.offset = self._spool.append(octets)
                content.octets = None
            self._by_digest[digest] = content
        content.references += 1
        return content

    def release(self, digest: str) -> None:
        """One reference less; the last one forgets the octets."""
        content = self._by_digest[digest]
        content.references -= 1
        if content.references:
            return
        del self._by_digest[digest]
        if content.octets is None:
            self._spool.forget(content.size)
            if self._spool.waste > max(self._budget, self._spool.live):
                self._rewrite()
        else:
            self._in_memory -= content.size

    def octets(self, digest: str) -> bytes:
        content = self._by_digest[digest]
        return content.octets if content.octets is not None else self._spool.read(content.offset, content.size)

    def wire(self, digest: str) -> bytes:
        content = self._by_digest[digest]
        octets = content.octets if content.octets is not None else self._spool.read(content.offset, content.size)
        return octets if content.plain else wire_form(octets)

    def _rewrite(self) -> None:
        """Copy what is needed to a new file. Fails whole: the old file stays when the disk is full."""
        fresh = _Spool()
        kept = [content for content in self._by_digest.values() if content.octets is None]
        try:
            offsets = [fresh.append(self._spool.read(content.offset, content.size)) for content in kept]
        except StoreError:
            fresh.close()
            return
        for content, offset in zip(kept, offsets, strict=True):
            content.offset = offset
        self._spool.close()
        self._spool = fresh

    def close(self) -> None:
        """Give the spool file back. Idempotent."""
        self._spool.close()


class _Spool:
    """An append-only file without a name, made at first use and gone with its descriptor."""

    def __init__(self) -> None:
        self.live = 0
        self._end = 0
        self._descriptor = -1
        self._finalizer: weakref.finalize[[int], _Spool] | None = None
        self._closed = False

    def append(self, octets: bytes) -> int:
        """Where the octets begin. Raises StoreError when the disk refuses."""
        if self._closed:
            raise StoreError("the store is closed")
        try:
            if self._descriptor < 0:
                self._open()
            written = 0
            view = memoryview(octets)
            while written < len(view):
                written += os.pwrite(self._descriptor, view[written:], self._end + written)
        except OSError as error:
            raise StoreError(f"the spool file cannot be written: {error.strerror}") from error
        offset = self._end
        self._end += len(octets)
        self.live += len(octets)
        return offset

    def read(self, offset: int, size: int) -> bytes:
        if self._closed:
            raise StoreError("the store is closed")
        parts = []
        while size > 0:
            part = os.pread(self._descriptor, size, offset)
            if not part:
                raise StoreError("the spool file is shorter than it was")
            parts.append(part)
            offset += len(part)
            size -= len(part)
        return b"".join(parts)

    @property
    def waste(self) -> int:
        """Octets of the file that nobody needs."""
        return self._end - self.live

    def forget(self, size: int) -> None:
        self.live -= size

    def close(self) -> None:
        self._closed = True
        if self._finalizer is not None:
            self._finalizer()

    def _open(self) -> None:
        with tempfile.TemporaryFile(prefix="postroom-spool-") as file:
            self._descriptor = os.dup(file.fileno())
        self._finalizer = weakref.finalize(self, os.close, self._descriptor)
