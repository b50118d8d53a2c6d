"""STA: what is remembered. Losing it costs a look, never a message; and it is small, plain, and belongs to nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn

import sqlalchemy as sa

from postroom.errors import StaleRun, StateError
from postroom.model.secret import Secret
from postroom.providers.contract import Capability
from postroom.providers.cursor import Cursor
from postroom.providers.state import canonical, decode, encode, problems_of, walk
from postroom.testing.conformance.bench import Bench, Instance
from postroom.testing.conformance.checks.scenes import count_calls, cut_at, deleting, scratch
from postroom.testing.conformance.failures import CheckFailed, FixtureError, NotApplicable, one_line
from postroom.testing.conformance.gateway import EFFECTS
from postroom.testing.conformance.guard import unseen
from postroom.testing.conformance.table import Level, Need, Owner, Profile, check
from postroom.testing.crash import PowerCut as StoreCut
from postroom.testing.crash import Steps, watch_store

if TYPE_CHECKING:
    from postroom.channels.email_router.database import RouterDatabase

__all__: list[str] = []

STATE_LIMIT = 64 * 1024
"""Octets of a state, in JSON, after 10,000 messages (ours; the router's own limit is the same)."""
MESSAGES = 10_000
STATEFUL: list[Capability | Need] = [Capability.STATEFUL, Need.INBOUND]
CUTS = 40
"""At most so many places of a run are cut off at; where there are more, a seeded choice of them (ours)."""


def _cursors(value: Any) -> dict[str, Cursor]:
    return {path: one for path, one in walk(value) if isinstance(one, Cursor)}


def _commits(instance: Instance) -> list[Any]:
    return list(instance.store.cell.commits)


@check(
    "STA-01",
    "state_round_trip",
    Level.MUST,
    Profile.DURABLE,
    needs=[Capability.STATEFUL],
    rule="every committed state is JSON, and is equal after a round trip through it",
    mutant="stores an object",
)
def state_round_trip(bench: Bench) -> None:
    """A state outlives the process, the machine and the release that wrote it: plain values only, no octets, no secrets (`providers.state`)."""
    problems = problems_of(bench.spec.state)
    bench.expect(not problems, expected="a frozen dataclass of plain values, all with defaults", observed="; ".join(problems))
    instance = bench.instance()
    for _ in range(2):
        bench.seed(3)
        instance.run_all()
    for value in _commits(instance):
        try:
            again = decode(bench.spec.state, json.loads(json.dumps(encode(value), allow_nan=False)))
        except (StateError, TypeError, ValueError) as error:
            raise CheckFailed("a state that JSON can hold", one_line(error)) from error
        bench.expect(again == value, expected="the same state after a round trip", observed="another one")


@check(
    "STA-02",
    "first_run",
    Level.MUST,
    Profile.DURABLE,
    needs=[Capability.STATEFUL],
    rule="a provider works without a state: at its first run, and when it was lost",
    mutant="assumes a cursor",
)
def first_run(bench: Bench) -> None:
    """The state of a first run is `spec.state()`, and the seen set is empty. The same is true after both were lost, with the ledger and the
    source as they were: then nothing is stored twice."""
    seeded = bench.seed(3)
    bench.instance().run_all()
    bench.expect_each_once(seeded)
    bench.instance().run_all()
    bench.expect_each_once(seeded)


@check(
    "STA-03",
    "resume_only_new",
    Level.MUST,
    Profile.DURABLE,
    needs=STATEFUL,
    rule="a new process with the same memory takes only later messages in",
    mutant="starts over",
)
def resume_only_new(bench: Bench) -> None:
    """The ledger would keep a second copy out. But asking about a whole mailbox again at each start is a day's work."""
    seeded = bench.seed(4)
    first = bench.instance()
    first.run_all()
    first.close()
    bench.clock.advance(600.0)
    later = bench.seed(2)
    second = bench.instance(store=first.store)
    mark = len(bench.gateway.calls)
    second.run_all()
    asked = len(bench.gateway.made("check_incoming", "deliver_incoming", since=mark))
    bench.expect_each_once([*seeded, *later])
    bench.expect(
        asked <= 2 * len(later), expected=f"the {len(later)} later messages looked at", observed=f"{asked} calls about messages"
    )


@check(
    "STA-04",
    "resume_from_every_checkpoint",
    Level.MUST,
    Profile.DURABLE,
    needs=STATEFUL,
    rule="cut off after any commit and started again, everything is there, each once",
    mutant="skips one",
)
def resume_from_every_checkpoint(bench: Bench) -> None:
    """The power is taken away before each call that the provider makes, one after the other; what it did before counts, what it would have done
    does not. Then a new process goes on with what was remembered."""
    _survives(bench, {}, range(1, 3))


@check(
    "STA-05",
    "crash_before_commit",
    Level.MUST,
    Profile.DURABLE,
    needs=STATEFUL,
    rule="cut off between delivering, remembering and deleting, messages may be looked at again and none is lost",
    mutant="deletes first",
)
def crash_before_commit(bench: Bench) -> None:
    """As STA-04, with deleting at the source where the provider can: whatever order it has, no message may be at neither place."""
    _survives(bench, deleting(bench), (100,))


def _survives(bench: Bench, elements: dict[str, str], batches: Any) -> None:
    for items in batches:
        with scratch(bench) as other:
            other.seed(3)
            calls, _ = count_calls(other.instance(elements), items=items)
        places = list(range(calls))
        if len(places) > CUTS:
            places = sorted(Random(bench.seed_number).sample(places, CUTS))
        for place in places:
            with scratch(bench) as other:
                seeded = other.seed(3)
                instance = other.instance(elements)
                cut_at(instance, place, items=items)
                other.world.network.heal()
                told = f"cut off before call {place + 1} ({_call_names(instance)[-1:] or ['the first']}), "
                again = other.instance(elements, store=instance.store)
                again.run_all(items=100)
                done = other.done()
                lost = [message.number for message in seeded if message.token not in done]
                twice = [message.number for message in seeded if done.count(message.token) > 1]
                bench.expect(not lost, expected="nothing lost", observed=f"{told}messages {lost} were lost")
                bench.expect(not twice, expected="nothing stored twice", observed=f"{told}messages {twice} were stored twice")


def _call_names(instance: Instance) -> list[str]:
    return [f"{call.name} {call.key}".strip() for call in instance.gateway.calls]


@check(
    "STA-07",
    "no_empty_commit",
    Level.MUST,
    Profile.DURABLE,
    needs=[Capability.STATEFUL],
    rule="no progress, no commit",
    mutant="heartbeat commits",
)
def no_empty_commit(bench: Bench) -> None:
    """Ten thousand mailboxes that are polled every minute, each with a write to the disk, are a broken disk."""
    bench.seed(3)
    instance = bench.instance()
    instance.run_all()
    instance.run()  # it may put its memory in order once
    before = len(_commits(instance))
    for _ in range(3):
        bench.clock.advance(600.0)
        instance.run()
    commits = len(_commits(instance)) - before
    bench.expect(commits == 0, expected="no commit in three idle runs", observed=f"{commits} commits")


@check(
    "STA-08",
    "cursor_monotonic",
    Level.MUST,
    Profile.DURABLE,
    needs=STATEFUL,
    rule="a cursor never moves backwards without rewind(reason)",
    mutant="uses last seen, not max",
)
def cursor_monotonic(bench: Bench) -> None:
    """What lies between is taken in again, mail that people have deleted in between included. The router refuses such a commit."""
    instance = bench.instance()
    _has_cursor(bench)
    for days in (0, 3, 1, 5, 2):
        bench.seed(2, date=bench.clock.now() - timedelta(days=days, hours=1))
        instance.run_all()
    values = [bench.spec.state(), *_commits(instance)]
    for earlier, later in pairwise(values):
        for path, cursor in _cursors(later).items():
            before = _cursors(earlier).get(path)
            back = before is not None and cursor.goes_back_from(before)
            bench.expect(not back, expected="a cursor that goes forward", observed=f"{path.lstrip('.')} goes back")


def _has_cursor(bench: Bench) -> None:
    if not _cursors(bench.spec.state()):
        raise NotApplicable("the state holds no Cursor")


@check(
    "STA-09",
    "equal_timestamps",
    Level.MUST,
    Profile.DURABLE,
    needs=STATEFUL,
    rule="several messages of one second are all taken in, also when they come one after the other",
    mutant="strict greater-than",
)
def equal_timestamps(bench: Bench) -> None:
    """A time stamp is no name. Keep the ids of what was dealt with at that instant (`Cursor`), or a seen set."""
    moment = bench.clock.now() - timedelta(minutes=30)
    instance = bench.instance()
    seeded = bench.seed(3, date=moment)
    instance.run(items=2)
    instance.run_all()
    seeded += bench.seed(2, date=moment)
    instance.run_all()
    bench.expect_each_once(seeded)


@check(
    "STA-10",
    "late_arrival",
    Level.MUST,
    Profile.DURABLE,
    needs=STATEFUL,
    rule="a message that is dated before what was dealt with, and arrives later, is taken in",
    mutant="time stamp only",
)
def late_arrival(bench: Bench) -> None:
    """Mail is held up for hours and days, and comes with the date of its writing."""
    instance = bench.instance()
    seeded = bench.seed(2)
    instance.run_all()
    for hours in (2, 50):
        seeded += bench.seed(1, date=bench.clock.now() - timedelta(hours=hours))
        instance.run_all()
    bench.expect_each_once(seeded)


@check(
    "STA-11",
    "unsorted_source",
    Level.MUST,
    Profile.DURABLE,
    needs=STATEFUL,
    rule="cut off in the middle of a source that is not sorted by time, nothing is lost",
    mutant="advances to max at once",
)
def unsorted_source(bench: Bench) -> None:
    """Advance no further than what has been dealt with, and at the end no further than a signpost taken at the start."""
    order = [5, 1, 4, 2, 6, 3]
    bench.random.shuffle(order)
    for place in range(2, 30, 3):
        with scratch(bench) as other:
            seeded = [one for hours in order for one in other.seed(1, date=other.clock.now() - timedelta(hours=hours))]
            instance = other.instance()
            there = cut_at(instance, place, items=3)
            again = other.instance(store=instance.store)
            again.run_all()
            done = other.done()
            lost = [message.number for message in seeded if message.token not in done]
            bench.expect(not lost, expected="nothing lost", observed=f"cut off at call {place + 1}, messages {lost} were lost")
            if not there:
                return


@check(
    "STA-12",
    "future_state",
    Level.MUST,
    Profile.DURABLE,
    needs=STATEFUL,
    rule="with a cursor in the future a provider does no work, does no damage, and says so",
    mutant="resets to zero",
)
def future_state(bench: Bench) -> None:
    """A clock was wrong, or a date was. Starting over takes a whole mailbox in again; only a person can know better."""
    instance = bench.instance()
    _has_cursor(bench)
    bench.seed(3)
    instance.run_all()
    bench.seed(1)
    cell = instance.store.cell
    cell.value = _in_future(cell.value, bench)
    before, lines = cell.value, len(instance.log.lines)
    ran = instance.try_run()
    bench.again = "its cursor is in the future"
    if ran.failure is not None and not isinstance(ran.failure, StateError):
        raise CheckFailed("no error, or a StateError", one_line(ran.failure))
    bench.expect_no_effects(
        [call for call in ran.calls if call.name != "seen.add"], expected="no work with a cursor in the future", memory=True
    )
    back = [path for path, one in _cursors(cell.value).items() if one.goes_back_from(_cursors(before)[path])]
    bench.expect(not back, expected="a cursor that stays where it is", observed="it was moved back")
    told = len(instance.log.lines) > lines or ran.failure is not None
    bench.expect(told, expected="a warning in the log", observed="nothing was said")


def _in_future(value: Any, bench: Bench) -> Any:
    future = bench.clock.now() + timedelta(days=3650)
    changed = {name.lstrip("."): replace(one, threshold=future) for name, one in _cursors(value).items()}
    if any("." in name or "[" in name for name in changed):
        raise NotApplicable("its cursors are not fields of the state itself")
    return replace(value, **changed)


@check(
    "STA-14",
    "old_version_migrated",
    Level.MUST,
    Profile.DURABLE,
    needs=[Capability.STATEFUL],
    rule="a state of each published earlier version is loaded by spec.migrate, and the provider goes on with it",
    mutant="KeyError",
)
def old_version_migrated(bench: Bench) -> None:
    """`earlier_states` of the test class gives one for each version before `spec.state_version`, as it was written then."""
    version = bench.spec.state_version
    if version == 1:
        raise NotApplicable("this is the first version of its state")
    given = bench.subject.earlier_states()
    missing = sorted(set(range(1, version)) - {number for number, _ in given})
    if missing:
        raise FixtureError(
            f"no state of version {missing[0]} is given: write earlier_states(self), which gives [({missing[0]}, {{...}})]"
        )
    for number, thing in given:
        with _kept(bench) as database:
            identity = f"kit-{number}"
            database.begin(identity, bench.spec, "kit")
            _write_raw(database, identity, number, json.dumps(thing))
            try:
                value = database.state(identity, bench.spec).value
            except StateError as error:
                raise CheckFailed(f"a state of version {number} that is understood", one_line(error)) from error
        bench.expect(isinstance(value, bench.spec.state), expected="a state of today", observed=type(value).__name__)
        store = bench.store()
        store.cell.value = value
        bench.instance(store=store).run_all()


@check(
    "STA-16",
    "stale_commit_refused",
    Level.MUST,
    Profile.DURABLE,
    needs=STATEFUL,
    rule="a run that learns at a commit that it does not count any more (StaleRun) ends at once, and says so",
    mutant="retries with force",
)
def stale_commit_refused(bench: Bench) -> None:
    """Another run has this mailbox. Whatever this one does now, it does against that one."""
    with scratch(bench) as other:
        other.seed(3)
        instance = other.instance(deleting(other))
        instance.run_all(items=2)
        names = {call.name for call in other.gateway.calls}
    for name in sorted(names & {"state.commit", "seen.add", "commit", "deliver_incoming", "batch"}):
        with scratch(bench) as other:
            seeded = other.seed(3)
            instance = other.instance(deleting(other))
            other.gateway.fail(name, StaleRun("kit: another run has this instance"))
            ran = _until_stale(instance)
            raised = isinstance(ran.failure, StaleRun)
            bench.expect(
                raised,
                expected="StaleRun raised",
                observed=f"after {name}: {one_line(ran.failure) if ran.failure else 'no error'}",
            )
            position = next(
                (n for n, call in enumerate(ran.calls) if call.name == name), len(ran.calls)
            )  # the one that was refused: the first of its name
            after = [call.name for call in ran.calls[position + 1 :] if call.name in EFFECTS]
            bench.expect(not after, expected=f"nothing after a stale {name}", observed=f"{', '.join(after[:4])}")
            other.instance(deleting(other), store=instance.store).run_all()
            done = other.done()
            lost = [message.number for message in seeded if message.token not in done]
            bench.expect(not lost, expected="nothing lost", observed=f"after a stale {name} messages {lost} were lost")


def _until_stale(instance: Instance) -> Any:
    """Run until the failure that waits has been raised."""
    for _ in range(5):
        ran = instance.try_run(items=2)
        if ran.failure is not None:
            break
    return ran


@check(
    "STA-17",
    "size_bounded",
    Level.SHOULD,
    Profile.DURABLE,
    needs=STATEFUL,
    rule="10,000 messages keep the state under its budget of 64 KiB",
    mutant="stores every id",
)
def size_bounded(bench: Bench) -> None:
    """Ids belong into `ctx.seen`, which is made for them. The size after some messages, and after some more a day later, says what it will be."""
    instance = bench.instance()
    sizes, count = [], 40
    for _ in range(3):
        bench.seed(count)
        instance.run_all()
        sizes.append(len(canonical(instance.store.cell.value).encode()))
        bench.clock.advance(86_400.0)
    growth = max(0.0, (sizes[2] - sizes[1]) / count)
    expected = sizes[2] + growth * MESSAGES
    bench.measure("state_octets", sizes[2])
    bench.expect(
        expected <= STATE_LIMIT,
        expected=f"at most {STATE_LIMIT} octets of state after {MESSAGES} messages",
        observed=f"{sizes[2]} octets after {3 * count}, {growth:.1f} more with each: {expected:.0f}",
    )


@check(
    "STA-18",
    "no_sensitive_state",
    Level.MUST,
    Profile.DURABLE,
    needs=STATEFUL,
    rule="no secrets, bodies or subjects are remembered",
    mutant="caches the message",
)
def no_sensitive_state(bench: Bench) -> None:
    """The memory is in backups, in exports, and before the eyes of whoever looks for a fault."""
    subject, body = "kit-confidential-subject", "kit-confidential-body"
    bench.seed(3, subject=subject, text=f"{body} and more\n")
    instance = bench.instance()
    instance.run_all()
    secrets = [one.reveal() for _, one in walk(instance.config) if isinstance(one, Secret) and len(one.reveal()) >= 4]
    texts = [canonical(value) for value in _states(instance)]
    texts += [f"{key} {digest}" for key, digest in instance.store.seen.entries.items()]
    for what, words in (("a subject", [subject]), ("a body", [body]), ("a secret", secrets)):
        found = [text for text in texts for word in words if word in text]
        bench.expect(not found, expected=f"a memory without {what.split()[-1]}s", observed=f"{what} is remembered")


def _states(instance: Instance) -> Iterator[Any]:
    for value in _commits(instance):
        with suppress(StateError):  # STA-01 says so
            canonical(value)
            yield value


# -- the framework's duties: run with every provider's state, and against broken frameworks in the kit's own tests


@contextmanager
def _kept(bench: Bench, name: str = "") -> Iterator[RouterDatabase]:
    """A router's database as the framework makes it: in memory, or in a file of the granted folder."""
    with unseen():
        url = f"sqlite:///{bench.world.folder / name}" if name else "sqlite://"
        database = bench.framework.database(url, bench.clock)
    try:
        with unseen():
            yield database
    finally:
        with unseen():
            database.close()


def _write_raw(database: RouterDatabase, identity: str, version: int, text: str) -> None:
    """A state as some other release has left it."""
    with database.transaction() as tx:
        database._write(tx, identity, version, text, 1, "kit")  # noqa: SLF001 - there is no other way to write one of another version


def _damage(database: RouterDatabase, identity: str) -> None:
    """The state as a broken disk leaves it, the generation before it too."""
    with database.transaction() as tx:
        tx.execute(_SPOILT, {"i": identity})


_SPOILT = sa.text("UPDATE statevalue SET value = substr(value, 2), previousvalue = '' WHERE instance = :i")


@check(
    "STA-06",
    "crash_inside_commit",
    Level.MUST,
    Profile.DURABLE,
    owner=Owner.FRAMEWORK,
    needs=[Capability.STATEFUL],
    rule="cut off inside a commit, the old or the new state is there, never a mixture",
    mutant="writes in place",
)
def crash_inside_commit(bench: Bench) -> None:
    """The framework's duty: the power is taken away before each writing statement of the commit and around its end, on a database in a file."""
    old, new = _some_states(bench)
    for place in range(20):
        name = f"cut-{place}.db"
        with _kept(bench, name) as database:
            fence = database.begin("kit", bench.spec, "kit")
            database.state("kit", bench.spec, fence).commit(old)
            steps = Steps(stop=place, act=_power_cut)
            cell = database.state("kit", bench.spec, fence)
            watch_store(database, steps)
            try:
                cell.commit(new)
            except StoreCut:
                pass
        with _kept(bench, name) as database:
            try:
                found = database.state("kit", bench.spec).value
            except StateError as error:
                raise CheckFailed("the old or the new state", f"cut off at step {place + 1}: {one_line(error)}") from error
        bench.expect(
            found in (old, new), expected="the old or the new state", observed=f"cut off at step {place + 1}, neither is there"
        )
        if not steps.cut:
            bench.expect(found == new, expected="the new state after a commit that ended", observed="the old one")
            return


def _power_cut(name: str) -> NoReturn:
    raise StoreCut(name)


@check(
    "STA-13",
    "corrupt_state_held",
    Level.MUST,
    Profile.DURABLE,
    owner=Owner.FRAMEWORK,
    needs=[Capability.STATEFUL],
    rule="an instance whose state cannot be read is held, with an alert; other instances go on",
    mutant="begins at the first run",
)
def corrupt_state_held(bench: Bench) -> None:
    """The framework's duty: it never begins at the beginning of time by itself, and one bad byte stops nobody else."""
    old, new = _some_states(bench)
    with _kept(bench) as database:
        for identity in ("kit-a", "kit-b"):
            fence = database.begin(identity, bench.spec, "kit")
            for value in (old, new):
                database.state(identity, bench.spec, fence).commit(value)
            assert fence is not None
            database.end(fence)
        _damage(database, "kit-a")
        _held(bench, database, "kit-a", "a state that fails its checksum")
        other = database.state("kit-b", bench.spec, database.begin("kit-b", bench.spec, "kit")).value
        bench.expect(other == new, expected="the state of the other instance", observed="another one")


def _held(bench: Bench, database: RouterDatabase, identity: str, what: str) -> None:
    try:
        fence = database.begin(identity, bench.spec, "kit")
        value = database.state(identity, bench.spec, fence).value
    except StateError:
        pass
    else:
        first = " of a first run" if value == bench.spec.state() else ""
        raise CheckFailed(f"{what}: held", f"it goes on with the state{first}")
    row = database.row(identity)
    bench.expect(row is not None and row.held, expected=f"{what}: held until somebody decides", observed="it may run again")
    bench.expect(database.alerts(identity), expected=f"{what}: an alert", observed="none")


@check(
    "STA-15",
    "newer_version_held",
    Level.SHOULD,
    Profile.DURABLE,
    owner=Owner.FRAMEWORK,
    needs=[Capability.STATEFUL],
    rule="an instance whose state a later release wrote is held, with an alert",
    mutant="drops fields",
)
def newer_version_held(bench: Bench) -> None:
    """The framework's duty: what is not understood is not thrown away."""
    _, new = _some_states(bench)
    with _kept(bench) as database:
        database.begin("kit", bench.spec, "kit")
        thing = {**encode(new), "invented_later": 1}
        _write_raw(database, "kit", bench.spec.state_version + 1, json.dumps(thing))
        _held(bench, database, "kit", "a state of a later version")


def _some_states(bench: Bench) -> list[Any]:
    """Two different states of this provider, as it makes them where it can."""
    instance = bench.instance()
    bench.seed(3)
    instance.run_all()
    bench.seed(2)
    bench.clock.advance(60.0)
    instance.run_all()
    found = [bench.spec.state(), *_commits(instance)]
    distinct = [value for n, value in enumerate(found) if value not in found[:n]]
    if len(distinct) < 2:
        raise NotApplicable("its state has only one value")
    return distinct[-2:]
