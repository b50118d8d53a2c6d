"""The simulator listens on loopback and calls nobody: what is for people elsewhere ends in the outbound drawer."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from safety_peers import ANN, site

import postroom_simulator
from postroom_simulator.errors import WorldError
from postroom_simulator.world import World

SOURCES = sorted(Path(postroom_simulator.__file__).parent.rglob("*.py"))
CALLS_OUT = {
    "connect", "connect_ex", "create_connection", "open_connection", "sock_connect", "sendto", "urlopen", "getaddrinfo", "gethostbyname",
    "create_datagram_endpoint", "create_unix_connection", "Popen", "system",
}  # fmt: skip
CLIENTS = {
    "smtplib",
    "poplib",
    "imaplib",
    "ftplib",
    "http",
    "urllib",
    "requests",
    "httpx",
    "aiohttp",
    "subprocess",
    "dns",
    "exchangelib",
}
HARMLESS = {"urllib.parse"}
"""Of those packages, what calls nobody."""
EXCEPT = {
    "ews/notifications/push.py": ["http.client"],  # push notifications, to loopback and configured hosts only: tested there
    "ews/mount.py": ["requests", "?.connect"],  # the other way round: who calls is answered without a socket, by World.connect
}
"""What has a reason, file by file."""
OWN = {"self", "memory", "world"}
"""`World.connect` and `memory.connect` make connections inside a world."""


def outgoing(tree: ast.AST) -> list[str]:
    """Calls by which a program reaches others, and imports of modules that do."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CALLS_OUT:
            owner = node.func.value.id if isinstance(node.func.value, ast.Name) else "?"
            found += [] if owner in OWN else [f"{owner}.{node.func.attr}"]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name not in HARMLESS]
            found += [name for name in names if name.partition(".")[0] in CLIENTS]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            module = (node.module or "").partition(".")[0]
            found += [node.module or ""] if module in CLIENTS and node.module not in HARMLESS else []
            found += [alias.name for alias in node.names if module in ("socket", "asyncio", "os") and alias.name in CALLS_OUT]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SOURCES[0].parent)))
def test_no_source_calls_out(path):
    allowed = EXCEPT.get(str(path.relative_to(SOURCES[0].parent)), [])
    assert sorted(outgoing(ast.parse(path.read_text()))) == sorted(allowed)


@pytest.mark.parametrize(
    "text",
    [
        "import smtplib",
        "from http.client import X",
        "socket.create_connection(a)",
        "sock.connect(a)",
        "loop.sock_connect(s, a)",
    ],
)
def test_the_look_itself_finds_calls(text):
    assert outgoing(ast.parse(text)) != []


class Watch:
    """Notes every outgoing connection and name look-up of this process, by thread (audit events of `socket`)."""

    def __init__(self):
        self.events = []
        self.on = False

    def __call__(self, event, arguments):
        if self.on and event in (
            "socket.connect",
            "socket.getaddrinfo",
            "socket.gethostbyname",
            "socket.sendto",
            "subprocess.Popen",
        ):
            self.events.append((event, arguments))


WATCH = Watch()
sys.addaudithook(WATCH)


def test_mail_for_people_elsewhere_stays_here():
    """By the guard on the socket: in memory nothing is connected at all, whoever the mail is for and whatever becomes of it."""
    with site(listen=False) as where:
        peer = where.peer("smtp")
        WATCH.events.clear()
        WATCH.on = True
        try:
            for line in (
                b"EHLO c.test\r\n",
                b"MAIL FROM:<ann@sim.test> RET=FULL\r\n",
                b"RCPT TO:<somebody@elsewhere.example> NOTIFY=SUCCESS,FAILURE,DELAY\r\n",
                b"RCPT TO:<x@[192.0.2.1]>\r\n",
                b"RCPT TO:<nobody@sim.test>\r\n",
                b"DATA\r\n",
            ):
                peer.say(line)
            assert peer.say(b"Subject: out\r\n\r\nx\r\n.\r\n").startswith(b"250")
            where.world.tick()
            peer.send(b"QUIT\r\n")
            peer.rest()
        finally:
            WATCH.on = False
        assert WATCH.events == []
        outside = [entry for entry in where.world.journal.deliveries() if "elsewhere" in repr(entry)]
        assert len(outside) == 1
        peer.close()


def test_over_tcp_only_the_client_connects():
    with site() as where:
        WATCH.events.clear()
        WATCH.on = True
        try:
            peer = where.peer("smtp")
            peer.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@elsewhere.example>\r\nDATA\r\n")
            for _ in range(4):
                peer.reply()
            assert peer.say(b"x\r\n.\r\n").startswith(b"250")
            peer.close()
            where.world.settle()
        finally:
            WATCH.on = False
        port = where.servers.port("smtp")
        targets = [arguments[-1][:2] for event, arguments in WATCH.events if event == "socket.connect"]
        assert targets == [("127.0.0.1", port)]
        assert where.world.inbox(ANN) == []


def test_loopback_is_where_it_listens():
    with site() as where:
        assert {host for host, _ in where.servers.addresses.values()} == {"127.0.0.1"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "mail.example", "127.0.0.1.example"])
def test_elsewhere_only_when_it_is_meant(host):
    with World() as world, pytest.raises(WorldError, match="allow_remote"):
        world.listen(host=host)
