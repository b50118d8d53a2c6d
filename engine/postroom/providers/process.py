"""Providers in a process of their own: those in other languages (`foreign`), and those in Python that should not share ours (`isolated`).

All effects pass through this side, which answers what the process asks for (`providers.serving`). So a process that does not
cooperate is simply ended: at its deadline it is told to stop, after the grace it is killed with all that it started, and nothing that it might
still say has an effect (provider-kit 5.5).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, make_dataclass, replace
from importlib import resources
from pathlib import Path
from types import GenericAlias
from typing import Any, ClassVar

from postroom.clock import Clock, SystemClock
from postroom.errors import (
    Cancelled,
    ConfigError,
    ConnectionFailed,
    PostroomError,
    ProtocolError,
    ProviderError,
    ServerTimeout,
    TransientError,
)
from postroom.model.secret import Secret
from postroom.providers.configuration.declaration import declaration, element
from postroom.providers.configuration.values import Millis
from postroom.providers.contract import (
    Capability,
    CheckReport,
    Direction,
    Provider,
    ProviderEnv,
    ProviderSpec,
    RunContext,
    RunOutcome,
)
from postroom.providers.lines import printable
from postroom.providers.pipes import Pipes
from postroom.providers.serving import Answers, StateCodec
from postroom.providers.state import decode, encode
from postroom.providers.wire import API, error_from, error_to, outcome_from, unpack

__all__ = ["ForeignState", "ProcessProvider", "foreign", "isolated", "sample"]

PATIENCE = 20.0
"""Seconds for hello and configure: an interpreter starts meanwhile."""
LOOK = 0.2
"""Seconds between two looks at whether the run was cancelled."""
BATCH_SECONDS = 30.0
"""A batch holds the organization's write lock: a process that says nothing so long within one is ended."""
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class ForeignState:
    """The state of a provider in another language: one JSON object, its own affair."""

    value: dict[str, Any] = field(default_factory=dict)


class ProcessProvider:
    """What the runtime calls. The process is started when it is first needed, kept between runs, and started again when it ended."""

    spec: ClassVar[ProviderSpec[Any, Any]]
    command: ClassVar[tuple[str, ...]]
    env_more: ClassVar[Mapping[str, str]] = {}
    grace: ClassVar[float] = 5.0
    states: ClassVar[StateCodec]
    clock: Clock = SystemClock()
    """Of the pipes: a process lives in real time."""

    def __init__(self, config: Any, env: ProviderEnv) -> None:
        self.config = config
        self.env = env
        self._pipes: Pipes | None = None
        self._number = 0
        self._closed = False

    def check(self, ctx: RunContext[Any]) -> CheckReport:
        """Does the configuration work? Raises ProviderError."""
        thing = self._conversation(ctx, {"call": "check", "timeout": ctx.timeout}, effects=False)
        detail = thing.get("detail") if isinstance(thing, Mapping) else ""
        return CheckReport(str(self._hidden(detail) or "")[:2000])

    def run(self, ctx: RunContext[Any]) -> RunOutcome:
        """One run. A process that ends in the middle, says nonsense or says nothing is an error of the provider's (TransientError, ProtocolError,
        ServerTimeout): what it had committed stays. A run that was asked to end, and left something, says Cancelled in its outcome: a process need
        not know of that."""
        request = {
            "call": "run",
            "run_id": ctx.run_id,
            "items": ctx.items,
            "timeout": ctx.timeout,
            "state": self.states.out(ctx.state.value),
        }
        try:
            said = self._conversation(ctx, request, effects=True)
        except (Cancelled, ConnectionFailed) as error:
            return RunOutcome(more=True, error=_ended(ctx, error))
        told = said if isinstance(said, Mapping) else {}
        outcome = outcome_from({**told, "error": self._hidden(told.get("error")), "detail": self._hidden(told.get("detail"))})
        if isinstance(outcome.error, ConnectionFailed) and ctx.cancelled():
            return replace(outcome, more=True, error=_ended(ctx, outcome.error))
        if outcome.error is None and outcome.more and _is_over(ctx):
            return replace(outcome, error=Cancelled("the run was asked to end"))
        return outcome

    def close(self) -> None:
        """Ask the process to end, and see to it. Idempotent."""
        self._closed = True
        pipes, self._pipes = self._pipes, None
        if pipes is None:
            return
        try:
            if pipes.alive:
                pipes.send({"id": self._next(), "call": "close"}, pipes.clock.monotonic() + 1.0)
        except ProviderError:
            pass
        finally:
            pipes.end(self.grace)

    # -- one conversation

    def _conversation(self, ctx: RunContext[Any], request: dict[str, Any], *, effects: bool) -> Any:
        if self._closed:
            raise ProviderError("the provider was closed; make a new one")
        ctx.raise_if_cancelled()
        deadline = self.clock.monotonic() + ctx.remaining()
        pipes = self._started(deadline)
        answers = Answers(ctx, self.states, effects=effects)
        number = self._next()
        try:
            request |= {"id": number, "remaining": ctx.remaining()}
            pipes.send(request, deadline)
            result = self._until_answered(ctx, pipes, answers, number, deadline)
        except BaseException as error:
            self._failed(ctx, pipes, error)
            if answers.stale is not None:
                raise answers.stale from None
            raise
        finally:
            answers.close()
        if answers.stale is not None:  # whatever the process made of it
            raise answers.stale
        return result

    def _until_answered(self, ctx: RunContext[Any], pipes: Pipes, answers: Answers, number: int, deadline: float) -> Any:
        """Answer what the process asks for until it answers. Raises what it says went wrong."""
        ending = _Ending(ctx, pipes, deadline, self.grace)
        quiet_since = pipes.clock.monotonic()
        while True:
            ending.look()
            now, stop_at = pipes.clock.monotonic(), ending.at
            if stop_at is not None and now >= stop_at:
                if ctx.cancelled():
                    raise Cancelled("the run was asked to end; its process did not, and was ended", code="process-silent")
                raise ServerTimeout("the provider's process did not end by its deadline, and was ended", code="process-silent")
            if answers.batch is not None and now - quiet_since > BATCH_SECONDS:
                raise ServerTimeout("the provider's process says nothing within a batch", code="process-silent")
            message = pipes.receive(min(now + LOOK, stop_at or deadline))
            if message is None:
                continue
            quiet_since = pipes.clock.monotonic()
            if "call" in message:
                self._answer(pipes, answers, message, ending)
            elif message.get("id") == number:
                if "error" in message:
                    raise error_from(self._hidden(message["error"]))
                return message.get("result")
            else:
                raise ProtocolError("the provider's process answered what nobody asked", code="process-garbage")

    def _answer(self, pipes: Pipes, answers: Answers, message: dict[str, Any], ending: _Ending) -> None:
        """One call of the process; without an id it is for the log alone."""
        call, number = message["call"], message.get("id")
        if number is None:
            if call != "log":
                raise ProtocolError("the provider's process asked without an id", code="process-garbage")
            answers.log(self._hidden(message))
            return
        if isinstance(number, bool) or not isinstance(number, int | str) or len(str(number)) > 40:
            raise ProtocolError("the provider's process asked with an id that is none", code="process-garbage")
        try:
            told = {"id": number, "result": answers.answer(call, message)}
        except (PostroomError, RuntimeError) as error:
            told = {"id": number, "error": error_to(error)}
        ending.look()  # before the answer: a process that has it begins its next message
        pipes.send(told, ending.at or ending.deadline + self.grace)

    def _failed(self, ctx: RunContext[Any], pipes: Pipes, error: BaseException) -> None:
        """After an error that the process did not tell in order, it is not to be trusted with another run."""
        broken = isinstance(error, ProviderError) and error.code.startswith("process-")
        if broken or not isinstance(error, Exception) or not pipes.alive:
            pipes.kill()
            self._pipes = None
        if broken and (said := pipes.stderr):
            ctx.log("process.stderr", printable(self._hidden(said)))

    def _hidden(self, said: Any) -> Any:
        """What a process said without the secrets that it knows."""
        if isinstance(said, Mapping):
            return {key: self._hidden(one) for key, one in said.items()}
        if isinstance(said, str):
            for one in declaration(type(self.config)):
                secret = getattr(self.config, one.attribute)
                if isinstance(secret, Secret) and secret:
                    said = said.replace(secret.reveal(), "***")
        return said

    # -- the process

    def _started(self, deadline: float) -> Pipes:
        if self._pipes is not None and self._pipes.alive:
            return self._pipes
        pipes = started(self.command, self.env_more)
        try:
            until = min(deadline, pipes.clock.monotonic() + PATIENCE)
            said = asked(pipes, {"call": "hello", "api": list(API)}, self._next(), until)
            if _hello_name(said) != self.spec.name:
                raise ConfigError(
                    "the provider's program says that it is another provider than before: look at what was installed"
                )
            asked(pipes, {"call": "configure"} | self._configuration(), self._next(), until)
        except BaseException:
            pipes.kill()
            raise
        self._pipes = pipes
        return pipes

    def _configuration(self) -> dict[str, Any]:
        """Element name -> text, or texts where it is repeated. The only place where secrets pass, and the pipe is all that they pass."""
        told: dict[str, Any] = {}
        for one in declaration(type(self.config)):
            texts = one.texts(getattr(self.config, one.attribute))
            if one.secret:
                secret = getattr(self.config, one.attribute)
                texts = [secret.reveal()] if secret else []
            if one.many:
                told[one.name] = texts
            elif texts:
                told[one.name] = texts[0]
        env = self.env
        return {"config": told, "instance": env.instance, "organization": env.organization, "mailbox": env.mailbox}

    def _next(self) -> int:
        self._number += 1
        return self._number


@dataclass(slots=True)
class _Ending:
    """When a process is to end. `at`: None until it was told; then the moment of the pipes' clock when it is ended."""

    ctx: RunContext[Any]
    pipes: Pipes
    deadline: float
    grace: float
    at: float | None = None

    def look(self) -> None:
        """Tell it, when it is time: by the clock of the pipes, or by the run's."""
        now = self.pipes.clock.monotonic()
        if self.at is None and (now >= self.deadline or _is_over(self.ctx)):
            self.at = now + self.grace
            self.pipes.send({"call": "cancel"}, self.at)


def _is_over(ctx: RunContext[Any]) -> bool:
    return ctx.cancelled() or ctx.remaining() <= 0


def _ended(ctx: RunContext[Any], error: ProviderError) -> Cancelled:
    """A connection that is shut down because the run was asked to end is the cancelling, not the server's fault; any other is raised."""
    if isinstance(error, Cancelled):
        return error
    if not ctx.cancelled():
        raise error
    return Cancelled("the run was asked to end")


def started(command: Sequence[str], more: Mapping[str, str]) -> Pipes:
    """The process with a small environment of its own. Raises ConfigError."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "HOME") if name in os.environ}
    return Pipes(command, env=kept | {"POSTROOM_PROVIDER_API": ".".join(map(str, API))} | dict(more))


def asked(pipes: Pipes, request: dict[str, Any], number: int, until: float) -> Any:
    """One question outside of a run; its log lines are dropped. Raises ConfigError for a process that does not answer."""
    pipes.send(request | {"id": number}, until)
    while (message := pipes.receive(until)) is not None:
        if message.get("call") == "log" and "id" not in message:
            continue
        if message.get("id") != number or "call" in message:
            raise ProtocolError("the provider's process said something else than it was asked", code="process-garbage")
        if "error" in message:
            raise error_from(message["error"])
        return message.get("result")
    raise ServerTimeout(f"the provider's process does not answer {request['call']}", code="process-silent")


def isolated(kind: type[Provider], *, grace: float = 5.0) -> type[ProcessProvider]:
    """The same provider, in a Python process of its own. Its class must be importable by its name. Its sockets are ours, so that deadlines, cancelling and
    simulated worlds work as ever. Raises ConfigError."""
    path = f"{kind.__module__}:{kind.__qualname__}"
    if "<locals>" in path or kind.__module__ == "__main__":
        raise ConfigError(f"{path} cannot be imported by another process")
    spec = kind.spec
    members = {
        "spec": spec,
        "command": (sys.executable, "-m", "postroom.providers.host", path),
        "env_more": {"PYTHONPATH": os.pathsep.join(one for one in sys.path if one), "PYTHONUNBUFFERED": "1"},
        "grace": grace,
        "states": StateCodec(encode, lambda thing: decode(spec.state, thing)),
        "__module__": kind.__module__,
        "__doc__": f"{path}, in a process of its own.",
    }
    return type(f"Isolated{kind.__name__}", (ProcessProvider,), members)


def foreign(command: Sequence[str], *, grace: float = 5.0, env: Mapping[str, str] | None = None) -> type[ProcessProvider]:
    """A provider in any language: the program is started once and asked what it is. Raises ConfigError for one that does not say so."""
    more = dict(env or {})
    pipes = started(command, more)
    try:
        until = pipes.clock.monotonic() + PATIENCE
        said = asked(pipes, {"call": "hello", "api": list(API)}, 1, until)
    except TransientError as error:
        raise ConfigError(f"{printable(command[0])!r} is no provider: {error}", code=error.code) from error
    finally:
        pipes.end(1.0)
    spec = _spec(said)
    members = {
        "spec": spec,
        "command": tuple(command),
        "env_more": more,
        "grace": grace,
        "states": StateCodec(lambda state: state.value, _foreign_state),
        "__doc__": f"{spec.name}, a program.",
    }
    return type(f"Foreign_{re.sub(r'[^A-Za-z0-9_]', '_', spec.name)}", (ProcessProvider,), members)


def sample(name: str) -> Path:
    """Where a sample of this package is: "folder.sh", "feed.mjs"."""
    return Path(str(resources.files("postroom").joinpath("samples", name)))


def _foreign_state(thing: Any) -> ForeignState:
    if not isinstance(thing, dict):
        raise ProtocolError("the provider's process gave a state that is no JSON object", code="process-values")
    return ForeignState(thing)


def _hello_name(said: Any) -> str:
    return str(said.get("name")) if isinstance(said, Mapping) else ""


def _spec(said: Any) -> ProviderSpec[Any, Any]:
    """What a program says of itself. Raises ConfigError with all that is wrong."""
    told = said if isinstance(said, Mapping) else {}
    problems: list[str] = []

    def tried(name: str, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except (KeyError, TypeError, ValueError, AttributeError, PostroomError) as wrong:
            problems.append(f"{name}: {wrong}" if isinstance(wrong, PostroomError) else name)
            return None

    name = told.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        problems.append("name")
    api = told.get("api")
    if not isinstance(api, list) or api[:1] != [API[0]]:
        problems.append(f"api: this is {API[0]}.{API[1]}")
    version = told.get("state_version", 1)
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= 10**6:
        problems.append("state_version")
    direction = tried("direction", lambda: Direction(told["direction"]))
    capabilities = tried("capabilities", lambda: frozenset(Capability(one) for one in told.get("capabilities", [])))
    config = tried("config", lambda: _config(str(name), told.get("config", [])))
    if problems:
        raise ConfigError(f"the program says hello wrongly: {printable('; '.join(problems))}")
    return ProviderSpec(
        str(name), direction, config, ForeignState, int(version), capabilities, migrate=lambda old, _version: old
    )


_TYPES: Mapping[str, Any] = {
    "text": str,
    "number": int,
    "decimal": float,
    "truth": bool,
    "milliseconds": Millis,
    "secret": Secret,
}


def _config(name: str, elements: Any) -> type:
    fields: list[tuple[str, Any, Any]] = []
    if not isinstance(elements, list) or len(elements) > 200:
        raise ConfigError("is no list of elements")
    for one in elements:
        kind = _TYPES[one.get("type", "text")]
        many, given = one.get("many") is True, one.get("default")
        more: dict[str, Any] = {}
        if not many and one.get("required") is not True:
            more["default"] = _default(kind, given)
        if one.get("identity") is True:
            more["identity"] = True
        for bound in ("minimum", "maximum"):
            if one.get(bound) is not None:
                more[bound] = unpack(float, one[bound])
        made = element(
            str(one["name"]),
            many=many,
            secret=kind is Secret,
            help=str(one.get("help", ""))[:500],
            source="the program",
            **more,
        )
        fields.append((f"element_{len(fields)}", GenericAlias(tuple, (kind, ...)) if many else kind, made))
    fields.sort(key=lambda found: found[2].default is not MISSING)  # those without a default first, as a dataclass wants
    model = make_dataclass(f"{name}_config", fields, frozen=True)
    declaration(model)
    return model


def _default(kind: Any, given: Any) -> Any:
    if kind is Secret:
        return Secret("")
    if kind is Millis:
        return Millis(unpack(int, given or 0))
    return unpack(kind, given) if given is not None else kind()
