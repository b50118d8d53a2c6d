"""OUT: sending. Every claim once, reported, and never again where nobody knows what became of it."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default as email_policy

from postroom.mime.values import Address
from postroom.providers.contract import SubmissionResult
from postroom.testing.conformance.bench import Bench, Instance
from postroom.testing.conformance.failures import NotApplicable
from postroom.testing.conformance.gateway import Report
from postroom.testing.conformance.network import Trouble
from postroom.testing.conformance.subject import Misbehaviour
from postroom.testing.conformance.table import Level, Need, Profile, check

__all__: list[str] = []

A_WHILE = 61.0
"""Seconds after which an email that is to be retried is handed out again."""


def _misbehaves(bench: Bench, what: Misbehaviour, recipient: str = "") -> str:
    said = bench.subject.misbehave(bench.world, what, recipient)
    if said is None:
        raise NotApplicable(f"the server cannot be made to {what.value}: write misbehave(self, world, what, recipient)")
    return said


def _last(bench: Bench, email_id: str) -> Report:
    found = [one for one in bench.gateway.history if one.email.email_id == email_id]
    bench.expect(found, expected=f"a report on {email_id}", observed="none")
    return found[-1]


def _heal_and_finish(bench: Bench, instance: Instance) -> None:
    bench.world.heal()
    bench.clock.advance(A_WHILE)
    instance.run_all()


@check(
    "OUT-01",
    "each_claimed_once",
    Level.MUST,
    Profile.OUTBOUND,
    needs=[Need.OUTBOUND],
    rule="each claimed message is submitted once, and marked as such before",
    mutant="loops a retry inside",
)
def each_claimed_once(bench: Bench) -> None:
    """Trying again is the organization's business: it counts the attempts, and waits between them."""
    seeded = bench.seed(4)
    bench.instance().run_all()
    bench.expect_each_once(seeded)
    marks = bench.gateway.submitting
    twice = sorted({one for one in marks if marks.count(one) > 1})
    bench.expect(not twice, expected="one submission a claim", observed=f"marked more than once: {twice[:3]}")
    unmarked = [one.email.email_id for one in seeded if one.email.email_id not in marks]
    bench.expect(not unmarked, expected="mark_submitting before each submission", observed=f"{len(unmarked)} were never marked")


@check(
    "OUT-02",
    "every_claim_reported",
    Level.MUST,
    Profile.OUTBOUND,
    needs=[Need.OUTBOUND],
    rule="when a run ends, however it ends, every message that it claimed was reported",
    mutant="forgets on exception",
)
def every_claim_reported(bench: Bench) -> None:
    """A claim without a report waits half an hour until somebody takes it back, and then nobody knows whether it was sent."""
    bench.seed(4)
    instance = bench.instance()
    for trouble in (Trouble.REFUSED, Trouble.SILENT, Trouble.GARBAGE):
        bench.world.network.fail(trouble)
        instance.try_run()
        _all_reported(bench, f"with a server that is {trouble.value}")
        bench.world.heal()
        bench.clock.advance(A_WHILE)
    polls = iter(range(1000))
    instance.try_run(cancelled=lambda: next(polls) >= 3)
    _all_reported(bench, "after a run that was cancelled")
    bench.clock.advance(A_WHILE)
    instance.run_all()
    _all_reported(bench, "after a healthy run")


def _all_reported(bench: Bench, when: str) -> None:
    left = bench.gateway.unreported
    bench.expect(not left, expected=f"a report on every claimed message {when}", observed=f"{len(left)} without one")


@check(
    "OUT-03",
    "envelope_complete",
    Level.MUST,
    Profile.OUTBOUND,
    needs=[Need.OUTBOUND],
    rule="all recipients are in the envelope, and blind copies nowhere else",
    mutant="leaks bcc header",
)
def envelope_complete(bench: Bench) -> None:
    """`email.recipients` is the envelope, `email.message` what everybody sees."""
    hidden = "hidden.person@birch.test"
    people = ("carl@birch.test", "dora@birch.test", hidden)
    [message] = bench.seed(
        1, to=(Address(people[0]),), cc=(Address(people[1], "Dora"),), recipients=people, envelope_from=bench.world.address
    )
    bench.instance().run_all()
    bench.expect_each_once([message])
    arrived = bench.subject.sent(bench.world)[-1]
    bench.expect_equal(sorted(arrived.recipients), sorted(people), "recipients of the envelope")
    bench.expect_equal(arrived.envelope_from, message.envelope_from, "sender of the envelope")
    seen = hidden.encode() in arrived.octets.lower()
    bench.expect(not seen, expected="a blind copy that is in no header", observed="its address is in the message")


@check(
    "OUT-04",
    "message_id_stable",
    Level.MUST,
    Profile.OUTBOUND,
    needs=[Need.OUTBOUND],
    rule="every try of a message carries the message id that the organization gave it",
    mutant="new id each time",
)
def message_id_stable(bench: Bench) -> None:
    """By it a reply is recognized, and a message that arrived twice."""
    [message] = bench.seed(1)
    instance = bench.instance()
    _misbehaves(bench, Misbehaviour.REFUSE_FOR_NOW)
    instance.try_run()
    _heal_and_finish(bench, instance)
    bench.expect_each_once([message])
    for arrived in bench.subject.sent(bench.world):
        found = message_from_bytes(arrived.octets, policy=email_policy)["Message-ID"]
        bench.expect_equal(str(found), message.message_id, "Message-ID")


@check(
    "OUT-05",
    "transient_retried",
    Level.MUST,
    Profile.OUTBOUND,
    needs=[Need.OUTBOUND],
    rule="refused for now, dropped or not answered: the message is pending again, and a try of the message itself is counted",
    mutant="marks failed",
)
def transient_retried(bench: Bench) -> None:
    """Report RETRY. `attempted` is False where the message's turn did not come: no connection, credentials refused, run cancelled."""
    [message] = bench.seed(1)
    instance = bench.instance()
    tried = 0
    for what in (Misbehaviour.REFUSE_FOR_NOW, Misbehaviour.LOSE_BEFORE):
        if bench.subject.misbehave(bench.world, what) is None:
            continue
        instance.try_run()
        report = _last(bench, message.email.email_id)
        bench.expect_equal(report.submission.result, SubmissionResult.RETRY, f"result after {what.value}")
        if what is Misbehaviour.REFUSE_FOR_NOW:
            bench.expect(report.submission.attempted, expected="a try that is counted", observed="attempted is False")
        tried += 1
        bench.world.heal()
        bench.clock.advance(A_WHILE)
    if not tried:
        raise NotApplicable("the server cannot be made to refuse: write misbehave(self, world, what, recipient)")
    bench.world.network.fail(Trouble.REFUSED)
    instance.try_run()
    report = _last(bench, message.email.email_id)
    bench.expect_equal(report.submission.result, SubmissionResult.RETRY, "result without a connection")
    bench.expect(
        not report.submission.attempted, expected="no try of the message", observed="attempted is True, without a connection"
    )
    _heal_and_finish(bench, instance)
    bench.expect_each_once([message])


@check(
    "OUT-06",
    "permanent_failed",
    Level.MUST,
    Profile.OUTBOUND,
    needs=[Need.OUTBOUND],
    rule="refused for good: failed, with the server's words, and not tried again",
    mutant="retries for ever",
)
def permanent_failed(bench: Bench) -> None:
    """The sender wants to know at once, and in the words of who refused."""
    [message] = bench.seed(1)
    said = _misbehaves(bench, Misbehaviour.REFUSE_FOR_GOOD)
    instance = bench.instance()
    instance.try_run()
    submission = _last(bench, message.email.email_id).submission
    bench.expect_equal(submission.result, SubmissionResult.FAILED, "result")
    told = " ".join((submission.reply, *(one.reply for one in submission.recipients)))
    words = said.split(" ", 1)[-1]
    bench.expect(words in told, expected=f"the server's words ({words!r}) in the report", observed=told[:200])
    _heal_and_finish(bench, instance)
    bench.expect(not bench.done(), expected="no further try", observed="it was sent all the same")


@check(
    "OUT-07",
    "partial_refusal",
    Level.MUST,
    Profile.OUTBOUND,
    needs=[Need.OUTBOUND],
    rule="refused recipients are reported, the others get the message",
    mutant="all or nothing, silently",
)
def partial_refusal(bench: Bench) -> None:
    """One address with a typing error among twenty must neither stop the nineteen nor go unnoticed."""
    people = ("carl@birch.test", "nobody.here@birch.test", "dora@birch.test")
    said = _misbehaves(bench, Misbehaviour.REFUSE_RECIPIENT, people[1])
    [message] = bench.seed(1, to=tuple(Address(one) for one in people), recipients=people)
    bench.instance().try_run()
    submission = _last(bench, message.email.email_id).submission
    bench.expect_equal(submission.result, SubmissionResult.SENT, "result")
    refused = {one.address: one.reply for one in submission.recipients if not one.accepted}
    bench.expect(
        list(refused) == [people[1]], expected=f"{people[1]} reported as refused", observed=f"refused: {sorted(refused)}"
    )
    words = said.split(" ", 1)[-1]
    bench.expect(words in refused[people[1]], expected="the server's words", observed=refused[people[1]][:200])
    arrived = [one for sent in bench.subject.sent(bench.world) for one in sent.recipients]
    bench.expect_equal(sorted(arrived), sorted((people[0], people[2])), "recipients that got it")


@check(
    "OUT-08",
    "attempts_limited",
    Level.MUST,
    Profile.OUTBOUND,
    needs=[Need.OUTBOUND],
    rule="a message that is refused for now again and again is tried so often, and no more",
    mutant="ignores it",
)
def attempts_limited(bench: Bench) -> None:
    """The organization counts what is reported with `attempted`, and stops handing the message out. A try that is not counted is one too many."""
    [message] = bench.seed(1)
    _misbehaves(bench, Misbehaviour.REFUSE_FOR_NOW)
    instance = bench.instance()
    limit = bench.gateway.maximum
    for _ in range(2 * limit + 2):
        instance.try_run()
        bench.clock.advance(3600.0)
    tries = [one for one in bench.gateway.history if one.email.email_id == message.email.email_id]
    bench.expect(len(tries) <= limit, expected=f"at most {limit} tries", observed=f"{len(tries)} tries")
    bench.expect(len(tries) == limit, expected=f"{limit} tries before it is given up", observed=f"{len(tries)} tries")
    bench.again = "the organization has given the message up"


@check(
    "OUT-09",
    "uncertain_not_resent",
    Level.MUST,
    Profile.OUTBOUND,
    needs=[Need.OUTBOUND],
    rule="a connection that is lost after the message was handed over: uncertain, and no blind resend",
    mutant="resends",
)
def uncertain_not_resent(bench: Bench) -> None:
    """Nobody can know whether the message was taken. Sending it again sends it twice, as often as not: a person decides."""
    [message] = bench.seed(1)
    _misbehaves(bench, Misbehaviour.LOSE_ANSWER)
    instance = bench.instance()
    instance.try_run()
    report = _last(bench, message.email.email_id)
    bench.expect_equal(report.submission.result, SubmissionResult.UNCERTAIN, "result")
    marked = message.email.email_id in bench.gateway.submitting
    bench.expect(marked, expected="mark_submitting before the message is handed over", observed="it was never marked")
    for _ in range(3):
        _heal_and_finish(bench, instance)
    times = bench.done().count(message.token)
    bench.expect(times <= 1, expected="the message at most once at its server", observed=f"{times} times")


@check(
    "OUT-10",
    "header_injection_refused",
    Level.MUST,
    Profile.OUTBOUND,
    needs=[Need.OUTBOUND],
    rule="a line break in a subject or an address makes the message fail, and stops no other",
    mutant="passes them on",
)
def header_injection_refused(bench: Bench) -> None:
    """Whoever may write a subject must not be able to write a header field. `mime.compose.compose` refuses; so must what is put beside it."""
    bad = [
        *bench.messages(1, subject="hello\r\nBcc: everybody@birch.test"),
        *bench.messages(1, subject="hello\nX-Kit: injected"),
        *bench.messages(1, to=(Address("carl@birch.test\r\nX-Kit: injected"),), recipients=("carl@birch.test",)),
        *bench.messages(1, recipients=("carl@birch.test>\r\nRCPT TO:<everybody@birch.test",)),
    ]
    [good] = bench.messages(1)
    bench.seed([*bad, good])
    instance = bench.instance()
    instance.run_all()
    done = bench.done()
    arrived = [message.number for message in bad if message.token in done]
    smuggled = [one for one in bench.subject.sent(bench.world) if b"\nX-Kit:" in one.octets or b"\nBcc:" in one.octets]
    others = [one for sent in bench.subject.sent(bench.world) for one in sent.recipients if "everybody" in one]
    bench.expect(
        not (arrived or smuggled or others),
        expected="messages with line breaks where none may be refused",
        observed=f"{len(arrived) + len(smuggled) + len(others)} were passed on",
    )
    for message in bad:
        bench.expect_equal(_last(bench, message.email.email_id).submission.result, SubmissionResult.FAILED, "result")
    bench.expect_each_once([good])


@check(
    "OUT-11",
    "batch_respected",
    Level.SHOULD,
    Profile.OUTBOUND,
    needs=[Need.OUTBOUND],
    rule="a run claims no more than ctx.items, and says so when there may be more",
    mutant="claims all",
)
def batch_respected(bench: Bench) -> None:
    """What one run holds, no other can send."""
    seeded = bench.seed(7)
    instance = bench.instance()
    while True:
        before = len(bench.gateway.claimed)
        outcome = instance.run(items=3)
        claimed = len(bench.gateway.claimed) - before
        bench.expect(claimed <= 3, expected="at most 3 claims in a run", observed=f"{claimed} claims")
        waiting = len(bench.gateway.outgoing)
        bench.expect(
            outcome.more or not waiting, expected="more", observed=f"{waiting} messages wait, and the run does not say so"
        )
        if not outcome.more:
            break
    bench.expect_each_once(seeded)


@check(
    "OUT-12",
    "slow_recipient_isolated",
    Level.SHOULD,
    Profile.OUTBOUND,
    needs=[Need.OUTBOUND],
    rule="one message whose server is slow does not use up the whole run",
    mutant="serial wait",
)
def slow_recipient_isolated(bench: Bench) -> None:
    """A wait is bounded by ctx.timeout, not by what is left of the run: the next message may go where somebody answers."""
    bench.seed(3)
    _misbehaves(bench, Misbehaviour.SLOW)
    bench.again = "one message was not answered in time"
    instance = bench.instance()
    ran = instance.try_run(timeout=20.0, seconds=600.0)
    bench.expect(
        ran.seconds <= 300.0,
        expected="less than half of the run spent on one slow server",
        observed=f"{ran.seconds:g} of 600 seconds",
    )
    _all_reported(bench, "of a run with a slow server")
    _heal_and_finish(bench, instance)
    missing = [message.number for message in bench.seeded if message.token not in bench.done()]
    bench.expect(len(missing) <= 1, expected="at most the slow message unsent", observed=f"messages {missing} were not sent")
