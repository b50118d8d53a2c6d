"""What tests of the wire share: requests as octets, and answers read by a client that is not the server's own framing."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any

import h11
from lxml import etree

from postroom_simulator import World
from postroom_simulator.ews.http import Request

ANN, PASSWORD = "ann@sim.test", "secret"
BASIC = "Basic " + base64.b64encode(f"{ANN}:{PASSWORD}".encode()).decode()
PATH = "/EWS/Exchange.asmx"
SPACES = (
    'xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"'
    ' xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"'
)
NS = {
    "s": "http://schemas.xmlsoap.org/soap/envelope/",
    "m": "http://schemas.microsoft.com/exchange/services/2006/messages",
    "t": "http://schemas.microsoft.com/exchange/services/2006/types",
    "e": "http://schemas.microsoft.com/exchange/services/2006/errors",
}
SHAPE = "<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape>"


def get_folder(*names: str) -> str:
    ids = "".join(f'<t:DistinguishedFolderId Id="{name}"/>' for name in names or ("inbox",))
    return f"<m:GetFolder>{SHAPE}<m:FolderIds>{ids}</m:FolderIds></m:GetFolder>"


def find_item(folder: str = "inbox") -> str:
    return (
        '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>'
        f'<m:ParentFolderIds><t:DistinguishedFolderId Id="{folder}"/></m:ParentFolderIds></m:FindItem>'
    )


def create_item(subject: str = "new") -> str:
    message = f"<t:Message><t:Subject>{subject}</t:Subject></t:Message>"
    return f'<m:CreateItem MessageDisposition="SaveOnly"><m:Items>{message}</m:Items></m:CreateItem>'


def envelope(body: str, header: str = "", version: str = "Exchange2013_SP1") -> bytes:
    head = f'<s:Header><t:RequestServerVersion Version="{version}"/>{header}</s:Header>'
    return f"<s:Envelope {SPACES}>{head}<s:Body>{body}</s:Body></s:Envelope>".encode()


def http(body: bytes = b"", *, method: str = "POST", path: str = PATH, auth: str = BASIC, extra: str = "") -> bytes:
    """A request as it goes over the line."""
    lines = [f"{method} {path} HTTP/1.1", "Host: mail.sim.test"]
    lines += [f"Authorization: {auth}"] if auth else []
    lines += [f"Content-Length: {len(body)}"] if body or method == "POST" else []
    return ("\r\n".join(lines) + f"\r\n{extra}\r\n").encode() + body


def direct(
    world: World, body: bytes | str, *, auth: str = BASIC, method: str = "POST", path: str = PATH, **headers: str
) -> Any:
    """The call without transport."""
    given = {"host": "mail.sim.test", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if auth:
        given["authorization"] = auth
    octets = envelope(body) if isinstance(body, str) else body
    return world.ews.respond(Request(method, path, given, octets))


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def every(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def codes(self) -> list[str]:
        return codes(self.body)


def codes(body: bytes) -> list[str]:
    """Response codes, of messages or of a fault."""
    root = etree.fromstring(body)
    return [one.text or "" for one in root.iter(f"{{{NS['m']}}}ResponseCode", f"{{{NS['e']}}}ResponseCode")]


def values(body: bytes) -> dict[str, str]:
    """Of MessageXml."""
    root = etree.fromstring(body)
    return {one.get("Name", ""): one.text or "" for one in root.iter(f"{{{NS['t']}}}Value")}


class Client:
    """One connection, in memory or over TCP; h11 reads what comes."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self._http = h11.Connection(h11.CLIENT)

    def say(self, octets: bytes) -> None:
        self.sock.sendall(octets)

    def hear(self, method: str = "POST") -> Answer:
        """The next answer. Raises EOFError where none comes."""
        http_ = self._http
        if http_.our_state is h11.IDLE:
            http_.send(h11.Request(method=method, target="/", headers=[("Host", "x"), ("Content-Length", "0")]))
            http_.send(h11.EndOfMessage())
        head, body = None, b""
        while True:
            try:
                event = http_.next_event()
            except h11.RemoteProtocolError as cut:
                raise EOFError(str(cut)) from None
            if event is h11.NEED_DATA:
                http_.receive_data(self.sock.recv(65536))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
            elif isinstance(event, h11.ConnectionClosed):
                raise EOFError
        assert head is not None
        if http_.their_state is h11.DONE and http_.our_state is h11.DONE:
            http_.start_next_cycle()
        named = [(key.decode(), value.decode("latin-1")) for key, value in head.headers.raw_items()]
        return Answer(head.status_code, named, body)

    def ask(self, octets: bytes, method: str = "POST") -> Answer:
        self.say(octets)
        return self.hear(method)

    def ended(self) -> bool:
        """Whether the server has closed, with nothing more said."""
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.sock.close()


def connected(world: World, timeout: float = 30.0) -> Client:
    return Client(world.connect("ews", timeout=timeout))


def make_world(seed: int = 3) -> World:
    world = World(seed=seed)
    world.add_account(ANN, PASSWORD, name="Ann")
    world.add_account("bob@sim.test", "hush", name="Bob", aliases=("robert@sim.test",))
    return world


def count_answers(octets: bytes) -> int:
    return len(re.findall(rb"HTTP/1\.1 \d\d\d ", octets))
