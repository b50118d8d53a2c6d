"""The published schema as data: element order, types, occurrence and the version from which each element exists.

Two text files hold it, `types.schema` (namespace t) and `messages.schema` (namespace m). A value of a complex type is a `dict` of its
children by element name (a list where an element repeats) and of its attributes by "@" and name; a type marked `choice` is a list of
(element name, value) pairs, whose order is the sender's; text with attributes has the text under "". Scalars are `str`, `bool`, `int`,
aware or naive `datetime` (naive: no zone was given), `bytes` (base64). Reading and writing by the schema is `codec`'s.

Notation, a line each:

    namespace t                      of the types that follow
    Name = A | B                     an enumeration
    Name [: Base] [choice]           a complex type; children and attributes follow, indented
    Name text string                 text of a simple type, with attributes
    element Name [: Type]            a global element with a type of its own, or of a named one
      Child Type [?*] [[version]]    one child: exactly once, or ? at most once, * any number; the version that brought it
      @Attribute Type [?] [[version]]

The element order is that of the Open Specifications (MS-OXWSCDATA and the MS-OXWS documents that it gathers).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources

from postroom_simulator.ews.versions import Version

__all__ = ["SIMPLE", "Child", "Type", "element_type", "names", "type_named"]

SIMPLE = frozenset(
    {"string", "boolean", "int", "long", "double", "dateTime", "date", "time", "duration", "base64Binary", "any"}
)
"""Types of XML Schema that occur; `any`: taken as it is, never read."""


@dataclass(slots=True, frozen=True)
class Child:
    """One child element, or with `attribute` an attribute."""

    name: str
    type: str
    namespace: str
    required: bool
    many: bool
    since: Version


@dataclass(slots=True)
class Type:
    """A complex type, or an enumeration when `values` is not empty.

    children    by name, inherited ones first: the order of the schema
    attributes  by name
    choice      the value is a list of pairs
    text        the simple type of its text, "" where it has none
    """

    name: str
    namespace: str
    base: str = ""
    choice: bool = False
    text: str = ""
    values: frozenset[str] = frozenset()
    children: dict[str, Child] = field(default_factory=dict)
    attributes: dict[str, Child] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)
    """Where each child stands."""


@functools.cache
def type_named(name: str) -> Type:
    """A type, with what its bases have before what it has itself. Raises KeyError for a name that the schema does not have."""
    namespace, head, lines = _blocks()[name]
    one = _start(name, namespace, head)
    for line in lines:
        _add(one, line.split())
    if one.base:
        base = type_named(one.base)
        one.choice = one.choice or base.choice
        one.text = one.text or base.text
        one.children = base.children | one.children
        one.attributes = base.attributes | one.attributes
    one.places = {child: place for place, child in enumerate(one.children)}
    return one


def element_type(name: str) -> str | None:
    """The type of a global element of namespace m; None: there is no such element."""
    return _elements().get(name)


def names() -> list[str]:
    """All types, for tests."""
    return list(_blocks())


Block = tuple[str, list[str], list[str]]
"""Namespace, the words of the head after the name, the lines of the children."""


@functools.cache
def _files() -> tuple[Mapping[str, Block], Mapping[str, str]]:
    blocks: dict[str, Block] = {}
    elements: dict[str, str] = {}
    for file in ("types.schema", "messages.schema"):
        text = resources.files(__package__).joinpath(file).read_text(encoding="utf-8")
        namespace, lines = "", []
        for number, line in enumerate(text.splitlines(), 1):
            if not line or line[0] == "#":
                continue
            if line[0] == " ":
                lines.append(line)
                continue
            words = line.split()
            lines = []
            if words[0] == "namespace":
                namespace = words[1]
                continue
            name, head = words[0], words[1:]
            if name == "element":
                name, head = f"{words[1]} element", []
                elements[words[1]] = words[3] if words[2:3] == [":"] else name
                if words[2:]:
                    continue
            if name in blocks:
                raise SyntaxError(f"{file}, line {number}: {name} is there already")
            blocks[name] = (namespace, head, lines)
    return blocks, elements


def _blocks() -> Mapping[str, Block]:
    return _files()[0]


def _elements() -> Mapping[str, str]:
    return _files()[1]


def _start(name: str, namespace: str, words: list[str]) -> Type:
    if words[:1] == ["="]:
        return Type(name, namespace, values=frozenset(word for word in words[1:] if word != "|"))
    made = Type(name, namespace)
    rest = words
    if rest[:1] == [":"]:
        made.base, rest = rest[1], rest[2:]
    if rest[:1] == ["choice"]:
        made.choice, rest = True, rest[1:]
    if rest[:1] == ["text"]:
        made.text, rest = rest[1], rest[2:]
    if rest:
        raise SyntaxError(f"{name}: not understood: {' '.join(rest)}")
    return made


def _add(into: Type, words: list[str]) -> None:
    name, kind, marks = words[0], words[1], words[2:]
    since = Version.EXCHANGE_2007
    if marks and marks[-1][0] == "[":
        since = Version.of_mark(marks.pop()[1:-1])
    child = Child(name.lstrip("@"), kind, into.namespace, not marks, marks == ["*"], since)
    table = into.attributes if name[0] == "@" else into.children
    table[child.name] = child
