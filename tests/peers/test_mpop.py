"""mpop over POP3, delivering through an MDA of ours that keeps each message in a file. It turns CR LF into LF there (mpop(1),
`delivery`), and adds no field when told not to."""

from __future__ import annotations

import signal

import pytest
from foreign import ANN, MESSAGES, PASSWORD, encrypted, ended, fault, fill, logins, require_login, run, with_lf

from postroom_simulator.faults import Cut, Drop, LoseReply, Reply

UNAVAILABLE, IO_ERROR, PROTOCOL, NO_PERMISSION = 69, 74, 76, 77
"""Exit codes: sysexits.h."""

BROKEN = (IO_ERROR, PROTOCOL, -signal.SIGPIPE)
"""A lost connection: told, or it dies of writing to it."""

SETTINGS = """\
account test
host localhost
port {port}
timeout 20
tls {tls}
tls_starttls {starttls}
{trust}
auth {mechanism}
user {user}
password {password}
received_header off
keep {keep}
uidls_file {home}/uidls
delivery mda "{mda}"
account default : test
"""


class Mpop:
    def __init__(self, path, served):
        self.path = path
        self.served = served
        self.box = served.home / "box"
        self.box.mkdir()
        self.mda = served.home / "mda"
        self.mda.write_text(f"#!/bin/sh\ncat > {self.box}/$(ls {self.box} | wc -l)\n")
        self.mda.chmod(0o700)

    def __call__(self, way="upgraded", mechanism="user", password=PASSWORD, keep="off", trust=None):
        settings = self.served.home / "mpoprc"
        settings.write_text(
            SETTINGS.format(
                port=self.served.port("pop3s" if way == "implicit" else "pop3"),
                tls="off" if way == "plain" else "on",
                starttls="on" if way == "upgraded" else "off",
                trust="" if way == "plain" else f"tls_trust_file {trust or self.served.authority}",
                mechanism=mechanism,
                user=ANN,
                password=password,
                keep=keep,
                home=self.served.home,
                mda=self.mda,
            )
        )
        settings.chmod(0o600)
        return run([self.path, "-C", settings, "--half-quiet"], home=self.served.home)

    @property
    def delivered(self):
        return [path.read_bytes() for path in sorted(self.box.iterdir(), key=lambda path: int(path.name))]


@pytest.fixture
def mpop(program, served):
    return Mpop(program("mpop"), served)


def left(served):
    served.world.settle()
    return served.world.inbox(ANN)


ALL = [with_lf(ended(octets)) for octets in MESSAGES.values()]


@pytest.mark.parametrize("way", ["plain", "upgraded", "implicit"])
def test_it_delivers_what_the_store_held_and_removes_it(mpop, served, way):
    fill(served.world)
    done = mpop(way)
    assert (done.code, done.err) == (0, "")
    assert mpop.delivered == ALL
    assert left(served) == []
    assert encrypted(served.world) == (way != "plain")


@pytest.mark.parametrize("way", ["upgraded", "implicit"])
@pytest.mark.parametrize("mechanism", ["USER", "APOP", "PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER"])
def test_it_logs_in(mpop, served, way, mechanism):
    secret = require_login(served.world, mechanism)
    served.world.place(ANN, MESSAGES["dots"])
    failed = mpop(way, mechanism.lower(), "guess")
    assert failed.code == NO_PERMISSION, failed.err
    assert mpop(way, mechanism.lower(), secret).code == 0
    assert logins(served.world) == [(mechanism, False), (mechanism, True)]
    assert mpop.delivered == ALL[:1]


def test_it_trusts_nobody_unknown(mpop, served):
    other = type(served.world.authority)("elsewhere.test").write(served.home / "other.pem")
    assert mpop(trust=other).code == UNAVAILABLE
    assert logins(served.world) == []


def test_kept_mail_is_fetched_once(mpop, served):
    fill(served.world)
    assert mpop(keep="on").code == 0
    assert mpop(keep="on").code == 0
    assert mpop.delivered == ALL
    assert left(served) == list(MESSAGES.values())


@pytest.mark.parametrize("text", ["[SYS/TEMP] later", "[SYS/PERM] never"])
def test_an_error_at_retr_loses_nothing(mpop, served, text):
    fill(served.world)
    fault(served.world, "pop3", "RETR", Reply("-ERR", text), nth=2)
    failed = mpop()
    assert failed.code == PROTOCOL
    assert text in failed.err
    assert MESSAGES["octets"] in left(served)
    assert mpop().code == 0
    assert sorted(mpop.delivered) == sorted(ALL)
    assert left(served) == []


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_cut_off_inside_a_message_it_gets_all_of_it_the_next_time(mpop, served, how):
    fill(served.world)
    fault(served.world, "pop3", "RETR", Cut(3000, how), nth=3)
    assert mpop().code in BROKEN
    assert left(served) == list(MESSAGES.values())
    assert mpop().code == 0
    assert left(served) == []
    assert set(ALL) <= set(mpop.delivered)


def test_a_lost_farewell_after_the_removal(mpop, served):
    fill(served.world)
    fault(served.world, "pop3", "QUIT", LoseReply())
    assert mpop().code in BROKEN
    assert mpop.delivered == ALL
    assert left(served) == []


def test_a_lost_quit_leaves_the_mail_and_the_uidls_prevent_doubles(mpop, served):
    fill(served.world)
    fault(served.world, "pop3", "QUIT", Drop())
    assert mpop().code in BROKEN
    assert left(served) == list(MESSAGES.values())
    assert mpop().code == 0
    assert mpop.delivered == ALL
    assert left(served) == []
