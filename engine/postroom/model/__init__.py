"""The entities, with attribute names, types, option values and defaults as published (server-side-sync reference 1)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from postroom.errors import UnknownEntity
from postroom.model.activity import ActivityMimeAttachment, ActivityParty, Email, EmailHash
from postroom.model.addresses import DEFAULT_EMAIL_COLUMNS, EmailColumns, address_key
from postroom.model.alerts import TraceLog
from postroom.model.attributes import Attribute, Kind, Lookup, Record, attributes_of
from postroom.model.exchange import ExchangeSyncIdMapping, SyncAttributeMapping, SyncAttributeMappingProfile
from postroom.model.generic import GenericRecord
from postroom.model.mailbox import Mailbox, MailboxStatistics, MailboxTrackingFolder
from postroom.model.options import *  # noqa: F403
from postroom.model.options import __all__ as _options
from postroom.model.organization_row import HASH_FILTER_KEYWORDS, Organization
from postroom.model.people import Queue, QueueItem, SystemUser, UserSettings
from postroom.model.profile import EmailServerProfile
from postroom.model.verdict import ReasonCode, Verdict

ENTITIES: Mapping[str, type[Record]] = MappingProxyType(
    {
        cls.__entity__: cls
        for cls in (
            Organization,
            EmailServerProfile,
            Mailbox,
            MailboxTrackingFolder,
            MailboxStatistics,
            SystemUser,
            UserSettings,
            Queue,
            QueueItem,
            Email,
            ActivityParty,
            ActivityMimeAttachment,
            EmailHash,
            TraceLog,
            ExchangeSyncIdMapping,
            SyncAttributeMapping,
            SyncAttributeMappingProfile,
        )
    }
)
"""Every typed entity by its logical name."""


def entity_class(entity: str) -> type[Record]:
    """The class of a typed entity. Raises UnknownEntity."""
    try:
        return ENTITIES[entity]
    except KeyError:
        raise UnknownEntity(f"no typed entity {entity!r}") from None


__all__ = [  # noqa: PLE0604
    "DEFAULT_EMAIL_COLUMNS",
    "ENTITIES",
    "HASH_FILTER_KEYWORDS",
    "ActivityMimeAttachment",
    "ActivityParty",
    "Attribute",
    "Email",
    "EmailColumns",
    "EmailHash",
    "EmailServerProfile",
    "ExchangeSyncIdMapping",
    "GenericRecord",
    "Kind",
    "Lookup",
    "Mailbox",
    "MailboxStatistics",
    "MailboxTrackingFolder",
    "Organization",
    "Queue",
    "QueueItem",
    "ReasonCode",
    "Record",
    "SyncAttributeMapping",
    "SyncAttributeMappingProfile",
    "SystemUser",
    "TraceLog",
    "UserSettings",
    "Verdict",
    "address_key",
    "attributes_of",
    "entity_class",
    *_options,
]
