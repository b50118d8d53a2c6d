"""What a router at work and the commands that look at its database tell each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postroom.channels.email_router import EmailRouter
from postroom.channels.email_router.database import RouterDatabase
from postroom.cli.router_log import Tending
from postroom.errors import AuthError, StoreError
from postroom.testing.router_stage import RouterStage
from postroom.testing.scene import Scene


class Stopped:
    """A router whose feed cannot log in; and who tends it."""

    def __init__(self, stage: RouterStage) -> None:
        self.stage = stage
        self.allowed = False
        stage.source.before["feed"] = self._log_in
        self.router: EmailRouter = stage.router(stage.feed(stage.user("Ada")))
        assert stage.database is not None
        self.db: RouterDatabase = stage.database
        self.tending = Tending(self.router, self.db, every=5.0)

    def _log_in(self, _: Any) -> None:
        if not self.allowed:
            raise AuthError("the password was refused")

    @property
    def key(self) -> str:
        return self.router.instances()[0].identity

    def alerts(self) -> list[tuple[str, str]]:
        return [(one.kind, one.detail) for one in self.db.alerts(self.key)]


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Stopped]:
    with Scene() as scene, RouterStage(scene, tmp_path) as stage:
        made = Stopped(stage)
        made.router.run_due()
        yield made


def test_why_an_instance_stands_still_is_written_down_once(stopped: Stopped) -> None:
    stopped.tending.look()
    stopped.tending.look()
    assert stopped.alerts() == [("stopped", "the password was refused")]
    assert [one.kind for one in stopped.db.alerts(stopped.key, cleared=True)] == ["stopped"]


def test_another_process_finds_what_was_written_and_writes_it_not_again(stopped: Stopped) -> None:
    stopped.tending.look()
    Tending(stopped.router, stopped.db, every=5.0).look()
    assert len(stopped.db.alerts(stopped.key, cleared=True)) == 1


def test_who_is_asked_to_go_on_goes_on_and_is_well_again(stopped: Stopped) -> None:
    stopped.tending.look()
    stopped.allowed = True
    stopped.router.run_due()
    assert len(stopped.stage.source.ran) == 1  # by itself it does not
    stopped.db.note(stopped.key, "resume", "asked for by hand", quiet=True)
    stopped.tending.look()
    stopped.router.run_due()
    assert len(stopped.stage.source.ran) == 2
    stopped.tending.look()
    assert stopped.alerts() == []


def test_a_request_is_heard_once(stopped: Stopped) -> None:
    stopped.db.note(stopped.key, "resume", "asked for by hand", quiet=True)
    stopped.tending.look()
    stopped.router.run_due()
    stopped.tending.look()
    stopped.router.run_due()
    assert len(stopped.stage.source.ran) == 2


def test_a_held_one_is_let_go(stopped: Stopped) -> None:
    stopped.db.hold(stopped.key, "somebody should look")
    stopped.router.resume(stopped.key)
    stopped.router.run_due()
    assert stopped.router.instances()[0].state.value == "held"
    stopped.allowed = True
    stopped.db.release(stopped.key)
    stopped.db.note(stopped.key, "resume", "looked at", quiet=True)
    stopped.tending.look()
    stopped.router.run_due()
    assert (stopped.router.instances()[0].state.value, stopped.alerts()) == ("waiting", [])


def test_a_request_for_nobody_is_taken_back(stopped: Stopped) -> None:
    stopped.db.note("gone", "resume", "asked for by hand", quiet=True)
    stopped.tending.look()
    assert stopped.db.alerts("gone") == []


def test_it_looks_now_and_then_and_never_ends_the_router(stopped: Stopped) -> None:
    assert stopped.tending() is False
    stopped.db.note(stopped.key, "resume", "asked for by hand", quiet=True)
    assert stopped.tending() is False
    assert ("resume", "asked for by hand") in stopped.alerts()  # not yet
    stopped.stage.pass_time(5)
    assert stopped.tending() is False
    assert ("resume", "asked for by hand") not in stopped.alerts()


def test_a_database_that_is_away_is_asked_again_later(stopped: Stopped, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise StoreError("the disk is away")

    with monkeypatch.context() as patched:
        patched.setattr(stopped.db, "alerts", away)
        stopped.tending.look()
    stopped.tending.look()
    assert stopped.alerts() == [("stopped", "the password was refused")]
