"""Conversations: the items of a mailbox that belong together, as one (MS-OXWSCONV 2.2).

Which items do is `items.threads`' to say; what is done to them, and to those that come, `conversation_acting`'s.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from postroom_simulator.ews.archive import in_archive
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.ids import Kind, parse_id
from postroom_simulator.ews.items.bodies import preview_of
from postroom_simulator.ews.items.threads import conversation_number, topic_of
from postroom_simulator.ews.items.view import item_id, properties_of
from postroom_simulator.store.interface import ASSOCIATED, Folder, Item, Role

__all__ = ["by_conversation", "conversation_value", "everywhere", "items_of_conversation", "number_of"]

GONE = frozenset(
    {Role.DELETIONS, Role.VERSIONS, Role.PURGES, Role.ARCHIVE_DELETIONS, Role.ARCHIVE_VERSIONS, Role.ARCHIVE_PURGES}
)
"""Folders whose items are in no conversation."""
ASIDE = GONE | {Role.DELETED, Role.DRAFTS, Role.ARCHIVE_DELETED}
"""Folders whose items count for no conversation of the whole mailbox, and that no action reaches that names no folder (our choice)."""


def number_of(value: Mapping[str, Any]) -> int:
    """Of a conversation's id. Raises EwsError."""
    parsed = parse_id(value.get("@Id", ""))
    if parsed.kind is not Kind.CONVERSATION:
        raise EwsError("ErrorInvalidId")
    return parsed.uid


def _number(call: Call, item: Item) -> int:
    return conversation_number(item, properties_of(call, item))


def by_conversation(call: Call, items: Iterable[Item]) -> dict[int, list[Item]]:
    """Conversations in order of their first item, items in theirs."""
    found: dict[int, list[Item]] = {}
    for item in items:
        if ASSOCIATED not in item.flags and item.item_class.split(".")[:2] != ["IPM", "Appointment"]:
            found.setdefault(_number(call, item), []).append(item)
    return found


def everywhere(
    call: Call,
    account: str,
    *,
    scope: str = "PrimaryOnly",
    without: frozenset[Role] = ASIDE,
    ignored: frozenset[int] = frozenset(),
) -> dict[int, list[Item]]:
    """All conversations of a mailbox, its archive, or both (MailboxSearchLocationType), items received last first. `without`: roles, `ignored`: uids
    of folders that are left out."""
    found = [
        item
        for folder in call.store.folders(account)
        if folder.role not in without and folder.uid not in ignored and in_scope(call, folder, scope)
        for item in call.store.items(folder.uid)
    ]
    return by_conversation(call, sorted(found, key=lambda item: (item.received, item.uid), reverse=True))


def in_scope(call: Call, folder: Folder, scope: str) -> bool:
    return scope == "All" or in_archive(call.store, folder) == (scope == "ArchiveOnly")


def items_of_conversation(
    call: Call,
    account: str,
    number: int,
    *,
    scope: str = "PrimaryOnly",
    without: frozenset[Role] = ASIDE,
    ignored: frozenset[int] = frozenset(),
) -> list[Item]:
    """Received last first."""
    return everywhere(call, account, scope=scope, without=without, ignored=ignored).get(number, [])


def conversation_value(call: Call, here: list[Item], whole: list[Item]) -> Value:
    """A ConversationType: of the items that were looked at, received last first, and of those of the whole mailbox."""
    first = properties_of(call, here[0])
    archived = {in_archive(call.store, call.store.folder_by_uid(item.folder)) for item in here}
    value: Value = {
        "ConversationId": first["ConversationId"],
        "ConversationTopic": topic_of(first) or None,
        "LastModifiedTime": max(item.modified for item in here),
        "InstanceKey": struct.pack(">QQ", here[0].folder, number_of(first["ConversationId"])),
        "Preview": first.get("@Preview") or preview_of(first.get("Body")),
        "MailboxScope": "All" if len(archived) > 1 else "ArchiveOnly" if True in archived else "PrimaryOnly",
        "DraftItemIds": [("ItemId", item_id(item)) for item in here if "draft" in item.flags] or None,
        "SenderSMTPAddress": ((first.get("From") or {}).get("Mailbox") or {}).get("EmailAddress"),
        "From": first.get("From"),
    }
    for prefix, items in (("", here), ("Global", whole)):
        known = [properties_of(call, item) for item in items]
        for name, make in _PARTS.items():
            value[prefix + name] = make(items, known)
    return {name: one for name, one in value.items() if one is not None}


def _strings(texts: Iterable[str]) -> Value | None:
    found = list(dict.fromkeys(text for text in texts if text))
    return {"String": found} if found else None


def _sender(known: Value) -> str:
    box = (known.get("From") or known.get("Sender") or {}).get("Mailbox") or {}
    return str(box.get("Name") or box.get("EmailAddress") or "")


def _recipients(known: Value) -> list[str]:
    return [box.get("Name") or "" for box in (known.get("ToRecipients") or {}).get("Mailbox", ())]


def _flag(known: list[Value]) -> str:
    states = {(one.get("Flag") or {}).get("FlagStatus") for one in known}
    return "Flagged" if "Flagged" in states else "Complete" if "Complete" in states else "NotFlagged"


def _importance(known: list[Value]) -> str:
    found = {one.get("Importance") for one in known}
    return "High" if "High" in found else "Low" if found == {"Low"} else "Normal"


_PARTS: Mapping[str, Callable[[list[Item], list[Value]], Any]] = MappingProxyType(
    {
        "UniqueRecipients": lambda _, known: _strings(name for one in known for name in _recipients(one)),
        "UniqueUnreadSenders": lambda items, known: _strings(
            _sender(one) for item, one in zip(items, known, strict=True) if not item.read
        ),
        "UniqueSenders": lambda _, known: _strings(map(_sender, known)),
        "LastDeliveryTime": lambda items, _: max(item.received for item in items),
        "Categories": lambda _, known: _strings(
            text for one in known for text in (one.get("Categories") or {}).get("String", ())
        ),
        "FlagStatus": lambda _, known: _flag(known),
        "HasAttachments": lambda _, known: any(one.get("HasAttachments") for one in known),
        "HasIrm": lambda *_: False,  # nothing here is protected so
        "MessageCount": lambda items, _: len(items),
        "UnreadCount": lambda items, _: sum(not item.read for item in items),
        "Size": lambda items, _: sum(item.size for item in items),
        "ItemClasses": lambda items, _: {"ItemClass": list(dict.fromkeys(item.item_class for item in items))},
        "Importance": lambda _, known: _importance(known),
        "ItemIds": lambda items, _: [("ItemId", item_id(item)) for item in items],
        "IconIndex": lambda items, _: "MailRead" if all(item.read for item in items) else "MailUnread",
    }
)


def folders_below(call: Call, folder: Folder) -> list[Folder]:
    """The folder and those in it, at every depth."""
    from postroom_simulator.ews.search.folders import tree_below

    return [folder, *tree_below(call, folder)]
