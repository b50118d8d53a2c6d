"""Conversations: the items of a mailbox that belong together, as one (MS-OXWSCONV 2.2).

Which items do is `items.threads`' to say. What is always done to a conversation (ConversationAction AlwaysMove and its kin) is done to what is there
now, and not remembered for what comes later: a part of the published behaviour that this server does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.ids import Kind, parse_id
from postroom_simulator.ews.items.threads import conversation_number, topic_of
from postroom_simulator.ews.items.view import item_id, properties_of
from postroom_simulator.store.interface import ASSOCIATED, Folder, Item, Role

__all__ = ["by_conversation", "conversation_value", "items_of_conversation", "number_of"]

_LEFT_OUT = frozenset({Role.DELETED, Role.DELETIONS, Role.VERSIONS, Role.PURGES, Role.DRAFTS})
"""Folders whose items count for no conversation of the whole mailbox (our choice)."""


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


def items_of_conversation(call: Call, account: str, number: int, *, ignored: frozenset[int] = frozenset()) -> list[Item]:
    """Wherever in the mailbox, received last first."""
    found = [
        item
        for folder in call.store.folders(account)
        if folder.role not in _LEFT_OUT and folder.uid not in ignored
        for item in by_conversation(call, call.store.items(folder.uid)).get(number, ())
    ]
    return sorted(found, key=lambda item: (item.received, item.uid), reverse=True)


def conversation_value(call: Call, here: list[Item], everywhere: list[Item]) -> Value:
    """A ConversationType: of the items of one folder, and of those of the whole mailbox."""
    first = properties_of(call, here[0])
    value: Value = {
        "ConversationId": first["ConversationId"],
        "ConversationTopic": topic_of(first) or None,
        "LastModifiedTime": max(item.modified for item in here),
        "Preview": first.get("Preview"),
    }
    for prefix, items in (("", here), ("Global", everywhere)):
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
        "MessageCount": lambda items, _: len(items),
        "UnreadCount": lambda items, _: sum(not item.read for item in items),
        "Size": lambda items, _: sum(item.size for item in items),
        "ItemClasses": lambda items, _: {"ItemClass": list(dict.fromkeys(item.item_class for item in items))},
        "Importance": lambda _, known: _importance(known),
        "ItemIds": lambda items, _: [("ItemId", item_id(item)) for item in items],
    }
)


def folders_below(call: Call, folder: Folder) -> list[Folder]:
    """The folder and those in it, at every depth."""
    from postroom_simulator.ews.search.folders import tree_below

    return [folder, *tree_below(call, folder)]
