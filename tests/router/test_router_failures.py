"""What becomes of an instance whose runs go wrong: it backs off, stops, is held, or is a broken provider's; the others go on."""

from __future__ import annotations

import os
import random
import socket
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from postroom.channels.email_router import EmailRouter, InstanceStatus
from postroom.errors import (
    AuthError,
    ConfigError,
    ConnectionFailed,
    PermissionDenied,
    ServerTimeout,
    StateError,
    TlsError,
    TransientError,
)
from postroom.model import TraceLevel, TraceLog
from postroom.organization import SYSTEM
from postroom.providers.contract import RunOutcome
from postroom.providers.secret import Secret
from postroom.testing.router_stage import RouterStage, mail

SECRET = "Xyzzy-Plugh-42"


def raising(error: BaseException) -> Any:
    def act(_: Any) -> None:
        raise error

    return act


def status(router: EmailRouter, number: int = 0) -> InstanceStatus:
    return router.instances()[number]


def wait_of(stage: RouterStage, router: EmailRouter) -> float:
    due = status(router).next_due
    assert due is not None
    return (due - stage.scene.world.clock.now()).total_seconds()


def traces(stage: RouterStage) -> list[TraceLog]:
    with stage.organization.store.reading() as tx:
        return tx.find(TraceLog)


# -- errors that pass ---------------------------------------------------------------------------------------------------


def test_waits_grow_and_success_ends_them(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    stage.source.before["feed"] = raising(ConnectionFailed("no line"))
    router = stage.router(stage.feed(ada), random=random.Random(1))
    waits = []
    for _ in range(9):
        router.run_due()
        waits.append(wait_of(stage, router))
        stage.pass_time(waits[-1] + 0.001)
    for number, wait in enumerate(waits, 1):
        whole = min(3600.0, 60 * 2.0**number)
        assert 0.75 * whole <= wait <= whole
    assert status(router).failures == 9
    assert "no line" in status(router).last_error
    del stage.source.before["feed"]
    router.run_due()
    assert (status(router).failures, status(router).last_error, wait_of(stage, router)) == (0, "", 60.0)


def test_nothing_runs_before_its_wait_is_over(stage: RouterStage) -> None:
    stage.source.before["feed"] = raising(ConnectionFailed("no line"))
    router = stage.router(stage.feed(stage.user("Ada")))
    router.run_due()
    stage.pass_time(wait_of(stage, router) - 0.5)
    assert router.run_due() == []
    stage.pass_time(1)
    assert len(router.run_due()) == 1


def test_a_server_that_names_a_time_is_believed(stage: RouterStage) -> None:
    stage.source.before["feed"] = raising(TransientError("busy", retry_after=timedelta(hours=2)))
    router = stage.router(stage.feed(stage.user("Ada")))
    router.run_due()
    assert wait_of(stage, router) == 7200.0


def test_a_success_may_name_a_time_too(stage: RouterStage) -> None:
    stage.source.before["feed"] = lambda _: RunOutcome(retry_after=timedelta(minutes=10))
    router = stage.router(stage.feed(stage.user("Ada")))
    router.run_due()
    assert wait_of(stage, router) == 600.0


def test_an_alert_comes_with_the_third_failure_and_goes_with_success(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    stage.organization.update_settings(SYSTEM, generatealertsforwarnings=True)
    stage.source.before["feed"] = raising(ServerTimeout("too slow", reply="please wait"))
    router = stage.router(stage.feed(ada))
    for expected in (0, 0, 1, 1):
        router.run_due()
        found = [one for one in traces(stage) if one.level is TraceLevel.WARNING]
        assert len(found) == expected
        stage.pass_time(wait_of(stage, router) + 0.001)
    (alert,) = found
    assert alert.errortypedisplay == "Socket returned exception TimedOut"
    assert alert.regardingobjectid.id == ada.mailbox
    assert "please wait" in (alert.errordetails or "")
    assert not alert.tracestatus
    del stage.source.before["feed"]
    router.run_due()
    assert all(one.tracestatus for one in traces(stage))


# -- errors that stay ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [AuthError("refused"), ConfigError("no such feed"), PermissionDenied("not you"), TlsError("certificate")]
)
def test_a_permanent_error_stops_it_until_somebody_resumes_it(stage: RouterStage, error: Exception) -> None:
    ada = stage.user("Ada")
    stage.source.before["feed"] = raising(error)
    router = stage.router(stage.feed(ada))
    router.run_due()
    assert (status(router).state, status(router).why, status(router).next_due) == ("stopped", str(error), None)
    stage.pass_time(86_400)
    assert router.run_due() == []
    assert [one.level for one in traces(stage)] == [TraceLevel.ERROR]
    del stage.source.before["feed"]
    stage.source.items["feed"] = [mail("one", ada.address)]
    assert router.resume("feed").state == "waiting"
    router.run_due()
    assert stage.subjects() == ["one"]


def test_a_new_configuration_lets_a_stopped_one_go_on(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    stage.source.before["feed"] = raising(AuthError("refused"))
    router = stage.router(stage.feed(ada, EmailPassword="wrong one"))
    router.run_due()
    del stage.source.before["feed"]
    router.reload()
    assert router.run_due() == []
    stage.write(stage.feed(ada, EmailPassword="right one"))
    router.reload()
    router.run_due()
    assert status(router).state == "waiting"
    assert status(router).counters["runs"] == 2


def test_a_state_that_cannot_be_used_is_held_for_that_instance_alone(stage: RouterStage) -> None:
    ada, ben = stage.user("Ada"), stage.user("Ben")
    stage.source.items.update(a=[mail("one", ada.address)], b=[mail("two", ben.address)])
    stage.source.before["a"] = raising(StateError("the cursor is nonsense"))
    router = stage.router(stage.feed(ada, "a"), stage.feed(ben, "b"))
    router.run_due()
    assert [one.state for one in router.instances()] == ["held", "waiting"]
    assert stage.subjects() == ["two"]
    assert [one.regardingobjectid.id for one in traces(stage) if one.errortypedisplay == "InvalidMailboxState"] == [ada.mailbox]
    del stage.source.before["a"]
    again = stage.router()  # held it stays, whoever is started
    again.run_due()
    assert again.instances()[0].state == "held"
    assert stage.subjects() == ["two"]
    again.resume(again.instances()[0].identity)
    again.run_due()
    assert stage.subjects() == ["one", "two"]


# -- mistakes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        (raising(ValueError("something")), "the provider raised ValueError"),
        (lambda _: sys.exit(3), "the provider raised SystemExit"),
        (raising(KeyboardInterrupt()), "the provider raised KeyboardInterrupt"),
        (raising(GeneratorExit()), "the provider raised GeneratorExit"),
        (lambda _: 7, "the provider run() gave back int instead of a RunOutcome"),
    ],
)
def test_a_mistake_backs_off_and_keeps_its_trace(stage: RouterStage, behaviour: Any, told: str) -> None:
    ada, ben = stage.user("Ada"), stage.user("Ben")
    stage.source.items["b"] = [mail("two", ben.address)]
    stage.source.before["a"] = behaviour
    router = stage.router(stage.feed(ada, "a"), stage.feed(ben, "b"))
    router.run_due()
    broken, well = router.instances()
    assert (broken.state, broken.last_error, broken.failures) == ("waiting", told, 1)
    assert "Traceback" in broken.trace or "int" in told
    assert broken.next_due is not None
    assert (well.state, stage.subjects()) == ("waiting", ["two"])
    assert [one.errortypedisplay for one in traces(stage)] == ["UnknownIncomingEmailIntegrationError"]
    assert "provider.bug" in [one.event for one in router.events.latest]


def test_a_constructor_that_raises_breaks_its_instance_alone(stage: RouterStage) -> None:
    ada, ben = stage.user("Ada"), stage.user("Ben")
    stage.source.items["b"] = [mail("two", ben.address)]
    stage.source.at_birth["a"] = raising(RuntimeError("no"))
    router = stage.router(stage.feed(ada, "a"), stage.feed(ben, "b"))
    router.run_due()
    broken, _ = router.instances()
    assert (broken.state, broken.why) == ("broken", "its constructor raised RuntimeError")
    assert "Traceback" in broken.trace
    assert stage.subjects() == ["two"]
    stage.pass_time(86_400)
    assert [report.instance for report in router.run_due()] == [router.instances()[1].identity]
    stage.source.at_birth.clear()
    router.resume(broken.identity)
    router.run_due()
    assert status(router).state == "waiting"


@pytest.mark.parametrize(
    "code", ["raise ValueError('no')", "import sys; sys.exit(2)", "raise KeyboardInterrupt", "import nothing_there", "def"]
)
def test_a_package_that_cannot_be_imported_breaks_its_entry_alone(
    stage: RouterStage, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad_package.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    ben = stage.user("Ben")
    stage.source.items["b"] = [mail("two", ben.address)]
    bad = "<ProviderConfiguration><ProviderClassName>bad_package:Provider</ProviderClassName></ProviderConfiguration>"
    try:
        router = stage.router(bad, stage.feed(ben, "b"))
    finally:
        sys.modules.pop("bad_package", None)
    router.run_due()
    well, broken = router.instances()
    assert (well.state, broken.state, broken.provider) == ("waiting", "broken", "bad_package:Provider")
    assert broken.why
    assert stage.subjects() == ["two"]


def test_what_it_does_to_the_process_is_undone_and_told(stage: RouterStage, tmp_path: Path) -> None:
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait, name="left")

    def meddle(_: Any) -> None:
        os.chdir(tmp_path)
        os.environ["POSTROOM_MEDDLED"] = "1"
        socket.setdefaulttimeout(3)
        thread.start()

    here = Path.cwd()
    stage.source.before["feed"] = meddle
    router = stage.router(stage.feed(stage.user("Ada")))
    try:
        router.run_due()
        assert Path.cwd() == here
        assert "POSTROOM_MEDDLED" not in os.environ
        assert socket.getdefaulttimeout() is None
        told = [one.text for one in router.events.latest if one.event == "provider.left_behind"]
        assert len(told) == 4
        assert any("1 thread" in text for text in told)
    finally:
        os.chdir(here)
        ended.set()
        thread.join()


# -- secrets ------------------------------------------------------------------------------------------------------------


def test_no_secret_is_shown_whatever_a_provider_says(
    stage: RouterStage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    ada = stage.user("Ada")

    def blab(ctx: Any) -> None:
        ctx.log("login", f"PASS {SECRET}", line=f"with {SECRET}", thing=Secret(SECRET), wrapped=[SECRET])
        ctx.log(SECRET)
        raise AuthError(f"refused: {SECRET}", reply=f"unknown password {SECRET}")

    stage.source.before["feed"] = blab
    log = tmp_path / "trace.log"
    router = stage.router(stage.feed(ada, EmailPassword=SECRET), system={"LogLevel": 3, "LogFile": log})
    router.run_due()
    row = stage.database.row(status(router).identity) if stage.database else None
    shown = [
        log.read_text(),
        caplog.text,
        repr(router.instances()),
        repr(list(router.events.latest)),
        repr(traces(stage)),
        repr(row),
    ]
    assert "***" in shown[0]
    assert all(SECRET not in text for text in shown)


def test_a_mistake_does_not_show_a_secret_in_its_trace(stage: RouterStage) -> None:
    def blab(_: Any) -> None:
        raise RuntimeError(f"could not log in with {SECRET}")

    stage.source.before["feed"] = blab
    router = stage.router(stage.feed(stage.user("Ada"), EmailPassword=SECRET))
    router.run_due()
    assert "could not log in" in status(router).trace
    assert SECRET not in repr(router.instances())


def test_a_state_holds_no_secret(stage: RouterStage) -> None:
    def keep(ctx: Any) -> None:
        ctx.state.commit(type(ctx.state.value)(note=SECRET))

    stage.source.before["feed"] = keep
    router = stage.router(stage.feed(stage.user("Ada"), EmailPassword=SECRET))
    router.run_due()
    assert status(router).state == "held"
    assert "secret" in status(router).last_error


def test_closing_may_raise(stage: RouterStage) -> None:
    stage.source.at_close["a"] = raising(ValueError("no"))
    stage.source.at_close["b"] = lambda _: sys.exit(1)
    router = stage.router(
        stage.feed(stage.user("Ada"), "a"), stage.feed(stage.user("Ben"), "b"), stage.feed(stage.user("Cay"), "c")
    )
    router.run_due()
    router.close()
    assert stage.source.closed == ["a", "b", "c"]
    assert [one.event for one in router.events.latest].count("instance.close_failed") == 2
    router.close()
    assert stage.source.closed == ["a", "b", "c"]


# -- never enough -------------------------------------------------------------------------------------------------------


def test_one_that_wants_more_and_does_nothing_waits(stage: RouterStage) -> None:
    stage.source.before["feed"] = lambda _: RunOutcome(more=True)
    router = stage.router(stage.feed(stage.user("Ada")))
    assert len(router.run_due()) == 1
    assert wait_of(stage, router) == 60.0


def test_one_that_wants_more_for_ever_waits_now_and_then(stage: RouterStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom.channels.email_router.work.MOST_IN_A_ROW", 7)
    stage.source.before["feed"] = lambda _: RunOutcome(processed=1, more=True)
    router = stage.router(stage.feed(stage.user("Ada")))
    assert len(router.run_due()) == 7
    assert wait_of(stage, router) == 60.0
    stage.pass_time(60)
    assert len(router.run_due()) == 7
