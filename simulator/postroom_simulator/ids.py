"""One seeded source of ids and chance for a world: equal seeds, equal runs."""

from __future__ import annotations

import itertools
import random
import uuid

__all__ = ["Ids"]


class Ids:
    """Numbers, uuids and chance. `random` is the world's only source of chance."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self._counters: dict[str, itertools.count[int]] = {}

    def number(self, kind: str) -> int:
        """1, 2, 3 ... for each kind of thing, each number once, whatever thread asks."""
        counter = self._counters.get(kind)
        if counter is None:
            counter = self._counters.setdefault(kind, itertools.count(1))  # one step, so that two threads get the same counter
        return next(counter)

    def uuid(self) -> uuid.UUID:
        """A version-4 uuid from the seeded source."""
        return uuid.UUID(int=self.random.getrandbits(128), version=4)

    def token(self, length: int = 16) -> str:
        """Lower-case hexadecimal, `length` characters."""
        return f"{self.random.getrandbits(4 * length):0{length}x}"
