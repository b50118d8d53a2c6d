"""The server's side of a TLS handshake, with a fault that may cut it off at any octet, or a trouble that spoils it."""

from __future__ import annotations

import ssl
from typing import Literal

from postroom_simulator.faults import Close, Cut, TlsTrouble
from postroom_simulator.net.tls import TlsLayer, reason

__all__ = ["HANDSHAKE_LIMIT", "Handshake"]

HANDSHAKE_LIMIT = 60.0
"""Seconds of the world's clock that a client has (our choice)."""

Outcome = Literal["more", "done", "cut", "failed"]

_RECORD_HEADER = 5
"""Octets: type, version, length (RFC 8446 §5.1)."""


class Handshake:
    """Octets in, octets out, until it is done, failed, or cut.

    cut      counts the octets of the server's side; a handshake shorter than that is cut at its end
    trouble  its name may say where to cut: the server's first flight is cut at a record
    instead  is said in the place of the server's side, which then is cut
    how      the end of a handshake that was cut
    reason   why it failed, in words that do not depend on the transport
    """

    def __init__(
        self, context: ssl.SSLContext, cut: Cut | None = None, trouble: TlsTrouble | None = None, instead: bytes | None = None
    ) -> None:
        self.tls = TlsLayer(context, server_side=True)
        self.how: Close = cut.how if cut is not None else trouble.how if trouble is not None else "fin"
        self.reason = ""
        self._left = cut.octets if cut is not None else None
        self._trouble = trouble.name if trouble is not None else ""
        self._instead = instead

    def go_on(self, octets: bytes | bytearray) -> tuple[bytes, Outcome]:
        """What to send, and how it stands after that."""
        if self._instead is not None:
            return self._instead, "cut"
        self.tls.feed(octets)
        outcome: Outcome
        try:
            outcome = "done" if self.tls.handshake() else "more"
        except ssl.SSLError as error:
            self.reason = reason(error)
            outcome = "failed"
        answer = self.tls.take()
        if answer and outcome == "more" and self._left is None:
            self._left = _octets_until(self._trouble, answer)
        if self._left is None or outcome == "failed":
            return answer, outcome
        if outcome == "done" or len(answer) >= self._left:
            return answer[: self._left], "cut"
        self._left -= len(answer)
        return answer, outcome


def _octets_until(trouble: str, flight: bytes) -> int | None:
    """How much of the server's first flight a trouble lets pass; None for all and what comes after."""
    first, last = _first_and_last_record(flight)
    return {
        "cut-after-client-hello": 0,
        "cut-in-server-hello": first // 2,
        "cut-after-server-hello": first,
        "cut-before-finished": last,
        "cut-after-finished": len(flight),
    }.get(trouble)


def _first_and_last_record(flight: bytes) -> tuple[int, int]:
    """Where the first TLS record ends and where the last one begins."""
    begins = [0]
    while True:
        begin = begins[-1]
        end = begin + _RECORD_HEADER + int.from_bytes(flight[begin + 3 : begin + _RECORD_HEADER], "big")
        if end >= len(flight):
            return (begins[1] if len(begins) > 1 else len(flight)), begins[-1]
        begins.append(end)
