"""docs/ews-operations.md, from the table of the operations: `python -m postroom_simulator.ews.table > docs/ews-operations.md`."""

from __future__ import annotations

import sys

from postroom_simulator.ews.operations import OPERATIONS, Operation

__all__ = ["page"]

_TIERS = (
    "Without these no client connects",
    "Mail, calendar, contacts, tasks",
    "Expected by at least one common client",
    "Rounding out",
    "Answered with a documented error",
    "In the schema only, not in the service description",
)
_HEAD = """# The operations of Exchange Web Services

What becomes of each operation of the service description (122), and of those that only the schema has. The page is written by
`python -m postroom_simulator.ews.table`; a test holds it and the table together. An operation is known from the version of the schema in its
row on; a request that names an older one gets the fault `ErrorIncorrectSchemaVersion`, an operation that nobody knows the fault
`ErrorInvalidOperation`.
"""


def page() -> str:
    """The whole page."""
    lines = [_HEAD]
    for tier, title in enumerate(_TIERS):
        rows = [one for one in OPERATIONS.values() if one.tier == tier]
        full = sum(1 for one in rows if one.module and not one.missing)
        lines += [f"## {title}", "", f"{len(rows)} operations, {full} done in full.", ""]
        lines += ["| Operation | Since | Here |", "| --- | --- | --- |"]
        lines += [f"| {one.name} | {one.since.named} | {_here(one)} |" for one in rows]
        lines.append("")
    return "\n".join(lines)


def _here(one: Operation) -> str:
    if one.module:
        return f"partial: {one.missing}" if one.missing else "full"
    return f"error `{one.error}`"


if __name__ == "__main__":
    sys.stdout.write(page())
