"""What the server remembers of one connection between its requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from postroom_simulator.faults import AcceptThenReset, Delay, Drop, Refuse, Stall
from postroom_simulator.journal import Kind
from postroom_simulator.session import SessionContext

if TYPE_CHECKING:
    from postroom_simulator.directory import Account
    from postroom_simulator.ews.ntlm import Acceptor
    from postroom_simulator.world import World

__all__ = ["Link", "open_link"]


@dataclass(slots=True, eq=False)
class Link:
    """context  names the connection in journal and fault table, and reaches its timers
    account  who logged in by a mechanism that is bound to the connection (NTLM)
    ntlm     a handshake that is on its way
    noted    logins that the journal has already, by mechanism and address: once a connection, not once a request
    """

    context: SessionContext
    account: Account | None = None
    ntlm: Acceptor | None = field(default=None, repr=False)
    noted: set[tuple[str, str]] = field(default_factory=set)
    latest: Account | None = None
    """Who was behind the latest request."""

    def close(self, who: str = "client") -> None:
        """The end of a connection without transport."""
        account = self.latest.address if self.latest is not None else None
        self.context.note(Kind.CLOSED, detail=who, account=account)


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
