"""One seeded source of ids and chance for a world: equal seeds, equal runs."""

from __future__ import annotations

import itertools
import random
import uuid
from collections import defaultdict

__all__ = ["Ids"]


class Ids:
    """Numbers, uuids and chance. `random` is the world's only source of chance."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self._counters: defaultdict[str, itertools.count[int]] = defaultdict(lambda: itertools.count(1))

    def number(self, kind: str) -> int:
        """1, 2, 3 ... for each kind of thing."""
        return next(self._counters[kind])

    def uuid(self) -> uuid.UUID:
        """A version-4 uuid from the seeded source."""
        return uuid.UUID(int=self.random.getrandbits(128), version=4)

    def token(self, length: int = 16) -> str:
        """Lower-case hexadecimal, `length` characters."""
        return f"{self.random.getrandbits(4 * length):0{length}x}"
