"""One connection: a session, the faults that act on its octets, TLS, limits, and its lines in the journal.

Like the session it owns no socket: a transport feeds `data_received`, `eof_received` and `connection_lost`, and does what it is told.
Everything happens under the world's lock, in the thread of the transport (or of the timer that fired).
"""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from postroom_simulator.fault_rules import BEFORE_THE_HANDSHAKE, UPGRADES_ONLY
from postroom_simulator.faults import (
    AcceptThenReset,
    Close,
    Cut,
    Delay,
    Drip,
    Drop,
    Effect,
    Garble,
    Lie,
    Refuse,
    Stall,
    TlsTrouble,
)
from postroom_simulator.journal import Kind
from postroom_simulator.net.effects import drops, garbled, no_tls, pause, told
from postroom_simulator.net.handshake import HANDSHAKE_LIMIT, Handshake
from postroom_simulator.net.idle import IdleWatch
from postroom_simulator.net.registry import Cancellable, Timers
from postroom_simulator.net.service import (
    BUSY,
    CLEAR,
    IMPLICIT_TLS,
    PROTOCOLS,
    ConnectionContext,
    SessionFactory,
    Transport,
    make_session,
)
from postroom_simulator.net.tls import TlsLayer, reason
from postroom_simulator.session import Outgoing, Session

if TYPE_CHECKING:
    from postroom_simulator.world import World

__all__ = ["HELD_LIMIT", "Connection"]

HELD_LIMIT = 256 * 1024
"""Octets of input kept while nothing may be acted on; above it reading pauses (our choice)."""
PIECE = 32 * 1024
"""Octets of input given to the session at once."""
ACTIVE = 1024
"""Octets that count as activity of a client within its idle limit when they are not a whole command (our choice): somebody who sends an
octet now and then does not keep a connection for ever."""
FLUSH_AT = 64 * 1024
"""Octets of output gathered before they are handed to the transport."""


class Connection:
    """The server's end of one connection.

    name         "pop3-1", "smtp-3": counted by world and protocol
    refused      a fault refused it: the client never saw it accepted
    client_gone  the client sends no more
    """

    def __init__(
        self,
        world: World,
        service: str,
        transport: Transport,
        *,
        timers: Timers,
        client_address: str = "127.0.0.1",
        sessions: SessionFactory = make_session,
    ) -> None:
        self.world = world
        self.service = service
        self.client_address = client_address
        self.refused = False
        self.client_gone = False
        self.name = ""
        self.session: Session | None = None
        self._transport = transport
        self._timers = timers
        self._sessions = sessions
        self._context: ConnectionContext
        self._outgoing: deque[Outgoing] = deque()
        self._unsent: list[bytes] = []
        self._unsent_size = 0
        self._held = bytearray()  # as it came over the line
        self._plain = bytearray()  # decrypted, not yet given to the session
        self._tls: TlsLayer | None = None
        self._handshake: Handshake | None = None
        self._greeting_cut: Cut | None = None
        self._line_cut: Cut | None = None
        self._sayable = 0  # octets, with a cut of the line
        self._suspended = False
        self._timer: Cancellable | None = None  # ends the suspension, or the handshake
        self._idle = IdleWatch(world, timers, limit=self._idle_limit, busy=self._is_busy, late=self._idle_too_long)
        self._unanswered = 0  # octets since the last activity
        self._peer_slow = False
        self._reading_paused = False
        self._running = False
        self._eof_told = False
        self._ended = False
        self._lost = False
        self._timed_out = False
        self._waits = "a command"

    # -- what the transport calls

    def open(self) -> None:
        """The line is there."""
        with self.world.lock:
            protocol = PROTOCOLS[self.service]
            self.name = f"{protocol}-{self.world.ids.number(f'connection {protocol}')}"
            self._context = ConnectionContext(
                self.world, protocol, self.name, client_address=self.client_address, service=self.service
            )
            self._context.trouble = self.world.tls.get(self.service)
            self._context.wake = lambda: self._transport.call_soon(self.poke)
            self._context.call_later = self._timers.call_later
            fits = self.world.connections.admit(self)
            self._context.note(Kind.CONNECTED, data={"service": self.service})
            self._run(self._answer_connect if fits else self._turn_away)

    def data_received(self, octets: bytes | memoryview) -> None:
        """Any number of octets came from the client; they are copied. Harmless after the end."""
        with self.world.lock:
            if self._ended or self.client_gone:
                return
            self._held += octets
            self._unanswered += len(octets)
            if self._unanswered >= ACTIVE:
                self._be_active()
            self._run()

    def eof_received(self) -> None:
        """The client sends no more; it may still read."""
        with self.world.lock:
            if not self.client_gone:
                self.client_gone = True
                self._run()
                self.world.connections.notify()

    def connection_lost(self) -> None:
        """The line is gone, in both directions."""
        with self.world.lock:
            self._lost = True
            self.eof_received()
            if self._ended:
                self.world.connections.leave(self)

    def pause_writing(self) -> None:
        """The client does not read as fast as it asks: nothing more is acted on until `resume_writing`."""
        self._peer_slow = True

    def resume_writing(self) -> None:
        with self.world.lock:
            self._peer_slow = False
            self._idle.touch()
            self._run()

    def poke(self) -> None:
        """The session has something to say by itself."""
        with self.world.lock:
            if not self._ended:
                self._idle.touch()
                self._run()

    # -- what others ask

    @property
    def ended(self) -> bool:
        """The server's side has ended."""
        return self._ended

    @property
    def waits_for_timer(self) -> bool:
        """Nothing goes on before a timer has fired."""
        return self._suspended and self._timer is not None and not self._ended

    @property
    def stalled_for_ever(self) -> bool:
        return self._suspended and self._timer is None and not self._ended

    def describe(self) -> str:
        """One line for error texts: who, after which command, waiting for what."""
        last = self._context.last_command or "none"
        waits = "the client's end" if self._ended else self._waits
        return f"{self.name} ({self.service}): last command {last}, the server waits for {waits}"

    def shut(self) -> None:
        """The world closes."""
        with self.world.lock:
            self._end("server", "rst")
            self.world.connections.leave(self)

    # -- the one loop

    def _run(self, first: Callable[[], None] | None = None) -> None:
        """Do `first`, then go on until nothing more can be done now. Calls from inside find the loop running and leave the work
        to it."""
        if self._running:
            return
        self._running = True
        try:
            if first is not None:
                first()
            while not self._ended and self._step():
                pass
        except Exception as error:
            self._context.note(Kind.NOTE, detail=f"internal error: {type(error).__name__}")
            self._end("server", "rst")
            raise
        finally:
            self._running = False
            # Timers first: over TCP a client may see the octets, and its test move the clock, before this thread goes on.
            if self._idle_limit() != self._idle.armed_for:
                self._idle.arm()
            if self._unsent:
                self._flush()
        if self._held or self._plain or self._reading_paused:
            self._control_reading()

    def _step(self) -> bool:
        """Do the next thing; False when there is none."""
        if self._suspended:
            return self._give_up_stalled()
        while self._outgoing:
            out = self._outgoing.popleft()
            if out.effect is not None:
                self._say(out.octets, out.effect)
                return True
            self._write(out.octets)
        session = self.session
        if self._peer_slow and not self.client_gone and not (session is not None and session.closed):
            return False
        if self._handshake is not None:
            return self._shake_hands(self._handshake)
        if session is None:
            return False
        self._outgoing.extend(session.take())  # a session keeps back what is much at once, until the rest was taken
        if self._outgoing:
            return True
        if session.closed:
            self._end("timeout" if self._timed_out else "client" if self._eof_told else "server", "fin")
            return False
        if session.wants_tls:
            self._held.clear()  # sent before it knew our answer: not to be trusted (RFC 3207 §4.2, RFC 2595 §4)
            self._plain.clear()
            self._begin_tls()
            return True
        if (self._held or self._plain) and self._hear(session):
            return True
        return self.client_gone and self._tell_eof(session)

    def _give_up_stalled(self) -> bool:
        """A stall without end is over when the client leaves: the step is never taken."""
        if self.client_gone and self._timer is None:
            self._end("client", "fin")
        return False

    def _tell_eof(self, session: Session) -> bool:
        if not self.client_gone or self._eof_told:
            return False
        self._eof_told = True
        session.receive_eof()
        self._outgoing.extend(session.take())
        if not self._outgoing:
            self._end("client", "fin")
        return True

    # -- hearing

    def _hear(self, session: Session) -> bool:
        """Give the session its next piece. False when all that came is an unfinished TLS record."""
        if self._held:
            if self._tls is not None:
                self._decrypt(self._tls)
            elif self._plain:
                self._plain += self._held
                self._held.clear()
            else:
                self._plain, self._held = self._held, self._plain
        if not self._plain or self._ended:
            return False
        journal = self.world.journal
        journal.hold_time()
        try:
            session.receive_data(self._next_piece())
        finally:
            journal.release_time()
        said = session.take()
        if said:  # something was carried out, or begun
            self._be_active()
            self._outgoing.extend(said)
            if self._greeting_cut is not None:
                self._cut_greeting()
        return True

    def _be_active(self) -> None:
        self._unanswered = 0
        self._idle.touch()

    def _next_piece(self) -> bytes:
        """Not all at once: a client may ask for a thousand messages in one go, and the session is drained after each piece."""
        if len(self._plain) <= PIECE:
            piece = bytes(self._plain)
            self._plain.clear()
        else:
            piece = bytes(memoryview(self._plain)[:PIECE])
            del self._plain[:PIECE]
        return piece

    def _decrypt(self, tls: TlsLayer) -> None:
        tls.feed(self._held)
        self._held.clear()
        try:
            plain, ended = tls.read()
        except ssl.SSLError as error:
            self._context.note(Kind.NOTE, detail=f"TLS failed: {reason(error)}")
            self._keep(tls.take())
            self._end("server", "fin")
            return
        self._keep(tls.take())
        self._plain += plain
        self.client_gone = self.client_gone or ended

    # -- saying

    def _say(self, octets: bytes, effect: Effect) -> None:
        """Write octets as their effect wants it."""
        if isinstance(effect, Drop):
            self._leave(effect)
        elif drops(effect):
            self._end("fault", effect.how)
        elif isinstance(effect, Cut):
            self._cut_off(octets, effect.octets, effect.how)
        elif isinstance(effect, AcceptThenReset):
            self._cut_off(octets, effect.octets, "rst")
        elif isinstance(effect, Delay | Stall):
            self._suspend(self._pause(effect), f"the end of a {_word(effect)}", lambda: self._finish_step(octets))
        elif isinstance(effect, Drip):
            self._drip(octets, effect)
        elif isinstance(effect, Lie):
            self._write(told(effect))
        elif isinstance(effect, Garble):
            self._write(garbled(octets, effect.octets, self.world.ids.random))
        else:
            self._write(octets)

    def _pause(self, effect: Delay | Stall) -> float | None:
        return pause(effect, self.world.ids.random)

    def _leave(self, drop: Drop) -> None:
        """End without a word, at once or after a silence."""
        if drop.seconds:
            self._suspend(drop.seconds, "the end of its silence", lambda: self._end("fault", drop.how))
        else:
            self._end("fault", drop.how)

    def _cut_off(self, octets: bytes, count: int, how: Close) -> None:
        self._write(octets[:count])
        self._end("fault", how)

    def _drip(self, octets: bytes, drip: Drip, said: int = 0) -> None:
        """The first piece at once, each further one `seconds` later. (What is written goes out when the loop stops.)"""
        end = said + drip.octets
        self._write(octets[said:end])
        if end < len(octets):
            self._suspend(drip.seconds, "the next octets of a drip", lambda: self._drip(octets, drip, end))
        else:
            self._finish_step(b"")

    def _finish_step(self, octets: bytes) -> None:
        """A suspending effect is over: say what was kept back and let the session go on."""
        self._write(octets)
        if self.session is not None:
            self.session.resume()
            self._outgoing.extend(self.session.take())

    def _write(self, octets: bytes) -> None:
        if not octets:
            return
        if self._tls is None and self._line_cut is None:  # the usual case, as _keep does it
            self._unsent.append(octets)
            self._unsent_size += len(octets)
            if self._unsent_size >= FLUSH_AT:
                self._flush()
            return
        if self._tls is not None:
            self._tls.write(octets)
            octets = self._tls.take()
        self._keep(octets)

    def _keep(self, octets: bytes) -> None:
        """For the line, in the order in which it came."""
        if self._line_cut is not None:
            octets = octets[: self._sayable]
            self._sayable -= len(octets)
        if octets:
            self._unsent.append(octets)
            self._unsent_size += len(octets)
            if self._unsent_size >= FLUSH_AT:
                self._flush()
        if self._line_cut is not None and not self._sayable:
            self._end("fault", self._line_cut.how)

    def _flush(self) -> None:
        if self._unsent:
            octets = self._unsent[0] if len(self._unsent) == 1 else b"".join(self._unsent)
            self._unsent.clear()
            self._unsent_size = 0
            if not self._lost:
                self._transport.write(octets)

    # -- waiting

    def _suspend(self, seconds: float | None, waits: str, then: Callable[[], None]) -> None:
        """Act on nothing until `seconds` have passed (None: for ever), then do `then` and go on."""
        if self._ended:
            return
        self._suspended = True
        self._waits = waits if seconds is not None else "nothing: it stalls for ever"
        self._timer = None if seconds is None else self._timers.call_later(seconds, lambda: self._wake(then))
        self.world.connections.notify()

    def _wake(self, then: Callable[[], None]) -> None:
        with self.world.lock:
            if self._ended or not self._suspended:
                return
            self._suspended = False
            self._timer = None
            self._waits = "a command"
            self._idle.touch()
            self._run(then)

    def _idle_limit(self) -> float | None:
        session = self.session
        return None if self._ended or session is None else session.idle_limit

    def _is_busy(self) -> bool:
        """Whether the client cannot be blamed for its silence. (A handshake has a limit of its own.)"""
        return self._suspended or self._handshake is not None

    def _idle_too_long(self) -> None:
        self._timed_out = True
        if self._peer_slow or self.session is None:  # it does not even read: nobody would hear a farewell
            self._end("timeout", "rst")
        else:
            self._run(self.session.timeout)

    def _control_reading(self) -> None:
        """Hold no more than the limit of what may not be acted on yet, and nothing of what never will be."""
        if self.stalled_for_ever:
            self._held.clear()
            self._plain.clear()
        full = not self._ended and len(self._held) + len(self._plain) > HELD_LIMIT
        if full != self._reading_paused and not self._lost:
            self._reading_paused = full
            (self._transport.pause_reading if full else self._transport.resume_reading)()

    # -- beginning

    def _answer_connect(self) -> None:
        effect = self._context.fault("connect")
        if isinstance(effect, Refuse):
            self.refused = True
            self._end("fault", "rst")
        elif isinstance(effect, AcceptThenReset) and effect.octets == 0:
            self._end("fault", "rst")
        elif isinstance(effect, AcceptThenReset):
            self._greeting_cut = Cut(effect.octets, "rst")
            self._begin()
        elif isinstance(effect, Drop):
            self._leave(effect)
        elif isinstance(effect, Delay | Stall):
            self._suspend(self._pause(effect), f"the end of a {_word(effect)}", self._begin)
        else:
            if isinstance(effect, TlsTrouble):
                self._context.trouble = effect
            elif isinstance(effect, Cut):
                self._line_cut, self._sayable = effect, effect.octets
                self._keep(b"")
            self._begin()

    def _turn_away(self) -> None:
        """There are too many already."""
        self._context.note(Kind.NOTE, detail="too many connections")
        if self.service not in IMPLICIT_TLS:
            self._write(BUSY[self._context.protocol])
        self._end("server", "fin")

    def _begin(self) -> None:
        if self._ended:
            return
        if self.service in IMPLICIT_TLS:
            self._begin_tls()
            return
        trouble = self._context.trouble
        if trouble is not None and trouble.name == "stripped":
            self._context.note_trouble(trouble, "connect")
            self._context.tls_available = False
        self._greet()

    def _greet(self) -> None:
        session = self.session = self._sessions(self.service, self._context)
        session.start()
        self._outgoing.extend(session.take())
        if self._greeting_cut is not None and self._outgoing:
            self._cut_greeting()

    def _cut_greeting(self) -> None:
        """Whatever the server says first: in HTTP that is its first answer."""
        self._outgoing[0] = Outgoing(self._outgoing[0].octets, self._greeting_cut)
        self._greeting_cut = None

    # -- TLS

    def _begin_tls(self) -> None:
        effect = self._context.fault("tls", self.session.account if self.session is not None else None)
        trouble = effect if isinstance(effect, TlsTrouble) else self._own_trouble()
        if isinstance(effect, Drop):
            self._leave(effect)
        elif trouble is not None and trouble.name == "plain-text" and self.session is None:
            self._greet()
        elif isinstance(effect, Delay | Stall):
            self._make_tls(None, trouble)
            self._suspend(self._pause(effect), f"the end of a {_word(effect)}", self._arm_handshake)
        else:
            self._make_tls(effect if isinstance(effect, Cut) else None, trouble)
            self._arm_handshake()

    def _own_trouble(self) -> TlsTrouble | None:
        """That of the whole connection, where it concerns a handshake."""
        trouble = self._context.trouble
        if trouble is None or trouble.name in BEFORE_THE_HANDSHAKE:
            return None
        if self.session is None and trouble.name in UPGRADES_ONLY:
            return None
        self._context.note_trouble(trouble, "tls")
        return trouble

    def _make_tls(self, cut: Cut | None, trouble: TlsTrouble | None) -> None:
        name = trouble.name if trouble is not None else ""
        clear = CLEAR[self._context.protocol]
        if name == "injected" and self.session is not None:
            self._keep(clear)  # with the go-ahead, in one piece
        self._flush()
        instead = clear if name == "plain-text" else no_tls(self.world.ids.random) if name == "garbage" else None
        self._handshake = Handshake(self.world.authority.server_context(name), cut, trouble, instead)

    def _arm_handshake(self) -> None:
        self._waits = "a TLS handshake"
        self._timer = self._timers.call_later(HANDSHAKE_LIMIT, self._handshake_late)

    def _handshake_late(self) -> None:
        with self.world.lock:
            if self._handshake is not None and not self._ended:
                self._fail_tls("time-out", "timeout")

    def _fail_tls(self, why: str, who: str) -> None:
        self._context.note(Kind.TLS, detail=f"failed: {why}")
        self._end(who, "fin")

    def _shake_hands(self, handshake: Handshake) -> bool:
        if not self._held:
            if self.client_gone:
                self._fail_tls("connection closed", "client")
            return False
        answer, outcome = handshake.go_on(self._held)
        self._held.clear()
        self._keep(answer)
        if self._ended:
            return False
        if outcome == "done":
            self._secured(handshake.tls)
        elif outcome == "failed":
            self._fail_tls(handshake.reason, "server")
        elif outcome == "cut":
            self._end("fault", handshake.how)
        return True

    def _secured(self, tls: TlsLayer) -> None:
        self._handshake = None
        self._tls = tls
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waits = "a command"
        self._context.secure = True
        self._context.note(Kind.TLS, detail="established")
        self._be_active()
        if self.session is None:
            self._greet()
        else:
            self.session.tls_established()
            self._outgoing.extend(self.session.take())
        self._plain += tls.read()[0]  # what came in one piece with the end of the handshake

    # -- the end

    def _end(self, who: str, how: Close) -> None:
        """End the server's side once: `who` is the journal's word for it."""
        if self._ended:
            return
        self._ended = True
        self._idle.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._held.clear()
        self._plain.clear()
        self._outgoing.clear()
        session = self.session
        if session is not None and not session.closed:
            session.receive_eof()
            session.take()
        if how == "fin" and who != "fault" and self._tls is not None:
            self._tls.say_goodbye()
            self._keep(self._tls.take())
        self._flush()
        self._context.note(Kind.CLOSED, detail=who, account=session.account if session is not None else None)
        if self._lost:
            self.world.connections.leave(self)
        else:
            (self._transport.close if how == "fin" else self._transport.abort)()
            self.world.connections.notify()


def _word(effect: Effect) -> str:
    return type(effect).__name__.lower()
