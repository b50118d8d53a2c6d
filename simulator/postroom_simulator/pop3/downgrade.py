"""Messages with UTF-8 in their heads, made fit for clients that did not ask for it (RFC 6856 §4, after RFC 6857 and RFC 6858).

Only the message's own head is rewritten, field by field; heads of parts inside the body stay (ours). What is lost can be read off the
octets: addresses that ASCII cannot say become empty groups that name them.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator

from postroom_simulator.headers import head_end

__all__ = ["downgraded"]

_ADDRESSES = {
    *(b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc", b"return-path"),
    *(b"resent-from", b"resent-sender", b"resent-reply-to", b"resent-to", b"resent-cc", b"resent-bcc"),
}
_PARAMETERS = {b"content-type", b"content-disposition"}

_WORD_OCTETS = 45
"""Octets of UTF-8 in one encoded word: 60 of base64, within the 75 that a word may have (RFC 2047 §2)."""

_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)|<[^<>]*>|[,;:]|[^\s,;:"<>()]+|.', re.DOTALL)
_PARAMETER = re.compile(r';\s*([A-Za-z0-9_.-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))')


def downgraded(octets: bytes) -> bytes:
    """The message with an ASCII head. Fields that have nothing but ASCII stay octet for octet, and so does the body."""
    end = head_end(octets)
    return b"".join(_field(field) for field in _fields(octets[:end])) + octets[end:]


def _fields(head: bytes) -> Iterator[bytes]:
    """Whole fields with their continuation lines and line ends."""
    field = b""
    for line in head.splitlines(keepends=True) if b"\r" not in head.replace(b"\r\n", b"") else _lines(head):
        if field and not line.startswith((b" ", b"\t")):
            yield field
            field = b""
        field += line
    if field:
        yield field


def _lines(head: bytes) -> list[bytes]:
    """At LF only: a lone CR is part of a line."""
    return [line + b"\n" for line in head.split(b"\n")[:-1]] + ([last] if (last := head.rsplit(b"\n", 1)[-1]) else [])


def _field(field: bytes) -> bytes:
    if field.isascii():
        return field
    body = field.rstrip(b"\r\n")
    ending = field[len(body) :]
    name, colon, value = body.partition(b":")
    if not colon or not name.isascii():
        # A field whose name is not ASCII cannot be said at all: what it says is kept under a name of its own (RFC 6857 §3.3).
        return b"Downgraded-Field: " + _words(body.decode("utf-8")).encode("ascii") + ending
    text = re.sub(r"\r?\n(?=[ \t])", "", value.decode("utf-8"))
    lead = text[: len(text) - len(text.lstrip(" \t"))]
    kind = name.strip().lower()
    text = text[len(lead) :]
    if kind in _ADDRESSES:
        said = _addresses(text)
    elif kind in _PARAMETERS:
        said = _parameters(text)
    else:
        said = _unstructured(text)
    return name + b":" + lead.encode("ascii") + said.encode("ascii") + ending


def _unstructured(text: str) -> str:
    """Runs of words beyond ASCII become encoded words (RFC 2047 §5 rule 1); the blanks between two of them go inside."""
    said: list[str] = []
    run: list[str] = []
    for word in re.findall(r"[^ \t]+|[ \t]+", text):
        if word.isspace() and run:
            run.append(word)
        elif word.isascii():
            said += [*_closed(run), word]
            run = []
        else:
            run.append(word)
    return "".join([*said, *_closed(run)])


def _closed(run: list[str]) -> list[str]:
    """A run as encoded words, and the blanks that it ended with."""
    if not run:
        return []
    blanks = run.pop() if run[-1].isspace() else ""
    return [_words("".join(run)), blanks]


def _words(text: str) -> str:
    """Encoded words in base64, cut between characters (RFC 2047 §5) and folded by blanks."""
    pieces: list[bytes] = [b""]
    for character in text:
        octets = character.encode("utf-8")
        if len(pieces[-1]) + len(octets) > _WORD_OCTETS:
            pieces.append(b"")
        pieces[-1] += octets
    return "\r\n ".join(f"=?UTF-8?B?{b64encode(piece).decode('ascii')}?=" for piece in pieces)


def _addresses(text: str) -> str:
    """Names become encoded words; an address beyond ASCII becomes a group without members that tells it (RFC 6857 §3.1.6)."""
    said: list[str] = []
    part: list[str] = []
    for token in _TOKENS.findall(text):
        if token in {",", ";", ":"}:
            said += [_mailbox(part), token]
            part = []
        else:
            part.append(token)
    return "".join([*said, _mailbox(part)])


def _mailbox(tokens: list[str]) -> str:
    """One mailbox, a group's name, or nothing."""
    text = "".join(tokens)
    if text.isascii():
        return text
    lead = text[: len(text) - len(text.lstrip())]
    for place, token in enumerate(tokens):
        bare = token.startswith("<") or ("@" in token and not token.startswith(('"', "(")))
        if bare and not token.isascii():
            address = token.strip("<>")
            return f"{lead}{_phrase(tokens[:place])}Internationalized Address {_words(address)} Removed:;"
    return lead + _phrase(tokens).strip() if lead else _phrase(tokens)


def _phrase(tokens: list[str]) -> str:
    """Words one after the other are encoded together, with the blanks between them."""
    said: list[str] = []
    bare: list[str] = []
    for token in tokens:
        if token.startswith(('"', "(", "<")):
            said += [_unstructured("".join(bare)), _enclosed(token)]
            bare = []
        else:
            bare.append(token)
    return "".join([*said, _unstructured("".join(bare))])


def _enclosed(token: str) -> str:
    """A quoted string, a comment or an address."""
    if token.isascii():
        return token
    inside = re.sub(r"\\(.)", r"\1", token[1:-1])
    return f"({_words(inside)})" if token.startswith("(") else _words(inside)


def _parameters(text: str) -> str:
    """Values beyond ASCII become extended ones (RFC 2231 §4)."""

    def extended(match: re.Match[str]) -> str:
        value = re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
        if value.isascii():
            return match[0]
        escaped = "".join(chr(o) if chr(o).isascii() and chr(o).isalnum() else f"%{o:02X}" for o in value.encode("utf-8"))
        return f"; {match[1]}*=UTF-8''{escaped}"

    said = _PARAMETER.sub(extended, text)
    return said if said.isascii() else said.encode("ascii", "replace").decode("ascii")
