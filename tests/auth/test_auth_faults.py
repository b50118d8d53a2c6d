"""Faults in exchanges: each step knows whose it is as soon as the client has said so, and what a fault interrupts leaves the line usable."""

from __future__ import annotations

import pytest
from auth_talk import ALL, ANN, BOB, PROTOCOLS, Line, conversation, logins, make_world, oauthbearer, plain, xoauth2

from postroom_simulator.faults import Drop, Fault, LoseReply, Reply, When

TEXT = {
    "pop3": ("-ERR", "[SYS/TEMP] later", b"-ERR [SYS/TEMP] later\r\n"),
    "smtp": ("454", "4.7.0 later", b"454 4.7.0 later\r\n"),
}


@pytest.fixture(params=PROTOCOLS)
def line(request: pytest.FixtureRequest) -> Line:
    return Line(make_world(), request.param)


def plant(line: Line, at: str, effect: Reply | Drop | LoseReply, **when: object) -> None:
    line.world.faults.add(Fault(When(line.protocol, at, **when), effect))  # type: ignore[arg-type]


@pytest.mark.parametrize("mechanism", ALL)
def test_a_fault_for_one_account_waits_for_its_name(line: Line, mechanism: str) -> None:
    code, text, said = TEXT[line.protocol]
    line.world.tokens.issue(ANN)
    plant(line, "auth", Reply(code, text), account=BOB)
    lines = conversation(line.protocol, mechanism)
    for octets in lines[:-1]:
        assert isinstance(line.raw(octets), bytes)
    assert line.raw(lines[-1]) == "ok"
    plant(line, "auth", Reply(code, text), account=ANN)
    again = Line(line.world, line.protocol)
    for octets in lines[:-1]:
        assert isinstance(again.raw(octets), bytes)
    assert again.raw(lines[-1]) == said
    assert again.session.account is None
    assert [entry.data["ok"] for entry in logins(line.world)] == [True]


@pytest.mark.parametrize("make", [xoauth2, oauthbearer])
def test_a_token_says_whose_step_it_is(line: Line, make) -> None:  # type: ignore[no-untyped-def]
    code, text, said = TEXT[line.protocol]
    token = line.world.tokens.issue(ANN).access
    plant(line, "AUTH", Reply(code, text), account=ANN, nth=1)
    name = "XOAUTH2" if make is xoauth2 else "OAUTHBEARER"
    response = make(token, ANN) if make is xoauth2 else make(token, "")  # by nothing but the token
    assert line.auth(name, response) == said
    assert line.auth(name, response) == "ok"


def test_after_a_fault_the_exchange_is_over(line: Line) -> None:
    code, text, said = TEXT[line.protocol]
    plant(line, "auth", Reply(code, text), nth=2)
    assert line.auth("LOGIN") == b"Username:"
    assert line.answer(b"ann") == b"Password:"
    assert line.answer(b"guess") == said
    assert line.auth("PLAIN", plain()) == "ok"


@pytest.mark.parametrize("mechanism", ALL)
def test_a_connection_that_is_cut_logs_nobody_in(line: Line, mechanism: str) -> None:
    line.world.tokens.issue(ANN)
    plant(line, "auth", Drop(), account=ANN)
    for octets in conversation(line.protocol, mechanism):
        line.say(octets + b"\r\n")
    assert line.session.closed
    assert logins(line.world) == []
    assert line.world.pop3.locks.holder(ANN) is None


def test_a_lost_reply_is_a_login_that_the_client_does_not_know_of(line: Line) -> None:
    plant(line, "auth", LoseReply(), account=ANN)
    assert line.auth("PLAIN") == b""
    line.answer(plain())
    assert line.session.closed
    assert [entry.data["ok"] for entry in logins(line.world)] == [True]
    assert line.world.pop3.locks.holder(ANN) is None
