"""The server's side of a TLS handshake, with a fault that may cut it off at any octet."""

from __future__ import annotations

import ssl
from typing import Literal

from postroom_simulator.faults import Cut
from postroom_simulator.net.tls import TlsLayer, reason

__all__ = ["HANDSHAKE_LIMIT", "Handshake"]

HANDSHAKE_LIMIT = 60.0
"""Seconds of the world's clock that a client has (our choice)."""

Outcome = Literal["more", "done", "cut", "failed"]


class Handshake:
    """Octets in, octets out, until it is done, failed, or cut.

    cut     counts the octets of the server's side; a handshake shorter than that is cut at its end
    reason  why it failed, in words that do not depend on the transport
    """

    def __init__(self, context: ssl.SSLContext, cut: Cut | None = None) -> None:
        self.tls = TlsLayer(context, server_side=True)
        self.cut = cut
        self.reason = ""
        self._said = 0

    def go_on(self, octets: bytes | bytearray) -> tuple[bytes, Outcome]:
        """What to send, and how it stands after that."""
        self.tls.feed(octets)
        outcome: Outcome
        try:
            outcome = "done" if self.tls.handshake() else "more"
        except ssl.SSLError as error:
            self.reason = reason(error)
            outcome = "failed"
        answer = self.tls.take()
        if self.cut is not None and outcome != "failed" and (outcome == "done" or self._said + len(answer) >= self.cut.octets):
            return answer[: max(0, self.cut.octets - self._said)], "cut"
        self._said += len(answer)
        return answer, outcome
