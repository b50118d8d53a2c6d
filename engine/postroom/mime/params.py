"""Content-Type and Content-Disposition: a value and its parameters (RFC 2045 §5.1, RFC 2231, RFC 2183)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from postroom.mime.charsets import codec_for, decode
from postroom.mime.words import clean, decode_words

__all__ = ["Parameters", "parse_parameters"]

_NAME: Final = re.compile(r"[\s;]*([^\s;=\"]{1,200})[ \t]*=[ \t]*")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"?')
_PLAIN: Final = re.compile(r"[^;]*+")
_ESCAPED: Final = re.compile(r"\\(.)")
_CONTINUED: Final = re.compile(r"(.+?)(?:\*(\d{1,4}))?(\*)?\Z")


class Parameters(NamedTuple):
    """`value` in lower case without comments; `items` by lower-case name, decoded; `overflow` when there were more than the limit."""

    value: str
    items: dict[str, str]
    overflow: bool = False

    def get(self, name: str) -> str:
        return self.items.get(name, "")


class _Segment(NamedTuple):
    encoded: bool
    text: str


def parse_parameters(text: str, limit: int) -> Parameters:
    """Never raises; linear in the text. Of doubled parameters the first counts; unquoted values may hold blanks; a missing closing quote is closed."""
    head, _, rest = text.partition(";")
    value = head.split("(", 1)[0].strip(" \t\"'").lower()
    items: dict[str, str] = {}
    parts: dict[str, dict[int, _Segment]] = {}
    at = count = 0
    while at < len(rest):
        match = _NAME.match(rest, at)
        if match is None:  # no name here: on to the next semicolon
            at = rest.find(";", at) + 1
            if at == 0:
                break
            continue
        if count == limit:
            return Parameters(value, _finish(items, parts), overflow=True)
        count += 1
        raw, at = _value(rest, match.end())
        _file(match[1].lower(), raw, items, parts)
    return Parameters(value, _finish(items, parts))


def _value(rest: str, at: int) -> tuple[str, int]:
    if rest.startswith('"', at):
        match = _QUOTED.match(rest, at)
        assert match is not None
        raw = _ESCAPED.sub(_unescape, match[1]) if "\\" in match[1] else match[1]
        following = _PLAIN.match(rest, match.end())  # `"a" trailing`: the quoted part is the value
        return raw, following.end() if following else match.end()
    plain = _PLAIN.match(rest, at)
    assert plain is not None
    return plain[0].strip(), plain.end()


def _unescape(match: re.Match[str]) -> str:
    # Old Internet Explorer wrote "C:\dir\file" without doubling: only quotes and backslashes are escapes.
    return match[1] if match[1] in '"\\' else match[0]


def _file(name: str, raw: str, items: dict[str, str], parts: dict[str, dict[int, _Segment]]) -> None:
    if "*" not in name:
        items.setdefault(name, raw)
        return
    match = _CONTINUED.match(name)
    assert match is not None
    parts.setdefault(match[1], {}).setdefault(int(match[2] or 0), _Segment(match[3] is not None, raw))


def _finish(items: dict[str, str], parts: dict[str, dict[int, _Segment]]) -> dict[str, str]:
    """RFC 2231 names win over plain ones of the same name (RFC 6266 §4.3 says so); segments are put in order, gaps closed."""
    decoded = {name: decode_words(raw)[0] for name, raw in items.items()}
    for name, segments in parts.items():
        decoded[name] = _join([segments[index] for index in sorted(segments)])
    return decoded


def _join(segments: list[_Segment]) -> str:
    charset = ""
    first = segments[0]
    if first.encoded and first.text.count("'") >= 2:
        charset, _, text = first.text.split("'", 2)
        segments = [_Segment(True, text), *segments[1:]]
    octets = b"".join(unquote_to_bytes(text) if encoded else text.encode("utf-8", "replace") for encoded, text in segments)
    if charset and codec_for(charset) is None:
        charset = ""
    text = decode(octets, charset)[0]
    return clean(decode_words(text)[0]) if not first.encoded else clean(text)
