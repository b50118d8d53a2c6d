"""What the parameters of MAIL and RCPT mean: RFC 1870, 6152, 3030, 6531, 4954 and 3461.

One table a command: the parameter, the extensions of which one has to be offered, and what reads its value."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from postroom_simulator.actors.wishes import NEVER, Notify, Returns, Wish

__all__ = ["MailOptions", "ParameterError", "decode_xtext", "read_mail", "read_rcpt"]

Body = Literal["", "7BIT", "8BITMIME", "BINARYMIME"]
BODIES: tuple[tuple[Body, str], ...] = (("7BIT", ""), ("8BITMIME", "8BITMIME"), ("BINARYMIME", "BINARYMIME"))

MAX_ENVELOPE_ID = 100
MAX_ORIGINAL = 500
"""Characters as encoded: RFC 3461 §5.4."""

_SIZE = re.compile(r"[0-9]{1,20}\Z")
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*\Z")
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}\Z")
_UNITEXT = re.compile(r"(?:[!-*,-<>-\[\]-~\u00a0-\U0010ffff]|\\x\{[0-9A-F]{2,6}\})*\Z")
_CODEPOINT = re.compile(r"\\x\{([0-9A-F]+)\}")


class ParameterError(ValueError):
    """A parameter that cannot be. The text is the whole reply."""


@dataclass(frozen=True, slots=True)
class MailOptions:
    """Of one MAIL command. `size` 0: not said; `body` "": not said."""

    size: int = 0
    body: Body = ""
    utf8: bool = False
    returns: Returns = ""
    envelope_id: str = ""


def read_mail(parameters: Mapping[str, str | None], offered: Collection[str], max_octets: int) -> MailOptions:
    """Raises ParameterError for the first that is wrong: 555 for unknown ones (RFC 5321 §4.1.1.11), 501 for values, 552 for the
    size."""
    options = MailOptions()
    for name, value in parameters.items():
        options = _reader(name, _MAIL, offered)(options, value, offered)
    if options.size > max_octets:
        raise ParameterError(f"552 5.3.4 a message has at most {max_octets} octets")
    return options


def read_rcpt(parameters: Mapping[str, str | None], offered: Collection[str]) -> Wish:
    """As `read_mail`, for RCPT."""
    wish = Wish()
    for name, value in parameters.items():
        wish = _reader(name, _RCPT, offered)(wish, value, offered)
    return wish


def decode_xtext(text: str) -> str:
    """Raises ValueError for what is no xtext (RFC 3461 §4) or stands for anything but printable ASCII (§4.4)."""
    if not _XTEXT.match(text):
        raise ValueError("no xtext")
    plain = re.sub(r"\+([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), text)
    if not (plain.isascii() and plain.isprintable()):
        raise ValueError("not printable")
    return plain


_T = TypeVar("_T")
_Reader = Callable[[_T, str | None, Collection[str]], _T]
_Table = Mapping[str, tuple[tuple[str, ...], _Reader[_T]]]


def _reader(name: str, table: _Table[_T], offered: Collection[str]) -> _Reader[_T]:
    extensions, reader = table.get(name, ((), None))
    if reader is None or not any(extension in offered for extension in extensions):
        raise ParameterError(f"555 5.5.4 parameter {name} is not known here")
    return reader


def _wrong(text: str) -> ParameterError:
    return ParameterError(f"501 5.5.4 {text}")


def _size(options: MailOptions, value: str | None, _: Collection[str]) -> MailOptions:
    if value is None or not _SIZE.match(value):
        raise _wrong("SIZE is a number of up to 20 digits")  # RFC 1870 §4
    return replace(options, size=int(value))


def _body(options: MailOptions, value: str | None, offered: Collection[str]) -> MailOptions:
    able = [name for name, extension in BODIES if not extension or extension in offered]
    for body in able:
        if body == (value or "").upper():
            return replace(options, body=body)
    raise _wrong(f"BODY is {', '.join(able[:-1])} or {able[-1]}")


def _utf8(options: MailOptions, value: str | None, _: Collection[str]) -> MailOptions:
    if value is not None:
        raise _wrong("SMTPUTF8 takes no value")
    return replace(options, utf8=True)


def _auth(options: MailOptions, value: str | None, _: Collection[str]) -> MailOptions:
    """RFC 4954 §5: an address as xtext, or <>. Believed by nobody here."""
    try:
        if not value or not (value == "<>" or decode_xtext(value)):
            raise ValueError
    except ValueError:
        raise _wrong("AUTH= needs an address or <>") from None
    return options


def _ret(options: MailOptions, value: str | None, _: Collection[str]) -> MailOptions:
    wanted = (value or "").upper()
    if wanted == "FULL":
        return replace(options, returns="FULL")
    if wanted == "HDRS":
        return replace(options, returns="HDRS")
    raise _wrong("RET is FULL or HDRS")


def _envid(options: MailOptions, value: str | None, _: Collection[str]) -> MailOptions:
    try:
        if not value or len(value) > MAX_ENVELOPE_ID:
            raise ValueError
        return replace(options, envelope_id=decode_xtext(value))
    except ValueError:
        raise _wrong(f"ENVID is xtext of printable ASCII, up to {MAX_ENVELOPE_ID} characters") from None


def _notify(wish: Wish, value: str | None, _: Collection[str]) -> Wish:
    words = (value or "").upper().split(",")
    if words == ["NEVER"]:
        return replace(wish, notify=NEVER.notify)
    try:
        return replace(wish, notify=frozenset(Notify(word) for word in words))
    except ValueError:
        raise _wrong("NOTIFY is NEVER, or of SUCCESS, FAILURE and DELAY a list with commas") from None


def _orcpt(wish: Wish, value: str | None, offered: Collection[str]) -> Wish:
    kind, semicolon, text = (value or "").partition(";")
    try:
        if not semicolon or not text or not _ATOM.match(kind) or len(value or "") > MAX_ORIGINAL:
            raise ValueError
        plain = _unitext(text) if kind.lower() == "utf-8" and "SMTPUTF8" in offered else decode_xtext(text)
        return replace(wish, original=f"{kind};{plain}")
    except ValueError:
        raise _wrong(f"ORCPT is a type, a semicolon and an address in xtext, up to {MAX_ORIGINAL} characters") from None


def _unitext(text: str) -> str:
    """The forms of an internationalized address: RFC 6533 §3. Raises ValueError."""
    if not _UNITEXT.match(text):
        raise ValueError("no unitext")
    plain = _CODEPOINT.sub(lambda match: chr(int(match[1], 16)), text)
    if not plain.isprintable():
        raise ValueError("not printable")
    return plain


_MAIL: _Table[MailOptions] = {
    "SIZE": (("SIZE",), _size),
    "BODY": (("8BITMIME", "BINARYMIME"), _body),
    "SMTPUTF8": (("SMTPUTF8",), _utf8),
    "AUTH": (("AUTH",), _auth),
    "RET": (("DSN",), _ret),
    "ENVID": (("DSN",), _envid),
}

_RCPT: _Table[Wish] = {
    "NOTIFY": (("DSN",), _notify),
    "ORCPT": (("DSN",), _orcpt),
}
