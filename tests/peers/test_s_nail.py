"""s-nail both ways: it resends an mbox without a change (`Resend`), and copies a maildrop into one (`copy`).

With `smtp-auth=oauthbearer` it says XOAUTH2 on the line, and gives a bad token up at the challenge (s-nail(1), FAQ).
"""

from __future__ import annotations

import mailbox
from urllib.parse import quote

import pytest
from foreign import (
    ANN,
    BOB,
    MESSAGES,
    PASSWORD,
    encrypted,
    ended,
    fault,
    fill,
    held,
    logins,
    require_login,
    run,
    verbs,
    with_lf,
)

from postroom_simulator.faults import Cut, Drop, LoseReply, Reply

METHODS = {"PLAIN": "plain", "LOGIN": "login", "CRAM-MD5": "cram-md5", "XOAUTH2": "oauthbearer"}
NOT_SENT = "message not sent"
"""What it says; the exit code of a session of several commands is that of the last one."""


def boxed(octets):
    """As an mbox of s-nail's shows it: an empty line at the end and the one between messages are one."""
    octets = with_lf(ended(octets))
    return octets[:-1] if octets.endswith(b"\n\n") else octets


ALL = [boxed(octets) for octets in MESSAGES.values()]


class SNail:
    def __init__(self, path, served):
        self.served = served
        self.copy = served.home / "copy"
        self.base = [
            path,
            "-:/",
            "-#",
            "-Sv15-compat",
            "-Stls-ca-no-defaults",
            "-Ssendwait",
            f"-Sfrom={BOB}",
            "-Shostname=client.test",
        ]

    def url(self, protocol, service, way, password):
        scheme = protocol + ("s" if way == "implicit" else "")
        return f"{scheme}://{quote(ANN, safe='')}:{password}@localhost:{self.served.port(service)}"

    def __call__(self, *words, trust=None):
        return run([*self.base, f"-Stls-ca-file={trust or self.served.authority}", *words], home=self.served.home)

    def send(self, *messages, way="upgraded", method="plain", password=PASSWORD, trust=None):
        box = self.served.home / "mbox"
        box.write_bytes(b"".join(b"From bob@far.test Mon Jan  1 10:00:00 2024\n" + with_lf(ended(m)) + b"\n" for m in messages))
        mta = self.url("smtp", "smtps" if way == "implicit" else "submission", way, password)
        upgrade = ["-Ssmtp-use-starttls"] if way == "upgraded" else []
        sending = [f"-Smta={mta}", f"-Ssmtp-auth={method}", *upgrade]
        return self(*sending, "-R", "-f", "-Y", f"Resend * {ANN}", "-Y", "xit", box, trust=trust)

    def fetch(self, *options, way="upgraded", password=PASSWORD, trust=None, end="quit"):
        url = self.url("pop3", "pop3s" if way == "implicit" else "pop3", way, password)
        upgrade = ["-Spop3-use-starttls"] if way == "upgraded" else []
        commands = ["-Y", f"copy * {self.copy}", "-Y", "delete *", "-Y", end]
        return self(*options, *upgrade, "-Spop3-bulk-load", "-f", *commands, url, trust=trust)

    @property
    def copied(self):
        """As the standard library reads an mbox."""
        if not self.copy.exists():
            return []
        box = mailbox.mbox(self.copy, create=False)
        try:
            return [box.get_bytes(key) for key in box.iterkeys()]
        finally:
            box.close()


@pytest.fixture
def s_nail(program, served):
    return SNail(program("s-nail"), served)


def left(served):
    served.world.settle()
    return served.world.inbox(ANN)


@pytest.mark.parametrize("way", ["plain", "upgraded", "implicit"])
def test_the_store_holds_what_it_submitted(s_nail, served, way):
    done = s_nail.send(*MESSAGES.values(), way=way)
    assert (done.code, done.err) == (0, "")
    assert held(served.world) == [ended(octets) for octets in MESSAGES.values()]
    assert encrypted(served.world) == (way != "plain")


@pytest.mark.parametrize("way", ["upgraded", "implicit"])
@pytest.mark.parametrize("mechanism", METHODS)
def test_it_logs_in_to_send(s_nail, served, way, mechanism):
    secret = require_login(served.world, mechanism)
    assert s_nail.send(MESSAGES["dots"], way=way, method=METHODS[mechanism], password="guess").err != ""
    assert s_nail.send(MESSAGES["dots"], way=way, method=METHODS[mechanism], password=secret).err == ""
    assert logins(served.world) == [(mechanism, False), (mechanism, True)]
    assert held(served.world) == [MESSAGES["dots"]]


@pytest.mark.parametrize(
    ("at", "effect", "word"),
    [
        ("RCPT", Reply("451", "4.3.0 later"), "451 4.3.0 later"),
        ("RCPT", Reply("550", "5.1.1 unknown"), "550 5.1.1 unknown"),
        ("end-of-data", Reply("452", "4.2.2 full"), "452 4.2.2 full"),
        ("text", Cut(3000, "rst"), ""),
    ],
    ids=["transient", "permanent", "full", "reset"],
)
def test_a_failure_to_send_is_told_and_nothing_arrives(s_nail, served, at, effect, word):
    fault(served.world, "smtp", at, effect)
    failed = s_nail.send(MESSAGES["long"])
    assert NOT_SENT in failed.err
    assert word in failed.err
    assert held(served.world) == []
    assert s_nail.send(MESSAGES["long"]).err == ""
    assert held(served.world) == [MESSAGES["long"]]


def test_a_lost_last_reply_fails_though_the_message_is_there(s_nail, served):
    fault(served.world, "smtp", "end-of-data", LoseReply())
    assert NOT_SENT in s_nail.send(MESSAGES["dots"]).err
    assert held(served.world) == [MESSAGES["dots"]]


@pytest.mark.parametrize("way", ["plain", "upgraded", "implicit"])
def test_it_copies_what_the_store_held_and_removes_it(s_nail, served, way):
    fill(served.world)
    done = s_nail.fetch(way=way)
    assert (done.code, done.err) == (0, "")
    assert s_nail.copied == ALL
    assert left(served) == []
    assert encrypted(served.world) == (way != "plain")


@pytest.mark.parametrize("way", ["upgraded", "implicit"])
@pytest.mark.parametrize(("mechanism", "options"), [("USER", []), ("APOP", []), ("XOAUTH2", ["-Spop3-auth=oauthbearer"])])
def test_it_logs_in_to_fetch(s_nail, served, way, mechanism, options):
    """APOP it takes by itself where the greeting has a timestamp."""
    secret = require_login(served.world, mechanism)
    served.world.place(ANN, MESSAGES["dots"])
    s_nail.fetch(*options, way=way, password="guess")
    assert s_nail.copied == []
    assert s_nail.fetch(*options, way=way, password=secret).code == 0
    assert logins(served.world) == [(mechanism, False), (mechanism, True)]
    assert s_nail.copied == ALL[:1]


def test_it_trusts_nobody_unknown(s_nail, served):
    other = type(served.world.authority)("elsewhere.test").write(served.home / "other.pem")
    assert "certificate verify failed" in s_nail.send(MESSAGES["dots"], trust=other).err
    assert "certificate verify failed" in s_nail.fetch(trust=other).err
    assert logins(served.world) == []


@pytest.mark.parametrize("text", ["[SYS/TEMP] later", "[SYS/PERM] never"])
def test_refused_at_retr_it_says_so_and_asks_again(s_nail, served, text):
    fill(served.world)
    fault(served.world, "pop3", "RETR", Reply("-ERR", text), nth=3)
    assert text in s_nail.fetch().err
    assert verbs(served.world).count("RETR") == len(ALL) + 1
    assert s_nail.copied == ALL
    assert left(served) == []


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_cut_off_inside_a_message_it_says_so_and_removes_nothing(s_nail, served, how):
    fill(served.world)
    fault(served.world, "pop3", "RETR", Cut(3000, how), nth=3)
    assert "POP3 connection already closed" in s_nail.fetch().err
    assert left(served) == list(MESSAGES.values())
    s_nail.copy.unlink(missing_ok=True)
    assert s_nail.fetch().err == ""
    assert s_nail.copied == ALL
    assert left(served) == []


def test_a_lost_farewell_after_the_removal(s_nail, served):
    fill(served.world)
    fault(served.world, "pop3", "QUIT", LoseReply())
    s_nail.fetch()
    assert s_nail.copied == ALL
    assert left(served) == []


def test_a_lost_quit_leaves_the_mail_and_it_does_not_say_so(s_nail, served):
    fill(served.world)
    fault(served.world, "pop3", "QUIT", Drop())
    assert s_nail.fetch().code == 0
    assert s_nail.copied == ALL
    assert left(served) == list(MESSAGES.values())
