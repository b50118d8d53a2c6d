"""What goes wrong, in the service's terms: errors of one item, and faults of the whole request (ews reference 3, 19)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from postroom_simulator.ews.codes import CODES

__all__ = ["TEXTS", "EwsError", "Fault"]

TEXTS: Mapping[str, str] = {
    "ErrorAccessDenied": "Access is denied. Check credentials and try again.",
    "ErrorItemNotFound": "The specified object was not found in the store.",
    "ErrorFolderNotFound": "The specified folder could not be found in the store.",
    "ErrorParentFolderNotFound": "The specified parent folder could not be found.",
    "ErrorInvalidIdMalformed": "Id is malformed.",
    "ErrorInvalidIdEmpty": "Id must be non-empty.",
    "ErrorInvalidChangeKey": "The change key is invalid.",
    "ErrorFolderExists": "A folder with the specified name already exists.",
    "ErrorDeleteDistinguishedFolder": "Distinguished folders cannot be deleted.",
    "ErrorMoveCopyFailed": "The move or copy operation failed.",
    "ErrorServerBusy": "The server cannot service this request right now. Try again later.",
    "ErrorSchemaValidation": "The request failed schema validation.",
    "ErrorInvalidServerVersion": "The specified server version is invalid.",
    "ErrorIncorrectSchemaVersion": "The request uses an element that the named version of the schema does not have.",
    "ErrorInternalServerError": "An internal server error occurred. The operation failed.",
    "ErrorInvalidOperation": "The operation is not available on this server.",
    "ErrorInvalidSyncStateData": "Synchronization state data is corrupt or otherwise invalid.",
    "ErrorNonExistentMailbox": "The SMTP address has no mailbox associated with it.",
    "ErrorNameResolutionNoResults": "No results were found.",
    "ErrorNameResolutionMultipleResults": "Multiple results were found.",
    "ErrorMessageDispositionRequired": "The MessageDisposition attribute is required for message items.",
    "ErrorInvalidPropertySet": "Set action is invalid for property.",
    "ErrorInvalidPropertyForOperation": "The requested property is not available for this operation.",
    "ErrorIrresolvableConflict": "The send or update operation could not be performed because the change key passed in the request"
    " does not match the current change key for the item.",
    "ErrorImpersonateUserDenied": "The account does not have permission to impersonate the requested user.",
    "ErrorInvalidRecipients": "At least one recipient isn't valid.",
    "ErrorCannotUseItemIdForFolderId": "Cannot use an item id for a folder id.",
    "ErrorCannotUseFolderIdForItemId": "Cannot use a folder id for an item id.",
}
"""The texts that clients compare or show; a code without one is said by its name."""


class EwsError(Exception):
    """The error of one id, item or folder of a request; or of all of it where the answer has one message.

    `values` are the pairs of MessageXml, `path` the property that it names, as a (FieldURI, IndexedFieldURI or ExtendedFieldURI, value) pair of
    the schema; `warning` makes it ResponseClass Warning; `payload` replaces the empty payload of the message.
    Raises ValueError for a code that no client knows.
    """

    def __init__(
        self,
        code: str,
        text: str = "",
        *,
        values: Mapping[str, str] | None = None,
        path: tuple[str, Mapping[str, Any]] | None = None,
        warning: bool = False,
        payload: Mapping[str, Any] | None = None,
    ) -> None:
        if code not in CODES:
            raise ValueError(f"{code} is no response code")
        self.code = code
        self.payload = payload
        self.text = text or TEXTS.get(code, code)
        self.values = dict(values or {})
        self.path = path
        self.warning = warning
        super().__init__(f"{code}: {self.text}")

    def message_xml(self) -> list[tuple[str, Any]] | None:
        """The value of MessageXml; None where there is nothing to say."""
        found: list[tuple[str, Any]] = [("Value", {"@Name": name, "": text}) for name, text in self.values.items()]
        return ([self.path] if self.path else []) + found or None


class Fault(EwsError):
    """The whole request fails: HTTP 500 and a SOAP fault (ews reference 3)."""
