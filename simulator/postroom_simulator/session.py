"""What a protocol session is: octets in, octets out, no socket.

The same `Session` is driven over TCP for any client in any language and in memory for the engine. A session asks for what
needs the outside (a handshake, a close, a wait) and never does it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from postroom_simulator.faults import AcceptThenReset, Cut, Effect, Garble, Lie, LoseReply, Point
from postroom_simulator.journal import Kind

if TYPE_CHECKING:
    from postroom_simulator.net.registry import Cancellable
    from postroom_simulator.world import World

__all__ = ["Outgoing", "Session", "SessionContext", "spoiling"]


@dataclass(slots=True)
class Outgoing:
    """Octets that the session wants said, with the effect that its connection has to apply to them.

    `effect` is one of Delay, Stall, Cut, Drop, LoseReply, Garble, Drip, AcceptThenReset, or None. Reply effects were
    already acted on by the session. For Stall and Drop `octets` is empty: the step was not taken."""

    octets: bytes
    effect: Effect | None = None


class Session(Protocol):
    """A server's side of one conversation.

    Contract, for any way of cutting the input into pieces:
    - `receive_data` may be called with any number of octets (none at all too); it carries out what is complete.
    - An effect that ends the connection (Cut, Drop, LoseReply) ends the session: `closed` is true, later input is ignored,
      nothing is committed that only an orderly end commits.
    - Delay, Stall and Drip suspend it: later input is kept and not acted on until `resume()`. A Stall for ever is never resumed;
      a Stall with an end is resumed after it, and the step is then taken.
    - After `wants_tls` became true all buffered input was forgotten (RFC 2595 §4, RFC 3207 §4.2), and input is kept aside
      until `tls_established()`.
    """

    @property
    def closed(self) -> bool:
        """Nothing more will be said; the connection ends when everything taken has been sent."""
        ...

    @property
    def wants_tls(self) -> bool:
        """A handshake is due as soon as everything taken has been sent."""
        ...

    @property
    def idle_limit(self) -> float | None:
        """Seconds without input after which `timeout()` is due; None for no limit."""
        ...

    @property
    def account(self) -> str | None:
        """Address of the authenticated account, once there is one."""
        ...

    def start(self) -> None:
        """The connection is there (for implicit TLS: after the handshake). Makes the greeting."""
        ...

    def receive_data(self, octets: bytes) -> None: ...

    def receive_eof(self) -> None:
        """The peer is gone. Everything the session holds (a maildrop's lock, a task) is released."""
        ...

    def take(self) -> list[Outgoing]:
        """Drains what is to be said, in order. A session may hold back further steps while much waits here and take them in
        this call: ask again until nothing comes."""
        ...

    def resume(self) -> None:
        """A suspending effect is over: go on."""
        ...

    def tls_established(self) -> None: ...

    def timeout(self) -> None:
        """The idle limit has passed."""
        ...


@dataclass(slots=True)
class SessionContext:
    """What a session knows of the outside: the world, its own name in the journal, and whether the line is encrypted."""

    world: World
    protocol: str
    connection: str
    secure: bool = False
    tls_available: bool = True
    client_address: str = "127.0.0.1"
    argument: str | None = None
    """What followed the last command, as journalled."""
    wake: Callable[[], None] | None = field(default=None, repr=False)
    """Tells the connection, from any thread, that its session has something to say by itself."""
    call_later: Callable[[float, Callable[[], None]], Cancellable] | None = field(default=None, repr=False)
    """Timers that fire where the connection lives."""

    def fault(self, at: str, account: str | None = None, argument: str | None = None) -> Effect | None:
        """Ask the fault table what happens at this step; an acting fault is journalled here. `argument`: of a phase that has one."""
        if not self.world.faults:  # the usual case, asked at every step
            return None
        if argument is None and at[:1].isupper():
            argument = self.argument  # most phases have none
        fault = self.world.faults.pick(Point(self.protocol, at, account, argument))
        if fault is None:
            return None
        self.note(Kind.FAULT, verb=at, account=account, detail=fault.name, data={"effect": type(fault.effect).__name__})
        return fault.effect

    def heard(self, verb: str, argument: str) -> None:  # noqa: ARG002 - see ConnectionContext
        """A command that `note` is not told of."""
        self.argument = argument

    def note(
        self, kind: Kind, *, verb: str = "", detail: str = "", account: str | None = None, data: dict[str, Any] | None = None
    ) -> None:
        """Write to the journal."""
        if kind is Kind.COMMAND:
            self.argument = detail
        self.world.journal.write(kind, self.protocol, self.connection, account, verb, detail, data)


def spoiling(effect: Effect, octets: int) -> dict[str, Any] | None:
    """What a fault makes of a reply of so many octets on its way, for the journal: "lost", "cut" (behind so many octets), "garbled" (so
    many), "told" (what is said in its place); None when all of it arrives."""
    match effect:
        case LoseReply():
            return {"lost": True}
        case Cut() | AcceptThenReset() if effect.octets < octets:
            return {"cut": effect.octets}
        case Garble():
            return {"garbled": effect.octets}
        case Lie():
            return {"told": f"{effect.code} {effect.text}"}
        case _:
            return None
