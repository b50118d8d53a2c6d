"""The SOAP envelope: what is read of a request's, and how answers and faults are wrapped (ews reference 2, 3)."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from lxml import etree

from postroom_simulator.ews.codec import NAMESPACES, SchemaViolation, legal_text, read_as
from postroom_simulator.ews.errors import EwsError, Fault
from postroom_simulator.ews.versions import Server

__all__ = ["BODY_LIMIT", "Envelope", "fault", "open_envelope", "parse_xml", "violation", "wrap"]

BODY_LIMIT = 64 * 1024 * 1024
"""Octets of a request that are read (our choice; dependencies reference 3.2)."""
_S, _M, _T = (f"{{{NAMESPACES[prefix]}}}" for prefix in "smt")
_SOAP_12 = "{http://www.w3.org/2003/05/soap-envelope}"


@dataclass(slots=True)
class Envelope:
    """operation: the one element of the body. impersonate: (kind, text) of the ConnectingSID, e.g. ("PrimarySmtpAddress", "a@b.test").
    zone_definition: of TimeZoneContext, where it has rules. security: UserSid and PrimarySmtpAddress of SerializedSecurityContext. roles: of
    ManagementRole."""

    operation: etree._Element
    version: str = "Exchange2007"
    impersonate: tuple[str, str] | None = None
    time_zone: str = ""
    culture: str = ""
    other: Mapping[str, str] = field(default_factory=dict)
    zone_definition: Mapping[str, Any] | None = None
    security: tuple[str, str] | None = None
    roles: tuple[str, ...] = ()


def parse_xml(octets: bytes) -> etree._Element:
    """The root, safely: no DTD, no entities, bounded size and depth. Raises Fault."""
    if len(octets) > BODY_LIMIT:
        raise Fault("ErrorSchemaValidation", f"The request has more than {BODY_LIMIT} octets.")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(octets, parser)
    except (etree.XMLSyntaxError, ValueError) as wrong:
        raise Fault("ErrorSchemaValidation", f"The request is no XML: {str(wrong)[:200]}") from None
    info: Any = root.getroottree().docinfo
    if info.doctype:
        raise Fault("ErrorSchemaValidation", "A document type declaration is not allowed.")
    return root


def open_envelope(octets: bytes) -> Envelope:
    """Raises Fault."""
    root = parse_xml(octets)
    if root.tag not in (_S + "Envelope", _SOAP_12 + "Envelope"):
        raise Fault("ErrorSchemaValidation", "The root element is no SOAP envelope.")
    soap = root.tag.removesuffix("Envelope")
    bodies = root.findall(soap + "Body")
    if len(bodies) > 1:
        raise Fault("ErrorSchemaValidation", f"The envelope has {len(bodies)} bodies; one is expected.")
    found = [child for body in bodies for child in body if isinstance(child.tag, str)]
    if len(found) != 1:
        raise Fault("ErrorSchemaValidation", f"The body of the envelope has {len(found)} elements; one operation is expected.")
    envelope = Envelope(found[0])
    header = root.find(soap + "Header")
    for child in header if header is not None else ():
        if isinstance(child.tag, str):
            _read_header(envelope, child)
    return envelope


def _read_header(envelope: Envelope, child: etree._Element) -> None:
    name = etree.QName(child).localname
    if child.tag != _T + name:  # a header of somebody else
        return
    if name == "RequestServerVersion":
        envelope.version = child.get("Version", "Exchange2007")
    elif name == "ExchangeImpersonation":
        sids = child.findall(f"{_T}ConnectingSID/*")
        if len(sids) != 1:
            raise Fault("ErrorInvalidExchangeImpersonationHeaderData", "ConnectingSID has to name one account.")
        envelope.impersonate = (etree.QName(sids[0]).localname, (sids[0].text or "").strip())
    elif name == "TimeZoneContext":
        zone = child.find(f"{_T}TimeZoneDefinition")
        envelope.time_zone = zone.get("Id", "") if zone is not None else ""
        if zone is not None and len(zone):
            envelope.zone_definition = _definition(zone)
    elif name == "SerializedSecurityContext":
        texts = [child.findtext(f"{_T}{one}") or "" for one in ("UserSid", "PrimarySmtpAddress")]
        envelope.security = (texts[0].strip(), texts[1].strip())
    elif name == "ManagementRole":
        envelope.roles = tuple((one.text or "").strip() for one in child.iter(f"{_T}Role"))
        if not envelope.roles:
            raise Fault("ErrorInvalidManagementRoleHeader", "ManagementRole has to name a role.")
    elif name == "MailboxCulture":
        envelope.culture = (child.text or "").strip()


def _definition(zone: etree._Element) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = read_as(zone, "TimeZoneDefinitionType")
    except SchemaViolation as problem:
        raise violation(problem) from None
    return found


def wrap(body: str, server: Server, *, bare: bool = False) -> bytes:
    """An answer's envelope. `bare` writes `<Envelope>` without a prefix, as streams must have it (ews reference 14)."""
    major, minor, build, revision = server.numbers
    version = (
        f'<h:ServerVersionInfo MajorVersion="{major}" MinorVersion="{minor}" MajorBuildNumber="{build}" MinorBuildNumber="{revision}"'
        f' Version="{server.version}" xmlns:h="{NAMESPACES["t"]}"/>'
    )
    spaces = f'xmlns:m="{NAMESPACES["m"]}" xmlns:t="{NAMESPACES["t"]}" xmlns:xsi="{NAMESPACES["xsi"]}"'
    if bare:
        soap = NAMESPACES["s"]
        text = f'<Envelope xmlns="{soap}"><Header>{version}</Header><Body {spaces}>{body}</Body></Envelope>'
        return text.encode()
    text = (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{NAMESPACES["s"]}"><s:Header>{version}</s:Header>'
        f"<s:Body {spaces}>{body}</s:Body></s:Envelope>"
    )
    return text.encode()


def fault(error: EwsError) -> bytes:
    """A SOAP fault's envelope; real ones have no header (ews reference 3)."""
    values = "".join(
        f'<t:Value Name="{legal_text(name)}">{legal_text(value)}</t:Value>' for name, value in error.values.items()
    )
    xml = f'<t:MessageXml xmlns:t="{NAMESPACES["t"]}">{values}</t:MessageXml>' if values else ""
    code, text = legal_text(error.code), legal_text(error.text)
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{NAMESPACES["s"]}"><s:Body><s:Fault>'
        f'<faultcode xmlns:a="{NAMESPACES["t"]}">a:{code}</faultcode><faultstring xml:lang="en-US">{text}</faultstring>'
        f'<detail><e:ResponseCode xmlns:e="{NAMESPACES["e"]}">{code}</e:ResponseCode>'
        f'<e:Message xmlns:e="{NAMESPACES["e"]}">{text}</e:Message>{xml}</detail></s:Fault></s:Body></s:Envelope>'
    ).encode()


def violation(problem: SchemaViolation, octets: bytes = b"") -> Fault:
    """The fault for a request that does not fit the schema; with the place in its octets."""
    line, column = _place(problem.element, octets)
    values = {"LineNumber": str(line), "LinePosition": str(column), "Violation": f"{problem}."}
    return Fault("ErrorSchemaValidation", f"The request failed schema validation: {problem}.", values=values)


def _place(element: etree._Element | None, octets: bytes) -> tuple[int, int]:
    """Line and column of the element's name, from 1; zeros where the octets do not say. lxml knows no columns: expat counts its way there."""
    if element is None:
        return 0, 0
    wanted = sum(1 for _ in itertools.takewhile(lambda one: one is not element, element.getroottree().iter("*")))
    seen = itertools.count()
    found: list[tuple[int, int]] = []
    parser = expat.ParserCreate()

    def start(_name: str, _attributes: object) -> None:
        if next(seen) == wanted:
            found.append((parser.CurrentLineNumber, parser.CurrentColumnNumber + 2))

    parser.StartElementHandler = start
    with contextlib.suppress(expat.ExpatError):
        parser.Parse(octets, True)
    return found[0] if found else (0, 0)
