"""One HTML file: opens offline, dark or light as the reader's system is, filtered by result, with journal and time line of every failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from postroom.testing.conformance.reports.page_parts import SCRIPT, STYLE
from postroom.testing.conformance.results import CheckResult, JournalLine, Report, Result
from postroom.testing.conformance.table import FAMILIES, Level, Profile

__all__ = ["html"]

WIDTH, LANE, LEFT = 900, 22, 90
SIGNS = {
    Result.PASS: "✓",
    Result.FAIL: "✗",
    Result.ERROR: "!",
    Result.NOT_APPLICABLE: "–",
    Result.MISDECLARED: "≠",
    Result.WAIVED: "~",
    Result.UNEXPECTED_PASS: "?",
}


def html(report: Report) -> str:
    """The whole page. Nothing is loaded from elsewhere."""
    title = f"{report.named}: {report.verdict}"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style></head><body>",
            _head(report),
            _filters(report),
            "<main>",
            *(_family(report, family) for family in FAMILIES),
            _rest(report),
            "</main>",
            f"<script>{SCRIPT}</script></body></html>",
            "",
        ]
    )


def _head(report: Report) -> str:
    good = report.exit == 0
    rows = []
    for profile in Profile:
        found = report.count(Level.MUST, profile) + report.count(Level.SHOULD, profile) + report.count(Level.OPTIONAL, profile)
        musts = report.count(Level.MUST, profile)
        if found:
            counted = musts.total() - musts[Result.NOT_APPLICABLE]
            claimed = "claimed" if profile in report.claims else "not claimed"
            rows.append(
                f"<tr><th>{profile}</th><td>{claimed if profile is not Profile.INFORMATIVE else 'always run'}</td>"
                f"<td>{musts[Result.PASS]} of {counted} Must</td><td>{_bar(found)}</td></tr>"
            )
    facts = [
        ("kit", report.kit),
        ("seed", str(report.seed)),
        ("date", report.today.isoformat()),
        ("checks", f"{len(report.results)} in {report.seconds:.1f} s"),
        ("class", str(report.identity.get("class", ""))),
        ("capabilities", ", ".join(report.capabilities) or "none"),
    ]
    told = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts if value)
    return (
        f'<header><p class="verdict {"good" if good else "bad"}">{escape(report.verdict)}</p>'
        f"<h1>{escape(report.provider)} <small>{escape(report.version)}</small></h1>"
        f'<dl class="facts">{told}</dl><table class="profiles">{"".join(rows)}</table></header>'
    )


def _bar(found: Mapping[Result, int]) -> str:
    parts = "".join(
        f'<i class="{result.value}" style="flex:{found[result]}" title="{found[result]} {result.value}"></i>'
        for result in Result
        if found[result]
    )
    return f'<span class="bar">{parts}</span>'


def _filters(report: Report) -> str:
    counts = report.count()
    buttons = [f'<button data-result="" aria-pressed="true">all <b>{len(report.results)}</b></button>']
    buttons += [
        f'<button data-result="{result.value}" class="{result.value}" aria-pressed="false">{SIGNS[result]} {result.value} <b>{counts[result]}</b></button>'
        for result in Result
        if counts[result]
    ]
    search = '<input type="search" placeholder="id, name or rule" aria-label="search">'
    theme = '<button id="theme" title="dark or light" aria-label="dark or light">◐</button>'
    return f"<nav>{''.join(buttons)}{search}{theme}</nav>"


def _family(report: Report, family: str) -> str:
    rows = [one for one in report.results if one.check.family == family]
    if not rows:
        return ""
    return f"<section><h2>{family} <small>{escape(FAMILIES[family][0])}</small></h2>{''.join(map(_check, rows))}</section>"


def _check(one: CheckResult) -> str:
    opened = " open" if one.result.bad else ""
    needle = escape(f"{one.id} {one.check.name} {one.check.rule}".lower(), quote=True)
    parts = [f"<p>{escape(' '.join(one.check.text.split()))}</p>"]
    pairs = [("expected", one.expected), ("observed", one.observed), ("reason", one.reason)]
    if one.waiver is not None:
        pairs.append(("waiver", f"{one.waiver.reason} (until {one.waiver.expires}, {one.waiver.owner or 'nobody named'})"))
    pairs += [("figure", f"{name}: {value:g}") for name, value in one.measures.items()]
    pairs += [("seen", item) for item in one.evidence if isinstance(item, str)]
    shown = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in pairs if text)
    parts += [f'<dl class="told">{shown}</dl>'] if shown else []
    parts += [_time_line(one.journal), _journal(one.journal)] if one.journal else []
    parts += [f"<p>again: <code>{escape(one.reproduce)}</code></p>"] if one.result.bad else []
    return (
        f'<details class="{one.result.value}" data-result="{one.result.value}" data-needle="{needle}"{opened}>'
        f'<summary><span class="sign">{SIGNS[one.result]}</span><code>{one.id}</code> <b>{escape(one.check.rule)}</b>'
        f'<span class="level">{one.check.level.word}</span></summary>{"".join(parts)}</details>'
    )


def _journal(lines: Sequence[JournalLine]) -> str:
    rows = "".join(
        f"<tr{' class=marked' if line.marked else ''}><td>{line.number}</td><td>{line.at:.3f}</td>"
        f"<td>{escape(line.source)}</td><td>{escape(line.text)}</td></tr>"
        for line in lines
    )
    return f'<div class="journal"><table><tr><th>#</th><th>s</th><th>who</th><th>what</th></tr>{rows}</table></div>'


def _time_line(found: Sequence[JournalLine]) -> str:
    """Who did what when: a lane for each source. By the world's clock, or by order where no time passed."""
    lanes = list(dict.fromkeys(line.source for line in found))
    first, span = found[0].at, found[-1].at - found[0].at
    height = LANE * len(lanes) + 18
    parts = [f'<svg class="line" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="time line">']
    for number, lane in enumerate(lanes):
        y = LANE * number + 14
        parts.append(f'<text x="0" y="{y + 4}">{escape(lane[:12])}</text><line x1="{LEFT}" x2="{WIDTH}" y1="{y}" y2="{y}"/>')
    room = WIDTH - LEFT - 12
    for position, line in enumerate(found):
        order = position / max(1, len(found) - 1)
        share = (0.5 * order + 0.5 * (line.at - first) / span) if span > 0 else order
        mark = ' class="marked"' if line.marked else ""
        parts.append(
            f'<circle{mark} cx="{LEFT + 6 + room * share:.1f}" cy="{LANE * lanes.index(line.source) + 14}" r="4">'
            f"<title>{line.at:.3f} s {escape(line.source)}: {escape(line.text[:200])}</title></circle>"
        )
    return "".join([*parts, "</svg>"])


def _rest(report: Report) -> str:
    parts = []
    if report.waivers:
        rows = "".join(
            f"<tr><td><code>{one.id}</code></td><td>{escape(one.reason)}</td><td>{escape(one.owner)}</td><td>{one.expires}</td></tr>"
            for one in report.waivers
        )
        parts.append(f"<h2>Waivers</h2><table><tr><th>check</th><th>reason</th><th>who</th><th>until</th></tr>{rows}</table>")
    rules = "".join(
        f"<li><code>{one.id}</code> {escape(one.rule)}. <i>{escape(one.guidance)}</i></li>" for one in report.untested
    )
    parts.append(f"<h2>For review, not tested</h2><ul>{rules}</ul>")
    if report.missing and not report.partial:
        parts.append(f"<h2>Did not run</h2><p>{escape(', '.join(report.missing))}</p>")
    return f"<section>{''.join(parts)}</section>"
