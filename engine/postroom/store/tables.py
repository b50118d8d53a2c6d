"""The tables, generated from the entity classes, and the store's own.

Each entity has a table named as its logical name, with `rownumber` (order of creation), one column per attribute, and for a lookup a
second column `<name>_entity`. Moments are integer microseconds since 1970 UTC, picklists integers. Text compares by code point on both
databases (collation C on PostgreSQL, BINARY on SQLite), so that both order alike.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from postroom.model import ENTITIES, Attribute, Kind, Record, attributes_of

__all__ = [
    "ENTITY_SUFFIX",
    "TABLES",
    "TEXT",
    "email_search",
    "generic_record",
    "housekeeping",
    "lease",
    "metadata",
    "register_all",
    "row_number",
    "secret",
    "seen_entry",
    "state_value",
]

ENTITY_SUFFIX = "_entity"

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text that compares by code point on both databases."""

_TYPES: Mapping[Kind, TypeEngine[Any]] = MappingProxyType(
    {
        Kind.STRING: TEXT,
        Kind.MEMO: TEXT,
        Kind.BOOLEAN: sa.Boolean(),
        Kind.INTEGER: sa.Integer(),
        Kind.BIG_INTEGER: sa.BigInteger(),
        Kind.PICKLIST: sa.Integer(),
        Kind.LOOKUP: TEXT,
        Kind.MOMENT: sa.BigInteger(),
        Kind.GUID: TEXT,
        Kind.NUMBER: sa.Double(),
    }
)

_INDEXES: Mapping[str, tuple[tuple[str, ...], ...]] = MappingProxyType(
    {
        "mailbox": (
            ("emailaddress",),
            ("regardingobjectid",),
            ("emailserverprofile",),
            ("statecode", "postponemailboxprocessinguntil"),
            ("statecode", "postponesendinguntil"),
        ),
        "mailboxtrackingfolder": (("mailboxid",),),
        "mailboxstatistics": (("mailboxid", "mailboxprocesscompletedon"),),
        "systemuser": (("internalemailaddress",), ("defaultmailbox",)),
        "queue": (("emailaddress",), ("defaultmailbox",)),
        "queueitem": (("queueid",), ("objectid",)),
        "email": (
            ("messageid",),
            ("trackingtoken",),
            ("baseconversationindexhash",),
            ("statecode", "statuscode", "sendermailboxid"),
            ("regardingobjectid",),
        ),
        "activityparty": (("activityid",), ("partyid",)),
        "activitymimeattachment": (("objectid",),),
        "emailhash": (("hash", "hashtype"), ("activityid",)),
        "tracelog": (("regardingobjectid", "traceparameterhash"),),
        "exchangesyncidmapping": (("objectid",), ("ownerid", "exchangeentryid")),
        "syncattributemapping": (("syncattributemappingprofileid",),),
    }
)
"""What look-ups need: correlation by message id, token, conversation; due mailboxes; waiting mail of a mailbox; parties."""

_UNIQUE: Mapping[str, tuple[tuple[str, ...], ...]] = MappingProxyType({"email": (("messageiddupcheck",),)})


def row_number() -> sa.Column[Any]:
    """A hidden column that numbers rows in the order of creation."""
    return sa.Column("rownumber", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True)


def _columns(attribute: Attribute, is_key: bool) -> list[sa.Column[Any]]:
    kind = _TYPES[attribute.kind]
    if attribute.kind is Kind.LOOKUP:
        nullable = not attribute.required
        return [
            sa.Column(attribute.name, kind, nullable=nullable),
            sa.Column(attribute.name + ENTITY_SUFFIX, kind, nullable=nullable),
        ]
    return [sa.Column(attribute.name, kind, nullable=not (attribute.required or is_key), unique=is_key or None)]


def _table(cls: type[Record]) -> sa.Table:
    entity = cls.__entity__
    columns = [one for spec in attributes_of(cls).values() for one in _columns(spec, spec.name == cls.__key__)]
    extra = [sa.Index(None, *names) for names in _INDEXES.get(entity, ())]
    extra += [sa.Index(None, *names, unique=True) for names in _UNIQUE.get(entity, ())]
    return sa.Table(entity, metadata, row_number(), *columns, *extra)


TABLES: Mapping[str, sa.Table] = MappingProxyType({entity: _table(cls) for entity, cls in ENTITIES.items()})
"""Table of each typed entity."""

generic_record = sa.Table(
    "genericrecord",
    metadata,
    row_number(),
    sa.Column("entity", TEXT, nullable=False),
    sa.Column("id", TEXT, nullable=False),
    sa.Column("values", TEXT, nullable=False),  # JSON, see rows.encode_values
    sa.Index(None, "entity", "id", unique=True),
)
"""Records of all entities without a class."""

email_search = sa.Table(
    "emailsearch",
    metadata,
    row_number(),
    sa.Column("addresskey", TEXT, nullable=False),
    sa.Column("entity", TEXT, nullable=False),
    sa.Column("id", TEXT, nullable=False),
    sa.Column("attribute", TEXT, nullable=False),
    sa.Column("active", sa.Boolean(), nullable=False),
    sa.Column("ownerid", TEXT),
    sa.Column("ownerid_entity", TEXT),
    sa.Index(None, "addresskey"),
    sa.Index(None, "id", "entity"),
)
"""Every address of every email-enabled record; `addresskey` as `postroom.model.address_key` gives it."""

lease = sa.Table(
    "lease",
    metadata,
    sa.Column("instance", TEXT, primary_key=True),
    sa.Column("token", sa.BigInteger(), nullable=False),
    sa.Column("holder", TEXT),  # NULL: free
    sa.Column("expires", sa.BigInteger(), nullable=False),
    sa.Column("previous", TEXT),  # who held it when the holder took over; NULL: it was free
    sa.Column("mailboxid", TEXT),
    sa.Index(None, "mailboxid"),
)
"""One row per instance; `token` grows with each acquisition."""

secret = sa.Table(
    "secret",
    metadata,
    sa.Column("recordid", TEXT, primary_key=True),
    sa.Column("attribute", TEXT, primary_key=True),
    sa.Column("value", TEXT, nullable=False),
)
"""Encrypted values."""

seen_entry = sa.Table(
    "seenentry",
    metadata,
    sa.Column("instance", TEXT, primary_key=True),
    sa.Column("sourcekey", TEXT, primary_key=True),
    sa.Column("digest", TEXT, nullable=False),
    sa.Column("touchedon", sa.BigInteger(), nullable=False),
    sa.Index(None, "instance", "touchedon"),
    sqlite_with_rowid=False,
)
"""Keys that an instance has dealt with."""

state_value = sa.Table(
    "statevalue",
    metadata,
    sa.Column("instance", TEXT, primary_key=True),
    sa.Column("generation", sa.BigInteger(), nullable=False),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.Column("value", TEXT, nullable=False),
    sa.Column("checksum", TEXT, nullable=False),
    sa.Column("committedon", sa.BigInteger(), nullable=False),
    sa.Column("note", TEXT),  # why a cursor was moved back
    sa.Column("previousgeneration", sa.BigInteger()),
    sa.Column("previousversion", sa.Integer()),
    sa.Column("previousvalue", TEXT),
    sa.Column("previouschecksum", TEXT),
)
"""The kept state of an instance and the generation before it."""

housekeeping = sa.Table(
    "housekeeping",
    metadata,
    sa.Column("name", TEXT, primary_key=True),
    sa.Column("at", sa.BigInteger(), nullable=False),
    sa.Column("detail", TEXT),
)
"""What is done now and then, and when it was done last: "retention"."""


def register_all() -> sa.MetaData:
    """The metadata with the tables of every module of the store: `store.ledger` declares its own on it."""
    importlib.import_module("postroom.store.ledger")
    return metadata
