"""What is always done to mail of a conversation, decided where it is delivered (MS-OXWSCONV 2.2.3: AlwaysCategorize, AlwaysDelete, AlwaysMove)."""

from __future__ import annotations

from dataclasses import replace

from postroom_simulator.directory import Account
from postroom_simulator.headers import head_end
from postroom_simulator.rules import Verdict
from postroom_simulator.store.interface import Role

__all__ = ["with_conversation"]

_NAME = "conversation"


def with_conversation(account: Account, octets: bytes, verdict: Verdict) -> Verdict:
    """What rules decided, and what the conversation of the message wants. What a rule has moved or deleted stays there (our choice)."""
    from postroom_simulator.ews.items.threads import (  # heavy: most accounts have nothing of the kind
        number_of_topic,
        topic_of_octets,
    )

    action = account.conversations.get(number_of_topic(topic_of_octets(octets[: head_end(octets)])))
    if action is None:
        return verdict
    if action.categories:
        verdict = replace(verdict, categories=tuple(dict.fromkeys(verdict.categories + action.categories)))
    if verdict.move_to or verdict.delete or verdict.gone:
        return verdict
    match action.delete:
        case "HardDelete":
            return replace(verdict, gone=True, moved_by=_NAME)
        case "SoftDelete":
            return replace(verdict, move_to=Role.DELETIONS.value, moved_by=_NAME)
        case "MoveToDeletedItems":
            return replace(verdict, delete=True, moved_by=_NAME)
    return replace(verdict, move_to=action.move_to, moved_by=_NAME) if action.move_to is not None else verdict
