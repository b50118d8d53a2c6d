"""GetSharingMetadata (MS-OXWSMSHR 3.1.4.2): sharing with other organizations. This one is federated with none, so that no recipient can be
given a token."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import find_folder, folder_element
from postroom_simulator.ews.people.book import account_of


def handle(call: Call, request: Value) -> Value:
    try:
        folder = find_folder(call, "FolderId", request["IdOfFolderToShare"])
        if folder_element(folder) not in ("CalendarFolder", "ContactsFolder"):
            raise EwsError("ErrorInvalidFolderTypeForOperation")
        if account_of(call, request["SenderSmtpAddress"]) is not call.account:
            raise EwsError("ErrorInvalidExternalSharingInitiator")
    except EwsError as error:
        return failure(error)
    refused = [
        {"SmtpAddress": address, "ResponseCode": "RecipientOrganizationNotFederated"}
        for address in request["Recipients"]["SmtpAddress"]
    ]
    return success(EncryptedSharedFolderDataCollection={}, InvalidRecipients={"InvalidRecipient": refused})
