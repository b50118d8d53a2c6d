"""The outbound drawer as a folder of files, keeping the newest only, mailboxes that mail makes, and relaying to some domains."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from postroom_simulator import Role, World
from postroom_simulator.drawer import ENVELOPES, keep_newest, write_drawer
from postroom_simulator.errors import ImportProblem, NoSuchItem

ANN = "ann@sim.test"
MAIL = b"Subject: bare\n\n.dot\r\n\xff"


@pytest.fixture
def world() -> Iterator[World]:
    with World() as world:
        world.add_account(ANN)
        yield world


def envelopes(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / ENVELOPES).read_text("ascii").splitlines()]


class TestFolder:
    def test_mail_for_outside_is_written_octet_for_octet_once(self, world: World, tmp_path: Path) -> None:
        write_drawer(world, tmp_path / "a" / "b")
        world.deliver(ANN, ["x@out.test", "y@out.test", ANN], MAIL)
        world.deliver("", ["zé@out.test"], b"two")
        first, second = sorted((tmp_path / "a" / "b").glob("*.eml"))
        assert (first.read_bytes(), second.read_bytes()) == (MAIL, b"two")
        uids = [outbound.uid for outbound in world.store.outbound()]
        assert [first.name, second.name] == [f"{uid:06d}.eml" for uid in uids]
        told = envelopes(tmp_path / "a" / "b")
        assert [line["file"] for line in told] == [first.name, second.name]
        assert [line["sender"] for line in told] == [ANN, ""]
        assert [line["recipients"] for line in told] == [["x@out.test", "y@out.test"], ["zé@out.test"]]
        assert told[0]["at"] == world.clock.now().isoformat()

    def test_nothing_of_an_earlier_run_is_overwritten(self, tmp_path: Path) -> None:
        for octets in (b"first run", b"second run"):
            with World() as world:
                write_drawer(world, tmp_path)
                world.deliver("a@b.test", ["x@out.test"], octets)
        assert sorted(path.read_bytes() for path in tmp_path.glob("*.eml")) == [b"first run", b"second run"]
        assert [line["file"] for line in envelopes(tmp_path)] == ["000001.eml", "000001-1.eml"]
        assert {path.suffix for path in tmp_path.iterdir()} == {".eml", ".jsonl"}

    def test_what_cannot_be_written_is_said_at_once(self, world: World, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(ImportProblem, match="file"):
            write_drawer(world, tmp_path / "file")

    def test_a_disk_that_refuses_later_is_noted_and_the_mail_goes_on(self, world: World, tmp_path: Path) -> None:
        folder = tmp_path / "drawer"
        write_drawer(world, folder)
        (folder / ENVELOPES).unlink()
        folder.rmdir()
        (done,) = world.deliver(ANN, ["x@out.test"], MAIL)
        assert done.outcome.taken
        (note,) = world.journal.entries(kind="note")
        assert "No such file" in note.detail
        assert note.data == {"uid": done.uid}


class TestKeeping:
    def test_only_the_newest_stay(self, world: World) -> None:
        keep_newest(world, 3)
        for number in range(5):
            world.deliver("a@b.test", [ANN, "x@out.test"], b"%d" % number)
        assert world.inbox(ANN) == [b"2", b"3", b"4"]
        assert [world.store.outbound_octets(each.uid) for each in world.store.outbound()] == [b"2", b"3", b"4"]
        assert [entry.data["reason"] for entry in world.journal.entries(kind="removed")] == ["kept enough"] * 2

    def test_each_folder_counts_for_itself(self, world: World) -> None:
        keep_newest(world, 1)
        world.place(ANN, b"junk", folder=Role.JUNK)
        world.place(ANN, b"one")
        world.place(ANN, b"two")
        assert world.inbox(ANN) == [b"two"]
        assert world.store.count(world.store.folder(ANN, Role.JUNK).uid) == 1

    def test_what_left_the_drawer_is_gone_with_its_octets(self, world: World) -> None:
        world.deliver(ANN, ["x@out.test"], MAIL)
        (outbound,) = world.store.outbound()
        world.store.drop_outbound(outbound.uid)
        assert list(world.store.outbound()) == []
        for ask in (world.store.outbound_item, world.store.outbound_octets, world.store.drop_outbound):
            with pytest.raises(NoSuchItem):
                ask(outbound.uid)
        assert world.store._contents.in_memory == 0  # type: ignore[attr-defined]

    def test_none_at_all_is_a_mistake(self, world: World) -> None:
        with pytest.raises(ValueError, match="at least one"):
            keep_newest(world, 0)


class TestMailboxesThatMailMakes:
    def test_in_open_domains_only(self, world: World) -> None:
        world.open_domains = frozenset({"open.test"})
        world.deliver(ANN, ["New@OPEN.test", "x@shut.test"], MAIL)
        assert world.inbox("new@open.test") == [MAIL]
        assert world.authenticate("new@open.test", "secret") is not None
        assert [each.recipients for each in world.store.outbound()] == [("x@shut.test",)]

    def test_everywhere(self, world: World) -> None:
        world.open_domains = frozenset({"*"})
        world.deliver(ANN, ["new@one.test", "other@two.test"], MAIL)
        assert (world.inbox("new@one.test"), world.inbox("other@two.test")) == ([MAIL], [MAIL])

    def test_a_subaddress_leads_to_the_mailbox(self, world: World) -> None:
        world.open_domains = frozenset({"*"})
        world.deliver(ANN, ["new+tag@one.test"], MAIL)
        world.deliver(ANN, ["new@one.test"], MAIL)
        assert world.inbox("new@one.test") == [MAIL, MAIL]
        assert "new+tag@one.test" not in world.directory

    def test_nobody_needs_relaying_for_them(self, world: World) -> None:
        world.open_domains = frozenset({"open.test"})
        world.smtp.settings.relay = "nobody"
        with world.connect("smtp") as client:
            client.sendall(b"HELO me\r\nMAIL FROM:<>\r\nRCPT TO:<new@open.test>\r\nRCPT TO:<x@shut.test>\r\nQUIT\r\n")
            said = b""
            while octets := client.recv(4096):
                said += octets
        assert b"250 2.1.5" in said
        assert b"550 5.7.1" in said


def test_relaying_to_some_domains(world: World) -> None:
    world.smtp.settings.relay_domains = {"Partner.test"}
    with world.connect("smtp") as client:
        client.sendall(
            b"HELO me\r\nMAIL FROM:<>\r\nRCPT TO:<x@PARTNER.test>\r\nRCPT TO:<x@other.test>\r\nRCPT TO:<ann@sim.test>\r\n"
        )
        client.sendall(b"QUIT\r\n")
        said = b""
        while octets := client.recv(4096):
            said += octets
    assert [line[:9] for line in said.split(b"\r\n")[3:6]] == [b"250 2.1.5", b"550 5.7.1", b"250 2.1.5"]
