"""FindItem: pages, restrictions, orders, groups, traversals, query strings and views (ews reference 9)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from folders_scene import ANN, Asker, ann, by_id, clock_of, mail, named, tag, uri, world

from postroom_simulator import World
from postroom_simulator.ews.items import view
from postroom_simulator.store.interface import Item, Role

__all__ = ["ann", "world"]
Value = dict[str, Any]
SUBJECT = uri("item:Subject")


def find(
    inside: str = "",
    *,
    view: str = "",
    folders: str = "",
    traversal: str = "Shallow",
    shape: str = "IdOnly",
    extra: str = SUBJECT,
    after: str = "",
) -> str:
    """`inside`: GroupBy, Restriction, SortOrder; `after`: QueryString."""
    paths = f"<t:AdditionalProperties>{extra}</t:AdditionalProperties>" if extra else ""
    return (
        f'<FindItem Traversal="{traversal}"><ItemShape><t:BaseShape>{shape}</t:BaseShape>{paths}</ItemShape>{view}{inside}'
        f"<ParentFolderIds>{folders or named('inbox')}</ParentFolderIds>{after}</FindItem>"
    )


def page(offset: int, most: int, point: str = "Beginning") -> str:
    return f'<IndexedPageItemView MaxEntriesReturned="{most}" Offset="{offset}" BasePoint="{point}"/>'


def order(*fields: tuple[str, str]) -> str:
    inner = "".join(f'<t:FieldOrder Order="{direction}">{path}</t:FieldOrder>' for path, direction in fields)
    return f"<SortOrder>{inner}</SortOrder>"


def restricted(inner: str) -> str:
    return f"<Restriction>{inner}</Restriction>"


def compared(operator: str, path: str, constant: str) -> str:
    return f'<t:{operator}>{path}<t:FieldURIOrConstant><t:Constant Value="{constant}"/></t:FieldURIOrConstant></t:{operator}>'


def containing(path: str, text: str, mode: str = "Substring", comparison: str = "IgnoreCase") -> str:
    return f'<t:Contains ContainmentMode="{mode}" ContainmentComparison="{comparison}">{path}<t:Constant Value="{text}"/></t:Contains>'


def query(text: str) -> str:
    return f"<QueryString>{text}</QueryString>"


def subjects(message: Value) -> list[str]:
    return [value["Subject"] for _, value in message["RootFolder"]["Items"]]


def found(asker: Asker, inner: str, **how: str) -> set[str]:
    return set(subjects(asker.one(find(restricted(inner), **how))))


@pytest.fixture
def letters(world: World) -> list[Item]:
    """Nine messages, an hour apart, m0 first."""
    for number in range(9):
        world.deliver("x@out.test", [ANN], mail(f"m{number}"))
        clock_of(world).advance(hours=1)
    return list(world.store.items(world.store.folder(ANN, Role.INBOX).uid))


# -- pages


def test_the_newest_come_first_and_pages_follow_each_other(ann: Asker, letters: list[Item]) -> None:
    offset, pages = 0, []
    while True:
        root = (message := ann.one(find(view=page(offset, 4))))["RootFolder"]
        pages.append(subjects(message))
        assert root["@TotalItemsInView"] == len(letters)
        offset = root["@IndexedPagingOffset"]
        if root["@IncludesLastItemInRange"]:
            break
    assert pages == [["m8", "m7", "m6", "m5"], ["m4", "m3", "m2", "m1"], ["m0"]]
    assert offset == 9


def test_a_page_behind_the_end_is_empty_and_the_last(ann: Asker, letters: list[Item]) -> None:
    root = ann.one(find(view=page(20, 4)))["RootFolder"]
    assert (root["Items"], root["@IncludesLastItemInRange"]) == ([], True)
    empty = ann.one(find(folders=named("drafts")))["RootFolder"]
    assert (empty["Items"], empty["@TotalItemsInView"], empty["@IncludesLastItemInRange"]) == ([], 0, True)


def test_pages_from_the_end(ann: Asker, letters: list[Item]) -> None:
    message = ann.one(find(view=page(0, 4, "End")))
    assert subjects(message) == ["m3", "m2", "m1", "m0"]
    assert message["RootFolder"]["@IncludesLastItemInRange"] is False
    message = ann.one(find(view=page(message["RootFolder"]["@IndexedPagingOffset"], 40, "End")))
    assert subjects(message) == ["m8", "m7", "m6", "m5", "m4"]
    assert message["RootFolder"]["@IncludesLastItemInRange"] is True


def test_fractions(ann: Asker, letters: list[Item]) -> None:
    message = ann.one(find(view='<FractionalPageItemView MaxEntriesReturned="2" Numerator="1" Denominator="3"/>'))
    assert subjects(message) == ["m5", "m4"]
    assert (message["RootFolder"]["@NumeratorOffset"], message["RootFolder"]["@AbsoluteDenominator"]) == (5, 9)


@pytest.mark.parametrize(("point", "wanted"), [("Beginning", ["m3", "m2", "m1", "m0"]), ("End", ["m0"])])
def test_seeking(ann: Asker, letters: list[Item], point: str, wanted: list[str]) -> None:
    moment = (letters[3].received + timedelta(seconds=1)).isoformat()
    condition = compared("IsLessThan", uri("item:DateTimeReceived"), moment)
    seek = (
        f'<SeekToConditionPageItemView MaxEntriesReturned="10" BasePoint="{point}"><t:Condition>{condition}</t:Condition>'
        "</SeekToConditionPageItemView>"
    )
    assert subjects(ann.one(find(view=seek))) == wanted


@pytest.mark.parametrize(
    ("view", "code"),
    [
        (page(0, 0), "ErrorInvalidPagingMaxRows"),
        (page(-1, 1), "ErrorInvalidIndexedPagingParameters"),
        ('<FractionalPageItemView Numerator="2" Denominator="1"/>', "ErrorInvalidFractionalPagingParameters"),
        ('<FractionalPageItemView Numerator="0" Denominator="0"/>', "ErrorInvalidFractionalPagingParameters"),
    ],
)
def test_pages_that_are_none(ann: Asker, view: str, code: str) -> None:
    assert ann.code(find(view=view)) == code


def test_without_a_page_there_is_a_limit(world: World, ann: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = world.store.folder(ANN, Role.INBOX).uid
    for _ in range(1001):
        world.store.deposit(ANN, b"Subject: x\r\n\r\n", folder=inbox)
    root = ann.one(find())["RootFolder"]
    assert (len(root["Items"]), root["@TotalItemsInView"], root["@IncludesLastItemInRange"]) == (1000, 1001, False)
    assert ann.code(find(), version="Exchange2007_SP1") == "ErrorExceededFindCountLimit"
    assert ann.code(find(view=page(0, 10)), version="Exchange2007_SP1") == "NoError"


def test_a_small_page_of_ids_looks_into_no_item(world: World, ann: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = world.store.folder(ANN, Role.INBOX).uid
    for _ in range(3000):
        world.store.deposit(ANN, b"Subject: x\r\n\r\n", folder=inbox)
    monkeypatch.setattr(world.store, "octets", None)
    monkeypatch.setattr(view, "properties_of", None)
    monkeypatch.setattr(world.store, "items", None)
    extra = uri("item:DateTimeReceived") + uri("item:Size")
    assert len(ann.one(find(view=page(1500, 5), extra=extra))["RootFolder"]["Items"]) == 5


def test_several_folders_have_a_message_each(ann: Asker, letters: list[Item]) -> None:
    messages = ann.messages(find(folders=named("drafts") + by_id("x") + named("inbox")))
    assert [one["ResponseCode"] for one in messages] == ["NoError", "ErrorInvalidIdMalformed", "NoError"]
    assert len(subjects(messages[2])) == 9


# -- what is shown


def test_items_are_light_and_texts_are_cut(world: World, ann: Asker) -> None:
    world.deliver("x@out.test", [ANN], mail("s" * 400, body="body"))
    ((_, value),) = ann.one(find(shape="AllProperties", extra=""))["RootFolder"]["Items"]
    assert len(value["Subject"]) == 255
    assert not {"Body", "MimeContent", "ToRecipients", "CcRecipients", "Attachments", "InternetMessageHeaders"} & {
        name for name, one in value.items() if one != []
    }
    assert {"DisplayTo", "From", "IsRead", "Importance"} <= set(value)
    assert ann.code(find(extra=uri("item:MimeContent"))) == "ErrorInvalidPropertyForOperation"


# -- restrictions


@pytest.fixture
def mixed(world: World) -> None:
    for subject, extra, sender in (
        ("Alpha report", "Importance: high\r\nKeywords: Red, Blue\r\n", "Xenia <x@out.test>"),
        ("beta", "Importance: low\r\nX-Test: 7\r\n", "Yves <y@out.test>"),
        ("Gämma ray", "", "Xenia <x@out.test>"),
    ):
        world.deliver("x@out.test", [ANN], mail(subject, extra=extra, sender=sender))
        clock_of(world).advance(hours=1)
    inbox = world.store.folder(ANN, Role.INBOX)
    world.store.set_read([world.store.items(inbox.uid)[0].uid], True)


ALPHA, BETA, GAMMA = "Alpha report", "beta", "Gämma ray"
READ, RECEIVED, IMPORTANCE = uri("message:IsRead"), uri("item:DateTimeReceived"), uri("item:Importance")


@pytest.mark.parametrize(
    ("inner", "wanted"),
    [
        (compared("IsEqualTo", SUBJECT, "BETA"), {BETA}),
        (compared("IsNotEqualTo", SUBJECT, "beta"), {ALPHA, GAMMA}),
        (compared("IsEqualTo", READ, "true"), {ALPHA}),
        (compared("IsEqualTo", READ, "1"), {ALPHA}),
        (compared("IsEqualTo", READ, "0"), {BETA, GAMMA}),
        (compared("IsGreaterThan", RECEIVED, "2026-01-05T08:30:00Z"), {BETA, GAMMA}),
        (compared("IsGreaterThanOrEqualTo", RECEIVED, "2026-01-05T10:00:00+01:00"), {BETA, GAMMA}),
        (compared("IsLessThan", RECEIVED, "2026-01-05T09:00:00.000Z"), {ALPHA}),
        (compared("IsLessThanOrEqualTo", RECEIVED, "2026-01-05T09:00:00Z"), {ALPHA, BETA}),
        (compared("IsEqualTo", IMPORTANCE, "High"), {ALPHA}),
        (compared("IsGreaterThan", IMPORTANCE, "Low"), {ALPHA, GAMMA}),
        (compared("IsGreaterThan", uri("item:Size"), "10"), {ALPHA, BETA, GAMMA}),
        (compared("IsEqualTo", uri("item:Categories"), "red"), {ALPHA}),
        (compared("IsEqualTo", uri("message:From"), "y@out.test"), {BETA}),
        (compared("IsEqualTo", uri("message:From"), "Xenia"), {ALPHA, GAMMA}),
        (compared("IsEqualTo", uri("message:ToRecipients"), ANN), {ALPHA, BETA, GAMMA}),
        (compared("IsEqualTo", '<t:IndexedFieldURI FieldURI="item:InternetMessageHeader" FieldIndex="x-test"/>', "7"), {BETA}),
        (compared("IsEqualTo", tag("0x0037", "String"), "beta"), {BETA}),
        (compared("IsEqualTo", tag("0x37", "String"), "beta"), {BETA}),
        (compared("IsGreaterThan", tag("0x0e06", "SystemTime"), "2026-01-05T09:30:00Z"), {GAMMA}),
        (f"<t:Excludes>{tag('0x0e07', 'Integer')}<t:Bitmask Value='1'/></t:Excludes>", {BETA, GAMMA}),
        (f"<t:Excludes>{tag('0x0e07', 'Integer')}<t:Bitmask Value='0x8'/></t:Excludes>", {ALPHA, BETA, GAMMA}),
        (f"<t:Exists>{uri('item:Categories')}</t:Exists>", {ALPHA}),
        (f"<t:Exists>{tag('0x1090', 'Integer')}</t:Exists>", set()),
        (f"<t:Not><t:Exists>{uri('item:Categories')}</t:Exists></t:Not>", {BETA, GAMMA}),
        (f"<t:And>{compared('IsEqualTo', READ, 'false')}{containing(SUBJECT, 'b')}</t:And>", {BETA}),
        (f"<t:Or>{compared('IsEqualTo', READ, 'true')}{containing(SUBJECT, 'ray')}</t:Or>", {ALPHA, GAMMA}),
        (containing(SUBJECT, "ALPHA", "Prefixed"), {ALPHA}),
        (containing(SUBJECT, "ALPHA", "Prefixed", "Exact"), set()),
        (containing(SUBJECT, "Alpha", "FullString"), set()),
        (containing(SUBJECT, "alpha report", "FullString"), {ALPHA}),
        (containing(SUBJECT, "rep", "PrefixOnWords"), {ALPHA}),
        (containing(SUBJECT, "alp rep", "PrefixOnWords"), {ALPHA}),
        (containing(SUBJECT, "eport", "PrefixOnWords"), set()),
        (containing(SUBJECT, "report", "ExactPhrase"), {ALPHA}),
        (containing(SUBJECT, "repo", "ExactPhrase"), set()),
        (containing(SUBJECT, "gamma", "Substring", "IgnoreCase"), set()),
        (containing(SUBJECT, "Gamma", "Substring", "IgnoreNonSpacingCharacters"), {GAMMA}),
        (containing(SUBJECT, "gamma", "Substring", "IgnoreNonSpacingCharacters"), set()),
        (containing(SUBJECT, "gamma", "Substring", "IgnoreCaseAndNonSpacingCharacters"), {GAMMA}),
        (containing(SUBJECT, "GAMMA", "Substring", "Loose"), {GAMMA}),
        (containing(uri("item:Body"), "BODY"), {ALPHA, BETA, GAMMA}),
        (containing(uri("message:From"), "yves"), {BETA}),
        (containing(uri("item:Categories"), "BLUE", "FullString"), {ALPHA}),
    ],
)
def test_restrictions(ann: Asker, mixed: None, inner: str, wanted: set[str]) -> None:
    assert found(ann, inner) == wanted


def test_two_properties_are_compared(ann: Asker, mixed: None) -> None:
    def both(first: str, second: str) -> str:
        return f"<t:IsEqualTo>{uri(first)}<t:FieldURIOrConstant>{uri(second)}</t:FieldURIOrConstant></t:IsEqualTo>"

    assert found(ann, both("item:Subject", "message:ConversationTopic")) == {ALPHA, BETA, GAMMA}
    assert found(ann, both("item:DateTimeReceived", "item:DateTimeCreated")) == {ALPHA, BETA, GAMMA}
    assert ann.code(find(restricted(both("item:Subject", "item:Size")))) == "ErrorInvalidRestriction"


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        (compared("IsEqualTo", uri("item:Size"), "many"), "ErrorUnsupportedTypeForConversion"),
        (compared("IsEqualTo", READ, "maybe"), "ErrorUnsupportedTypeForConversion"),
        (compared("IsGreaterThan", RECEIVED, "yesterday"), "ErrorUnsupportedTypeForConversion"),
        (compared("IsEqualTo", uri("item:MimeContent"), "x"), "ErrorUnsupportedPathForQuery"),
        (compared("IsEqualTo", uri("item:EffectiveRights"), "x"), "ErrorUnsupportedPathForQuery"),
        (containing(RECEIVED, "2026"), "ErrorContainsFilterWrongType"),
        (f"<t:Excludes>{SUBJECT}<t:Bitmask Value='1'/></t:Excludes>", "ErrorInvalidExcludesRestriction"),
        (compared("IsEqualTo", uri("item:Nonsense"), "x"), "ErrorSchemaValidation"),
        ("<t:Not>" * 65 + compared("IsEqualTo", SUBJECT, "x") + "</t:Not>" * 65, "ErrorRestrictionTooComplex"),
    ],
)
def test_restrictions_that_are_none(ann: Asker, inner: str, code: str) -> None:
    assert ann.code(find(restricted(inner))) == code


def test_extended_properties_have_types(world: World, ann: Asker) -> None:
    number = '<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="n" PropertyType="Integer"/>'
    inbox = world.store.folder(ANN, Role.INBOX).uid
    path = {"@DistinguishedPropertySetId": "PublicStrings", "@PropertyName": "n", "@PropertyType": "Integer"}
    for value in ("9", "10"):
        kept = [{"ExtendedFieldURI": path, "Value": value}]
        world.store.create(inbox, "IPM.Note", {"Subject": f"n{value}", "ExtendedProperty": kept})
    world.store.create(inbox, "IPM.Note", {"Subject": "none"})
    assert found(ann, compared("IsGreaterThan", number, "9")) == {"n10"}
    assert found(ann, f"<t:Exists>{number}</t:Exists>") == {"n9", "n10"}
    assert subjects(ann.one(find(order((number, "Ascending"))))) == ["none", "n9", "n10"]
    assert subjects(ann.one(find(order((number, "Descending"))))) == ["n10", "n9", "none"]


# -- order and groups


def test_orders(ann: Asker, mixed: None) -> None:
    assert subjects(ann.one(find(order((SUBJECT, "Ascending"))))) == [ALPHA, BETA, GAMMA]
    assert subjects(ann.one(find(order((SUBJECT, "Descending"))))) == [GAMMA, BETA, ALPHA]
    assert subjects(ann.one(find(order((RECEIVED, "Ascending")), view=page(1, 2)))) == [BETA, GAMMA]
    assert subjects(ann.one(find(order((IMPORTANCE, "Descending"))))) == [ALPHA, GAMMA, BETA]
    assert subjects(ann.one(find(order((uri("message:From"), "Ascending"), (RECEIVED, "Descending"))))) == [GAMMA, ALPHA, BETA]
    for path in ("item:Body", "message:ToRecipients", "item:Categories", "item:MimeContent"):
        assert ann.code(find(order((uri(path), "Ascending")))) == "ErrorUnsupportedPathForSortGroup"


def test_groups(ann: Asker, mixed: None) -> None:
    by_sender = f'<GroupBy Order="Ascending">{uri("item:Importance")}<t:AggregateOn Aggregate="Maximum">{RECEIVED}</t:AggregateOn></GroupBy>'
    groups = ann.one(find(by_sender))["RootFolder"]["Groups"]["GroupedItems"]
    assert [[value["Subject"] for _, value in group["Items"]] for group in groups] == [[ALPHA], [BETA], [GAMMA]]
    descending = by_sender.replace('Order="Ascending"', 'Order="Descending"')
    groups = ann.one(find(descending))["RootFolder"]["Groups"]["GroupedItems"]
    assert [[value["Subject"] for _, value in group["Items"]] for group in groups] == [[GAMMA], [BETA], [ALPHA]]


def test_groups_by_conversation(world: World, ann: Asker) -> None:
    for subject in ("one", "two", "RE: one"):
        world.deliver("x@out.test", [ANN], mail(subject))
        clock_of(world).advance(60)
    grouping = '<DistinguishedGroupBy Order="Descending"><t:StandardGroupBy>ConversationTopic</t:StandardGroupBy></DistinguishedGroupBy>'
    groups = ann.one(find(grouping))["RootFolder"]["Groups"]["GroupedItems"]
    assert [(group["GroupIndex"], len(group["Items"])) for group in groups] == [("one", 2), ("two", 1)]


# -- traversals


def test_associated_and_softly_deleted_items(world: World, ann: Asker, letters: list[Item]) -> None:
    inbox = world.store.folder(ANN, Role.INBOX).uid
    world.store.create(inbox, "IPM.Configuration.x", {"Subject": "settings"}, flags=frozenset({"associated"}))
    assert subjects(ann.one(find(traversal="Associated"))) == ["settings"]
    assert len(subjects(ann.one(find()))) == 9
    world.store.move(letters[0].uid, world.store.folder(ANN, Role.DELETIONS).uid)
    assert subjects(ann.one(find(traversal="SoftDeleted"))) == ["m0"]
    assert subjects(ann.one(find(traversal="SoftDeleted", folders=named("drafts")))) == []
    assert subjects(ann.one(find(folders=named("recoverableitemsdeletions")))) == ["m0"]


# -- query strings


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("alpha", {ALPHA}),
        ("subject:alpha", {ALPHA}),
        ("subject:rep", {ALPHA}),
        ('subject:"alpha report"', {ALPHA}),
        ("subject:(alpha OR beta)", {ALPHA, BETA}),
        ("from:yves", {BETA}),
        ("from:x@out.test subject:gamma", {GAMMA}),
        ("to:ann", {ALPHA, BETA, GAMMA}),
        ("isread:true", {ALPHA}),
        ("NOT isread:yes", {BETA, GAMMA}),
        ("subject:alpha OR subject:beta", {ALPHA, BETA}),
        ("body:body AND importance:high", {ALPHA}),
        ("importance:low", {BETA}),
        ("category:red", {ALPHA}),
        ("received:&gt;=2026-01-05", {ALPHA, BETA, GAMMA}),
        ("received:today", {ALPHA, BETA, GAMMA}),
        ("received:yesterday", set()),
        ("received&lt;2026-01-05T08:30:00Z", {ALPHA}),
        ("received:2026-01-01..2026-01-31", {ALPHA, BETA, GAMMA}),
        ("hasattachment:true", set()),
        ("hasattachments:false", {ALPHA, BETA, GAMMA}),
        ("size:&gt;1MB", set()),
        ("size:tiny", {ALPHA, BETA, GAMMA}),
        ("kind:email", {ALPHA, BETA, GAMMA}),
        ("kind:contacts", set()),
        ("-subject:alpha", {BETA, GAMMA}),
        ("nonsense:x", set()),
        ("(subject:alpha", set()),
        ("received:someday", set()),
    ],
)
def test_query_strings(ann: Asker, mixed: None, text: str, wanted: set[str]) -> None:
    assert set(subjects(ann.one(find(after=query(text))))) == wanted


def test_notes_are_a_kind_of_their_own(world: World, ann: Asker) -> None:
    """They are shown as messages, as Evolution wants them."""
    notes = world.store.folder(ANN, Role.NOTES).uid
    for item_class, subject in (("IPM.StickyNote", "note"), ("IPM.Note", "letter"), ("IPM.Activity", "call")):
        world.store.create(notes, item_class, {"Subject": subject})
    found = {kind: subjects(ann.one(find(after=query(f"kind:{kind}"), folders=named("notes")))) for kind in ("notes", "email")}
    assert found == {"notes": ["note"], "email": ["letter"]}


def test_a_query_string_has_its_bounds(ann: Asker) -> None:
    restriction = restricted(compared("IsEqualTo", SUBJECT, "x"))
    assert ann.code(find(restriction, after=query("x"))) == "ErrorInvalidOperation"
    assert ann.code(find(after=query("x" * 5000))) == "ErrorQueryFilterTooLong"
    assert ann.code(find(after=query("x " * 300))) == "ErrorSearchQueryHasTooManyKeywords"
    assert ann.code(find(after=query("(" * 200))) == "NoError"


# -- views


def test_a_contacts_view(world: World, ann: Asker) -> None:
    contacts = world.store.folder(ANN, Role.CONTACTS).uid
    for name in ("Carl", "ann", "Bert", "Dora"):
        world.store.create(contacts, "IPM.Contact", {"DisplayName": name, "Subject": name})
    seen = '<ContactsView InitialName="B" FinalName="C"/>'
    assert subjects(ann.one(find(view=seen, folders=named("contacts")))) == ["Bert", "Carl"]
    assert subjects(ann.one(find(view='<ContactsView MaxEntriesReturned="2"/>', folders=named("contacts")))) == ["ann", "Bert"]


def test_a_calendar_view_has_its_bounds(ann: Asker) -> None:
    def seen(start: str, end: str) -> str:
        return f'<CalendarView StartDate="{start}" EndDate="{end}"/>'

    week = seen("2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z")
    calendar = named("calendar")
    assert ann.code(find(view=week)) == "ErrorCalendarFolderIsInvalidForCalendarView"
    long = seen("2026-01-05T00:00:00Z", "2028-02-12T00:00:00Z")
    assert ann.code(find(view=long, folders=calendar)) == "ErrorCalendarViewRangeTooBig"
    back = seen("2026-01-05T00:00:00Z", "2026-01-04T00:00:00Z")
    assert ann.code(find(view=back, folders=calendar)) == "ErrorCalendarEndDateIsEarlierThanStartDate"
    assert ann.code(find(order((SUBJECT, "Ascending")), view=week, folders=calendar)) == "ErrorInvalidOperation"
    root = ann.one(find(view=week, folders=calendar))["RootFolder"]
    assert (root["Items"], root["@IncludesLastItemInRange"]) == ([], True)


# -- what a search is not for (reference 9)


def test_a_search_shows_no_bodies_recipients_and_attachments_to_anybody(world: World, ann: Asker) -> None:
    """ "FindItem returns a light item": what is heavy is left out though it is named; a Preview is there."""
    world.deliver("x@out.test", [ANN], mail("s", body="body"))
    paths = "".join(
        map(uri, ("item:Body", "item:TextBody", "message:ToRecipients", "item:Attachments", "item:Preview", "message:From"))
    )
    ((_, value),) = ann.one(find(extra=paths))["RootFolder"]["Items"]
    assert {name for name, one in value.items() if one != []} == {"ItemId", "Preview", "From"}


def test_words_that_were_found_are_told(ann: Asker, mixed: None) -> None:
    """ReturnHighlightTerms of a query string, since 2013."""
    query = '<QueryString ReturnHighlightTerms="true">subject:alpha red*</QueryString>'
    request = find().replace("</FindItem>", f"{query}</FindItem>")
    assert ann.one(request)["HighlightTerms"]["Term"] == [{"Scope": "subject", "Value": "alpha"}, {"Scope": "", "Value": "red"}]
    assert "HighlightTerms" not in ann.one(find().replace("</FindItem>", "<QueryString>alpha</QueryString></FindItem>"))


def test_softly_deleted_in_the_archive(world: World, ann: Asker) -> None:
    world.store.open_archive(ANN)
    archived = world.store.folder(ANN, Role.ARCHIVE_INBOX).uid
    item = world.store.deposit(ANN, mail("old"), folder=archived)
    world.store.move(item.uid, world.store.folder(ANN, Role.ARCHIVE_DELETIONS).uid)
    assert subjects(ann.one(find(traversal="SoftDeleted", folders=named("archiveinbox")))) == ["old"]
    assert subjects(ann.one(find(traversal="SoftDeleted"))) == []
