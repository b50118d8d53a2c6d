"""OAuth 2.0 tokens of a world: issued, expired, revoked, refreshed and verified, by values and the world's clock (RFC 6749, 6750).

Tokens are opaque. Only their SHA-256 is kept, so that neither a repr nor a dump of the authority shows one; the texts of errors and
the journal never do. No HTTP here: `TokenAuthority.handle_token_request` is what a token endpoint will call.
"""

from __future__ import annotations

import hmac
import math
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING

from postroom_simulator.errors import SimulatorError, WorldError
from postroom_simulator.journal import Kind

if TYPE_CHECKING:
    from postroom_simulator.directory import Account
    from postroom_simulator.world import World

__all__ = ["SCOPES", "Grant", "TokenAuthority", "TokenError", "TokenFailure"]

SCOPES: Mapping[str, str] = {"pop3": "POP.AccessAsUser.All", "smtp": "SMTP.Send", "ews": "EWS.AccessAsUser.All"}
"""What a token must permit for each protocol: the words that Exchange Online publishes."""

LIFETIME = 3600.0
REFRESH_LIFETIME = 90 * 86400.0
"""Seconds; an hour and 90 days are what the large providers give."""

FIELD_LIMIT = 16_384
"""Characters of one field of a token request (our choice)."""

_ALSO_ASKED = frozenset({"offline_access", "openid", "profile", "email"})
"""Scopes that clients ask for and that permit nothing here."""


class TokenFailure(StrEnum):
    """Why a token is not good for what it is shown for."""

    UNKNOWN = "unknown token"  # never issued here, or none at all
    EXPIRED = "expired token"
    REVOKED = "revoked token"
    WRONG_AUDIENCE = "token for another audience"
    WRONG_SCOPE = "token without the scope"
    WRONG_USER = "token of somebody else"
    ACCOUNT_DISABLED = "account disabled"


class TokenError(SimulatorError):
    """A token request is refused.

    error        code of RFC 6749 §5.2; "temporarily_unavailable" when throttled (ours: the RFC has none for the token endpoint)
    status       of HTTP
    retry_after  whole seconds after which it is worth trying again; None: it is not
    """

    def __init__(self, error: str, description: str, *, status: int = 400, retry_after: int | None = None) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Grant:
    """What a client gets. `expires_in` in seconds; no `refresh` for clients that act for themselves."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    scope: frozenset[str]
    audience: str
    expires_in: float

    def as_json(self) -> dict[str, object]:
        """RFC 6749 §5.1."""
        told: dict[str, object] = {
            "token_type": "Bearer",
            "access_token": self.access,
            "expires_in": int(self.expires_in),
            "scope": " ".join(sorted(self.scope)),
        }
        return told if self.refresh is None else told | {"refresh_token": self.refresh}


@dataclass(slots=True)
class _Token:
    """What is known of a token. `account` None: the client acts for itself, for any account of `accounts` (None: all).
    `origin` is the hash of the refresh token that brought an access token."""

    account: Account | None
    client: str
    scope: frozenset[str]
    audience: str
    expires: datetime
    accounts: frozenset[str] | None = None
    origin: bytes = b""
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class _Client:
    secret: str | None = field(repr=False)
    scope: frozenset[str]
    accounts: frozenset[str] | None


class TokenAuthority:
    """Issues tokens for the accounts of a world and knows them again. Safe to use from several threads.

    Settings, changeable at any time:
    audience        whom tokens are for unless said otherwise, and what servers ask for
    scopes          what a token must permit, by protocol
    token_length    characters of a token. Real ones have up to some thousand, and that finds clients that cut lines short
    refresh_limit   so many refreshes of one account or client within `refresh_window` seconds; more are refused until it has passed
    rotate          a refresh gives a new refresh token, and the old one is worth nothing any more (RFC 6749 §6 permits either)
    kept            so many tokens of each kind are remembered; the oldest is forgotten, and then unknown
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.audience = f"https://{world.hostname}"
        self.scopes: dict[str, str] = dict(SCOPES)
        self.token_length = 64
        self.refresh_limit = 10
        self.refresh_window = 60.0
        self.rotate = False
        self.kept = 10_000
        self.failures: Counter[TokenFailure] = Counter()
        """How often `verify` said no, by reason."""
        self._access: dict[bytes, _Token] = {}
        self._refresh: dict[bytes, _Token] = {}
        self._clients: dict[str, _Client] = {}
        self._refreshes: dict[str, deque[float]] = {}

    def __repr__(self) -> str:
        return f"<TokenAuthority {self.audience}: {len(self._access)} tokens>"

    # -- issuing

    def issue(
        self,
        account: str,
        *,
        scope: str | Iterable[str] | None = None,
        audience: str | None = None,
        lifetime: float = LIFETIME,
        refresh_lifetime: float = REFRESH_LIFETIME,
        client: str = "",
    ) -> Grant:
        """An access token and a refresh token for an account, both good for so many seconds.

        `scope`: words as a text or a list, any words; None permits everything in `scopes`. Raises UnknownAccount."""
        with self.world.lock:
            token = self._token(self.world.directory.account(account), client, self._words(scope), audience, lifetime)
            refresh = self._add_refresh(token, refresh_lifetime)
            return self._add_access(token, lifetime, refresh)

    def register_client(
        self,
        client: str,
        secret: str | None,
        *,
        scope: str | Iterable[str] | None = None,
        accounts: Iterable[str] | None = None,
    ) -> None:
        """Make a client known. One with a secret may act for itself, for `accounts` (addresses; None: all) within `scope`."""
        if not client or (secret is not None and not secret):
            raise WorldError("a client has a name, and a secret of at least one character or none at all")
        with self.world.lock:
            found = None
            if accounts is not None:
                found = frozenset(self.world.directory.account(address).address for address in accounts)
            self._clients[client] = _Client(secret, self._words(scope), found)

    def client_credentials(
        self, client: str, secret: str, scope: str | Iterable[str] | None = None, *, lifetime: float = LIFETIME
    ) -> Grant:
        """A token for a client that acts for itself (RFC 6749 §4.4); whoever shows it says for which account. Raises TokenError."""
        with self.world.lock:
            known = self._clients.get(client)
            self._check_client(client, secret)
            if known is None or known.secret is None:
                raise TokenError("unauthorized_client", "this client may not act for itself")
            token = self._token(None, client, self.asked(scope, known.scope), None, lifetime)
            token.accounts = known.accounts
            return self._add_access(token, lifetime, None)

    def refresh(self, refresh: str, *, scope: str | Iterable[str] | None = None, client: str = "") -> Grant:
        """A new access token of the usual lifetime (RFC 6749 §6). Raises TokenError: invalid_grant, invalid_scope, or throttled."""
        with self.world.lock:
            digest = _digest(refresh)
            known = self._refresh.get(digest)
            if known is None or known.account is None:
                raise TokenError("invalid_grant", "the refresh token is unknown")
            if known.client != client:
                raise TokenError("invalid_grant", "the refresh token belongs to another client")
            failure = self._failure(known) or self._absent(known.account)
            if failure is not None:
                raise TokenError("invalid_grant", f"refresh refused: {failure}")
            wanted = self.asked(scope, known.scope)
            self._throttle(known.account.address)
            token = self._token(known.account, known.client, wanted, known.audience, LIFETIME)
            if not self.rotate:
                return self._add_access(token, LIFETIME, refresh)
            known.revoked = True
            rest = (known.expires - self.world.clock.now()).total_seconds()
            renewed = self._add_refresh(self._token(known.account, known.client, known.scope, known.audience, rest), rest)
            return self._add_access(token, LIFETIME, renewed)

    # -- ending

    def expire(self, token: str) -> None:
        """Let an access or refresh token be too old from now on. Raises WorldError for one that is not known."""
        with self.world.lock:
            self._known(token).expires = self.world.clock.now()

    def revoke(self, token: str) -> None:
        """Take a token back; a refresh token takes with it the access tokens that it brought (RFC 7009 §2.1). Raises WorldError."""
        with self.world.lock:
            self._known(token).revoked = True
            digest = _digest(token)
            for known in self._access.values():
                known.revoked = known.revoked or known.origin == digest

    def revoke_all(self, account: str) -> None:
        """Take back every token of an account, as a change of password does. Raises UnknownAccount."""
        with self.world.lock:
            owner = self.world.directory.account(account)
            for known in (*self._access.values(), *self._refresh.values()):
                known.revoked = known.revoked or known.account is owner

    # -- verifying

    def verify(self, token: str, audience: str, scope: str, login: str | None = None) -> Account | TokenFailure:
        """Whose token this is, or why it is not good here; failures are counted. `login`: who the client says to be; a token of a
        client that acts for itself needs it."""
        with self.world.lock:
            found = self._verify(token, audience, scope, login)
            if isinstance(found, TokenFailure):
                self.failures[found] += 1
            return found

    def owner(self, token: str) -> Account | None:
        """The account that a token was issued for, good or not."""
        known = self._access.get(_digest(token))
        return known.account if known is not None else None

    def acts_for_itself(self, token: str) -> bool:
        """Whether it was issued to a client that acts for itself, good or not: who shows it says for which account."""
        known = self._access.get(_digest(token))
        return known is not None and known.account is None

    def _verify(self, token: str, audience: str, scope: str, login: str | None) -> Account | TokenFailure:
        known = self._access.get(_digest(token))
        if known is None:
            return TokenFailure.UNKNOWN
        failure = self._failure(known)
        if failure is not None:
            return failure
        if known.audience != audience:
            return TokenFailure.WRONG_AUDIENCE
        if scope not in known.scope:
            return TokenFailure.WRONG_SCOPE
        named = self.world.directory.find_login(login) if login else None
        if known.account is None:
            if named is None or (known.accounts is not None and named.address not in known.accounts):
                return TokenFailure.WRONG_USER
        elif login and named is not known.account:
            return TokenFailure.WRONG_USER
        account = known.account or named
        assert account is not None
        return self._absent(account) or account

    def _failure(self, known: _Token) -> TokenFailure | None:
        if known.revoked:
            return TokenFailure.REVOKED
        return TokenFailure.EXPIRED if known.expires <= self.world.clock.now() else None

    def _absent(self, account: Account) -> TokenFailure | None:
        """An account that was removed takes its tokens with it."""
        if self.world.directory.get(account.address) is not account:
            return TokenFailure.UNKNOWN
        return TokenFailure.ACCOUNT_DISABLED if account.disabled else None

    # -- the token endpoint

    def handle_token_request(self, form: Mapping[str, str]) -> tuple[int, dict[str, object]]:
        """The status and the JSON value that answer a token request (RFC 6749 §4.3, §4.4, §6, §5.2), from the fields of its form.

        A client that nobody registered may ask with its bare name (ours); one with a secret must show it. Who asks too often gets
        429 and "retry_after" in seconds, for the endpoint to say in `Retry-After` too."""
        given = {name: value for name, value in form.items() if value}  # §3.1: without a value as if left out
        grant_type = given.get("grant_type", "")
        handle = _GRANT_TYPES.get(grant_type)
        try:
            if any(len(value) > FIELD_LIMIT for value in given.values()):
                raise TokenError("invalid_request", "a field is too long")
            if not grant_type:
                raise TokenError("invalid_request", "grant_type is missing")
            if handle is None:
                raise TokenError("unsupported_grant_type", f"known are {', '.join(_GRANT_TYPES)}")
            with self.world.lock:
                self._check_client(given.get("client_id", ""), given.get("client_secret"))
                grant = handle(self, given)
        except TokenError as refused:
            self._note(grant_type if handle else "?", refused.status, refused.error, None)
            told: dict[str, object] = {"error": refused.error, "error_description": refused.description}
            return refused.status, told if refused.retry_after is None else told | {"retry_after": refused.retry_after}
        self._note(grant_type, 200, "", self.owner(grant.access))
        return 200, grant.as_json()

    def _check_client(self, client: str, secret: str | None) -> None:
        known = self._clients.get(client)
        wanted = known.secret if known is not None else None
        if known is None and secret is None:
            return
        if (known is None and secret is not None) or not hmac.compare_digest(_digest(secret or ""), _digest(wanted or "")):
            raise TokenError("invalid_client", "the client is unknown or its secret wrong", status=401)

    def _note(self, grant_type: str, status: int, error: str, account: Account | None) -> None:
        data = {"grant_type": grant_type, "status": status, **({"error": error} if error else {})}
        self.world.journal.add(
            Kind.NOTE, account=account.address if account is not None else None, detail="token request", data=data
        )

    # -- pieces

    def _token(
        self, account: Account | None, client: str, scope: frozenset[str], audience: str | None, lifetime: float
    ) -> _Token:
        expires = self.world.clock.now() + timedelta(seconds=lifetime)
        return _Token(account, client, scope, audience or self.audience, expires)

    def _add_access(self, token: _Token, lifetime: float, refresh: str | None) -> Grant:
        if refresh is not None:
            token.origin = _digest(refresh)
        return Grant(self._keep(self._access, token), refresh, token.scope, token.audience, lifetime)

    def _add_refresh(self, token: _Token, lifetime: float) -> str:
        expires = self.world.clock.now() + timedelta(seconds=lifetime)
        return self._keep(self._refresh, _Token(token.account, token.client, token.scope, token.audience, expires))

    def _keep(self, tokens: dict[bytes, _Token], token: _Token) -> str:
        text = self.world.ids.token(self.token_length)
        while len(tokens) >= self.kept:
            del tokens[next(iter(tokens))]
        tokens[_digest(text)] = token
        return text

    def _known(self, token: str) -> _Token:
        digest = _digest(token)
        known = self._access.get(digest) or self._refresh.get(digest)
        if known is None:
            raise WorldError("no such token was issued here (or it was forgotten)")
        return known

    def _words(self, scope: str | Iterable[str] | None, everything: frozenset[str] | None = None) -> frozenset[str]:
        """The words of a scope without the audience in front ("https://mail.sim.test/SMTP.Send"). None and ".default" are
        `everything`: what can be had at all, unless given."""
        if everything is None:
            everything = frozenset(self.scopes.values())
        if scope is None:
            return everything
        words = scope.split(" ") if isinstance(scope, str) else scope
        bare = {word.removeprefix(self.audience + "/") for word in words if word}
        return frozenset(bare - {".default"} | everything if ".default" in bare else bare)

    def asked(self, scope: str | Iterable[str] | None, granted: frozenset[str] | None = None) -> frozenset[str]:
        """What is asked for of what can be had (None: everything in `scopes`). Raises TokenError."""
        granted = self._words(None) if granted is None else granted
        asked = self._words(scope, granted) - _ALSO_ASKED
        if not asked <= granted:
            raise TokenError("invalid_scope", "more is asked for than can be given")
        return asked or granted

    def _throttle(self, subject: str) -> None:
        now = self.world.clock.monotonic()
        times = self._refreshes.setdefault(subject, deque())
        while times and now - times[0] >= self.refresh_window:
            times.popleft()
        if len(times) >= self.refresh_limit:
            wait = max(1, math.ceil(self.refresh_window - (now - times[0] if times else 0.0)))
            text = f"too many requests: try again in {wait} seconds"
            raise TokenError("temporarily_unavailable", text, status=429, retry_after=wait)
        times.append(now)


def _by_password(authority: TokenAuthority, form: Mapping[str, str]) -> Grant:
    account = authority.world.authenticate(_needed(form, "username"), _needed(form, "password"))
    if account is None:
        raise TokenError("invalid_grant", "user name or password is wrong")
    scope = authority.asked(form.get("scope"))
    return authority.issue(account.address, scope=scope, client=form.get("client_id", ""))


def _by_refresh_token(authority: TokenAuthority, form: Mapping[str, str]) -> Grant:
    return authority.refresh(_needed(form, "refresh_token"), scope=form.get("scope"), client=form.get("client_id", ""))


def _by_client_credentials(authority: TokenAuthority, form: Mapping[str, str]) -> Grant:
    return authority.client_credentials(_needed(form, "client_id"), _needed(form, "client_secret"), form.get("scope"))


_GRANT_TYPES = {
    "password": _by_password,
    "refresh_token": _by_refresh_token,
    "client_credentials": _by_client_credentials,
}
"""RFC 6749 §4.3, §6, §4.4."""


def _needed(form: Mapping[str, str], name: str) -> str:
    if name not in form:
        raise TokenError("invalid_request", f"{name} is missing")
    return form[name]


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
