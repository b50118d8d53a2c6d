"""poplib and smtplib of the standard library, over sockets: what they fetch and submit, octet by octet, and one failure each."""

from __future__ import annotations

import poplib
import smtplib
import ssl

import pytest
from foreign import ANN, BOB, DEADLINE, MESSAGES, PASSWORD, encrypted, ended, fault, fill, held, logins, require_login

from postroom_simulator.faults import Cut, Drop, LoseReply, Reply

WAYS = ["plain", "upgraded", "implicit"]


def pop3(served, way="plain", authority=None, login=True):
    context = (authority or served.world.authority).client_context()
    if way == "implicit":
        client = poplib.POP3_SSL("localhost", served.port("pop3s"), timeout=DEADLINE, context=context)
    else:
        client = poplib.POP3("127.0.0.1" if way == "plain" else "localhost", served.port("pop3"), timeout=DEADLINE)
    if way == "upgraded":
        client.stls(context=context)
    if login:
        client.user(ANN)
        client.pass_(PASSWORD)
    return client


def smtp(served, way="plain", authority=None):
    context = (authority or served.world.authority).client_context()
    if way == "implicit":
        return smtplib.SMTP_SSL("localhost", served.port("smtps"), "client.test", timeout=DEADLINE, context=context)
    host = "127.0.0.1" if way == "plain" else "localhost"
    client = smtplib.SMTP(host, served.port("submission"), "client.test", timeout=DEADLINE)
    if way == "upgraded":
        client.starttls(context=context)
    return client


def fetched(client, number):
    return b"".join(line + b"\r\n" for line in client.retr(number)[1])


def abandon(client):
    """The program dies: no QUIT."""
    client.close()


@pytest.mark.parametrize("way", WAYS)
def test_poplib_fetches_what_the_store_holds(served, way, monkeypatch):
    monkeypatch.setattr(poplib, "_MAXLINE", 4096)
    fill(served.world)
    client = pop3(served, way)
    assert [fetched(client, n) for n in range(1, len(MESSAGES) + 1)] == [ended(octets) for octets in MESSAGES.values()]
    assert client.list()[1] == [b"%d %d" % (n, len(ended(octets))) for n, octets in enumerate(MESSAGES.values(), 1)]
    client.dele(1)
    client.quit()
    assert held_plainly(served) == list(MESSAGES.values())[1:]


def held_plainly(served):
    served.world.settle()
    return served.world.inbox(ANN)


def test_poplib_as_it_comes_refuses_lines_over_2048_octets(served):
    """Its own limit (`poplib._MAXLINE`); the message is none the worse."""
    served.world.place(ANN, MESSAGES["long"])
    client = pop3(served)
    with pytest.raises(poplib.error_proto, match="line too long"):
        client.retr(1)
    abandon(client)
    assert held_plainly(served) == [MESSAGES["long"]]


def test_poplib_after_an_error_at_retr_asks_again(served):
    served.world.place(ANN, MESSAGES["dots"])
    fault(served.world, "pop3", "RETR", Reply("-ERR", "[SYS/TEMP] later"))
    client = pop3(served)
    with pytest.raises(poplib.error_proto, match=r"SYS/TEMP. later"):
        client.retr(1)
    assert fetched(client, 1) == MESSAGES["dots"]
    client.quit()


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_poplib_cut_off_inside_a_message_loses_nothing(served, how):
    fill(served.world)
    fault(served.world, "pop3", "RETR", Cut(100, how), nth=2)
    client = pop3(served)
    assert fetched(client, 1) == MESSAGES["dots"]
    client.dele(1)
    with pytest.raises((poplib.error_proto, ConnectionResetError)):
        client.retr(2)
    abandon(client)
    assert held_plainly(served) == list(MESSAGES.values())  # RFC 1939 §6: without QUIT nothing is removed


@pytest.mark.parametrize("way", WAYS)
def test_the_store_holds_what_smtplib_submitted(served, way):
    served.world.smtp.settings.trace = way != "plain"
    with smtp(served, way) as client:
        client.login(ANN, PASSWORD)
        for octets in MESSAGES.values():
            assert client.sendmail(BOB, [ANN], octets) == {}
    assert held(served.world) == [ended(octets) for octets in MESSAGES.values()]


def test_smtplib_refused_at_rcpt_says_so_and_can_try_again(served):
    fault(served.world, "smtp", "RCPT", Reply("451", "4.3.0 later"))
    with smtp(served) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            client.sendmail(BOB, [ANN], MESSAGES["dots"])
        assert refused.value.recipients == {ANN: (451, b"4.3.0 later")}
        assert held_now(served) == []
        assert client.sendmail(BOB, [ANN], MESSAGES["dots"]) == {}
    assert held(served.world) == [MESSAGES["dots"]]


def held_now(served):
    return served.world.inbox(ANN)


def test_smtplib_cannot_know_when_the_last_reply_is_lost(served):
    fault(served.world, "smtp", "end-of-data", LoseReply("fin"))
    client = smtp(served)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.sendmail(BOB, [ANN], MESSAGES["dots"])
    client.close()
    assert held(served.world) == [MESSAGES["dots"]]  # there all the same, once


def test_smtplib_cut_off_inside_the_text_leaves_nothing_behind(served):
    fault(served.world, "smtp", "text", Cut(3000, "rst"))
    client = smtp(served)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError, BrokenPipeError)):
        client.sendmail(BOB, [ANN], MESSAGES["long"])
    client.close()
    assert held(served.world) == []


# -- logging in, and whom they trust


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mechanism", ["USER", "APOP"])
def test_poplib_logs_in(served, way, mechanism):
    secret = require_login(served.world, mechanism)
    served.world.place(ANN, MESSAGES["dots"])
    client = pop3(served, way, login=False)

    def log_in(password):
        if mechanism == "APOP":
            return client.apop(ANN, password)
        client.user(ANN)
        return client.pass_(password)

    with pytest.raises(poplib.error_proto, match="AUTH"):
        log_in("guess")
    log_in(secret)
    assert fetched(client, 1) == MESSAGES["dots"]
    client.quit()
    assert logins(served.world) == [(mechanism, False), (mechanism, True)]
    assert encrypted(served.world) == (way != "plain")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_smtplib_logs_in(served, way, mechanism):
    secret = require_login(served.world, mechanism)
    with smtp(served, way) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            client.login(ANN, "guess")
        assert refused.value.smtp_code == 535
        client.login(ANN, secret)
        client.sendmail(BOB, [ANN], MESSAGES["dots"])
    assert logins(served.world) == [(mechanism, False), (mechanism, True)]
    assert held(served.world) == [MESSAGES["dots"]]


@pytest.mark.parametrize("way", ["upgraded", "implicit"])
@pytest.mark.parametrize("connect", [pop3, smtp])
def test_they_trust_nobody_unknown(served, connect, way):
    other = type(served.world.authority)("elsewhere.test")
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(served, way, other)
    assert logins(served.world) == []


# -- more failures


@pytest.mark.parametrize(("code", "text"), [("451", "4.3.0 later"), ("550", "5.1.1 unknown")])
@pytest.mark.parametrize("way", ["upgraded", "implicit"])
def test_smtplib_tells_a_refused_recipient(served, way, code, text):
    fault(served.world, "smtp", "RCPT", Reply(code, text))
    with smtp(served, way) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            client.sendmail(BOB, [ANN], MESSAGES["dots"])
        assert refused.value.recipients == {ANN: (int(code), text.encode())}
    assert held(served.world) == []


def test_smtplib_tells_a_refused_text(served):
    fault(served.world, "smtp", "end-of-data", Reply("452", "4.2.2 full"))
    with smtp(served) as client, pytest.raises(smtplib.SMTPDataError) as refused:
        client.sendmail(BOB, [ANN], MESSAGES["dots"])
    assert (refused.value.smtp_code, refused.value.smtp_error) == (452, b"4.2.2 full")
    assert held(served.world) == []


def test_poplib_a_lost_farewell_after_the_removal(served):
    fill(served.world)
    fault(served.world, "pop3", "QUIT", LoseReply("fin"))
    client = pop3(served)
    client.dele(1)
    with pytest.raises(poplib.error_proto, match="EOF"):
        client.quit()
    abandon(client)
    assert held_plainly(served) == list(MESSAGES.values())[1:]


def test_poplib_a_lost_quit_removes_nothing(served):
    fill(served.world)
    fault(served.world, "pop3", "QUIT", Drop("fin"))
    client = pop3(served)
    client.dele(1)
    with pytest.raises(poplib.error_proto, match="EOF"):
        client.quit()
    abandon(client)
    assert held_plainly(served) == list(MESSAGES.values())
