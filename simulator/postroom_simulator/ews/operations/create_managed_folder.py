"""CreateManagedFolder: folders that the organization has set up (MS-OXWSFOLD 3.1.4.2)."""

from __future__ import annotations

from postroom_simulator.directory import canonical
from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folder_names import named_child
from postroom_simulator.ews.folders import folder_id, mailbox_of
from postroom_simulator.store.interface import Folder, Role

MANAGED_ROOT = "Managed Folders"


def handle(call: Call, request: Value) -> Value:
    """`EwsService.managed_folders` names those that there are, with what is said of each."""

    def one(name: str) -> Value:
        known = {key.casefold(): (key, comment) for key, comment in call.service.managed_folders.items()}
        if name.casefold() not in known:
            raise EwsError("ErrorManagedFolderNotFound")
        account = mailbox_of(call, request.get("Mailbox"))
        top = call.store.folder(canonical(account.address), Role.TOP)
        call.service.check_access(call, top, "folders")
        root = named_child(call, top, MANAGED_ROOT) or _made(call, top, MANAGED_ROOT, {"IsManagedFoldersRoot": True})
        spelled, comment = known[name.casefold()]
        if named_child(call, root, spelled) is not None:
            raise EwsError("ErrorManagedFolderAlreadyExists")
        folder = _made(
            call, root, spelled, {"IsManagedFoldersRoot": False, "MustDisplayComment": bool(comment), "Comment": comment}
        )
        return {"Folders": [("Folder", {"FolderId": folder_id(folder)})]}

    return answer(call, request["FolderNames"]["FolderName"], one, Folders=[])


def _made(call: Call, parent: Folder, name: str, facts: Value) -> Folder:
    folder = call.store.create_folder(parent.uid, name)
    information = {"CanDelete": False, "CanRenameOrMove": False, "HasQuota": False} | facts
    return call.store.set_folder(folder.uid, properties={"ManagedFolderInformation": information})
