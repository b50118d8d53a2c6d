"""ConvertId: what things are called in other formats (ews reference 5; MS-OXWSCVTID)."""

from __future__ import annotations

import base64

import pytest
from folders_scene import ANN, BOB, Asker, additional, ann, bob, mail, named, tag, world

from postroom_simulator import World
from postroom_simulator.ews.items.view import item_id
from postroom_simulator.ews.schema import type_named
from postroom_simulator.store.interface import Role

__all__ = ["ann", "bob", "world"]
FORMATS = list(type_named("IdFormatType").values)


def convert(one: str, source: str = "EwsId", to: str = "HexEntryId") -> str:
    return (
        f'<ConvertId DestinationFormat="{to}"><SourceIds><t:AlternateId Format="{source}" Id="{one}" Mailbox="whoever@x.test"/>'
        "</SourceIds></ConvertId>"
    )


def converted(asker: Asker, one: str, source: str = "EwsId", to: str = "HexEntryId") -> str:
    found = asker.one(convert(one, source, to))["AlternateId"]
    assert (found["@Format"], found["@Mailbox"]) == (to, ANN)
    return str(found["@Id"])


@pytest.fixture
def item(world: World) -> str:
    world.deliver("x@out.test", [ANN], mail("hello"))
    return str(item_id(world.store.items(world.store.folder(ANN, Role.INBOX).uid)[0])["@Id"])


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("to", FORMATS)
def test_every_format_becomes_every_other(ann: Asker, item: str, source: str, to: str) -> None:
    """Of an item and of a folder; the mailbox of the answer is the owner's, whatever the request says."""
    folder = ann.folder(named("inbox"))[1]["FolderId"]["@Id"]
    for one in (item, folder):
        there = converted(ann, converted(ann, one, "EwsId", source), source, to)
        assert converted(ann, there, to, "EwsId") == one
        assert (there == one) is (to == "EwsId")


def test_entry_ids_are_those_of_mapi(ann: Asker, item: str) -> None:
    """PidTagEntryId (0x0fff) of items and folders: 70 and 46 octets (MS-OXCDATA 2.2.4)."""
    entry = base64.b64decode(converted(ann, item, to="EntryId"))
    assert len(entry) == 70
    assert converted(ann, item) == entry.hex().upper()
    shape = f"<ItemShape><t:BaseShape>IdOnly</t:BaseShape>{additional(tag('0x0fff', 'Binary'))}</ItemShape>"
    shown = ann.one(f'<GetItem>{shape}<ItemIds><t:ItemId Id="{item}"/></ItemIds></GetItem>')["Items"][0][1]
    assert base64.b64decode(shown["ExtendedProperty"][0]["Value"]) == entry
    folder = ann.folder(named("inbox"), extra=tag("0x0fff", "Binary"))[1]
    octets = base64.b64decode(folder["ExtendedProperty"][0]["Value"], validate=True)
    assert len(octets) == 46
    assert base64.b64decode(converted(ann, folder["FolderId"]["@Id"], to="EntryId")) == octets


@pytest.mark.parametrize(
    ("one", "source", "code"),
    [
        ("", "EwsId", "ErrorInvalidIdEmpty"),
        ("DUMMY", "EwsId", "ErrorInvalidIdMalformed"),
        ("A" * 600, "EntryId", "ErrorInvalidIdMalformed"),
        ("xyz", "HexEntryId", "ErrorInvalidIdMalformed"),
        ("00" * 70, "HexEntryId", "ErrorInvalidIdMalformed"),
        ("AAAA", "EntryId", "ErrorInvalidIdMalformed"),
        ("AAAA", "StoreId", "ErrorInvalidIdMalformed"),
        ("AAAA", "OwaId", "ErrorInvalidIdMalformed"),
        ("AAAA", "EwsLegacyId", "ErrorInvalidIdMalformed"),
        ("%%%", "OwaId", "ErrorInvalidIdMalformed"),
        (
            "00000000" + "11" * 16 + "0001" + "00" * 12 + "0000000000000005" + "00000000",
            "HexEntryId",
            "ErrorNonExistentMailbox",
        ),
    ],
)
def test_ids_that_are_none(ann: Asker, one: str, source: str, code: str) -> None:
    assert ann.code(convert(one, source, "EwsId")) == code


def test_what_has_no_entry_id(world: World, ann: Asker, item: str) -> None:
    world.store.delete([world.store.items(world.store.folder(ANN, Role.INBOX).uid)[0].uid])
    assert ann.code(convert(item)) == "ErrorItemNotFound"
    assert ann.one(convert(item, to="EwsLegacyId"))
    public = '<t:AlternatePublicFolderId Format="EwsId" FolderId="AAAA"/>'
    assert (
        ann.code(f'<ConvertId DestinationFormat="EntryId"><SourceIds>{public}</SourceIds></ConvertId>')
        == "ErrorInvalidOperation"
    )


def test_of_an_archive_and_of_others(world: World, ann: Asker, bob: Asker) -> None:
    world.store.open_archive(ANN)
    one = ann.folder(named("archiveinbox"))[1]["FolderId"]["@Id"]
    assert ann.one(convert(one))["AlternateId"]["@IsArchive"] is True
    assert "@IsArchive" not in ann.one(convert(ann.folder(named("inbox"))[1]["FolderId"]["@Id"]))["AlternateId"]
    theirs = bob.folder(named("inbox"))[1]["FolderId"]["@Id"]
    assert ann.one(convert(theirs))["AlternateId"]["@Mailbox"] == BOB
