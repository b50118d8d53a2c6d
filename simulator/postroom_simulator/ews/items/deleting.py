"""Items on their way out: to Deleted Items, to recoverable items, or gone (ews reference 8)."""

from __future__ import annotations

from postroom_simulator.ews.archive import kin
from postroom_simulator.ews.calendar.private import check_seen
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.items.hooks import Occurrence, hooks_of
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.ews.items.leaving import move
from postroom_simulator.ews.items.recovery import RECOVERABLE, purge
from postroom_simulator.store.interface import Item, Role

__all__ = ["delete", "dispose"]


def delete(call: Call, item: Item, request: Value) -> None:
    """As a DeleteItem request says. Raises EwsError."""
    check_seen(call, item, item.properties)
    hooks = hooks_of(kind_of(item.item_class).element)
    if isinstance(item, Occurrence):
        hooks.drop(call, item, request)
        return
    hooks.deleted(call, item, request)
    dispose(call, item, request["@DeleteType"])


def dispose(call: Call, item: Item, how: str) -> None:
    """`how` is a DisposalType. Of the mailbox or archive that the item is in: what lies in Deleted Items and is deleted to there becomes recoverable;
    what is recoverable and deleted is gone (our choice), or purged where that is kept."""
    here = call.store.folder_by_uid(item.folder)
    deleted, recoverable = kin(call.store, here, Role.DELETED), kin(call.store, here, Role.DELETIONS)
    if how == "MoveToDeletedItems" and here.uid != deleted.uid:
        move(call, item, deleted, how)
    elif how != "HardDelete" and here.role not in RECOVERABLE:
        move(call, item, recoverable, how)
    else:
        purge(call, item, how)
