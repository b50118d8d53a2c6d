"""Conversations: found, shown item by item, and acted on (MS-OXWSCONV)."""

from __future__ import annotations

from typing import Any

import pytest
from folders_scene import ANN, Asker, ann, clock_of, mail, named, world

from postroom_simulator import World
from postroom_simulator.store.interface import Item, Role

__all__ = ["ann", "world"]
Value = dict[str, Any]


@pytest.fixture
def talk(world: World) -> None:
    """Two messages about tea, one about coffee; a copy of the first about tea lies in Junk Email."""
    for subject, sender in (("tea", "Xenia <x@out.test>"), ("coffee", "Yves <y@out.test>"), ("RE: tea", "Zoe <z@out.test>")):
        world.deliver("x@out.test", [ANN], mail(subject, sender=sender))
        clock_of(world).advance(60)
    first = items(world)[0]
    world.store.copy(first.uid, world.store.folder(ANN, Role.JUNK).uid)
    world.store.set_read([first.uid], True)


def items(world: World, role: Role = Role.INBOX) -> list[Item]:
    return list(world.store.items(world.store.folder(ANN, role).uid))


def find(view: str = "", attributes: str = "", query: str = "") -> str:
    text = f"<QueryString>{query}</QueryString>" if query else ""
    return f"<FindConversation{attributes}>{view}<ParentFolderId>{named('inbox')}</ParentFolderId>{text}</FindConversation>"


def found(asker: Asker, request: str) -> list[Value]:
    answer = asker.ask(request)
    assert answer["ResponseCode"] == "NoError", answer
    return list(answer["Conversations"]["Conversation"])


def test_conversations_of_a_folder(ann: Asker, talk: None) -> None:
    tea, coffee = found(ann, find())
    assert (tea["ConversationTopic"], coffee["ConversationTopic"]) == ("tea", "coffee")
    assert (tea["MessageCount"], tea["UnreadCount"], tea["GlobalMessageCount"]) == (2, 1, 3)
    assert tea["UniqueSenders"] == {"String": ["Zoe", "Xenia"]}
    assert tea["UniqueUnreadSenders"] == {"String": ["Zoe"]}
    assert len(tea["ItemIds"]) == 2
    assert (tea["Importance"], tea["HasAttachments"], tea["FlagStatus"]) == ("Normal", False, "NotFlagged")
    assert tea["ItemClasses"] == {"ItemClass": ["IPM.Note"]}


def test_pages_filters_and_queries(ann: Asker, talk: None) -> None:
    page = '<IndexedPageItemView MaxEntriesReturned="1" Offset="1" BasePoint="Beginning"/>'
    answer = ann.ask(find(page))
    assert [one["ConversationTopic"] for one in answer["Conversations"]["Conversation"]] == ["coffee"]
    assert (answer["TotalConversationsInView"], answer["IndexedOffset"]) == (2, 2)
    assert [one["ConversationTopic"] for one in found(ann, find(query="from:yves"))] == ["coffee"]
    assert len(found(ann, find(attributes=' ViewFilter="Unread"'))) == 2
    assert ann.code(find(), version="Exchange2010") == "ErrorIncorrectSchemaVersion"


def get(one: str, order: str = "") -> str:
    shape = "<ItemShape><t:BaseShape>Default</t:BaseShape></ItemShape>"
    sort = f"<SortOrder>{order}</SortOrder>" if order else ""
    return (
        f"<GetConversationItems>{shape}{sort}<Conversations><t:Conversation><t:ConversationId Id='{one}'/></t:Conversation>"
        "</Conversations></GetConversationItems>"
    )


def subjects(asker: Asker, request: str) -> list[str]:
    nodes = asker.one(request)["Conversation"]["ConversationNodes"]["ConversationNode"]
    return [node["Items"][0][1]["Subject"] for node in nodes]


def test_the_items_of_a_conversation(ann: Asker, talk: None) -> None:
    tea = found(ann, find())[0]["ConversationId"]["@Id"]
    assert subjects(ann, get(tea)) == ["RE: tea", "tea", "tea"]
    assert subjects(ann, get(tea, "DateOrderAscending")) == ["tea", "tea", "RE: tea"]
    inbox = ann.folder(named("inbox"))[1]["FolderId"]["@Id"]
    assert ann.code(get(inbox)) == "ErrorInvalidId"


def act(one: str, action: str, more: str = "") -> str:
    return (
        f"<ApplyConversationAction><ConversationActions><t:ConversationAction><t:Action>{action}</t:Action>"
        f"<t:ConversationId Id='{one}'/>{more}</t:ConversationAction></ConversationActions></ApplyConversationAction>"
    )


def test_actions(world: World, ann: Asker, talk: None) -> None:
    tea = found(ann, find())[0]["ConversationId"]["@Id"]
    ann.one(act(tea, "SetReadState", "<t:IsRead>true</t:IsRead>"))
    assert [item.read for item in items(world)] == [True, False, True]
    here = f"<t:ContextFolderId>{named('inbox')}</t:ContextFolderId>"
    ann.one(act(tea, "Copy", f"{here}<t:DestinationFolderId>{named('notes')}</t:DestinationFolderId>"))
    assert (len(items(world)), len(items(world, Role.NOTES))) == (3, 2)
    ann.one(act(tea, "Move", f"{here}<t:DestinationFolderId>{named('outbox')}</t:DestinationFolderId>"))
    assert (len(items(world)), len(items(world, Role.OUTBOX))) == (1, 2)
    ann.one(act(tea, "Delete", "<t:DeleteType>HardDelete</t:DeleteType>"))
    assert [len(items(world, role)) for role in (Role.OUTBOX, Role.NOTES, Role.JUNK)] == [0, 0, 0]
    assert ann.code(act(tea, "Flag")) == "ErrorInvalidOperation"
    assert ann.code(act(tea, "Move")) == "ErrorToFolderNotFound"
