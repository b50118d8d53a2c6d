"""What is taken back: for a service and for single accounts, hidden and false, changed while a session runs."""

from __future__ import annotations

import pytest
from auth_talk import (
    ALL,
    ANN,
    BOB,
    PASSWORD,
    PROTOCOLS,
    REPLIES,
    Line,
    complaint,
    conversation,
    cram_md5,
    make_world,
    plain,
    reasons,
    xoauth2,
)

from postroom_simulator.errors import UnknownAccount, WorldError
from postroom_simulator.offers import names
from postroom_simulator.pop3.commands import COMMANDS
from postroom_simulator.sasl import MECHANISMS
from postroom_simulator.smtp.settings import EXTENSIONS
from postroom_simulator.world import World


@pytest.fixture(params=PROTOCOLS)
def line(request: pytest.FixtureRequest) -> Line:
    return Line(make_world(), request.param)


def settings(line: Line):  # type: ignore[no-untyped-def]
    return line.world.pop3.settings if line.protocol == "pop3" else line.world.smtp.settings


def umbrella(line: Line) -> str:
    return "SASL" if line.protocol == "pop3" else "AUTH"


def run(line: Line, mechanism: str) -> str | bytes:
    """A right login as Ann, to its end or to the first reply that is no challenge."""
    line.world.tokens.issue(ANN)  # the same token that the conversation has
    said: str | bytes = b""
    for octets in conversation(line.protocol, mechanism):
        said = line.raw(octets)
        if not isinstance(said, bytes) or said.startswith((b"-", b"5")):
            return said
    return line.answer(b"") if isinstance(said, bytes) else said  # a token that is refused is explained first


def test_mechanisms_are_offered_in_the_order_of_the_setting(line: Line) -> None:
    assert line.announced == list(ALL)
    settings(line).mechanisms = ("XOAUTH2", "PLAIN")
    assert line.announced == ["XOAUTH2", "PLAIN"]
    assert line.auth("LOGIN") == "unknown"
    settings(line).mechanisms = ()
    assert line.announced == []
    settings(line).mechanisms = ("LOGIN",)
    assert line.auth("login") == b"Username:"


def test_the_defaults() -> None:
    world = World()
    assert Line(world, "pop3").announced == ["PLAIN"]
    assert Line(world, "smtp").announced == ["PLAIN", "LOGIN"]


def test_what_is_not_spoken_here_may_be_announced(line: Line) -> None:
    """As by servers that announce what only some of their clients can use."""
    settings(line).mechanisms = ("GSSAPI", "PLAIN")
    assert line.announced == ["GSSAPI", "PLAIN"]
    assert line.auth("GSSAPI") == "unknown"
    assert line.auth("PLAIN", plain()) == "ok"


@pytest.mark.parametrize("mechanism", ALL)
def test_a_hidden_mechanism_is_not_there(line: Line, mechanism: str) -> None:
    settings(line).hidden = {mechanism}
    assert line.announced == [name for name in ALL if name != mechanism]
    assert line.auth(mechanism) == "unknown"
    settings(line).hidden = frozenset()
    assert run(line, mechanism) == "ok"


@pytest.mark.parametrize("mechanism", ALL)
def test_a_false_mechanism_is_announced_and_fails(line: Line, mechanism: str) -> None:
    settings(line).false = {mechanism}
    assert line.announced == list(ALL)
    assert run(line, mechanism) == "failed"
    assert reasons(line.world) == ["offered falsely"]
    other = "LOGIN" if mechanism == "PLAIN" else "PLAIN"
    assert run(Line(line.world, line.protocol), other) == "ok"


def test_all_mechanisms_at_once(line: Line) -> None:
    settings(line).false = {umbrella(line)}
    assert line.announced == list(ALL)
    assert line.auth("PLAIN", plain()) == "failed"
    settings(line).hidden = {umbrella(line)}
    assert line.announced == []
    gone = b"-ERR unknown command\r\n" if line.protocol == "pop3" else b"502 5.5.1 AUTH is not offered\r\n"
    assert line.say(b"AUTH PLAIN\r\n") == gone


@pytest.mark.parametrize("mechanism", ALL)
def test_taken_back_for_one_account(line: Line, mechanism: str) -> None:
    line.world.take_back(ANN, line.protocol, hidden={mechanism})
    assert line.announced == list(ALL)  # nobody knows yet who it is
    assert run(line, mechanism) == "unknown"
    line.world.take_back(ANN, line.protocol, false={mechanism.lower()})
    assert run(Line(make(line), line.protocol), mechanism) == "failed"
    bob = Line(line.world, line.protocol)
    assert bob.auth("PLAIN", plain(BOB, "other")) == "ok"


def make(line: Line) -> World:
    """A fresh world with the offers of this one."""
    world = make_world()
    world.directory.account(ANN).offers.update(line.world.directory.account(ANN).offers)
    return world


def test_taken_back_for_the_other_protocol_only(line: Line) -> None:
    other = "smtp" if line.protocol == "pop3" else "pop3"
    line.world.take_back(ANN, other, hidden=ALL, false=ALL)
    assert line.auth("PLAIN", plain()) == "ok"


def test_whoever_is_meant_by_another_name_is_meant(line: Line) -> None:
    line.world.take_back(ANN, line.protocol, false={umbrella(line)})
    assert line.auth("PLAIN", plain("info@sim.test")) == "failed"
    assert line.auth("LOGIN", b"ANN") == b"Password:"
    assert line.answer(PASSWORD.encode()) == "failed"
    challenge = line.auth("CRAM-MD5")
    assert isinstance(challenge, bytes)
    assert line.answer(cram_md5(challenge, "info@sim.test")) == "failed"
    complaint(line.auth("XOAUTH2", xoauth2(line.world.tokens.issue(ANN).access, "info@sim.test")))
    assert line.answer(b"") == "failed"
    assert reasons(line.world) == ["offered falsely"] * 4


def test_anyone_is_accepted_but_not_by_what_is_taken_back(line: Line) -> None:
    line.world.accept_anyone = True
    settings(line).false = {"PLAIN"}
    assert line.auth("PLAIN", plain("new@sim.test", "x")) == "failed"
    assert "new@sim.test" not in line.world.directory


def test_changed_inside_an_exchange(line: Line) -> None:
    assert line.auth("LOGIN", b"ann") == b"Password:"
    line.world.take_back(ANN, line.protocol, false={"LOGIN"})
    assert line.answer(PASSWORD.encode()) == "failed"
    assert line.auth("LOGIN", b"ann") == b"Password:"
    line.world.take_back(ANN, line.protocol)
    assert line.answer(PASSWORD.encode()) == "ok"


# -- what is no way to log in


def test_pop3_capabilities_of_one_account() -> None:
    world = make_world()
    world.take_back(ANN, "pop3", hidden={"TOP"}, false={"UIDL"})
    line = Line(world, "pop3")
    assert b"\r\nTOP\r\n" in line.say(b"CAPA\r\n")
    assert line.auth("PLAIN", plain()) == "ok"
    told = line.say(b"CAPA\r\n")
    assert b"\r\nTOP\r\n" not in told
    assert b"\r\nUIDL\r\n" in told
    assert line.say(b"TOP 1 0\r\nUIDL\r\n") == b"-ERR unknown command\r\n" * 2
    bob = Line(world, "pop3")
    bob.auth("PLAIN", plain(BOB, "other"))
    assert bob.say(b"UIDL\r\n").startswith(b"+OK")
    world.take_back(ANN, "pop3")
    assert line.say(b"UIDL\r\n").startswith(b"+OK")


def test_pop3_user_and_pass() -> None:
    world = make_world()
    world.add_account("eve@sim.test", "secret")
    login = b"USER eve\r\nPASS secret\r\n"
    world.take_back("eve@sim.test", "pop3", hidden={"USER"})
    assert Line(world, "pop3").say(login) == b"-ERR unknown command\r\n-ERR USER first\r\n"
    world.take_back("eve@sim.test", "pop3", false={"USER"})
    assert Line(world, "pop3").say(login) == b"+OK send PASS\r\n" + REPLIES["pop3"]["failed"]
    world.take_back("eve@sim.test", "pop3")
    world.pop3.settings.false = {"USER"}
    line = Line(world, "pop3")
    assert b"\r\nUSER\r\n" in line.say(b"CAPA\r\n")
    assert line.say(login) == b"+OK send PASS\r\n" + REPLIES["pop3"]["failed"]
    world.pop3.settings.false = frozenset()
    assert line.say(login).endswith(REPLIES["pop3"]["ok"])


def test_pop3_commands_that_are_announced_falsely() -> None:
    world = make_world()
    world.pop3.settings.false = {"STLS", "AUTH-RESP-CODE"}
    line = Line(world, "pop3")
    told = line.say(b"CAPA\r\n")
    assert b"\r\nSTLS\r\n" in told
    assert b"\r\nAUTH-RESP-CODE\r\n" in told
    assert line.say(b"STLS\r\n") == b"-ERR unknown command\r\n"
    assert not line.session.wants_tls
    assert line.auth("PLAIN", plain(password="guess")) == b"-ERR authentication failed\r\n"


def test_smtp_extensions() -> None:
    world = make_world()
    world.smtp.settings.hidden = {"8BITMIME", "BINARYMIME"}
    world.smtp.settings.false = {"STARTTLS", "SIZE"}
    line = Line(world, "smtp")
    assert b"8BITMIME" not in line.hello
    assert b"-STARTTLS\r\n" in line.hello
    assert b"-SIZE " in line.hello
    assert line.say(b"STARTTLS\r\n") == b"454 4.7.0 TLS is not available\r\n"
    assert not line.session.wants_tls
    assert line.say(b"MAIL FROM:<a@b.test> SIZE=5\r\n").startswith(b"555 ")
    assert line.say(b"MAIL FROM:<a@b.test> BODY=8BITMIME\r\n").startswith(b"555 ")
    world.smtp.settings.hidden = world.smtp.settings.false = frozenset()
    assert line.say(b"MAIL FROM:<a@b.test> SIZE=5 BODY=8BITMIME\r\n") == b"250 2.1.0 OK\r\n"


def test_smtp_extensions_of_one_account() -> None:
    world = make_world()
    world.take_back(ANN, "smtp", hidden={"ENHANCEDSTATUSCODES"}, false={"SMTPUTF8"})
    line = Line(world, "smtp")
    assert b"ENHANCEDSTATUSCODES" in line.hello
    assert line.auth("PLAIN", plain()) == b"235 authentication successful\r\n"
    told = line.say(b"EHLO client.test\r\n")
    assert b"ENHANCEDSTATUSCODES" not in told
    assert b"SMTPUTF8" in told
    assert line.say(b"MAIL FROM:<a@b.test> SMTPUTF8\r\n").startswith(b"555 ")


# -- mistakes


def test_names_that_cannot_be() -> None:
    world = make_world()
    with pytest.raises(WorldError, match="XOAUTH2"):
        world.take_back(ANN, "smtp", hidden={"XOAUTH"})
    with pytest.raises(WorldError, match="imap"):
        world.take_back(ANN, "imap", hidden={"PLAIN"})
    with pytest.raises(WorldError, match="set of names"):
        world.take_back(ANN, "pop3", false="PLAIN")
    with pytest.raises(UnknownAccount):
        world.take_back("nobody@sim.test", "pop3", false={"PLAIN"})
    assert world.directory.account(ANN).offers == {}


def test_all_that_is_announced_can_be_taken_back() -> None:
    for protocol in PROTOCOLS:
        assert set(MECHANISMS) <= set(names(protocol))
    assert set(EXTENSIONS) <= set(names("smtp"))
    assert {row.capability for row in COMMANDS.values() if row.capability} <= set(names("pop3"))
    told = Line(make_world(), "pop3").say(b"CAPA\r\n").decode().split("\r\n")[1:-2]
    assert {capability.split(" ")[0] for capability in told} <= set(names("pop3"))
