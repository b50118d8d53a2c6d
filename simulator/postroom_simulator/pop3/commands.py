"""The commands of POP3: one table of name, handler, states, arguments and capability, and what each of them does.

The table feeds the dispatcher, the answer to CAPA and the tests. Handlers never test the state or count arguments; the
dispatcher did, from the row. They return an `Answer` or raise `Refusal`, and know neither framing nor faults.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, Flag, auto
from typing import TYPE_CHECKING

from postroom_simulator.errors import SimulatorError
from postroom_simulator.journal import Kind
from postroom_simulator.pop3.login import (
    MECHANISMS,
    Authenticator,
    Exchange,
    Mechanism,
    claimed_name,
    decode_base64,
    encode_base64,
)
from postroom_simulator.pop3.maildrop import Maildrop, uidl
from postroom_simulator.pop3.replies import END, Answer, Code, Refusal, multi_line, ok, reply_line
from postroom_simulator.pop3.syntax import parse_number

if TYPE_CHECKING:
    from postroom_simulator.directory import Account
    from postroom_simulator.pop3.settings import Hold, Pop3Service
    from postroom_simulator.session import SessionContext

__all__ = ["COMMANDS", "Arity", "Command", "Dialogue", "State", "capabilities"]


class State(Flag):
    """RFC 1939 §3. UPDATE is passed through inside QUIT and never waits for a command."""

    AUTHORIZATION = auto()
    TRANSACTION = auto()


class Arity(Enum):
    """How many arguments a keyword takes, and whether the last may hold spaces."""

    NONE = (0, 0, False)
    ONE = (1, 1, False)
    OPTIONAL = (0, 1, False)
    ONE_OR_TWO = (1, 2, False)
    TWO = (2, 2, False)
    REST = (1, 1, True)

    def __init__(self, least: int, most: int, spaces: bool) -> None:
        self.least = least
        self.most = most
        self.spaces = spaces

    def split(self, rest: bytes | None) -> list[bytes] | None:
        """The arguments, or None when they are too few, too many or empty. `rest`: what follows the first space, if any."""
        if rest is None:
            return None if self.least else []
        arguments = [rest] if self.spaces else rest.split(b" ", self.most)  # one more than admitted is enough to refuse
        return arguments if self.least <= len(arguments) <= self.most and all(arguments) else None


class Dialogue:
    """What a conversation knows: who speaks, in which state, with which maildrop. No octets, no faults."""

    def __init__(self, context: SessionContext, service: Pop3Service) -> None:
        self.context = context
        self.service = service
        self.authenticator = Authenticator(context.world)
        self.state = State.AUTHORIZATION
        self.user: str | None = None
        """Named by USER, until the next command (RFC 1939 §7: PASS comes immediately after)."""
        self.exchange: Exchange | None = None
        """An AUTH exchange that waits for the client's answer."""
        self.mechanism: Mechanism | None = None
        """Of the last AUTH."""
        self.address: str | None = None
        """Of the account that is logged in."""
        self._maildrop: Maildrop | None = None
        self._hold: Hold | None = None

    @property
    def maildrop(self) -> Maildrop:
        if self._maildrop is None:
            raise RuntimeError("no maildrop before login: the table admits a command in a wrong state")
        return self._maildrop

    def hides(self, capability: str | None) -> bool:
        hidden = self.service.settings.hidden
        return bool(hidden) and capability in hidden

    @property
    def may_send_password(self) -> bool:
        return self.context.secure or self.service.settings.plaintext_without_tls

    @property
    def may_start_tls(self) -> bool:
        return self.context.tls_available and not self.context.secure

    def log_in(self, account: Account) -> Answer:
        """From AUTHORIZATION to TRANSACTION: the lock, then the snapshot. Raises `Refusal` and stays where it was."""
        hold = self.service.locks.acquire(account.address, self.context.connection)
        if hold is None:
            self._note_login(account.address, ok=False, detail="maildrop in use")
            raise Refusal("the maildrop is in use by another session", Code.IN_USE)
        try:
            self._maildrop = Maildrop.open(self.context.world.store, account.address)
        except SimulatorError:
            self.service.locks.release(hold)
            self._note_login(account.address, ok=False, detail="maildrop cannot be opened")
            raise Refusal("the maildrop cannot be opened", Code.SYS_TEMP) from None
        self.address, self._hold = account.address, hold
        self.state = State.TRANSACTION
        self._note_login(account.address, ok=True)
        return ok("maildrop locked and ready")

    def concerned(self, verb: str, arguments: Sequence[bytes]) -> str | None:
        """Address of the account that a command is about: who is logged in, else whom the command claims to be."""
        if self.address is not None:
            return self.address
        name: str | None = None
        if verb == "USER":
            name = arguments[0].decode("ascii")
        elif verb == "PASS":
            name = self.user
        elif verb == "AUTH" and len(arguments) == 2:
            name = claimed_name(MECHANISMS.get(arguments[0].upper().decode("ascii")), arguments[1])
        return self.authenticator.named(name)

    def advance(self, exchange: Exchange, response: bytes | None) -> Answer:
        """Take an AUTH exchange one step further, to another challenge or to its end: a login or a `Refusal`.

        `response` is the client's answer, None where it has given none yet."""
        self.exchange = None
        try:
            challenge = next(exchange) if response is None else exchange.send(response)
        except StopIteration as end:
            return self.log_in(end.value)
        except Refusal as refusal:
            self.note_failure(refusal, self.mechanism.names(response) if self.mechanism and response else None)
            raise
        self.exchange = exchange
        return Answer(b"+ " + encode_base64(challenge) + b"\r\n")

    def forget(self) -> None:
        """After STLS nothing that was said before counts (RFC 2595 §4)."""
        self.user = None
        self.exchange = None

    def release(self) -> None:
        """The session is over, however: let the maildrop go. Idempotent."""
        self.exchange = None
        if self._hold is not None:
            self.service.locks.release(self._hold)

    def note_failure(self, refusal: Refusal, name: str | None) -> None:
        if refusal.code == Code.AUTH:
            self._note_login(self.authenticator.named(name), ok=False, detail=refusal.text)

    def _note_login(self, address: str | None, *, ok: bool, detail: str = "") -> None:
        self.context.note(Kind.LOGIN, account=address, detail=detail, data={"ok": ok})


# -- handlers: in any state


def _capa(dialogue: Dialogue) -> Answer:
    return multi_line("capability list follows", (line.encode("ascii") + b"\r\n" for line in capabilities(dialogue)))


def _quit(dialogue: Dialogue) -> Answer:
    """RFC 1939 §4, §6. Only here is anything removed."""
    if dialogue.state is State.AUTHORIZATION:
        return Answer(reply_line("+OK", "bye"), ends=True)
    result = dialogue.maildrop.update()
    for item in result.removed:
        data = {"uid": item.uid, "uidl": uidl(item)}
        dialogue.context.note(Kind.REMOVED, account=dialogue.address, verb="QUIT", data=data)
    if result.failed:
        return Answer(reply_line("-ERR", "some deleted messages not removed"), ends=True)
    return Answer(reply_line("+OK", f"bye, {len(result.removed)} messages removed"), ends=True)


# -- handlers: AUTHORIZATION


def _user(dialogue: Dialogue, name: bytes) -> Answer:
    _password_admitted(dialogue)
    dialogue.user = name.decode("ascii")
    return ok("send PASS")  # for unknown names too: who is there is nobody's business


def _pass(dialogue: Dialogue, password: bytes) -> Answer:
    _password_admitted(dialogue)
    user, dialogue.user = dialogue.user, None
    if user is None:
        raise Refusal("USER first", bad=True)
    try:
        account = dialogue.authenticator.password(user, password.decode("ascii"))
    except Refusal as refusal:
        dialogue.note_failure(refusal, user)
        raise
    return dialogue.log_in(account)


def _auth(dialogue: Dialogue, name: bytes, initial: bytes | None = None) -> Answer:
    """RFC 5034 §4."""
    mechanism = MECHANISMS.get(name.upper().decode("ascii"))
    if mechanism is None:
        raise Refusal("unknown mechanism")
    if mechanism.plaintext:
        _password_admitted(dialogue)
    if initial is not None and not mechanism.client_first:
        raise Refusal("this mechanism takes no initial response", bad=True)
    response = None if initial is None else b"" if initial == b"=" else decode_base64(initial)
    dialogue.mechanism = mechanism
    exchange = mechanism.start(dialogue.authenticator)
    if response is not None:
        next(exchange)  # the challenge that an initial response answers is empty and never sent
    return dialogue.advance(exchange, response)


def _password_admitted(dialogue: Dialogue) -> None:
    if not dialogue.may_send_password:
        raise Refusal("no plaintext login on an open line: STLS first")


def _stls(dialogue: Dialogue) -> Answer:
    """RFC 2595 §4."""
    if not dialogue.may_start_tls:
        raise Refusal("TLS is already there" if dialogue.context.secure else "TLS is not available")
    dialogue.forget()
    return Answer(reply_line("+OK", "begin TLS negotiation"), tls=True)


# -- handlers: TRANSACTION


def _stat(dialogue: Dialogue) -> Answer:
    return ok(f"{dialogue.maildrop.count} {dialogue.maildrop.octets}")


def _list(dialogue: Dialogue, argument: bytes | None = None) -> Answer:
    maildrop = dialogue.maildrop
    if argument is None:
        return multi_line(f"{maildrop.count} messages", (maildrop.sizes(),))
    number = _number(argument)
    return ok(f"{number} {maildrop.item(number).wire_size}")


def _uidl(dialogue: Dialogue, argument: bytes | None = None) -> Answer:
    maildrop = dialogue.maildrop
    if argument is None:
        return multi_line("unique-id listing follows", (maildrop.unique_ids(),))
    number = _number(argument)
    return ok(f"{number} {uidl(maildrop.item(number))}")


def _retr(dialogue: Dialogue, argument: bytes) -> Answer:
    item, octets = dialogue.maildrop.retrieve(_number(argument))
    return Answer(b"".join((b"+OK %d octets\r\n" % item.wire_size, octets, END)), offers=item)


def _top(dialogue: Dialogue, argument: bytes, lines: bytes) -> Answer:
    """RFC 1939 §7. A message without a blank line is all header: nothing is made up (ours)."""
    number, wanted = _number(argument), _number(lines)
    _, octets = dialogue.maildrop.retrieve(number)
    if octets.startswith(b"\r\n"):
        end = 2
    else:
        found = octets.find(b"\r\n\r\n")
        end = found + 4 if found >= 0 else len(octets)
    while wanted and end < len(octets):
        end = octets.index(b"\r\n", end) + 2  # the last line is ended too
        wanted -= 1
    return Answer(b"".join((b"+OK top of message follows\r\n", memoryview(octets)[:end], END)))


def _dele(dialogue: Dialogue, argument: bytes) -> Answer:
    number = _number(argument)
    dialogue.maildrop.mark(number)
    return ok(f"message {number} marked as deleted")


def _noop(dialogue: Dialogue) -> Answer:  # noqa: ARG001 - a handler's shape
    return ok("nothing done")


def _rset(dialogue: Dialogue) -> Answer:
    dialogue.maildrop.unmark_all()
    return ok(f"maildrop has {dialogue.maildrop.count} messages")


def _number(argument: bytes) -> int:
    number = parse_number(argument)
    if number is None:
        raise Refusal("not a number")
    return number


# -- the table


@dataclass(frozen=True, slots=True)
class Command:
    """A row: what runs, in which states, with how many arguments.

    capability  announces the command; where it is hidden the command is unknown. None: RFC 1939 demands the command
    secret      arguments that a journal never shows: from this position on (None: all may be shown)
    """

    handler: Callable[..., Answer]
    states: State
    arity: Arity
    capability: str | None = None
    secret: int | None = None


_AUTH, _TRANS = State.AUTHORIZATION, State.TRANSACTION

COMMANDS: dict[str, Command] = {
    "CAPA": Command(_capa, _AUTH | _TRANS, Arity.NONE, "CAPA"),  # RFC 2449 §5
    "USER": Command(_user, _AUTH, Arity.ONE, "USER"),  # RFC 1939 §7
    "PASS": Command(_pass, _AUTH, Arity.REST, "USER", secret=0),  # RFC 1939 §7: spaces belong to the password
    "AUTH": Command(_auth, _AUTH, Arity.ONE_OR_TWO, "SASL", secret=1),  # RFC 5034 §4
    "STLS": Command(_stls, _AUTH, Arity.NONE, "STLS"),  # RFC 2595 §4
    "STAT": Command(_stat, _TRANS, Arity.NONE),  # RFC 1939 §5
    "LIST": Command(_list, _TRANS, Arity.OPTIONAL),  # RFC 1939 §5
    "RETR": Command(_retr, _TRANS, Arity.ONE),  # RFC 1939 §5
    "DELE": Command(_dele, _TRANS, Arity.ONE),  # RFC 1939 §5
    "NOOP": Command(_noop, _TRANS, Arity.NONE),  # RFC 1939 §5
    "RSET": Command(_rset, _TRANS, Arity.NONE),  # RFC 1939 §5
    "TOP": Command(_top, _TRANS, Arity.TWO, "TOP"),  # RFC 1939 §7
    "UIDL": Command(_uidl, _TRANS, Arity.OPTIONAL, "UIDL"),  # RFC 1939 §7
    "QUIT": Command(_quit, _AUTH | _TRANS, Arity.NONE),  # RFC 1939 §4, §6
}


def capabilities(dialogue: Dialogue) -> list[str]:
    """What CAPA says now: the rows' capabilities as far as they work, then those that are no command's.

    What AUTHORIZATION offers is announced in TRANSACTION too (RFC 2449 §5); STLS is gone once TLS is there.
    """
    works = {
        "CAPA": False,  # who asks knows
        "USER": dialogue.may_send_password,
        "STLS": dialogue.may_start_tls,
    }
    said = {row.capability: row.capability for row in COMMANDS.values() if row.capability and works.get(row.capability, True)}
    mechanisms = [name for name, row in MECHANISMS.items() if dialogue.may_send_password or not row.plaintext]
    if mechanisms:
        said["SASL"] = " ".join(["SASL", *mechanisms])
    else:
        said.pop("SASL", None)
    said |= {name: name for name in ("RESP-CODES", "AUTH-RESP-CODE", "PIPELINING")}
    if dialogue.service.settings.implementation:
        said["IMPLEMENTATION"] = f"IMPLEMENTATION {dialogue.service.settings.implementation}"
    return [line for name, line in said.items() if not dialogue.hides(name)]
