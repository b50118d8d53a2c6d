"""Libraries of other languages that submit, each on one connection for all messages: Perl's Net::SMTP with Authen::SASL, Ruby's net/smtp,
nodemailer for Node. All end the last line, and change nothing else."""

from __future__ import annotations

import pytest
from foreign import ANN, BOB, MESSAGES, PASSWORD, Script, encrypted, ended, fault, held, logins, require_login

from postroom_simulator.faults import Cut, LoseReply, Reply

PERL, RUBY, NODE = "send.pl", "send.rb", "send.js"
CLIENTS = [PERL, RUBY, NODE]
DONE = ("done", "")

LOGINS = [
    *((PERL, mechanism) for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5")),
    *((RUBY, mechanism) for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5")),
    *((NODE, mechanism) for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2")),
]


@pytest.fixture
def send(script, served):
    def call(name, *messages, way="upgraded", mechanism="", secret=PASSWORD, authority=None):
        paths = [served.home / f"message-{number}" for number in range(len(messages))]
        for path, octets in zip(paths, messages, strict=True):
            path.write_bytes(octets)
        return Script(script(name), served.home)(
            host="localhost",
            port=served.port("smtps" if way == "implicit" else "submission"),
            way=way,
            authority=authority or served.authority,
            mechanism=mechanism,
            user=ANN,
            secret=secret,
            sender=BOB,
            recipient=ANN,
            messages=paths,
        )

    return call


@pytest.mark.parametrize("way", ["plain", "upgraded", "implicit"])
@pytest.mark.parametrize("name", CLIENTS)
def test_the_store_holds_what_it_submitted(send, served, name, way):
    assert send(name, *MESSAGES.values(), way=way) == [DONE] * len(MESSAGES)
    assert held(served.world) == [ended(octets) for octets in MESSAGES.values()]
    assert encrypted(served.world) == (way != "plain")
    assert len(served.world.journal.entries(kind="connected")) == 1


@pytest.mark.parametrize("way", ["upgraded", "implicit"])
@pytest.mark.parametrize(("name", "mechanism"), LOGINS)
def test_it_logs_in(send, served, name, mechanism, way):
    secret = require_login(served.world, mechanism)
    (refused,) = send(name, MESSAGES["dots"], way=way, mechanism=mechanism, secret="guess")
    assert "5.7.8" in refused[1]
    assert send(name, MESSAGES["dots"], way=way, mechanism=mechanism, secret=secret) == [DONE]
    tries = 2 if (name, mechanism) == (NODE, "XOAUTH2") else 1  # nodemailer asks its token source once more
    assert logins(served.world) == [*[(mechanism, False)] * tries, (mechanism, True)]
    assert held(served.world) == [MESSAGES["dots"]]


@pytest.mark.parametrize(
    ("name", "what", "text"),
    [
        (PERL, "connect", "certificate verify failed"),
        (RUBY, "OpenSSL::SSL::SSLError", "certificate verify failed"),
        (NODE, "ESOCKET", "unable to verify the first certificate"),
    ],
)
def test_it_trusts_nobody_unknown(send, served, name, what, text):
    other = type(served.world.authority)("elsewhere.test").write(served.home / "other.pem")
    ((said, why),) = send(name, MESSAGES["dots"], way="implicit", authority=other)
    assert said == what
    assert text in why
    assert held(served.world) == []


LATER, NEVER, FULL = Reply("451", "4.3.0 later"), Reply("550", "5.1.1 unknown"), Reply("452", "4.2.2 full")


@pytest.mark.parametrize(
    ("name", "at", "effect", "outcome"),
    [
        (PERL, "RCPT", LATER, ("451", "4.3.0 later")),
        (PERL, "RCPT", NEVER, ("550", "5.1.1 unknown")),
        (PERL, "end-of-data", FULL, ("452", "4.2.2 full")),
        (RUBY, "RCPT", LATER, ("Net::SMTPServerBusy", "451 4.3.0 later")),
        (RUBY, "RCPT", NEVER, ("Net::SMTPFatalError", "550 5.1.1 unknown")),
        (RUBY, "end-of-data", FULL, ("Net::SMTPServerBusy", "452 4.2.2 full")),
        (NODE, "RCPT", LATER, ("EENVELOPE", "451 4.3.0 later")),
        (NODE, "RCPT", NEVER, ("EENVELOPE", "550 5.1.1 unknown")),
        (NODE, "end-of-data", FULL, ("EMESSAGE", "452 4.2.2 full")),
    ],
    ids=lambda value: value.code if isinstance(value, Reply) else None,
)
def test_refused_it_says_so_and_goes_on_with_the_next_message(send, served, name, at, effect, outcome):
    fault(served.world, "smtp", at, effect)
    assert send(name, MESSAGES["long"], MESSAGES["dots"]) == [outcome, DONE]
    assert held(served.world) == [MESSAGES["dots"]]


BROKEN = {
    PERL: {"421"},
    RUBY: {"Errno::ECONNRESET", "Errno::EPIPE", "EOFError", "OpenSSL::SSL::SSLError"},
    NODE: {"ESOCKET", "ECONNECTION"},
}
"""What each says of a lost connection: Net::SMTP makes a reply 421 up."""


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("name", CLIENTS)
def test_cut_off_inside_the_text_it_says_so_and_nothing_is_left(send, served, name, how):
    fault(served.world, "smtp", "text", Cut(3000, how))
    ((what, _),) = send(name, MESSAGES["long"])
    assert what in BROKEN[name]
    assert held(served.world) == []


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("name", CLIENTS)
def test_it_cannot_know_when_the_last_reply_is_lost(send, served, name, how):
    fault(served.world, "smtp", "end-of-data", LoseReply(how))
    ((what, _),) = send(name, MESSAGES["dots"])
    assert what in BROKEN[name]
    assert held(served.world) == [MESSAGES["dots"]]
