"""The table: every command in every state, with every number of arguments."""

from __future__ import annotations

import pytest
from pop3_talk import DOTTED, PLAIN, WELCOME, Talk, inbox, make_world

from postroom_simulator.pop3.commands import COMMANDS, Arity, State

ARGUMENTS = {
    Arity.NONE: b"",
    Arity.ONE: b" 1",
    Arity.OPTIONAL: b" 1",
    Arity.ONE_OR_TWO: b" PLAIN",
    Arity.TWO: b" 1 0",
    Arity.REST: b" open sesame",
}


def test_the_table_is_whole() -> None:
    """RFC 1939 §9 lists minimal and optional commands; the rest is RFC 2449, 2595, 5034 and 6856."""
    rfc1939 = {"USER", "PASS", "QUIT", "STAT", "LIST", "RETR", "DELE", "NOOP", "RSET", "TOP", "UIDL", "APOP"}
    assert set(COMMANDS) == rfc1939 | {"CAPA", "STLS", "AUTH", "UTF8", "LANG"}
    everywhere = {verb for verb, row in COMMANDS.items() if row.states == State.AUTHORIZATION | State.TRANSACTION}
    assert everywhere == {"CAPA", "QUIT", "LANG"}


@pytest.mark.parametrize("verb", [verb for verb, row in COMMANDS.items() if State.TRANSACTION not in row.states])
def test_login_commands_after_login(verb: str) -> None:
    world = make_world(DOTTED)
    talk = Talk.logged_in(world)
    said = verb.encode() + ARGUMENTS[COMMANDS[verb].arity] + b"\r\n"
    assert talk.say(said) == b"-ERR %s works before login only\r\n" % verb.encode()
    assert not talk.session.wants_tls
    assert talk.say(b"STAT\r\n") == b"+OK 1 28\r\n"


@pytest.mark.parametrize("verb", [verb for verb, row in COMMANDS.items() if State.AUTHORIZATION not in row.states])
def test_maildrop_commands_before_login(verb: str) -> None:
    world = make_world(DOTTED)
    talk = Talk(world)
    said = verb.encode() + ARGUMENTS[COMMANDS[verb].arity] + b"\r\n"
    assert talk.say(said) == b"-ERR %s works after login only\r\n" % verb.encode()
    assert talk.say(b"USER bob\r\nPASS open sesame\r\nSTAT\r\nQUIT\r\n").startswith(WELCOME + b"+OK 1 28\r\n")
    assert len(inbox(world)) == 1


@pytest.mark.parametrize("verb", COMMANDS)
@pytest.mark.parametrize("login", [False, True])
def test_nothing_but_the_greeting_works_after_quit(verb: str, login: bool) -> None:
    talk = Talk.logged_in(make_world(DOTTED)) if login else Talk(make_world(DOTTED))
    talk.say(b"QUIT\r\n")
    assert talk.session.closed
    assert talk.say(verb.encode() + ARGUMENTS[COMMANDS[verb].arity] + b"\r\n") == b""


WRONG = [
    (verb, rest)
    for verb, row in COMMANDS.items()
    for rest in (b" ", b" 1 2 3", b"  1", b" 1 ")
    if row.arity is not Arity.REST or rest == b" "
]


@pytest.mark.parametrize(("verb", "rest"), WRONG)
@pytest.mark.parametrize("login", [False, True])
def test_wrong_arguments_act_in_no_state(verb: str, rest: bytes, login: bool) -> None:
    world = make_world(DOTTED, PLAIN)
    talk = Talk.logged_in(world) if login else Talk(world)
    assert talk.say(verb.encode() + rest + b"\r\n") == b"-ERR wrong number of arguments\r\n"
    assert not talk.session.closed
    assert not talk.session.wants_tls
    if login:
        assert talk.say(b"STAT\r\n") == b"+OK 2 53\r\n"
