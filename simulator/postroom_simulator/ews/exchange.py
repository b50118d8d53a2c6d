"""One request on its way: its steps, the faults that act on them, and its lines in the journal.

The steps of protocol "ews": "request" (the head was read), "auth" (credentials are shown), "envelope" (the body is there and the login is good),
the operation by its name, "item" (one of a batch). A transport carries out what the line has to suffer; `settle` does so without one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from postroom_simulator import faults
from postroom_simulator.ews.envelope import fault as fault_body
from postroom_simulator.ews.errors import TEXTS, EwsError, Fault
from postroom_simulator.ews.http import XML, Request, Response
from postroom_simulator.journal import printable
from postroom_simulator.net.effects import garbled, pause
from postroom_simulator.web import exchange as web
from postroom_simulator.web.exchange import Halted, Instead, as_status, parts

if TYPE_CHECKING:
    from postroom_simulator.directory import Account
    from postroom_simulator.ews.link import Link
    from postroom_simulator.ews.service import EwsService

__all__ = ["AFFINITY", "RECORDED", "Exchange", "Halted", "Instead", "as_error", "as_response", "settle"]

RECORDED = ("x-anchormailbox", "x-preferserveraffinity", "client-request-id", "user-agent")
"""Header fields that are in `Entry.data` of a COMMAND where a request has them (ews reference 1); and the cookie of affinity."""
AFFINITY = "X-BackEndOverrideCookie"
TOLD_LIMIT = 200
"""Characters that are kept of each (our choice)."""


class Exchange(web.Exchange):
    """principal: who logged in. identified, admitted: what was done already."""

    link: Link

    def __init__(self, service: EwsService, request: Request, link: Link) -> None:
        super().__init__(request, link)
        self.service: EwsService = service
        self.principal: Account | None = None
        self.identified = False
        self.admitted = False

    def told(self) -> dict[str, str] | None:
        """Of the header fields, whom and which server the call is for and what client says so."""
        headers = self.request.headers
        found = {name: printable(headers[name][:TOLD_LIMIT]) for name in RECORDED if headers.get(name)}
        for cookie in headers.get("cookie", "").split(";"):
            name, _, value = cookie.strip().partition("=")
            if name == AFFINITY:
                found[AFFINITY.lower()] = printable(value[:TOLD_LIMIT])
        return found or None

    # -- steps

    def begin_item(self, number: int) -> EwsError | None:
        """One of a batch is next. Raises Halted, and EwsError for a fault in its place; returns the error that a lie says behind it."""
        effect = self.link.context.fault("item", self.address, f"{self.verb} {number}")
        if isinstance(effect, faults.Reply):
            raise as_error(effect)
        if isinstance(effect, faults.Lie):
            return as_error(effect)
        self.suffer(effect)
        return None


# -- what faults say


def as_error(reply: faults.Reply | faults.Lie) -> EwsError:
    """The error of one message. Without a text of its own it has the usual one of its code."""
    text, values = parts(reply)
    return EwsError(reply.code, text or TEXTS.get(reply.code, ""), values=values)


def as_response(reply: faults.Reply | faults.Lie, hostname: str) -> Response:
    """A status of HTTP, with the brackets as header fields, or a SOAP fault, with them in its MessageXml."""
    if not reply.code.isdigit():
        error = as_error(reply)
        found = Fault(error.code, error.text, values=error.values)
        return Response(500, [("Content-Type", XML)], fault_body(found), codes=[error.code])
    return as_status(reply, hostname)


# -- without a line


def settle(exchange: Exchange, response: Response) -> Response:
    """Carry out the effects where there is no line to suffer them: waits pass on the world's clock, an end raises ConnectionResetError."""
    world = exchange.service.world
    chance = world.ids.random
    last = next((one for one in exchange.effects if not isinstance(one, faults.Delay)), None)
    exchange.note_reply(response, last, len(response.body))
    for effect in exchange.effects:
        if isinstance(effect, faults.Delay):
            world.clock.sleep(pause(effect, chance) or 0.0)
    match last:
        case faults.LoseReply() | faults.Cut():
            raise ConnectionResetError(104, "Connection reset by peer")
        case faults.Lie():
            return as_response(last, world.hostname)
        case faults.Garble():
            response.body = garbled(response.body, last.octets, chance)
        case faults.Drip():
            pieces = -(-len(response.body) // last.octets)
            world.clock.sleep(max(0, pieces - 1) * last.seconds)
    return response


def wait_out(exchange: Exchange, halted: Halted) -> None:
    """A step that is put off, or never taken, where there is no line. Raises ConnectionResetError, TimeoutError."""
    effect = halted.effect
    clock: Any = exchange.service.world.clock
    if isinstance(effect, faults.Drop):
        clock.sleep(effect.seconds)
        raise ConnectionResetError(104, "Connection reset by peer")
    if effect.seconds is None:
        raise TimeoutError("the server stalls for ever")
    clock.sleep(effect.seconds)
