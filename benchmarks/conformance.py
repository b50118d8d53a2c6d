"""The conformance kit on the built-in providers: seconds a check, worlds, servers and certificates included; wanted: a coffee sip.

A unit is one check. The whole kit of some 110 checks should take seconds, so that an author runs it as often as his own tests.
"""

from __future__ import annotations

import time

from benchmarks.harness import Bench
from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.providers.builtin.smtp import SmtpProvider
from postroom.testing.conformance import Kit, subject_for, table
from postroom.testing.conformance.table import Profile

TARGET = 10.0
"""Seconds of the whole kit on the POP3 provider."""


def run(bench: Bench) -> None:
    for name, provider in (("pop3", Pop3Provider), ("smtp", SmtpProvider)):
        kit = Kit(subject_for(provider))
        wanted = {*kit.subject.profiles, Profile.INFORMATIVE}
        checks = [one for one in table.load().values() if one.profile in wanted]
        row = bench.measure(
            f"the kit on {name}: {len(checks)} checks",
            lambda kit=kit, checks=checks: _seconds(kit, checks),
            wanted_seconds=TARGET / len(checks),
            repeats=3,
        )
        seconds = row.ours.median * len(checks)
        bench.note(f"{name}: {1 / row.ours.median:.0f} checks a second, {seconds:.1f} s in all (wanted: {TARGET:.0f} s)")
    slow = sorted((kit.run(one) for one in checks), key=lambda one: -one.seconds)[: bench.pick(6, 2)]
    bench.note("slowest on smtp: " + ", ".join(f"{one.id} {1000 * one.seconds:.0f} ms" for one in slow))


def _seconds(kit: Kit, checks: list[table.Check]) -> float:
    """Seconds for one check. Raises RuntimeError when the provider does not conform: then the figure would be of something else."""
    kit.observations.clear()
    began = time.perf_counter()
    results = [kit.run(one) for one in checks]
    took = time.perf_counter() - began
    bad = [one.id for one in results if one.result.bad and one.check.level is table.Level.MUST]
    if bad:
        raise RuntimeError(f"does not conform: {', '.join(bad)}")
    return took / len(checks)
