"""Policies: each verdict as a table over history and request, and what sessions say."""

from datetime import UTC, datetime, timedelta

import pytest
from smtp_talk import ANN, ENVELOPE_OK, LETTER, Talk, make_world, plain, queued

from postroom_simulator.clock import EPOCH
from postroom_simulator.faults import Delay
from postroom_simulator.journal import Kind
from postroom_simulator.policies import (
    ConnectionCap,
    Greylist,
    History,
    Mark,
    Policies,
    RateLimit,
    RecipientLimit,
    RefuseRecipient,
    Request,
    SenderMustMatch,
    SizeLimit,
    Tarpit,
)

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def request(step="RCPT", at=0.0, **values):
    values = {"client": "10.0.0.7", "sender": "bob@far.test", "recipient": ANN if step == "RCPT" else ""} | values
    return Request(step, NOON + timedelta(seconds=at), **values)


def code(refusal):
    return None if refusal is None else " ".join(refusal.reply.split()[:2])


VERDICTS = [
    (ConnectionCap(total=2), request("connect", open=1), None),
    (ConnectionCap(total=2), request("connect", open=2), "421 4.7.0"),
    (ConnectionCap(per_client=0), request("connect"), "421 4.7.0"),
    (ConnectionCap(per_client=1), request("connect", open=5, open_here=0), None),
    (ConnectionCap(total=0), request("MAIL"), None),
    (SenderMustMatch(), request("MAIL", account=ANN, owns_sender=False), "553 5.7.1"),
    (SenderMustMatch(), request("MAIL", account=ANN), None),
    (SenderMustMatch(), request("MAIL", owns_sender=False), None),
    (RecipientLimit(2), request(recipients=("a@b", "b@b")), "452 4.5.3"),
    (RecipientLimit(2), request(recipients=("a@b",)), None),
    (RecipientLimit(0, account="ANN@sim.test"), request(account=ANN), "452 4.5.3"),
    (RecipientLimit(0, account="eve@sim.test"), request(account=ANN), None),
    (RecipientLimit(0, account=ANN), request(), None),
    (SizeLimit(10), request("MAIL", size=11), "552 5.3.4"),
    (SizeLimit(10), request("MAIL", size=10), None),
    (SizeLimit(10, account=ANN), request("MAIL", size=11), None),
    (SizeLimit(10, account=ANN), request("message", size=11, account=ANN), "552 5.3.4"),
    (SizeLimit(10, account=ANN), request(size=11), "552 5.2.3"),
    (SizeLimit(10, account=ANN), request(size=11, recipient="eve@sim.test"), None),
    (SizeLimit(10, account=ANN), request("message", size=11, recipients=("eve@sim.test", ANN)), "552 5.2.3"),
    (RefuseRecipient(ANN), request(), "550 5.1.1"),
    (RefuseRecipient(ANN), request(recipient="eve@sim.test"), None),
    (RefuseRecipient("@SIM.test", "450", "4.2.0 x"), request(), "450 4.2.0"),
    (RefuseRecipient("@im.test"), request(), None),
    (RefuseRecipient("@bücher.test"), request(recipient="x@xn--bcher-kva.test"), "550 5.1.1"),
    (RefuseRecipient("*", "421", "4.3.2 x"), request(), "421 4.3.2"),
    (RefuseRecipient(ANN, until=NOON), request(at=-1), "550 5.1.1"),
    (RefuseRecipient(ANN, until=NOON), request(), None),
    (RefuseRecipient(ANN), request("MAIL"), None),
    (Tarpit(0), request("MAIL"), None),
]


@pytest.mark.parametrize(("policy", "asked", "said"), VERDICTS)
def test_verdicts_without_history(policy, asked, said):
    assert code(policy.judge(History(), asked)) == said


RUNS = {
    # policy: steps as (what is asked, what is said); an accepted step is remembered
    "greylist": (
        Greylist(300, 3600),
        [
            (request(at=0), "450 4.7.1"),
            (request(at=299), "450 4.7.1"),
            (request(at=10, client="10.0.0.99"), "450 4.7.1"),
            (request(at=300, client="10.0.0.99"), None),
            (request(at=300, client="10.0.1.7"), "450 4.7.1"),
            (request(at=300, sender="eve@far.test"), "450 4.7.1"),
            (request(at=300, recipient="EVE@sim.test"), "450 4.7.1"),
            (request(at=301, sender="BOB@far.test"), None),
            (request(at=3901), None),
            (request(at=7502), "450 4.7.1"),
            (request(at=7502, account=ANN), None),
        ],
    ),
    "greylist, IPv6, and never again": (
        Greylist(60, 600),
        [
            (request(at=0, client="2001:db8::1"), "450 4.7.1"),
            (request(at=60, client="2001:db8::ffff"), None),
            (request(at=0, client="no address"), "450 4.7.1"),
            (request(at=601, client="no address"), "450 4.7.1"),
            (request(at=661, client="no address"), None),
        ],
    ),
    "messages of a client": (
        RateLimit(2, 60, "client"),
        [
            (request("message", at=0), None),
            (request("MAIL", at=1), None),
            (request("message", at=1), None),
            (request("MAIL", at=2), "450 4.7.28"),
            (request("MAIL", at=2, client="10.9.9.9"), None),
            (request("MAIL", at=59), "450 4.7.28"),
            (request("MAIL", at=60), None),
        ],
    ),
    "recipients of an account": (
        RateLimit(1, 60, "account", "recipients", "451", "4.7.28 slowly"),
        [
            (request(at=0, account=ANN), None),
            (request(at=1, account=ANN.upper()), "451 4.7.28"),
            (request(at=1), None),
            (request(at=2), None),
        ],
    ),
    "messages to a recipient": (
        RateLimit(1, 60, "recipient", code="421"),
        [
            (request("message", recipients=(ANN, "eve@sim.test")), None),
            (request("MAIL"), None),
            (request(), "421 4.7.28"),
            (request(recipient="max@sim.test"), None),
        ],
    ),
    "all together, none at all": (RateLimit(0, 60, "all"), [(request("MAIL"), "450 4.7.28")]),
    "refused twice": (
        RefuseRecipient("*", "451", "4.3.0 later", times=2),
        [
            (request(), "451 4.3.0"),
            (request(), "451 4.3.0"),
            (request(), None),
            (request(recipient="eve@sim.test"), "451 4.3.0"),
        ],
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_verdicts_over_time(name):
    policy, steps = RUNS[name]
    policies = Policies([policy])
    for asked, said in steps:
        refusal = policies.judge(asked)
        assert (asked, code(refusal)) == (asked, said)
        if refusal is None:
            policies.accepted(asked)


def test_judging_is_pure():
    history = History()
    policy = Greylist()
    assert policy.judge(history, request()) == policy.judge(history, request())
    assert len(history) == 0


def test_a_limit_that_changes_goes_on_with_what_was_counted():
    policies = Policies()
    five = policies.add(RateLimit(5, 60, "all"))
    for _ in range(3):
        policies.accepted(request("message"))
    policies.remove(five)
    policies.add(RateLimit(3, 60, "all"))
    assert code(policies.judge(request("MAIL"))) == "450 4.7.28"
    policies.clear()
    assert policies.judge(request("MAIL")) is None


def test_a_history_is_bounded(monkeypatch):
    monkeypatch.setattr("postroom_simulator.policies.KEPT_KEYS", 10)
    history = History()
    for number in range(50):
        history.remember([Mark((str(number),))], NOON)
    assert len(history) == 10
    assert history.times(("49",))
    assert not history.times(("0",))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Greylist(-1),
        lambda: Greylist(ipv4=33),
        lambda: RateLimit(1, 60, "people"),
        lambda: RateLimit(10**6, 60),
        lambda: RefuseRecipient(ANN, "250"),
        lambda: RefuseRecipient(ANN, text="a\r\nb"),
        lambda: RefuseRecipient(ANN, times=0),
        lambda: RefuseRecipient(ANN, until=datetime(2026, 1, 1)),  # noqa: DTZ001
        lambda: ConnectionCap(total=-1),
    ],
)
def test_what_cannot_be(make):
    with pytest.raises(ValueError, match=r"."):
        make()


# -- in sessions


def world_with(*policies, **settings):
    world = make_world(**settings)
    for policy in policies:
        world.smtp.policies.add(policy)
    return world


def envelope(sender="bob@far.test", recipient=ANN):
    return f"MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\n".encode()


def test_a_greylisted_client_comes_again():
    world = world_with(Greylist(300))
    talk = Talk.greeted(world)
    late = b"450 4.7.1 greylisted, come again in %d seconds\r\n"
    assert talk.say(envelope()) == b"250 2.1.0 OK\r\n" + late % 300
    world.clock.advance(100)
    assert talk.say(b"RCPT TO:<ann@sim.test>\r\n") == late % 200
    world.clock.advance(200)
    assert talk.say(b"RCPT TO:<ann@sim.test>\r\n") == b"250 2.1.5 OK\r\n"


def test_policies_change_while_a_session_runs():
    world = world_with()
    talk = Talk.greeted(world)
    refuse = world.smtp.policies.add(RefuseRecipient(ANN, "552", "5.2.2 full"))
    assert talk.say(envelope()) == b"250 2.1.0 OK\r\n552 5.2.2 full\r\n"
    world.smtp.policies.remove(refuse)
    assert talk.say(b"RCPT TO:<ann@sim.test>\r\n") == b"250 2.1.5 OK\r\n"


def test_a_window_counts_what_was_taken():
    world = world_with(RateLimit(1, 60, "client"))
    talk = Talk.greeted(world)
    assert talk.say(envelope()) == ENVELOPE_OK
    talk.say(b"RSET\r\n")
    assert talk.send(LETTER + b".\r\n") == queued(1)
    assert talk.say(envelope()).startswith(b"450 4.7.28 too much mail, try again later\r\n")
    world.clock.advance(60)
    assert talk.say(envelope()) == ENVELOPE_OK


def test_421_ends_the_connection():
    talk = Talk.greeted(world_with(RefuseRecipient("*", "421", "4.3.2 go away")))
    assert talk.say(envelope()) == b"250 2.1.0 OK\r\n421 4.3.2 go away\r\n"
    assert talk.session.closed


@pytest.mark.parametrize(
    ("sender", "ok"), [(ANN, True), ("ann+x@SIM.test", True), ("info@sim.test", True), ("", True), ("eve@sim.test", False)]
)
def test_the_sender_must_be_who_is_logged_in(sender, ok):
    world = world_with(SenderMustMatch())
    world.change_addresses(ANN, aliases=["info@sim.test"])
    world.add_account("eve@sim.test")
    talk = Talk.greeted(world)
    talk.say(b"AUTH PLAIN " + plain() + b"\r\n")
    said = talk.say(f"MAIL FROM:<{sender}>\r\n".encode())
    assert said.startswith(b"250 2.1.0 " if ok else b"553 5.7.1 ")


def test_connections_are_capped():
    world = world_with(ConnectionCap(total=2))
    first, second = Talk(world), Talk(world)
    third = Talk(world)
    assert third.greeting == b"421 too many connections\r\n"
    assert third.session.closed
    first.say(b"QUIT\r\n")
    fourth = Talk(world)
    assert fourth.greeting.startswith(b"220 ")
    second.session.receive_eof()
    assert Talk(world).greeting.startswith(b"220 ")


def test_errors_are_said_late():
    world = world_with(Tarpit(errors=1, seconds=7))
    talk = Talk.greeted(world)
    assert talk.say(b"WHAT\r\nNOOP\r\n").endswith(b"250 2.0.0 OK\r\n")
    assert talk.effects == []
    talk.say(b"WHAT\r\nNOOP\r\n")
    assert talk.effects == [Delay(7)]
    talk.session.resume()
    assert talk.drain() == b"250 2.0.0 OK\r\n"
    assert world.journal.count(kind=Kind.NOTE, detail="tarpit: 7 seconds") == 1


def test_in_memory_the_clock_moves_over_the_tarpit():
    world = world_with(Tarpit(errors=0, seconds=30))
    with world, world.connect("smtp") as line:
        line.recv(1000)
        line.sendall(b"WHAT\r\n")
        assert line.recv(1000).startswith(b"500 ")
        assert world.clock.now() == EPOCH + timedelta(seconds=30)


def test_postmaster_gets_his_mail_all_the_same():
    world = world_with(Greylist(), RefuseRecipient("@sim.test"), RateLimit(0, 60, "all", "recipients"), relay="nobody")
    world.add_account("postmaster@sim.test", disabled=True, quota=1)
    talk = Talk.greeted(world)
    for name in ("postmaster", "PostMaster@sim.test", "postmaster@MAIL.sim.test"):
        assert talk.say(envelope(recipient=name)).endswith(b"\r\n250 2.1.5 OK\r\n")
        assert talk.say(b"DATA\r\n" + LETTER + b".\r\nRSET\r\n").endswith(b"250 2.0.0 OK\r\n")
    assert len(world.inbox("postmaster@sim.test")) == 2
    assert len(world.store.outbound()) == 1
    assert world.store.quota("postmaster@sim.test") == 1
    assert talk.say(envelope(recipient="postmaster@far.test")).endswith(b"550 5.7.1 relaying denied\r\n")
    world.smtp.policies.add(RefuseRecipient("postmaster@sim.test", "450", "4.2.1 flood"))
    assert talk.say(b"RCPT TO:<postmaster@sim.test>\r\n") == b"450 4.2.1 flood\r\n"
    assert world.directory.account("postmaster@sim.test").disabled


def test_the_real_size_is_judged_too():
    talk = Talk.greeted(world_with(SizeLimit(20, ANN)))
    assert talk.say(b"MAIL FROM:<> SIZE=21\r\nRCPT TO:<ann@sim.test>\r\n").endswith(
        b"552 5.2.3 a message for this mailbox has at most 20 octets\r\n"
    )
    talk.say(b"RSET\r\n")
    assert talk.send(b"x" * 19 + b"\r\n.\r\n") == b"552 5.2.3 a message for this mailbox has at most 20 octets\r\n"
    assert talk.send(b"x" * 18 + b"\r\n.\r\n") == queued(1)
