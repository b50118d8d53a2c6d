"""Which columns of which entities hold e-mail addresses, and how two addresses are compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from postroom.errors import RecordError

__all__ = ["DEFAULT_EMAIL_COLUMNS", "EmailColumns", "address_key"]

_THREE = ("emailaddress1", "emailaddress2", "emailaddress3")

DEFAULT_EMAIL_COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "systemuser": ("internalemailaddress", "personalemailaddress", "mobilealertemail"),
        "queue": ("emailaddress",),
        "contact": _THREE,
        "account": _THREE,
        "lead": _THREE,
        "equipment": ("emailaddress",),
        "team": ("emailaddress",),
        "businessunit": ("emailaddress",),
    }
)
"""Email-enabled entities and their address columns (1.7; the generic ones are platform metadata [K])."""


def address_key(address: str) -> str:
    """What two equal addresses have in common: exact and case-insensitive (4.8), outer blanks removed."""
    return address.strip().casefold()


class EmailColumns:
    """The registry of one store: the published entities, plus what `register` adds for custom ones."""

    def __init__(self, columns: Mapping[str, Iterable[str]] = DEFAULT_EMAIL_COLUMNS) -> None:
        self._columns = {entity: tuple(names) for entity, names in columns.items()}

    def __contains__(self, entity: object) -> bool:
        return entity in self._columns

    def of(self, entity: str) -> tuple[str, ...]:
        """Its address columns, in order; empty when it is not email-enabled."""
        return self._columns.get(entity, ())

    @property
    def entities(self) -> tuple[str, ...]:
        return tuple(self._columns)

    def register(self, entity: str, *names: str) -> None:
        """Make a custom entity email-enabled, or give a known one more columns. Raises RecordError when no name is given."""
        if not entity or not names:
            raise RecordError("an email-enabled entity needs a name and at least one address column")
        known = self._columns.get(entity, ())
        self._columns[entity] = known + tuple(name for name in dict.fromkeys(names) if name not in known)
