"""What all providers share: the final wrappers that the runtime calls and the hooks that a provider overrides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NoReturn, TypeVar, final

from postroom.errors import Cancelled, ConnectionFailed, PostroomError, ProviderError
from postroom.providers.contract import CheckReport, ProviderEnv, ProviderSpec, RunContext, RunOutcome

__all__ = ["Counters", "EmailProvider", "PollingProvider", "Tally", "TriggeredProvider", "overridden_finals", "reraise"]

C = TypeVar("C")
S = TypeVar("S")


@dataclass(slots=True)
class Counters:
    """What an instance did since it was made."""

    runs: int = 0
    failed_runs: int = 0
    checks: int = 0
    processed: int = 0
    delivered: int = 0
    rejected: int = 0
    failed: int = 0


@dataclass(slots=True)
class Tally:
    """What the run did so far; kept when an error ends it."""

    processed: int = 0
    delivered: int = 0
    rejected: int = 0
    failed: int = 0
    more: bool = False
    detail: str = ""

    @property
    def progress(self) -> bool:
        return bool(self.processed or self.failed)

    def outcome(self, error: ProviderError | None = None, *, more: bool = False) -> RunOutcome:
        return RunOutcome(
            processed=self.processed,
            delivered=self.delivered,
            rejected=self.rejected,
            failed=self.failed,
            more=more or self.more,
            retry_after=getattr(error, "retry_after", None),
            error=error,
            detail=self.detail,
        )


def overridden_finals(kind: type) -> list[str]:
    """Names that `kind`, or a class between, replaces although a base declared them final (`typing.final` marks them)."""
    return sorted(
        {
            name
            for position, owner in enumerate(kind.__mro__)
            for name in vars(owner)
            if any(getattr(vars(base).get(name), "__final__", False) for base in kind.__mro__[position + 1 :])
        }
    )


def reraise(handled: Exception, error: Exception) -> NoReturn:
    """Go on with the error that a hook gave back: the same one, or another that the first one caused."""
    if handled is error:
        raise error
    raise handled from error


class EmailProvider(ABC, Generic[C, S]):
    """Counters, `last_error`, and the split of the original: the public step is a final wrapper (`check`, `run`, `close`), the
    hook carries the provider's code (`on_check`, `on_run`, `on_close`). Overriding a wrapper is refused when the class is made."""

    spec: ClassVar[ProviderSpec[Any, Any]]

    def __init__(self, config: C, env: ProviderEnv) -> None:
        self.config = config
        self.env = env
        self.counters = Counters()
        self.tally = Tally()
        self.last_error = ""
        self._closed = False

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if taken := overridden_finals(cls):
            raise TypeError(f"{cls.__name__} overrides {', '.join(taken)}: these are final, override the on_... hooks instead")

    @final
    def check(self, ctx: RunContext[S]) -> CheckReport:
        """Does the configuration work? Raises ProviderError; whatever else goes wrong in the hook comes through as it is."""
        self._refuse_when_closed()
        self.counters.checks += 1
        try:
            report = self.on_check(ctx)
        except Exception as error:
            self._note(error)
            raise
        self.last_error = ""
        return report

    @final
    def run(self, ctx: RunContext[S]) -> RunOutcome:
        """One run. An error that comes after some progress is told in the outcome, which keeps the counts; without progress it is
        raised. StaleRun and errors that are not the provider's are always raised. Being cancelled is a normal end."""
        self._refuse_when_closed()
        self.counters.runs += 1
        self.tally = Tally()
        try:
            outcome = self.on_run(ctx)
            self.last_error = ""
        except Cancelled as error:
            outcome = self.tally.outcome(error, more=True)
        except ProviderError as error:
            outcome = self._judge(ctx, error)
        except Exception as error:
            self._note(error)
            self._count(self.tally.outcome())
            raise
        if outcome.error is not None and not isinstance(outcome.error, Cancelled):
            self._note(outcome.error)
        self._count(outcome)
        return outcome

    def _judge(self, ctx: RunContext[S], error: ProviderError) -> RunOutcome:
        if isinstance(error, ConnectionFailed) and ctx.cancelled():
            # The runtime shuts the connections of a cancelled run down: that is the cancelling, not the server.
            return self.tally.outcome(Cancelled("the run was asked to end"), more=True)
        if not self.tally.progress:
            self._note(error)
            raise error
        return self.tally.outcome(error)

    def _note(self, error: Exception) -> None:
        self.counters.failed_runs += 1
        # Only our own errors are known to hold no secret and nothing long.
        self.last_error = f"{type(error).__name__}: {error}" if isinstance(error, PostroomError) else type(error).__name__

    def _count(self, outcome: RunOutcome) -> None:
        for name in ("processed", "delivered", "rejected", "failed"):
            setattr(self.counters, name, getattr(self.counters, name) + getattr(outcome, name))

    @final
    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.on_close()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise ProviderError("the provider was closed; make a new one")

    # -- hooks

    @abstractmethod
    def on_check(self, ctx: RunContext[S]) -> CheckReport: ...

    @abstractmethod
    def on_run(self, ctx: RunContext[S]) -> RunOutcome: ...

    def on_close(self) -> None:
        """Release what the instance holds between runs."""


class PollingProvider(EmailProvider[C, S]):
    """A provider that looks for work whenever its schedule says so: it says `more` when there is more to do at once, and
    `retry_after` when the server named a time. Period and back-off are decided outside (`rules.schedule`, `rules.retry`)."""


class TriggeredProvider(EmailProvider[C, S]):
    """A provider that runs when `trigger` was called since its last run, instead of by a period. `triggered` is taken by the run."""

    def __init__(self, config: C, env: ProviderEnv) -> None:
        super().__init__(config, env)
        self._triggered = False

    def trigger(self) -> None:
        self._triggered = True

    @property
    def triggered(self) -> bool:
        return self._triggered

    @final
    def on_run(self, ctx: RunContext[S]) -> RunOutcome:
        if not self._triggered:
            return RunOutcome()
        self._triggered = False
        try:
            return self.on_trigger(ctx)
        except Exception:
            self._triggered = True  # the event is not lost with the run
            raise

    @abstractmethod
    def on_trigger(self, ctx: RunContext[S]) -> RunOutcome: ...
