"""Conversations as tables, and each of them cut at every octet."""

from __future__ import annotations

import base64

import pytest
from pop3_talk import BARE, BOB, DOTTED, GREETING, LOGIN, PLAIN, WELCOME, Talk, inbox, make_world

from postroom_simulator.journal import Kind
from postroom_simulator.world import World

GOOD = base64.b64encode(b"\0bob\0open sesame")
BAD = base64.b64encode(b"\0bob\0open")

FAILED = b"-ERR [AUTH] authentication failed\r\n"
NO_NUMBER = b"-ERR not a number\r\n"
NO_MESSAGE = b"-ERR no such message, the maildrop has 3\r\n"
ARITY = b"-ERR wrong number of arguments\r\n"
IN = LOGIN, WELCOME

# name -> pairs of what the client says and what the server answers; Bob has DOTTED (28), PLAIN (25) and BARE (22)
TRANSCRIPTS: dict[str, list[tuple[bytes, bytes]]] = {
    "quit before login": [(b"QUIT\r\n", b"+OK bye\r\n")],
    "case does not matter": [
        (b"uSeR bob\r\n", b"+OK send PASS\r\n"),
        (b"pass open sesame\r\n", b"+OK maildrop locked and ready\r\n"),
    ],
    "wrong password": [(b"USER bob\r\nPASS nope\r\n", b"+OK send PASS\r\n" + FAILED), IN],
    "unknown user": [(b"USER eve\r\nPASS nope\r\n", b"+OK send PASS\r\n" + FAILED), IN],
    "spaces belong to the password": [(b"USER bob\r\nPASS open sesame \r\n", b"+OK send PASS\r\n" + FAILED)],
    "PASS comes after USER": [
        (b"PASS open sesame\r\n", b"-ERR USER first\r\n"),
        (b"USER bob\r\nPASS nope\r\nPASS open sesame\r\n", b"+OK send PASS\r\n" + FAILED + b"-ERR USER first\r\n"),
    ],
    "PASS comes immediately after USER": [
        (
            b"USER bob\r\nNOOP\r\nPASS open sesame\r\n",
            b"+OK send PASS\r\n-ERR NOOP works after login only\r\n-ERR USER first\r\n",
        ),
    ],
    "figures": [
        IN,
        (b"STAT\r\n", b"+OK 3 75\r\n"),
        (b"LIST\r\n", b"+OK 3 messages\r\n1 28\r\n2 25\r\n3 22\r\n.\r\n"),
        (b"LIST 2\r\n", b"+OK 2 25\r\n"),
        (b"DELE 2\r\n", b"+OK message 2 marked as deleted\r\n"),
        (b"STAT\r\n", b"+OK 2 50\r\n"),
        (b"LIST\r\n", b"+OK 2 messages\r\n1 28\r\n3 22\r\n.\r\n"),
        (b"LIST 2\r\n", b"-ERR message 2 is marked as deleted\r\n"),
        (b"RETR 2\r\n", b"-ERR message 2 is marked as deleted\r\n"),
        (b"TOP 2 0\r\n", b"-ERR message 2 is marked as deleted\r\n"),
        (b"UIDL 2\r\n", b"-ERR message 2 is marked as deleted\r\n"),
        (b"DELE 2\r\n", b"-ERR message 2 is marked as deleted\r\n"),
        (b"RSET\r\n", b"+OK maildrop has 3 messages\r\n"),
        (b"STAT\r\n", b"+OK 3 75\r\n"),
        (b"LIST\r\n", b"+OK 3 messages\r\n1 28\r\n2 25\r\n3 22\r\n.\r\n"),
        (b"NOOP\r\n", b"+OK nothing done\r\n"),
        (b"QUIT\r\n", b"+OK bye, 0 messages removed\r\n"),
    ],
    "messages": [
        IN,
        (b"RETR 1\r\n", b"+OK 28 octets\r\nSubject: one\r\n\r\n..dot\r\nlast\r\n.\r\n"),
        (b"RETR 2\r\n", b"+OK 25 octets\r\nSubject: two\r\n\r\na\r\nb\r\nc\r\n.\r\n"),
        (b"RETR 3\r\n", b"+OK 22 octets\r\nSubject: header only\r\n.\r\n"),
        (b"TOP 2 0\r\n", b"+OK top of message follows\r\nSubject: two\r\n\r\n.\r\n"),
        (b"TOP 2 2\r\n", b"+OK top of message follows\r\nSubject: two\r\n\r\na\r\nb\r\n.\r\n"),
        (b"TOP 2 9999999999\r\n", b"+OK top of message follows\r\nSubject: two\r\n\r\na\r\nb\r\nc\r\n.\r\n"),
        (b"TOP 1 1\r\n", b"+OK top of message follows\r\nSubject: one\r\n\r\n..dot\r\n.\r\n"),
        (b"TOP 3 5\r\n", b"+OK top of message follows\r\nSubject: header only\r\n.\r\n"),
    ],
    "numbers that are none": [
        IN,
        (b"RETR 0\r\nRETR 4\r\nRETR 9999999999\r\n", NO_MESSAGE * 3),
        (b"RETR -1\r\nRETR 1x\r\nRETR abc\r\nRETR 12345678901234567890\r\nRETR +1\r\nRETR 1_0\r\n", NO_NUMBER * 6),
        (b"DELE 0\r\nLIST 0\r\nUIDL 4\r\nTOP 0 0\r\n", NO_MESSAGE * 4),
        (b"TOP 1 -1\r\nTOP 1 x\r\nLIST x\r\nUIDL -\r\nDELE 1,2\r\n", NO_NUMBER * 5),
        (b"STAT\r\n", b"+OK 3 75\r\n"),
    ],
    "arguments": [
        IN,
        (b"RETR\r\nRETR \r\nRETR 1 2\r\nTOP 1\r\nSTAT 1\r\nQUIT now\r\nDELE\r\n", ARITY * 7),
        (b"LAST\r\n\r\n STAT\r\n", b"-ERR unknown command\r\n" * 3),
        (b"STAT\r\n", b"+OK 3 75\r\n"),
    ],
    "AUTH PLAIN at once": [
        (b"AUTH PLAIN " + GOOD + b"\r\n", b"+OK maildrop locked and ready\r\n"),
        (b"STAT\r\n", b"+OK 3 75\r\n"),
    ],
    "AUTH PLAIN in two steps": [
        (b"auth plain\r\n", b"+ \r\n"),
        (GOOD + b"\r\n", b"+OK maildrop locked and ready\r\n"),
        (b"STAT\r\n", b"+OK 3 75\r\n"),
    ],
    "AUTH that fails, and the session goes on": [
        (b"AUTH PLAIN " + BAD + b"\r\n", FAILED),
        (b"AUTH PLAIN\r\n*\r\n", b"+ \r\n-ERR authentication cancelled\r\n"),
        (b"AUTH PLAIN\r\n" + BAD + b"\r\n", b"+ \r\n" + FAILED),
        (b"AUTH PLAIN =\r\n", b"-ERR malformed PLAIN response\r\n"),
        (b"AUTH PLAIN\r\n=\r\n", b"+ \r\n-ERR malformed base64\r\n"),
        (b"AUTH PLAIN " + GOOD[:-1] + b"\r\n", b"-ERR malformed base64\r\n"),
        (b"AUTH PLAIN " + base64.b64encode(b"\0bob\0") + b"\r\n", FAILED),
        (b"AUTH PLAIN " + base64.b64encode(b"eve\0bob\0open sesame") + b"\r\n", FAILED),
        (b"AUTH PLAIN " + base64.b64encode(b"\0bob\0\xff") + b"\r\n", b"-ERR malformed PLAIN response\r\n"),
        (b"AUTH PLAIN " + base64.b64encode(b"\0b\r\nob\0x\0y") + b"\r\n", b"-ERR malformed PLAIN response\r\n"),
        (b"AUTH CRAM-SHA9\r\n", b"-ERR unknown mechanism\r\n"),
        (b"AUTH\r\n", ARITY),
        IN,
    ],
    "AUTH PLAIN for oneself by name": [
        (
            b"AUTH PLAIN " + base64.b64encode(BOB.encode() + b"\0bob\0open sesame") + b"\r\n",
            b"+OK maildrop locked and ready\r\n",
        ),
    ],
}


def world_of_three() -> World:
    return make_world(DOTTED, PLAIN, BARE)


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_transcripts(name: str) -> None:
    talk = Talk(world_of_three())
    assert talk.greeting == GREETING
    for said, answered in TRANSCRIPTS[name]:
        assert talk.say(said) == answered, said


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_transcripts_pipelined_and_cut_at_every_octet(name: str) -> None:
    """The same words and the same journal in one piece, octet by octet, and in two pieces cut anywhere."""
    said = b"".join(client for client, _ in TRANSCRIPTS[name])
    answered = b"".join(server for _, server in TRANSCRIPTS[name])

    def outcome(*pieces: bytes) -> tuple[bytes, list[tuple[object, ...]]]:
        world = world_of_three()
        talk = Talk(world)
        return b"".join([talk.say(piece) for piece in pieces]), world.journal.fields()

    whole = outcome(said)
    assert whole[0] == answered
    assert outcome(*(said[i : i + 1] for i in range(len(said)))) == whole
    for cut in range(1, len(said)):
        assert outcome(said[:cut], said[cut:]) == whole


def test_unique_ids_are_listed_and_last() -> None:
    world = world_of_three()
    talk = Talk.logged_in(world)
    listing = talk.say(b"UIDL\r\n").split(b"\r\n")
    assert listing[0].startswith(b"+OK")
    assert listing[-2:] == [b".", b""]
    ids = dict(line.split(b" ") for line in listing[1:-2])
    assert list(ids) == [b"1", b"2", b"3"]
    assert len(set(ids.values())) == 3
    assert talk.say(b"UIDL 2\r\n") == b"+OK 2 " + ids[b"2"] + b"\r\n"
    talk.say(b"DELE 1\r\nQUIT\r\n")
    again = Talk.logged_in(world)
    assert again.say(b"UIDL 1\r\n") == b"+OK 1 " + ids[b"2"] + b"\r\n"


def test_only_quit_removes() -> None:
    world = world_of_three()
    before = inbox(world)
    for end in ("eof", "timeout"):
        talk = Talk.logged_in(world)
        talk.say(b"DELE 1\r\nDELE 2\r\n")
        talk.session.receive_eof() if end == "eof" else talk.session.timeout()
        assert talk.session.closed
        assert talk.drain() == b""
        assert talk.say(b"QUIT\r\n") == b""
        assert inbox(world) == before
    talk = Talk.logged_in(world)
    assert talk.say(b"DELE 1\r\nDELE 3\r\nDELE 2\r\nRSET\r\nDELE 2\r\nQUIT\r\n").endswith(b"+OK bye, 1 messages removed\r\n")
    assert talk.session.closed
    assert inbox(world) == [before[0], before[2]]
    assert [entry.data["uid"] for entry in world.journal.entries(kind=Kind.REMOVED)] == [before[1]]


def test_one_session_at_a_time() -> None:
    world = world_of_three()
    first = Talk.logged_in(world)
    second = Talk(world)
    refused = b"+OK send PASS\r\n-ERR [IN-USE] the maildrop is in use by another session\r\n"
    assert second.say(LOGIN) == refused
    assert not second.session.closed
    first.say(b"DELE 1\r\n")
    first.session.receive_eof()
    assert second.say(LOGIN + b"STAT\r\n") == WELCOME + b"+OK 3 75\r\n"
    second.session.receive_eof()
    second.session.receive_eof()
    dead = world.pop3.locks.acquire(BOB.upper(), "a session that died")
    assert dead is not None
    third = Talk(world)
    assert third.say(LOGIN) == refused
    third.session.receive_eof()  # who never had the lock does not let it go
    assert world.pop3.locks.holder(BOB) == "a session that died"
    world.pop3.locks.release(dead)
    assert Talk(world).say(LOGIN) == WELCOME


def test_disabled_and_welcome_to_anyone() -> None:
    world = world_of_three()
    world.add_account("gone@example.test", "secret", disabled=True)
    assert Talk(world).say(b"USER gone\r\nPASS secret\r\n") == b"+OK send PASS\r\n" + FAILED
    world.accept_anyone = True
    assert Talk(world).say(b"USER gone\r\nPASS secret\r\n") == b"+OK send PASS\r\n" + FAILED
    assert Talk(world).say(b"USER bob\r\nPASS whatever\r\n") == WELCOME
    talk = Talk(world)
    assert talk.say(b"USER new\r\nPASS whatever\r\n") == WELCOME
    assert talk.session.account == "new@mail.sim.test"
    assert Talk(world).say(b"USER @@\r\nPASS whatever\r\n") == b"+OK send PASS\r\n" + FAILED


# -- capabilities and TLS


def capa(talk: Talk) -> set[bytes]:
    lines = talk.say(b"CAPA\r\n").split(b"\r\n")
    assert lines[0].startswith(b"+OK")
    assert lines[-2:] == [b".", b""]
    return set(lines[1:-2])


ALWAYS = {b"TOP", b"UIDL", b"UTF8 USER", b"LANG", b"RESP-CODES", b"AUTH-RESP-CODE", b"PIPELINING", b"IMPLEMENTATION Postroom"}


def test_capabilities() -> None:
    world = world_of_three()
    talk = Talk(world)
    assert capa(talk) == ALWAYS | {b"USER", b"SASL PLAIN", b"STLS"}
    talk.say(LOGIN)
    assert capa(talk) == ALWAYS | {b"USER", b"SASL PLAIN", b"STLS"}  # RFC 2449 §5
    assert capa(Talk(world, tls=False)) == ALWAYS | {b"USER", b"SASL PLAIN"}
    assert capa(Talk(world, secure=True)) == ALWAYS | {b"USER", b"SASL PLAIN"}
    world.pop3.settings.plaintext_without_tls = False
    assert capa(Talk(world)) == ALWAYS | {b"STLS"}
    assert capa(Talk(world, secure=True)) == ALWAYS | {b"USER", b"SASL PLAIN"}


def test_no_plaintext_login_on_an_open_line() -> None:
    world = world_of_three()
    world.pop3.settings.plaintext_without_tls = False
    refused = b"-ERR no plaintext login on an open line: STLS first\r\n"
    talk = Talk(world)
    assert talk.say(b"USER bob\r\nPASS open sesame\r\nAUTH PLAIN\r\nAUTH PLAIN " + GOOD + b"\r\n") == refused * 4
    assert talk.say(b"STLS\r\n") == b"+OK begin TLS negotiation\r\n"
    talk.session.tls_established()
    assert talk.say(LOGIN) == WELCOME


def test_stls_forgets_what_came_in_the_clear() -> None:
    world = world_of_three()
    talk = Talk(world)
    assert talk.say(b"USER bob\r\nSTLS\r\nPASS open sesame\r\nQUIT\r\n") == b"+OK send PASS\r\n+OK begin TLS negotiation\r\n"
    assert talk.session.wants_tls
    assert not talk.session.closed
    assert talk.say(b"QUIT\r\n") == b""  # still in the clear
    talk.session.tls_established()
    assert not talk.session.wants_tls
    assert talk.say(b"PASS open sesame\r\n") == b"-ERR USER first\r\n"
    assert b"STLS" not in capa(talk)
    assert talk.say(b"STLS\r\n") == b"-ERR TLS is already there\r\n"
    assert talk.say(LOGIN + b"STLS\r\n") == WELCOME + b"-ERR STLS works before login only\r\n"


def test_stls_forgets_however_the_input_is_cut() -> None:
    said = b"USER bob\r\nSTLS\r\nPASS open sesame\r\nSTAT\r\nQUIT\r\n"
    for cut in range(len(said)):
        talk = Talk(world_of_three())
        assert talk.say(said[:cut]) + talk.say(said[cut:]) == b"+OK send PASS\r\n+OK begin TLS negotiation\r\n"
        talk.session.tls_established()
        assert talk.say(LOGIN) == WELCOME
        assert not talk.session.closed


def test_stls_that_is_not_there() -> None:
    talk = Talk(world_of_three(), tls=False)
    assert talk.say(b"STLS\r\n") == b"-ERR TLS is not available\r\n"
    assert not talk.session.wants_tls
    open_line = Talk(world_of_three())
    assert open_line.say(LOGIN + b"STLS\r\n") == WELCOME + b"-ERR STLS works before login only\r\n"


@pytest.mark.parametrize(
    ("hidden", "command"),
    [
        ("UIDL", b"UIDL"),
        ("TOP", b"TOP 1 0"),
        ("CAPA", b"CAPA"),
        ("STLS", b"STLS"),
        ("SASL", b"AUTH PLAIN"),
        ("USER", b"USER bob"),
    ],
)
def test_hidden_capabilities_are_not_there(hidden: str, command: bytes) -> None:
    world = world_of_three()
    world.pop3.settings.hidden = frozenset({hidden})
    assert Talk(world).say(command + b"\r\n") == b"-ERR unknown command\r\n"
    if hidden != "CAPA":
        assert not any(line.startswith(hidden.encode()) for line in capa(Talk(world)))


def test_hidden_response_codes() -> None:
    world = world_of_three()
    world.pop3.settings.hidden = frozenset({"AUTH-RESP-CODE"})
    assert Talk(world).say(b"USER bob\r\nPASS x\r\n").endswith(b"-ERR authentication failed\r\n")
    Talk.logged_in(world)
    assert b"[IN-USE]" in Talk(world).say(LOGIN)
    world.pop3.settings.hidden = frozenset({"RESP-CODES"})
    assert b"[" not in Talk(world).say(LOGIN + b"USER bob\r\nPASS x\r\n")


# -- the journal


def test_the_journal_tells_all_but_secrets() -> None:
    world = world_of_three()
    talk = Talk(world)
    talk.say(b"USER bob\r\nPASS hunter two\r\nhunter two\r\nPASS\r\nAUTH PLAIN " + BAD + b"\r\nAUTH PLAIN\r\n" + BAD + b"\r\n")
    talk.say(b"AUTH " + BAD + b"\r\nPASS\x80 hunter two\r\nUSER bob hunter\r\n" + LOGIN + b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
    everything = world.journal.transcript() + repr([entry.fields() for entry in world.journal])
    for secret in ("hunter", "open", "sesame", BAD.decode(), GOOD.decode()):
        assert secret not in everything
    commands = [(entry.verb, entry.detail) for entry in world.journal.commands()]
    assert ("PASS", "***") in commands
    assert ("AUTH", "PLAIN ***") in commands
    assert ("RETR", "1") in commands
    logins = world.journal.entries(kind=Kind.LOGIN)
    assert [entry.data["ok"] for entry in logins] == [False, False, False, True]
    assert [entry.account for entry in logins] == [BOB] * 4
    (offered,) = world.journal.entries(kind=Kind.OFFERED)
    (removed,) = world.journal.entries(kind=Kind.REMOVED)
    assert offered.data == {**removed.data, "octets": 28}
    assert removed.account == offered.account == BOB
