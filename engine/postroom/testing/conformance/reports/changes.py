"""What changed between two reports: regressions first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Difference", "diff"]

BAD = {"fail", "error", "misdeclared", "unexpected-pass"}


@dataclass(frozen=True, slots=True)
class Difference:
    """Ids with what they were and are. `worse`: a regression is a check that got worse, or that is no longer there."""

    regressions: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    waivers: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()

    @property
    def worse(self) -> bool:
        return bool(self.regressions or self.gone)

    def __bool__(self) -> bool:
        return any((self.regressions, self.fixed, self.changed, self.new, self.gone, self.waivers, self.other))

    def text(self) -> str:
        """For a terminal."""
        groups = (
            ("regressions", self.regressions),
            ("no longer run", self.gone),
            ("fixed", self.fixed),
            ("otherwise changed", self.changed),
            ("new checks", self.new),
            ("waivers", self.waivers),
            ("other", self.other),
            ("figures", self.figures),
        )
        lines = [line for title, rows in groups if rows for line in (f"{title}:", *(f"  {row}" for row in rows))]
        return "\n".join(lines or ["nothing changed"]) + "\n"


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    """Of the data of two reports (`as_data`, or their JSON loaded). Raises ValueError for what is no report."""
    try:
        return _compared(old, new)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"is no report of the kit: {type(error).__name__} {error}") from error


def _compared(old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    before = {one["id"]: one for one in old["checks"]}
    after = {one["id"]: one for one in new["checks"]}
    groups: dict[str, list[str]] = {"regressions": [], "fixed": [], "changed": []}
    for key in after.keys() & before.keys():
        was, now = before[key]["result"], after[key]["result"]
        if was != now:
            kind = "regressions" if now in BAD and was not in BAD else "fixed" if was in BAD and now not in BAD else "changed"
            groups[kind].append(f"{key} {after[key]['name']}: {was} -> {now}")
    waivers = [
        f"{key}: {_told(before_waived.get(key))} -> {_told(after_waived.get(key))}"
        for before_waived, after_waived in [({w["id"]: w for w in old["waivers"]}, {w["id"]: w for w in new["waivers"]})]
        for key in sorted(before_waived.keys() | after_waived.keys())
        if before_waived.get(key) != after_waived.get(key)
    ]
    names = ("kit", "table", "seed", "claims", "provider", "config")
    other = [f"{name}: {_short(old[name])} -> {_short(new[name])}" for name in names if old[name] != new[name]]
    other += [f"verdict: {old['summary']['verdict']} -> {new['summary']['verdict']}"] * (
        old["summary"]["verdict"] != new["summary"]["verdict"]
    )
    return Difference(
        **{kind: tuple(sorted(rows)) for kind, rows in groups.items()},
        new=tuple(f"{key} {after[key]['name']}: {after[key]['result']}" for key in sorted(after.keys() - before.keys())),
        gone=tuple(f"{key} {before[key]['name']}: was {before[key]['result']}" for key in sorted(before.keys() - after.keys())),
        waivers=tuple(waivers),
        other=tuple(other),
        figures=tuple(_figures(before, after)),
    )


def _figures(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [
        f"{key} {name}: {was:g} -> {after[key]['measures'][name]:g}"
        for key in sorted(before.keys() & after.keys())
        for name, was in before[key]["measures"].items()
        if name in after[key]["measures"] and after[key]["measures"][name] != was
    ]


def _told(waiver: Mapping[str, Any] | None) -> str:
    return "none" if waiver is None else f"until {waiver['expires']} ({waiver['reason']})"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
