"""AUTH: exchanges, failures, who may relay; STARTTLS: what is forgotten."""

from base64 import b64encode

import pytest
from smtp_talk import ANN, ENVELOPE, ENVELOPE_OK, HELLO, LETTER, PASSWORD, Talk, make_world, plain, queued

from postroom_simulator.journal import Kind

OK = b"235 2.7.0 authentication successful\r\n"
WRONG = b"535 5.7.8 authentication credentials invalid\r\n"


def b64(text):
    return b64encode(text.encode())


@pytest.mark.parametrize(
    "lines",
    [
        [b"AUTH PLAIN " + plain()],
        [b"AUTH PLAIN", plain()],
        [b"auth plain  " + plain()],
        [b"AUTH PLAIN " + b64(f"{ANN}\0ann\0{PASSWORD}")],
        [b"AUTH PLAIN " + plain("ann")],
        [b"AUTH LOGIN", b64(ANN), b64(PASSWORD)],
        [b"aUtH lOgIn " + b64(ANN), b64(PASSWORD)],
    ],
)
@pytest.mark.parametrize("cut", [0, 1])
def test_logging_in(lines, cut):
    talk = Talk.greeted(make_world())
    for line in lines[:-1]:
        assert talk.say(line + b"\r\n", cut).startswith(b"334 ")
    assert talk.session.account is None
    assert talk.say(lines[-1] + b"\r\n", cut) == OK
    assert talk.session.account == ANN


@pytest.mark.parametrize(
    ("lines", "reply"),
    [
        ([b"AUTH PLAIN " + plain(password="no")], WRONG),
        ([b"AUTH PLAIN " + plain("nobody@sim.test")], WRONG),
        ([b"AUTH PLAIN " + b64(f"somebody\0{ANN}\0{PASSWORD}")], WRONG),  # for somebody else: not offered
        ([b"AUTH PLAIN ="], b"501 5.5.2 malformed PLAIN response\r\n"),
        ([b"AUTH PLAIN " + b64("\0\0x")], b"501 5.5.2 malformed PLAIN response\r\n"),
        ([b"AUTH PLAIN " + b64encode(b"\0\xff\0x")], b"501 5.5.2 malformed PLAIN response\r\n"),
        ([b"AUTH PLAIN AAA"], b"501 5.5.2 malformed base64\r\n"),
        ([b"AUTH PLAIN AA AA"], b"501 5.5.2 malformed base64\r\n"),
        ([b"AUTH PLAIN \xff"], b"501 5.5.2 malformed base64\r\n"),
        ([b"AUTH LOGIN =", b""], WRONG),
        ([b"AUTH LOGIN", b"*"], b"501 5.7.0 authentication cancelled\r\n"),
        ([b"AUTH LOGIN", b64(ANN), b"*"], b"501 5.7.0 authentication cancelled\r\n"),
        ([b"AUTH LOGIN", b"QUIT"], b"334 UGFzc3dvcmQ6\r\n"),
        ([b"AUTH LOGIN", b"no base64"], b"501 5.5.2 malformed base64\r\n"),
        ([b"AUTH PLAIN", b"A" * 12_290], b"500 5.5.6 authentication exchange line is too long\r\n"),
    ],
)
def test_not_logging_in(lines, reply):
    talk = Talk.greeted(make_world())
    for line in lines[:-1]:
        assert talk.say(line + b"\r\n").startswith(b"334 ")
    assert talk.say(lines[-1] + b"\r\n") == reply
    assert talk.session.account is None


def test_a_long_answer_is_no_long_line():
    talk = Talk.greeted(make_world())
    assert talk.say(b"AUTH PLAIN " + b64("\0nobody\0" + "x" * 9000) + b"\r\n") == WRONG
    talk.say(b"AUTH PLAIN\r\n")
    assert talk.say(b64("\0nobody\0" + "x" * 9000) + b"\r\n") == WRONG


def test_too_many_failures_end_the_connection():
    talk = Talk.greeted(make_world(max_auth_failures=2))
    assert talk.say(b"AUTH PLAIN " + plain(password="1") + b"\r\n") == WRONG
    assert talk.say(b"AUTH PLAIN " + plain(password="2") + b"\r\n") == b"421 4.7.0 too many authentication failures\r\n"
    assert talk.session.closed


def test_not_inside_a_transaction_and_not_twice():
    talk = Talk.greeted(make_world())
    talk.say(ENVELOPE)
    assert talk.say(b"AUTH PLAIN " + plain() + b"\r\n") == b"503 5.5.1 a transaction is in progress\r\n"
    assert talk.say(b"STARTTLS\r\n") == b"503 5.5.1 a transaction is in progress\r\n"


def test_anyone_may_be_accepted():
    world = make_world()
    world.accept_anyone = True
    talk = Talk.greeted(world)
    assert talk.say(b"AUTH PLAIN " + plain("new@sim.test", "whatever") + b"\r\n") == OK
    assert talk.session.account == "new@sim.test"


def test_logins_are_journalled_and_no_secret_is():
    talk = Talk.greeted(make_world())
    secret = "tr0ub4dor"
    talk.say(b"AUTH PLAIN " + plain(password=secret) + b"\r\nAUTH PLAIN\r\n" + plain(password=secret) + b"\r\n")
    talk.say(b"AUTH " + plain(password=secret) + b"\r\n")  # the mechanism forgotten
    talk.say(b64(secret) + b"\r\n")  # an answer that nobody waits for
    talk.say(b"AUTH LOGIN\r\n" + b64(ANN) + b"\r\n" + b64(PASSWORD) + b"\r\n")
    logins = talk.world.journal.entries(kind=Kind.LOGIN)
    assert [(entry.account, entry.detail, entry.data["ok"]) for entry in logins] == [
        (ANN, "PLAIN", False),
        (ANN, "PLAIN", False),
        (ANN, "LOGIN", True),
    ]
    told = repr(talk.world.journal.fields())
    for word in (secret, plain(password=secret).decode(), b64(secret).decode(), PASSWORD, b64(PASSWORD).decode()):
        assert word not in told


def test_relaying_for_those_who_logged_in():
    talk = Talk.greeted(make_world(relay="authenticated"))
    talk.say(b"MAIL FROM:<ann@sim.test>\r\n")
    assert talk.say(b"RCPT TO:<eve@far.test>\r\n") == b"550 5.7.1 relaying denied\r\n"
    talk.say(b"RSET\r\nAUTH PLAIN " + plain() + b"\r\nMAIL FROM:<ann@sim.test>\r\n")
    assert talk.say(b"RCPT TO:<eve@far.test>\r\n") == b"250 2.1.5 OK\r\n"


def test_where_auth_is_offered():
    talk = Talk(make_world(auth_without_tls=False))
    assert b"AUTH" not in talk.say(b"EHLO c\r\n")
    assert talk.say(b"AUTH PLAIN " + plain() + b"\r\n") == b"538 5.7.11 encryption required for AUTH\r\n"
    talk = Talk(make_world(auth_without_tls=False), secure=True)
    assert b"AUTH PLAIN LOGIN" in talk.say(b"EHLO c\r\n")
    assert talk.say(b"AUTH PLAIN " + plain() + b"\r\n") == OK


# -- STARTTLS

READY = b"220 2.0.0 ready to start TLS\r\n"


def test_starttls_forgets_the_greeting():
    talk = Talk.greeted(make_world())
    assert talk.say(b"STARTTLS now\r\n") == b"501 5.5.4 STARTTLS takes no argument\r\n"
    assert not talk.session.wants_tls
    assert talk.say(b"STARTTLS\r\n") == READY
    assert talk.session.wants_tls
    talk.session.tls_established()
    assert not talk.session.wants_tls
    assert talk.context.secure
    assert talk.say(ENVELOPE).startswith(b"503 5.5.1 send EHLO or HELO first\r\n")
    assert talk.say(b"EHLO c\r\n") == HELLO.replace(b"250-STARTTLS\r\n", b"")
    assert talk.say(b"STARTTLS\r\n") == b"503 5.5.1 TLS is there already\r\n"
    assert talk.send(LETTER + b".\r\n") == queued(1)


INJECTED = b"RSET\r\nEHLO evil\r\n" + ENVELOPE + b"DATA\r\nevil\r\n.\r\nhalf a li"


@pytest.mark.parametrize("cut", range(len(b"STARTTLS\r\n") + 1))
def test_nothing_that_came_before_the_handshake_is_ever_run(cut):
    """Also when the injected octets come in the same piece as the command's end (CVE-2011-0411 and its family)."""
    talk = Talk.greeted(make_world())
    octets = b"STARTTLS\r\n" + INJECTED
    before = talk.world.journal.count(kind=Kind.COMMAND)
    assert talk.say(octets[:cut]) + talk.say(octets[cut:]) == READY
    if cut == len(b"STARTTLS\r\n"):
        return  # the injected octets came as a piece of their own: the driver gives those to the handshake
    talk.session.tls_established()
    assert talk.drain() == b""
    assert talk.say(b"NOOP\r\n") == b"250 2.0.0 OK\r\n"
    assert talk.world.journal.count(kind=Kind.COMMAND) == before + 2
    assert talk.world.inbox(ANN) == []


def test_what_comes_aside_during_the_handshake_is_the_first_input_after_it():
    talk = Talk.greeted(make_world())
    talk.say(b"STARTTLS\r\n")
    assert talk.say(b"EHLO c\r\n") == b""
    talk.session.tls_established()
    assert talk.drain().startswith(b"250-mail.sim.test\r\n")


def test_no_tls_no_offer():
    talk = Talk(make_world(), tls=False)
    assert b"STARTTLS" not in talk.say(b"EHLO c\r\n")
    assert talk.say(b"STARTTLS\r\n") == b"502 5.5.1 STARTTLS is not offered\r\n"


def test_idle_in_a_handshake_says_nothing_in_the_clear():
    talk = Talk.greeted(make_world())
    talk.say(b"STARTTLS\r\n")
    talk.session.timeout()
    assert talk.drain() == b""
    assert talk.session.closed


def test_starttls_is_possible_before_ehlo():
    talk = Talk(make_world())
    assert talk.say(b"STARTTLS\r\n") == READY
    assert talk.session.wants_tls


def test_the_transaction_before_is_forgotten_too():
    talk = Talk.greeted(make_world())
    assert talk.say(ENVELOPE + b"RSET\r\nSTARTTLS\r\n") == ENVELOPE_OK + b"250 2.0.0 OK\r\n" + READY
