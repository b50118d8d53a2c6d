"""A PostgreSQL server of our own for the tests (dependencies reference 3.8)."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path | None:
    """The folder with initdb and pg_ctl, newest version first; Debian keeps them off the PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: -int(folder.parent.name))
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


@contextmanager
def running() -> Iterator[str]:
    """Start a server on a free port, give the address of a new database without tables, stop it at the end."""
    folder = binaries()
    assert folder is not None
    place = Path(tempfile.mkdtemp(prefix="postroom-pg-"))
    who: dict[str, object] = {}
    if os.geteuid() == 0:  # initdb refuses root
        owner = pwd.getpwnam("postgres")
        os.chown(place, owner.pw_uid, owner.pw_gid)
        who = {"user": "postgres", "group": "postgres", "extra_groups": []}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(*command: str) -> None:
        subprocess.run(command, check=True, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, **who)

    data = str(place / "data")
    options = (
        f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={place}"
        " -c fsync=off -c full_page_writes=off -c max_connections=30"
    )
    run(str(folder / "initdb"), "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-D", data)
    try:
        run(str(folder / "pg_ctl"), "-w", "-D", data, "-l", str(place / "log"), "-o", options, "start")
        yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
    finally:
        run(str(folder / "pg_ctl"), "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(place, ignore_errors=True)
