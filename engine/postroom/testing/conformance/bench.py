"""One check's laboratory, made anew for each check: a world, an organization, and the provider under test with its memory."""

from __future__ import annotations

import contextlib
import io
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from postroom.errors import PostroomError
from postroom.providers.contract import CheckReport, Direction, ProviderEnv, ProviderSpec, RunContext, RunOutcome
from postroom.runtime.connections import RunConnector
from postroom.testing.conformance import messages as making
from postroom.testing.conformance.failures import CheckFailed, FixtureError, Hang, NotApplicable, one_line
from postroom.testing.conformance.framework import Framework
from postroom.testing.conformance.gateway import EFFECTS, MESSAGE_EFFECTS, KitGateway
from postroom.testing.conformance.messages import SourceMessage, token_in
from postroom.testing.conformance.world import KitWorld
from postroom.testing.fake_gateway import Call, MemoryLog, MemorySeenSet, MemoryStateCell
from postroom_simulator.journal import Entry, Kind

if TYPE_CHECKING:
    from postroom.testing.conformance.guard import Guard
    from postroom.testing.conformance.subject import Subject

__all__ = ["Bench", "Instance", "KitLog", "Ran", "Store"]

Texts = Mapping[str, str | Sequence[str]]
"""Element name -> text, or texts for a repeated element."""
IDLE_RUNS = 60
"""Runs until a provider must have come to rest (ours): more than any check seeds batches."""
LAST_CALLS = 12
PATIENCE = 3600.0
"""Seconds of the world's clock past its deadline until a run counts as hanging (ours)."""
CHANGED = (Kind.REMOVED, Kind.DELIVERY)
"""Entries of the simulator that tell of a change at a source or of mail that arrived."""


@dataclass(slots=True)
class Store:
    """What an instance remembers from run to run, and over a restart: give it to the next instance to go on with it."""

    cell: MemoryStateCell[Any]
    seen: MemorySeenSet


class KitLog(MemoryLog):
    """A ProviderLog that keeps what it is told, and writes it into the journal."""

    def __init__(self, world: KitWorld) -> None:
        super().__init__()
        self._world = world

    def __call__(self, event: str, text: str = "", /, **values: Any) -> None:
        super().__call__(event, text, **values)
        said = " ".join(f"{name}={value!r}" for name, value in values.items())
        self._world.note("log", " ".join(part for part in (str(event), str(text), said) if part))


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of one call of the provider: an outcome, or what it raised.

    calls    what it asked of the organization and its memory
    seconds  by the world's clock
    open     connections that it left open
    """

    outcome: RunOutcome | CheckReport | None
    error: BaseException | None
    calls: Sequence[Call]
    seconds: float
    open: int = 0

    @property
    def failure(self) -> BaseException | None:
        """What went wrong, raised or told in the outcome."""
        return self.error or getattr(self.outcome, "error", None)

    def calls_in(self, names: Collection[str]) -> list[Call]:
        return [call for call in self.calls if call.name in names]


class Instance:
    """One constructed provider with a store, as a router would have it."""

    def __init__(self, bench: Bench, provider: Any, config: Any, env: ProviderEnv, store: Store, texts: Texts) -> None:
        self.bench = bench
        self.provider = provider
        self.config = config
        self.env = env
        self.store = store
        self.texts = texts
        self.log = KitLog(bench.world)
        self.outcomes: list[RunOutcome] = []
        self.closed = False
        self.gateway = bench.gateway
        self.connector: RunConnector | None = None
        self.seeded_at_last_run = 0
        self.ran = False
        self.unsettled = False
        """Whether the last run may have left something to do: it failed, said `more`, or a message of it failed."""

    def context(
        self,
        *,
        items: int = 100,
        timeout: float = 30.0,
        seconds: float = 600.0,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> RunContext[Any]:
        """A run's context: `items` messages a cycle, `timeout` seconds a wait, `seconds` until the deadline by the world's clock."""
        bench = self.bench
        deadline = bench.clock.monotonic() + seconds
        self.connector = bench.framework.connector(bench.world.network, bench.clock, deadline)
        return RunContext(
            run_id=f"run-{bench.next_run()}",
            instance=self.env.instance,
            state=self.store.cell,
            seen=self.store.seen,
            gateway=self.gateway,
            net=self.connector,
            clock=bench.clock,
            log=self.log,
            deadline=deadline,
            items=items,
            timeout=timeout,
            cancelled=cancelled,
        )

    def try_run(self, **context: Any) -> Ran:
        """One run; whatever the provider raises is in the answer. KeyboardInterrupt and SystemExit too."""
        return self._call("run", context)

    def try_check(self, **context: Any) -> Ran:
        """The provider's self-test, likewise."""
        return self._call("check", context)

    def run(self, **context: Any) -> RunOutcome:
        """One run that must end without an error. Raises CheckFailed."""
        ran = self.try_run(**context)
        if ran.failure is not None:
            raise CheckFailed("a run that ends without an error", one_line(ran.failure), _trace(ran.failure)) from ran.failure
        if not isinstance(ran.outcome, RunOutcome):
            raise CheckFailed("a RunOutcome", f"run gave {type(ran.outcome).__name__}")
        return ran.outcome

    def check(self, **context: Any) -> CheckReport:
        """A self-test that must succeed. Raises CheckFailed."""
        ran = self.try_check(**context)
        if ran.error is not None:
            raise CheckFailed("a self-test that succeeds", one_line(ran.error), _trace(ran.error)) from ran.error
        if not isinstance(ran.outcome, CheckReport):
            raise CheckFailed("a CheckReport", f"check gave {type(ran.outcome).__name__}")
        return ran.outcome

    def run_all(self, **context: Any) -> list[RunOutcome]:
        """Run until no outcome says `more`. Raises CheckFailed when it never ends or an error comes."""
        found = []
        for _ in range(IDLE_RUNS):
            found.append(self.run(**context))
            if not found[-1].more:
                return found
        raise CheckFailed(f"an end of the work within {IDLE_RUNS} runs", "every run says that there is more")

    def close(self) -> None:
        self.closed = True
        try:
            with self.bench.captured():
                self.provider.close()
        except Exception as error:
            raise CheckFailed("close to succeed", one_line(error), _trace(error)) from error

    def shutdown(self) -> None:
        """End the connections of the run, as a runtime does that cancels it."""
        if self.connector is not None:
            self.connector.shutdown()

    def _call(self, name: str, values: dict[str, Any]) -> Ran:
        bench = self.bench
        mark, began = len(self.gateway.calls), bench.clock.monotonic()
        context = self.context(**values)
        bench.world.note("kit", f"{name} of {self.env.instance} begins")
        self.seeded_at_last_run = len(bench.seeded) if name == "run" else self.seeded_at_last_run
        outcome: Any = None
        error: BaseException | None = None
        bench.world.network.rest()
        bench.clock.limit = context.deadline + PATIENCE
        try:
            with bench.captured():
                outcome = getattr(self.provider, name)(context)
        except Hang:
            raise
        except BaseException as raised:
            error = raised
        finally:
            bench.clock.limit = None
            left = len(bench.world.network.open)
            if self.connector is not None:
                self.connector.close()
        told = one_line(error) if error is not None else _told(outcome)
        bench.world.note("kit", f"{name} of {self.env.instance} ends: {told}")
        if name == "run":
            self.ran = True
            self.unsettled = error is not None
            if isinstance(outcome, RunOutcome):
                self.outcomes.append(outcome)
                self.unsettled = outcome.more or outcome.error is not None or outcome.failed > 0
        return Ran(outcome, error, self.gateway.made(since=mark), bench.clock.monotonic() - began, left)


class Bench:
    """See the module. A check takes what it needs:

    world       KitWorld: clock, simulated servers, faults, network
    gateway     KitGateway: what reached the organization, failures at any call
    subject     what the author wrote
    spec        the provider's ProviderSpec
    framework   the parts of Postroom whose duties are checked
    random      seeded
    instances   all that were made, in order; the runner closes what the check did not
    printed     what the provider wrote to stdout and stderr
    """

    def __init__(
        self, subject: Subject, seed: int = 0, *, framework: Framework | None = None, guard: Guard | None = None
    ) -> None:
        self.subject = subject
        self.seed_number = seed
        self.framework = framework or Framework()
        self.guard = guard
        self.world = KitWorld(seed)
        self.gateway = KitGateway(self.world)
        self.clock = self.world.clock
        self.random = self.world.random
        self.instances: list[Instance] = []
        self.seeded: list[SourceMessage] = []
        self.printed = io.StringIO()
        self.again = ""
        """Why one more run may have something to do (a check may say so while it runs)."""
        self.measures: dict[str, float] = {}
        """Figures that a check wants in the report (seconds, octets); no part of the certificate."""
        self._nonce = f"{self.random.getrandbits(32):08x}"
        self._runs = 0
        self._prepared: set[int] = set()

    # -- the provider

    @property
    def spec(self) -> ProviderSpec[Any, Any]:
        return self.subject.spec

    @property
    def inbound(self) -> bool:
        return self.spec.direction is Direction.INBOUND

    def config(self, mailbox: int = 0, **elements: str | Sequence[str]) -> dict[str, str | Sequence[str]]:
        """The author's configuration for a mailbox, with some elements changed."""
        world = self.world.at(mailbox)
        self._prepare(mailbox)
        try:
            texts = dict(self.subject.config(world))
        except Exception as error:
            raise FixtureError(f"config(world) raised {one_line(error)}") from error
        return {**{name: _text(value) for name, value in texts.items()}, **elements}

    def loaded(self, texts: Texts) -> Any:
        """The typed configuration. Raises FixtureError with every problem."""
        value, problems = self.framework.from_mapping(self.spec.config, texts, strict=True)
        if value is None:
            raise FixtureError("the configuration is refused: " + "; ".join(map(str, problems)))
        return value

    def instance(
        self, elements: Texts | None = None, *, mailbox: int = 0, store: Store | None = None, organization: str = "Alder"
    ) -> Instance:
        """A new provider, constructed as a router does. `elements` are changed in the author's configuration; `store`: go on with what
        another instance remembered (a restart)."""
        texts = {**self.config(mailbox), **(elements or {})}
        config = self.loaded(texts)
        env = ProviderEnv(f"kit-{mailbox}", organization, self.world.at(mailbox).address)
        try:
            with self.captured():
                provider = self.subject.provider(config, env)
        except Exception as error:
            raise CheckFailed("a constructor that succeeds", one_line(error), _trace(error)) from error
        made = Instance(self, provider, config, env, store or self.store(), texts)
        self.instances.append(made)
        return made

    def store(self) -> Store:
        """Empty memory, as at a first run."""
        return Store(MemoryStateCell(self.spec.state(), self.gateway), MemorySeenSet(self.gateway))

    # -- messages

    def messages(self, count: int = 1, *, mailbox: int = 0, **values: Any) -> list[SourceMessage]:
        """New messages, one a minute apart, the last one a minute ago. `values`: fields of all of them (subject, text, cc, attachments,
        date, raw=octets ...), or `recipients`, `envelope_from`."""
        first = len(self.seeded) + 1
        now = self.clock.now()
        found = []
        for position in range(count):
            date: datetime = values.get("date") or now - timedelta(minutes=count - position)
            rest = {name: value for name, value in values.items() if name != "date"}
            made = making.make(
                first + position,
                self._nonce,
                date=date,
                recipient=self.world.at(mailbox).address,
                outbound=not self.inbound,
                **rest,
            )
            found.append(made)
            self.seeded.append(made)
        return found

    def seed(self, what: int | Sequence[SourceMessage] = 1, *, mailbox: int = 0, **values: Any) -> list[SourceMessage]:
        """Put messages (so many new ones, or these) where the provider finds them: at the source, or for outbound among what waits to be
        sent."""
        found = self.messages(what, mailbox=mailbox, **values) if isinstance(what, int) else list(what)
        self._prepare(mailbox)
        if not self.inbound:
            self.gateway.add_outgoing(*(message.email for message in found))
            return found
        try:
            self.subject.seed(self.world.at(mailbox), found)
        except (FixtureError, NotApplicable):
            raise
        except Exception as error:
            raise FixtureError(f"seed(world, messages) raised {one_line(error)}") from error
        self.world.note("kit", f"{len(found)} messages are at the source")
        return found

    def done(self) -> list[str]:
        """Tokens of what had its effect, in order, each as often as it had it: delivered to the organization, or arrived at a server."""
        known = [message.token for message in self.seeded]
        if self.inbound:
            return [token_in(offer.octets, known) or _token_of(offer.message) for offer in self.gateway.offers]
        return [token_in(arrived.octets, known) for arrived in self.subject.sent(self.world)]

    def remaining(self, mailbox: int = 0) -> list[str]:
        """Tokens of what is left at the source. Raises NotApplicable when the author cannot tell."""
        found = self.subject.remaining(self.world.at(mailbox))
        if found is None:
            raise NotApplicable("what is left at the source cannot be seen: write remaining(self, world)")
        return [token_in(octets, [message.token for message in self.seeded]) for octets in found]

    # -- expectations

    def expect(self, condition: object, *, expected: str, observed: object, evidence: Sequence[int | str | Entry] = ()) -> None:
        """Raises CheckFailed unless the condition holds. `evidence`: journal entries (or their numbers), or texts."""
        if not condition:
            numbers = [one.number if isinstance(one, Entry) else one for one in evidence]
            raise CheckFailed(expected, str(observed), numbers)

    def expect_equal(self, observed: object, expected: object, what: str) -> None:
        self.expect(observed == expected, expected=f"{what}: {expected!r}", observed=f"{what}: {observed!r}")

    def expect_error(self, ran: Ran, *kinds: type[BaseException], expected: str) -> BaseException:
        """The call failed (raised, or told in its outcome) with one of these errors."""
        error = ran.failure
        if error is None:
            raise CheckFailed(expected, "no error")
        if not isinstance(error, kinds):
            raise CheckFailed(expected, one_line(error), _trace(error) if not isinstance(error, PostroomError) else ())
        return error

    def expect_each_once(self, messages: Sequence[SourceMessage]) -> None:
        """Each of these, and nothing else, had its effect exactly once."""
        done = self.done()
        counts = {message.number: done.count(message.token) for message in messages}
        wrong = [
            f"message {number}: {'never' if count == 0 else f'{count} times'}" for number, count in counts.items() if count != 1
        ]
        foreign = [token or "unknown" for token in done if token not in {message.token for message in messages}]
        wrong += [f"{len(foreign)} that were not seeded: {', '.join(foreign[:3])}"] if foreign else []
        self.expect(not wrong, expected=f"each of {len(messages)} messages exactly once", observed="; ".join(wrong[:6]))

    def expect_no_effects(self, calls: Sequence[Call], *, expected: str, memory: bool = True) -> None:
        """`memory`: nor may what is remembered be changed."""
        changed = [call for call in calls if call.name in (EFFECTS if memory else MESSAGE_EFFECTS)]
        told = ", ".join(f"{call.name} {call.key}".strip() for call in changed[:LAST_CALLS])
        self.expect(not changed, expected=expected, observed=f"{len(changed)} effects: {told}")

    def expect_rest(self, instance: Instance) -> None:
        """One more run has nothing to do; when it put its memory in order all the same, the next one does not even that."""
        if told := self.unrest(instance):
            raise CheckFailed("one more run that has nothing to do", told)

    def unrest(self, instance: Instance) -> str:
        """What one more run did that it should not, or ""."""
        for names in (MESSAGE_EFFECTS, EFFECTS):
            mark = self.world.journal[-1].number if self.world.journal else 0
            ran = instance.try_run()
            if ran.failure is not None:
                return f"one more run failed: {one_line(ran.failure)}"
            done = [f"{call.name} {call.key}".strip() for call in ran.calls if call.name in names]
            done += [
                f"{entry.kind} {entry.detail}".strip()
                for entry in self.world.sim.journal.entries(after=mark)
                if entry.kind in CHANGED
            ]
            if done or getattr(ran.outcome, "more", False):
                return f"one more run, with nothing to do: {', '.join(done[:4]) or 'it says that there is more'}"
            if not any(call.name in EFFECTS for call in ran.calls):
                return ""
        return ""

    def measure(self, name: str, value: float) -> None:
        self.measures[name] = value

    def fresh(self) -> Bench:
        """Another bench of the same subject and seed, for a check that needs several worlds. Close it."""
        made = Bench(self.subject, self.seed_number, framework=self.framework, guard=self.guard)
        made.world.nest(self.world)
        return made

    # -- what the runner uses

    @contextlib.contextmanager
    def captured(self) -> Iterator[None]:
        """Around every call of the provider."""
        watching = self.guard.calling() if self.guard is not None else contextlib.nullcontext()
        with contextlib.redirect_stdout(self.printed), contextlib.redirect_stderr(self.printed), watching:
            yield

    def next_run(self) -> int:
        self._runs += 1
        return self._runs

    def _prepare(self, mailbox: int) -> None:
        if mailbox not in self._prepared:
            self._prepared.add(mailbox)
            try:
                self.subject.prepare(self.world.at(mailbox))
            except Exception as error:
                raise FixtureError(f"prepare(world) raised {one_line(error)}") from error

    def close(self) -> None:
        """Close what is open; errors are the checks' business elsewhere."""
        for instance in self.instances:
            if not instance.closed:
                with contextlib.suppress(Exception), self.captured():
                    instance.provider.close()
        self.world.close()


def _text(value: Any) -> str | Sequence[str]:
    if isinstance(value, str):
        return value
    if hasattr(value, "reveal"):
        return str(value.reveal())
    if isinstance(value, bool):
        return str(value).lower()
    return [str(one) for one in value] if isinstance(value, list | tuple) else str(value)


def _told(outcome: Any) -> str:
    if isinstance(outcome, RunOutcome):
        counts = ", ".join(f"{getattr(outcome, name)} {name}" for name in ("processed", "delivered", "rejected", "failed"))
        more = ", more" if outcome.more else ""
        return f"{counts}{more}" + (f", {one_line(outcome.error)}" if outcome.error is not None else "")
    return type(outcome).__name__ if not isinstance(outcome, CheckReport) else f"good {outcome.detail}".rstrip()


def _trace(error: BaseException) -> tuple[str, ...]:
    """Where it was raised: the last frames, without source lines (a line may hold a literal that is a secret)."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return tuple(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} in {frame.name}" for frame in frames)


def _token_of(message: Any) -> str:
    text = f"{message.subject} {message.message_id} {message.text} {message.html}"
    return token_in(text.encode("utf-8", "replace"))
