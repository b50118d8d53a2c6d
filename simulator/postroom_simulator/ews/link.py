"""What the server remembers of one connection between its requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from postroom_simulator.faults import AcceptThenReset, Delay, Drop, Refuse, Stall
from postroom_simulator.journal import Kind
from postroom_simulator.session import SessionContext
from postroom_simulator.web import exchange as web

if TYPE_CHECKING:
    from postroom_simulator.ews.negotiate import Negotiation
    from postroom_simulator.ews.ntlm import Acceptor
    from postroom_simulator.world import World

__all__ = ["Link", "open_link"]


@dataclass(slots=True, eq=False)
class Link(web.Link):
    """`ntlm`: a handshake that is on its way, `negotiation`: what is around it; who logged in by it is the connection's `account`. `last_token`: of a
    handshake that just went well, said with the answer to the request that ended it."""

    ntlm: Acceptor | None = field(default=None, repr=False)
    negotiation: Negotiation | None = field(default=None, repr=False)
    last_token: str = field(default="", repr=False)


def open_link(world: World) -> Link:
    """A connection without transport, named and counted as the others; "connect" is a step of it. Raises ConnectionError, TimeoutError where a
    fault says so."""
    context = SessionContext(world, "ews", f"ews-{world.ids.number('connection ews')}")
    context.call_later = world.connections.timers.call_later
    link = Link(context)
    context.note(Kind.CONNECTED, data={"service": "ews"})
    effect = context.fault("connect")
    if isinstance(effect, Delay | Stall):
        if effect.seconds is None:
            link.close("client")
            raise TimeoutError("the server accepts the connection and stalls for ever")
        world.clock.sleep(effect.seconds)
    elif isinstance(effect, Refuse):
        link.close("fault")
        raise ConnectionRefusedError("connection refused")
    elif isinstance(effect, Drop | AcceptThenReset):
        link.close("fault")
        raise ConnectionResetError(104, "Connection reset by peer")
    return link
