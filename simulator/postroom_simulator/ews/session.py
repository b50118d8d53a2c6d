"""One HTTP conversation, sans I/O: h11 frames it, the service answers it, faults act on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import h11

from postroom_simulator.ews.envelope import BODY_LIMIT
from postroom_simulator.ews.http import Request, Response
from postroom_simulator.session import Outgoing

if TYPE_CHECKING:
    from postroom_simulator.ews.service import EwsService
    from postroom_simulator.session import SessionContext

__all__ = ["EwsSession"]

HEAD_LIMIT = 64 * 1024
"""Octets of a request's head (our choice; NTLM and bearer tokens are long)."""
IDLE_LIMIT = 120.0
"""Seconds that a connection may be kept open unused (our choice)."""


class EwsSession:
    """Implements `postroom_simulator.session.Session`. HTTP speaks second: `start` says nothing."""

    def __init__(self, context: SessionContext, service: EwsService | None = None) -> None:
        self._context = context
        self._service = service if service is not None else context.world.ews
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._out: list[Outgoing] = []
        self._closed = False
        self._suspended = True
        self._link: dict[str, Any] = {}
        self._account: str | None = None

    # -- what the connection sees

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def wants_tls(self) -> bool:
        return False

    @property
    def idle_limit(self) -> float | None:
        return IDLE_LIMIT

    @property
    def account(self) -> str | None:
        return self._account

    def start(self) -> None:
        self._suspended = False

    def receive_data(self, octets: bytes) -> None:
        if self._closed or not octets:
            return
        self._http.receive_data(octets)
        self._run()

    def receive_eof(self) -> None:
        self._closed = True

    def timeout(self) -> None:
        self._closed = True

    def tls_established(self) -> None:
        """TLS is implicit here, or not there at all."""

    def take(self) -> list[Outgoing]:
        taken, self._out = self._out, []
        return taken

    def resume(self) -> None:
        self._suspended = False
        self._run()

    # -- requests

    def _run(self) -> None:
        try:
            for event in self._events():
                if isinstance(event, h11.Request):
                    self._begin(event)
                elif isinstance(event, h11.Data):
                    self._body += event.data
                    if len(self._body) > BODY_LIMIT:
                        self._refuse(413)
                elif isinstance(event, h11.EndOfMessage):
                    self._answer()
                elif isinstance(event, h11.ConnectionClosed):
                    self._closed = True
        except h11.RemoteProtocolError as wrong:
            self._refuse(wrong.error_status_hint or 400)

    def _events(self) -> Iterator[object]:
        while not (self._closed or self._suspended):
            if self._http.our_state is h11.MUST_CLOSE:
                self._closed = True
                return
            if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
                self._http.start_next_cycle()
            event = self._http.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return
            yield event

    def _begin(self, head: h11.Request) -> None:
        self._head = head
        self._body.clear()
        if self._http.they_are_waiting_for_100_continue:
            self._say(h11.InformationalResponse(status_code=100, headers=[]))

    def _answer(self) -> None:
        head = self._head
        assert head is not None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        request = Request(
            head.method.decode("ascii"),
            head.target.decode("latin-1"),
            headers,
            bytes(self._body),
            self._context.secure,
            self._context.connection,
            self._link,
        )
        self._body.clear()
        response = self._service.respond(request)
        self._send(response)

    def _send(self, response: Response) -> None:
        headers = [*response.headers, ("Content-Length", str(len(response.body)))]
        self._say(h11.Response(status_code=response.status, headers=headers))
        if response.body:
            self._say(h11.Data(data=response.body))
        self._say(h11.EndOfMessage())

    def _refuse(self, status: int) -> None:
        """A request that is no HTTP, or too much of it: said once, then the end."""
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = [("Content-Length", "0"), ("Connection", "close")]
            self._say(h11.Response(status_code=status, headers=headers))
            self._say(h11.EndOfMessage())
        self._closed = True

    def _say(self, event: Any) -> None:
        octets = self._http.send(event)
        if octets:
            self._out.append(Outgoing(octets))
