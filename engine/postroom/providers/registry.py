"""Which providers there are: registered ones, class paths, documented names, and installed entry points (listed, loaded when used).

Nothing is resolved silently: a name that two packages use, a package that takes a built-in name, an import that fails are kept, each with its
reason, and hide no other (provider-kit reference 5.6).
"""

from __future__ import annotations

import importlib
import inspect
import shlex
import sys
import threading
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from postroom.errors import ConfigError
from postroom.providers.contract import Provider, ProviderSpec
from postroom.providers.lifecycle import overridden_finals

__all__ = ["ALIASES", "GROUP", "BrokenProvider", "ListedProvider", "Registry", "verify"]

GROUP = "postroom.providers"
BUILTIN = {
    "pop3": "postroom.providers.builtin.pop3:Pop3Provider",
    "smtp": "postroom.providers.builtin.smtp:SmtpProvider",
    "rss": "postroom.providers.builtin.rss:RssProvider",
}
ALIASES = {
    # The class names that configuration files of the Email Router use (email-router-providers reference).
    "Microsoft.Crm.Tools.Email.Providers.Pop3PollingMailboxProvider": "pop3",
    "Microsoft.Crm.Tools.Email.Providers.SmtpPollingSendEmailProvider": "smtp",
}
SDK_API = (1, 0)
ARGUMENTS = {"__init__": 2, "check": 1, "run": 1, "close": 0}
"""How many arguments the contract gives to each method, behind the instance."""
BUILT_IN = "built in"


@dataclass(frozen=True, slots=True)
class BrokenProvider:
    """A name that is known and cannot be used: kept with the reason, so that one bad package hides no other. `trace`: where an import
    failed."""

    name: str
    source: str
    reason: str
    trace: str = ""

    def refuse(self) -> ConfigError:
        return ConfigError(f"provider {self.name!r} ({self.source}) cannot be used: {self.reason}")


@dataclass(frozen=True, slots=True)
class ListedProvider:
    """One name of the list: where it comes from, and the class or why there is none. `left_out`: who else offers the name, and lost."""

    name: str
    source: str
    kind: type[Provider] | BrokenProvider
    aliases: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def finding(self) -> str:
        """What is not as it should be; "" when nothing is."""
        if isinstance(self.kind, BrokenProvider):
            return self.kind.reason
        return f"the name is also used by {', '.join(self.left_out)}" if self.left_out else ""


@dataclass(frozen=True, slots=True)
class _Offer:
    """Who offers a name. `owner`: the distribution's name; `source`: the same for people, with version and place."""

    owner: str
    source: str
    target: EntryPoint | str

    @classmethod
    def of(cls, point: EntryPoint) -> _Offer:
        if point.dist is None:
            return cls("unknown distribution", "unknown distribution", point)
        place = point.dist.locate_file("")
        return cls(point.dist.name, f"{point.dist.name} {point.dist.version} in {place}", point)


def verify(kind: Any, source: str) -> type[Provider]:
    """A class that the runtime can call. Raises ConfigError with everything that is wrong at once."""
    if not isinstance(kind, type):
        raise ConfigError(f"{source} is not a class")
    problems = [f"{name} is missing" for name in ("check", "run", "close") if not callable(getattr(kind, name, None))]
    problems += [text for name, number in ARGUMENTS.items() if (text := _unfit(kind, name, number))]
    spec = getattr(kind, "spec", None)
    if not isinstance(spec, ProviderSpec):
        problems.append("spec is missing or no ProviderSpec")
    elif spec.sdk_api[0] != SDK_API[0] or spec.sdk_api > SDK_API:
        problems.append(f"asks for provider interface {spec.sdk_api}, this is {SDK_API}")
    problems += [f"{name} is final and was overridden" for name in overridden_finals(kind)]
    if abstract := sorted(getattr(kind, "__abstractmethods__", ())):
        problems.append(f"hooks without code: {', '.join(abstract)}")
    if problems:
        raise ConfigError(f"{source} is no provider: {'; '.join(problems)}")
    return kind


def _unfit(kind: type, name: str, number: int) -> str:
    """What keeps a method from being called as the contract says; "" when nothing does."""
    method = inspect.getattr_static(kind, name, None)
    if not inspect.isfunction(method):
        return ""  # missing, or something that cannot be read: the call itself will tell
    signature = inspect.signature(method)
    try:
        signature.bind(*range(number + 1))
    except TypeError:
        given = "(config, env)" if name == "__init__" else "(ctx)" if number else "()"
        return f"{name}{signature} cannot be called with {given}"
    return ""


class _Import(threading.Thread):
    """Foreign code at work that may never end. What it gives, or raises, is kept."""

    def __init__(self, target: EntryPoint | str) -> None:
        super().__init__(name="postroom-import", daemon=True)
        self._meant = target
        self.found: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.found = _loaded_from(self._meant)
        except BaseException as error:  # sys.exit() too: it is raised where somebody waits for it
            self.error = error


@dataclass(slots=True)
class Registry:
    """Names and classes. `find` is the way in; nothing is imported before a name is used.

    `prefer` decides what would be a conflict otherwise: name -> distribution whose provider is meant ("built in" for ours).
    """

    aliases: dict[str, str] = field(default_factory=lambda: dict(ALIASES))
    prefer: Mapping[str, str] = field(default_factory=dict)
    _known: dict[str, type[Provider] | BrokenProvider] = field(default_factory=dict)
    _lazy: dict[str, list[_Offer]] = field(default_factory=dict)
    _endless: dict[str, _Import] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @classmethod
    def default(cls, *, prefer: Mapping[str, str] | None = None, strict: bool = False) -> Registry:
        """The built-in providers and what is installed. `strict` loads all and raises ConfigError for everything that is not as it should
        be, all at once."""
        registry = cls(prefer=prefer or {})
        for name, path in BUILTIN.items():
            registry.offer(name, path, BUILT_IN)
        registry.discover(entry_points(group=GROUP))
        if strict and (wrong := [f"{one.name}: {one.finding}" for one in registry.listing() if one.finding]):
            raise ConfigError("; ".join(wrong))
        return registry

    def register(self, kind: type[Provider]) -> type[Provider]:
        """Add a class under its spec's name; usable as a decorator. Raises ConfigError when it is none or the name is taken."""
        verified = verify(kind, f"{kind.__module__}:{kind.__qualname__}" if isinstance(kind, type) else repr(kind))
        name = verified.spec.name
        with self._lock:
            if self._known.get(name, verified) is not verified or name in self._lazy:
                raise ConfigError(f"provider name {name!r} is taken")
            self._known[name] = verified
        return verified

    def offer(self, name: str, target: EntryPoint | str, source: str) -> None:
        """A name whose class is imported when it is first asked for. Two sources for one name make it broken, not silently one of them."""
        self._offer(name, _Offer(source, source, target))

    def discover(self, found: Iterable[EntryPoint]) -> None:
        """What packages offer. The same offer of one package, found twice, counts once."""
        for point in found:
            self._offer(point.name, _Offer.of(point))

    def _offer(self, name: str, offer: _Offer) -> None:
        with self._lock:
            offers = self._lazy.setdefault(name, [])
            if offer not in offers:
                offers.append(offer)

    def names(self) -> list[str]:
        """All known names, broken ones too, sorted. Loads nothing."""
        with self._lock:
            return sorted({*self._known, *self._lazy})

    def listing(self) -> list[ListedProvider]:
        """All known names with what stands behind them; loads them all."""
        rows = []
        for name in self.names():
            kind = self.look(name)
            assert kind is not None
            chosen, others = self._chosen(name)
            source = chosen.source if chosen is not None else kind.source if isinstance(kind, BrokenProvider) else "registered"
            aliases = tuple(sorted(alias for alias, meant in self.aliases.items() if meant == name))
            rows.append(ListedProvider(name, source, kind, aliases, tuple(one.source for one in others if chosen is not None)))
        return rows

    def look(self, name: str, *, within: float | None = None) -> type[Provider] | BrokenProvider | None:
        """What stands behind a name, loaded; None when nothing does. `within`: seconds that an import may take, in a thread of its own; one that takes longer
        makes the name broken until it ends."""
        with self._lock:
            name = self.aliases.get(name, name)
            if name not in self._known and name in self._lazy:
                loaded = self._loaded(name, within)
                if name in self._endless:
                    return loaded
                self._known[name] = loaded
            return self._known.get(name)

    def find(self, name: str, *, within: float | None = None) -> type[Provider]:
        """The provider of a name, an alias or a class path `package.module:Class`; `process:COMMAND`, a program in any language; `isolated:NAME`,
        a provider in a Python process of its own. `within` as in `look`. Raises ConfigError, naming the nearest name."""
        found = self.look(name, within=within)
        if found is None and name.startswith(("process:", "isolated:")):
            found = self._known[name] = self._in_a_process(name, within)
        if isinstance(found, BrokenProvider):
            raise found.refuse()
        if found is not None:
            return found
        if ":" in name:
            loaded = self._load(name, "class path", name, within)
            if isinstance(loaded, BrokenProvider):
                raise loaded.refuse()
            return loaded
        near = get_close_matches(name, [*self.names(), *self.aliases], n=1)
        raise ConfigError(f"no provider is called {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))

    def _in_a_process(self, name: str, within: float | None) -> type[Provider]:
        from postroom.providers.process import foreign, isolated

        how, _, what = name.partition(":")
        if how == "isolated":
            return isolated(self.find(what, within=within))
        try:
            command = shlex.split(what)
        except ValueError as wrong:
            raise ConfigError(f"{name!r} names no program: {wrong}") from None
        return foreign(command)

    def _chosen(self, name: str) -> tuple[_Offer | None, list[_Offer]]:
        """Whose provider a name means, and who else offers it. A built-in name is nobody else's without being preferred."""
        offers = self._lazy.get(name, [])
        if len(offers) == 1:
            return offers[0], []
        wanted = self.prefer.get(name, BUILT_IN)
        chosen = [one for one in offers if one.owner == wanted]
        if len(chosen) != 1:
            return None, offers
        return chosen[0], [one for one in offers if one is not chosen[0]]

    def _loaded(self, name: str, within: float | None) -> type[Provider] | BrokenProvider:
        chosen, others = self._chosen(name)
        if chosen is None:
            sources = ", ".join(one.source for one in others)
            return BrokenProvider(name, sources, "several packages use this name: say which one is meant, or uninstall one")
        return self._load(name, chosen.source, chosen.target, within)

    def _load(self, name: str, source: str, target: EntryPoint | str, within: float | None) -> type[Provider] | BrokenProvider:
        try:
            return verify(self._imported(name, target, within), str(name))
        except ConfigError as error:
            return BrokenProvider(name, source, str(error))
        except (Exception, SystemExit) as error:  # an import runs foreign code: whatever it does belongs to that package alone
            return BrokenProvider(name, source, f"{type(error).__name__}: {error}", traceback.format_exc())

    def _imported(self, name: str, target: EntryPoint | str, within: float | None) -> Any:
        """Raises whatever the import raises; ConfigError for one that does not end in time. Nobody waits for that one again."""
        module = target.module if isinstance(target, EntryPoint) else target.partition(":")[0]
        if within is None or (module in sys.modules and name not in self._endless):
            return _loaded_from(target)
        working = self._endless.get(name)
        if working is None:
            working = self._endless[name] = _Import(target)
            working.start()
            working.join(within)  # true seconds: no clock of ours stands behind foreign code
        if working.is_alive():
            raise ConfigError(f"its import did not end within {within:g} seconds")
        del self._endless[name]
        if working.error is not None:
            raise working.error
        return working.found


def _loaded_from(target: EntryPoint | str) -> Any:
    return target.load() if isinstance(target, EntryPoint) else _imported(target)


def _imported(path: str) -> Any:
    module, _, names = path.partition(":")
    found: Any = importlib.import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    return found
