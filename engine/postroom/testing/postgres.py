"""A PostgreSQL server of one's own for tests: started from the binaries of this machine in a temporary folder, stopped at the end
(dependencies reference 3.8). As root too: initdb refuses root, so the server then runs as the user postgres.

    with running() as server:
        url = database(server, "one")      # a new database without tables
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa

from postroom.errors import StoreError
from postroom.store.tables import register_all

__all__ = ["binaries", "clear", "database", "drop_tables", "running"]


def binaries() -> Path | None:
    """The folder with initdb and pg_ctl, newest version first; Debian keeps them off the PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: -float(folder.parent.name))
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


@contextmanager
def running() -> Iterator[str]:
    """Start a server on a free port of the loopback, give the address of its first database, stop the server at the end. Nothing it
    holds is meant to last: fsync is off. Raises StoreError when there is no server to start or it does not start."""
    folder = binaries()
    if folder is None:
        raise StoreError("no PostgreSQL server on this machine: initdb and pg_ctl were not found")
    place = Path(tempfile.mkdtemp(prefix="postroom-pg-"))
    who: dict[str, Any] = {}
    if os.name == "posix" and os.geteuid() == 0:
        import pwd

        owner = pwd.getpwnam("postgres")
        os.chown(place, owner.pw_uid, owner.pw_gid)
        who = {"user": "postgres", "group": "postgres", "extra_groups": []}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = str(place / "data")

    def run(*command: str) -> None:
        done = subprocess.run(  # noqa: S603 - our own words
            command, check=False, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60, **who
        )
        if done.returncode:
            raise StoreError(f"{command[0]} failed: {done.stderr.decode(errors='replace').strip()[-500:]}")

    options = (
        f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={place}"
        " -c fsync=off -c full_page_writes=off -c max_connections=60"
    )
    try:
        run(str(folder / "initdb"), "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-D", data)
        run(str(folder / "pg_ctl"), "-w", "-s", "-D", data, "-l", str(place / "log"), "-o", options, "start")
        try:
            yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
        finally:
            run(str(folder / "pg_ctl"), "-s", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def database(server: str, name: str) -> str:
    """The address of a new database on the server."""
    engine = sa.create_engine(server, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    engine.dispose()
    return str(sa.make_url(server).set(database=name).render_as_string(hide_password=False))


def clear(url: str) -> None:
    """Empty every table that is there, and let numbers begin at 1 again: making the tables anew for each test would be slow."""
    emptied = "; ".join(f'DELETE FROM "{name}"' for name in register_all().tables)  # noqa: S608 - our own names
    again = (
        "FOR one IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL "
        "LOOP PERFORM setval(format('public.%I', one), 1, false); END LOOP"
    )
    _alone(url, f"DO $$ DECLARE one name; BEGIN IF to_regclass('mailbox') IS NOT NULL THEN {emptied}; {again}; END IF; END $$")


def drop_tables(url: str) -> None:
    """Make the database as empty as a new one."""
    _alone(url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")


def _alone(url: str, sql: str) -> None:
    """In a transaction on a connection of its own, straight through the driver."""
    import psycopg

    address = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        connection.execute(cast(Any, sql))
