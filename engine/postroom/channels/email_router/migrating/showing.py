"""The plan as people read it."""

from __future__ import annotations

from collections.abc import Sequence

from postroom.channels.email_router.migrating.values import (
    MigrationPlan,
)

__all__ = ["render"]


def render(plan: MigrationPlan) -> str:
    """The plan as tables of text. No password is in it."""
    lines = [f"Migration of {plan.organization} from the Email Router to server-side synchronization", ""]
    custom = plan.custom
    if custom:
        lines += [f"CUSTOM PROVIDERS THAT WILL NOT RUN ANY MORE: {len(custom)}"]
        lines += [f"  {one.title}: {one.class_name}" + (f" of {one.assembly}" if one.assembly else "") for one in custom]
        lines.append("")
    rows = [(one.title, str(one.direction), str(one.protocol), outcome, todo) for one, outcome, todo in plan.outcomes]
    lines += _table(("Provider", "Direction", "Protocol", "Becomes", "To do"), rows)
    lines += _table(
        ("Profile", "Kind", "Incoming", "Outgoing"),
        [(one.name, str(one.merged), one.incoming, one.outgoing) for one in plan.profiles],
    )
    boxes = [
        (
            one.title,
            one.address,
            one.profile or f"not migrated: {one.why}",
            "" if one.threshold is None else one.threshold.strftime("%Y-%m-%d %H:%M:%S"),
            "; ".join([*([one.todo] if one.todo else []), *one.notes]),
        )
        for one in plan.mailboxes
    ]
    lines += _table(("Mailbox", "Address", "Profile", "Mail since (UTC)", "To do"), boxes)
    lines += [f"- {note}" for note in plan.notes]
    return "\n".join(lines).rstrip() + "\n"


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    if not rows:
        return [f"{heads[0]}: none", ""]
    printable = [tuple("".join(one if one.isprintable() else "?" for one in cell) for cell in row) for row in rows]
    widths = [max(len(row[n]) for row in (heads, *printable)) for n in range(len(heads))]

    def line(row: tuple[str, ...]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()

    return [line(heads), line(tuple("-" * width for width in widths)), *(line(row) for row in printable), ""]
