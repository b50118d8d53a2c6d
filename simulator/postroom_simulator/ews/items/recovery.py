"""What is kept of items where the account has single item recovery: those that were deleted for good, and what others were before a change
(published description of the folders Purges and Versions)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroom_simulator.directory import Account
from postroom_simulator.ews.archive import kin
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.leaving import erase
from postroom_simulator.store.interface import ASSOCIATED, Item, Role

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call

__all__ = ["RECOVERABLE", "keep_version", "purge"]

_KEPT = frozenset({Role.VERSIONS, Role.PURGES, Role.ARCHIVE_VERSIONS, Role.ARCHIVE_PURGES})
RECOVERABLE = _KEPT | {Role.DELETIONS, Role.ARCHIVE_DELETIONS}
"""Folders from which nothing goes anywhere but away."""
_UNSEEN = frozenset(
    {"IsRead", "LastModifiedName", "@ReceiptDone", "Flag", "ReminderIsSet", "ReminderDueBy", "ReminderMinutesBeforeStart"}
)
"""Changes of which nobody wants the version before (our choice)."""


def _keeps(call: Call, item: Item) -> bool:
    owner = call.world.directory.get(item.account)
    return isinstance(owner, Account) and owner.single_item_recovery and ASSOCIATED not in item.flags


def purge(call: Call, item: Item, how: str) -> None:
    """Deleted for good: gone, or among the purges, from where nobody deletes it. `how` is a DisposalType. Raises EwsError."""
    if _keeps(call, item):
        here = call.store.folder_by_uid(item.folder)
        if here.role in _KEPT:
            raise EwsError("ErrorCannotDeleteObject", "What is kept for recovery cannot be deleted.")
        call.store.copy(item.uid, kin(call.store, here, Role.PURGES).uid)
    erase(call, item, how)


def keep_version(call: Call, item: Item, changed: frozenset[str]) -> None:
    """The item is about to change in these elements. Drafts have no versions."""
    if "draft" in item.flags or not changed - _UNSEEN or not _keeps(call, item):
        return
    here = call.store.folder_by_uid(item.folder)
    if here.role not in RECOVERABLE:
        call.store.copy(item.uid, kin(call.store, here, Role.VERSIONS).uid)
