"""LIF: the life cycle. A provider is constructed, checked, run again and again, and closed, and is the same at the end as at the beginning."""

from __future__ import annotations

from dataclasses import replace

from postroom.errors import AuthError, PermissionDenied, ProviderError, TransientError
from postroom.model.verdict import ReasonCode, Verdict
from postroom.providers.contract import Capability, IncomingOffer, SubmissionResult
from postroom.testing.conformance.bench import Bench, Instance
from postroom.testing.conformance.failures import one_line
from postroom.testing.conformance.gateway import EFFECTS
from postroom.testing.conformance.guard import Snapshot
from postroom.testing.conformance.network import Trouble
from postroom.testing.conformance.table import Level, Need, Profile, check

__all__: list[str] = []

UNREACHABLE = (Trouble.REFUSED, Trouble.DNS, Trouble.TIMEOUT, Trouble.RESET, Trouble.SILENT)
RUNS = 100


@check(
    "LIF-01",
    "full_cycle",
    Level.MUST,
    Profile.CORE,
    rule="construct, check, run and close succeed in a healthy world",
    mutant="cannot run once it was checked",
)
def full_cycle(bench: Bench) -> None:
    """The least that a provider does. When this fails, look at it first: most other failures come from the same place."""
    seeded = bench.seed(3)
    instance = bench.instance()
    instance.check()
    instance.run_all()
    bench.expect_each_once(seeded)
    instance.close()


@check(
    "LIF-02",
    "check_good",
    Level.MUST,
    Profile.CORE,
    needs={Capability.CHECK},
    rule="the self-test passes in a healthy world, with mail and without",
    mutant="always fails",
)
def check_good(bench: Bench) -> None:
    """The self-test decides whether a mailbox is enabled: a false alarm keeps it off for good."""
    instance = bench.instance()
    instance.check()
    bench.seed(2)
    instance.check()


@check(
    "LIF-03",
    "check_bad_credentials",
    Level.MUST,
    Profile.CORE,
    needs={Capability.CHECK, Need.CREDENTIALS},
    rule="with wrong credentials the self-test fails, as AuthError, and says so",
    mutant="says that all is well",
)
def check_bad_credentials(bench: Bench) -> None:
    """AuthError goes to the owner of the mailbox, who can do something about it; a TransientError would be tried for days."""
    ran = bench.instance(bench.subject.wrong_credentials(bench.world)).try_check()
    error = bench.expect_error(ran, AuthError, PermissionDenied, expected="AuthError (or PermissionDenied)")
    bench.expect(len(str(error)) > 8, expected="a text that says what was refused", observed=one_line(error))


@check(
    "LIF-04",
    "check_unreachable",
    Level.MUST,
    Profile.CORE,
    needs={Capability.CHECK, Need.NETWORK},
    rule="with an unreachable server the self-test fails within its deadline, as a transient error",
    mutant="tries again for ever",
    seconds=8.0,
)
def check_unreachable(bench: Bench) -> None:
    """Refused, unknown, too slow, lost, silent: all of them may be well again tomorrow."""
    for trouble in UNREACHABLE:
        instance = bench.instance()
        bench.world.network.fail(trouble)
        ran = instance.try_check(timeout=10.0, seconds=60.0)
        bench.expect_error(ran, TransientError, expected=f"a TransientError when the server is {trouble}")
        bench.expect(
            ran.seconds <= 60.0, expected="an end within the deadline of 60 s", observed=f"{ran.seconds:.0f} s ({trouble})"
        )
        bench.world.heal()


@check(
    "LIF-05",
    "check_has_no_effects",
    Level.MUST,
    Profile.CORE,
    needs={Capability.CHECK},
    rule="the self-test delivers, removes, remembers and sends nothing",
    mutant="marks mail as seen",
)
def check_has_no_effects(bench: Bench) -> None:
    """An operator presses "Test & Enable" as often as he likes."""
    seeded = bench.seed(2)
    instance = bench.instance()
    mark = len(bench.gateway.calls)
    instance.check()
    bench.expect_no_effects(bench.gateway.made(since=mark), expected="a self-test that changes nothing")
    bench.expect_equal(bench.done(), [], "messages handled by the self-test")
    instance.run_all()
    bench.expect_each_once(seeded)


@check(
    "LIF-06",
    "empty_source",
    Level.MUST,
    Profile.CORE,
    rule="with nothing to do a run counts zero, commits nothing and changes nothing",
    mutant="commits each time",
)
def empty_source(bench: Bench) -> None:
    """An idle poll is by far the most frequent run. Each commit of it costs a write to a disk, for nothing."""
    instance = bench.instance()
    instance.run()
    mark = len(bench.gateway.calls)
    outcome = instance.run()
    counts = (outcome.processed, outcome.delivered, outcome.rejected, outcome.failed, outcome.more)
    bench.expect_equal(counts, (0, 0, 0, 0, False), "processed, delivered, rejected, failed, more")
    bench.expect_no_effects(bench.gateway.made(since=mark), expected="a run over an empty source that changes nothing")


@check(
    "LIF-07",
    "run_repeatable",
    Level.MUST,
    Profile.CORE,
    rule=f"{RUNS} runs of one instance keep descriptors, threads and connections as they were",
    mutant="leaks a descriptor each run",
)
def run_repeatable(bench: Bench) -> None:
    """A service runs an instance for months."""
    seeded = bench.seed(2)
    instance = bench.instance()
    instance.run_all()
    before = Snapshot.take()
    for _ in range(RUNS):
        instance.run()
    after = Snapshot.take()
    bench.expect(
        after.descriptors <= before.descriptors,
        expected="as many open descriptors as before",
        observed=f"{after.descriptors - before.descriptors} more after {RUNS} runs",
    )
    bench.expect(not after.threads_left(before), expected="no thread more", observed=", ".join(after.threads_left(before)[:3]))
    bench.expect_each_once(seeded)


@check(
    "LIF-08",
    "close_idempotent",
    Level.MUST,
    Profile.CORE,
    rule="close may be called twice, and without a run",
    mutant="raises at the second close",
)
def close_idempotent(bench: Bench) -> None:
    """A service that shuts down after an error does not know what was closed before."""
    fresh = bench.instance()
    fresh.close()
    fresh.close()
    bench.seed(1)
    used = bench.instance()
    used.run_all()
    used.close()
    used.close()


@check(
    "LIF-09",
    "close_releases",
    Level.MUST,
    Profile.CORE,
    rule="after close no connection, thread or descriptor is left",
    mutant="keeps a connection",
)
def close_releases(bench: Bench) -> None:
    """What is held between runs is released in close (on_close)."""
    before = Snapshot.take()
    bench.seed(2)
    instance = bench.instance()
    ran = instance.try_run()
    held = ran.open
    instance.close()
    after = Snapshot.take()
    left = [f"{held} connections, left to the runtime to close"] if held else []
    left += [f"thread {name}" for name in after.threads_left(before)]
    left += [f"{after.descriptors - before.descriptors} descriptors"] if after.descriptors > before.descriptors else []
    bench.expect(not left, expected="nothing left after close", observed="; ".join(left))


@check(
    "LIF-10",
    "counts_match_effects",
    Level.MUST,
    Profile.CORE,
    rule="the outcome counts what happened",
    mutant="counts what was refused as delivered",
)
def counts_match_effects(bench: Bench) -> None:
    """processed = delivered + rejected; `failed` counts what is to be tried again. Dashboards and alerts are made of these numbers."""
    seeded = bench.seed(4)
    if bench.inbound:
        refused = seeded[1].token.encode()
        bench.gateway.judge = lambda offer: _judged(offer, refused)
    instance = bench.instance()
    outcomes = instance.run_all()
    sums = {name: sum(getattr(one, name) for one in outcomes) for name in ("processed", "delivered", "rejected", "failed")}
    if bench.inbound:
        delivered = len(bench.gateway.offers)
        rejected = len(bench.gateway.ledger) - delivered
    else:
        results = [report.submission.result for report in bench.gateway.history]
        delivered, rejected = results.count(SubmissionResult.SENT), results.count(SubmissionResult.FAILED)
    expected = {"processed": delivered + rejected, "delivered": delivered, "rejected": rejected, "failed": 0}
    bench.expect_equal(sums, expected, "what the outcomes count, and what reached the organization")
    bench.expect(delivered, expected="deliveries", observed="none")


def _judged(offer: IncomingOffer, refused: bytes) -> Verdict:
    accepted = Verdict(deliver=True, reason=ReasonCode.ACCEPT_ALL)
    return replace(accepted, deliver=False, reason=ReasonCode.NO_CORRELATION_MATCH) if refused in offer.octets else accepted


@check(
    "LIF-11",
    "run_after_close_refused",
    Level.SHOULD,
    Profile.CORE,
    rule="a run after close is refused with a clear error",
    mutant="silently connects again",
)
def run_after_close_refused(bench: Bench) -> None:
    """A closed instance was replaced: two of them at work would do everything twice."""
    bench.seed(1)
    instance = bench.instance()
    instance.run_all()
    instance.close()
    bench.seed(1)
    ran = instance.try_run()
    bench.expect_error(ran, ProviderError, expected="a ProviderError that says that it is closed")
    bench.expect(not ran.calls_in(EFFECTS), expected="no effect of the refused run", observed=f"{len(ran.calls)} calls")


@check(
    "LIF-12",
    "second_run_idle",
    Level.MUST,
    Profile.CORE,
    rule="after every scenario one more run has nothing to do",
    mutant="forgets what it delivered",
    standing=True,
)
def second_run_idle(bench: Bench) -> None:
    """The kit runs the provider once more after every scenario of every check, and expects no call that changes anything. Here it does so
    after the simplest one."""
    bench.seed(3)
    instance: Instance = bench.instance()
    instance.run_all()
    bench.expect_rest(instance)
