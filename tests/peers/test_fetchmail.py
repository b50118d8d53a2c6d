"""fetchmail, delivering through an MDA of ours that keeps each message in a file.

Told to leave messages as they are ("no rewrite", "no stripcr", "invisible") it does so to the octet. As it comes it turns CR LF into LF
for an MDA (fetchmail(1), `stripcr`) and puts a `Received:` field in front.
"""

from __future__ import annotations

import pytest
from foreign import ANN, MESSAGES, PASSWORD, encrypted, ended, fault, fill, logins, require_login, run, verbs, with_lf

from postroom_simulator.faults import Cut, Drop, LoseReply, Reply

GOT_MAIL, NO_MAIL, SOCKET, DENIED, LOCK_BUSY = 0, 1, 2, 3, 9
"""Exit codes: fetchmail(1), "EXIT CODES"."""

EXACTLY = "no rewrite no stripcr"


class Fetchmail:
    def __init__(self, path, served):
        self.path = path
        self.served = served
        self.box = served.home / "box"
        self.box.mkdir()
        self.mda = served.home / "mda"
        self.mda.write_text(f"#!/bin/sh\ncat > {self.box}/$(ls {self.box} | wc -l)\n")
        self.mda.chmod(0o700)

    def __call__(self, way="plain", options=EXACTLY, begin="set invisible", mechanism="USER", password=PASSWORD, trust=None):
        served = self.served
        trust = trust or served.authority
        protocol = "apop" if mechanism == "APOP" else "pop3"
        auth = {"USER": "auth password", "APOP": ""}.get(mechanism, f"auth {mechanism.lower()}")
        service = "pop3s" if way == "implicit" else "pop3"
        tls = {
            "plain": "sslproto ''",
            "upgraded": f'sslproto TLS1.2+ sslcertck sslcertfile "{trust}"',
            "implicit": f'ssl sslcertck sslcertfile "{trust}"',
        }[way]
        settings = served.home / "fetchmailrc"
        settings.write_text(
            f"{begin}\n"
            f"poll localhost protocol {protocol} port {served.port(service)} {auth} uidl "
            f'user "{ANN}" password "{password}" {tls} {options} mda "{self.mda}"\n'
        )
        settings.chmod(0o600)
        own = ["--nodetach", "--nosyslog", "--pidfile", served.home / "pid"]
        return run([self.path, "-f", settings, *own], home=served.home)

    @property
    def delivered(self):
        return [path.read_bytes() for path in sorted(self.box.iterdir(), key=lambda path: int(path.name))]


@pytest.fixture
def fetchmail(program, served):
    return Fetchmail(program("fetchmail"), served)


def left(served):
    served.world.settle()
    return served.world.inbox(ANN)


ALL = [ended(octets) for octets in MESSAGES.values()]


@pytest.mark.parametrize("way", ["plain", "upgraded", "implicit"])
def test_it_delivers_what_the_store_held_and_removes_it(fetchmail, served, way):
    fill(served.world)
    done = fetchmail(way)
    assert done.code == GOT_MAIL, done.err
    assert fetchmail.delivered == ALL
    assert left(served) == []
    assert fetchmail(way).code == NO_MAIL
    assert encrypted(served.world) == (way != "plain")


@pytest.mark.parametrize("way", ["plain", "upgraded", "implicit"])
@pytest.mark.parametrize("mechanism", ["USER", "APOP", "CRAM-MD5"])
def test_it_logs_in(fetchmail, served, way, mechanism):
    secret = require_login(served.world, mechanism)
    served.world.place(ANN, MESSAGES["dots"])
    assert fetchmail(way, mechanism=mechanism, password="guess").code == DENIED
    done = fetchmail(way, mechanism=mechanism, password=secret)
    assert done.code == GOT_MAIL, done.err
    assert logins(served.world) == [(mechanism, False), (mechanism, True)]
    assert fetchmail.delivered == [MESSAGES["dots"]]


@pytest.mark.parametrize("way", ["upgraded", "implicit"])
def test_it_trusts_nobody_unknown(fetchmail, served, way):
    other = type(served.world.authority)("elsewhere.test").write(served.home / "other.pem")
    assert fetchmail(way, trust=other).code == SOCKET
    assert logins(served.world) == []


def test_with_retr_as_well(fetchmail, served):
    """By default it fetches with TOP, which marks nothing as read on many servers; `fetchall` makes it use RETR."""
    fill(served.world)
    assert fetchmail().code == GOT_MAIL
    assert "RETR" not in verbs(served.world)
    fill(served.world)
    assert fetchmail(options=f"{EXACTLY} fetchall").code == GOT_MAIL
    assert verbs(served.world).count("RETR") == len(ALL)
    assert fetchmail.delivered == [*ALL, *ALL]


def test_as_it_comes_it_changes_what_its_manual_says(fetchmail, served):
    fill(served.world)
    assert fetchmail(options="", begin="").code == GOT_MAIL
    for octets, whole in zip(fetchmail.delivered, ALL, strict=True):
        trace, _, rest = octets.partition(b"From: ")
        assert trace.startswith(b"Received: from localhost")
        assert all(line.startswith(b"\t") for line in trace.split(b"\n")[1:-1])
        assert b"From: " + rest == with_lf(whole)


def test_kept_mail_is_fetched_once(fetchmail, served):
    fill(served.world)
    assert fetchmail(options=f"{EXACTLY} keep").code == GOT_MAIL
    assert fetchmail(options=f"{EXACTLY} keep").code == NO_MAIL
    assert fetchmail.delivered == ALL
    assert left(served) == list(MESSAGES.values())


def test_a_maildrop_in_use_is_waited_for(fetchmail, served):
    fill(served.world)
    fault(served.world, "pop3", "PASS", Reply("-ERR", "[IN-USE] somebody is here"))
    assert fetchmail().code == LOCK_BUSY
    assert fetchmail.delivered == []
    assert fetchmail().code == GOT_MAIL
    assert fetchmail.delivered == ALL


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_cut_off_inside_a_message_it_gets_all_of_it_the_next_time(fetchmail, served, how):
    fill(served.world)
    fault(served.world, "pop3", "RETR", Cut(3000, how), nth=3)
    assert fetchmail(options=f"{EXACTLY} fetchall").code == SOCKET
    assert left(served) == list(MESSAGES.values())  # no QUIT, nothing removed
    assert fetchmail(options=f"{EXACTLY} fetchall").code == GOT_MAIL
    assert left(served) == []
    assert set(ALL) <= set(fetchmail.delivered)


def test_an_error_at_retr_loses_nothing(fetchmail, served):
    fill(served.world)
    fault(served.world, "pop3", "RETR", Reply("-ERR", "[SYS/TEMP] later"), nth=2)
    fetchmail(options=f"{EXACTLY} fetchall")
    assert MESSAGES["octets"] not in fetchmail.delivered
    assert MESSAGES["octets"] in left(served)
    assert fetchmail(options=f"{EXACTLY} fetchall").code == GOT_MAIL
    assert set(fetchmail.delivered) == set(ALL)
    assert left(served) == []


def test_a_lost_farewell_after_the_removal(fetchmail, served):
    fill(served.world)
    fault(served.world, "pop3", "QUIT", LoseReply())
    assert fetchmail().code == SOCKET
    assert fetchmail.delivered == ALL
    assert left(served) == []


def test_a_lost_quit_leaves_the_mail_and_the_uidls_prevent_doubles(fetchmail, served):
    fill(served.world)
    fault(served.world, "pop3", "QUIT", Drop())
    assert fetchmail().code == SOCKET
    assert left(served) == list(MESSAGES.values())
    assert fetchmail().code == NO_MAIL
    assert fetchmail.delivered == ALL
