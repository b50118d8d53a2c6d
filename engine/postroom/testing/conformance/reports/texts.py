"""Reports that are plain text: terminal, Markdown, badge, and the explanation of one check."""

from __future__ import annotations

import textwrap
from typing import Any

from postroom.testing.conformance.results import CheckResult, Exit, Report, Result
from postroom.testing.conformance.table import Check, Level, Profile

__all__ = ["badge", "explain", "markdown", "terminal"]

COLOURS = {"conformant": "brightgreen", "conformant-with-waivers": "yellowgreen"}
EXITS = {
    Exit.CONFORMS: "every Must of the claimed profiles holds",
    Exit.FAILED: "it does not conform",
    Exit.BROKEN: "the kit or a fixture broke: this says nothing about the provider",
    Exit.TOO_LITTLE: "nothing ran, or less than the claimed profiles demand",
    Exit.EXPIRED: "a waiver is past its date",
}


def terminal(report: Report, *, verbose: bool = False) -> str:
    """Failures first, in full; then what is waived, what is not applicable with its reason, counts of each profile, the verdict."""
    bad = [one for one in report.results if one.result.bad]
    lines = [one.text() + "\n" for one in sorted(bad, key=_weight)]
    for title, wanted in (("waived", Result.WAIVED), ("not applicable", Result.NOT_APPLICABLE)):
        rows = [one for one in report.results if one.result is wanted]
        lines += [f"{title}:"] if rows else []
        lines += [f"  {one.id} {one.check.name}: {_why(one)}" for one in rows]
    if verbose:
        lines += [f"  {one.id} {one.check.name}: {one.result} ({1000 * one.seconds:.0f} ms)" for one in report.results]
    if report.stray_waivers:
        lines.append("waivers of checks that did not run: " + ", ".join(one.id for one in report.stray_waivers))
    expired = [one for one in report.waivers if one.expired(report.today)]
    lines += [f"expired: {one.id} was waived until {one.expires} ({one.reason})" for one in expired]
    if report.missing and not report.partial:
        lines.append(f"did not run: {', '.join(report.missing)}")
    if lines:
        lines.append("")
    lines += _profile_lines(report)
    figures = [f"{name} {value:g}" for one in report.results for name, value in one.measures.items()]
    lines += [f"figures: {'; '.join(figures)}"] if figures else []
    lines.append(f"untested, for review: {', '.join(one.id for one in report.untested)}")
    part = " (some of the checks)" if report.partial else ""
    lines.append(
        f"{report.named}: {report.verdict}{part}: {EXITS[report.exit]}; seed {report.seed}, "
        f"kit {report.kit}, {len(report.results)} checks in {report.seconds:.1f} s"
    )
    return "\n".join(lines) + "\n"


def _weight(one: CheckResult) -> tuple[int, str]:
    return list(Level).index(one.check.level), one.id


def _why(one: CheckResult) -> str:
    if one.waiver is not None and one.result is Result.WAIVED:
        return f"until {one.waiver.expires}: {one.waiver.reason} (it failed: {one.observed or one.reason})"
    return one.reason


def _profile_lines(report: Report) -> list[str]:
    found = []
    for profile in Profile:
        musts = report.count(Level.MUST, profile)
        rest = report.count(Level.SHOULD, profile) + report.count(Level.OPTIONAL, profile)
        if not musts and not rest:
            continue
        claimed = "" if profile in report.claims else " (not claimed)" if profile is not Profile.INFORMATIVE else ""
        counted = musts.total() - musts[Result.NOT_APPLICABLE]
        other = rest.total() - rest[Result.NOT_APPLICABLE]
        line = f"{profile}{claimed}: {musts[Result.PASS]} of {counted} Must"
        line += f", {rest[Result.PASS]} of {other} others" if other else ""
        line += f", {musts[Result.WAIVED] + rest[Result.WAIVED]} waived" if musts[Result.WAIVED] + rest[Result.WAIVED] else ""
        found.append(line)
    return found


def markdown(report: Report) -> str:
    """For release notes and step summaries: a table a profile, what failed, and the waivers with their dates."""
    lines = [f"# {report.named}: {report.verdict}", ""]
    lines += [f"Kit {report.kit}, seed {report.seed}, {report.today}. Claims: {', '.join(report.claims)}.", ""]
    for profile in Profile:
        rows = [one for one in report.results if one.check.profile is profile]
        if not rows:
            continue
        lines += [f"## {profile}", "", "| Check | Rule | Level | Result |", "| --- | --- | --- | --- |"]
        lines += [f"| {one.id} | {_cell(one.check.rule)} | {one.check.level.word} | {_cell(_short(one))} |" for one in rows]
        lines.append("")
    bad = [one for one in report.results if one.result.bad]
    for one in bad:
        lines += [f"### {one.id} {one.check.name}", "", "```", one.text(), "```", ""]
    if report.waivers:
        lines += ["## Waivers", "", "| Check | Reason | Who | Until |", "| --- | --- | --- | --- |"]
        lines += [f"| {one.id} | {_cell(one.reason)} | {_cell(one.owner)} | {one.expires} |" for one in report.waivers] + [""]
    lines += ["## For review, not tested", ""] + [f"- {one.id}: {one.rule} ({one.guidance})" for one in report.untested]
    return "\n".join(lines) + "\n"


def _short(one: CheckResult) -> str:
    return (
        f"{one.result}: {one.reason}"
        if one.result is Result.NOT_APPLICABLE
        else f"**{one.result}**"
        if one.result.bad
        else one.result.value
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def badge(report: Report) -> dict[str, Any]:
    """For shields.io's endpoint. No percentage: that would hide which Must failed."""
    musts = [one for one in report.mandatory if one.result is not Result.NOT_APPLICABLE]
    passed = sum(one.result is Result.PASS for one in musts)
    waived = sum(one.result is Result.WAIVED for one in musts)
    claims = " + ".join(one for one in Profile if one in report.claims)
    message = f"{claims} {report.kit}: {passed} of {len(musts)} Must, {waived} waived"
    if report.exit is not Exit.CONFORMS or report.partial:
        message = f"{report.verdict}: {passed} of {len(musts)} Must"
    return {
        "schemaVersion": 1,
        "label": "postroom",
        "message": message,
        "color": COLOURS.get(report.verdict, "red"),
        "isError": report.exit is not Exit.CONFORMS,
    }


def explain(check: Check) -> str:
    """What `--explain ID` shows."""
    needs = ", ".join(sorted(one.value for one in check.needs)) or "nothing"
    rows = [
        f"{check.id} {check.name}",
        f"  rule     {check.rule}",
        f"  level    {check.level.word}, profile {check.profile}",
        f"  owner    {check.owner}",
        f"  needs    {needs}",
        f"  mutant   {check.mutant or 'none'}",
    ]
    rows += [f"  again    no extra run: {check.again}"] if check.again else []
    rows += ["  standing every scenario is watched for it"] if check.standing else []
    text = textwrap.fill(" ".join(check.text.split()), 100, initial_indent="  ", subsequent_indent="  ")
    return "\n".join([*rows, "", text]) + "\n"
