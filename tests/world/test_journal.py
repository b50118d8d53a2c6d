from __future__ import annotations

import contextlib
import socket
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_simulator import Journal, Kind, ManualClock, When, World
from postroom_simulator.errors import ExpectationFailed, SimulatorError
from postroom_simulator.faults import Cut, Delay, Drip, Garble, Lie, LoseReply
from postroom_simulator.journal import DETAIL_LIMIT, Entry


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 1, 9, 30, tzinfo=UTC))


@pytest.fixture
def journal(clock: ManualClock) -> Journal:
    journal = Journal(clock)
    for verb, detail in (("USER", "USER ann"), ("PASS", "PASS ***"), ("RETR", "RETR 1"), ("RETR", "RETR 2")):
        clock.advance(1)
        journal.add(Kind.COMMAND, protocol="pop3", connection="pop3-1", account="ann@sim.test", verb=verb, detail=detail)
        journal.add(Kind.REPLY, protocol="pop3", connection="pop3-1", account="ann@sim.test", verb=verb, detail="+OK")
    journal.add(Kind.DELIVERY, account="bob@sim.test", data={"uid": 7, "sender": "x@out.test"})
    return journal


class TestWriting:
    def test_entries_are_numbered_and_dated_in_order(self, journal: Journal) -> None:
        assert [entry.number for entry in journal] == list(range(1, 10))
        assert next(iter(journal)).at == datetime(2026, 3, 1, 9, 30, 1, tzinfo=UTC)

    def test_control_characters_are_escaped(self, clock: ManualClock) -> None:
        entry = Journal(clock).add(Kind.NOTE, verb="A\rB", detail="a\r\nb\x1b[31m\u202e\x00ä\ud800")
        assert entry.detail == "a\\r\\nb\\x1b[31m\\u202e\\x00ä\\ud800"
        assert entry.verb == "A\\rB"

    @given(st.text(max_size=3 * DETAIL_LIMIT))
    def test_details_are_printable_and_bounded(self, text: str) -> None:
        detail = Journal(ManualClock()).add(Kind.NOTE, detail=text).detail
        assert detail.isprintable()
        assert len(detail) <= DETAIL_LIMIT + 1
        if text.isprintable() and len(text) <= DETAIL_LIMIT:
            assert detail == text

    def test_a_huge_detail_ends_in_an_ellipsis(self, clock: ManualClock) -> None:
        assert Journal(clock).add(Kind.NOTE, detail="\n" * 10_000_000).detail == "\\n" * (DETAIL_LIMIT // 2) + "…"

    def test_a_capacity_drops_the_oldest(self, clock: ManualClock) -> None:
        journal = Journal(clock, capacity=2)
        for _ in range(5):
            journal.add(Kind.NOTE)
        assert [entry.number for entry in journal] == [4, 5]
        assert journal.dropped == 3
        with pytest.raises(ValueError, match="capacity"):
            Journal(clock, capacity=0)

    def test_threads_lose_and_double_nothing(self, clock: ManualClock) -> None:
        journal = Journal(clock)

        def work() -> None:
            for _ in range(100):
                journal.add(Kind.NOTE)
                journal.count(kind=Kind.COMMAND)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [entry.number for entry in journal] == list(range(1, 401))


class TestAsking:
    def test_criteria_narrow_down(self, journal: Journal) -> None:
        assert [entry.detail for entry in journal.commands("RETR", account="ANN@sim.test")] == ["RETR 1", "RETR 2"]
        assert len(journal.replies("retr")) == 2
        assert [entry.data["uid"] for entry in journal.deliveries(account="bob@sim.test")] == [7]
        assert journal.count(protocol="pop3", connection="pop3-1") == 8
        assert journal.count(connection="pop3-2") == 0
        assert journal.count(data={"uid": 7}) == 1
        assert journal.count(data={"nothing": None}) == 0
        assert journal.count(detail="+OK") == 4
        assert journal.count(after=8) == 1

    def test_an_unknown_criterion_is_a_mistake(self, journal: Journal) -> None:
        with pytest.raises(TypeError):
            journal.entries(verbs="RETR")  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            journal.expect(verbs="RETR")

    def test_what_is_expected_is_given_back(self, journal: Journal) -> None:
        assert [entry.detail for entry in journal.expect(2, kind=Kind.COMMAND, verb="RETR")] == ["RETR 1", "RETR 2"]
        assert journal.expect(0, verb="DELE") == []
        assert len(journal.expect(verb="RETR")) == 4

    def test_a_failure_is_an_assertion_and_one_of_ours(self, journal: Journal) -> None:
        with pytest.raises(ExpectationFailed) as caught:
            journal.expect(verb="DELE")
        assert isinstance(caught.value, AssertionError)
        assert isinstance(caught.value, SimulatorError)

    def test_a_failure_shows_the_nearest_misses_beside_what_was_expected(self, journal: Journal) -> None:
        with pytest.raises(ExpectationFailed) as caught:
            journal.expect(1, kind=Kind.COMMAND, verb="DELE", account="ann@sim.test")
        lines = str(caught.value).splitlines()
        assert lines[0] == "expected 1 of (kind=command, verb='DELE', account='ann@sim.test'), found 0 among 9 entries"
        assert lines[1] == "nearest (* differs):"
        assert lines[3].split() == ["expected", "command", "'DELE'", "'ann@sim.test'"]
        assert lines[4].split() == ["entry", "7", "command", "*'RETR'", "'ann@sim.test'"]
        assert lines[5].split() == ["entry", "5", "command", "*'RETR'", "'ann@sim.test'"]
        assert lines[4].index("'RETR'") - 1 == lines[3].index("'DELE'"), "columns line up"

    def test_too_many_are_listed(self, journal: Journal) -> None:
        with pytest.raises(ExpectationFailed, match=r"(?s)expected 1 of .*found 2.*RETR 1.*RETR 2"):
            journal.expect(1, kind=Kind.COMMAND, verb="RETR")

    def test_a_transcript_reads_like_a_conversation(self, journal: Journal) -> None:
        lines = journal.transcript().splitlines()
        assert lines[4] == "    5 03-01 09:30:03.000 pop3-1 C: RETR 1"
        assert lines[5] == "    6 03-01 09:30:03.000 pop3-1 S: +OK"
        assert lines[8] == "    9 03-01 09:30:04.000 - delivery bob@sim.test uid=7 sender='x@out.test'"
        assert len(journal.transcript(kind=Kind.REPLY).splitlines()) == 4

    def test_fields_are_everything_but_number_and_time(self, clock: ManualClock) -> None:
        values = (Kind.OFFERED, "pop3", "pop3-1", "ann@sim.test", "RETR", "x", {"b": 1, "a": 2})
        one = Entry(1, clock.now(), *values)
        clock.advance(1)
        other = Entry(2, clock.now(), *values)
        assert one.fields() == other.fields()
        for position in range(len(values)):
            changed = list(values)
            changed[position] = Kind.NOTE if position == 0 else {"a": 2} if position == 6 else "other"
            assert Entry(1, clock.now(), *changed).fields() != one.fields()


@pytest.mark.parametrize(
    ("effect", "data", "marked"),
    [
        (LoseReply("fin"), {"lost": True}, " (not sent)"),
        (Cut(0), {"cut": 0}, " (not sent)"),
        (Cut(7), {"cut": 7}, " (cut at octet 7)"),
        (Cut(1000), {}, ""),
        (Garble(3), {"garbled": 3}, " (3 octets garbled)"),
        (Lie("", "no"), {"told": "{code} no"}, " (not sent; told instead: {code} no)"),
        (Delay(1), {}, ""),
        (Drip(), {}, ""),
    ],
    ids=repr,
)
@pytest.mark.parametrize("protocol", ["pop3", "smtp"])
def test_a_reply_that_a_fault_spoils_says_so(protocol, effect, data, marked):
    if isinstance(effect, Lie):
        code = {"pop3": "+OK", "smtp": "451"}[protocol]
        effect, data, marked = Lie(code, "no"), {"told": f"{code} no"}, marked.format(code=code)
    with World() as world:
        world.faults.add(When(protocol=protocol, at="NOOP"), effect)
        with world.connect(protocol) as client:
            client.sendall(b"NOOP\r\n")
            client.recv(4096)
            client.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                while client.recv(4096):
                    pass
        (reply,) = world.journal.replies("NOOP")
    assert reply.data == data
    assert reply.line() == f"{protocol}-1 S: {reply.detail}{marked}"
