"""The router's database on each of the three, fresh for a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from router_state_values import MovableClock

from postroom.channels.email_router.database import RouterDatabase
from postroom.testing import postgres


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


_URL = pytest.StashKey[str]()


@pytest.fixture(params=["memory", "file", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "memory":
        return "sqlite://"
    if request.param == "file":
        return f"sqlite:///{tmp_path}/router.db"
    server = request.getfixturevalue("postroom_postgres")
    address = request.config.stash.get(_URL, None) or postgres.database(server, "router")
    request.config.stash[_URL] = address
    postgres.drop_tables(address)
    return str(address)


@pytest.fixture
def database(url: str, clock: MovableClock) -> Iterator[RouterDatabase]:
    with RouterDatabase(url, clock) as opened:
        yield opened
