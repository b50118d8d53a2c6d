"""The header block: from octets to fields, and the fields with a shape of their own (mail-protocol-pitfalls 4.2)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from postroom.mime import defects as flaws
from postroom.mime.charsets import decode_raw_header
from postroom.mime.values import Importance, Limits
from postroom.mime.words import clean, decode_words

__all__ = [
    "MAX_MESSAGE_ID",
    "HeaderBlock",
    "first_id",
    "importance_of",
    "raw_text",
    "reference_ids",
    "scan_header",
    "synthetic_id",
]

MAX_MESSAGE_ID: Final = 320
"""Characters: what `email.messageid` and `email.inreplyto` hold (server-side-sync reference 1). A longer id is unusable."""
MAX_REFERENCES: Final = 100
"""Our choice: the first id (the thread's root) and the newest ones."""
_MAX_INDEX: Final = 2_048

_FIELD: Final = re.compile(rb"([\x21-\x39\x3b-\x7e]{1,200})[ \t]*:")
_ANGLED: Final = re.compile(r"<([^<>]*)>")
_BLANK: Final = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class HeaderBlock:
    """`fields`: name as written and the raw value, unfolded (one blank a fold), lone CRs as blanks. `first`: lower-case name to the first value.
    `end`: offset of the body. `cut`: the block went over a limit and `end` is where reading stopped."""

    fields: list[tuple[str, bytes]]
    first: dict[str, bytes]
    end: int
    cut: bool = False

    def raw(self, name: str) -> bytes:
        return self.first.get(name, b"")

    def text(self, name: str) -> str:
        """Raw text, encoded words still encoded; "" when absent."""
        return raw_text(self.first.get(name, b""))


def raw_text(value: bytes) -> str:
    """Octets of a field as text without line ends and controls; encoded words untouched."""
    return clean(value.decode("ascii") if value.isascii() and b"\x1b" not in value else decode_raw_header(value))


def decoded(value: bytes) -> tuple[str, bool]:
    """Octets of a field, decoded and cleaned, and whether the encoded words were whole."""
    return decode_words(value.decode("ascii") if value.isascii() and b"\x1b" not in value else decode_raw_header(value))


class _Lines:
    """Lines of `octets[start:end]`, one at a time: (offset after it, the line without its end). A line ends with LF, CRs before it included."""

    __slots__ = ("at", "end", "octets")

    def __init__(self, octets: bytes, start: int, end: int) -> None:
        self.octets, self.at, self.end = octets, start, end

    def next(self, room: int) -> bytes:
        cap = min(self.end, self.at + room)
        stop = self.octets.find(b"\n", self.at, cap)
        line = self.octets[self.at : cap if stop < 0 else stop]
        self.at = cap if stop < 0 else stop + 1
        return line.rstrip(b"\r") if stop >= 0 or cap == self.end else line


def scan_header(octets: bytes, start: int, end: int, limits: Limits, defects: flaws.Defects) -> HeaderBlock:
    """Read fields from `start` on. The body begins after the blank line, or at the first line that cannot be a header.

    `limits.header_lines` counts fields, however they are folded (our reading of the limit: a list of 1,200 recipients, one a line, is ordinary
    mail); folds are bounded by `limits.header_octets`.
    """
    fields: list[tuple[str, list[bytes]]] = []
    lines = _Lines(octets, start, end)
    stop = min(end, start + limits.header_octets)
    last = start
    cut = False
    while lines.at < end:
        here = lines.at
        if len(fields) > limits.header_lines or here >= stop:
            defects.add(flaws.HEADER_TOO_LARGE if here >= stop else flaws.TOO_MANY_HEADER_LINES)
            if here < stop:
                fields.pop()
                lines.at = last
            cut = True
            break
        line = lines.next(stop - here)
        if not line:
            break
        if line[0] in b" \t" and fields:
            fields[-1][1].append(line.lstrip(b" \t"))
            continue
        match = _FIELD.match(line)
        if match is not None:
            last = here
            fields.append((match[1].decode("ascii"), [line[match.end() :].lstrip(b" \t")]))
        elif line.startswith((b"From ", b">From ")):
            defects.add(flaws.STRAY_FROM_LINE)
        else:
            defects.add(flaws.NO_BLANK_LINE)
            lines.at = here
            break
    return _block(fields, lines.at, cut=cut)


def _block(folded: list[tuple[str, list[bytes]]], end: int, *, cut: bool) -> HeaderBlock:
    fields: list[tuple[str, bytes]] = []
    first: dict[str, bytes] = {}
    for name, pieces in folded:
        value = (pieces[0] if len(pieces) == 1 else b" ".join(pieces)).rstrip(b" \t")
        if b"\r" in value:
            value = value.replace(b"\r", b" ").strip(b" ")
        fields.append((name, value))
        first.setdefault(name.lower(), value)
    return HeaderBlock(fields, first, end, cut)


def _bracketed(content: str) -> str:
    """`<content>` without blanks, or "" when empty or too long."""
    content = _BLANK.sub("", content).replace("\ufffd", "")
    return f"<{content}>" if 0 < len(content) <= MAX_MESSAGE_ID - 2 else ""


def first_id(text: str, *, bare: bool) -> str:
    """The first `<...>` of the text. Without brackets: the text itself when `bare` (Message-ID), its only word with an `@` otherwise
    (In-Reply-To, which old mailers filled with prose). "" when there is none to use."""
    match = _ANGLED.search(text)
    if match is not None:
        return _bracketed(match[1])
    text = text.strip().strip("<>")
    if bare:
        return _bracketed(text)
    words = [word for word in text.split() if "@" in word]
    return _bracketed(words[0]) if len(words) == 1 and len(text.split()) == 1 else ""


def reference_ids(text: str) -> tuple[str, ...]:
    """All ids of References, each once, oldest first; beyond `MAX_REFERENCES` the root and the newest."""
    ids = dict.fromkeys(one for match in _ANGLED.finditer(text) if (one := _bracketed(match[1])))
    if not ids:
        ids = dict.fromkeys(
            one for word in text.replace(",", " ").split() if "@" in word and (one := _bracketed(word.strip("<>")))
        )
    found = tuple(ids)
    return found if len(found) <= MAX_REFERENCES else (found[0], *found[1 - MAX_REFERENCES :])


def conversation_index(text: str) -> str:
    """Thread-Index in its base64, blanks removed; "" when longer than `email.conversationindex` holds."""
    index = _BLANK.sub("", text)
    return index if len(index) <= _MAX_INDEX else ""


_IMPORTANCE: Final[dict[str, Importance]] = {"low": 0, "non-urgent": 0, "normal": 1, "medium": 1, "high": 2, "urgent": 2}


def importance_of(block: HeaderBlock) -> Importance:
    """The first usable of Importance, X-Priority (1 and 2 high, 4 and 5 low), X-MSMail-Priority; else normal."""
    for name in ("importance", "x-priority", "x-msmail-priority"):
        value = block.text(name).strip().lower()
        if value in _IMPORTANCE:
            return _IMPORTANCE[value]
        if name == "x-priority" and value[:1] in "12345" and value and not value[1:2].isdigit():
            return (2, 2, 1, 0, 0)[int(value[0]) - 1]
    return 1


def synthetic_id(block: HeaderBlock, body: bytes) -> str:
    """A stable Message-ID from From, Date, Subject and body (server-side-sync reference 4.4). Line ends and a missing last one make no difference,
    so that the same message read through another protocol gets the same id."""
    digest = hashlib.sha256()
    for part in (block.raw("from"), block.raw("date"), block.raw("subject"), body.replace(b"\r\n", b"\n").rstrip(b"\n")):
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return f"<{digest.hexdigest()[:40]}@synthetic.postroom.invalid>"
