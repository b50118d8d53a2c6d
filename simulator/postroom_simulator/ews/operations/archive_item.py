"""ArchiveItem (MS-OXWSARCH 3.1.4.1). No mailbox here has an archive: what is asked for is checked, and that is said."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import target_folder
from postroom_simulator.ews.items.finding import find_reference


def handle(call: Call, request: Value) -> Value:
    def one(reference: tuple[str, Value]) -> Value:
        target_folder(call, request["ArchiveSourceFolderId"], "read")
        find_reference(call, *reference)
        raise EwsError("ErrorArchiveMailboxNotEnabled", "This mailbox has no archive.")

    return answer(call, request["ItemIds"], one, Items=[])
