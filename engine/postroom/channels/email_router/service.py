"""The Email Router: any providers, configured from an XML file, for any number of organizations (email-router-providers reference)."""

from __future__ import annotations

import os
import random as chance
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from postroom.channels.email_router.database import ERROR_LENGTH, Alert, RouterDatabase
from postroom.channels.email_router.events import EventLog, Redactor, RouterEvent
from postroom.channels.email_router.instances import Instance, InstanceStatus
from postroom.channels.email_router.outcomes import Outcomes
from postroom.channels.email_router.placing import Place, Providers, places
from postroom.channels.email_router.reload import FileSource, Plan, ReloadReport, plan
from postroom.channels.email_router.work import Work, close_provider
from postroom.channels.server_side_sync import this_host
from postroom.clock import Clock
from postroom.errors import ConfigError, StoreError
from postroom.organization import Organization
from postroom.providers.configuration.problems import Problem
from postroom.providers.configuration.router_file import IMPORT_SECONDS, ProviderEntry, RouterFile
from postroom.providers.configuration.settings import Isolation
from postroom.providers.contract import Connector, Direction, Provider, RunOutcome
from postroom.providers.process import ProcessProvider, isolated
from postroom.providers.registry import Registry
from postroom.rules.router_fairness import share
from postroom.rules.router_runs import InstanceState
from postroom.runtime.executors import Executor, InlineExecutor, PoolExecutor
from postroom.runtime.jobs import Job
from postroom.runtime.outcome import JobReport
from postroom.runtime.runtime import Runtime

__all__ = ["EmailRouter"]

LEASE_MARGIN = 300.0
"""Seconds after which a fence that nobody gave back may be taken, beyond the longest time of a run. Ours."""
ISOLATED_GRACE = 5.0
"""Seconds that a process has to end when it is asked to. Ours."""
CLOSING_SECONDS = 60.0
"""What closing one provider may take. Ours."""
PURGE_SECONDS = 86_400.0
"""Between two looks for tombstones whose time is over. Ours."""
ITSELF = ""
"""The identity under which the router's database keeps the alerts of the router itself."""


@dataclass(slots=True)
class _Times:
    """Points of `clock.monotonic()` at which something is due again."""

    look: float = 0.0
    refresh: float = 0.0
    purge: float = 0.0


class EmailRouter:
    """Runs the providers of one file.

        router.run_due()         everything that is due now, until nothing is
        router.tick()            one step, for a loop of one's own; looks for work each SchedulingPeriod
        router.run()             a loop of ticks until `stop` is called
        router.reload()          read the file again now (each ConfigRefreshPeriod it is done anyway)
        router.instances()       how each instance is
        router.problems()        what is wrong with the router itself
        router.resume(identity)  let an instance go on that was stopped, held, broken or overrun
        router.stop()            from any thread: start nothing more; what runs ends after the message that it is at
        router.close()           end what runs, close each provider once

    file           the path of the router's file, or a RouterFile made in code
    organizations  by name: what `CrmServerUrl` is compared with
    database       the router's own: an address, or an object of the shape of RouterDatabase
    executor       None: a pool of MaxThreads threads, or the caller's thread where a store in memory admits no other
    reported       told of each run that ended; `told` of each event (from any thread)
    isolate        which entries run in a process of their own, beside those whose `Isolation` says so
    random         chance for the jitter of waiting times
    grace          seconds that a run has to end after its deadline, or when the router is closed
    patience       seconds that the longest wait after failures takes
    import_seconds true seconds that importing a provider may take; its entry is broken when it takes longer, and the others run

    All methods but `stop` belong to one thread.
    """

    def __init__(
        self,
        file: Path | str | RouterFile,
        organizations: Mapping[str, Organization],
        *,
        connector: Connector,
        clock: Clock,
        database: str | RouterDatabase = "sqlite:///router.db",
        executor: Executor | None = None,
        registry: Registry | None = None,
        holder: str = "",
        reported: Callable[[JobReport], None] | None = None,
        told: Callable[[RouterEvent], None] | None = None,
        isolate: Callable[[ProviderEntry], bool] | None = None,
        random: chance.Random | None = None,
        grace: float = 30.0,
        patience: float = 3600.0,
        import_seconds: float = IMPORT_SECONDS,
    ) -> None:
        self.organizations = dict(organizations)
        self.connector, self.clock = connector, clock
        self.holder = holder or f"{this_host()}/{os.getpid()}-{id(self):x}"
        self.events = EventLog(clock, told)
        self.known_threads: set[int] = set()
        self.patience = patience
        self.random = random or chance.Random()
        self._isolate = isolate
        self._providers = Providers(registry or Registry.default(), import_seconds)
        self._source = None if isinstance(file, RouterFile) else FileSource(file, self._providers)
        self.file, problems = (file, []) if isinstance(file, RouterFile) else self._first_file()
        self._own_memory = isinstance(database, str)
        self.memory = RouterDatabase(database, clock) if isinstance(database, str) else database
        self._deaf = self.memory.listen(self._alerted)
        self._grace = grace
        inline = self.memory.one_thread or any(one.store.one_thread for one in self.organizations.values())
        self._executor: Executor = executor or (InlineExecutor() if inline else PoolExecutor(self.file.system.max_threads))
        self._parties: Counter[str] = Counter()
        self.runtime = Runtime(clock, self._executor, grace=grace, reported=reported, caps=self._cap)
        self._instances: dict[str, Instance] = {}
        self._leaving: list[Instance] = []
        self._outcomes = Outcomes(self)
        self._times = _Times()
        self._stopping = self._closed = False
        self._start(problems)

    # -- from outside -------------------------------------------------------------------------------------------------

    def run_due(self) -> list[JobReport]:
        """Run what is due at this moment, until nothing is; a file that is due to be read again is read before. Returns the reports in the order in
        which the runs ended."""
        if self._stopping or self._closed:
            return []
        self._refresh()
        self._forget_tombstones()
        return self.runtime.run_until_idle()

    def tick(self) -> list[JobReport]:
        """One step: reports of what ended, and each SchedulingPeriod a look for what is due. Does not wait (but for an executor that runs in this
        thread)."""
        if self._closed:
            return []
        now = self.clock.monotonic()
        if now < self._times.look and not self.runtime.running():
            return []
        if now >= self._times.look:
            self._times.look = now + self.file.system.scheduling_period.seconds
            if not self._stopping:
                self._refresh()
                self._forget_tombstones()
        return self.runtime.tick()

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Tick until `until` says so, or until `stop` was called and what runs has ended."""
        while not (self._stopping or until()):
            self.tick()
            pause = max(0.001, self._times.look - self.clock.monotonic())
            if self._executor.inline:
                self.clock.sleep(pause)
            else:
                self.runtime.wait(pause)
        if self._stopping:
            self.runtime.run_until_idle()

    def next_look(self) -> float | None:
        """Seconds until something is due by itself; None: never."""
        due = self.runtime.next_due()
        return None if due is None else max(0.0, due - self.clock.monotonic())

    def instances(self) -> tuple[InstanceStatus, ...]:
        """In the order of the file; those that leave it and still run come last."""
        running = {instance for instance, _ in self.runtime.running()}
        everybody = [*self._instances.values(), *(one for one in self._leaving if one.key not in self._instances)]
        return tuple(instance.status(instance.key in running) for instance in everybody)

    def instance(self, identity: str) -> InstanceStatus:
        """By identity, the beginning of one, or name. Raises ConfigError when none or several are meant."""
        return self._find(identity).status(self._find(identity).key in {key for key, _ in self.runtime.running()})

    def problems(self) -> tuple[Alert, ...]:
        """What is wrong with the router itself, and not over yet: a file that was refused (kind "reload_refused"), a trace that cannot be written
        ("log_file"). They lie in its database too, under no identity."""
        return tuple(self.memory.alerts(ITSELF))

    def resume(self, identity: str, *, state: Any = None, reason: str = "", since: datetime | None = None) -> InstanceStatus:
        """Somebody has looked: the instance runs at once. A held one goes on with the state that there is, or from `state`, for which a `reason` is
        needed; `since`: mail received earlier is not taken in. One whose run never ended gets another, and nothing of the old run counts. Raises
        ConfigError, StateError."""
        instance = self._find(identity)
        place = instance.place
        if state is not None and place.entry is not None:
            self.memory.restart(place.key, place.entry.provider, state, reason)
        elif instance.state is InstanceState.HELD:
            self.memory.release(place.key)
        if since is not None and place.entry is not None:
            self.memory.adopt(place.key, place.entry.provider, threshold=since, name=place.name)
        if self.runtime.let_go(place.key, place.operation):
            self.memory.revoke(place.key)
            instance.forget_provider()
            instance.retired.clear()  # its thread is still inside: it cannot be closed
            self.events.tell("instance.not_closed", place.key, place.name)
        instance.state, instance.why, instance.failures, instance.mailboxes = InstanceState.WAITING, "", 0, None
        self.events.tell("instance.resumed", place.key, place.name)
        if place.trouble:
            self._set_broken(instance)
        else:
            self.schedule(instance, 0.0)
        return self.instance(place.key)

    def reload(self, file: RouterFile | None = None) -> ReloadReport:
        """Put the file's present words into force, or `file`. What did not change goes on undisturbed; a run of what changed or went ends after the message
        that it is at. A file with errors changes nothing, and is told."""
        problems: list[Problem] = []
        if self._stopping:
            return ReloadReport(unchanged=tuple(self._instances))
        if file is None and self._source is not None:
            found, problems = self._source.read()
            if found is None:
                text = "; ".join(str(problem) for problem in problems if problem.error)
                self.events.tell("router.reload_refused", text=text, problems=len(problems))
                self._trouble("reload_refused", text)
                return ReloadReport(unchanged=tuple(self._instances), problems=tuple(problems), refused=True)
            file = found
        self._trouble("reload_refused", "")
        self._warn(problems)
        if file is None or file == self.file:
            return ReloadReport(unchanged=tuple(self._instances), problems=tuple(problems))
        system = file.system != self.file.system
        steps = plan([one.place for one in self._instances.values()], file, list(self.organizations))
        self.file = file
        if system:
            self._apply_system()
        self._apply(steps, tombstones=not file.broken)
        report = ReloadReport(
            tuple(place.key for place in steps.added),
            tuple(place.key for place in steps.removed),
            tuple(new.key for _, new in steps.changed),
            tuple(place.key for place in steps.unchanged),
            tuple(problems),
        )
        self.events.tell(
            "router.reloaded",
            added=len(report.added),
            removed=len(report.removed),
            changed=len(report.changed),
            unchanged=len(report.unchanged),
        )
        return report

    def stop(self) -> None:
        """From any thread."""
        self._stopping = True
        self.runtime.stop()

    def close(self) -> None:
        """Idempotent. Progress is kept; a provider whose run does not end within the grace time is not closed, and told."""
        if self._closed:
            return
        self._stopping = self._closed = True
        self.runtime.close(self._grace)
        running = {key for key, _ in self.runtime.running()}
        self._close_all([one for one in (*self._instances.values(), *self._leaving) if one.key not in running])
        for instance in (*self._instances.values(), *self._leaving):
            if instance.key in running:
                with suppress(StoreError):
                    self.memory.revoke(instance.key)
                self.events.tell("instance.not_closed", instance.key, instance.place.name)
        self._deaf()
        if self._own_memory:
            self.memory.close()
        self.events.tell("router.closed")
        self.events.close()

    # -- starting and changing ----------------------------------------------------------------------------------------

    def _first_file(self) -> tuple[RouterFile, list[Problem]]:
        assert self._source is not None
        file, problems = self._source.read()
        if file is None:
            raise ConfigError("the router's file has errors: " + "; ".join(str(one) for one in problems if one.error))
        return file, problems

    def _start(self, problems: list[Problem]) -> None:
        system = self.file.system
        self._trouble("log_file", self.events.configure(system.detail, system.log_file))
        self._trouble("reload_refused", "")
        now = self.clock.monotonic()
        self._times = _Times(now, now + system.config_refresh_period.seconds, now)
        self._take_over_thresholds()
        for place in places(self.file, list(self.organizations)):
            self._add(place)
        self._count_parties()
        self._bury_vanished()
        self._warn(problems)
        self.events.tell("router.started", instances=len(self._instances))

    def _bury_vanished(self) -> None:
        """Identities that the database knows and the file does not: they went while nobody ran. Not while an entry cannot be used, whose identity nobody
        knows."""
        if self.file.broken:
            return
        with suppress(StoreError):
            for identity in self.memory.identities():
                if identity not in self._instances:
                    self.memory.tombstone(identity)
                    self.events.tell("instance.removed", identity)

    def _take_over_thresholds(self) -> None:
        """An import knows entries; one that serves several has an instance for each of them, and each begins where the entry stood."""
        with suppress(StoreError):
            known = self.memory.thresholds()
            for place in places(self.file, list(self.organizations)) if known else ():
                entry = place.entry
                if entry is None or entry.direction is Direction.OUTBOUND or place.key == entry.identity:
                    continue
                if entry.identity in known and not self.memory.knows(place.key):
                    told = {"name": place.name, "organization": place.organization}
                    self.memory.adopt(place.key, entry.provider, threshold=known[entry.identity], **told)

    def _forget_tombstones(self) -> None:
        """Once a day, and at the start."""
        now = self.clock.monotonic()
        if now < self._times.purge:
            return
        self._times.purge = now + PURGE_SECONDS
        try:
            gone = self.memory.purge()
        except StoreError as error:
            self.events.tell("run.failed", text=f"tombstones were not looked at: {error}")
            return
        for identity in gone:
            self.events.tell("instance.forgotten", identity)

    def _trouble(self, kind: str, text: str) -> None:
        """An alert of the router itself, once for each text; "" ends it."""
        with suppress(StoreError):
            before = [one.detail for one in self.memory.alerts(ITSELF) if one.kind == kind]
            if before != ([text[:ERROR_LENGTH]] if text else []):
                self.memory.clear(ITSELF, kind)
                if text:
                    self.memory.note(ITSELF, kind, text, quiet=True)

    def _warn(self, problems: list[Problem]) -> None:
        for problem in problems:
            if not problem.error:
                self.events.tell("router.file_warning", text=str(problem))

    def _refresh(self) -> None:
        now = self.clock.monotonic()
        if self._source is None or now < self._times.refresh:
            return
        self._times.refresh = now + self.file.system.config_refresh_period.seconds
        if self._source.changed():
            self.reload()

    def _apply_system(self) -> None:
        """Settings of the service, at once; the longest time of a run from its next start on."""
        system = self.file.system
        self._trouble("log_file", self.events.configure(system.detail, system.log_file))
        now = self.clock.monotonic()
        self._times.refresh = min(self._times.refresh, now + system.config_refresh_period.seconds)
        self._times.look = min(self._times.look, now + system.scheduling_period.seconds)
        if isinstance(self._executor, PoolExecutor):
            self._executor.resize(system.max_threads)
        for instance in self._instances.values():
            if self.runtime.waits(instance.key, instance.place.operation):
                self.schedule(instance, max(0.0, instance.next_point - now))

    def _apply(self, steps: Plan, *, tombstones: bool) -> None:
        for place in steps.removed:
            self._remove(self._instances.pop(place.key), tombstone=tombstones)
        for _, new in steps.changed:
            self._change(self._instances[new.key], new)
        for place in steps.unchanged:
            self._instances[place.key].place = place  # lines may have moved
        for place in steps.added:
            self._add(place)
        order = {place.key: number for number, place in enumerate(places(self.file, list(self.organizations)))}
        self._instances = dict(sorted(self._instances.items(), key=lambda item: order[item[0]]))
        self._count_parties()

    def _add(self, place: Place) -> None:
        instance = Instance(place, _redactor(place))
        self._instances[place.key] = instance
        returned = next((one for one in self._leaving if one.key == place.key), None)
        if returned is not None:  # it went and came back while its run was ending
            self._leaving.remove(returned)
            instance.generation = returned.generation + 1
            instance.retired = returned.retired
        self.events.tell("instance.added", place.key, place.name, organization=place.organization)
        if place.trouble:
            self._set_broken(instance)
        else:
            self.schedule(instance, 0.0)

    def _change(self, instance: Instance, place: Place) -> None:
        self.runtime.withdraw(instance.key, instance.place.operation)
        instance.take(place, _redactor(place))
        self.events.tell("instance.changed", place.key, place.name)
        if place.trouble:
            self._set_broken(instance)
        else:
            self.schedule(instance, 0.0)

    def _remove(self, instance: Instance, *, tombstone: bool) -> None:
        """Its run ends; then its provider is closed and its state becomes a tombstone."""
        place = instance.place
        instance.leaving = True
        instance.generation += 1
        running = (place.key, place.operation) in self.runtime.running()
        self.runtime.withdraw(place.key, place.operation)
        instance.forget_provider()
        self.events.tell("instance.removed", place.key, place.name)
        if running or instance.retired:
            self._leaving.append(instance)
            self.runtime.submit(self._closing(instance, tombstone=tombstone))
        elif tombstone:
            self._bury(instance)

    def _closing(self, instance: Instance, *, tombstone: bool) -> Job:
        """Close what is left of an instance, when nothing of it runs any more."""

        def close(_: Any) -> RunOutcome:
            while instance.retired:
                close_provider(self, instance, instance.retired.pop(0))
            return RunOutcome()

        def ended(_: JobReport) -> None:
            if instance in self._leaving:
                self._leaving.remove(instance)
                if tombstone:
                    self._bury(instance)

        return Job(instance.key, instance.place.operation, close, seconds=CLOSING_SECONDS, ended=ended)

    def _bury(self, instance: Instance) -> None:
        try:
            self.memory.tombstone(instance.key)
        except StoreError as error:
            self.events.tell("run.failed", instance.key, instance.place.name, str(error))

    def _set_broken(self, instance: Instance) -> None:
        instance.state, instance.why, instance.next_due = InstanceState.BROKEN, instance.place.trouble, None
        instance.last_error = instance.place.trouble
        self.events.tell("instance.broken", instance.key, instance.place.name, instance.redact(instance.place.trouble))

    # -- scheduling ---------------------------------------------------------------------------------------------------

    def schedule(self, instance: Instance, wait: float) -> None:
        """Have it run after `wait` seconds; never again once the router is to end."""
        if self._stopping:
            return
        work = Work(self, instance)
        point = self.clock.monotonic() + wait
        instance.next_point, instance.next_due = point, self.clock.now() + timedelta(seconds=wait)
        self.runtime.submit(
            Job(
                instance=instance.key,
                operation=instance.place.operation,
                run=work.carry_out,
                seconds=self.file.system.max_thread_execution.seconds,
                lease=work,
                record=lambda report, _: self._outcomes.record(work, report),
                ended=lambda report: self._outcomes.ended(work, report),
                scheduled=instance.next_due,
                groups=instance.groups,
            ),
            point,
        )

    @property
    def lease_seconds(self) -> float:
        """How long the router's own fence of a run is good without being renewed."""
        return self.file.system.max_thread_execution.seconds + self._grace + LEASE_MARGIN

    def _alerted(self, alert: Alert) -> None:
        """The router's database has found something."""
        self.events.tell("state.alert", alert.identity, text=alert.detail, kind=alert.kind)

    def provider_class(self, entry: ProviderEntry) -> type[Provider]:
        """The class to make an instance of; where it is to be isolated, its stand-in for a process. Raises ConfigError."""
        kind = self._providers.find(entry)
        wanted = entry.settings.isolation is Isolation.PROCESS or (self._isolate is not None and self._isolate(entry))
        if not wanted or issubclass(kind, ProcessProvider):
            return kind
        return isolated(kind, grace=min(self._grace, ISOLATED_GRACE))

    def _count_parties(self) -> None:
        """How many organizations and how many servers share the threads."""
        groups = {group for instance in self._instances.values() for group in instance.groups}
        self._parties = Counter(group.partition(":")[0] for group in groups)

    def _cap(self, group: str) -> int | None:
        kind = group.partition(":")[0]
        threads = self._executor.slots
        return share(threads, self._parties[kind]) if threads > 1 else None

    def _find(self, identity: str) -> Instance:
        if identity in self._instances:
            return self._instances[identity]
        found = [
            one for one in self._instances.values() if one.place.name == identity or (identity and one.key.startswith(identity))
        ]
        if len(found) != 1:
            raise ConfigError(f"{'no instance is' if not found else 'several instances are'} called {identity!r}")
        return found[0]

    # -- the end ------------------------------------------------------------------------------------------------------

    def _close_all(self, instances: list[Instance]) -> None:
        """Each provider once: here where runs are carried out here, else side by side, none longer than the grace time."""

        def close(instance: Instance) -> None:
            instance.forget_provider()
            while instance.retired:
                close_provider(self, instance, instance.retired.pop(0))

        open_ones = [one for one in instances if one.provider is not None or one.retired]
        if self._executor.inline:
            for instance in open_ones:
                close(instance)
            return
        threads = [threading.Thread(target=close, args=(one,), name="postroom-closing", daemon=True) for one in open_ones]
        for thread in threads:
            thread.start()
        for thread, instance in zip(threads, open_ones, strict=True):
            thread.join(self._grace)
            if thread.is_alive():
                self.events.tell("instance.not_closed", instance.key, instance.place.name)


def _redactor(place: Place) -> Redactor:
    return Redactor.of(place.entry.config if place.entry is not None else None)
