"""Items by the ids that requests name (ews reference 5)."""

from __future__ import annotations

from postroom_simulator.errors import StoreError
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.ids import Kind, parse_id
from postroom_simulator.store.interface import Item

__all__ = ["find_item"]


def find_item(call: Call, value: Value) -> Item:
    """By an ItemId. Raises EwsError."""
    parsed = parse_id(value.get("@Id", ""))
    if parsed.kind is Kind.FOLDER:
        raise EwsError("ErrorCannotUseFolderIdForItemId")
    try:
        item = call.store.item(parsed.uid)
    except StoreError:
        raise EwsError("ErrorItemNotFound") from None
    if item.folder != parsed.folder:  # it was moved, and has another id now
        raise EwsError("ErrorItemNotFound")
    call.service.check_access(call, call.store.folder_by_uid(item.folder))
    return item
