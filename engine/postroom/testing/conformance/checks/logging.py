"""LOG: what is told. Events have ids that a monitor can rely on; mail and secrets are in none of them."""

from __future__ import annotations

import logging
import re
from typing import Any

from postroom.testing.conformance.bench import Bench
from postroom.testing.conformance.failures import NotApplicable
from postroom.testing.conformance.network import Trouble
from postroom.testing.conformance.table import Level, Profile, check

__all__: list[str] = []

EVENT = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)+")
BODY = "kit-b0dy-n0t-f0r-l0gs"


def _stirred(bench: Bench, **values: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """Lines of a log from a healthy run, a message that fails and servers that are sick."""
    bench.seed(2, **values)
    instance = bench.instance()
    if bench.inbound:
        from postroom.errors import OrganizationError

        bench.gateway.fail("check_incoming", OrganizationError("refused"))
    instance.try_check()
    instance.try_run()
    for trouble in (Trouble.RESET, Trouble.GARBAGE):
        bench.world.network.fail(trouble)
        instance.try_run()
        bench.world.heal()
        bench.clock.advance(61.0)
    bench.gateway.heal()
    return instance.log.lines


@check(
    "LOG-01",
    "stable_event_ids",
    Level.SHOULD,
    Profile.CORE,
    rule="every event has an id of words and dots, without values in it",
    mutant="logs free text",
)
def stable_event_ids(bench: Bench) -> None:
    """ctx.log("rss.item_left_out", "the item has no date", key=...): the id is for programs, the text for people, the values beside."""
    lines = _stirred(bench)
    if not lines:
        raise NotApplicable("it logged nothing in this scenario")
    wrong = sorted({event for event, _, _ in lines if not isinstance(event, str) or not EVENT.fullmatch(event)})
    bench.expect(not wrong, expected="ids such as rss.item_left_out", observed=f"{wrong[0]!r}" if wrong else "")


@check(
    "LOG-02",
    "levels_respected",
    Level.SHOULD,
    Profile.CORE,
    rule="everything goes through ctx.log, which knows the level: nothing is printed, nothing goes to the logging module",
    mutant="prints",
)
def levels_respected(bench: Bench) -> None:
    """A service at level 0 is silent, and details of messages are shown at level 3 only; print knows nothing of that."""
    kept = _Kept()
    root = logging.getLogger()
    root.addHandler(kept)
    try:
        _stirred(bench)
    finally:
        root.removeHandler(kept)
    printed = bench.printed.getvalue().strip()
    bench.expect(not printed, expected="no output", observed=f"printed {printed.splitlines()[0][:80]!r}" if printed else "")
    bench.expect(
        not kept.names, expected="no record for the logging module", observed=f"records of {', '.join(sorted(kept.names))}"
    )


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.names.add(record.name)


@check(
    "LOG-03",
    "no_bodies_in_logs",
    Level.MUST,
    Profile.CORE,
    rule="no body and no attachment stands in the log, an error or the output",
    mutant="dumps the message",
)
def no_bodies_in_logs(bench: Bench) -> None:
    """A log is read by people who may not read the mail."""
    lines = _stirred(bench, text=f"secret matter {BODY} of the message\n")
    told = [f"{event} {text} {values!r}" for event, text, values in lines] + [bench.printed.getvalue()]
    told += [str(getattr(one.provider, "last_error", "")) for one in bench.instances]
    found = [text for text in told if BODY in text]
    bench.expect(not found, expected="no text of a message in the log", observed=f"{found[0][:60]!r} ..." if found else "")
