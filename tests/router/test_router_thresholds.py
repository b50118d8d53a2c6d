"""Where an instance begins: imported thresholds, and what an organization knows of a router that has lost its memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from postroom.channels.email_router.database import RouterDatabase
from postroom.mime.parse import parse_message
from postroom.organization import SYSTEM
from postroom.providers.configuration import element
from postroom.providers.contract import Direction, Disposition, IncomingOffer, ProviderSpec, RunContext, RunOutcome
from postroom.providers.cursor import Cursor
from postroom.testing.router_stage import RouterStage, mail, provider
from postroom.testing.scene import Party


@dataclass(frozen=True)
class NewsConfig:
    name: str = element("FeedUrl", default="news", identity=True)


@dataclass(frozen=True)
class NewsState:
    cursor: Cursor = field(default_factory=lambda: Cursor.start(look_back=timedelta(days=1)))


ITEMS: dict[str, tuple[datetime, bytes]] = {}
ASKED: list[datetime | None] = []


class News:
    """A source that is read by time."""

    spec: ClassVar[ProviderSpec[NewsConfig, NewsState]] = ProviderSpec("news", Direction.INBOUND, NewsConfig, NewsState)

    def __init__(self, config: NewsConfig, env: Any) -> None:
        self.config = config

    def check(self, ctx: Any) -> Any:
        raise NotImplementedError

    def run(self, ctx: RunContext[NewsState]) -> RunOutcome:
        cursor, taken = ctx.state.value.cursor, 0
        ASKED.append(cursor.asks_from)
        for key, (moment, octets) in sorted(ITEMS.items(), key=lambda one: one[1][0]):
            if not cursor.is_new(moment, key):
                continue
            offer = IncomingOffer(key, octets, parse_message(octets, monotonic=ctx.clock.monotonic), moment)
            verdict = ctx.gateway.check_incoming(offer)
            if verdict.deliver:
                ctx.gateway.deliver_incoming(offer, verdict)
                taken += 1
            else:
                ctx.gateway.settle(offer, Disposition.FILTERED, verdict)
            cursor = cursor.advance(moment, key)
            ctx.state.commit(replace(ctx.state.value, cursor=cursor))
        return RunOutcome(taken, taken)

    def close(self) -> None:
        pass


@pytest.fixture
def news(stage: RouterStage) -> str:
    ITEMS.clear()
    ASKED.clear()
    stage.registry.register(News)
    ada = stage.user("Ada")
    now = stage.scene.world.clock.now()
    for days in (40, 12, 2):
        ITEMS[f"{days}"] = (now - timedelta(days=days), mail(f"{days} days", ada.address))
    return provider("news", UserId=ada.id, Name="news")


def known(stage: RouterStage, entry: str) -> str:
    """The identity of the one entry, and a database that is not opened by a router yet."""
    router = stage.router(entry, database="sqlite://")
    (status,) = router.instances()
    router.close()
    stage.routers.remove(router)
    stage.database = RouterDatabase(stage.url, stage.scene.world.clock)
    return status.identity


def test_the_first_cursor_of_a_state_begins_at_the_threshold(stage: RouterStage, news: str) -> None:
    identity = known(stage, news)
    threshold = stage.scene.world.clock.now() - timedelta(days=10)
    assert stage.database is not None
    stage.database.adopt(identity, News.spec, threshold=threshold)
    stage.router(news).run_due()
    assert stage.subjects() == ["2 days"]
    assert [threshold] == ASKED  # the source is not even asked for what lies before it


def test_a_state_that_was_committed_goes_on_where_it_is(stage: RouterStage, news: str) -> None:
    router = stage.router(news)
    router.run_due()
    assert len(stage.subjects()) == 3
    assert stage.database is not None
    (status,) = router.instances()
    stage.database.adopt(status.identity, News.spec, threshold=stage.scene.world.clock.now() - timedelta(days=1))
    stage.pass_time(60)
    router.run_due()
    assert ASKED[-1] == ITEMS["2"][0] - timedelta(days=1)


def test_what_somebody_decided_counts_more_than_an_imported_threshold(stage: RouterStage, news: str) -> None:
    identity = known(stage, news)
    now = stage.scene.world.clock.now()
    assert stage.database is not None
    stage.database.adopt(identity, News.spec, threshold=now - timedelta(days=10))
    router = stage.router(news)
    router.run_due()
    assert stage.subjects() == ["2 days"]
    start = NewsState(Cursor.start(at=now - timedelta(days=20)))
    router.resume("news", state=start, reason="mail of the last weeks was lost")
    router.run_due()
    assert stage.subjects() == ["12 days", "2 days"]
    assert stage.database.threshold(identity)[0] is None


def test_a_message_of_the_thresholds_own_second_is_let_in(stage: RouterStage) -> None:
    """Mail servers tell whole seconds, the original's file tells fractions."""
    ada = stage.user("Ada")
    identity = known(stage, stage.feed(ada))
    assert stage.database is not None
    stage.database.adopt(identity, stage_spec(stage), threshold=datetime(2025, 5, 5, 10, 0, 0, 700_000, UTC))
    for minute, name in ((0, "same"), (1, "later")):
        octets = mail(name, ada.address).replace(
            b"Subject", f"Date: Mon, 05 May 2025 10:0{minute}:00 +0000\r\nSubject".encode()
        )
        stage.source.items.setdefault("feed", []).append(octets)
    early = mail("early", ada.address).replace(b"Subject", b"Date: Mon, 05 May 2025 09:59:59 +0000\r\nSubject")
    stage.source.items["feed"].append(early)
    stage.router(stage.feed(ada)).run_due()
    assert stage.subjects() == ["later", "same"]


def stage_spec(stage: RouterStage) -> Any:
    return stage.registry.find("feed").spec


# -- a memory that is lost ----------------------------------------------------------------------------------------------


def lose(stage: RouterStage) -> None:
    stage.routers.pop().close()
    assert stage.database is not None
    stage.database.close()
    stage.database = None


def served(stage: RouterStage) -> Party:
    ada = stage.user("Ada")
    stage.source.items["feed"] = [mail("one", ada.address)]
    stage.router(stage.feed(ada)).run_due()
    return ada


def test_a_state_that_is_elsewhere_is_not_begun_anew(stage: RouterStage) -> None:
    ada = served(stage)
    lose(stage)
    router = stage.router(stage.feed(ada))
    router.run_due()
    (status,) = router.instances()
    assert (status.state, stage.source.ran) == ("held", ["feed"])
    assert [one.kind for one in router.memory.alerts(status.identity)] == ["lost"]


def test_it_is_held_from_its_first_moment_on(stage: RouterStage) -> None:
    """Whoever dies between the beginning of the run and its end leaves an instance that is held."""
    ada = served(stage)
    lose(stage)
    router = stage.router(stage.feed(ada))
    held = []
    listened = router.memory.listen(lambda alert: held.append(router.memory.row(alert.identity)))
    router.run_due()
    listened()
    assert held[0] is not None
    assert "not in the router's database" in held[0].held


def test_an_older_backup_is_noticed_for_those_it_does_not_know(stage: RouterStage) -> None:
    ada = served(stage)
    ben = stage.user("Ben")
    stage.source.items["more"] = [mail("two", ben.address)]
    router = stage.router(stage.feed(ada), stage.feed(ben, "more", Name="more"))
    router.run_due()
    assert stage.database is not None
    stage.database.tombstone(router.instance("more").identity)
    stage.database.purge(router.instance("more").identity)
    stage.routers.remove(router)
    router.close()
    again = stage.router()
    again.run_due()
    assert {one.name: str(one.state) for one in again.instances()}["more"] == "held"
    assert [str(one.state) for one in again.instances() if one.name != "more"] == ["waiting"]


def test_another_mailbox_of_the_same_entry_is_no_lost_memory(stage: RouterStage) -> None:
    """The mark is of a mailbox and an instance: where the user has another mailbox now, nobody ever looked there."""
    ada = served(stage)
    mailbox = stage.organization.retrieve(SYSTEM, "mailbox", ada.mailbox)
    lose(stage)
    stage.organization.delete(SYSTEM, "mailbox", mailbox.mailboxid)
    router = stage.router(stage.feed(ada))
    router.run_due()
    assert str(router.instances()[0].state) != "held"


def test_who_sends_remembers_nothing_that_could_be_lost(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    stage.router(stage.smtp(ada)).run_due()
    lose(stage)
    router = stage.router(stage.smtp(ada))
    router.run_due()
    assert str(router.instances()[0].state) == "waiting"
