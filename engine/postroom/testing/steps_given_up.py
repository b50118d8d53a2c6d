"""The phrases about messages that cannot be taken in."""

from __future__ import annotations

from datetime import timedelta

from pytest_bdd import parsers, then, when

from postroom.mime.values import Attachment
from postroom.organization import SYSTEM, Caller
from postroom.testing.books import Incoming, balance
from postroom.testing.scene import Scene


def _row(scene: Scene, subject: str) -> Incoming:
    found = [row for row in balance(scene.world, scene.organization).incoming if row.subject == subject]
    assert len(found) == 1, f"{len(found)} mails have the subject {subject!r}"
    return found[0]


@then(parsers.parse('the mail "{subject}" is given up, because "{reason}"'))
def given_up(postroom_scene: Scene, subject: str, reason: str) -> None:
    row = _row(postroom_scene, subject)
    assert row.outcome == "parked", f"{row.outcome}: {row.reason}"
    assert reason in row.reason, row.reason


@then(parsers.parse('the mail "{subject}" is tried again'))
def tried_again(postroom_scene: Scene, subject: str) -> None:
    row = _row(postroom_scene, subject)
    assert row.outcome == "pending", f"{row.outcome}: {row.reason}"


@when(parsers.parse('the email "{subject}" is sent again'))
def sent_again(postroom_scene: Scene, subject: str) -> None:
    """Somebody opens the failed email and sends it once more."""
    [email] = postroom_scene.organization.retrieve_multiple(SYSTEM, "email", directioncode=True)
    assert subject in email.subject
    postroom_scene.organization.send_email(SYSTEM, email.activityid)
    postroom_scene.run()


@when(parsers.parse("the engine runs again after {days:d} days"))
def runs_after_days(postroom_scene: Scene, days: int) -> None:
    postroom_scene.run(after=timedelta(days=days))


@when(parsers.parse('a mail of {size:d} octets from "{sender}" to "{to}" arrives with the subject "{subject}"'))
def a_large_mail(postroom_scene: Scene, size: int, sender: str, to: str, subject: str) -> None:
    postroom_scene.mail(sender, to, subject, attachments=[Attachment("large.bin", "application/octet-stream", bytes(size))])


def _failed_emails(scene: Scene, caller: Caller) -> list[tuple[str, int | None, str]]:
    rows = scene.organization.retrieve_multiple(caller, "exchangesyncidmapping")
    return [(row.itemsubject or "", row.retries, row.lastsyncerror or "") for row in rows]


def _sees(scene: Scene, caller: Caller, subject: str, tries: int, reason: str) -> None:
    found = _failed_emails(scene, caller)
    assert [one[:2] for one in found] == [(subject, tries)], found
    assert reason in found[0][2], found


@then(
    parsers.re(
        r'"(?P<name>[^"]+)" sees a failed email "(?P<subject>[^"]*)", tried (?P<tries>\d+) times?, because "(?P<reason>[^"]+)"'
    )
)
def sees_a_failed_email(postroom_scene: Scene, name: str, subject: str, tries: str, reason: str) -> None:
    _sees(postroom_scene, Caller.user(postroom_scene.people[name].id), subject, int(tries), reason)


@then(
    parsers.re(
        r'an administrator sees a failed email "(?P<subject>[^"]*)", tried (?P<tries>\d+) times?, because "(?P<reason>[^"]+)"'
    )
)
def an_administrator_sees(postroom_scene: Scene, subject: str, tries: str, reason: str) -> None:
    _sees(postroom_scene, SYSTEM, subject, int(tries), reason)


@then(parsers.parse('"{name}" sees no failed emails'))
def sees_no_failed_emails(postroom_scene: Scene, name: str) -> None:
    assert _failed_emails(postroom_scene, Caller.user(postroom_scene.people[name].id)) == []
