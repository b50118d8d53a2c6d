"""Deliberately wrong providers and frameworks: each must fail its own check, for its own reason, and no unrelated one.

    @mutant("LIF-02", "always fails", says="self-test that succeeds")
    class AlwaysFails(Pop3Provider):
        def on_check(self, ctx): raise TransientError("not today")

A mutant that needs other hooks than the default ones of its kind is given as a Subject:

    @mutant("PKG-08", "declares unwrap, ignores it", says="unwrap_forwarded")
    class Boasts(Subject):
        provider = ...

A broken framework is a function that gives one: `@mutant("CFG-04", "raises ValueError", says="...")` over `def broken() -> Framework`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from postroom.testing.conformance.framework import Framework
from postroom.testing.conformance.subject import Subject, subject_for

__all__ = ["MUTANTS", "Mutant", "load_mutants", "mutant"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake.

    check  id of the check that must fail
    what   the mistake, in words
    says   what the failure's text must hold: the right reason
    also   ids (or families) of checks that this mistake may fail as well, because it breaks their rules too
    """

    name: str
    check: str
    what: str
    says: str
    also: frozenset[str]
    broken: Any

    def subject(self) -> Subject:
        """The provider to try: a mutant provider, or for a broken framework the built-in POP3 provider."""
        if isinstance(self.broken, type) and issubclass(self.broken, Subject):
            return self.broken()
        if isinstance(self.broken, type):
            return subject_for(self.broken)
        from postroom.providers.builtin.pop3 import Pop3Provider

        return subject_for(Pop3Provider)

    def framework(self) -> Framework:
        if isinstance(self.broken, type):
            return Framework()
        made = self.broken()
        assert isinstance(made, Framework)
        return made

    def may_fail(self, id: str) -> bool:  # noqa: A002
        if id == "PKG-07":  # of Postroom's own distribution, which names no contact
            return True
        return id == self.check or id in self.also or id.partition("-")[0] in self.also


MUTANTS: dict[str, Mutant] = {}
"""By name. `load_mutants()` fills it."""


def mutant(check: str, what: str, *, says: str, also: Iterable[str] = ()) -> Callable[[T], T]:
    """Put a provider class, a Subject class or a function that gives a Framework into the table."""

    def put(broken: T) -> T:
        name = f"{check} {getattr(broken, '__name__', '?')}"
        if name in MUTANTS and MUTANTS[name].what != what:
            raise ValueError(f"there are two mutants called {name}")
        MUTANTS[name] = Mutant(name, check, what, says, frozenset(also), broken)
        return broken

    return put


def load_mutants() -> dict[str, Mutant]:
    """All of them, in the order of the checks."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    ordered = dict(sorted(MUTANTS.items()))
    MUTANTS.clear()
    MUTANTS.update(ordered)
    return MUTANTS
