"""swaks in the clear, with STARTTLS and over implicit TLS. Told to send a file, it changes two things: it puts an empty line at the end of every text
that is ended, and takes a last line that is one dot for the end of the text."""

from __future__ import annotations

import pytest
from foreign import ANN, BOB, MESSAGES, PASSWORD, encrypted, fault, held, logins, require_login, run

from postroom_simulator.faults import Cut, LoseReply, Reply

CONNECTION_LOST, REFUSED_RECIPIENT, REFUSED_TEXT, LOGIN_FAILED, TLS_FAILED = 6, 24, 26, 28, 29
"""Exit codes: swaks(1), "EXIT CODES"."""


@pytest.fixture
def swaks(program, served):
    path = program("swaks")

    def call(octets, way="upgraded", mechanism="PLAIN", password=PASSWORD, trust=None):
        text = served.home / "message"
        text.write_bytes(octets)
        port = served.port("smtps" if way == "implicit" else "submission")
        tls = {"plain": [], "upgraded": ["--tls"], "implicit": ["--tlsc"]}[way]
        trusted = [] if way == "plain" else ["--tls-verify", "--tls-ca-path", trust or served.authority]
        login = ["--auth", mechanism, "--auth-user", ANN, "--auth-password", password] if mechanism else []
        envelope = ["--server", "localhost", "--port", str(port), "--helo", "client.test", "--from", BOB, "--to", ANN]
        return run([path, *envelope, *tls, *trusted, *login, "--timeout", "15", "--data", f"@{text}"], home=served.home)

    return call


def changed(octets):
    """What swaks makes of a message."""
    if octets.endswith(b"\r\n."):
        return octets[:-1]
    return octets + b"\r\n"


@pytest.mark.parametrize("way", ["plain", "upgraded", "implicit"])
@pytest.mark.parametrize("name", MESSAGES)
def test_the_store_holds_what_it_submitted(swaks, served, way, name):
    done = swaks(MESSAGES[name], way)
    assert done.code == 0, done.out
    assert held(served.world) == [changed(MESSAGES[name])]
    assert encrypted(served.world) == (way != "plain")


@pytest.mark.parametrize("way", ["upgraded", "implicit"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_it_logs_in(swaks, served, way, mechanism):
    secret = require_login(served.world, mechanism)
    assert swaks(MESSAGES["dots"], way, mechanism, "guess").code == LOGIN_FAILED
    assert swaks(MESSAGES["dots"], way, mechanism, secret).code == 0
    assert logins(served.world) == [(mechanism, False), (mechanism, True)]


def test_it_trusts_nobody_unknown(swaks, served):
    other = type(served.world.authority)("elsewhere.test").write(served.home / "other.pem")
    assert swaks(MESSAGES["dots"], trust=other).code == TLS_FAILED
    assert held(served.world) == []


@pytest.mark.parametrize(
    ("at", "effect", "code", "word"),
    [
        ("RCPT", Reply("451", "4.3.0 later"), REFUSED_RECIPIENT, b"451 4.3.0 later"),
        ("RCPT", Reply("550", "5.1.1 unknown"), REFUSED_RECIPIENT, b"550 5.1.1 unknown"),
        ("end-of-data", Reply("452", "4.2.2 full"), REFUSED_TEXT, b"452 4.2.2 full"),
        ("text", Cut(3000, "rst"), CONNECTION_LOST, b""),
        ("text", Cut(3000, "fin"), CONNECTION_LOST, b""),
    ],
    ids=["transient", "permanent", "full", "reset", "ended"],
)
def test_a_failure_is_told_and_nothing_arrives(swaks, served, at, effect, code, word):
    fault(served.world, "smtp", at, effect)
    failed = swaks(MESSAGES["long"])
    assert failed.code == code, failed.out
    assert word in failed.out + failed.err.encode()
    assert held(served.world) == []
    assert swaks(MESSAGES["long"]).code == 0
    assert held(served.world) == [changed(MESSAGES["long"])]


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_lost_last_reply_fails_though_the_message_is_there(swaks, served, how):
    fault(served.world, "smtp", "end-of-data", LoseReply(how))
    assert swaks(MESSAGES["dots"]).code == CONNECTION_LOST
    assert held(served.world) == [changed(MESSAGES["dots"])]
