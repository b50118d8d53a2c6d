"""The phrases about what an organization keeps: months that pass, retention, vacuum, a new key for the passwords, several engines at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from pytest_bdd import given, parsers, then, when

from postroom.errors import PostroomError, StoreError
from postroom.organization import SYSTEM
from postroom.store import ledger
from postroom.store.secrets import KeyRing
from postroom.testing.scene import Scene

_DAY = timedelta(days=1)


# -- time passes --------------------------------------------------------------------------------------------------------


@given(parsers.re(r"(?P<days>\d+) days (?:have passed|passed), and the engine ran on each"))
@when(parsers.re(r"(?P<days>\d+) days pass, and the engine runs on each"))
def days_of_work(postroom_scene: Scene, days: str) -> None:
    for _ in range(int(days)):
        postroom_scene.run(after=_DAY)


@given(parsers.re(r"(?P<days>\d+) days (?:have passed|passed) without the engine"))
@when(parsers.re(r"(?P<days>\d+) days pass without the engine"))
def days_of_rest(postroom_scene: Scene, days: str) -> None:
    postroom_scene.advance(int(days) * _DAY)


@given(parsers.parse("traces are kept for {days:d} days"))
def traces_are_kept(postroom_scene: Scene, days: int) -> None:
    postroom_scene.organization.update_settings(SYSTEM, tracelogmaximumageindays=days)


_AGES = {
    "messages that left their server": "keep_memory_days",
    "emails that were sent": "keep_outgoing_days",
    "octets of received messages": "keep_contents_days",
    "mailbox statistics": "keep_statistics_days",
}


@given(parsers.re(r"the deployment keeps (?P<what>.+) for (?P<days>\d+) days"))
def deployment_keeps(postroom_scene: Scene, what: str, days: str) -> None:
    assert what in _AGES, f"unknown: {what!r}; known: {sorted(_AGES)}"
    settings = postroom_scene.deployment.settings
    postroom_scene.deployment.settings = replace(settings, **{_AGES[what]: int(days)})  # type: ignore[arg-type]


@given(parsers.re(r'the server removes the mail "(?P<subject>[^"]+)"'))
@when(parsers.re(r'the server removes the mail "(?P<subject>[^"]+)"'))
def server_removes(postroom_scene: Scene, subject: str) -> None:
    """As its owner does with another program."""
    world = postroom_scene.world
    found = [item for item in postroom_scene.inbox_items() if f"Subject: {subject}".encode() in world.store.octets(item.uid)]
    assert found, f"no mail {subject!r} is on the server"
    for item in found:
        world.withdraw(item.uid)


# -- retention ----------------------------------------------------------------------------------------------------------


@when("retention runs")
def retention_runs(postroom_scene: Scene) -> None:
    postroom_scene.organization.retain(SYSTEM)


@then(parsers.re(r"the organization has (?P<some>no|some) (?P<what>mailbox statistics|traces) older than (?P<days>\d+) days"))
def rows_older_than(postroom_scene: Scene, some: str, what: str, days: str) -> None:
    before = postroom_scene.world.clock.now() - int(days) * _DAY
    entity, moment = {
        "mailbox statistics": ("mailboxstatistics", "mailboxprocesscompletedon"),
        "traces": ("tracelog", "modifiedon"),
    }[what]
    rows = postroom_scene.organization.retrieve_multiple(SYSTEM, entity)
    old = [row for row in rows if getattr(row, moment) < before]
    assert bool(old) == (some == "some"), f"{len(old)} of {len(rows)} {what} are older than {days} days"


@given(parsers.re(r'the octets of the mail "(?P<subject>[^"]+)" are kept'))
@then(parsers.re(r'the octets of the mail "(?P<subject>[^"]+)" are (?P<state>still|no longer) kept'))
def octets_are_kept(postroom_scene: Scene, subject: str, state: str = "still") -> None:
    row = _row(postroom_scene, subject)
    assert row is not None, f"the ledger knows no mail {subject!r}"
    with postroom_scene.organization.store.reading() as tx:
        kept = ledger.read_content(tx, row.digest) is not None
    assert kept == (state == "still")


@then(parsers.re(r'the ledger (?P<state>still|no longer) knows the mail "(?P<subject>[^"]+)"'))
def ledger_knows(postroom_scene: Scene, state: str, subject: str) -> None:
    assert (_row(postroom_scene, subject) is not None) == (state == "still")


@then(parsers.re(r'the ledger (?P<state>still|no longer) knows the email "(?P<subject>[^"]+)"'))
def ledger_knows_email(postroom_scene: Scene, state: str, subject: str) -> None:
    found = [row for row in postroom_scene.organization.books().outgoing if row.subject.startswith(subject)]
    assert bool(found) == (state == "still")


def _row(scene: Scene, subject: str) -> Any:
    return next((row for row in scene.organization.books().incoming if row.subject == subject), None)


@then(parsers.parse("the next retention is due in {hours:d} hours"))
def next_retention(postroom_scene: Scene, hours: int) -> None:
    assert postroom_scene.organization.retention_due() - postroom_scene.world.clock.now() == timedelta(hours=hours)


# -- vacuum -------------------------------------------------------------------------------------------------------------


@when("the database is vacuumed")
def vacuumed(postroom_scene: Scene) -> None:
    found = postroom_scene.organization.vacuum(SYSTEM)
    assert found.before > 0
    assert found.after > 0


# -- keys ---------------------------------------------------------------------------------------------------------------


@given(parsers.re(r"the passwords have a new key"))
@when(parsers.re(r"the passwords get a new key"))
def new_key(postroom_scene: Scene) -> None:
    before = KeyRing.from_text(postroom_scene.deployment.keys.to_text())
    found = postroom_scene.deployment.rotate_keys(SYSTEM)
    assert found.retired == len(before)
    assert postroom_scene.deployment.keys.to_text() != before.to_text()


@given("the key file is another one than that of the database")
def other_keys(postroom_scene: Scene) -> None:
    postroom_scene.organization.store.keys = KeyRing.generate()


@given("the key file is the right one again")
@when("the key file is the right one again")
def right_keys(postroom_scene: Scene) -> None:
    postroom_scene.organization.store.keys = postroom_scene.deployment.keys


@when("a new key is asked for")
def new_key_asked_for(postroom_scene: Scene) -> None:
    postroom_scene.refusal = None
    postroom_scene.deployment.keys = postroom_scene.organization.store.keys or postroom_scene.deployment.keys
    try:
        postroom_scene.deployment.rotate_keys(SYSTEM)
    except PostroomError as error:
        postroom_scene.refusal = error


@then("it is said that the key file has to be put back or the password entered again")
def said_what_to_do(postroom_scene: Scene) -> None:
    error = postroom_scene.refusal
    assert isinstance(error, StoreError), f"nothing was refused: {error!r}"
    assert "put back the key file" in str(error)
    assert "enter the secret again" in str(error)
