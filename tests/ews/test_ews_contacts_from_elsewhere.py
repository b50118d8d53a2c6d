"""Contacts that no client made: from files, made up, put there by tests."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from people_scene import ANN, BOB, Office

from postroom_simulator import Role, World
from postroom_simulator.errors import ImportProblem
from postroom_simulator.ews.items.view import properties_of
from postroom_simulator.ews.people.adding import add_contact, add_list, assert_contact, call_for, contacts_of
from postroom_simulator.imports import import_into
from postroom_simulator.populate import populate

CARDS = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:one\r\nFN:Zoe Yew\r\nN:Yew;Zoe;;;\r\nEMAIL:zoe@yew.test\r\nEND:VCARD\r\n"
    "BEGIN:VCARD\nVERSION:2.1\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=B6rg\nTEL;CELL:123\nEND:VCARD\n"
    "BEGIN:VCARD\r\nVERSION:4.0\r\nKIND:group\r\nFN:Club\r\nMEMBER:urn:uuid:one\r\nMEMBER:mailto:x@out.test\r\nEND:VCARD\r\n"
    "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:urn:uuid:two\r\nFN:Later Than\r\n  Her Group\r\nEND:VCARD\r\n"
)


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_of_vcards(tmp_path: Path, office: Office, packed: bool) -> None:
    path = tmp_path / ("cards.vcf.gz" if packed else "cards.vcf")
    path.write_bytes(gzip.compress(CARDS.encode()) if packed else CARDS.encode())
    items = import_into(office.world, ANN, path)
    assert [item.item_class for item in items] == ["IPM.Contact"] * 3 + ["IPM.DistList"]
    assert_contact(office.world, ANN, DisplayName="Zoe Yew", EmailAddress1="zoe@yew.test")
    assert_contact(office.world, ANN, GivenName="Jörg", Surname="Müller", MobilePhone="123")
    assert_contact(office.world, ANN, DisplayName="Later Than Her Group")
    members = properties_of(call_for(office.world, ANN), items[3])["Members"]["Member"]
    assert [one["Mailbox"]["EmailAddress"] for one in members] == ["zoe@yew.test", "x@out.test"]


def test_a_file_without_vcards(tmp_path: Path, office: Office) -> None:
    path = tmp_path / "cards.vcf"
    path.write_text("nothing\nBEGIN:VCARD\nFN:never ends\n")
    with pytest.raises(ImportProblem, match="no vCard"):
        import_into(office.world, ANN, path)
    with pytest.raises(ImportProblem, match=r"missing\.vcf"):
        import_into(office.world, ANN, tmp_path / "missing.vcf")


def test_single_cards_that_cannot_be_read(tmp_path: Path, office: Office) -> None:
    path = tmp_path / "cards.vcf"
    path.write_text(f"BEGIN:VCARD\r\nFN:{'x' * 3000}\r\nEND:VCARD\r\n{CARDS}")
    with pytest.raises(ImportProblem, match=r"cards\.vcf#1: "):
        import_into(office.world, ANN, path)
    assert len(contacts_of(office.world, ANN)) == 3
    told: list[ImportProblem] = []
    assert len(import_into(office.world, BOB, path, complain=told.append)) == 4
    assert len(told) == 1


def test_a_contact_put_there_is_seen_by_clients(office: Office) -> None:
    add_contact(office.world, ANN, GivenName="Zoe", Surname="Yew", emails=["z@x.test", "y@x.test"], phones={"Pager": "7"})
    add_list(office.world, ANN, "Club", [BOB])
    parent = '<m:ParentFolderIds><t:DistinguishedFolderId Id="contacts"/></m:ParentFolderIds>'
    shape = "<m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape>"
    found = office.ask("FindItem", shape + parent, attributes='Traversal="Shallow"')
    assert set(found.all("DisplayName")) == {"Zoe Yew", "Club"}
    assert found.all("EmailAddresses/Entry") == ["z@x.test", "y@x.test"]


def test_the_nearest_contact_is_named(office: Office) -> None:
    with pytest.raises(AssertionError, match="no contact at all"):
        assert_contact(office.world, ANN, Surname="Yew")
    add_contact(office.world, ANN, GivenName="Zoe", Surname="Yew")
    add_contact(office.world, ANN, GivenName="Bo", Surname="Oak")
    assert assert_contact(office.world, ANN, Surname="Yew")["GivenName"] == "Zoe"
    with pytest.raises(AssertionError, match="GivenName: 'Zoe', not 'Zoë'"):
        assert_contact(office.world, ANN, GivenName="Zoë", Surname="Yew")
    add_contact(office.world, ANN, GivenName="Zed", Surname="Yew")
    with pytest.raises(AssertionError, match="2 contacts"):
        assert_contact(office.world, ANN, Surname="Yew")


def test_made_up_address_books() -> None:
    def made(seed: int, contacts: int = 5) -> tuple[World, list[list[dict[str, str]]]]:
        world = World()
        population = populate(world, 3, 10, seed=seed, contacts=contacts)
        assert len(population.contacts) == 3 * (contacts + (contacts >= 3))
        return world, [contacts_of(world, account.address) for account in population.accounts]

    (world, books), (_, again), (_, other) = made(1), made(1), made(2)
    assert books == again
    assert books != other
    assert all(len(book) == 5 for book in books)
    profiles = [account.profile for account in world.directory.accounts()]
    assert all(one.given_name and one.surname and one.title and one.phones for one in profiles)
    without = World()
    populate(without, 3, 10, seed=1)
    for account in world.directory.accounts():
        assert without.inbox(account.address) == world.inbox(account.address)
        folder = without.store.folder(account.address, Role.CONTACTS)
        assert not without.store.items(folder.uid)


def test_negative_numbers_of_contacts_make_no_sense() -> None:
    with pytest.raises(ValueError, match="contacts"):
        populate(World(), 1, 0, contacts=-1)
