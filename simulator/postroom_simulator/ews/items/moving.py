"""Items on their way to another folder, as themselves or as copies (ews reference 8)."""

from __future__ import annotations

from collections.abc import Callable

from postroom_simulator.ews.archive import in_archive
from postroom_simulator.ews.calendar.private import check_seen
from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import folder_element, target_folder
from postroom_simulator.ews.items.finding import check_right, find_reference
from postroom_simulator.ews.items.hooks import Occurrence
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.ews.items.view import item_id
from postroom_simulator.store.interface import Folder, Item

__all__ = ["carry", "check_target"]


def check_target(folder: Folder) -> None:
    """Raises EwsError for a folder that only shows what lies elsewhere."""
    if folder_element(folder) == "SearchFolder":
        raise EwsError("ErrorInvalidFolderTypeForOperation", "Items do not lie in a search folder.")


def elsewhere(call: Call, item: Item, target: Folder) -> bool:
    """Whether the folder is in another mailbox than the item was; an archive is one of its own."""
    home = call.store.folder_by_uid(item.folder)
    return home.account != target.account or in_archive(call.store, home) != in_archive(call.store, target)


def carry(call: Call, request: Value, how: Callable[[Call, Item, Folder], Item], *, right: str) -> Value:
    """The answer of MoveItem or CopyItem. New ids are told within a mailbox, unless they are not wanted."""

    def one(reference: tuple[str, Value]) -> Value:
        with call.world.lock:
            target = target_folder(call, request["ToFolderId"], "create", missing="ErrorToFolderNotFound")
            check_target(target)
            item = find_reference(call, *reference)
            if isinstance(item, Occurrence) or reference[0] == "OccurrenceItemId":
                raise EwsError("ErrorCalendarCannotMoveOrCopyOccurrence")
            check_right(call, item, right)
            check_seen(call, item, item.properties)
            carried = how(call, item, target)
        if elsewhere(call, item, target) or request.get("ReturnNewItemIds") is False:
            return {"Items": []}
        return {"Items": [(kind_of(carried.item_class).element, {"ItemId": item_id(carried)})]}

    return answer(call, request["ItemIds"], one, Items=[])
