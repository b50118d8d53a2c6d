"""The service described by itself: Services.wsdl, messages.xsd and types.xsd, made from our own schema data (ews reference 1).

They are no copies of Microsoft's files: they say what this server reads and writes, element by element, in order and with types. Of the server's
version: what is newer is left out.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from postroom_simulator.ews.codec import NAMESPACES
from postroom_simulator.ews.http import HTML, XML, Response
from postroom_simulator.ews.operations import OPERATIONS
from postroom_simulator.ews.schema import SIMPLE, Child, Type, element_type, elements, names, restriction_named, type_named
from postroom_simulator.ews.versions import Version

if TYPE_CHECKING:
    from postroom_simulator.ews.exchange import Exchange

__all__ = ["answer", "services_wsdl", "xsd"]

_XS = "http://www.w3.org/2001/XMLSchema"
_QUOTED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})


def answer(exchange: Exchange) -> Response:
    """Raises Halted, Instead, Unauthorized."""
    from postroom_simulator.ews.answering import log_in

    log_in(exchange)
    request, version = exchange.request, exchange.service.server.newest
    if request.method not in ("GET", "HEAD"):
        return Response(405, [("Allow", "GET, HEAD"), ("Content-Type", HTML)])
    if request.path.endswith(".wsdl"):
        text = services_wsdl(request.base_url(exchange.service.world.hostname), version)
    else:
        text = xsd("m" if request.path.endswith("messages.xsd") else "t", version)
    return Response(200, [("Content-Type", XML)], text.encode())


@functools.lru_cache(maxsize=32)
def services_wsdl(base: str, version: Version) -> str:
    """WSDL 1.1, document literal, of every operation that has a request element."""
    known = [one for one in OPERATIONS.values() if one.since <= version and _request(one.name) and element_type(one.response)]
    messages = "".join(
        f'<message name="{name}"><part name="body" element="m:{element}"/></message>'
        for one in known
        for name, element in ((f"{one.name}In", _request(one.name)), (f"{one.name}Out", one.response))
    )
    ports = "".join(
        f'<operation name="{one.name}"><input message="tns:{one.name}In"/><output message="tns:{one.name}Out"/></operation>'
        for one in known
    )
    use = '<soap:body use="literal"/>'
    bindings = "".join(
        f'<operation name="{one.name}"><soap:operation soapAction="{NAMESPACES["m"]}/{one.name}" style="document"/>'
        f"<input>{use}</input><output>{use}</output></operation>"
        for one in known
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><definitions xmlns="http://schemas.xmlsoap.org/wsdl/"'
        f' xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:tns="{NAMESPACES["m"]}" xmlns:m="{NAMESPACES["m"]}"'
        f' targetNamespace="{NAMESPACES["m"]}"><types><xs:schema xmlns:xs="{_XS}"><xs:import namespace="{NAMESPACES["m"]}"'
        f' schemaLocation="messages.xsd"/></xs:schema></types>{messages}<portType name="ExchangeServicePortType">{ports}</portType>'
        '<binding name="ExchangeServiceBinding" type="tns:ExchangeServicePortType"><soap:binding style="document"'
        f' transport="http://schemas.xmlsoap.org/soap/http"/>{bindings}</binding><service name="ExchangeServices">'
        f'<port name="ExchangeServicePort" binding="tns:ExchangeServiceBinding"><soap:address location="{base.translate(_QUOTED)}/EWS/Exchange.asmx"/>'
        "</port></service></definitions>"
    )


def _request(operation: str) -> str:
    return next((name for name in (operation, f"{operation}Request") if element_type(name)), "")


@functools.lru_cache(maxsize=16)
def xsd(prefix: str, version: Version) -> str:
    """The schema of a namespace, "t" or "m"."""
    types = [type_named(name) for name in names() if not name.endswith(" element")]
    mine = [one for one in types if one.namespace == prefix]
    body = "".join(_type(one, version) for one in mine)
    body += "".join(_global_elements(prefix, version))
    imported = f'<xs:import namespace="{NAMESPACES["t"]}" schemaLocation="types.xsd"/>' if prefix == "m" else ""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><xs:schema xmlns:xs="{_XS}" xmlns:t="{NAMESPACES["t"]}" xmlns:m="{NAMESPACES["m"]}"'
        f' targetNamespace="{NAMESPACES[prefix]}" elementFormDefault="qualified" version="{version.named}">{imported}{body}</xs:schema>'
    )


def _global_elements(prefix: str, version: Version) -> Iterator[str]:
    """Of messages those of the operations; of types those that messages name."""
    if prefix == "m":
        for name, kind in elements().items():
            yield f'<xs:element name="{name}" type="{_qualified(kind)}"/>'
        return
    named: dict[str, Child] = {}
    for type_name in names():
        one = type_named(type_name)
        if one.namespace == "m":
            named |= {child.name: child for child in one.children.values() if child.namespace == "t" and child.since <= version}
    for child in named.values():
        yield _element(child, "", "")


def _type(one: Type, version: Version) -> str:
    if one.values:
        values = "".join(f'<xs:enumeration value="{value}"/>' for value, since in one.values.items() if since <= version)
        return f'<xs:simpleType name="{one.name}"><xs:restriction base="xs:string">{values}</xs:restriction></xs:simpleType>'
    base = type_named(one.base) if one.base else None
    extends = base is not None and not (one.choice or one.mixed or one.text or one.groups)
    inherited = base if extends else None
    attributes = "".join(
        _attribute(child)
        for child in one.attributes.values()
        if child.since <= version and (inherited is None or child.name not in inherited.attributes)
    )
    if one.text:
        inner = f'<xs:simpleContent><xs:extension base="{_qualified(one.text)}">{attributes}</xs:extension></xs:simpleContent>'
        return f'<xs:complexType name="{one.name}">{inner}</xs:complexType>'
    content = _content(one, inherited, version) + attributes
    if inherited is not None:
        extension = f'<xs:extension base="{inherited.namespace}:{inherited.name}">{content}</xs:extension>'
        content = f"<xs:complexContent>{extension}</xs:complexContent>"
    return f'<xs:complexType name="{one.name}">{content}</xs:complexType>'


def _attribute(child: Child) -> str:
    if child.name.startswith("xsi:"):  # every element has it
        return ""
    if child.name.startswith("xml:"):
        return '<xs:anyAttribute namespace="http://www.w3.org/XML/1998/namespace" processContents="skip"/>'
    kind, inner = _typed(child)
    use = ' use="required"' if child.required else ""
    return f'<xs:attribute name="{child.name}" {kind}{use}' + (f">{inner}</xs:attribute>" if inner else "/>")


def _content(one: Type, inherited: Type | None, version: Version) -> str:
    own = [
        child
        for name, child in one.children.items()
        if child.since <= version and (inherited is None or name not in inherited.children)
    ]
    if not own:
        return ""
    if one.choice:
        least = 1 if one.some else 0
        return f'<xs:choice minOccurs="{least}" maxOccurs="unbounded">{"".join(_element(child, one.namespace, "") for child in own)}</xs:choice>'
    found, done, mixed = [], set(), [child for child in own if child.mixed]
    for child in own:
        if child.mixed:
            if child is mixed[0]:
                inner = "".join(_element(other, one.namespace, "") for other in mixed)
                found.append(f'<xs:choice minOccurs="0" maxOccurs="unbounded">{inner}</xs:choice>')
        elif child.group:
            if child.group not in done:
                done.add(child.group)
                members, must = one.groups[child.group]
                inner = "".join(_element(other, one.namespace, "") for other in own if other.name in members)
                found.append(f'<xs:choice minOccurs="{int(must)}">{inner}</xs:choice>')
        else:
            occurs = ("" if child.required else ' minOccurs="0"') + (' maxOccurs="unbounded"' if child.many else "")
            found.append(_element(child, one.namespace, occurs))
    return f"<xs:sequence>{''.join(found)}</xs:sequence>"


def _element(child: Child, namespace: str, occurs: str) -> str:
    """`namespace`: of the type that has it; "" makes a global element."""
    if namespace and child.namespace != namespace:
        return f'<xs:element ref="{child.namespace}:{child.name}"{occurs}/>'
    kind, inner = _typed(child)
    return f'<xs:element name="{child.name}" {kind}{occurs}' + (f">{inner}</xs:element>" if inner else "/>")


def _typed(child: Child) -> tuple[str, str]:
    """The type attribute of an element or attribute, or the anonymous simple type inside it."""
    if not child.restriction:
        return f'type="{_qualified(child.type)}"', ""
    narrow = restriction_named(child.restriction)
    if narrow.parts:
        return "", f'<xs:simpleType><xs:list itemType="{_qualified(narrow.parts)}"/></xs:simpleType>'
    base = _qualified(child.type)
    low, high = ("minLength", "maxLength") if child.type == "string" else ("minInclusive", "maxInclusive")
    facets = f'<xs:{low} value="{narrow.least}"/>' if narrow.least is not None else ""
    facets += f'<xs:{high} value="{narrow.most}"/>' if narrow.most is not None else ""
    facets += f'<xs:pattern value="{narrow.pattern.translate(_QUOTED)}"/>' if narrow.pattern else ""
    return "", f'<xs:simpleType><xs:restriction base="{base}">{facets}</xs:restriction></xs:simpleType>'


def _qualified(kind: str) -> str:
    if kind in SIMPLE:
        return "xs:anyType" if kind == "any" else f"xs:{kind}"
    return f"{type_named(kind).namespace}:{kind}"
