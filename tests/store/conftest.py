"""The three databases, each fresh for a test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import postgres_server
import pytest
import sqlalchemy as sa

from postroom.store import OrganizationStore
from postroom.store.database import observe
from postroom.store.secrets import KeyRing
from postroom.store.tables import register_all

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


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    if postgres_server.binaries() is None:
        if os.environ.get("CI"):
            pytest.fail("no PostgreSQL binaries, and this is CI")
        pytest.skip("no PostgreSQL binaries found")
    pytest.importorskip("psycopg")
    with postgres_server.running() as url:
        yield url


@pytest.fixture
def empty_postgres(postgres_url: str) -> str:
    """The address of a database without anything."""
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    engine.dispose()
    return postgres_url


@pytest.fixture(scope="session")
def postgres_with_tables(postgres_url: str) -> Iterator[Callable[[], str]]:
    """Empties the tables; making them for each test would be slow."""
    engine = sa.create_engine(postgres_url, poolclass=sa.StaticPool)
    emptying = "; ".join(f'DELETE FROM "{name}"' for name in register_all().tables)

    def fresh() -> str:
        with engine.begin() as connection:
            if sa.inspect(connection).has_table("mailbox"):
                connection.exec_driver_sql(emptying)
        return postgres_url

    yield fresh
    engine.dispose()


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
