"""A small reader of message headers that never fails: for rules, the outbound drawer and imports."""

from __future__ import annotations

import re
from email.errors import MessageError
from email.header import decode_header, make_header

__all__ = ["HeaderMap", "decoded", "head_end", "message_id_of", "read_headers", "subject_of"]

HEADER_LIMIT = 256 * 1024
"""Octets of a message's head that are looked at (our choice)."""

SUBJECT_LIMIT = 400


def head_end(octets: bytes) -> int:
    """Where the head ends: behind the line end before the first empty line, or where the octets or HEADER_LIMIT end; 0 where there
    is no head."""
    if octets.startswith((b"\n", b"\r\n")):
        return 0
    end = octets.find(b"\n\r\n", 0, HEADER_LIMIT)
    # The search for the other kind goes no further than the first kind: most messages are looked at once.
    other = octets.find(b"\n\n", 0, end if end >= 0 else HEADER_LIMIT)
    found = other if other >= 0 else end
    return found + 1 if found >= 0 else min(len(octets), HEADER_LIMIT)


def read_headers(octets: bytes) -> list[tuple[str, str]]:
    """(name, value) in order, values unfolded and not decoded, octets that are no UTF-8 shown as U+FFFD.

    Lines that cannot be a header field are passed over; an empty line ends the head."""
    fields: list[tuple[str, list[str]]] = []
    for raw in octets[: head_end(octets)].split(b"\n"):
        line = raw.rstrip(b"\r")
        if not line:
            break
        if line[0] in b" \t":
            if fields:
                fields[-1][1].append(_text(line))
            continue
        name, colon, value = line.partition(b":")
        name = name.rstrip(b" \t")
        if colon and name and b" " not in name:
            fields.append((_text(name), [_text(value)]))
    return [(name, " ".join(part for part in parts if part)) for name, parts in fields]


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace").strip()


def _first(field: re.Pattern[bytes], name: bytes, octets: bytes) -> re.Match[bytes] | None:
    """The first line of the head that is like the field. Looks for the name first: a pattern without case is tried at each octet, and takes
    five times as long. `name`: in lower case."""
    head = octets[: head_end(octets)]
    folded = b"\n" + head.lower()
    at = folded.find(b"\n" + name)
    while at >= 0:
        if match := field.match(head, at):
            return match
        at = folded.find(b"\n" + name, at + 1)
    return None


_SUBJECT = re.compile(rb"^subject[ \t]*:([^\n]*(?:\n[ \t][^\n]*){0,20})", re.IGNORECASE | re.MULTILINE)


def subject_of(octets: bytes) -> str:
    """The decoded subject, without reading all other fields; "" where there is none. At most SUBJECT_LIMIT characters."""
    match = _first(_SUBJECT, b"subject", octets)
    return decoded(" ".join(match[1][: 4 * SUBJECT_LIMIT].decode("utf-8", "replace").split()))[:SUBJECT_LIMIT] if match else ""


_MESSAGE_ID = re.compile(rb"^message-id[ \t]*:\s{0,200}(<[^>\r\n]{1,998}>)", re.IGNORECASE | re.MULTILINE)


def message_id_of(octets: bytes) -> str:
    """The Message-ID with its angle brackets; "" where there is none."""
    match = _first(_MESSAGE_ID, b"message-id", octets)
    return match[1].decode("utf-8", "replace") if match else ""


def decoded(value: str) -> str:
    """A header value with its encoded words (RFC 2047) read; as it is where they cannot be."""
    if "=?" not in value:
        return value
    try:
        return str(make_header(decode_header(value)))
    except (ValueError, LookupError, AssertionError, MessageError):  # what the standard library says about bad words
        return value


class HeaderMap(dict[str, str]):
    """The first field of each name, as a dict whose look-ups fold case: `headers["Subject"]`. Names are kept in lower case."""

    def __init__(self, octets: bytes = b"") -> None:
        super().__init__()
        for name, value in read_headers(octets):
            super().setdefault(name.lower(), value)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        return super().get(name.lower(), default)
