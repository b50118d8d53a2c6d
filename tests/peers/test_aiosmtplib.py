"""aiosmtplib over sockets, in the clear, upgraded and over implicit TLS. It ends the last line, and changes nothing else."""

from __future__ import annotations

import asyncio

import aiosmtplib
import pytest
from foreign import ANN, BOB, DEADLINE, MESSAGES, encrypted, ended, fault, held, logins, require_login

from postroom_simulator.faults import Cut, LoseReply, Reply

WAYS = ["plain", "upgraded", "implicit"]


def client(served, way="plain", authority=None):
    return aiosmtplib.SMTP(
        hostname="127.0.0.1" if way == "plain" else "localhost",
        port=served.port("smtps" if way == "implicit" else "submission"),
        local_hostname="client.test",
        timeout=DEADLINE,
        use_tls=way == "implicit",
        start_tls=way == "upgraded",
        tls_context=None if way == "plain" else (authority or served.world.authority).client_context(),
    )


async def authenticate(smtp, mechanism, secret):
    call = {
        "PLAIN": smtp.auth_plain,
        "LOGIN": smtp.auth_login,
        "CRAM-MD5": smtp.auth_crammd5,
        "XOAUTH2": smtp.auth_xoauth2,
    }[mechanism]
    return await call(ANN, secret)


async def send(smtp, *messages):
    async with smtp:
        for octets in messages:
            errors, _ = await smtp.sendmail(BOB, [ANN], octets)
            assert errors == {}


@pytest.mark.parametrize("way", WAYS)
def test_the_store_holds_what_it_submitted(served, way):
    asyncio.run(send(client(served, way), *MESSAGES.values()))
    assert held(served.world) == [ended(octets) for octets in MESSAGES.values()]
    assert encrypted(served.world) == (way != "plain")


@pytest.mark.parametrize("way", ["upgraded", "implicit"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2"])
def test_it_logs_in(served, way, mechanism):
    secret = require_login(served.world, mechanism)

    async def session(secret):
        async with client(served, way) as smtp:
            await smtp.ehlo()  # its auth_ calls do not by themselves
            await authenticate(smtp, mechanism, secret)
            await smtp.sendmail(BOB, [ANN], MESSAGES["dots"])

    with pytest.raises(aiosmtplib.SMTPAuthenticationError) as refused:
        asyncio.run(session("guess"))
    assert refused.value.code == 535
    asyncio.run(session(secret))
    assert logins(served.world) == [(mechanism, False), (mechanism, True)]
    assert held(served.world) == [MESSAGES["dots"]]


def test_by_itself_it_goes_on_to_the_next_mechanism_after_a_refusal(served):
    served.world.smtp.settings.mechanisms = ("PLAIN", "LOGIN", "CRAM-MD5")

    async def session():
        async with client(served, "implicit") as smtp:
            await smtp.login(ANN, "guess")

    with pytest.raises(aiosmtplib.SMTPAuthenticationError):
        asyncio.run(session())
    assert logins(served.world) == [("CRAM-MD5", False), ("PLAIN", False), ("LOGIN", False)]


def test_it_trusts_nobody_unknown(served):
    other = type(served.world.authority)("elsewhere.test")
    with pytest.raises((aiosmtplib.SMTPConnectError, aiosmtplib.SMTPServerDisconnected), match="certificate verify failed"):
        asyncio.run(send(client(served, "implicit", other), MESSAGES["dots"]))


@pytest.mark.parametrize(("code", "text"), [("451", "4.3.0 later"), ("550", "5.1.1 unknown")])
def test_refused_at_rcpt_it_says_so_and_can_try_again(served, code, text):
    fault(served.world, "smtp", "RCPT", Reply(code, text))

    async def session():
        async with client(served, "upgraded") as smtp:
            with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
                await smtp.sendmail(BOB, [ANN], MESSAGES["dots"])
            (reply,) = refused.value.recipients
            assert (reply.recipient, reply.code, reply.message) == (ANN, int(code), text)
            await smtp.sendmail(BOB, [ANN], MESSAGES["long"])

    asyncio.run(session())
    assert held(served.world) == [MESSAGES["long"]]


def test_refused_after_the_text_it_says_so(served):
    fault(served.world, "smtp", "end-of-data", Reply("452", "4.2.2 full"))
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        asyncio.run(send(client(served), MESSAGES["dots"]))
    assert (refused.value.code, refused.value.message) == (452, "4.2.2 full")
    assert held(served.world) == []


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_cut_off_inside_the_text_it_says_so_and_nothing_is_left(served, how):
    fault(served.world, "smtp", "text", Cut(3000, how))
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        asyncio.run(send(client(served), MESSAGES["long"]))
    assert held(served.world) == []


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_it_cannot_know_when_the_last_reply_is_lost(served, how):
    fault(served.world, "smtp", "end-of-data", LoseReply(how))
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        asyncio.run(send(client(served), MESSAGES["dots"]))
    assert held(served.world) == [MESSAGES["dots"]]
