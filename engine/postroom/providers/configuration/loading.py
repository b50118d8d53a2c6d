"""From elements to values: all problems at once, the origin of each value kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

from postroom.model.secret import Secret
from postroom.providers.configuration.declaration import Declared, declaration
from postroom.providers.configuration.problems import Code, Findings, Problem, shown
from postroom.providers.configuration.tree import Node
from postroom.providers.configuration.values import Wrong

__all__ = [
    "Layer",
    "Layers",
    "Loaded",
    "Origin",
    "Override",
    "Precedence",
    "examine",
    "from_mapping",
    "load",
    "report_strangers",
]

T = TypeVar("T")


class Layer(StrEnum):
    """Where a value comes from."""

    PROVIDER = "provider"
    OVERRIDE = "override"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Origin:
    """Of one value: its layer, and the line of the element; 0 for a default."""

    layer: Layer
    line: int = 0


_DEFAULT = Origin(Layer.DEFAULT)


class Precedence(StrEnum):
    """Which of two values counts. The original's rule is not documented (email-router-providers 7.3), so it is a setting: the provider's own
    element first, as here; or `ProviderOverrides` first, as that name implies (compatibility mode)."""

    PROVIDER_FIRST = "ProviderFirst"
    OVERRIDES_FIRST = "OverridesFirst"


@dataclass(frozen=True, slots=True)
class Override:
    """One element of `ProviderOverrides`: its text applies to every provider that has such an element. `path` and `line` do not compare."""

    name: str
    text: str = field(repr=False)
    path: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Layers:
    """What stands beside the provider's own elements."""

    overrides: Mapping[str, Override] = field(default_factory=dict)
    precedence: Precedence = Precedence.PROVIDER_FIRST


@dataclass(frozen=True, slots=True)
class Loaded(Generic[T]):
    """`value` is None when something is wrong with it; `parts` are the fields that are good. `origins` by element name."""

    value: T | None
    origins: Mapping[str, Origin]
    parts: Mapping[str, Any]


def load(model: type[T], node: Node, *, strict: bool = False, path: str = "") -> tuple[T | None, list[Problem]]:
    """The value of a declared model in an element, or None; and every problem. `strict`: unknown elements are errors."""
    findings = Findings(strict)
    where = path or shown(node.tag)
    loaded = examine(model, node, findings, where)
    report_strangers(node, [model], findings, where)
    return loaded.value, findings.problems()


def from_mapping(
    model: type[T], values: Mapping[str, str | Sequence[str]], *, strict: bool = True
) -> tuple[T | None, list[Problem]]:
    """As `load`, of element name -> text, or texts for a repeated element."""
    node = Node("ProviderConfiguration")
    for name, text in values.items():
        texts = [text] if isinstance(text, str) else text
        node.children += [Node(name, text=str(one)) for one in texts]
    return load(model, node, strict=strict)


def examine(model: type[T], node: Node, findings: Findings, path: str, layers: Layers | None = None) -> Loaded[T]:
    """Read one model; elements that it does not know are somebody else's. Raises ConfigError for a wrong declaration."""
    reader = _Reader(node, findings, path, layers or Layers())
    values: dict[str, Any] = {}
    whole = True
    said = {*reader.by_tag, *reader.layers.overrides}
    for declared in declaration(model):
        if declared.name not in said and not (declared.required or declared.many or said.intersection(declared.was)):
            values[declared.attribute] = declared.default  # the usual case, of which a large file has hundreds of thousands
            reader.origins[declared.name] = _DEFAULT
            continue
        got = reader.many(declared) if declared.many else reader.single(declared)
        if got is MISSING:
            whole = False
        else:
            values[declared.attribute] = got
    if not whole:
        return Loaded(None, reader.origins, values)
    try:
        return Loaded(model(**values), reader.origins, values)
    except Exception as error:  # a declaration's own checks are foreign code
        findings.add(Code.CONFLICT, path, node.line, _without_secrets(f"is refused: {error}", values.values()))
        return Loaded(None, reader.origins, values)


class _Reader:
    def __init__(self, node: Node, findings: Findings, path: str, layers: Layers) -> None:
        self.node, self.findings, self.path, self.layers = node, findings, path, layers
        self.origins: dict[str, Origin] = {}
        self.by_tag: dict[str, list[Node]] = {}
        for child in node.elements():
            self.by_tag.setdefault(child.tag, []).append(child)

    def single(self, declared: Declared) -> Any:
        """The value, or MISSING after a problem was told."""
        path = f"{self.path}/{declared.name}"
        own = self._own(declared)
        for again in own[1:]:
            text = f"stands {len(own)} times, first in line {own[0][0].line}"
            self.findings.add(Code.DUP, path, again[0].line, text, "keep one", also=(own[0][0].line,))
        candidates: list[tuple[Layer, Any, int]] = []
        if own:
            candidates.append((Layer.PROVIDER, self._value(declared, *own[0], path), own[0][0].line))
        over = self.layers.overrides.get(declared.name)
        if over is not None and declared.overridable:
            candidates.append((Layer.OVERRIDE, self._parsed(declared, over.text, over.path, over.line), over.line))
        if self.layers.precedence is Precedence.OVERRIDES_FIRST:
            candidates.reverse()
        if not candidates:
            if declared.required:
                self._required(declared, self.node.line, "is missing")
            else:
                self.origins[declared.name] = _DEFAULT
            return declared.default
        layer, value, line = candidates[0]
        self.origins[declared.name] = Origin(layer, line)
        return MISSING if len(own) > 1 or any(other is MISSING for _, other, _ in candidates) else value

    def many(self, declared: Declared) -> Any:
        path = f"{self.path}/{declared.name}"
        first: dict[Any, int] = {}
        values: list[Any] = []
        good = True
        for child, text in self._own(declared):
            value = self._value(declared, child, text, path)
            if value is MISSING:
                good = False
            elif value in first:
                text = f"the same as in line {first[value]}"
                self.findings.add(Code.DUP, path, child.line, text, "remove one", also=(first[value],))
                good = False
            else:
                first[value] = child.line
                values.append(value)
        lines = list(first.values())
        self.origins[declared.name] = Origin(Layer.PROVIDER, lines[0]) if lines else _DEFAULT
        return tuple(values) if good else MISSING

    def _own(self, declared: Declared) -> list[tuple[Node, str]]:
        """The elements of this name and of its earlier names, with their texts in today's words."""
        found = [(child, child.text) for child in self.by_tag.get(declared.name, ())]
        if found and declared.deprecated:
            self._deprecated(found[0][0], declared.deprecated)
        for old, words in declared.was.items():
            earlier = self.by_tag.get(old, [])
            for child in earlier:
                self._deprecated(child, f"write {declared.name}")
            if earlier and found and not declared.many:
                text = f"says the same thing as {shown(found[0][0].tag)} in line {found[0][0].line}"
                path = f"{self.path}/{old}"
                self.findings.add(Code.CONFLICT, path, earlier[0].line, text, "keep one", also=(found[0][0].line,))
            else:
                found += [(child, _translated(child.text, words)) for child in earlier]
        return found

    def _deprecated(self, child: Node, remedy: str) -> None:
        self.findings.add(Code.DEPRECATED, f"{self.path}/{shown(child.tag)}", child.line, "is an old element", remedy)

    def _value(self, declared: Declared, child: Node, text: str, path: str) -> Any:
        if child.tag != declared.name:
            path = f"{self.path}/{child.tag}"
        if next(child.elements(), None) is not None:
            self.findings.add(Code.TYPE, path, child.line, f"holds elements where there should be a value ({_plain(declared)})")
            return MISSING
        if declared.required and not text.strip():
            self._required(declared, child.line, "is empty")
            return MISSING
        return self._parsed(declared, text, path, child.line)

    def _parsed(self, declared: Declared, text: str, path: str, line: int) -> Any:
        try:
            return declared.kind.parse(text)
        except Wrong as wrong:
            self.findings.add(wrong.code, path, line, wrong.text, wrong.remedy)
            return MISSING

    def _required(self, declared: Declared, line: int, text: str) -> None:
        remedy = f"add <{declared.name}>, {_plain(declared)}" + (f": {declared.help}" if declared.help else "")
        self.findings.add(Code.REQ, f"{self.path}/{declared.name}", line, f"{text}; it is required", remedy)


def report_strangers(node: Node, models: Iterable[type], findings: Findings, path: str, also: Sequence[str] = ()) -> None:
    """UNKNOWN for each child that no model declares, and for attributes: none is defined."""
    known = [*also, *(name for model in models for one in declaration(model) for name in (one.name, *one.was))]
    report_attributes(node, findings, path)
    for child in node.elements():
        if child.tag not in known:
            where, text = f"{path}/{shown(child.tag)}", "is no element that anything reads"
            findings.add(Code.UNKNOWN, where, child.line, text, findings.guess(child.tag, known))
        elif child.attributes and child.tag not in also:
            report_attributes(child, findings, f"{path}/{shown(child.tag)}")


def report_attributes(node: Node, findings: Findings, path: str) -> None:
    for name in node.attributes:
        if not name.startswith(("xmlns", "xml:", "xsi:")):
            findings.add(Code.UNKNOWN, f"{path}/@{shown(name)}", node.line, "attributes mean nothing here", "remove it")


def _translated(text: str, words: Mapping[str, str] | None) -> str:
    return text if words is None else words.get(text.strip().casefold(), text)


def _plain(declared: Declared) -> str:
    return declared.kind.words.replace("`", "")


def _without_secrets(text: str, values: Iterable[Any]) -> str:
    for value in values:
        if isinstance(value, Secret) and value:
            text = text.replace(value.reveal(), "...")
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:500]
