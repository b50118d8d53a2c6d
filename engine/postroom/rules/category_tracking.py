"""The category "Tracked to Dynamics 365" (server-side-sync reference 4.12, TrackCategorizedItems). Exchange only."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["CATEGORY", "UNDELIVERABLE", "Action", "Upkeep", "action_for", "is_category", "upkeep"]

CATEGORY = "Tracked to Dynamics 365"
UNDELIVERABLE = "Tracked to Dynamics 365 (Undeliverable)"
"""Given to an item after its last try (reference 3.5)."""
_KINDS = frozenset({"email", "appointment", "recurringappointmentmaster", "task"})
"""Not contacts. A series is tracked with all its instances: its master decides."""


class Action(StrEnum):
    TRACK = "track"
    UNTRACK = "untrack"
    """Cut the link; the activity is never deleted."""
    NOTHING = "nothing"


def action_for(entity: str, *, enabled: bool, categorized: bool, tracked: bool, changed: bool) -> Action:
    """What the next cycle does with an item. `changed`: the item was changed since the feature was switched on; it does not back-fill."""
    if not enabled or entity not in _KINDS or categorized == tracked:
        return Action.NOTHING
    if not categorized:
        return Action.UNTRACK
    return Action.TRACK if changed else Action.NOTHING


def is_category(known_id: str, found_id: str, found_name: str) -> bool:
    """By id, so that a renamed one is still recognised; by name as long as no id is known."""
    return found_id == known_id if known_id else found_name.casefold() == CATEGORY.casefold()


class Upkeep(StrEnum):
    """What is done to a mailbox's list of categories."""

    CREATE = "create"
    REMOVE = "remove"
    NOTHING = "nothing"


def upkeep(*, enabled: bool, there: bool) -> Upkeep:
    """A deleted category is made anew; switching the feature off removes it."""
    if enabled == there:
        return Upkeep.NOTHING
    return Upkeep.CREATE if enabled else Upkeep.REMOVE
