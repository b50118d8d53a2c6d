"""Values to XML and back, by the schema: order, types and versions are right by construction.

Writing makes text directly; reading takes lxml elements and is liberal (elements in any order, attributes missing, the four spellings of a
boolean, zones or none on a time), but an element, attribute or enumeration value that the schema does not have is `SchemaViolation`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from lxml import etree

from postroom_simulator.ews.schema import SIMPLE, Child, Type, element_type, type_named
from postroom_simulator.ews.versions import Version

__all__ = ["NAMESPACES", "SchemaViolation", "legal_text", "moment", "read", "write"]

NAMESPACES = {
    "s": "http://schemas.xmlsoap.org/soap/envelope/",
    "m": "http://schemas.microsoft.com/exchange/services/2006/messages",
    "t": "http://schemas.microsoft.com/exchange/services/2006/types",
    "e": "http://schemas.microsoft.com/exchange/services/2006/errors",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
_XSI = "{" + NAMESPACES["xsi"] + "}"
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MOMENT = re.compile(r"(-?\d{4,5})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?)?\s*(Z|[+-]\d\d:?\d\d)?")


class SchemaViolation(Exception):
    """The request does not fit the schema. `line` counts from 1, 0 where unknown."""

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(text)
        self.line = line


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
            return value.strftime("%Y-%m-%dT%H:%M:%S")
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return value.isoformat() if isinstance(value, date) else str(value)


def write(name: str, kind: str, value: Any, version: Version, namespace: str = "m") -> str:
    """The element `name` of type `kind`, as text with the prefixes of `NAMESPACES`. Elements that `version` does not know are left out.

    Raises KeyError or TypeError for a value that the type cannot have: a mistake of the program, never of a request."""
    out: list[str] = []
    _write(out, namespace, name, kind, value, version)
    return "".join(out)


def _write(out: list[str], namespace: str, name: str, kind: str, value: Any, version: Version) -> None:
    tag = f"{namespace}:{name}"
    if kind in SIMPLE:
        text = legal_text(_scalar(value))
        out.append(f"<{tag}>{text}</{tag}>" if text else f"<{tag}/>")
        return
    spec = type_named(kind)
    if spec.values:
        if value not in spec.values:
            raise TypeError(f"{tag}: {value!r} is not one of {kind}")
        out.append(f"<{tag}>{value}</{tag}>")
        return
    head = len(out)
    out.append("")
    attributes = "" if spec.choice else _attributes(spec, value, version, tag)
    if spec.choice:
        for child_name, child_value in value:
            _child(out, spec.children[child_name], child_value, version)
    elif spec.text:
        out.append(legal_text(_scalar(value[""])))
    else:
        _children(out, spec, value, version, tag)
    if len(out) == head + 1 or (len(out) == head + 2 and not out[-1]):
        out[head] = f"<{tag}{attributes}/>"
        return
    out[head] = f"<{tag}{attributes}>"
    out.append(f"</{tag}>")


def _attributes(spec: Type, value: Mapping[str, Any], version: Version, tag: str) -> str:
    parts = []
    for key, one in value.items():
        if key[:1] != "@" or one is None:
            continue
        child = spec.attributes.get(key[1:])
        if child is None:
            raise KeyError(f"{tag} has no attribute {key[1:]}")
        if child.since <= version:
            parts.append(f' {child.name}="{_attribute(_scalar(one))}"')
    return "".join(parts)


def _children(out: list[str], spec: Type, value: Mapping[str, Any], version: Version, tag: str) -> None:
    children = spec.children
    names = [name for name in value if name[:1] != "@" and value[name] is not None]
    try:
        names.sort(key=spec.places.__getitem__)
    except KeyError as missing:
        raise KeyError(f"{tag} has no child {missing}") from None
    for name in names:
        child = children[name]
        if child.many:
            for one in value[name]:
                _child(out, child, one, version)
        else:
            _child(out, child, value[name], version)


def _child(out: list[str], child: Child, value: Any, version: Version) -> None:
    if child.since <= version and child.type != "any":
        _write(out, child.namespace, child.name, child.type, value, version)


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
    """The value of a global element of namespace m. Raises SchemaViolation; KeyError when the schema has no such element."""
    name = etree.QName(element).localname
    kind = element_type(name)
    if kind is None:
        raise KeyError(name)
    return _read(element, kind, version)


def _read(element: etree._Element, kind: str, version: Version | None) -> Any:
    if kind in SIMPLE:
        return _simple(element.text or "", kind, element)
    spec = type_named(kind)
    if spec.values:
        text = (element.text or "").strip()
        if text not in spec.values:
            raise _violation(element, f"The value '{text[:60]}' is not in the enumeration {kind}")
        return text
    if spec.choice:
        return [(name, _read(child, spec.children[name].type, version)) for name, child in _elements(element, spec)]
    value: dict[str, Any] = {}
    for key, given in element.attrib.items():
        _read_attribute(element, spec, str(key), str(given), value)
    if spec.text:
        value[""] = _simple(element.text or "", spec.text, element)
        return value
    for name, child in _elements(element, spec):
        one = spec.children[name]
        found = _read(child, one.type, version)
        if one.many:
            value.setdefault(name, []).append(found)
        else:
            value[name] = found
    for one in spec.children.values():
        if one.many:
            value.setdefault(one.name, [])
        elif one.required and one.name not in value:
            raise _violation(element, f"The element '{_local(element)}' has incomplete content: '{one.name}' is expected")
    return value


def _elements(element: etree._Element, spec: Type) -> list[tuple[str, etree._Element]]:
    found = []
    for child in element.iterchildren("*"):
        name = _local(child)
        if name not in spec.children:
            raise _violation(child, f"The element '{_local(element)}' has invalid child element '{name[:60]}'")
        found.append((name, child))
    return found


def _read_attribute(element: etree._Element, spec: Type, key: str, given: str, value: dict[str, Any]) -> None:
    name = "xsi:" + key[len(_XSI) :] if key.startswith(_XSI) else key
    if name in ("xsi:nil", "xsi:schemaLocation") or (name == "xsi:type" and name not in spec.attributes):
        return
    child = spec.attributes.get(name)
    if child is None:
        if key.startswith("{"):
            return
        raise _violation(element, f"The '{name[:60]}' attribute is not declared")
    if child.type in SIMPLE:
        value["@" + name] = _simple(given, child.type, element)
        return
    if given not in type_named(child.type).values:
        raise _violation(element, f"The '{name}' attribute is invalid: '{given[:60]}' is not in the enumeration {child.type}")
    value["@" + name] = given


def _simple(text: str, kind: str, element: etree._Element) -> Any:
    try:
        if kind in ("string", "any", "duration", "time"):
            return text
        text = text.strip()
        if kind == "boolean":
            return _TRUTH[text.lower()]
        if kind in ("int", "long"):
            if len(text) > 20:
                raise ValueError
            return int(text)
        if kind == "double":
            return float(text)
        if kind == "base64Binary":
            return base64.b64decode("".join(text.split()), validate=True)
        return moment(text)
    except (KeyError, ValueError, OverflowError, binascii.Error):
        raise _violation(element, f"The value '{text[:60]}' of '{_local(element)}' is no {kind}") from None


def _local(element: etree._Element) -> str:
    return str(etree.QName(element).localname)


def _violation(element: etree._Element, text: str) -> SchemaViolation:
    line: Any = element.sourceline  # the stubs give it no type
    return SchemaViolation(text, line or 0)
