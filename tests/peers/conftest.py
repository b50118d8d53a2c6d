"""A world whose servers listen on free ports, for clients that others wrote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from foreign import ANN, PASSWORD

from postroom_simulator.net.tcp import Servers
from postroom_simulator.world import World


@dataclass(frozen=True, slots=True)
class Served:
    """A listening world, the certificate that its clients trust, and a home for their files."""

    world: World
    servers: Servers
    authority: Path
    home: Path

    def port(self, service: str) -> int:
        return self.servers.port(service)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with World() as world:
        world.add_account(ANN, PASSWORD)
        authority = world.authority.write(tmp_path / "authority.pem")
        yield Served(world, world.listen(), authority, tmp_path)
        world.settle()
