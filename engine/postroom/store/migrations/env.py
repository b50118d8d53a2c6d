"""Alembic's entry: the connection comes from `postroom.store.migrations`, with its transaction open."""

from __future__ import annotations

from alembic import context

from postroom.store.schema import ORGANIZATION

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("migrations run through postroom.store, which opens the database")

plan = context.config.attributes.get("plan", ORGANIZATION)
# SQLite alters tables by copying them; batch mode writes that for both databases
context.configure(
    connection=connection,
    target_metadata=plan.tables(),
    version_table=plan.version_table,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
