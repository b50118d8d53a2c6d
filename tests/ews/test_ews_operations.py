"""The table of the operations: whole, told in docs/ews-operations.md, and what is not there says so by name."""

from __future__ import annotations

import ast
import base64
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

import postroom_simulator.ews
from postroom_simulator import World
from postroom_simulator.ews.codes import CODES
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.http import Request, Response
from postroom_simulator.ews.operations import OPERATIONS
from postroom_simulator.ews.schema import element_type, elements
from postroom_simulator.ews.table import page
from postroom_simulator.ews.versions import Version

PACKAGE = Path(postroom_simulator.ews.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "ews-operations.md"
HEADERS = {"authorization": "Basic " + base64.b64encode(b"ann@sim.test:pw").decode("ascii"), "host": "ops.sim.test"}
SPACES = (
    'xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"'
    ' xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"'
)


@pytest.fixture
def world() -> Iterator[World]:
    with World(hostname="ops.sim.test") as world:
        world.add_account("ann@sim.test", "pw", name="Ann")
        yield world


def ask(world: World, operation: str, version: str | None = "Exchange2016") -> Response:
    header = f'<s:Header><t:RequestServerVersion Version="{version}"/></s:Header>' if version is not None else ""
    body = f"<s:Envelope {SPACES}>{header}<s:Body>{operation}</s:Body></s:Envelope>"
    return world.ews.respond(Request("POST", "/EWS/Exchange.asmx", HEADERS, body.encode()))


def code(response: Response) -> str:
    found = etree.fromstring(response.body).xpath("//*[local-name()='ResponseCode']/text()")
    return str(found[0])


def value(response: Response, name: str) -> str:
    found = etree.fromstring(response.body).xpath("//*[local-name()='Value' and @Name=$name]/text()", name=name)
    return str(found[0])


def test_the_table_has_the_122_operations_and_what_only_the_schema_has() -> None:
    tiers = [sum(1 for one in OPERATIONS.values() if one.tier == tier) for tier in range(6)]
    assert tiers == [7, 20, 24, 17, 54, 11]


def test_every_operation_has_its_elements_in_the_schema() -> None:
    for one in OPERATIONS.values():
        assert element_type(one.name) or element_type(f"{one.name}Request"), one.name
        assert element_type(one.response), one.response


def test_every_request_of_the_schema_is_in_the_table_or_of_an_older_schema() -> None:
    requests = {
        name.removesuffix("Request") for name in elements() if not name.endswith(("Response", "ResponseMessage", "Result"))
    }
    unknown = requests - set(OPERATIONS) - {"SendNotification"}
    assert all("UM" in name or "Client" in name or "Speech" in name or "Encryption" in name for name in unknown - OLD), unknown
    assert unknown >= OLD


OLD = {"UpdateMailboxAssociation", "GetFederatedDirectoryUser", "GetFederatedDirectoryGroup"}
"""Elements of the schema of 2013 that 2016 gave up; so are those of unified messaging, client extensions, speech and encryption."""


def test_every_module_of_the_table_has_a_handler() -> None:
    for one in OPERATIONS.values():
        if one.module:
            assert callable(importlib.import_module(f"postroom_simulator.ews.operations.{one.module}").handle)


def test_the_page_says_what_the_table_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m postroom_simulator.ews.table > docs/ews-operations.md"


@pytest.mark.parametrize("name", [one.name for one in OPERATIONS.values() if not one.module])
def test_an_operation_that_is_not_there_answers_with_its_error(world: World, name: str) -> None:
    element = name if element_type(name) else f"{name}Request"
    response = ask(world, f"<m:{element}/>")
    assert (response.status, code(response)) == (500, "ErrorInvalidOperation")


def test_an_operation_that_nobody_knows_is_a_fault(world: World) -> None:
    response = ask(world, "<m:BrewCoffee/>")
    assert (response.status, code(response)) == (500, "ErrorInvalidOperation")


def test_an_operation_newer_than_the_version_named(world: World) -> None:
    response = ask(world, "<m:GetSearchableMailboxes/>", "Exchange2010_SP2")
    assert (response.status, code(response)) == (500, "ErrorIncorrectSchemaVersion")


# -- versions (ews reference 2)

GET_INBOX = (
    "<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape>{shape}</m:FolderShape>"
    '<m:FolderIds><t:DistinguishedFolderId Id="{name}"/></m:FolderIds></m:GetFolder>'
)


@pytest.mark.parametrize(
    ("server", "version", "expected"),
    [
        ("2016", "Exchange2016", "NoError"),
        ("2016", "V2017_07_11", "NoError"),
        ("2016", "Exchange2099", "ErrorInvalidServerVersion"),
        ("2016", "", "ErrorInvalidServerVersion"),
        ("2010_SP2", "Exchange2010_SP2", "NoError"),
        ("2010_SP2", "Exchange2013", "ErrorInvalidServerVersion"),
        ("2013", "Exchange2013", "NoError"),
        ("2013", "Exchange2013_SP1", "ErrorInvalidServerVersion"),
        ("2013_SP1", "Exchange2013_SP1", "NoError"),
        ("2019", "Exchange2016", "NoError"),
    ],
)
def test_versions_that_a_server_knows(world: World, server: str, version: str, expected: str) -> None:
    world.ews.server_name = server
    response = ask(world, GET_INBOX.format(shape="", name="inbox"), version)
    assert code(response) == expected
    assert response.status == (200 if expected == "NoError" else 500)


def test_no_version_is_the_first_one(world: World) -> None:
    shape = '<t:AdditionalProperties><t:FieldURI FieldURI="folder:DistinguishedFolderId"/></t:AdditionalProperties>'
    newer = GET_INBOX.format(shape=shape, name="inbox")
    assert code(ask(world, newer, None)) == "ErrorIncorrectSchemaVersion"
    assert code(ask(world, newer)) == "NoError"


@pytest.mark.parametrize("server", ["2010_SP2", "2013", "2013_SP1", "2016", "2019"])
def test_an_answer_says_the_servers_version_and_a_fault_does_not(world: World, server: str) -> None:
    world.ews.server_name = server
    answer = etree.fromstring(ask(world, GET_INBOX.format(shape="", name="inbox"), "Exchange2010").body)
    told = answer[0][0].attrib
    numbers = tuple(int(told[name]) for name in ("MajorVersion", "MinorVersion", "MajorBuildNumber", "MinorBuildNumber"))
    assert (numbers, told["Version"]) == (world.ews.server.numbers, world.ews.server.version)
    fault = etree.fromstring(ask(world, "<m:BrewCoffee/>", "Exchange2010").body)
    assert [etree.QName(child).localname for child in fault] == ["Body"]


# -- violations of the schema


def test_an_unknown_folder_name_is_a_violation_with_its_place(world: World) -> None:
    header = '<s:Header><t:RequestServerVersion Version="Exchange2016"/></s:Header>'
    folder = '\n<t:DistinguishedFolderId Id="attic"/>'
    request = GET_INBOX.format(shape="", name="inbox").replace('<t:DistinguishedFolderId Id="inbox"/>', folder)
    body = f"<s:Envelope {SPACES}>\n{header}<s:Body>{request}</s:Body></s:Envelope>"
    response = world.ews.respond(Request("POST", "/EWS/Exchange.asmx", HEADERS, body.encode()))
    assert (response.status, code(response)) == (500, "ErrorSchemaValidation")
    assert (value(response, "LineNumber"), value(response, "LinePosition")) == ("3", "2")
    assert "attic" in value(response, "Violation")


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ("<m:GetFolder><m:FolderIds/></m:GetFolder>", "incomplete content"),
        (GET_INBOX.format(shape="", name="inbox").replace("m:FolderShape", "m:FolderShade"), "FolderShade"),
        (GET_INBOX.format(shape="<t:BaseShape>IdOnly</t:BaseShape>", name="inbox"), "more than once"),
        (GET_INBOX.format(shape="", name='inbox" Colour="red'), "Colour"),
        (GET_INBOX.format(shape="", name="inbox").replace(">IdOnly<", ">Everything<"), "Everything"),
    ],
)
def test_violations_are_faults(world: World, request_: str, said: str) -> None:
    response = ask(world, request_)
    assert (response.status, code(response)) == (500, "ErrorSchemaValidation")
    assert said in value(response, "Violation")


def test_elements_in_any_order_are_read(world: World) -> None:
    ids = '<m:FolderIds><t:DistinguishedFolderId Id="inbox"/></m:FolderIds>'
    shape = "<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape>"
    assert code(ask(world, f"<m:GetFolder>{ids}{shape}</m:GetFolder>")) == "NoError"


# -- codes


def test_every_code_that_the_package_names_is_a_response_code() -> None:
    """Every text that looks like one, or like the beginning of a family ("...For" accepting, declining, ...)."""
    wrong = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isalnum():
                looks = node.value.startswith("Error") and node.value[5:6].isupper()
                family = node.value.endswith("For") and any(code.startswith(node.value) for code in CODES)
                if looks and not family and node.value not in CODES | set(NO_CODES):
                    wrong.add((path.name, node.value))
    assert not wrong


NO_CODES = ("ErrorSubscriptionIds", "ErrorCode", "ErrorMessage", "ErrorMessages")
"""Elements whose names look alike."""


def test_another_code_is_refused() -> None:
    with pytest.raises(ValueError, match="ErrorOutOfTea"):
        EwsError("ErrorOutOfTea")


def test_versions_are_named_as_requests_name_them() -> None:
    assert [one.named for one in Version][:3] == ["Exchange2007", "Exchange2007_SP1", "Exchange2010"]
