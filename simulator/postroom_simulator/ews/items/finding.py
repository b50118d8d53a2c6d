"""Items by the ids that requests name (ews reference 5)."""

from __future__ import annotations

from postroom_simulator.directory import canonical
from postroom_simulator.errors import StoreError
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.ids import Kind, mailbox_number, parse_id
from postroom_simulator.ews.items.hooks import occurrence_of
from postroom_simulator.store.interface import Item

__all__ = ["check_right", "find_item", "find_reference"]


def find_item(call: Call, value: Value) -> Item:
    """By an ItemId, which may be an occurrence's. Raises EwsError."""
    return find_reference(call, "ItemId", value)


def find_reference(call: Call, name: str, value: Value) -> Item:
    """By any element of an item list: ItemId, OccurrenceItemId, RecurringMasterItemId ... Raises EwsError."""
    if name != "ItemId":
        return occurrence_of(call, name, value)
    parsed = parse_id(value.get("@Id", ""))
    if parsed.kind is Kind.OCCURRENCE:
        return occurrence_of(call, name, value)
    if parsed.kind is Kind.FOLDER:
        raise EwsError("ErrorCannotUseFolderIdForItemId")
    if parsed.kind in (Kind.ATTACHMENT, Kind.DATE_ATTACHMENT):
        raise EwsError("ErrorInvalidIdNotAnItemAttachmentId" if not parsed.part else "ErrorInvalidId")
    if parsed.kind is not Kind.ITEM:
        raise EwsError("ErrorInvalidId")
    try:
        item = call.store.item(parsed.uid)
    except StoreError:
        raise _gone(call, parsed.mailbox) from None
    if mailbox_number(item.account) != parsed.mailbox:  # the mailbox has another address now
        raise EwsError("ErrorItemNotFound")
    check_right(call, item, "read")
    return item


def _gone(call: Call, mailbox: int) -> EwsError:
    known = any(mailbox_number(canonical(one.address)) == mailbox for one in call.world.directory.accounts())
    return EwsError("ErrorItemNotFound" if known else "ErrorNonExistentMailbox")


def check_right(call: Call, item: Item, right: str) -> None:
    """Raises EwsError where the caller may not read, edit or delete the item: ErrorAccessDenied."""
    folder = call.store.folder_by_uid(item.folder)
    caller = canonical(call.account.address)
    if folder.account == caller:
        return
    maker = (item.properties or item.beside or {}).get("@By", folder.account)
    call.service.check_access(call, folder, right, owned=maker == caller)
