"""What a provider remembers, in the organization's database: `SqlSeenSet` and `SqlStateCell`.

Both have the shape of `providers.contract.SeenSet` and `StateCell`, both belong to one instance, and both write only while the run's
lease is still its own (StaleRun otherwise). Writing inside an open transaction of the same thread is refused: memory is committed
after the mail, never with it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import sqlalchemy as sa

from postroom.errors import StaleRun, StateError
from postroom.store.leases import Fence
from postroom.store.prepared import Prepared
from postroom.store.rows import check_text, to_micros
from postroom.store.tables import seen_entry, state_value

if TYPE_CHECKING:
    from postroom.store.base import BaseStore, BaseTransaction

__all__ = ["SqlSeenSet", "SqlStateCell"]

S = TypeVar("S")

# The lists travel as one parameter, so that each question is one statement for any length. PostgreSQL is asked for the first entry that is not before a
# key, which only the primary key's index answers: for equal keys it takes the index over `touchedon` while its statistics say that the instance has
# hardly any entries (a mailbox that is new since the last ANALYZE), and reads all of them for each key.
_NEW = {
    "sqlite": "SELECT k.value FROM json_each(:keys) AS k WHERE NOT EXISTS"
    " (SELECT 1 FROM seenentry AS s WHERE s.instance = :instance AND s.sourcekey = k.value) ORDER BY k.key",
    "postgresql": "SELECT k.value FROM unnest(CAST(:keys AS text[])) WITH ORDINALITY AS k(value, place) LEFT JOIN LATERAL"
    " (SELECT s.instance, s.sourcekey FROM seenentry AS s"
    ' WHERE (s.instance, s.sourcekey) >= (CAST(:instance AS text) COLLATE "C", k.value COLLATE "C")'
    " ORDER BY s.instance, s.sourcekey LIMIT 1) AS f"
    ' ON f.instance = :instance AND f.sourcekey = k.value COLLATE "C" WHERE f.sourcekey IS NULL ORDER BY k.place',
}
_ADD = {
    "sqlite": "INSERT INTO seenentry (instance, sourcekey, digest, touchedon)"
    " SELECT :instance, json_extract(k.value, '$[0]'), json_extract(k.value, '$[1]'), :now FROM json_each(:entries) AS k"
    " WHERE true ON CONFLICT (instance, sourcekey) DO UPDATE SET digest = excluded.digest, touchedon = excluded.touchedon",
    "postgresql": "INSERT INTO seenentry (instance, sourcekey, digest, touchedon)"
    " SELECT :instance, k.key, k.digest, :now FROM unnest(CAST(:keys AS text[]), CAST(:digests AS text[])) AS k(key, digest)"
    " ON CONFLICT (instance, sourcekey) DO UPDATE SET digest = excluded.digest, touchedon = excluded.touchedon",
}
_TOUCH = {
    "sqlite": "UPDATE seenentry SET touchedon = :now WHERE instance = :instance AND touchedon < :old"
    " AND sourcekey IN (SELECT value FROM json_each(:keys))",
    "postgresql": "UPDATE seenentry SET touchedon = :now WHERE instance = :instance AND touchedon < :old"
    " AND sourcekey = ANY(CAST(:keys AS text[]))",
}
_RECALL = {
    "sqlite": "SELECT sourcekey, digest FROM seenentry WHERE instance = :instance"
    " AND sourcekey IN (SELECT value FROM json_each(:keys))",
    "postgresql": "SELECT sourcekey, digest FROM seenentry WHERE instance = :instance AND sourcekey = ANY(CAST(:keys AS text[]))",
}
_NEW_SQL, _ADD_SQL, _TOUCH_SQL, _RECALL_SQL = (
    {name: Prepared(sa.text(sql), lists=one is not _ADD) for name, sql in one.items()} for one in (_NEW, _ADD, _TOUCH, _RECALL)
)
_STALE = Prepared(
    sa.select(sa.literal(1))
    .select_from(seen_entry)
    .where(seen_entry.c.instance == sa.bindparam("p_instance"), seen_entry.c.touchedon < sa.bindparam("p_old"))
    .limit(1)
)
_DIGEST = Prepared(
    sa.select(seen_entry.c.digest).where(
        seen_entry.c.instance == sa.bindparam("p_instance"), seen_entry.c.sourcekey == sa.bindparam("p_key")
    )
)
_EXPIRE = Prepared(
    seen_entry.delete().where(
        seen_entry.c.instance == sa.bindparam("p_instance"), seen_entry.c.touchedon < sa.bindparam("p_before")
    )
)
_COUNT = Prepared(sa.select(sa.func.count()).select_from(seen_entry).where(seen_entry.c.instance == sa.bindparam("p_instance")))


class SqlSeenSet:
    """The keys that an instance has dealt with. `coarseness`: a key touched within it is not written again, so that an idle poll of a
    large mailbox writes nothing; expiry is exact to that (ours)."""

    def __init__(
        self,
        store: BaseStore[Any],
        instance: str,
        *,
        fence: Fence | None = None,
        coarseness: timedelta = timedelta(hours=12),
    ) -> None:
        self._store = store
        self._instance = check_text(instance, "instance")
        self._fence = fence
        self._coarseness = coarseness

    def new_among(self, keys: Sequence[str]) -> list[str]:
        """Those never added (or expired), in the order given. One statement."""
        if not keys:
            return []
        with self._store.reading() as tx:
            rows = tx.execute(_NEW_SQL[tx.dialect], {"instance": self._instance, "keys": _list(tx, keys)})
            return [row[0] for row in rows]

    def digest(self, key: str) -> str | None:
        """What was seen under this key; None when it never was."""
        with self._store.reading() as tx:
            row = tx.execute(_DIGEST, {"p_instance": self._instance, "p_key": check_text(key, "key")}).first()
        return None if row is None else str(row[0])

    def recall(self, keys: Sequence[str]) -> Mapping[str, str]:
        """key -> digest of those among `keys` that are remembered. One statement."""
        if not keys:
            return {}
        with self._store.reading() as tx:
            rows = tx.execute(_RECALL_SQL[tx.dialect], {"instance": self._instance, "keys": _list(tx, keys)})
            return {row[0]: row[1] for row in rows}

    def add(self, entries: Mapping[str, str]) -> None:
        """Remember key -> digest, durably. One statement. Raises StaleRun."""
        if not entries:
            return
        with self._store.transaction(self._fence) as tx:
            parameters: dict[str, Any] = {"instance": self._instance, "now": to_micros(tx.now())}
            for key, digest in entries.items():
                check_text(key, "key")
                check_text(digest, "digest")
            if tx.dialect == "sqlite":
                parameters["entries"] = json.dumps(list(entries.items()), ensure_ascii=False)
            else:
                parameters |= {"keys": list(entries), "digests": list(entries.values())}
            tx.execute(_ADD_SQL[tx.dialect], parameters)

    def touch(self, keys: Sequence[str]) -> None:
        """They are still at the source: do not expire them. Writes only what was not touched for a while. Raises StaleRun."""
        if not keys:
            return
        now = self._store.clock.now()
        old = to_micros(now - self._coarseness)
        with self._store.reading() as tx:
            if tx.execute(_STALE, {"p_instance": self._instance, "p_old": old}).first() is None:
                return
        with self._store.transaction(self._fence) as tx:
            parameters = {"instance": self._instance, "now": to_micros(now), "old": old, "keys": _list(tx, keys)}
            tx.execute(_TOUCH_SQL[tx.dialect], parameters)

    def expire(self, before: datetime) -> int:
        """Forget what was neither added nor touched since; returns how many. Raises StaleRun."""
        with self._store.transaction(self._fence) as tx:
            return int(tx.execute(_EXPIRE, {"p_instance": self._instance, "p_before": to_micros(before)}).rowcount)

    def __len__(self) -> int:
        with self._store.reading() as tx:
            return int(tx.execute(_COUNT, {"p_instance": self._instance}).scalar_one())


def _list(tx: BaseTransaction, keys: Sequence[str]) -> Any:
    for key in keys:
        check_text(key, "key")
    return json.dumps(list(keys), ensure_ascii=False) if tx.dialect == "sqlite" else list(keys)


_THIS = state_value.c.instance == sa.bindparam("p_instance")
_LOAD = Prepared(
    sa.select(
        state_value.c.generation,
        state_value.c.version,
        state_value.c.value,
        state_value.c.checksum,
        state_value.c.previousgeneration,
        state_value.c.previousversion,
        state_value.c.previousvalue,
        state_value.c.previouschecksum,
    ).where(_THIS)
)
_REPLACE = Prepared(
    state_value.update()
    .where(_THIS, state_value.c.generation == sa.bindparam("p_generation"))
    .values(
        previousgeneration=state_value.c.generation,
        previousversion=state_value.c.version,
        previousvalue=state_value.c.value,
        previouschecksum=state_value.c.checksum,
        generation=sa.bindparam("p_next"),
        version=sa.bindparam("p_version"),
        value=sa.bindparam("p_value"),
        checksum=sa.bindparam("p_checksum"),
        committedon=sa.bindparam("p_now"),
        note=sa.bindparam("p_note"),
    )
)
_FIRST = Prepared(state_value.insert())


class SqlStateCell(Generic[S]):
    """One small versioned value of an instance, loaded when first asked for.

    `initial` is the value before the first commit; `encode` gives something JSON can hold, `decode(thing, version)` takes it back, with
    the version it was written by (default: the fields of a flat dataclass). `version` is the writer's `state_version`.
    """

    def __init__(
        self,
        store: BaseStore[Any],
        instance: str,
        initial: S,
        *,
        version: int = 1,
        fence: Fence | None = None,
        encode: Callable[[S], Any] | None = None,
        decode: Callable[[Any, int], S] | None = None,
    ) -> None:
        self._store = store
        self._instance = check_text(instance, "instance")
        self._initial = initial
        self._version = version
        self._fence = fence
        self._encode = encode or _fields
        self._decode = decode or (lambda thing, _: type(initial)(**thing))
        self._generation: int | None = None
        self._value = initial

    @property
    def value(self) -> S:
        """Raises StateError when what is kept is damaged or was written by a later version: hold and alert, never start over."""
        if self._generation is None:
            self._load()
        return self._value

    @property
    def generation(self) -> int:
        """How often it was committed."""
        if self._generation is None:
            self._load()
        assert self._generation is not None
        return self._generation

    def commit(self, new: S) -> None:
        """Atomic and durable before it returns; an unchanged value is not written again. Raises StaleRun when another committed since
        this cell was loaded, or the lease was lost."""
        self._commit(new, None)

    def rewind(self, new: S, reason: str) -> None:
        """A commit that may move a cursor backwards; the reason is kept with it."""
        self._commit(new, check_text(reason, "reason"))

    def restore_previous(self, reason: str) -> S:
        """Go back to the generation before the current one, which may be damaged. Raises StateError when there is none that is whole."""
        with self._store.reading() as tx:
            row = tx.execute(_LOAD, {"p_instance": self._instance}).first()
        if row is None or row[4] is None:
            raise StateError(f"the state of {self._instance!r} has no earlier generation")
        value = self._understand(row[4], row[5], row[6], row[7])
        self._generation = int(row[0])
        self._commit(value, check_text(reason, "reason"))
        return value

    def _load(self) -> None:
        with self._store.reading() as tx:
            row = tx.execute(_LOAD, {"p_instance": self._instance}).first()
        if row is None:
            self._generation, self._value = 0, self._initial
            return
        self._generation, self._value = self._restored(row)

    def _restored(self, row: Any) -> tuple[int, S]:
        """Generation and value of what is kept. Raises StateError."""
        return int(row[0]), self._understand(row[0], row[1], row[2], row[3])

    def _committing(self, tx: BaseTransaction, generation: int, note: str | None) -> None:
        """The place for what is to be written with a commit, in the same transaction. Nothing here."""

    def _understand(self, generation: int, version: int, text: str, checksum: str) -> S:
        if _checksum(self._instance, generation, version, text) != checksum:
            raise StateError(f"the state of {self._instance!r}, generation {generation}, is damaged")
        if version > self._version:
            raise StateError(
                f"the state of {self._instance!r} has version {version}; this provider knows up to {self._version}"
            )
        try:
            return self._decode(json.loads(text), version)
        except Exception as wrong:  # a provider's own decoding may fail in any way
            raise StateError(f"the state of {self._instance!r} is not understood: {type(wrong).__name__}") from wrong

    def _text(self, new: S) -> str:
        """What is kept. Raises StateError."""
        try:
            return json.dumps(self._encode(new), ensure_ascii=False, allow_nan=False, sort_keys=True)
        except (TypeError, ValueError) as wrong:
            raise StateError(f"the state of {self._instance!r} cannot be written as JSON: {wrong}") from None

    def _commit(self, new: S, note: str | None) -> None:
        generation = self.generation
        if generation and note is None and new == self._value:
            return
        text = check_text(self._text(new), "state")
        checksum = _checksum(self._instance, generation + 1, self._version, text)
        with self._store.transaction(self._fence) as tx:
            now = to_micros(tx.now())
            if generation == 0:
                self._insert(tx, text, checksum, now, note)
            else:
                parameters = {
                    "p_instance": self._instance,
                    "p_generation": generation,
                    "p_next": generation + 1,
                    "p_version": self._version,
                    "p_value": text,
                    "p_checksum": checksum,
                    "p_now": now,
                    "p_note": note,
                }
                if tx.execute(_REPLACE, parameters).rowcount == 0:
                    raise StaleRun(f"the state of {self._instance!r} was committed by another run")
            self._committing(tx, generation + 1, note)
        self._generation, self._value = generation + 1, new

    def _insert(self, tx: BaseTransaction, text: str, checksum: str, now: int, note: str | None) -> None:
        if tx.execute(_LOAD, {"p_instance": self._instance}).first() is not None:
            raise StaleRun(f"the state of {self._instance!r} was committed by another run")
        row = {
            "instance": self._instance,
            "generation": 1,
            "version": self._version,
            "value": text,
            "checksum": checksum,
            "committedon": now,
            "note": note,
        }
        tx.execute(_FIRST, row)


def _fields(value: Any) -> Any:
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value


def _checksum(instance: str, generation: int, version: int, text: str) -> str:
    return hashlib.sha256(f"{instance}\n{generation}\n{version}\n{text}".encode()).hexdigest()
