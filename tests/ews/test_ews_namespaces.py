"""Requests are read by expanded names (ews reference 2): what stands in the wrong namespace does not fit the schema, but for what real clients do
(ews reference 14, 18)."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from lxml import etree

from postroom_simulator import World
from postroom_simulator.ews.http import Request, Response

HEADERS = {"authorization": "Basic " + base64.b64encode(b"ann@sim.test:pw").decode("ascii"), "host": "names.sim.test"}
M = "http://schemas.microsoft.com/exchange/services/2006/messages"
T = "http://schemas.microsoft.com/exchange/services/2006/types"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
GET = (
    "<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape>"
    '<m:FolderIds><t:DistinguishedFolderId Id="inbox"/></m:FolderIds></m:GetFolder>'
)


@pytest.fixture
def world() -> Iterator[World]:
    with World(hostname="names.sim.test") as world:
        world.add_account("ann@sim.test", "pw", name="Ann")
        yield world


def respond(world: World, text: str) -> Response:
    return world.ews.respond(Request("POST", "/EWS/Exchange.asmx", HEADERS, text.encode()))


def ask(world: World, body: str, header: str = '<t:RequestServerVersion Version="Exchange2016"/>') -> Response:
    spaces = f'xmlns:s="{SOAP}" xmlns:m="{M}" xmlns:t="{T}" xmlns:o="urn:other"'
    return respond(world, f"<s:Envelope {spaces}><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>")


def code(response: Response) -> str:
    return str(etree.fromstring(response.body).xpath("//*[local-name()='ResponseCode']/text()")[0])


def violation(response: Response) -> str:
    return str(etree.fromstring(response.body).xpath("//*[local-name()='Value' and @Name='Violation']/text()")[0])


def test_whatever_the_prefixes_are(world: World) -> None:
    assert code(ask(world, GET)) == "NoError"
    body = (
        f'<GetFolder xmlns="{M}"><FolderShape><a:BaseShape xmlns:a="{T}">IdOnly</a:BaseShape></FolderShape>'
        f'<FolderIds><DistinguishedFolderId xmlns="{T}" Id="inbox"/></FolderIds></GetFolder>'
    )
    version = f'<RequestServerVersion xmlns="{T}" Version="Exchange2013"/>'
    text = f'<SOAP-ENV:Envelope xmlns:SOAP-ENV="{SOAP}"><SOAP-ENV:Header>{version}</SOAP-ENV:Header><SOAP-ENV:Body>{body}</SOAP-ENV:Body></SOAP-ENV:Envelope>'
    assert code(respond(world, text)) == "NoError"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("m:FolderShape", "t:FolderShape"),
        ("t:BaseShape", "m:BaseShape"),
        ("m:FolderIds", "t:FolderIds"),
        ("t:DistinguishedFolderId", "m:DistinguishedFolderId"),
        ("t:DistinguishedFolderId", "o:DistinguishedFolderId"),
        ("m:FolderIds", "FolderIds"),
    ],
)
def test_an_element_in_another_namespace_does_not_fit(world: World, right: str, wrong: str) -> None:
    response = ask(world, GET.replace(right, wrong))
    name = wrong.rpartition(":")[2]
    space = {"t": T, "m": M, "o": "urn:other", "": ""}[wrong.rpartition(":")[0]]
    assert (response.status, code(response)) == (500, "ErrorSchemaValidation")
    assert f"invalid child element '{name}' in namespace '{space}'" in violation(response)


def test_an_operation_in_another_namespace_is_none(world: World) -> None:
    assert code(ask(world, GET.replace("m:GetFolder", "t:GetFolder"))) == "ErrorInvalidOperation"


@pytest.mark.parametrize("prefix", ["t", "m"])
def test_watermarks_stand_in_either_namespace(world: World, prefix: str) -> None:
    subscribe = (
        '<m:Subscribe><m:PullSubscriptionRequest SubscribeToAllFolders="true"><t:EventTypes><t:EventType>NewMailEvent</t:EventType>'
        "</t:EventTypes>{}<t:Timeout>5</t:Timeout></m:PullSubscriptionRequest></m:Subscribe>"
    )
    root = etree.fromstring(ask(world, subscribe.format("")).body)
    mark = root.findtext(f".//{{{M}}}Watermark")
    again = subscribe.format(f"<{prefix}:Watermark>{mark}</{prefix}:Watermark>")
    assert code(ask(world, again)) == "NoError"
    one = root.findtext(f".//{{{M}}}SubscriptionId")
    events = (
        f"<m:GetEvents><m:SubscriptionId>{one}</m:SubscriptionId><{prefix}:Watermark>{mark}</{prefix}:Watermark></m:GetEvents>"
    )
    assert code(ask(world, events)) == "NoError"
    assert code(ask(world, events.replace(f"{prefix}:Watermark", "o:Watermark"))) == "ErrorSchemaValidation"


def test_a_header_of_somebody_else_says_nothing(world: World) -> None:
    persona = "<m:GetPersona><m:PersonaId Id='x'/></m:GetPersona>"  # Exchange2013
    assert code(ask(world, persona, '<o:RequestServerVersion Version="Exchange2016"/>')) == "ErrorIncorrectSchemaVersion"
    assert code(ask(world, persona)) == "ErrorInvalidIdMalformed"
