"""Failures of single emails, kept in exchangesyncidmapping (server-side-sync reference 1.4, 1.5: EnableSssItemLevelMonitoring).

Published: failed emails are recorded there, shown to the mailbox's owner and to a System Administrator, who sees the subjects of other owners' items
as `***`; they are kept ExchangeSyncIdMappingPersistenceTimeInDays days (`upkeep.ages`). Ours: a row is one email of one mailbox and is renewed by each
failure; it goes when the email is taken in, sent, or requested anew. An incoming message is named by its source key in `exchangeentryid`, an outgoing
email by its id in `objectid`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from postroom.errors import RuleViolated
from postroom.model import ExchangeSyncIdMapping, Lookup, Mailbox
from postroom.model.text import one_line
from postroom.organization.callers import ADMINISTRATOR, Caller
from postroom.organization.policies import settings_in, switches_of
from postroom.store import Transaction

__all__ = ["EMAIL", "MASK", "forget", "note", "shown"]

EMAIL = 4202
"""The object type code of emails."""
MASK = "***"
_SUBJECT = "itemsubject"


def note(
    tx: Transaction,
    mailbox_id: str,
    *,
    subject: str,
    error: str,
    number: int,
    tries: int,
    source_key: str | None = None,
    email_id: str | None = None,
) -> None:
    """One more failure of an incoming message (`source_key`) or an outgoing email (`email_id`). `number`: the trace code of its alert."""
    if not switches_of(settings_in(tx).orgdborgsettings).enablesssitemlevelmonitoring:
        return
    owner = _owner(tx.get(Mailbox, mailbox_id))
    values: dict[str, Any] = {
        "itemsubject": one_line(subject, 2048),
        "lastsyncerror": one_line(error, 2048),
        "lastsyncerrorcode": number,
        "lastsyncerroroccurredon": tx.now(),
        "retries": tries,
    }
    known = _known(tx, mailbox_id, source_key, email_id)
    if known is not None:
        tx.update(ExchangeSyncIdMapping, known, **values)
        return
    key = None if source_key is None else _key(mailbox_id, source_key)
    made = ExchangeSyncIdMapping(ownerid=owner, objectid=email_id, objecttypecode=EMAIL, exchangeentryid=key, **values)
    tx.create(made)


def forget(tx: Transaction, mailbox_id: str, *, source_key: str | None = None, email_id: str | None = None) -> None:
    """It came right."""
    known = _known(tx, mailbox_id, source_key, email_id)
    if known is not None:
        tx.delete(ExchangeSyncIdMapping, known)


def _owner(mailbox: Mailbox) -> Lookup | None:
    """The user whose mailbox it is; of a queue's mailbox its owner."""
    regarding = mailbox.regardingobjectid
    return regarding if regarding is not None and regarding.entity == "systemuser" else mailbox.ownerid


def _key(mailbox_id: str, source_key: str) -> str:
    """A server's key is unique within its mailbox only."""
    return f"{mailbox_id} {source_key}"[:1024]


def _known(tx: Transaction, mailbox_id: str, source_key: str | None, email_id: str | None) -> str | None:
    conditions: dict[str, Any] = {"objectid": email_id, "objecttypecode": EMAIL}
    if source_key is not None:
        owner = _owner(tx.get(Mailbox, mailbox_id))
        conditions = {"ownerid": owner, "exchangeentryid": _key(mailbox_id, source_key), "objecttypecode": EMAIL}
    found = tx.first(ExchangeSyncIdMapping, **conditions)
    return found.exchangesyncidmappingid if found is not None else None


# -- who sees them ------------------------------------------------------------------------------------------------------


def shown(
    tx: Transaction, caller: Caller, conditions: Mapping[str, Any], *, order_by: tuple[str, ...] = (), limit: int | None = None
) -> list[ExchangeSyncIdMapping]:
    """What this caller may see. Raises RuleViolated where rows are chosen or put in order by the subject: what is masked could be guessed so."""
    if _SUBJECT in conditions or any(name.removeprefix("-") == _SUBJECT for name in order_by):
        raise RuleViolated("subjects of other owners' items are masked: nothing is looked for by itemsubject")
    me = Lookup("systemuser", caller.user_id) if caller.user_id is not None else None
    if caller.holds(ADMINISTRATOR):
        found = tx.find(ExchangeSyncIdMapping, order_by=order_by, limit=limit, **conditions)
        return [one if one.ownerid == me is not None else replace(one, itemsubject=MASK) for one in found]
    if me is None or conditions.get("ownerid", me) != me:
        return []
    return list(tx.find(ExchangeSyncIdMapping, order_by=order_by, limit=limit, **{**conditions, "ownerid": me}))
