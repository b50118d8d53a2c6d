"""Servers in processes of their own, so that client and server do not share an interpreter, and what they serve."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from benchmarks.harness import Missing, program

ADDRESS, PASSWORD = "ann@sim.test", "open-sesame"
DEADLINE = 30.0
"""Seconds within which a server must answer."""


def letter(number: int, size: int) -> bytes:
    """A message of about `size` octets; no two are alike."""
    header = (
        f"From: Bob <bob@far.test>\r\nTo: Ann <{ADDRESS}>\r\nSubject: bench {number}\r\n"
        f"Date: Mon, 01 Jan 2024 10:00:00 +0000\r\nMessage-ID: <{number}.{size}@far.test>\r\n\r\n"
    ).encode()
    line = b"%070d\r\n" % number
    return header + line * max(1, (size - len(header)) // len(line))


@contextmanager
def process(target: Callable[..., None], *arguments: Any) -> Iterator[Any]:
    """Run `target(pipe, *arguments)` in a fresh interpreter. Gives what it first sends; it ends when the pipe does."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    child = context.Process(target=target, args=(theirs, *arguments), daemon=True)
    child.start()
    theirs.close()
    try:
        if not mine.poll(DEADLINE):
            raise RuntimeError(f"{target.__name__} did not start within {DEADLINE:g} s")
        yield mine.recv()
    finally:
        mine.close()
        child.join(DEADLINE)
        if child.is_alive():
            child.kill()
            child.join()


def until_closed(pipe: Pipe) -> None:
    """Wait for the parent's end."""
    try:
        pipe.recv()
    except (EOFError, OSError):
        pass


def world_server(pipe: Pipe, stock: list[tuple[str, int, int]]) -> None:
    """A world on sockets, as `postroom serve` runs one. `stock`: accounts, each with so many messages of such a size.

    Sends the ports by service."""
    import gc

    from postroom_simulator import SystemClock, World

    with World(clock=SystemClock()) as world:
        for address, count, size in stock:
            world.add_account(address, PASSWORD)
            for number in range(count):
                world.place(address, letter(number, size))
        servers = world.listen()
        gc.collect()
        gc.freeze()
        pipe.send({service: port for service, (_, port) in servers.addresses.items()})
        until_closed(pipe)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def connect(port: int) -> socket.socket:
    """A connection that sends at once, tried until the server is up."""
    until = time.monotonic() + DEADLINE
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
            break
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # The kernel's own time-out: with that of Python each call is two, and the client's time is in every figure.
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(DEADLINE), 0))
    return connection


DOVECOT = """\
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
protocols = pop3
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{home}/mail/%u
mail_uid = {user}
mail_gid = {user}
first_valid_uid = 1
first_valid_gid = 1
passdb {{
  driver = passwd-file
  args = scheme=plain {home}/passwd
}}
userdb {{
  driver = static
  args = uid={user} gid={user} home={home}/mail/%u
}}
service pop3-login {{
  service_count = 0
  process_min_avail = 1
  inet_listener pop3 {{
    port = {port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service pop3 {{
  service_count = 100
}}
"""
_USER = "mail"


@contextmanager
def dovecot(stock: list[tuple[str, int, int]]) -> Iterator[int]:
    """An instance of its own with Maildirs in a temporary folder. Gives its POP3 port. Raises Missing."""
    path = program("dovecot")
    if os.geteuid() != 0:
        raise Missing("dovecot needs root to start an instance of its own")
    home = Path(tempfile.mkdtemp(prefix="postroom-dovecot-"))
    home.chmod(0o755)
    port = free_port()
    for address, count, size in stock:
        folder = home / "mail" / address
        for name in ("cur", "new", "tmp"):
            (folder / name).mkdir(parents=True)
        for number in range(count):
            octets = letter(number, size)
            place = folder / "cur" / f"{1_700_000_000 + number}.{number}.bench,S={len(octets)},W={len(octets)}:2,S"
            place.write_bytes(octets)
    (home / "passwd").write_text("".join(f"{address}:{PASSWORD}\n" for address, _, _ in stock))
    (home / "passwd").chmod(0o644)
    subprocess.run(["chown", "-R", f"{_USER}:{_USER}", home / "mail"], check=True)
    (home / "conf").write_text(DOVECOT.format(home=home, user=_USER, port=port))
    with (home / "out").open("wb") as out:
        server = subprocess.Popen([path, "-F", "-c", home / "conf"], stdout=out, stderr=out)
    try:
        connect(port).close()
        yield port
    except OSError as error:
        log = (home / "log").read_text() if (home / "log").exists() else ""
        raise Missing(f"dovecot did not come up: {error}; {(home / 'out').read_text()}{log}") from error
    finally:
        server.terminate()
        server.wait(DEADLINE)
        shutil.rmtree(home, ignore_errors=True)
