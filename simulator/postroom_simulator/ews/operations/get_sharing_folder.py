"""GetSharingFolder (MS-OXWSMSHR 3.1.4.1): the caller's folder that shows what somebody shares."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import folder_id
from postroom_simulator.ews.ids import Kind, parse_id
from postroom_simulator.ews.people.book import account_of
from postroom_simulator.ews.people.sharing import ROLES, sharing_folder, source_of


def handle(call: Call, request: Value) -> Value:
    """By the kind of what is shared, or by the id of the owner's folder; not both."""
    try:
        if ("DataType" in request) == ("SharedFolderId" in request):
            raise EwsError("ErrorInvalidGetSharingFolderRequest")
        owner = account_of(call, request["SmtpAddress"], error="ErrorSharingNoExternalEwsAvailable")
        data = request.get("DataType") or _kind(call, request["SharedFolderId"])
        found = sharing_folder(call, source_of(call, owner, data))
    except EwsError as error:
        return failure(error)
    return success(SharingFolderId={"@Id": folder_id(found)["@Id"], "@ChangeKey": folder_id(found)["@ChangeKey"]})


def _kind(call: Call, text: str) -> str:
    parsed = parse_id(text)
    if parsed.kind is Kind.FOLDER:
        for account in call.world.directory.accounts():
            for name, role in ROLES.items():
                if call.store.folder(account.address, role).uid == parsed.uid:
                    return name
    raise EwsError("ErrorInvalidGetSharingFolderRequest")
