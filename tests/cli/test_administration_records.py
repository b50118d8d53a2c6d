"""Profiles, users, queues, mailboxes and other records on the command line: what is made, shown, changed, refused, and as which JSON."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from command_desk import PASSWORD, Desk

from postroom.cli import app


@pytest.fixture
def staffed(alder: Desk) -> Desk:
    alder.run("profile", "create", "Mail", "--pop3", "mail.test", "--smtp", "mail.test:465", "--default")
    alder.run("user", "create", "Ada", "--address", "ada@alder.test", "--password", given=f"{PASSWORD}\n")
    alder.run("queue", "create", "Support", "--address", "support@alder.test")
    return alder


# -- organizations ----------------------------------------------------------------------------------------------------


def test_a_new_organization_is_readable_by_its_owner_only(alder: Desk, tmp_path: Path) -> None:
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert files == {"postroom.toml": 0o600, "postroom.key": 0o600, "Alder.sqlite3": 0o600}
    key = (tmp_path / "postroom.key").read_text().splitlines()[-1]
    assert key not in alder.run("org", "show")
    assert key not in alder.run("org", "list", "--json")


def test_an_organization_is_not_made_twice(alder: Desk, tmp_path: Path) -> None:
    before = (tmp_path / "postroom.toml").read_text()
    assert "already" in alder.refused("org", "create", "Alder", code=2)
    same = f"sqlite:///{tmp_path}/Alder.sqlite3"
    assert "holds an organization already" in alder.refused("org", "create", "Birch", "--database", same, code=1)
    assert (tmp_path / "postroom.toml").read_text().rstrip() == before.rstrip()


def test_of_several_organizations_one_is_named(alder: Desk) -> None:
    alder.run("org", "create", "Birch", "requireapprovalforuseremail=no")
    assert [one["name"] for one in alder.json("org", "list")["items"]] == ["Alder", "Birch"]
    assert "--org" in alder.refused("user", "list", code=2)
    assert alder.json("settings", "show", "requireapprovalforuseremail", "--org", "Birch")["value"] is False
    assert "Alder, Birch" in alder.refused("user", "list", "--org", "Cedar", code=2)
    alder.run("org", "remove", "Birch")
    assert alder.json("user", "list") == {"items": []}


def test_without_a_deployment_file_it_is_said_how_to_make_one(desk: Desk, tmp_path: Path) -> None:
    assert "postroom org create NAME" in desk.refused("mailbox", "list", code=2)
    assert list(tmp_path.iterdir()) == []


def test_a_deployment_may_be_a_new_folder(desk: Desk, tmp_path: Path) -> None:
    desk.runner.invoke(app, ["org", "create", "Alder", "--deployment", str(tmp_path / "new" / "place")])
    assert {path.name for path in (tmp_path / "new" / "place").iterdir()} == {"postroom.toml", "postroom.key", "Alder.sqlite3"}


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_wrong_ca_file_is_said_at_once(alder: Desk, tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "ca.pem").write_text(text)
    (tmp_path / "postroom.toml").write_text('ca_file = "ca.pem"\n' + (tmp_path / "postroom.toml").read_text())
    assert str(tmp_path / "ca.pem") in alder.refused("sync", "--once", code=2)


def test_a_database_that_is_gone_is_not_made_again(alder: Desk, tmp_path: Path) -> None:
    (tmp_path / "Alder.sqlite3").unlink()
    assert "missing" in alder.refused("user", "list", code=1)
    assert not (tmp_path / "Alder.sqlite3").exists()


@pytest.mark.parametrize("database", ["sqlite://", "sqlite:///:memory:", "postgresql+psycopg://ada:hunter2@db/alder"])
def test_addresses_that_are_refused(desk: Desk, tmp_path: Path, database: str) -> None:
    assert "hunter2" not in desk.refused("org", "create", "Alder", "--database", database, code=2)
    assert list(tmp_path.iterdir()) == []


def test_upkeep(staffed: Desk, tmp_path: Path) -> None:
    before = (tmp_path / "postroom.key").read_text()
    assert staffed.json("org", "rotate-key") == {"done": "rotated", "moved": {"Alder": 1}, "retired": 1}
    assert (tmp_path / "postroom.key").read_text() != before
    assert staffed.json("org", "upgrade")["done"] == "nothing"
    vacuumed = staffed.json("org", "vacuum")
    assert vacuumed["before"] >= vacuumed["after"] > 0
    assert staffed.json("org", "retain")["rows"] == {}


# -- records ----------------------------------------------------------------------------------------------------------


def test_a_profile_gets_ports_and_becomes_the_default(staffed: Desk) -> None:
    (profile,) = staffed.json("profile", "list")["items"]
    assert (profile["incomingportnumber"], profile["outgoingportnumber"], profile["servertype"]) == (995, 465, 1)
    assert "AllowNonSSLEmail" in staffed.refused("profile", "set", "Mail", "--no-tls", code=1)
    staffed.run("settings", "set", "AllowNonSSLEmail=yes", "AllowBasicAuthenticationOnNonSecureChannel=yes")
    staffed.run("profile", "set", "Mail", "--no-tls", "maxconcurrentconnections=3")
    profile = staffed.json("profile", "show", "Mail")
    assert (profile["incomingusessl"], profile["maxconcurrentconnections"]) == (False, 3)


def test_a_login_of_the_profile(staffed: Desk) -> None:
    staffed.run(
        "profile",
        "create",
        "Shared",
        "--pop3",
        "mail.test",
        "--smtp",
        "mail.test",
        "--username",
        "all",
        "--password",
        given=PASSWORD,
    )
    profile = staffed.json("profile", "show", "Shared")
    assert (profile["incomingcredentialretrieval"], profile["incomingusername"], profile["isincomingpasswordset"]) == (
        1,
        "all",
        True,
    )
    told = staffed.refused("profile", "create", "Other", "--pop3", "mail.test", "--password", code=2, given=PASSWORD)
    assert "--username" in told


def test_a_user_has_a_mailbox_that_logs_in(staffed: Desk) -> None:
    (ada,) = staffed.json("user", "list")["items"]
    box = staffed.json("mailbox", "show", "ada@alder.test")
    assert box["regardingobjectid"] == {"entity": "systemuser", "id": ada["systemuserid"]}
    assert (box["username"], box["ispasswordset"], box["incomingemaildeliverymethod"]) == ("ada@alder.test", True, 2)
    assert "password" not in box


def test_a_password_is_no_argument(staffed: Desk) -> None:
    told = staffed.refused("mailbox", "set", "ada@alder.test", "password=hunter2", code=2)
    assert "--password" in told
    assert "hunter2" not in told


def test_a_user_and_its_settings_are_one_on_the_command_line(staffed: Desk) -> None:
    staffed.run("user", "set", "ada@alder.test", "--track", "no email messages", "fullname=Ada Alder", "issendasallowed=yes")
    found = staffed.json("user", "show", "Ada Alder")
    assert (found["incomingemailfilteringmethod"], found["issendasallowed"], found["fullname"]) == (4, True, "Ada Alder")
    assert "no email messages" in staffed.run("user", "show", "Ada Alder")


def test_records_are_named_by_id_name_address_and_a_beginning(staffed: Desk) -> None:
    identifier = staffed.json("queue", "show", "Support")["queueid"]
    for name in (identifier, identifier.upper(), identifier[:8], "support", "SUPPORT@alder.test"):
        assert staffed.json("queue", "show", name)["queueid"] == identifier
    error = staffed.json("queue", "show", "Suport", code=1)
    assert error == {"kind": "RecordNotFound", "text": error["text"], "problems": [error["text"]]}
    assert "did you mean 'Support'?" in error["text"]


def test_an_ambiguous_name_lists_who_is_meant(staffed: Desk) -> None:
    ids = [
        staffed.json("record", "create", "contact", "fullname=Carl", f"emailaddress1=c{number}@birch.test")["id"]
        for number in range(2)
    ]
    told = staffed.refused("record", "show", "contact", "Carl", code=1)
    assert all(one in told for one in ids)


def test_other_records(staffed: Desk) -> None:
    staffed.run("record", "create", "contact", "fullname=Betty", "emailaddress1=betty@birch.test", "numberofchildren:=2")
    staffed.run("record", "set", "contact", "Betty", "emailaddress2=bb@home.test")
    staffed.run("record", "assign", "contact", "Betty", "--to", "Ada")
    staffed.run("record", "deactivate", "contact", "Betty")
    found = staffed.json("record", "show", "contact", "bb@home.test")
    assert (found["numberofchildren"], found["ownerid"]["entity"], found["statecode"]) == (2, "systemuser", 1)
    assert "betty@birch.test bb@home.test" in staffed.run("record", "list", "contact")
    staffed.run("record", "delete", "contact", "Betty")
    assert staffed.run("record", "list", "contact") == "no contacts\n"
    assert "postroom user create" in staffed.refused("record", "create", "systemuser", "fullname=x", code=2)


def test_states(staffed: Desk) -> None:
    staffed.run("user", "deactivate", "Ada")
    assert staffed.json("mailbox", "show", "ada@alder.test")["statecode"] == 1
    staffed.run("mailbox", "activate", "ada@alder.test")
    staffed.run("profile", "deactivate", "Mail")
    assert staffed.json("profile", "list", "statecode=inactive")["items"][0]["name"] == "Mail"
    assert "default profile" in staffed.refused("profile", "delete", "Mail", code=1)
    staffed.run("queue", "delete", "Support")
    assert [one["emailaddress"] for one in staffed.json("mailbox", "list")["items"]] == ["ada@alder.test"]


def test_a_forward_mailbox_is_made_by_hand(staffed: Desk) -> None:
    staffed.run("mailbox", "create", "All", "--address", "all@alder.test", "--profile", "Mail", "--password", given=PASSWORD)
    box = staffed.json("mailbox", "show", "All")
    assert (box["isforwardmailbox"], box["username"], box["ispasswordset"]) == (True, "all@alder.test", True)


def test_approval_needs_the_privilege(staffed: Desk) -> None:
    told = staffed.refused("mailbox", "approve", "ada@alder.test", "--as", "Ada", code=1)
    assert "prvApproveRejectEmailAddress" in told
    staffed.run("mailbox", "reject", "ada@alder.test", "--as", "Ada", "--privilege", "prvApproveRejectEmailAddress")
    assert staffed.json("mailbox", "show", "ada@alder.test")["emailrouteraccessapproval"] == 3
    staffed.run("mailbox", "approve", "ada@alder.test", "support@alder.test")
    assert {one["emailrouteraccessapproval"] for one in staffed.json("mailbox", "list")["items"]} == {1}
    assert "no such privilege" in staffed.refused(
        "mailbox", "list", "--as", "Ada", "--privilege", "prvFly", code=2
    ) + staffed.refused("mailbox", "approve", "ada@alder.test", "--as", "Ada", "--privilege", "prvFly", code=2)


def test_names_are_looked_up_before_anything_is_done(staffed: Desk) -> None:
    staffed.refused("mailbox", "approve", "ada@alder.test", "nobody@alder.test", code=1)
    assert staffed.json("mailbox", "show", "ada@alder.test")["emailrouteraccessapproval"] == 2


def test_the_defaults_are_applied(staffed: Desk) -> None:
    staffed.run("mailbox", "set", "ada@alder.test", "emailserverprofile=")
    staffed.run("mailbox", "apply-defaults", "ada@alder.test")
    box = staffed.json("mailbox", "show", "ada@alder.test")
    assert (box["emailserverprofile"] is not None, box["testemailconfigurationscheduled"]) == (True, True)


def test_text_of_others_cannot_paint_the_terminal(staffed: Desk) -> None:
    staffed.run("record", "create", "contact", "fullname=\x1b[31mred\u202e", "emailaddress1=e@x.test")
    assert "\x1b" not in staffed.run("record", "list", "contact")
    assert "\u202e" not in staffed.run("record", "show", "contact", "e@x.test")


@pytest.mark.parametrize(
    ("call", "code", "says"),
    [
        (("user", "set", "Ada"), 2, "nothing to set"),
        (("user", "set", "Ada", "fulname=x"), 2, "did you mean 'fullname'?"),
        (("user", "create", "Eve", "--address", "no address"), 2, "not an e-mail address"),
        (("user", "create", "Eve", "--track", "some"), 2, "4 no email messages"),
        (("mailbox", "set", "ada@alder.test", "ispasswordset=yes"), 2, "engine only"),
        (("mailbox", "set", "support@alder.test", "actdeliverymethod=1"), 1, "users' mailboxes only"),
        (("profile", "create", "X", "--pop3", "a b"), 2, "HOST:PORT"),
        (("alerts", "clear"), 2, "--all"),
        (("alerts", "list", "--level", "loud"), 2, "3 error"),
        (("mail", "list", "--what", "eaten"), 2, "parked"),
        (("mail", "explain", "99"), 1, "99"),
        (("email", "send", "--to", "x@y.test"), 2, "--from"),
        (("email", "send", "--from", "nobody", "--to", "x@y.test"), 1, "nobody"),
        (("email", "resolve", "x"), 2, "--sent"),
        (("sync",), 2, "--once or --watch"),
        (("sync", "--once", "--watch"), 2, "--once or --watch"),
    ],
)
def test_what_is_refused_says_why_and_how_badly(staffed: Desk, call: tuple[str, ...], code: int, says: str) -> None:
    assert says in staffed.refused(*call, code=code)
