"""One POP3 conversation, sans I/O: framing, faults, journal and ends around the commands."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from postroom_simulator import faults
from postroom_simulator.journal import Kind
from postroom_simulator.pop3.commands import COMMANDS, Command, Dialogue, State, refused
from postroom_simulator.pop3.languages import DEFAULT, translated
from postroom_simulator.pop3.maildrop import Maildrop, Shown
from postroom_simulator.pop3.replies import END, Answer, Refusal, first_line, reply_line
from postroom_simulator.pop3.syntax import Line, LineReader, looks_like_http, printable, printable_utf8, split_keyword
from postroom_simulator.sasl import MECHANISMS
from postroom_simulator.session import Outgoing, spoiling

if TYPE_CHECKING:
    from postroom_simulator.pop3.settings import Pop3Service
    from postroom_simulator.session import SessionContext

__all__ = ["Pop3Session"]

_SUSPENDING = (faults.Delay, faults.Drip)
_ENDING = (faults.Cut, faults.LoseReply, faults.AcceptThenReset)

_HIDDEN = "***"
_RETR = re.compile(rb"(?i:RETR) ([0-9]{1,10})\r\n")
_BATCH = 64 * 1024
"""Octets of messages said at once, where many are asked for at once (our choice)."""


class Pop3Session:
    """Implements `postroom_simulator.session.Session`.

    Steps are taken in order, one at a time: the greeting, each command line, each answer in an AUTH exchange. Before a step the
    fault table is asked; `_waiting` holds the step that a Stall put off. While more than `settings.pending_output` octets
    wait in `take()`, no further step is taken; `take()` goes on with what is left, so whoever drains until it
    returns nothing gets everything.

    What is given to `receive_data` between `wants_tls` and `tls_established()` never came through TLS and is dropped.
    """

    def __init__(self, context: SessionContext, service: Pop3Service | None = None) -> None:
        self._context = context
        self._service = service if service is not None else context.world.pop3
        self._settings = self._service.settings
        self._dialogue = Dialogue(context, self._service)
        self._lines = LineReader()
        self._out: list[Outgoing] = []
        self._pending = 0
        self._closed = False
        self._wants_tls = False
        self._suspended = True  # until the greeting is said
        self._waiting: Callable[[], None] | None = None
        self._first_line = True
        self._bad = 0
        self._commands = 0

    # -- what the connection sees

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def wants_tls(self) -> bool:
        return self._wants_tls

    @property
    def idle_limit(self) -> float | None:
        return self._settings.idle_limit

    @property
    def account(self) -> str | None:
        return self._dialogue.address

    @property
    def state(self) -> State:
        return self._dialogue.state

    def start(self) -> None:
        self._suspended = False
        self._step("greeting", "", None, self._dialogue.greet)

    def receive_data(self, octets: bytes) -> None:
        if self._closed or self._wants_tls:
            return
        self._lines.feed(octets)
        self._run()
        if len(self._lines) > self._settings.held_input:
            self._end()

    def receive_eof(self) -> None:
        self._end()

    def timeout(self) -> None:
        """No UPDATE, nothing said (RFC 1939 §3)."""
        self._end()

    def take(self) -> list[Outgoing]:
        taken, self._out = self._out, []
        held_back = self._pending > self._settings.pending_output
        self._pending = 0
        if held_back:
            journal = self._context.world.journal
            journal.hold_time()
            try:
                self._run()
            finally:
                journal.release_time()
        return taken

    def resume(self) -> None:
        if self._closed:
            return
        self._suspended = False
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting()
        self._run()

    def tls_established(self) -> None:
        self._wants_tls = False
        self._context.secure = True

    # -- lines

    def _run(self) -> None:
        """Carry out what is complete."""
        settings, dialogue = self._settings, self._dialogue
        while not (self._closed or self._suspended or self._wants_tls) and self._pending <= settings.pending_output:
            if dialogue.state is State.TRANSACTION and self._hand_out():
                if self._lines:
                    continue
                return
            exchanging = dialogue.exchange is not None
            line = self._lines.next_line(settings.auth_line_limit if exchanging else settings.line_limit)
            if line is None:
                if self._lines.endless:
                    self._context.note(Kind.NOTE, account=self.account, detail="endless line: connection ended")
                    self._end()
                return
            if self._first_line:
                self._first_line = False
                if looks_like_http(line.octets):
                    self._context.note(Kind.NOTE, detail="this is HTTP: connection ended")
                    self._end()
                    return
            if exchanging:
                self._take_response(line)
            else:
                self._take_command(line)

    def _hand_out(self) -> bool:
        """Carry out the RETRs that come next, where nothing is out of the ordinary; False when that was none.

        Does what `_take_command` would do, without what a step needs where a fault may act on it: 5 us a message in the place of 13.
        Anything else (a fault table that is not empty, a troubled maildrop, a refusal) is left for it, untouched."""
        dialogue, context, settings = self._dialogue, self._context, self._settings
        maildrop = dialogue.maildrop
        if context.world.faults or type(maildrop) is not Maildrop or dialogue.language != DEFAULT or self._had_enough():
            return False
        account, world = dialogue.address or "", context.world
        said: list[bytes] = []
        end = size = 0
        there = len(self._lines)
        while end < there and size < _BATCH:
            asked = self._lines.leading(_RETR, end)
            if asked is None or asked.end() - end > settings.line_limit:
                break
            try:
                shown = maildrop.retrieve(int(asked[1]))
            except Refusal:
                break
            end, argument = asked.end(), asked[1].decode("ascii")
            said += b"+OK %d octets\r\n" % shown.size, shown.octets, END
            size += len(shown.octets)
            dialogue.retrieved.append(shown.item.uid)
            self._service.policies.retrieved(account, shown.item, world.clock)
            world.journal.write_retrieval(context.connection, account, argument, shown.item.uid, shown.name, shown.size)
        if not said:
            return False
        self._lines.skip(end)
        context.heard("RETR", argument)
        octets = b"".join(said)
        self._out.append(Outgoing(octets))
        self._pending += len(octets)
        return True

    def _take_command(self, line: Line) -> None:
        if self._dialogue.state is State.AUTHORIZATION:
            self._commands += 1
        try:
            verb, command, arguments = self._parse(line)
        except _Malformed as malformed:
            verb, refusal = malformed.verb, malformed.refusal
            self._context.note(Kind.COMMAND, account=self.account, verb=verb, detail=malformed.shown)
            self._step(verb, verb, self.account, lambda: refused(self._dialogue, refusal))
            return
        self._context.note(Kind.COMMAND, account=self.account, verb=verb, detail=_redacted(verb, command, arguments))
        self._step(verb, verb, self._dialogue.concerned(verb, arguments), lambda: self._act(verb, command, arguments))

    def _parse(self, line: Line) -> tuple[str, Command, list[bytes]]:
        """The row and the arguments. Raises `_Malformed`; of a line that is no command nothing is shown, for it may be a
        password that went astray."""
        if line.too_long:
            raise _Malformed("", "line too long", "(over the limit)")
        if not printable(line.octets) and not self._admits_utf8(line.octets):
            raise _Malformed("", "only printable ASCII here", f"({len(line.octets)} octets)")
        keyword, rest = split_keyword(line.octets)
        verb = keyword.decode("ascii")
        command = COMMANDS.get(verb)
        if command is None or (command.capability is not None and self._dialogue.lacks(command.capability)):
            raise _Malformed("" if command is None else verb, "unknown command", f"({len(line.octets)} octets)")
        arguments = command.arity.split(rest)
        if arguments is None:
            raise _Malformed(verb, "wrong number of arguments", _HIDDEN if rest else "")
        return verb, command, arguments

    def _admits_utf8(self, octets: bytes) -> bool:
        """User names and passwords only (RFC 6856 §2.2), and no UTF-8 that is none (RFC 3629)."""
        keyword, _ = split_keyword(octets)
        command = COMMANDS.get(keyword.decode("ascii", "replace"))
        return command is not None and command.utf8 and not self._dialogue.lacks("UTF8") and printable_utf8(octets)

    def _act(self, verb: str, command: Command, arguments: list[bytes]) -> Answer:
        """The step that a command is."""
        dialogue = self._dialogue
        if verb != "PASS":
            dialogue.user = None  # PASS comes immediately after USER (RFC 1939 §7)
        if dialogue.state not in command.admitted:
            when = "before" if dialogue.state is State.TRANSACTION else "after"
            return refused(self._dialogue, Refusal(f"{verb} works {when} login only", bad=True))
        try:
            return command.handler(dialogue, *arguments)
        except Refusal as refusal:
            return refused(self._dialogue, refusal)

    def _take_response(self, line: Line) -> None:
        """The client's answer in an AUTH exchange (RFC 5034 §4)."""
        self._context.note(Kind.COMMAND, account=self.account, detail="*" if line.octets == b"*" else _HIDDEN)
        exchange = self._dialogue.exchange
        account = exchange.names(line.octets) if exchange is not None else None
        self._step("auth", "AUTH", account.address if account is not None else None, lambda: self._respond(line))

    def _respond(self, line: Line) -> Answer:
        exchange, self._dialogue.exchange = self._dialogue.exchange, None
        if exchange is None:
            raise RuntimeError("an answer without an AUTH exchange")
        try:
            if line.too_long:
                raise Refusal("line too long", bad=True)
            return self._dialogue.advance(exchange, lambda: exchange.answer(line.octets))
        except Refusal as refusal:
            return refused(self._dialogue, refusal)

    # -- steps and their faults

    def _step(self, point: str, verb: str, concerned: str | None, act: Callable[[], Answer]) -> None:
        """Take a step as the fault table lets it be taken. `point` names it there, `verb` in the journal; `concerned` is the
        account that it is about, as far as that is known."""
        effect = self._context.fault(point, concerned) if point else None  # usually there is none
        if effect is None:
            self._say(verb, act(), None)
        elif isinstance(effect, faults.Reply):
            self._say_instead(point, verb, effect)
        elif isinstance(effect, faults.Stall):
            self._suspended = True
            self._waiting = lambda: self._say(verb, act(), None)
            self._out.append(Outgoing(b"", effect))
        elif isinstance(effect, faults.Drop | faults.Refuse):
            self._out.append(Outgoing(b"", effect if isinstance(effect, faults.Drop) else faults.Drop("rst")))
            self._end()
        else:
            self._say(verb, act(), effect)

    def _say_instead(self, point: str, verb: str, effect: faults.Reply) -> None:
        """A fault's words for the step. A greeting of "-ERR" is the end; an AUTH exchange is over with any."""
        if point == "auth":
            self._dialogue.exchange = None
        refused = not effect.code.startswith("+")
        self._say(verb, Answer(reply_line(effect.code, effect.text), ends=refused and point == "greeting"), None)

    def _say(self, verb: str, answer: Answer, effect: faults.Effect | None) -> None:
        octets, ends, account = answer.octets, answer.ends, self._dialogue.address
        if answer.bad:
            self._bad += 1
        if not ends and self._had_enough():
            octets, ends = reply_line("-ERR", "too many commands that lead nowhere"), True
        if self._dialogue.language != DEFAULT:
            octets = translated(octets, self._dialogue.language)
        if answer.language:
            octets = octets.replace(b" ", f" {answer.language} ".encode("ascii"), 1)
        spoiled = spoiling(effect, len(octets)) if effect is not None else None
        self._context.note(Kind.REPLY, account=account, verb=verb, detail=first_line(octets), data=spoiled)
        if answer.offers is not None and (effect is None or not _loses(effect, len(octets))):
            self._note_offered(answer.offers, effect)
        self._out.append(Outgoing(octets, effect))
        self._pending += len(octets)
        if ends or (effect is not None and isinstance(effect, _ENDING)):
            self._end()
            return
        if answer.tls:
            self._lines.clear()  # what came in the clear must not be run as if it had come encrypted (RFC 2595 §4)
            self._wants_tls = True
        self._suspended = answer.hangs or (effect is not None and isinstance(effect, _SUSPENDING))

    def _had_enough(self) -> bool:
        settings, dialogue = self._settings, self._dialogue
        if self._bad >= settings.bad_commands or dialogue.failures >= settings.login_failures:
            return True
        return dialogue.state is State.AUTHORIZATION and self._commands >= settings.commands_before_login

    def _note_offered(self, shown: Shown, effect: faults.Effect | None) -> None:
        """Offered is what crosses the line whole and true. Of what a fault spoils, only that somebody asked for it is noted; the server
        knows nothing of that, and counts the message as retrieved."""
        account = self._dialogue.address
        if account is not None:
            self._service.policies.retrieved(account, shown.item, self._context.world.clock)
        data = {"uid": shown.item.uid, "uidl": shown.name}
        if isinstance(effect, faults.Garble | faults.Lie):
            spoiled = "garbled" if isinstance(effect, faults.Garble) else "lied about"
            self._context.note(Kind.NOTE, account=account, verb="RETR", detail=f"{spoiled}, not offered", data=data)
            return
        self._context.note(Kind.OFFERED, account=account, verb="RETR", data=data | {"octets": shown.size})

    def _end(self) -> None:
        """The end, whatever led to it: the lock is let go, nothing is removed, nothing more is read."""
        self._closed = True
        self._suspended = False
        self._wants_tls = False
        self._waiting = None
        self._lines.clear()
        self._dialogue.release()


class _Malformed(Exception):
    """A line that is no command. `shown` is what a journal may know of it."""

    def __init__(self, verb: str, text: str, shown: str) -> None:
        super().__init__(text)
        self.verb = verb
        self.shown = shown
        self.refusal = Refusal(text, bad=True)


def _redacted(verb: str, command: Command, arguments: list[bytes]) -> str:
    if command.secret is None:
        return b" ".join(arguments).decode("utf-8")
    shown = [argument.decode("utf-8") for argument in arguments[: command.secret]]
    if verb == "AUTH" and shown[0].upper() not in MECHANISMS:
        return _HIDDEN  # base64 that lost its mechanism
    return " ".join([*shown, *([_HIDDEN] if len(shown) < len(arguments) else [])])


def _loses(effect: faults.Effect, octets: int) -> bool:
    """Whether the client cannot get the reply whole."""
    if isinstance(effect, faults.Cut):
        return effect.octets < octets
    return isinstance(effect, faults.LoseReply)
