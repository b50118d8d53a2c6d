"""The conformance kit: proves a provider right, or says exactly what is wrong.

class TestRss(ProviderSuite):                       # in an author's test suite: one test for each check
    provider = RssProvider

report = run_kit(subject_for(RssProvider))          # or as a function
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from postroom.testing.conformance.bench import Bench, Instance
    from postroom.testing.conformance.runner import Kit, run_kit
    from postroom.testing.conformance.subject import ProviderSuite, Subject, subject_for
    from postroom.testing.conformance.table import CHECKS, Check, Level, Need, Owner, Profile, check
    from postroom.testing.conformance.world import KitWorld

__all__ = [
    "CHECKS",
    "Bench",
    "Check",
    "Instance",
    "Kit",
    "KitWorld",
    "Level",
    "Need",
    "Owner",
    "Profile",
    "ProviderSuite",
    "Subject",
    "check",
    "run_kit",
    "subject_for",
]

_ROOMS = {
    "bench": ("Bench", "Instance"),
    "runner": ("Kit", "run_kit"),
    "subject": ("ProviderSuite", "Subject", "subject_for"),
    "table": ("CHECKS", "Check", "Level", "Need", "Owner", "Profile", "check"),
    "world": ("KitWorld",),
}
_ROOM = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _ROOM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_ROOM[name]}"), name)
