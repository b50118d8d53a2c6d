"""Tries at one item (server-side-sync reference 3.5)."""

from __future__ import annotations

import pytest

from postroom.rules.item_tries import ItemEnd, after_failed_act_item, after_failed_email


@pytest.mark.parametrize(
    ("tries", "exchange", "move", "end"),
    [
        (1, False, False, ItemEnd.TRY_AGAIN),
        (4, False, False, ItemEnd.TRY_AGAIN),
        (4, True, True, ItemEnd.TRY_AGAIN),
        (5, False, False, ItemEnd.LEAVE),
        (5, False, True, ItemEnd.LEAVE),
        (5, True, False, ItemEnd.MARK),
        (5, True, True, ItemEnd.MOVE),
        (6, True, True, ItemEnd.MOVE),
    ],
)
def test_an_email_after_its_tries(tries: int, exchange: bool, move: bool, end: ItemEnd) -> None:
    assert after_failed_email(tries, 5, exchange=exchange, move_undelivered=move) is end


def test_it_is_not_moved_unless_that_is_wanted() -> None:
    assert after_failed_email(5, 5, exchange=True) is ItemEnd.MARK


@pytest.mark.parametrize(
    ("retries", "end"), [(0, ItemEnd.TRY_AGAIN), (4, ItemEnd.TRY_AGAIN), (5, ItemEnd.LEAVE), (6, ItemEnd.LEAVE)]
)
def test_an_appointment_contact_or_task(retries: int, end: ItemEnd) -> None:
    assert after_failed_act_item(retries, 5) is end
