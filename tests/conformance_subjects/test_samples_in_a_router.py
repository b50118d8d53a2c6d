"""What authors begin from, run by the router that it is for: a feed into an organization, and an alert to people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from postroom.samples.keyword_alerts import KeywordAlertsProvider
from postroom.testing.router_stage import RouterStage, provider
from postroom.testing.scene import Scene
from postroom_simulator.web.feeds import Entry


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[RouterStage]:
    with Scene() as scene, RouterStage(scene, tmp_path) as made:
        yield made


def test_a_feed_becomes_mail_of_a_user_once(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    world = stage.scene.world
    world.http.publish_feed("/feed", [Entry("1", "first", "text"), Entry("2", "second", "<p>text</p>")])
    router = stage.router(provider("rss", FeedUrl=world.http.url("/feed"), UserId=ada.id))
    for _ in range(3):
        assert [report.error for report in router.run_due()] in ([None], [])
        stage.pass_time(61)
    world.http.publish_feed("/feed", [Entry("3", "third", "text")])
    router.run_due()
    assert stage.subjects() == ["first", "second", "third"]
    statuses = [entry.detail for entry in world.journal.replies(protocol="http")]
    assert statuses[0] == statuses[-1] == "200"
    assert set(statuses[1:-1]) == {"304"}


def test_an_alert_of_a_provider_is_kept_once(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    stage.registry.register(KeywordAlertsProvider)
    host, port = stage.scene.endpoint("pop3s")
    given = {"EmailServer": host, "EmailPort": port, "EmailUser": ada.address, "EmailPassword": "Ada-secret"}
    router = stage.router(provider("pop3-keyword-alerts", **given, UserId=ada.id, AlertKeyword=["fire"]))
    stage.scene.mail("carl@birch.test", ada.address, "Fire in the kitchen")
    for _ in range(3):
        router.run_due()
        stage.pass_time(61)
    assert stage.database is not None
    told = [one for one in stage.database.alerts() if one.kind == "provider"]
    assert [one.detail.partition(" (")[0] for one in told] == ["a message with 'fire' in its subject was stored"]
