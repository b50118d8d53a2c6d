"""Values of the contract as JSON: what passes between the engine and a provider in a process of its own (docs/provider-processes.md).

Octets are base64, moments ISO 8601 in UTC, intervals seconds. Nothing that a process says is trusted: everything is checked on the way in.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, TypeVar

from postroom import errors
from postroom.errors import OrganizationError, PostroomError, ProtocolError, ProviderError, StateError, TransientError
from postroom.model.verdict import ReasonCode, Verdict
from postroom.providers.contract import RunOutcome
from postroom.providers.state import decode

__all__ = [
    "API",
    "error_from",
    "error_to",
    "line_of",
    "outcome_from",
    "outcome_to",
    "pack",
    "read_line",
    "unpack",
    "verdict_from",
    "verdict_to",
]

T = TypeVar("T")
API = (1, 0)
"""Of the protocol. Another first number is another protocol."""
TEXT = 4000
_KINDS: Mapping[str, type[PostroomError]] = {
    name: kind for name in errors.__all__ if issubclass(kind := getattr(errors, name), PostroomError)
}


def line_of(thing: Mapping[str, Any]) -> bytes:
    """A message as a line."""
    return json.dumps(thing, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


def read_line(line: bytes) -> dict[str, Any]:
    """A message. Raises ProtocolError, without repeating what was said."""
    try:
        thing = json.loads(line)
    except (ValueError, RecursionError):
        raise ProtocolError("the provider's process said a line that is no JSON", code="process-garbage") from None
    if not isinstance(thing, dict):
        raise ProtocolError("the provider's process said a line that is no JSON object", code="process-garbage")
    return thing


def pack(value: Any) -> Any:
    """Dataclasses, octets, moments and intervals as JSON holds them."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: pack(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): pack(one) for key, one in value.items()}
    if isinstance(value, tuple | list | frozenset | set):
        return [pack(one) for one in value]
    return value


def unpack(kind: type[T], thing: Any) -> T:
    """Back. Raises ProtocolError, naming the field."""
    try:
        return decode(kind, thing)
    except StateError as wrong:
        raise ProtocolError(f"the provider's process gave no {kind.__name__}: {wrong}", code="process-values") from None


def error_to(error: BaseException) -> dict[str, Any]:
    """An error of ours with all that it knows; of any other only the type, as its text may hold anything."""
    if not isinstance(error, PostroomError):
        return {"kind": "Fault", "text": type(error).__name__}
    told: dict[str, Any] = {"kind": type(error).__name__, "text": str(error)[:TEXT]}
    for name in ("reply", "code", "source_key", "permanent", "retry_after"):
        if value := getattr(error, name, None):
            told[name] = pack(value)
    return told


def error_from(thing: Any) -> Exception:
    """What a process calls an error, as ours. A kind that is not known is a mistake in the provider."""
    told = thing if isinstance(thing, Mapping) else {}
    text = str(told.get("text") or "no reason given")[:TEXT]
    kind = _KINDS.get(str(told.get("kind")))
    if kind is None:
        return RuntimeError(f"the provider's process failed: {text}")
    more: dict[str, Any] = {}
    if issubclass(kind, ProviderError):
        more = {"reply": str(told.get("reply") or "")[:TEXT], "code": str(told.get("code") or "")[:100]}
    if issubclass(kind, TransientError):
        more["retry_after"] = _seconds(told.get("retry_after"))
    if issubclass(kind, errors.MessageError):
        more |= {"source_key": str(told.get("source_key") or "")[:320], "permanent": told.get("permanent") is True}
    if issubclass(kind, OrganizationError):
        more = {"code": str(told.get("code") or "")[:100]}
    return kind([text]) if kind is errors.SettingsError else kind(text, **more)


def _seconds(value: Any) -> timedelta | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 366 * 86400:
        return None
    return timedelta(seconds=value)


def outcome_to(outcome: RunOutcome) -> dict[str, Any]:
    told = {one.name: pack(getattr(outcome, one.name)) for one in dataclasses.fields(outcome) if one.name != "error"}
    return told | {"error": None if outcome.error is None else error_to(outcome.error)}


def outcome_from(thing: Any) -> RunOutcome:
    """Raises ProtocolError for counts that are none."""
    told = thing if isinstance(thing, Mapping) else {}
    counts: dict[str, int] = {}
    for name in ("processed", "delivered", "rejected", "failed"):
        value = told.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**40:
            raise ProtocolError(f"the provider's process counts no {name}", code="process-values")
        counts[name] = value
    error = None if told.get("error") is None else error_from(told["error"])
    if error is not None and not isinstance(error, ProviderError):
        raise error
    return RunOutcome(
        **counts,
        more=told.get("more") is True,
        retry_after=_seconds(told.get("retry_after")),
        error=error,
        detail=str(told.get("detail") or "")[:TEXT],
    )


def verdict_to(verdict: Verdict) -> dict[str, Any]:
    return {"deliver": verdict.deliver, "reason": int(verdict.reason), "detail": verdict.detail}


def verdict_from(thing: Any, known: Verdict | None) -> Verdict:
    """The verdict that was given on this offer where the process repeats it, with all that belongs to it; else the process's own."""
    if thing is None and known is not None:
        return known
    told = thing if isinstance(thing, Mapping) else {}
    try:
        own = Verdict(
            deliver=told["deliver"] is True, reason=ReasonCode(told["reason"]), detail=str(told.get("detail") or "")[:TEXT]
        )
    except (KeyError, ValueError):
        raise ProtocolError("the provider's process gave no verdict", code="process-values") from None
    same = known is not None and (own.deliver, own.reason) == (known.deliver, known.reason)
    return known if same and known is not None else own
