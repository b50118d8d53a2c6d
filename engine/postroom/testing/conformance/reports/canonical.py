"""The report as data: canonical JSON, by a published schema (report.schema.json, beside this module and in docs/)."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from postroom.testing.conformance.results import CheckResult, Report, Result, Waiver
from postroom.testing.conformance.table import Level, Profile

__all__ = ["SCHEMA", "VERSION", "as_data", "load_schema", "to_json"]

VERSION = 1
SCHEMA = Path(__file__).with_name("report.schema.json")


def load_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a report."""
    loaded: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return loaded


def to_json(report: Report) -> str:
    """Two-space indented, names sorted."""
    return json.dumps(as_data(report), sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def as_data(report: Report) -> dict[str, Any]:
    from postroom.testing.conformance.certificate import certify

    profiles = {
        profile.value: {
            "claimed": profile in report.claims,
            **{level.word.lower(): _counts(_tally(report, level, profile)) for level in Level},
        }
        for profile in Profile
        if any(one.check.profile is profile for one in report.results)
    }
    return {
        "schema": VERSION,
        "provider": {
            "name": report.provider,
            "version": report.version,
            "api": report.api,
            "capabilities": list(report.capabilities),
            **{name: value for name, value in report.identity.items() if name != "version"},
        },
        "kit": report.kit,
        "table": report.table,
        "seed": report.seed,
        "date": report.today.isoformat(),
        "claims": [one.value for one in report.claims],
        "partial": report.partial,
        "machine": dict(report.machine),
        "seconds": round(report.seconds, 3),
        "config": dict(report.config),
        "summary": {
            "verdict": report.verdict,
            "exit": int(report.exit),
            "missing": report.missing if not report.partial else [],
            **{level.word.lower(): _counts(_tally(report, level)) for level in Level},
            "profiles": profiles,
        },
        "checks": [_check(one) for one in report.results],
        "waivers": [_waiver(one) for one in report.waivers],
        "untested": [{"id": one.id, "rule": one.rule, "guidance": one.guidance} for one in report.untested],
        "certificate": None if report.partial else certify(report),
    }


def _tally(report: Report, level: Level, profile: Profile | None = None) -> Counter[Result]:
    wanted = [profile] if profile is not None else [*report.claims, Profile.INFORMATIVE]
    return sum((report.count(level, one) for one in wanted), Counter())


def _counts(found: Counter[Result]) -> dict[str, int]:
    return {result.value: found[result] for result in Result if found[result]}


def _waiver(waiver: Waiver) -> dict[str, Any]:
    return {"id": waiver.id, "reason": waiver.reason, "owner": waiver.owner, "expires": waiver.expires.isoformat()}


def _check(one: CheckResult) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.check.name,
        "level": one.check.level.value,
        "profile": one.check.profile.value,
        "owner": one.check.owner.value,
        "rule": one.check.rule,
        "result": one.result.value,
        "reason": one.reason,
        "expected": one.expected,
        "observed": one.observed,
        "evidence": [f"journal#{item}" if isinstance(item, int) else item for item in one.evidence],
        "journal": [
            {"number": line.number, "at": round(line.at, 6), "source": line.source, "text": line.text, "marked": line.marked}
            for line in one.journal
        ],
        "seconds": round(one.seconds, 4),
        "measures": dict(one.measures),
        "waiver": _waiver(one.waiver) if one.waiver is not None else None,
        "reproduce": one.reproduce,
    }
