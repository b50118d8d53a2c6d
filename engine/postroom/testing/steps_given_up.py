"""The phrases about messages that cannot be taken in."""

from __future__ import annotations

from pytest_bdd import parsers, then, when

from postroom.mime.values import Attachment
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


@when(parsers.parse('a mail of {size:d} octets from "{sender}" to "{to}" arrives with the subject "{subject}"'))
def a_large_mail(postroom_scene: Scene, size: int, sender: str, to: str, subject: str) -> None:
    postroom_scene.mail(sender, to, subject, attachments=[Attachment("large.bin", "application/octet-stream", bytes(size))])
