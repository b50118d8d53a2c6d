"""The table of checks: one place that the runner, the reports, `--explain` and docs/checks.md read.

@check("INB-01", "each_message_once", Level.MUST, Profile.INBOUND, rule="every seeded message reaches the organization exactly once",
       mutant="sends the last one twice")
def each_message_once(bench: Bench) -> None:
    '''Why it matters, and what to do when it fails: shown by `--explain`.'''
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING

from postroom.providers.contract import Capability

if TYPE_CHECKING:
    from postroom.testing.conformance.bench import Bench

__all__ = [
    "CHECKS",
    "FAMILIES",
    "UNTESTED",
    "Check",
    "Level",
    "Need",
    "Owner",
    "Profile",
    "Untested",
    "check",
    "load",
    "selected",
]


class Level(StrEnum):
    """How binding a rule is. A Must that fails is a provider that does not conform."""

    MUST = "M"
    SHOULD = "S"
    OPTIONAL = "O"

    @property
    def word(self) -> str:
        return {"M": "Must", "S": "Should", "O": "Optional"}[self.value]


class Profile(StrEnum):
    """What a provider claims to be. All Must checks of a claimed profile are mandatory. INFORMATIVE is claimed by nobody and run always."""

    CORE = "core"
    INBOUND = "inbound"
    OUTBOUND = "outbound"
    DURABLE = "durable"
    CONCURRENT = "concurrent"
    SECURE = "secure"
    INFORMATIVE = "informative"


class Owner(StrEnum):
    """Whose duty it is. A framework's duty is run with every provider too (its declarations take part), but what must fail it is a broken
    framework, not a broken provider."""

    PROVIDER = "provider"
    FRAMEWORK = "framework"


class Need(Enum):
    """What a check needs beside capabilities; found out by looking at the provider in a healthy world, not declared.

    NETWORK      a run opens connections through `ctx.net`
    CREDENTIALS  the configuration holds secrets, and the author (or the default for a built-in source) can say wrong ones
    TLS          there is a configuration that asks for TLS (`Subject.secured`)
    REMAINING    it can be seen what is left at the source (`Subject.remaining`)
    INBOUND      and OUTBOUND: the direction
    """

    NETWORK = "network"
    CREDENTIALS = "credentials"
    TLS = "tls"
    REMAINING = "remaining"
    INBOUND = "inbound"
    OUTBOUND = "outbound"


Needs = frozenset["Capability | Need"]


@dataclass(frozen=True, slots=True)
class Check:
    """One rule and the function that tries it.

    id        "INB-01": family and number, never given to another rule
    rule      the sentence that must be true
    needs     capabilities (declared, and verified when not) and facts without which the check says nothing
    mutant    what the deliberately wrong provider (or framework) of this check does
    again     why the provider may have something to do in one more run after this check; "" when it must have nothing
    standing  what other scenarios see against this rule counts too (a connection elsewhere, a thread left over)
    seconds   of real time that the check may take before it counts as hanging
    """

    id: str
    name: str
    level: Level
    profile: Profile
    rule: str
    run: Callable[[Bench], None]
    owner: Owner = Owner.PROVIDER
    needs: Needs = frozenset()
    mutant: str = ""
    again: str = ""
    standing: bool = False
    seconds: float = 20.0

    @property
    def family(self) -> str:
        return self.id.partition("-")[0]

    @property
    def text(self) -> str:
        """The docstring of its function: why, and what to do."""
        return inspect.getdoc(self.run) or ""


@dataclass(frozen=True, slots=True)
class Untested:
    """A rule that no check can try, listed all the same with what a reviewer should look at."""

    id: str
    rule: str
    guidance: str


CHECKS: dict[str, Check] = {}
"""By id. Filled when the modules of `checks` are imported; `load()` does that."""
UNTESTED: tuple[Untested, ...] = (
    Untested(
        "REV-01",
        "a provider creates no thread of its own while it runs, not even one that ends in time",
        "LIF-09 and CON-07 see threads that stay; look for threading, concurrent.futures and asyncio in the source",
    ),
    Untested(
        "REV-02",
        "a provider keeps no mutable attribute on its class or module",
        "CON-01 sees what two instances tell each other; look for lists, sets and dictionaries outside __init__",
    ),
    Untested(
        "REV-03",
        "texts of errors name what the reader can do about it",
        "ERR-07 sees that mailbox and cause are named; read the texts",
    ),
    Untested(
        "REV-04",
        "a provider with a transport of its own (own_transport) bounds every wait by ctx.remaining() and verifies certificates",
        "no connection of it goes through the kit: CON-04, CON-05 and ERR-03 say nothing about it; review, and run it in a process of its own",
    ),
)

FAMILIES = {
    "PKG": ("packaging and discovery", "packaging"),
    "CFG": ("configuration", "configuration"),
    "LIF": ("life cycle", "life"),
    "INB": ("inbound", "inbound"),
    "OUT": ("outbound", "outbound"),
    "STA": ("state", "state"),
    "CON": ("concurrency and abort", "concurrency"),
    "ERR": ("errors", "errors"),
    "SEC": ("security", "security"),
    "LOG": ("logging", "logging"),
    "PRF": ("performance", "performance"),
}
"""Family -> what it is about, and the module of `checks` (and of `mutants`) that holds it."""


def check(
    id: str,  # noqa: A002 - the word of the table
    name: str,
    level: Level,
    profile: Profile,
    *,
    rule: str,
    owner: Owner = Owner.PROVIDER,
    needs: Iterable[Capability | Need] = (),
    mutant: str = "",
    again: str = "",
    standing: bool = False,
    seconds: float = 20.0,
) -> Callable[[Callable[[Bench], None]], Callable[[Bench], None]]:
    """Put a function into the table. See `Check` for the words. Raises ValueError for an id or name that is taken or of no family."""

    def put(function: Callable[[Bench], None]) -> Callable[[Bench], None]:
        made = Check(id, name, level, profile, rule, function, owner, frozenset(needs), mutant, again, standing, seconds)
        if made.family not in FAMILIES:
            raise ValueError(f"{id}: there is no family {made.family!r}")
        taken = CHECKS.get(id)
        if taken is not None and taken.run.__qualname__ != function.__qualname__:
            raise ValueError(f"{id} is taken by {taken.name}")
        if any(other.name == name and other.id != id for other in CHECKS.values()):
            raise ValueError(f"the name {name!r} is taken")
        CHECKS[id] = made
        return function

    return put


def load() -> dict[str, Check]:
    """The whole table, in the order of the families and numbers."""
    for _, module in FAMILIES.values():
        importlib.import_module(f"postroom.testing.conformance.checks.{module}")
    order = list(FAMILIES)
    ordered = sorted(CHECKS.values(), key=lambda one: (order.index(one.family), one.id))
    CHECKS.clear()
    CHECKS.update({one.id: one for one in ordered})
    return CHECKS


def selected(words: Iterable[str]) -> list[Check]:
    """Checks by id, name, family ("INB") or profile ("inbound"), any case. Raises ValueError for a word that names none."""
    table = load()
    found: dict[str, Check] = {}
    for word in words:
        folded = word.strip().lower()
        hits = [one for one in table.values() if folded in (one.id.lower(), one.name, one.family.lower(), one.profile.value)]
        if not hits:
            raise ValueError(f"no check is called {word!r}: ids are like INB-01, families {', '.join(FAMILIES)}")
        found.update({one.id: one for one in hits})
    return [one for one in table.values() if one.id in found]
