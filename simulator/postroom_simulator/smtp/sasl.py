"""SASL mechanisms as generators: challenges out, answers in, the claim at the end.

A mechanism is a function of the initial response (None: there was none). It yields challenges and is sent the client's
answers, both without base64, and returns a `Claim`: who the client says it is, and how to test that. It knows no wire and no
journal, so a new one is a function and a row of `MECHANISMS`.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

__all__ = ["MECHANISMS", "Claim", "Exchange", "SaslError", "decode_answer"]


class SaslError(Exception):
    """The client's answer cannot be understood. The text is fit to be said and holds nothing of the answer."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who somebody says to be. `password` proves it (never shown)."""

    login: str
    password: str = field(repr=False)


Exchange = Generator[bytes, bytes, Claim]

_BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}\Z")


def decode_answer(line: bytes) -> bytes:
    """The octets of a base64 answer; raises SaslError for anything else (RFC 4954 §4: 501)."""
    try:
        if not _BASE64.match(line):
            raise SaslError("cannot decode that base64")
        return b64decode(line, validate=True)
    except binascii.Error:
        raise SaslError("cannot decode that base64") from None


def _plain(initial: bytes | None) -> Exchange:
    """RFC 4616: authzid NUL authcid NUL password, UTF-8. The authzid may be empty or anything: it is not used."""
    answer = (yield b"") if initial is None else initial
    parts = answer.split(b"\0")
    if len(parts) != 3 or not parts[1]:
        raise SaslError("PLAIN needs an authorization id, a user and a password with NUL between")
    return Claim(_text(parts[1]), _text(parts[2]))


def _login(initial: bytes | None) -> Exchange:
    """No RFC has it: two prompts. Some clients give the user name with the command (mail-protocol-pitfalls 3.7)."""
    user = (yield b"Username:") if initial is None else initial
    password = yield b"Password:"
    return Claim(_text(user), _text(password))


def _text(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise SaslError("user and password are UTF-8") from None


MECHANISMS: dict[str, Callable[[bytes | None], Exchange]] = {"PLAIN": _plain, "LOGIN": _login}
