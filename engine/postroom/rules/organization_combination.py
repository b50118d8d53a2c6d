"""Which settings of an organization go together (server-side-sync reference 1.5, 4.5, 4.6). Pure. What is refused is ours: the references list the
attributes one by one."""

from __future__ import annotations

from collections.abc import Iterator

from postroom.errors import InvalidValue
from postroom.model import Organization
from postroom.rules.keyword_filter import compile_filter

__all__ = ["problems"]


def problems(settings: Organization) -> list[str]:
    """Everything that does not fit, each with the attribute's name; empty: the settings can be saved."""
    return [f"organization.{one}" for one in (*_tracking(settings), *_matching(settings), *_thresholds(settings))]


def _tracking(settings: Organization) -> Iterator[str]:
    if len(str(settings.trackingtokenidbase)) > settings.trackingtokeniddigits:
        yield f"trackingtokenidbase: {settings.trackingtokenidbase} has more than trackingtokeniddigits ({settings.trackingtokeniddigits}) digits"
    if settings.nexttrackingnumber > settings.maximumtrackingnumber:
        yield f"nexttrackingnumber: {settings.nexttrackingnumber} is beyond maximumtrackingnumber ({settings.maximumtrackingnumber})"


def _matching(settings: Organization) -> Iterator[str]:
    try:
        compile_filter(settings.hashfilterkeywords or "")
    except InvalidValue as wrong:
        yield str(wrong)


def _thresholds(settings: Organization) -> Iterator[str]:
    low, high = settings.mailboxintermittentissueminrange, settings.mailboxpermanentissueminrange
    if low is not None and high is not None and low > high:
        yield f"mailboxintermittentissueminrange: {low} is more than mailboxpermanentissueminrange ({high})"
    if settings.tracelogmaximumageindays is not None and settings.tracelogmaximumageindays < 0:
        yield "tracelogmaximumageindays: alerts are kept for at least 0 days"
