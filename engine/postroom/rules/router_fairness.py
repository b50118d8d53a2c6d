"""Nobody takes it all: shares of the threads, and whose turn it is among the senders of one provider. Pure.

Published: users and queues take turns, `BatchSize` at a time with `RequestBatchSize` emails each, which starves nobody but makes many wait for few
(email-router-providers reference 6). Ours: the shares.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

__all__ = ["share", "turns"]


def share(threads: int, parties: int) -> int:
    """How many threads one of several organizations, or one of several servers, may have at once: half of them, so that one that is slow cannot
    take them all; all where nobody else wants any."""
    return threads if parties < 2 else max(1, threads // 2)


def turns(waiting: Sequence[str], last: str, count: int) -> list[str]:
    """The next `count` of those with something to send, in a fixed order that goes on after whoever had the last turn."""
    ordered = sorted(waiting)
    start = bisect_right(ordered, last)
    return (ordered[start:] + ordered[:start])[: max(0, count)]
