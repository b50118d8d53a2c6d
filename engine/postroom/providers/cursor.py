"""Where a provider stands at a source that is read by time: a threshold, and the ids that were dealt with around it.

A time alone loses mail: two messages share a second, one arrives late with an old date, a source is not sorted, a clock jumps. A cursor
therefore asks "later than the threshold, or within the look-back window and its id not seen" (provider-kit T7, A9; ours).

    sorted source      for item in source.since(cursor.asks_from):
                           if cursor.is_new(item.when, item.id): deliver(item); cursor = cursor.advance(item.when, item.id)
    unsorted source    signpost = ctx.clock.now(), before the first item
                           if cursor.is_new(item.when, item.id): deliver(item); cursor = cursor.note(item.when, item.id)
                       after the last: cursor = cursor.finish(signpost)
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from postroom.errors import StateError

__all__ = ["Cursor", "Seen"]

_NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True)
class Seen:
    """An item that was dealt with. `mark` is 16 hexadecimal digits of its id's SHA-256: ids may be long, and may be personal."""

    mark: str
    when: datetime


@dataclass(frozen=True)
class Cursor:
    """threshold  everything up to it was dealt with, but for the window; None before anything was
    ids        what was dealt with within the window, or later than the threshold
    look_back  how far before the threshold a late item may still be dated
    floor      nothing dated before it counts as new, whatever the window: where a first run was told to begin

    Values only; every method gives another cursor. Raises StateError where it would move backwards."""

    threshold: datetime | None = None
    ids: tuple[Seen, ...] = ()
    look_back: timedelta = _NO_TIME
    floor: datetime | None = None

    def __post_init__(self) -> None:
        if self.look_back < _NO_TIME:
            raise ValueError("a cursor does not look forward")

    @classmethod
    def start(cls, *, look_back: timedelta = _NO_TIME, at: datetime | None = None) -> Cursor:
        """A first run. `at`: items dated before it are not wanted."""
        moment = None if at is None else _utc(at)
        return cls(moment, (), look_back, moment)

    @property
    def asks_from(self) -> datetime | None:
        """The earliest date that a new item can have: what to ask the source for, inclusive; None: everything."""
        if self.threshold is None:
            return self.floor
        begin = _before(self.threshold, self.look_back)
        return begin if self.floor is None else max(begin, self.floor)

    def is_new(self, when: datetime, item_id: str) -> bool:
        """Was this item not dealt with yet? An item as old as the threshold is told by its id."""
        begin = self.asks_from
        return (begin is None or _utc(when) >= begin) and _mark(item_id) not in {one.mark for one in self.ids}

    def note(self, when: datetime, item_id: str) -> Cursor:
        """Dealt with; the threshold stays. For unsorted sources: an interruption then loses nothing. An item older than the window
        is refused: it would not have been new."""
        moment, mark = _utc(when), _mark(item_id)
        begin = self.asks_from
        if begin is not None and moment < begin:
            raise StateError("a cursor does not go backwards: the item is older than its window; rewind(reason) moves it")
        if any(one.mark == mark for one in self.ids):
            return self
        return replace(self, ids=(*self.ids, Seen(mark, moment)))

    def advance(self, when: datetime, item_id: str, *, signpost: datetime | None = None) -> Cursor:
        """Dealt with, and with it everything before. For sources sorted by date. `signpost`, the time when the run began, keeps an item
        dated in the future from taking the threshold there."""
        return _moved(self.note(when, item_id), _utc(when), signpost)

    def finish(self, signpost: datetime) -> Cursor:
        """The whole source was looked at: the threshold goes to the newest item, but not beyond the signpost taken at the start."""
        newest = max((one.when for one in self.ids if one.when <= _utc(signpost)), default=None)
        return self if newest is None else _moved(self, newest, signpost)

    def rewind(self, to: datetime | None, reason: str) -> Cursor:
        """Back to a moment (None: to the beginning): everything dated later is new again. Commit it with `state.rewind(new, reason)`."""
        if not reason.strip():
            raise StateError("a cursor is not moved back without a reason")
        if to is None:
            return replace(self, threshold=None, ids=(), floor=None)
        moment = _utc(to)
        kept = tuple(one for one in self.ids if one.when < moment)
        floor = None if self.floor is None else min(self.floor, moment)
        return replace(self, threshold=moment, ids=kept, floor=floor)

    def goes_back_from(self, earlier: Cursor) -> bool:
        """Whether what `earlier` had dealt with would be new again."""
        if earlier.threshold is None:
            return False
        if self.threshold is None or self.threshold < earlier.threshold:
            return True
        begin = self.asks_from
        now = {one.mark for one in self.ids}
        return any(one.mark not in now for one in earlier.ids if begin is None or one.when >= begin)

    def in_future(self, now: datetime) -> bool:
        """The threshold is later than the clock: a clock was wrong, or still is. Nothing is new then but what is dated later still."""
        return self.threshold is not None and self.threshold > _utc(now)


def _moved(cursor: Cursor, to: datetime, signpost: datetime | None) -> Cursor:
    target = to if signpost is None else min(to, _utc(signpost))
    if cursor.threshold is not None and target <= cursor.threshold:
        return cursor
    moved = replace(cursor, threshold=target)
    begin = moved.asks_from
    return replace(moved, ids=tuple(one for one in cursor.ids if begin is None or one.when >= begin))


def _mark(item_id: str) -> str:
    return hashlib.sha256(item_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise StateError("a time without a zone says nothing")
    return moment.astimezone(UTC)


def _before(moment: datetime, span: timedelta) -> datetime:
    try:
        return moment - span
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
