"""What becomes of one item after a failed try (server-side-sync reference 3.5). Pure.

Where mail comes over POP3 the gateway counts the tries and asks here (`organization.gateway`), and the provider remembers what it leaves; what an
Exchange server can do with a message, and appointments, contacts and tasks, wait for such a provider.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ItemEnd", "after_failed_act_item", "after_failed_email"]


class ItemEnd(StrEnum):
    TRY_AGAIN = "try again in the next cycle"
    LEAVE = "leave it where it is, and remember it as failed"
    MARK = "give it the category Tracked to Dynamics 365 (Undeliverable)"
    MOVE = "give it that category and move it to the Undeliverable folder, made when it is not there"


def after_failed_email(tries: int, limit: int, *, exchange: bool, move_undelivered: bool = False) -> ItemEnd:
    """`tries`: this one included; `limit`: five are published; `move_undelivered`: MoveUndeliveredEmails of the profile. A POP3 server has neither
    categories nor that folder: the message is left and its id remembered (suggested)."""
    if tries < limit:
        return ItemEnd.TRY_AGAIN
    if not exchange:
        return ItemEnd.LEAVE
    return ItemEnd.MOVE if move_undelivered else ItemEnd.MARK


def after_failed_act_item(retries: int, limit: int) -> ItemEnd:
    """`retries`: exchangesyncidmapping.retries with this one; `limit`: MaximumSynchronizationAttemptsForACT."""
    return ItemEnd.TRY_AGAIN if retries < limit else ItemEnd.LEAVE
