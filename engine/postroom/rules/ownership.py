"""Who owns an email that came in (server-side-sync reference 4.9)."""

from __future__ import annotations

from collections.abc import Sequence

from postroom.model.attributes import Lookup

__all__ = ["choose_owner"]


def choose_owner(
    lists: Sequence[Sequence[Lookup]],
    *,
    correlated: Lookup | None = None,
    sender_record: Lookup | None = None,
    fallback: Lookup | None = None,
) -> Lookup | None:
    """The owner.

    lists          eligible owners among To, Cc, Bcc, in that order; a queue counts as its owner (suggested there)
    correlated     owner of the correlated email
    sender_record  owner of the contact, account or lead that the sender resolves to
    fallback       whom it belongs to when no list has anybody: the owner of the mailbox being synchronized (ours)

    The first list that is not empty decides: the correlated email's owner if on it, else the sender record's, else its first.
    """
    eligible = next((found for found in lists if found), ())
    for wanted in (correlated, sender_record):
        if wanted is not None and wanted in eligible:
            return wanted
    return eligible[0] if eligible else fallback
