"""Whether an answer fits the published schema: what a client with a strict parser would say of it.

It knows nothing of `codec`: it reads the text that goes out and compares it with the schema as data. Besides the schema it asks what real clients
ask (ews reference 2, 3, 18): booleans as words, moments with whole seconds, nothing newer than the version that the request named, response classes
and codes that belong together, a version in the header of every answer that is no fault.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from functools import cache

from lxml import etree

from postroom_simulator.ews.codes import CODES
from postroom_simulator.ews.schema import SIMPLE, Child, Type, element_type, restriction_named, type_named
from postroom_simulator.ews.versions import Version

__all__ = ["problems", "problems_as", "problems_of_envelope"]

_M = "{http://schemas.microsoft.com/exchange/services/2006/messages}"
_T = "{http://schemas.microsoft.com/exchange/services/2006/types}"
_S = "{http://schemas.xmlsoap.org/soap/envelope/}"
_E = "{http://schemas.microsoft.com/exchange/services/2006/errors}"
_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_SPACES = {"m": _M, "t": _T}
_DATE = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_ZONE = r"(Z|[+-](0\d|1[0-4]):[0-5]\d)?"
_TIME = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_FORMS = {
    "boolean": re.compile("true|false"),
    "int": re.compile("-?[0-9]{1,10}"),
    "long": re.compile("-?[0-9]{1,19}"),
    "double": re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?|INF|-INF|NaN"),
    "dateTime": re.compile(f"{_DATE}T{_TIME}{_ZONE}"),
    "date": re.compile(_DATE + _ZONE),
    "time": re.compile(_TIME + _ZONE),
    "duration": re.compile(r"-?P(?=.)(\d+Y)?(\d+M)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?"),
}


def problems_of_envelope(octets: bytes, version: Version) -> list[str]:
    """Of a whole answer, fault or not, in the version that the request named."""
    try:
        root = etree.fromstring(octets)
    except (etree.XMLSyntaxError, ValueError) as wrong:
        return [f"no XML: {wrong}"]
    if root.tag != _S + "Envelope":
        return [f"the root is {root.tag}"]
    body = root.find(_S + "Body")
    if body is None or len(body) != 1:
        return ["the body has not exactly one element"]
    if body[0].tag == _S + "Fault":
        return list(_fault(root, body[0]))
    header = root.find(f"{_S}Header/{_T}ServerVersionInfo")
    missing = [] if header is not None else ["no ServerVersionInfo in the header"]
    return missing + problems(body[0], version)


def _fault(root: etree._Element, fault: etree._Element) -> Iterator[str]:
    if root.find(_S + "Header") is not None:
        yield "a fault with a header"
    if [child.tag for child in fault] != ["faultcode", "faultstring", "detail"]:
        yield "a fault is faultcode, faultstring and detail, without namespace"
        return
    code = fault[2].findtext(_E + "ResponseCode")
    if code not in CODES:
        yield f"{code} is no response code"
    if (fault[0].text or "").rpartition(":")[2] != code:
        yield f"faultcode {fault[0].text} is not {code}"
    if fault[2].findtext(_E + "Message") != fault[1].text:
        yield "the text of detail is not faultstring"
    xml = fault[2].find(_T + "MessageXml")
    if xml is not None:
        yield from _complex(xml, type_named("MessageXmlType"), max(Version), "MessageXml")


def problems(element: etree._Element, version: Version) -> list[str]:
    """Of an element of namespace m, each with the path to its place."""
    name = _name(element)
    kind = element_type(name)
    if element.tag != _M + name or kind is None:
        return [f"{element.tag} is no element of the service"]
    return problems_as(element, kind, version)


def problems_as(element: etree._Element, kind: str, version: Version) -> list[str]:
    """Of any element, as one of that type."""
    return list(_element(element, kind, "", version, _name(element)))


def _element(element: etree._Element, kind: str, restriction: str, version: Version, path: str) -> Iterator[str]:
    if kind == "any":
        return
    if kind in SIMPLE:
        yield from _attributes(element, _NO_ATTRIBUTES, version, path)
        yield from _leaf(element, kind, restriction, path)
        return
    spec = type_named(kind)
    if spec.values:
        yield from _enumerated((element.text or ""), spec, version, path)
        return
    yield from _attributes(element, spec, version, path)
    if spec.text:
        yield from _leaf(element, spec.text, "", path)
    else:
        yield from _complex(element, spec, version, path)


_NO_ATTRIBUTES = Type("", "")


def _leaf(element: etree._Element, kind: str, restriction: str, path: str) -> Iterator[str]:
    if len(element):
        yield f"{path}: elements in {kind}"
    yield from _scalar(element.text or "", kind, restriction, path)


def _complex(element: etree._Element, spec: Type, version: Version, path: str) -> Iterator[str]:
    if (element.text or "").strip() or any((child.tail or "").strip() for child in element):
        yield f"{path}: text beside elements"
    counts: dict[str, int] = {}
    place = -1
    for one in element:
        name = _name(one)
        child = spec.children.get(name)
        if child is None:
            yield f"{path}: no child {name} in {spec.name}"
            continue
        where = f"{path}/{name}"
        if one.tag != _SPACES[child.namespace] + name:
            yield f"{where}: in the wrong namespace"
        if child.since > version:
            yield f"{where}: newer than {version.name}"
        if not spec.choice:
            if _places(spec.name)[name] < place:
                yield f"{where}: out of order"
            place = max(place, _places(spec.name)[name])
        counts[name] = counts.get(name, 0) + 1
        yield from _element(one, child.type, child.restriction, version, where)
    yield from _occurrences(element, spec, counts, path)
    if "ResponseClass" in spec.attributes:
        yield from _message(element, path)


@cache
def _places(name: str) -> dict[str, int]:
    """Where each child of a type stands; those that mix all stand where the first of them does."""
    spec = type_named(name)
    mixed = min((place for child, place in spec.places.items() if spec.children[child].mixed), default=0)
    return {child: mixed if spec.children[child].mixed else place for child, place in spec.places.items()}


def _occurrences(element: etree._Element, spec: Type, counts: dict[str, int], path: str) -> Iterator[str]:
    if spec.choice:
        if spec.some and not counts:
            yield f"{path}: empty, where {spec.name} has at least one element"
        return
    failed = element.get("ResponseClass") == "Error"
    for name, child in spec.children.items():
        count = counts.get(name, 0)
        if count > 1 and not (child.many or child.mixed):
            yield f"{path}/{name}: {count} times"
        if count == 0 and child.required and not failed:
            yield f"{path}/{name}: missing"
    for names, required in spec.groups.values():
        there = sum(counts.get(name, 0) for name in names)
        if there > 1 or (required and not there and not failed):
            yield f"{path}: {there} of {', '.join(names[:4])}"


def _message(element: etree._Element, path: str) -> Iterator[str]:
    """A response message: class, code and text belong together."""
    found = element.get("ResponseClass")
    code = element.findtext(_M + "ResponseCode")
    if code is None:
        yield f"{path}: no ResponseCode"
    elif code not in CODES:
        yield f"{path}: {code} is no response code"
    elif (found == "Success") != (code == "NoError"):
        yield f"{path}: {found} with {code}"
    if found == "Error" and element.find(_M + "MessageText") is None:
        yield f"{path}: an error without a text"


def _attributes(element: etree._Element, spec: Type, version: Version, path: str) -> Iterator[str]:
    there = set()
    for key, value in element.attrib.items():
        name = {_XSI_TYPE: "xsi:type", _XML_LANG: "xml:lang"}.get(str(key), str(key))
        there.add(name)
        child = spec.attributes.get(name)
        if child is None:
            yield f"{path}/@{name}: unknown"
            continue
        if child.since > version:
            yield f"{path}/@{name}: newer than {version.name}"
        yield from _attribute(str(value), child, version, f"{path}/@{name}")
    for name, child in spec.attributes.items():
        if child.required and name not in there:
            yield f"{path}/@{name}: missing"


def _attribute(value: str, child: Child, version: Version, path: str) -> Iterator[str]:
    if child.type in SIMPLE:
        yield from _scalar(value, child.type, child.restriction, path)
    else:
        yield from _enumerated(value, type_named(child.type), version, path)


def _enumerated(text: str, spec: Type, version: Version, path: str) -> Iterator[str]:
    since = spec.values.get(text)
    if since is None:
        yield f"{path}: {text!r} is not in {spec.name}"
    elif since > version:
        yield f"{path}: {text!r} is newer than {version.name}"


def _scalar(text: str, kind: str, restriction: str, path: str) -> Iterator[str]:
    if kind == "base64Binary":
        try:
            base64.b64decode(text, validate=True)
        except binascii.Error:
            yield f"{path}: no base64"
    elif kind in _FORMS and not _FORMS[kind].fullmatch(text):
        yield f"{path}: {text[:60]!r} is no {kind}"
        return
    if restriction:
        yield from _restricted(text, restriction, path)


def _restricted(text: str, name: str, path: str) -> Iterator[str]:
    limits = restriction_named(name)
    if limits.parts:
        for part in text.split():
            yield from _enumerated(part, type_named(limits.parts), max(Version), path)
        return
    size = int(text) if limits.base in ("int", "long") else len(text)
    if (limits.least is not None and size < limits.least) or (limits.most is not None and size > limits.most):
        yield f"{path}: {text[:60]!r} is not within the limits of {name}"
    if limits.pattern and not re.fullmatch(limits.pattern, text):
        yield f"{path}: {text[:60]!r} has not the form of {name}"


def _name(element: etree._Element) -> str:
    return str(etree.QName(element).localname)
