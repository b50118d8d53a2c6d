"""Exchange Web Services over one HTTP conversation: see `web.session`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroom_simulator.ews.answering import answer
from postroom_simulator.ews.envelope import BODY_LIMIT
from postroom_simulator.ews.exchange import Exchange, as_response
from postroom_simulator.ews.link import Link
from postroom_simulator.web.session import HEAD_LIMIT, PENDING_LIMIT, REQUEST_LIMIT, HttpSession

if TYPE_CHECKING:
    from postroom_simulator import faults
    from postroom_simulator.ews.http import Request, Response
    from postroom_simulator.ews.service import EwsService
    from postroom_simulator.session import SessionContext

__all__ = ["HEAD_LIMIT", "PENDING_LIMIT", "REQUEST_LIMIT", "EwsSession"]


class EwsSession(HttpSession[Exchange, Link]):
    """Implements `postroom_simulator.session.Session`. The body of a request that shows no credentials is thrown away."""

    def __init__(self, context: SessionContext, service: EwsService | None = None) -> None:
        super().__init__(context, Link(context))
        self._service = service if service is not None else context.world.ews

    def silence_limit(self) -> float | None:
        return self._service.idle_limit

    def body_limit(self) -> int:
        return BODY_LIMIT

    def make_exchange(self, request: Request) -> Exchange:
        return Exchange(self._service, request, self._link)

    def wants_body(self, exchange: Exchange) -> bool:
        known = "authorization" in exchange.request.headers or self._link.account is not None
        return known or self._service.anonymous is not None or exchange.request.path.startswith("/autodiscover/")

    def answer(self, exchange: Exchange) -> Response:
        return answer(exchange)

    def said_instead(self, reply: faults.Reply | faults.Lie) -> Response:
        return as_response(reply, self._context.world.hostname)

    def leave(self) -> None:
        self._service.throttling.leave(self._link)
