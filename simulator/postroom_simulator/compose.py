"""Writing messages: fields, encoded words, parts. For what rules send on and for made-up mail; small, and the same on every run."""

from __future__ import annotations

from base64 import encodebytes
from collections.abc import Sequence
from email.header import Header
from quopri import encodestring

__all__ = ["Fields", "base64_lines", "encoded", "entity", "field_lines", "mailbox", "multipart", "quoted_printable"]

Fields = Sequence[tuple[str, str]]

_LONGEST = 2000
_SHORT = 900


def field_lines(fields: Fields, newline: bytes = b"\r\n") -> bytes:
    """`Name: value` lines in UTF-8, without the empty line behind the head. Values may hold folds (CR LF and a blank)."""
    text = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return text.encode("utf-8", "replace").replace(b"\r\n", newline)


def encoded(text: str) -> str:
    """Unstructured text as RFC 2047 wants it; long lines folded, control characters left out, at most 2000 characters."""
    text = _plain(text)[:_LONGEST]
    return text if text.isascii() and len(text) < _SHORT else Header(text, "utf-8").encode(linesep="\r\n")


def mailbox(name: str, address: str) -> str:
    """`"Name" <address>` (RFC 5322 §3.4), the name encoded where it is not ASCII; the address alone where there is no name."""
    if not name:
        return address
    if not name.isascii():
        return f"{encoded(name)} <{address}>"
    escaped = _plain(name).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{address}>'


def _plain(text: str) -> str:
    return "".join(c for c in text if c.isprintable())


def base64_lines(octets: bytes) -> bytes:
    return encodebytes(octets).replace(b"\n", b"\r\n")


def quoted_printable(octets: bytes) -> bytes:
    """Text with any line ends, as quoted-printable with CR LF (RFC 2045 §6.7)."""
    return encodestring(octets.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")


def entity(fields: Fields, body: bytes) -> bytes:
    """Head, empty line, body."""
    return field_lines(fields) + b"\r\n" + body


def multipart(boundary: str, parts: Sequence[bytes]) -> bytes:
    """The body of a multipart entity (RFC 2046 §5.1.1): the octets of each part are kept exactly. No part may hold the boundary."""
    mark = f"--{boundary}\r\n".encode()
    return b"".join(mark + part + b"\r\n" for part in parts) + mark[:-2] + b"--\r\n"
