"""The tables of the router's own database: what a run remembers is kept as in an organization's (leases, seen keys, states), and
beside it who the instances are and what is wrong with them.
"""

from __future__ import annotations

import sqlalchemy as sa

from postroom.store import tables as shared
from postroom.store.schema import Plan
from postroom.store.tables import TEXT

__all__ = ["ROUTER", "alert", "damaged", "instance", "metadata"]

metadata = sa.MetaData(naming_convention=shared.metadata.naming_convention)
for _table in (shared.lease, shared.seen_entry, shared.state_value):
    _table.to_metadata(metadata)  # the same names and columns, so that the same statements serve both databases

instance = sa.Table(
    "routerinstance",
    metadata,
    sa.Column("identity", TEXT, primary_key=True),
    sa.Column("provider", TEXT, nullable=False),
    sa.Column("direction", TEXT, nullable=False),
    sa.Column("name", TEXT, nullable=False),
    sa.Column("organization", TEXT, nullable=False),
    sa.Column("mailbox", TEXT, nullable=False),
    sa.Column("generation", sa.BigInteger(), nullable=False),  # of the last commit: a state that is older, or away, was lost
    sa.Column("firstseenon", sa.BigInteger(), nullable=False),
    sa.Column("startedon", sa.BigInteger()),
    sa.Column("endedon", sa.BigInteger()),
    sa.Column("lasterror", TEXT, nullable=False),
    sa.Column("lasterroron", sa.BigInteger()),
    sa.Column("threshold", sa.BigInteger()),  # for providers whose state has none: nothing older is wanted
    sa.Column("heldreason", TEXT),
    sa.Column("heldon", sa.BigInteger()),
    sa.Column("tombstonedon", sa.BigInteger()),
    sa.Column("expireson", sa.BigInteger()),
)
"""One row per identity that ever ran."""

alert = sa.Table(
    "routeralert",
    metadata,
    shared.row_number(),
    sa.Column("identity", TEXT, nullable=False),
    sa.Column("kind", TEXT, nullable=False),
    sa.Column("detail", TEXT, nullable=False),
    sa.Column("raisedon", sa.BigInteger(), nullable=False),
    sa.Column("clearedon", sa.BigInteger()),
    sa.Index(None, "identity"),
)
"""What somebody should know, until it is cleared."""

damaged = sa.Table(
    "damagedstate",
    metadata,
    shared.row_number(),
    sa.Column("identity", TEXT, nullable=False),
    sa.Column("generation", sa.BigInteger(), nullable=False),
    sa.Column("value", TEXT, nullable=False),
    sa.Column("detail", TEXT, nullable=False),
    sa.Column("foundon", sa.BigInteger(), nullable=False),
    sa.Index(None, "identity"),
)
"""States that failed their checksum, set aside for whoever looks into it."""

ROUTER = Plan(
    "the router",
    lambda: metadata,
    "postroom.channels.email_router.migrations.versions",
    "router_version",
    (
        ("mailbox", "is that of an organization"),
        ("email", "is that of an organization"),
        ("lease", "was not made by an Email Router"),
    ),
)
"""The database of an Email Router."""
