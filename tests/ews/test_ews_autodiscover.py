"""Where a mailbox is: POX and SOAP Autodiscover (ews reference 17)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import wire
from exchangelib import Configuration, Credentials
from exchangelib.autodiscover.protocol import AutodiscoverProtocol
from exchangelib.protocol import FailFast
from lxml import etree
from wire import ANN, PASSWORD, direct

from postroom_simulator import World
from postroom_simulator.ews.autodiscover import SETTINGS, USERS_LIMIT
from postroom_simulator.ews.mount import mounted

POX, SOAP = "/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.svc"
OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
A = "{http://schemas.microsoft.com/exchange/2010/Autodiscover}"


@pytest.fixture
def world() -> Iterator[World]:
    with wire.make_world() as world:
        yield world


def pox(address: str, schema: str = OUTLOOK) -> bytes:
    space = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
    inner = f"<EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>{schema}</AcceptableResponseSchema>"
    return f'<?xml version="1.0"?><Autodiscover xmlns="{space}"><Request>{inner}</Request></Autodiscover>'.encode()


def found(body: bytes, name: str) -> list[str]:
    return [one.text or "" for one in etree.fromstring(body).iter("{*}" + name)]


def ask(world: World, body: bytes, path: str = POX, **more: Any) -> Any:
    return direct(world, body, path=path, **more)


# -- POX


def test_the_endpoint_of_a_mailbox(world: World) -> None:
    answer = ask(world, pox("robert@sim.test"), host="mail.example.test:8080")
    assert answer.status == 200
    assert set(found(answer.body, "EwsUrl")) == {"http://mail.example.test:8080/EWS/Exchange.asmx"}
    assert found(answer.body, "AutoDiscoverSMTPAddress") == ["bob@sim.test"]
    assert found(answer.body, "Action") == ["settings"]
    assert found(answer.body, "Type")[:2] == ["EXCH", "EXPR"]


def test_the_scheme_may_be_told_by_what_is_in_front(world: World) -> None:
    answer = ask(world, pox(ANN), host="mail.example.test", x_forwarded_proto="https")
    assert set(found(answer.body, "EwsUrl")) == {"https://mail.example.test/EWS/Exchange.asmx"}
    assert set(found(ask(world, pox(ANN), host='evil"><x').body, "EwsUrl")) == {"http://mail.sim.test/EWS/Exchange.asmx"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (pox("nobody@sim.test"), "500"),
        (pox("ann"), "600"),
        (pox(""), "600"),
        (b"", "600"),
        (b"<broken", "600"),
        (b"<!DOCTYPE x [<!ENTITY e 'x'>]>" + pox(ANN)[21:], "600"),
        (b"<Autodiscover/>", "600"),
        (pox(ANN, "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"), "601"),
    ],
)
def test_what_is_wrong_is_said_with_status_200(world: World, body: bytes, code: str) -> None:
    answer = ask(world, body)
    assert (answer.status, found(answer.body, "ErrorCode")) == (200, [code])


def test_redirects_by_address_and_by_domain(world: World) -> None:
    world.ews.autodiscover.redirects = {
        ANN: "ann@elsewhere.test",
        "moved.test": "https://autodiscover.elsewhere.test/autodiscover/autodiscover.xml",
    }
    assert found(ask(world, pox(ANN)).body, "RedirectAddr") == ["ann@elsewhere.test"]
    moved = ask(world, pox("anybody@MOVED.test")).body
    assert (found(moved, "Action"), found(moved, "RedirectUrl")) == (
        ["redirectUrl"],
        ["https://autodiscover.elsewhere.test/autodiscover/autodiscover.xml"],
    )
    assert found(ask(world, pox("bob@sim.test")).body, "Action") == ["settings"]


def test_a_get_over_http_is_sent_to_https(world: World) -> None:
    answer = ask(world, b"", method="GET", auth="", host="autodiscover.sim.test:8080")
    assert (answer.status, dict(answer.headers)["Location"]) == (
        302,
        "https://autodiscover.sim.test/autodiscover/autodiscover.xml",
    )
    world.ews.autodiscover.secure = "https://elsewhere.test"
    assert dict(ask(world, b"", method="GET", auth="").headers)["Location"].startswith("https://elsewhere.test/")


def test_a_get_over_https_needs_a_login(world: World) -> None:
    assert ask(world, b"", method="GET", auth="", x_forwarded_proto="https").status == 401
    answer = ask(world, b"", method="GET", x_forwarded_proto="https")
    assert (answer.status, found(answer.body, "ErrorCode")) == (200, ["600"])


def test_nothing_without_a_login(world: World) -> None:
    assert ask(world, pox(ANN), auth="").status == 401
    assert ask(world, b"x", path=SOAP, auth="").status == 401
    assert ask(world, b"x", path="/autodiscover/other").status == 404


# -- SOAP


def soap(users: list[str], settings: list[str], operation: str = "GetUserSettings") -> bytes:
    space = "http://schemas.microsoft.com/exchange/2010/Autodiscover"
    if operation == "GetUserSettings":
        inner = "<a:Users>" + "".join(f"<a:User><a:Mailbox>{one}</a:Mailbox></a:User>" for one in users) + "</a:Users>"
    else:
        inner = "<a:Domains>" + "".join(f"<a:Domain>{one}</a:Domain>" for one in users) + "</a:Domains>"
    inner += "<a:RequestedSettings>" + "".join(f"<a:Setting>{one}</a:Setting>" for one in settings) + "</a:RequestedSettings>"
    return (
        f'<s:Envelope xmlns:s="{wire.NS["s"]}" xmlns:a="{space}" xmlns:w="http://www.w3.org/2005/08/addressing"><s:Header>'
        f"<a:RequestedServerVersion>Exchange2013</a:RequestedServerVersion><w:Action>{space}/Autodiscover/{operation}</w:Action>"
        f"</s:Header><s:Body><a:{operation}RequestMessage><a:Request>{inner}</a:Request></a:{operation}RequestMessage></s:Body></s:Envelope>"
    ).encode()


def test_only_what_was_asked_is_told(world: World) -> None:
    answer = ask(world, soap([ANN], ["ExternalEwsUrl", "AutoDiscoverSMTPAddress", "ExternalUMUrl"]), SOAP)
    assert found(answer.body, "Name") == ["ExternalEwsUrl", "AutoDiscoverSMTPAddress"]
    assert found(answer.body, "Value") == ["http://mail.sim.test/EWS/Exchange.asmx", ANN]
    assert found(answer.body, "SettingName") == ["ExternalUMUrl"]
    assert found(answer.body, "ErrorCode") == ["NoError", "NoError", "SettingIsNotAvailable"]
    assert found(answer.body, "MajorVersion") == ["15"]


def test_every_setting_has_a_value(world: World) -> None:
    answer = ask(world, soap([ANN], list(SETTINGS)), SOAP)
    assert found(answer.body, "Name") == list(SETTINGS)
    assert all(found(answer.body, "Value"))


def test_each_user_has_an_answer(world: World) -> None:
    world.ews.autodiscover.redirects = {
        "away@sim.test": "x@elsewhere.test",
        "moved.test": "https://elsewhere.test/autodiscover.svc",
    }
    answer = ask(world, soap([ANN, "nobody@sim.test", "away@sim.test", "a@moved.test"], ["UserDisplayName"]), SOAP)
    assert found(answer.body, "ErrorCode") == ["NoError", "NoError", "InvalidUser", "RedirectAddress", "RedirectUrl"]
    assert found(answer.body, "RedirectTarget") == ["", "", "x@elsewhere.test", "https://elsewhere.test/autodiscover.svc"]


def test_domains(world: World) -> None:
    answer = ask(world, soap(["sim.test", "other.test"], ["ExternalEwsUrl"], "GetDomainSettings"), SOAP)
    assert found(answer.body, "ErrorCode") == ["NoError", "NoError", "InvalidDomain"]
    assert found(answer.body, "Value") == ["http://mail.sim.test/EWS/Exchange.asmx"]


@pytest.mark.parametrize("body", [soap([], ["UserDN"]), soap([ANN], []), soap([ANN] * (USERS_LIMIT + 1), ["UserDN"])])
def test_requests_that_ask_nothing_or_too_much(world: World, body: bytes) -> None:
    assert found(ask(world, body, SOAP).body, "ErrorCode") == ["InvalidRequest"]


@pytest.mark.parametrize(
    "body", [b"", b"<broken", wire.envelope("<m:GetFolder/>"), soap([ANN], ["UserDN"], "GetFederationInformation")]
)
def test_what_is_no_message_of_the_service_is_a_fault(world: World, body: bytes) -> None:
    answer = ask(world, body, SOAP)
    assert answer.status == 500
    assert b"<s:Fault>" in answer.body


# -- clients


def test_exchangelib_asks_for_all_it_knows(world: World) -> None:
    world.hostname = "discover.sim.test"
    with mounted(world):
        protocol = AutodiscoverProtocol(
            config=Configuration(
                service_endpoint="https://discover.sim.test/autodiscover/autodiscover.svc",
                credentials=Credentials(ANN, PASSWORD),
                auth_type="basic",
                retry_policy=FailFast(),
            )
        )
        response = protocol.get_user_settings(user=ANN)
    assert response.autodiscover_smtp_address == ANN
    assert response.ews_url == "https://discover.sim.test/EWS/Exchange.asmx"
    assert response.version.api_version == "Exchange2016"
    assert response.user_settings["user_display_name"] == "Ann"


def test_a_fault_of_http_hits_autodiscover_too(world: World) -> None:
    from postroom_simulator.faults import Reply, When

    world.faults.add(When("ews", "envelope"), Reply("503", "[Retry-After=7]"))
    with mounted(world) as url:
        answer = requests.post(url.replace("/EWS/Exchange.asmx", POX), pox(ANN), auth=(ANN, PASSWORD), timeout=10)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")


def test_the_journal_names_it(world: World) -> None:
    ask(world, pox(ANN))
    ask(world, soap([ANN], ["UserDN"]), SOAP)
    assert [(entry.verb, entry.account) for entry in world.journal.commands()] == [
        ("Autodiscover", ANN),
        ("GetUserSettings", ANN),
    ]


# -- elsewhere, and not now


def test_every_request_is_sent_elsewhere_before_anybody_logs_in(world: World) -> None:
    """Section 17: a 302, as organizations answer that moved; no credentials are asked for."""
    world.ews.autodiscover.moved = "https://autodiscover.elsewhere.test/"
    for path in ("/Autodiscover/Autodiscover.xml", SOAP):
        answer = ask(world, pox(ANN), auth="", path=path)
        assert (answer.status, dict(answer.headers)["Location"]) == (302, f"https://autodiscover.elsewhere.test{path.lower()}")


@pytest.mark.parametrize("code", ["ServerBusy", "InternalServerError"])
def test_a_server_that_cannot_answer_now(world: World, code: str) -> None:
    """Section 17: the codes beside those of redirects; of one user, of one domain."""
    world.ews.autodiscover.failures = {ANN: code, "sim.test": code}
    assert found(ask(world, pox(ANN)).body, "ErrorCode") == ["500"]
    answer = ask(world, soap([ANN, "nobody@other.test"], ["ExternalEwsUrl"]), path=SOAP)
    assert found(answer.body, "ErrorCode") == ["NoError", code, "InvalidUser"]
    domains = ask(world, soap(["sim.test"], ["ExternalEwsUrl"], "GetDomainSettings"), path=SOAP)
    assert found(domains.body, "ErrorCode") == ["NoError", code]


def test_an_archive_is_announced(world: World) -> None:
    """MS-OXDSCLI, MS-OXWSADISC: a mailbox beside the own one, of type Archive."""
    before = ask(world, pox(ANN)).body
    assert found(before, "AlternativeMailbox") == []
    refused = ask(world, soap([ANN], ["AlternateMailboxes"]), SOAP).body
    assert found(refused, "ErrorCode") == ["NoError", "NoError", "SettingIsNotAvailable"]
    world.store.open_archive(ANN)
    by_pox = ask(world, pox(ANN)).body
    by_soap = ask(world, soap([ANN, "bob@sim.test"], ["AlternateMailboxes"]), SOAP).body
    (told,) = etree.fromstring(by_pox).iter("{*}AlternativeMailbox")
    (again,) = etree.fromstring(by_soap).iter("{*}AlternateMailbox")
    shown = {etree.QName(one).localname: one.text for one in told}
    assert shown == {etree.QName(one).localname: one.text for one in again}
    assert list(shown) == ["Type", "DisplayName", "LegacyDN", "Server"]
    assert (shown["Type"], shown["Server"]) == ("Archive", "mail.sim.test")
    assert (shown["LegacyDN"] or "").startswith(found(by_pox, "LegacyDN")[0] + "/guid=")
    assert etree.QName(told.getparent()).localname == "Account"
    assert found(by_soap, "ErrorCode") == ["NoError", "NoError", "NoError", "SettingIsNotAvailable"]


def test_settings_without_a_value_and_settings_that_nobody_knows(world: World) -> None:
    """Section 17: InvalidSetting."""
    answer = ask(world, soap([ANN], ["ExternalPhotosUrl", "MobileMailboxPolicy", "FavouriteColour"]), path=SOAP)
    assert found(answer.body, "ErrorCode") == ["NoError", "NoError", "SettingIsNotAvailable", "InvalidSetting"]
    assert found(answer.body, "Value")[0].endswith("/EWS/Exchange.asmx/s")


def test_redirects_by_soap(world: World) -> None:
    """Section 17: RedirectAddress and RedirectUrl, with their target, for users and for domains."""
    world.ews.autodiscover.redirects = {
        ANN: "ann@elsewhere.test",
        "bob@sim.test": "https://elsewhere.test/autodiscover/autodiscover.svc",
    }
    answer = ask(world, soap([ANN, "bob@sim.test"], ["ExternalEwsUrl"]), path=SOAP)
    assert found(answer.body, "ErrorCode") == ["NoError", "RedirectAddress", "RedirectUrl"]
    assert found(answer.body, "RedirectTarget") == [
        "ann@elsewhere.test",
        "https://elsewhere.test/autodiscover/autodiscover.svc",
    ]
    world.ews.autodiscover.redirects = {"sim.test": "https://elsewhere.test/"}
    moved = ask(world, soap(["sim.test"], ["ExternalEwsUrl"], "GetDomainSettings"), path=SOAP)
    assert found(moved.body, "ErrorCode") == ["NoError", "RedirectUrl"]
