"""Who asks: the mechanisms of HTTP authentication, and impersonation (ews reference 16)."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from postroom_simulator.ews.errors import Fault
from postroom_simulator.ews.http import Request

if TYPE_CHECKING:
    from postroom_simulator.directory import Account
    from postroom_simulator.world import World

__all__ = ["authenticate_basic", "impersonated", "login_name"]


def login_name(name: str) -> str:
    """`DOMAIN\\user` means user; addresses and bare names stay."""
    return name.rpartition("\\")[2]


def authenticate_basic(world: World, request: Request) -> Account | None:
    """RFC 7617. None: no credentials of this kind, or wrong ones."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(given.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return world.directory.authenticate(login_name(name), password) if colon else None


def impersonated(world: World, principal: Account, wanted: tuple[str, str]) -> Account:
    """Whom the principal acts for. Raises Fault: ErrorNonExistentMailbox, ErrorImpersonateUserDenied,
    ErrorInvalidExchangeImpersonationHeaderData."""
    from postroom_simulator.directory import Account

    kind, text = wanted
    if kind not in ("PrincipalName", "SID", "PrimarySmtpAddress", "SmtpAddress") or not text:
        raise Fault("ErrorInvalidExchangeImpersonationHeaderData", f"{kind} is no way to name an account.")
    found = world.directory.get(text)
    if not isinstance(found, Account):
        raise Fault("ErrorNonExistentMailbox")
    if found is not principal and not world.ews.may_impersonate(principal, found):
        raise Fault("ErrorImpersonateUserDenied")
    return found
