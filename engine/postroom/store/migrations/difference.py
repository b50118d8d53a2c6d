"""What a new revision has to do: `python -m postroom.store.migrations.difference` prints the operations that lead from the tables which the
migrations make to those of the metadata; nothing to print, nothing to do (exit code 0). Revisions themselves are written by hand and
never changed once they are published.
"""

from __future__ import annotations

import sys

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext

from postroom.store.migrations import upgrade
from postroom.store.schema import ORGANIZATION, Plan

__all__ = ["render"]

_TEXT = "sa.Text().with_variant(sa.Text(collation='C'), 'postgresql')"


def render(plan: Plan = ORGANIZATION) -> str:
    """The body of `upgrade()` for what is missing; empty when the migrations make exactly the tables of the metadata."""
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        upgrade(connection, plan=plan)
        context = MigrationContext.configure(connection, opts={"compare_type": True, "version_table": plan.version_table})
        script = produce_migrations(context, plan.tables())
    engine.dispose()
    assert script.upgrade_ops is not None
    if script.upgrade_ops.is_empty():
        return ""
    body = render_python_code(script.upgrade_ops, render_as_batch=False)
    return "\n".join(line for line in body.splitlines() if not line.strip().startswith("#")).replace(_TEXT, "TEXT").strip()


if __name__ == "__main__":
    missing = render()
    if missing:
        print(missing)
    sys.exit(bool(missing))
