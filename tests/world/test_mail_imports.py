from __future__ import annotations

import bz2
import gzip
import lzma
import mailbox
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom_simulator import Role, World
from postroom_simulator.errors import ImportProblem
from postroom_simulator.imports import import_into, read_messages, received_time
from postroom_simulator.maildir_names import folder_path

ONE = b"Subject: one\r\n\r\nbare\nLF \xff\r\n.\r\n>From here\r\n"
TWO = b"Subject: two\n\ntwo\n"


def octets(path: Path) -> list[bytes]:
    return [message.octets for message in read_messages(path)]


class TestFiles:
    @pytest.mark.parametrize("name", ["one.eml", "one", "one.txt"])
    def test_any_single_file_is_one_message(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_bytes(ONE)
        (message,) = read_messages(tmp_path / name)
        assert (message.octets, message.name, message.read) == (ONE, name, False)

    def test_a_folder_is_read_to_the_bottom_by_path(self, tmp_path: Path) -> None:
        (tmp_path / "b" / "c").mkdir(parents=True)
        for name in ("z.eml", "b/2.EML", "b/c/1.eml", "a.eml", "b/notes.txt"):
            (tmp_path / name).write_bytes(name.encode())
        assert [message.name for message in read_messages(tmp_path)] == ["a.eml", "b/2.EML", "b/c/1.eml", "z.eml"]

    def test_a_maildir_with_flags(self, tmp_path: Path) -> None:
        for place in ("cur", "new", "tmp"):
            (tmp_path / place).mkdir()
        (tmp_path / "cur" / "100.a:2,RS").write_bytes(ONE)
        (tmp_path / "cur" / "300.a:2,").write_bytes(TWO)
        (tmp_path / "new" / "200.a").write_bytes(TWO)
        (tmp_path / "new" / "050.S").write_bytes(TWO)
        (tmp_path / "tmp" / "400.a").write_bytes(b"unfinished")
        found = [(message.name, message.read) for message in read_messages(tmp_path)]
        assert found == [("new/050.S", False), ("cur/100.a:2,RS", True), ("new/200.a", False), ("cur/300.a:2,", False)]


class TestProblems:
    def test_what_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ImportProblem, match=r"nothing\.eml: No such file"):
            read_messages(tmp_path / "nothing.eml")
        with pytest.raises(ImportProblem, match="null"):
            read_messages("a\0b")

    def test_empty_things(self, tmp_path: Path) -> None:
        (tmp_path / "empty.eml").touch()
        with pytest.raises(ImportProblem, match="empty"):
            read_messages(tmp_path / "empty.eml")
        (tmp_path / "folder").mkdir()
        with pytest.raises(ImportProblem, match=r"no \.eml"):
            read_messages(tmp_path / "folder")
        for place in ("cur", "new"):
            (tmp_path / "folder" / place).mkdir()
        with pytest.raises(ImportProblem, match="Maildir is empty"):
            read_messages(tmp_path / "folder")

    def test_neither_file_nor_folder(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.eml")
        with pytest.raises(ImportProblem, match="neither"):
            read_messages(tmp_path / "pipe.eml")
        with pytest.raises(ImportProblem, match="neither"):
            list(read_messages(tmp_path))

    def test_a_link_to_nowhere_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "gone.eml").symlink_to(tmp_path / "nowhere")
        with pytest.raises(ImportProblem, match=r"gone\.eml"):
            list(read_messages(tmp_path))

    def test_too_large(self, tmp_path: Path) -> None:
        (tmp_path / "a.eml").write_bytes(b"x" * 101)
        (tmp_path / "b.mbox").write_bytes(b"From a Mon Jan  5 08:00:00 2026\n" + b"x\n" * 60)
        for name, called in (("a.eml", "a.eml"), ("b.mbox", "b.mbox#1")):
            with pytest.raises(ImportProblem, match=f"{called}: a message is larger than 100 octets"):
                list(read_messages(tmp_path / name, limit=100))
        assert len(list(read_messages(tmp_path / "a.eml", limit=101))) == 1

    def test_what_cannot_be_read_is_named_and_the_rest_is_given_out(self, tmp_path: Path) -> None:
        for name, content in (("a.eml", ONE), ("big.eml", b"x" * 200), ("z.eml", TWO)):
            (tmp_path / name).write_bytes(content)
        (tmp_path / "gone.eml").symlink_to(tmp_path / "nowhere")
        os.mkfifo(tmp_path / "pipe.eml")
        with pytest.raises(ImportProblem) as problem:
            list(read_messages(tmp_path, limit=100))
        told: list[str] = []
        given = [message.name for message in read_messages(tmp_path, limit=100, complain=lambda p: told.append(str(p)))]
        assert given == ["a.eml", "z.eml"]
        assert len(told) == 3
        assert "big.eml: a message is larger" in told[0]
        assert "nowhere" in told[1] or "gone.eml" in told[1]
        assert "pipe.eml: neither a file nor a folder" in told[2]
        assert str(problem.value) == "; ".join(told)

    def test_importing_loads_the_rest_before_it_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "gone.eml").symlink_to(tmp_path / "nowhere")
        (tmp_path / "z.eml").write_bytes(TWO)
        with World() as world:
            world.add_account("ann@sim.test")
            with pytest.raises(ImportProblem, match=r"gone\.eml"):
                import_into(world, "ann@sim.test", tmp_path)
            assert world.inbox("ann@sim.test") == [TWO]

    def test_of_many_problems_some_are_named(self, tmp_path: Path) -> None:
        for number in range(15):
            (tmp_path / f"{number:02d}.eml").symlink_to(tmp_path / "nowhere")
        with pytest.raises(ImportProblem, match="and 5 more") as problem:
            list(read_messages(tmp_path))
        assert str(problem.value).count(".eml") == 10


FROM = b"From ann@sim.test Mon Jan  5 08:00:00 2026\n"


class TestMbox:
    def written(self, tmp_path: Path, content: bytes) -> list[bytes]:
        (tmp_path / "box").write_bytes(content)
        return octets(tmp_path / "box")

    def test_messages_are_split_at_from_lines_behind_an_empty_line(self, tmp_path: Path) -> None:
        assert self.written(tmp_path, FROM + TWO + b"\n" + FROM + TWO + b"\n") == [TWO, TWO]

    def test_the_last_empty_line_may_be_missing(self, tmp_path: Path) -> None:
        assert self.written(tmp_path, FROM + TWO + b"\n" + FROM + TWO) == [TWO, TWO]

    def test_one_quote_is_taken_from_each_quoted_from_line(self, tmp_path: Path) -> None:
        body = b"Subject: x\n\n>From one\n>>From two\n> From three\n>Fromage\nx >From four\n\n"
        assert self.written(tmp_path, FROM + body) == [
            b"Subject: x\n\nFrom one\n>From two\n> From three\n>Fromage\nx >From four\n"
        ]

    @pytest.mark.parametrize(
        "line", [b"From here on, all is well\n", b"From 10:30 to 11:00 we rest\n", b"From\n", b"from a 1:00 2026\n"]
    )
    def test_prose_does_not_begin_a_message(self, tmp_path: Path, line: bytes) -> None:
        assert self.written(tmp_path, FROM + TWO + b"\n" + line + b"\n") == [TWO + b"\n" + line]

    def test_a_from_line_without_an_empty_line_before_it_is_text(self, tmp_path: Path) -> None:
        assert self.written(tmp_path, FROM + TWO + FROM) == [TWO + FROM]

    def test_line_ends_stay(self, tmp_path: Path) -> None:
        content = (FROM + TWO + b"\n" + FROM + TWO + b"\n").replace(b"\n", b"\r\n")
        assert self.written(tmp_path, content) == [TWO.replace(b"\n", b"\r\n")] * 2

    def test_very_long_lines(self, tmp_path: Path) -> None:
        message = b"Subject: x\n\n" + b"From" * 100_000 + b"\n"
        assert self.written(tmp_path, FROM + message + b"\n" + FROM + TWO) == [message, TWO]

    @settings(max_examples=50, deadline=None)
    @given(
        st.lists(
            st.lists(st.sampled_from([b"", b"text", b"From x", b">From y", b">>From z", FROM[:-1], b">"]), max_size=6).map(
                lambda lines: b"Subject: x\n\n" + b"".join(line + b"\n" for line in lines)
            ),
            min_size=1,
            max_size=4,
        )
    )
    def test_what_mboxrd_writes_is_read_back(self, tmp_path_factory: pytest.TempPathFactory, messages: list[bytes]) -> None:
        import re

        quoted = [re.sub(rb"(?m)^(>*From )", rb">\1", message) for message in messages]
        file = tmp_path_factory.mktemp("mbox") / "box"
        file.write_bytes(b"".join(FROM + message + b"\n" for message in quoted))
        assert octets(file) == messages

    def test_the_standard_librarys_mbox(self, tmp_path: Path) -> None:
        box = mailbox.mbox(tmp_path / "box")
        box.add(TWO)
        box.add(b"Subject: three\n\nFrom me\n")
        box.close()
        assert octets(tmp_path / "box") == [TWO, b"Subject: three\n\nFrom me\n"]

    def test_one_that_is_too_large_is_left_out(self, tmp_path: Path) -> None:
        (tmp_path / "box").write_bytes(FROM + TWO + b"\n" + FROM + b"x" * 300 + b"\n\n" + FROM + ONE)
        told: list[str] = []
        found = list(read_messages(tmp_path / "box", limit=100, complain=lambda problem: told.append(str(problem))))
        assert [(message.octets, message.name) for message in found] == [(TWO, "box#1"), (ONE.replace(b">", b""), "box#3")]
        (problem,) = told
        assert problem.endswith("box#2: a message is larger than 100 octets")


class TestPacked:
    def test_a_gzipped_mbox_message_and_maildir(self, tmp_path: Path) -> None:
        (tmp_path / "box.gz").write_bytes(gzip.compress(FROM + TWO + b"\n" + FROM + TWO))
        (tmp_path / "one.eml.gz").write_bytes(gzip.compress(ONE))
        assert octets(tmp_path / "box.gz") == [TWO, TWO]
        assert octets(tmp_path / "one.eml.gz") == [ONE]
        assert octets(tmp_path) == [ONE]
        for place in ("cur", "new"):
            (tmp_path / "Maildir" / place).mkdir(parents=True)
        (tmp_path / "Maildir" / "cur" / "1:2,SZ").write_bytes(gzip.compress(ONE))  # as Dovecot's zlib plugin keeps it
        (message,) = read_messages(tmp_path / "Maildir")
        assert (message.octets, message.read) == (ONE, True)

    @pytest.mark.parametrize("content", [b"", FROM + TWO])
    def test_one_that_breaks_off(self, tmp_path: Path, content: bytes) -> None:
        packed = gzip.compress(FROM + TWO + b"\n" + FROM + os.urandom(5000))
        (tmp_path / "box.gz").write_bytes(packed[: -1000 if content else 12])
        with pytest.raises(ImportProblem, match=r"box\.gz: the packed file is broken"):
            octets(tmp_path / "box.gz")
        told: list[ImportProblem] = []
        if content:
            (first,) = read_messages(tmp_path / "box.gz", complain=told.append)
            assert (first.octets, len(told)) == (TWO, 1)

    def test_a_small_file_that_unpacks_to_a_large_one(self, tmp_path: Path) -> None:
        (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(10_000_000)))
        with pytest.raises(ImportProblem, match="larger than 1000 octets"):
            list(read_messages(tmp_path / "bomb.gz", limit=1000))

    @pytest.mark.parametrize(
        ("content", "packer"),
        [(bz2.compress(FROM + TWO), "bzip2"), (lzma.compress(FROM + TWO), "xz"), (b"PK\x03\x04rest", "zip")],
    )
    def test_other_packers_are_named(self, tmp_path: Path, content: bytes, packer: str) -> None:
        (tmp_path / "box").write_bytes(content)
        with pytest.raises(ImportProblem, match=f"box: the file is packed by {packer}: unpack it first"):
            read_messages(tmp_path / "box")


class TestMaildirSubfolders:
    @pytest.fixture
    def maildir(self, tmp_path: Path) -> Path:
        for name in ("", ".Sent", ".Archive.2024", ".Archive", ".B&APw-cher.R&AOQ-tsel &- mehr", ".not-one", ".&AAA-broken"):
            for place in ("cur", "new", "tmp") if name != ".not-one" else ("tmp",):
                (tmp_path / name / place).mkdir(parents=True)
        (tmp_path / "new" / "1").write_bytes(b"Subject: top\n\n")
        (tmp_path / ".Sent" / "cur" / "1:2,S").write_bytes(b"Subject: sent\n\n")
        (tmp_path / ".Archive.2024" / "cur" / "2:2,").write_bytes(b"Subject: inner\n\n")
        (tmp_path / ".Archive" / "new" / "3").write_bytes(b"Subject: outer\n\n")
        (tmp_path / ".B&APw-cher.R&AOQ-tsel &- mehr" / "new" / "4").write_bytes(b"Subject: book\n\n")
        return tmp_path

    def test_each_message_tells_its_folder(self, maildir: Path) -> None:
        found = {message.name: message.folder for message in read_messages(maildir)}
        assert found == {
            "new/1": (),
            ".Archive/new/3": ("Archive",),
            ".Archive.2024/cur/2:2,": ("Archive", "2024"),
            ".B&APw-cher.R&AOQ-tsel &- mehr/new/4": ("Bücher", "Rätsel & mehr"),
            ".Sent/cur/1:2,S": ("Sent",),
        }

    def test_they_are_imported_into_folders(self, maildir: Path) -> None:
        with World() as world:
            world.add_account("ann@sim.test")
            import_into(world, "ann@sim.test", maildir)
            store = world.store
            folders = {folder.uid: folder for folder in store.folders("ann@sim.test")}
            held = {
                (folders[folder.parent].name if folder.parent else "", folder.name): [
                    store.octets(item.uid) for item in store.items(folder.uid)
                ]
                for folder in folders.values()
                if store.count(folder.uid)
            }
        top = "Top of Information Store"
        assert held == {
            (top, "Inbox"): [b"Subject: top\n\n"],
            (top, "Sent Items"): [b"Subject: sent\n\n"],
            (top, "Archive"): [b"Subject: outer\n\n"],
            ("Archive", "2024"): [b"Subject: inner\n\n"],
            ("Bücher", "Rätsel & mehr"): [b"Subject: book\n\n"],
        }

    def test_one_with_mail_in_a_subfolder_only_is_not_empty(self, maildir: Path) -> None:
        (maildir / "new" / "1").unlink()
        assert len(list(read_messages(maildir))) == 4

    @pytest.mark.parametrize(
        ("directory", "path"),
        [
            (".A..B", ("A", "B")),
            (".&-", ("&",)),
            (".&AOQ", ("&AOQ",)),
            (".&A-", ("&A-",)),
            (". ", ()),
            (".x" * 100, ("x",) * 100),
            (".&2D3eAA-", ("😀",)),
        ],
    )
    def test_names(self, directory: str, path: tuple[str, ...]) -> None:
        assert folder_path(directory) == path


NOON = datetime(2025, 6, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (
            b"Received: from a by b;\r\n\tSun, 1 Jun 2025 14:00:00 +0200\r\nReceived: x; Sat, 31 May 2025 00:00:00 +0000\r\n",
            NOON,
        ),
        (b"Received: from a by b\r\nDate: Sun, 1 Jun 2025 12:00:00 GMT\r\n", NOON),
        (b"Received: a; nonsense\r\nDate: Sun, 1 Jun 2025 12:00:00 -0000\r\n", NOON),
        (b"Date: Sun, 99 Jun 2025 12:00:00 +0000\r\n", None),
        (b"Date: Sun, 1 Jun 0000 12:00:00 +9999\r\n", None),
        (b"Date: Fri, 31 Dec 9999 23:00:00 -1400\r\n", None),
        (b"Subject: x\r\n", None),
        (b"", None),
    ],
)
def test_when_a_message_says_it_was_received(head: bytes, expected: datetime | None) -> None:
    assert received_time(head + b"\r\nDate: in the body\r\n") == expected


def test_importing_keeps_order_time_and_read_state(tmp_path: Path) -> None:
    for place in ("cur", "new"):
        (tmp_path / place).mkdir()
    (tmp_path / "cur" / "1:2,S").write_bytes(b"Date: Sun, 1 Jun 2025 12:00:00 +0000\n\nold\n")
    (tmp_path / "new" / "2").write_bytes(b"Date: Sun, 1 Jun 2099 12:00:00 +0000\n\nfrom the future\n")
    world = World()
    world.add_account("ann@sim.test")
    first, second = import_into(world, "ann@sim.test", tmp_path, folder=Role.SENT)
    assert (first.read, first.received) == (True, NOON)
    assert (second.read, second.received) == (False, world.clock.now())
    assert [entry.data["uid"] for entry in world.journal.deliveries()] == [first.uid, second.uid]
    assert world.store.octets(first.uid).endswith(b"old\n")
