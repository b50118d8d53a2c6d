"""A connector whose server is a script: for replies that no decent server gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from postroom.errors import ConnectionFailed, ServerTimeout
from postroom.providers.connectors import GuardedConnection
from postroom.providers.contract import Connection

NOTHING = b"(no answer to this line)"


class ScriptedSocket:
    """Says `greeting`, then what `answer(line)` gives for each line. NOTHING, None: silence (a read times out); b"": the end."""

    def __init__(self, greeting: bytes, answer: Callable[[bytes], bytes | None]) -> None:
        self.waiting = bytearray(greeting)
        self.answer = answer
        self.partial = b""
        self.lines: list[bytes] = []
        self.ended = False
        self.closed = False

    def sendall(self, octets: bytes, /) -> None:
        if self.closed:
            raise OSError(9, "closed")
        *lines, self.partial = (self.partial + octets).split(b"\r\n")
        for line in lines:
            self.lines.append(line)
            said = self.answer(line)
            if said is None or said is NOTHING:
                continue
            if said == b"":
                self.ended = True
            else:
                self.waiting += said

    def recv(self, limit: int, /) -> bytes:
        if self.closed:
            raise OSError(9, "closed")
        if not self.waiting:
            if self.ended:
                return b""
            raise TimeoutError("timed out")
        piece = bytes(self.waiting[:limit])
        del self.waiting[:limit]
        return piece

    def settimeout(self, seconds: float | None, /) -> None: ...

    def shutdown(self, how: int, /) -> None: ...

    def close(self) -> None:
        self.closed = True


class ScriptedConnector:
    """Each connection is the next socket of the list; the last one is refused when there is none left."""

    def __init__(self, *sockets: ScriptedSocket) -> None:
        self.sockets = list(sockets)
        self.made: list[ScriptedSocket] = []

    def connect(self, host: str, port: int, *, timeout: float, tls: bool = False) -> Connection:
        if timeout <= 0:
            raise ServerTimeout("no time")
        if not self.sockets:
            raise ConnectionFailed("refused", code="refused")
        self.made.append(self.sockets.pop(0))
        return GuardedConnection(self.made[-1], f"{host}:{port}")

    def start_tls(self, connection: Connection, host: str) -> Any:
        return connection
