"""XML of a file as a small tree with line numbers, on expat: no document type, no entity but the five of XML, bounded in octets, depth and
number of elements. Nothing outside the octets is ever read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from postroom.providers.configuration.problems import Code, Findings, shown

__all__ = ["COMMENT", "Node", "parse"]

LARGEST = 16 * 1024 * 1024
DEEPEST = 64
MOST_NODES = 300_000
PIECE = 256 * 1024
"""Octets given to expat at once. It can be stopped only between two pieces, and begins an unfinished token anew with each."""
COMMENT = "#comment"
ENCODINGS = {
    "utf-8": "utf-8-sig",
    "utf8": "utf-8-sig",
    "utf-16": "utf-16",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "latin-1",
    "windows-1252": "cp1252",
}
"""Encodings that files of Windows have. Any other is refused by name: which ones expat gets from Python's codecs is none of the file's."""
DECLARED = re.compile(rb"""<\?xml[ \t\r\n][^>]{0,200}?encoding[ \t\r\n]*=[ \t\r\n]*["']([^"'<>]{1,60})["']""")


@dataclass(slots=True)
class Node:
    """An element: its text (all the pieces between its children as one), or a comment (`tag` is COMMENT). Never shows its text."""

    tag: str
    line: int = 0
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<{shown(self.tag)} at line {self.line}, {len(self.children)} children>"

    def elements(self) -> Iterator[Node]:
        """The children that are elements."""
        return (child for child in self.children if child.tag != COMMENT)

    def named(self, tag: str) -> list[Node]:
        return [child for child in self.children if child.tag == tag]


class _Refused(Exception):
    def __init__(self, code: Code, text: str, remedy: str = "") -> None:
        super().__init__(text)
        self.code, self.text, self.remedy = code, text, remedy


class _Builder:
    """expat's events become nodes. A refusal stops all further ones."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.CommentHandler = self._comment
        self.root: Node | None = None
        self.open: list[tuple[Node, list[str]]] = []
        self.count = 0

    def _doctype(self, *_: object) -> None:
        raise _Refused(Code.DTD, "document types are refused", "remove <!DOCTYPE ...>; a configuration needs no entities")

    def _counted(self, node: Node) -> None:
        self.count += 1
        if self.count > MOST_NODES:
            raise _Refused(Code.XML, f"has more than {MOST_NODES} elements")
        if self.open:
            self.open[-1][0].children.append(node)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self.open) >= DEEPEST:
            raise _Refused(Code.XML, f"elements are nested deeper than {DEEPEST}")
        node = Node(tag, self.parser.CurrentLineNumber, attributes)
        self._counted(node)
        self.root = self.root or node
        self.open.append((node, []))

    def _end(self, _: str) -> None:
        node, texts = self.open.pop()
        node.text = "".join(texts)

    def _text(self, text: str) -> None:
        if self.open:
            self.open[-1][1].append(text)

    def _comment(self, text: str) -> None:
        if self.open:
            self._counted(Node(COMMENT, self.parser.CurrentLineNumber, {}, text))


def parse(octets: bytes, findings: Findings) -> Node | None:
    """The root, or None with the reason in the findings: codes XML and DTD."""
    builder = _Builder()
    line = 0
    try:
        if len(octets) > LARGEST:
            raise _Refused(Code.XML, f"is larger than {LARGEST} octets")
        decoded = _decoded(octets)
        for start in range(0, len(decoded), PIECE):
            builder.parser.Parse(decoded[start : start + PIECE], False)
        builder.parser.Parse(b"", True)
    except expat.ExpatError as error:
        said = expat.ErrorString(error.code)
        text = f"is not well-formed XML: {said}, column {error.offset + 1}"
        findings.add(Code.XML, _path(builder), error.lineno, text, _remedy(said))
        return None
    except _Refused as refused:
        line = builder.parser.CurrentLineNumber if builder.count or refused.code is Code.DTD else 0
        findings.add(refused.code, _path(builder), line, refused.text, refused.remedy)
        return None
    return builder.root


def _path(builder: _Builder) -> str:
    return "/".join(shown(node.tag) for node, _ in builder.open) or "the file"


def _remedy(said: str) -> str:
    return "the file is empty or cut short: restore it from a copy" if said in ("no element found", "unclosed token") else ""


def _decoded(octets: bytes) -> bytes:
    """The file as UTF-8, whatever it was in: by its mark, else by its declaration, else UTF-8 (XML 1.0 appendix F)."""
    if octets.startswith((b"\xff\xfe", b"\xfe\xff")):
        codec = "utf-16"
    elif octets.startswith(b"<\0"):
        codec = "utf-16-le"
    elif octets.startswith(b"\0<"):
        codec = "utf-16-be"
    else:
        declared = DECLARED.match(octets.removeprefix(b"\xef\xbb\xbf"))
        name = declared[1].decode("latin-1").casefold() if declared else "utf-8"
        if name not in ENCODINGS or (name == "utf-16"):
            raise _Refused(Code.XML, "is in an encoding that is not read here", f"save it as one of {', '.join(ENCODINGS)}")
        codec = ENCODINGS[name]
    try:
        return octets.decode(codec).removeprefix("\ufeff").encode("utf-8")
    except UnicodeError:
        raise _Refused(Code.XML, "holds octets that are not of its encoding", "save it as UTF-8") from None
