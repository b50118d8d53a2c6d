"""Who may break a lock that was never given back (server-side-sync reference 3.3). Pure.

Published: `IsMailboxForcedUnlockingEnabled` breaks stale locks, `forcedunlockcount` and `lastmailboxforcedunlockoccurredon` count them; a lock is stale
after 30 minutes [I]. Ours: with the switch off a host still recovers what it locked itself (it was restarted), but nobody else's lock is broken.
"""

from __future__ import annotations

__all__ = ["host_of", "may_break"]


def host_of(holder: str) -> str:
    """The host in a holder's name: `<host>/<whatever tells processes apart>`."""
    return holder.partition("/")[0].casefold()


def may_break(holder: str, previous: str, *, forced_unlocking: bool) -> bool:
    """May `holder` take over the stale lock of `previous`?"""
    return forced_unlocking or host_of(holder) == host_of(previous)
