"""The phrases about what a router remembers over its own life: imported thresholds, a database that vanishes, the router's own alerts; and
about providers in other languages."""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib import resources
from shutil import which

import pytest
from pytest_bdd import given, parsers, then, when

from postroom.channels.email_router.database import RouterDatabase
from postroom.channels.email_router.state_files import import_system_state
from postroom.providers.configuration import validate
from postroom.providers.configuration.router_file import from_registry
from postroom.testing.router_stage import mail, provider
from postroom.testing.steps_router import Stage

BEGINNING = "0001-01-01T00:00:00Z"


@given(parsers.parse('the file has the provider "{kind}" for "{first}" and "{second}"'))
def file_has_for_two(postroom_router: Stage, kind: str, first: str, second: str) -> None:
    """From the account of the first."""
    base, parties = postroom_router.base, [postroom_router.parties[name] for name in (first, second)]
    entry = base.pop3(parties[0], UserId=[one.id for one in parties], DeleteEmails="false")
    postroom_router.entries[f"{kind} {first}"] = entry


@given(parsers.re(r"""the original's state file says that "(?P<address>[^"]+)" stood (?P<days>\d+) days? ago"""))
def state_file_says(postroom_router: Stage, address: str, days: str) -> None:
    moment = postroom_router.base.scene.world.clock.now() - timedelta(days=int(days))
    _import(postroom_router, address, moment)


@given(parsers.parse('the original\'s state file says that "{address}" stood at the beginning of time'))
def state_file_begins(postroom_router: Stage, address: str) -> None:
    _import(postroom_router, address, None)


def _import(stage: Stage, address: str, moment: datetime | None) -> None:
    """In the layout of the original, into the database of the router."""
    base = stage.base
    stage.write()
    file, problems = validate(base.path, resolve=from_registry(base.registry))
    assert file is not None, problems
    path = base.folder / "SystemState.xml"
    said = BEGINNING if moment is None else moment.isoformat()
    path.write_text(
        f"<SystemState><a1><EmailAddress>{address}</EmailAddress><ThresholdDate>{said}</ThresholdDate></a1></SystemState>",
        encoding="utf-8",
    )
    if base.database is None:
        base.database = RouterDatabase(base.url, base.scene.world.clock)
    assert len(import_system_state(base.database, path, file.providers)) == 1


@given(parsers.parse('the folder "{folder}" holds the mail "{subject}" to "{address}"'))
def folder_holds(postroom_router: Stage, folder: str, subject: str, address: str) -> None:
    place = postroom_router.base.folder / folder
    place.mkdir(exist_ok=True)
    (place / f"{subject}.eml").write_bytes(mail(subject, address))


@given(parsers.parse('the file has the shell script of the samples for "{name}" and the folder "{folder}"'))
def file_has_script(postroom_router: Stage, name: str, folder: str) -> None:
    shell = which("sh")
    if shell is None:
        pytest.skip("there is no sh here")
    script = resources.files("postroom.samples").joinpath("folder.sh")
    _in_a_process(postroom_router, f"process:{shell} {script}", name, folder)


@given(parsers.parse('the file has the provider "{kind}" for "{name}" and the folder "{folder}"'))
def file_has_program(postroom_router: Stage, kind: str, name: str, folder: str) -> None:
    _in_a_process(postroom_router, kind, name, folder)


def _in_a_process(stage: Stage, kind: str, name: str, folder: str) -> None:
    elements = {"Name": folder, "UserId": stage.parties[name].id, "Folder": str(stage.base.folder / folder)}
    stage.entries[folder] = provider(kind, **elements)


@when("the router's database vanishes")
def database_vanishes(postroom_router: Stage) -> None:
    base = postroom_router.base
    postroom_router.router.close()
    assert base.database is not None
    base.database.close()
    base.database = None


@when(parsers.parse('the entry "{name}" is renamed to "{another}"'))
def entry_renamed(postroom_router: Stage, name: str, another: str) -> None:
    before, _, rest = postroom_router.entries[name].partition("<Name>")
    postroom_router.entries[name] = f"{before}<Name>{another}</Name>{rest.partition('</Name>')[2]}"


@when(parsers.re(r'somebody resumes "(?P<name>[^"]+)" for mail of the last (?P<days>\d+) days'))
def somebody_resumes_since(postroom_router: Stage, name: str, days: str) -> None:
    since = postroom_router.base.scene.world.clock.now() - timedelta(days=int(days))
    postroom_router.router.resume(name, since=since)
    postroom_router.router.run_due()


@when(parsers.parse('somebody resumes "{name}" of the second router'))
def somebody_resumes_second(postroom_router: Stage, name: str) -> None:
    postroom_router.routers["the second router"].resume(name)
    postroom_router.routers["the second router"].run_due()


@then(parsers.re(r'the mailbox of "(?P<address>[^"]+)" still holds (?P<count>\d+) messages? at the source'))
def at_the_source(postroom_router: Stage, address: str, count: str) -> None:
    assert len(postroom_router.base.scene.received(address)) == int(count)


@then(parsers.parse('the router itself has the alert "{kind}"'))
def router_has_alert(postroom_router: Stage, kind: str) -> None:
    assert [one.kind for one in postroom_router.router.problems()] == [kind]


@then("the router itself has no alert")
def router_has_no_alert(postroom_router: Stage) -> None:
    assert postroom_router.router.problems() == ()


@then(parsers.parse('nothing of "{name}" is kept'))
def nothing_is_kept(postroom_router: Stage, name: str) -> None:
    assert [row for row in postroom_router.router.memory.rows() if row.name == name] == []
