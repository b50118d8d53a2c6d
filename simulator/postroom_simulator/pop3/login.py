"""Who logs in: passwords (USER and PASS) and the table of SASL mechanisms (AUTH, RFC 5034)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from postroom_simulator.pop3.replies import Code, Refusal

if TYPE_CHECKING:
    from postroom_simulator.directory import Account
    from postroom_simulator.world import World

__all__ = ["MECHANISMS", "Authenticator", "Exchange", "Mechanism", "claimed_name", "decode_base64", "encode_base64"]

_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")

Exchange = Generator[bytes, bytes, "Account"]
"""A mechanism at work: yields challenges, is sent the client's answers (both without base64), returns the account or
raises `Refusal`."""


class Authenticator:
    """Checks credentials against a world's directory."""

    def __init__(self, world: World) -> None:
        self._world = world

    def password(self, login: str, password: str) -> Account:
        """The account. Raises `Refusal` with one constant text, whatever was wrong (RFC 3206 §4: [AUTH])."""
        account = self._world.authenticate(login, password)
        if account is None:
            raise self.failure()
        return account

    def named(self, login: str | None) -> str | None:
        """The address of the account that a user name means, before anything was proved."""
        account = self._world.directory.find_login(login) if login else None
        return account.address if account is not None else None

    def same_account(self, login: str, account: Account) -> bool:
        return self._world.directory.find_login(login) is account

    @staticmethod
    def failure() -> Refusal:
        return Refusal("authentication failed", Code.AUTH)


def _plain(authenticator: Authenticator) -> Exchange:
    """PLAIN (RFC 4616 §2): authzid NUL authcid NUL password, in UTF-8. Acting for somebody else is not offered."""
    parts = (yield b"").split(b"\0")
    try:
        authzid, login, password = (part.decode("utf-8") for part in parts)
    except ValueError:  # not three parts, or not UTF-8
        raise Refusal("malformed PLAIN response", bad=True) from None
    if not login or not password:
        raise authenticator.failure()
    account = authenticator.password(login, password)
    if authzid and not authenticator.same_account(authzid, account):
        raise authenticator.failure()
    return account


def _plain_name(response: bytes) -> str | None:
    parts = response.split(b"\0")
    return parts[1].decode("utf-8", "replace") if len(parts) == 3 else None


@dataclass(frozen=True, slots=True)
class Mechanism:
    """A row of the table.

    names         the user name that a response claims, if it has one: whose step this is has to be known before it is taken
    client_first  the client speaks first, so it may send an initial response (RFC 5034 §4)
    plaintext     the password crosses the line
    """

    start: Callable[[Authenticator], Exchange]
    names: Callable[[bytes], str | None]
    client_first: bool = True
    plaintext: bool = True


MECHANISMS: dict[str, Mechanism] = {
    "PLAIN": Mechanism(_plain, _plain_name),
}


def decode_base64(octets: bytes) -> bytes:
    """Strict base64 (RFC 4648 §4, no blanks, padded). Raises `Refusal`."""
    if _BASE64.fullmatch(octets) is None:
        raise Refusal("malformed base64", bad=True)
    try:
        return base64.b64decode(octets, validate=True)
    except binascii.Error:
        raise Refusal("malformed base64", bad=True) from None


def claimed_name(mechanism: Mechanism | None, encoded: bytes) -> str | None:
    """The user name in a response as it came over the line, or None: none there, none readable, no such mechanism."""
    if mechanism is None:
        return None
    try:
        return mechanism.names(decode_base64(encoded))
    except Refusal:
        return None


def encode_base64(octets: bytes) -> bytes:
    return base64.b64encode(octets)
