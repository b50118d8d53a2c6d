"""`postroom provider state`: what instances remember, looked at, carried over, moved by decision."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from command_desk import Desk

from postroom.channels.email_router.database import RouterDatabase
from postroom.channels.email_router.state_files import element_name
from postroom.clock import SystemClock
from postroom.errors import StateError
from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.providers.builtin.rss import RssProvider, RssState
from postroom.providers.configuration import validate
from postroom.providers.cursor import Cursor

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
FEED, OTHER, INBOX = "ab12" + "0" * 60, "ab12" + "f" * 60, "cd34" + "0" * 60


class Books:
    """A router's database beside the deployment file, filled by hand."""

    def __init__(self, db: RouterDatabase) -> None:
        self.db = db

    def feed(self, identity: str = FEED, name: str = "Orders feed", at: datetime = MARCH) -> None:
        fence = self.db.begin(identity, RssProvider.spec, "here/1", name=name, organization="Alder", mailbox="ada@alder.test")
        assert fence is not None
        self.db.state(identity, RssProvider.spec, fence).commit(RssState("etag-1", "", Cursor.start(at=at)))
        self.db.seen(identity, fence).add({"guid-1": "digest-1", "guid-2": "digest-2"})
        self.db.end(fence)

    def inbox(self) -> None:
        fence = self.db.begin(INBOX, Pop3Provider.spec, "here/1", name="Sales inbox", mailbox="sales@alder.test")
        assert fence is not None
        self.db.end(fence, "the server refused the log-in")

    def value(self, identity: str = FEED) -> RssState:
        return self.db.state(identity, RssProvider.spec).value


@pytest.fixture
def books(alder: Desk) -> Iterator[Books]:
    with RouterDatabase(f"sqlite:///{alder.folder}/router.sqlite3", SystemClock()) as db:
        yield Books(db)


def state(desk: Desk, *arguments: str, **more: Any) -> Any:
    return desk.json("provider", "state", *arguments, **more)


def test_instances_are_listed_with_all_that_is_known(alder: Desk, books: Books) -> None:
    books.feed()
    books.inbox()
    feed, inbox = state(alder, "show")["items"]
    assert (feed["identity"], feed["short"], feed["name"], feed["provider"]) == (FEED, FEED[:12], "Orders feed", "rss")
    assert (feed["organization"], feed["mailbox"], feed["generation"]) == ("Alder", "ada@alder.test", 1)
    assert (feed["state"], feed["why"], feed["state_version"]) == ("waiting", "", RssProvider.spec.state_version)
    assert feed["state_size"] > 10
    assert feed["committed_on"] is not None
    assert (inbox["generation"], inbox["last_error"]) == (0, "the server refused the log-in")
    told = alder.run("provider", "state", "show").splitlines()
    assert told[0].split()[:4] == ["id", "name", "provider", "organization"]
    assert "Orders feed" in told[1]
    assert "the server refused the log-in" in told[2]


def test_one_instance_is_shown_with_its_typed_state(alder: Desk, books: Books) -> None:
    books.feed()
    told = alder.run("provider", "state", "show", "Orders feed")
    assert "remembers (RssState):" in told
    assert '    etag: "etag-1"' in told
    assert '        threshold: "2026-03-01T00:00:00+00:00"' in told
    assert "2 keys" in told
    shown = state(alder, "show", FEED[:6])
    assert shown["remembers"]["cursor"]["threshold"] == "2026-03-01T00:00:00+00:00"
    assert (shown["seen"], shown["not_understood"], shown["alerts"]) == (2, None, [])


def test_an_instance_is_named_by_identity_beginning_name_or_mailbox(alder: Desk, books: Books) -> None:
    books.feed()
    books.feed(OTHER, "Other feed")
    for name in (OTHER, "ab12f", "other FEED"):
        assert state(alder, "show", name)["identity"] == OTHER
    told = alder.refused("provider", "state", "show", "ab12", code=1)
    assert "2 instances are called 'ab12'" in told
    assert "Orders feed" in told
    assert "did you mean 'Other feed'" in alder.refused("provider", "state", "show", "Other feet", code=1)


def test_those_of_several_users_are_told_apart_by_both_parts(alder: Desk, books: Books) -> None:
    ada, bob = (f"{FEED}.{one * 32}" for one in "12")
    books.feed(ada, "Feed")
    books.feed(bob, "Feed")
    assert [one["short"] for one in state(alder, "show")["items"]] == ["ab1200000000.11111111", "ab1200000000.22222222"]
    assert state(alder, "show", "ab12.2")["identity"] == bob


def test_a_provider_that_is_not_there_leaves_its_state_readable(
    alder: Desk, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.feed()
    monkeypatch.setattr("postroom.cli.router_database.provider_of", _nobody)
    told = alder.run("provider", "state", "show", FEED)
    assert "no provider is called" in told
    assert "etag-1" in told
    assert state(alder, "show", FEED)["remembers"]["etag"] == "etag-1"
    assert "--provider" in alder.refused(
        "provider", "state", "rewind", FEED, "--to", "beginning", "--reason", "x", "-y", code=2
    )


def _nobody(name: str, prefer: Any = None) -> Any:
    from postroom.errors import ConfigError

    raise ConfigError(f"no provider is called {name!r}")


def test_without_a_database_it_is_said_what_makes_one(alder: Desk, tmp_path: Path) -> None:
    assert "postroom router run FILE" in alder.refused("provider", "state", "show", code=1)
    assert not (tmp_path / "router.sqlite3").exists()
    told = alder.refused("provider", "state", "show", "--database", "postgresql+psycopg://me:secret@h/n", code=2)
    assert "PGPASSWORD" in told
    assert "secret" not in told
    assert "an address" in alder.refused("provider", "state", "show", "--database", "router.sqlite3", code=2)


def test_the_database_is_the_deployment_files_or_the_one_named(alder: Desk, tmp_path: Path) -> None:
    elsewhere = f"sqlite:///{tmp_path}/elsewhere.sqlite3"
    with RouterDatabase(elsewhere, SystemClock()) as db:
        Books(db).feed()
    assert len(state(alder, "show", "--database", elsewhere)["items"]) == 1
    file = tmp_path / "postroom.toml"
    file.write_text('router_database = "sqlite:///elsewhere.sqlite3"\n' + file.read_text())
    assert len(state(alder, "show")["items"]) == 1


def test_no_deployment_file_is_needed_where_the_database_is_named(desk: Desk, tmp_path: Path) -> None:
    assert "--database" in desk.refused("provider", "state", "show", code=2)
    with RouterDatabase(f"sqlite:///{tmp_path}/r.sqlite3", SystemClock()) as db:
        Books(db).feed()
    assert len(state(desk, "show", "--database", f"sqlite:///{tmp_path}/r.sqlite3")["items"]) == 1


# -- files


def test_a_json_file_carries_everything_to_another_database(alder: Desk, books: Books, tmp_path: Path) -> None:
    books.feed()
    books.inbox()
    books.db.hold(INBOX, "somebody should look")
    books.feed(OTHER, "Gone feed")
    books.db.tombstone(OTHER)
    assert state(alder, "export", "state.json")["instances"] == 2
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600
    other = f"sqlite:///{tmp_path}/other.sqlite3"
    items = state(alder, "import", "state.json", "--database", other)["items"]
    assert {one["identity"]: one["result"] for one in items} == {FEED: "state", INBOX: "held"}
    with RouterDatabase(other, SystemClock()) as db:
        assert db.state(FEED, RssProvider.spec).value == books.value()
        assert db.seen(FEED).recall(["guid-1", "guid-2", "guid-3"]) == {"guid-1": "digest-1", "guid-2": "digest-2"}
        rows = {row.identity: row for row in db.rows()}
        assert (rows[FEED].name, rows[FEED].organization, rows[FEED].mailbox) == ("Orders feed", "Alder", "ada@alder.test")
        assert (rows[INBOX].held, rows[INBOX].last_error) == ("somebody should look", "the server refused the log-in")
        assert (tmp_path / "other.sqlite3").stat().st_mode & 0o777 == 0o600
    again = state(alder, "import", "state.json", "--database", other)["items"]
    assert [one["result"] for one in again if one["identity"] == FEED] == ["skipped"]


def test_a_file_is_not_replaced_unasked(alder: Desk, books: Books, tmp_path: Path) -> None:
    books.feed()
    (tmp_path / "state.json").write_text("precious")
    assert "--force" in alder.refused("provider", "state", "export", "state.json", code=2)
    assert (tmp_path / "state.json").read_text() == "precious"
    state(alder, "export", "state.json", "--force")
    assert "etag-1" in (tmp_path / "state.json").read_text()
    assert "--format" in alder.refused("provider", "state", "export", "state.txt", code=2)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", '"format"'),
        ('{"format": "postroom router state", "version": 2}', "its version is 2"),
        ('{"format": "postroom router state", "version": 1, "instances": 5}', "no list"),
        (
            '{"format": "postroom router state", "version": 1, "instances": [{"identity": "x"}]}',
            "instance 1: identity and provider",
        ),
    ],
)
def test_a_file_that_is_none_changes_nothing(alder: Desk, books: Books, tmp_path: Path, words: str, complaint: str) -> None:
    (tmp_path / "state.json").write_text(words)
    assert complaint in alder.refused("provider", "state", "import", "state.json", code=1)
    assert books.db.rows() == []


def _exported(alder: Desk, tmp_path: Path, **changes: Any) -> None:
    state(alder, "export", "state.json")
    document = json.loads((tmp_path / "state.json").read_text())
    document["instances"][0] |= {"identity": OTHER, **changes}
    (tmp_path / "state.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"state_version": 99}, "knows up to"),
        ({"state": {"nonsense": 1}}, "does not know: nonsense"),
        ({"provider": "nobody"}, "no provider is called 'nobody'"),
    ],
)
def test_a_state_that_is_not_understood_is_left_out_with_the_reason(
    alder: Desk, books: Books, tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    books.feed()
    _exported(alder, tmp_path, **changes)
    (item,) = state(alder, "import", "state.json")["items"]
    assert item["result"] == "skipped"
    assert why in item["detail"]
    assert books.db.row(OTHER) is None


def test_the_originals_layout_goes_out_and_comes_in(alder: Desk, books: Books, tmp_path: Path) -> None:
    router = tmp_path / "router.xml"
    router.write_text(
        "<Configuration><SystemConfiguration/><ProviderConfiguration><ProviderClassName>rss</ProviderClassName>"
        "<FeedUrl>https://feeds.test/a</FeedUrl></ProviderConfiguration></Configuration>"
    )
    file, _ = validate(router)
    assert file is not None
    identity = file.providers[0].identity
    books.feed(identity)
    alder.run("provider", "state", "export", "SystemState.xml")
    text = (tmp_path / "SystemState.xml").read_text()
    assert element_name(identity) in text
    assert "<ThresholdDate>2026-03-01T00:00:00Z</ThresholdDate>" in text
    other = f"sqlite:///{tmp_path}/other.sqlite3"
    assert "--router" in alder.refused("provider", "state", "import", "SystemState.xml", "--database", other, code=2)
    told = alder.run("provider", "state", "import", "SystemState.xml", "--router", "router.xml", "--database", other)
    assert "cursor" in told
    with RouterDatabase(other, SystemClock()) as db:
        assert db.state(identity, RssProvider.spec).value.cursor.threshold == MARCH


# -- decisions


def test_a_cursor_is_moved_back_after_being_asked(alder: Desk, books: Books) -> None:
    books.feed()
    call = ("provider", "state", "rewind", "Orders feed", "--to", "2026-02-01T08:00", "--reason", "restored from a backup")
    assert "Move it?" in alder.run(*call, given="n\n", code=1)
    assert books.value().cursor.threshold == MARCH
    assert "nobody answered" in _said(alder, *call, code=2)
    told = alder.run(*call, given="y\n")
    assert '"threshold": "2026-02-01T08:00:00+00:00"' in told
    assert books.value().cursor == Cursor.start(at=datetime(2026, 2, 1, 8, tzinfo=UTC))
    assert books.value().etag == "etag-1"
    assert ("rewound", "restored from a backup") in {(one.kind, one.detail) for one in books.db.alerts(FEED)}
    row = books.db.row(FEED)
    assert row is not None
    assert (row.generation, row.holder) == (2, "")


def _said(desk: Desk, *call: str, code: int) -> str:
    desk.run(*call, code=code)
    return desk.errors


def test_to_the_beginning(alder: Desk, books: Books) -> None:
    books.feed()
    state(alder, "rewind", FEED, "--to", "beginning", "--reason", "all of it", "--yes")
    assert books.value().cursor.threshold is None


def test_a_whole_state_is_given_as_json(alder: Desk, books: Books) -> None:
    books.feed()
    remembered = state(alder, "show", FEED)["remembers"] | {"etag": "etag-7"}
    done = state(alder, "rewind", FEED, "--value", json.dumps(remembered), "--reason", "by hand", "--yes")
    assert (done["done"], done["generation"]) == ("rewound", 2)
    assert books.value().etag == "etag-7"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--to", "2026-02-01"), "--reason"),
        (("--reason", "x"), "--to MOMENT"),
        (("--to", "2026-02-01", "--value", "{}", "--reason", "x"), "--to MOMENT"),
        (("--to", "yesterday", "--reason", "x"), "a moment expected"),
        (("--value", "{", "--reason", "x"), "no JSON"),
        (("--value", '{"nonsense": 1}', "--reason", "x"), "does not know: nonsense"),
        (("--provider", "pop3", "--to", "2026-02-01", "--reason", "x"), "an instance of rss, not of pop3"),
    ],
)
def test_a_rewind_that_makes_no_sense_changes_nothing(
    alder: Desk, books: Books, arguments: tuple[str, ...], complaint: str
) -> None:
    books.feed()
    assert complaint in alder.refused("provider", "state", "rewind", FEED, *arguments, "--yes", code=2)
    assert books.value().cursor.threshold == MARCH


def test_with_json_nobody_is_asked(alder: Desk, books: Books) -> None:
    books.feed()
    error = state(alder, "rewind", FEED, "--to", "beginning", "--reason", "x", code=2)
    assert "--yes" in error["text"]


def test_a_state_without_a_cursor_has_no_moment(alder: Desk, books: Books) -> None:
    books.inbox()
    told = alder.refused("provider", "state", "rewind", INBOX, "--to", "2026-02-01", "--reason", "x", "-y", code=2)
    assert "has no cursor" in told
    assert "--value" in told


def test_one_that_runs_is_not_moved_under_its_feet(alder: Desk, books: Books) -> None:
    books.feed()
    fence = books.db.begin(FEED, RssProvider.spec, "here/1")
    assert fence is not None
    told = _said(alder, "provider", "state", "rewind", FEED, "--to", "beginning", "--reason", "x", "-y", code=1)
    assert "runs just now (here/1)" in told
    assert "runs just now" in alder.refused("provider", "state", "resume", FEED, code=1)
    books.db.check(fence)  # still good


def test_a_held_one_goes_on_where_it_is_told(alder: Desk, books: Books) -> None:
    books.feed()
    books.db.hold(FEED, "its state fails its checksum")
    assert state(alder, "show")["items"][0]["why"] == "its state fails its checksum"
    state(alder, "rewind", FEED, "--to", "2026-02-20", "--reason", "by decision", "--yes")
    assert state(alder, "show")["items"][0]["state"] == "waiting"
    assert books.value().cursor.threshold == datetime(2026, 2, 20, tzinfo=UTC)


def test_a_damaged_one_is_replaced(alder: Desk, books: Books) -> None:
    import sqlalchemy as sa

    books.feed()
    with books.db.transaction() as tx:
        tx.execute(sa.text("UPDATE statevalue SET value = '{\"etag\": 5' WHERE instance = :one"), {"one": FEED})
    assert state(alder, "show", FEED)["not_understood"] == "the state is no JSON"
    state(alder, "rewind", FEED, "--to", "2026-02-20", "--reason", "the disk was broken", "--yes")
    assert books.value().cursor.threshold == datetime(2026, 2, 20, tzinfo=UTC)
    with pytest.raises(StateError):
        books.db.restart(FEED, RssProvider.spec, RssState(), " ")


def test_a_held_one_is_let_go(alder: Desk, books: Books) -> None:
    books.feed()
    books.db.hold(FEED, "its state is not understood")
    done = state(alder, "resume", "Orders feed", "--reason", "a later version is installed")
    assert (done["was"], done["why"]) == ("held", "its state is not understood")
    assert state(alder, "show")["items"][0]["state"] == "waiting"
    assert [(one.kind, one.detail) for one in books.db.alerts(FEED)] == [("resume", "a later version is installed")]


def test_only_tombstones_are_forgotten(alder: Desk, books: Books) -> None:
    books.feed()
    books.feed(OTHER, "Gone feed")
    books.inbox()
    books.db.tombstone(OTHER)
    books.db.tombstone(INBOX, timedelta(0))
    (gone,) = [one for one in state(alder, "show")["items"] if one["name"] == "Gone feed"]
    assert gone["state"] == "tombstone"
    assert "not in the file any more" in gone["why"]
    assert "only an instance that left it" in alder.refused("provider", "state", "purge", "Orders feed", "--yes", code=1)
    assert state(alder, "purge", "--yes")["items"] == [INBOX]  # its time is over
    assert alder.run("provider", "state", "purge") == "no tombstone whose time is over\n"
    assert "Forget 1 instance?" in alder.run("provider", "state", "purge", "--all", given="n\n", code=1)
    assert alder.run("provider", "state", "purge", "gone feed", "--yes").endswith("1 instance forgotten\n")
    assert [row.identity for row in books.db.rows()] == [FEED]
    assert "not in the router's configuration" in _tombstone_resumed(alder, books)


def _tombstone_resumed(alder: Desk, books: Books) -> str:
    books.db.tombstone(FEED)
    return alder.refused("provider", "state", "resume", FEED, code=1)
