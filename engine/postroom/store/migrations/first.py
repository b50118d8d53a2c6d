"""Writes revision 0001 from the metadata: `python -m postroom.store.migrations.first`.

For use until the first release only: afterwards 0001 stays as it is, and every change of the tables is a revision of its own.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext

from postroom.store.tables import register_all

__all__ = ["render"]

_HEAD = '''"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
'''

_TAIL = """

def downgrade() -> None:
    raise NotImplementedError("an empty database needs no migration back")
"""

_TEXT = "sa.Text().with_variant(sa.Text(collation='C'), 'postgresql')"


def render() -> str:
    """The text of `versions/0001_first.py`."""
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        script = produce_migrations(MigrationContext.configure(connection), register_all())
    engine.dispose()
    assert script.upgrade_ops is not None
    body = render_python_code(script.upgrade_ops, render_as_batch=False)
    body = "\n".join(line for line in body.splitlines() if not line.strip().startswith("#")).replace(_TEXT, "TEXT")
    head = _HEAD.replace("\n\ndef upgrade", f"\nTEXT = {_TEXT}\n\n\ndef upgrade".replace("'", '"'))
    return head + "    " + body.strip() + "\n" + _TAIL


if __name__ == "__main__":
    Path(__file__).with_name("versions").joinpath("0001_first.py").write_text(render(), encoding="utf-8")
