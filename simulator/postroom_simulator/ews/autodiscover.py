"""Autodiscover: where somebody's mailbox is (ews reference 17; MS-OXDSCLI for POX, MS-OXWSADISC for SOAP).

URLs are made of the scheme and host that the request names, so that whoever finds the server by some name stays at it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, UUID, uuid5

from lxml import etree

from postroom_simulator.directory import Account, canonical
from postroom_simulator.ews.codec import NAMESPACES, legal_text
from postroom_simulator.ews.envelope import open_envelope, parse_xml
from postroom_simulator.ews.errors import Fault
from postroom_simulator.ews.http import HTML, XML, Response
from postroom_simulator.ews.versions import Version

if TYPE_CHECKING:
    from postroom_simulator.ews.exchange import Exchange

__all__ = ["KNOWN", "SETTINGS", "Autodiscover", "answer"]

POX, SOAP = "/autodiscover/autodiscover.xml", "/autodiscover/autodiscover.svc"
_A = "http://schemas.microsoft.com/exchange/2010/Autodiscover"
_ADDRESSING = "http://www.w3.org/2005/08/addressing"
_POX_REQUEST = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
_POX_RESPONSE = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
_POX_OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
USERS_LIMIT = 100
"""Users of one request (MS-OXWSADISC 3.1.4.2: at most 100 on real servers)."""


@dataclass(slots=True)
class Autodiscover:
    """Settings of a world.

    redirects  by address or domain: another address, or the URL of another Autodiscover; the first match counts, addresses before domains
    moved      where every request is sent to by a 302, before anybody logs in ("https://autodiscover.elsewhere.test"); None: nowhere
    failures   by address or domain: the error code that GetUserSettings or GetDomainSettings has for it, "ServerBusy" or "InternalServerError"; POX says
               error 500 then
    secure     what a GET over plain http is sent to ("https://autodiscover.example.test"); None: the same host by https
    """

    redirects: dict[str, str] = field(default_factory=dict)
    secure: str | None = None
    moved: str | None = None
    failures: dict[str, str] = field(default_factory=dict)

    def redirect(self, address: str) -> str | None:
        return _of(self.redirects, address)

    def failure(self, address: str) -> str | None:
        return _of(self.failures, address)


def _of(settings: Mapping[str, str], address: str) -> str | None:
    """What is set for an address, or for its domain."""
    wanted = canonical(address)
    known = {canonical(f"x@{name}")[2:] if "@" not in name else canonical(name): one for name, one in settings.items()}
    return known.get(wanted) or known.get(wanted.rpartition("@")[2])


@dataclass(frozen=True, slots=True)
class _Person:
    """Whose settings are asked for, and where the request came in."""

    account: Account
    base: str
    host: str
    exchange: Exchange

    @property
    def dn(self) -> str:
        local = self.account.address.partition("@")[0]
        return f"/o=Postroom/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn={local}"

    @property
    def has_archive(self) -> bool:
        return self.exchange.service.world.store.has_archive(canonical(self.account.address))

    @property
    def archive_guid(self) -> UUID:
        """The same for one address in every world."""
        return uuid5(NAMESPACE_URL, f"archive:{canonical(self.account.address)}")

    @property
    def schemas(self) -> str:
        newest = self.exchange.service.server.newest
        return ", ".join(version.named for version in Version if version <= newest)

    @property
    def version(self) -> str:
        major, minor, build, revision = self.exchange.service.server.numbers
        return f"{major}.{minor:02d}.{build:04d}.{revision:03d}"


SETTINGS: Mapping[str, Callable[[_Person], str]] = {
    "AutoDiscoverSMTPAddress": lambda who: who.account.address,
    "UserDisplayName": lambda who: who.account.name or who.account.address,
    "UserDN": lambda who: who.dn,
    "UserDeploymentId": lambda _: "00000000-0000-0000-0000-000000000000",
    "InternalMailboxServer": lambda who: who.host,
    "InternalRpcClientServer": lambda who: who.host,
    "InternalMailboxServerDN": lambda who: (
        f"/o=Postroom/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Servers/cn={who.host}"
    ),
    "MailboxDN": lambda who: who.dn,
    "ActiveDirectoryServer": lambda who: who.host,
    "ExternalMailboxServer": lambda who: who.host,
    "ExternalMailboxServerRequiresSSL": lambda _: "True",
    "ExternalMailboxServerAuthenticationMethods": lambda who: ", ".join(who.exchange.service.challenges),
    "InternalEwsUrl": lambda who: f"{who.base}/EWS/Exchange.asmx",
    "ExternalEwsUrl": lambda who: f"{who.base}/EWS/Exchange.asmx",
    "InternalOABUrl": lambda who: f"{who.base}/OAB/",
    "ExternalOABUrl": lambda who: f"{who.base}/OAB/",
    "InternalPhotosUrl": lambda who: f"{who.base}/EWS/Exchange.asmx/s",
    "ExternalPhotosUrl": lambda who: f"{who.base}/EWS/Exchange.asmx/s",
    "InternalEcpUrl": lambda who: f"{who.base}/owa/",
    "ExternalEcpUrl": lambda who: f"{who.base}/owa/",
    "CasVersion": lambda who: who.version,
    "ExternalEwsVersion": lambda who: who.version,
    "EwsSupportedSchemas": lambda who: who.schemas,
    "ShowGalAsDefaultView": lambda _: "True",
    "CrossOrganizationSharingEnabled": lambda _: "False",
    "MapiHttpEnabled": lambda _: "False",
    "UserMSOnline": lambda _: "False",
}
"""What GetUserSettings has a value of."""
_PARTS = ("Voicemail", "EmailSubscriptions", "TextMessaging", "DeliveryReport", "RetentionPolicyTags", "Publishing", "Photo", "Connect", "Extension",
          "TeamMailbox", "TeamMailboxCreating", "TeamMailboxEditing", "TeamMailboxHiding")  # fmt: skip
KNOWN = frozenset(SETTINGS) | frozenset(
    [
        *(f"{side}Ecp{part}Url" for side in ("Internal", "External") for part in _PARTS),
        *(f"Ecp{part}UrlFragment" for part in _PARTS),
        *(f"{side}{what}Connections" for side in ("Internal", "External") for what in ("Pop3", "Imap4", "Smtp")),
        *(f"{side}{what}" for side in ("Internal", "External") for what in ("UMUrl", "WebClientUrls", "ServerExclusiveConnect")),
        "AlternateMailboxes", "DocumentSharingLocations", "GroupingInformation", "InternalMailboxServerAuthenticationMethods", "MailboxVersion",
        "MobileMailboxPolicy", "PublicFolderInformation", "PublicFolderServer", "SiteMailboxCreationURL", "SPMySiteHostURL",
    ]
)  # fmt: skip
"""Names of settings that there are (MS-OXWSADISC 3.1.4.3): those without a value are answered SettingIsNotAvailable, all others InvalidSetting."""


def answer(exchange: Exchange) -> Response:
    """Raises Halted, Instead, Unauthorized."""
    from postroom_simulator.ews.answering import log_in

    request = exchange.request
    if request.path not in (POX, SOAP):
        return Response(404, [("Content-Type", HTML)])
    moved = exchange.service.autodiscover.moved
    if moved is not None:
        target = moved.rstrip("/") + request.path
        return Response(302, [("Location", target), ("Content-Type", HTML)])
    if request.method == "GET" and request.scheme == "http" and request.path == POX:
        base = exchange.service.autodiscover.secure or "https://" + _host(request.base_url(exchange.service.world.hostname))
        return Response(302, [("Location", f"{base}/autodiscover/autodiscover.xml"), ("Content-Type", HTML)])
    log_in(exchange)
    exchange.pass_step("envelope", exchange.address)
    if request.method not in ("GET", "POST"):
        return Response(405, [("Allow", "GET, POST"), ("Content-Type", HTML)])
    if exchange.principal is None:
        return Response(403, [("Content-Type", HTML)])
    if request.path == POX:
        return _pox(exchange)
    if request.method == "GET":
        return Response(200, [("Content-Type", HTML)])
    return _soap(exchange)


def _host(base: str) -> str:
    """Without a port: the one of http is not that of https."""
    host = base.partition("://")[2]
    return host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host


def _find(exchange: Exchange, address: str) -> _Person | None:
    found = exchange.service.world.directory.get(address)
    if not isinstance(found, Account):
        return None
    base = exchange.request.base_url(exchange.service.world.hostname)
    return _Person(found, base, _host(base), exchange)


# -- POX


def _pox(exchange: Exchange) -> Response:
    exchange.hear("Autodiscover", "POX")
    if exchange.request.method == "GET":
        return _pox_error(exchange, 600, "Invalid Request")
    try:
        root = parse_xml(exchange.request.body)
    except Fault:
        return _pox_error(exchange, 600, "Invalid Request")
    address = (root.findtext(f"{{{_POX_REQUEST}}}Request/{{{_POX_REQUEST}}}EMailAddress") or "").strip()
    schema = (root.findtext(f"{{{_POX_REQUEST}}}Request/{{{_POX_REQUEST}}}AcceptableResponseSchema") or "").strip()
    if root.tag != f"{{{_POX_REQUEST}}}Autodiscover" or "@" not in address:
        return _pox_error(exchange, 600, "Invalid Request")
    if schema and schema != _POX_OUTLOOK:
        return _pox_error(exchange, 601, "The requested schema version is not supported.")
    target = exchange.service.autodiscover.redirect(address)
    if target is not None:
        kind = "Url" if "://" in target else "Addr"
        inner = f"<Action>redirect{kind}</Action><Redirect{kind}>{legal_text(target)}</Redirect{kind}>"
        return _pox_answer(f"<Account>{inner}</Account>")
    if exchange.service.autodiscover.failure(address) is not None:
        return _pox_error(exchange, 500, "The server had an unexpected error.")
    person = _find(exchange, address)
    if person is None:
        return _pox_error(exchange, 500, "The e-mail address cannot be found.")
    return _pox_answer(_pox_account(person))


def _pox_account(person: _Person) -> str:
    name, address = legal_text(person.account.name or person.account.address), legal_text(person.account.address)
    ews = legal_text(f"{person.base}/EWS/Exchange.asmx")
    oab, host = legal_text(f"{person.base}/OAB/"), legal_text(person.host)
    urls = f"<ASUrl>{ews}</ASUrl><EwsUrl>{ews}</EwsUrl><OOFUrl>{ews}</OOFUrl><OABUrl>{oab}</OABUrl>"
    protocols = (
        f"<Protocol><Type>EXCH</Type><Server>{host}</Server><ServerVersion>{_packed(person)}</ServerVersion><AuthPackage>Anonymous</AuthPackage>"
        f"{urls}</Protocol>"
        f"<Protocol><Type>EXPR</Type><Server>{host}</Server><SSL>On</SSL><AuthPackage>Basic</AuthPackage>{urls}</Protocol>"
        f"<Protocol><Type>WEB</Type><External><Protocol><Type>EXPR</Type><ASUrl>{ews}</ASUrl></Protocol></External>"
        f"<Internal><Protocol><Type>EXCH</Type><ASUrl>{ews}</ASUrl></Protocol></Internal></Protocol>"
    )
    user = (
        f"<User><DisplayName>{name}</DisplayName><LegacyDN>{legal_text(person.dn)}</LegacyDN>"
        f"<AutoDiscoverSMTPAddress>{address}</AutoDiscoverSMTPAddress>"
        "<DeploymentId>00000000-0000-0000-0000-000000000000</DeploymentId></User>"
    )
    archive = f"<AlternativeMailbox>{_archive(person)}</AlternativeMailbox>" if person.has_archive else ""
    return f"{user}<Account><AccountType>email</AccountType><Action>settings</Action>{protocols}{archive}</Account>"


def _archive(person: _Person) -> str:
    """What is told of somebody's archive, by POX (MS-OXDSCLI, AlternativeMailbox) and by SOAP (AlternateMailbox) alike."""
    name = f"In-Place Archive - {person.account.name or person.account.address}"
    told = {
        "Type": "Archive",
        "DisplayName": name,
        "LegacyDN": f"{person.dn}/guid={person.archive_guid}",
        "Server": person.host,
    }
    return "".join(f"<{element}>{legal_text(text)}</{element}>" for element, text in told.items())


def _packed(person: _Person) -> str:
    """The server's version in four octets of hexadecimal text (MS-OXDSCLI 2.2.4.1.1.2.6.47)."""
    major, minor, build, _ = person.exchange.service.server.numbers
    return f"{0x7 << 28 | major << 22 | minor << 16 | 1 << 15 | build & 0x7FFF:08X}"


def _pox_answer(inner: str) -> Response:
    text = (
        f'<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="{_POX_RESPONSE}"><Response xmlns="{_POX_OUTLOOK}">{inner}</Response>'
        "</Autodiscover>"
    )
    return Response(200, [("Content-Type", XML)], text.encode())


def _pox_error(exchange: Exchange, code: int, text: str) -> Response:
    """Errors are answered with status 200 too."""
    now = exchange.service.world.clock.now()
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="{_POX_RESPONSE}"><Response><Error Time="{now:%H:%M:%S.%f}0" Id="1">'
        f"<ErrorCode>{code}</ErrorCode><Message>{text}</Message><DebugData/></Error></Response></Autodiscover>"
    )
    return Response(200, [("Content-Type", XML)], body.encode(), codes=[str(code)])


# -- SOAP


def _soap(exchange: Exchange) -> Response:
    try:
        asked = open_envelope(exchange.request.body).operation
    except Fault as problem:
        exchange.hear("Autodiscover", "SOAP")
        return Response(500, [("Content-Type", XML)], _soap_fault("a:InvalidRequest", problem.text), codes=["InvalidRequest"])
    name = etree.QName(asked).localname.removesuffix("RequestMessage")
    if name not in ("GetUserSettings", "GetDomainSettings") or etree.QName(asked).namespace != _A:
        exchange.hear("Autodiscover", "SOAP")
        text = "The message cannot be processed: there is no such action."
        return Response(500, [("Content-Type", XML)], _soap_fault("a:ActionNotSupported", text), codes=["ActionNotSupported"])
    exchange.hear(name)
    if name == "GetUserSettings":
        users = [_text(one, "Mailbox") for one in asked.iterfind(f"{{{_A}}}Request/{{{_A}}}Users/{{{_A}}}User")]
    else:
        users = [(one.text or "").strip() for one in asked.iterfind(f"{{{_A}}}Request/{{{_A}}}Domains/{{{_A}}}Domain")]
    wanted = [(one.text or "").strip() for one in asked.iterfind(f"{{{_A}}}Request/{{{_A}}}RequestedSettings/{{{_A}}}Setting")]
    if not users or not wanted or len(users) > USERS_LIMIT:
        return _soap_answer(exchange, name, "InvalidRequest", "The request is invalid: no users, no settings, or too many.", "")
    find = _user if name == "GetUserSettings" else _domain
    inner = "".join(find(exchange, one, list(dict.fromkeys(wanted))) for one in users)
    return _soap_answer(exchange, name, "NoError", "", inner)


def _text(element: etree._Element, child: str) -> str:
    return (element.findtext(f"{{{_A}}}{child}") or "").strip()


def _user(exchange: Exchange, address: str, wanted: list[str]) -> str:
    target = exchange.service.autodiscover.redirect(address)
    if target is not None:
        code, text = ("RedirectUrl", "Redirection URL.") if "://" in target else ("RedirectAddress", "Redirection address.")
        return _response("User", code, text, target, {}, [])
    failed = exchange.service.autodiscover.failure(address)
    if failed is not None:
        return _response("User", failed, "The server cannot answer now.", None, {}, [])
    person = _find(exchange, address)
    if person is None:
        return _response("User", "InvalidUser", f"Invalid user: '{address[:200]}'", None, {}, [])
    found = {name: SETTINGS[name](person) for name in wanted if name in SETTINGS}
    more = _alternates(person) if "AlternateMailboxes" in wanted else ""
    missing = [name for name in wanted if name not in SETTINGS and not (more and name == "AlternateMailboxes")]
    return _response("User", "NoError", "No error.", None, found, missing, more)


def _alternates(person: _Person) -> str:
    """The AlternateMailboxCollectionSetting; "" for who has no other mailbox."""
    if not person.has_archive:
        return ""
    inner = f"<AlternateMailboxes><AlternateMailbox>{_archive(person)}</AlternateMailbox></AlternateMailboxes>"
    return f'<UserSetting i:type="AlternateMailboxCollectionSetting"><Name>AlternateMailboxes</Name>{inner}</UserSetting>'


def _domain(exchange: Exchange, domain: str, wanted: list[str]) -> str:
    service = exchange.service
    target = service.autodiscover.redirect(f"x@{domain}")
    if target is not None:
        code = "RedirectUrl" if "://" in target else "RedirectAddress"
        return _response("Domain", code, "Redirected.", target, {}, [])
    failed = service.autodiscover.failure(f"x@{domain}")
    if failed is not None:
        return _response("Domain", failed, "The server cannot answer now.", None, {}, [])
    if not service.world.directory.is_local(domain):
        return _response("Domain", "InvalidDomain", f"Invalid domain: '{domain[:200]}'", None, {}, [])
    major, minor, build, revision = service.server.numbers
    known = {
        "ExternalEwsUrl": exchange.request.base_url(service.world.hostname) + "/EWS/Exchange.asmx",
        "ExternalEwsVersion": f"{major}.{minor:02d}.{build:04d}.{revision:03d}",
    }
    found = {name: known[name] for name in wanted if name in known}
    return _response("Domain", "NoError", "No error.", None, found, [name for name in wanted if name not in known])


def _response(
    kind: str, code: str, text: str, target: str | None, found: Mapping[str, str], missing: list[str], more: str = ""
) -> str:
    """One UserResponse or DomainResponse (MS-OXWSADISC 2.2.4). `more`: settings that are no texts."""
    redirect = '<RedirectTarget i:nil="true"/>' if target is None else f"<RedirectTarget>{legal_text(target)}</RedirectTarget>"
    errors = "".join(
        f"<{kind}SettingError><ErrorCode>{'SettingIsNotAvailable' if name in KNOWN else 'InvalidSetting'}</ErrorCode>"
        f"<ErrorMessage>{'The setting is not available.' if name in KNOWN else 'There is no such setting.'}</ErrorMessage>"
        f"<SettingName>{legal_text(name[:200])}</SettingName></{kind}SettingError>"
        for name in missing
    )
    settings = "".join(
        f'<{kind}Setting i:type="{"String" if kind == "User" else "DomainString"}Setting"><Name>{name}</Name><Value>{legal_text(value)}</Value></{kind}Setting>'
        for name, value in found.items()
    )
    return (
        f"<{kind}Response><ErrorCode>{code}</ErrorCode><ErrorMessage>{legal_text(text)}</ErrorMessage>{redirect}"
        f"<{kind}SettingErrors>{errors}</{kind}SettingErrors><{kind}Settings>{settings}{more}</{kind}Settings></{kind}Response>"
    )


def _soap_answer(exchange: Exchange, name: str, code: str, text: str, inner: str) -> Response:
    major, minor, build, revision = exchange.service.server.numbers
    kind = "User" if name == "GetUserSettings" else "Domain"
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{NAMESPACES["s"]}" xmlns:a="{_ADDRESSING}"><s:Header>'
        f'<a:Action s:mustUnderstand="1">{_A}/Autodiscover/{name}Response</a:Action><h:ServerVersionInfo xmlns:h="{_A}">'
        f"<h:MajorVersion>{major}</h:MajorVersion><h:MinorVersion>{minor}</h:MinorVersion><h:MajorBuildNumber>{build}</h:MajorBuildNumber>"
        f"<h:MinorBuildNumber>{revision}</h:MinorBuildNumber><h:Version>{exchange.service.server.newest.named}</h:Version>"
        f'</h:ServerVersionInfo></s:Header><s:Body><{name}ResponseMessage xmlns="{_A}"><Response xmlns:i="{NAMESPACES["xsi"]}">'
        f"<ErrorCode>{code}</ErrorCode><ErrorMessage>{legal_text(text)}</ErrorMessage><{kind}Responses>{inner}</{kind}Responses>"
        f"</Response></{name}ResponseMessage></s:Body></s:Envelope>"
    )
    return Response(200, [("Content-Type", XML)], body.encode(), codes=[code])


def _soap_fault(code: str, text: str) -> bytes:
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{NAMESPACES["s"]}"><s:Body><s:Fault><faultcode xmlns:a="{_A}">{code}</faultcode>'
        f'<faultstring xml:lang="en-US">{legal_text(text)}</faultstring></s:Fault></s:Body></s:Envelope>'
    )
    return body.encode()
