"""The journal around a failure, and no secret in it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import replace

from postroom.testing.conformance.bench import Bench
from postroom.testing.conformance.results import CheckResult, JournalLine
from postroom.testing.conformance.world import PASSWORD, WRONG_PASSWORD

__all__ = ["excerpt", "forms", "hidden"]

AROUND = 6
LAST = 24
MOST = 60
SECRET = "[secret]"  # noqa: S105


def forms(values: Iterable[str]) -> list[str]:
    """A secret as it may stand in a text: plain, base64 (alone, and at the end of what AUTH PLAIN sends)."""
    found = []
    for value in values:
        if value:
            octets = value.encode()
            found += [
                value,
                *(base64.b64encode(b"x" * pad + octets)[4 if pad else 0 :].decode().rstrip("=")[:-2] for pad in range(3)),
            ]
    return [one for one in found if len(one) >= 6]


def secrets_of(bench: Bench) -> list[str]:
    """Everything that a configuration of this bench keeps secret."""
    from postroom.providers.configuration import declaration

    found = {PASSWORD, WRONG_PASSWORD}
    for instance in bench.instances:
        for declared in declaration(type(instance.config)):
            if declared.secret:
                found.update(declared.texts(getattr(instance.config, declared.attribute)))
    return sorted(found)


def excerpt(bench: Bench, evidence: Sequence[int | str] = ()) -> tuple[JournalLine, ...]:
    """Lines around the marked entries, or the last ones."""
    entries = bench.world.journal
    marked = {one for one in evidence if isinstance(one, int)}
    if marked:
        near = {number for one in marked for number in range(one - AROUND, one + AROUND + 1)}
        chosen = [entry for entry in entries if entry.number in near][:MOST]
    else:
        chosen = entries[-LAST:]
    if not entries:
        return ()
    start = entries[0].at
    return tuple(
        JournalLine(
            entry.number,
            (entry.at - start).total_seconds(),
            entry.connection or entry.protocol or "world",
            entry.line().removeprefix(f"{entry.connection} ").removeprefix("note "),
            entry.number in marked,
        )
        for entry in chosen
    )


def hidden(result: CheckResult, bench: Bench) -> CheckResult:
    """The result with every secret taken out of its texts."""
    words = forms(secrets_of(bench))

    def clean(text: str) -> str:
        for word in words:
            text = text.replace(word, SECRET)
        return text

    return replace(
        result,
        reason=clean(result.reason),
        expected=clean(result.expected),
        observed=clean(result.observed),
        evidence=tuple(clean(one) if isinstance(one, str) else one for one in result.evidence),
        journal=tuple(replace(line, text=clean(line.text)) for line in result.journal),
    )
