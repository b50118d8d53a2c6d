"""The MIME tree, walked without recursion: leaves in document order (RFC 2046; mail-protocol-pitfalls 4.3).

An attached message (message/rfc822) is a leaf: it is never opened, so its depth does not matter. A multipart is split from the outside in, so an
unclosed inner one ends at the outer boundary. Each multipart level costs one `bytes.find` pass over its octets.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from postroom.mime import defects as flaws
from postroom.mime.headers import HeaderBlock, raw_text, scan_header
from postroom.mime.params import Parameters, parse_parameters
from postroom.mime.transfer import decode_base64, decode_quoted_printable
from postroom.mime.values import Limits

__all__ = ["Budget", "Leaf", "Slot", "walk"]

_TYPE: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`{|}~-]{1,127}/[a-z0-9!#$%&'*+.^_`{|}~-]{1,127}")
_IDENTITY: Final = frozenset({"", "7bit", "8bit", "binary"})
_FIELD_FIRST: Final = re.compile(rb"[ \t\r\n]{0,8}[\x21-\x39\x3b-\x7e]{1,80}:")
_FIRST_DASHES: Final = re.compile(rb"(?:\A|\n)--([^\r\n]{1,100}?)[ \t]*\r?\n")
_MAX_BOUNDARY: Final = 1_000
_MAX_TAIL: Final = 998
"""Octets of blanks allowed after a boundary; more than a line is no boundary line."""


class Budget:
    """Time for one message. `spent` stays true once it was."""

    __slots__ = ("_end", "_monotonic", "_spent")

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._end = monotonic() + seconds
        self._spent = False

    @property
    def spent(self) -> bool:
        if not self._spent:
            self._spent = self._monotonic() > self._end
        return self._spent


class Slot(NamedTuple):
    """Where a leaf stands: `alternative` is the innermost enclosing multipart/alternative (0: none) and `branch` the leaf's place among its
    alternatives; `root` is false for the members of a multipart/related that its root refers to; `first` for the first child of its parent."""

    alternative: int = 0
    branch: int = 0
    root: bool = True
    first: bool = True


@dataclass(frozen=True, slots=True)
class Leaf:
    """One part that is not a multipart. `octets` are decoded; for an opaque part they are as found. `parameters` belong to Content-Type."""

    content_type: str
    parameters: Parameters
    disposition: Parameters
    content_id: str
    octets: bytes
    slot: Slot
    opaque: bool = False


class _Entity(NamedTuple):
    """Octets `data[start:end]` that begin with a header block (or, for the message itself, whose header is already read: `block`)."""

    data: bytes
    start: int
    end: int
    level: int
    default: str
    slot: Slot
    block: HeaderBlock | None = None


_NOTHING: Final = Parameters("", {})


def opaque(octets: bytes, slot: Slot = Slot(first=False)) -> Leaf:  # noqa: B008 - a value
    """What was not looked into."""
    return Leaf("application/octet-stream", _NOTHING, _NOTHING, "", octets, slot, opaque=True)


class _Walk:
    def __init__(self, limits: Limits, budget: Budget, defects: flaws.Defects) -> None:
        self.limits, self.budget, self.defects = limits, budget, defects
        self.leaves: list[Leaf] = []
        self.stack: list[_Entity] = []
        self.parts = 1
        self.alternatives = 0

    def run(self, root: _Entity) -> list[Leaf]:
        self.stack.append(root)
        while self.stack:
            entity = self.stack.pop()
            if self.budget.spent:
                self.defects.add(flaws.TOO_SLOW)
                self._rest(entity)
                break
            self._entity(entity)
        return self.leaves

    def _rest(self, entity: _Entity) -> None:
        """Out of time: what is not yet walked is one opaque part. Entities below on the stack follow in the same octets, or in outer ones."""
        outermost = self.stack[0] if self.stack else entity
        end = max((other.end for other in (*self.stack, entity) if other.data is entity.data), default=entity.end)
        self.leaves.append(opaque(entity.data[entity.start : end]))
        if outermost.data is not entity.data:
            start = min(other.start for other in self.stack if other.data is outermost.data)
            self.leaves.append(opaque(outermost.data[start : outermost.end]))
        self.stack.clear()

    def _entity(self, entity: _Entity) -> None:
        block = entity.block or scan_header(entity.data, entity.start, entity.end, self.limits, self.defects)
        if block.cut:
            self.leaves.append(opaque(entity.data[block.end : entity.end], entity.slot))
            return
        content = self._parameters(block.text("content-type"))
        disposition = self._parameters(block.text("content-disposition"))
        kind = self._kind(content, disposition, entity.default)
        encoding = block.text("content-transfer-encoding").split("(", 1)[0].split(";", 1)[0].strip(" \t\"'").lower()
        if kind.startswith("multipart/"):
            if self._multipart(kind, content, encoding, entity, block.end):
                return
            kind = "text/plain"  # nothing to split: people can still read it
        content_id = raw_text(block.raw("content-id")).strip().strip("<>").strip()
        self._leaf(kind, content, disposition, content_id, encoding, entity, block.end)

    def _parameters(self, text: str) -> Parameters:
        parsed = parse_parameters(text, self.limits.parameters) if text else _NOTHING
        if parsed.overflow:
            self.defects.add(flaws.TOO_MANY_PARAMETERS)
        return parsed

    def _kind(self, content: Parameters, disposition: Parameters, default: str) -> str:
        """The content type; an unusable one is text/plain (RFC 2045 §5.2), a file of unknown kind when it has a file name."""
        if not content.value:
            return default
        if _TYPE.fullmatch(content.value):
            return content.value
        if content.value != "text":  # written before MIME was finished, and still
            self.defects.add(flaws.BAD_CONTENT_TYPE)
        named = disposition.get("filename") or content.get("name") or disposition.value == "attachment"
        return "application/octet-stream" if named else "text/plain"

    # -- multiparts ------------------------------------------------------------------------------------------------------------------

    def _multipart(self, kind: str, content: Parameters, encoding: str, entity: _Entity, body: int) -> bool:
        """Put the children on the stack. False: there is nothing to split, the caller keeps the part as a leaf."""
        if entity.level >= self.limits.levels:
            self.defects.add(flaws.TOO_MANY_LEVELS)
            self.leaves.append(opaque(entity.data[body : entity.end], entity.slot))
            return True
        data, start, end = entity.data, body, entity.end
        boundary = self._boundary(content, data, start, end)
        cuts = self._cuts(data, start, end, boundary)
        if encoding not in _IDENTITY:
            self.defects.add(flaws.ENCODED_MULTIPART)
            if not cuts.parts and encoding in ("base64", "quoted-printable"):
                data, _ = (decode_base64 if encoding == "base64" else decode_quoted_printable)(data[start:end])
                start, end = 0, len(data)
                cuts = self._cuts(data, start, end, boundary or self._boundary(content, data, start, end))
        if not cuts.parts:
            self.defects.add(flaws.NO_PARTS)
            return False
        if not cuts.closed:
            self.defects.add(flaws.NO_CLOSE_LINE)
        self._push(kind, content, entity, data, cuts)
        return True

    def _boundary(self, content: Parameters, data: bytes, start: int, end: int) -> bytes:
        boundary = content.get("boundary").encode("utf-8", "replace").rstrip(b" \t")[:_MAX_BOUNDARY]
        if boundary:
            return boundary
        self.defects.add(flaws.NO_BOUNDARY)
        # Our choice: the first line that begins with two dashes, if it comes back.
        match = _FIRST_DASHES.search(data, start, end)
        if match is not None and data.find(b"\n--" + match[1], match.end() - 1, end) >= 0:
            return match[1]
        return b""

    def _cuts(self, data: bytes, start: int, end: int, boundary: bytes) -> _Cuts:
        room = max(self.limits.parts - self.parts, 0)
        return _cut(data, start, end, b"--" + boundary, room) if boundary else _Cuts([], False, -1)

    def _push(self, kind: str, content: Parameters, entity: _Entity, data: bytes, cuts: _Cuts) -> None:
        alternative = 0
        if kind == "multipart/alternative":
            self.alternatives += 1
            alternative = self.alternatives
        root = _related_root(content, data, cuts.parts, self.limits) if kind == "multipart/related" else -1
        default = "message/rfc822" if kind == "multipart/digest" else "text/plain"
        children: list[_Entity] = []
        for n, (start, end) in enumerate(cuts.parts):
            slot = Slot(
                alternative or entity.slot.alternative,
                n if alternative else entity.slot.branch,
                entity.slot.root and root in (-1, n),
                n == 0,
            )
            children.append(_Entity(data, start, end, entity.level + 1, default, slot))
        self.parts += len(children)
        if cuts.rest >= 0:
            self.defects.add(flaws.TOO_MANY_PARTS)
            end = entity.end if data is entity.data else len(data)
            self.stack.append(
                _Entity(data, cuts.rest, end, entity.level + 1, "", Slot(first=False), HeaderBlock([], {}, cuts.rest, True))
            )
        self.stack.extend(reversed(children))

    # -- leaves ----------------------------------------------------------------------------------------------------------------------

    def _leaf(
        self,
        kind: str,
        content: Parameters,
        disposition: Parameters,
        content_id: str,
        encoding: str,
        entity: _Entity,
        body: int,
    ) -> None:
        octets = entity.data[body : entity.end]
        kept = False
        if kind.startswith("message/") and encoding not in _IDENTITY and _FIELD_FIRST.match(octets):
            self.defects.add(flaws.ENCODED_MESSAGE)  # illegal (RFC 2046 §5.2.1), and plainly not done
        elif encoding == "base64":
            octets, whole = decode_base64(octets)
            if not whole:
                self.defects.add(flaws.BAD_BASE64)
        elif encoding in ("quoted-printable", "quoted_printable", "qp"):
            octets, whole = decode_quoted_printable(octets)
            if not whole:
                self.defects.add(flaws.BAD_QUOTED_PRINTABLE)
        elif encoding not in _IDENTITY:
            kept = encoding.startswith("x-") or "uu" in encoding or "yenc" in encoding or encoding == "binhex"
            self.defects.add(flaws.OPAQUE_ENCODING if kept else flaws.UNKNOWN_ENCODING)
        if kind.startswith("message/") and encoding in ("base64", "quoted-printable"):
            self.defects.add(flaws.ENCODED_MESSAGE)
        self.leaves.append(Leaf(kind, content, disposition, content_id, octets, entity.slot, opaque=kept))


class _Cuts(NamedTuple):
    """`parts`: offsets of the parts; `closed`: the close line was there; `rest`: offset of the first part over the limit, or -1."""

    parts: list[tuple[int, int]]
    closed: bool
    rest: int


def _cut(data: bytes, start: int, end: int, dashes: bytes, room: int) -> _Cuts:
    """Split at the whole lines `--boundary`; the line end before such a line belongs to it (RFC 2046 §5.1.1)."""
    parts: list[tuple[int, int]] = []
    opened = -1
    at = start
    while (at := data.find(dashes, at, end)) >= 0:
        if at > start and data[at - 1] != 0x0A:
            at += len(dashes)
            continue
        after = at + len(dashes)
        stop = data.find(b"\n", after, min(end, after + _MAX_TAIL))
        line_end = end if stop < 0 else stop + 1
        tail = data[after : min(line_end, after + _MAX_TAIL)].strip(b" \t\r\n")
        if tail not in (b"", b"--") or (stop < 0 and end - after >= _MAX_TAIL):
            at = after
            continue
        if opened >= 0:
            parts.append((opened, _before(data, opened, at)))
        if tail:
            if opened < 0:  # a close line before anything was opened closes nothing
                at = line_end
                continue
            return _Cuts(parts, True, -1)
        if len(parts) >= room:
            return _Cuts(parts, True, at)
        opened = line_end
        at = line_end
    if opened >= 0:
        parts.append((opened, end))
    return _Cuts(parts, False, -1)


def _before(data: bytes, start: int, at: int) -> int:
    """The end of the part before a boundary line at `at`: without its one line end."""
    if at > start and data[at - 1] == 0x0A:
        at -= 1
        if at > start and data[at - 1] == 0x0D:
            at -= 1
    return at


def _related_root(content: Parameters, data: bytes, parts: list[tuple[int, int]], limits: Limits) -> int:
    """The index of the part that `start=` names, else 0 (RFC 2387 §3.2). Only the first parts are looked at: roots come early."""
    wanted = content.get("start").strip().strip("<>")
    if wanted:
        for n, (start, end) in enumerate(parts[:10]):
            block = scan_header(data, start, end, limits, flaws.Defects())
            if block.text("content-id").strip().strip("<>") == wanted:
                return n
    return 0


def walk(data: bytes, start: int, block: HeaderBlock, limits: Limits, budget: Budget, defects: flaws.Defects) -> list[Leaf]:
    """The leaves of the message whose header is `block`. Bounded by `limits` and `budget`; what lies beyond is one opaque leaf and a defect."""
    return _Walk(limits, budget, defects).run(_Entity(data, start, len(data), 0, "text/plain", Slot(), block))
