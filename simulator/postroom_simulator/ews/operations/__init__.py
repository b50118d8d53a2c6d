"""The operations, one module each, in one table (ews reference 4)."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from postroom_simulator.ews.errors import Fault
from postroom_simulator.ews.versions import Version

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call, Value

__all__ = ["OPERATIONS", "Operation", "find_operation"]


@dataclass(frozen=True, slots=True)
class Operation:
    """module: of this package, with `handle(call, request) -> response`, both values of the schema's elements; "" for an operation that is not
    available here. tier: of the reference. response: the element of the answer."""

    name: str
    module: str
    tier: int
    since: Version = Version.EXCHANGE_2007
    response: str = ""

    def handle(self, call: Call, request: Any) -> Value:
        """Raises EwsError, Fault."""
        if not self.module:
            raise Fault("ErrorInvalidOperation", f"{self.name} is not available on this server.")
        value: Value = importlib.import_module(f"{__package__}.{self.module}").handle(call, request)
        return value


def _row(name: str, module: str, tier: int, since: Version = Version.EXCHANGE_2007, response: str = "") -> Operation:
    return Operation(name, module, tier, since, response or f"{name}Response")


OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        one.name: one
        for one in (
            _row("GetFolder", "get_folder", 0),
            _row("FindFolder", "find_folder", 0),
            _row("ConvertId", "convert_id", 0),
            _row("FindItem", "find_item", 0),
            _row("GetItem", "get_item", 0),
            _row("CreateItem", "create_item", 1),
            _row("UpdateItem", "update_item", 1),
            _row("DeleteItem", "delete_item", 1),
        )
    }
)


def find_operation(call: Call) -> Operation:
    """Raises Fault for an operation that nobody knows, or that is newer than the version asked."""
    found = OPERATIONS.get(call.operation)
    if found is None:
        raise Fault("ErrorInvalidOperation", f"{call.operation[:60]} is no operation of this service.")
    if found.since > call.version:
        raise Fault("ErrorIncorrectSchemaVersion")
    return found
