"""Words of recurrences and of time zones: months, and which week of a month (MS-OXWSCDATA 2.2.3)."""

from __future__ import annotations

__all__ = ["INDEX", "INDEX_NAMES", "MONTHS"]

INDEX = {"First": 1, "Second": 2, "Third": 3, "Fourth": 4, "Last": -1}
INDEX_NAMES = {number: name for name, number in INDEX.items()}
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
