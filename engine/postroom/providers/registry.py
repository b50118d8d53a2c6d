"""Which providers there are: registered ones, class paths, documented names, and installed entry points (listed, loaded when used)."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from postroom.errors import ConfigError
from postroom.providers.contract import Provider, ProviderSpec
from postroom.providers.lifecycle import overridden_finals

__all__ = ["ALIASES", "GROUP", "BrokenProvider", "Registry", "verify"]

GROUP = "postroom.providers"
BUILTIN = {
    "pop3": "postroom.providers.builtin.pop3:Pop3Provider",
    "smtp": "postroom.providers.builtin.smtp:SmtpProvider",
}
ALIASES = {
    # The class names that configuration files of the Email Router use (email-router-providers reference).
    "Microsoft.Crm.Tools.Email.Providers.Pop3PollingMailboxProvider": "pop3",
    "Microsoft.Crm.Tools.Email.Providers.SmtpPollingSendEmailProvider": "smtp",
}
SDK_API = (1, 0)


@dataclass(frozen=True, slots=True)
class BrokenProvider:
    """A name that is known and cannot be used: kept with the reason, so that one bad package hides no other."""

    name: str
    source: str
    reason: str

    def refuse(self) -> ConfigError:
        return ConfigError(f"provider {self.name!r} ({self.source}) cannot be used: {self.reason}")


def verify(kind: Any, source: str) -> type[Provider]:
    """A class that the runtime can call. Raises ConfigError with everything that is wrong at once."""
    if not isinstance(kind, type):
        raise ConfigError(f"{source} is not a class")
    problems = [f"{name} is missing" for name in ("check", "run", "close") if not callable(getattr(kind, name, None))]
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


@dataclass(slots=True)
class Registry:
    """Names and classes. `find` is the way in; nothing is imported before a name is used."""

    aliases: dict[str, str] = field(default_factory=lambda: dict(ALIASES))
    _known: dict[str, type[Provider] | BrokenProvider] = field(default_factory=dict)
    _lazy: dict[str, list[tuple[str, EntryPoint | str]]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @classmethod
    def default(cls) -> Registry:
        """The built-in providers and what is installed."""
        registry = cls()
        for name, path in BUILTIN.items():
            registry.offer(name, path, "built in")
        registry.discover(entry_points(group=GROUP))
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
        with self._lock:
            self._lazy.setdefault(name, []).append((source, target))

    def discover(self, found: Iterable[EntryPoint]) -> None:
        for point in found:
            distribution = point.dist.name if point.dist is not None else "unknown distribution"
            self.offer(point.name, point, distribution)

    def names(self) -> list[str]:
        """All known names, broken ones too, sorted. Loads nothing."""
        with self._lock:
            return sorted({*self._known, *self._lazy})

    def look(self, name: str) -> type[Provider] | BrokenProvider | None:
        """What stands behind a name, loaded; None when nothing does."""
        with self._lock:
            name = self.aliases.get(name, name)
            if name not in self._known and name in self._lazy:
                self._known[name] = self._loaded(name, self._lazy[name])
            return self._known.get(name)

    def find(self, name: str) -> type[Provider]:
        """The provider of a name, an alias or a class path `package.module:Class`. Raises ConfigError, naming the nearest name."""
        found = self.look(name)
        if isinstance(found, BrokenProvider):
            raise found.refuse()
        if found is not None:
            return found
        if ":" in name:
            loaded = self._load(name, "class path", name)
            if isinstance(loaded, BrokenProvider):
                raise loaded.refuse()
            return loaded
        near = get_close_matches(name, [*self.names(), *self.aliases], n=1)
        raise ConfigError(f"no provider is called {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))

    def _loaded(self, name: str, targets: list[tuple[str, EntryPoint | str]]) -> type[Provider] | BrokenProvider:
        if len(targets) > 1:
            return BrokenProvider(name, ", ".join(source for source, _ in targets), "several packages use this name")
        source, target = targets[0]
        return self._load(name, source, target)

    def _load(self, name: str, source: str, target: EntryPoint | str) -> type[Provider] | BrokenProvider:
        try:
            return verify(target.load() if isinstance(target, EntryPoint) else _imported(target), str(name))
        except ConfigError as error:
            return BrokenProvider(name, source, str(error))
        except Exception as error:  # an import runs foreign code: whatever it raises belongs to that package alone
            return BrokenProvider(name, source, f"{type(error).__name__}: {error}")


def _imported(path: str) -> Any:
    module, _, names = path.partition(":")
    found: Any = importlib.import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    return found
