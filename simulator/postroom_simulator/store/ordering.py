"""A folder's items in order of receipt, kept from the moment on at which somebody asks for it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from datetime import datetime

from postroom_simulator.store.interface import Item

__all__ = ["Ordering"]

Key = tuple[datetime, int]
"""Time of receipt and uid."""


class Ordering:
    """Keys of items in ascending order. Putting and dropping cost a search and a move of memory."""

    __slots__ = ("_keys",)

    def __init__(self, items: Iterable[Item]) -> None:
        self._keys: list[Key] = sorted((item.received, item.uid) for item in items)

    def put(self, item: Item) -> None:
        insort(self._keys, (item.received, item.uid))

    def drop(self, item: Item) -> None:
        """The item as it was when it was put."""
        place = bisect_left(self._keys, (item.received, item.uid))
        if place < len(self._keys) and self._keys[place][1] == item.uid:
            del self._keys[place]

    def newest(self, offset: int, limit: int) -> list[int]:
        """uids from an offset on, received last first."""
        end = len(self._keys) - offset
        return [uid for _, uid in reversed(self._keys[max(0, end - limit) : max(0, end)])]

    def before(self, key: Key | None) -> Iterator[Key]:
        """Keys received before one (None: all), last first."""
        place = len(self._keys) if key is None else bisect_right(self._keys, key)
        for index in range(place - 1, -1, -1):
            if self._keys[index] != key:
                yield self._keys[index]
