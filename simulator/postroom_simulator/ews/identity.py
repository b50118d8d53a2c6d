"""Who asks: the mechanisms of HTTP authentication, lock-outs, and impersonation (ews reference 16)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from postroom_simulator.directory import Account, canonical
from postroom_simulator.ews.errors import Fault
from postroom_simulator.ews.http import HTML, Response
from postroom_simulator.tokens import TokenFailure

if TYPE_CHECKING:
    from postroom_simulator.ews.exchange import Exchange
    from postroom_simulator.ews.negotiate import Negotiation
    from postroom_simulator.ews.service import EwsService
    from postroom_simulator.world import World

__all__ = [
    "MECHANISMS",
    "ROLES",
    "Lockouts",
    "Unauthorized",
    "acting_as",
    "identify",
    "impersonated",
    "login_name",
    "of_application",
    "roles_of",
    "sid_of",
]

MECHANISMS = ("Basic", "NTLM", "Negotiate", "Bearer")
"""What `EwsService.challenges` may offer. "Negotiate" is SPNEGO around NTLM, and takes bare NTLM messages too, as Windows does."""

EXCHANGE_APPLICATION = "00000002-0000-0ff1-ce00-000000000000"
"""What Exchange is called among the applications of a directory service."""
LOCKED = "The referenced account is currently locked out and may not be logged on to."

_DIAGNOSTICS = {
    TokenFailure.EXPIRED: '2000001;reason="The token has expired.";error_category="token_expired"',
    TokenFailure.WRONG_AUDIENCE: '2000003;reason="The audience claim value is invalid.";error_category="invalid_resource"',
    TokenFailure.WRONG_SCOPE: '2000008;reason="The token contains not enough scope to make this call.";error_category="invalid_grant"',
    TokenFailure.WRONG_USER: '2000006;reason="The user specified by the user-context in the token does not match.";error_category="invalid_user"',
}
_OTHER_DIAGNOSTICS = '2000010;reason="The token is invalid.";error_category="invalid_token"'
"""Header x-ms-diagnostics; numbers and words are ours where they differ from real servers, whose list is not published."""


_MODERN = '4000000;reason="Modern Auth is required: only bearer tokens are taken.";error_category="modern_auth"'
"""Header ms-diagnostics-public, where nothing but tokens is taken: exchangelib looks for "Modern Auth" in it (ews reference 16); number and words are ours."""


class Unauthorized(Exception):
    """The answer is 401."""

    def __init__(self, response: Response) -> None:
        super().__init__("401")
        self.response = response


@dataclass(slots=True)
class Lockouts:
    """Accounts that are shut for a while.

    after    failed logins in a row, within `seconds`, that lock an account; None: never
    seconds  how long it stays locked
    """

    world: World
    after: int | None = None
    seconds: float = 1800.0
    _until: dict[str, float] = field(default_factory=dict, repr=False)
    _failed: dict[str, list[float]] = field(default_factory=dict, repr=False)

    def lock(self, address: str, seconds: float | None = None) -> None:
        """From now on, for so long (None: as `seconds` says). Raises UnknownAccount."""
        account = self.world.directory.account(address)
        self._until[canonical(account.address)] = self.world.clock.monotonic() + (self.seconds if seconds is None else seconds)

    def unlock(self, address: str) -> None:
        self._until.pop(canonical(address), None)
        self._failed.pop(canonical(address), None)

    def locked(self, account: Account | None) -> bool:
        if account is None:
            return False
        until = self._until.get(canonical(account.address))
        return until is not None and self.world.clock.monotonic() < until

    def count(self, account: Account | None, *, ok: bool) -> None:
        """A login went well or not."""
        if account is None or self.after is None:
            return
        key = canonical(account.address)
        if ok:
            self._failed.pop(key, None)
            return
        now = self.world.clock.monotonic()
        recent = [at for at in self._failed.get(key, ()) if at > now - self.seconds]
        recent.append(now)
        self._failed[key] = recent[-self.after :]
        if len(recent) >= self.after:
            self.lock(account.address)
            self._failed.pop(key, None)


def login_name(name: str) -> str:
    """`DOMAIN\\user` means user; addresses and bare names stay."""
    return name.rpartition("\\")[2]


def identify(exchange: Exchange) -> Account | None:
    """Who is behind the request; None: an application that acts for itself, and says later for whom. Raises Unauthorized, Halted, Instead."""
    service, given = exchange.service, exchange.request.headers.get("authorization", "")
    scheme, _, token = given.partition(" ")
    offered = {one.lower(): one for one in service.challenges}
    if not given:
        if exchange.link.account is not None:
            return exchange.link.account
        if service.anonymous is not None:
            return service.world.directory.account(service.anonymous)
        raise challenge(exchange)
    mechanism = offered.get(scheme.lower())
    if mechanism == "Basic":
        return _basic(exchange, token)
    if mechanism == "Bearer":
        return _bearer(exchange, token.strip())
    if mechanism in ("NTLM", "Negotiate"):
        return _ntlm(exchange, mechanism, token)
    raise challenge(exchange)


def challenge(exchange: Exchange, *, error: str = "", diagnostics: str = "", body: str = "") -> Unauthorized:
    """The 401 with all that is offered. error: RFC 6750 §3.1, of a bearer token that was shown."""
    service = exchange.service
    exchange.link.ntlm = exchange.link.negotiation = None
    headers = []
    for one in service.challenges:
        if one == "Basic":
            headers.append(("WWW-Authenticate", f'Basic realm="{service.world.hostname}"'))
        elif one == "Bearer":
            problem = f', error="{error}"' if error else ""
            issuers = f'client_id="{EXCHANGE_APPLICATION}", trusted_issuers="{EXCHANGE_APPLICATION}@*"'
            headers.append(("WWW-Authenticate", f"Bearer {issuers}{problem}"))
        else:
            headers.append(("WWW-Authenticate", one))
    if list(service.challenges) == ["Bearer"]:
        headers.append(("ms-diagnostics-public", _MODERN))
    if diagnostics:
        headers.append(("x-ms-diagnostics", diagnostics))
    text = body or "401 - Unauthorized: Access is denied due to invalid credentials."
    return Unauthorized(Response(401, [*headers, ("Content-Type", HTML)], f"<html><body>{text}</body></html>".encode()))


def _basic(exchange: Exchange, token: str) -> Account:
    """RFC 7617."""
    try:
        name, colon, password = base64.b64decode(token.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        name = colon = password = ""
    world, name = exchange.service.world, login_name(name)
    known = world.directory.find_login(name) if colon else None
    exchange.pass_step("auth", known.address if known is not None else None)
    found = world.authenticate(name, password) if colon else None
    return _decided(exchange, "Basic", known or found, ok=found is not None)


def _decided(exchange: Exchange, way: str, account: Account | None, *, ok: bool) -> Account:
    """What all ways with a password have in common. Raises Unauthorized."""
    lockouts = exchange.service.lockouts
    if lockouts.locked(account):
        exchange.note_login(account, way, "locked out")
        raise challenge(exchange, body=LOCKED)
    lockouts.count(account, ok=ok)
    if not ok or account is None:
        exchange.note_login(account, way, "wrong credentials")
        raise challenge(exchange)
    exchange.note_login(account, way)
    return account


def _bearer(exchange: Exchange, token: str) -> Account | None:
    """RFC 6750."""
    tokens = exchange.service.world.tokens
    owner = tokens.owner(token)
    exchange.pass_step("auth", owner.address if owner is not None else None)
    if tokens.acts_for_itself(token):
        return None
    found = tokens.verify(token, tokens.audience, tokens.scopes["ews"])
    if isinstance(found, TokenFailure):
        raise _bad_token(exchange, owner, found)
    exchange.note_login(found, "Bearer")
    return found


def _bad_token(exchange: Exchange, owner: Account | None, failure: TokenFailure) -> Unauthorized:
    exchange.note_login(owner, "Bearer", str(failure))
    return challenge(exchange, error="invalid_token", diagnostics=_DIAGNOSTICS.get(failure, _OTHER_DIAGNOSTICS))


def of_application(exchange: Exchange, wanted: tuple[str, str] | None) -> Account:
    """The account for which an application's token is shown: whom the impersonation header names. Raises Fault, Unauthorized."""
    token = exchange.request.headers.get("authorization", "").partition(" ")[2].strip()
    if wanted is None:
        raise Fault("ErrorImpersonationFailed", "An application's token needs the ExchangeImpersonation header.")
    account = named_account(exchange.service.world, wanted)
    tokens = exchange.service.world.tokens
    found = tokens.verify(token, tokens.audience, tokens.scopes["ews"], account.address)
    if found is TokenFailure.WRONG_USER:
        raise Fault("ErrorImpersonateUserDenied")
    if isinstance(found, TokenFailure):
        raise _bad_token(exchange, None, found)
    exchange.note_login(found, "Bearer")
    return found


def _ntlm(exchange: Exchange, mechanism: str, token: str) -> Account:
    """MS-NTHT: the connection is logged in, not the request."""
    from postroom_simulator.ews import negotiate, ntlm

    link, world = exchange.link, exchange.service.world
    link.account = None
    negotiation = link.negotiation or negotiate.Negotiation()
    try:
        message = base64.b64decode(token.strip(), validate=True)
        if len(message) > ntlm.TOKEN_LIMIT:
            raise ValueError
        if mechanism == "Negotiate":
            message = negotiation.unwrap(message) or b""
    except negotiate.Rejected as rejected:
        exchange.pass_step("auth")
        raise _rejected(exchange, mechanism, rejected.token) from None
    except (binascii.Error, ValueError):
        exchange.pass_step("auth")
        raise challenge(exchange) from None
    if not message or ntlm.is_negotiate(message):
        exchange.pass_step("auth")
        raise _go_on(exchange, mechanism, negotiation, message)
    acceptor = link.ntlm
    known = world.directory.find_login(login_name(acceptor.named(message))) if acceptor is not None else None
    exchange.pass_step("auth", known.address if known is not None else None)
    link.ntlm = link.negotiation = None
    last = None
    good = acceptor is not None and known is not None and not known.disabled and acceptor.check(message, known)
    if good and acceptor is not None:
        try:
            last = negotiation.finish(acceptor)
        except negotiate.Rejected as rejected:
            exchange.note_login(known, mechanism, "the list of mechanisms was changed")
            raise _rejected(exchange, mechanism, rejected.token) from None
    link.account = _decided(exchange, mechanism, known, ok=good)
    link.last_token = f"{mechanism} {base64.b64encode(last).decode('ascii')}" if last else ""
    return link.account


def _go_on(exchange: Exchange, mechanism: str, negotiation: Negotiation, message: bytes) -> Unauthorized:
    """The 401 in the middle of a handshake."""
    from postroom_simulator.ews import ntlm

    link, service = exchange.link, exchange.service
    answer: bytes | None = None
    if message:
        required = service.extended_protection == "require"
        link.ntlm = ntlm.Acceptor(service.world, _bindings(exchange), required=required)
        try:
            answer = link.ntlm.challenge(message)
        except ValueError:
            return challenge(exchange)
    said = base64.b64encode(negotiation.wrap(answer)).decode("ascii")
    link.negotiation = negotiation
    return Unauthorized(Response(401, [("WWW-Authenticate", f"{mechanism} {said}"), ("Content-Type", HTML)]))


def _rejected(exchange: Exchange, mechanism: str, token: bytes) -> Unauthorized:
    """The usual 401, with the last word of the negotiation where there is one."""
    found = challenge(exchange)
    if token:
        said = f"{mechanism} {base64.b64encode(token).decode('ascii')}"
        found.response.headers = [
            (name, said if (name, value) == ("WWW-Authenticate", mechanism) else value)
            for name, value in found.response.headers
        ]
    return found


def _bindings(exchange: Exchange) -> bytes | None:
    """What this connection is bound to; None: nobody is asked, or there is no TLS."""
    from postroom_simulator.ews import ntlm

    service = exchange.service
    if service.extended_protection == "off" or not exchange.request.secure:
        return None
    trouble = service.world.tls.get("ewss")
    return ntlm.bindings_of(service.world.authority.certificate(trouble.name if trouble is not None else ""))


# -- impersonation


def sid_of(account: Account) -> str:
    """The security identifier of an account: made from its address, so that it is the same in every run (our choice)."""
    digest = sha256(canonical(account.address).encode("utf-8", "surrogatepass")).digest()
    numbers = [int.from_bytes(digest[at : at + 4], "big") for at in (0, 4, 8)]
    return f"S-1-5-21-{'-'.join(map(str, numbers))}-{1000 + int.from_bytes(digest[12:14], 'big')}"


def named_account(world: World, wanted: tuple[str, str]) -> Account:
    """Whom a ConnectingSID names. Raises Fault: ErrorNonExistentMailbox, ErrorInvalidExchangeImpersonationHeaderData."""
    kind, text = wanted
    if kind not in ("PrincipalName", "SID", "PrimarySmtpAddress", "SmtpAddress") or not text:
        raise Fault("ErrorInvalidExchangeImpersonationHeaderData", f"{kind[:60]} is no way to name an account, or it is empty.")
    if kind == "SID":
        if not text.upper().startswith("S-1-"):
            raise Fault("ErrorInvalidExchangeImpersonationHeaderData", "The SID is malformed.")
        found = next((one for one in world.directory.accounts() if sid_of(one) == text.upper()), None)
    elif kind == "PrincipalName":
        found = world.directory.find_login(login_name(text))
    else:
        entry = world.directory.get(text)
        found = entry if isinstance(entry, Account) else None
        if kind == "PrimarySmtpAddress" and found is not None and canonical(found.address) != canonical(text):
            raise Fault("ErrorNonPrimarySmtpAddress", values={"Primary": found.address})
    if found is None or found.disabled:
        raise Fault("ErrorNonExistentMailbox")
    return found


ROLES = frozenset(
    {
        "ArchiveApplication", "LegalHold", "LegalHoldApplication", "MailboxSearch", "MailboxSearchApplication", "OfficeExtensionApplication",
        "TeamMailboxLifecycleApplication", "UserApplication",
    }
)  # fmt: skip
"""What a ManagementRole header may name (MS-OXWSCDATA 2.2.4: the roles that servers know)."""


def acting_as(
    service: EwsService,
    principal: Account,
    wanted: tuple[str, str] | None,
    security: tuple[str, str] | None,
    roles: tuple[str, ...],
) -> Account:
    """Whose rights a request has, by its headers: ExchangeImpersonation, SerializedSecurityContext (one of them), ManagementRole. Raises Fault."""
    if wanted is not None and security is not None:
        raise Fault("ErrorMoreThanOneAccessModeSpecified")
    unknown = [one for one in roles if one not in ROLES]
    if unknown:
        raise Fault("ErrorInvalidManagementRoleHeader", f"There is no role {unknown[0][:60]!r}.")
    granted = roles_of(service, principal)
    if any(one not in granted for one in roles):
        raise Fault("ErrorAccessDenied", "The account does not have the role.")
    if security is not None:
        return _serialized(service, principal, *security)
    return impersonated(service.world, principal, wanted) if wanted is not None else principal


def roles_of(service: EwsService, account: Account) -> set[str]:
    """The roles that were granted to it."""
    granted = service.roles.items()
    return {one for address, names in granted if canonical(address) == canonical(account.address) for one in names}


def _serialized(service: EwsService, principal: Account, sid: str, address: str) -> Account:
    """Whom a trusted server names by SID, or the mailbox that it names beside. Raises Fault: ErrorTokenSerializationDenied,
    ErrorInvalidSerializedAccessToken, ErrorNonExistentMailbox."""
    if canonical(principal.address) not in {canonical(one) for one in service.serializers}:
        raise Fault("ErrorTokenSerializationDenied")
    if not sid.upper().startswith("S-1-"):
        raise Fault("ErrorInvalidSerializedAccessToken", "UserSid is missing or malformed.")
    found = named_account(service.world, ("SID", sid))
    if address and service.world.directory.get(address) is not found:
        raise Fault("ErrorInvalidSerializedAccessToken", "UserSid and PrimarySmtpAddress are not of the same account.")
    return found


def impersonated(world: World, principal: Account, wanted: tuple[str, str]) -> Account:
    """Whom the principal acts for. Raises Fault: as `named_account`, and ErrorImpersonateUserDenied."""
    found = named_account(world, wanted)
    if found is not principal and not world.ews.may_impersonate(principal, found):
        raise Fault("ErrorImpersonateUserDenied")
    return found
