"""Migrations, run on a connection whose transaction the store holds. Importing this package does not import Alembic; calling does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.engine import Connection

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["upgrade"]


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "postroom.store:migrations")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring a database from whatever revision it has (none: empty) to `revision`, inside the connection's transaction."""
    from alembic import command

    command.upgrade(_config(connection), revision)
