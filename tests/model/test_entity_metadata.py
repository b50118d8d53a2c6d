"""The published metadata, read from the reference page itself and compared with the classes."""

from __future__ import annotations

import dataclasses
import re
from enum import IntEnum
from pathlib import Path

import pytest

from postroom.errors import RecordError, UnknownEntity
from postroom.model import (
    ENTITIES,
    Email,
    EmailServerProfile,
    EmailState,
    EmailStatus,
    GenericRecord,
    Kind,
    Lookup,
    Mailbox,
    Organization,
    Record,
    address_key,
    attributes_of,
    entity_class,
    options,
)
from postroom.model.addresses import EmailColumns

REFERENCE = Path(__file__).parents[2] / "docs/reference/server-side-sync.md"
LETTERS = {
    "S": {Kind.STRING},
    "M": {Kind.MEMO},
    "B": {Kind.BOOLEAN},
    "I": {Kind.INTEGER},
    "P": {Kind.PICKLIST},
    "L": {Kind.LOOKUP},
    "DT": {Kind.MOMENT},
}


def rows(section: str) -> list[list[str]]:
    """The table rows of a section: cells without the outer bars."""
    text = REFERENCE.read_text(encoding="utf-8")
    body = text.split(f"### {section} ", 1)[1].split("\n### ", 1)[0]
    lines = [line for line in body.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in lines[1:]]


def plain(section: str) -> list[tuple[str, str]]:
    """(attribute, type cell) of the rows that name one attribute, or two as `incomingx / outgoingx`."""
    found = []
    for name, kind, *_ in rows(section):
        found += [(one, kind) for one in name.split(" / ") if re.fullmatch(r"[a-z0-9]+", one)]
    return found


@pytest.mark.parametrize(("section", "cls"), [("1.1", EmailServerProfile), ("1.2", Mailbox), ("1.5", Organization)])
def test_every_row_of_the_reference_is_there(section: str, cls: type[Record]) -> None:
    known = {**attributes_of(cls), **cls.__secrets__}
    wrong = []
    listed = plain(section)
    assert len(listed) > 20
    for name, kind in listed:
        if name not in known:
            wrong.append(f"{name} is missing")
            continue
        spec = known[name]
        letter = re.match(r"(S|M|B|I|P|L|DT)\b", kind)
        if letter and "XML" not in kind and "/" not in kind and spec.kind not in LETTERS[letter.group(1)]:
            wrong.append(f"{name} is {spec.kind}, published {kind}")
        limit = "/" not in kind and re.match(r"[SM]\((\d+)\)", kind)
        if limit and spec.limit != int(limit.group(1)):
            wrong.append(f"{name} has limit {spec.limit}, published {kind}")
        bounds = re.match(r"I (\d+)\.\.(\d+)", kind)
        if bounds and (spec.low, spec.high) != (int(bounds.group(1)), int(bounds.group(2))):
            wrong.append(f"{name} has range {spec.low}..{spec.high}, published {kind}")
        if "required" in kind and not spec.required:
            wrong.append(f"{name} is required")
        if "update only" in kind and not spec.update_only:
            wrong.append(f"{name} is update only")
        if "write-only" in kind and not spec.write_only:
            wrong.append(f"{name} is write-only")
        if re.search(r"\bRO\b(?! after)", kind) and not (spec.read_only or spec.internal):
            wrong.append(f"{name} is RO")
    assert wrong == []


@pytest.mark.parametrize(("section", "cls"), [("1.1", EmailServerProfile), ("1.2", Mailbox)])
def test_published_options_are_the_options(section: str, cls: type[Record]) -> None:
    checked = 0
    for name, kind, _, *rest in rows(section):
        spec = attributes_of(cls).get(name.split(" / ")[0])
        if spec is None or spec.options is None or "status" in name or not kind.startswith("P"):
            continue
        numbers = [int(number) for number in re.findall(r"(?:^|, )(\d+) [A-Z2]", rest[0].split(" - ")[0])]
        assert sorted(numbers) == [int(member) for member in spec.options], name
        checked += 1
    assert checked >= 3


@pytest.mark.parametrize("entity", ENTITIES)
def test_an_entity_is_well_formed(entity: str) -> None:
    cls = entity_class(entity)
    assert cls.__entity__ == entity
    attributes = attributes_of(cls)
    assert next(iter(attributes)) == cls.__key__
    assert cls.__primary__ == "" or cls.__primary__ in attributes
    for name, spec in attributes.items():
        assert spec.name == name
        assert not spec.write_only
        assert sum((spec.read_only, spec.create_only, spec.update_only)) <= 1, name
        annotation = str(cls.__annotations__[name])
        never_empty = spec.required or spec.default is not None
        assert ("None" in annotation) or never_empty, f"{name} may be None, and its type does not say so"
    for spec in cls.__secrets__.values():
        assert spec.write_only
        assert not spec.flag or attributes[spec.flag].read_only
        assert spec.name not in attributes


def test_records_cannot_be_changed() -> None:
    box = Mailbox(name="a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        box.name = "b"  # type: ignore[misc]
    assert not hasattr(box, "__dict__")
    assert "password" not in {field.name for field in dataclasses.fields(Mailbox)}
    with pytest.raises(TypeError):
        EmailServerProfile(name="p")  # servertype is required


def test_every_option_list_has_distinct_upper_case_names() -> None:
    for name in options.__all__:
        members: type[IntEnum] = getattr(options, name)
        assert len(members) == len(members.__members__), f"{name} has two names for one number"
        assert all(member.name == member.name.upper() for member in members)


def test_the_states_of_an_email() -> None:
    published = {
        EmailState.OPEN: {1, 8},
        EmailState.COMPLETED: {2, 3, 4, 6, 7},
        EmailState.CANCELED: {5},
    }
    for state, statuses in published.items():
        assert {int(status) for status in EmailStatus if status.state is state} == statuses
    assert set(Email.__parties__) == {"from", "to", "cc", "bcc"}


def test_unknown_entities_are_named() -> None:
    with pytest.raises(UnknownEntity, match="contact"):
        entity_class("contact")


def test_generic_records() -> None:
    values = {"name": "a"}
    record = GenericRecord("contact", "1", values)
    values["name"] = "b"
    assert record.get("name") == "a"
    assert record.reference == Lookup("contact", "1")
    assert record == GenericRecord("contact", "1", {"name": "a"})
    assert len({record, GenericRecord("contact", "1", {"name": "a"})}) == 1
    with pytest.raises(TypeError):
        record.values["name"] = "b"  # type: ignore[index]


def test_email_columns() -> None:
    columns = EmailColumns()
    assert columns.of("contact") == ("emailaddress1", "emailaddress2", "emailaddress3")
    assert columns.of("invoice") == ()
    columns.register("contact", "emailaddress3", "new_email")
    assert columns.of("contact")[-1] == "new_email"
    assert len(columns.of("contact")) == 4
    assert "new_email" not in EmailColumns().of("contact")
    with pytest.raises(RecordError):
        columns.register("new_thing")


def test_address_keys() -> None:
    assert address_key(" Ada.LÖWE@Example.TEST ") == "ada.löwe@example.test"
