"""`postroom router` as people run it: organizations of a deployment, a file, real sockets."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from command_desk import PASSWORD, Desk, mail_server

from postroom.channels.email_router.database import RouterDatabase
from postroom.clock import SystemClock
from postroom.testing.router_stage import mail, provider, words
from postroom_simulator import World
from postroom_simulator.net.tcp import Servers
from postroom_simulator.store import Role

PATIENCE = 60.0
ADA, BETTY = "ada@alder.test", "betty@birch.test"


class Stage:
    """An organization on the router channel, servers on sockets, a file."""

    def __init__(self, desk: Desk, world: World, servers: Servers) -> None:
        self.desk, self.world, self.servers = desk, world, servers

    def pop3(self, **elements: Any) -> str:
        given = {
            "Name": "Ada in",
            "EmailServer": "localhost",
            "EmailPort": self.servers.addresses["pop3s"][1],
            "EmailUser": ADA,
            "EmailPassword": PASSWORD,
        }
        return provider("pop3", **{**given, **elements})

    def smtp(self, **elements: Any) -> str:
        given = {
            "Name": "Out",
            "EmailServer": "localhost",
            "EmailPort": self.servers.addresses["smtps"][1],
            "EmailTls": "implicit",
            "EmailUser": ADA,
            "EmailPassword": PASSWORD,
        }
        return provider("smtp", **{**given, **elements})

    def write(self, *providers: str, **system: Any) -> None:
        (self.desk.folder / "router.xml").write_text(words(*providers, **system), encoding="utf-8")

    def mail(self, subject: str) -> None:
        self.world.deliver("carl@birch.test", [ADA], mail(subject, ADA))

    def once(self, code: int = 0) -> dict[str, Any]:
        document = self.desk.json("router", "once", "router.xml", code=code)
        assert isinstance(document, dict)
        return document

    def status(self, *arguments: str) -> dict[str, dict[str, Any]]:
        items = self.desk.json("router", "status", *arguments)["items"]
        return {one["name"]: one for one in items}

    def subjects(self) -> set[str]:
        return {one["subject"] for one in self.desk.json("mail", "list", "--what", "tracked")["items"]}

    def database(self) -> RouterDatabase:
        return RouterDatabase(f"sqlite:///{self.desk.folder}/router.sqlite3", SystemClock())


def person(desk: Desk, address: str = ADA, *more: str) -> None:
    desk.run("user", "create", "Ada", "--address", address, "--track", "all", *more)
    desk.run("mailbox", "approve", address, *more)


@pytest.fixture
def stage(desk: Desk, tmp_path: Path) -> Iterator[Stage]:
    with mail_server(tmp_path, ADA, BETTY) as (world, servers):
        desk.run("org", "create", "Alder", "--ca-file", "ca.pem")
        desk.run("settings", "set", "emailconnectionchannel=1", "allowunresolvedpartiesonemailsend=yes")
        person(desk)
        made = Stage(desk, world, servers)
        made.write(made.pop3(), made.smtp())
        yield made


def test_once_takes_in_and_sends_and_remembers(stage: Stage) -> None:
    stage.mail("Ten pencils")
    stage.desk.run("email", "send", "--from", ADA, "--to", BETTY, "--subject", "Your pencils")
    document = stage.once()
    runs = {one["name"]: one for one in document["runs"]}
    assert (runs["Ada in"]["operation"], runs["Ada in"]["processed"], runs["Ada in"]["error"]) == ("incoming", 1, None)
    assert (runs["Out"]["operation"], runs["Out"]["delivered"], runs["Out"]["mailbox"]) == ("outgoing", 1, ADA)
    summary = document["summary"]
    assert (summary["runs"], summary["failed_runs"], summary["tracked"], summary["sent"]) == (2, 0, 1, 1)
    assert (summary["stopped"], summary["waiting"], summary["need_attention"]) == (False, 0, [])
    assert stage.subjects() == {"Ten pencils"}
    assert len(stage.world.store.items(stage.world.store.folder(BETTY, Role.INBOX).uid)) == 1
    told = stage.desk.run("router", "once", "router.xml")
    assert told.splitlines()[-1] == "2 runs: nothing new"
    assert (stage.desk.folder / "router.sqlite3").stat().st_mode & 0o777 == 0o600


def test_the_file_is_said_line_by_line(stage: Stage) -> None:
    path = stage.desk.folder / "router.xml"
    path.write_text(words(stage.pop3(EmailPort="much")))
    for call in (("once",), ("run",), ("status",), ("check",)):
        told = stage.desk.refused("router", *call, "router.xml", code=1)
        assert "router.xml: " in told
        assert "EmailPort" in told
    assert "is no file" in stage.desk.refused("router", "once", "nowhere.xml", code=1)


def test_a_log_in_that_is_refused_is_said_and_stops_the_instance(stage: Stage) -> None:
    stage.write(stage.pop3(EmailPassword="wrong-and-secret"), stage.smtp())
    document = stage.once(code=1)
    (run,) = [one for one in document["runs"] if one["error"] is not None]
    assert (run["name"], run["error"]["state"]) == ("Ada in", "stopped")
    (needing,) = document["summary"]["need_attention"]
    assert (needing["name"], needing["why"]) == ("Ada in", run["error"]["text"])
    assert "wrong-and-secret" not in json.dumps(document)
    told = stage.desk.run("router", "once", "router.xml", code=1)
    assert "stopped   Ada in: " in told
    assert "2 runs, 1 failed" in told
    for status in (stage.status(), stage.status("router.xml")):
        assert (status["Ada in"]["state"], status["Ada in"]["why"]) == ("stopped", run["error"]["text"])
        assert status["Out"]["state"] == "waiting"
    assert run["error"]["text"] in stage.desk.run("router", "status")
    stage.write(stage.pop3(), stage.smtp())  # the same instance: a password is no part of an identity
    stage.once()
    assert stage.status()["Ada in"]["state"] == "waiting"


def test_an_organization_that_does_not_use_the_router_is_not_served(stage: Stage) -> None:
    stage.desk.run("settings", "set", "emailconnectionchannel=0")
    stage.mail("Ten pencils")
    document = stage.once()
    assert {one["skipped"] for one in document["runs"]} == {"the organization uses server-side synchronization"}
    assert document["summary"]["failed_runs"] == 0
    assert "organization.left" in {one["event"] for one in document["events"]}
    why = stage.status("router.xml")["Ada in"]["why"]
    assert "postroom settings set emailconnectionchannel=1 --org Alder" in why
    assert stage.subjects() == set()


def test_crm_server_url_says_whose_an_entry_is(stage: Stage) -> None:
    stage.desk.run("org", "create", "Birch", "--org", "Birch")
    stage.desk.run("settings", "set", "emailconnectionchannel=1", "--org", "Birch")
    person(stage.desk, ADA, "--org", "Birch")
    stage.write(
        stage.pop3(CrmServerUrl="https://crm.test/BIRCH"),
        stage.pop3(Name="Nobody's", EmailUser=BETTY),
        stage.pop3(Name="Cedar's", EmailUser=BETTY, CrmServerUrl="https://crm.test/Cedar"),
    )
    stage.mail("For Birch")
    document = stage.once(code=1)
    assert [(one["name"], one["organization"]) for one in document["runs"]] == [("Ada in", "Birch")]
    whys = {one["name"]: one["why"] for one in document["summary"]["need_attention"]}
    assert whys == {
        "Nobody's": "CrmServerUrl is missing",
        "Cedar's": "CrmServerUrl names no organization of this router",
    }
    subjects = {
        name: [one["subject"] for one in stage.desk.json("mail", "list", "--org", name)["items"]] for name in ("Alder", "Birch")
    }
    assert subjects == {"Alder": [], "Birch": ["For Birch"]}


def test_status_of_a_file_knows_what_has_not_run(stage: Stage) -> None:
    stage.write(stage.pop3(), stage.smtp(), stage.pop3(Name="Betty in", EmailUser=BETTY), provider("no_such:Provider"))
    status = stage.status("router.xml")
    assert (status["Ada in"]["state"], status["Ada in"]["why"], status["Ada in"]["due_now"]) == (
        "waiting",
        "has not run yet",
        True,
    )
    assert (status["Betty in"]["state"], status["Betty in"]["why"]) == ("stopped", f"no mailbox has the address {BETTY}")
    assert status["no_such:Provider"]["state"] == "broken"
    assert not (stage.desk.folder / "router.sqlite3").exists()  # looking makes nothing
    stage.once(code=1)
    status = stage.status("router.xml")
    assert (status["Ada in"]["state"], status["Ada in"]["why"]) == ("waiting", "")
    assert status["Ada in"]["next_due"] is not None
    stage.desk.run("mailbox", "reject", ADA)
    assert "not approved" in stage.status("router.xml")["Ada in"]["why"]


def test_check_names_what_fails(stage: Stage) -> None:
    assert {one["result"] for one in stage.desk.json("router", "check", "router.xml")["items"]} == {"ok"}
    stage.write(
        stage.pop3(EmailPassword="wrong-and-secret"),
        stage.smtp(),
        stage.pop3(Name="Betty in", EmailUser=BETTY),
        provider("no_such:Provider"),
        stage.smtp(Name="Elsewhere", CrmServerUrl="https://crm.test/Cedar"),
    )
    told = stage.desk.run("router", "check", "router.xml", code=1)
    assert "wrong-and-secret" not in told
    assert told.splitlines()[-1] == "3 of 5 failed: Ada in, Elsewhere, no_such:Provider"
    document = stage.desk.run("router", "check", "router.xml", "--json", code=1)
    results = {one["name"]: (one["result"], one["detail"]) for one in json.loads(document)["items"]}
    assert results["Out"][0] == "ok"
    assert results["Betty in"][0] == "not served"
    assert f"no mailbox has the address {BETTY}" in results["Betty in"][1]
    assert "ModuleNotFoundError" in results["no_such:Provider"][1]
    assert results["Elsewhere"][1].endswith("CrmServerUrl names no organization of this router")
    assert stage.subjects() == set()


def test_check_needs_no_deployment(stage: Stage) -> None:
    (stage.desk.folder / "postroom.toml").unlink()
    runner = stage.desk.runner
    from postroom.cli import app

    done = runner.invoke(app, ["router", "check", "router.xml", "--ca-file", "ca.pem", "--json"])
    assert done.exit_code == 0, done.output
    assert {one["result"] for one in json.loads(done.stdout)["items"]} == {"ok"}
    done = runner.invoke(app, ["router", "check", "router.xml"])  # whom should it trust?
    assert done.exit_code == 1
    assert "Ada in" in done.stdout


RUDE = """\
from dataclasses import dataclass

from postroom.providers.contract import Direction, ProviderSpec


@dataclass(frozen=True)
class State: ...


class Rude:
    spec = ProviderSpec("rude", Direction.INBOUND, State, State)

    def __init__(self, config, env): ...

    def check(self, ctx):
        raise SystemExit(0)

    def run(self, ctx): ...

    def close(self):
        raise ValueError
"""


def test_a_provider_that_ends_the_process_is_that_providers_answer(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(stage.desk.folder)  # which also takes back what the command adds
    (stage.desk.folder / "rude_provider.py").write_text(RUDE)
    stage.write(provider("rude_provider:Rude", Name="Rude", Target=ADA), stage.smtp())
    told = stage.desk.run("router", "check", "router.xml", code=1)
    assert "the provider raised SystemExit" in told
    assert "1 of 2 failed: Rude" in told


def test_memory_that_was_lost_is_not_begun_anew_until_somebody_decides(stage: Stage) -> None:
    stage.mail("Ten pencils")
    stage.write(stage.pop3())
    stage.once()
    (stage.desk.folder / "router.sqlite3").unlink()
    stage.mail("Twelve pencils")
    summary = stage.once(code=1)["summary"]
    (needing,) = summary["need_attention"]
    assert needing["state"] == "held"
    assert "what it remembers is not in the router's database" in needing["why"]
    assert stage.status("router.xml")["Ada in"]["state"] == "held"
    assert "a moment expected" in stage.desk.refused("provider", "state", "resume", "Ada in", "--since", "x", code=2)
    stage.desk.run("provider", "state", "resume", "Ada in", "--since", "2020-01-01")
    with stage.database() as db:
        (row,) = db.rows()
        assert (row.held, str(row.threshold)) == ("", "2020-01-01 00:00:00+00:00")
    assert stage.once()["summary"]["tracked"] == 1
    assert stage.subjects() == {"Ten pencils", "Twelve pencils"}


def test_what_is_wrong_with_the_router_itself_is_in_the_status(stage: Stage) -> None:
    stage.write(stage.pop3(), LogFile="/nowhere/at/all.log", LogLevel=2)
    stage.once()
    (problem,) = stage.desk.json("router", "status")["problems"]
    assert problem["kind"] == "log_file"
    assert "the router itself: log file" in stage.desk.run("router", "status", "router.xml")


# -- run, in a process of its own


class Running:
    """`postroom router run --json`; `until` gives the first line that has what is asked for."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "postroom", "router", "run", "router.xml", "--json", "--deployment", str(folder)]
        self.process = subprocess.Popen(
            [*command, *arguments], cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.timer = threading.Timer(PATIENCE, self.process.kill)
        self.timer.start()

    def until(self, kind: str, **values: Any) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            told = json.loads(line).get(kind)
            if told is not None and all(told.get(name) == value for name, value in values.items()):
                assert isinstance(told, dict)
                return told
        raise AssertionError(f"{kind} {values} was never told: {self.process.stderr.read() if self.process.stderr else ''}")

    def end(self, number: int) -> tuple[list[dict[str, Any]], str]:
        self.process.send_signal(number)
        out, errors = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, errors
        return [json.loads(line) for line in out.splitlines()], errors

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.timer.cancel()
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(stage: Stage, number: int) -> None:
    stage.mail("Ten pencils")
    stage.write(stage.pop3(PollingPeriod=1000), SchedulingPeriod=1000)
    with Running(stage.desk.folder) as running:
        assert running.until("run", name="Ada in")["processed"] == 1
        lines, errors = running.end(number)
    assert "stopping" in errors
    assert "Traceback" not in errors
    assert lines[-1]["summary"]["stopped"] is True
    assert lines[-1]["summary"]["tracked"] == 1
    with stage.database() as db:
        assert [row.holder for row in db.rows()] == [""]


@pytest.mark.slow
def test_it_hears_who_asks_an_instance_to_go_on_and_reads_its_file_again(stage: Stage) -> None:
    stage.write(stage.pop3(EmailPassword="wrong-and-secret"), SchedulingPeriod=1000, ConfigRefreshPeriod=5000)
    with Running(stage.desk.folder) as running:
        assert running.until("run", name="Ada in")["error"]["state"] == "stopped"
        _until(lambda: stage.status()["Ada in"]["state"] == "stopped")
        assert stage.desk.json("provider", "state", "resume", "Ada in", "--reason", "try again")["was"] == "stopped"
        running.until("event", event="instance.resumed")
        assert running.until("run", name="Ada in")["error"]["state"] == "stopped"
        stage.write(stage.pop3(), SchedulingPeriod=1000, ConfigRefreshPeriod=5000)
        running.until("event", event="router.reloaded")
        assert running.until("run", name="Ada in")["error"] is None
        lines, _ = running.end(signal.SIGTERM)
    assert "wrong-and-secret" not in json.dumps(lines)
    assert stage.status()["Ada in"]["state"] == "waiting"


def _until(holds: Any) -> None:
    """Another process writes it; commands that ask take their time."""
    for _ in range(1000):
        if holds():
            return
    raise AssertionError("it never came to be")


# -- leaving it


def _ids(stage: Stage) -> str:
    return str(stage.desk.json("user", "show", ADA)["systemuserid"])


def test_the_plan_names_everything_and_is_applied_when_told(stage: Stage) -> None:
    user = _ids(stage)
    stage.write(stage.pop3(UserId=user), stage.smtp(UserId=user), provider("rss", Name="News", FeedUrl="https://feeds.test/a"))
    (stage.desk.folder / "SystemState.xml").write_text(
        f"<SystemState><x><EmailAddress>{ADA}</EmailAddress><ThresholdDate>2026-02-01T00:00:00Z</ThresholdDate></x></SystemState>"
    )
    (stage.desk.folder / "EncryptionKey.xml").write_text("<key>verysecretkey</key>")
    call = ("router", "migrate", "router.xml", "--state", "SystemState.xml", "--key", "EncryptionKey.xml")
    told = stage.desk.run(*call)
    assert "CUSTOM PROVIDERS THAT WILL NOT RUN ANY MORE: 1" in told
    assert "News" in told
    assert "2026-02-01 00:00:00" in told
    assert told.endswith("nothing was written; --apply writes it\n")
    assert stage.desk.json("profile", "list") == {"items": []}
    plan = stage.desk.json(*call)
    assert (plan["applied"], plan["done"], [one["class"] for one in plan["custom"]]) == (False, [], ["rss"])
    assert {one["name"].partition(" (")[0] for one in plan["providers"]} == {"Ada in", "Out", "News"}
    assert PASSWORD not in json.dumps(plan)
    done = stage.desk.json(*call, "--apply")["done"]
    assert {one["result"] for one in done} <= {"created", "changed", "left"}
    (profile,) = stage.desk.json("profile", "list")["items"]
    assert profile["incomingserverlocation"] == "localhost"
    assert stage.desk.json("mailbox", "show", ADA)["ispasswordset"] is True
    again = stage.desk.json(*call, "--apply")["done"]
    assert {one["result"] for one in again} <= {"unchanged", "left"}
    switched = stage.desk.json(*call, "--apply", "--switch")["done"][-1]
    assert (switched["what"], switched["result"]) == ("channel", "changed")
    assert "--apply" in stage.desk.refused(*call, "--switch", code=2)


def test_files_that_are_not_there_are_said(stage: Stage) -> None:
    assert "nowhere.xml: no such file" in stage.desk.refused("router", "migrate", "nowhere.xml", code=2)
    told = stage.desk.refused("router", "migrate", "router.xml", "--state", "nowhere.xml", code=2)
    assert "nowhere.xml: no such file" in told
    (stage.desk.folder / "empty.xml").write_text("<Configuration/>")
    assert "no ProviderConfiguration" in stage.desk.refused("router", "migrate", "empty.xml", code=2)


def test_which_of_the_files_organizations_is_meant(stage: Stage) -> None:
    user = _ids(stage)
    stage.write(stage.pop3(UserId=user, CrmServerUrl="https://crm.test/Contoso"))
    becomes = stage.desk.json("router", "migrate", "router.xml")["providers"][0]["becomes"]
    assert becomes.startswith("POP3/SMTP profile")  # the one organization that there is on both sides
    stage.write(
        stage.pop3(UserId=user, CrmServerUrl="https://crm.test/Contoso"),
        stage.pop3(Name="Other", CrmServerUrl="https://crm.test/Fabrikam"),
    )
    told = stage.desk.refused("router", "migrate", "router.xml", code=2)
    assert "--crm-url" in told
    assert "https://crm.test/Contoso or https://crm.test/Fabrikam" in told
    assert "no provider of the file has it" in stage.desk.refused("router", "migrate", "router.xml", "--crm-url", "x", code=2)
    call = ("router", "migrate", "router.xml", "--crm-url", "https://crm.test/contoso/")
    mine, other = stage.desk.json(*call)["providers"]
    assert mine["becomes"].startswith("POP3/SMTP profile")
    assert other["becomes"] == "not of this organization"


def test_the_last_part_of_the_url_is_the_organization(stage: Stage) -> None:
    stage.desk.run("org", "create", "Birch", "--org", "Birch")
    user = _ids_of(stage, "Alder")
    stage.write(
        stage.pop3(UserId=user, CrmServerUrl="https://crm.test/alder"),
        stage.pop3(Name="Other", CrmServerUrl="https://crm.test/Birch"),
    )
    becomes = [one["becomes"] for one in stage.desk.json("router", "migrate", "router.xml", "--org", "Alder")["providers"]]
    assert becomes[0].startswith("POP3/SMTP profile")
    assert becomes[1] == "not of this organization"
    assert "--org" in stage.desk.refused("router", "migrate", "router.xml", code=2)


def _ids_of(stage: Stage, name: str) -> str:
    return str(stage.desk.json("user", "show", ADA, "--org", name)["systemuserid"])
