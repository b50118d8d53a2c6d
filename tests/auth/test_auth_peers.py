"""Clients that others wrote, over sockets: poplib, smtplib and curl, for the mechanisms that they know."""

from __future__ import annotations

import base64
import poplib
import smtplib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from auth_talk import ALL, ANN, logins, make_world, oauthbearer, xoauth2

from postroom_simulator.net.tcp import Servers
from postroom_simulator.world import World

WORD = "open-sesame"
LETTER = b"Subject: hello\r\n\r\nHow are you?\r\n"
DEADLINE = 20


@pytest.fixture
def world() -> Iterator[World]:
    with make_world() as world:
        world.directory.account(ANN).password = WORD
        world.place(ANN, LETTER)
        yield world
        world.settle()


@pytest.fixture
def servers(world: World) -> Servers:
    return world.listen(ports={"pop3": 0, "submission": 0})


def ways(world: World) -> list[tuple[str, bool]]:
    world.settle()
    return [(entry.data["way"], entry.data["ok"]) for entry in logins(world)]


# -- poplib


@pytest.fixture
def pop(servers: Servers) -> Iterator[Callable[[], poplib.POP3]]:
    opened: list[poplib.POP3] = []

    def connect() -> poplib.POP3:
        opened.append(poplib.POP3("127.0.0.1", servers.port("pop3"), timeout=DEADLINE))
        return opened[-1]

    yield connect
    for client in opened:
        client.close()


def test_poplib_apop(world: World, pop: Callable[[], poplib.POP3]) -> None:
    client = pop()
    with pytest.raises(poplib.error_proto, match="not supported"):
        client.apop(ANN, WORD)
    client.quit()
    world.pop3.settings.apop = True
    client = pop()
    with pytest.raises(poplib.error_proto, match="authentication failed"):
        client.apop(ANN, "guess")
    assert client.apop(ANN, WORD) == b"+OK maildrop locked and ready"
    assert client.stat() == (1, len(LETTER))
    client.quit()
    assert ways(world) == [("APOP", False), ("APOP", True)]


def test_poplib_sees_what_is_offered(world: World, pop: Callable[[], poplib.POP3]) -> None:
    client = pop()
    assert client.capa()["SASL"] == list(ALL)
    world.pop3.settings.hidden = {"LOGIN", "PLAIN"}
    assert client.capa()["SASL"] == ["CRAM-MD5", "XOAUTH2", "OAUTHBEARER"]
    client.quit()


def test_poplib_with_a_token(world: World, pop: Callable[[], poplib.POP3]) -> None:
    """As programs do it: dependencies reference, "poplib"."""
    grant = world.tokens.issue(ANN)
    response = base64.b64encode(xoauth2(grant.access)).decode()
    client = pop()
    assert client._shortcmd(f"AUTH XOAUTH2 {response}").startswith(b"+OK")  # type: ignore[attr-defined]
    client.quit()
    world.tokens.expire(grant.access)
    client = pop()
    assert client._shortcmd(f"AUTH XOAUTH2 {response}").startswith(b"+ ")  # type: ignore[attr-defined]
    with pytest.raises(poplib.error_proto, match="AUTH"):
        client._shortcmd("")  # type: ignore[attr-defined]
    client.quit()
    assert ways(world) == [("XOAUTH2", True), ("XOAUTH2", False)]


# -- smtplib


@pytest.fixture
def smtp(servers: Servers) -> Iterator[Callable[[], smtplib.SMTP]]:
    opened: list[smtplib.SMTP] = []

    def connect() -> smtplib.SMTP:
        opened.append(smtplib.SMTP("127.0.0.1", servers.port("submission"), "client.test", timeout=DEADLINE))
        return opened[-1]

    yield connect
    for client in opened:
        client.close()


@pytest.mark.parametrize("initial_response", [True, False])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_smtplib_logs_in(world: World, smtp: Callable[[], smtplib.SMTP], mechanism: str, initial_response: bool) -> None:
    world.smtp.settings.mechanisms = (mechanism,)
    client = smtp()
    with pytest.raises(smtplib.SMTPAuthenticationError) as raised:
        client.login(ANN, "guess", initial_response_ok=initial_response)
    assert raised.value.smtp_code == 535
    assert client.login(ANN, WORD, initial_response_ok=initial_response)[0] == 235
    client.quit()
    assert ways(world) == [(mechanism, False), (mechanism, True)]


def test_smtplib_goes_on_after_what_is_announced_falsely(world: World, smtp: Callable[[], smtplib.SMTP]) -> None:
    """It prefers CRAM-MD5, then PLAIN, then LOGIN, and tries each that is announced."""
    world.take_back(ANN, "smtp", false={"CRAM-MD5", "PLAIN"})
    client = smtp()
    assert client.login(ANN, WORD)[0] == 235
    client.quit()
    assert ways(world) == [("CRAM-MD5", False), ("PLAIN", False), ("LOGIN", True)]


@pytest.mark.parametrize(("mechanism", "make"), [("XOAUTH2", xoauth2), ("OAUTHBEARER", oauthbearer)])
@pytest.mark.parametrize("initial_response", [True, False])
def test_smtplib_with_a_token(
    world: World, smtp: Callable[[], smtplib.SMTP], mechanism: str, make: Callable[[str], bytes], initial_response: bool
) -> None:
    """`SMTP.auth` with a callback, as its documentation says."""
    grant = world.tokens.issue(ANN)
    challenges: list[bytes] = []

    def answer(challenge: bytes | None = None) -> str:
        if challenge:
            challenges.append(challenge)
            return "\1" if mechanism == "OAUTHBEARER" else ""
        return make(grant.access).decode()

    client = smtp()
    client.ehlo()
    assert client.auth(mechanism, answer, initial_response_ok=initial_response)[0] == 235
    client.quit()
    world.clock.sleep(3600)
    client = smtp()
    client.ehlo()
    with pytest.raises(smtplib.SMTPAuthenticationError) as raised:
        client.auth(mechanism, answer, initial_response_ok=initial_response)
    assert (raised.value.smtp_code, raised.value.smtp_error) == (535, b"5.7.8 authentication credentials invalid")
    (challenge,) = challenges
    assert b'"scope":"https://mail.sim.test/SMTP.Send"' in challenge
    client.quit()
    assert ways(world) == [(mechanism, True), (mechanism, False)]


# -- curl


@pytest.fixture
def curl(program: Callable[[str], str], servers: Servers, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    path = program("curl")
    message = tmp_path / "message"
    message.write_bytes(LETTER)

    def call(protocol: str, *options: str) -> subprocess.CompletedProcess[bytes]:
        if protocol == "pop3":
            what = [f"pop3://127.0.0.1:{servers.port('pop3')}/1"]
        else:
            envelope = ["--mail-from", ANN, "--mail-rcpt", ANN, "--upload-file", str(message)]
            what = [*envelope, f"smtp://127.0.0.1:{servers.port('submission')}/client.test"]
        command = [path, "-q", "-sS", "--max-time", str(DEADLINE), *options, *what]
        return subprocess.run(command, capture_output=True, timeout=2 * DEADLINE, env={"HOME": str(tmp_path)}, check=False)

    return call


DENIED = 67
"""curl(1), "EXIT CODES"."""


@pytest.mark.parametrize("initial", [[], ["--sasl-ir"]])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
@pytest.mark.parametrize("protocol", ["pop3", "smtp"])
def test_curl_with_a_password(world: World, curl, protocol: str, mechanism: str, initial: list[str]) -> None:  # type: ignore[no-untyped-def]
    options = ["--login-options", f"AUTH={mechanism}", *initial]
    done = curl(protocol, *options, "--user", f"{ANN}:{WORD}")
    assert (done.returncode, done.stderr) == (0, b"")
    assert curl(protocol, *options, "--user", f"{ANN}:guess").returncode == DENIED
    assert ways(world) == [(mechanism, True), (mechanism, False)]


@pytest.mark.parametrize("initial", [[], ["--sasl-ir"]])
@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
@pytest.mark.parametrize("protocol", ["pop3", "smtp"])
def test_curl_with_a_token(world: World, curl, protocol: str, mechanism: str, initial: list[str]) -> None:  # type: ignore[no-untyped-def]
    world.tokens.token_length = 1_500  # as real ones are
    world.pop3.settings.mechanisms = world.smtp.settings.mechanisms = (
        mechanism,
    )  # curl 7.88 prefers OAUTHBEARER whatever is asked for
    grant = world.tokens.issue(ANN)
    options = ["--login-options", f"AUTH={mechanism}", *initial, "--user", f"{ANN}:", "--oauth2-bearer"]
    done = curl(protocol, *options, grant.access)
    assert (done.returncode, done.stderr) == (0, b"")
    world.tokens.expire(grant.access)
    assert curl(protocol, *options, grant.access).returncode == DENIED
    assert ways(world) == [(mechanism, True), (mechanism, False)]
    assert grant.access[:100] not in world.journal.transcript()


def test_curl_with_apop(world: World, curl) -> None:  # type: ignore[no-untyped-def]
    world.pop3.settings.apop = True
    world.pop3.settings.mechanisms = ()
    options = ["--login-options", "AUTH=+APOP"]
    assert curl("pop3", *options, "--user", f"{ANN}:{WORD}").stdout == LETTER
    assert curl("pop3", *options, "--user", f"{ANN}:guess").returncode == DENIED
    assert ways(world) == [("APOP", True), ("APOP", False)]
