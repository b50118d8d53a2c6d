"""The head of a message that was not let in: what CheckIncomingEmail saw of it, kept with its ledger row, so that a person can be told why
and what would change it. Ours: the product keeps nothing. Octets are kept only of what was tracked or parked."""

from __future__ import annotations

import json
from typing import Any

from postroom.mime.values import Address
from postroom.organization.message_values import IncomingMessage

__all__ = ["head_of", "message_of_head"]

_ADDRESSES = 50
_REFERENCES = 20
_TEXT = 320
_LISTS = ("from_", "to", "cc", "bcc")


def head_of(message: IncomingMessage) -> str:
    """As JSON, bounded: at most 50 addresses a field and 20 references are kept."""
    head: dict[str, Any] = {"message_id": message.message_id, "subject": message.subject[:_TEXT]}
    for name in _LISTS:
        if addresses := getattr(message, name):
            head[name] = [[one.address[:_TEXT], one.name[:_TEXT]] for one in addresses[:_ADDRESSES]]
    if message.in_reply_to:
        head["in_reply_to"] = message.in_reply_to[:_TEXT]
    if message.references:
        head["references"] = [one[:_TEXT] for one in message.references[-_REFERENCES:]]
    if message.email_id:
        head["email_id"] = message.email_id[:_TEXT]
    if message.conversation_index:
        head["conversation_index"] = message.conversation_index[:_TEXT]
    return json.dumps(head, ensure_ascii=True)


def message_of_head(text: str) -> IncomingMessage:
    """The message again, without its body."""
    head = json.loads(text)
    values: dict[str, Any] = {name: tuple(Address(*one) for one in head.get(name, ())) for name in _LISTS}
    values["in_reply_to"] = head.get("in_reply_to", "")
    values["references"] = tuple(head.get("references", ()))
    values["email_id"] = head.get("email_id", "")
    values["conversation_index"] = head.get("conversation_index", "")
    return IncomingMessage(message_id=head["message_id"], subject=head["subject"], **values)
