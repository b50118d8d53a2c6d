"""Items that leave where they lay because a request said so, with what the journal tells of it (as POP3 tells of what its QUIT removes)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call
from postroom_simulator.journal import Kind
from postroom_simulator.store.interface import Folder, Item

__all__ = ["erase", "move"]


def move(call: Call, item: Item, target: Folder, why: str = "") -> Item:
    """Into another folder or mailbox, journalled as REMOVED with `to`; the item as it is then. `why`: the DisposalType, else the operation. Raises
    StoreError."""
    if item.folder == target.uid:
        return item
    moved = call.store.move(item.uid, target.uid)
    data = {"to": _named(target)}
    if moved.account != item.account:
        data["to_account"] = moved.account
    _tell(call, item, why, data)
    return moved


def erase(call: Call, item: Item, why: str = "") -> None:
    """For good, journalled as REMOVED without `to`. Raises StoreError."""
    call.store.delete([item.uid])
    _tell(call, item, why, {})


def _tell(call: Call, item: Item, why: str, more: dict[str, str]) -> None:
    """`item`: as it was. A move's new uid is told beside, as of every move (see `World`)."""
    folder = _named(call.store.folder_by_uid(item.folder))
    data = {"uid": item.uid, "folder": folder, "digest": item.digest, "reason": why or call.operation, **more}
    call.world.journal.add(
        Kind.REMOVED,
        protocol="ews",
        connection=call.connection,
        account=item.account,
        verb=call.operation,
        detail=f"{folder} {item.uid}",
        data=data,
    )


def _named(folder: Folder) -> str:
    return folder.role.value or folder.name
