"""What the channel writes down about its runs, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NoReturn

import pytest

from postroom.errors import Cancelled, StoreError
from postroom.model import MailboxTestStatus, ServerType
from postroom.organization import SYSTEM, Operation, Organization
from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.store import Fence
from postroom.testing.scene import Party, Scene

POLL = timedelta(minutes=15)


@pytest.fixture
def scene() -> Iterator[Scene]:
    with Scene() as made:
        made.mail_server()
        yield made


@pytest.fixture
def ada(scene: Scene) -> Party:
    ada = scene.user("Ada", "ada@alder.test", ready=True)
    scene.filter(ada, 0)
    return ada


def fail_with(monkeypatch: pytest.MonkeyPatch, error: Exception, method: str = "run") -> None:
    def fails(*_: Any) -> NoReturn:
        raise error

    monkeypatch.setattr(Pop3Provider, method, fails)


def test_a_foreign_errors_text_is_written_nowhere(
    scene: Scene, ada: Party, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    fail_with(monkeypatch, ValueError("password=sesame"))
    scene.run(after=POLL)
    box = scene.mailbox(ada)
    assert (box.lastsyncerror, box.lastsyncerrorcode) == ("ValueError", 1090)
    written = [str(one) for one in scene.organization.retrieve_multiple(SYSTEM, "tracelog")] + [caplog.text, str(box)]
    assert not any("sesame" in text for text in written)


def test_an_error_is_written_down_under_its_own_number(scene: Scene, ada: Party) -> None:
    scene.credentials(ada, "wrong")
    scene.organization.update(SYSTEM, "mailbox", ada.mailbox, enabledforincomingemail=True)
    scene.run(after=POLL)
    assert scene.mailbox(ada).lastsyncerrorcode == 1020
    assert [one.tracecode for one in scene.organization.retrieve_multiple(SYSTEM, "tracelog", level=3)] == [1020]


def test_who_finds_no_room_at_the_server_waits_and_has_not_failed(scene: Scene, ada: Party) -> None:
    scene.mail("carl@birch.test", "ada@alder.test", "Hello")
    host, _ = scene.endpoint("pop3s")
    connections = scene.deployment.connections
    for _ in range(10):
        assert connections.acquire(host, ada.address, 10)
    before = scene.mailbox(ada)
    scene.run(after=POLL)
    after = scene.mailbox(ada)
    assert (after.transientfailurecount, after.lastsyncerror, after.processedtimes) == (0, None, before.processedtimes)
    assert [due.directions for due in scene.organization.due_mailboxes()] == [(Operation.INCOMING,)]
    for _ in range(10):
        connections.release(host, ada.address)
    scene.run()
    assert len(scene.emails("Hello")) == 1


def test_a_test_that_finds_no_room_goes_on_later(scene: Scene, ada: Party) -> None:
    host, _ = scene.endpoint("pop3s")
    with scene.deployment.connections.slot(host, ada.address, 1):
        scene.organization.update(SYSTEM, "emailserverprofile", scene.profiles["Alder mail"], maxconcurrentconnections=1)
        scene.test_and_enable(ada)
        box = scene.mailbox(ada)
        assert (box.testemailconfigurationscheduled, box.testemailconfigurationretrycount) == (True, 0)
    scene.run()
    assert scene.mailbox(ada).incomingemailstatus is MailboxTestStatus.SUCCESS
    assert not scene.mailbox(ada).testemailconfigurationscheduled


def test_appointments_cannot_be_tested_on_a_pop3_profile(scene: Scene, ada: Party) -> None:
    scene.organization.update(SYSTEM, "mailbox", ada.mailbox, actdeliverymethod=1)
    scene.test_and_enable(ada)
    box = scene.mailbox(ada)
    assert (box.actstatus, box.enabledforact) == (MailboxTestStatus.FAILURE, False)
    assert (box.incomingemailstatus, box.testemailconfigurationscheduled) == (MailboxTestStatus.SUCCESS, False)


def test_an_exchange_profile_is_refused_in_words(scene: Scene, ada: Party) -> None:
    scene.organization.update(SYSTEM, "emailserverprofile", scene.profiles["Alder mail"], servertype=ServerType.EXCHANGE_SERVER)
    scene.run(after=POLL)
    box = scene.mailbox(ada)
    assert not box.enabledforincomingemail
    assert "Exchange" in (box.lastsyncerror or "")


def test_a_test_that_breaks_comes_again_later(scene: Scene, ada: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, ValueError("a mistake"), "check")
    scene.test_and_enable(ada)
    assert not any(Operation.TEST in due.directions for due in scene.organization.due_mailboxes())
    monkeypatch.undo()
    scene.run(after=timedelta(minutes=5))
    assert scene.mailbox(ada).incomingemailstatus is MailboxTestStatus.SUCCESS


def test_a_lease_goes_back_with_the_result_and_not_once_more(scene: Scene, ada: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle poll writes twice: it takes the lease, and it writes its result."""
    ended: list[str] = []
    end_run = Organization.end_run

    def noted(organization: Organization, mailbox_id: str, fence: Fence | None) -> None:
        ended.append(mailbox_id)
        end_run(organization, mailbox_id, fence)

    monkeypatch.setattr(Organization, "end_run", noted)
    scene.run(after=POLL)
    assert (ended, scene.mailbox(ada).processingstatecode) == ([], 0)
    fail_with(monkeypatch, Cancelled("called off"))
    monkeypatch.setattr(Organization, "finish_run", lambda *_, **__: (_ for _ in ()).throw(StoreError("away")))
    scene.run(after=POLL)
    assert (ended, scene.mailbox(ada).processingstatecode) == ([ada.mailbox], 0)


def test_statistics_say_when_a_run_was_due(scene: Scene, ada: Party) -> None:
    scene.run(after=POLL)
    due = scene.mailbox(ada).postponemailboxprocessinguntil
    assert due is not None
    scene.run(after=timedelta(hours=1))
    last = scene.organization.retrieve_multiple(SYSTEM, "mailboxstatistics", operationtypeid=0)[-1]
    assert last.mailboxprocessscheduledon == due
    assert last.scheduledtimeintervalinminutes == int((last.mailboxprocessstartedon - due).total_seconds() // 60) > 0
