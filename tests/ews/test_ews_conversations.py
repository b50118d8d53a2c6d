"""Conversations: found, shown item by item, and acted on (MS-OXWSCONV)."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from folders_scene import ANN, Asker, ann, bob, by_id, clock_of, mail, named, world

from postroom_simulator import World
from postroom_simulator.ews.people.retention import RetentionTag
from postroom_simulator.store.interface import Item, Role

__all__ = ["ann", "bob", "world"]
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


def find(
    view: str = "", attributes: str = "", query: str = "", *, folder: str = "", scope: str = "", how: str = "", shape: str = ""
) -> str:
    text = f"<QueryString{how}>{query}</QueryString>" if query else ""
    where = f"<MailboxScope>{scope}</MailboxScope>" if scope else ""
    shown = f"<ConversationShape>{shape}</ConversationShape>" if shape else ""
    parent = f"<ParentFolderId>{folder or named('inbox')}</ParentFolderId>"
    return f"<FindConversation{attributes}>{view}{parent}{where}{text}{shown}</FindConversation>"


def topics(asker: Asker, request: str) -> list[str]:
    return [one["ConversationTopic"] for one in found(asker, request)]


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


def get(one: str, order: str = "", *, more: str = "", scope: str = "", state: str = "") -> str:
    shape = "<ItemShape><t:BaseShape>Default</t:BaseShape></ItemShape>"
    sort = f"<SortOrder>{order}</SortOrder>" if order else ""
    where = f"<MailboxScope>{scope}</MailboxScope>" if scope else ""
    since = f"<t:SyncState>{state}</t:SyncState>" if state else ""
    return (
        f"<GetConversationItems>{shape}{more}{sort}{where}<Conversations><t:Conversation><t:ConversationId Id='{one}'/>{since}</t:Conversation>"
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
    assert ann.code(act(tea, "Flag")) == "ErrorMissingArgument"
    assert ann.code(act(tea, "SetReadState")) == "ErrorMissingArgument"
    assert ann.code(act(tea, "Move")) == "ErrorToFolderNotFound"


# -- FindConversation: orders, views, filters, scopes (MS-OXWSCONV 3.1.4.2)


def order(path: str, direction: str = "Ascending") -> str:
    return f'<SortOrder><t:FieldOrder Order="{direction}"><t:FieldURI FieldURI="{path}"/></t:FieldOrder></SortOrder>'


def test_orders(ann: Asker, talk: None) -> None:
    """By the latest delivery, newest first; since Exchange 2013 by other properties too (published remark on SortOrder)."""
    assert topics(ann, find()) == ["tea", "coffee"]
    assert topics(ann, find(order("conversation:LastDeliveryTime"))) == ["coffee", "tea"]
    assert topics(ann, find(order("conversation:ConversationTopic"))) == ["coffee", "tea"]
    assert topics(ann, find(order("conversation:MessageCount", "Descending"))) == ["tea", "coffee"]
    assert ann.code(find(order("item:Subject"))) == "ErrorUnsupportedPathForSortGroup"
    assert ann.code(find(order("conversation:ItemIds"))) == "ErrorUnsupportedPathForSortGroup"
    by_size = find(order("conversation:Size"))
    assert ann.code(by_size) == "NoError"
    assert ann.code(by_size, version="Exchange2010_SP1") == "ErrorUnsupportedPathForSortGroup"


def test_pages_from_a_condition(ann: Asker, talk: None) -> None:
    condition = (
        '<SeekToConditionPageItemView BasePoint="Beginning" MaxEntriesReturned="10"><t:Condition><t:IsEqualTo>'
        '<t:FieldURI FieldURI="conversation:ConversationTopic"/><t:FieldURIOrConstant><t:Constant Value="coffee"/></t:FieldURIOrConstant>'
        "</t:IsEqualTo></t:Condition></SeekToConditionPageItemView>"
    )
    assert topics(ann, find(condition)) == ["coffee"]
    from_end = '<IndexedPageItemView MaxEntriesReturned="1" Offset="0" BasePoint="End"/>'
    assert topics(ann, find(from_end)) == ["coffee"]


def test_filters_of_the_view(world: World, ann: Asker, talk: None) -> None:
    clock_of(world).advance(60)
    world.deliver("x@out.test", [ANN], mail("bcc", to="others@out.test"))
    flagged = items(world)[1]
    due = "<t:Flag><t:FlagStatus>Flagged</t:FlagStatus><t:StartDate>2020-01-01T00:00:00Z</t:StartDate><t:DueDate>2020-01-02T00:00:00Z</t:DueDate></t:Flag>"
    coffee = next(one for one in found(ann, find()) if one["ConversationTopic"] == "coffee")["ConversationId"]["@Id"]
    ann.one(act(coffee, "Flag", due))
    assert world.store.item(flagged.uid).beside["Flag"]["FlagStatus"] == "Flagged"
    for view, wanted in (
        ("All", ["bcc", "tea", "coffee"]),
        ("Flagged", ["coffee"]),
        ("TaskActive", ["coffee"]),
        ("TaskOverdue", ["coffee"]),
        ("TaskCompleted", []),
        ("ToOrCcMe", ["tea", "coffee"]),
        ("HasAttachment", []),
        ("Clutter", []),
        ("NoClutter", ["bcc", "tea", "coffee"]),
    ):
        assert topics(ann, find(attributes=f' ViewFilter="{view}"')) == wanted, view
    world.store.set_read([item.uid for item in items(world)][:3], True)
    assert topics(ann, find(attributes=' ViewFilter="Unread"')) == ["bcc"]


def test_a_deep_search_and_search_folders(world: World, ann: Asker, talk: None) -> None:
    """Traversal Deep looks below the folder too; a search folder has conversations of what it finds."""
    assert topics(ann, find(folder=named("msgfolderroot"))) == []
    (tea, coffee) = found(ann, find(folder=named("msgfolderroot"), attributes=' Traversal="Deep"'))
    assert (tea["MessageCount"], coffee["MessageCount"]) == (3, 1)


def test_words_that_are_highlighted(ann: Asker, talk: None) -> None:
    answer = ann.ask(find(query="subject:tea zoe", how=' ReturnHighlightTerms="true"'))
    assert answer["HighlightTerms"]["Term"] == [{"Scope": "subject", "Value": "tea"}, {"Scope": "", "Value": "zoe"}]
    assert "HighlightTerms" not in ann.ask(find(query="subject:tea"))


def test_deleted_items_are_found_where_they_are_wanted(world: World, ann: Asker, talk: None) -> None:
    world.store.move(items(world)[1].uid, world.store.folder(ANN, Role.DELETED).uid)
    assert topics(ann, find(query="subject:coffee")) == []
    assert topics(ann, find(query="subject:coffee", how=' ReturnDeletedItems="true"')) == ["coffee"]


def test_shapes_of_conversations(ann: Asker, talk: None) -> None:
    only = "<t:BaseShape>IdOnly</t:BaseShape>"
    assert set(found(ann, find(shape=only))[0]) == {"ConversationId"}
    more = (
        only
        + '<t:AdditionalProperties><t:FieldURI FieldURI="conversation:Preview"/><t:FieldURI FieldURI="item:Subject"/></t:AdditionalProperties>'
    )
    assert set(found(ann, find(shape=more))[0]) == {"ConversationId", "Preview"}
    default = found(ann, find(shape="<t:BaseShape>Default</t:BaseShape>"))[0]
    assert "MessageCount" in default
    assert "InstanceKey" not in default
    assert {"InstanceKey", "HasIrm", "GlobalHasIrm", "LastModifiedTime"} <= set(found(ann, find())[0])


def test_a_property_of_conversations_is_none_of_items(ann: Asker, talk: None) -> None:
    """Reference 7: a known path that does not fit the class is left out."""
    shape = '<ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="conversation:Size"/></t:AdditionalProperties></ItemShape>'
    message = ann.one(f'<FindItem Traversal="Shallow">{shape}<ParentFolderIds>{named("inbox")}</ParentFolderIds></FindItem>')
    assert all(not value.get("Size") and value["ItemId"] for _, value in message["RootFolder"]["Items"])


def test_the_archive(world: World, ann: Asker, talk: None) -> None:
    """MailboxScope: the mailbox, its archive, or both."""
    world.store.open_archive(ANN)
    world.store.move(items(world)[1].uid, world.store.folder(ANN, Role.ARCHIVE_INBOX).uid)
    assert topics(ann, find()) == ["tea"]
    assert topics(ann, find(scope="PrimaryOnly")) == ["tea"]
    assert topics(ann, find(scope="ArchiveOnly")) == ["coffee"]
    (tea, coffee) = found(ann, find(scope="All"))
    assert (tea["MailboxScope"], coffee["MailboxScope"]) == ("PrimaryOnly", "ArchiveOnly")
    assert topics(ann, find(folder=named("archiveinbox"), scope="All")) == ["coffee"]
    one = coffee["ConversationId"]["@Id"]
    assert ann.code(get(one)) == "ErrorItemNotFound"
    assert subjects(ann, get(one, scope="ArchiveOnly")) == ["coffee"]
    assert subjects(ann, get(one, scope="All")) == ["coffee"]


# -- GetConversationItems (MS-OXWSCONV 3.1.4.3)


@pytest.fixture
def tree(world: World) -> str:
    """A question, two answers, an answer to the first of them, which comes last; the id of their conversation."""
    for subject, ident, answered in (("q", "1", ""), ("RE: q", "2", "1"), ("RE: q", "3", "1"), ("RE: q", "4", "2")):
        extra = f"Message-ID: <{ident}@out.test>\r\n" + (f"In-Reply-To: <{answered}@out.test>\r\n" if answered else "")
        world.deliver("x@out.test", [ANN], mail(subject, extra=extra))
        clock_of(world).advance(60)
    first = items(world)[0]
    world.store.copy(first.uid, world.store.folder(ANN, Role.NOTES).uid)
    from postroom_simulator.ews.items.threads import conversation_id

    return str(conversation_id(first, {"Subject": "q"})["@Id"])


def nodes(asker: Asker, request: str) -> list[str]:
    """Numbers of the messages."""
    conversation = asker.one(request)["Conversation"]
    rows = (conversation.get("ConversationNodes") or {}).get("ConversationNode", ())
    return [row["InternetMessageId"].strip("<").partition("@")[0] for row in rows]


def test_orders_of_nodes(ann: Asker, tree: str) -> None:
    assert nodes(ann, get(tree, "DateOrderAscending")) == ["1", "2", "3", "4"]
    assert nodes(ann, get(tree, "DateOrderDescending")) == ["4", "3", "2", "1"]
    assert nodes(ann, get(tree, "TreeOrderAscending")) == ["1", "2", "4", "3"]
    assert nodes(ann, get(tree, "TreeOrderDescending")) == ["3", "4", "2", "1"]
    rows = ann.one(get(tree, "TreeOrderAscending"))["Conversation"]["ConversationNodes"]["ConversationNode"]
    assert [len(row["Items"]) for row in rows] == [2, 1, 1, 1]  # copies of a message are one node
    assert [row.get("ParentInternetMessageId") for row in rows] == [None, "<1@out.test>", "<2@out.test>", "<1@out.test>"]


def test_a_circle_of_answers_has_an_order_too(world: World, ann: Asker) -> None:
    for ident, answered in (("1", "2"), ("2", "1")):
        world.deliver("x@out.test", [ANN], mail("c", extra=f"Message-ID: <{ident}@x>\r\nIn-Reply-To: <{answered}@x>\r\n"))
    one = found(ann, find())[0]["ConversationId"]["@Id"]
    assert nodes(ann, get(one, "TreeOrderAscending")) == ["1", "2"]


def test_folders_that_are_ignored_and_how_many_come(ann: Asker, tree: str) -> None:
    ignored = f"<FoldersToIgnore>{named('notes')}</FoldersToIgnore>"
    rows = ann.one(get(tree, "DateOrderAscending", more=ignored))["Conversation"]["ConversationNodes"]["ConversationNode"]
    assert [len(row["Items"]) for row in rows] == [1, 1, 1, 1]
    assert nodes(ann, get(tree, "DateOrderDescending", more="<MaxItemsToReturn>2</MaxItemsToReturn>")) == ["4", "3"]
    for wrong in ("0", "101", "-1"):
        assert ann.code(get(tree, more=f"<MaxItemsToReturn>{wrong}</MaxItemsToReturn>")) == "ErrorInvalidArgument"
    everything = f"<FoldersToIgnore>{named('notes')}{named('inbox')}</FoldersToIgnore>"
    assert ann.code(get(tree, more=everything)) == "ErrorItemNotFound"


def test_deleted_items_and_drafts_belong_to_a_conversation(world: World, ann: Asker, tree: str) -> None:
    """They do unless FoldersToIgnore names them (the published example does); what is recoverable does not."""
    world.store.move(items(world)[3].uid, world.store.folder(ANN, Role.DELETED).uid)
    assert nodes(ann, get(tree, "DateOrderAscending")) == ["1", "2", "3", "4"]
    (moved,) = items(world, Role.DELETED)
    world.store.move(moved.uid, world.store.folder(ANN, Role.DELETIONS).uid)
    assert nodes(ann, get(tree, "DateOrderAscending")) == ["1", "2", "3"]


def test_only_what_is_new(world: World, ann: Asker, tree: str) -> None:
    """With the SyncState of the last answer: nodes that are new or changed since."""
    state = base64.b64encode(ann.one(get(tree))["Conversation"]["SyncState"]).decode()
    assert nodes(ann, get(tree, state=state)) == []
    world.deliver("x@out.test", [ANN], mail("RE: q", extra="Message-ID: <5@out.test>\r\nIn-Reply-To: <4@out.test>\r\n"))
    assert nodes(ann, get(tree, state=state)) == ["5"]
    world.store.set_read([items(world)[1].uid], True)
    assert nodes(ann, get(tree, "DateOrderAscending", state=state)) == ["2", "5"]
    assert ann.code(get(tree, state="AAAA")) == "ErrorInvalidSyncStateData"
    other = found(ann, find())[0]["ConversationId"]["@Id"]
    assert other == tree


# -- ApplyConversationAction: what is remembered (reference 8; MS-OXWSCONV 3.1.4.1)


def tea_id(ann: Asker) -> str:
    return str(next(one for one in found(ann, find()) if one["ConversationTopic"] == "tea")["ConversationId"]["@Id"])


def more_tea(world: World) -> None:
    clock_of(world).advance(60)
    world.deliver("x@out.test", [ANN], mail("Re: Tea", sender="Xenia <x@out.test>"))


def test_always_move(world: World, ann: Asker, talk: None) -> None:
    tea = tea_id(ann)
    ann.one(
        act(
            tea,
            "AlwaysMove",
            f"<t:ProcessRightAway>true</t:ProcessRightAway><t:DestinationFolderId>{named('notes')}</t:DestinationFolderId>",
        )
    )
    assert (len(items(world)), len(items(world, Role.NOTES))) == (1, 3)  # that in Junk Email came along
    more_tea(world)
    world.deliver("x@out.test", [ANN], mail("coffee again"))
    assert (len(items(world)), len(items(world, Role.NOTES))) == (2, 4)
    ann.one(act(tea, "AlwaysMove"))
    more_tea(world)
    assert (len(items(world)), len(items(world, Role.NOTES))) == (3, 4)


def test_always_categorize(world: World, ann: Asker, talk: None) -> None:
    tea = tea_id(ann)
    ann.one(act(tea, "AlwaysCategorize", "<t:Categories><t:String>Red</t:String><t:String>Blue</t:String></t:Categories>"))
    more_tea(world)
    assert [(item.beside or {}).get("Categories") for item in items(world)] == [
        {"String": ["Red", "Blue"]},
        None,
        {"String": ["Red", "Blue"]},
        {"String": ["Red", "Blue"]},
    ]
    ann.one(act(tea, "AlwaysCategorize"))
    more_tea(world)
    assert (items(world)[-1].beside or {}).get("Categories") is None
    assert world.directory.account(ANN).conversations == {}


@pytest.mark.parametrize(
    ("how", "role"), [("MoveToDeletedItems", Role.DELETED), ("SoftDelete", Role.DELETIONS), ("HardDelete", None)]
)
def test_always_delete(world: World, ann: Asker, talk: None, how: str, role: Role | None) -> None:
    tea = tea_id(ann)
    given = f"<t:EnableAlwaysDelete>true</t:EnableAlwaysDelete><t:DeleteType>{how}</t:DeleteType>"
    ann.one(act(tea, "AlwaysDelete", given))
    more_tea(world)
    assert len(items(world)) == 1
    assert sum(len(items(world, one)) for one in (Role.DELETED, Role.DELETIONS)) == (4 if role else 0)
    assert role is None or len(items(world, role)) == 4
    ann.one(act(tea, "AlwaysDelete", "<t:EnableAlwaysDelete>false</t:EnableAlwaysDelete>"))
    more_tea(world)
    assert len(items(world)) == 2


def test_a_rule_decides_before_the_conversation(world: World, ann: Asker, talk: None) -> None:
    from postroom_simulator.directory import Rule

    ann.one(act(tea_id(ann), "AlwaysMove", f"<t:DestinationFolderId>{named('notes')}</t:DestinationFolderId>"))
    world.directory.account(ANN).rules.append(Rule("tea", subject_contains="tea", move_to="junkemail"))
    more_tea(world)
    assert (len(items(world, Role.NOTES)), len(items(world, Role.JUNK))) == (3, 1)


def test_a_folder_that_is_gone_moves_nothing(world: World, ann: Asker, talk: None) -> None:
    made = ann.make("gone soon")
    ann.one(act(tea_id(ann), "AlwaysMove", f"<t:DestinationFolderId>{by_id(made)}</t:DestinationFolderId>"))
    ann.one(f'<DeleteFolder DeleteType="HardDelete"><FolderIds>{by_id(made)}</FolderIds></DeleteFolder>')
    more_tea(world)
    assert len(items(world)) == 2


def test_flags_and_retention(world: World, ann: Asker, talk: None) -> None:
    tea = tea_id(ann)
    ann.one(act(tea, "Flag", "<t:Flag><t:FlagStatus>Complete</t:FlagStatus></t:Flag>"))
    assert found(ann, find())[0]["FlagStatus"] == "Complete"
    tag = "6c0e4b0e-0e5a-4f6a-8b1a-5d4c3b2a1908"
    for kind, name in (("Delete", "PolicyTag"), ("Archive", "ArchiveTag")):
        given = f"<t:RetentionPolicyType>{kind}</t:RetentionPolicyType><t:RetentionPolicyTagId>{tag}</t:RetentionPolicyTagId>"
        ann.one(act(tea, "SetRetentionPolicy", given))
        assert items(world)[0].beside[name] == {"@IsExplicit": True, "": tag}
        ann.one(act(tea, "SetRetentionPolicy", f"<t:RetentionPolicyType>{kind}</t:RetentionPolicyType>"))
        assert items(world)[0].beside[name] is None
    wrong = "<t:RetentionPolicyType>Delete</t:RetentionPolicyType><t:RetentionPolicyTagId>x</t:RetentionPolicyTagId>"
    assert ann.code(act(tea, "SetRetentionPolicy", wrong)) == "ErrorInvalidRetentionTagIdGuid"
    assert ann.code(act(tea, "SetRetentionPolicy")) == "ErrorMissingArgument"
    known = RetentionTag("keep", archive=True)
    world.ews.retention_tags.append(known)
    other = f"<t:RetentionPolicyType>Delete</t:RetentionPolicyType><t:RetentionPolicyTagId>{known.value()['RetentionId']}</t:RetentionPolicyTagId>"
    assert ann.code(act(tea, "SetRetentionPolicy", other)) == "ErrorInvalidRetentionTagTypeMismatch"


def test_up_to_a_time_and_in_a_folder(world: World, ann: Asker, talk: None) -> None:
    """ConversationLastSyncTime: what came later stays; ContextFolderId: what lies elsewhere stays."""
    tea = tea_id(ann)
    first = items(world)[0].received.strftime("%Y-%m-%dT%H:%M:%SZ")
    here = f"<t:ContextFolderId>{named('inbox')}</t:ContextFolderId><t:ConversationLastSyncTime>{first}</t:ConversationLastSyncTime>"
    ann.one(act(tea, "Delete", f"{here}<t:DeleteType>MoveToDeletedItems</t:DeleteType>"))
    assert (len(items(world)), len(items(world, Role.JUNK)), len(items(world, Role.DELETED))) == (2, 1, 1)
    context = f"<t:ContextFolderId>{named('deleteditems')}</t:ContextFolderId>"
    ann.one(act(tea, "Delete", f"{context}<t:DeleteType>HardDelete</t:DeleteType>"))
    assert (len(items(world)), len(items(world, Role.DELETED))) == (2, 0)


def test_receipts_of_a_conversation(world: World, ann: Asker) -> None:
    extra = "Disposition-Notification-To: bob@sim.test\r\n"
    for suppress, receipts in (("true", 0), ("false", 1)):
        world.deliver("bob@sim.test", [ANN], mail(f"ask {suppress}", sender="Bob <bob@sim.test>", extra=extra))
        one = next(one for one in found(ann, find()) if one["ConversationTopic"] == f"ask {suppress}")["ConversationId"]["@Id"]
        given = f"<t:IsRead>true</t:IsRead><t:SuppressReadReceipts>{suppress}</t:SuppressReadReceipts>"
        ann.one(act(one, "SetReadState", given))
        inbox = world.store.folder("bob@sim.test", Role.INBOX).uid
        assert len(world.store.items(inbox)) == receipts


def test_somebody_elses_conversation(world: World, ann: Asker, bob: Asker, talk: None) -> None:
    context = f"<t:ContextFolderId>{named('inbox', ANN)}</t:ContextFolderId><t:IsRead>true</t:IsRead>"
    assert bob.code(act(tea_id(ann), "SetReadState", context)) == "ErrorAccessDenied"


def test_what_exchange_2010_does_not_know_is_not_told(ann: Asker, talk: None) -> None:
    """Reference 2: no element in a schema that is too old for it (published answers of Exchange 2010 SP1 and 2013)."""
    answer = ann.ask(find(), version="Exchange2010_SP1")
    assert not {"TotalConversationsInView", "IndexedOffset", "HighlightTerms"} & {
        name for name, one in answer.items() if one is not None
    }
    (tea, _) = answer["Conversations"]["Conversation"]
    newer = {"MailboxScope", "InstanceKey", "Preview", "LastModifiedTime", "HasIrm", "IconIndex"}
    assert not newer & {name for name, one in tea.items() if one not in (None, [])}
    (tea, _) = found(ann, find())
    assert newer <= set(tea)
