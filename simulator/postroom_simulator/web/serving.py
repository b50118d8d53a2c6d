"""A world's pages over one HTTP conversation: see `web.session`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroom_simulator.web.exchange import Exchange, Link
from postroom_simulator.web.session import HttpSession

if TYPE_CHECKING:
    from postroom_simulator.session import SessionContext
    from postroom_simulator.web.values import Request, Response

__all__ = ["WebSession"]


class WebSession(HttpSession[Exchange, Link]):
    """Implements `postroom_simulator.session.Session`."""

    def __init__(self, context: SessionContext) -> None:
        super().__init__(context, Link(context))
        self._site = context.world.http

    def silence_limit(self) -> float | None:
        return self._site.idle_limit

    def body_limit(self) -> int:
        return self._site.body_limit

    def make_exchange(self, request: Request) -> Exchange:
        return Exchange(request, self._link)

    def wants_body(self, exchange: Exchange) -> bool:
        return exchange.request.method not in ("GET", "HEAD")

    def answer(self, exchange: Exchange) -> Response:
        with self._context.world.lock:
            return self._site.answer(exchange)
