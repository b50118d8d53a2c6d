"""One engine in a process of its own, driven by lines: {"at": seconds after EPOCH, "stop": step or null} in, what it did out.

The time is what the driver says. At its `stop` it pauses itself (SIGSTOP): "conversation" when it first asks a server for a message, "transaction"
when it has first written an email and not yet committed.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
from datetime import timedelta
from typing import Any

from postroom.channels.server_side_sync import ServerSideSync
from postroom.organization import Deployment, DeploymentSettings
from postroom.providers.connectors import GuardedConnection, SocketConnector
from postroom.providers.contract import Connection
from postroom.runtime.executors import PoolExecutor
from postroom.store.database import observe
from postroom.store.secrets import KeyRing
from postroom_simulator import ManualClock
from postroom_simulator.clock import EPOCH

KEYS = KeyRing([base64.urlsafe_b64encode(b"the key of engines side by side.")])
SETTINGS = DeploymentSettings(allow_non_ssl_email=True, allow_basic_authentication_on_non_secure_channel=True)


class Pause:
    """Stops this process once, where it was told to."""

    def __init__(self) -> None:
        self.where: str | None = None

    def at(self, where: str) -> None:
        if self.where == where:
            self.where = None
            os.kill(os.getpid(), signal.SIGSTOP)

    def statement(self, text: str) -> None:
        if text.startswith("INSERT INTO activityparty"):
            self.at("transaction")


class PausingConnection:
    """A connection that pauses its process before it asks for a message."""

    def __init__(self, inner: GuardedConnection, pause: Pause) -> None:
        self.inner = inner
        self._pause = pause

    def sendall(self, octets: bytes, /) -> None:
        if octets.startswith(b"RETR"):
            self._pause.at("conversation")
        self.inner.sendall(octets)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class PausingConnector:
    def __init__(self, pause: Pause) -> None:
        self._inner = SocketConnector()
        self._pause = pause

    def connect(self, host: str, port: int, *, timeout: float, tls: bool = False) -> Any:
        return PausingConnection(self._inner.connect(host, port, timeout=timeout, tls=tls), self._pause)

    def start_tls(self, connection: Connection, host: str) -> Any:
        raise NotImplementedError


def main(url: str, threads: int) -> None:
    clock = ManualClock()
    pause = Pause()
    with Deployment(clock, settings=SETTINGS, keys=KEYS) as deployment:
        organization = deployment.open_organization("alder", url)
        observe(organization.store._database, pause.statement)
        sync = ServerSideSync(organization, PausingConnector(pause), executor=PoolExecutor(threads))
        print(json.dumps({"ready": os.getpid()}), flush=True)
        for line in sys.stdin:
            job = json.loads(line)
            clock.advance(max(timedelta(), EPOCH + timedelta(seconds=job["at"]) - clock.now()))
            pause.where = job["stop"]
            reports = sync.run_due()
            told = [[one.instance, str(one.ending), type(one.error).__name__ if one.error else ""] for one in reports]
            print(json.dumps({"reports": told}), flush=True)
        sync.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
