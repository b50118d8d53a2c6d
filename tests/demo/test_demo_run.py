"""The main job: what becomes of our own samples, of mail that nobody here wrote, and what is left behind."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from postroom.demo.report import Report, as_document
from postroom.demo.run import KEPT, DemoProblem, run_demo
from postroom_simulator.errors import ImportProblem

SAMPLES = files("postroom.demo") / "samples"
README = (SAMPLES / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def report() -> Report:
    return run_demo()


def comparable(report: Report) -> dict[str, object]:
    return {key: value for key, value in as_document(report).items() if key not in {"seconds", "transport"}}


def outcome(places: list[str]) -> str:
    return next(word for word in ("tracked", "parked", "filtered") if word in places)


@pytest.mark.parametrize(("name", "expected"), re.findall(r"^\| (\S+\.eml) \| ([a-z ]+) \|", README, re.MULTILINE))
def test_each_sample_ends_as_its_readme_says(report: Report, name: str, expected: str) -> None:
    row = next(row for row in report.messages if row.name == name)
    assert outcome([place.outcome for place in row.places]) in expected.split(" or ")


def test_the_books_of_the_samples_balance_and_nothing_is_left_to_do(report: Report) -> None:
    assert report.books.balanced
    assert report.books.problems == ()
    assert report.complete
    assert set(report.books.counts["incoming"]) == {"tracked", "filtered", "parked"}
    assert sum(report.books.counts["incoming"].values()) == report.books.offered
    assert sum(len(row.places) for row in (*report.messages, *report.written_here)) == report.books.offered
    assert len(report.outgoing) == report.books.requested


def test_the_samples_show_every_reason(report: Report) -> None:
    reasons = report.reasons()
    assert {reason for kind, reason in reasons if kind == "filtered"} >= {
        "duplicate",
        "no recipient match",
        "no correlation match",
        "invalid sender",
    }
    assert {reason for kind, reason in reasons if kind == "tracked"} == {"accept all", "sender match", "correlation match"}
    parked = [row for row in report.messages if row.places[0].outcome == "parked"]
    assert [row.name for row in parked] == ["31-whole-catalogue.eml"]
    assert "at most 32768" in parked[0].places[0].detail


def test_what_is_sent_ends_in_every_way(report: Report) -> None:
    rows = {row.subject: row for row in report.outgoing if row.kind == "email"}
    assert len(rows) == 5
    outside, colleague = rows["Thank you for your message"], rows["Can you take this one?"]
    assert [(row.outcome, row.attempts, row.partly) for row in (outside, colleague)] == [("sent", 1, False)] * 2
    late = rows["We have received your request"]
    assert (late.outcome, late.attempts) == ("sent", 2)
    assert "450" in late.note
    partly = rows["Minutes of our meeting"]
    assert partly.outcome == "sent"
    assert partly.partly
    assert [one.accepted for one in partly.recipients] == [True, False]
    assert partly.recipients[1].reply == "550 5.2.1 mailbox disabled"
    failed = rows["Your keys"]
    assert failed.outcome == "failed"
    assert "550 5.2.1" in failed.reason
    assert all(row.outcome == "sent" for row in report.outgoing if row.kind == "test")
    assert "Can you take this one?" in [row.subject for row in report.written_here]


def test_the_same_seed_gives_the_same_run(report: Report) -> None:
    assert comparable(run_demo()) == comparable(report)


def test_both_transports_agree(report: Report) -> None:
    over_tcp = run_demo(transport="tcp")
    assert over_tcp.transport == "tcp"
    assert comparable(over_tcp) == comparable(report)


def test_the_document_is_plain(report: Report) -> None:
    document = as_document(report)
    assert list(document) == [
        "seed", "transport", "source", "domain", "people", "strangers", "messages", "written_here", "outgoing", "books", "complete", "seconds",
    ]  # fmt: skip
    assert document["messages"][0] == {
        "name": "01-first-enquiry.eml",
        "subject": "Thermometers for our cold room",
        "sender": "cora@cedar.example",
        "places": [
            {
                "mailbox": "support@alder.example",
                "outcome": "tracked",
                "reason": "accept all",
                "detail": report.messages[0].places[0].detail,
                "email_id": report.messages[0].places[0].email_id,
            }
        ],
    }
    assert {one["kind"] for one in document["people"]} == {
        "systemuser", "queue", "contact", "lead", "group", "alias", "disabled",
    }  # fmt: skip


# -- mail that nobody here wrote ----------------------------------------------------------------------------------------


def plain(number: int, to: str = "ada@elm.test") -> bytes:
    head = f"From: s{number % 7}@fir.test\r\nTo: {to}\r\nSubject: number {number}\r\nMessage-ID: <{number}@fir.test>\r\n"
    return head.encode() + b"Date: Mon, 04 Mar 2024 08:12:00 +0000\r\n\r\nHello.\r\n"


def mbox(messages: list[bytes]) -> bytes:
    return b"".join(
        b"From s@fir.test Mon Mar  4 08:12:00 2024\n" + octets.replace(b"\r\n", b"\n") + b"\n" for octets in messages
    )


def test_more_than_one_cycle_takes_at_once(tmp_path: Path) -> None:
    """More messages than a cycle's maximum (100), so that one mailbox needs several."""
    pile = tmp_path / "pile.mbox"
    pile.write_bytes(mbox([plain(number) for number in range(230)]))
    told: list[tuple[str, int, int]] = []
    report = run_demo([pile], progress=lambda *what: told.append(what))
    assert report.books.balanced
    assert len(report.messages) == 230
    assert Counter(place.outcome for row in report.messages for place in row.places) == {"tracked": 230}
    assert {what for what, _, _ in told} == {"reading messages", "placing messages", "taking mail in", "comparing the books"}
    assert all(total == 0 or done <= total for _, done, total in told)


def test_a_folder_an_mbox_a_maildir_and_files_end_alike(tmp_path: Path) -> None:
    messages = [plain(number) for number in range(5)]
    folder = tmp_path / "folder"
    maildir = tmp_path / "Maildir"
    for name in ("cur", "new", "tmp"):
        (maildir / name).mkdir(parents=True)
    folder.mkdir()
    for number, octets in enumerate(messages):
        (folder / f"{number}.eml").write_bytes(octets)
        (maildir / ("cur" if number % 2 else "new") / f"{number}.host:2,S").write_bytes(octets)
    (tmp_path / "pile").write_bytes(mbox(messages))
    ways = [[folder], [maildir], [tmp_path / "pile"], sorted(folder.iterdir())]
    ends = []
    for paths in ways:
        report = run_demo(paths)
        assert report.books.balanced
        ends.append([(row.subject, row.places[0].outcome, row.places[0].reason) for row in report.messages])
    assert ends[1:] == ends[:1] * 3
    assert len(ends[0]) == 5


def test_mail_for_nobody_lay_in_the_owners_folder(tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(b"Subject: nothing else\r\n\r\n")
    report = run_demo([tmp_path])
    assert report.domain == "alder.example"
    assert [place.mailbox for place in report.messages[0].places] == ["owner@alder.example"]
    assert report.books.balanced


def test_people_of_any_name_are_served(tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(plain(1, "=?utf-8?Q?J=C3=B6rg_=E6=9D=BE?= <joerg@elm.test>"))
    report = run_demo([tmp_path])
    assert report.people[0].name == "Jörg 松"
    assert report.messages[0].places[0].outcome != "pending"
    assert all(row.outcome == "sent" for row in report.outgoing if row.kind == "test")


ORIGINALS = [entry.read_bytes() for entry in sorted(SAMPLES.iterdir(), key=lambda e: e.name) if entry.name.endswith(".eml")]
ORIGINALS = [octets for octets in ORIGINALS if len(octets) < 6_000]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A sample with pieces overwritten, doubled, swapped with another one's, or cut off."""
    octets = bytearray(draw(st.sampled_from(ORIGINALS)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(octets)))
        piece = draw(
            st.sampled_from([b"\x00", b"\r", b"\n\n", b"\xff\xfe", b"\r\n.\r\n", b"=?utf-8?B?", b'<@,;:\\"', b"\r\n"])
            | st.binary(max_size=40)
            | st.sampled_from(ORIGINALS)
        )
        match draw(st.sampled_from(["insert", "replace", "cut"])):
            case "insert":
                octets[at:at] = piece
            case "replace":
                octets[at : at + len(piece)] = piece
            case _:
                del octets[at + draw(st.integers(0, 200)) :]
    return bytes(octets)


@settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(mutated(), min_size=8, max_size=20))
def test_malformed_mail_ends_with_balanced_books(tmp_path_factory: pytest.TempPathFactory, messages: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("malformed")
    for number, octets in enumerate(messages):
        (folder / f"{number:03d}.eml").write_bytes(octets)
    report = run_demo([folder])
    assert report.books.problems == ()
    assert report.complete
    assert len(report.messages) == len(messages)
    assert all(row.places for row in report.messages)
    assert {place.outcome for row in report.messages for place in row.places} <= {"tracked", "filtered", "parked"}


# -- what is left behind ------------------------------------------------------------------------------------------------


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = threading.enumerate()
    run_demo(transport="tcp")
    assert list(tmp_path.iterdir()) == []
    assert threading.enumerate() == before


def test_keep_leaves_what_it_says(tmp_path: Path, report: Report) -> None:
    folder = tmp_path / "a" / "b"
    kept = run_demo(keep=folder)
    assert comparable(kept) == comparable(report)
    assert sorted(entry.name for entry in folder.iterdir()) == sorted(KEPT)
    found = sorted((folder / "messages").iterdir())
    assert [path.name.split("-", 1)[1] for path in found] == [row.name for row in report.messages]
    assert found[0].read_bytes() == (SAMPLES / "01-first-enquiry.eml").read_bytes()
    with sqlite3.connect(folder / "organization.sqlite") as database:
        stored = database.execute("select count(*) from email where directioncode = 0").fetchone()[0]
    database.close()
    assert stored == report.books.counts["incoming"]["tracked"]
    transcript = (folder / "transcript.txt").read_text("utf-8")
    assert "C: RETR 1" in transcript
    assert "-secret" not in transcript


def test_names_of_kept_files_lead_nowhere_else(tmp_path: Path) -> None:
    maildir = tmp_path / "Maildir"
    for name in ("cur", "new"):
        (maildir / name).mkdir(parents=True)
    (maildir / "cur" / "1..\x1b[31m").write_bytes(plain(1))
    run_demo([maildir], keep=tmp_path / "kept")
    assert [path.name for path in (tmp_path / "kept" / "messages").iterdir()] == ["00001-cur-1..-31m.eml"]


def test_a_folder_in_use_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    for keep in (tmp_path, tmp_path / "mine"):
        with pytest.raises(DemoProblem, match="needs a new or an empty folder"):
            run_demo(keep=keep)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_files_that_change_meanwhile_are_told(tmp_path: Path) -> None:
    path = tmp_path / "pile.mbox"
    path.write_bytes(mbox([plain(number) for number in range(100)]))

    def meddle(what: str, done: int, total: int) -> None:
        if what == "reading messages":
            path.write_bytes(mbox([plain(number, "eve@elm.test") for number in range(100)]))

    with pytest.raises(DemoProblem, match="changed while they were read"):
        run_demo([path], progress=meddle)


def test_what_cannot_be_read_is_an_import_problem(tmp_path: Path) -> None:
    with pytest.raises(ImportProblem, match="No such file"):
        run_demo([tmp_path / "nothing"])
    with pytest.raises(ImportProblem, match=r"no \.eml file"):
        run_demo([tmp_path], keep=tmp_path / "kept")
    assert list(tmp_path.iterdir()) == []
