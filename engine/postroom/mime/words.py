"""Encoded words in headers, decoded (RFC 2047, RFC 2231 §5; mail-protocol-pitfalls 4.2)."""

from __future__ import annotations

import binascii
import re
from typing import Final, NamedTuple

from postroom.mime.charsets import codec_for, decode
from postroom.mime.transfer import decode_base64

__all__ = ["clean", "decode_words"]

_START: Final = re.compile(r"=\?([^?\s]{1,80})\?([bBqQ])\?")
_ESCAPE: Final = re.compile(rb"=([0-9A-Fa-f]{2})")
_LINE_ENDS: Final = str.maketrans("", "", "\r\n\x00")
_CONTROLS: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


class _Word(NamedTuple):
    charset: str
    encoding: str
    text: str
    start: int
    end: int


def clean(text: str) -> str:
    """CR, LF and NUL removed (written back they are header injection), other controls replaced by U+FFFD."""
    if _CONTROLS.search(text) is None:
        return text
    return _CONTROLS.sub("\ufffd", text.translate(_LINE_ENDS))


def decode_words(text: str) -> tuple[str, bool]:
    """Unfolded header text with its encoded words decoded, cleaned; and whether all words were whole. Linear in the text's length."""
    if "=?" not in text:
        return clean(text), True
    words = _find(text)
    pieces: list[str] = []
    fits = True
    done = at = 0
    while at < len(words):
        run = [words[at]]
        while at + 1 < len(words) and _adjacent(text, words[at], words[at + 1]):
            at += 1
            run.append(words[at])
        at += 1
        pieces.append(text[done : run[0].start])
        decoded, fitted = _decode_run(run)
        pieces.append(decoded)
        fits = fits and fitted
        done = run[-1].end
    pieces.append(text[done:])
    return clean("".join(pieces)), fits


def _find(text: str) -> list[_Word]:
    words: list[_Word] = []
    at = 0
    while (start := text.find("=?", at)) >= 0:
        match = _START.match(text, start)
        if match is None:
            at = start + 2
            continue
        end = text.find("?=", match.end())
        if end < 0:
            break
        # `?==?` closes one word and opens the next; `?=41?=` is text that begins with an escape and cannot be told apart.
        words.append(_Word(match[1].split("*", 1)[0].lower(), match[2].lower(), text[match.end() : end], start, end + 2))
        at = end + 2
    return words


def _adjacent(text: str, one: _Word, other: _Word) -> bool:
    """Blanks between two encoded words vanish (RFC 2047 §6.2)."""
    between = text[one.end : other.start]
    return not between or between.isspace()


def _decode_run(run: list[_Word]) -> tuple[str, bool]:
    """Adjacent words. A character may be split over two words of one charset, so their octets are joined before decoding."""
    pieces: list[str] = []
    fits = True
    at = 0
    while at < len(run):
        charset = run[at].charset
        octets = bytearray()
        while at < len(run) and run[at].charset == charset:
            text = run[at].text
            encoding = run[at].encoding
            while encoding == "b" and at + 1 < len(run) and _cut_inside(text) and run[at + 1][:2] == (charset, "b"):
                at += 1
                text += run[at].text
            decoded, fitted = _octets(encoding, text)
            octets += decoded
            fits = fits and fitted
            at += 1
        piece, fitted = decode(bytes(octets), charset)
        fits = fits and (fitted or codec_for(charset) is not None)
        pieces.append(piece)
    return "".join(pieces), fits


def _cut_inside(text: str) -> bool:
    """Whether base64 text was cut within a group of four: one sextet over, or left-over bits that are not zero."""
    if "=" in text or not text.isascii():
        return False
    over = len(text) % 4
    if over < 2:
        return over == 1
    try:
        last = binascii.a2b_base64(b"AAA" + text[-1:].encode())[2]
    except binascii.Error:
        return False
    return bool(last & (0x0F if over == 2 else 0x03))


def _octets(encoding: str, text: str) -> tuple[bytes, bool]:
    raw = text.encode("utf-8", "replace")
    if encoding == "b":
        return decode_base64(raw)
    raw = raw.replace(b"_", b" ")
    if b"=" not in raw:
        return raw, True
    return _ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), raw), raw.count(b"=") == len(_ESCAPE.findall(raw))
