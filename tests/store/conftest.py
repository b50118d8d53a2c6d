"""The three databases, each fresh for a test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from postroom.store import OrganizationStore
from postroom.store.database import observe
from postroom.store.secrets import KeyRing
from postroom.testing import postgres

KEYS = KeyRing.generate()


class TestClock:
    __test__ = False

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)

    advance = sleep


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def empty_postgres(postroom_postgres: str, request: pytest.FixtureRequest) -> str:
    """The address of a database without anything."""
    url = _made(request.config, postroom_postgres, "empty")
    postgres.drop_tables(url)
    return url


@pytest.fixture
def postgres_with_tables(postroom_postgres: str, request: pytest.FixtureRequest) -> Callable[[], str]:
    """Empties the tables; making them for each test would be slow."""
    url = _made(request.config, postroom_postgres, "tables")

    def fresh() -> str:
        postgres.clear(url)
        return url

    return fresh


_DATABASES = pytest.StashKey[dict[str, str]]()


def _made(config: pytest.Config, server: str, name: str) -> str:
    """A database of the session, made when it is first asked for."""
    made = config.stash.setdefault(_DATABASES, {})
    if name not in made:
        made[name] = postgres.database(server, name)
    return made[name]


@pytest.fixture(params=["memory", "file", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "memory":
        return "sqlite://"
    if request.param == "file":
        return f"sqlite:///{tmp_path}/organization.db"
    return request.getfixturevalue("postgres_with_tables")()


@pytest.fixture
def ids() -> Callable[[], str]:
    count = itertools.count(1)
    return lambda: f"00000000-0000-4000-8000-{next(count):012x}"


@pytest.fixture
def store(url: str, clock: TestClock, ids: Callable[[], str]) -> Iterator[OrganizationStore]:
    with OrganizationStore.open(url, clock=clock, keys=KEYS, ids=ids) as opened:
        yield opened


@pytest.fixture
def statements() -> Callable[[Any], AbstractContextManager[list[str]]]:
    """Records the statements that a store or transaction sends while the block runs."""

    @contextmanager
    def watch(place: Any) -> Iterator[list[str]]:
        database = (place.store if hasattr(place, "store") else place)._database
        seen: list[str] = []

        def note(statement: str) -> None:
            if statement not in ("COMMIT", "ROLLBACK"):
                seen.append(statement)

        forget = observe(database, note)
        try:
            yield seen
        finally:
            forget()

    return watch
