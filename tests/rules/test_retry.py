"""Ten retries five minutes apart, then permanent (server-side-sync reference 3.4)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom import errors
from postroom.rules.error_classes import AlertLevel, classify
from postroom.rules.operation import Operation
from postroom.rules.retry import BackOff, Counters, after_failure, after_success

small = st.integers(0, 999)
BACK_OFF = BackOff(on_transient_error=300, on_timeout=420, maximum_failures=10)


@given(small, small, small)
def test_counters_survive_packing(incoming: int, outgoing: int, act: int) -> None:
    counters = Counters(incoming, outgoing, act)
    assert Counters.unpack(counters.pack()) == counters
    assert counters.pack() == incoming * 1_000_000 + outgoing * 1_000 + act


@given(st.integers())
def test_whatever_a_database_holds_is_read(packed: int) -> None:
    assert 0 <= Counters.unpack(packed).pack() < 10**9


def test_counters_saturate_and_do_not_spill() -> None:
    counters = Counters(outgoing=999).put(Operation.OUTGOING, 1000)
    assert counters == Counters(outgoing=999)


def test_ten_retries_then_permanent_with_the_same_code() -> None:
    counters, error = Counters(), classify(errors.ConnectionFailed("x"), Operation.OUTGOING)
    levels = []
    for _ in range(11):
        decision = after_failure(counters, Operation.OUTGOING, error, BACK_OFF)
        counters = decision.counters
        levels.append((decision.level, decision.disable, decision.postpone))
    assert levels[:10] == [(AlertLevel.WARNING, False, timedelta(minutes=5))] * 10
    assert levels[10] == (AlertLevel.ERROR, True, None)
    assert after_success(counters, Operation.OUTGOING) == Counters()


def test_operations_are_counted_apart() -> None:
    counters = Counters(incoming=10)
    decision = after_failure(counters, Operation.ACT, classify(errors.ServerTimeout("x")), BACK_OFF)
    assert decision.counters == Counters(incoming=10, act=1)
    assert not decision.disable
    assert decision.postpone == timedelta(seconds=420)
    assert after_success(decision.counters, Operation.ACT) == counters


def test_permanent_errors_disable_at_once() -> None:
    decision = after_failure(Counters(), Operation.INCOMING, classify(errors.AuthError("x")), BACK_OFF)
    assert decision.disable
    assert decision.counters == Counters()


@pytest.mark.parametrize("error", [errors.MessageError("x", permanent=True), errors.Cancelled("x"), errors.StaleRun("x")])
def test_what_is_not_the_mailboxs_fault_changes_nothing(error: Exception) -> None:
    decision = after_failure(Counters(incoming=3), Operation.INCOMING, classify(error), BACK_OFF)
    assert (decision.counters, decision.disable, decision.postpone) == (Counters(incoming=3), False, None)


@pytest.mark.parametrize(("named", "waited"), [(60, 300), (3600, 3600)])
def test_the_servers_own_time_is_honoured_when_later(named: int, waited: int) -> None:
    decision = after_failure(
        Counters(), Operation.INCOMING, classify(errors.TransientError("x")), BACK_OFF, timedelta(seconds=named)
    )
    assert decision.postpone == timedelta(seconds=waited)


def test_a_test_is_never_switched_off() -> None:
    for error in (errors.AuthError("x"), errors.ConnectionFailed("x")):
        assert not after_failure(Counters(), Operation.TEST, classify(error, Operation.TEST), BACK_OFF).disable
