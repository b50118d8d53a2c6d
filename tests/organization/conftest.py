from __future__ import annotations

from collections.abc import Iterator

import pytest
from organization_house import House


@pytest.fixture
def house(postroom_database: str) -> Iterator[House]:
    """On the database that `--postroom-database` names."""
    made = House(postroom_database)
    yield made
    made.deployment.close()
