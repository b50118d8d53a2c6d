"""Values to XML, by the schema: order, namespaces and versions are right by construction.

Writing follows a plan made once for each type and version: a FindItem answer of 100 whole messages (190 kB) takes about 5 ms, what lxml needs
to parse it is 1 ms, what exchangelib needs to read it 60 ms (on the machine of the benchmarks).
"""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from postroom_simulator.ews.schema import SIMPLE, Type, type_named
from postroom_simulator.ews.versions import Version

__all__ = ["NAMESPACES", "legal_text", "write"]

NAMESPACES = {
    "s": "http://schemas.xmlsoap.org/soap/envelope/",
    "m": "http://schemas.microsoft.com/exchange/services/2006/messages",
    "t": "http://schemas.microsoft.com/exchange/services/2006/types",
    "e": "http://schemas.microsoft.com/exchange/services/2006/errors",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


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
    """Booleans as words, moments in UTC with whole seconds and Z, octets in base64 (ews reference 3). Dates have a zone as well, which says nothing:
    exchangelib takes a date without one for a moment."""
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
    if isinstance(value, float):
        return str(value).removesuffix(
            ".0"
        )  # "50", as Exchange writes it: DavMail copies it into PERCENT-COMPLETE, which is an integer
    return value.isoformat() + "Z" if isinstance(value, date) else str(value)


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
    """The attributes of a type in a version. One whose value the version does not know yet is left out."""

    def __init__(self, spec: Type, version: Version) -> None:
        self._known = {"@" + name: child.since <= version for name, child in spec.attributes.items()}
        self._newer = {
            ("@" + name, value)
            for name, child in spec.attributes.items()
            if child.type not in SIMPLE
            for value, since in type_named(child.type).values.items()
            if since > version
        }

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def text(self, tag: str, key: str, value: Any) -> str:
        if key not in self._known:
            raise KeyError(f"{tag} has no attribute {key[1:]}")
        told = value is not None and self._known[key] and not (self._newer and (key, value) in self._newer)
        return f' {key[1:]}="{_attribute(_scalar(value))}"' if told else ""

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
