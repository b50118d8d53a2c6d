"""Paths and parameters of MAIL and RCPT: RFC 5321 §4.1.2, with what real clients do besides (mail-protocol-pitfalls 3.3)."""

from __future__ import annotations

import ipaddress
import re

__all__ = ["AddressError", "parse_parameters", "parse_path"]

MAX_LOCAL = 256
MAX_DOMAIN = 255
"""RFC 5321 §4.5.3.1 asks for at least 64 and 255; longer local parts are common (VERP), so they are taken."""

_QUICK = re.compile(r"<([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]|\.(?=[A-Za-z0-9])){0,250})>(?: +|\Z)")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a0-\U0010ffff"
_DOT_STRING = re.compile(rf"[{_ATEXT}.-]+")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_LABEL = r"[A-Za-z0-9_\u00a0-\U0010ffff](?:[A-Za-z0-9_\u00a0-\U0010ffff-]*[A-Za-z0-9_\u00a0-\U0010ffff])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LITERAL = re.compile(r"\[[!-Z^-~]+\]")
_ROUTE = re.compile(rf"@(?:{_LABEL}(?:\.{_LABEL})*|\[[!-Z^-~]+\])(?:,@(?:{_LABEL}(?:\.{_LABEL})*|\[[!-Z^-~]+\]))*:")
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~\u00a0-\ud7ff\ue000-\U0010ffff]*))?\Z")


class AddressError(ValueError):
    """Not an address. The text is fit to be said."""


def parse_path(text: str) -> tuple[str, str]:
    """The address of a path at the start of `text`, and what follows it without blanks.

    "" for the null path `<>`; an address without domain only for Postmaster, which is given as "postmaster". A source route is
    taken and dropped (RFC 5321 appendix C), a quoted local part that needs no quotes loses them. Blanks before the path and a path
    without `<>` are taken, as many servers do. Raises AddressError.
    """
    quick = _QUICK.match(text)
    if quick:
        return quick[1], text[quick.end() :]
    control = _CONTROL.search(text)
    if control:
        raise AddressError("control characters in an address" if control[0] < "\ud800" else "an address is UTF-8")
    text = text.lstrip(" ")
    if not text.startswith("<"):
        address, end = _mailbox(text, 0)
        return address, _rest(text, end)
    if text.startswith("<>"):
        return "", _rest(text, 2)
    route = _ROUTE.match(text, 1)
    address, end = _mailbox(text, route.end() if route else 1)
    if text[end : end + 1] != ">":
        raise AddressError("an address stands between < and >")
    return address, _rest(text, end + 1)


def _rest(text: str, end: int) -> str:
    if text[end : end + 1] not in ("", " "):
        raise AddressError("a blank belongs between address and parameters")
    return text[end:].strip(" ")


def _mailbox(text: str, start: int) -> tuple[str, int]:
    """The mailbox at `start` and the position behind it."""
    quoted = _QUOTED.match(text, start)
    local_match = quoted or _DOT_STRING.match(text, start)
    if text[start : start + 1] == "(" or (local_match and text[local_match.end() : local_match.end() + 1] == "("):
        raise AddressError("comments have no place in an envelope")
    if not local_match:
        raise AddressError("an address needs a local part")
    local, end = local_match[0], local_match.end()
    if quoted:
        local = _without_needless_quotes(local)
    if text[end : end + 1] != "@":
        if local.lower() == "postmaster":
            return "postmaster", end
        raise AddressError("an address needs a domain")
    domain_match = _LITERAL.match(text, end + 1) or _DOMAIN.match(text, end + 1)
    if not domain_match:
        raise AddressError("the domain of the address is none")
    domain = domain_match[0]
    if domain.startswith("["):
        _check_literal(domain[1:-1])
    if len(local) > MAX_LOCAL or len(domain) > MAX_DOMAIN:
        raise AddressError("the address is too long")
    return f"{local}@{domain}", domain_match.end()


def _check_literal(text: str) -> None:
    """RFC 5321 §4.1.3: IPv4, or IPv6 with its tag; no other tag was ever registered."""
    try:
        if text[:5].lower() == "ipv6:" and "%" not in text:
            ipaddress.IPv6Address(text[5:])
        else:
            ipaddress.IPv4Address(text)
    except ValueError:
        raise AddressError("a domain literal is an IPv4 address, or IPv6: and an IPv6 address") from None


def _without_needless_quotes(quoted: str) -> str:
    """RFC 5321 §4.1.2: quoting changes nothing of what a local part means."""
    plain = re.sub(r"\\(.)", r"\1", quoted[1:-1])
    if _DOT_STRING.fullmatch(plain) and ".." not in plain and plain[0] != "." and plain[-1] != ".":
        return plain
    return quoted


def parse_parameters(text: str) -> dict[str, str | None]:
    """`SIZE=10 SMTPUTF8` -> {"SIZE": "10", "SMTPUTF8": None}; names in upper case. Raises AddressError: wrong form, given twice."""
    found: dict[str, str | None] = {}
    for part in text.split(" "):
        if not part:
            continue
        match = _PARAMETER.match(part)
        if not match or match[2] == "":
            raise AddressError("a parameter is a name, or a name = a value")
        name = match[1].upper()
        if name in found:
            raise AddressError(f"parameter {name} is given twice")
        found[name] = match[2]
    return found
