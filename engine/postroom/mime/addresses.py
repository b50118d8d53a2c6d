"""Address lists: read within bounds, written so that they read back (RFC 5322 §3.4, §4.4; mail-protocol-pitfalls 4.2).

Strict about what an address is, lenient about what stands around it: what has two `@` outside quotes, or two addresses without a comma, is no
address at all, so that no other program's reading of it can differ from ours (CVE-2019-16056, CVE-2023-27043). Domains are left as written: an
internationalized one is neither encoded nor decoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from postroom.mime.values import Address
from postroom.mime.words import clean, decode_words

__all__ = ["AddressList", "comparison_key", "format_address", "is_usable", "join_list", "parse_list", "parse_one", "split_list"]

MAX_ADDRESS: Final = 998
"""Characters: what fits one line (RFC 5322 §2.1.1)."""
MAX_NAME: Final = 1_000

_TOKEN: Final = re.compile(
    r"(?P<blank>[ \t\r\n]+)"
    r"|(?P<word>=\?[^?\s]{1,80}\?[bBqQ]\?[^?\s]*\?=)"
    r"|(?P<special>[\"(),:;<>])"
    r"|(?P<literal>\[[^\[\]\s]{0,300}\])"
    r"|(?P<atom>(?:(?!=\?)[^\s\"(),:;<>\[\]])+|.)",
    re.DOTALL,
)
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_NEST: Final = re.compile(r"\\.|[()]", re.DOTALL)
_QUOTED_PART: Final = r'"(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*+"'
_ATOM_PART: Final = r'[^\s@".(),:;<>\[\]\\\x00-\x1f\x7f]++'
# Doubled, leading and trailing dots are illegal and in use (Japanese phones).
_LOCAL: Final = re.compile(rf"\.*+(?:{_QUOTED_PART}|{_ATOM_PART})(?:\.++(?:{_QUOTED_PART}|{_ATOM_PART}))*+\.*+")
_DOMAIN: Final = re.compile(r"[^\s@\"(),:;<>\[\]\\\x00-\x1f\x7f]+|\[[^\s\[\]\\\x00-\x1f\x7f]+\]")
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?: [A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*")


class AddressList(NamedTuple):
    """`unusable` counts elements that were no address; `overflow` says that the limit was reached and the rest not read."""

    addresses: tuple[Address, ...]
    unusable: int = 0
    overflow: bool = False


def is_usable(address: str) -> bool:
    """One local part, one `@`, one domain; nothing that could be read in two ways."""
    if len(address) > MAX_ADDRESS:
        return False
    local = _LOCAL.match(address)
    if local is None or not address.startswith("@", local.end()):
        return False
    return _DOMAIN.fullmatch(address, local.end() + 1) is not None


def comparison_key(address: str) -> str:
    """Exact and case-insensitive (server-side-sync reference 4.8): the same as `Address.key`, for a bare string."""
    return address.strip().casefold()


class _Element:
    """What stands between two separators: chunks (runs of tokens without blanks between them), as written and as a name shows them."""

    __slots__ = ("_names", "_raw", "angle", "comment", "glued")

    def __init__(self) -> None:
        self._raw: list[list[str]] = []
        self._names: list[list[str]] = []
        self.angle: str | None = None
        self.comment = ""
        self.glued = False

    def add(self, raw: str, name: str) -> None:
        if self.angle is not None:
            return  # text after the closing bracket
        if not self.glued:
            self._raw.append([])
            self._names.append([])
            self.glued = True
        self._raw[-1].append(raw)
        self._names[-1].append(name)

    @property
    def chunks(self) -> list[str]:
        return ["".join(pieces) for pieces in self._raw]

    @property
    def names(self) -> list[str]:
        return ["".join(pieces) for pieces in self._names]

    @property
    def empty(self) -> bool:
        return not self._raw and self.angle is None


class _Reader:
    """One pass over the text, iterative; an unclosed quote or comment makes all later ones of its kind ordinary characters, so the pass stays linear."""

    def __init__(self, text: str, limit: int) -> None:
        self.text = text
        self.limit = limit
        self.found: list[Address] = []
        self.unusable = 0
        self.overflow = False
        self.quotes = self.comments = True
        self.element = _Element()
        self.carried = ""

    def run(self) -> AddressList:
        at = 0
        text = self.text
        while at < len(text) and not self.overflow:
            match = _TOKEN.match(text, at)
            assert match is not None  # the last alternative takes any character
            kind = match.lastgroup
            if kind == "blank":
                self.element.glued = False
                at = match.end()
            elif kind == "special":
                at = self._special(match[0], at)
            else:
                self.element.add(match[0], match[0])
                at = match.end()
        if not self.overflow:
            self._flush(comma=False)
        return AddressList(tuple(self.found), self.unusable, self.overflow)

    def _special(self, char: str, at: int) -> int:
        if char == '"':
            return self._quoted(at)
        if char == "(":
            return self._comment(at)
        if char == "<":
            return self._angle(at)
        if char in ",;":
            self._flush(comma=char == ",")
        elif char == ":":  # a group's name, or `mailto:`; neither is part of an address
            self.element = _Element()
            self.carried = ""
        else:
            self.element.add(char, char)
        return at + 1

    def _quoted(self, at: int) -> int:
        match = _QUOTED.match(self.text, at) if self.quotes else None
        if match is None:
            self.quotes = False
            self.element.add('"', "")
            return at + 1
        self.element.add(match[0], _ESCAPED.sub(r"\1", match[1]))
        return match.end()

    def _comment(self, at: int) -> int:
        depth = 0
        if self.comments:
            for match in _NEST.finditer(self.text, at):
                depth += {"(": 1, ")": -1}.get(match[0], 0)
                if depth == 0:
                    self.element.comment = self.element.comment or self.text[at + 1 : match.start()]
                    return match.end()
        self.comments = False
        self.element.add("(", "(")
        return at + 1

    def _angle(self, at: int) -> int:
        """`<route:address>`; without `>` it ends before the next separator."""
        end = at + 1
        pieces: list[str] = []
        while end < len(self.text):
            char = self.text[end]
            if char == ">":
                end += 1
                break
            quoted = _QUOTED.match(self.text, end) if char == '"' and self.quotes else None
            if quoted is not None:
                pieces.append(quoted[0])
                end = quoted.end()
                continue
            if char == '"':
                self.quotes = False
            if char in ",;" and not (pieces and pieces[0] == "@"):
                break
            if not char.isspace():
                pieces.append(char)
            end += 1
        raw = "".join(pieces)
        if raw.startswith("@"):  # a source route is read and dropped (RFC 5322 §4.4)
            raw = raw.rpartition(":")[2]
        if self.element.angle is None:
            self.element.angle = raw
        else:
            self.element.angle = "<>"  # two bracketed addresses without a comma: nobody knows which
        return end

    def _flush(self, *, comma: bool) -> None:
        element, self.element = self.element, _Element()
        carried, self.carried = self.carried, ""
        address = None if element.empty else self._address(element)
        if address is None:
            if comma and element.angle is None and not element.empty and not any("@" in chunk for chunk in element.chunks):
                # `Doe, John <j@x>`: an unquoted comma in the name
                self.carried = f"{carried}{' '.join(element.names)}, "
            else:  # `<>` is nobody, not somebody unusable
                self.unusable += bool(carried) + (not element.empty and element.angle != "")
            return
        if len(self.found) >= self.limit:
            self.overflow = True
            return
        if carried and element.angle is None:
            self.unusable += 1
            carried = ""
        self.found.append(Address(address.address, _decoded(carried + address.name)))

    def _address(self, element: _Element) -> Address | None:
        """The element's address with its name still encoded."""
        if element.angle is not None:
            address = clean(element.angle)
            name = " ".join(name for name in element.names if name) or element.comment
            return Address(address, name) if is_usable(address) else None
        candidates = [n for n, chunk in enumerate(element.chunks) if "@" in chunk]
        if len(candidates) != 1:
            return None
        at = candidates[0]
        chunks, names = element.chunks, element.names
        first, last = at, at + 1
        if chunks[at].startswith("@") and first > 0:  # `a @b`, `a @ b`
            first -= 1
        if chunks[at].endswith("@") and last < len(chunks):
            last += 1
        address = clean("".join(chunks[first:last]))
        name = " ".join(names[:first] + names[last:]) or element.comment
        return Address(address, name) if is_usable(address) else None


def _decoded(name: str) -> str:
    return decode_words(name)[0].strip()[:MAX_NAME]


def parse_list(text: str, *, limit: int = 5_000) -> AddressList:
    """Unfolded header text, its encoded words still encoded: all addresses in order, at most `limit`. Groups are flattened; `;` separates like `,`.
    Never raises; linear in the text."""
    return _Reader(text, limit).run()


def parse_one(text: str) -> Address | None:
    """The address if the text holds exactly one and nothing unusable beside it, else None."""
    found = parse_list(text, limit=2)
    return found.addresses[0] if len(found.addresses) == 1 and not found.unusable and not found.overflow else None


def split_list(text: str, *, limit: int = 5_000) -> tuple[Address, ...]:
    """Addresses as the organization's messages carry them, `a@b; c@d` (server-side-sync reference 4.1); commas separate too."""
    return parse_list(text, limit=limit).addresses


def join_list(addresses: Iterable[Address]) -> str:
    """The other way: bare addresses with `; ` between them."""
    return "; ".join(address.address for address in addresses)


def format_address(address: Address) -> str:
    """For people and logs: `Ada <ada@alder.example>`, the name quoted where it must be, nothing encoded. Headers are written by `mime.compose`."""
    name = clean(address.name)
    if not name:
        return address.address
    if not _PLAIN_NAME.fullmatch(name):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name} <{address.address}>"
