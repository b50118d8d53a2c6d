"""The commands of POP3: one table of name, handler, states, arguments and capability, and what each of them does.

The table feeds the dispatcher, the answer to CAPA and the tests. Handlers never test the state or count arguments; the
dispatcher did, from the row. They return an `Answer` or raise `Refusal`, and know neither framing nor faults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from postroom_simulator import offers
from postroom_simulator.journal import Kind
from postroom_simulator.pop3.dialogue import Dialogue, State, mechanism_of, refused, text_of
from postroom_simulator.pop3.languages import find_language, listing
from postroom_simulator.pop3.replies import END, Answer, Code, Refusal, multi_line, ok, reply_line
from postroom_simulator.pop3.syntax import parse_number
from postroom_simulator.sasl import MECHANISMS, Exchange, check_apop

__all__ = ["COMMANDS", "Arity", "Command", "Dialogue", "State", "capabilities", "refused"]


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


# -- handlers: in any state


def _capa(dialogue: Dialogue) -> Answer:
    return multi_line("capability list follows", (line.encode("ascii") + b"\r\n" for line in capabilities(dialogue)))


def _quit(dialogue: Dialogue) -> Answer:
    """RFC 1939 §4, §6. Only here is anything removed."""
    if dialogue.state is State.AUTHORIZATION:
        return Answer(reply_line("+OK", "bye"), ends=True)
    if dialogue.service.policies[dialogue.address or ""].expire == 0:
        dialogue.maildrop.mark_quietly(dialogue.retrieved)  # RFC 2449 §6.7
    result = dialogue.maildrop.update()
    dialogue.updated = True
    for item, name in result.removed:
        data = {"uid": item.uid, "uidl": name}
        dialogue.context.note(Kind.REMOVED, account=dialogue.address, verb="QUIT", data=data)
    if result.failed:
        return Answer(refused(dialogue, Refusal("some deleted messages not removed", Code.SYS_TEMP)).octets, ends=True)
    return Answer(reply_line("+OK", f"bye, {len(result.removed)} messages removed"), ends=True)


# -- handlers: AUTHORIZATION


def _user(dialogue: Dialogue, name: bytes) -> Answer:
    _password_admitted(dialogue)
    login = text_of(name)
    account = dialogue.context.world.directory.find_login(login)
    if account is not None and offers.hides(dialogue.service.settings, account, "pop3", "USER"):
        raise Refusal("unknown command", bad=True)
    dialogue.user = login
    return ok("send PASS")  # for unknown names too: who is there is nobody's business


def _pass(dialogue: Dialogue, password: bytes) -> Answer:
    _password_admitted(dialogue)
    user, dialogue.user = dialogue.user, None
    if user is None:
        raise Refusal("USER first", bad=True)
    examiner = dialogue.examiner("USER")
    with dialogue.logging_in("USER", lambda: examiner.find(user)):
        account = examiner.password(user, text_of(password))
    return dialogue.log_in(account, "USER")


def _apop(dialogue: Dialogue, name: bytes, digest: bytes) -> Answer:
    """RFC 1939 §7."""
    if not dialogue.timestamp:
        raise Refusal("no APOP without a timestamp in the greeting")
    login, examiner = text_of(name), dialogue.examiner("APOP")
    with dialogue.logging_in("APOP", lambda: examiner.find(login)):
        account = check_apop(examiner, login, dialogue.timestamp, text_of(digest))
    return dialogue.log_in(account, "APOP")


def _auth(dialogue: Dialogue, name: bytes, initial: bytes | None = None) -> Answer:
    """RFC 5034 §4."""
    mechanism = mechanism_of(name)
    if mechanism is None or mechanism not in dialogue.service.settings.mechanisms or dialogue.hides(mechanism):
        raise Refusal("unknown mechanism")
    if MECHANISMS[mechanism].plaintext:
        _password_admitted(dialogue)
    exchange = Exchange(mechanism, dialogue.examiner(mechanism))
    return dialogue.advance(exchange, lambda: exchange.begin(initial))


def _shows_password(mechanism: str) -> bool:
    """One that is not spoken here shows nothing: it may be announced, and is refused."""
    return mechanism in MECHANISMS and MECHANISMS[mechanism].plaintext


def _password_admitted(dialogue: Dialogue) -> None:
    if not dialogue.may_send_password:
        raise Refusal("no plaintext login on an open line: STLS first")


def _stls(dialogue: Dialogue) -> Answer:
    """RFC 2595 §4."""
    if dialogue.utf8:
        raise Refusal("STLS comes before UTF8")  # RFC 6856 §2.1 lets a server say so
    if not dialogue.may_start_tls:
        raise Refusal("TLS is already there" if dialogue.context.secure else "TLS is not available")
    dialogue.forget()
    return Answer(reply_line("+OK", "begin TLS negotiation"), tls=True)


def _utf8(dialogue: Dialogue) -> Answer:
    """RFC 6856 §2.1."""
    dialogue.utf8 = True
    return ok("UTF8 enabled")


def _lang(dialogue: Dialogue, wanted: bytes | None = None) -> Answer:
    """RFC 6856 §3."""
    if wanted is None:
        return multi_line("language listing follows", listing())
    found = find_language(wanted.decode("ascii"))
    if found is None:
        raise Refusal("no such language")
    dialogue.language = found
    return Answer(reply_line("+OK", "language changed"), language=found)


# -- handlers: TRANSACTION


def _stat(dialogue: Dialogue) -> Answer:
    count, octets = dialogue.maildrop.figures
    return ok(f"{count} {octets}")


def _list(dialogue: Dialogue, argument: bytes | None = None) -> Answer:
    maildrop = dialogue.maildrop
    if argument is None:
        return multi_line(f"{maildrop.count} messages", (maildrop.sizes(),))
    number = _number(argument)
    return ok(f"{number} {maildrop.size(number)}")


def _uidl(dialogue: Dialogue, argument: bytes | None = None) -> Answer:
    maildrop = dialogue.maildrop
    if argument is None:
        return multi_line("unique-id listing follows", (maildrop.unique_ids(),))
    number = _number(argument)
    return ok(f"{number} {maildrop.unique_id(number)}")


def _retr(dialogue: Dialogue, argument: bytes) -> Answer:
    shown = dialogue.maildrop.retrieve(_number(argument))
    if shown.endless:
        return Answer(b"".join((b"+OK %d octets\r\n" % shown.size, shown.octets)), hangs=True)
    dialogue.retrieved.append(shown.item.uid)
    return Answer(b"".join((b"+OK %d octets\r\n" % shown.size, shown.octets, END)), offers=shown)


def _top(dialogue: Dialogue, argument: bytes, lines: bytes) -> Answer:
    """RFC 1939 §7. A message without a blank line is all header: nothing is made up (ours)."""
    number, wanted = _number(argument), _number(lines)
    octets = dialogue.maildrop.retrieve(number).octets
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
    utf8        arguments may hold UTF-8 (RFC 6856 §2.2)
    """

    handler: Callable[..., Answer]
    states: State
    arity: Arity
    capability: str | None = None
    secret: int | None = None
    utf8: bool = False
    admitted: tuple[State, ...] = field(init=False, compare=False, repr=False)
    """The single states: a tuple is searched without asking a flag, which is slow."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "admitted", tuple(state for state in State if state in self.states))


_AUTH, _TRANS = State.AUTHORIZATION, State.TRANSACTION

COMMANDS: dict[str, Command] = {
    "CAPA": Command(_capa, _AUTH | _TRANS, Arity.NONE, "CAPA"),  # RFC 2449 §5
    "USER": Command(_user, _AUTH, Arity.ONE, "USER", utf8=True),  # RFC 1939 §7
    "PASS": Command(_pass, _AUTH, Arity.REST, "USER", secret=0, utf8=True),  # RFC 1939 §7: spaces belong to the password
    "APOP": Command(_apop, _AUTH, Arity.TWO, "APOP", secret=1, utf8=True),  # RFC 1939 §7
    "AUTH": Command(_auth, _AUTH, Arity.ONE_OR_TWO, "SASL", secret=1),  # RFC 5034 §4
    "STLS": Command(_stls, _AUTH, Arity.NONE, "STLS"),  # RFC 2595 §4
    "UTF8": Command(_utf8, _AUTH, Arity.NONE, "UTF8"),  # RFC 6856 §2.1
    "LANG": Command(_lang, _AUTH | _TRANS, Arity.OPTIONAL, "LANG"),  # RFC 6856 §3
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
        "APOP": False,  # the greeting tells
        "USER": dialogue.may_send_password,
        "STLS": dialogue.may_start_tls,
    }
    said = {row.capability: row.capability for row in COMMANDS.values() if row.capability and works.get(row.capability, True)}
    mechanisms = [
        name
        for name in dialogue.service.settings.mechanisms
        if (dialogue.may_send_password or not _shows_password(name)) and not dialogue.hides(name)
    ]
    if mechanisms:
        said["SASL"] = " ".join(["SASL", *mechanisms])
    else:
        said.pop("SASL", None)
    said |= {name: name for name in ("RESP-CODES", "AUTH-RESP-CODE", "PIPELINING")}
    if "UTF8" in said:
        said["UTF8"] = "UTF8 USER"
    for line in dialogue.service.policies.announced(dialogue.address):
        said[line.partition(" ")[0]] = line
    settings = dialogue.service.settings
    if settings.implementation and not (settings.implementation_late and dialogue.state is State.AUTHORIZATION):
        said["IMPLEMENTATION"] = f"IMPLEMENTATION {settings.implementation}"
    return [line for name, line in said.items() if not dialogue.hides(name)]
