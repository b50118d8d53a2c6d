"""Everything that a persona tells of a contact, and of somebody in the directory (ews reference 12; MS-OXWSPERS); the archive is another mailbox."""

from __future__ import annotations

import pytest
from people_scene import ANN, BOB, Answer, Office, office
from test_ews_people import find

from postroom_simulator.people import Profile
from postroom_simulator.store.interface import Role

__all__ = ["office"]

DORA = (
    "<t:FileAsMapping>LastCommaFirst</t:FileAsMapping><t:DisplayName>Dora Elm</t:DisplayName><t:GivenName>Dora</t:GivenName>"
    "<t:CompanyName>Elms</t:CompanyName><t:PhysicalAddresses>"
    '<t:Entry Key="Business"><t:Street>1 Way</t:Street><t:City>Bern</t:City><t:CountryOrRegion>CH</t:CountryOrRegion></t:Entry>'
    '<t:Entry Key="Other"><t:City>Ulm</t:City></t:Entry></t:PhysicalAddresses><t:Birthday>1980-02-03T00:00:00Z</t:Birthday>'
    "<t:Children><t:String>Eve</t:String><t:String>Fay</t:String></t:Children><t:Surname>Elm</t:Surname>"
    "<t:WeddingAnniversary>2001-04-05T00:00:00Z</t:WeddingAnniversary>"
)
NOTE = '<t:Body BodyType="Text">likes trees</t:Body>'
PREFIX = '<t:ExtendedFieldURI PropertyTag="0x3A45" PropertyType="String"/>'


def get(office: Office, answer: Answer, more: str = "", version: str = "Exchange2016") -> Answer:
    identity = answer.all("PersonaId@Id")[0]
    return office.ask("GetPersona", f'<m:PersonaId Id="{identity}"/>{more}', version=version)


def test_a_contact_with_everything(office: Office) -> None:
    office.contact(NOTE + f"<t:ExtendedProperty>{PREFIX}<t:Value>Dr.</t:Value></t:ExtendedProperty>" + DORA)
    found = get(office, find(office, shape="IdOnly"))
    assert found.codes == ["NoError"]
    shown = {
        name: found.all(name)
        for name in (
            "FileAsId", "FileAsIds/Value", "DisplayNamePrefix", "DisplayNamePrefixes/Value", "Birthdays/Value",
            "WeddingAnniversaries/Value", "Children/Values/Value", "Bodies/BodyContentAttributedValue/Value/BodyType",
            "BusinessAddresses/FormattedAddress", "BusinessAddresses/Country", "OtherAddresses/Type", "OtherAddresses/City", "WorkCity",
        )
    }  # fmt: skip
    assert shown == {
        "FileAsId": ["LastCommaFirst"],
        "FileAsIds/Value": ["LastCommaFirst"],
        "DisplayNamePrefix": ["Dr."],
        "DisplayNamePrefixes/Value": ["Dr."],
        "Birthdays/Value": ["1980-02-03T00:00:00Z"],
        "WeddingAnniversaries/Value": ["2001-04-05T00:00:00Z"],
        "Children/Values/Value": ["Eve", "Fay"],
        "Bodies/BodyContentAttributedValue/Value/BodyType": ["Text"],
        "BusinessAddresses/FormattedAddress": ["1 Way, Bern, CH"],
        "BusinessAddresses/Country": ["CH"],
        "OtherAddresses/Type": ["Other"],
        "OtherAddresses/City": ["Ulm"],
        "WorkCity": ["Bern"],
    }
    assert found.all("Bodies/BodyContentAttributedValue/Value/Value") == ["likes trees"]
    assert set(found.all("Attributions/Attribution")) >= {"0"}


def test_keys_to_sort_by(office: Office) -> None:
    office.contact(DORA)
    found = get(office, find(office, shape="IdOnly"))
    keys = ("DisplayNameFirstLast", "DisplayNameLastFirst", "CompanyName", "WorkCity")
    assert [found.one(f"{name}SortKey") for name in keys] == ["Dora Elm", "Elm, Dora", "Elms", "Bern"]
    assert (found.one("DisplayNameFirstLastHeader"), found.one("DisplayNameLastFirstHeader")) == ("D", "E")


@pytest.mark.parametrize(("name", "letter"), [("élan", ["É"]), ("42", ["#"]), ("", [])])
def test_letters_of_lists(office: Office, name: str, letter: list[str]) -> None:
    office.contact(f"<t:DisplayName>{name}</t:DisplayName>")
    assert get(office, find(office, shape="IdOnly")).all("DisplayNameFirstLastHeader") == letter


def test_somebody_of_the_directory(office: Office) -> None:
    office.world.directory.account(ANN).profile = Profile(
        initials="A.",
        city="Bern",
        street="1 Way",
        assistant="Bea",
        manager=BOB,
        notes="knows all",
        phones={"BusinessFax": "12"},
    )
    found = get(office, find(office, "directory", "IdOnly", query="Ann"))
    assert found.all("DisplayName")[0] == "Ann Alder"
    shown = {
        "Initials/Value": "A.", "AssistantNames/Value": "Bea", "Managers/Value": "Bob Birch", "WorkFaxes/Number": "12",
        "BusinessAddresses/Street": "1 Way", "Bodies/BodyContentAttributedValue/Value/Value": "knows all", "GivenName": "Ann",
        "Surname": "Alder",
    }  # fmt: skip
    assert {name: found.one(name) for name in shown} == shown


def test_extended_properties_that_are_asked_for(office: Office) -> None:
    """AdditionalProperties of 2016; of FindPeople in its shape."""
    office.contact(f"<t:ExtendedProperty>{PREFIX}<t:Value>Dr.</t:Value></t:ExtendedProperty>" + DORA)
    asked = f"<m:AdditionalProperties>{PREFIX}</m:AdditionalProperties>"
    found = get(office, find(office, shape="IdOnly"), asked)
    assert found.all("ExtendedProperties/ExtendedPropertyAttributedValue/Value/Value") == ["Dr."]
    assert found.all("ExtendedFieldURI@PropertyTag") == ["0x3A45"]
    listed = find(office, shape="IdOnly", paths=PREFIX)
    assert listed.all("ExtendedProperties/ExtendedPropertyAttributedValue/Value/Value") == ["Dr."]
    assert get(office, find(office, "directory", "IdOnly"), asked).all("ExtendedProperties") == []
    assert find(office, shape="IdOnly").all("ExtendedProperties") == []


def test_contacts_of_an_archive_are_in_another_mailbox(office: Office) -> None:
    store = office.world.store
    office.contact(DORA)
    store.open_archive(ANN)
    folder = store.create_folder(store.folder(ANN, Role.ARCHIVE_TOP).uid, "Old", "IPF.Contact")
    here = store.items(store.folder(ANN, Role.CONTACTS).uid)[0]
    store.copy(here.uid, folder.uid)
    assert find(office, "root").all("Persona/DisplayName") == ["Dora Elm"]
    assert find(office, "").all("Persona/DisplayName") == ["Ann Alder", "Bob Birch", "Carl Cedar", "Dora Elm"]
