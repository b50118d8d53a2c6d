"""The pure decisions: what the end of a run leads to, whose turn it is, which organization is meant."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom import errors
from postroom.rules.error_classes import AlertLevel
from postroom.rules.operation import Operation
from postroom.rules.router_fairness import share, turns
from postroom.rules.router_runs import End, InstanceState, Patience, after_run, end_of, wait_after
from postroom.rules.router_serving import organization_of

PATIENCE = Patience(60.0)


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (None, End.WELL),
        (errors.Cancelled("x"), End.CANCELLED),
        (errors.StaleRun("x"), End.FENCED),
        (errors.StateError("x"), End.STATE),
        (errors.ConfigError("x"), End.PERMANENT),
        (errors.AuthError("x"), End.PERMANENT),
        (errors.TlsError("x"), End.PERMANENT),
        (errors.PermissionDenied("x"), End.PERMANENT),
        (errors.PermissionDenied("x", code="ErrorQuotaExceeded"), End.TRANSIENT),
        (errors.ServerTimeout("x"), End.TRANSIENT),
        (errors.ProtocolError("x"), End.TRANSIENT),
        (errors.MessageError("x", permanent=True), End.TRANSIENT),
        (errors.StoreError("x"), End.TRANSIENT),
        (errors.RuleViolated("x"), End.TRANSIENT),
        (ValueError("x"), End.BUG),
    ],
)
def test_what_an_error_means(error: BaseException | None, end: End) -> None:
    assert end_of(error, Operation.INCOMING) is end


@given(st.integers(0, 200), st.floats(0, 1, exclude_max=True), st.floats(1, 10_000))
def test_waits_are_bounded_and_never_shorter_than_chance_allows(failures: int, chance: float, period: float) -> None:
    patience = Patience(period)
    wait = wait_after(failures, patience, chance)
    assert wait <= max(patience.longest, period)
    assert wait >= 0.75 * period
    assert wait_after(failures + 1, patience, chance) >= wait


@given(st.sampled_from(End), st.integers(0, 20), st.floats(0, 1, exclude_max=True), st.none() | st.integers(0, 100_000))
def test_every_end_leads_somewhere(end: End, failures: int, chance: float, seconds: int | None) -> None:
    retry = None if seconds is None else timedelta(seconds=seconds)
    following = after_run(end, failures, PATIENCE, chance, retry)
    assert (following.wait is None) == (following.state in (InstanceState.HELD, InstanceState.STOPPED))
    if end is End.WELL:
        assert following.failures == 0
    if seconds is not None and end in (End.WELL, End.TRANSIENT, End.BUG):
        assert following.wait is not None
        assert following.wait >= seconds
    if end in (End.STATE, End.PERMANENT, End.BUG):
        assert following.alert is AlertLevel.ERROR


def test_a_run_that_was_cut_off_with_progress_goes_on_at_once() -> None:
    assert after_run(End.CANCELLED, 2, PATIENCE, 0.5, unfinished=True).wait == 0.0
    assert after_run(End.CANCELLED, 2, PATIENCE, 0.5).failures == 2


@pytest.mark.parametrize(
    ("threads", "parties", "found"), [(50, 1, 50), (50, 2, 25), (50, 40, 25), (1, 5, 1), (2, 2, 1), (3, 2, 1)]
)
def test_shares(threads: int, parties: int, found: int) -> None:
    assert share(threads, parties) == found


@given(st.sets(st.text("abcdef", min_size=1, max_size=2), min_size=1), st.integers(1, 5))
def test_everybody_has_a_turn_before_anybody_has_two(waiting: set[str], count: int) -> None:
    served: list[str] = []
    last = ""
    while len(served) < len(waiting):
        turn = turns(sorted(waiting), last, count)
        served += turn
        last = turn[-1]
    assert set(served[: len(waiting)]) == waiting


@pytest.mark.parametrize(
    ("url", "names", "found"),
    [
        ("", ["Alder"], "Alder"),
        ("", ["Alder", "Birch"], None),
        ("https://crm.test/ALDER/", ["Alder", "Birch"], "Alder"),
        ("https://crm.test/Alder", ["https://crm.test/alder", "Alder"], "https://crm.test/alder"),
        ("https://crm.test/Cedar", ["Alder", "Birch"], None),
    ],
)
def test_which_organization_a_url_means(url: str, names: list[str], found: str | None) -> None:
    assert organization_of(url, names) == found
