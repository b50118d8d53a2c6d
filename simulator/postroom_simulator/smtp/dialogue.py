"""How the server listens and speaks: aiosmtpd's `SMTP`, without socket, selector, timer or thread.

Everything that leans on aiosmtpd's insides is here; the verbs are in `server`. What is taken from it: sessions, envelopes, the
tables of verbs and their syntax, HELP, NOOP, RSET and VRFY. What is replaced, and why, is in dependencies reference 3.1: its loop ends
lines at a lone LF, gives up after five bad commands, makes a table of all its members for every connection, and says replies line by
line.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from aiosmtpd.smtp import SMTP, Envelope, Session

from postroom_simulator.faults import AcceptThenReset, Cut, Delay, Drip, Drop, Effect, LoseReply, Refuse, Reply, Stall
from postroom_simulator.journal import Kind
from postroom_simulator.policies import Policies, Request
from postroom_simulator.session import Outgoing, SessionContext, spoiling
from postroom_simulator.smtp.loop import NoLoop, Stepped, wait
from postroom_simulator.smtp.replies import render
from postroom_simulator.smtp.settings import SmtpSettings
from postroom_simulator.smtp.text import LineBuffer, TooLong

__all__ = ["Command", "Dialogue", "Over"]

log = logging.getLogger("postroom_simulator.smtp")

_VERB = re.compile(rb"[A-Za-z][A-Za-z0-9-]{0,31}\Z")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_HTTP = re.compile(rb"(?:GET|POST|HEAD|PUT|DELETE|OPTIONS|TRACE|PATCH|CONNECT|PRI) ")
_BAD = frozenset({"500", "501", "502", "503", "504", "555"})
"""Replies that count as a bad command."""
NOT_OFFERED = frozenset({"ATRN", "ETRN", "SAML", "SEND", "SOML", "TURN"})
"""Verbs that are refused by name: RFC 1985, RFC 2645, and what RFC 5321 appendix F has laid to rest."""
_TIMEOUT = "timeout"
_ENDING = (Cut, LoseReply, AcceptThenReset)
_SUSPENDING = (Delay, Drip)
_NO_CHUNK = re.compile(rb"[\x00-\x20]*B\0*D\0*A\0*T(?![A-Za-z0-9-])", re.IGNORECASE)
"""Looks like BDAT to somebody who is less exact, and is none where it is asked."""
UNSAID = 1024 * 1024
"""Octets waiting to be said above which no further command is taken up until they were fetched (our choice)."""
HELD = 16 * 2**20
"""Octets kept for a session that is suspended or waits for its handshake; more ends it (our choice)."""


class Over(Exception):
    """The dialogue has ended: nothing more is read or said."""


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the table of verbs.

    method     of the server class: takes it and the argument (None: there was none)
    argument   "none": one is answered 501; "some": none is answered 501 with the syntax of the method
    check      looks at the state; gives the reply that refuses the command in it, or None
    before_tls allowed before STARTTLS where that is required
    """

    method: Callable[[Any, str | None], Awaitable[None]]
    argument: Literal["none", "any", "some"] = "any"
    check: Callable[[Any], str | None] | None = None
    before_tls: bool = False


@functools.cache
def _made_once() -> dict[str, Any]:
    """The attributes that aiosmtpd's constructor gives every server, made for one and shared by all: it looks through all members
    of itself and its handler each time. Of what belongs to one connection a `Dialogue` has its own (session, envelope) or uses none (streams,
    time-out)."""
    return vars(SMTP(None, hostname="localhost", enable_SMTPUTF8=True, auth_require_tls=False, loop=NoLoop()))  # type: ignore[abstract]


class Dialogue(SMTP):
    """Lines in, replies out. Subclasses give the table `commands`."""

    commands: ClassVar[dict[str, Command]] = {}
    session: Session
    envelope: Envelope
    _handler_coroutine: Stepped | None  # type: ignore[assignment]

    def __init__(self, context: SessionContext, settings: SmtpSettings) -> None:
        self.__dict__.update(_made_once())  # not SMTP.__init__
        self.hostname = context.world.hostname
        self.context = context
        self.settings = settings
        self.outgoing: list[Outgoing] = []
        self._unsaid = 0  # octets in `outgoing`
        self.over = False
        self.suspended = False
        self.wants_tls = False
        self.account: str | None = None
        self.input = LineBuffer()
        self.session = self._create_session()
        self.envelope = self._create_envelope()
        self._handler_coroutine = None
        self._verb = ""  # what is being answered; "" is the greeting
        self._effect: Effect | None = None  # waits for the next reply
        self._bad_commands = 0
        self._refusals = 0
        self._auth_failures = 0
        self.auth_tried = False
        self._closing = False  # with the next reply
        self._refused = False  # the greeting was a refusal: RFC 5321 §3.1
        self._owed: int | None = 0  # octets that come behind the command whatever is answered; None: nobody knows how many

    # -- driven from outside

    def begin(self) -> None:
        self.context.world.smtp.sessions.add(self)
        self._handler_coroutine = Stepped(self._handle_client())
        self._handler_coroutine.step()

    def end(self) -> None:
        """The connection is gone, or is to be closed without another word. Idempotent."""
        self.over = True
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
        self.input.clear()

    def data_received(self, data: bytes) -> None:
        self.input.feed(data)
        if not self.suspended and not self.wants_tls:
            self.wake()
        elif len(self.input) > HELD:
            self.end()

    def take(self) -> list[Outgoing]:
        """Drains what is to be said, and goes on with what was put off for it."""
        taken, self.outgoing = self.outgoing, []
        held_back = self._unsaid > UNSAID
        self._unsaid = 0
        if held_back and not (self.over or self.suspended or self.wants_tls):
            self.wake()
        return taken

    def wake(self) -> None:
        """What the coroutine waits for is there."""
        if self._handler_coroutine is not None:
            self._handler_coroutine.step()

    def forget_transaction(self) -> None:
        self.envelope = self._create_envelope()

    async def _suspend(self) -> None:
        """Until `resume`. Input is kept meanwhile."""
        self.suspended = True
        await wait()

    # -- speaking

    async def push(self, status: str | bytes) -> None:
        """Say a reply. Every reply passes here and through `say`: it gets its enhanced code, its journal entry and the effect of
        a fault. Refusals of bad commands are counted; after too many the connection ends.

        Raises Over when the connection ends with it."""
        reply = status if isinstance(status, str) else status.decode("utf-8", "backslashreplace")
        if reply[:3] in _BAD:
            self._bad_commands += 1
            if self._bad_commands >= self.settings.max_bad_commands:
                reply = "421 4.7.0 too many bad commands"
        await self._push(reply)

    async def _push(self, reply: str) -> None:
        self.say(reply)
        if self.over:
            raise Over
        if self.suspended:
            await self._suspend()

    def say(self, reply: str) -> None:
        """The part of `push` that waits for nothing."""
        refusal = reply[:1] in ("4", "5")
        effect = self._effect or (self._tarpit() if refusal else None)
        octets, first = render(self._verb, reply, enhanced="ENHANCEDSTATUSCODES" in self.extensions)
        self._effect = None
        verb = "" if self._verb == _TIMEOUT else self._verb
        spoiled = spoiling(effect, len(octets)) if effect is not None else None
        self.context.note(Kind.REPLY, verb=verb, detail=first, account=self.account, data=spoiled)
        self.outgoing.append(Outgoing(octets, effect))
        self._unsaid += len(octets)
        self.over = self._closing or first.startswith("421") or isinstance(effect, _ENDING)
        self.suspended = not self.over and isinstance(effect, _SUSPENDING)
        if refusal:
            self.refused()

    def _tarpit(self) -> Delay | None:
        """Refusals are counted for the policies; one that comes after too many is said late."""
        if self._verb == _TIMEOUT:
            return None
        self._refusals += 1
        seconds = self._policies.delay(self._refusals) if self._policies else 0.0
        if not seconds:
            return None
        self.context.note(Kind.NOTE, detail=f"tarpit: {seconds:g} seconds", account=self.account)
        return Delay(seconds)

    @property
    def _policies(self) -> Policies:
        return self.context.world.smtp.policies

    def _turned_away(self) -> str | None:
        """Whether the policies have no room for another session: the reply in place of the greeting."""
        service, client = self.context.world.smtp, self.context.client_address
        if not service.policies:
            return None
        others = [other.context.client_address for other in list(service.sessions) if other is not self and not other.over]
        now = self.context.world.clock.now()
        request = Request("connect", now, client, open=len(others), open_here=others.count(client))
        refusal = service.policies.judge(request)
        return refusal.reply if refusal is not None else None

    def say_timeout(self) -> None:
        self._verb, self._effect = _TIMEOUT, None
        self.say("421 4.4.2 idle for too long")

    async def step(self, at: str, account: str | None = None) -> bool:
        """Ask what happens at this step; False when a fault has answered in its place. A stall with an end is waited for here, what
        acts on the reply is kept for it. Raises Over when the connection ends."""
        self._effect = None
        effect = self.context.fault(at, account or self.account)
        return effect is None or await self._act_on(effect)

    async def _act_on(self, effect: Effect) -> bool:
        """The part of `step` that is for a fault."""
        if isinstance(effect, Refuse):
            return True
        if isinstance(effect, Reply):
            await self._skip_owed()
            await self._push(f"{effect.code} {effect.text}")
            return False
        if isinstance(effect, Drop):
            self.cut_off(effect)
        if isinstance(effect, Stall):
            await self.hold(effect)
        else:
            self._effect = effect
        return True

    async def hold(self, effect: Stall | Delay) -> None:
        """Say nothing and wait until the effect is over."""
        self.outgoing.append(Outgoing(b"", effect))
        await self._suspend()

    def cut_off(self, effect: Effect) -> None:
        """End the connection without a word."""
        self.outgoing.append(Outgoing(b"", effect))
        self.over = True
        raise Over

    # -- listening

    async def _handle_client(self) -> None:
        """The dialogue, from greeting to end. In the place of aiosmtpd's own loop."""
        try:
            if await self.step("greeting"):
                await self.push(self._turned_away() or f"220 {self.hostname} ESMTP Postroom simulator")
            else:
                self._refused = True
            line = await self.next_line(self.settings.max_command)
            if _HTTP.match((line if isinstance(line, bytes) else line.beginning).upper()):
                self.context.note(Kind.NOTE, detail="HTTP on a mail port: closed (cross-protocol request)")
                raise Over
            while True:
                await self._take_line(line)
                line = await self.next_line(self.settings.max_command)
        except Over:
            self.over = True

    async def next_line(self, limit: int) -> bytes | TooLong:
        """The next complete line, without its end. Not before what was said has been fetched, if that is much."""
        while True:
            if self._unsaid > UNSAID:
                await wait()
                continue
            line = self.input.take_line(limit, self.settings.max_auth)
            if line is not None:
                return line
            await wait()

    async def next_owed(self) -> bytes:
        """Some of the octets that are owed; nothing when all have come."""
        if not self._owed:
            return b""
        while not len(self.input):
            await wait()
        octets = self.input.take_octets(self._owed)
        self._owed -= len(octets)
        return octets

    async def _skip_owed(self) -> None:
        """Read what must not be taken for commands. Where nobody knows how much that is, the next reply ends the connection."""
        self._closing = self._closing or self._owed is None
        while await self.next_owed():
            pass

    async def _take_line(self, line: bytes | TooLong) -> None:
        try:
            if isinstance(line, bytes):
                await self._take_command(line)
            else:
                self._verb = "?"
                self._closing = _NO_CHUNK.match(line.beginning) is not None  # what follows would be run
                await self.push("421 4.7.0 endless line" if line.endless else "500 5.5.6 line too long")
        except Exception as error:
            if isinstance(error, Over):
                raise
            # A mistake of ours must neither end the server nor look like success to the client.
            log.exception("%s: %s failed", self.context.connection, self._verb)
            self._effect = None
            self.forget_transaction()
            # Inside a text nobody knows where it ends: what is left of it must not be run.
            code = "421 4.3.0" if self._verb in ("DATA", "BDAT") else "451 4.3.0"
            await self.push(f"{code} internal error ({type(error).__name__})")

    async def _take_command(self, line: bytes) -> None:
        """Journal, fault, checks from the table, then the verb's method."""
        name, _, rest = line.partition(b" ")
        verb = name.upper().decode("ascii") if _VERB.match(name) else "?"
        arg = rest.strip(b" \t").decode("utf-8", "surrogateescape") or None
        command = self.commands.get(verb)
        self.auth_tried = self.auth_tried or b"AUTH" in line.upper()  # carried out or not: what follows may be a password
        if command is None and self.auth_tried:
            verb = "?"
        self._verb = verb
        unknown = f"({len(line)} octets)" if self.auth_tried else line.decode("latin-1")
        shown = self.redacted(verb, arg) if command else unknown
        self.context.note(Kind.COMMAND, verb=verb, detail=shown, account=self.account)
        self._owed = self.octets_behind(verb, arg) if command or not _NO_CHUNK.match(line) else None
        if not await self.step(verb, self.claimed_account(verb, arg)):
            return
        refusal = self._refusal(command, line, verb, arg)
        if refusal is not None:
            await self._skip_owed()
            await self.push(refusal)
        elif command is not None:
            await command.method(self, arg)

    def _refusal(self, command: Command | None, line: bytes, verb: str, arg: str | None) -> str | None:
        """Why the command is not carried out at all, as a reply."""
        if self._refused and verb != "QUIT":
            return "503 5.5.1 no service here"  # RFC 5321 §3.1
        if command is None:
            return f"502 5.5.1 {verb} is not offered" if verb in NOT_OFFERED else "500 5.5.2 command not recognized"
        if b"\0" in line:
            return "500 5.5.2 NUL in a command"
        if _CONTROL.search(line):
            return "501 5.5.2 control characters in a command"
        if command.argument == "none" and arg:
            return f"501 5.5.4 {verb} takes no argument"
        if command.argument == "some" and not arg:
            return f"501 5.5.4 syntax: {command.method.__smtp_syntax__}"  # type: ignore[attr-defined]
        if self.settings.require_tls and not self.context.secure and not command.before_tls:
            return "530 5.7.0 must issue a STARTTLS command first"
        return self.hindered(verb) or (command.check(self) if command.check else None)

    # -- what the verbs know better

    def refused(self) -> None:
        """A refusal has just been said."""

    @property
    def extensions(self) -> tuple[str, ...]:
        """Extensions that are there now."""
        return self.settings.extensions

    def redacted(self, verb: str, arg: str | None) -> str:
        """The argument as the journal may show it."""
        raise NotImplementedError

    def claimed_account(self, verb: str, arg: str | None) -> str | None:
        """The account that a command says to be, where its argument tells."""
        raise NotImplementedError

    def octets_behind(self, verb: str, arg: str | None) -> int | None:
        """Octets that the client sends behind the command without waiting for its reply; None when its argument does not tell."""
        raise NotImplementedError

    def hindered(self, verb: str) -> str | None:
        """Why no command but few is carried out now, as a reply."""
        raise NotImplementedError
