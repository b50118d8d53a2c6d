"""Time as an argument. The engine asks a `Clock`; only `SystemClock` asks the machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """What the engine asks of a clock. A simulated world's clock has the same shape, so one object serves both."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed point; never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass. A manual clock advances itself."""
        ...


class SystemClock:
    """The machine's time, asked at each call (so a patched `datetime` is seen)."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
