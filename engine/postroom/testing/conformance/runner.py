"""Runs checks, one bench each, and says what came of them. `run_kit` is the way in."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from postroom.clock import SystemClock
from postroom.providers.contract import Capability
from postroom.providers.process import ProcessProvider
from postroom.testing.conformance import table
from postroom.testing.conformance.bench import Bench, Instance
from postroom.testing.conformance.facts import Facts
from postroom.testing.conformance.failures import CheckFailed, FixtureError, Hang, NotApplicable, one_line
from postroom.testing.conformance.framework import Framework
from postroom.testing.conformance.gateway import MESSAGE_EFFECTS
from postroom.testing.conformance.guard import Guard, Snapshot
from postroom.testing.conformance.journals import excerpt, hidden
from postroom.testing.conformance.results import CheckResult, Observation, Report, Result, Waiver
from postroom.testing.conformance.table import Check, Need, Profile
from postroom.testing.conformance.watchdog import limited

if TYPE_CHECKING:
    from postroom.testing.conformance.subject import Subject

__all__ = ["KIT_VERSION", "Kit", "run_kit"]

KIT_VERSION = "1.0.0"
"""Raised with every change of the table: a certificate names it."""
SECOND_RUN, FOREIGN_HOSTS, FOREIGN_WRITES, STRAY_THREADS, SETTINGS = "LIF-12", "SEC-01", "SEC-02", "CON-07", "CON-08"
"""Rules against which every scenario is watched."""
SETTLING_RUNS = 12
PROBE_SECONDS = 5.0
"""Of real time for finding out one thing about a provider."""
PROCESS_PACE = 6.0
"""So many times the seconds of a check, where each instance is a process that must start first (ours)."""
HUNG_CHECKS = 3
"""So many checks without an end, and the others are not tried: a provider that blocks would cost half an hour."""


@dataclass
class Kit:
    """One provider under test. `run(check)` tries one; `report(results)` makes the report."""

    subject: Subject
    seed: int = 0
    framework: Framework = field(default_factory=Framework)
    waivers: Sequence[Waiver] = ()
    today: date | None = None
    progress: Callable[[CheckResult], None] = lambda _: None
    observations: list[Observation] = field(default_factory=list)
    hung: list[str] = field(default_factory=list)
    _facts: Facts | None = None
    _clock: SystemClock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        self.today = self.today or self._clock.now().date()
        self._facts = Facts(self._probing)

    @property
    def facts(self) -> Facts:
        assert self._facts is not None
        return self._facts

    def _bench(self) -> Bench:
        return Bench(self.subject, self.seed, framework=self.framework)

    @contextlib.contextmanager
    def _probing(self) -> Iterator[Bench]:
        """A bench to find something out with, watched as those of the checks are: what it sees is found again by the checks, what it
        refuses must be refused here too."""
        before, guard = Snapshot.take(), Guard()
        try:
            with guard.watching(), contextlib.closing(self._bench()) as bench, limited(PROBE_SECONDS * self._pace):
                bench.guard = guard
                guard.granted = lambda: bench.world.folder if bench.world.has_folder else None
                yield bench
        finally:
            if Snapshot.take().settings_changed(before):
                before.restore()

    # -- one check

    def run(self, check: Check) -> CheckResult:
        """Try one check, with its waiver applied. What it saw against standing rules is in `observations` of the result."""
        began = self._clock.monotonic()
        lacking = self._lacking(check)
        result = lacking if lacking is not None else self._tried(check)
        result = replace(result, seconds=self._clock.monotonic() - began, reproduce=self._command(check))
        self.observations += result.observations
        result = self._waived(result)
        self.progress(result)
        return result

    @property
    def _pace(self) -> float:
        """How many times as long as others it may take: a provider in a process of its own starts one for each instance."""
        return PROCESS_PACE if issubclass(self.subject.provider, ProcessProvider) else 1.0

    def _command(self, check: Check) -> str:
        return f"postroom provider check {self.subject.named or self.subject.spec.name} -k {check.id} --seed {self.seed}"

    def _lacking(self, check: Check) -> CheckResult | None:
        """The result of a check whose needs are not met; None when it can be tried."""
        declared = self.subject.spec.capabilities
        for need in sorted(check.needs, key=lambda one: (isinstance(one, Capability), one.value)):
            if isinstance(need, Need):
                if not self.facts.has(need):
                    return CheckResult(check, Result.NOT_APPLICABLE, _WITHOUT[need])
            elif need not in declared:
                if self.facts.does(need):
                    return CheckResult(
                        check,
                        Result.MISDECLARED,
                        f"the provider does what {need.value} says and does not declare it",
                        f"{need.value} among the capabilities of the spec",
                        "it is done and not declared",
                    )
                return CheckResult(check, Result.NOT_APPLICABLE, f"{need.value} is not declared, and the probe agrees")
        return None

    def _tried(self, check: Check) -> CheckResult:
        if len(self.hung) >= HUNG_CHECKS:
            told = f"not tried: {', '.join(self.hung)} did not end either"
            return CheckResult(check, Result.FAIL, "", "an end", told)
        before = Snapshot.take()
        guard = Guard()
        observed: list[Observation] = []
        with guard.watching():
            bench = self._bench()
            bench.guard = guard
            guard.granted = lambda: bench.world.folder if bench.world.has_folder else None
            result = CheckResult(check, Result.PASS)
            try:
                with limited(check.seconds * self._pace):
                    result = self._called(check, bench)
                    if result.result is Result.PASS:
                        observed += _second_run(bench, check)
            except Hang as hang:
                if not str(hang):
                    self.hung.append(check.id)
                told = str(hang) or f"still at work after {check.seconds * self._pace:g} s of real time, and was ended"
                result = CheckResult(check, Result.FAIL, "", "an end", told)
            finally:
                result = replace(result, journal=excerpt(bench, result.evidence) if result.result.bad or observed else ())
                result = hidden(result, bench)
                guard.granted = _nowhere(bench)
                bench.close()
        observed += self._leftovers(check, guard, before)
        return replace(result, observations=tuple(observed), measures=dict(bench.measures))

    def _called(self, check: Check, bench: Bench) -> CheckResult:
        try:
            check.run(bench)
        except CheckFailed as failed:
            return CheckResult(check, Result.FAIL, "", failed.expected, failed.observed, failed.evidence)
        except NotApplicable as reason:
            return CheckResult(check, Result.NOT_APPLICABLE, str(reason))
        except FixtureError as error:
            return CheckResult(check, Result.ERROR, str(error))
        except Exception as error:  # the kit's own mistake, or a hook's: shown whole, never taken for the provider's
            frames = [
                f"{f.filename.rpartition('/')[2]}:{f.lineno} in {f.name}" for f in traceback.extract_tb(error.__traceback__)
            ]
            return CheckResult(check, Result.ERROR, f"the kit or a hook raised {one_line(error)}", evidence=tuple(frames[-5:]))
        return CheckResult(check, Result.PASS)

    def _leftovers(self, check: Check, guard: Guard, before: Snapshot) -> list[Observation]:
        found = [Observation(FOREIGN_HOSTS, check.id, v.told) for v in dict.fromkeys(guard.foreign("connect", "resolve"))]
        found += [Observation(FOREIGN_WRITES, check.id, v.told) for v in dict.fromkeys(guard.foreign("write", "process"))]
        after = Snapshot.take()
        if changed := after.settings_changed(before):
            found.append(Observation(SETTINGS, check.id, f"changed {', '.join(changed)}"))
            before.restore()
        if threads := after.threads_left(before):
            found.append(Observation(STRAY_THREADS, check.id, f"left {len(threads)} threads: {', '.join(threads[:3])}"))
        return found

    def _waived(self, result: CheckResult) -> CheckResult:
        waiver = next((one for one in self.waivers if one.id == result.id), None)
        if waiver is None:
            return result
        if result.result in (Result.FAIL, Result.MISDECLARED) and self.today and not waiver.expired(self.today):
            return replace(result, result=Result.WAIVED, waiver=waiver)
        if result.result is Result.PASS:
            reason = f"waived until {waiver.expires} ({waiver.reason}), and it passes: take the waiver out"
            return replace(result, result=Result.UNEXPECTED_PASS, waiver=waiver, reason=reason)
        return replace(result, waiver=waiver)

    # -- all together

    def judged(self, results: Iterable[CheckResult]) -> list[CheckResult]:
        """Results with what other scenarios saw against their rules: a rule whose own check passed fails, one that did not run is added."""
        by_id = {one.id: one for one in results}
        for rule in sorted({one.rule for one in self.observations}):
            seen = [one for one in self.observations if one.rule == rule]
            check = table.CHECKS.get(rule)
            if check is None:
                continue
            mine = by_id.get(rule)
            if mine is None or mine.result in (Result.PASS, Result.NOT_APPLICABLE, Result.UNEXPECTED_PASS):
                told = "; ".join(f"during {one.during}: {one.text}" for one in seen[:4])
                more = f" (and {len(seen) - 4} more)" if len(seen) > 4 else ""
                by_id[rule] = self._waived(
                    CheckResult(
                        check,
                        Result.FAIL,
                        "seen by other scenarios",
                        check.rule,
                        told + more,
                        reproduce=self._command(table.CHECKS[seen[0].during]),
                        observations=tuple(seen),
                        seconds=mine.seconds if mine else 0.0,
                    )
                )
        order = list(table.CHECKS)
        return sorted(by_id.values(), key=lambda one: order.index(one.id) if one.id in order else len(order))

    def report(self, results: Iterable[CheckResult], *, partial: bool = False, seconds: float = 0.0) -> Report:
        from postroom.testing.conformance.certificate import describe_machine, distribution, plain_config, table_digest

        spec = self.subject.spec
        identity = distribution(self.subject.provider)
        assert self.today is not None
        return Report(
            provider=spec.name,
            version=str(identity.get("version", "")),
            api=".".join(map(str, spec.sdk_api)),
            kit=KIT_VERSION,
            seed=self.seed,
            claims=tuple(sorted(self.subject.profiles)),
            results=tuple(self.judged(results)),
            today=self.today,
            identity=identity,
            config=plain_config(self._bench),
            table=table_digest(),
            capabilities=tuple(sorted(one.value for one in spec.capabilities)),
            untested=table.UNTESTED,
            waivers=tuple(self.waivers),
            partial=partial,
            machine=describe_machine(),
            seconds=seconds,
        )


_WITHOUT = {
    Need.NETWORK: "a run opens no connection through ctx.net",
    Need.CREDENTIALS: "there are no credentials that could be wrong",
    Need.TLS: "there is no configuration with TLS",
    Need.REMAINING: "what is left at the source cannot be seen: write remaining(self, world)",
    Need.INBOUND: "it is an outbound provider",
    Need.OUTBOUND: "it is an inbound provider",
}


def _nowhere(bench: Bench) -> Callable[[], Any]:
    granted = bench.world.folder if bench.world.has_folder else None
    return lambda: granted


def _second_run(bench: Bench, check: Check) -> list[Observation]:
    """Every instance that ran and is open: healed and let finish, one more run must have nothing to do (rule A7)."""
    if check.again or bench.again:
        return []
    found = []
    last: dict[str, Instance] = {one.env.instance: one for one in bench.instances}
    for instance in last.values():
        if instance.closed or not instance.ran:
            continue
        fresh = _is_fresh(bench, instance)
        bench.world.heal()
        bench.gateway.heal()
        if fresh:
            _settle(instance)
        if told := bench.unrest(instance):
            found.append(Observation(SECOND_RUN, check.id, told))
    return found


def _is_fresh(bench: Bench, instance: Instance) -> bool:
    """Whether its last run may have left something to do."""
    sick = bench.world.network.trouble is not None or len(bench.world.faults) > 0 or bench.gateway.armed
    return sick or instance.unsettled or instance.seeded_at_last_run != len(bench.seeded)


def _settle(instance: Instance) -> None:
    """Let it finish what the scenario left: mail to be retried comes back after a minute."""
    for _ in range(SETTLING_RUNS):
        ran = instance.try_run()
        instance.bench.clock.advance(61.0)
        if ran.failure is None and not ran.calls_in(MESSAGE_EFFECTS) and not getattr(ran.outcome, "more", False):
            return


def run_kit(
    subject: Subject,
    *,
    only: Iterable[str] = (),
    seed: int = 0,
    waivers: Sequence[Waiver] | None = None,
    today: date | None = None,
    framework: Framework | None = None,
    progress: Callable[[CheckResult], None] = lambda _: None,
) -> Report:
    """Try a provider: all checks of its claimed profiles and the informative ones, or `only` those that are named (by id, name, family or
    profile: the report is then partial, and no certificate). `waivers` None: those of the subject's file.

    Raises ValueError for a name that is none, and for a file of waivers that cannot be used."""
    from postroom.testing.conformance.waivers import read_waivers

    words = list(only)
    every = table.load()
    if waivers is None:
        waivers = read_waivers(subject.waivers) if subject.waivers else ()
    kit = Kit(subject, seed, framework or Framework(), waivers, today, progress)
    wanted = {*subject.profiles, Profile.INFORMATIVE}
    checks = table.selected(words) if words else [one for one in every.values() if one.profile in wanted]
    clock = SystemClock()
    began = clock.monotonic()
    results = [kit.run(check) for check in checks]
    return kit.report(results, partial=bool(words), seconds=clock.monotonic() - began)
