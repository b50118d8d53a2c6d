"""Dates as mailers write them (RFC 5322 §3.3, §4.3), read leniently: aware UTC or None, never an error."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

__all__ = ["format_date", "parse_date"]

_LOOKED_AT: Final = 200
"""Characters; no date is longer."""

_COMMENT: Final = re.compile(r"\([^()]*\)")
_ZONE: Final = r"(?:\s*(?P<zone>[+-]\d{1,2}:?\d{2}(?!\d)|(?:GMT|UTC|UT)?[+-]\d{1,2}(?!\d)|[A-Za-z]{1,5}\b))?"
_TIME: Final = r"(?P<hour>\d{1,2})[:.](?P<minute>\d{1,2})(?:[:.](?P<second>\d{1,2})(?:[.,]\d{1,9})?)?"
_FORMS: Final = (
    # Tue, 21 Nov 2023 10:00:00 +0100; also 21-Nov-23 and 21. November 2023
    re.compile(
        rf"(?<!\d)(?P<day>\d{{1,2}})\.?[\s-]{{1,3}}(?P<month>[^\W\d_]{{3,12}})\.?[\s,-]{{1,3}}(?P<year>\d{{2,5}})[\s,]{{1,3}}{_TIME}{_ZONE}"
    ),
    # asctime: Tue Nov 21 10:00:00 2023, with or without a zone before the year; Nov 21, 2023 10:00
    re.compile(
        rf"(?P<month>[^\W\d_]{{3,12}})\.?\s{{1,3}}(?P<day>\d{{1,2}})\s{{1,3}}{_TIME}{_ZONE}\s{{1,3}}(?P<year>\d{{4,5}})(?!\d)"
    ),
    re.compile(
        rf"(?P<month>[^\W\d_]{{3,12}})\.?\s{{1,3}}(?P<day>\d{{1,2}}),?\s{{1,3}}(?P<year>\d{{4,5}}),?\s{{1,3}}{_TIME}{_ZONE}"
    ),
    # ISO 8601
    re.compile(rf"(?<!\d)(?P<year>\d{{4,5}})-(?P<month>\d{{2}})-(?P<day>\d{{2}})[T\s]{{1,3}}{_TIME}{_ZONE}"),
)

_MONTHS: Final[dict[str, int]] = {
    # English first, then abbreviations that German, French, Spanish, Italian, Portuguese and Dutch mailers have put there.
    **{name: n for n, names in enumerate(
        (
            "jan ene gen janv",
            "feb fev fév fevr févr",
            "mar mär mrz maa mrt mars",
            "apr abr avr",
            "may mai mag mei",
            "jun giu juin jui",
            "jul lug juil",
            "aug ago aoû aou août aout",
            "sep set sept",
            "oct okt out ott",
            "nov",
            "dec dez déc dic des",
        ),
        start=1,
    ) for name in names.split()},
}  # fmt: skip
_ZONES: Final[dict[str, int]] = {  # minutes east
    **dict.fromkeys(["gmt", "ut", "utc", "z", "wet"], 0),
    **dict.fromkeys(["cet", "met", "mez", "bst", "west", "wat"], 60),
    **dict.fromkeys(["cest", "mest", "mesz", "eet", "sast"], 120),
    **dict.fromkeys(["eest", "msk"], 180),
    "ist": 330,
    **dict.fromkeys(["hkt", "sgt", "awst"], 480),
    **dict.fromkeys(["jst", "kst"], 540),
    "aest": 600,
    "aedt": 660,
    "nzst": 720,
    "nzdt": 780,
    "ast": -240,
    **dict.fromkeys(["adt", "brt", "art"], -180),
    **dict.fromkeys(["edt"], -240),
    **dict.fromkeys(["est", "cdt"], -300),
    **dict.fromkeys(["cst", "mdt"], -360),
    **dict.fromkeys(["mst", "pdt"], -420),
    **dict.fromkeys(["pst", "akdt"], -480),
    "akst": -540,
    "hst": -600,
}
_OLDEST_YEAR: Final = 1900
_LARGEST_OFFSET: Final = 16 * 60


def parse_date(text: str) -> datetime | None:
    """The moment, or None. Zone missing, `-0000` or unknown by name: taken as UTC (RFC 5322 §4.3). Second 60 is the minute's last second.
    A year before 1900 or after 9999, an impossible day, an offset of 16 hours or more: None."""
    text = _COMMENT.sub(" ", text[:_LOOKED_AT])
    for form in _FORMS:
        match = form.search(text)
        if match is not None:
            return _moment(match)
    return None


def _moment(match: re.Match[str]) -> datetime | None:
    month = _month(match["month"])
    year = _year(match["year"])
    offset = _offset(match["zone"] or "")
    if month is None or offset is None or year < _OLDEST_YEAR:
        return None
    second = min(int(match["second"] or 0), 59) if int(match["second"] or 0) <= 60 else 99
    try:
        zone = timezone(timedelta(minutes=offset))
        return datetime(
            year, month, int(match["day"]), int(match["hour"]), int(match["minute"]), second, tzinfo=zone
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _month(text: str) -> int | None:
    if text.isdigit():
        return int(text)
    lower = text.casefold()
    return _MONTHS.get(lower) or _MONTHS.get(lower[:4]) or _MONTHS.get(lower[:3])


def _year(digits: str) -> int:
    """Two digits: 1950 to 2049; three: since 1900 (RFC 5322 §4.3)."""
    year = int(digits)
    if len(digits) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(digits) == 3 else year


def _offset(zone: str) -> int | None:
    """Minutes east of UTC; None when it is a number that no place on earth uses."""
    zone = zone.lower()
    number = zone.lstrip("gmtuc")
    if number[:1] not in ("+", "-"):
        return _ZONES.get(zone, 0)
    digits = number[1:].replace(":", "")
    hours, minutes = (int(digits), 0) if len(digits) <= 2 else (int(digits[:-2]), int(digits[-2:]))
    total = hours * 60 + minutes
    if minutes > 59 or total >= _LARGEST_OFFSET:
        return None
    return -total if number[0] == "-" else total


_DAY_NAMES: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTH_NAMES: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def format_date(moment: datetime) -> str:
    """An aware moment as RFC 5322 §3.3 has it, in the moment's own zone (in UTC when that zone has odd seconds). ValueError when naive."""
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError("a moment without a zone")
    if offset % timedelta(minutes=1):
        moment, offset = moment.astimezone(UTC), timedelta()
    minutes = offset // timedelta(minutes=1)
    sign = "-" if minutes < 0 else "+"
    hours, minutes = divmod(abs(minutes), 60)
    return (
        f"{_DAY_NAMES[moment.weekday()]}, {moment.day:02d} {_MONTH_NAMES[moment.month - 1]} {moment.year:04d} "
        f"{moment.hour:02d}:{moment.minute:02d}:{moment.second:02d} {sign}{hours:02d}{minutes:02d}"
    )
