"""FindPeople, GetPersona, GetMailTips: ews reference 12, 15."""

from __future__ import annotations

from datetime import timedelta

import pytest
from people_scene import ANN, BOB, CARL, Answer, Office

from postroom_simulator.actors import OofReply, OutOfOffice
from postroom_simulator.actors.values import Audience
from postroom_simulator.people import Profile

ZOE = (
    "<t:DisplayName>Zoe Yew</t:DisplayName><t:GivenName>Zoe</t:GivenName><t:CompanyName>Yews</t:CompanyName><t:EmailAddresses>"
    '<t:Entry Key="EmailAddress1">zoe@yew.test</t:Entry><t:Entry Key="EmailAddress2">z@home.test</t:Entry></t:EmailAddresses>'
    '<t:PhysicalAddresses><t:Entry Key="Home"><t:City>Zug</t:City></t:Entry></t:PhysicalAddresses>'
    '<t:PhoneNumbers><t:Entry Key="MobilePhone">079</t:Entry></t:PhoneNumbers>'
    '<t:ImAddresses><t:Entry Key="ImAddress1">sip:zoe</t:Entry></t:ImAddresses><t:JobTitle>Gardener</t:JobTitle>'
    "<t:Surname>Yew</t:Surname>"
)


def find(
    office: Office,
    parent: str = "contacts",
    shape: str = "Default",
    *,
    paths: str = "",
    view: str = 'MaxEntriesReturned="10" Offset="0" BasePoint="Beginning"',
    more: str = "",
    query: str = "",
) -> Answer:
    extra = f"<t:AdditionalProperties>{paths}</t:AdditionalProperties>" if paths else ""
    where = f'<m:ParentFolderId><t:DistinguishedFolderId Id="{parent}"/></m:ParentFolderId>' if parent else ""
    return office.ask(
        "FindPeople",
        f"<m:PersonaShape><t:BaseShape>{shape}</t:BaseShape>{extra}</m:PersonaShape><m:IndexedPageItemView {view}/>{more}{where}"
        + (f"<m:QueryString>{query}</m:QueryString>" if query else ""),
    )


def numbers(answer: Answer) -> list[str]:
    return [answer.one(name) for name in ("TotalNumberOfPeopleInView", "FirstMatchingRowIndex", "FirstLoadedRowIndex")]


def test_people_of_a_folder(office: Office) -> None:
    office.contact(ZOE)
    found = find(office)
    assert (found.codes, numbers(found)) == (["NoError"], ["1", "0", "0"])
    assert found.one("Persona/DisplayName") == "Zoe Yew"
    assert found.one("PersonaType") == "Person"
    assert (found.one("DisplayNameFirstLast"), found.one("DisplayNameLastFirst")) == ("Zoe Yew", "Yew, Zoe")
    assert found.all("EmailAddresses/Address/EmailAddress") == ["zoe@yew.test", "z@home.test"]
    assert (found.one("HomeCity"), found.one("Title"), found.one("ImAddress"), found.one("PhoneNumber/Number")) == (
        "Zug",
        "Gardener",
        "sip:zoe",
        "079",
    )


def test_nobody(office: Office) -> None:
    found = find(office)
    assert (found.codes, numbers(found), found.all("Persona")) == (["NoError"], ["0", "0", "0"], [])


def test_people_of_the_directory(office: Office) -> None:
    office.world.add_group("team@sim.test", [ANN], name="Team")
    office.world.directory.account(CARL).profile = Profile(hidden=True)
    found = find(office, "directory")
    assert found.all("Persona/DisplayName") == ["Ann Alder", "Bob Birch", "Team"]
    assert found.all("PersonaType") == ["Person", "Person", "DistributionList"]


def test_the_directory_is_a_folder_with_an_id(office: Office) -> None:
    shape = "<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape>"
    wanted = '<m:FolderIds><t:DistinguishedFolderId Id="directory"/></m:FolderIds>'
    folder = office.ask("GetFolder", shape + wanted).one("FolderId@Id")
    view = '<m:IndexedPageItemView Offset="0" BasePoint="Beginning"/>'
    found = office.ask("FindPeople", f'{view}<m:ParentFolderId><t:FolderId Id="{folder}"/></m:ParentFolderId>')
    assert found.all("Persona/DisplayName") == ["Ann Alder", "Bob Birch", "Carl Cedar"]


def test_the_whole_mailbox_has_the_people_of_all_its_contacts(office: Office) -> None:
    office.contact(ZOE)
    assert find(office, "msgfolderroot").all("Persona/DisplayName") == ["Zoe Yew"]


def test_without_a_folder_both_are_searched(office: Office) -> None:
    office.contact(ZOE)
    assert find(office, "").all("Persona/DisplayName") == ["Ann Alder", "Bob Birch", "Carl Cedar", "Zoe Yew"]
    for source, first in (("Directory", "Ann Alder"), ("Mailbox", "Zoe Yew")):
        found = office.ask(
            "FindPeople",
            '<m:IndexedPageItemView Offset="0" BasePoint="Beginning"/>'
            f"<m:QuerySources><t:Source>{source}</t:Source></m:QuerySources>",
        )
        assert found.all("Persona/DisplayName")[0] == first


@pytest.mark.parametrize(
    ("query", "found"),
    [("bob", ["Bob Birch"]), ("bir", ["Bob Birch"]), ("carl@", ["Carl Cedar"]), ("nobody", []), ("A", ["Ann Alder"])],
)
def test_queries(office: Office, query: str, found: list[str]) -> None:
    assert find(office, "directory", query=query).all("Persona/DisplayName") == found


def compare(operation: str, value: str, uri: str = "persona:DisplayName", attributes: str = "") -> str:
    constant = f'<t:Constant Value="{value}"/>'
    inner = constant if operation == "Contains" else f"<t:FieldURIOrConstant>{constant}</t:FieldURIOrConstant>"
    return f'<t:{operation} {attributes}><t:FieldURI FieldURI="{uri}"/>{inner}</t:{operation}>'


@pytest.mark.parametrize(
    ("restriction", "found"),
    [
        (compare("IsEqualTo", "bob birch"), ["Bob Birch"]),
        (compare("IsNotEqualTo", "Bob Birch"), ["Ann Alder", "Carl Cedar"]),
        (compare("IsGreaterThan", "b"), ["Bob Birch", "Carl Cedar"]),
        (compare("IsLessThanOrEqualTo", "Bob Birch"), ["Ann Alder", "Bob Birch"]),
        (compare("IsGreaterThanOrEqualTo", "Carl"), ["Carl Cedar"]),
        (compare("IsLessThan", "B"), ["Ann Alder"]),
        (compare("Contains", "Birch", attributes='ContainmentMode="Substring"'), ["Bob Birch"]),
        (compare("Contains", "birch", attributes='ContainmentMode="Substring"'), []),
        (
            compare("Contains", "birch", attributes='ContainmentMode="PrefixOnWords" ContainmentComparison="IgnoreCase"'),
            ["Bob Birch"],
        ),
        (compare("Contains", "bób", attributes='ContainmentMode="Prefixed" ContainmentComparison="Loose"'), ["Bob Birch"]),
        (compare("Contains", "Bob Birch"), ["Bob Birch"]),
        (compare("Contains", "bob@sim.test", uri="persona:EmailAddresses"), ["Bob Birch"]),
        ('<t:Exists><t:FieldURI FieldURI="persona:Title"/></t:Exists>', ["Bob Birch"]),
        ('<t:Not><t:Exists><t:FieldURI FieldURI="persona:Title"/></t:Exists></t:Not>', ["Ann Alder", "Carl Cedar"]),
        (f"<t:Or>{compare('IsEqualTo', 'Bob Birch')}{compare('IsEqualTo', 'Ann Alder')}</t:Or>", ["Ann Alder", "Bob Birch"]),
        (f"<t:And>{compare('IsEqualTo', 'Bob Birch')}{compare('IsEqualTo', 'Ann Alder')}</t:And>", []),
    ],
)
def test_restrictions(office: Office, restriction: str, found: list[str]) -> None:
    office.world.directory.account(BOB).profile = Profile(title="Baker")
    answer = find(office, "directory", more=f"<m:Restriction>{restriction}</m:Restriction>")
    assert answer.all("Persona/DisplayName") == found


def test_other_paths_are_no_restriction(office: Office) -> None:
    restriction = compare("IsEqualTo", "x", uri="item:Subject")
    found = find(office, "directory", more=f"<m:Restriction>{restriction}</m:Restriction>")
    assert (found.codes, numbers(found)) == (["ErrorUnsupportedPathForQuery"], ["0", "0", "0"])


@pytest.mark.parametrize(("order", "first"), [("Ascending", "Ann Alder"), ("Descending", "Carl Cedar")])
def test_orders(office: Office, order: str, first: str) -> None:
    sort = (
        f'<m:SortOrder><t:FieldOrder Order="{order}"><t:FieldURI FieldURI="persona:DisplayName"/></t:FieldOrder></m:SortOrder>'
    )
    assert find(office, "directory", more=sort).all("Persona/DisplayName")[0] == first


def test_pages(office: Office) -> None:
    found = find(office, "directory", view='MaxEntriesReturned="1" Offset="1" BasePoint="Beginning"')
    assert (found.all("Persona/DisplayName"), numbers(found)) == (["Bob Birch"], ["3", "1", "1"])
    last = find(office, "directory", view='MaxEntriesReturned="2" Offset="0" BasePoint="End"')
    assert (last.all("Persona/DisplayName"), numbers(last)) == (["Bob Birch", "Carl Cedar"], ["3", "1", "1"])
    assert find(office, "directory", view='MaxEntriesReturned="0" Offset="0" BasePoint="End"').codes != ["NoError"]


def test_shapes(office: Office) -> None:
    def elements(answer: Answer) -> set[str]:
        return {one.tag.rpartition("}")[2] for one in answer.element.find(".//{*}Persona")}

    office.contact(ZOE)
    assert elements(find(office, shape="IdOnly")) == {"PersonaId"}
    assert elements(find(office, shape="IdOnly", paths='<t:FieldURI FieldURI="persona:GivenName"/>')) == {
        "PersonaId",
        "GivenName",
    }
    assert {"MobilePhones", "Emails1", "Attributions", "FolderIds"} <= elements(find(office, shape="AllProperties"))


def test_other_folders_have_no_people(office: Office) -> None:
    assert find(office, "inbox").codes == ["ErrorInvalidFolderTypeForOperation"]


def test_a_persona_by_id(office: Office) -> None:
    office.contact(ZOE)
    for parent, name in (("contacts", "Zoe Yew"), ("directory", "Ann Alder")):
        identity = find(office, parent, "IdOnly").all("PersonaId@Id")[0]
        found = office.ask("GetPersona", f'<m:PersonaId Id="{identity}"/>')
        assert found.element.tag.endswith("}GetPersonaResponseMessage")
        assert (found.codes, found.all("Persona/DisplayName")[0], found.one("PersonaId@Id")) == (["NoError"], name, identity)


def test_a_persona_by_address(office: Office) -> None:
    by_address = "<m:EmailAddress><t:EmailAddress>{}</t:EmailAddress></m:EmailAddress>"
    assert office.ask("GetPersona", by_address.format(BOB)).all("Persona/DisplayName")[0] == "Bob Birch"
    assert office.ask("GetPersona", by_address.format("x@out.test")).codes == ["ErrorItemNotFound"]


def test_personas_that_are_not_there(office: Office) -> None:
    item, _ = office.contact(ZOE)
    identity = find(office, shape="IdOnly").one("PersonaId@Id")
    office.ask("DeleteItem", f'<m:ItemIds><t:ItemId Id="{item}"/></m:ItemIds>', attributes='DeleteType="HardDelete"')
    assert office.ask("GetPersona", f'<m:PersonaId Id="{identity}"/>').codes == ["ErrorItemNotFound"]
    assert office.ask("GetPersona", '<m:PersonaId Id="nonsense"/>').codes == ["ErrorInvalidIdMalformed"]
    assert office.ask("GetPersona", f'<m:PersonaId Id="{item}"/>').codes == ["ErrorInvalidId"]
    assert office.ask("GetPersona").codes == ["ErrorInvalidArgument"]


def test_personas_of_others_are_not_shown(office: Office) -> None:
    office.contact(ZOE)
    identity = find(office, shape="IdOnly").one("PersonaId@Id")
    assert office.ask("GetPersona", f'<m:PersonaId Id="{identity}"/>', who=BOB).codes == ["ErrorAccessDenied"]


# -- mail tips


def tips(office: Office, *addresses: str, asked: str | None = "All", who: str = ANN) -> Answer:
    boxes = "".join(f"<t:Mailbox><t:EmailAddress>{one}</t:EmailAddress></t:Mailbox>" for one in addresses)
    wanted = f"<m:MailTipsRequested>{asked}</m:MailTipsRequested>" if asked is not None else ""
    sender = f"<m:SendingAs><t:EmailAddress>{who}</t:EmailAddress></m:SendingAs>"
    return office.ask("GetMailTips", f"{sender}<m:Recipients>{boxes}</m:Recipients>{wanted}", who=who)


def test_a_recipient_about_whom_there_is_nothing_to_say(office: Office) -> None:
    found = tips(office, BOB)
    assert (found.classes, found.codes) == (["Success"] * 2, ["NoError"] * 2)
    told = found.element.find(".//{*}MailTips")
    names = [one.tag.rpartition("}")[2] for one in told]
    assert names[:2] == ["RecipientAddress", "PendingMailTips"]
    shown = {
        name: found.one(name)
        for name in ("MailboxFull", "InvalidRecipient", "DeliveryRestricted", "IsModerated", "TotalMemberCount")
    }
    assert set(shown.values()) == {"false", "1"}
    assert (found.one("OutOfOffice/ReplyBody/Message"), found.one("MaxMessageSize")) == ("", str(25 * 2**20))


def test_who_is_away(office: Office) -> None:
    now = office.world.clock.now()
    bob = office.world.directory.account(BOB)
    bob.actors.append(OutOfOffice("Scheduled", internal=OofReply("gone", "en"), start=now, end=now + timedelta(days=1)))
    found = tips(office, BOB, asked="OutOfOfficeMessage")
    assert found.one("ReplyBody/Message") == "gone"
    assert len(found.all("OutOfOffice/Duration")) == 1
    assert found.all("MailboxFull") == []


@pytest.mark.parametrize(
    ("audience", "sender", "text"),
    [
        ("All", ANN, "gone"), ("None", ANN, "gone"), ("All", "x@out.test", "closed"), ("None", "x@out.test", ""),
        ("Known", "x@out.test", ""), ("Known", "zoe@yew.test", "closed"),
    ],
)  # fmt: skip
def test_who_would_send_is_told_what_they_would_be_answered(office: Office, audience: Audience, sender: str, text: str) -> None:
    """SendingAs: people outside are answered as the mailbox's owner wants it."""
    office.contact(ZOE, who=BOB)
    replies = {"internal": OofReply("gone", "en"), "external": OofReply("closed", "en")}
    office.world.directory.account(BOB).actors.append(OutOfOffice("Enabled", audience, **replies))
    asked = (
        f"<m:SendingAs><t:EmailAddress>{sender}</t:EmailAddress></m:SendingAs><m:Recipients><t:Mailbox><t:EmailAddress>{BOB}"
        "</t:EmailAddress></t:Mailbox></m:Recipients><m:MailTipsRequested>OutOfOfficeMessage</m:MailTipsRequested>"
    )
    assert office.ask("GetMailTips", asked).one("OutOfOffice/ReplyBody/Message") == text


def test_what_the_directory_says(office: Office) -> None:
    office.world.directory.account(BOB).profile = Profile(mail_tip="slow reader", restricted=True, moderated=True)
    found = tips(office, BOB)
    assert (found.one("CustomMailTip"), found.one("DeliveryRestricted"), found.one("IsModerated")) == (
        "slow reader",
        "true",
        "true",
    )


def test_a_full_mailbox(office: Office) -> None:
    office.world.deliver(ANN, [BOB], b"Subject: x\r\n\r\n" + b"x" * 1000)
    office.world.set_quota(BOB, 500)
    assert tips(office, BOB, asked="MailboxFullStatus").one("MailboxFull") == "true"


def test_members_of_lists_are_counted(office: Office) -> None:
    office.world.add_group("inner@sim.test", [BOB, CARL, "y@out.test", "team@sim.test"])
    office.world.add_group("team@sim.test", [ANN, BOB, "inner@sim.test", "x@out.test"], name="Team")
    found = tips(office, "team@sim.test", asked="TotalMemberCount ExternalMemberCount")
    assert (found.one("TotalMemberCount"), found.one("ExternalMemberCount")) == ("5", "2")


@pytest.mark.parametrize(
    ("address", "invalid"), [("nobody@sim.test", "true"), ("x@out.test", "false"), ("nonsense", "true"), (BOB, "false")]
)
def test_addresses_that_will_come_back(office: Office, address: str, invalid: str) -> None:
    assert tips(office, address, asked="InvalidRecipient").one("InvalidRecipient") == invalid


def test_each_recipient_has_a_message_in_order(office: Office) -> None:
    found = tips(office, CARL, "x@out.test", BOB, asked=None)
    assert found.all("RecipientAddress/EmailAddress") == [CARL, "x@out.test", BOB]
    assert tips(office, *[BOB] * 51).codes == ["ErrorExceededMaxRecipientLimit"]
