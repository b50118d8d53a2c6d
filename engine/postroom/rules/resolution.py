"""From addresses to records (server-side-sync reference 4.8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from postroom.model.attributes import Lookup

__all__ = ["MATCH_LIMIT", "Match", "ResolutionPolicy", "Sender", "resolve_recipient", "resolve_sender"]

MATCH_LIMIT = 100
"""More matches than this leave the sender unresolved."""

_ORDER = ("systemuser", "contact", "account", "lead", "equipment", "team", "businessunit")
_RANK = {entity: rank for rank, entity in enumerate(_ORDER)}


@dataclass(frozen=True, slots=True)
class Match:
    """A record that has the address in one of its email columns.

    active    statecode is Active; for a systemuser: not disabled
    owner     who owns it; None for users, teams and other records without an owner
    place     where it stands among those that have the address, oldest first
    """

    reference: Lookup
    active: bool = True
    owner: Lookup | None = None
    place: int = 0

    @property
    def entity(self) -> str:
        return self.reference.entity


@dataclass(frozen=True, slots=True)
class ResolutionPolicy:
    """The switches of reference 1.5. `ignore_inactive` is ResolveForInactiveEntities (its effect is the opposite of its name)."""

    unresolve_sender_on_multiple: bool = False
    unresolve_recipients_on_multiple: bool = False
    ignore_inactive: bool = False


@dataclass(frozen=True, slots=True)
class Sender:
    """The record a sender resolves to, or None, and why in words."""

    record: Match | None
    reason: str


def resolve_sender(matches: Sequence[Match], policy: ResolutionPolicy, *, mailbox_owner: Lookup | None = None) -> Sender:
    """One record for From, or none.

    Users before contacts, accounts, leads, equipment, teams, business units, then all others; the first active one. Exactly one
    match resolves whatever its state, more than 100 resolve to nothing. Among records of one entity those of the mailbox's owner come
    first, then the oldest (our reading: across entities the published order holds, so that a contact never hides a colleague).
    """
    usable = _usable(matches, policy)
    if not usable:
        return Sender(None, "no record has the address")
    if len(usable) == 1:
        return Sender(usable[0], "the only record with the address")
    if len(usable) > MATCH_LIMIT:
        return Sender(None, f"more than {MATCH_LIMIT} records have the address")
    if policy.unresolve_sender_on_multiple:
        return Sender(None, f"{len(usable)} records have the address")
    active = [match for match in usable if match.active]
    if not active:
        return Sender(None, "several records have the address, none of them active")
    best = min(active, key=lambda match: _preference(match, mailbox_owner))
    return Sender(best, f"the first of {len(usable)} records with the address")


def resolve_recipient(matches: Sequence[Match], policy: ResolutionPolicy) -> tuple[Match, ...]:
    """Every record for To, Cc and Bcc; none when the address stays unresolved."""
    usable = _usable(matches, policy)
    if len(usable) > 1 and policy.unresolve_recipients_on_multiple:
        return ()
    return tuple(sorted(usable, key=lambda match: _preference(match, None)))


def _usable(matches: Sequence[Match], policy: ResolutionPolicy) -> list[Match]:
    """Without disabled users, and without inactive records where the switch says so; each record once."""
    seen: dict[Lookup, Match] = {}
    for match in matches:
        if match.active or not (match.entity == "systemuser" or policy.ignore_inactive):
            seen.setdefault(match.reference, match)
    return list(seen.values())


def _preference(match: Match, mailbox_owner: Lookup | None) -> tuple[int, str, bool, int, str]:
    rank = _RANK.get(match.entity, len(_ORDER))
    other = match.entity if rank == len(_ORDER) else ""
    foreign = mailbox_owner is None or match.owner != mailbox_owner
    return rank, other, foreign, match.place, match.reference.id
