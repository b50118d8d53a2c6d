"""What pairs records and attributes with Exchange (server-side-sync reference 1.4, 1.9)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from postroom.model.attributes import Lookup, Record, boolean, guid, integer, key, lookup, memo, moment, picklist, string
from postroom.model.options import SyncDirection

__all__ = ["ExchangeSyncIdMapping", "SyncAttributeMapping", "SyncAttributeMappingProfile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSyncIdMapping(Record):
    """One row per (user, record, Exchange item). The owner cannot change. `fromcrmchangetype`, `tocrmchangetype`: see ChangeType;
    `userdecision`: see UserDecision."""

    __entity__: ClassVar[str] = "exchangesyncidmapping"
    __key__: ClassVar[str] = "exchangesyncidmappingid"

    exchangesyncidmappingid: str = key()
    objectid: str | None = guid()  # the record's id; published as no lookup
    objecttypecode: int | None = integer()
    exchangeentryid: str | None = string(1024)
    ownerid: Lookup | None = lookup("systemuser", "team", create_only=True)
    fromcrmchangetype: int | None = integer()
    tocrmchangetype: int | None = integer()
    isdeletedinexchange: bool = boolean()
    isunlinkedincrm: bool = boolean()
    itemsubject: str | None = string(2048)
    lastsyncerror: str | None = string(2048)
    lastsyncerrorcode: int | None = integer()
    lastsyncerroroccurredon: datetime | None = moment()
    retries: int | None = integer()
    userdecision: int | None = integer()
    createdon: datetime | None = moment(read_only=True)
    modifiedon: datetime | None = moment(read_only=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncAttributeMappingProfile(Record):
    """Type code 1400; linked to users and teams. Columns beyond the key are ours."""

    __entity__: ClassVar[str] = "syncattributemappingprofile"
    __key__: ClassVar[str] = "syncattributemappingprofileid"
    __primary__: ClassVar[str] = "name"

    syncattributemappingprofileid: str = key()
    name: str | None = string(200)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncAttributeMapping(Record):
    """Type code 1401: which way one attribute travels. Lengths are ours."""

    __entity__: ClassVar[str] = "syncattributemapping"
    __key__: ClassVar[str] = "syncattributemappingid"
    __primary__: ClassVar[str] = "mappingname"

    syncattributemappingid: str = key()
    syncattributemappingprofileid: Lookup | None = lookup("syncattributemappingprofile")
    mappingname: str | None = string(200)
    entitytypecode: int | None = integer()
    attributecrmname: str | None = string(256)
    attributeexchangename: str | None = string(256)
    syncdirection: SyncDirection | None = picklist(SyncDirection)
    defaultsyncdirection: SyncDirection | None = picklist(SyncDirection)
    allowedsyncdirection: SyncDirection | None = picklist(SyncDirection)
    iscomputed: bool = boolean()
    computedproperties: str | None = memo()
    parentsyncattributemappingid: Lookup | None = lookup("syncattributemapping")
