"""Providers that remember wrongly, and frameworks that keep it wrongly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, ClassVar

import sqlalchemy as sa

from postroom.channels.email_router.database import RouterDatabase
from postroom.errors import StaleRun, StateError
from postroom.providers.builtin.pop3 import Pop3Config, Pop3Provider
from postroom.providers.builtin.rss import RssProvider, RssState
from postroom.providers.contract import ProviderEnv, ProviderSpec, RunContext, RunOutcome
from postroom.providers.cursor import Cursor
from postroom.providers.mailbox import MailboxState
from postroom.store.prepared import Prepared
from postroom.store.tables import state_value
from postroom.testing.conformance.framework import Framework
from postroom.testing.conformance.mutants import mutant
from postroom.testing.conformance.mutants.inbound import DeletesOnRetrieve
from postroom.testing.conformance.mutants.plain import PlainPop3
from postroom.testing.conformance.subject import Subject
from postroom.testing.fake_gateway import MemorySeenSet

ALL = ("PKG", "CFG", "LIF", "INB", "STA", "CON", "ERR", "SEC", "LOG", "PRF")


@mutant("STA-01", "stores octets", says="a state that JSON can hold", also=("STA-06", "STA-13", "STA-15", "STA-17", "STA-18"))
class StoresOctets(Pop3Provider):
    def close_mailbox(self, ctx: Any) -> None:
        if self.tally.progress:
            ctx.state.commit(replace(ctx.state.value, totals=b"octets"))
        super().close_mailbox(ctx)


@mutant("STA-02", "assumes that there is a state", says="no state", also=ALL)
class AssumesState(Pop3Provider):
    def open_mailbox(self, ctx: Any) -> None:
        if ctx.state.value == MailboxState():
            raise StateError("there is no state to go on with")
        super().open_mailbox(ctx)


@mutant("STA-03", "starts over with each process", says="calls about messages")
class StartsOver(RssProvider):
    def __init__(self, config: Any, env: ProviderEnv) -> None:
        super().__init__(config, env)
        self._own = MemorySeenSet()
        self._first = True

    def _fetch(self, ctx: Any, conditions: Any) -> Any:
        first, self._first = self._first, False
        return super()._fetch(ctx, [] if first else conditions)

    def on_run(self, ctx: Any) -> RunOutcome:
        return super().on_run(replace(ctx, seen=self._own))


class _RemembersFirst(RssProvider):
    """Adds to the seen set before anything is delivered."""

    def _take(self, ctx: Any, group: Sequence[Any], newest: Any, signpost: Any) -> Any:
        ctx.seen.add({one.key: "" for one in group})
        return super()._take(ctx, group, newest, signpost)


@mutant("STA-04", "remembers before it has delivered", says="were lost", also=("STA", "INB", "CON", "ERR-05", "LIF-10"))
class RemembersFirst(_RemembersFirst):
    pass


@mutant("STA-05", "deletes first", says="were lost", also=("INB", "STA", "CON", "LIF-12", "ERR", "PRF", "LIF-10"))
class DeletesFirst(DeletesOnRetrieve):
    pass


@mutant("STA-07", "commits though nothing happened", says="commits", also=("LIF-05", "LIF-06", "LIF-12"))
class Heartbeat(Pop3Provider):
    def close_mailbox(self, ctx: Any) -> None:
        if not self.tally.progress:
            ctx.state.commit(ctx.state.value)
        super().close_mailbox(ctx)


@mutant("STA-08", "keeps the date of the last item, not of the newest", says="goes back")
class KeepsLast(RssProvider):
    def _remember(self, ctx: Any, items: Sequence[Any], answer: Any, newest: Any) -> None:
        last = items[0].when if items else None
        super()._remember(ctx, items, answer, newest if last is None else Cursor(min(last, ctx.clock.now())))


class _ByTime(RssProvider):
    """Goes by the time alone."""

    def _is_new(self, when: Any, threshold: Any) -> bool:
        return bool(when >= threshold)

    def _wanted(self, ctx: Any, items: Sequence[Any]) -> Any:
        threshold = ctx.state.value.cursor.threshold
        found = super()._wanted(ctx, items)
        return [one for one in found if threshold is None or self._is_new(one.item.when, threshold)]


@mutant(
    "STA-09",
    "takes only what is later than the last second",
    says="never",
    also=("INB-09", "STA-10", "STA-11", "CON-10", "ERR-09"),
)
class StrictlyLater(_ByTime):
    def _is_new(self, when: Any, threshold: Any) -> bool:
        return bool(when > threshold)


@mutant("STA-10", "goes by the time stamp alone", says="never", also=("INB-09", "STA-11", "CON-10"))
class ByTimeStamp(_ByTime):
    pass


@mutant(
    "STA-11",
    "advances to the newest item before it has dealt with the others",
    says="were lost",
    also=("STA", "INB", "CON", "LIF", "ERR"),
)
class AdvancesAtOnce(StrictlyLater):
    def _wanted(self, ctx: Any, items: Sequence[Any]) -> Any:
        found = super()._wanted(ctx, items)
        if found:
            newest = max(one.item.when for one in found)
            ctx.state.commit(RssState(cursor=Cursor(min(newest, ctx.clock.now()))))
        return found


@mutant("STA-12", "starts over when its cursor is in the future", says="no work with a cursor in the future")
class ResetsToZero(RssProvider):
    def on_run(self, ctx: Any) -> RunOutcome:
        if ctx.state.value.cursor.in_future(ctx.clock.now()):
            ctx.state.rewind(RssState(), "the cursor was in the future")
        return super().on_run(ctx)


def _forgets_a_name(old: Any, version: int) -> Any:  # noqa: ARG001
    return {"left": old["remaining"]}


class _SecondVersion(Pop3Provider):
    spec: ClassVar[Any] = ProviderSpec(
        "pop3",
        Pop3Provider.spec.direction,
        Pop3Config,
        MailboxState,
        state_version=2,
        capabilities=Pop3Provider.spec.capabilities,
        migrate=_forgets_a_name,
    )


@mutant("STA-14", "does not find what the earlier version wrote", says="version 1 that is understood", also=("PKG", "STA"))
class ForgetsName(Subject):
    provider = _SecondVersion

    def earlier_states(self) -> Sequence[tuple[int, Mapping[str, Any]]]:
        return [(1, {"left": 3})]


@mutant("STA-16", "tries again with force when its commit is refused", says="StaleRun raised", also=("CON-06",))
class RetriesWithForce(PlainPop3):
    def run(self, ctx: RunContext[Any]) -> RunOutcome:
        try:
            return super().run(ctx)
        except StaleRun:
            return super().run(ctx)


@mutant("STA-17", "stores every id", says="octets of state after 10000 messages")
class StoresEveryId(Pop3Provider):
    def list_messages(self, ctx: Any) -> Sequence[Any]:
        self._listed = super().list_messages(ctx)
        return self._listed

    def mailbox_totals(self, ctx: Any) -> str:  # noqa: ARG002
        return " ".join(one.key for one in self._listed)

    def message_sizes(self, ctx: Any) -> Any:  # noqa: ARG002
        return {}


@mutant("STA-18", "keeps the last message in mind", says="a subject is remembered")
class CachesMessage(Pop3Provider):
    def parse_message(self, ctx: Any, octets: bytes) -> Any:
        message = super().parse_message(ctx, octets)
        self._last = message.subject
        return message

    def close_mailbox(self, ctx: Any) -> None:
        if self.tally.progress:
            ctx.state.commit(replace(ctx.state.value, totals=self._last))
        super().close_mailbox(ctx)


# -- frameworks

_TORN = Prepared(state_value.update().where(state_value.c.instance == sa.bindparam("i")).values(value="{", previousvalue=""))
_GONE = sa.text("DELETE FROM statevalue WHERE instance = :i")
_NEVER = sa.text("UPDATE routerinstance SET generation = 0, heldreason = NULL WHERE identity = :i")


class _InPlace(RouterDatabase):
    def state(self, identity: str, spec: Any, fence: Any = None, **more: Any) -> Any:
        cell: Any = super().state(identity, spec, fence, **more)
        commit = cell.commit

        def torn(new: Any) -> None:
            with self.transaction() as tx:
                tx.execute(_TORN, {"i": identity})
            commit(new)

        cell.commit = torn
        return cell


class _Forgetful(RouterDatabase):
    def state(self, identity: str, spec: Any, fence: Any = None, **more: Any) -> Any:
        try:
            return super().state(identity, spec, fence, **more)
        except StateError:
            with self.transaction() as tx:
                tx.execute(_GONE, {"i": identity})
                tx.execute(_NEVER, {"i": identity})
            return super().state(identity, spec, None, **more)


class _Careless(RouterDatabase):
    def state(self, identity: str, spec: Any, fence: Any = None, **more: Any) -> Any:
        text = self.kept_text(identity)
        if text:
            known = {one.name for one in fields(spec.state)}
            kept = {name: value for name, value in json.loads(text).items() if name in known}
            with self.transaction() as tx:
                self._write(tx, identity, spec.state_version, json.dumps(kept), 1, "")
        return super().state(identity, spec, fence, **more)


@mutant("STA-06", "writes in place", says="cut off at step")
def writes_in_place() -> Framework:
    return replace(Framework(), database=_InPlace)


@mutant("STA-13", "begins at the first run when a state is damaged", says="held", also=("STA-15",))
def begins_again() -> Framework:
    return replace(Framework(), database=_Forgetful)


@mutant("STA-15", "drops what it does not know of a later version", says="a state of a later version: held", also=("STA-13",))
def drops_fields() -> Framework:
    return replace(Framework(), database=_Careless)
