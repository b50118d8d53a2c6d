"""Whole conversations as tables: what is said, what is answered; the same for any way of cutting the input."""

import pytest
from smtp_talk import ENVELOPE, ENVELOPE_OK, GO_AHEAD, GREETING, HELLO, LETTER, Talk, make_world, plain, queued, stored

from postroom_simulator.journal import Kind

HELO_FIRST = b"503 5.5.1 send EHLO or HELO first\r\n"
EHLO = (b"EHLO client.test", HELLO)
ENVID_WRONG = b"501 5.5.4 ENVID is xtext of printable ASCII, up to 100 characters\r\n"
NOTIFY_WRONG = b"501 5.5.4 NOTIFY is NEVER, or of SUCCESS, FAILURE and DELAY a list with commas\r\n"
ORCPT_WRONG = b"501 5.5.4 ORCPT is a type, a semicolon and an address in xtext, up to 500 characters\r\n"

CONVERSATIONS = {
    "a message": [
        EHLO,
        (b"MAIL FROM:<bob@far.test> SIZE=30 BODY=8BITMIME", b"250 2.1.0 OK\r\n"),
        (b"RCPT TO:<ann@sim.test>", b"250 2.1.5 OK\r\n"),
        (b"DATA", GO_AHEAD),
        (b"Subject: hello\r\n\r\n..dot\r\n.", queued(1)),
        (b"MAIL FROM:<>", b"250 2.1.0 OK\r\n"),
        (b"RCPT TO:<ann@sim.test>", b"250 2.1.5 OK\r\n"),
        (b"DATA", GO_AHEAD),
        (b".", queued(2)),
        (b"QUIT", b"221 2.0.0 bye\r\n"),
        (b"NOOP", b""),
    ],
    "HELO, no extensions": [
        (b"HELO client.test", b"250 mail.sim.test\r\n"),
        (b"MAIL FROM:<bob@far.test> SIZE=3", b"555 5.5.4 parameter SIZE is not known here\r\n"),
        (b"AUTH PLAIN", b"503 5.5.1 send EHLO first\r\n"),
        (b"MAIL FROM:<bob@far.test>", b"250 2.1.0 OK\r\n"),
    ],
    "any case, a blank after the colon, blanks at the end": [
        (b"ehlo client.test", HELLO),
        (b"mail from: <bob@far.test>   ", b"250 2.1.0 OK\r\n"),
        (b"rCpT tO: <ann@sim.test>", b"250 2.1.5 OK\r\n"),
        (b"data ", GO_AHEAD),
    ],
    "order": [
        (b"MAIL FROM:<a@b.c>", HELO_FIRST),
        (b"RCPT TO:<a@b.c>", HELO_FIRST),
        (b"DATA", HELO_FIRST),
        (b"NOOP", b"250 2.0.0 OK\r\n"),
        (b"RSET", b"250 2.0.0 OK\r\n"),
        (b"EHLO", b"501 syntax: EHLO hostname\r\n"),
        (b"HELO ", b"501 syntax: HELO hostname\r\n"),
        EHLO,
        (b"RCPT TO:<a@b.c>", b"503 5.5.1 need MAIL first\r\n"),
        (b"DATA", b"503 5.5.1 need MAIL first\r\n"),
        (b"MAIL FROM:<a@b.c>", b"250 2.1.0 OK\r\n"),
        (b"MAIL FROM:<a@b.c>", b"503 5.5.1 a transaction is in progress\r\n"),
        (b"DATA", b"503 5.5.1 need an accepted RCPT first\r\n"),
        (b"RCPT TO:<a@b.c>", b"250 2.1.5 OK\r\n"),
        (b"NOOP whatever", b"250 2.0.0 OK\r\n"),
        (b"RSET", b"250 2.0.0 OK\r\n"),
        (b"RCPT TO:<a@b.c>", b"503 5.5.1 need MAIL first\r\n"),
        (b"MAIL FROM:<>", b"250 2.1.0 OK\r\n"),
        (b"RCPT TO:<a@b.c>", b"250 2.1.5 OK\r\n"),
        EHLO,
        (b"RCPT TO:<a@b.c>", b"503 5.5.1 need MAIL first\r\n"),
    ],
    "arguments that are wrong": [
        EHLO,
        (b"MAIL", b"501 5.5.4 syntax: MAIL FROM:<address> [parameters]\r\n"),
        (b"MAIL TO:<a@b.c>", b"501 5.5.4 syntax: MAIL FROM:<address>\r\n"),
        (b"MAIL FROM:<a@b.c> X-WHAT=1", b"555 5.5.4 parameter X-WHAT is not known here\r\n"),
        (b"MAIL FROM:<a@b.c> SIZE=ten", b"501 5.5.4 SIZE is a number of up to 20 digits\r\n"),
        (b"MAIL FROM:<a@b.c> SIZE=\xd9\xa1", b"501 5.5.4 SIZE is a number of up to 20 digits\r\n"),
        (b"MAIL FROM:<a@b.c> SIZE=26214401", b"552 5.3.4 a message has at most 26214400 octets\r\n"),
        (b"MAIL FROM:<a@b.c> SIZE=99999999999999999999999", b"501 5.5.4 SIZE is a number of up to 20 digits\r\n"),
        (b"MAIL FROM:<a@b.c> BODY=9BITMIME", b"501 5.5.4 BODY is 7BIT, 8BITMIME or BINARYMIME\r\n"),
        (b"MAIL FROM:<a@b.c> SMTPUTF8=yes", b"501 5.5.4 SMTPUTF8 takes no value\r\n"),
        (b"MAIL FROM:<a@b.c> AUTH", b"501 5.5.4 AUTH= needs an address or <>\r\n"),
        (b"MAIL FROM:<a@b.c> AUTH=<> body=7bit", b"250 2.1.0 OK\r\n"),
        (b"RCPT", b"501 5.5.4 syntax: RCPT TO:<address> [parameters]\r\n"),
        (b"RCPT TO:<>", b"501 5.1.3 a recipient is not empty\r\n"),
        (b"RCPT TO:<a@b.c> X-NOTIFY=NEVER", b"555 5.5.4 parameter X-NOTIFY is not known here\r\n"),
        (b"RCPT TO:<a@b.c\x00>", b"500 5.5.2 NUL in a command\r\n"),
        (b"RCPT TO:<a@b\rX: y.c>", b"501 5.5.2 control characters in a command\r\n"),
        (b"RCPT TO:<a@b.c>\nRSET", b"501 5.5.2 control characters in a command\r\n"),
        (b"RCPT TO:<a\t@b.c>", b"501 5.1.3 control characters in an address\r\n"),
    ],
    "arguments that are wrong, once more": [
        EHLO,
        (b"DATA now", b"501 5.5.4 DATA takes no argument\r\n"),
        (b"RSET now", b"501 5.5.4 RSET takes no argument\r\n"),
        (b"QUIT now", b"501 5.5.4 QUIT takes no argument\r\n"),
        (b"EHLO h\xc3\xb6st", b"501 a host name is ASCII\r\n"),
        (b"N\xc3\x96OP", b"500 5.5.2 command not recognized\r\n"),
        (b"", b"500 5.5.2 command not recognized\r\n"),
        (b" NOOP", b"500 5.5.2 command not recognized\r\n"),
        (b"ETRN sim.test", b"502 5.5.1 ETRN is not offered\r\n"),
        (b"turn", b"502 5.5.1 TURN is not offered\r\n"),
    ],
    "addresses of every kind": [
        EHLO,
        (b'MAIL FROM:<"a b"@far.test>', b"250 2.1.0 OK\r\n"),
        (b"RCPT TO:<Postmaster>", b"250 2.1.5 OK\r\n"),
        (b"RCPT TO:<@relay.test,@b.test:ann@sim.test>", b"250 2.1.5 OK\r\n"),
        (b"RCPT TO:<ann@[127.0.0.1]>", b"250 2.1.5 OK\r\n"),
        (b'RCPT TO:<"<>@"@far.test>', b"250 2.1.5 OK\r\n"),
        (b"RCPT TO:<j\xc3\xb6rg@far.test>", b"553 5.6.7 an address with other than ASCII characters needs SMTPUTF8\r\n"),
        (b"RCPT TO:<j\xf6rg@far.test>", b"501 5.1.3 an address is UTF-8\r\n"),
        (b"RSET", b"250 2.0.0 OK\r\n"),
        (b"MAIL FROM:<j\xc3\xb6rg@far.test>", b"553 5.6.7 an address with other than ASCII characters needs SMTPUTF8\r\n"),
        (b"MAIL FROM:<j\xc3\xb6rg@far.test> SMTPUTF8", b"250 2.1.0 OK\r\n"),
        (b"RCPT TO:<j\xc3\xb6rg@far.test>", b"250 2.1.5 OK\r\n"),
    ],
    "help": [
        (
            b"HELP",
            b"214 2.0.0 Supported commands: AUTH BDAT DATA EHLO EXPN HELO HELP MAIL NOOP QUIT RCPT RSET STARTTLS VRFY\r\n",
        ),
        (b"HELP data", b"214 2.0.0 Syntax: DATA\r\n"),
        (b"HELP me", b"504 5.5.4 no help for that: HELP lists the commands\r\n"),
        (b"VRFY ann", b"252 2.5.0 cannot VRFY user, but will accept message and attempt delivery\r\n"),
        (b"VRFY", b"501 5.5.4 syntax: VRFY address\r\n"),
        (b"EXPN list", b"252 2.5.0 cannot EXPN list, but will accept message and attempt delivery\r\n"),
    ],
    "reports of delivery": [
        EHLO,
        (b"MAIL FROM:<a@b.c> RET=SOME", b"501 5.5.4 RET is FULL or HDRS\r\n"),
        (b"MAIL FROM:<a@b.c> ENVID=a+0D+0Ab", ENVID_WRONG),
        (b"MAIL FROM:<a@b.c> ENVID=a+2b", ENVID_WRONG),
        (b"MAIL FROM:<a@b.c> ENVID=" + b"x" * 101, ENVID_WRONG),
        (b"MAIL FROM:<a@b.c> ret=hdrs ENVID=QQ+2B1 RET=FULL", b"501 5.5.4 parameter RET is given twice\r\n"),
        (b"MAIL FROM:<a@b.c> NOTIFY=NEVER", b"555 5.5.4 parameter NOTIFY is not known here\r\n"),
        (b"MAIL FROM:<a@b.c> ret=hdrs ENVID=QQ+2B1", b"250 2.1.0 OK\r\n"),
        (b"RCPT TO:<ann@sim.test> NOTIFY=NEVER,DELAY", NOTIFY_WRONG),
        (b"RCPT TO:<ann@sim.test> NOTIFY=OFTEN", NOTIFY_WRONG),
        (b"RCPT TO:<ann@sim.test> NOTIFY", NOTIFY_WRONG),
        (b"RCPT TO:<ann@sim.test> NOTIFY=NEVER", b"250 2.1.5 OK\r\n"),
        (b"RCPT TO:<ann@sim.test> ORCPT=ann@sim.test", ORCPT_WRONG),
        (b"RCPT TO:<ann@sim.test> ORCPT=rfc822;", ORCPT_WRONG),
        (b"RCPT TO:<ann@sim.test> ORCPT=rfc822;a+0Ab", ORCPT_WRONG),
        (b"RCPT TO:<ann@sim.test> ORCPT=rfc(822;a", ORCPT_WRONG),
        (b"RCPT TO:<ann@sim.test> ORCPT=utf-8;\\x{0A}", ORCPT_WRONG),
        (b"RCPT TO:<ann@sim.test> ORCPT=utf-8;\\x{F6}@b.c", b"250 2.1.5 OK\r\n"),
        (b"RCPT TO:<ann@sim.test> RET=FULL", b"555 5.5.4 parameter RET is not known here\r\n"),
        (b"RCPT TO:<ann@sim.test> notify=success,delay,failure ORCPT=rfc822;a+2Bb@c", b"250 2.1.5 OK\r\n"),
        (b"HELO client.test", b"250 mail.sim.test\r\n"),
        (b"MAIL FROM:<a@b.c> RET=FULL", b"555 5.5.4 parameter RET is not known here\r\n"),
    ],
    "AUTH": [
        (b"AUTH PLAIN " + plain(), b"503 5.5.1 send EHLO first\r\n"),
        EHLO,
        (b"AUTH", b"501 5.5.4 syntax: AUTH mechanism [initial-response]\r\n"),
        (b"AUTH NTLM", b"504 5.5.4 mechanism not known here\r\n"),
        (b"AUTH PLAIN !", b"501 5.5.2 malformed base64\r\n"),
        (b"AUTH PLAIN", b"334 \r\n"),
        (b"*", b"501 5.7.0 authentication cancelled\r\n"),
        (b"auth login", b"334 VXNlcm5hbWU6\r\n"),
        (b"YW5uQHNpbS50ZXN0", b"334 UGFzc3dvcmQ6\r\n"),
        (b"AAAA", b"535 5.7.8 authentication credentials invalid\r\n"),
        (b"AUTH Plain " + plain(), b"235 2.7.0 authentication successful\r\n"),
        (b"AUTH PLAIN " + plain(), b"503 5.5.1 authenticated already\r\n"),
        (b"STARTTLS", b"503 5.5.1 authenticated already\r\n"),
    ],
}


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("cut", [0, 1, 2, 3, 7])
def test_line_by_line(name, cut):
    talk = Talk(make_world())
    assert talk.greeting == GREETING
    for said, answered in CONVERSATIONS[name]:
        assert (said, talk.say(said + b"\r\n", cut)) == (said, answered)


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_all_at_once_and_cut_at_every_octet(name):
    octets = b"".join(said + b"\r\n" for said, _ in CONVERSATIONS[name])
    expected = b"".join(answered for _, answered in CONVERSATIONS[name])
    whole = Talk(make_world())
    assert whole.say(octets) == expected
    fields = whole.world.journal.fields()
    for at in range(1, len(octets)):
        talk = Talk(make_world())
        assert talk.say(octets[:at]) + talk.say(octets[at:]) == expected
        if at % 17 == 0:
            assert talk.world.journal.fields() == fields


def test_what_is_stored_is_what_was_sent():
    talk = Talk.greeted(make_world())
    text = b"Subject: x\r\n\r\n.\rdot \xff\x00\x80 \n.\n ..\r\n"
    assert talk.send(text.replace(b"\r\n.", b"\r\n..") + b".\r\n") == queued(1)
    assert stored(talk.world) == [text]
    assert talk.world.inbox("ann@sim.test") == [
        b"Received: from client.test ([127.0.0.1])\r\n\tby mail.sim.test with ESMTP id 000001\r\n\tfor <ann@sim.test>;\r\n"
        b"\tMon, 05 Jan 2026 08:00:00 +0000\r\n" + text
    ]


def test_the_trace_line_names_the_protocol_and_no_recipient_among_several():
    talk = Talk.greeted(make_world(), secure=True)
    talk.say(b"AUTH PLAIN " + plain() + b"\r\n")
    talk.send(LETTER + b".\r\n", ENVELOPE + b"RCPT TO:<eve@far.test>\r\n")
    line = talk.world.inbox("ann@sim.test")[0].split(b"+0000")[0]
    assert b" with ESMTPSA id 000001;" in line
    assert b"for <" not in line


def test_a_host_name_cannot_write_headers():
    talk = Talk(make_world())
    talk.say(b"EHLO evil(; \\ x)\r\n")
    talk.send(LETTER + b".\r\n")
    assert talk.world.inbox("ann@sim.test")[0].startswith(b"Received: from evil?????x? ([127.0.0.1])\r\n")


def test_the_journal_tells_the_conversation():
    talk = Talk(make_world())
    talk.say(b"EHLO client.test\r\n" + ENVELOPE + b"DATA\r\n" + LETTER + b".\r\nQUIT\r\n")
    told = [(entry.kind.value, entry.verb, entry.detail) for entry in talk.world.journal]
    assert told == [
        ("reply", "", "220 mail.sim.test ESMTP Postroom simulator"),
        ("command", "EHLO", "client.test"),
        ("reply", "EHLO", "250-mail.sim.test"),
        ("command", "MAIL", "FROM:<bob@far.test>"),
        ("reply", "MAIL", "250 2.1.0 OK"),
        ("command", "RCPT", "TO:<ann@sim.test>"),
        ("reply", "RCPT", "250 2.1.5 OK"),
        ("command", "DATA", ""),
        ("reply", "DATA", "354 end data with <CR><LF>.<CR><LF>"),
        ("command", "end-of-data", f"{len(LETTER)} octets"),
        ("delivery", "", "<bob@far.test> to <ann@sim.test>"),
        ("reply", "end-of-data", "250 2.6.0 OK, queued as 000001"),
        ("command", "QUIT", ""),
        ("reply", "QUIT", "221 2.0.0 bye"),
    ]
    assert talk.world.journal.commands("end-of-data")[0].data == {"octets": len(LETTER)}


def test_pipelining_a_whole_group_and_what_follows_the_text():
    talk = Talk.greeted(make_world())
    group = ENVELOPE + b"DATA\r\n" + LETTER + b".\r\n"
    expected = ENVELOPE_OK + GO_AHEAD
    assert talk.say(group + group + b"QUIT\r\n") == expected + queued(1) + expected + queued(2) + b"221 2.0.0 bye\r\n"
    assert stored(talk.world) == [LETTER, LETTER]
    assert talk.session.closed


def test_the_ehlo_reply_is_one_piece():
    talk = Talk(make_world())
    talk.session.receive_data(b"EHLO client.test\r\n")
    assert [out.octets for out in talk.session.take()] == [HELLO]


def test_several_recipients_each_for_himself():
    world = make_world(relay="nobody")
    world.add_account("dan@sim.test", disabled=True)
    world.add_account("full@sim.test", quota=10)
    talk = Talk.greeted(world)
    talk.say(b"MAIL FROM:<bob@far.test> SIZE=100\r\n")
    assert talk.say(b"RCPT TO:<dan@sim.test>\r\n") == b"550 5.2.1 mailbox disabled\r\n"
    assert talk.say(b"RCPT TO:<full@sim.test>\r\n") == b"452 4.2.2 mailbox full\r\n"
    assert talk.say(b"RCPT TO:<eve@far.test>\r\n") == b"550 5.7.1 relaying denied\r\n"
    assert talk.say(b"DATA\r\n") == b"503 5.5.1 need an accepted RCPT first\r\n"
    assert talk.say(b"RCPT TO:<ann@sim.test>\r\nRCPT TO:<ann@sim.test>\r\n") == b"250 2.1.5 OK\r\n" * 2
    assert talk.say(b"DATA\r\n" + LETTER + b".\r\n") == GO_AHEAD + queued(1)
    assert stored(world) == [LETTER]


def test_the_outside_goes_to_the_drawer():
    talk = Talk.greeted(make_world())
    assert talk.send(LETTER + b".\r\n", b"MAIL FROM:<>\r\nRCPT TO:<eve@far.test>\r\n") == queued(1)
    outbound = talk.world.store.outbound()[0]
    assert (outbound.sender, outbound.recipients) == ("", ("eve@far.test",))


def test_a_mailbox_that_is_full_at_the_end_refuses_then():
    world = make_world()
    world.add_account("full@sim.test", quota=100)
    talk = Talk.greeted(world)
    assert talk.send(b"x" * 100 + b"\r\n.\r\n", b"MAIL FROM:<>\r\nRCPT TO:<full@sim.test>\r\n") == b"452 4.2.2 mailbox full\r\n"
    assert world.inbox("full@sim.test") == []
    assert talk.say(b"RCPT TO:<ann@sim.test>\r\n") == b"503 5.5.1 need MAIL first\r\n"


def test_postmaster_is_the_account_of_that_name_or_the_drawer():
    world = make_world(relay="nobody")
    talk = Talk.greeted(world)
    assert talk.send(LETTER + b".\r\n", b"MAIL FROM:<>\r\nRCPT TO:<postMaster>\r\n") == queued(1)
    assert world.store.outbound()[0].recipients == ("postmaster@mail.sim.test",)
    world.add_account("postmaster@sim.test")
    assert talk.send(LETTER + b".\r\n", b"MAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\n") == queued(2)
    assert stored(world, "postmaster@sim.test") == [LETTER]


def test_the_peer_may_vanish_at_every_octet_and_only_an_ended_message_is_kept():
    octets = b"EHLO c\r\n" + ENVELOPE + b"DATA\r\n" + LETTER + b".\r\nQUIT\r\n"
    end = octets.index(b"\r\n.\r\n") + 5
    for at in range(len(octets) + 1):
        talk = Talk(make_world())
        talk.say(octets[:at])
        talk.session.receive_eof()
        assert talk.session.closed
        assert stored(talk.world) == ([LETTER] if at >= end else [])
        assert talk.say(octets[at:]) == b""
        assert talk.session._server._handler_coroutine.done()


def test_idle_for_too_long():
    talk = Talk.greeted(make_world())
    assert talk.session.idle_limit == 300
    talk.say(ENVELOPE + b"DATA\r\nhalf")
    talk.session.timeout()
    assert talk.drain() == b"421 4.4.2 idle for too long\r\n"
    assert talk.session.closed
    assert talk.session.idle_limit is None
    assert talk.say(b"\r\n.\r\n") == b""
    assert stored(talk.world) == []
    assert talk.world.journal.entries(kind=Kind.REPLY)[-1].verb == ""


def test_a_session_inside_a_running_loop():
    import asyncio

    async def converse():
        talk = Talk.greeted(make_world())
        return talk.send(LETTER + b".\r\n")

    assert asyncio.run(converse()) == queued(1)


def test_a_session_that_never_began_can_end():
    from postroom_simulator.session import SessionContext
    from postroom_simulator.smtp.session import SmtpSession

    session = SmtpSession(SessionContext(make_world(), "smtp", "smtp-1"))
    session.receive_eof()
    assert session.closed
