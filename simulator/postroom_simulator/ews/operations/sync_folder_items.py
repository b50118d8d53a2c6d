"""SyncFolderItems (MS-OXWSSYNC 3.1.4.2, ews reference 10)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from postroom_simulator.errors import TokenExpired
from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import is_search, target_folder
from postroom_simulator.ews.ids import Id, Kind, mailbox_number, write_id
from postroom_simulator.ews.items.view import item_id, item_value
from postroom_simulator.ews.search.items import quick_value
from postroom_simulator.ews.shapes import Shape, item_shape
from postroom_simulator.ews.sync_states import ItemsState, read_items, write_items
from postroom_simulator.store.interface import ASSOCIATED, Folder, Item

Change = tuple[str, Any]


def handle(call: Call, request: Value) -> Value:
    return answer(call, [request], lambda one: _sync(call, one), SyncState="", IncludesLastItemInRange=True, Changes=[])


def _sync(call: Call, request: Value) -> Value:
    if request["ItemShape"].get("IncludeMimeContent"):
        raise EwsError("ErrorInvalidPropertyForOperation")
    shape = item_shape(request["ItemShape"], light=True)  # MIME that is asked by name is left out: exchangelib always does
    folder = target_folder(call, request["SyncFolderId"], "read", missing="ErrorSyncFolderNotFound")
    if is_search(folder):
        raise EwsError("ErrorInvalidFolderTypeForOperation")
    given = request.get("SyncState", "").strip()
    state = read_items(given, folder.uid) if given else ItemsState()
    associated = request.get("SyncScope") == "NormalAndAssociatedItems"
    ignored = {one["@Id"] for one in (request.get("Ignore") or {}).get("ItemId", ())}
    work = _Work(call, folder, shape, associated, ignored)
    try:
        if state.token == 0:
            return work.listing(state, request["MaxChangesReturned"])
        return work.changes(state, request["MaxChangesReturned"])
    except TokenExpired:
        raise EwsError("ErrorInvalidSyncStateData") from None


class _Work:
    def __init__(self, call: Call, folder: Folder, shape: Shape, associated: bool, ignored: set[Any]) -> None:
        self._call = call
        self._folder = folder
        self._shape = shape
        self._associated = associated
        self._ignored = ignored

    def listing(self, state: ItemsState, limit: int) -> Value:
        """Everything that there is, the newest first; what changes meanwhile follows behind it."""
        page = self._call.store.listing(self._folder.uid, state.begun, state.after, limit, associated=self._associated)
        after = ItemsState(page.token) if page.complete else ItemsState(0, page.begun, page.after)
        return self._answer(self._creates(page.items), after, complete=page.complete and state.begun == 0)

    def changes(self, state: ItemsState, limit: int) -> Value:
        page = self._call.store.changes(self._folder.uid, state.token, limit)
        changes: list[Change] = []
        for item in page.changed:
            if ASSOCIATED in item.flags and not self._associated:
                continue
            if item.uid in page.new:
                changes += self._creates([item])
            elif item.uid in page.read_only:
                changes.append(("ReadFlagChange", {"ItemId": item_id(item), "IsRead": item.read}))
            else:
                changes.append(("Update", dict([self._shown(item)])))
        for uid in page.removed:
            gone = write_id(Id(Kind.ITEM, mailbox_number(self._folder.account), uid))
            changes.append(("Delete", {"ItemId": {"@Id": gone}}))
        return self._answer(changes, ItemsState(page.token), complete=page.complete)

    def _creates(self, items: Iterable[Item]) -> list[Change]:
        wanted = [item for item in items if not self._ignored or item_id(item)["@Id"] not in self._ignored]
        return [("Create", dict([self._shown(item)])) for item in wanted]

    def _shown(self, item: Item) -> tuple[str, Value]:
        return quick_value(self._call, item, self._shape) or item_value(self._call, item, self._shape)

    def _answer(self, changes: list[Change], state: ItemsState, *, complete: bool) -> Value:
        text = write_items(self._folder.uid, state)
        return {"SyncState": text, "IncludesLastItemInRange": complete, "Changes": changes}
