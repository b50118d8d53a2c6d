"""A world whose servers listen on free ports, for clients that others wrote."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from davmail import gateway
from foreign import ANN, INTERPRETERS, PASSWORD, lacks

from postroom_simulator.net.tcp import Servers
from postroom_simulator.world import World

__all__ = ["gateway"]


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


@pytest.fixture(scope="session")
def script(program, tmp_path_factory) -> Callable[[str], str]:
    """`script("send.pl")`: the name again, once its interpreter and its libraries were found; otherwise as `program` does."""
    known: dict[str, str] = {}

    def find(name: str) -> str:
        language = Path(name).suffix
        program(INTERPRETERS[language])
        if language not in known:
            known[language] = lacks(language, tmp_path_factory.mktemp("libraries"))
        if not known[language]:
            return name
        if os.environ.get("CI"):
            pytest.fail(
                f"{INTERPRETERS[language]} lacks a library, and with CI set nothing is skipped for that: {known[language]}"
            )
        pytest.skip(f"{INTERPRETERS[language]} lacks a library: {known[language].splitlines()[0]}")

    return find
