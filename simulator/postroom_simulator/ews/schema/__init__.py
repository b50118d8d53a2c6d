"""The published schema as data: element order, types, occurrence and the version from which each element exists.

Two text files hold it, `types.schema` (namespace t) and `messages.schema` (namespace m). A value of a complex type is a `dict` of its
children by element name (a list where an element repeats) and of its attributes by "@" and name; text with attributes has the text
under "". A type marked `choice` is a list of (element name, value) pairs, whose order is the sender's; where such a type has attributes,
or other children before the pairs, it is a dict with the pairs under "". Scalars are `str`, `bool`, `int`, `float`, aware or naive
`datetime` (naive: no zone was given), `date`, `bytes` (base64). Reading and writing by the schema is `codec`'s, checking an answer `validate`'s.

Notation, a line each:

    namespace t                      of the types that follow
    Name = A | B[2013]               an enumeration, with the version that brought a value
    Name is Base [1..9] [/PATTERN/]  a simple type; limits of the value of a number, of the length of a text
    Name is string list Other        several values of Other, separated by spaces; its value is the text
    Name [: Base] [choice[+]]        a complex type; children and attributes follow, indented. choice+: at least one
    Name text string                 text of a simple type, with attributes
    element Name : Type              a global element
      [t:]Child Type [MARK] [[version]]
                                     one child, in the named namespace where that is not the type's. MARK: none, exactly once; ? at most once;
                                     * any number; + at least one; ~ any number, mixed with the others so marked;
                                     /1 exactly one of all that have /1; /1? at most one of them
      @Attribute Type [?] [[version]]

Order and types are those of the published schema of Exchange 2016 (services' types and messages; also in MS-OXWSCDATA and the MS-OXWS
documents that it gathers). Versions are those at which the schema of Exchange 2013, the EWS Managed API or exchangelib know an element; where
all are silent, the first. One addition is ours: ProposeNewTime is an item of CreateItem with the times that the answers have (the published schema has
it among the response objects of an item alone, where clients answer with ProposedStart and ProposedEnd; ews reference 8 has it in both places).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources

from postroom_simulator.ews.versions import Version

__all__ = ["SIMPLE", "Child", "Restriction", "Type", "element_type", "elements", "names", "restriction_named", "type_named"]

SIMPLE = frozenset(
    {"string", "boolean", "int", "long", "double", "dateTime", "date", "time", "duration", "base64Binary", "any"}
)
"""Types of XML Schema that occur; `any`: XML of other namespaces, taken as it is."""


@dataclass(slots=True, frozen=True)
class Child:
    """One child element, or an attribute.

    type         a complex type, an enumeration, or one of SIMPLE
    restriction  the name of the simple type that narrows `type`, or ""
    group        of the children of which one alone may be there, or ""
    mixed        it repeats and mixes with the others that do; their pairs are under "" of the value
    """

    name: str
    type: str
    namespace: str
    required: bool
    many: bool
    since: Version
    restriction: str = ""
    group: str = ""
    mixed: bool = False


@dataclass(slots=True, frozen=True)
class Restriction:
    """What narrows a simple type: the limits of its value (numbers) or length (texts), a pattern of the whole text, and for a list
    the type of the parts."""

    base: str
    least: int | None = None
    most: int | None = None
    pattern: str = ""
    parts: str = ""


@dataclass(slots=True)
class Type:
    """A complex type, or an enumeration when `values` is not empty.

    children    by name, inherited ones first: the order of the schema
    attributes  by name
    choice      the value is a list of pairs; with attributes a dict that has it under ""
    some        of a choice: at least one
    groups      by name, the names of the children of which only one may be there; and whether one must
    text        the simple type of its text, "" where it has none
    """

    name: str
    namespace: str
    base: str = ""
    choice: bool = False
    some: bool = False
    text: str = ""
    values: Mapping[str, Version] = field(default_factory=dict)
    children: dict[str, Child] = field(default_factory=dict)
    attributes: dict[str, Child] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)
    """Where each child stands."""
    groups: dict[str, tuple[list[str], bool]] = field(default_factory=dict)

    @property
    def mixed(self) -> bool:
        """Pairs are under "" of a dict."""
        return any(child.mixed for child in self.children.values())


@functools.cache
def type_named(name: str) -> Type:
    """A type, with what its bases have before what it has itself. Raises KeyError for a name that the schema does not have."""
    namespace, head, lines = _blocks()[name]
    one = _start(name, namespace, head)
    for line in lines:
        _add(one, line.split())
    if one.base:
        base = type_named(one.base)
        one.choice, one.some = one.choice or base.choice, one.some or base.some
        one.groups = base.groups | one.groups
        one.text = one.text or base.text
        one.children = base.children | one.children
        one.attributes = base.attributes | one.attributes
    one.places = {child: place for place, child in enumerate(one.children)}
    return one


def element_type(name: str) -> str | None:
    """The type of a global element of namespace m; None: there is no such element."""
    return _elements().get(name)


@functools.cache
def restriction_named(name: str) -> Restriction:
    """A simple type's. Raises KeyError for a name that the schema does not have."""
    words = _blocks()[name][1]
    if words[:1] != ["is"]:
        raise KeyError(name)
    base, rest = words[1], words[2:]
    if rest[:1] == ["list"]:
        return Restriction(base, parts=rest[1])
    least, most, pattern = None, None, ""
    for word in rest:
        if word[0] == "/":
            pattern = word[1:-1]
        else:
            low, high = word.split("..")
            least, most = int(low) if low else None, int(high) if high else None
    return Restriction(base, least, most, pattern)


def names() -> list[str]:
    """All types but the simple ones."""
    return [name for name, block in _blocks().items() if block[1][:1] != ["is"]]


def elements() -> Mapping[str, str]:
    """The types of the global elements of namespace m."""
    return _elements()


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
        return Type(name, namespace, values=dict(_value(word) for word in words[1:] if word != "|"))
    made = Type(name, namespace)
    rest = words
    if rest[:1] == [":"]:
        made.base, rest = rest[1], rest[2:]
    if rest[:1] in (["choice"], ["choice+"]):
        made.choice, made.some, rest = True, rest[0] == "choice+", rest[1:]
    if rest[:1] == ["text"]:
        made.text, rest = _resolved(rest[1])[0], rest[2:]
    if rest:
        raise SyntaxError(f"{name}: not understood: {' '.join(rest)}")
    return made


def _value(word: str) -> tuple[str, Version]:
    value, mark, version = word.partition("[")
    return value, Version.of_mark(version[:-1]) if mark else Version.EXCHANGE_2007


def _resolved(kind: str) -> tuple[str, str]:
    """The type that a codec reads and writes, and the name of what narrows it."""
    if kind in SIMPLE or _blocks()[kind][1][:1] != ["is"]:
        return kind, ""
    return restriction_named(kind).base, kind


_MARKS = frozenset({"", "?", "*", "+", "~"})


def _add(into: Type, words: list[str]) -> None:
    name, kind, marks = words[0], words[1], words[2:]
    since = Version.EXCHANGE_2007
    if marks and marks[-1][0] == "[":
        since = Version.of_mark(marks.pop()[1:-1])
    mark = marks.pop() if marks else ""
    group = ""
    if mark[:1] == "/":
        group = f"{into.name}{mark.rstrip('?')}"
    elif marks or mark not in _MARKS:
        raise SyntaxError(f"{into.name}: not understood: {' '.join(words)}")
    attribute = name[0] == "@"
    prefix, _, local = ("", "", name[1:]) if attribute else name.rpartition(":")
    resolved, restriction = _resolved(kind)
    child = Child(
        local, resolved, prefix or into.namespace, mark in ("", "+"), mark in ("*", "+"), since, restriction, group, mark == "~"
    )
    table = into.attributes if attribute else into.children
    if local in table:
        raise SyntaxError(f"{into.name}: {local} is there already")
    table[local] = child
    if group:
        into.groups.setdefault(group, ([], not mark.endswith("?")))[0].append(local)
