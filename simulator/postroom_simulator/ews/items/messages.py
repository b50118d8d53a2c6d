"""Messages: what is completed in a new one, and how one may be answered (ews reference 8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from postroom_simulator.directory import Account
from postroom_simulator.ews.items.compose import new_message_id
from postroom_simulator.ews.items.mail import mailbox
from postroom_simulator.ews.items.reports import MIRRORS, facts_of
from postroom_simulator.ews.items.threads import new_index, topic_of
from postroom_simulator.ews.items.voting import voting
from postroom_simulator.store.interface import Item

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call

__all__ = ["LATE", "MIRRORS", "derive", "prepare", "respond"]

Value = dict[str, Any]
LATE: Mapping[str, Callable[..., Any]] = MappingProxyType({"VotingInformation": voting})


def prepare(call: Call, properties: Value, _: bool) -> Value:
    """A Message-ID, and a place in a conversation."""
    if not properties.get("InternetMessageId"):
        properties["InternetMessageId"] = new_message_id(call)
    if not properties.get("ConversationIndex"):
        properties["ConversationIndex"] = new_index(call, call.now())
    if not properties.get("ConversationTopic") and topic_of(properties):
        properties["ConversationTopic"] = topic_of(properties)
    return properties


def derive(call: Call, item: Item, properties: Value) -> Value:
    """Who received it, and what a report is about."""
    if item.item_class[:7].upper() == "REPORT." and item.properties is None:
        properties["@Report"] = facts_of(call.store.octets(item.uid))
    owner = call.world.directory.get(item.account)
    if isinstance(owner, Account) and not item.flags & {"draft", "submitted"}:
        box = {"Mailbox": mailbox(owner.name, owner.address)}
        properties.setdefault("ReceivedBy", box)
        properties.setdefault("ReceivedRepresenting", box)
    return properties


def respond(_: Call, item: Item, properties: Value) -> list[tuple[str, Value]]:
    """What CreateItem takes about it. A draft can only be forwarded (our choice)."""
    if "draft" in item.flags:
        return [("ForwardItem", {})]
    found: list[tuple[str, Value]] = [("ReplyToItem", {}), ("ReplyAllToItem", {}), ("ForwardItem", {})]
    if properties.get("IsReadReceiptRequested") and not item.read:
        found.append(("SuppressReadReceipt", {}))
    return found
