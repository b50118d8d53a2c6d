"""Email completed: what retention needs (housekeeping, the age of kept octets), and the columns that came with the rest of the email rules.

SQLite adds a column in place when it may be empty: new ones are nullable, or the table is copied (`op.batch_alter_table`).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "housekeeping",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("detail", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_housekeeping")),
    )
    op.add_column("content", sa.Column("storedon", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_content_storedon"), "content", ["storedon"], unique=False)
    op.add_column("incoming_ledger", sa.Column("head", TEXT, nullable=True))
    op.add_column("organization", sa.Column("blockedattachments", TEXT, nullable=True))
    op.add_column("usersettings", sa.Column("createleadonpromote", sa.Boolean(), nullable=True))
    op.add_column("systemuser", sa.Column("queueid", TEXT, nullable=True))
    op.add_column("systemuser", sa.Column("queueid_entity", TEXT, nullable=True))


def downgrade() -> None:
    raise NotImplementedError("restore the backup instead")
