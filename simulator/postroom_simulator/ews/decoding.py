"""XML to values, by the schema, and as liberally as real clients need it (ews reference 18): elements in any order, watermarks in either namespace,
the four spellings of a boolean, zones or none on a time, empty texts where the schema wants some. An element in another namespace than the schema's,
and an element, attribute or enumeration value that the schema does not have, is `SchemaViolation`, one that came after the version asked
`NewerThanVersion`.
"""

from __future__ import annotations

import base64
import binascii
import copy
import functools
import re
from datetime import UTC, date, datetime
from typing import Any

from lxml import etree

from postroom_simulator.ews.encoding import NAMESPACES, legal_text
from postroom_simulator.ews.schema import SIMPLE, Child, Type, element_type, restriction_named, type_named
from postroom_simulator.ews.versions import Version

__all__ = ["NewerThanVersion", "SchemaViolation", "moment", "read", "read_as"]

_PREFIXES = {NAMESPACES["xsi"]: "xsi:", "http://www.w3.org/XML/1998/namespace": "xml:"}
_NIL = "{" + NAMESPACES["xsi"] + "}nil"
_PREFIXED = re.compile(r"^\{([^}]*)\}")
DEPTH_LIMIT = 120
"""Elements inside elements that are read (our choice): room for thirty items attached to one another, and for any restriction that a person
would write."""
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_MOMENT = re.compile(r"(-?\d{4,5})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?)?\s*(Z|[+-]\d\d:?\d\d)?")


class SchemaViolation(Exception):
    """The request does not fit the schema, at that element where one is known."""

    def __init__(self, text: str, element: etree._Element | None = None) -> None:
        super().__init__(text)
        self.element = element


class NewerThanVersion(SchemaViolation):
    """The request uses what came after the version that it names."""


def moment(text: str) -> datetime:
    """An xs:dateTime or xs:date. With a zone: in UTC; without: naive. Fractions are cut. Raises ValueError."""
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"no date and time: {text[:40]!r}")
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    made = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - naive where no zone is given
    zone = found.group(7)
    if not zone:
        return made
    if zone == "Z":
        return made.replace(tzinfo=UTC)
    return datetime.fromisoformat(f"{made.isoformat()}{zone}").astimezone(UTC)


def _date(text: str) -> date:
    """The day that is written, whatever its zone. Raises ValueError."""
    moment(text)
    return date.fromisoformat(text.strip()[:10])


def read(element: etree._Element, version: Version | None = None) -> Any:
    """The value of a global element of namespace m. Raises SchemaViolation; KeyError when the schema has no such element.

    With a version, what came after it is `NewerThanVersion`."""
    name = _local(element)
    kind = element_type(name)
    if kind is None:
        raise KeyError(name)
    return read_as(element, kind, version)


def read_as(element: etree._Element, kind: str, version: Version | None = None) -> Any:
    """The value of any element, as that type; None for one that says it is nil. Raises SchemaViolation."""
    _check_depth(element)
    return _read(element, kind, max(Version) if version is None else version)


def _text(element: etree._Element) -> str:
    """Raises SchemaViolation where markup stands for text: ews-javascript-api does not escape what it is given."""
    child = next(element.iterchildren("*"), None)
    if child is not None:
        raise _violation(child, f"The element '{_local(element)}' cannot contain child element '{_local(child)[:60]}'")
    return element.text or ""


def _check_depth(element: etree._Element) -> None:
    """Raises SchemaViolation for what would take more of the stack than there is."""
    depth = 0
    for event, one in etree.iterwalk(element, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > DEPTH_LIMIT:
            raise _violation(one, f"The elements are nested more than {DEPTH_LIMIT} deep")


def _read(element: etree._Element, kind: str, version: Version, restriction: str = "") -> Any:
    if element.get(_NIL, "").strip() in ("true", "1"):
        return None
    if kind in SIMPLE:
        return _simple(_text(element) if kind != "any" else element.text or "", kind, element, restriction)
    spec = type_named(kind)
    if spec.values:
        return _enumerated(element, _local(element), _text(element), spec, version)
    if spec.choice and not spec.attributes:
        return _pairs(element, spec, version)
    value: dict[str, Any] = {}
    for key, given in element.attrib.items():
        _read_attribute(element, spec, str(key), str(given), value, version)
    for name, child in spec.attributes.items():
        if child.required and "@" + name not in value:
            raise _violation(element, f"The required attribute '{name}' of '{_local(element)}' is missing")
    if spec.text:
        value[""] = _simple(_text(element), spec.text, element)
    elif spec.choice:
        value[""] = _pairs(element, spec, version)
    else:
        _read_children(element, spec, value, version)
    return value


def _enumerated(element: etree._Element, name: str, text: str, spec: Type, version: Version) -> str:
    text = text.strip()
    since = spec.values.get(text)
    if since is None:
        raise _violation(element, f"The value '{text[:60]}' of '{name}' is not in the enumeration {spec.name}")
    if since > version:
        raise NewerThanVersion(f"The value '{text}' of '{name}' is newer than the version", element)
    return text


def _pairs(element: etree._Element, spec: Type, version: Version) -> list[tuple[str, Any]]:
    found = [
        (child.name, _read(one, child.type, version, child.restriction)) for child, one in _elements(element, spec, version)
    ]
    if spec.some and not found:
        raise _violation(element, f"The element '{_local(element)}' has incomplete content")
    return found


def _read_children(element: etree._Element, spec: Type, value: dict[str, Any], version: Version) -> None:
    if spec.mixed:
        value[""] = []
    for child, one in _elements(element, spec, version):
        found = _read(one, child.type, version, child.restriction)
        if child.mixed:
            value[""].append((child.name, found))
        elif child.many:
            value.setdefault(child.name, []).append(found)
        elif child.name in value:
            raise _violation(one, f"The element '{_local(element)}' has '{child.name}' more than once")
        else:
            value[child.name] = found
    for child in spec.children.values():
        if child.many:
            value.setdefault(child.name, [])
        elif child.required and child.name not in value:
            raise _violation(element, f"The element '{_local(element)}' has incomplete content: '{child.name}' is expected")
    for names, required in spec.groups.values():
        there = [name for name in names if name in value]
        if len(there) > 1:
            raise _violation(element, f"The element '{_local(element)}' has both '{there[0]}' and '{there[1]}'")
        if required and not there:
            raise _violation(element, f"The element '{_local(element)}' has incomplete content: one of {names[:5]} is expected")


def _elements(element: etree._Element, spec: Type, version: Version) -> list[tuple[Child, etree._Element]]:
    found = []
    known = _children_of(spec.name)
    for one in element.iterchildren("*"):
        child = known.get(one.tag)
        if child is None:
            raise _violation(one, f"The element '{_local(element)}' has invalid child element {_named(one, spec)}")
        if child.since > version:
            raise NewerThanVersion(f"The element '{child.name}' in '{_local(element)}' is newer than the version", one)
        found.append((child, one))
    return found


_EITHER = frozenset({"Watermark"})
"""Elements that real clients send in the other namespace: exchangelib does (ews reference 14)."""


@functools.cache
def _children_of(kind: str) -> dict[str, Child]:
    """The children of a type by expanded name."""
    found = {}
    for name, child in type_named(kind).children.items():
        for prefix in "mt" if name in _EITHER else child.namespace:
            found[f"{{{NAMESPACES[prefix]}}}{name}"] = child
    return found


def _named(one: etree._Element, spec: Type) -> str:
    """An element that does not belong there; with its namespace where that alone is wrong."""
    name = _local(one)
    if name not in spec.children:
        return f"'{name[:60]}'"
    return f"'{name}' in namespace '{(etree.QName(one).namespace or '')[:100]}'"


def _read_attribute(element: etree._Element, spec: Type, key: str, given: str, value: dict[str, Any], version: Version) -> None:
    name = _PREFIXED.sub(lambda found: _PREFIXES.get(found[1], found[0]), key)
    if name in ("xsi:nil", "xsi:schemaLocation") or (name == "xsi:type" and name not in spec.attributes):
        return
    child = spec.attributes.get(name)
    if child is None:
        if key.startswith("{"):
            return
        raise _violation(element, f"The '{name[:60]}' attribute is not declared")
    if child.since > version:
        raise NewerThanVersion(f"The attribute '{name}' of '{_local(element)}' is newer than the version", element)
    if child.type in SIMPLE:
        value["@" + name] = _simple(given, child.type, element, child.restriction)
    else:
        value["@" + name] = _enumerated(element, name, given, type_named(child.type), version)


def _simple(text: str, kind: str, element: etree._Element, restriction: str = "") -> Any:
    """Of what narrows a type the limits of numbers and the patterns of texts are asked for, not their length: real clients send empty texts where the
    schema wants some."""
    try:
        if restriction and kind == "string":
            _check_pattern(text.strip(), restriction)
        if kind in ("string", "duration", "time"):
            return text
        if kind == "any":
            parts: Any = element.xpath("text()|*")  # without comments
            return "".join(legal_text(one) if isinstance(one, str) else _outer(one) for one in parts)
        text = text.strip()
        if kind == "boolean":
            return _TRUTH[text.lower()]
        if kind in ("int", "long"):
            return _integer(text, kind, restriction)
        if kind == "double":
            return _double(text)
        if kind == "base64Binary":
            return base64.b64decode("".join(text.split()), validate=True)
        return _date(text) if kind == "date" else moment(text)
    except (KeyError, ValueError, OverflowError, binascii.Error):
        raise _violation(element, f"The value '{text[:60]}' of '{_local(element)}' is no {kind}") from None


def _check_pattern(text: str, restriction: str) -> None:
    """Raises ValueError."""
    pattern = restriction_named(restriction).pattern
    if pattern and not re.fullmatch(pattern, text):
        raise ValueError


def _outer(element: etree._Element) -> str:
    """An element as text, with those declarations of namespaces that it uses."""
    alone = copy.deepcopy(element)
    etree.cleanup_namespaces(alone)
    return str(etree.tostring(alone, encoding="unicode", with_tail=False))


_DOUBLE = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?|-?INF|NaN")


def _double(text: str) -> float:
    """Raises ValueError."""
    if len(text) > 400 or not _DOUBLE.fullmatch(text):
        raise ValueError
    return float(text)


_INTEGER = re.compile("[+-]?[0-9]{1,19}")
_RANGES = {"int": range(-(2**31), 2**31), "long": range(-(2**63), 2**63)}


def _integer(text: str, kind: str, restriction: str) -> int:
    """Raises ValueError."""
    if not _INTEGER.fullmatch(text):
        raise ValueError
    value = int(text)
    if value not in _RANGES[kind]:
        raise ValueError
    if restriction:
        limits = restriction_named(restriction)
        if (limits.least is not None and value < limits.least) or (limits.most is not None and value > limits.most):
            raise ValueError
    return value


def _local(element: etree._Element) -> str:
    return str(etree.QName(element).localname)


def _violation(element: etree._Element, text: str) -> SchemaViolation:
    return SchemaViolation(text, element)
