"""getmail (getmail6) over POP3, delivering through an MDA of ours. It knows no STLS, and of logins USER and APOP.

It takes a message apart and puts it together again: lines end with LF, and a `Return-Path:` field is in front (POP3 tells no envelope). Other fields it leaves
out when told to.
"""

from __future__ import annotations

import pytest
from foreign import ANN, MESSAGES, PASSWORD, encrypted, ended, fault, fill, logins, require_login, run, with_lf

from postroom_simulator.faults import Cut, Drop, LoseReply, Reply

SETTINGS = """\
[retriever]
type = {kind}
server = localhost
port = {port}
username = {user}
password = {password}
use_apop = {apop}
timeout = 20
{trust}

[destination]
type = MDA_external
path = {mda}
allow_root_commands = true

[options]
delete = {delete}
read_all = false
delivered_to = false
received = false
verbose = 0
"""

BROKEN = 127
"""The exit code for a lost connection, at times without a word."""

RETURN_PATH = b"Return-Path: <unknown>\n"


class Getmail:
    def __init__(self, path, served):
        self.path = path
        self.served = served
        self.box = served.home / "box"
        self.box.mkdir()
        self.mda = served.home / "mda"
        self.mda.write_text(f"#!/bin/sh\ncat > {self.box}/$(ls {self.box} | wc -l)\n")
        self.mda.chmod(0o700)

    def __call__(self, way="implicit", password=PASSWORD, *, apop=False, delete=True, trust=None):
        implicit = way == "implicit"
        settings = self.served.home / "getmailrc"
        settings.write_text(
            SETTINGS.format(
                kind="SimplePOP3SSLRetriever" if implicit else "SimplePOP3Retriever",
                port=self.served.port("pop3s" if implicit else "pop3"),
                user=ANN,
                password=password,
                apop=str(apop).lower(),
                trust=f"ca_certs = {trust or self.served.authority}" if implicit else "",
                mda=self.mda,
                delete=str(delete).lower(),
            )
        )
        settings.chmod(0o600)
        return run([self.path, "--getmaildir", self.served.home, "--rcfile", settings], home=self.served.home)

    @property
    def delivered(self):
        return [path.read_bytes() for path in sorted(self.box.iterdir(), key=lambda path: int(path.name))]


@pytest.fixture
def getmail(program, served):
    return Getmail(program("getmail"), served)


def left(served):
    served.world.settle()
    return served.world.inbox(ANN)


ALL = [RETURN_PATH + with_lf(ended(octets)) for octets in MESSAGES.values()]


@pytest.mark.parametrize("way", ["plain", "implicit"])
def test_it_delivers_what_the_store_held_and_removes_it(getmail, served, way):
    fill(served.world)
    done = getmail(way)
    assert (done.code, done.err) == (0, "")
    assert getmail.delivered == ALL
    assert left(served) == []
    assert encrypted(served.world) == (way == "implicit")


@pytest.mark.parametrize("mechanism", ["USER", "APOP"])
def test_it_logs_in(getmail, served, mechanism):
    secret = require_login(served.world, mechanism)
    served.world.place(ANN, MESSAGES["dots"])
    failed = getmail(password="guess", apop=mechanism == "APOP")
    assert "authentication failed" in failed.err
    assert getmail(password=secret, apop=mechanism == "APOP").code == 0
    assert logins(served.world) == [(mechanism, False), (mechanism, True)]
    assert getmail.delivered == ALL[:1]


def test_it_trusts_nobody_unknown(getmail, served):
    other = type(served.world.authority)("elsewhere.test").write(served.home / "other.pem")
    assert "CERTIFICATE_VERIFY_FAILED" in getmail(trust=other).err
    assert logins(served.world) == []


def test_kept_mail_is_fetched_once(getmail, served):
    fill(served.world)
    assert getmail(delete=False).code == 0
    assert getmail(delete=False).code == 0
    assert getmail.delivered == ALL
    assert left(served) == list(MESSAGES.values())


@pytest.mark.parametrize("text", ["[SYS/TEMP] later", "[SYS/PERM] never"])
def test_an_error_at_retr_loses_nothing(getmail, served, text):
    fill(served.world)
    fault(served.world, "pop3", "RETR", Reply("-ERR", text), nth=2)
    assert text in getmail().err
    assert MESSAGES["octets"] in left(served)
    assert getmail().code == 0
    assert sorted(getmail.delivered) == sorted(ALL)
    assert left(served) == []


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_cut_off_inside_a_message_it_gets_all_of_it_the_next_time(getmail, served, how):
    fill(served.world)
    fault(served.world, "pop3", "RETR", Cut(3000, how), nth=3)
    assert getmail().code == BROKEN
    assert left(served) == list(MESSAGES.values())
    assert getmail().code == 0
    assert left(served) == []
    assert set(ALL) <= set(getmail.delivered)


def test_a_lost_farewell_after_the_removal(getmail, served):
    fill(served.world)
    fault(served.world, "pop3", "QUIT", LoseReply())
    assert getmail().code == BROKEN
    assert getmail.delivered == ALL
    assert left(served) == []


def test_a_lost_quit_leaves_the_mail_and_its_memory_prevents_doubles(getmail, served):
    fill(served.world)
    fault(served.world, "pop3", "QUIT", Drop())
    assert getmail().code == BROKEN
    assert left(served) == list(MESSAGES.values())
    assert getmail().code == 0
    assert getmail.delivered == ALL
