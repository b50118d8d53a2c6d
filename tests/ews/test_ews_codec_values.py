"""Values of any type, drawn from the schema: written they fit it, and read again they are what they were."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from postroom_simulator.ews import codec, schema
from postroom_simulator.ews.codec import NAMESPACES, SchemaViolation
from postroom_simulator.ews.schema import Child, Type, restriction_named, type_named
from postroom_simulator.ews.validate import problems_as
from postroom_simulator.ews.versions import Version

SPACES = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in NAMESPACES.items())
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=[chr(n) for n in range(32)] + ["\ufffe", "\uffff"]), max_size=8
)
MOMENTS = st.datetimes(datetime(1601, 1, 1), datetime(9999, 1, 1)).map(lambda at: at.replace(microsecond=0))  # noqa: DTZ001
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXTS,
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "dateTime": MOMENTS | MOMENTS.map(lambda at: at.replace(tzinfo=UTC)),
    "date": st.dates(date(1601, 1, 1)),
    "time": st.just("08:30:00"),
    "duration": st.sampled_from(["PT0S", "-PT60M", "P1DT2H"]),
    "base64Binary": st.binary(max_size=9),
    "any": st.sampled_from(["", "text", '<x xmlns="urn:x">y</x>', '<x xmlns="urn:x"/><y xmlns="urn:y" z="1"/>']),
}
NAMES = sorted(schema.names())


def scalar(kind: str, restriction: str) -> st.SearchStrategy[Any]:
    if not restriction or restriction == "ResponseCodeType":
        return SCALARS[kind] if not restriction else st.sampled_from(["NoError", "ErrorItemNotFound"])
    limits = restriction_named(restriction)
    if limits.parts:
        return st.lists(st.sampled_from(sorted(type_named(limits.parts).values)), min_size=1, max_size=3).map(" ".join)
    if limits.pattern:
        return st.from_regex(limits.pattern, fullmatch=True)
    if kind in ("int", "long"):
        return st.integers(limits.least or 0, 2**31 - 1 if limits.most is None else limits.most)
    return TEXTS.filter(lambda text: (limits.least or 0) <= len(text) <= (99 if limits.most is None else limits.most))


def draw_child(data: st.DataObject, child: Child, depth: int) -> Any:
    if child.type in SCALARS:
        return data.draw(scalar(child.type, child.restriction))
    return draw_value(data, child.type, depth)


def draw_value(data: st.DataObject, kind: str, depth: int = 0) -> Any:
    """A value of a complex type or an enumeration. Deep down only what has to be there is."""
    spec = type_named(kind)
    if spec.values:
        return data.draw(st.sampled_from(sorted(spec.values)))
    value: dict[str, Any] = {}
    for name, child in spec.attributes.items():
        if child.required or data.draw(st.booleans()):
            value["@" + name] = draw_child(data, child, depth + 1)
    if spec.text:
        return value | {"": data.draw(SCALARS[spec.text])}
    if spec.choice:
        pairs = draw_pairs(data, spec, list(spec.children), depth)
        return value | {"": pairs} if spec.attributes else pairs
    return value | draw_children(data, spec, depth)


def draw_pairs(data: st.DataObject, spec: Type, names: list[str], depth: int) -> list[tuple[str, Any]]:
    least = 1 if spec.some else 0
    chosen = data.draw(st.lists(st.sampled_from(names), min_size=least, max_size=least if depth > 2 else 3))
    return [(name, draw_child(data, spec.children[name], depth + 1)) for name in chosen]


def draw_children(data: st.DataObject, spec: Type, depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    some = [name for name, child in spec.children.items() if not child.required and not child.group and not child.mixed]
    optional = set() if depth > 2 or not some else set(data.draw(st.lists(st.sampled_from(some), max_size=4)))
    grouped = set()
    for names, required in spec.groups.values():
        if required or (depth <= 2 and data.draw(st.booleans())):
            grouped.add(data.draw(st.sampled_from(names)))
    for name, child in spec.children.items():
        there = name in optional or name in grouped or child.required
        if child.mixed:
            continue
        if child.many:
            count = (1 if child.required else 0) + (1 if name in optional else 0)
            value[name] = [draw_child(data, child, depth + 1) for _ in range(count)]
        elif there:
            value[name] = draw_child(data, child, depth + 1)
    if spec.mixed:
        value[""] = draw_pairs(data, spec, [name for name, child in spec.children.items() if child.mixed], depth)
    return value


def parsed(text: str) -> etree._Element:
    return etree.fromstring(f"<x {SPACES}>{text}</x>")[0]


OF_MESSAGES = ("Success", "an error without", "ResponseCode", " with ")
"""What a response message drawn at random has wrong besides its form: class, code and text do not belong together."""


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_is_written_fits_the_schema_and_is_read_as_it_was(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(NAMES))
    value = draw_value(data, kind)
    element = parsed(codec.write("X", kind, value, max(Version), "t"))
    found = problems_as(element, kind, max(Version))
    assert [problem for problem in found if not any(one in problem for one in OF_MESSAGES)] == []
    assert codec.read_as(element, kind) == value


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from(list(Version)))
def test_what_an_older_version_is_told_has_nothing_newer(data: st.DataObject, version: Version) -> None:
    kind = data.draw(
        st.sampled_from(["MessageType", "CalendarItemType", "ContactItemType", "TaskType", "FolderType", "ConversationType"])
    )
    element = parsed(codec.write("X", kind, draw_value(data, kind), version, "t"))
    assert [problem for problem in problems_as(element, kind, version) if "newer" in problem] == []


JUNK = st.recursive(
    st.sampled_from(["", "true", "-1", "2026-11-21T", "&#955;", "Inbox"]),
    lambda inner: st.builds(
        lambda name, attribute, parts: f'<t:{name} {attribute}="{len(parts)}">{"".join(parts)}</t:{name}>',
        st.sampled_from(
            ["Items", "Message", "FolderIds", "ItemId", "Body", "Restriction", "And", "FieldURI", "Value", "Nothing"]
        ),
        st.sampled_from(["Id", "FieldURI", "BodyType", "xml:lang", "xsi:type", "Traversal"]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(name for name, kind in schema.elements().items() if kind != "any")), JUNK)
def test_reading_raises_nothing_but_violations(name: str, junk: str) -> None:
    element = etree.fromstring(f"<m:{name} {SPACES}>{junk}</m:{name}>")
    with contextlib.suppress(SchemaViolation):
        codec.read(element)


SYNC = (
    "<m:SyncFolderItems {spaces}><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
    '<m:SyncFolderId><t:FolderId Id="f"/></m:SyncFolderId><m:MaxChangesReturned>{count}</m:MaxChangesReturned></m:SyncFolderItems>'
)


@pytest.mark.parametrize(("count", "good"), [("1", True), (" 512 ", True), ("0", False), ("513", False), ("", False)])
def test_numbers_have_limits(count: str, good: bool) -> None:
    element = etree.fromstring(SYNC.format(spaces=SPACES, count=count))
    if good:
        assert codec.read(element)["MaxChangesReturned"] == int(count)
    else:
        with pytest.raises(SchemaViolation):
            codec.read(element)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("int", "2147483648"),
        ("int", "1_000"),
        ("int", "\u0663"),
        ("boolean", "yes"),
        ("double", "1e"),
        ("dateTime", "2026-02-30T00:00:00Z"),
        ("dateTime", "yesterday"),
        ("date", "21.11.2026"),
        ("base64Binary", "@@@"),
    ],
)
def test_scalars_that_are_none(kind: str, text: str) -> None:
    with pytest.raises(SchemaViolation):
        codec.read_as(etree.fromstring(f"<a>{text}</a>"), kind)


@pytest.mark.parametrize("inside", ["text", "&lt;&amp;", 'a<x xmlns="urn:x">y</x>b<z xmlns="urn:z"/>c', ""])
def test_what_may_be_anything_is_taken_as_it_is(inside: str) -> None:
    assert codec.read_as(etree.fromstring(f"<a>{inside}</a>"), "any") == inside


@pytest.mark.parametrize(("text", "value"), [("1", True), ("TRUE", True), (" false ", False), ("0", False)])
def test_the_four_spellings_of_a_boolean(text: str, value: bool) -> None:
    assert codec.read_as(etree.fromstring(f"<a>{text}</a>"), "boolean") is value


@pytest.mark.parametrize(("value", "text"), [(50.0, "50"), (0.0, "0"), (33.5, "33.5"), (1e22, "1e+22")])
def test_whole_numbers_have_no_point(value: float, text: str) -> None:
    assert f">{text}<" in codec.write("PercentComplete", "double", value, Version.EXCHANGE_2016)


@pytest.mark.parametrize(
    "inside",
    [
        'before<x xmlns="urn:x"/>between<y xmlns="urn:y">&lt;</y>behind',
        '<x xmlns="urn:x">y<z a="1"/>w</x>&amp;',
        "a &amp; b",
    ],
)
def test_xml_of_other_namespaces_is_read_whole(inside: str) -> None:
    """With the text between its elements."""
    text = codec.write("X", "GetServiceConfigurationType", configuration(inside), max(Version), "m")
    assert codec.read_as(parsed(text), "GetServiceConfigurationType") == configuration(inside)


def test_of_comments_in_xml_of_other_namespaces_nothing_is_left() -> None:
    text = codec.write("X", "GetServiceConfigurationType", configuration("a<!-- c -->b<?p i?>c"), max(Version), "m")
    assert codec.read_as(parsed(text), "GetServiceConfigurationType") == configuration("abc")


def configuration(inside: str) -> dict[str, Any]:
    return {"RequestedConfiguration": {"ConfigurationName": ["MailTips"]}, "ConfigurationRequestDetails": inside}
