"""The feed provider in a world in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroom.errors import AuthError, ConfigError, ConnectionFailed, MessageError, ProtocolError, TransientError
from postroom.model.secret import Secret
from postroom.providers.builtin.feed import FeedError, parse_feed
from postroom.providers.builtin.rss import RssConfig, RssProvider, RssState
from postroom.providers.contract import ProviderEnv
from postroom.providers.cursor import Cursor
from postroom.providers.state import decode, encode
from postroom.testing.fake_gateway import FakeGateway, MemoryLog, MemorySeenSet, MemoryStateCell, make_context
from postroom.testing.memory import WorldConnector
from postroom_simulator import World
from postroom_simulator.faults import Cut, Garble, LoseReply, Reply, When
from postroom_simulator.web.feeds import Entry, atom, rss

START = datetime(2026, 1, 5, 7, 0, tzinfo=UTC)


class Reader:
    """One instance of the provider with its memory."""

    def __init__(self, world: World, **config: Any) -> None:
        self.world = world
        self.gateway = FakeGateway()
        self.seen = MemorySeenSet(self.gateway)
        self.cell = MemoryStateCell(RssState(), self.gateway)
        self.log = MemoryLog()
        given = {"url": world.http.url("/feed"), **config}
        self.provider = RssProvider(RssConfig(**given), ProviderEnv("feed-1", mailbox="ada@sim.test"))

    def context(self, **more: Any) -> Any:
        return make_context(
            RssState(),
            net=WorldConnector(self.world),
            clock=self.world.clock,
            gateway=self.gateway,
            seen=self.seen,
            cell=self.cell,
            log=self.log,
            **more,
        )

    def run(self, **more: Any) -> Any:
        return self.provider.run(self.context(**more))

    @property
    def subjects(self) -> list[str]:
        return [offer.message.subject for offer in self.gateway.offers]


@pytest.fixture
def world() -> Iterator[World]:
    with World() as made:
        yield made


def entries(*numbers: int) -> list[Entry]:
    return [Entry(f"id-{n}", f"title {n}", f"text {n}", START + timedelta(minutes=n)) for n in numbers]


def publish(world: World, *numbers: int, write: Any = rss) -> None:
    world.http.publish("/feed", write(entries(*numbers)), content_type="application/rss+xml")


@pytest.mark.parametrize("write", [rss, atom])
def test_items_become_messages_oldest_first(world: World, write: Any) -> None:
    publish(world, 3, 1, 2, write=write)
    reader = Reader(world)
    outcome = reader.run()
    assert (outcome.processed, outcome.delivered, outcome.more) == (3, 3, False)
    assert reader.subjects == ["title 1", "title 2", "title 3"]
    offer = reader.gateway.offers[0]
    assert offer.source_key == "id-1"
    assert offer.received_on == offer.message.date == START + timedelta(minutes=1)
    assert offer.message.message_id.endswith("@mail.sim.test>")
    assert "text 1" in (offer.message.text or offer.message.html or "")


def test_what_did_not_change_is_not_fetched_again(world: World) -> None:
    publish(world, 1)
    reader = Reader(world)
    reader.run()
    assert reader.run() == dataclasses.replace(reader.run(), processed=0)
    assert [entry.detail for entry in world.journal.replies(protocol="http")] == ["200", "304", "304"]
    publish(world, 1, 2)
    reader.run()
    assert reader.subjects == ["title 1", "title 2"]
    assert len(reader.cell.commits) == 2


def test_only_the_date_is_a_validator_too(world: World) -> None:
    world.http.publish("/feed", rss(entries(1)))
    page = world.http._pages["/feed"]
    world.http._pages["/feed"] = dataclasses.replace(page, etag="")
    reader = Reader(world)
    reader.run()
    reader.run()
    assert [entry.detail for entry in world.journal.replies(protocol="http")] == ["200", "304"]


def test_more_than_a_run_may_take_comes_in_the_next(world: World) -> None:
    publish(world, *range(1, 8))
    reader = Reader(world)
    assert [reader.run(items=3).more for _ in range(3)] == [True, True, False]
    assert len(reader.subjects) == len(set(reader.subjects)) == 7


def test_a_late_item_with_an_old_date_is_taken(world: World) -> None:
    publish(world, 5)
    reader = Reader(world)
    reader.run()
    publish(world, 5, 2)
    reader.run()
    assert reader.subjects == ["title 5", "title 2"]
    assert reader.cell.value.cursor.threshold == START + timedelta(minutes=5)


def test_items_older_than_the_window_are_none_of_ours(world: World) -> None:
    publish(world, 100)
    reader = Reader(world, look_back=dataclasses.replace(RssConfig(url="http://x/").look_back, milliseconds=60_000))
    reader.run()
    publish(world, 100, 2, 99)
    reader.run()
    assert reader.subjects == ["title 100", "title 99"]


def test_a_cursor_in_the_future_does_no_damage(world: World) -> None:
    publish(world, 1)
    reader = Reader(world)
    reader.cell.value = RssState(cursor=Cursor(datetime(2099, 1, 1, tzinfo=UTC)))
    assert reader.run().processed == 0
    assert "rss.cursor_in_future" in reader.log.events
    assert reader.cell.value.cursor.threshold == datetime(2099, 1, 1, tzinfo=UTC)


def test_an_item_that_fails_is_tried_again_and_parked_in_the_end(world: World) -> None:
    publish(world, 1, 2)
    reader = Reader(world)
    reader.gateway.fail_always("deliver_incoming", MessageError("no"), "id-1")
    outcomes = [reader.run() for _ in range(5)]
    assert [one.failed for one in outcomes] == [1] * 5
    assert reader.subjects == ["title 2"]
    assert [one.failed for one in (reader.run(), reader.run())] == [0, 0]


def test_items_without_guid_or_date_keep_their_octets(world: World) -> None:
    feed = b"<rss version='2.0'><channel><item><title>bare</title><description>&lt;p&gt;hi&lt;/p&gt;</description></item></channel></rss>"
    world.http.publish("/feed", feed)
    reader = Reader(world)
    reader.run()
    world.clock.advance(3600)
    other = Reader(world)
    other.run()
    first, second = reader.gateway.offers[0], other.gateway.offers[0]
    assert first.octets == second.octets
    assert first.source_key == second.source_key
    assert b"\r\nDate:" not in first.octets
    assert first.message.html is not None


def test_redirects_lead_to_the_same_host_only(world: World) -> None:
    publish(world, 1)
    world.http.redirect("/old", "/feed", 301)
    world.http.redirect("/away", "http://elsewhere.test/feed")
    world.http.redirect("/round", "/round")
    assert Reader(world, url=world.http.url("/old")).run().delivered == 1
    with pytest.raises(ConfigError, match="not allowed"):
        Reader(world, url=world.http.url("/away")).run()
    with pytest.raises(ProtocolError, match="without end"):
        Reader(world, url=world.http.url("/round")).run()


def test_a_redirect_never_gives_up_tls(world: World) -> None:
    world.http.redirect("/down", world.http.url("/feed"))
    with pytest.raises(ConfigError, match="without TLS"):
        Reader(world, url=world.http.url("/down", tls=True)).run()


def test_over_tls_with_a_password(world: World) -> None:
    world.add_account("ada@sim.test", "s3cret")
    world.http.protect("/feed")
    publish(world, 1)
    url = world.http.url("/feed", tls=True)
    assert Reader(world, url=url, user="ada@sim.test", password=Secret("s3cret")).run().delivered == 1
    with pytest.raises(AuthError):
        Reader(world, url=url, user="ada@sim.test", password=Secret("wrong")).run()
    with pytest.raises(ConfigError, match="AllowPlainPassword"):
        Reader(world, user="ada@sim.test", password=Secret("s3cret")).run()


@pytest.mark.parametrize(
    ("status", "kind"), [("503", TransientError), ("401", AuthError), ("404", ConfigError), ("418", ProtocolError)]
)
def test_statuses_are_errors_of_a_kind(world: World, status: str, kind: type[Exception]) -> None:
    publish(world, 1)
    world.faults.add(When("http", "GET"), Reply(status, "[Retry-After=120] not now"))
    with pytest.raises(kind) as caught:
        Reader(world).run()
    if status == "503":
        assert caught.value.retry_after == timedelta(seconds=120)  # type: ignore[attr-defined]


@pytest.mark.parametrize("effect", [Cut(40), Cut(200), LoseReply()])
def test_a_cut_answer_is_a_lost_connection(world: World, effect: Any) -> None:
    publish(world, *range(1, 10))
    world.faults.add(When("http", "GET"), effect)
    reader = Reader(world)
    with pytest.raises(ConnectionFailed):
        reader.run()
    assert not reader.gateway.offers


def test_a_garbled_answer_is_an_error_or_the_feed(world: World) -> None:
    publish(world, 1)
    world.faults.add(When("http", "GET"), Garble(30))
    with pytest.raises((TransientError, ConfigError, AuthError)):
        Reader(world).run()


def test_a_feed_larger_than_allowed_is_refused(world: World) -> None:
    world.http.publish("/feed", rss([Entry("x", "t", "y" * 5000, START)]))
    with pytest.raises(ProtocolError, match="more than 1024"):
        Reader(world, octets=1024).run()


LAUGHS = b'<!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><rss><channel><item><title>&b;</title></item></channel></rss>'


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (LAUGHS, "document type"),
        (b"<html/>", "root"),
        (b"no xml", "no XML"),
        (b"<rss>" + b"<a>" * 200, "levels"),
        (b"", "no XML"),
    ],
)
def test_what_is_no_feed_is_refused(octets: bytes, why: str) -> None:
    with pytest.raises(FeedError, match=why):
        parse_feed(octets)


def test_the_state_survives_json() -> None:
    state = RssState('"abc"', "Mon, 05 Jan 2026 07:00:00 GMT", Cursor(START))
    assert decode(RssState, encode(state)) == state


def test_check_changes_nothing(world: World) -> None:
    publish(world, 1, 2)
    reader = Reader(world)
    assert reader.provider.check(reader.context()).detail == "2 items"
    assert reader.gateway.calls == []


def test_one_item_twice_is_one(world: World) -> None:
    world.http.publish("/feed", rss([*entries(1), *entries(1)]))
    reader = Reader(world)
    assert reader.run().delivered == 1
