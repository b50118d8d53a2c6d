"""BDAT and BINARYMIME: RFC 3030."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smtp_talk import ENVELOPE, ENVELOPE_OK, GO_AHEAD, HELLO, LETTER, Talk, make_world, queued, stored

from postroom_simulator.faults import Cut, Delay, Drop, Reply, Stall

EHLO = (b"EHLO client.test\r\n", HELLO)
TO_ANN = (ENVELOPE, ENVELOPE_OK)
FAILED = b"503 5.5.1 a chunk was refused: send RSET\r\n"
OK = b"250 2.0.0 OK\r\n"


def got(number):
    return b"250 2.0.0 %d octets received\r\n" % number


CONVERSATIONS = {
    "one chunk": [EHLO, TO_ANN, (b"BDAT 4 LAST\r\n.\r\n.", queued(1)), (b"NOOP\r\n", OK)],
    "chunks that cut lines": [EHLO, TO_ANN, (b"BDAT 2\r\na\r", got(2)), (b"bdat 3 last\r\n\nb.", queued(1))],
    "an empty last one": [EHLO, TO_ANN, (b"BDAT 3\r\nabc", got(3)), (b"BDAT 0 LAST\r\n", queued(1))],
    "an empty message": [EHLO, TO_ANN, (b"BDAT 0 LAST\r\n", queued(1))],
    "commands inside": [EHLO, TO_ANN, (b"BDAT 12\r\nQUIT\r\nRSET\r\n", got(12)), (b"BDAT 5 LAST\r\n\r\n.\r\n", queued(1))],
    "without a transaction": [
        (b"BDAT 6\r\nQUIT\r\n", b"503 5.5.1 send EHLO or HELO first\r\n"),
        EHLO,
        (b"BDAT 6 LAST\r\nQUIT\r\n", b"503 5.5.1 need MAIL first\r\n"),
        TO_ANN,
    ],
    "no recipient": [
        EHLO,
        (b"MAIL FROM:<bob@far.test>\r\n", b"250 2.1.0 OK\r\n"),
        (b"BDAT 6\r\nQUIT\r\n", b"503 5.5.1 need an accepted RCPT first\r\n"),
        (b"BDAT 8 LAST\r\nSTARTTLS", FAILED),
        (b"RCPT TO:<ann@sim.test>\r\n", FAILED),
        (b"VRFY ann\r\n", FAILED),
        (b"NOOP\r\n", OK),
        (b"RSET\r\n", OK),
        TO_ANN,
    ],
    "DATA and BDAT do not mix": [
        EHLO,
        TO_ANN,
        (b"BDAT 3\r\nabc", got(3)),
        (b"RCPT TO:<eve@far.test>\r\n", b"503 5.5.1 the text has begun\r\n"),
        (b"MAIL FROM:<a@b.c>\r\n", b"503 5.5.1 a transaction is in progress\r\n"),
        (b"DATA\r\n", b"503 5.5.1 the text has begun with BDAT\r\n"),
        (b"BDAT 3 LAST\r\nabc", FAILED),
        (b"EHLO client.test\r\n", HELLO),
        TO_ANN,
        (b"DATA\r\n", GO_AHEAD),
        (b"BDAT 3\r\n.\r\n", queued(1)),
    ],
    "BINARYMIME": [
        EHLO,
        (b"MAIL FROM:<a@b.c> BODY=binarymime\r\n", b"250 2.1.0 OK\r\n"),
        (b"RCPT TO:<ann@sim.test>\r\n", b"250 2.1.5 OK\r\n"),
        (b"DATA\r\n", b"503 5.5.1 BINARYMIME needs BDAT\r\n"),
        (b"BDAT 3 LAST\r\n\0\n\r", FAILED),
        (b"RSET\r\n", OK),
        (b"MAIL FROM:<a@b.c> BODY=BINARYMIME\r\n", b"250 2.1.0 OK\r\n"),
        (b"RCPT TO:<ann@sim.test>\r\n", b"250 2.1.5 OK\r\n"),
        (b"BDAT 3 LAST\r\n\0\n\r", queued(1)),
    ],
    "too big": [
        EHLO,
        TO_ANN,
        (b"BDAT 26214401 \r\n" + b"x" * 50, b""),
    ],
    "nobody knows how much comes": [EHLO, TO_ANN, (b"BDAT -3 LAST\r\nRSET\r\n", b"501 5.5.4 syntax: BDAT count [LAST]\r\n")],
}


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("cut", [0, 1, 2, 3, 7])
def test_step_by_step(name, cut):
    talk = Talk(make_world())
    for said, answered in CONVERSATIONS[name]:
        assert (said, talk.say(said, cut)) == (said, answered)


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_all_at_once_and_cut_at_every_octet(name):
    octets = b"".join(said for said, _ in CONVERSATIONS[name])
    expected = b"".join(answered for _, answered in CONVERSATIONS[name])
    whole = Talk(make_world())
    assert whole.say(octets) == expected
    for at in range(1, len(octets)):
        talk = Talk(make_world())
        assert talk.say(octets[:at]) + talk.say(octets[at:]) == expected
        if at % 17 == 0:
            assert talk.world.journal.fields() == whole.world.journal.fields()
            assert stored(talk.world) == stored(whole.world)


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(
        st.sampled_from([b"", b".", b"..", b"a", b".\r", b"\n.", b"QUIT", b"BDAT 9 LAST", b"\0\xff", b"x" * 1200]), max_size=12
    ),
    sizes=st.lists(st.integers(0, 30), max_size=12),
    cut=st.integers(0, 9),
)
def test_the_same_message_as_with_data(lines, sizes, cut):
    text = b"".join(line + b"\r\n" for line in lines)
    chunks, at = [], 0
    for size in sizes:
        chunks.append(text[at : at + size])
        at += len(chunks[-1])
    asked = b"".join(b"BDAT %d\r\n" % len(chunk) + chunk for chunk in chunks)
    asked += b"BDAT %d LAST\r\n" % len(text[at:]) + text[at:]
    chunked, dotted = Talk.greeted(make_world()), Talk.greeted(make_world())
    assert chunked.say(ENVELOPE + asked, cut).endswith(queued(1))
    assert dotted.send((b"\r\n" + text).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n") == queued(1)
    assert chunked.world.inbox("ann@sim.test") == dotted.world.inbox("ann@sim.test")
    assert chunked.world.journal.commands("end-of-data")[0].data == dotted.world.journal.commands("end-of-data")[0].data


SMUGGLERS = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\n.\r", b"\r\n\0.\r\n", b"\n.\r\r\n", b"\r\n.\r\n",
]  # fmt: skip


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("end", SMUGGLERS)
def test_nothing_is_smuggled_in_a_chunk(end, secure):
    text = b"Subject: x\r\n\r\na" + end + b"MAIL FROM:<evil@far.test>\r\nRCPT TO:<ann@sim.test>\r\nDATA\r\nb\r\n.\r\n"
    talk = Talk.greeted(make_world(), secure=secure)
    assert talk.say(ENVELOPE + b"BDAT %d LAST\r\n" % len(text) + text) == ENVELOPE_OK + queued(1)
    assert stored(talk.world) == [text]


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("end", SMUGGLERS[:-1])
def test_nothing_is_smuggled_in_lines(end, secure):
    text = b"Subject: x\r\n\r\na" + end + b"RSET\r\n"
    talk = Talk.greeted(make_world(), secure=secure)
    assert talk.send(text + b".\r\n") == queued(1)
    assert stored(talk.world) == [text.replace(b"\r\n.", b"\r\n")]


def test_octets_over_the_limit_are_read_and_dropped():
    talk = Talk.greeted(make_world(max_octets=1000))
    assert talk.say(ENVELOPE + b"BDAT 600\r\n" + b"x" * 600) == ENVELOPE_OK + got(600)
    assert talk.say(b"BDAT 99999 LAST\r\n" + b"QUIT\r\n" * 16666 + b"ab") == b""
    assert talk.session._server.envelope.chunks.octets() == b""
    assert talk.say(b"c") == b"552 5.3.4 a message has at most 1000 octets\r\n"
    assert talk.say(b"BDAT 0 LAST\r\n") == FAILED
    assert talk.say(b"RSET\r\n" + ENVELOPE + b"BDAT 1000 LAST\r\n" + b"x" * 1000).endswith(queued(1))


def test_a_count_that_nobody_can_send_costs_nothing():
    talk = Talk.greeted(make_world())
    talk.say(ENVELOPE + b"BDAT 99999999999999999999 LAST\r\n")
    for _ in range(900):
        assert talk.say(b"QUIT\r\n" * 5461) == b""
    assert talk.session._server.envelope.chunks.octets() == b""
    talk.session.receive_eof()
    assert stored(talk.world) == []


@pytest.mark.parametrize(
    "argument", [b"", b" ", b" x", b" 1 2", b" 1 LAST x", b" +1", b" 1_0", b" \xd9\xa1", b" 1\0", b" 123456789012345678901"]
)
def test_a_count_that_cannot_be_read_ends_the_connection(argument):
    talk = Talk.greeted(make_world())
    assert talk.say(ENVELOPE + b"BDAT" + argument + b"\r\nRSET\r\n").startswith(ENVELOPE_OK + b"50")
    assert talk.session.closed


def test_a_refusal_for_another_reason_reads_the_octets_too():
    talk = Talk.greeted(make_world(require_tls=True))
    assert talk.say(b"BDAT 6\r\nQUIT\r\nNOOP\r\n") == b"530 5.7.0 must issue a STARTTLS command first\r\n" + OK
    talk = Talk.greeted(make_world(extensions=("HELP", "BINARYMIME")))
    assert talk.say(b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n") == b"502 BDAT is not offered\r\n250 OK\r\n"
    assert talk.say(b"MAIL FROM:<a@b.c> BODY=BINARYMIME\r\n") == b"555 parameter BODY is not known here\r\n"
    assert talk.say(b"EHLO c\r\n") == b"250-mail.sim.test\r\n250 HELP\r\n"


def test_a_message_refused_at_its_end_needs_rset():
    talk = Talk.greeted(make_world(max_hops=1))
    text = b"Received: x\r\n" * 3 + b"\r\n"
    reply = talk.say(ENVELOPE + b"BDAT %d LAST\r\n" % len(text) + text)
    assert reply == ENVELOPE_OK + b"554 5.4.6 more than 1 hops: a loop\r\n"
    assert talk.say(b"MAIL FROM:<a@b.c>\r\n") == FAILED
    assert talk.say(b"RSET\r\nMAIL FROM:<a@b.c>\r\n") == OK + b"250 2.1.0 OK\r\n"


def test_strict_line_ends_hold_for_text_and_not_for_binary():
    talk = Talk.greeted(make_world(strict_line_ends=True))
    assert talk.say(ENVELOPE + b"BDAT 3 LAST\r\na\nb").endswith(b"550 5.5.2 a lone CR or LF in the text\r\n")
    talk.say(b"RSET\r\nMAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<ann@sim.test>\r\n")
    assert talk.say(b"BDAT 3 LAST\r\na\nb") == queued(1)


def test_a_chunk_refused_by_a_fault_is_read_and_lost():
    talk = Talk.greeted(make_world())
    talk.fault("BDAT", Reply("452", "4.3.1 no room"), nth=2)
    said = talk.say(ENVELOPE + b"BDAT 3\r\nabcBDAT 6\r\nQUIT\r\nBDAT 1 LAST\r\nxRSET\r\n")
    assert said == ENVELOPE_OK + got(3) + b"452 4.3.1 no room\r\n" + FAILED + OK
    assert stored(talk.world) == []


def test_faults_at_the_end_of_the_chunks():
    talk = Talk.greeted(make_world())
    talk.fault("end-of-data", Reply("451", "4.3.0 later"), nth=1)
    assert talk.say(ENVELOPE + b"BDAT 3\r\nabcBDAT 0 LAST\r\n") == ENVELOPE_OK + got(3) + b"451 4.3.0 later\r\n"
    assert talk.say(ENVELOPE) == FAILED * 2
    talk.fault("text", Stall(5), nth=1)
    talk.say(b"RSET\r\n" + ENVELOPE)
    assert talk.say(b"BDAT 3\r\nabc") == got(3)
    assert talk.say(b"BDAT 0 LAST\r\n") == b""
    talk.session.resume()
    assert talk.drain() == queued(1)


@pytest.mark.parametrize("octets", range(len(LETTER) + 2))
@pytest.mark.parametrize("cut", [0, 1, 4])
def test_a_cut_in_the_text_counts_the_last_chunk(octets, cut):
    talk = Talk.greeted(make_world())
    talk.fault("text", Cut(octets, "rst"))
    said = talk.say(ENVELOPE + b"BDAT 2\r\nX-BDAT %d LAST\r\n" % len(LETTER) + LETTER + b"NOOP\r\n", cut)
    if octets <= len(LETTER):
        assert said == ENVELOPE_OK + got(2)
        assert talk.effects == [Cut(octets, "rst")]
        assert stored(talk.world) == []
    else:
        assert said == ENVELOPE_OK + got(2) + queued(1) + OK
        assert stored(talk.world) == [b"X-" + LETTER]


def test_a_drop_before_the_last_chunk_stores_nothing():
    talk = Talk.greeted(make_world())
    talk.fault("text", Drop())
    assert talk.say(ENVELOPE + b"BDAT 3 LAST\r\nabc") == ENVELOPE_OK
    assert talk.session.closed
    assert stored(talk.world) == []


def test_a_delay_at_bdat_delays_the_last_reply_of_all():
    talk = Talk.greeted(make_world())
    talk.fault("BDAT", Delay(5))
    talk.say(ENVELOPE + b"BDAT 3 LAST\r\nabcNOOP\r\n")
    assert talk.outgoing[-1].effect == Delay(5)
    assert talk.outgoing[-1].octets == queued(1)
    talk.session.resume()
    assert talk.drain() == OK


def test_the_peer_that_goes_in_a_chunk_leaves_nothing():
    talk = Talk.greeted(make_world())
    talk.say(ENVELOPE + b"BDAT 30 LAST\r\nabc")
    talk.session.receive_eof()
    assert stored(talk.world) == []


def test_eight_bits_that_nobody_declared_are_noted():
    talk = Talk.greeted(make_world())
    for body in (b"", b" BODY=8BITMIME", b" BODY=7BIT"):
        talk.send(b"\xff\r\n.\r\n", b"MAIL FROM:<>" + body + b"\r\nRCPT TO:<ann@sim.test>\r\n")
    noted = [entry.data.get("undeclared_8bit") for entry in talk.world.journal.commands("end-of-data")]
    assert noted == [True, None, True]
