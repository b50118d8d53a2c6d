"""The conformance kit: proves a provider right, or says exactly what is wrong.

class TestRss(ProviderSuite):                       # in an author's test suite: one test for each check
    provider = RssProvider

report = run_kit(subject_for(RssProvider))          # or as a function
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from postroom.testing.conformance.bench import Bench, Instance
    from postroom.testing.conformance.certificate import Verification, certify, verify
    from postroom.testing.conformance.results import Exit, Report, Result, Waiver
    from postroom.testing.conformance.runner import KIT_VERSION, Kit, run_kit
    from postroom.testing.conformance.scenario import read_scenario
    from postroom.testing.conformance.subject import Arrived, ProviderSuite, Subject, subject_for
    from postroom.testing.conformance.table import CHECKS, Check, Level, Need, Owner, Profile, check
    from postroom.testing.conformance.waivers import read_waivers
    from postroom.testing.conformance.world import KitWorld

__all__ = [
    "CHECKS",
    "KIT_VERSION",
    "Arrived",
    "Bench",
    "Check",
    "Exit",
    "Instance",
    "Kit",
    "KitWorld",
    "Level",
    "Need",
    "Owner",
    "Profile",
    "ProviderSuite",
    "Report",
    "Result",
    "Subject",
    "Verification",
    "Waiver",
    "certify",
    "check",
    "read_scenario",
    "read_waivers",
    "run_kit",
    "subject_for",
    "verify",
]

_ROOMS = {
    "bench": ("Bench", "Instance"),
    "certificate": ("Verification", "certify", "verify"),
    "results": ("Exit", "Report", "Result", "Waiver"),
    "runner": ("KIT_VERSION", "Kit", "run_kit"),
    "scenario": ("read_scenario",),
    "subject": ("Arrived", "ProviderSuite", "Subject", "subject_for"),
    "table": ("CHECKS", "Check", "Level", "Need", "Owner", "Profile", "check"),
    "waivers": ("read_waivers",),
    "world": ("KitWorld",),
}
_ROOM = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _ROOM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_ROOM[name]}"), name)
