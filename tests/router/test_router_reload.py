"""Another file while the router runs: only what changed is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from postroom.errors import ConfigError
from postroom.testing.router_stage import RouterStage, mail


def identities(stage: RouterStage) -> list[str]:
    assert stage.database is not None
    return [row.identity for row in stage.database.rows() if row.tombstoned_on is None]


def test_an_identical_file_changes_nothing(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    router = stage.router(stage.feed(ada))
    router.run_due()
    stage.path.write_text(stage.path.read_text().replace("><", ">\n  <"))
    report = router.reload()
    assert (bool(report), len(report.unchanged)) == (False, 1)
    stage.pass_time(60)
    router.run_due()
    assert (stage.source.made, stage.source.closed) == (["feed"], [])


def test_it_is_read_again_each_refresh_period(stage: RouterStage) -> None:
    ada, ben = stage.user("Ada"), stage.user("Ben")
    router = stage.router(stage.feed(ada, "a"), system={"ConfigRefreshPeriod": 20_000})
    router.run_due()
    stage.write(stage.feed(ada, "a"), stage.feed(ben, "b"), ConfigRefreshPeriod=20_000)
    stage.pass_time(19)
    router.run_due()
    assert len(router.instances()) == 1
    stage.pass_time(1)
    router.run_due()
    assert [one.counters["runs"] for one in router.instances()] == [1, 1]
    assert stage.source.ran == ["a", "b"]


def test_only_what_changed_starts_anew_and_keeps_its_state(stage: RouterStage) -> None:
    ada, ben = stage.user("Ada"), stage.user("Ben")
    stage.source.items.update(a=[mail("one", ada.address)], b=[mail("two", ben.address)])
    router = stage.router(stage.feed(ada, "a"), stage.feed(ben, "b", Flavour="mild"))
    router.run_due()
    stage.write(stage.feed(ada, "a"), stage.feed(ben, "b", Flavour="hot"))
    report = router.reload()
    assert ([len(report.changed), len(report.unchanged), report.added, report.removed]) == [1, 1, (), ()]
    router.run_due()
    assert stage.source.made == ["a", "b", "b"]
    assert stage.source.closed == ["b"]
    assert stage.subjects() == ["one", "two"]
    assert stage.source.contexts[-1].state.value.done == 1


def test_what_vanished_becomes_a_tombstone_and_comes_back_with_its_state(stage: RouterStage) -> None:
    ada, ben = stage.user("Ada"), stage.user("Ben")
    stage.source.items["b"] = [mail("two", ben.address)]
    router = stage.router(stage.feed(ada, "a"), stage.feed(ben, "b"))
    router.run_due()
    stage.write(stage.feed(ada, "a"))
    report = router.reload()
    router.run_due()
    assert len(report.removed) == 1
    assert stage.source.closed == ["b"]
    assert identities(stage) == [router.instances()[0].identity]
    stage.write(stage.feed(ada, "a"), stage.feed(ben, "b"))
    router.reload()
    router.run_due()
    assert len(identities(stage)) == 2
    assert stage.subjects() == ["two"]
    assert stage.source.contexts[-1].state.value.done == 1


def test_what_vanished_while_nobody_ran(stage: RouterStage) -> None:
    ada, ben = stage.user("Ada"), stage.user("Ben")
    router = stage.router(stage.feed(ada, "a"), stage.feed(ben, "b"))
    router.run_due()
    router.close()
    again = stage.router(stage.feed(ada, "a"))
    assert identities(stage) == [again.instances()[0].identity]


def test_a_broken_entry_buries_nobody(stage: RouterStage) -> None:
    """Its identity is not known: it may be any of those that are missing."""
    ada, ben = stage.user("Ada"), stage.user("Ben")
    router = stage.router(stage.feed(ada, "a"), stage.feed(ben, "b"))
    router.run_due()
    stage.write(
        stage.feed(ada, "a"), "<ProviderConfiguration><ProviderClassName>gone</ProviderClassName></ProviderConfiguration>"
    )
    router.reload()
    router.run_due()
    assert len(identities(stage)) == 2
    assert [one.state for one in router.instances()] == ["waiting", "broken"]


@pytest.mark.parametrize(
    "bad",
    [
        "<Configuration>",
        "",
        "<Configuration><SystemConfiguration><MaxThreads>none</MaxThreads></SystemConfiguration></Configuration>",
    ],
)
def test_a_bad_file_leaves_the_old_one_running_and_is_told_once(stage: RouterStage, bad: str) -> None:
    ada = stage.user("Ada")
    router = stage.router(stage.feed(ada))
    router.run_due()
    stage.path.write_text(bad)
    for _ in range(4):
        stage.pass_time(60)
        router.run_due()
    assert len(stage.source.ran) == 5
    assert [one.event for one in router.events.latest].count("router.reload_refused") == 1
    report = router.reload()
    assert report.refused
    assert any(problem.error for problem in report.problems)
    stage.path.unlink()
    stage.pass_time(60)
    router.run_due()
    assert len(stage.source.ran) == 6


def test_a_bad_file_at_the_start_names_everything(stage: RouterStage) -> None:
    stage.user("Ada")
    with pytest.raises(ConfigError, match=r"MaxThreads.*PollingPeriod"):
        stage.router(stage.feed(PollingPeriod="soon"), system={"MaxThreads": "many"})


def test_removal_during_a_run_ends_it_cleanly(stage: RouterStage) -> None:
    """Inline the reload comes from inside the run, as from another thread."""
    ada = stage.user("Ada")
    stage.source.items["a"] = [mail(f"m{number}", ada.address) for number in range(5)]
    router = stage.router(stage.feed(ada, "a"))

    def remove(_: Any) -> None:
        stage.write()
        router.reload()

    stage.source.before["a"] = remove
    (report,) = [one for one in router.run_due() if one.outcome is not None and one.outcome.error is not None]
    assert stage.subjects() == []
    assert report.outcome is not None
    assert stage.source.closed == ["a"]
    assert router.instances() == ()
    assert identities(stage) == []


def test_change_during_a_run_ends_it_and_the_new_one_goes_on(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    stage.source.items["a"] = [mail(f"m{number}", ada.address) for number in range(3)]
    router = stage.router(stage.feed(ada, "a"))

    def change(_: Any) -> None:
        stage.source.before.clear()
        stage.write(stage.feed(ada, "a", Flavour="hot"))
        router.reload()

    stage.source.before["a"] = change
    router.run_due()
    assert stage.subjects() == ["m0", "m1", "m2"]
    assert (stage.source.made, stage.source.closed) == (["a", "a"], ["a"])


def test_the_file_itself_is_a_file(stage: RouterStage, tmp_path: Path) -> None:
    stage.path = tmp_path / "nowhere.xml"
    with pytest.raises(ConfigError, match="is no file"):
        stage.router()
