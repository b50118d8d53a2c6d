"""Faults at every phase: what the session does, and what it asks of its connection."""

import pytest
from smtp_talk import ANN, ENVELOPE, ENVELOPE_OK, GO_AHEAD, LETTER, Talk, make_world, plain, queued, stored

from postroom_simulator.faults import Cut, Delay, Drip, Drop, Fault, Garble, LoseReply, Reply, Stall, When
from postroom_simulator.journal import Kind
from postroom_simulator.session import Outgoing

MESSAGE = ENVELOPE + b"DATA\r\n" + LETTER + b".\r\n"
STEPS = {
    # step: what leads to it, the step itself, the reply to it, whether the letter is stored when it is taken
    "EHLO": (b"", b"EHLO x\r\n", b"250-mail.sim.test\r\n", False),
    "HELO": (b"", b"HELO x\r\n", b"250 mail.sim.test\r\n", False),
    "MAIL": (b"", b"MAIL FROM:<bob@far.test>\r\n", b"250 2.1.0 OK\r\n", False),
    "RCPT": (b"MAIL FROM:<>\r\n", b"RCPT TO:<ann@sim.test>\r\n", b"250 2.1.5 OK\r\n", False),
    "DATA": (ENVELOPE, b"DATA\r\n", GO_AHEAD, False),
    "end-of-data": (ENVELOPE + b"DATA\r\n" + LETTER, b".\r\n", queued(1), True),
    "RSET": (ENVELOPE, b"RSET\r\n", b"250 2.0.0 OK\r\n", False),
    "NOOP": (b"", b"NOOP\r\n", b"250 2.0.0 OK\r\n", False),
    "HELP": (b"", b"HELP DATA\r\n", b"214 2.0.0 Syntax: DATA\r\n", False),
    "VRFY": (b"", b"VRFY ann\r\n", b"252 2.5.0 cannot", False),
    "EXPN": (b"", b"EXPN ann\r\n", b"252 2.5.0 cannot", False),
    "BDAT": (ENVELOPE, b"BDAT 5\r\nabcde", b"250 2.0.0 5 octets received\r\n", False),
    "BDAT, the last": (ENVELOPE, b"BDAT %d LAST\r\n" % len(LETTER) + LETTER, queued(1), True),
    "end-of-data of BDAT": (ENVELOPE, b"BDAT %d LAST\r\n" % len(LETTER) + LETTER, queued(1), True),
    "AUTH": (b"", b"AUTH PLAIN " + plain() + b"\r\n", b"235 2.7.0", False),
    "auth": (b"AUTH PLAIN\r\n", plain() + b"\r\n", b"235 2.7.0", False),
    "STARTTLS": (b"", b"STARTTLS\r\n", b"220 2.0.0", False),
    "QUIT": (b"", b"QUIT\r\n", b"221 2.0.0 bye\r\n", False),
}
each_step = pytest.mark.parametrize("at", STEPS)


def faulty(at, effect):
    """A conversation that stands right before the step."""
    talk = Talk.greeted(make_world())
    talk.say(STEPS[at][0])
    talk.fault(at.partition(",")[0].partition(" ")[0], effect, nth=1)
    talk.outgoing.clear()
    return talk


@each_step
def test_a_reply_replaces_the_step(at):
    talk = faulty(at, Reply("451", "4.3.2 later"))
    line = b"451 later\r\n" if at in ("EHLO", "HELO") else b"451 4.3.2 later\r\n"
    assert talk.say(STEPS[at][1]) == line
    assert not talk.session.closed
    assert not talk.session.wants_tls
    assert talk.session.account is None
    assert stored(talk.world) == []
    assert talk.say(b"NOOP\r\n") == b"250 2.0.0 OK\r\n"
    assert talk.world.journal.count(kind=Kind.FAULT) == 1


@each_step
def test_a_421_ends_the_connection(at):
    talk = faulty(at, Reply("421", "going down"))
    assert talk.say(STEPS[at][1]).startswith(b"421 ")
    assert talk.session.closed
    assert talk.say(b"NOOP\r\n") == b""
    assert stored(talk.world) == []


@each_step
@pytest.mark.parametrize("effect", [Delay(5), Drip(1, 0.1)])
def test_what_delays_the_reply_acts_and_suspends(at, effect):
    talk = faulty(at, effect)
    said = talk.say(STEPS[at][1] + b"NOOP\r\n")
    assert said.startswith(STEPS[at][2])
    assert talk.outgoing[-1].effect == effect
    assert bool(stored(talk.world)) is STEPS[at][3]
    if at == "QUIT":
        assert talk.session.closed
        return
    assert talk.session.idle_limit is None
    assert talk.say(b"HELP DATA\r\n") == b""
    talk.session.timeout()
    assert talk.drain() == b""
    talk.session.resume()
    if at == "STARTTLS":
        assert talk.session.wants_tls
        assert talk.drain() == b""
    elif at != "DATA":
        assert talk.drain() == b"250 2.0.0 OK\r\n214 2.0.0 Syntax: DATA\r\n"
    else:
        assert talk.say(b".\r\n") == queued(1)


@each_step
def test_a_stall_with_an_end_takes_the_step_then(at):
    talk = faulty(at, Stall(30))
    assert talk.say(STEPS[at][1]) == b""
    assert talk.outgoing == [Outgoing(b"", Stall(30))]
    assert stored(talk.world) == []
    assert talk.session.account is None
    assert not talk.session.closed
    talk.session.resume()
    assert talk.drain().startswith(STEPS[at][2])
    assert bool(stored(talk.world)) is STEPS[at][3]


@each_step
def test_a_stall_for_ever_ends_with_the_peer(at):
    talk = faulty(at, Stall())
    assert talk.say(STEPS[at][1] + b"QUIT\r\n") == b""
    talk.session.receive_eof()
    assert talk.session.closed
    assert stored(talk.world) == []


@each_step
@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_drop_takes_no_step(at, how):
    talk = faulty(at, Drop(how))
    assert talk.say(STEPS[at][1]) == b""
    assert talk.outgoing == [Outgoing(b"", Drop(how))]
    assert talk.session.closed
    assert stored(talk.world) == []
    assert talk.session.account is None


@each_step
@pytest.mark.parametrize("effect", [Cut(3), LoseReply()])
def test_what_cuts_the_reply_acts_first(at, effect):
    talk = faulty(at, effect)
    said = talk.say(STEPS[at][1] + b"NOOP\r\n")
    assert said.startswith(STEPS[at][2])
    assert [out.effect for out in talk.outgoing] == [effect]
    assert talk.session.closed
    assert not talk.session.wants_tls
    assert bool(stored(talk.world)) is STEPS[at][3]
    assert talk.world.journal.replies()[-1].detail.encode() in said


@each_step
def test_a_garbled_reply_goes_on(at):
    talk = faulty(at, Garble(2))
    assert talk.say(STEPS[at][1]).startswith(STEPS[at][2])
    assert talk.effects == [Garble(2)]
    assert talk.session.closed is (at == "QUIT")


@each_step
def test_an_effect_meets_one_reply_only(at):
    talk = faulty(at, Garble())
    talk.say(STEPS[at][1])
    if at == "STARTTLS":
        talk.session.tls_established()
    talk.say(b".\r\n" if at == "DATA" else b"NOOP\r\n")
    assert talk.effects == [Garble()]


def test_faults_at_the_greeting():
    def greeted(effect):
        world = make_world()
        world.faults.add(Fault(When("smtp", "greeting"), effect))
        return Talk(world)

    assert greeted(Reply("421", "busy")).session.closed
    refused = greeted(Reply("554", "5.7.1 not you"))
    assert refused.greeting == b"554 not you\r\n"
    assert refused.say(b"EHLO c\r\n") == b"503 no service here\r\n"
    assert refused.say(b"QUIT\r\n") == b"221 2.0.0 bye\r\n"
    assert refused.session.closed
    stalled = greeted(Stall(9))
    assert stalled.greeting == b""
    stalled.session.resume()
    assert stalled.drain().startswith(b"220 ")
    dropped = greeted(Drop("rst"))
    assert (dropped.greeting, dropped.session.closed) == (b"", True)
    cut = greeted(Cut(4))
    assert cut.effects == [Cut(4)]
    assert cut.session.closed
    delayed = greeted(Delay(3))
    assert delayed.say(b"EHLO c\r\n") == b""
    delayed.session.resume()
    assert delayed.drain().startswith(b"250-")


@pytest.mark.parametrize("octets", range(len(LETTER) + 6))
@pytest.mark.parametrize("cut", [0, 1, 4])
def test_a_cut_in_the_text_counts_what_was_received(octets, cut):
    talk = Talk.greeted(make_world())
    talk.fault("text", Cut(octets, "rst"))
    said = talk.say(MESSAGE + b"NOOP\r\n", cut)
    if octets <= len(LETTER) + 3:
        assert said == ENVELOPE_OK + GO_AHEAD
        assert talk.effects == [Cut(octets, "rst")]
        assert talk.session.closed
        assert stored(talk.world) == []
    else:
        assert said == ENVELOPE_OK + GO_AHEAD + queued(1) + b"250 2.0.0 OK\r\n"
        assert talk.effects == []
        assert stored(talk.world) == [LETTER]


def test_a_cut_in_the_text_waits_for_its_octets():
    talk = Talk.greeted(make_world())
    talk.fault("text", Cut(5))
    talk.say(ENVELOPE + b"DATA\r\nabcd")
    assert not talk.session.closed
    talk.say(b"e")
    assert talk.session.closed


def test_a_stall_in_the_text():
    talk = Talk.greeted(make_world())
    talk.fault("text", Stall(60))
    assert talk.say(MESSAGE) == ENVELOPE_OK + GO_AHEAD
    assert talk.outgoing[-1] == Outgoing(b"", Stall(60))
    talk.session.resume()
    assert talk.drain() == queued(1)


def test_a_drop_in_the_text():
    talk = Talk.greeted(make_world())
    talk.fault("text", Drop())
    assert talk.say(MESSAGE) == ENVELOPE_OK + GO_AHEAD
    assert talk.session.closed
    assert stored(talk.world) == []


def test_a_refused_text_ends_the_transaction():
    talk = Talk.greeted(make_world())
    talk.fault("end-of-data", Reply("554", "5.6.0 spam"), nth=1)
    assert talk.send(LETTER + b".\r\n") == b"554 5.6.0 spam\r\n"
    assert talk.say(b"DATA\r\n") == b"503 5.5.1 need MAIL first\r\n"
    assert talk.send(LETTER + b".\r\n") == queued(1)


def test_one_recipient_of_three():
    talk = Talk.greeted(make_world())
    talk.fault("RCPT", Reply("450", "4.2.1 busy"), nth=2)
    said = talk.say(b"MAIL FROM:<>\r\n" + b"".join(b"RCPT TO:<%s@far.test>\r\n" % name for name in (b"a", b"b", b"c")))
    assert said == b"250 2.1.0 OK\r\n250 2.1.5 OK\r\n450 4.2.1 busy\r\n250 2.1.5 OK\r\n"
    talk.say(b"DATA\r\n.\r\n")
    assert talk.world.store.outbound()[0].recipients == ("a@far.test", "c@far.test")


@pytest.mark.parametrize("lines", [[b"AUTH PLAIN " + plain()], [b"AUTH PLAIN", plain()], [b"AUTH LOGIN", b"YW5u", b"YQ=="]])
def test_a_fault_for_one_account_knows_who_logs_in(lines):
    world = make_world()
    world.add_account("eve@sim.test", "x")
    talk = Talk.greeted(world)
    talk.fault("*", Reply("454", "4.7.0 later"), account=ANN)
    assert talk.say(b"AUTH PLAIN " + plain("eve", "wrong") + b"\r\n").startswith(b"535")
    for line in lines[:-1]:
        assert talk.say(line + b"\r\n").startswith(b"334 ")
    assert talk.say(lines[-1] + b"\r\n") == b"454 4.7.0 later\r\n"


def test_injected_refusals_are_no_bad_commands():
    talk = Talk.greeted(make_world(max_bad_commands=2))
    talk.fault("NOOP", Reply("500", "what"))
    for _ in range(5):
        assert talk.say(b"NOOP\r\n") == b"500 5.5.2 what\r\n"


def test_resume_without_a_suspension_changes_nothing():
    talk = Talk.greeted(make_world())
    talk.session.resume()
    assert talk.drain() == b""
    assert talk.say(b"NOOP\r\n") == b"250 2.0.0 OK\r\n"
