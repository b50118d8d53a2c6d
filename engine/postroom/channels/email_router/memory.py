"""The state of one instance in the router's database, as its provider sees it.

What is kept is either usable, or was repaired from the generation before it (with an alert), or the instance is held (StateError): a
router never begins at the beginning of time by itself (email-router-providers 8, provider-kit T5, T6).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from postroom.channels.email_router.tables import instance
from postroom.errors import StateError
from postroom.model.secret import Secret
from postroom.providers.contract import ProviderSpec
from postroom.providers.cursor import Cursor
from postroom.providers.state import canonical, decode, encode, initial, walk
from postroom.store.base import BaseTransaction
from postroom.store.leases import Fence
from postroom.store.memory import SqlStateCell
from postroom.store.prepared import Prepared

if TYPE_CHECKING:
    from postroom.channels.email_router.database import RouterDatabase

__all__ = ["RouterStateCell", "understood"]

S = TypeVar("S")
SHORTEST_SECRET = 4
"""Characters; a shorter one would be found in any text."""

_COMMITTED = Prepared(
    instance.update().where(instance.c.identity == sa.bindparam("p_identity")).values(generation=sa.bindparam("p_generation"))
)


class RouterStateCell(SqlStateCell[S]):
    """A StateCell. `limit`: octets that a state may take. `secrets`: values that must not be in it."""

    def __init__(
        self,
        database: RouterDatabase,
        identity: str,
        spec: ProviderSpec[Any, S],
        fence: Fence | None,
        *,
        limit: int,
        secrets: Iterable[Secret] = (),
    ) -> None:
        super().__init__(
            database,
            identity,
            initial(spec.state),
            version=spec.state_version,
            fence=fence,
            encode=encode,
            decode=lambda thing, version: understood(spec, thing, version),
        )
        self._database = database
        self._limit = limit
        self._secrets = tuple(secrets)

    def commit(self, new: S) -> None:
        """Atomic and durable before it returns; an unchanged value is not written again. Raises StaleRun, and StateError for a state
        that is too large, holds what it must not, or moves a cursor backwards."""
        self._goes_forward(new)
        super().commit(new)

    def rewind(self, new: S, reason: str) -> None:
        """A commit that may move a cursor backwards; the reason is kept with it, and an alert says so."""
        if not reason.strip():
            raise StateError("a state is not moved back without a reason")
        super().rewind(new, reason)
        self._database.note(self._instance, "rewound", reason)

    def _text(self, new: S) -> str:
        text = canonical(new)
        size = len(text) if text.isascii() else len(text.encode())
        if size > self._limit:
            raise StateError(
                f"the state takes {size} octets, {self._limit} are allowed: keep ids in ctx.seen, and no messages at all"
            )
        if self._secrets:
            self._no_secret(new)
        return text

    def _no_secret(self, new: S) -> None:
        texts = [one for _, one in walk(new) if isinstance(one, str)]
        for secret in self._secrets:
            hidden = secret.reveal()
            if len(hidden) >= SHORTEST_SECRET and any(hidden in one for one in texts):
                raise StateError("the state holds a secret of the configuration")

    def _goes_forward(self, new: S) -> None:
        before = dict(_cursors(self.value, ""))
        for path, one in _cursors(new, ""):
            if path in before and one.goes_back_from(before[path]):
                raise StateError(f"the cursor {path.lstrip('.') or 'of the state'} goes backwards: use rewind(new, reason)")

    def _committing(self, tx: BaseTransaction, generation: int, note: str | None) -> None:  # noqa: ARG002
        tx.execute(_COMMITTED, {"p_identity": self._instance, "p_generation": generation})


def _cursors(value: Any, path: str) -> Iterator[tuple[str, Cursor]]:
    """The cursors of a state: in the fields of dataclasses, in mappings and in tuples."""
    if isinstance(value, Cursor):
        yield path, value
    elif is_dataclass(value):
        for one in fields(value):
            yield from _cursors(getattr(value, one.name), f"{path}.{one.name}")
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _cursors(one, f"{path}[{key!r}]")
    elif isinstance(value, tuple | list):
        for n, one in enumerate(value):
            if not isinstance(one, str | int):
                yield from _cursors(one, f"{path}[{n}]")


def understood(spec: ProviderSpec[Any, S], thing: Any, version: int) -> S:
    """A state from what was kept, by the provider's `migrate` where it was written by an earlier version. Raises StateError."""
    if version < spec.state_version:
        if spec.migrate is None:
            raise StateError(f"the state has version {version}, and {spec.name} says nothing about it: it declares no migrate")
        thing = spec.migrate(thing, version)
        if isinstance(thing, spec.state):
            return thing
    return decode(spec.state, thing)


def whole(identity: str, generation: Any, version: Any, text: Any, checksum: Any) -> bool:
    """Is this what was written?"""
    octets = f"{identity}\n{generation}\n{version}\n{text}".encode("utf-8", "surrogatepass")
    return isinstance(text, str) and hashlib.sha256(octets).hexdigest() == checksum


def parsed(text: str) -> Any:
    """Raises StateError."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise StateError("the state is no JSON") from None
