"""The router's file: read whole or not at all, with everything that is wrong in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from postroom.errors import ConfigError
from postroom.providers.configuration.conflicts import Served, between_providers
from postroom.providers.configuration.declaration import declaration, identity
from postroom.providers.configuration.loading import (
    Layers,
    Loaded,
    Origin,
    Override,
    examine,
    report_attributes,
    report_strangers,
)
from postroom.providers.configuration.problems import Code, Findings, Problem, shown
from postroom.providers.configuration.settings import (
    AuthMode,
    LogScale,
    ProviderSettings,
    SystemConfiguration,
)
from postroom.providers.configuration.tree import LARGEST, Node, parse
from postroom.providers.configuration.writing import document, element_of, redacted
from postroom.providers.contract import Direction, ProviderSpec
from postroom.providers.registry import Registry

__all__ = [
    "IMPORT_SECONDS",
    "BrokenEntry",
    "ProviderEntry",
    "Resolve",
    "RouterFile",
    "from_registry",
    "not_applied",
    "read",
    "validate",
    "write",
]

Resolve = Callable[[str, str], ProviderSpec[Any, Any]]
"""(ProviderClassName, ProviderAssembly) -> what the provider declares. Raises ConfigError."""
NOT_APPLIED = {
    "MoveEmails": "it cannot move a message to another folder; what is undeliverable is parked and stays at the source",
    "DeliverLoopLimit": "its meaning is not documented; a message that fails is tried five times",
    "CacheCapacity": "what was seen is kept in the database for as long as it is at the source, without bound",
    "EWSRetrieveMessageCount": "it does not speak to Exchange",
}
"""Shared elements that only a provider which declares them itself can apply: why not, in words. A warning of `validate`."""
IMPORT_SECONDS = 30.0
"""What importing one provider may take before its entry counts as broken. Ours."""
ROOT, SYSTEM, PROVIDER, OVERRIDES = "Configuration", "SystemConfiguration", "ProviderConfiguration", "ProviderOverrides"


@dataclass(frozen=True)
class ProviderEntry:
    """One `ProviderConfiguration`.

    settings  what any provider may have
    config    the provider's own configuration, to construct it with
    origins   element name -> where its value comes from
    node      the element it was read from; None for one made in code. With `line`, `path` and `origins` no part of equality
    """

    provider: ProviderSpec[Any, Any]
    settings: ProviderSettings
    config: Any
    origins: Mapping[str, Origin] = field(default_factory=dict, compare=False, repr=False)
    node: Node | None = field(default=None, compare=False, repr=False)
    line: int = field(default=0, compare=False)
    path: str = field(default=PROVIDER, compare=False)

    @property
    def direction(self) -> Direction:
        return self.provider.direction

    @cached_property
    def identity(self) -> str:
        """The key of the instance's state: the provider, what its configuration calls identity, organization, target and name."""
        return identity(self.provider.name, self.config, self.settings)


@dataclass(frozen=True, slots=True)
class BrokenEntry:
    """A `ProviderConfiguration` whose provider cannot be used; read only where somebody asks for the rest of the file all the same."""

    class_name: str
    reason: str
    line: int = field(default=0, compare=False)
    path: str = field(default=PROVIDER, compare=False)


@dataclass(frozen=True)
class RouterFile:
    """A file without errors. `node` is what it was read from; no part of equality, nor are the origins. `broken`: entries that were left out."""

    system: SystemConfiguration = field(default_factory=SystemConfiguration)
    providers: tuple[ProviderEntry, ...] = ()
    overrides: tuple[Override, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict, compare=False, repr=False)
    node: Node | None = field(default=None, compare=False, repr=False)
    broken: tuple[BrokenEntry, ...] = ()

    @property
    def layers(self) -> Layers:
        return Layers({one.name: one for one in self.overrides}, self.system.precedence)


def from_registry(registry: Registry, within: float = IMPORT_SECONDS) -> Resolve:
    """Names, aliases and class paths by the registry; else `ProviderAssembly` is the module of the class. `within`: seconds that an import may take."""

    def resolve(class_name: str, assembly: str) -> ProviderSpec[Any, Any]:
        try:
            return registry.find(class_name, within=within).spec
        except ConfigError:
            if not assembly or ":" in class_name or registry.look(class_name, within=within) is not None:
                raise
            return registry.find(f"{assembly}:{class_name}", within=within).spec

    return resolve


def validate(
    path: Path | str, *, strict: bool = False, resolve: Resolve | None = None, lenient: bool = False
) -> tuple[RouterFile | None, list[Problem]]:
    """A file of the disk: what it says, or None; and all that is wrong or doubtful. Reads no other file, except that a provider named by
    a class path is imported. Never raises for what the file holds."""
    try:
        file = Path(path)
        if not file.is_file():
            return None, [Problem(Code.XML, str(path), 0, "is no file", "name the router's configuration file")]
        with file.open("rb") as opened:
            octets = opened.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        return None, [Problem(Code.XML, str(path), 0, f"cannot be read: {getattr(error, 'strerror', None) or 'not a path'}")]
    found, problems = read(octets, strict=strict, resolve=resolve, lenient=lenient)
    return found, sorted([*problems, *(not_applied(found) if found is not None else ())], key=lambda one: one.line)


def not_applied(file: RouterFile) -> list[Problem]:
    """Elements that are read and have no effect with their provider: warnings, so that nobody relies on them."""
    found = []
    for entry in file.providers:
        own = {one.name for one in declaration(entry.provider.config)}
        for name, why in NOT_APPLIED.items():
            for child in entry.node.named(name)[:1] if entry.node is not None and name not in own else ():
                if child.text.strip().casefold() not in ("false", "0"):
                    text = f"has no effect with the provider {entry.provider.name}: {why}"
                    found.append(Problem(Code.UNKNOWN, f"{entry.path}/{name}", child.line, text, f"remove {name}", error=False))
    return found


def read(
    octets: bytes, *, strict: bool = False, resolve: Resolve | None = None, lenient: bool = False
) -> tuple[RouterFile | None, list[Problem]]:
    """As `validate`, of octets. `strict`: unknown elements are errors. `resolve`: by default the installed providers. `lenient`: a provider that cannot be
    used is a warning, and its entry is in `RouterFile.broken`: for a service that has others to run."""
    findings = Findings(strict)
    root = parse(octets, findings)
    if root is None:
        return None, findings.problems()
    if root.tag != ROOT:
        findings.add(Code.XML, shown(root.tag), root.line, f"the root element is not {ROOT}", f"enclose everything in <{ROOT}>")
        return None, findings.problems()
    file = _Reading(findings, resolve or from_registry(Registry.default()), lenient=lenient).file(root)
    return (None if findings.failed else file), findings.problems()


class _Reading:
    def __init__(self, findings: Findings, resolve: Resolve, *, lenient: bool = False) -> None:
        self.findings, self.resolve, self.lenient = findings, resolve, lenient
        self.broken: list[BrokenEntry] = []
        self.models: list[type] = [ProviderSettings]
        self.served: list[Served] = []

    def file(self, root: Node) -> RouterFile | None:
        report_strangers(root, (), self.findings, ROOT, (SYSTEM, PROVIDER))
        systems = root.named(SYSTEM)
        if not systems:
            self.findings.add(Code.REQ, f"{ROOT}/{SYSTEM}", root.line, "is missing; it is required", f"add <{SYSTEM}/>, first")
            systems = [Node(SYSTEM, root.line)]
        for again in systems[1:]:
            text = f"stands {len(systems)} times, first in line {systems[0].line}"
            self.findings.add(Code.DUP, f"{ROOT}/{SYSTEM}", again.line, text, "keep one", also=(systems[0].line,))
        path = f"{ROOT}/{SYSTEM}"
        loaded = examine(SystemConfiguration, systems[0], self.findings, path)
        report_strangers(systems[0], [SystemConfiguration], self.findings, path, (OVERRIDES,))
        system = loaded.value or SystemConfiguration()
        self._log_scale(system, loaded.origins)
        overrides = self._overrides(systems[0], path)
        layers = Layers({one.name: one for one in overrides}, system.precedence)
        entries = [self._entry(node, n, layers) for n, node in enumerate(root.named(PROVIDER), 1)]
        self._stray_overrides(overrides)
        whole = [entry for entry in entries if entry is not None]
        between_providers(self.served, self.findings)
        return RouterFile(system, tuple(whole), overrides, loaded.origins, root, tuple(self.broken))

    def _log_scale(self, system: SystemConfiguration, origins: Mapping[str, Origin]) -> None:
        if system.log_scale is LogScale.OF_2008 and system.log_level == 0:
            path = f"{ROOT}/{SYSTEM}/LogLevel"
            self.findings.add(Code.RANGE, path, origins["LogLevel"].line, "the scale of 2008 has no 0", "allowed: from 1 to 3")

    def _overrides(self, system: Node, path: str) -> tuple[Override, ...]:
        where = f"{path}/{OVERRIDES}"
        first: dict[str, Override] = {}
        groups = system.named(OVERRIDES)
        for again in groups[1:]:
            text = f"stands {len(groups)} times, first in line {groups[0].line}"
            self.findings.add(Code.DUP, where, again.line, text, "keep one", also=(groups[0].line,))
        for group in groups:
            report_attributes(group, self.findings, where)
        for child in (child for group in groups[:1] for child in group.elements()):
            name = f"{where}/{shown(child.tag)}"
            if child.tag in first:
                line = first[child.tag].line
                self.findings.add(
                    Code.DUP, name, child.line, f"stands more than once, first in line {line}", "keep one", also=(line,)
                )
            elif next(child.elements(), None) is not None:
                self.findings.add(Code.TYPE, name, child.line, "holds elements where there should be a value")
            else:
                first[child.tag] = Override(child.tag, child.text, name, child.line)
        return tuple(first.values())

    def _stray_overrides(self, overrides: tuple[Override, ...]) -> None:
        """Overrides that no provider of the file takes; the values of those that any provider could take, when there is none."""
        declared = {one.name: one for model in self.models for one in declaration(model)}
        examine(
            ProviderSettings,
            Node(PROVIDER, children=[Node("ProviderClassName", text="x")]),
            self.findings,
            PROVIDER,
            Layers({one.name: one for one in overrides}),
        )
        able = [name for name, one in declared.items() if one.overridable]
        for over in overrides:
            if over.name not in declared:
                text = "no provider of this file has such an element"
                self.findings.add(Code.UNKNOWN, over.path, over.line, text, self.findings.guess(over.name, able))
            elif not declared[over.name].overridable:
                text = "tells providers apart, is repeated or secret, and cannot be overridden"
                self.findings.add(Code.UNKNOWN, over.path, over.line, text, f"set it in each {PROVIDER}")

    def _entry(self, node: Node, position: int, layers: Layers) -> ProviderEntry | None:
        path = f"{ROOT}/{PROVIDER}[{position}]"
        settings = examine(ProviderSettings, node, self.findings, path, layers)
        spec = self._spec(node, path)
        if spec is None:
            report_attributes(node, self.findings, path)
            return None
        if spec.config not in self.models:
            self.models.append(spec.config)
        config = examine(spec.config, node, self.findings, path, layers)
        report_strangers(node, [ProviderSettings, spec.config], self.findings, path)
        self._agrees(settings, spec, node, path)
        entry = None
        if settings.value is not None and config.value is not None:
            origins = {**settings.origins, **config.origins}
            entry = ProviderEntry(spec, settings.value, config.value, origins, node, node.line, path)
        self.served.append(Served(path, node, spec.direction, settings.parts, entry.identity if entry is not None else ""))
        return entry

    def _spec(self, node: Node, path: str) -> ProviderSpec[Any, Any] | None:
        names = node.named("ProviderClassName")
        name = names[0].text.strip() if len(names) == 1 else ""
        if not name or len(name) > 500:
            return None  # told already
        assembly = next((one.text.strip() for one in node.named("ProviderAssembly")), "")
        try:
            spec = self.resolve(name, assembly)
            declaration(spec.config)
        except ConfigError as error:
            text = f"names no provider that can be used: {_printable(str(error), name)}"
            remedy = "install the package that has it, or correct the name"
            self.findings.add(Code.ENUM, f"{path}/ProviderClassName", names[0].line, text, remedy, error=not self.lenient)
            self.broken.append(BrokenEntry(shown(name), _printable(str(error), ""), names[0].line, path))
            return None
        return spec

    def _agrees(self, settings: Loaded[ProviderSettings], spec: ProviderSpec[Any, Any], node: Node, path: str) -> None:
        """What the shared elements say must be what the provider is."""
        lines = {name: origin.line for name, origin in settings.origins.items()}
        direction, auth = settings.parts.get("direction"), settings.parts.get("auth_mode")
        if direction is not None and direction.direction is not spec.direction:
            text, also = f"the provider {spec.name} is {spec.direction}", (lines["ProviderClassName"],)
            remedy = "remove Direction, or name another provider"
            self.findings.add(Code.CONFLICT, f"{path}/Direction", lines["Direction"], text, remedy, also=also)
        given = [name for name in ("EmailUser", "EmailPassword") if any(child.text.strip() for child in node.named(name))]
        if auth is AuthMode.ANONYMOUS:
            for name in given:
                line = node.named(name)[0].line
                text, also = f"EmailAuthMode in line {lines['EmailAuthMode']} is Anonymous", (lines["EmailAuthMode"],)
                self.findings.add(Code.CONFLICT, f"{path}/{name}", line, text, f"remove {name} or EmailAuthMode", also=also)
        users = [one for one in declaration(spec.config) if one.name == "EmailUser" and not one.required]
        if auth is AuthMode.CLEAR_TEXT and users and "EmailUser" not in given:
            text, also = "is missing; EmailAuthMode requires it", (lines["EmailAuthMode"],)
            self.findings.add(Code.REQ, f"{path}/EmailUser", node.line, text, "add <EmailUser>, the account", also=also)


def _printable(text: str, value: str) -> str:
    """An error's text as it may be told: without the element's value, its parts included."""
    for part in (value, *value.split(":")) if value else ():
        text = text.replace(part, "...") if len(part) > 2 else text
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:500]


def write(file: RouterFile, *, secrets: bool = True) -> bytes:
    """The file's octets. What `file` was read from is kept where no value changed: unknown elements, comments, order.

    Reading the octets gives an equal file; ConfigError when it would not (a value that the file's words cannot express).
    `secrets=False` gives a copy to show instead: secrets, everything unknown and comments are hidden."""
    layers = file.layers
    system = element_of(SYSTEM, [file.system], _first(file.node, SYSTEM))
    old = _first(system, OVERRIDES)
    if old is None or {child.tag: child.text for child in old.elements()} != {one.name: one.text for one in file.overrides}:
        system.children = [child for child in system.children if child is not old]
        if file.overrides:
            system.children.append(Node(OVERRIDES, children=[Node(one.name, text=one.text) for one in file.overrides]))
    entries = [element_of(PROVIDER, [entry.settings, entry.config], entry.node, layers) for entry in file.providers]
    if not secrets:
        return document(Node(ROOT, children=_to_show(file, system, entries)))
    octets = document(
        Node(ROOT, attributes=file.node.attributes if file.node else {}, children=_arranged(file.node, system, entries))
    )
    specs = {(entry.settings.class_name, entry.settings.assembly): entry.provider for entry in file.providers}
    again, problems = read(octets, resolve=lambda name, assembly: specs[name, assembly])
    if again != file:
        told = "; ".join(str(problem) for problem in problems if problem.error)
        raise ConfigError(f"these settings cannot be expressed in a file{': ' if told else ''}{told}")
    return octets


def _first(node: Node | None, tag: str) -> Node | None:
    return next(iter(node.named(tag)), None) if node is not None else None


def _to_show(file: RouterFile, system: Node, entries: list[Node]) -> list[Node]:
    shown_system = redacted(system, [SystemConfiguration])
    old = _first(system, OVERRIDES)
    shown_system.children = [child for child in shown_system.children if child.tag != OVERRIDES]
    models: list[type] = [ProviderSettings, *(entry.provider.config for entry in file.providers)]
    shown_system.children += [] if old is None else [redacted(old, models)]
    pairs = zip(file.providers, entries, strict=True)
    return [shown_system, *(redacted(node, [ProviderSettings, entry.provider.config]) for entry, node in pairs)]


def _arranged(original: Node | None, system: Node, entries: list[Node]) -> list[Node]:
    """Around the known elements everything stays where it was; the providers stand together at the place of the first."""
    if original is None:
        return [system, *entries]
    arranged: list[Node] = []
    placed = False
    for child in original.children:
        if child.tag == SYSTEM:
            arranged.append(system)
        elif child.tag != PROVIDER:
            arranged.append(child)
        elif not placed:
            arranged += entries
            placed = True
    return arranged if placed else [*arranged, *entries]
