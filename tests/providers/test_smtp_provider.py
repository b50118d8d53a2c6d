"""The SMTP provider: every claimed email is reported, nothing is sent twice, whatever the server does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.errors import (
    AuthError,
    Cancelled,
    ConnectionFailed,
    ProtocolError,
    ProviderError,
    ServerTimeout,
    StaleRun,
    StoreError,
    TlsError,
    TransientError,
)
from postroom.mime.values import Address, OutgoingMessage
from postroom.providers.builtin.smtp import SmtpConfig, SmtpProvider, SmtpState, wire_address
from postroom.providers.builtin.smtp_dialogue import stuffed
from postroom.providers.contract import (
    ClaimedEmail,
    ProviderEnv,
    RecipientResult,
    RunContext,
    RunOutcome,
    Submission,
    SubmissionResult,
)
from postroom.providers.secret import Secret
from postroom.testing.fake_gateway import FakeGateway, MemoryLog, make_context
from postroom.testing.memory import WorldConnector
from postroom_simulator.errors import FaultError
from postroom_simulator.faults import Cut, Drop, Fault, Garble, LoseReply, Refuse, Reply, Stall, When
from postroom_simulator.world import World
from providers.scripted import NOTHING, ScriptedConnector, ScriptedSocket

ME, YOU, OTHER = "me@sim.test", "you@sim.test", "other@sim.test"
SENT, FAILED, RETRY, UNCERTAIN = SubmissionResult


@pytest.fixture
def world() -> Iterator[World]:
    with World() as made:
        for address in (ME, YOU, OTHER):
            made.add_account(address, "secret")
        yield made


def email(number: int = 1, *recipients: str, sender: str = ME, **values: Any) -> ClaimedEmail:
    to = recipients or (YOU,)
    message = OutgoingMessage(
        message_id=f"<{number}@postroom.test>",
        date=datetime(2026, 1, 5, 8, tzinfo=UTC),
        from_=Address(ME),
        to=tuple(Address(one) for one in to if one.isascii() and "\n" not in one),
        **{"subject": f"mail {number}", "text": "hello\r\n.dot\r\n", **values},
    )
    return ClaimedEmail(f"e{number}", 1, sender, to, message)


class Sends:
    """One instance sending into a world."""

    def __init__(self, world: World, net: Any = None, **config: Any) -> None:
        values: dict[str, Any] = {
            "host": world.hostname,
            "port": 587,
            "user": ME,
            "password": Secret("secret"),
            "tls": "starttls",
            "hello_name": "postroom.test",
        }
        self.world = world
        self.net = net if net is not None else WorldConnector(world)
        self.provider = SmtpProvider(SmtpConfig(**{**values, **config}), ProviderEnv("i", mailbox=ME))
        self.gateway = FakeGateway()
        self.log = MemoryLog()

    def context(self, **arguments: Any) -> RunContext[SmtpState]:
        return make_context(SmtpState(), net=self.net, clock=self.world.clock, gateway=self.gateway, log=self.log, **arguments)

    def send(self, *emails: ClaimedEmail, **arguments: Any) -> RunOutcome:
        self.gateway.outgoing.extend(emails)
        return self.provider.run(self.context(**arguments))

    def result(self, number: int = 1) -> Submission:
        return self.gateway.reports[f"e{number}"]

    @property
    def results(self) -> list[SubmissionResult]:
        return [self.gateway.reports[key].result for key in sorted(self.gateway.reports)]


@pytest.mark.parametrize(
    "config", [{}, {"tls": "none", "port": 25, "user": ""}, {"tls": "implicit", "port": 465}], ids=["587", "25", "465"]
)
def test_mail_arrives_and_is_reported(world: World, config: dict[str, Any]) -> None:
    sends = Sends(world, **config)
    outcome = sends.send(email(1), email(2, YOU, OTHER))
    assert (outcome.processed, outcome.delivered, outcome.error) == (2, 2, None)
    assert sends.results == [SENT, SENT]
    assert all(one.accepted for one in sends.result(2).recipients)
    assert len(world.inbox(YOU)) == 2
    assert b"\r\n.dot\r\n" in world.inbox(YOU)[0]
    assert len(world.journal.commands("QUIT")) == 1, "several emails, one connection"


def test_nothing_to_send_makes_no_connection(world: World) -> None:
    sends = Sends(world, host="nowhere.test")
    assert sends.send() == RunOutcome()
    with pytest.raises(ConnectionFailed):
        sends.provider.check(sends.context())


def test_the_mark_comes_before_the_dot(world: World) -> None:
    sends = Sends(world)
    seen_at_mark: list[int] = []
    mark = sends.gateway.mark_submitting

    def marking(one: ClaimedEmail, refused: Sequence[RecipientResult] = ()) -> None:
        seen_at_mark.append(len(world.inbox(YOU)))
        mark(one, refused)

    sends.gateway.mark_submitting = marking  # type: ignore[method-assign]
    sends.send(email())
    assert seen_at_mark == [0]
    assert [call.name for call in sends.gateway.calls] == ["claim_outgoing", "mark_submitting", "report_outgoing"]


def test_check_sends_nothing(world: World) -> None:
    sends = Sends(world)
    assert sends.provider.check(sends.context()).detail == "logged in"
    assert sends.gateway.calls == []
    assert world.journal.deliveries() == []


# -- refusals


def test_a_partial_refusal_is_told_for_each_recipient(world: World) -> None:
    world.faults.add(Fault(When("smtp", "RCPT", nth=2), Reply("550", "5.1.1 nobody")))
    world.faults.add(Fault(When("smtp", "RCPT", nth=3), Reply("450", "4.2.1 later")))
    sends = Sends(world)
    sends.send(email(1, YOU, "nobody@sim.test", OTHER))
    told = sends.result()
    assert told.result is SENT
    assert [(one.accepted, one.permanent) for one in told.recipients][1:] == [(False, True), (False, False)]
    assert "nobody" in told.recipients[1].reply
    assert len(world.inbox(YOU)) == 1


@pytest.mark.parametrize(("codes", "result"), [(("550", "550"), FAILED), (("450", "450"), RETRY), (("550", "452"), RETRY)])
def test_all_recipients_refused(world: World, codes: tuple[str, str], result: SubmissionResult) -> None:
    for number, code in enumerate(codes, 1):
        world.faults.add(Fault(When("smtp", "RCPT", nth=number), Reply(code, "no")))
    sends = Sends(world)
    sends.send(email(1, YOU, OTHER), email(2))
    assert sends.results == [result, SENT]
    assert len(sends.result(1).recipients) == 2


@pytest.mark.parametrize("at", ["MAIL", "DATA", "end-of-data"])
@pytest.mark.parametrize(("code", "result"), [("451", RETRY), ("552", FAILED)])
def test_refused_as_a_whole(world: World, at: str, code: str, result: SubmissionResult) -> None:
    world.faults.add(Fault(When("smtp", at, nth=1), Reply(code, "no")))
    sends = Sends(world)
    outcome = sends.send(email(1), email(2))
    assert sends.results == [result, SENT]
    assert code in sends.result(1).reply
    assert outcome.error is None
    assert len(world.inbox(YOU)) == 1


@pytest.mark.parametrize("at", ["MAIL", "RCPT", "DATA", "end-of-data"])
def test_421_anywhere_means_a_new_connection(world: World, at: str) -> None:
    world.faults.add(Fault(When("smtp", at, nth=1), Reply("421", "closing")))
    sends = Sends(world)
    outcome = sends.send(email(1), email(2))
    assert sends.results == [RETRY, SENT]
    assert outcome.error is None
    assert len(world.inbox(YOU)) == 1


@pytest.mark.parametrize("at", ["connect", "greeting", "EHLO", "AUTH"])
def test_no_connection_leaves_all_pending(world: World, at: str) -> None:
    effect = Refuse() if at == "connect" else Reply("421", "busy")
    world.faults.add(Fault(When("smtp", at), effect))
    sends = Sends(world)
    with pytest.raises(ConnectionFailed):
        sends.send(email(1), email(2))
    assert sends.results == [RETRY, RETRY]
    assert not any(told.attempted for told in sends.gateway.reports.values())


def test_wrong_password(world: World) -> None:
    sends = Sends(world, password=Secret("wr0ng-hidden"))
    with pytest.raises(AuthError) as caught:
        sends.send(email(1))
    assert sends.results == [RETRY]
    assert not sends.result().attempted
    assert "wr0ng-hidden" not in f"{caught.value!r}{caught.value.reply}{sends.gateway.reports}{sends.provider.config!r}"


@pytest.mark.parametrize(("code", "kind"), [("454", TransientError), ("535", AuthError), ("534", AuthError)])
def test_auth_codes(world: World, code: str, kind: type[Exception]) -> None:
    world.faults.add(Fault(When("smtp", "AUTH"), Reply(code, "no")))
    sends = Sends(world)
    with pytest.raises(kind) as caught:
        sends.send(email(1))
    assert type(caught.value) is kind


@pytest.mark.parametrize("at", ["MAIL", "RCPT"])
def test_530_in_a_transaction_is_the_mailboxs_matter(world: World, at: str) -> None:
    world.faults.add(Fault(When("smtp", at), Reply("530", "log in")))
    sends = Sends(world)
    with pytest.raises(AuthError):
        sends.send(email(1), email(2))
    assert sends.results == [RETRY, RETRY]
    assert not any(told.attempted for told in sends.gateway.reports.values())


@pytest.mark.parametrize(("code", "kind"), [("454", TransientError), ("501", TlsError), ("421", ConnectionFailed)])
def test_tls_is_never_done_without(world: World, code: str, kind: type[Exception]) -> None:
    """454 is "TLS not available due to temporary reason" (RFC 3207 §4)."""
    world.faults.add(Fault(When("smtp", "STARTTLS"), Reply(code, "not now")))
    sends = Sends(world)
    with pytest.raises(kind):
        sends.send(email(1))
    assert world.journal.commands("AUTH") == []
    assert sends.results == [RETRY]


# -- lost lines


@pytest.mark.parametrize("at", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("effect", [Drop("rst"), Drop("fin"), Stall(), Cut(0)])
def test_lost_before_the_dot_is_safe_to_retry(world: World, at: str, effect: Any) -> None:
    world.faults.add(Fault(When("smtp", at, nth=1), effect))
    sends = Sends(world)
    sends.send(email(1), email(2))
    assert sends.results == [RETRY, SENT]
    assert len(world.inbox(YOU)) == 1


@pytest.mark.parametrize(
    ("effect", "result"), [(Drop("rst"), RETRY), (Drop("fin"), UNCERTAIN), (Cut(0), UNCERTAIN), (Stall(), UNCERTAIN)]
)
def test_lost_in_the_text(world: World, effect: Any, result: SubmissionResult) -> None:
    """A reset is seen before the dot. An end in order, or silence, is seen after it only: the client cannot know, and says so."""
    world.faults.add(Fault(When("smtp", "text", nth=1), effect))
    sends = Sends(world)
    sends.send(email(1), email(2), seconds=3600)
    assert sends.results == [result, SENT]
    assert len(world.inbox(YOU)) == 1


@pytest.mark.parametrize(("effect", "arrived"), [(LoseReply(), 1), (Cut(2), 1), (Drop(), 0), (Stall(), 0)])
def test_lost_after_the_dot_is_uncertain_and_not_sent_again(world: World, effect: Any, arrived: int) -> None:
    world.faults.add(Fault(When("smtp", "end-of-data", nth=1), effect))
    sends = Sends(world)
    outcome = sends.send(email(1), email(2), seconds=3600)
    assert sends.results == [UNCERTAIN, SENT]
    assert sends.gateway.submitting == ["e1", "e2"]
    assert len(world.inbox(YOU)) == arrived + 1
    assert outcome.failed == 1


def test_the_last_email_uncertain_tells_why(world: World) -> None:
    world.faults.add(Fault(When("smtp", "end-of-data"), Stall()))
    sends = Sends(world)
    start = world.clock.monotonic()
    outcome = sends.send(email(1), seconds=3600)
    assert isinstance(outcome.error, ServerTimeout)
    assert world.clock.monotonic() - start >= 600, "ten minutes for the final dot"


def test_a_garbled_answer_to_the_dot_is_never_a_second_sending(world: World) -> None:
    world.faults.add(Fault(When("smtp", "end-of-data"), Garble(3)))
    sends = Sends(world)
    try:
        sends.send(email(1))
    except ProtocolError:
        pass
    assert sends.results == [UNCERTAIN] or sends.results[0] in (SENT, FAILED, RETRY)
    assert len(sends.gateway.reports) == 1


def test_a_server_that_hangs_up_each_time_is_left_alone(world: World) -> None:
    world.faults.add(Fault(When("smtp", "MAIL"), Drop()))
    sends = Sends(world)
    outcome = sends.send(*(email(number) for number in range(1, 7)))
    assert isinstance(outcome.error, ConnectionFailed)
    assert sends.results == [RETRY] * 6
    assert [told.attempted for told in sends.gateway.reports.values()] == [True] * 3 + [False] * 3


@pytest.mark.parametrize("effect", [Drop(), LoseReply(), Stall(), Reply("421", "bye"), Reply("500", "what")])
def test_quit_failing_is_no_failure(world: World, effect: Any) -> None:
    world.faults.add(Fault(When("smtp", "QUIT"), effect))
    sends = Sends(world)
    assert sends.send(email(1)).error is None
    assert sends.results == [SENT]


def test_a_lost_reset_does_not_cost_the_next_email_an_attempt(world: World) -> None:
    world.faults.add(Fault(When("smtp", "RCPT", nth=1), Reply("550", "no")))
    world.faults.add(Fault(When("smtp", "RSET"), Drop()))
    sends = Sends(world)
    sends.send(email(1), email(2))
    assert sends.results == [FAILED, SENT]


STEPS = ["connect", "greeting", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "text", "end-of-data", "RSET", "QUIT"]
EFFECTS: dict[str, Any] = {
    "drop": Drop("rst"),
    "leave": Drop("fin"),
    "lose": LoseReply(),
    "stall": Stall(),
    "cut": Cut(3),
    "garble": Garble(2),
    "421": Reply("421", "closing"),
    "451": Reply("451", "later"),
    "550": Reply("550", "never"),
}


@settings(max_examples=80, deadline=None)
@given(
    faults=st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(sorted(EFFECTS)), st.integers(1, 3)), max_size=4),
    seed=st.integers(0, 99),
)
def test_books_balance_whatever_goes_wrong(faults: list[tuple[str, str, int]], seed: int) -> None:
    """Requested = sent + failed + retry + uncertain; who is said to have it has it once, uncertain at most once, the others never."""
    with World(seed=seed) as world:
        for address in (ME, YOU):
            world.add_account(address, "secret")
        for at, effect, nth in faults:
            try:
                world.faults.add(Fault(When("smtp", at, nth=nth), EFFECTS[effect]))
            except FaultError:
                continue
        sends = Sends(world, tls="none", port=25)
        try:
            sends.send(email(1), email(2), email(3), seconds=7200)
        except ProviderError:
            pass
        assert sorted(sends.gateway.reports) == ["e1", "e2", "e3"]
        garbled = any(effect == "garble" and at == "end-of-data" for at, effect, _ in faults)
        for number in (1, 2, 3):
            arrived = sum(f"<{number}@postroom.test>".encode() in octets for octets in world.inbox(YOU))
            allowed = {SENT: {1}, UNCERTAIN: {0, 1}, RETRY: {0}, FAILED: {0}}[sends.result(number).result]
            assert arrived in allowed or garbled


# -- the organization fails


def test_a_stale_mark_leaves_the_dot_unsaid(world: World) -> None:
    sends = Sends(world)
    sends.gateway.fail("mark_submitting", StaleRun("lost"))
    with pytest.raises(StaleRun):
        sends.send(email(1), email(2))
    assert world.inbox(YOU) == []
    assert sends.gateway.reports == {}


def test_a_mark_that_cannot_be_written_leaves_the_dot_unsaid(world: World) -> None:
    sends = Sends(world)
    sends.gateway.fail("mark_submitting", StoreError("disk full"))
    with pytest.raises(StoreError):
        sends.send(email(1), email(2))
    assert world.inbox(YOU) == []
    assert sends.results == [RETRY, RETRY]


def test_a_stale_report_ends_the_run(world: World) -> None:
    sends = Sends(world)
    sends.gateway.fail("report_outgoing", StaleRun("lost"))
    with pytest.raises(StaleRun):
        sends.send(email(1), email(2))
    assert len(world.inbox(YOU)) == 1
    assert sends.gateway.reports == {}


def test_cancelled_between_emails_reports_the_rest(world: World) -> None:
    sends = Sends(world)
    outcome = sends.send(email(1), email(2), email(3), cancelled=lambda: len(sends.gateway.reports) >= 1)
    assert isinstance(outcome.error, Cancelled)
    assert sends.results == [SENT, RETRY, RETRY]
    assert [sends.result(number).attempted for number in (1, 2, 3)] == [True, False, False]


def test_a_message_larger_than_the_server_takes_is_refused_before_it_is_sent(world: World) -> None:
    socket = server(EHLO=b"250-hello\r\n250 SIZE 100\r\n", MAIL=b"552 5.3.4 too large\r\n")
    sends = plain(world, socket)
    sends.send(email(1))
    assert sends.results == [FAILED]
    assert any(b" SIZE=" in line for line in socket.lines)
    assert b"DATA" not in socket.lines


def test_no_more_are_claimed_than_asked_for(world: World) -> None:
    sends = Sends(world)
    assert sends.send(*(email(number) for number in range(1, 6)), items=3).more
    assert sends.gateway.claimed == ["e1", "e2", "e3"]
    assert not sends.send(items=3).more


# -- injection and characters


@pytest.mark.parametrize(
    "bad",
    [
        email(1, subject="x\r\nBcc: evil@x.test"),
        email(1, "you@sim.test>\r\nDATA"),
        email(1, "you@sim.test> NOTIFY=NEVER"),
        email(1, "no-domain"),
        email(1, sender="me@sim.test\nRSET"),
        ClaimedEmail("e1", 1, ME, (), email().message),
    ],
)
def test_injection_is_refused_and_the_next_email_goes(world: World, bad: ClaimedEmail) -> None:
    sends = Sends(world)
    sends.send(bad, email(2))
    assert sends.results == [FAILED, SENT]
    assert len(world.journal.commands("MAIL")) == 1


@given(st.text(max_size=40))
def test_a_wire_address_never_leaves_its_brackets(text: str) -> None:
    for utf8 in (True, False):
        try:
            wire = wire_address(text, utf8)
        except ValueError:
            continue
        assert not any(ord(char) < 0x20 for char in wire)
        if not wire.startswith('"'):
            assert not set(wire) & set("<> ")
        assert utf8 or wire.isascii()


def test_addresses_on_the_wire() -> None:
    assert wire_address("me@bücher.test", utf8=False) == "me@xn--bcher-kva.test"
    assert wire_address("jörg@x.test", utf8=True) == "jörg@x.test"
    assert wire_address('"a b>c"@x.test', utf8=False) == '"a b>c"@x.test'
    with pytest.raises(ValueError, match="SMTPUTF8"):
        wire_address("jörg@x.test", utf8=False)


@given(st.lists(st.sampled_from([b".", b"..", b"a", b"", b".a"]), max_size=8))
def test_stuffing_is_undone_by_the_other_side(lines: list[bytes]) -> None:
    octets = b"\r\n".join(lines)
    sent = stuffed(octets)
    assert sent.endswith(b"\r\n")
    assert b"\r\n.\r\n" not in b"\r\n" + sent
    undone = b"\r\n".join(line.removeprefix(b".") for line in sent.split(b"\r\n"))
    assert undone in (octets, octets + b"\r\n")


@pytest.mark.parametrize("octets", [b"a\nb\r\n", b"a\rb\r\n", b"\n.\r\n"])
def test_lone_line_ends_are_never_sent(octets: bytes) -> None:
    with pytest.raises(ValueError, match="lone"):
        stuffed(octets)


# -- servers that are worse


def server(**answers: Any) -> ScriptedSocket:
    told: dict[str, Any] = {
        "greeting": b"220 hello\r\n",
        "EHLO": b"250-hello\r\n250 8BITMIME\r\n",
        "HELO": b"250 hello\r\n",
        "MAIL": b"250 ok\r\n",
        "RCPT": b"250 ok\r\n",
        "DATA": b"354 go\r\n",
        ".": b"250 taken\r\n",
        "RSET": b"250 ok\r\n",
        "QUIT": b"221 bye\r\n",
        **answers,
    }
    in_text = [False]

    def answer(line: bytes) -> Any:
        if in_text[0]:
            if line != b".":
                return NOTHING
            in_text[0] = False
            return told["."]
        verb = line.split(b" ")[0].decode().upper()
        said = told.get(verb, b"500 unknown\r\n")
        in_text[0] = verb == "DATA" and said is not None and said.startswith(b"354")
        return said

    return ScriptedSocket(told["greeting"], answer)


def plain(world: World, *sockets: ScriptedSocket) -> Sends:
    return Sends(world, ScriptedConnector(*sockets), tls="none", user="")


def test_a_server_without_ehlo(world: World) -> None:
    socket = server(EHLO=b"500 unknown\r\n")
    sends = plain(world, socket)
    sends.send(email(1, text="grüße\r\n"))
    assert sends.results == [SENT]
    assert any(line.upper().startswith(b"MAIL FROM:<ME@SIM.TEST>") and b"BODY" not in line for line in socket.lines)
    assert all(line.isascii() for line in socket.lines)


def test_auth_login_and_characters_beyond_ascii(world: World) -> None:
    answers = iter([b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n", b"235 ok\r\n"])
    socket = server(EHLO=b"250-hello\r\n250 AUTH LOGIN\r\n")
    inner = socket.answer
    socket.answer = lambda line: next(answers) if line.startswith((b"AUTH", b"asO2", b"cMOk")) else inner(line)
    sends = Sends(world, ScriptedConnector(socket), tls="none", user="jö", password=Secret("pä"))
    sends.send(email(1))
    assert sends.results == [SENT]


@pytest.mark.parametrize(
    ("answers", "results", "kind"),
    [
        ({"greeting": b"<html>\r\n"}, [RETRY], ProtocolError),
        ({"greeting": b"554 go away\r\n"}, [RETRY], TransientError),
        ({"greeting": b"220" + b"x" * 20_000}, [RETRY], ProtocolError),
        ({"EHLO": b"250-x\r\n" * 100_000}, [RETRY], ProtocolError),
        ({"EHLO": b"250-x\r\n550 y\r\n"}, [RETRY], ProtocolError),
        ({"MAIL": b"999 what\r\n"}, [RETRY], ProtocolError),
        ({"MAIL": b"354 what\r\n"}, [RETRY], ProtocolError),
        ({"DATA": b"250 what\r\n"}, [RETRY], ProtocolError),
        ({".": b"what\r\n"}, [UNCERTAIN], ProtocolError),
        ({".": b"354 what\r\n"}, [UNCERTAIN], ProtocolError),
        ({".": None}, [UNCERTAIN], ServerTimeout),
        ({".": b"25"}, [UNCERTAIN], ServerTimeout),
    ],
)
def test_nonsense_is_classified_and_bounded(
    world: World, answers: dict[str, Any], results: list[SubmissionResult], kind: type[Exception]
) -> None:
    socket = server(**answers)
    sends = plain(world, socket)
    try:
        error: Any = sends.send(email(1)).error
    except (TransientError, AuthError) as raised:
        error = raised
    assert isinstance(error, kind)
    assert all(char.isprintable() for char in str(error))
    assert sends.results == results
    assert socket.closed
