"""A person says who an unresolved address is (server-side-sync reference 1.5, 4.8). How the product does it is not published as a message: ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroom.errors import RuleViolated
from postroom.model import ActivityParty, Lookup, address_key
from postroom.organization.callers import WRITE_ACTIVITY, Caller
from postroom.organization.policies import settings_in

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = ["resolve_party"]


def resolve_party(organization: Organization, caller: Caller, party_id: str, to: Lookup) -> int:
    """The party stands for this record from now on; with ResolveSimilarUnresolvedEmailAddress every other unresolved party with the same address
    does too. Returns how many were resolved. Raises RuleViolated for a party that is resolved or has no address, RecordNotFound."""
    caller.require(WRITE_ACTIVITY)
    with organization.store.transaction() as tx:
        tx.fetch(to)
        party = tx.get(ActivityParty, party_id)
        if party.partyid is not None or not party.addressused:
            raise RuleViolated("only an unresolved party with an address can be resolved")
        alike = [party]
        if settings_in(tx).resolvesimilarunresolvedemailaddress:
            key = address_key(party.addressused)
            found = tx.find(ActivityParty, partyid=None)
            alike += [one for one in found if one.activitypartyid != party_id and address_key(one.addressused or "") == key]
        for one in alike:
            tx.update(ActivityParty, one.activitypartyid, partyid=to)
        return len(alike)
