"""The received-after date (server-side-sync reference 4.2)."""

from __future__ import annotations

from datetime import datetime

__all__ = ["advanced", "deletes_after_processing", "lower_bound"]


def lower_bound(profile_date: datetime | None, mailbox_date: datetime | None) -> datetime | None:
    """The later of profile.processemailsreceivedafter and mailbox.processemailreceivedafter; None: no bound."""
    return max((date for date in (profile_date, mailbox_date) if date is not None), default=None)


def advanced(bound: datetime | None, newest: datetime | None, now: datetime, *, has_received_time: bool) -> datetime | None:
    """The mailbox's date after a batch whose newest message was received at `newest`; never earlier than before, never in the future (ours: a wrong
    clock must not close the mailbox).

    `has_received_time`: the server says when it received a message. POP3 does not: what is taken for it is written by strangers, and a message
    may turn up late with an old date. There the names of what was processed decide, and the date stays the administrator's (ours)."""
    if not has_received_time or newest is None:
        return bound
    newest = min(newest, now)
    return newest if bound is None or newest > bound else bound


def deletes_after_processing(asked: bool | None, owner_entity: str | None, *, forward: bool) -> bool:
    """`processanddeleteemails`, "Delete Emails after Processing" counts for mailboxes of queues and for forward mailboxes only (reference 1.2, 4.1)."""
    return bool(asked) and (forward or owner_entity == "queue")
