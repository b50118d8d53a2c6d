"""A mailbox taken in over POP3: the engine (parsed, judged, stored in a file database) against fetchmail and getmail6.

All three ask the same simulated server in another process, without TLS, leave the mail there and begin with nothing remembered. fetchmail
hands each message to `/bin/cat`, getmail writes a Maildir. The engine commits durably and keeps its default of 100 messages in one
cycle. A unit is one message. With --full there are 10,000 in both mailboxes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness import Bench, Missing, program
from benchmarks.processes import ADDRESS, PASSWORD, process, world_server
from postroom.organization import SYSTEM, DeploymentSettings, Operation
from postroom.testing.scene import Scene
from postroom_simulator import SystemClock, World

SIZE = 2048


FEW = "few@sim.test"
"""Whose mailbox getmail gets without --full: it needs a tenth of a second for a message where the disk is slow."""


def run(bench: Bench) -> None:
    count = 10_000 if bench.full else bench.pick(2_000, 300)
    few = count if bench.full else bench.pick(300, 50)
    with process(world_server, [(ADDRESS, count, SIZE), (FEW, few, SIZE)]) as ports:
        port = ports["pop3"]
        for name, address, number, wanted, rival in (
            ("fetchmail", ADDRESS, count, 2.0, fetchmail),
            ("getmail", FEW, few, 5.0, getmail),
        ):
            try:
                program(name)
            except Missing as missing:
                bench.missing(f"against {name}", missing)
                continue
            bench.compare(
                f"{number:,} messages of {SIZE:,} octets",
                lambda a=address, n=number: engine(port, a, n),  # type: ignore[misc]
                lambda a=address, n=number, r=rival: r(port, a, n),  # type: ignore[misc]
                against=name,
                wanted=wanted,
                repeats=1 if bench.full else 3,
                warm=not bench.full,
            )


class RemoteScene(Scene):
    """A scene whose mail server runs elsewhere."""

    def __init__(self, port: int, url: str, settings: DeploymentSettings) -> None:
        super().__init__(world=World(clock=SystemClock()), transport="tcp", url=url, settings=settings, check=False)
        self.port = port

    def endpoint(self, service: str) -> tuple[str, int]:  # noqa: ARG002 - it is asked for what it has
        return "127.0.0.1", self.port


@contextmanager
def folder() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="postroom-bench-"))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def engine(port: int, address: str, count: int) -> float:
    """A new organization takes the mailbox in. Raises RuntimeError when anything is missing."""
    settings = DeploymentSettings(allow_non_ssl_email=True, allow_basic_authentication_on_non_secure_channel=True)
    with folder() as home, RemoteScene(port, f"sqlite:///{home}/organization.db", settings) as scene:
        scene.profile("mail", default=True, incomingusessl=False, outgoingusessl=False)
        ann = scene.user("Ann", address, approved=True, outgoingemaildeliverymethod=0)
        scene.credentials(ann, PASSWORD)
        scene.filter(ann, 0)
        scene.test_and_enable(ann)
        began = time.perf_counter()
        taken = 0
        while True:
            found = sum(
                report.outcome.processed
                for report in scene.engine.run_due(operations={Operation.INCOMING})
                if report.outcome is not None
            )
            if not found:
                break
            taken += found
        took = time.perf_counter() - began
        stored = len(scene.organization.retrieve_multiple(SYSTEM, "email"))
        if not taken == stored == count:
            raise RuntimeError(f"the engine took in {taken} messages and stored {stored} of {count}")
        return took / count


def fetchmail(port: int, address: str, count: int) -> float:
    with folder() as home:
        settings = home / "rc"
        settings.write_text(
            f"poll 127.0.0.1 protocol pop3 port {port} uidl "
            f'user "{address}" password "{PASSWORD}" sslproto \'\' keep mda /bin/cat\n'
        )
        settings.chmod(0o600)
        command = ["fetchmail", "-f", settings, "--nodetach", "--nosyslog", "--pidfile", home / "pid"]
        return _timed(command, home, count)


def getmail(port: int, address: str, count: int) -> float:
    with folder() as home:
        for name in ("cur", "new", "tmp"):
            (home / "mail" / name).mkdir(parents=True)
        (home / "getmailrc").write_text(
            f"[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\nport = {port}\n"
            f"username = {address}\npassword = {PASSWORD}\n"
            f"[destination]\ntype = Maildir\npath = {home}/mail/\n"
            "[options]\nread_all = true\ndelete = false\nverbose = 0\n"
        )
        user = None
        if os.geteuid() == 0:  # it refuses to deliver as root
            user = "mail"
            subprocess.run(["chown", "-R", user, home], check=True)
        took = _timed(["getmail", "--getmaildir", home, "--rcfile", "getmailrc"], home, count, user)
        delivered = len(list((home / "mail" / "new").iterdir()))
        if delivered != count:
            raise RuntimeError(f"getmail delivered {delivered} of {count}")
        return took


def _timed(command: list[object], home: Path, count: int, user: str | None = None) -> float:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "FETCHMAILHOME": str(home), "LC_ALL": "C"}
    began = time.perf_counter()
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        env=environment,
        cwd=home,
        user=user,
        group=user,
        extra_groups=[] if user else None,
        capture_output=True,
        check=False,
        timeout=900,
    )
    took = time.perf_counter() - began
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    return took / count
