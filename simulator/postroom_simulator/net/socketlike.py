"""What a socket in memory has of `socket.socket`, apart from the line itself: files, closing, options."""

from __future__ import annotations

import io
import socket
from typing import IO, TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["SocketLike"]


class SocketLike:
    """The parts of `socket.socket` that need no knowledge of the line. Closing waits for files made by `makefile`, as there."""

    family = socket.AF_INET
    type = socket.SOCK_STREAM
    proto = 0

    def __init__(self) -> None:
        self._files = 0
        self._closed = False
        self._gone = False

    def send(self, data: ReadableBuffer, flags: int = 0, /) -> int:
        raise NotImplementedError

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0, /) -> int:
        raise NotImplementedError

    def settimeout(self, value: float | None, /) -> None:
        raise NotImplementedError

    def _real_close(self) -> None:
        raise NotImplementedError

    def makefile(
        self,
        mode: str = "r",
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """As `socket.makefile`: "r", "w", "b" and their combinations; unbuffered only in binary mode."""
        if not set(mode) <= {"r", "w", "b"}:
            raise ValueError(f"invalid mode {mode!r} (only r, w, b allowed)")
        writing, binary = "w" in mode, "b" in mode
        reading = "r" in mode or not writing
        raw = _SocketFile(self, reading, writing)
        self._files += 1
        size = io.DEFAULT_BUFFER_SIZE if buffering is None or buffering < 0 else buffering
        if size == 0:
            if not binary:
                raise ValueError("unbuffered streams must be binary")
            return raw  # type: ignore[return-value]  # typeshed knows it as RawIOBase only
        buffered: Any = (
            io.BufferedRWPair(raw, raw, size)
            if reading and writing
            else io.BufferedReader(raw, size)
            if reading
            else io.BufferedWriter(raw, size)
        )
        return buffered if binary else io.TextIOWrapper(buffered, encoding, errors, newline)

    def close(self) -> None:
        """Idempotent. The line ends when the files made from it have been closed too."""
        self._closed = True
        self._close_when_free()

    def file_closed(self) -> None:
        self._files -= 1
        if self._closed:
            self._close_when_free()

    def _close_when_free(self) -> None:
        if self._files <= 0 and not self._gone:
            self._gone = True
            self._real_close()

    def fileno(self) -> int:
        """Raises: there is no file descriptor, so nothing can select on it."""
        raise io.UnsupportedOperation("a socket in memory has no file descriptor")

    def setblocking(self, flag: bool, /) -> None:
        self.settimeout(None if flag else 0.0)

    def setsockopt(self, *_: Any) -> None:
        """Nothing to set."""

    def getsockopt(self, *_: Any) -> int:
        return 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _SocketFile(io.RawIOBase):
    """The raw file under `makefile`. After a time-out nothing more can be read: what was read is lost (as in `socket.SocketIO`)."""

    def __init__(self, owner: SocketLike, reading: bool, writing: bool) -> None:
        super().__init__()
        self._owner = owner
        self._reading = reading
        self._writing = writing
        self._timed_out = False

    def readable(self) -> bool:
        return self._reading

    def writable(self) -> bool:
        return self._writing

    def fileno(self) -> int:
        return self._owner.fileno()

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        if self._timed_out:
            raise OSError("cannot read from timed out object")
        try:
            return self._owner.recv_into(buffer)
        except TimeoutError:
            self._timed_out = True
            raise
        except BlockingIOError:
            return None

    def write(self, data: ReadableBuffer, /) -> int | None:
        try:
            return self._owner.send(data)
        except BlockingIOError:
            return None

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._owner.file_closed()
