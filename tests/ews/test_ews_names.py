"""ResolveNames and ExpandDL: ews reference 12."""

from __future__ import annotations

import pytest
from people_scene import ANN, BOB, Answer, Office

from postroom_simulator import World
from postroom_simulator.people import Profile


def resolve(office: Office, typed: str, *, full: str = "false", more: str = "", folders: str = "", **options: str) -> Answer:
    return office.ask(
        "ResolveNames",
        f"{folders}<m:UnresolvedEntry>{typed}</m:UnresolvedEntry>",
        attributes=f'ReturnFullContactData="{full}" {more}',
        **options,
    )


@pytest.mark.parametrize(
    "typed",
    [
        "Ann Alder", "ann", "ANN AL", "alder", "ald ann", "ann@sim.test", "ann@sim", "smtp:ann@sim.test", "SMTP:ann", "anna.work@",
        "  ann   alder ",
    ],
)  # fmt: skip
def test_prefixes_of_name_alias_and_address_match(office: Office, typed: str) -> None:
    office.world.change_addresses(ANN, aliases=["anna.work@sim.test"])
    found = resolve(office, typed)
    assert (found.classes, found.codes) == (["Success"], ["NoError"])
    assert found.all("Mailbox/EmailAddress") == [ANN]


@pytest.mark.parametrize("typed", ["lder", "nn", "im.test", "smtp:alder", "ann ann", "zzz", " ", "smtp:"])
def test_what_is_no_prefix_finds_nobody_and_is_an_error(office: Office, typed: str) -> None:
    found = resolve(office, typed)
    assert (found.classes, found.codes) == (["Error"], ["ErrorNameResolutionNoResults"])
    assert found.one("MessageText") == "No results were found."
    assert found.all("ResolutionSet") == []


def test_several_are_a_warning_with_the_set(office: Office) -> None:
    office.world.add_account("annika@sim.test", "pw", name="Annika Ash")
    found = resolve(office, "ann")
    assert (found.classes, found.codes) == (["Warning"], ["ErrorNameResolutionMultipleResults"])
    assert found.all("Mailbox/EmailAddress") == [ANN, "annika@sim.test"]
    assert found.one("ResolutionSet@TotalItemsInView") == "2"
    assert found.one("ResolutionSet@IncludesLastItemInRange") == "true"


def test_a_whole_address_means_its_owner_alone(office: Office) -> None:
    office.world.add_account("ann@sim.test.org", "pw", name="Other")
    assert resolve(office, "ann@sim.test").codes == ["NoError"]


def test_a_hundred_at_most(office: Office) -> None:
    for number in range(120):
        office.world.add_account(f"many{number}@sim.test", "pw")
    found = resolve(office, "many")
    assert len(found.all("Resolution")) == 100
    assert found.one("ResolutionSet@IncludesLastItemInRange") == "false"
    assert found.codes == ["ErrorNameResolutionMultipleResults"]


def test_a_mailbox_says_what_it_is(office: Office) -> None:
    office.world.add_group("team@sim.test", [ANN], name="Team")
    found = resolve(office, "team")
    assert found.one("MailboxType") == "PublicDL"
    assert (found.one("Name"), found.one("RoutingType")) == ("Team", "SMTP")
    assert resolve(office, "bob").one("MailboxType") == "Mailbox"


def test_hidden_people_are_not_found(office: Office) -> None:
    office.world.directory.account(BOB).profile = Profile(hidden=True)
    assert resolve(office, "bob").codes == ["ErrorNameResolutionNoResults"]
    assert resolve(office, BOB).codes == ["ErrorNameResolutionNoResults"]


def test_full_contact_data(office: Office) -> None:
    office.world.change_addresses(BOB, aliases=["b@sim.test"])
    office.world.directory.account(BOB).profile = Profile(
        given_name="Bob", surname="Birch", title="Baker", department="Bread", company="Sim", office="B1", phones={"MobilePhone": "12"},
        city="Bern", manager=ANN, photo=b"jpg", notes="rises early",
    )  # fmt: skip
    found = resolve(office, "bob", full="true")
    assert found.all("EmailAddresses/Entry") == ["SMTP:bob@sim.test", "smtp:b@sim.test"]
    assert found.all("EmailAddresses/Entry@Key") == ["EmailAddress1", "EmailAddress2"]
    shown = {
        name: found.one(f"Contact/{name}")
        for name in ("DisplayName", "GivenName", "Surname", "JobTitle", "Department", "ContactSource")
    }
    assert shown == {
        "DisplayName": "Bob Birch", "GivenName": "Bob", "Surname": "Birch", "JobTitle": "Baker", "Department": "Bread",
        "ContactSource": "ActiveDirectory",
    }  # fmt: skip
    assert (found.one("PhoneNumbers/Entry"), found.one("City"), found.one("Manager")) == ("12", "Bern", "Ann Alder")
    assert found.all("Contact/Alias") == []
    whole = resolve(office, "bob", full="true", more='ContactDataShape="AllProperties"')
    assert (whole.one("Contact/Alias"), whole.one("Contact/Notes"), whole.one("HasPicture")) == ("bob", "rises early", "true")
    assert whole.one("ManagerMailbox/Mailbox/EmailAddress") == ANN
    old = resolve(office, "bob", full="true", more='ContactDataShape="AllProperties"', version="Exchange2010_SP1")
    assert old.status == 500 or old.all("Contact/Alias") == []


def test_without_full_data_there_is_no_contact(office: Office) -> None:
    assert resolve(office, "bob").all("Contact") == []


BOBBY = (
    "<t:DisplayName>Bobby Far</t:DisplayName><t:EmailAddresses>"
    '<t:Entry Key="EmailAddress1">bobby@far.test</t:Entry></t:EmailAddresses>'
)


@pytest.mark.parametrize(
    ("scope", "found"),
    [
        ("ActiveDirectory", [BOB]),
        ("Contacts", ["bobby@far.test"]),
        ("ActiveDirectoryContacts", [BOB, "bobby@far.test"]),
        ("ContactsActiveDirectory", ["bobby@far.test", BOB]),
        ("", [BOB, "bobby@far.test"]),
    ],
)
def test_scopes(office: Office, scope: str, found: list[str]) -> None:
    office.contact(BOBBY)
    answer = resolve(office, "bob", more=f'SearchScope="{scope}"' if scope else "")
    assert answer.all("Mailbox/EmailAddress") == found


def test_a_contact_comes_with_its_item(office: Office) -> None:
    item, _ = office.contact(BOBBY)
    found = resolve(office, "bobby", full="true")
    assert (found.one("MailboxType"), found.one("Mailbox/ItemId@Id")) == ("Contact", item)
    assert found.one("Contact/DisplayName") == "Bobby Far"


@pytest.mark.parametrize(
    ("typed", "found"),
    [("zoe", ["a@x.test", "b@x.test"]), ("b@", ["b@x.test"]), ("smtp:b@x.test", ["b@x.test"]), ("a@", ["a@x.test"])],
)
def test_of_several_addresses_those_that_fit_or_all(office: Office, typed: str, found: list[str]) -> None:
    entries = "".join(f'<t:Entry Key="EmailAddress{n}">{text}@x.test</t:Entry>' for n, text in enumerate("ab", 1))
    office.contact(f"<t:DisplayName>Zoe Yew</t:DisplayName><t:EmailAddresses>{entries}</t:EmailAddresses>")
    answer = resolve(office, typed)
    code = "NoError" if len(found) == 1 else "ErrorNameResolutionMultipleResults"
    assert (answer.codes, answer.all("Mailbox/EmailAddress")) == ([code], found)


def test_contacts_of_others_are_not_searched(office: Office) -> None:
    office.contact(BOBBY)
    assert resolve(office, "bobby", who=BOB).codes == ["ErrorNameResolutionNoResults"]


def test_a_contact_without_an_address_has_no_mailbox(office: Office) -> None:
    office.contact("<t:DisplayName>Nora None</t:DisplayName>")
    assert resolve(office, "nora").codes == ["ErrorNameResolutionNoMailbox"]


def test_a_private_list_is_found_by_name(office: Office) -> None:
    item, _ = office.contact("<t:DisplayName>Chess club</t:DisplayName>", element="DistributionList")
    found = resolve(office, "chess")
    assert (found.one("MailboxType"), found.one("RoutingType"), found.one("Mailbox/ItemId@Id")) == (
        "PrivateDL",
        "MAPIPDL",
        item,
    )


def test_one_folder_of_contacts_may_be_named(office: Office) -> None:
    contacts = '<t:DistinguishedFolderId Id="contacts"/>'
    office.contact(BOBBY)
    one = resolve(office, "bobby", folders=f"<m:ParentFolderIds>{contacts}</m:ParentFolderIds>")
    assert one.codes == ["NoError"]
    two = resolve(office, "bobby", folders=f"<m:ParentFolderIds>{contacts * 2}</m:ParentFolderIds>")
    assert two.codes == ["ErrorResolveNamesOnlyOneContactsFolderAllowed"]
    wrong = resolve(office, "bobby", folders='<m:ParentFolderIds><t:DistinguishedFolderId Id="inbox"/></m:ParentFolderIds>')
    assert wrong.codes == ["ErrorResolveNamesInvalidFolderType"]


# -- lists


def expand(office: Office, inner: str, **options: str) -> Answer:
    return office.ask("ExpandDL", f"<m:Mailbox>{inner}</m:Mailbox>", **options)


def test_a_public_list_expands_by_address(office: Office) -> None:
    office.world.add_group("inner@sim.test", [BOB], name="Inner")
    office.world.add_group("team@sim.test", [ANN, "inner@sim.test", "x@out.test"], name="Team")
    found = expand(office, "<t:EmailAddress>team@sim.test</t:EmailAddress>")
    assert found.codes == ["NoError"]
    assert found.all("EmailAddress") == [ANN, "inner@sim.test", "x@out.test"]
    assert found.all("MailboxType") == ["Mailbox", "PublicDL", "Contact"]
    assert (found.one("DLExpansion@TotalItemsInView"), found.one("DLExpansion@IncludesLastItemInRange")) == ("3", "true")


@pytest.mark.parametrize("address", ["nobody@sim.test", BOB])
def test_what_is_no_list_does_not_expand(office: Office, address: str) -> None:
    assert expand(office, f"<t:EmailAddress>{address}</t:EmailAddress>").codes == ["ErrorNameResolutionNoResults"]


def test_a_private_list_expands_by_item(office: Office) -> None:
    members = "".join(
        f"<t:Member><t:Mailbox><t:EmailAddress>{one}</t:EmailAddress></t:Mailbox></t:Member>" for one in (BOB, "x@out.test")
    )
    item, _ = office.contact(f"<t:DisplayName>Mine</t:DisplayName><t:Members>{members}</t:Members>", element="DistributionList")
    found = expand(office, f'<t:ItemId Id="{item}"/>')
    assert found.all("EmailAddress") == [BOB, "x@out.test"]
    assert expand(office, f'<t:ItemId Id="{item}"/>', who=BOB).codes == ["ErrorAccessDenied"]


def test_an_item_that_is_no_list_does_not_expand(office: Office) -> None:
    item, _ = office.contact(BOBBY)
    assert expand(office, f'<t:ItemId Id="{item}"/>').codes == ["ErrorInvalidItemForOperationExpandDL"]


def test_nothing_of_a_world_shows_in_another() -> None:
    with World() as one, World() as two:
        one.add_account(ANN, "pw")
        two.add_account(BOB, "pw")
        assert resolve(Office(one), "bob").codes == ["ErrorNameResolutionNoResults"]


@pytest.mark.parametrize(
    ("name", "given", "surname"),
    [
        ("Dora Maria Elm", ["Dora Maria"], ["Elm"]),
        ("Elm, Dora", ["Dora"], ["Elm"]),
        ("Dora", [], []),
        ("", [], []),
    ],
)
def test_parts_of_a_name_that_nobody_said(office: Office, name: str, given: list[str], surname: list[str]) -> None:
    """Directory clients look for people by them (our choice)."""
    office.world.add_account("dora@sim.test", "pw", name=name)
    found = resolve(office, "dora", full="true")
    assert (found.all("Contact/GivenName"), found.all("Contact/Surname")) == (given, surname)


def test_what_a_profile_says_of_a_name_is_all_there_is(office: Office) -> None:
    office.world.add_account("dora@sim.test", "pw", name="Dora Elm")
    office.world.directory.account("dora@sim.test").profile = Profile(surname="Oak")
    found = resolve(office, "oak", full="true")
    assert (found.all("Contact/GivenName"), found.all("Contact/Surname")) == ([], ["Oak"])


def test_rooms_and_groups_have_no_surname(office: Office) -> None:
    office.world.add_account("room@sim.test", "pw", name="Room Seven").is_room = True
    office.world.add_group("team@sim.test", [ANN], name="The Team")
    assert resolve(office, "room", full="true").all("Contact/Surname") == []
    assert resolve(office, "team@sim.test", full="true").all("Contact/Surname") == []


@pytest.mark.parametrize("shape", ["IdOnly", "Default", "AllProperties"])
def test_shapes_of_contacts(office: Office, shape: str) -> None:
    office.contact(BOBBY + "<t:JobTitle>baker</t:JobTitle>")
    found = resolve(office, "bobby", full="true", more=f'SearchScope="Contacts" ContactDataShape="{shape}"')
    assert found.codes == ["NoError"]
    assert found.all("Contact/ItemId@Id") == found.all("Mailbox/ItemId@Id")
    assert found.all("Contact/JobTitle") == ([] if shape == "IdOnly" else ["baker"])
    someone = resolve(office, "carl", full="true", more=f'SearchScope="ActiveDirectory" ContactDataShape="{shape}"')
    assert someone.one("Contact/DisplayName") == "Carl Cedar"
    assert someone.all("Contact/Surname") == ([] if shape == "IdOnly" else ["Cedar"])
