"""exchangelib and people: contacts, lists, names, personas."""

from __future__ import annotations

import pytest
from exchangelib import Contact, DistributionList, DLMailbox, EWSDate, FileAttachment, FolderCollection, Mailbox
from exchangelib.errors import (
    ErrorInvalidIdMalformed,
    ErrorItemNotFound,
    ErrorNameResolutionNoResults,
)
from exchangelib.indexed_properties import EmailAddress, PhoneNumber, PhysicalAddress
from exchangelib.items import Persona
from exchangelib.properties import Member
from exchangelib_scene import ANN, BOB


def card(ann, **given):
    values = {
        "display_name": "Carl Cedar",
        "given_name": "Carl",
        "surname": "Cedar",
        "company_name": "Cedar & Sons",
        "job_title": "Carpenter",
        "birthday": EWSDate(1980, 5, 17),
        "email_addresses": [
            EmailAddress(label="EmailAddress1", email="carl@cedar.test"),
            EmailAddress(label="EmailAddress2", email="cc@home.test"),
        ],
        "phone_numbers": [
            PhoneNumber(label="MobilePhone", phone_number="+45 1234"),
            PhoneNumber(label="BusinessPhone", phone_number="99"),
        ],
        "physical_addresses": [
            PhysicalAddress(label="Business", street="Main St 1", city="Aarhus", country="DK", zipcode="8000")
        ],
        "categories": ["wood"],
        "body": "knows wood",
    }
    return Contact(account=ann, folder=ann.contacts, **(values | given))


def test_a_contact(exchange):
    ann = exchange.account()
    card(ann).save()
    found = ann.contacts.get(display_name="Carl Cedar")
    assert (found.given_name, found.surname, found.company_name, found.birthday) == (
        "Carl",
        "Cedar",
        "Cedar & Sons",
        EWSDate(1980, 5, 17),
    )
    assert {(one.label, one.email) for one in found.email_addresses} >= {
        ("EmailAddress1", "carl@cedar.test"),
        ("EmailAddress2", "cc@home.test"),
    }
    assert {one.label: one.phone_number for one in found.phone_numbers if one.phone_number} == {
        "MobilePhone": "+45 1234",
        "BusinessPhone": "99",
    }
    (address,) = [one for one in found.physical_addresses if one.city]
    assert (address.label, address.street, address.zipcode) == ("Business", "Main St 1", "8000")
    assert (found.complete_name.first_name, found.complete_name.last_name) == ("Carl", "Cedar")
    assert found.file_as

    found.email_addresses = [EmailAddress(label="EmailAddress1", email="new@cedar.test")]
    found.phone_numbers = None
    found.physical_addresses[0].city = "Odense"
    found.save()
    found.refresh()
    assert [(one.label, one.email) for one in found.email_addresses if one.email] == [("EmailAddress1", "new@cedar.test")]
    assert not [one for one in found.phone_numbers or [] if one.phone_number]
    assert [one.city for one in found.physical_addresses if one.city] == ["Odense"]
    found.delete()
    assert ann.contacts.all().count() == 0


def test_its_mime_content_is_a_card(exchange):
    ann = exchange.account()
    card(ann).save()
    text = ann.contacts.get(display_name="Carl Cedar").mime_content
    assert text.startswith(b"BEGIN:VCARD")
    assert b"carl@cedar.test" in text


def test_searching_contacts(exchange):
    ann = exchange.account()
    card(ann).save()
    card(ann, display_name="Dora Dogwood", given_name="Dora", surname="Dogwood", company_name="Woods").save()
    assert ann.contacts.filter(surname__startswith="Dog").get().given_name == "Dora"
    assert [one.surname for one in ann.contacts.all().order_by("-surname")] == ["Dogwood", "Cedar"]
    assert ann.contacts.filter(company_name="Woods").count() == 1


def test_a_picture(exchange):
    ann = exchange.account()
    item = card(ann).save()
    item.attach(FileAttachment(name="ContactPicture.jpg", content=b"\xff\xd8\xff", is_contact_photo=True))
    found = ann.contacts.get(display_name="Carl Cedar")
    assert found.has_picture
    (one,) = found.attachments
    assert one.is_contact_photo


def test_a_list(exchange):
    ann = exchange.account()
    members = [
        Member(mailbox=Mailbox(name="Bob", email_address=BOB, mailbox_type="OneOff")),
        Member(mailbox=Mailbox(email_address="x@out.test", mailbox_type="OneOff")),
    ]
    DistributionList(account=ann, folder=ann.contacts, display_name="Team", members=members).save()
    (found,) = ann.contacts.all()
    assert isinstance(found, DistributionList)
    assert {one.mailbox.email_address for one in found.members} == {BOB, "x@out.test"}
    expanded = ann.protocol.expand_dl(DLMailbox(item_id=found._id, mailbox_type="PrivateDL"))
    assert {one.email_address for one in expanded} == {BOB, "x@out.test"}
    found.members = found.members[:1]
    found.save()
    found.refresh()
    assert len(found.members) == 1


def test_a_group_of_the_directory(exchange):
    exchange.world.add_group("team@sim.test", [ANN, BOB], name="Team")
    ann = exchange.account()
    assert {one.email_address for one in ann.protocol.expand_dl("team@sim.test")} == {ANN, BOB}


def test_resolving_names(exchange):
    ann = exchange.account()
    assert ann.version  # this call cannot be a connection's first: exchangelib wants to know the version
    (found,) = ann.protocol.resolve_names(["bob"])
    assert (found.email_address, found.name, found.mailbox_type) == (BOB, "Bob Birch", "Mailbox")
    card(ann, display_name="Bobby Contact", given_name="Bobby", surname="Contact").save()
    several = ann.protocol.resolve_names(["bob"], search_scope="ActiveDirectoryContacts")
    assert {one.email_address for one in several} >= {BOB}
    ((mailbox, contact),) = ann.protocol.resolve_names(["smtp:bob@sim.test"], return_full_contact_data=True)
    assert mailbox.email_address == BOB
    assert contact.display_name == "Bob Birch"
    (none,) = ann.protocol.resolve_names(["nobody at all"])
    assert isinstance(none, ErrorNameResolutionNoResults)
    assert [one.email_address for one in ann.protocol.resolve_names([ANN, BOB])] == [ANN, BOB]
    scoped = ann.protocol.resolve_names(["Bobby"], parent_folders=[ann.contacts], search_scope="Contacts")
    assert {one.email_address for one in scoped} == {"carl@cedar.test", "cc@home.test"}


def test_personas(exchange):
    ann = exchange.account()
    card(ann).save()
    found = list(ann.contacts.people())
    assert [one.display_name for one in found] == ["Carl Cedar"]
    assert all(isinstance(one, Persona) for one in found)
    assert ann.contacts.people().filter(display_name="Carl Cedar").count() == 1
    assert ann.contacts.people().filter(display_name="Nobody").count() == 0
    (whole,) = ann.fetch_personas(found)
    assert whole.display_name == "Carl Cedar"
    assert [one.id for one in FolderCollection(account=ann, folders=[ann.contacts]).people()] == [found[0].id]


def test_people_of_the_directory(exchange):
    ann = exchange.account()
    assert [one.display_name for one in ann.directory.people().filter("Bob")] == ["Bob Birch"]


def test_an_unknown_persona(exchange):
    ann = exchange.account()
    with pytest.raises((ErrorItemNotFound, ErrorInvalidIdMalformed)):
        list(ann.fetch_personas([Persona(id="AAMkbm8=")]))
