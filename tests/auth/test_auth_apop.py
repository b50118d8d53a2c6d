"""APOP: RFC 1939 §7."""

from __future__ import annotations

from hashlib import md5

import pytest
from auth_talk import ANN, PASSWORD, Line, logins, make_world, reasons

from postroom_simulator.sasl import Examiner, check_apop
from postroom_simulator.world import World

OK = b"+OK maildrop locked and ready\r\n"
FAILED = b"-ERR [AUTH] authentication failed\r\n"


def world_with_apop() -> World:
    world = make_world()
    world.pop3.settings.apop = True
    return world


def stamp(line: Line) -> bytes:
    return line.greeting[line.greeting.index(b"<") : line.greeting.index(b">") + 1]


def apop(line: Line, login: str = "ann", password: str = PASSWORD) -> bytes:
    return b"APOP %s %s\r\n" % (login.encode(), md5(stamp(line) + password.encode()).hexdigest().encode())


def test_it_is_off_by_default() -> None:
    line = Line(make_world(), "pop3")
    assert b"<" not in line.greeting
    assert line.say(b"APOP ann " + b"0" * 32 + b"\r\n") == b"-ERR no APOP without a timestamp in the greeting\r\n"


def test_the_digest_is_checked() -> None:
    world = world_with_apop()
    line = Line(world, "pop3")
    assert line.say(apop(line, password="guess")) == FAILED
    assert line.say(apop(line, "nobody", "")) == FAILED
    assert line.say(apop(line)) == OK
    assert line.session.account == ANN
    assert [(entry.account, entry.data["ok"], entry.data["way"]) for entry in logins(world)] == [
        (ANN, False, "APOP"),
        (None, False, "APOP"),
        (ANN, True, "APOP"),
    ]
    assert md5(stamp(line) + PASSWORD.encode()).hexdigest() not in world.journal.transcript()


def test_each_greeting_has_its_own_timestamp() -> None:
    world = world_with_apop()
    first, second = Line(world, "pop3"), Line(world, "pop3")
    assert stamp(first) != stamp(second)
    assert second.say(apop(first)) == FAILED
    world.clock.sleep(1)
    assert stamp(Line(world, "pop3")) not in (stamp(first), stamp(second))


def test_the_example_of_the_rfc() -> None:
    world = world_with_apop()
    world.add_account("mrose@sim.test", "tanstaaf")
    account = check_apop(
        Examiner(world, "pop3", world.pop3.settings, "APOP"),
        "mrose",
        b"<1896.697170952@dbc.mtview.ca.us>",
        "c4c9334bac560ecc979e58001b3e22fb",
    )
    assert account.address == "mrose@sim.test"


@pytest.mark.parametrize("digest", [b"x", b"0" * 31, b"0" * 33, b"A" * 32])
def test_what_is_no_digest(digest: bytes) -> None:
    line = Line(world_with_apop(), "pop3")
    assert line.say(b"APOP ann " + digest + b"\r\n") == b"-ERR malformed digest\r\n"
    assert line.say(apop(line)) == OK


def test_other_than_ascii_once_utf8_is_spoken() -> None:
    world = world_with_apop()
    world.add_account("eve@sim.test", "geheim")
    world.directory.change_addresses("eve@sim.test", logins=["évé"])
    line = Line(world, "pop3")
    assert line.say(b"UTF8\r\n").startswith(b"+OK")
    assert line.say("APOP évé é\r\n".encode()) == b"-ERR malformed digest\r\n"
    assert line.say(b"APOP \xff \xff\r\n").startswith(b"-ERR ")
    assert line.say(apop(line, "évé", "geheim")) == OK


def test_the_disabled_and_anyone() -> None:
    world = world_with_apop()
    world.directory.account(ANN).disabled = True
    line = Line(world, "pop3")
    assert line.say(apop(line)) == FAILED
    world.accept_anyone = True
    assert line.say(apop(line)) == FAILED
    assert line.say(apop(line, "new@sim.test", "any")) == OK
    assert line.session.account == "new@sim.test"


def test_cut_at_every_octet() -> None:
    said = apop(Line(world_with_apop(), "pop3")) + b"STAT\r\n"
    for cut in range(len(said)):
        line = Line(world_with_apop(), "pop3")
        assert line.say(said[:cut]) + line.say(said[cut:]) == OK + b"+OK 0 0\r\n"


def test_taken_back() -> None:
    world = world_with_apop()
    world.take_back(ANN, "pop3", false={"APOP"})
    line = Line(world, "pop3")
    assert line.say(apop(line)) == FAILED
    assert line.say(apop(line, "bob", "other")) == OK
    world.take_back(ANN, "pop3", hidden={"APOP"})
    assert (line := Line(world, "pop3")).say(apop(line)) == b"-ERR unknown mechanism\r\n"
    world.take_back(ANN, "pop3")
    assert (line := Line(world, "pop3")).say(apop(line)) == OK
    world.pop3.settings.false = frozenset({"APOP"})
    assert (line := Line(world, "pop3")).say(apop(line)) == FAILED
    world.pop3.settings.hidden = frozenset({"APOP"})
    assert b"<" not in Line(world, "pop3").greeting
    assert reasons(world) == ["offered falsely"] * 2
