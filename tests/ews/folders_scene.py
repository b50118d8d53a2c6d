"""A world with Ann and Bob, and questions to its Exchange: XML in, values of the schema out."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from lxml import etree

from postroom_simulator import World
from postroom_simulator.clock import ManualClock
from postroom_simulator.ews.codec import NAMESPACES, read
from postroom_simulator.ews.http import Request, Response
from postroom_simulator.ews.versions import Version

ANN, BOB = "ann@sim.test", "bob@sim.test"
SPACES = (
    'xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns="http://schemas.microsoft.com/exchange/services/2006/messages"'
    ' xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"'
    ' xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"'
)
Value = dict[str, Any]


@dataclass
class Asker:
    """Asks as somebody, in a version."""

    world: World
    user: str = ANN
    version: str = "Exchange2016"
    headers: dict[str, str] = field(default_factory=dict)

    def respond(self, operation: str, *, user: str = "", version: str = "", header: str = "") -> Response:
        credentials = base64.b64encode(f"{user or self.user}:pw".encode()).decode("ascii")
        headers = {"authorization": f"Basic {credentials}", "host": self.world.hostname} | self.headers
        text = (
            f'<s:Envelope {SPACES}><s:Header><t:RequestServerVersion Version="{version or self.version}"/>{header}</s:Header>'
            f"<s:Body>{operation}</s:Body></s:Envelope>"
        )
        return self.world.ews.respond(Request("POST", "/EWS/Exchange.asmx", headers, text.encode()))

    def ask(self, operation: str, **how: str) -> Value:
        """The response element's value; of a fault `{"fault": code}`."""
        return answer_in(self.respond(operation, **how).body)

    def messages(self, operation: str, **how: str) -> list[Value]:
        answer = self.ask(operation, **how)
        assert "fault" not in answer, answer
        return [value for _, value in answer["ResponseMessages"]]

    def one(self, operation: str, **how: str) -> Value:
        """The only message, a success."""
        (message,) = self.messages(operation, **how)
        assert message["ResponseCode"] == "NoError", message
        return message

    def code(self, operation: str, **how: str) -> str:
        """Of the first message, or of the fault."""
        answer = self.ask(operation, **how)
        if "fault" in answer:
            return str(answer["fault"])
        if "ResponseCode" in answer:
            return str(answer["ResponseCode"])
        return str(answer["ResponseMessages"][0][1]["ResponseCode"])

    # -- folders

    def folder(self, reference: str, shape: str = "AllProperties", extra: str = "", **how: str) -> tuple[str, Value]:
        """Element and value of one folder; `reference` as `named` and `by_id` write it."""
        shown = f"<FolderShape><t:BaseShape>{shape}</t:BaseShape>{additional(extra)}</FolderShape>"
        message = self.one(f"<GetFolder>{shown}<FolderIds>{reference}</FolderIds></GetFolder>", **how)
        (found,) = message["Folders"]
        return found[0], found[1]

    def make(self, name: str, parent: str = "", element: str = "Folder", inside: str = "", **how: str) -> str:
        """The id of a new folder."""
        (found,) = self.one(create(name, parent, element, inside), **how)["Folders"]
        return str(found[1]["FolderId"]["@Id"])

    def names(self, parent: str, traversal: str = "Shallow", **how: str) -> list[str]:
        message = self.one(
            f'<FindFolder Traversal="{traversal}"><FolderShape><t:BaseShape>Default</t:BaseShape></FolderShape>'
            f"<ParentFolderIds>{parent}</ParentFolderIds></FindFolder>",
            **how,
        )
        return [value["DisplayName"] for _, value in message["RootFolder"]["Folders"]]


def answer_in(octets: bytes) -> Value:
    body = etree.fromstring(octets).find(f"{{{NAMESPACES['s']}}}Body")
    assert body is not None
    first = body[0]
    if etree.QName(first).localname == "Fault":
        return {"fault": first.findtext(f"detail/{{{NAMESPACES['e']}}}ResponseCode")}
    value: Value = read(first, max(Version))
    return value


def named(name: str, mailbox: str = "") -> str:
    inside = f"<t:Mailbox><t:EmailAddress>{mailbox}</t:EmailAddress></t:Mailbox>" if mailbox else ""
    return f'<t:DistinguishedFolderId Id="{name}">{inside}</t:DistinguishedFolderId>'


def by_id(one: str, key: str = "") -> str:
    return f'<t:FolderId Id="{one}"{f" ChangeKey={chr(34)}{key}{chr(34)}" if key else ""}/>'


def additional(paths: str) -> str:
    return f"<t:AdditionalProperties>{paths}</t:AdditionalProperties>" if paths else ""


def uri(name: str) -> str:
    return f'<t:FieldURI FieldURI="{name}"/>'


def tag(number: str, kind: str) -> str:
    return f'<t:ExtendedFieldURI PropertyTag="{number}" PropertyType="{kind}"/>'


def create(name: str, parent: str = "", element: str = "Folder", inside: str = "") -> str:
    shown = f"<t:DisplayName>{name}</t:DisplayName>"
    return (
        f"<CreateFolder><ParentFolderId>{parent or named('msgfolderroot')}</ParentFolderId>"
        f"<Folders><t:{element}>{shown}{inside}</t:{element}></Folders></CreateFolder>"
    )


def mail(subject: str, *, sender: str = "Xenia <x@out.test>", to: str = ANN, extra: str = "", body: str = "body") -> bytes:
    return f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\n{extra}\r\n{body}\r\n".encode()


def clock_of(world: World) -> ManualClock:
    assert isinstance(world.clock, ManualClock)
    return world.clock


@pytest.fixture
def world() -> Iterator[World]:
    with World(hostname="folders.sim.test") as world:
        world.add_account(ANN, "pw", name="Ann")
        world.add_account(BOB, "pw", name="Bob")
        yield world


@pytest.fixture
def ann(world: World) -> Asker:
    return Asker(world)


@pytest.fixture
def bob(world: World) -> Asker:
    return Asker(world, BOB)
