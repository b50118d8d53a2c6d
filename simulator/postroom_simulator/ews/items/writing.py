"""New items: what a request gave, checked and made into what the store keeps (ews reference 8)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items import mapi
from postroom_simulator.ews.items.attaching import new_attachment
from postroom_simulator.ews.items.extended import normalised
from postroom_simulator.ews.items.hooks import Hooks, hooks_of
from postroom_simulator.ews.items.keeping import BESIDE, STATES, keep
from postroom_simulator.ews.items.kinds import Kind, kind_of, kind_of_element
from postroom_simulator.ews.items.mail import mailbox, read_message
from postroom_simulator.ews.people.sending import senders
from postroom_simulator.store.interface import Folder, Item, Role

__all__ = [
    "READ_ONLY",
    "STANDARD_FOLDERS",
    "New",
    "check_folder",
    "mailboxes",
    "new_properties",
    "octets_given",
    "sender_of",
    "standard_folder",
    "store_new",
]

READ_ONLY = frozenset(
    {
        "ItemId", "ParentFolderId", "Size", "DateTimeReceived", "DateTimeSent", "DateTimeCreated", "DisplayTo", "DisplayCc", "DisplayBcc",
        "EffectiveRights", "LastModifiedName", "LastModifiedTime", "Preview", "TextBody", "IconIndex", "IsSubmitted", "IsDraft", "IsFromMe",
        "IsResend", "IsUnmodified", "HasAttachments", "ResponseObjects", "WebClientReadFormQueryString", "WebClientEditFormQueryString",
        "ConversationId", "UniqueBody", "InstanceKey", "NormalizedBody", "StoreEntryId", "ReceivedBy", "ReceivedRepresenting", "IsAssociated",
        "InternetMessageHeaders", "ReminderNextTime", "EntityExtractionResult", "RightsManagementLicenseData", "BlockStatus", "HasBlockedImages",
        "NextPredictedAction", "GroupingAction", "PredictedActionReasons", "IsClutter", "ConversationIndex", "ConversationTopic", "SearchKey",
        "SortKey", "ApprovalRequestData", "VotingInformation", "ReminderMessageData", "SenderSMTPAddress",
    }
)  # fmt: skip
"""Elements that no request sets (ews reference 8; MS-OXWSCORE 2.2.4.24, MS-OXWSMSG 2.2.4.1)."""

STANDARD_FOLDERS = {
    "Message": Role.DRAFTS,
    "CalendarItem": Role.CALENDAR,
    "Contact": Role.CONTACTS,
    "DistributionList": Role.CONTACTS,
    "Task": Role.TASKS,
    "PostItem": Role.INBOX,
}
_FOLDERS_OF_CLASSES = {"ipm.stickynote": Role.NOTES, "ipm.activity": Role.JOURNAL}
_WRONG_FOLDER = {
    "CalendarItem": "ErrorCannotCreateCalendarItemInNonCalendarFolder",
    "Contact": "ErrorCannotCreateContactInNonContactFolder",
    "DistributionList": "ErrorCannotCreateContactInNonContactFolder",
    "Task": "ErrorCannotCreateTaskInNonTaskFolder",
    "PostItem": "ErrorCannotCreatePostItemInNonMailFolder",
}
_RECIPIENTS = ("ToRecipients", "CcRecipients", "BccRecipients", "ReplyTo")


@dataclass(frozen=True, slots=True)
class New:
    """An item before it is stored. `octets`: where MimeContent says all but what may lie beside it; `properties` are then only that."""

    kind: Kind
    properties: Value
    octets: bytes | None = None

    def whole(self) -> Value:
        """All properties, whichever way they were said."""
        if self.octets is None:
            return self.properties
        return read_message(self.octets) | self.properties


def standard_folder(new: New) -> Role:
    """Where an item goes that nobody puts anywhere."""
    item_class = str(new.properties.get("ItemClass") or new.kind.item_class).lower()
    return _FOLDERS_OF_CLASSES.get(item_class) or STANDARD_FOLDERS.get(new.kind.element, Role.DRAFTS)


def check_folder(kind: Kind, folder: Folder) -> None:
    """Raises EwsError where items of this kind cannot be made in the folder."""
    wrong = _WRONG_FOLDER.get(kind.element)
    if wrong is None:
        return
    given = folder.folder_class or "IPF.Note"
    if given == "IPF":
        given = "IPF.Note"
    if given != kind.folder_class and not given.startswith(kind.folder_class + "."):
        raise EwsError(wrong)


def new_properties(call: Call, element: str, value: Value, *, level: int = 1, attached: bool = False) -> New:
    """Kind and properties of an item of a request. `level`: of its attachments. Raises EwsError."""
    kind = _kind(element, value, attached=attached)
    hooks = hooks_of(kind.element)
    for name in value:
        if name in READ_ONLY or name in hooks.read_only:
            raise EwsError("ErrorInvalidPropertySet", values={"PropertyPath": f"item:{name}"})
    given = _given(call, value, hooks)
    if kind_of(given.get("ItemClass") or kind.item_class).element != kind.element:  # an extended property said so
        raise EwsError("ErrorObjectTypeChanged")
    files = [new_attachment(call, name, one, level) for name, one in value.get("Attachments") or ()]
    octets = octets_given(value["MimeContent"]) if "MimeContent" in value else None
    if octets is None:
        return New(kind, given | ({"Attachments": files} if files else {}))
    if kind.folder_class == "IPF.Note" and hooks.read_mime is None:
        if not files and given.keys() <= BESIDE | set(STATES):
            return New(kind, given, octets)
        said = read_message(octets)
    elif hooks.read_mime is not None:
        said = hooks.read_mime(call, octets)
    else:
        raise EwsError("ErrorUnsupportedMimeConversion", f"A {kind.element} is not made from MIME content.")
    files = [*(said.get("Attachments") or ()), *files]
    return New(kind, said | given | {"Attachments": files})


def _given(call: Call, value: Value, hooks: Hooks) -> Value:
    """What the elements of a request say, with those that extended properties mirror."""
    given = {
        name: one for name, one in value.items() if name not in ("MimeContent", "Attachments", "ExtendedProperty") and one != []
    }
    if not given.get("ItemClass"):
        given.pop("ItemClass", None)
    for name in _RECIPIENTS:
        if name in given:
            given[name] = mailboxes(call, given[name])
    for name in ("From", "Sender"):
        if name in given:
            given[name] = {"Mailbox": completed(call, given[name]["Mailbox"])}
    for one in value.get("ExtendedProperty") or ():
        mapi.write(given, normalised(one), hooks.mirrors)
    return given


def _kind(element: str, value: Value, *, attached: bool) -> Kind:
    kind = kind_of_element("Message" if element == "Item" and not attached else element)
    if value.get("ItemClass"):
        wanted = kind_of(value["ItemClass"])
        if element == "Item":
            return wanted
        if wanted.element not in (kind.element, "Item"):
            raise EwsError("ErrorObjectTypeChanged", f"An item of class {value['ItemClass'][:60]} is no {element}.")
        if wanted.element == "Item" and kind.element != "Message":
            raise EwsError("ErrorObjectTypeChanged", f"An item of class {value['ItemClass'][:60]} is no {element}.")
        return wanted
    return kind


def octets_given(given: Value) -> bytes:
    """Those of MimeContent. Raises EwsError."""
    try:
        octets = base64.b64decode("".join(given[""].split()), validate=True)
    except (binascii.Error, ValueError):
        raise EwsError("ErrorMimeContentInvalidBase64String") from None
    if not octets.strip():
        raise EwsError("ErrorMimeContentInvalid", "The MIME content is empty.")
    return octets


def mailboxes(call: Call, given: Value) -> Value | None:
    """An ArrayOfRecipientsType with names where the directory knows them."""
    boxes = [completed(call, box) for box in given.get("Mailbox") or ()]
    return {"Mailbox": boxes} if boxes else None


def completed(call: Call, box: Value) -> Value:
    """An EmailAddressType with everything that is known of it."""
    address = box.get("EmailAddress") or ""
    known = call.world.directory.get(address) if address else None
    name = box.get("Name") or (known.name if known is not None else "") or address
    whole = mailbox(name, address) | {key: one for key, one in box.items() if key not in ("Name", "EmailAddress") and one}
    if not address:
        whole.pop("EmailAddress")
    return whole


def sender_of(call: Call, properties: Value) -> Value:
    """The From and Sender of a message of the caller's, as they are sent."""
    return senders(call, properties, {"Mailbox": mailbox(call.account.name, call.account.address)})


def store_new(call: Call, folder: Folder, new: New, *, draft: bool, flags: frozenset[str] = frozenset()) -> Item:
    """Keep a new item, completed by its kind. `draft`: unless its flags say otherwise. Raises EwsError."""
    properties: dict[str, Any] = dict(new.properties)
    if draft and new.kind.element == "Message":
        properties.setdefault("IsDraft", True)
    if new.octets is None:
        properties = hooks_of(new.kind.element).prepare(call, properties, draft)
    return keep(call, folder, new.kind, properties, new.octets, flags=flags)
