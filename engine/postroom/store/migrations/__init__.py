"""Migrations, run on a connection whose transaction the store holds. Importing this package does not import Alembic; calling does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.engine import Connection

if TYPE_CHECKING:
    from alembic.config import Config

    from postroom.store.schema import Plan

__all__ = ["upgrade"]


def _config(connection: Connection, plan: Plan) -> Config:
    from alembic.config import Config

    package, _, folder = plan.versions.rpartition(".")
    config = Config()
    config.set_main_option("script_location", "postroom.store:migrations")
    config.set_main_option("version_locations", f"{package}:{folder}")
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    config.attributes["plan"] = plan
    return config


def upgrade(connection: Connection, revision: str = "head", plan: Plan | None = None) -> None:
    """Bring a database (an organization's, or that of the plan) from whatever revision it has (none: empty) to `revision`, inside the
    connection's transaction."""
    from alembic import command

    from postroom.store.schema import ORGANIZATION

    command.upgrade(_config(connection, plan or ORGANIZATION), revision)
