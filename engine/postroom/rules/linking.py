"""Which profile and delivery methods a new mailbox gets (server-side-sync reference 2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

from postroom.errors import InvalidValue
from postroom.model.attributes import Lookup
from postroom.model.options import ActDeliveryMethod, IncomingDeliveryMethod, OutgoingDeliveryMethod

__all__ = ["DefaultProfile", "DeliveryMethods", "Linking", "default_methods", "link_profile", "parse_default_settings"]

XML_LIMIT = 16_384
"""Characters of organization.defaultemailsettings that are read; ours."""


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


@dataclass(frozen=True, slots=True)
class DeliveryMethods:
    incoming: IncomingDeliveryMethod = IncomingDeliveryMethod.NONE
    outgoing: OutgoingDeliveryMethod = OutgoingDeliveryMethod.NONE
    act: ActDeliveryMethod = ActDeliveryMethod.OUTLOOK


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


def default_methods(entity: str, settings: str | None) -> DeliveryMethods:
    """What `organization.defaultemailsettings` says for a `systemuser` or a `queue`; methods that it does not name are the record's own
    defaults (None, None, Outlook)."""
    return parse_default_settings(settings).get(entity, DeliveryMethods())


def parse_default_settings(settings: str | None) -> dict[str, DeliveryMethods]:
    """Read the XML of `organization.defaultemailsettings`.

    The published metadata says XML and no more. Ours, one element for each kind of owner, numbers as in the option lists:

        <EmailSettings>
          <systemuser incoming="2" outgoing="2" act="1"/>
          <queue incoming="2" outgoing="2"/>
        </EmailSettings>

    Raises InvalidValue. No DTD and no entities: a `<!` is refused.
    """
    if not settings or not settings.strip():
        return {}
    if len(settings) > XML_LIMIT or "<!" in settings:
        raise InvalidValue(f"defaultemailsettings: at most {XML_LIMIT} characters of XML without a DTD")
    try:
        root = ElementTree.fromstring(settings)  # noqa: S314 - no DTD can get here, so no entity can either
        return {
            child.tag: DeliveryMethods(
                IncomingDeliveryMethod(int(child.get("incoming", "0"))),
                OutgoingDeliveryMethod(int(child.get("outgoing", "0"))),
                ActDeliveryMethod(int(child.get("act", "0"))),
            )
            for child in root
        }
    except (ElementTree.ParseError, ValueError) as problem:
        raise InvalidValue(f"defaultemailsettings: {problem}") from None
