"""Autodiscover (made below)."""

from __future__ import annotations

from postroom_simulator.ews.exchange import Exchange
from postroom_simulator.ews.http import Response

__all__ = ["answer"]


def answer(exchange: Exchange) -> Response:
    exchange.hear(exchange.verb, exchange.request.target[:200])
    return Response(404)
