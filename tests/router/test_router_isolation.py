"""Providers in processes of their own: whatever they do, the router and its other instances go on."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from postroom.errors import ConfigError
from postroom.testing.misbehaving import Misbehaving
from postroom.testing.router_stage import RouterStage, mail, provider

SECRET = "Xyzzy-Plugh-42"


def isolated(stage: RouterStage, flavour: str, **more: str) -> str:
    ada = stage.user("Ada")
    if stage.registry.look("misbehaving") is None:
        stage.registry.register(Misbehaving)
    return provider("misbehaving", Flavour=flavour, EmailPassword=SECRET, UserId=ada.id, Isolation="Process", **more)


def test_it_runs_in_another_process_and_keeps_its_state(stage: RouterStage) -> None:
    router = stage.router(isolated(stage, "well"))
    for _ in range(2):
        assert [report.error for report in router.run_due()] == [None]
        stage.pass_time(60)
    assert stage.database is not None
    assert stage.database.row(router.instances()[0].identity).generation == 2  # type: ignore[union-attr]


@pytest.mark.parametrize("flavour", ["exit", "exit_politely", "print_secret", "meddle"])
def test_what_it_does_stays_in_its_process(stage: RouterStage, flavour: str, capfd: pytest.CaptureFixture[str]) -> None:
    here, threads = Path.cwd(), set(threading.enumerate())
    entry = isolated(stage, flavour)
    ben = stage.user("Ben")
    stage.source.items["b"] = [mail("two", ben.address)]
    router = stage.router(entry, stage.feed(ben, "b"))
    router.run_due()
    assert stage.subjects() == ["two"]
    strange, well = router.instances()
    assert (strange.state, well.state) == ("waiting", "waiting")
    assert bool(strange.last_error) == (flavour != "meddle")
    assert (Path.cwd(), "POSTROOM_MEDDLED" in os.environ) == (here, False)
    router.close()
    told = capfd.readouterr()
    assert SECRET not in told.out + told.err + repr(router.instances()) + repr(list(router.events.latest))
    assert not [one for one in set(threading.enumerate()) - threads if one.is_alive() and not one.daemon]


@pytest.mark.parametrize("flavour", ["block", "spin"])
def test_one_that_never_ends_is_ended(stage: RouterStage, flavour: str) -> None:
    """Its deadline is a second of real time: the process lives in that."""
    router = stage.router(isolated(stage, flavour), system={"MaxThreadExecution": 1000}, grace=0.2)
    (report,) = router.run_due()
    assert report.error is not None
    assert router.instances()[0].state == "waiting"
    assert router.instances()[0].failures == 1


def test_the_caller_may_decide_who_is_isolated(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    stage.registry.register(Misbehaving)
    entry = provider("misbehaving", Flavour="exit", UserId=ada.id)
    router = stage.router(entry, isolate=lambda one: one.provider.name == "misbehaving")
    router.run_due()
    assert router.instances()[0].state == "waiting"
    assert router.instances()[0].last_error


def test_one_that_cannot_be_isolated_is_told(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    router = stage.router(stage.feed(ada, Isolation="Process"))
    (report,) = router.run_due()
    assert isinstance(report.error, ConfigError)
    assert router.instances()[0].state == "stopped"
    assert "cannot be imported by another process" in router.instances()[0].why
