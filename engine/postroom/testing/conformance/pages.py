"""docs/checks.md, from the table that runs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from postroom.testing.conformance.mutants import load_mutants
from postroom.testing.conformance.reports.texts import EXITS
from postroom.testing.conformance.results import Exit, Result
from postroom.testing.conformance.runner import KIT_VERSION
from postroom.testing.conformance.table import FAMILIES, UNTESTED, Check, Level, Owner, Profile, load

__all__ = ["checks_page"]

RESULTS = {
    Result.PASS: "the rule held",
    Result.FAIL: "it did not: rule, expected, observed, the journal around it, and the command that brings it back",
    Result.ERROR: "the kit or the author's fixture broke; counts as a failure, says nothing about the provider",
    Result.NOT_APPLICABLE: "what the check needs is not there, and a probe agrees; listed with its reason",
    Result.MISDECLARED: "a capability is done and not declared; a failure",
    Result.WAIVED: "it failed, somebody answers for it until a date; it ran all the same",
    Result.UNEXPECTED_PASS: "waived, and it passes: a failure, take the waiver out",
}


def checks_page() -> str:
    """The whole page."""
    table = load()
    mutants = load_mutants()
    lines = [
        "# The checks of the conformance kit",
        "",
        f"Written by `python -m postroom.testing.conformance` from the table that runs, version {KIT_VERSION}: do not edit.",
        f"{len(table)} checks: {', '.join(f'{_count(table.values(), level)} {level.word}' for level in Level)};",
        f"{len(mutants)} deliberately wrong providers and frameworks, each of which must fail its own check.",
        "",
        "```python",
        "class TestRss(ProviderSuite):  # in the author's test suite: one test for each check",
        "    provider = RssProvider",
        "```",
        "",
        "## What a run can say",
        "",
        "| Result | Meaning |",
        "| --- | --- |",
        *(f"| {result} | {text} |" for result, text in RESULTS.items()),
        "",
        "| Exit code | Meaning |",
        "| --- | --- |",
        *(f"| {int(code)} | {EXITS[code]} |" for code in Exit),
        "",
        "After every check the provider is healed, let finish and run once more: it must have nothing to do (LIF-12). Connections and files past the",
        "context, threads and settings left behind are seen during every check, and held against the rule that they break.",
        "",
        "## Profiles",
        "",
        "| Profile | Must | Should | Optional |",
        "| --- | --- | --- | --- |",
    ]
    for profile in Profile:
        mine = [one for one in table.values() if one.profile is profile]
        if mine:
            lines.append(f"| {profile} | " + " | ".join(str(_count(mine, level)) for level in Level) + " |")
    for family, (about, _) in FAMILIES.items():
        rows = [one for one in table.values() if one.family == family]
        if rows:
            lines += [
                "",
                f"## {family}: {about}",
                "",
                "| Id | Rule | Level | Needs | Whose duty | The wrong one |",
                "| --- | --- | --- | --- | --- | --- |",
            ]
            lines += [_row(one) for one in rows]
            lines += [""] + [f"**{one.id} {one.name}.** {' '.join(one.text.split())}\n" for one in rows]
    lines += ["", "## For review, not tested", ""] + [
        f"- {one.id}: {one.rule}. {one.guidance[:1].upper()}{one.guidance[1:]}." for one in UNTESTED
    ]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def _count(checks: Iterable[Check], level: Level) -> int:
    return sum(one.level is level for one in checks)


def _row(one: Check) -> str:
    needs = ", ".join(sorted(need.value for need in one.needs))
    owner = "framework" if one.owner is Owner.FRAMEWORK else ""
    mark = " (watched in every scenario)" if one.standing else ""
    return f"| {one.id} | {_cell(one.rule)}{mark} | {one.level.word} | {needs} | {owner} | {_cell(one.mutant)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
