"""The router's own database: who the instances are, what each remembers, who may write for it, and what is wrong with it.

    db = RouterDatabase("sqlite:///router.db", clock)
    fence = db.begin(identity, spec, holder)         # None: another holder's run goes on; StateError: the instance is held
    cell = db.state(identity, spec, fence)           # StateError: held just now, nothing usable is kept
    seen = db.seen(identity, fence)
    ... run ...
    db.end(fence, error="")

Each run has a fence with a number; a later run, `revoke`, `hold` or `tombstone` make an earlier number void: its commits raise StaleRun, and so does
`check`, which whatever delivers asks first (provider-kit T4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from postroom.channels.email_router.memory import RouterStateCell, parsed, understood, whole
from postroom.channels.email_router.tables import ROUTER, alert, damaged, instance
from postroom.clock import Clock
from postroom.errors import StaleRun, StateError, StoreError
from postroom.model.secret import Secret
from postroom.providers.contract import ProviderSpec
from postroom.store import leases
from postroom.store.base import BaseStore, BaseTransaction
from postroom.store.database import open_database
from postroom.store.leases import Fence
from postroom.store.memory import SqlSeenSet
from postroom.store.prepared import Prepared
from postroom.store.rows import check_text, from_micros, to_micros
from postroom.store.tables import lease, seen_entry, state_value

__all__ = ["RETENTION", "STATE_LIMIT", "Alert", "InstanceRow", "RouterDatabase"]

S = TypeVar("S")
RETENTION = timedelta(days=90)
"""How long the state of an instance that left the configuration is kept (ours)."""
STATE_LIMIT = 64 * 1024
"""Octets that one state may take (ours)."""
LEASE_SECONDS = 900.0
ERROR_LENGTH = 2000


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """One instance, as the database knows it. Moments are aware UTC; None: never.

    generation    how often its state was committed; 0: never, its next run is a first run
    state_size    characters of the state
    holder        whose run goes on; "" when none does
    held          why it is held; "" when it is not
    threshold     nothing older is wanted: a watermark of its incoming mail, and where the first cursor of its state begins
    """

    identity: str
    provider: str
    direction: str
    name: str
    organization: str
    mailbox: str
    generation: int
    state_version: int | None
    state_size: int
    committed_on: datetime | None
    first_seen_on: datetime
    started_on: datetime | None
    ended_on: datetime | None
    holder: str
    last_error: str
    last_error_on: datetime | None
    threshold: datetime | None
    held: str
    held_on: datetime | None
    tombstoned_on: datetime | None
    expires_on: datetime | None


@dataclass(frozen=True, slots=True)
class Alert:
    """What somebody should know about an instance. `kind`: damaged, restored, lost, newer, misunderstood, held, rewound, restarted, overrun or another
    word of who raised it."""

    identity: str
    kind: str
    detail: str
    raised_on: datetime
    cleared_on: datetime | None = None


_THIS = instance.c.identity == sa.bindparam("p_identity")
_LOOK = Prepared(sa.select(instance.c.heldreason, instance.c.tombstonedon, instance.c.generation).where(_THIS))
_ADD = Prepared(instance.insert())
_BLANK = dict.fromkeys(("provider", "direction", "name", "organization", "mailbox", "lasterror"), "") | {"generation": 0}
_BEGUN = Prepared(
    instance.update()
    .where(_THIS)
    .values(
        provider=sa.bindparam("p_provider"),
        direction=sa.bindparam("p_direction"),
        name=sa.bindparam("p_name"),
        organization=sa.bindparam("p_organization"),
        mailbox=sa.bindparam("p_mailbox"),
        startedon=sa.bindparam("p_now"),
        tombstonedon=None,
        expireson=None,
    )
)
_ENDED = Prepared(instance.update().where(_THIS).values(endedon=sa.bindparam("p_now"), lasterror=""))
_FAILED = Prepared(
    instance.update()
    .where(_THIS)
    .values(endedon=sa.bindparam("p_now"), lasterror=sa.bindparam("p_error"), lasterroron=sa.bindparam("p_now"))
)
_HOLD = Prepared(instance.update().where(_THIS).values(heldreason=sa.bindparam("p_reason"), heldon=sa.bindparam("p_now")))
_THRESHOLD = Prepared(sa.select(instance.c.threshold, instance.c.generation).where(_THIS))
_STATE = Prepared(
    sa.select(
        state_value.c.generation,
        state_value.c.version,
        state_value.c.value,
        state_value.c.checksum,
        state_value.c.previousgeneration,
        state_value.c.previousversion,
        state_value.c.previousvalue,
        state_value.c.previouschecksum,
        state_value.c.committedon,
        state_value.c.note,
    ).where(state_value.c.instance == sa.bindparam("p_identity"))
)
_REVOKE = Prepared(
    lease.update()
    .where(lease.c.instance == sa.bindparam("p_identity"))
    .values(token=lease.c.token + 1, holder=None, previous=None)
)
_HOLDER = Prepared(sa.select(lease.c.holder, lease.c.token).where(lease.c.instance == sa.bindparam("p_identity")))
_ROWS = (
    sa.select(
        instance,
        state_value.c.version,
        sa.func.length(state_value.c.value),
        state_value.c.committedon,
        lease.c.holder,
    )
    .select_from(
        instance.outerjoin(state_value, state_value.c.instance == instance.c.identity).outerjoin(
            lease, lease.c.instance == instance.c.identity
        )
    )
    .order_by(instance.c.firstseenon, instance.c.identity)
)


class RouterDatabase(BaseStore[BaseTransaction]):
    """One router's memory. In memory (`sqlite://`) it serves one thread; a file or PostgreSQL serve many, and several processes."""

    kind = BaseTransaction

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        limit: int = STATE_LIMIT,
        must_exist: bool = False,
        alerted: Callable[[Alert], None] | None = None,
    ) -> None:
        """`limit`: octets of one state. `must_exist`: a file that is away is an error, no new one. `alerted` is told each alert as it is raised. Raises StoreError, with what to do, for a file that
        is damaged, empty, locked, not writable or of another kind, NewerDatabase for one of a later version."""
        _not_cut_to_nothing(url, must_exist=must_exist)
        super().__init__(open_database(url, ROUTER), clock=clock)
        self._limit = limit
        self._listeners: list[Callable[[Alert], None]] = [] if alerted is None else [alerted]

    def listen(self, listener: Callable[[Alert], None]) -> Callable[[], None]:
        """Be told of each alert as it is raised, until what is given back is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    # -- runs

    def begin(
        self,
        identity: str,
        spec: ProviderSpec[Any, Any],
        holder: str,
        *,
        name: str = "",
        organization: str = "",
        mailbox: str = "",
        seconds: float = LEASE_SECONDS,
        force: bool = False,
        held: str = "",
    ) -> Fence | None:
        """A run of this instance begins, and every earlier one of the same holder is void. None while another holder's run goes on and its
        lease has not expired; `force` takes it anyway. An instance with a tombstone is back. `held`: an instance that is not known yet is held for
        this reason from the first moment on; this run has a fence all the same. Raises StateError when it was held before."""
        check_text(identity, "identity")
        told = {"name": name, "organization": organization, "mailbox": mailbox}
        with self.transaction() as tx:
            now = tx.now()
            row = tx.execute(_LOOK, {"p_identity": identity}).first()
            if row is not None and row[0]:
                raise StateError(f"the instance is held: {row[0]}")
            mine = tx.execute(_HOLDER, {"p_identity": identity}).scalar() == holder
            fence = leases.acquire(tx, identity, holder, now, now + timedelta(seconds=seconds), force=force or mine)
            if fence is None:
                return None
            self._known(tx, identity, spec, told, fresh=row is None)
            if row is None and held:
                tx.execute(_HOLD, {"p_identity": identity, "p_reason": _bounded(held), "p_now": to_micros(now)})
        if row is None and held:
            self.note(identity, "lost", held)
        return fence

    def _known(
        self,
        tx: BaseTransaction,
        identity: str,
        spec: ProviderSpec[Any, Any],
        told: dict[str, str],
        *,
        fresh: bool,
        begins: bool = True,
    ) -> None:
        now = to_micros(tx.now())
        if fresh:
            row = _BLANK | told | {"identity": identity, "provider": spec.name, "direction": str(spec.direction)}
            tx.execute(_ADD, row | {"firstseenon": now} | ({"startedon": now} if begins else {}))
            return
        given = {f"p_{key}": value for key, value in told.items()}
        row = {"p_identity": identity, "p_provider": spec.name, "p_direction": str(spec.direction), "p_now": now}
        tx.execute(_BEGUN, row | given)

    def renew(self, fence: Fence, seconds: float = LEASE_SECONDS) -> bool:
        """Keep it. False when it was lost."""
        with self.transaction() as tx:
            try:
                leases.renew(tx, fence, tx.now() + timedelta(seconds=seconds))
            except StaleRun:
                return False
        return True

    def end(self, fence: Fence, error: str = "") -> bool:
        """The run is over: its last error ("" clears it), its times, its lease. False, and nothing written, when the fence was void."""
        with self.transaction() as tx:
            if not leases.release(tx, fence):
                return False
            values: dict[str, Any] = {"p_identity": fence.instance, "p_now": to_micros(tx.now())}
            if error:
                tx.execute(_FAILED, values | {"p_error": _bounded(error)})
            else:
                tx.execute(_ENDED, values)
        return True

    def check(self, fence: Fence) -> None:
        """Raises StaleRun when the fence is void: whoever delivers asks first."""
        with self.reading() as tx:
            row = tx.execute(_HOLDER, {"p_identity": fence.instance}).first()
        if row is None or row[0] is None or row[1] != fence.token:
            raise StaleRun(f"the run {fence.token} of this instance does not count any more")

    def revoke(self, identity: str) -> None:
        """Whatever run goes on is void from now on. Nothing happens when none does."""
        with self.transaction() as tx:
            tx.execute(_REVOKE, {"p_identity": identity})

    def state(
        self, identity: str, spec: ProviderSpec[Any, S], fence: Fence | None = None, *, secrets: Iterable[Secret] = ()
    ) -> RouterStateCell[S]:
        """The state, known to be usable. A damaged one is replaced by the generation before it, with an alert. Raises StateError
        when nothing usable is kept, after the instance was held."""
        self._examine(identity, spec, fence)
        cell = RouterStateCell(self, identity, spec, fence, limit=self._limit, secrets=secrets)
        _ = cell.value
        return cell

    def seen(self, identity: str, fence: Fence | None = None) -> SqlSeenSet:
        """The keys that the instance has dealt with."""
        return SqlSeenSet(self, identity, fence=fence)

    # -- what is wrong

    def _examine(self, identity: str, spec: ProviderSpec[Any, Any], fence: Fence | None) -> None:
        with self.reading() as tx:
            known = tx.execute(_LOOK, {"p_identity": identity}).first()
            row = tx.execute(_STATE, {"p_identity": identity}).first()
        committed = int(known[2]) if known is not None else 0
        if row is None:
            if committed:
                self._give_up(identity, "lost", f"its state, committed {committed} times, is not there any more")
            return
        current = whole(identity, *row[:4])
        if current and row[0] >= committed:
            self._readable(identity, spec, row[1], row[2])
            return
        problem = "fails its checksum" if not current else f"is older than the last commit, {committed}"
        version, text = row[5:7]
        if current:
            version, text = row[1:3]
        elif not whole(identity, *row[4:8]):
            self._give_up(identity, "damaged", f"its state {problem}, and so does the one before it or there is none")
        self._readable(identity, spec, version, text)
        self._restore(identity, row, version, text, max(committed, _number(row[0])) + 1, problem, fence)

    def _readable(self, identity: str, spec: ProviderSpec[Any, Any], version: int, text: str) -> None:
        """Hold the instance when its provider cannot understand what is kept."""
        if version > spec.state_version:
            detail = f"its state has version {version}; {spec.name} knows up to {spec.state_version}: use a later version of it"
            self._give_up(identity, "newer", detail)
        try:
            understood(spec, parsed(text), version)
        except Exception as wrong:  # a provider's migrate may fail in any way
            reason = str(wrong) if isinstance(wrong, StateError) else type(wrong).__name__
            self._give_up(identity, "misunderstood", f"its state of version {version} is not understood: {reason}")

    def _give_up(self, identity: str, kind: str, detail: str) -> None:
        self.hold(identity, detail, kind=kind)
        raise StateError(f"{detail}; the instance is held until somebody decides where it goes on")

    def _restore(
        self, identity: str, row: Sequence[Any], version: int, text: str, generation: int, problem: str, fence: Fence | None
    ) -> None:
        """Go on with the generation before; what was damaged is set aside."""
        with self.transaction(fence) as tx:
            now = to_micros(tx.now())
            aside = {
                "identity": identity,
                "generation": _number(row[0]),
                "value": str(row[2]),
                "detail": problem,
                "foundon": now,
            }
            tx.execute(damaged.insert(), aside)
            self._write(tx, identity, version, text, generation, "restored")
        self.note(identity, "restored", f"the state {problem}: the one before it is used, and some mail is looked at again")

    def _write(self, tx: BaseTransaction, identity: str, version: int, text: str, generation: int, note: str) -> None:
        """A state in the place of whatever is there, with no generation before it."""
        from postroom.store.memory import _checksum

        tx.execute(state_value.delete().where(state_value.c.instance == identity))
        row = {
            "instance": identity,
            "generation": generation,
            "version": version,
            "value": text,
            "checksum": _checksum(identity, generation, version, text),
            "committedon": to_micros(tx.now()),
            "note": note,
        }
        tx.execute(state_value.insert(), row)
        tx.execute(instance.update().where(instance.c.identity == identity).values(generation=generation))

    def hold(self, identity: str, reason: str, *, kind: str = "held") -> None:
        """Run it no more until `release` or `restart`; the run that goes on is void. With an alert, once."""
        with self.transaction() as tx:
            row = tx.execute(_LOOK, {"p_identity": identity}).first()
            now = to_micros(tx.now())
            if row is None:
                tx.execute(_ADD, _BLANK | {"identity": identity, "firstseenon": now})
            tx.execute(_HOLD, {"p_identity": identity, "p_reason": _bounded(reason), "p_now": now})
            tx.execute(_REVOKE, {"p_identity": identity})
        if row is None or row[0] != _bounded(reason):
            self.note(identity, kind, reason)

    def release(self, identity: str) -> None:
        """Hold it no longer; its alerts are cleared. What was wrong with its state still is: see `restart`."""
        with self.transaction() as tx:
            tx.execute(instance.update().where(instance.c.identity == identity).values(heldreason=None, heldon=None))
            tx.execute(
                alert.update()
                .where(alert.c.identity == identity, alert.c.clearedon.is_(None))
                .values(clearedon=to_micros(tx.now()))
            )

    def restart(self, identity: str, spec: ProviderSpec[Any, S], state: S, reason: str) -> None:
        """Go on with this state, whatever is kept: somebody's explicit decision, to which an imported threshold gives way. Holds no longer; raises
        StateError without a reason."""
        from postroom.providers.state import canonical

        if not reason.strip():
            raise StateError("a state is not replaced without a reason")
        text = canonical(state)
        with self.transaction() as tx:
            known = tx.execute(_LOOK, {"p_identity": identity}).first()
            if known is None:
                raise StateError("no such instance")
            row = tx.execute(_STATE, {"p_identity": identity}).first()
            generation = max(int(known[2]), _number(row[0]) if row is not None else 0) + 1
            tx.execute(_REVOKE, {"p_identity": identity})
            self._write(tx, identity, spec.state_version, text, generation, _bounded(reason))
            tx.execute(instance.update().where(instance.c.identity == identity).values(threshold=None))
        self.release(identity)
        self.note(identity, "restarted", reason)

    def note(self, identity: str, kind: str, detail: str, *, quiet: bool = False) -> None:
        """Raise an alert; `quiet`: nobody is told of it now."""
        with self.transaction() as tx:
            now = tx.now()
            row = {"identity": identity, "kind": kind, "detail": _bounded(detail), "raisedon": to_micros(now)}
            tx.execute(alert.insert(), row)
        for listener in () if quiet else tuple(self._listeners):
            listener(Alert(identity, kind, _bounded(detail), now))

    def clear(self, identity: str, kind: str) -> bool:
        """Alerts of one kind are over. False: there were none."""
        with self.transaction() as tx:
            mine = (alert.c.identity == identity, alert.c.kind == kind, alert.c.clearedon.is_(None))
            return bool(tx.execute(alert.update().where(*mine).values(clearedon=to_micros(tx.now()))).rowcount)

    def alerts(self, identity: str | None = None, *, cleared: bool = False) -> list[Alert]:
        """What was raised, oldest first; `cleared`: also what is over."""
        asked = sa.select(alert).order_by(alert.c.rownumber)
        if identity is not None:
            asked = asked.where(alert.c.identity == identity)
        if not cleared:
            asked = asked.where(alert.c.clearedon.is_(None))
        with self.reading() as tx:
            return [Alert(row[1], row[2], row[3], from_micros(row[4]), _moment(row[5])) for row in tx.execute(asked)]

    # -- coming and going

    def tombstone(self, identity: str, retention: timedelta = RETENTION) -> bool:
        """The instance left the configuration: nothing runs for it any more, and what it remembers is kept for a while. False: unknown."""
        with self.transaction() as tx:
            now = tx.now()
            tx.execute(_REVOKE, {"p_identity": identity})
            done = tx.execute(
                instance.update()
                .where(instance.c.identity == identity, instance.c.tombstonedon.is_(None))
                .values(tombstonedon=to_micros(now), expireson=to_micros(now + retention))
            )
            return bool(done.rowcount)

    def purge(self, identity: str | None = None, *, now: datetime | None = None) -> list[str]:
        """Forget tombstones whose time is over, or this one at once; gives the identities. Never an instance without a tombstone. Numbers of
        fences stay, so that none comes twice."""
        with self.transaction() as tx:
            asked = sa.select(instance.c.identity).where(instance.c.tombstonedon.is_not(None))
            moment = to_micros(now or tx.now())
            asked = asked.where(instance.c.identity == identity if identity is not None else instance.c.expireson <= moment)
            gone = [row[0] for row in tx.execute(asked)]
            for one in gone:
                tx.execute(state_value.delete().where(state_value.c.instance == one))
                tx.execute(seen_entry.delete().where(seen_entry.c.instance == one))
                for table in (alert, damaged, instance):
                    tx.execute(table.delete().where(table.c.identity == one))
        return gone

    def rows(self) -> list[InstanceRow]:
        """All instances, tombstones too, in the order in which they were first seen."""
        with self.reading() as tx:
            return [_row(one) for one in tx.execute(_ROWS)]

    def identities(self) -> list[str]:
        """Those without a tombstone."""
        asked = sa.select(instance.c.identity).where(instance.c.tombstonedon.is_(None)).order_by(instance.c.identity)
        with self.reading() as tx:
            return [str(row[0]) for row in tx.execute(asked)]

    def row(self, identity: str) -> InstanceRow | None:
        """One of them."""
        with self.reading() as tx:
            found = tx.execute(_ROWS.where(instance.c.identity == identity)).first()
        return None if found is None else _row(found)

    def adopt(
        self,
        identity: str,
        spec: ProviderSpec[Any, Any],
        *,
        threshold: datetime | None = None,
        last_error: str = "",
        name: str = "",
        organization: str = "",
        mailbox: str = "",
    ) -> None:
        """Know an instance that may not have run yet, and where it begins: nothing older than `threshold` is wanted."""
        told = {"name": name, "organization": organization, "mailbox": mailbox}
        with self.transaction() as tx:
            if tx.execute(_LOOK, {"p_identity": identity}).first() is None:
                self._known(tx, identity, spec, told, fresh=True, begins=False)
            values: dict[str, Any] = {"lasterror": _bounded(last_error)}
            if last_error:
                values["lasterroron"] = to_micros(tx.now())
            if threshold is not None:
                values["threshold"] = to_micros(threshold)
            tx.execute(instance.update().where(instance.c.identity == identity).values(**values))

    def knows(self, identity: str) -> bool:
        """Whether it was ever begun, adopted or held here, and not purged since."""
        with self.reading() as tx:
            return tx.execute(_LOOK, {"p_identity": identity}).first() is not None

    def threshold(self, identity: str) -> tuple[datetime | None, int]:
        """Nothing older is wanted by this instance (None: nothing was said), and how often its state was committed."""
        with self.reading() as tx:
            row = tx.execute(_THRESHOLD, {"p_identity": identity}).first()
        return (None, 0) if row is None else (_moment(row[0]), int(row[1]))

    def thresholds(self) -> dict[str, datetime]:
        """identity -> nothing older is wanted, of those that have no tombstone and of which it is known."""
        asked = sa.select(instance.c.identity, instance.c.threshold).where(
            instance.c.threshold.is_not(None), instance.c.tombstonedon.is_(None)
        )
        with self.reading() as tx:
            return {str(row[0]): from_micros(row[1]) for row in tx.execute(asked)}

    def kept_text(self, identity: str) -> str:
        """The state as it is kept, JSON, unexamined; "" when there is none."""
        with self.reading() as tx:
            row = tx.execute(_STATE, {"p_identity": identity}).first()
        return "" if row is None else str(row[2])


def _row(found: Sequence[Any]) -> InstanceRow:
    one = dict(zip([column.name for column in instance.columns], found, strict=False))
    version, size, committed, holder = found[len(one) :]
    return InstanceRow(
        identity=one["identity"],
        provider=one["provider"],
        direction=one["direction"],
        name=one["name"],
        organization=one["organization"],
        mailbox=one["mailbox"],
        generation=one["generation"],
        state_version=version,
        state_size=size or 0,
        committed_on=_moment(committed),
        first_seen_on=from_micros(one["firstseenon"]),
        started_on=_moment(one["startedon"]),
        ended_on=_moment(one["endedon"]),
        holder=holder or "",
        last_error=one["lasterror"],
        last_error_on=_moment(one["lasterroron"]),
        threshold=_moment(one["threshold"]),
        held=one["heldreason"] or "",
        held_on=_moment(one["heldon"]),
        tombstoned_on=_moment(one["tombstonedon"]),
        expires_on=_moment(one["expireson"]),
    )


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _bounded(text: str) -> str:
    return check_text(text.replace("\0", ""), "text")[:ERROR_LENGTH]


def _not_cut_to_nothing(url: str, *, must_exist: bool) -> None:
    """SQLite takes an empty file for a new database: a router would begin anew in silence. Raises StoreError."""
    try:
        address = sa.make_url(url)
    except sa.exc.ArgumentError:
        return  # said better where it is opened
    if address.get_backend_name() != "sqlite" or address.database in (None, "", ":memory:"):
        return
    path = Path(str(address.database))
    if must_exist and not path.exists():
        raise StoreError(f"{path} is not there, and with it everything that the instances remember: restore the backup")
    if path.is_file() and path.stat().st_size == 0:
        raise StoreError(
            f"{path} is empty: it was cut off, and with it everything that the instances remember; restore the backup, or remove the"
            " file to begin anew"
        )
