"""Header values as octets of one folded field (RFC 5322 §2.2.3, RFC 2047, RFC 2231). Used by `compose`; values are checked there first."""

from __future__ import annotations

import binascii
import re
from typing import Final
from urllib.parse import quote

from postroom.mime.values import Address

__all__ = ["address_text", "fold", "parameter", "text_tokens"]

WIDTH: Final = 76
"""Columns aimed at; only a single token that is longer goes over."""
MAX_TOKEN: Final = 900
_WORD_OCTETS: Final = 42
"""UTF-8 octets in one encoded word: 56 characters of base64 and 12 of frame stay under 75 (RFC 2047 §2)."""
_PLAIN: Final = re.compile(r"[!-~]+(?: [!-~]+)*")
_PLAIN_UTF8: Final = re.compile(r"[^\x00-\x20\x7f-\xa0\u2028\u2029\ufeff]+(?: [^\x00-\x20\x7f-\xa0\u2028\u2029\ufeff]+)*")
_PHRASE: Final = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?: [A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*")
_Q_SAFE: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$&+\-.^_`{|}~]+")


def fold(name: str, tokens: list[str]) -> bytes:
    """`Name: token token ...` with CRLF; tokens are separated by one blank, at which lines are broken. UTF-8 where tokens hold it."""
    lines: list[str] = []
    line = f"{name}:"
    for token in tokens:
        if len(line) + 1 + len(token) > WIDTH and (lines or line != f"{name}:"):
            lines.append(line)
            line = ""
        line = f"{line} {token}"
    lines.append(line)
    return ("\r\n".join(lines) + "\r\n").encode("utf-8")


def _encoded(octets: bytes) -> str:
    """One encoded word, Q or B, whichever is shorter; safe inside a phrase (RFC 2047 §5 (3))."""
    plain = sum(octet in _Q_SAFE or octet == 0x20 for octet in octets)
    if plain * 3 > len(octets) * 2:
        body = "".join("_" if octet == 0x20 else chr(octet) if octet in _Q_SAFE else f"={octet:02X}" for octet in octets)
        if len(body) <= 62:
            return f"=?utf-8?q?{body}?="
    return f"=?utf-8?b?{binascii.b2a_base64(octets, newline=False).decode()}?="


def _words(text: str) -> list[str]:
    """The whole text as adjacent encoded words, cut between characters (RFC 2047 §5)."""
    words: list[str] = []
    piece = b""
    for char in text:
        octets = char.encode("utf-8")
        if len(piece) + len(octets) > _WORD_OCTETS:
            words.append(_encoded(piece))
            piece = b""
        piece += octets
    if piece:
        words.append(_encoded(piece))
    return words


def _plain(text: str, pattern: re.Pattern[str]) -> bool:
    return (
        pattern.fullmatch(text) is not None
        and "=?" not in text
        and all(len(token.encode()) <= MAX_TOKEN for token in text.split(" "))
    )


def text_tokens(text: str, *, utf8: bool) -> list[str]:
    """Unstructured text. What would not come back as it was (odd blanks, `=?`, a token too long for a line) is encoded like non-ASCII."""
    if not text or _plain(text, _PLAIN_UTF8 if utf8 else _PLAIN):
        return text.split(" ") if text else []
    return _words(text)


def address_text(address: Address, *, utf8: bool) -> list[str]:
    """One mailbox as tokens. Only the display name is ever encoded, never a comma between mailboxes (CVE-2025-1795)."""
    name = address.name
    if not name:
        return [address.address]
    angle = f"<{address.address}>"
    if _plain(name, _PHRASE):
        return [*name.split(" "), angle]
    if _plain(name, _PLAIN_UTF8 if utf8 else _PLAIN):
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return [*f'"{quoted}"'.split(" "), angle]
    return [*_words(name), angle]


def parameter(name: str, value: str) -> list[str]:
    """One parameter as tokens, each but the last with its semicolon: a token, a quoted string, or RFC 2231 in segments."""
    if _TOKEN.fullmatch(value) and len(value) <= WIDTH:
        return [f"{name}={value}"]
    if value.isascii() and value.isprintable() and len(value) <= WIDTH and "=?" not in value and value == value.strip():
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return [f'{name}="{escaped}"']
    encoded = quote(value.encode("utf-8"), safe="")
    if len(encoded) <= 50:
        return [f"{name}*=utf-8''{encoded}"]
    pieces = _segments(encoded)
    return [
        f"{name}*{n}*={'utf-8' + chr(39) * 2 if n == 0 else ''}{piece}{';' if n < len(pieces) - 1 else ''}"
        for n, piece in enumerate(pieces)
    ]


def _segments(encoded: str) -> list[str]:
    """At most 50 characters each, no escape cut in two."""
    pieces: list[str] = []
    while encoded:
        cut = 50
        if len(encoded) > cut:
            percent = encoded.rfind("%", cut - 2, cut)
            cut = percent if percent >= 0 else cut
        pieces.append(encoded[:cut])
        encoded = encoded[cut:]
    return pieces
