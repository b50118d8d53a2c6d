"""New items: what a request gave, checked and made into what the store keeps (ews reference 8)."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from postroom_simulator.directory import canonical
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.compose import new_message_id
from postroom_simulator.ews.items.kinds import Kind, kind_of, kind_of_element
from postroom_simulator.ews.items.mail import attachments_of, mailbox, read_message
from postroom_simulator.store.interface import Folder, Item, Role

__all__ = ["READ_ONLY", "STANDARD_FOLDERS", "check_folder", "new_properties", "store_new"]

READ_ONLY = frozenset(
    {
        "ItemId", "ParentFolderId", "Size", "DateTimeReceived", "DateTimeSent", "DateTimeCreated", "DisplayTo", "DisplayCc", "DisplayBcc",
        "EffectiveRights", "LastModifiedName", "LastModifiedTime", "Preview", "TextBody", "IconIndex", "IsSubmitted", "IsFromMe", "IsUnmodified",
        "HasAttachments", "ResponseObjects", "WebClientReadFormQueryString", "WebClientEditFormQueryString", "ConversationId", "UniqueBody",
        "InstanceKey", "NormalizedBody", "StoreEntryId", "ReceivedBy", "ReceivedRepresenting", "IsAssociated",
    }
)  # fmt: skip
"""Elements that no request sets (ews reference 8; MS-OXWSCORE 2.2.4.24)."""

STANDARD_FOLDERS = {
    "Message": Role.DRAFTS,
    "CalendarItem": Role.CALENDAR,
    "Contact": Role.CONTACTS,
    "DistributionList": Role.CONTACTS,
    "Task": Role.TASKS,
    "PostItem": Role.INBOX,
}
_WRONG_FOLDER = {
    "IPF.Appointment": "ErrorCannotCreateCalendarItemInNonCalendarFolder",
    "IPF.Contact": "ErrorCannotCreateContactInNonContactFolder",
    "IPF.Task": "ErrorCannotCreateTaskInNonTaskFolder",
}


def check_folder(kind: Kind, folder: Folder) -> None:
    """Raises EwsError where items of this kind cannot be made in the folder."""
    wrong = _WRONG_FOLDER.get(kind.folder_class)
    if wrong is not None and not folder.folder_class.startswith(kind.folder_class):
        raise EwsError(wrong)


def new_properties(element: str, value: Value) -> tuple[Kind, Value, bytes | None]:
    """Kind, properties, and the octets where MimeContent says everything. Raises EwsError."""
    for name in value:
        if name in READ_ONLY:
            raise EwsError("ErrorInvalidPropertySet", values={"PropertyPath": name})
    kind = kind_of_element("Message" if element == "Item" else element)
    if value.get("ItemClass"):
        wanted = kind_of(value["ItemClass"])
        if wanted.element != kind.element and element != "Item":
            raise EwsError("ErrorObjectTypeChanged", f"An item of class {value['ItemClass'][:60]} is no {element}.")
        kind = wanted if element == "Item" else kind
    given = {name: one for name, one in value.items() if name not in ("MimeContent", "Attachments")}
    octets = _mime(value["MimeContent"]) if "MimeContent" in value else None
    properties = given
    if octets is not None and kind.element in ("Message", "PostItem"):
        properties = read_message(octets) | {"Attachments": attachments_of(octets)} | given
    if value.get("Attachments"):
        properties["Attachments"] = [*(properties.get("Attachments") or ()), *value["Attachments"]]
    return kind, properties, octets if octets is not None and not given else None


def _mime(given: Value) -> bytes:
    try:
        return base64.b64decode("".join(given[""].split()), validate=True)
    except binascii.Error:
        raise EwsError("ErrorMimeContentInvalidBase64String") from None


def sender_of(call: Call, properties: Value) -> Value:
    """The From and Sender of a message of the caller's, where it has none."""
    own = {"Mailbox": mailbox(call.account.name, call.account.address)}
    return {"From": properties.get("From") or own, "Sender": properties.get("Sender") or own}


def store_new(call: Call, folder: Folder, kind: Kind, properties: Value, octets: bytes | None, *, draft: bool) -> Item:
    """Keep a new item. A message gets a sender and a Message-ID."""
    item_class = properties.get("ItemClass") or kind.item_class
    read = properties.get("IsRead", True)
    if octets is not None and kind.folder_class == "IPF.Note":
        item = call.store.deposit(canonical(folder.account), octets, folder=folder.uid, read=read, item_class=item_class)
    else:
        kept: dict[str, Any] = {name: one for name, one in properties.items() if name not in ("IsRead", "ItemClass", "IsDraft")}
        if kind.element == "Message":
            kept.setdefault("InternetMessageId", new_message_id(call))
        item = call.store.create(folder.uid, item_class, kept)
        if read != item.read:
            call.store.set_read([item.uid], read)
    return call.store.set_flags(item.uid, frozenset({"draft"})) if draft else call.store.item(item.uid)
