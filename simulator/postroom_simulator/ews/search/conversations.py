"""FindConversation: which conversations of a folder, in which order, which of them, and how they are shown (MS-OXWSCONV 3.1.4.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from postroom_simulator.directory import Account
from postroom_simulator.ews.archive import kin
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.conversations import by_conversation, conversation_value, everywhere, folders_below, in_scope
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.fields import Field, Path
from postroom_simulator.ews.folders import is_search, target_folder
from postroom_simulator.ews.items.view import properties_of
from postroom_simulator.ews.search.folders import found_in
from postroom_simulator.ews.search.ordering import Order, orders_of, sorted_by
from postroom_simulator.ews.search.paging import view_of
from postroom_simulator.ews.search.query_string import compile_query, highlighted
from postroom_simulator.ews.shapes import paths_of
from postroom_simulator.ews.versions import Version
from postroom_simulator.store.interface import Folder, Item, Role

__all__ = ["find"]

_DEFAULT = frozenset(
    {"ConversationId", "ConversationTopic", "UniqueRecipients", "UniqueSenders", "LastDeliveryTime", "Categories", "FlagStatus", "HasAttachments",
     "MessageCount", "UnreadCount", "GlobalUnreadCount", "Size", "ItemClasses", "Importance", "ItemIds", "GlobalItemIds", "Preview"}
)  # fmt: skip
"""Of the shape Default (our choice; who names no shape gets everything)."""


def find(call: Call, request: Value) -> Value:
    """Raises EwsError, SchemaViolation."""
    folder = target_folder(call, request["ParentFolderId"], "read")
    view = view_of(call, request, "Item")
    orders = _orders(call, request)
    shape = _shape(request)
    found = _values(call, folder, request)
    found = sorted_by(call, found, orders)
    page = view.page(len(found), found)
    shown = [_shown(one, shape) for one in found[page.start : page.start + page.length]]
    answer: Value = {"Conversations": {"Conversation": shown}}
    answer |= highlighted(call, request)
    return answer | {"TotalConversationsInView": len(found), "IndexedOffset": page.start + page.length}


def _orders(call: Call, request: Value) -> list[Order]:
    """By the latest delivery, newest first, unless something else is said. Exchange 2010 sorts by that time alone. Raises EwsError."""
    found = orders_of(request.get("SortOrder"))
    newest: Path = Field("conversation:LastDeliveryTime")
    for path, _ in found:
        old = call.version < Version.EXCHANGE_2013 and path != newest
        if not isinstance(path, Field) or path.prefix != "conversation" or old:
            raise EwsError("ErrorUnsupportedPathForSortGroup")
    return found or [(newest, True)]


def _shape(request: Value) -> frozenset[str] | None:
    """The elements that are shown; None for all of them."""
    given = request.get("ConversationShape")
    if given is None or given["BaseShape"] == "AllProperties":
        return None
    named = {
        path.element
        for path in paths_of(given.get("AdditionalProperties"))
        if isinstance(path, Field) and path.prefix == "conversation"
    }
    return frozenset(named | {"ConversationId"}) | (_DEFAULT if given["BaseShape"] == "Default" else frozenset())


def _shown(value: Value, shape: frozenset[str] | None) -> Value:
    return value if shape is None else {name: one for name, one in value.items() if name in shape}


def _values(call: Call, folder: Folder, request: Value) -> list[Value]:
    """ConversationType values of what the folders hold and the request wants."""
    scope = request.get("MailboxScope", "PrimaryOnly")
    items = [item for one in _folders(call, folder, request, scope) for item in _items(call, one)]
    query = request.get("QueryString") or {}
    if query.get(""):
        wanted = compile_query(call, query[""])
        items = [item for item in items if wanted(item)]
    items.sort(key=lambda item: (item.received, item.uid), reverse=True)
    keep = _FILTERS[request.get("@ViewFilter", "All")]
    groups = {
        number: group for number, group in by_conversation(call, items).items() if any(keep(call, item) for item in group)
    }
    whole = everywhere(call, folder.account, scope=scope)
    return [conversation_value(call, group, whole.get(number) or group) for number, group in groups.items()]


def _items(call: Call, folder: Folder) -> list[Item]:
    return found_in(call, folder) if is_search(folder) else list(call.store.items(folder.uid))


def _folders(call: Call, folder: Folder, request: Value, scope: str) -> list[Folder]:
    """The folder, what is below it for a deep search, its fellows in the archive where the scope has that, and what was deleted where the query
    wants that too."""
    deep = request.get("@Traversal") == "Deep"
    roots = [folder] if in_scope(call, folder, scope) else []
    if scope != "PrimaryOnly" and call.store.has_archive(folder.account):
        roots += [one for one in call.store.folders(folder.account) if one.role is _ARCHIVED.get(folder.role)]
    if (request.get("QueryString") or {}).get("@ReturnDeletedItems"):
        roots.append(kin(call.store, folder, Role.DELETED))
    found = [one for root in roots for one in (folders_below(call, root) if deep else [root])]
    return list({one.uid: one for one in found}.values())


_ARCHIVED: Mapping[Role, Role] = MappingProxyType(
    {Role.TOP: Role.ARCHIVE_TOP, Role.INBOX: Role.ARCHIVE_INBOX, Role.DELETED: Role.ARCHIVE_DELETED}
)


# -- filters of the view


def _flagged(call: Call, item: Item) -> str:
    return str((properties_of(call, item).get("Flag") or {}).get("FlagStatus"))


def _overdue(call: Call, item: Item) -> bool:
    due = (properties_of(call, item).get("Flag") or {}).get("DueDate")
    return _flagged(call, item) == "Flagged" and due is not None and due < call.now()


def _to_me(call: Call, item: Item) -> bool:
    owner = call.world.directory.get(item.account)
    mine = {one.casefold() for one in (owner.address, *owner.aliases)} if isinstance(owner, Account) else set()
    known = properties_of(call, item)
    return any(
        (box.get("EmailAddress") or "").casefold() in mine
        for name in ("ToRecipients", "CcRecipients")
        for box in (known.get(name) or {}).get("Mailbox", ())
    )


_FILTERS: Mapping[str, Callable[[Call, Item], Any]] = MappingProxyType(
    {
        "All": lambda *_: True,
        "Flagged": lambda call, item: _flagged(call, item) == "Flagged",
        "HasAttachment": lambda call, item: properties_of(call, item).get("HasAttachments"),
        "ToOrCcMe": _to_me,
        "Unread": lambda _, item: not item.read,
        "TaskActive": lambda call, item: _flagged(call, item) == "Flagged",
        "TaskOverdue": _overdue,
        "TaskCompleted": lambda call, item: _flagged(call, item) == "Complete",
        "NoClutter": lambda *_: True,  # nothing here is clutter
        "Clutter": lambda *_: False,
    }
)
""""Find conversations with" such a message: those of Exchange's own use do nothing."""
