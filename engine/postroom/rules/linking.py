"""Which profile and delivery methods a new mailbox gets (server-side-sync reference 2.1)."""

from __future__ import annotations

from dataclasses import dataclass

from postroom.model.attributes import Lookup
from postroom.model.options import IncomingDeliveryMethod, OutgoingDeliveryMethod
from postroom.model.settings import DeliveryMethods

__all__ = ["DefaultProfile", "Linking", "link_profile"]


@dataclass(frozen=True, slots=True)
class DefaultProfile:
    """organization.defaultemailserverprofileid, as far as linking asks."""

    reference: Lookup
    active: bool


@dataclass(frozen=True, slots=True)
class Linking:
    """The profile to link, or None, and why in words."""

    profile: Lookup | None
    reason: str


def link_profile(methods: DeliveryMethods, default: DefaultProfile | None) -> Linking:
    """A mailbox served by server-side synchronization in either direction is linked to the default profile when that exists and
    is active. The predicate is the reference's suggestion: nothing published says it."""
    wanted = (
        methods.incoming is IncomingDeliveryMethod.SERVER_SIDE_SYNC_OR_ROUTER
        or methods.outgoing is OutgoingDeliveryMethod.SERVER_SIDE_SYNC_OR_ROUTER
    )
    if not wanted:
        return Linking(None, "neither direction is served by server-side synchronization")
    if default is None:
        return Linking(None, "the organization has no default profile")
    if not default.active:
        return Linking(None, "the default profile is inactive")
    return Linking(default.reference, "the default profile")
