"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "damagedstate",
        sa.Column("rownumber", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("identity", TEXT, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("value", TEXT, nullable=False),
        sa.Column("detail", TEXT, nullable=False),
        sa.Column("foundon", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("rownumber", name=op.f("pk_damagedstate")),
    )
    op.create_index(op.f("ix_damagedstate_identity"), "damagedstate", ["identity"], unique=False)
    op.create_table(
        "lease",
        sa.Column("instance", TEXT, nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("holder", TEXT, nullable=True),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("previous", TEXT, nullable=True),
        sa.Column("mailboxid", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("instance", name=op.f("pk_lease")),
    )
    op.create_index(op.f("ix_lease_mailboxid"), "lease", ["mailboxid"], unique=False)
    op.create_table(
        "routeralert",
        sa.Column("rownumber", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("identity", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("detail", TEXT, nullable=False),
        sa.Column("raisedon", sa.BigInteger(), nullable=False),
        sa.Column("clearedon", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("rownumber", name=op.f("pk_routeralert")),
    )
    op.create_index(op.f("ix_routeralert_identity"), "routeralert", ["identity"], unique=False)
    op.create_table(
        "routerinstance",
        sa.Column("identity", TEXT, nullable=False),
        sa.Column("provider", TEXT, nullable=False),
        sa.Column("direction", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("organization", TEXT, nullable=False),
        sa.Column("mailbox", TEXT, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("firstseenon", sa.BigInteger(), nullable=False),
        sa.Column("startedon", sa.BigInteger(), nullable=True),
        sa.Column("endedon", sa.BigInteger(), nullable=True),
        sa.Column("lasterror", TEXT, nullable=False),
        sa.Column("lasterroron", sa.BigInteger(), nullable=True),
        sa.Column("threshold", sa.BigInteger(), nullable=True),
        sa.Column("heldreason", TEXT, nullable=True),
        sa.Column("heldon", sa.BigInteger(), nullable=True),
        sa.Column("tombstonedon", sa.BigInteger(), nullable=True),
        sa.Column("expireson", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("identity", name=op.f("pk_routerinstance")),
    )
    op.create_table(
        "seenentry",
        sa.Column("instance", TEXT, nullable=False),
        sa.Column("sourcekey", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("touchedon", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("instance", "sourcekey", name=op.f("pk_seenentry")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_seenentry_instance_touchedon"), "seenentry", ["instance", "touchedon"], unique=False)
    op.create_table(
        "statevalue",
        sa.Column("instance", TEXT, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("value", TEXT, nullable=False),
        sa.Column("checksum", TEXT, nullable=False),
        sa.Column("committedon", sa.BigInteger(), nullable=False),
        sa.Column("note", TEXT, nullable=True),
        sa.Column("previousgeneration", sa.BigInteger(), nullable=True),
        sa.Column("previousversion", sa.Integer(), nullable=True),
        sa.Column("previousvalue", TEXT, nullable=True),
        sa.Column("previouschecksum", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("instance", name=op.f("pk_statevalue")),
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup instead")
