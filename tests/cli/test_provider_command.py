"""`postroom provider`: the list, and configuration files looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from postroom.cli import app
from postroom_simulator.world import World

GOOD = """\
<Configuration>
  <SystemConfiguration/>
  <ProviderConfiguration>
    <ProviderClassName>Microsoft.Crm.Tools.Email.Providers.Pop3PollingMailboxProvider</ProviderClassName>
    <EmailServer>pop.example.com</EmailServer>
    <EmailPort>995</EmailPort>
    <EmailUser>sales</EmailUser>
    <EmailPassword>squirrel</EmailPassword>
  </ProviderConfiguration>
</Configuration>
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # which also takes back what the command adds
    return tmp_path


def call(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["provider", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def test_the_list_names_ours_and_what_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [EntryPoint("acme", "no_such_module_at_all:X", "postroom.providers")]
    monkeypatch.setattr("postroom.providers.registry.entry_points", lambda **_: found)
    code, told, _ = call("list")
    assert code == 0
    lines = {line.split()[0]: line for line in told.splitlines()}
    assert "outbound" in lines["smtp"]
    assert "Pop3PollingMailboxProvider" in lines["pop3"]
    assert "broken" in lines["acme"]
    assert "ModuleNotFoundError" in lines["acme"]
    assert call("list", "--strict")[0] == 1


def test_the_list_as_json() -> None:
    code, told, _ = call("list", "--json")
    rows = {row["name"]: row for row in json.loads(told)["providers"]}
    assert code == 0
    assert rows["pop3"]["usable"]
    assert rows["pop3"]["direction"] == "inbound"
    assert rows["pop3"]["class"] == "postroom.providers.builtin.pop3:Pop3Provider"


def test_a_class_in_this_folder_is_found(here: Path) -> None:
    (here / "mine_in_this_folder.py").write_text(
        "from postroom.providers.builtin.pop3 import Pop3Provider\n\n\nclass Mine(Pop3Provider): ...\n"
    )
    assert "EmailServer" in call("config", "elements", "mine_in_this_folder:Mine")[1]


def test_a_preference_has_two_sides() -> None:
    code, _, complaint = call("list", "--prefer", "pop3")
    assert code == 2
    assert "NAME=PACKAGE expected" in complaint


def test_a_good_file(here: Path) -> None:
    (here / "router.xml").write_text(GOOD)
    code, told, complaint = call("config", "validate", "router.xml")
    assert (code, complaint) == (0, "")
    assert told == "router.xml: 1 provider configuration of pop3; nothing wrong\n"


def test_all_that_is_wrong_is_told_by_line_without_a_value(here: Path) -> None:
    wrong = GOOD.replace("995", "squirrel").replace("<EmailUser>sales</EmailUser>", "<EmialUser>sales</EmialUser>")
    (here / "router.xml").write_text(wrong)
    code, told, complaint = call("config", "validate", "router.xml", "--strict")
    assert code == 1
    for line, words in ((6, "EmailPort: TYPE"), (7, "EmialUser: UNKNOWN"), (3, "EmailUser: REQ")):
        assert any(f"router.xml: line {line}:" in one and words in one for one in complaint.splitlines()), complaint
    assert "did you mean EmailUser?" in complaint
    assert "squirrel" not in told + complaint
    assert "sales" not in told + complaint


def test_warnings_do_not_stop(here: Path) -> None:
    (here / "router.xml").write_text(GOOD.replace("<EmailUser>", "<Colour>red</Colour><EmailUser>"))
    code, told, complaint = call("config", "validate", "router.xml")
    assert (code, complaint) == (0, "")
    assert "UNKNOWN (warning)" in told
    assert "usable, with 1 warning" in told


def test_the_same_as_json(here: Path) -> None:
    (here / "router.xml").write_text(GOOD.replace("995", "none"))
    code, told, _ = call("config", "validate", "router.xml", "--json")
    document = json.loads(told)
    assert code == 1
    assert not document["usable"]
    assert document["problems"][0]["code"] == "TYPE"
    assert document["problems"][0]["line"] == 6


def test_a_file_that_is_not_there() -> None:
    code, _, complaint = call("config", "validate", "nowhere.xml")
    assert code == 1
    assert complaint.startswith("nowhere.xml: XML: is no file")


def test_elements_and_schemas() -> None:
    assert "EmailPort  (whole number from 1 to 65535; required)" in call("config", "elements", "pop3")[1]
    assert "| `EmailPort` |" in call("config", "elements", "pop3", "--markdown")[1]
    assert json.loads(call("config", "schema", "smtp")[1])["properties"]["EmailPort"]["maximum"] == 65535
    assert '<xs:element name="EmailPort"' in call("config", "schema", "smtp", "--xsd")[1]


def test_a_name_that_is_not_known() -> None:
    code, _, complaint = call("config", "elements", "pop33")
    assert code == 1
    assert "no provider is called 'pop33'; did you mean 'pop3'?" in complaint


# -- rehearsals


@pytest.fixture
def served() -> Iterator[tuple[World, dict[str, tuple[str, int]]]]:
    with World(hostname="served.test") as world:
        world.add_account("ada@served.test", "squirrel")
        servers = world.listen()
        try:
            yield world, servers.addresses
        finally:
            servers.close()


def router_file(where: Path, addresses: dict[str, tuple[str, int]], password: str = "squirrel", extra: str = "") -> None:
    entries = "".join(
        f"<ProviderConfiguration><ProviderClassName>{name}</ProviderClassName><EmailServer>{addresses[service][0]}</EmailServer>"
        f"<EmailPort>{addresses[service][1]}</EmailPort><EmailTls>none</EmailTls><EmailUser>ada@served.test</EmailUser>"
        f"<EmailPassword>{password}</EmailPassword>{more}</ProviderConfiguration>"
        for name, service, more in (("pop3", "pop3", "<DeleteEmails>true</DeleteEmails>"), ("smtp", "submission", ""))
        if service in addresses
    )
    (where / "router.xml").write_text(f"<Configuration><SystemConfiguration/>{entries}{extra}</Configuration>")


def test_a_rehearsal_takes_nothing_away(here: Path, served: Any) -> None:
    world, addresses = served
    world.place("ada@served.test", b"From: carl@birch.test\r\nSubject: Offer\r\n\r\nHello\r\n")
    router_file(here, addresses)
    for _ in range(2):
        code, told, _ = call("run", "router.xml", "--only", "pop3")
        assert code == 0
        assert "took 1 message; nothing was kept" in told
        assert "Offer" in told
    assert len(world.inbox("ada@served.test")) == 1


def test_a_test_message_is_sent_when_asked_for(here: Path, served: Any) -> None:
    world, addresses = served
    router_file(here, addresses)
    code, told, complaint = call("run", "router.xml", "--only", "smtp")
    assert (code, "nothing to do" in told, complaint) == (0, True, "")
    assert len(world.inbox("ada@served.test")) == 0
    code, told, _ = call("run", "router.xml", "--only", "smtp", "--send-to", "ada@served.test")
    assert code == 0
    assert "test message: sent (250" in told
    (octets,) = world.inbox("ada@served.test")
    assert b"Subject: Test message" in octets


def test_what_fails_is_told_and_the_others_are_tried(here: Path, served: Any) -> None:
    _, addresses = served
    router_file(here, addresses, password="acorn-7")
    code, told, complaint = call("run", "router.xml")
    assert code == 1
    assert told.splitlines()[0] == "pop3"
    assert "smtp" in told
    assert "AuthError" in complaint
    assert "acorn-7" not in told + complaint
    document = json.loads(call("run", "router.xml", "--json")[1])
    assert ["AuthError" in one["error"] for one in document["providers"]] == [True, True]


def test_a_provider_that_breaks_is_told_with_its_place(here: Path) -> None:
    (here / "breaks_in_check_xyz.py").write_text(
        "from postroom.providers.builtin.pop3 import Pop3Provider\n\n\n"
        "class Mine(Pop3Provider):\n    def on_check(self, ctx):\n        return {}['mail']\n"
    )
    (here / "router.xml").write_text(
        GOOD.replace("Microsoft.Crm.Tools.Email.Providers.Pop3PollingMailboxProvider", "breaks_in_check_xyz:Mine")
    )
    code, _, complaint = call("run", "router.xml")
    assert code == 1
    assert "KeyError: 'mail' in" in complaint
    assert "breaks_in_check_xyz.py, line 6" in complaint


def test_who_is_not_in_the_file(here: Path) -> None:
    (here / "router.xml").write_text(GOOD)
    code, _, complaint = call("run", "router.xml", "--only", "smtp")
    assert code == 2
    assert "router.xml has no provider 'smtp'; it has: pop3" in complaint


def test_a_program_is_rehearsed_too(here: Path) -> None:
    """It hears the end of the rehearsal as an error of its own."""
    from postroom.providers.process import sample

    (here / "mail").mkdir()
    (here / "mail" / "one.eml").write_bytes(b"From: carl@birch.test\r\nSubject: Offer\r\n\r\nHello\r\n")
    (here / "router.xml").write_text(
        "<Configuration><SystemConfiguration/><ProviderConfiguration>"
        f"<ProviderClassName>process:sh {sample('folder.sh')}</ProviderClassName><Folder>{here / 'mail'}</Folder>"
        "</ProviderConfiguration></Configuration>"
    )
    code, told, complaint = call("run", "router.xml")
    assert (code, complaint) == (0, "")
    assert "took 1 message; nothing was kept" in told
    assert "Offer" in told


def test_a_file_of_certificates_that_is_none(here: Path) -> None:
    (here / "router.xml").write_text(GOOD)
    (here / "ca.pem").write_text("no certificate")
    for name, words in (("nowhere.pem", "No such file"), ("ca.pem", "certificate")):
        code, _, complaint = call("run", "router.xml", "--ca-file", name)
        assert code == 2
        assert f"--ca-file: {name}: " in complaint
        assert words in complaint
