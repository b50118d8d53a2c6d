"""The parts of Postroom whose duties are in the table too. A check calls them through `bench.framework`, so that the kit's own tests can put
deliberately broken ones in their place: `replace(Framework(), load=loses_the_line)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from postroom.providers import configuration
from postroom.providers.registry import Registry
from postroom.runtime.connections import RunConnector

__all__ = ["Framework"]


def _database(url: str, clock: Any) -> Any:
    from postroom.channels.email_router.database import RouterDatabase

    return RouterDatabase(url, clock)


@dataclass(frozen=True, slots=True)
class Framework:
    """What the checks of framework duties call.

    load, from_mapping   element or mapping -> (value or None, problems)
    read, write, diff    the router's file
    identity             what tells instances apart
    schema, narrowed     JSON Schema of a model, and what a newer one no longer accepts
    registry             a fresh registry of the installed providers
    database             (url, clock) -> the router's memory
    connector            (connector, clock, deadline) -> the connections of one run
    """

    load: Callable[..., Any] = configuration.load
    from_mapping: Callable[..., Any] = configuration.from_mapping
    read: Callable[..., Any] = configuration.read
    write: Callable[..., Any] = configuration.write
    diff: Callable[..., Any] = configuration.diff
    identity: Callable[..., str] = configuration.identity
    schema: Callable[..., Any] = configuration.json_schema
    narrowed: Callable[..., Any] = configuration.narrowed
    registry: Callable[[], Registry] = field(default=Registry.default)
    database: Callable[[str, Any], Any] = _database
    connector: Callable[..., RunConnector] = RunConnector
