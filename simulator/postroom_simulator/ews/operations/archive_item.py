"""ArchiveItem: into the archive, to the folder with the same path (MS-OXWSARCH 3.1.4.1)."""

from __future__ import annotations

from postroom_simulator.ews.archive import in_archive, path_in_archive
from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import target_folder
from postroom_simulator.ews.items.finding import check_right, find_reference
from postroom_simulator.ews.items.hooks import Occurrence
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.ews.items.leaving import move


def handle(call: Call, request: Value) -> Value:
    """The folder that is named says where the items go, wherever they come from (published remark: "the destination folder for those items"). The
    answers name no items: what was archived lies in another mailbox."""
    named = request["ArchiveSourceFolderId"]

    def one(reference: tuple[str, Value]) -> Value:
        with call.world.lock:
            if (named.get("DistinguishedFolderId") or {}).get("@Id") == "publicfoldersroot":
                raise EwsError("ErrorCannotArchiveItemsInPublicFolders")
            source = target_folder(call, named, "read")
            item = find_reference(call, *reference)
            check_right(call, item, "delete")
            if not call.store.has_archive(source.account):
                raise EwsError("ErrorInvalidOperation", "Archive mailbox is not enabled for this user.")
            if in_archive(call.store, source) or in_archive(call.store, call.store.folder_by_uid(item.folder)):
                raise EwsError("ErrorCannotArchiveItemsInArchiveMailbox")
            if item.account != source.account:
                raise EwsError("ErrorInvalidOperation", "Items go into the archive of their own mailbox.")
            if isinstance(item, Occurrence) or kind_of(item.item_class).folder_class != "IPF.Note":
                raise EwsError("ErrorInvalidItemForOperationArchiveItem")
            move(call, item, path_in_archive(call, source))
        return {"Items": []}

    return answer(call, request["ItemIds"], one, Items=[])
