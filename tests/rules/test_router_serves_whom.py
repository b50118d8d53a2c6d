"""Which channel an organization uses, and shares of the router's threads (email-router-providers reference 6)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from postroom.model.options import EmailConnectionChannel
from postroom.rules.eligibility import Obstacle
from postroom.rules.router_fairness import share
from postroom.rules.router_serving import channel_obstacles


@pytest.mark.parametrize(
    ("channel", "kept"),
    [
        (EmailConnectionChannel.EMAIL_ROUTER, []),
        (EmailConnectionChannel.SERVER_SIDE_SYNC, [Obstacle.CHANNEL]),
        (None, [Obstacle.CHANNEL]),
    ],
)
def test_the_router_keeps_to_organizations_that_use_it(channel: EmailConnectionChannel | None, kept: list[Obstacle]) -> None:
    organization = cast(Any, SimpleNamespace(emailconnectionchannel=channel))
    assert [one.code for one in channel_obstacles(organization)] == kept


@pytest.mark.parametrize(("threads", "parties", "most"), [(8, 0, 8), (8, 1, 8), (8, 2, 4), (8, 9, 4), (1, 2, 1), (3, 2, 1)])
def test_half_of_the_threads_where_others_want_some(threads: int, parties: int, most: int) -> None:
    assert share(threads, parties) == most
