"""msmtp in the clear, with STARTTLS and over implicit TLS. It takes lines ended with LF and sends CR LF (msmtp(1)); told to add no field, it adds none."""

from __future__ import annotations

import pytest
from foreign import ANN, BOB, MESSAGES, PASSWORD, encrypted, ended, fault, held, logins, require_login, run, with_lf

from postroom_simulator.faults import Cut, Drop, LoseReply, Reply

DATA_ERROR, UNAVAILABLE, IO_ERROR, PROTOCOL, NO_PERMISSION = 65, 69, 74, 76, 77
"""Exit codes: sysexits.h."""

SETTINGS = """\
defaults
tls {tls}
{trust}
timeout 20
set_from_header off
set_date_header off
set_msgid_header off
remove_bcc_headers off
undisclosed_recipients off
account test
host localhost
port {port}
tls_starttls {starttls}
domain client.test
from {sender}
auth {mechanism}
user {user}
password {password}
account default : test
"""


@pytest.fixture
def msmtp(program, served):
    path = program("msmtp")

    def call(octets, way="upgraded", trust=None, mechanism="plain", password=PASSWORD):
        settings = served.home / "msmtprc"
        settings.write_text(
            SETTINGS.format(
                tls="off" if way == "plain" else "on",
                trust="" if way == "plain" else f"tls_trust_file {trust or served.authority}",
                port=served.port("smtps" if way == "implicit" else "submission"),
                starttls="on" if way == "upgraded" else "off",
                sender=BOB,
                user=ANN,
                password=password,
                mechanism=mechanism.lower(),
            )
        )
        settings.chmod(0o600)
        return run([path, "-C", settings, "--", ANN], feed=octets, home=served.home)

    return call


@pytest.mark.parametrize("way", ["plain", "upgraded", "implicit"])
@pytest.mark.parametrize("trace", [True, False])
def test_the_store_holds_what_it_submitted(msmtp, served, way, trace):
    served.world.smtp.settings.trace = trace
    for octets in MESSAGES.values():
        done = msmtp(with_lf(octets), way)
        assert (done.code, done.err) == (0, "")
    assert held(served.world) == [ended(octets) for octets in MESSAGES.values()]
    assert encrypted(served.world) == (way != "plain")


@pytest.mark.parametrize("way", ["plain", "upgraded", "implicit"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER"])
def test_it_logs_in(msmtp, served, way, mechanism):
    secret = require_login(served.world, mechanism)
    failed = msmtp(MESSAGES["dots"], way, mechanism=mechanism, password="guess")
    assert failed.code == NO_PERMISSION, failed.err
    done = msmtp(MESSAGES["dots"], way, mechanism=mechanism, password=secret)
    assert (done.code, done.err) == (0, "")
    assert logins(served.world) == [(mechanism, False), (mechanism, True)]
    assert held(served.world) == [MESSAGES["dots"]]


def test_it_takes_network_line_ends_too(msmtp, served):
    assert msmtp(MESSAGES["dots"]).code == 0
    assert held(served.world) == [MESSAGES["dots"]]


def test_it_trusts_nobody_unknown(msmtp, served):
    other = type(served.world.authority)("elsewhere.test").write(served.home / "other.pem")
    assert msmtp(MESSAGES["dots"], trust=other).code == UNAVAILABLE
    assert held(served.world) == []


@pytest.mark.parametrize(
    ("at", "effect", "code", "word"),
    [
        ("RCPT", Reply("451", "4.3.0 later"), UNAVAILABLE, "451 4.3.0 later"),
        ("RCPT", Reply("550", "5.1.1 unknown"), DATA_ERROR, "550 5.1.1 unknown"),
        ("end-of-data", Reply("452", "4.2.2 full"), UNAVAILABLE, "452 4.2.2 full"),
        ("AUTH", Reply("535", "5.7.8 no"), NO_PERMISSION, "535 5.7.8 no"),
        ("tls", Drop(), PROTOCOL, "TLS handshake failed"),
        ("text", Cut(3000, "rst"), IO_ERROR, "could not send mail"),
        ("text", Cut(3000, "fin"), IO_ERROR, "could not send mail"),
    ],
    ids=lambda value: str(value).split("(", maxsplit=1)[0],
)
def test_a_failure_is_told_and_nothing_arrives(msmtp, served, at, effect, code, word):
    fault(served.world, "smtp", at, effect)
    failed = msmtp(MESSAGES["long"])
    assert failed.code == code, failed.err
    assert word in failed.err
    assert held(served.world) == []
    assert msmtp(MESSAGES["long"]).code == 0
    assert held(served.world) == [MESSAGES["long"]]


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_lost_last_reply_fails_though_the_message_is_there(msmtp, served, how):
    fault(served.world, "smtp", "end-of-data", LoseReply(how))
    assert msmtp(MESSAGES["dots"]).code == IO_ERROR
    assert held(served.world) == [MESSAGES["dots"]]
