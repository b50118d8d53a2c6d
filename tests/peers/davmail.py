"""DavMail: a gateway in Java that speaks IMAP, SMTP, POP3, CalDAV, CardDAV and LDAP to its clients and Exchange Web Services to us.

One gateway serves all tests with it; each has a mailbox of its own. Its clients are those of Python, and curl for LDAP."""

from __future__ import annotations

import base64
import http.client
import itertools
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from foreign import DEADLINE, PASSWORD

from postroom_simulator.net.tcp import Servers
from postroom_simulator.world import World

PROTOCOLS = ("imap", "pop", "smtp", "caldav", "ldap")
PROPERTIES = """
davmail.server=true
davmail.mode=EWS
davmail.url=http://127.0.0.1:{ews}/EWS/Exchange.asmx
davmail.bindAddress=127.0.0.1
davmail.allowRemote=false
davmail.disableUpdateCheck=true
davmail.enableKeepAlive=false
davmail.imapAutoExpunge=true
davmail.smtpSaveInSent=true
davmail.popMarkReadOnRetr=true
davmail.keepDelay=0
davmail.sentKeepDelay=0
davmail.caldavPastDelay=0
davmail.imapPort={imap}
davmail.popPort={pop}
davmail.smtpPort={smtp}
davmail.caldavPort={caldav}
davmail.ldapPort={ldap}
davmail.imapIdleDelay=1
davmail.logFilePath={home}/davmail.log
log4j.logger.davmail=DEBUG
log4j.rootLogger=INFO
"""


@dataclass(slots=True)
class Gateway:
    """DavMail, running in front of a world."""

    world: World
    servers: Servers
    ports: dict[str, int]
    log: Path
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def person(self) -> str:
        """A new mailbox's address."""
        address = f"person{next(self.numbers)}@sim.test"
        self.world.add_account(address, PASSWORD, name=address.partition("@")[0].title())
        return address


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="session")
def gateway(program, tmp_path_factory) -> Iterator[Gateway]:
    path = program("davmail-server")
    home = tmp_path_factory.mktemp("davmail")
    with World() as world:
        servers = world.listen(ports={"ews": 0})
        ports = dict(zip(PROTOCOLS, free_ports(len(PROTOCOLS)), strict=True))
        (home / "davmail.properties").write_text(PROPERTIES.format(ews=servers.port("ews"), home=home, **ports))
        process = subprocess.Popen(
            [path, home / "davmail.properties"], cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            wait_for_ports(process)
            yield Gateway(world, servers, ports, home / "davmail.log")
        finally:
            process.terminate()
            process.communicate(timeout=DEADLINE)


def wait_for_ports(process: subprocess.Popen[str]) -> None:
    """DavMail says which ports it has. Afterwards somebody has to go on reading what it says."""
    late = threading.Timer(DEADLINE * 3, process.kill)
    late.start()
    said = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if "listening on" in line:
            break
    late.cancel()
    assert "listening on" in said[-1], "".join(said)
    threading.Thread(target=lambda out: [None for _ in out], args=(process.stdout,), daemon=True).start()


def dav(gateway: Gateway, user: str, method: str, path: str, body: str = "", **headers: str) -> tuple[int, dict[str, str], str]:
    client = http.client.HTTPConnection("127.0.0.1", gateway.ports["caldav"], timeout=DEADLINE)
    login = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
    try:
        client.request(method, path, body.encode(), {"Authorization": f"Basic {login}", **headers})
        answer = client.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
    finally:
        client.close()
