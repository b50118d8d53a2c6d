"""`postroom sync` as people run it: another process, real sockets, and a signal in the middle of the work."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command_desk import PASSWORD, Desk, mail_server, set_up

from postroom_simulator import World
from postroom_simulator.faults import Delay, Effect, Fault, Reply, When
from postroom_simulator.journal import Entry, Kind
from postroom_simulator.net.tcp import Servers
from postroom_simulator.store import Role

PATIENCE = 60.0
ADA = "ada@alder.test"


class Scene:
    def __init__(self, desk: Desk, world: World, servers: Servers) -> None:
        self.desk = desk
        self.world = world
        self.servers = servers

    def mail(self, number: int) -> None:
        text = f"From: carl@birch.test\r\nTo: {ADA}\r\nSubject: Number {number}\r\nMessage-ID: <{number}@birch.test>\r\n\r\nHello\r\n"
        self.world.deliver("carl@birch.test", [ADA], text.encode())

    def fault(self, effect: Effect, **when: Any) -> None:
        self.world.faults.add(Fault(When(**when), effect))

    def tracked(self) -> list[str]:
        items = self.desk.json("mail", "list", "--limit", "1000", "--what", "tracked")["items"]
        return sorted(one["subject"] for one in items if one["subject"].startswith("Number"))

    def interrupted(self, *arguments: str, number: int, when: Callable[[Entry], bool]) -> subprocess.CompletedProcess[str]:
        """The command in a process of its own, sent a signal at the first journal entry that `when` likes."""
        seen = threading.Event()
        self.world.journal.listen(lambda entry: seen.set() if when(entry) else None)
        command = [sys.executable, "-m", "postroom", *arguments, "--deployment", str(self.desk.folder)]
        with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                assert seen.wait(PATIENCE), "the work never got so far"
                process.send_signal(number)
                out, errors = process.communicate(timeout=PATIENCE)
            finally:
                process.kill()
        assert "Traceback" not in errors, errors
        return subprocess.CompletedProcess(command, process.returncode, out, errors)


@pytest.fixture
def scene(desk: Desk, tmp_path: Path) -> Iterator[Scene]:
    with mail_server(tmp_path, ADA, "betty@birch.test") as (world, servers):
        set_up(desk, servers, ADA)
        yield Scene(desk, world, servers)


def retrieved(count: int) -> Callable[[Entry], bool]:
    """After so many messages were handed out."""
    seen = 0

    def when(entry: Entry) -> bool:
        nonlocal seen
        seen += entry.kind is Kind.OFFERED
        return seen >= count

    return when


@pytest.mark.slow
def test_ctrl_c_in_the_middle_of_a_mailbox_loses_and_doubles_nothing(scene: Scene) -> None:
    for number in range(40):
        scene.mail(number)
    scene.fault(Delay(0.05), protocol="pop3", at="RETR")
    ended = scene.interrupted("sync", "--once", "--json", number=signal.SIGINT, when=retrieved(3))
    assert "stopping" in ended.stderr
    assert ended.returncode == 1  # not everything that was due was done
    document = json.loads(ended.stdout)
    assert document["summary"]["stopped"] is True
    first = scene.tracked()
    assert len(first) < 40
    scene.world.faults.clear()
    assert "failed" not in scene.desk.run("sync", "--once", "--now")  # the lease is free, nothing is in the way
    assert scene.tracked() == sorted(f"Number {number}" for number in range(40))
    assert set(first) <= set(scene.tracked())


@pytest.mark.slow
def test_a_message_that_is_being_handed_over_is_handed_over(scene: Scene) -> None:
    scene.desk.run("record", "create", "contact", "fullname=Betty", "emailaddress1=betty@birch.test")
    for subject in ("First", "Second"):
        scene.desk.run("email", "send", "--from", ADA, "--to", "Betty", "--subject", subject)
    scene.fault(Delay(1.0), protocol="smtp", at="end-of-data")
    ended = scene.interrupted(
        "sync", "--watch", "--json", number=signal.SIGTERM, when=lambda entry: entry.kind is Kind.DELIVERY
    )
    assert ended.returncode == 0
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert lines[-1]["summary"]["stopped"] is True
    assert lines[-1]["summary"]["sent"] == 1
    marks = {one["subject"].split(" CRM")[0]: one["mark"] for one in scene.desk.json("email", "list")["items"] if one["mark"]}
    assert marks == {"First": "sent", "Second": "pending"}
    scene.world.faults.clear()
    scene.desk.run("sync", "--once", "--now")
    assert len(scene.desk.json("email", "list", "--status", "sent")["items"]) == 2
    assert len(scene.world.store.items(scene.world.store.folder("betty@birch.test", Role.INBOX).uid)) == 2


def test_once_is_told_run_by_run_with_a_summary(scene: Scene) -> None:
    scene.mail(1)
    scene.desk.run("user", "create", "Eve", "--address", "eve@alder.test", "--password", given=PASSWORD)
    document = scene.desk.json("sync", "--once")
    (run,) = document["runs"]
    assert (run["name"], run["operation"], run["processed"], run["failed"], run["error"]) == (ADA, "incoming", 2, 0, None)
    summary = document["summary"]
    assert (summary["runs"], summary["failed_runs"], summary["tracked"], summary["stopped"]) == (1, 0, 2, False)
    assert [one["name"] for one in summary["skipped"]] == ["eve@alder.test"]
    assert summary["next_due"] is not None
    scene.mail(2)
    assert "0 runs: nothing new" in scene.desk.run("sync", "--once")  # the schedule has it later
    assert "1 tracked" in scene.desk.run("sync", "--once", "--now", "--mailbox", ADA)


def test_a_run_that_fails_is_said_and_is_exit_code_1(scene: Scene) -> None:
    scene.fault(Reply("-ERR", "[SYS/TEMP] not now"), protocol="pop3", at="PASS")
    scene.fault(Reply("-ERR", "[SYS/TEMP] not now"), protocol="pop3", at="AUTH")
    out = scene.desk.run("sync", "--once", code=1)
    assert "failed: " in out
    assert "1 run, 1 failed" in out
    told = scene.desk.json("mailbox", "explain", ADA)["operations"]["incoming"]
    assert [one["code"] for one in told["reasons"]] == ["postponed"]


def test_a_mailbox_whose_password_is_wrong_is_not_enabled(scene: Scene) -> None:
    scene.desk.run("mailbox", "set", ADA, "--password", given="not-it")
    result = scene.desk.json("mailbox", "test-and-enable", ADA, code=1)["items"][0]
    assert result["passed"] is False
    assert {one["direction"]: (one["result"], one["enabled"]) for one in result["directions"]} == {
        "incoming": ("failure", False),
        "outgoing": ("failure", False),
    }
    assert all(one["error"]["text"] for one in result["directions"])
    alerts = scene.desk.json("alerts", "list", "--level", "error")["items"]
    assert alerts
    assert scene.desk.json("alerts", "clear", "--level", "error") == {"done": "cleared", "count": len(alerts)}
    assert scene.desk.run("alerts", "list", "--level", "error") == "no alerts\n"


def test_failed_emails_are_listed_with_the_subject_for_their_owner_only(scene: Scene) -> None:
    scene.fault(Reply("554", "5.5.1 no"), protocol="smtp", at="DATA")
    scene.desk.run("settings", "set", "allowunresolvedpartiesonemailsend=yes")
    scene.desk.run("email", "send", "--from", ADA, "--to", "betty@birch.test", "--subject", "Order", "--body", "x")
    told = scene.desk.run("sync", "--once")
    assert "1 not sent" in told
    assert "***" in (shown := scene.desk.run("mailbox", "failures"))
    assert "Order" not in shown
    mine = scene.desk.run("mailbox", "failures", "--as", ADA)
    assert all(word in mine for word in ("Order", "554 5.5.1 no", "outgoing"))


def test_a_test_can_be_left_to_the_next_sync_or_only_look(scene: Scene) -> None:
    scene.desk.run("mailbox", "set", ADA, "--password", given=PASSWORD)
    scene.desk.run("mailbox", "test-and-enable", ADA, "--test-only")
    assert scene.desk.json("mailbox", "show", ADA)["enabledforincomingemail"] is False
    scene.desk.run("mailbox", "test-and-enable", ADA, "--schedule-only")
    assert scene.desk.json("mailbox", "show", ADA)["incomingemailstatus"] == 0
    scene.desk.run("sync", "--once")
    assert scene.desk.json("mailbox", "show", ADA)["enabledforincomingemail"] is True


def test_mail_before_a_date_is_left_alone(scene: Scene) -> None:
    scene.mail(1)
    scene.desk.run("mailbox", "test-and-enable", ADA, "--received-after", "2090-01-01")
    scene.desk.run("sync", "--once", "--now")
    (row, *_) = scene.desk.json("mail", "list", "--what", "pending")["items"]
    told = scene.desk.json("mail", "explain", str(row["number"]))["items"][0]
    assert told["reason"] == "before watermark"
    (setting,) = [one for one in told["settings"] if one["would_change_it"]]
    assert setting["command"].startswith(f"postroom mailbox set {row['mailbox']} processemailreceivedafter=")


def test_an_uncertain_email_is_resolved_by_a_person(scene: Scene) -> None:
    from postroom_simulator.faults import LoseReply

    scene.desk.run("record", "create", "contact", "fullname=Betty", "emailaddress1=betty@birch.test")
    scene.desk.run("email", "send", "--from", ADA, "--to", "Betty", "--subject", "Lost", "--body-file", "-", given="<p>x</p>")
    scene.fault(LoseReply(), protocol="smtp", at="end-of-data")
    scene.desk.run("sync", "--once", code=1)
    (email,) = scene.desk.json("email", "list", "--status", "uncertain")["items"]
    assert "uncertain" in scene.desk.run("email", "show", email["activityid"])
    scene.desk.run("email", "resolve", email["activityid"], "--sent")
    assert scene.desk.json("email", "list", "--status", "uncertain") == {"items": []}
    assert scene.desk.json("email", "show", "Lost")["outgoing"]["mark"] == "sent"


def test_an_email_to_nobody_known_is_refused_and_leaves_no_draft(scene: Scene) -> None:
    told = scene.desk.refused("email", "send", "--from", ADA, "--to", "who@cedar.test", "--subject", "x", code=1)
    assert "unresolved" in told
    assert scene.desk.json("email", "list", "--status", "draft") == {"items": []}
    scene.desk.run("settings", "set", "allowunresolvedpartiesonemailsend=yes")
    made = scene.desk.json("email", "send", "--from", ADA, "--to", "who@cedar.test", "--subject", "x")
    assert made["done"] == "requested"
    scene.desk.run("email", "cancel", made["id"])
    assert scene.desk.json("email", "show", made["id"])["statuscode"] == 5


def test_all_mailboxes_of_a_profile_are_tested(scene: Scene) -> None:
    scene.world.add_account("support@alder.test", PASSWORD)
    scene.desk.run("queue", "create", "Support", "--address", "support@alder.test", "--password", given=PASSWORD)
    scene.desk.run("mailbox", "approve", "support@alder.test")
    items = scene.desk.json("profile", "test-and-enable", "Mail")["items"]
    assert [(one["name"], one["passed"]) for one in items] == [("support@alder.test (Support)", True), (f"{ADA} (Ada)", True)]
    scene.desk.run("profile", "create", "Other", "--pop3", "mail.test", "--smtp", "mail.test")
    assert "no mailbox" in scene.desk.refused("profile", "test-and-enable", "Other", code=1)


def test_an_address_of_nobody_is_somebodys(scene: Scene) -> None:
    scene.mail(1)
    scene.desk.run("sync", "--once", "--now")
    scene.desk.run("record", "create", "contact", "fullname=Carl", "emailaddress1=carl@home.test")
    assert "no unresolved address" in scene.desk.refused("email", "link", "Number 1", "x@y.test", "--to", "Carl", code=1)
    linked = scene.desk.json("email", "link", "Number 1", "carl@birch.test", "--to", "contact:Carl")
    assert linked["count"] == 1
    parties = {one["kind"]: one["party"] for one in scene.desk.json("email", "show", "Number 1")["parties"]}
    assert parties["from"] == linked["to"]


def test_a_custom_entity_gets_addresses(scene: Scene) -> None:
    scene.desk.run("record", "email-columns", "new_partner", "new_email")
    scene.desk.run("record", "create", "new_partner", "new_name=Dora", "new_email=carl@birch.test")
    scene.mail(1)
    scene.desk.run("sync", "--once", "--now")
    parties = {one["kind"]: one["party"] for one in scene.desk.json("email", "show", "Number 1")["parties"]}
    assert parties["from"]["entity"] == "new_partner"


@pytest.mark.parametrize("postroom_database", ["postgresql"], indirect=True)
def test_an_organization_on_postgresql(desk: Desk, tmp_path: Path, postroom_database: str) -> None:
    with mail_server(tmp_path, ADA) as (world, servers):
        desk.run("org", "create", "Alder", "--database", postroom_database, "--ca-file", "ca.pem")
        pop3, smtp = (f"localhost:{servers.addresses[name][1]}" for name in ("pop3s", "smtps"))
        desk.run("profile", "create", "Mail", "--pop3", pop3, "--smtp", smtp, "--default")
        desk.run("user", "create", "Ada", "--address", ADA, "--password", "--track", "all", given=PASSWORD)
        desk.run("mailbox", "approve", ADA)
        desk.run("mailbox", "test-and-enable", ADA)
        Scene(desk, world, servers).mail(1)
        assert desk.json("sync", "--once")["summary"]["tracked"] == 2
        assert {one["subject"] for one in desk.json("mail", "list")["items"]} >= {"Number 1"}
        assert desk.json("org", "upgrade")["done"] == "nothing"
        assert desk.json("org", "vacuum")["after"] > 0
        assert not list(tmp_path.glob("*.sqlite3"))
        assert "holds an organization already" in desk.refused(
            "org", "create", "Birch", "--database", postroom_database, code=1
        )
