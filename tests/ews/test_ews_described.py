"""Services.wsdl and its two schemas: made from our own data, and true of what is said."""

from __future__ import annotations

import pytest
import wire
from lxml import etree
from wire import connected, create_item, direct, envelope, find_item, get_folder, http

from postroom_simulator import World
from postroom_simulator.ews.operations import OPERATIONS
from postroom_simulator.ews.schema import element_type
from postroom_simulator.ews.versions import Version
from postroom_simulator.ews.wsdl import services_wsdl, xsd


class _Resolver(etree.Resolver):
    def __init__(self, version: Version) -> None:
        self.version = version

    def resolve(self, url: str, public_id: str, context: object) -> object:
        return self.resolve_string(xsd("t", self.version), context)  # type: ignore[attr-defined]


def schema(version: Version) -> etree.XMLSchema:
    parser = etree.XMLParser(huge_tree=True)
    parser.resolvers.add(_Resolver(version))
    return etree.XMLSchema(etree.fromstring(xsd("m", version).encode(), parser))


@pytest.mark.parametrize("version", list(Version))
def test_the_schemas_are_schemas(version: Version) -> None:
    assert schema(version) is not None


def test_requests_and_answers_fit_them() -> None:
    fits = schema(max(Version))
    with wire.make_world() as world:
        world.deliver("x@out.test", [wire.ANN], b"Subject: hello\r\n\r\nbody\r\n")
        for body in (get_folder("inbox", "drafts"), find_item(), create_item()):
            request = etree.fromstring(envelope(body))[-1][0]
            fits.assertValid(etree.ElementTree(request))
            answer = direct(world, envelope(body, version="Exchange2016"))
            fits.assertValid(etree.ElementTree(etree.fromstring(answer.body)[-1][0]))
        wrong = etree.fromstring(envelope(get_folder().replace("FolderShape", "FolderShapes")))[-1][0]
        assert not fits.validate(etree.ElementTree(wrong))


def test_the_description_names_each_operation_with_elements_that_are_there() -> None:
    root = etree.fromstring(services_wsdl("https://mail.sim.test", max(Version)).encode())
    space = {"w": "http://schemas.xmlsoap.org/wsdl/", "soap": "http://schemas.xmlsoap.org/wsdl/soap/"}
    named = {one.get("name") for one in root.iterfind("w:portType/w:operation", space)}
    assert named >= {
        name for name, row in OPERATIONS.items() if row.module and (element_type(name) or element_type(f"{name}Request"))
    }
    for part in root.iterfind("w:message/w:part", space):
        assert element_type((part.get("element") or "").removeprefix("m:")) is not None
    address = root.find("w:service/w:port/soap:address", space)
    assert address is not None
    assert address.get("location") == "https://mail.sim.test/EWS/Exchange.asmx"


def test_an_older_server_describes_less() -> None:
    old, new = services_wsdl("x", Version.EXCHANGE_2010_SP2), services_wsdl("x", Version.EXCHANGE_2016)
    assert 'name="FindPeople"' in new
    assert 'name="FindPeople"' not in old
    assert 'name="TextBody"' in xsd("t", Version.EXCHANGE_2016)
    assert 'name="TextBody"' not in xsd("t", Version.EXCHANGE_2010_SP2)


def test_they_are_served_to_whoever_logs_in() -> None:
    with wire.make_world() as world:
        one = connected(world)
        for path in ("/EWS/Services.wsdl", "/ews/messages.xsd", "/EWS/types.xsd"):
            assert one.ask(http(method="GET", path=path, auth=""), "GET").status == 401
            answer = one.ask(http(method="GET", path=path), "GET")
            assert (answer.status, answer.header("Content-Type")) == (200, "text/xml; charset=utf-8")
            etree.fromstring(answer.body)
            assert one.ask(http(b"x", path=path)).status == 405
        one.close()


def test_the_world_is_served_at_the_host_that_was_asked() -> None:
    with World() as world:
        world.add_account(wire.ANN, wire.PASSWORD)
        answer = direct(world, b"", method="GET", path="/EWS/Services.wsdl", host="other.test:81")
        assert b'location="http://other.test:81/EWS/Exchange.asmx"' in answer.body
