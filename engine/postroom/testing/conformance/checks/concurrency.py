"""CON: several at once, cut short, too late, and with the clock set. A provider shares nothing and waits for nobody without a limit."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from postroom.errors import Cancelled, ProviderError, StaleRun
from postroom.providers.contract import RunOutcome
from postroom.testing.conformance.bench import Bench, Ran, Store
from postroom.testing.conformance.checks.scenes import scratch, token_of, watched
from postroom.testing.conformance.failures import CheckFailed, one_line
from postroom.testing.conformance.gateway import KitGateway
from postroom.testing.conformance.guard import Snapshot
from postroom.testing.conformance.interleave import Interleaving
from postroom.testing.conformance.messages import SourceMessage, token_in
from postroom.testing.conformance.network import Trouble
from postroom.testing.conformance.table import Level, Need, Profile, check
from postroom.testing.fake_gateway import MemorySeenSet, MemoryStateCell
from postroom_simulator.journal import Kind

__all__: list[str] = []

INTERLEAVINGS = int(os.environ.get("POSTROOM_KIT_INTERLEAVINGS", "6"))
"""Orders of steps that CON-11 tries with one seed (200 by the campaign)."""
GRACE = 10.0
"""Seconds after which a run that was asked to end must have ended, on a server that is silent (ours)."""


class Lane:
    """One instance with an organization of its own, and the messages that are its."""

    def __init__(self, bench: Bench, mailbox: int, count: int) -> None:
        self.bench = bench
        self.instance = bench.instance(mailbox=mailbox, organization=f"Organization {mailbox}")
        self.gateway = KitGateway(bench.world)
        self.instance.gateway = self.gateway
        self.instance.store = Store(MemoryStateCell(bench.spec.state(), self.gateway), MemorySeenSet(self.gateway))
        self.messages: list[SourceMessage] = []
        self.more(count)

    def more(self, count: int) -> None:
        bench, mailbox = self.bench, int(self.instance.env.instance.rpartition("-")[2])
        if bench.inbound:
            self.messages += bench.seed(count, mailbox=mailbox)
        else:
            fresh = bench.messages(count, mailbox=mailbox)
            self.gateway.add_outgoing(*(message.email for message in fresh))
            self.messages += fresh

    def run(self, **context: Any) -> RunOutcome:
        """As the router does, without the bench's bookkeeping (which is not made for several at once). Raises what the run ended with."""
        made = self.instance.context(**context)
        self.instance.ran = True
        outcome: RunOutcome = self.instance.provider.run(made)
        self.instance.outcomes.append(outcome)
        if outcome.error is not None:
            raise outcome.error
        return outcome

    def complete(self) -> None:
        """A run that must end well. Raises CheckFailed."""
        try:
            self.run()
        except Exception as error:
            name = self.instance.env.instance
            raise CheckFailed("a run that ends without an error", f"{name}: {one_line(error)}") from error

    def wrong(self) -> str:
        """What is wrong with what this instance did, or ""."""
        mine = [message.token for message in self.messages]
        if self.bench.inbound:
            done = [token_of(self.bench, offer) for offer in self.gateway.offers]
        else:
            known = [message.token for message in self.bench.seeded]
            sent = [token_in(arrived.octets, known) for arrived in self.bench.subject.sent(self.bench.world)]
            done = [token for token in sent if token in mine]
        name = self.instance.env.instance
        if foreign := [token for token in done if token not in mine]:
            return f"{name} handled {len(foreign)} messages of others"
        lost = [message.number for message in self.messages if message.token not in done]
        twice = [message.number for message in self.messages if done.count(message.token) > 1]
        return f"{name} lost messages {lost}" if lost else f"{name} handled messages {twice} twice" if twice else ""


def _expect_right(bench: Bench, lanes: Sequence[Lane], when: str = "") -> None:
    wrong = [told for lane in lanes if (told := lane.wrong())]
    bench.expect(
        not wrong, expected="each instance handles its own messages, each once", observed=f"{when}{'; '.join(wrong[:4])}"
    )


@check(
    "CON-01",
    "two_instances",
    Level.MUST,
    Profile.CONCURRENT,
    rule="two instances tell each other nothing: no state, no mail, no errors",
    mutant="class-level list",
)
def two_instances(bench: Bench) -> None:
    """Whatever stands on the class or the module is shared by all mailboxes of a router, and by organizations that must not know of each
    other."""
    lanes = [Lane(bench, 0, 2), Lane(bench, 1, 2)]
    for _ in range(2):
        for lane in lanes:
            lane.complete()
        _expect_right(bench, lanes)
        bench.clock.advance(600.0)
        for lane in lanes:
            lane.more(1)
    bench.world.network.fail(Trouble.REFUSED)
    first = lanes[0].instance.try_run()
    bench.world.heal()
    second = lanes[1].instance.try_run()
    if first.failure is not None:
        told = one_line(second.failure) if second.failure else ""
        bench.expect(second.failure is None, expected="an error of one instance that does not touch the other", observed=told)
        own = str(getattr(lanes[1].instance.provider, "last_error", ""))
        bench.expect(not own, expected="no error noted at the other instance", observed=own)
    bench.clock.advance(61.0)
    lanes[0].complete()
    _expect_right(bench, lanes)


@check(
    "CON-02",
    "many_instances",
    Level.MUST,
    Profile.CONCURRENT,
    rule="32 instances at once all complete, and handle each message once",
    mutant="global connection",
)
def many_instances(bench: Bench) -> None:
    """One step of one, then of another, in an order made from the seed."""
    lanes = [Lane(bench, number, 2) for number in range(32)]
    _interleaved(bench, lanes, "")
    _expect_right(bench, lanes)


def _interleaved(bench: Bench, lanes: Sequence[Lane], salt: str) -> None:
    order = Interleaving(f"{bench.seed_number} {salt}")
    with order.over(bench.world), bench.captured():
        errors = order.run([lane.run for lane in lanes])
    failed = [error for error in errors if error is not None]
    told = f"{len(failed)} of {len(lanes)} failed: {one_line(failed[0])}" if failed else ""
    bench.expect(not failed, expected="all instances complete", observed=told)


@check(
    "CON-03",
    "cancel_between_messages",
    Level.MUST,
    Profile.CONCURRENT,
    rule="asked to end, a run stops before it begins another message, and what it has done stays done",
    mutant="ignores the flag",
)
def cancel_between_messages(bench: Bench) -> None:
    """Call `ctx.raise_if_cancelled()` between two messages. The router has asked because it is shut down, or because the deadline has passed."""
    seeded = bench.seed(12)
    instance = bench.instance()
    asked = False
    after: list[str] = []
    begun = 0

    def called(name: str, key: str) -> None:
        nonlocal asked, begun
        if name in ("check_incoming", "mark_submitting"):
            begun += 1
            if asked:
                after.append(key)
            asked = asked or begun >= 2

    def cancelled() -> bool:
        return asked or _offered(bench) >= 2

    with watched(bench.gateway, called):
        ran = instance.try_run(cancelled=cancelled)
    bench.expect(
        len(after) <= 1,
        expected="at most one more message begun",
        observed=f"{len(after)} were begun after it was asked to end",
    )
    told = one_line(ran.failure) if ran.failure is not None else "no error"
    bench.expect(isinstance(ran.failure, Cancelled), expected="Cancelled, told in the outcome", observed=told)
    left = bench.gateway.unreported
    bench.expect(not left, expected="a report on every claimed message", observed=f"{len(left)} without one")
    bench.clock.advance(61.0)
    instance.run_all()
    bench.expect_each_once(seeded)


def _offered(bench: Bench) -> int:
    return bench.world.sim.journal.count(kind=Kind.OFFERED)


@check(
    "CON-04",
    "cancel_in_network_wait",
    Level.MUST,
    Profile.CONCURRENT,
    needs=[Need.NETWORK],
    rule="asked to end while a server is silent, a run ends within the grace time",
    mutant="tries again and again",
)
def cancel_in_network_wait(bench: Bench) -> None:
    """The router shuts the run's connections down: what waits on them gets an error. Whoever connects again at once, or waits on something else,
    holds the thread."""
    bench.seed(2)
    bench.world.network.fail(Trouble.SILENT)
    instance = bench.instance()
    asked_at = bench.clock.monotonic() + 5.0
    bench.clock.call_later(5.0, instance.shutdown)
    ran = instance.try_run(timeout=30.0, seconds=600.0, cancelled=lambda: bench.clock.monotonic() >= asked_at)
    limit = 30.0 + GRACE  # a wait in memory that has begun goes on to its end
    bench.expect(ran.seconds <= limit, expected=f"an end within {limit:g} seconds", observed=f"{ran.seconds:g} seconds")
    bench.expect(
        ran.error is None or isinstance(ran.error, ProviderError), expected="a ProviderError or none", observed=_told(ran)
    )
    bench.world.heal()
    bench.clock.advance(61.0)
    instance.run_all()
    if bench.inbound:
        bench.expect_each_once(bench.seeded)
    left = bench.gateway.unreported
    bench.expect(not left, expected="a report on every claimed message", observed=f"{len(left)} without one")


def _told(ran: Ran) -> str:
    return one_line(ran.failure) if ran.failure is not None else "no error"


@check(
    "CON-05",
    "every_wait_bounded",
    Level.MUST,
    Profile.CONCURRENT,
    needs=[Need.NETWORK],
    rule="no wait is without a limit, and none goes beyond the run's deadline",
    mutant="waits for better times",
)
def every_wait_bounded(bench: Bench) -> None:
    """Connections of ctx.net have limits; `ctx.clock.sleep`, and whatever else waits, needs one: `ctx.remaining()`."""
    bench.seed(2)
    instance = bench.instance()
    instance.run_all()
    for trouble in (Trouble.SILENT, Trouble.TIMEOUT, Trouble.REFUSED, Trouble.RESET):
        bench.seed(1)
        bench.world.network.fail(trouble)
        ran = instance.try_run(timeout=1_000_000.0, seconds=120.0)
        bench.world.heal()
        bench.expect(
            ran.seconds <= 120.0 + 1.0,
            expected="an end at the deadline, after 120 seconds",
            observed=f"{ran.seconds:g} seconds with a server that is {trouble.value}",
        )
        bench.clock.advance(3600.0)
    endless = [wait for dial in bench.world.network.dials for wait in dial.waits if wait is None]
    bench.expect(
        not endless and not bench.world.unbounded,
        expected="a limit of every wait",
        observed=f"{len(endless)} reads without a time-out",
    )


@check(
    "CON-06",
    "late_writer_fenced",
    Level.MUST,
    Profile.CONCURRENT,
    rule="once another run has the instance, nothing that this one does takes effect, and it ends",
    mutant="catches and continues",
)
def late_writer_fenced(bench: Bench) -> None:
    """StaleRun is no ProviderError: it is not to be handled but to be let through."""
    seeded = bench.seed(6)
    with scratch(bench) as probe:
        probe.seed(6)
        calls = len(probe.instance().try_run().calls)
    instance = bench.instance()
    number = before = 0

    def called(name: str, key: str) -> None:  # noqa: ARG001
        nonlocal number, before
        number += 1
        if number > calls // 2 and not bench.gateway.stale:
            bench.gateway.stale = True
            before = len(bench.gateway.offers)

    with watched(bench.gateway, called):
        ran = instance.try_run()
    after = ran.calls[calls // 2 :]
    bench.expect(isinstance(ran.failure, StaleRun), expected="StaleRun raised", observed=_told(ran))
    bench.expect(len(after) <= 3, expected="an end after at most three calls", observed=f"{len(after)} calls: {_names(after)}")
    late = max(0, len(bench.gateway.offers) - before)
    bench.expect(late == 0, expected="nothing delivered by a run that does not count", observed=f"{late} messages")
    bench.gateway.stale = False
    if not bench.inbound:
        bench.again = "what it had claimed waits to be taken back"
        return
    bench.instance(store=instance.store).run_all()
    bench.expect_each_once(seeded)


def _names(calls: Sequence[Any]) -> str:
    return ", ".join(call.name for call in calls[:8])


@check(
    "CON-07",
    "no_stray_threads",
    Level.MUST,
    Profile.CONCURRENT,
    rule="after close the process has the threads that it had before",
    mutant="background poller",
    standing=True,
)
def no_stray_threads(bench: Bench) -> None:
    """A thread that stays holds the process open, and the mailbox with it. Seen in every scenario of the kit."""
    before = set(threading.enumerate())
    bench.seed(2)
    instance = bench.instance()
    instance.run_all()
    instance.close()
    left = sorted(thread.name for thread in set(threading.enumerate()) - before)
    bench.expect(not left, expected="no thread left over", observed=f"{len(left)} threads: {', '.join(left[:3])}")


@check(
    "CON-08",
    "no_global_mutation",
    Level.MUST,
    Profile.CONCURRENT,
    rule="environment, working directory, locale, signals, umask and the default time-out of sockets stay as they are",
    mutant="setdefaulttimeout",
    standing=True,
)
def no_global_mutation(bench: Bench) -> None:
    """They belong to all mailboxes of the process. Seen in every scenario of the kit."""
    before = Snapshot.take()
    bench.seed(2)
    instance = bench.instance()
    instance.run_all()
    instance.close()
    changed = Snapshot.take().settings_changed(before)
    before.restore()
    bench.expect(not changed, expected="a process as it was", observed=f"changed: {', '.join(changed)}")


@check(
    "CON-09",
    "reload_during_run",
    Level.MUST,
    Profile.CONCURRENT,
    rule="an instance that is removed or changed while it runs ends cleanly, with the configuration that it began with",
    mutant="uses new config mid-run",
)
def reload_during_run(bench: Bench) -> None:
    """The file is read again every few seconds, whatever runs. A changed entry is a new instance; the old one goes on to its end."""
    old = Lane(bench, 0, 3)
    fresh: list[Lane] = []

    def reload(name: str, key: str) -> None:  # noqa: ARG001
        if not fresh:
            fresh.append(Lane(bench, 1, 2))

    with watched(old.gateway, reload):
        old.complete()
    bench.clock.advance(600.0)
    old.more(1)
    old.complete()
    if not fresh:
        fresh.append(Lane(bench, 1, 2))
    fresh[0].complete()
    _expect_right(bench, [old, *fresh])
    _removed(bench)


def _removed(bench: Bench) -> None:
    lane = Lane(bench, 2, 3)
    asked = False

    def remove(name: str, key: str) -> None:  # noqa: ARG001
        nonlocal asked
        asked = True
        lane.instance.shutdown()

    with watched(lane.gateway, remove):
        ran = lane.instance.try_run(cancelled=lambda: asked)
    ended = ran.error is None or isinstance(ran.error, ProviderError)
    bench.expect(ended, expected="a clean end of a run whose instance was removed", observed=_told(ran))
    lane.instance.close()
    left = lane.gateway.unreported
    bench.expect(not left, expected="a report on every claimed message", observed=f"{len(left)} without one")


@check(
    "CON-10",
    "clock_jump",
    Level.SHOULD,
    Profile.CONCURRENT,
    rule="with the wall clock set back an hour or forward a day there is neither a storm nor a standstill",
    mutant="sleeps on wall time",
)
def clock_jump(bench: Bench) -> None:
    """Waits are measured by `clock.monotonic()`; `clock.now()` is for dates, and may go back."""
    seeded = bench.seed(2)
    instance = bench.instance()
    instance.run_all()
    for delta in (timedelta(hours=-1), timedelta(days=1)):
        bench.clock._start += delta  # noqa: SLF001 - the wall moves, the monotonic time does not
        seeded += bench.seed(2)
        dials = len(bench.world.network.dials)
        ran = instance.try_run()
        told = f"{_told(ran)} after {ran.seconds:g} seconds"
        bench.expect(
            ran.failure is None and ran.seconds <= 1.0, expected="a run as ever after a jump of the clock", observed=told
        )
        instance.run_all()
        more = len(bench.world.network.dials) - dials
        bench.expect(more <= 8, expected="a handful of connections", observed=f"{more} connections")
        bench.expect_each_once(seeded)


@check(
    "CON-11",
    "seeded_interleavings",
    Level.SHOULD,
    Profile.CONCURRENT,
    rule="whatever the order of steps of several instances, each handles its own messages once",
    mutant="unlocked counter",
    seconds=120.0,
)
def seeded_interleavings(bench: Bench) -> None:
    """Orders made from the seed; a failure comes back with it. `POSTROOM_KIT_INTERLEAVINGS` says how many are tried."""
    for number in range(INTERLEAVINGS):
        with scratch(bench) as other:
            lanes = [Lane(other, mailbox, 3) for mailbox in range(3)]
            _interleaved(other, lanes, str(number))
            _expect_right(other, lanes, f"order {number}: ")
