"""Several organizations behind one router; several routers before one organization."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from postroom.channels.email_router import EmailRouter
from postroom.channels.email_router.database import RouterDatabase
from postroom.errors import StoreError
from postroom.organization import SYSTEM, Deployment, Organization
from postroom.providers.registry import Registry
from postroom.runtime.executors import InlineExecutor
from postroom.testing.router_stage import RouterStage, Source, feed_provider, mail, provider, words
from postroom_simulator import ManualClock


class Estate:
    """Organizations without a world: one user each, one feed each."""

    def __init__(self, count: int, folder: Path, users: int = 1) -> None:
        self.clock = ManualClock()
        self.deployment = Deployment(self.clock)
        self.source = Source()
        self.registry = Registry()
        self.registry.register(feed_provider(self.source))
        self.organizations: dict[str, Organization] = {}
        self.path = folder / "EmailAgent.xml"
        entries = []
        for number in range(count):
            name = f"org{number}"
            made = self.deployment.create_organization(name, emailconnectionchannel=1, requireapprovalforuseremail=False)
            self.organizations[name] = made
            for one in range(users):
                address, feed = f"user{one}@{name}.test", f"{name}-{one}"
                user = made.create(
                    SYSTEM, "systemuser", fullname=name, internalemailaddress=address, incomingemaildeliverymethod=2
                )
                made.update(SYSTEM, "usersettings", user, incomingemailfilteringmethod=0)
                entries.append(provider("feed", FeedUrl=feed, CrmServerUrl=f"https://crm.test/{name.upper()}", UserId=user))
                self.source.items[feed] = [mail(f"{feed} first", address), mail(f"{feed} second", address)]
        self.path.write_text(words(*entries))
        self.database = RouterDatabase("sqlite://", self.clock)

    def router(self, **given: Any) -> EmailRouter:
        return EmailRouter(
            self.path,
            self.organizations,
            connector=None,  # type: ignore[arg-type] - nobody connects
            clock=self.clock,
            database=self.database,
            executor=InlineExecutor(),
            registry=self.registry,
            **given,
        )

    def subjects(self, name: str) -> list[str]:
        return sorted(one.subject for one in self.organizations[name].retrieve_multiple(SYSTEM, "email"))

    def close(self) -> None:
        self.database.close()
        self.deployment.close()


@contextmanager
def estate(count: int, folder: Path, users: int = 1) -> Iterator[Estate]:
    made = Estate(count, folder, users)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("count", [5, 100])
def test_each_has_its_own_mail_and_no_others(tmp_path: Path, count: int) -> None:
    with estate(count, tmp_path) as here:
        router = here.router()
        router.run_due()
        for name in here.organizations:
            assert here.subjects(name) == [f"{name}-0 first", f"{name}-0 second"]
        assert {one.organization for one in router.instances()} == set(here.organizations)
        assert [ctx.state.value.done for ctx in here.source.contexts] == [2] * count
        router.close()
        assert len(here.source.closed) == count


def test_an_error_of_one_is_no_error_of_the_others(tmp_path: Path) -> None:
    def fail(_: Any) -> None:
        raise ValueError("only here")

    with estate(5, tmp_path) as here:
        here.source.before["org2-0"] = fail
        router = here.router()
        router.run_due()
        assert [one.last_error != "" for one in router.instances()] == [False, False, True, False, False]
        found = [len(organization.retrieve_multiple(SYSTEM, "tracelog")) for organization in here.organizations.values()]
        assert found == [0, 0, 1, 0, 0]


def test_a_database_that_fails_keeps_no_other_organization_waiting(tmp_path: Path) -> None:
    with estate(5, tmp_path) as here:
        here.organizations["org3"].store.close()
        router = here.router()
        router.run_due()
        states = {one.organization: (one.state, one.last_error) for one in router.instances()}
        assert states["org3"] == ("waiting", "the store is closed")
        for name in ("org0", "org1", "org2", "org4"):
            assert states[name] == ("waiting", "")
            assert len(here.subjects(name)) == 2


def test_a_database_that_comes_back_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with estate(2, tmp_path) as here:
        away = here.organizations["org0"].store

        def refuse(*_: Any) -> Any:
            raise StoreError("the database does not answer")

        with monkeypatch.context() as patched:
            patched.setattr(away, "transaction", refuse)
            router = here.router()
            router.run_due()
            assert router.instances()[0].failures == 1
        here.clock.advance(timedelta(hours=1))
        router.run_due()
        assert len(here.subjects("org0")) == 2
        assert router.instances()[0].failures == 0


def test_one_organization_may_leave_the_router(tmp_path: Path) -> None:
    with estate(3, tmp_path) as here:
        here.organizations["org1"].update_settings(SYSTEM, emailconnectionchannel=0)
        router = here.router()
        router.run_due()
        assert [one.state for one in router.instances()] == ["waiting", "stopped", "waiting"]
        left = [one for one in router.events.latest if one.event == "organization.left"]
        assert [one.values["organization"] for one in left] == ["org1"]


# -- several routers ----------------------------------------------------------------------------------------------------


def test_routers_with_disjoint_sets_share_the_work(stage: RouterStage) -> None:
    ada, ben = stage.user("Ada"), stage.user("Ben")
    stage.source.items.update(a=[mail("one", ada.address)], b=[mail("two", ben.address)])
    first = stage.router(stage.feed(ada, "a"), database="sqlite://", holder="here/1")
    second = stage.router(stage.feed(ben, "b"), database="sqlite://", holder="there/2")
    first.run_due()
    second.run_due()
    assert stage.subjects() == ["one", "two"]
    assert first.instances()[0].why == second.instances()[0].why == ""


def test_overlapping_routers_meet_a_lease_and_say_so(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    stage.source.items["a"] = [mail("one", ada.address)]
    first = stage.router(stage.feed(ada, "a"), database="sqlite://", holder="here/1")
    second = stage.router(stage.feed(ada, "a"), database="sqlite://", holder="there/2")

    def meanwhile(_: Any) -> None:
        stage.source.before.clear()
        second.run_due()
        assert stage.source.ran == ["a"]

    stage.source.before["a"] = meanwhile
    first.run_due()
    assert "here/1" in second.instances()[0].why
    assert "instance.overlap" in [one.event for one in second.events.latest]
    stage.pass_time(60)
    second.run_due()
    assert stage.subjects() == ["one"]  # its own memory is empty, the organization's ledger is not


def test_two_processes_on_one_database_meet_its_fence(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    first = stage.router(stage.feed(ada, "a"), holder="here/1")
    second = stage.router(holder="there/2")

    def meanwhile(_: Any) -> None:
        stage.source.before.clear()
        second.run_due()

    stage.source.before["a"] = meanwhile
    first.run_due()
    assert stage.source.ran == ["a"]
    assert "another process" in second.instances()[0].why


def test_server_side_sync_that_still_runs_keeps_the_router_out(stage: RouterStage) -> None:
    """The channel was changed while a run of server-side synchronization went on."""
    from postroom.organization import Operation

    ada = stage.user("Ada")
    fence = stage.organization.begin_run(ada.mailbox, Operation.INCOMING, "sync/1")
    assert fence is not None
    router = stage.router(stage.feed(ada, "a"))
    router.run_due()
    assert "sync/1" in router.instances()[0].why
    stage.organization.end_run(ada.mailbox, fence)
    stage.pass_time(60)
    router.run_due()
    assert stage.source.ran == ["a"]


def test_server_side_sync_leaves_an_organization_of_the_router_alone(stage: RouterStage) -> None:
    ada = stage.scene.user("Ada", "ada@alder.test", approved=True)
    stage.scene.profile("mail", default=True)
    stage.scene.mail("carl@birch.test", ada.address, "Hello")
    assert stage.scene.engine.run_due() == []
    stage.scene.check = False
