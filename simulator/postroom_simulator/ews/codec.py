"""Values to XML and back, by the schema: order, types and versions are right by construction.

Writing follows a plan made once for each type and version: a FindItem answer of 100 whole messages (190 kB) takes about 5 ms, what lxml needs
to parse it is 1 ms, what exchangelib needs to read it 60 ms (on the machine of the benchmarks).

Writing makes text directly; reading takes lxml elements and is liberal (elements in any order, attributes missing, the four spellings of a
boolean, zones or none on a time), but an element, attribute or enumeration value that the schema does not have is `SchemaViolation`.
"""

from __future__ import annotations

import base64
import binascii
import copy
import functools
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from lxml import etree

from postroom_simulator.ews.schema import SIMPLE, Child, Type, element_type, restriction_named, type_named
from postroom_simulator.ews.versions import Version

__all__ = ["NAMESPACES", "NewerThanVersion", "SchemaViolation", "legal_text", "moment", "read", "read_as", "write"]

NAMESPACES = {
    "s": "http://schemas.xmlsoap.org/soap/envelope/",
    "m": "http://schemas.microsoft.com/exchange/services/2006/messages",
    "t": "http://schemas.microsoft.com/exchange/services/2006/types",
    "e": "http://schemas.microsoft.com/exchange/services/2006/errors",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
_PREFIXES = {NAMESPACES["xsi"]: "xsi:", "http://www.w3.org/XML/1998/namespace": "xml:"}
_NIL = "{" + NAMESPACES["xsi"] + "}nil"
_PREFIXED = re.compile(r"^\{([^}]*)\}")
DEPTH_LIMIT = 120
"""Elements inside elements that are read (our choice): room for thirty items attached to one another, and for any restriction that a person
would write."""
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MOMENT = re.compile(r"(-?\d{4,5})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?)?\s*(Z|[+-]\d\d:?\d\d)?")


class SchemaViolation(Exception):
    """The request does not fit the schema, at that element where one is known."""

    def __init__(self, text: str, element: etree._Element | None = None) -> None:
        super().__init__(text)
        self.element = element


class NewerThanVersion(SchemaViolation):
    """The request uses what came after the version that it names."""


# -- writing


def legal_text(text: str) -> str:
    """Characters that XML 1.0 cannot have become U+FFFD, and those that mark up are escaped."""
    if _ILLEGAL.search(text):
        text = _ILLEGAL.sub("\ufffd", text)
    if "&" in text or "<" in text or ">" in text:
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#13;") if "\r" in text else text


def _attribute(text: str) -> str:
    return legal_text(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")


def _scalar(value: Any) -> str:
    """Booleans as words, moments in UTC with whole seconds and Z, octets in base64 (ews reference 3)."""
    if isinstance(value, str):
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat(timespec="seconds")
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return value.isoformat() if isinstance(value, date) else str(value)


def write(name: str, kind: str, value: Any, version: Version, namespace: str = "m") -> str:
    """The element `name` of type `kind`, as text with the prefixes of `NAMESPACES`. Elements that `version` does not know are left out.

    Raises KeyError or TypeError for a value that the type cannot have: a mistake of the program, never of a request."""
    out: list[str] = []
    _writer(kind, version)(out, f"{namespace}:{name}", value)
    return "".join(out)


Writer = Callable[[list[str], str, Any], None]
"""Appends the element with that tag and value."""


@functools.cache
def _writer(kind: str, version: Version) -> Writer:
    if kind == "any":
        return _write_as_it_is
    if kind in SIMPLE:
        return _write_scalar
    spec = type_named(kind)
    if spec.values:
        return _EnumerationWriter(spec, version)
    if spec.text:
        return _TextWriter(spec, version)
    return _ChoiceWriter(spec, version) if spec.choice else _ComplexWriter(spec, version)


def _write_as_it_is(out: list[str], tag: str, value: Any) -> None:
    """The value is XML, of other namespaces, with their declarations."""
    out.append(f"<{tag}>{value}</{tag}>")


def _write_scalar(out: list[str], tag: str, value: Any) -> None:
    text = legal_text(value) if type(value) is str else legal_text(_scalar(value))
    out.append(f"<{tag}>{text}</{tag}>" if text else f"<{tag}/>")


class _EnumerationWriter:
    """A value that the version does not know yet is left out like an element that it does not know."""

    def __init__(self, spec: Type, version: Version) -> None:
        self._name = spec.name
        self._values = {value: since <= version for value, since in spec.values.items()}

    def __call__(self, out: list[str], tag: str, value: Any) -> None:
        known = self._values.get(value)
        if known is None:
            raise TypeError(f"{tag}: {value!r} is not one of {self._name}")
        if known:
            out.append(f"<{tag}>{value}</{tag}>")


class _Attributes:
    """The attributes of a type in a version."""

    def __init__(self, spec: Type, version: Version) -> None:
        self._known = {"@" + name: child.since <= version for name, child in spec.attributes.items()}

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def text(self, tag: str, key: str, value: Any) -> str:
        if key not in self._known:
            raise KeyError(f"{tag} has no attribute {key[1:]}")
        return f' {key[1:]}="{_attribute(_scalar(value))}"' if value is not None and self._known[key] else ""

    def texts(self, tag: str, value: Mapping[str, Any]) -> str:
        return "".join([self.text(tag, key, one) for key, one in value.items() if key[:1] == "@"])


class _TextWriter:
    """Text with attributes."""

    def __init__(self, spec: Type, version: Version) -> None:
        self._attributes = _Attributes(spec, version)

    def __call__(self, out: list[str], tag: str, value: Any) -> None:
        attributes = self._attributes.texts(tag, value)
        text = legal_text(_scalar(value[""]))
        out.append(f"<{tag}{attributes}>{text}</{tag}>" if text else f"<{tag}{attributes}/>")


class _ChoiceWriter:
    """A list of pairs, or with attributes a dict that has it under ""."""

    def __init__(self, spec: Type, version: Version) -> None:
        self._attributes = _Attributes(spec, version) if spec.attributes else None
        self._children = _children_of(spec, version)
        self._version = version

    def __call__(self, out: list[str], tag: str, value: Any) -> None:
        attributes = ""
        if self._attributes is not None:
            attributes, value = self._attributes.texts(tag, value), value[""]
        out.append("")
        start = len(out)
        self.pairs(out, tag, value)
        _close(out, start, tag, attributes)

    def pairs(self, out: list[str], tag: str, value: Any) -> None:
        for name, one in value:
            try:
                row = self._children[name]
            except KeyError:
                raise KeyError(f"{tag} has no child {name}") from None
            if row.known:
                _writer(row.kind, self._version)(out, row.tag, one)


class _ComplexWriter:
    """A dict: the children are put into the order of the schema."""

    def __init__(self, spec: Type, version: Version) -> None:
        self._attributes = _Attributes(spec, version)
        self._children = _children_of(spec, version)
        self._version = version
        mixed = [child.place for name, child in self._children.items() if spec.children[name].mixed]
        self._mixed = _ChoiceWriter(spec, version) if mixed else None
        self._place_of_mixed = mixed[0] if mixed else 0

    def __call__(self, out: list[str], tag: str, value: Any) -> None:
        rows: list[tuple[int, str, _Row]] = []
        attributes = ""
        children = self._children
        for key, one in value.items():
            if one is None:
                continue
            row = children.get(key)
            if row is not None:
                rows.append((row.place, key, row))
            elif key[:1] == "@":
                attributes += self._attributes.text(tag, key, one)
            elif key == "" and self._mixed is not None:
                rows.append((self._place_of_mixed, key, _MIXED))
            else:
                raise KeyError(f"{tag} has no child {key}")
        rows.sort()
        out.append("")
        start = len(out)
        for _, key, row in rows:
            if not row.known:
                continue
            if row is _MIXED and self._mixed is not None:
                self._mixed.pairs(out, tag, value[key])
                continue
            put = _writer(row.kind, self._version)
            if row.many:
                for one in value[key]:
                    put(out, row.tag, one)
            else:
                put(out, row.tag, value[key])
        _close(out, start, tag, attributes)


class _Row(NamedTuple):
    """A child as it is written in one version."""

    place: int
    tag: str
    kind: str
    many: bool
    known: bool


_MIXED = _Row(0, "", "", False, True)


def _children_of(spec: Type, version: Version) -> dict[str, _Row]:
    return {
        child.name: _Row(
            spec.places[child.name], f"{child.namespace}:{child.name}", child.type, child.many, child.since <= version
        )
        for child in spec.children.values()
    }


def _close(out: list[str], start: int, tag: str, attributes: str) -> None:
    """The tags around what was appended since `start`; the first of them has its place just before."""
    if len(out) == start:
        out[start - 1] = f"<{tag}{attributes}/>"
        return
    out[start - 1] = f"<{tag}{attributes}>"
    out.append(f"</{tag}>")


# -- reading


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
        return _simple(element.text or "", kind, element, restriction)
    spec = type_named(kind)
    if spec.values:
        return _enumerated(element, _local(element), element.text or "", spec, version)
    if spec.choice and not spec.attributes:
        return _pairs(element, spec, version)
    value: dict[str, Any] = {}
    for key, given in element.attrib.items():
        _read_attribute(element, spec, str(key), str(given), value, version)
    if spec.text:
        value[""] = _simple(element.text or "", spec.text, element)
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
    for one in element.iterchildren("*"):
        name = _local(one)
        child = spec.children.get(name)
        if child is None:
            raise _violation(one, f"The element '{_local(element)}' has invalid child element '{name[:60]}'")
        if child.since > version:
            raise NewerThanVersion(f"The element '{name}' in '{_local(element)}' is newer than the version", one)
        found.append((child, one))
    return found


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
    """Of what narrows a type only the limits of numbers are asked for: real clients send empty texts where the schema wants some."""
    try:
        if kind in ("string", "duration", "time"):
            return text
        if kind == "any":
            return legal_text(text) + "".join(_outer(one) for one in element)
        text = text.strip()
        if kind == "boolean":
            return _TRUTH[text.lower()]
        if kind in ("int", "long"):
            return _integer(text, kind, restriction)
        if kind == "double":
            return _double(text)
        if kind == "base64Binary":
            return base64.b64decode("".join(text.split()), validate=True)
        return moment(text).date() if kind == "date" else moment(text)
    except (KeyError, ValueError, OverflowError, binascii.Error):
        raise _violation(element, f"The value '{text[:60]}' of '{_local(element)}' is no {kind}") from None


def _outer(element: etree._Element) -> str:
    """An element as text, with those declarations of namespaces that it uses."""
    alone = copy.deepcopy(element)
    etree.cleanup_namespaces(alone)
    return str(etree.tostring(alone, encoding="unicode"))


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
