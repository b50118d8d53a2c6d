"""The scene itself: what other people's tests stand on."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from postroom.organization import SYSTEM
from postroom.testing.scene import Scene


def test_outside_code_sees_the_scenes_time() -> None:
    with Scene() as scene:
        scene.mail_server()
        ada = scene.user("Ada", "ada@alder.test", ready=True)
        scene.filter(ada, 0)
        with scene.frozen():
            assert datetime.now(UTC) == scene.world.clock.now()  # noqa: TID251 - the point of the test
            scene.run(after=timedelta(days=3))
            assert datetime.now(UTC) == scene.world.clock.now()  # noqa: TID251
            text = f"Written {datetime.now(UTC):%A}"  # noqa: TID251
            scene.mail("carl@birch.test", "ada@alder.test", "Hello", text=text)
            scene.run(after=timedelta(minutes=15))
        assert text == "Written Thursday"
        assert [(email.description or "").strip() for email in scene.emails("Hello")] == [text]


def test_a_month_passes_in_a_moment() -> None:
    with Scene() as scene:
        scene.mail_server()
        ada = scene.user("Ada", "ada@alder.test", ready=True)
        scene.filter(ada, 0)
        for day in range(30):
            scene.mail("carl@birch.test", "ada@alder.test", f"Day {day}")
            scene.run(after=timedelta(days=1))
        assert len(scene.organization.retrieve_multiple(SYSTEM, "email", directioncode=False)) >= 30


@pytest.mark.parametrize("transport", ["memory", "tcp"])
def test_nothing_is_left_behind(transport: str) -> None:
    before = {thread.ident for thread in threading.enumerate()}
    with Scene(transport=transport) as scene:  # type: ignore[arg-type]
        scene.mail_server()
        scene.user("Ada", "ada@alder.test", ready=True)
    assert {thread.ident for thread in threading.enumerate()} == before


def test_the_same_seed_gives_the_same_journal() -> None:
    def story(seed: int) -> list[tuple[object, ...]]:
        with Scene(seed=seed) as scene:
            scene.mail_server()
            ada = scene.user("Ada", "ada@alder.test", ready=True)
            scene.filter(ada, 0)
            scene.contact("Carl", "carl@birch.test")
            scene.mail("carl@birch.test", "ada@alder.test", "Hello")
            scene.send("Ada", [scene.people["Carl"].lookup], "Answer")
            scene.run()
            return scene.world.journal.fields()

    assert story(1) == story(1)
    assert story(1) != story(2)


def test_both_transports_tell_the_same_story() -> None:
    def story(transport: str) -> list[tuple[object, ...]]:
        with Scene(transport=transport) as scene:  # type: ignore[arg-type]
            scene.mail_server()
            ada = scene.user("Ada", "ada@alder.test", ready=True)
            scene.filter(ada, 0)
            scene.contact("Carl", "carl@birch.test")
            scene.mail("carl@birch.test", "ada@alder.test", "Hello")
            scene.send("Ada", [scene.people["Carl"].lookup], "Answer")
            scene.run()
            scene.world.settle()
            return scene.world.journal.fields()

    assert story("memory") == story("tcp")
