"""A clock, and a provider as these tests want it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from postroom.model.secret import Secret
from postroom.providers.contract import Direction, ProviderSpec
from postroom.providers.cursor import Cursor


class MovableClock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)

    advance = sleep


@dataclass(frozen=True)
class NoConfig:
    pass


@dataclass(frozen=True)
class Progress:
    """A state as a provider might have it."""

    cursor: Cursor = field(default_factory=Cursor)
    done: int = 0
    names: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)


SPEC: ProviderSpec[NoConfig, Progress] = ProviderSpec("feed", Direction.INBOUND, NoConfig, Progress)
ME = "f" * 64
HIDDEN = Secret("hunter22")
