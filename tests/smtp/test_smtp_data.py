"""The text of a message: its only end, sizes, settings, and what never is run as a command."""

import pytest
from smtp_talk import ENVELOPE, ENVELOPE_OK, GO_AHEAD, LETTER, Talk, make_world, queued, stored

from postroom_simulator.errors import StoreError

ODD_ENDS = {
    "LF.LF": b"\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "CRLF.LF": b"\r\n.\n",
    "CR.CR": b"\r.\r",
    "CRLF.CR": b"\r\n.\r",
    "LF.CR": b"\n.\r",
    "CRLF NUL.CRLF": b"\r\n\0.\r\n",
    "LF.CRCRLF": b"\n.\r\r\n",
    "CR.CRLF": b"\r.\r\n",
    "CR.LF": b"\r.\n",
    "CRLF.CRCRLF": b"\r\n.\r\r\n",
    "CRLF. NUL CRLF": b"\r\n.\0\r\n",
    "CRLF..CRLF": b"\r\n..\r\n",
    "CRLF.SP CRLF": b"\r\n. \r\n",
}
SMUGGLED = b"MAIL FROM:<evil@far.test>\r\nRCPT TO:<ann@sim.test>\r\nDATA\r\nsmuggled\r\n"


@pytest.mark.parametrize("name", ODD_ENDS)
@pytest.mark.parametrize("cut", [0, 1, 2, 5])
def test_no_odd_end_ends_the_text(name, cut):
    talk = Talk.greeted(make_world())
    text = b"Subject: x\r\n\r\nbody" + ODD_ENDS[name] + SMUGGLED
    assert talk.send(text, cut=cut) == b""
    assert stored(talk.world) == []
    assert talk.say(b".\r\n", cut) == queued(1)
    assert stored(talk.world) == [text.replace(b"\r\n.", b"\r\n")]
    assert talk.world.journal.count(verb="MAIL", protocol="smtp", detail="evil") == 0


def test_lone_line_ends_are_noted():
    talk = Talk.greeted(make_world())
    talk.send(b"a\nb\r\n.\r\n")
    talk.send(b"a\r\n.\r\n")
    first, second = talk.world.journal.commands("end-of-data")
    assert first.data == {"octets": 5, "lone_line_ends": True}
    assert second.data == {"octets": 3}


def test_long_lines_are_taken_and_noted():
    talk = Talk.greeted(make_world())
    text = b"a" * 70_000 + b"\r\n"
    assert talk.send(text + b".\r\n") == queued(1)
    assert stored(talk.world) == [text]
    assert talk.world.journal.commands("end-of-data")[0].data["long_lines"] is True


@pytest.mark.parametrize("text", [b"a\nb\r\n", b"a\rb\r\n", b"\n\r\n", b"a\r\r\n"])
def test_strict_line_ends(text):
    talk = Talk.greeted(make_world(strict_line_ends=True))
    assert talk.send(text + b".\r\n") == b"550 5.5.2 a lone CR or LF in the text\r\n"
    assert talk.send(LETTER + b".\r\n") == queued(1)
    assert stored(talk.world) == [LETTER]


@pytest.mark.parametrize("cut", [0, 1, 3])
def test_the_size_is_enforced_after_the_end(cut):
    talk = Talk.greeted(make_world(max_octets=100))
    line = b".." + b"a" * 47 + b"\r\n"  # 50 octets without its stuffed dot
    assert talk.send(line * 2 + b".\r\nNOOP\r\n", cut=cut) == queued(1) + b"250 2.0.0 OK\r\n"
    assert (
        talk.send(line * 2 + b"\r\n.\r\nNOOP\r\n", cut=cut) == b"552 5.3.4 a message has at most 100 octets\r\n250 2.0.0 OK\r\n"
    )
    assert talk.say(b"DATA\r\n") == b"503 5.5.1 need MAIL first\r\n"
    assert len(talk.world.inbox("ann@sim.test")) == 1


def test_a_message_over_the_limit_costs_no_memory_and_is_never_run():
    talk = Talk.greeted(make_world(max_octets=1000))
    talk.say(ENVELOPE + b"DATA\r\n")
    for _ in range(50):
        assert talk.say(b"QUIT\r\nRSET\n" * 1000) == b""
    assert talk.say(b"\r\n.\r\n") == b"552 5.3.4 a message has at most 1000 octets\r\n"
    assert not talk.session.closed


def test_without_the_trace_line_every_octet_is_the_sender_s():
    talk = Talk.greeted(make_world(trace=False))
    talk.send(LETTER + b".\r\n")
    assert talk.world.inbox("ann@sim.test") == [LETTER]


def test_the_greatest_number_of_recipients():
    talk = Talk.greeted(make_world(max_recipients=2))
    talk.say(b"MAIL FROM:<>\r\n")
    for name in (b"a", b"b"):
        assert talk.say(b"RCPT TO:<%s@far.test>\r\n" % name) == b"250 2.1.5 OK\r\n"
    assert talk.say(b"RCPT TO:<c@far.test>\r\n") == b"452 4.5.3 too many recipients\r\n"
    assert talk.say(b"DATA\r\n.\r\n").endswith(queued(1))


def test_a_message_that_goes_round_is_stopped():
    talk = Talk.greeted(make_world(max_hops=2))
    hop, body = b"Received: by x\r\n", b"\r\n" + b"Received: by x\r\n" * 9
    assert talk.send(hop * 2 + body + b".\r\n") == queued(1)
    assert talk.send(hop.upper() * 3 + body + b".\r\n") == b"554 5.4.6 more than 2 hops: a loop\r\n"


def test_a_failure_inside_a_text_never_runs_the_rest_of_it(monkeypatch):
    talk = Talk.greeted(make_world())
    monkeypatch.setattr("postroom_simulator.smtp.transaction.MessageText.feed", lambda *_: 1 / 0)
    assert talk.send(b"RSET\r\n.\r\n") == b"421 4.3.0 internal error (ZeroDivisionError)\r\n"
    assert talk.session.closed


def test_a_world_that_fails_is_no_success(monkeypatch, caplog):
    world = make_world()
    talk = Talk.greeted(world)

    def broken(*_, **__):
        raise StoreError("disk on fire")

    monkeypatch.setattr(world, "deliver", broken)
    assert talk.send(LETTER + b".\r\n") == b"451 4.3.0 internal error (StoreError)\r\n"
    assert "end-of-data failed" in caplog.text
    monkeypatch.undo()
    assert talk.send(LETTER + b".\r\n").startswith(b"250 2.6.0")


def test_settings_switch_extensions_off():
    talk = Talk(make_world(extensions=("HELP",)))
    assert talk.say(b"EHLO c\r\n") == b"250-mail.sim.test\r\n250 HELP\r\n"
    assert talk.say(b"MAIL FROM:<a@b.c> SIZE=1\r\n") == b"555 parameter SIZE is not known here\r\n"
    assert talk.say(b"MAIL FROM:<a@b.c> SMTPUTF8\r\n") == b"555 parameter SMTPUTF8 is not known here\r\n"
    assert talk.say(b"STARTTLS\r\n") == b"502 STARTTLS is not offered\r\n"
    assert talk.say(b"AUTH PLAIN\r\n") == b"502 AUTH is not offered\r\n"
    assert talk.say(b"MAIL FROM:<a@b.c>\r\n") == b"250 OK\r\n"


def test_authentication_and_tls_can_be_required():
    talk = Talk.greeted(make_world(require_auth=True))
    assert talk.say(b"MAIL FROM:<a@b.c>\r\n") == b"530 5.7.0 authentication required\r\n"
    talk = Talk.greeted(make_world(require_tls=True))
    assert talk.say(b"MAIL FROM:<a@b.c>\r\n") == b"530 5.7.0 must issue a STARTTLS command first\r\n"
    assert talk.say(b"NOOP\r\n") == b"250 2.0.0 OK\r\n"
    talk = Talk.greeted(make_world(require_tls=True), secure=True)
    assert talk.say(ENVELOPE) == ENVELOPE_OK


@pytest.mark.parametrize(
    "wrong",
    [{"extensions": ("CHUNKS",)}, {"relay": "all"}, {"max_octets": 0}, {"mechanisms": ("NTLM",)}, {"max_bad_commands": 0}],
)
def test_settings_that_cannot_be(wrong):
    with pytest.raises(ValueError, match=r"unknown|relay|at least"):
        make_world(**wrong)


def test_going_ahead_is_said_before_the_text():
    talk = Talk.greeted(make_world())
    assert talk.say(ENVELOPE + b"DATA\r\n") == ENVELOPE_OK + GO_AHEAD
