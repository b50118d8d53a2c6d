"""Which combinations of an email server profile are possible (server-side-sync reference 1.1, 1.6, 2.6, 9, 11). Pure.

`problems` names everything that is wrong at once, in a fixed order; a profile is valid when there is nothing. What the deployment forbids is
asked again when a connection is made (`forbidden`), because the deployment's settings may change after a profile was saved.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from postroom.model import EmailServerProfile
from postroom.model.deployment import DeploymentSettings
from postroom.model.options import AuthenticationProtocol, CredentialRetrieval, ExchangeVersion, ServerType

__all__ = ["DEFAULT_PORTS", "forbidden", "problems"]

POP3_PORTS, SMTP_PORTS, IMAP_PORTS = frozenset({110, 995}), frozenset({25, 465, 587}), frozenset({143, 993})
_WEB = frozenset({"http", "https"})
_IMAP = frozenset({"imap", "imaps"})
DIRECTIONS = ("incoming", "outgoing")
DEFAULT_PORTS = {
    (ServerType.OTHER, "incoming", True): 995,
    (ServerType.OTHER, "incoming", False): 110,
    (ServerType.OTHER, "outgoing", True): 587,
    (ServerType.OTHER, "outgoing", False): 25,
}
"""Ports "auto-populate on save" (reference 1.1); the numbers are the usual ones of POP3 and SMTP, an Exchange profile has 443 or 80."""

_ACTIVE_DIRECTORY = (AuthenticationProtocol.NEGOTIATE, AuthenticationProtocol.NTLM)
_CLEAR = (None, AuthenticationProtocol.AUTO_DETECT, AuthenticationProtocol.BASIC)
_OLD_EXCHANGE = (ExchangeVersion.EXCHANGE_2007, ExchangeVersion.EXCHANGE_2007_SP1)


def problems(profile: EmailServerProfile, deployment: DeploymentSettings) -> list[str]:
    """Everything that speaks against this profile, in words for people; empty: it can be saved."""
    found = [
        *_one_server_type(profile),
        *_credentials(profile, deployment),
        *_server_to_server(profile),
        *_online(profile, deployment),
    ]
    for direction in DIRECTIONS:
        found += forbidden(profile, direction, deployment)
    return list(dict.fromkeys(found))


def _one_server_type(profile: EmailServerProfile) -> Iterator[str]:
    """One profile is one server type for both directions (reference 9): Exchange in with SMTP out, and POP3 in with Exchange out, show in the
    places that the directions name. The ports and schemes that tell are the usual ones: ours."""
    exchange = profile.servertype is not ServerType.OTHER
    for direction in DIRECTIONS:
        location = getattr(profile, f"{direction}serverlocation") or profile.defaultserverlocation or ""
        port = getattr(profile, f"{direction}portnumber")
        scheme = urlsplit(location).scheme.lower() if "://" in location else ""
        if scheme in _IMAP or port in IMAP_PORTS:
            yield f"IMAP is not supported ({direction})"
        elif exchange and ((scheme and scheme not in _WEB) or port in POP3_PORTS | SMTP_PORTS):
            what = "POP3" if direction == "incoming" else "SMTP"
            yield f"an Exchange profile is for Exchange both ways: its {direction} server cannot be {what}"
        elif not exchange and scheme in _WEB:
            yield f"a POP3/SMTP profile is for POP3 and SMTP: its {direction} server cannot be Exchange"
        elif not exchange and scheme:
            yield f"the {direction} server of a POP3/SMTP profile is a host name, not an address with {scheme}://"
    if exchange and profile.exchangeversion in _OLD_EXCHANGE:
        yield "Exchange 2003 and 2007 are not supported"
    if not exchange and profile.useautodiscover:
        yield "only an Exchange server is found by autodiscover"


def _used(profile: EmailServerProfile, direction: str) -> tuple[CredentialRetrieval, AuthenticationProtocol | None]:
    """How this direction gets its credentials and shows them: the incoming settings serve both where the profile says so."""
    source = "incoming" if profile.usesamesettingsforoutgoingconnections else direction
    retrieval = getattr(profile, f"{source}credentialretrieval") or CredentialRetrieval.USER_OR_QUEUE
    return retrieval, getattr(profile, f"{source}authenticationprotocol")


def _credentials(profile: EmailServerProfile, deployment: DeploymentSettings) -> Iterator[str]:
    other = profile.servertype is ServerType.OTHER
    if other and profile.incomingcredentialretrieval is CredentialRetrieval.WINDOWS_INTEGRATED:
        yield "integrated Windows authentication is for Exchange and SMTP only"
    if profile.incomingcredentialretrieval is CredentialRetrieval.ANONYMOUS:
        yield "incoming email is not read without credentials"
    if profile.outgoingcredentialretrieval is CredentialRetrieval.ANONYMOUS:
        if not other:
            yield "an Exchange profile needs credentials"
        elif not deployment.allow_anonymous_smtp:
            yield "email is not sent without credentials (the deployment does not allow it: allow_anonymous_smtp)"


def _server_to_server(profile: EmailServerProfile) -> Iterator[str]:
    online = profile.servertype is ServerType.EXCHANGE_ONLINE_HYBRID
    retrievals = (profile.incomingcredentialretrieval, profile.outgoingcredentialretrieval)
    if not online and CredentialRetrieval.SERVER_TO_SERVER in retrievals:
        yield "server to server authentication is for Exchange Online only"
    if not online and profile.exchangeonlinetenantid:
        yield "a tenant is named for Exchange Online only"


def _online(profile: EmailServerProfile, deployment: DeploymentSettings) -> Iterator[str]:
    """An Exchange Online profile cannot point to an external server (reference 9)."""
    if profile.servertype is not ServerType.EXCHANGE_ONLINE_HYBRID:
        return
    for direction in DIRECTIONS:
        location = getattr(profile, f"{direction}serverlocation") or profile.defaultserverlocation or ""
        host = (urlsplit(location if "://" in location else f"//{location}").hostname or "").lower()
        if host and not any(host == domain or host.endswith("." + domain) for domain in deployment.exchange_online_domains):
            yield f"an Exchange Online profile cannot point to another server ({direction})"


def forbidden(profile: EmailServerProfile, direction: str, deployment: DeploymentSettings) -> list[str]:
    """What the deployment's switches say against connections of one direction (reference 1.6).

    Auto Detect without TLS counts as Basic: POP3 and SMTP servers are then offered the password in the clear. Ours, as the reference
    does not say what Auto Detect finds."""
    found = []
    retrieval, protocol = _used(profile, direction)
    tls = bool(getattr(profile, f"{direction}usessl"))
    if not tls and not deployment.allow_non_ssl_email:
        found.append(f"{direction} connections without TLS are not allowed by the deployment (AllowNonSSLEmail)")
    with_password = retrieval in (CredentialRetrieval.USER_OR_QUEUE, CredentialRetrieval.EMAIL_SERVER_PROFILE)
    if not tls and with_password and protocol in _CLEAR and not deployment.allow_basic_authentication_on_non_secure_channel:
        found.append(
            f"{direction} passwords are not shown without TLS (the deployment does not allow it: AllowBasicAuthenticationOnNonSecureChannel)"
        )
    directory = protocol in _ACTIVE_DIRECTORY or retrieval is CredentialRetrieval.WINDOWS_INTEGRATED
    if directory and not deployment.allow_ad_based_authentication_protocols:
        found.append(
            f"{direction} authentication through Active Directory is not allowed by the deployment (AllowADBasedAuthenticationProtocols)"
        )
    return found
