"""SystemState.xml, the original's one file for all instances: read, and written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from router_state_values import MovableClock, Progress

from postroom.channels.email_router.database import RouterDatabase
from postroom.channels.email_router.state_files import (
    element_name,
    export_system_state,
    import_system_state,
    read_system_state,
)
from postroom.errors import StateError
from postroom.model.secret import Secret
from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.providers.configuration import ProviderEntry, element
from postroom.providers.configuration.settings import ProviderSettings
from postroom.providers.contract import Direction, ProviderSpec

MOMENT = datetime(2012, 4, 11, 8, 0, tzinfo=UTC)


@dataclass(frozen=True)
class FeedConfig:
    url: str = element("FeedUrl", identity=True)


FEED: ProviderSpec[FeedConfig, Progress] = ProviderSpec("feed", Direction.INBOUND, FeedConfig, Progress)


def feed(address: str) -> ProviderEntry:
    return ProviderEntry(FEED, ProviderSettings(class_name="feed", target=address), FeedConfig("http://f.test"))


def pop3(user: str) -> ProviderEntry:
    config = Pop3Provider.spec.config(host="mail.test", port=110, user=user, password=Secret("x"))
    return ProviderEntry(Pop3Provider.spec, ProviderSettings(class_name="pop3"), config)


@pytest.fixture
def database(clock: MovableClock) -> Iterator[RouterDatabase]:
    with RouterDatabase("sqlite://", clock) as opened:
        yield opened


def written(path: Path, *instances: tuple[str, str, str]) -> Path:
    inner = "".join(
        f"<a{n}bcdefgh><emailaddress>{address}</emailaddress><lasterror>{error}</lasterror><thresholddate>{date}</thresholddate></a{n}bcdefgh>"
        for n, (address, error, date) in enumerate(instances)
    )
    path.write_text(f'<?xml version="1.0"?><systemstate>{inner}</systemstate>')
    return path


def test_a_file_of_the_original(database: RouterDatabase, tmp_path: Path) -> None:
    path = written(
        tmp_path / "s.xml",
        ("Ada@alder.test", "The remote server returned an error: (503)", "2012-04-11T08:00:00.1234567Z"),
        ("bob@alder.test", "", "2012-04-11T10:00:00+02:00"),
        ("nobody@alder.test", "", "2012-04-11T08:00:00"),
        ("carl@alder.test", "", "0001-01-01T00:00:00"),
        ("dora@alder.test", "", "yesterday"),
        ("eve@alder.test", "", ""),
    )
    entries = [feed("ada@alder.test"), pop3("bob@alder.test"), *(feed(f"{one}@alder.test") for one in ("carl", "dora", "eve"))]
    done = import_system_state(database, path, entries)
    assert [one.result for one in done] == ["cursor", "threshold", "skipped", "held", "held", "skipped"]
    ada, bob, carl = (entry.identity for entry in entries[:3])
    assert database.state(ada, FEED).value.cursor.threshold == MOMENT.replace(microsecond=123456)
    row = database.row(ada)
    assert row is not None
    assert "503" in row.last_error
    row = database.row(bob)
    assert row is not None
    assert row.threshold == MOMENT
    assert row.started_on is None
    with pytest.raises(StateError, match="beginning of time"):
        database.begin(carl, FEED, "one")
    assert [one.result for one in import_system_state(database, path, entries[:1])][:1] == ["skipped"]  # it has a state now


def test_there_and_back(database: RouterDatabase, tmp_path: Path, clock: MovableClock) -> None:
    entries = [feed("a@alder.test"), feed("b@alder.test"), pop3("c@alder.test")]
    for number, entry in enumerate(entries[:2]):
        fence = database.begin(entry.identity, FEED, "one", mailbox=f"{number}@x.test")
        assert fence is not None
        cell = database.state(entry.identity, FEED, fence)
        cell.commit(Progress(cursor=cell.value.cursor.advance(MOMENT, "m")))
        database.end(fence, "wrong <&> \x07" if number else "")
    database.adopt(entries[2].identity, entries[2].provider, threshold=MOMENT)
    assert export_system_state(database, tmp_path / "out.xml") == 3
    kept, problems = read_system_state((tmp_path / "out.xml").read_bytes())
    assert problems == []
    assert [one.key for one in kept] == [element_name(row.identity) for row in database.rows()]
    assert {one.threshold for one in kept} == {MOMENT}
    assert sorted(one.last_error for one in kept) == ["", "", "wrong <&> ?"]
    assert all(len(one.key) == 28 and one.key[0].isalpha() and one.key == one.key.lower() for one in kept)
    with RouterDatabase("sqlite://", clock) as other:
        done = import_system_state(other, tmp_path / "out.xml", entries)
        assert sorted(one.result for one in done) == ["cursor", "cursor", "threshold"]
        assert not other.state(entries[0].identity, FEED).value.cursor.is_new(MOMENT.replace(year=2011), "old")
    assert list(tmp_path.glob(".*")) == []


def test_two_instances_of_one_address(database: RouterDatabase, tmp_path: Path) -> None:
    path = written(tmp_path / "s.xml", ("a@alder.test", "", "2012-04-11T08:00:00"))
    (done,) = import_system_state(database, path, [feed("a@alder.test"), pop3("a@alder.test")])
    assert (done.result, done.detail) == ("skipped", "several instances have this address")


@pytest.mark.parametrize(
    "octets", [b"", b"<systemstate><a>", b"<!DOCTYPE x [<!ENTITY a 'b'>]><x/>", b"\xff\xfe\x00", b"PK\x03\x04"]
)
def test_a_file_that_is_cut_off(database: RouterDatabase, tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "s.xml").write_bytes(octets)
    with pytest.raises(StateError, match=r"s\.xml cannot be used"):
        import_system_state(database, tmp_path / "s.xml", [])
    with pytest.raises(StateError, match="cannot be read"):
        import_system_state(database, tmp_path / "none.xml", [])
