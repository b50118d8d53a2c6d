"""Records of entities that have no class of their own: contact, lead, account, team, custom ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from postroom.model.attributes import Lookup

__all__ = ["GenericRecord"]


@dataclass(frozen=True, slots=True)
class GenericRecord:
    """`values` holds str, int, float, bool, None, `Lookup`, aware datetime, or lists and dicts of these. An empty `id` means: the
    store gives one at create. `ownerid` and `statecode` are read by address resolution (4.8)."""

    entity: str
    id: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))

    def __hash__(self) -> int:
        return hash((self.entity, self.id))

    @property
    def record_id(self) -> str:
        return self.id

    @property
    def reference(self) -> Lookup:
        return Lookup(self.entity, self.id)

    def get(self, name: str, default: Any = None) -> Any:
        return self.values.get(name, default)
