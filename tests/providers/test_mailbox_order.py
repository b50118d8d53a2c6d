"""The order of steps of a mailbox run: whatever fails wherever, nothing is lost, doubled, or removed before it is saved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.errors import AuthError, Cancelled, ConnectionFailed, MessageError, OrganizationError, StaleRun, StoreError
from postroom.mime.values import ParsedMessage
from postroom.model.verdict import ReasonCode, Verdict
from postroom.providers.base import Fetched, Listed, MailboxProvider, MailboxState
from postroom.providers.contract import (
    CheckReport,
    Direction,
    Disposition,
    IncomingOffer,
    ProviderEnv,
    ProviderSpec,
    RunContext,
)
from postroom.testing.fake_gateway import Call, Failures, FakeGateway, MemoryLog, MemorySeenSet, MemoryStateCell, make_context
from postroom_simulator.clock import ManualClock


def message(number: int, extra: str = "") -> bytes:
    return f"From: a@x.test\r\nMessage-ID: <{number}@x.test>\r\nSubject: {number}\r\n\r\n{extra}\r\n".encode()


@dataclass(frozen=True)
class SourceConfig:
    delete: bool = False


@dataclass
class Source:
    """A mailbox as a list of (key, octets). Removals take effect when it is closed in order."""

    messages: list[tuple[str, bytes]] = field(default_factory=list)
    journal: list[Call] = field(default_factory=list)
    failures: Failures = field(default_factory=lambda: Failures([]))
    broken: dict[str, MessageError] = field(default_factory=dict)
    keyless: bool = False
    retrieved: list[str] = field(default_factory=list)


class ListProvider(MailboxProvider[SourceConfig]):
    spec: ClassVar[ProviderSpec[SourceConfig, MailboxState]] = ProviderSpec(
        "list", Direction.INBOUND, SourceConfig, MailboxState
    )

    def __init__(self, config: SourceConfig, env: ProviderEnv, source: Source) -> None:
        super().__init__(config, env)
        self.deletes = config.delete
        self.source = source
        self.marked: list[int] = []
        self.opened = False

    def on_check(self, ctx: RunContext[MailboxState]) -> CheckReport:
        return CheckReport()

    def open_mailbox(self, ctx: RunContext[MailboxState]) -> None:
        self.source.failures.note("open")
        self.opened = True

    def list_messages(self, ctx: RunContext[MailboxState]) -> Sequence[Listed]:
        self.source.failures.note("list")
        return [Listed("" if self.source.keyless else key, number) for number, (key, _) in enumerate(self.source.messages)]

    def retrieve_messages(self, ctx: RunContext[MailboxState], wanted: Sequence[Listed]) -> Iterator[Fetched]:
        for listed in wanted:
            key, octets = self.source.messages[listed.place]
            self.source.failures.note("retrieve", key)
            self.source.retrieved.append(key)
            error = self.source.broken.get(key)
            yield Fetched(listed, b"" if error else octets, error)

    def dispose_messages(self, ctx: RunContext[MailboxState], settled: Sequence[Listed]) -> None:
        for listed in settled:
            self.source.failures.note("dispose", self.source.messages[listed.place][0])
            self.marked.append(listed.place)

    def close_mailbox(self, ctx: RunContext[MailboxState]) -> None:
        self.source.failures.note("close")
        self.source.messages = [one for place, one in enumerate(self.source.messages) if place not in self.marked]

    def abandon_mailbox(self) -> None:
        self.opened = False
        self.marked = []


class Bench:
    """One instance over many runs. All calls, of gateway, memory and source, are in one list."""

    def __init__(self, *, delete: bool = False, items: int = 100, gateway: FakeGateway | None = None) -> None:
        self.clock = ManualClock()
        self.gateway = gateway or FakeGateway()
        self.source = Source(failures=self.gateway)
        self.seen = MemorySeenSet(self.gateway)
        self.cell = MemoryStateCell(MailboxState(), self.gateway)
        self.log = MemoryLog()
        self.items = items
        self.provider = ListProvider(SourceConfig(delete), ProviderEnv("i", mailbox="me@x.test"), self.source)

    def run(self, **arguments: Any) -> Any:
        arguments.setdefault("items", self.items)
        net: Any = None
        context = make_context(
            self.cell.value,
            net=net,
            clock=self.clock,
            gateway=self.gateway,
            seen=self.seen,
            cell=self.cell,
            log=self.log,
            **arguments,
        )
        return self.provider.run(context)

    @property
    def tracked(self) -> list[str]:
        return self.gateway.by(Disposition.TRACKED)

    @property
    def calls(self) -> list[str]:
        return [call.name for call in self.gateway.calls]


def filled(count: int = 3, **arguments: Any) -> Bench:
    bench = Bench(**arguments)
    bench.source.messages = [(f"k{number}", message(number)) for number in range(count)]
    return bench


def test_the_order_of_steps() -> None:
    bench = filled(2, delete=True)
    outcome = bench.run()
    assert (outcome.processed, outcome.delivered, outcome.more, outcome.error) == (2, 2, False, None)
    steps = [name for name in bench.calls if name != "state.commit"]
    assert steps == [
        *("open", "list", "seen.new_among", "retrieve", "retrieve", "settled"),
        *("batch", "check_incoming", "deliver_incoming", "check_incoming", "deliver_incoming", "commit"),
        *("seen.add", "dispose", "dispose", "close"),
    ]
    assert bench.source.messages == []
    assert not bench.provider.opened


def test_an_idle_poll_writes_nothing() -> None:
    bench = filled(3)
    bench.run()
    bench.run()
    before = len(bench.calls)
    outcome = bench.run()
    assert outcome.processed == 0
    assert bench.calls[before:] == ["open", "list", "seen.new_among", "close"]


def test_an_empty_source_commits_nothing() -> None:
    bench = Bench()
    bench.run()
    assert bench.cell.commits == []


def test_the_cap_and_more() -> None:
    bench = filled(7, items=3)
    outcomes = [bench.run() for _ in range(4)]
    assert [(one.processed, one.more) for one in outcomes] == [(3, True), (3, True), (1, False), (0, False)]
    assert bench.tracked == [f"k{number}" for number in range(7)]


def test_filtered_messages_are_settled_with_their_reason() -> None:
    gateway = FakeGateway(lambda offer: Verdict(offer.source_key != "k1", ReasonCode.NO_RECIPIENT_MATCH))
    bench = filled(3, delete=True, gateway=gateway)
    outcome = bench.run()
    assert (outcome.processed, outcome.delivered, outcome.rejected) == (3, 2, 1)
    assert gateway.by(Disposition.FILTERED) == ["k1"]
    assert bench.source.messages == []


def test_one_bad_message_takes_no_other_along_and_is_parked_in_the_end() -> None:
    bench = filled(3, delete=True)
    bench.gateway.fail_always("deliver_incoming", MessageError("cannot store"), "k1")
    outcomes = [bench.run() for _ in range(6)]
    assert [one.failed for one in outcomes] == [1, 1, 1, 1, 1, 0]
    assert bench.tracked == ["k0", "k2"]
    assert bench.gateway.by(Disposition.PARKED) == ["k1"]
    assert [key for key, _ in bench.source.messages] == ["k1"], "a parked message stays at the source"
    assert bench.source.retrieved.count("k1") == 5
    assert all(one.error is None for one in outcomes)


@pytest.mark.parametrize("error", [ZeroDivisionError("bug"), OrganizationError("refused")])
@pytest.mark.parametrize("call", ["check_incoming", "deliver_incoming"])
def test_what_nobody_foresaw_is_held_against_the_message(error: Exception, call: str) -> None:
    bench = filled(3)
    bench.gateway.fail_always(call, error, "k1")
    for _ in range(5):
        bench.run()
    assert bench.tracked == ["k0", "k2"]
    assert bench.gateway.by(Disposition.PARKED) == ["k1"]


def test_an_undecided_verdict_is_tried_again() -> None:
    verdicts = iter([Verdict(False, ReasonCode.UNKNOWN), Verdict(True, ReasonCode.ACCEPT_ALL)])
    bench = filled(1, gateway=FakeGateway(lambda _: next(verdicts)))
    assert bench.run().failed == 1
    assert bench.tracked == []
    assert bench.run().delivered == 1


def test_a_message_that_cannot_be_retrieved_is_isolated() -> None:
    bench = filled(3)
    bench.source.broken["k0"] = MessageError("refused", source_key="k0")
    bench.source.broken["k2"] = MessageError("too long", source_key="k2", permanent=True)
    outcome = bench.run()
    assert (outcome.delivered, outcome.failed) == (1, 2)
    assert bench.gateway.by(Disposition.PARKED) == ["k2"]
    bench.source.broken.clear()
    assert bench.run().delivered == 1
    assert bench.tracked == ["k1", "k0"]


@pytest.mark.parametrize("delete", [False, True])
@pytest.mark.parametrize(
    "call",
    [
        "open",
        "list",
        "seen.new_among",
        "retrieve",
        "settled",
        "batch",
        "check_incoming",
        "deliver_incoming",
        "commit",
        "seen.add",
        "dispose",
        "close",
        "state.commit",
    ],
)
@pytest.mark.parametrize("error", [ConnectionFailed("gone"), StoreError("disk full"), StaleRun("lost")])
@pytest.mark.parametrize("nth", [1, 2])
def test_wherever_a_run_is_cut_the_next_one_finishes(delete: bool, call: str, error: Exception, nth: int) -> None:
    bench = filled(4, delete=delete, items=3)
    bench.gateway.fail(call, error, nth=nth)
    for _ in range(4):
        try:
            bench.run()
        except (ConnectionFailed, StoreError, StaleRun):
            pass
        assert not bench.provider.opened
        stored = {digest for _, digest in bench.gateway.ledger}
        assert len(stored) + sum(1 for key, _ in bench.source.messages if key not in bench.tracked) == 4, "nothing is lost"
    bench.gateway.heal()
    bench.run()
    assert sorted(bench.tracked) == ["k0", "k1", "k2", "k3"]
    assert len(bench.gateway.offers) == 4, "nothing is doubled"
    assert bench.source.messages == [] if delete else len(bench.source.messages) == 4


def test_errors_after_progress_keep_the_counts() -> None:
    bench = filled(120)
    bench.items = 200
    bench.gateway.fail("retrieve", ConnectionFailed("gone"), nth=60)
    outcome = bench.run()
    assert (outcome.processed, outcome.delivered) == (50, 50)
    assert isinstance(outcome.error, ConnectionFailed)
    assert bench.provider.last_error == "ConnectionFailed: gone"
    assert bench.run().delivered == 70
    assert bench.provider.last_error == ""
    assert bench.provider.counters.delivered == 120


def test_errors_before_any_progress_are_raised() -> None:
    bench = filled(1)
    bench.gateway.fail("open", AuthError("no"))
    with pytest.raises(AuthError):
        bench.run()
    assert bench.provider.counters.failed_runs == 1


def test_cancelled_between_messages_keeps_progress() -> None:
    bench = filled(120)
    bench.items = 200
    outcome = bench.run(cancelled=lambda: len(bench.source.retrieved) >= 70)
    assert isinstance(outcome.error, Cancelled)
    assert outcome.more
    assert outcome.delivered == 50
    assert len(bench.source.retrieved) == 70
    assert bench.calls[-1] == "close"
    bench.run()
    assert len(bench.tracked) == 120
    assert len(bench.gateway.offers) == 120


def test_asked_to_end_within_a_commit_no_other_message_is_begun() -> None:
    bench = filled(12, delete=True)
    outcome = bench.run(cancelled=lambda: len(bench.gateway.offers) >= 2)
    assert isinstance(outcome.error, Cancelled)
    assert (outcome.delivered, outcome.more) == (2, True)
    assert bench.tracked == ["k0", "k1"]
    assert bench.seen.entries.keys() == {"k0", "k1"}
    outcome = bench.run()
    assert (outcome.delivered, outcome.error) == (10, None)
    assert bench.source.messages == []


def test_a_slow_source_commits_now_and_then() -> None:
    bench = filled(10)
    original = bench.source.failures.note

    def slow(name: str, key: str = "") -> None:
        original(name, key)
        if name == "retrieve":
            bench.clock.advance(2)

    bench.gateway.note = slow  # type: ignore[method-assign]
    bench.run()
    assert bench.calls.count("commit") == 3  # after the first message and six seconds


def test_a_large_batch_is_cut_by_octets() -> None:
    bench = Bench()
    bench.source.messages = [(f"k{number}", message(number, "x" * 3_000_000)) for number in range(4)]
    bench.run()
    assert bench.calls.count("commit") == 2


# -- keys


def test_two_messages_under_one_key_are_both_taken_and_not_looped_over() -> None:
    bench = Bench()
    bench.source.messages = [("same", message(1)), ("same", message(2)), ("same", message(2))]
    bench.run()
    assert bench.tracked == ["same", "same 2", "same 3"]
    assert bench.run().processed == 0


def test_two_messages_under_one_key_are_both_deleted() -> None:
    bench = Bench(delete=True)
    bench.source.messages = [("same", message(1)), ("same", message(2))]
    bench.gateway.fail("close", ConnectionFailed("gone"))
    bench.run()
    assert len(bench.source.messages) == 2
    bench.source.messages.pop(0)  # only one of the removals took place: "same" now names the other message
    bench.run()
    assert bench.source.messages == []
    assert len(bench.gateway.offers) == 2


def test_a_key_used_again_for_another_message_is_a_new_message() -> None:
    bench = filled(1, delete=True)
    bench.gateway.fail("close", ConnectionFailed("gone"))
    bench.run()
    bench.source.messages = [("k0", message(77))]
    outcome = bench.run()
    assert outcome.delivered == 1
    assert len(bench.gateway.offers) == 2
    assert bench.source.messages == []


def test_a_lost_removal_is_repeated_without_delivering_again() -> None:
    bench = filled(3, delete=True)
    bench.gateway.fail("close", ConnectionFailed("gone"))
    assert bench.run().delivered == 3
    assert len(bench.source.messages) == 3
    outcome = bench.run()
    assert outcome.delivered == 0
    assert bench.source.messages == []
    assert len(bench.gateway.offers) == 3


def test_all_keys_renamed_doubles_nothing() -> None:
    bench = filled(5)
    bench.run()
    bench.source.messages = [(f"new-{key}", octets) for key, octets in bench.source.messages] + [("fresh", message(99))]
    outcome = bench.run()
    assert (outcome.processed, outcome.delivered) == (1, 1)
    assert len(bench.gateway.offers) == 6
    assert "mailbox.keys_renamed" in bench.log.events
    assert bench.run().processed == 0


def test_all_keys_renamed_over_several_cycles() -> None:
    bench = filled(7, items=3)
    for _ in range(3):
        bench.run()
    bench.source.messages = [(f"new-{key}", octets) for key, octets in bench.source.messages]
    for _ in range(3):
        bench.run()
    assert len(bench.gateway.offers) == 7
    assert set(bench.seen.entries) >= {f"new-k{number}" for number in range(7)}
    assert not bench.cell.value.looking


def test_lost_memory_costs_a_look_and_no_double() -> None:
    bench = filled(5)
    bench.run()
    bench.seen.entries.clear()
    bench.cell.value = MailboxState()
    assert bench.run().delivered == 0
    assert len(bench.gateway.offers) == 5


def test_a_new_message_beside_old_ones_is_no_renaming() -> None:
    bench = filled(2)
    bench.run()
    bench.source.messages.append(("k9", message(9)))
    before = bench.calls.count("settled")
    bench.run()
    assert bench.calls.count("settled") == before
    assert "mailbox.keys_renamed" not in bench.log.events


@pytest.mark.parametrize("delete", [False, True])
def test_a_source_without_keys(delete: bool) -> None:
    bench = Bench(delete=delete, items=3)
    bench.source.keyless = True
    bench.source.messages = [("", message(number)) for number in (1, 2, 2, 3)]
    outcomes = [bench.run() for _ in range(3)]
    assert [one.delivered for one in outcomes] == [3, 1, 0]
    assert outcomes[0].more
    assert all(key.startswith("sha256:") for key in bench.tracked)
    assert len(bench.source.messages) == (0 if delete else 4)


def test_keys_still_listed_are_kept_from_expiring_once_a_day() -> None:
    bench = filled(2)
    bench.run()
    for _ in range(3):
        bench.run()
    assert bench.seen.touched == ["k0", "k1"]
    bench.clock.advance(days=1)
    bench.run()
    assert bench.seen.touched == ["k0", "k1"] * 2


def test_received_on_is_the_topmost_received_else_the_date_else_now() -> None:
    bench = Bench()
    bench.source.messages = [
        ("a", b"Received: x; Mon, 5 Jan 2026 07:00:00 +0100\r\nReceived: y; Mon, 5 Jan 2026 05:00:00 +0000\r\n\r\n"),
        ("b", b"Date: Mon, 5 Jan 2026 07:30:00 +0000\r\n\r\n"),
        ("c", b"Subject: x\r\n\r\n"),
    ]
    bench.run()
    moments = [offer.received_on.isoformat() for offer in bench.gateway.offers]
    assert moments == ["2026-01-05T06:00:00+00:00", "2026-01-05T07:30:00+00:00", bench.clock.now().isoformat()]
    assert all(offer.submitted_by == "me@x.test" for offer in bench.gateway.offers)


# -- hooks


def test_hooks_may_translate_and_refuse() -> None:
    class Translating(ListProvider):
        def open_mailbox(self, ctx: RunContext[MailboxState]) -> None:
            raise KeyError("library")

        def handle_open_error(self, ctx: RunContext[MailboxState], error: Exception) -> Exception:
            return AuthError("translated")

    bench = filled(1)
    bench.provider = Translating(SourceConfig(), ProviderEnv("i"), bench.source)
    with pytest.raises(AuthError) as caught:
        bench.run()
    assert isinstance(caught.value.__cause__, KeyError)

    class Choosy(ListProvider):
        def validate_message(self, ctx: RunContext[MailboxState], offer: IncomingOffer) -> None:
            if offer.message.subject == "1":
                raise MessageError("not this one", permanent=True)

    bench = filled(3)
    bench.provider = Choosy(SourceConfig(), ProviderEnv("i"), bench.source)
    bench.run()
    assert bench.tracked == ["k0", "k2"]
    assert bench.gateway.by(Disposition.PARKED) == ["k1"]


def test_overriding_a_wrapper_is_refused() -> None:
    with pytest.raises(TypeError, match=r"run.*final"):

        class Wrong(ListProvider):
            def run(self, ctx: RunContext[MailboxState]) -> Any:  # type: ignore[misc]
                return None


def test_a_closed_provider_runs_no_more() -> None:
    bench = filled(1)
    bench.provider.close()
    bench.provider.close()
    with pytest.raises(Exception, match="closed"):
        bench.run()


# -- random histories


@settings(max_examples=60, deadline=None)
@given(data=st.data(), delete=st.booleans(), items=st.integers(1, 4))
def test_random_histories_balance(data: st.DataObject, delete: bool, items: int) -> None:
    """Arrivals, cuts at any call, renamed keys, in any order: in the end each message is stored once, and none was removed unsaved."""
    bench = Bench(delete=delete, items=items)
    arrived = 0
    names = ["open", "retrieve", "batch", "deliver_incoming", "commit", "seen.add", "dispose", "close", "state.commit"]
    for _ in range(data.draw(st.integers(1, 8))):
        for _ in range(data.draw(st.integers(0, 3))):
            bench.source.messages.append((f"k{arrived}", message(arrived)))
            arrived += 1
        if data.draw(st.booleans()):
            bench.gateway.fail(data.draw(st.sampled_from(names)), ConnectionFailed("cut"), nth=data.draw(st.integers(1, 3)))
        try:
            bench.run()
        except ConnectionFailed:
            pass
        bench.gateway.heal()
        present = {octets for _, octets in bench.source.messages}
        stored = {offer.octets for offer in bench.gateway.offers}
        assert {message(number) for number in range(arrived)} <= present | stored
    for _ in range(arrived + 1):
        bench.run()
    assert sorted(offer.octets for offer in bench.gateway.offers) == sorted(message(number) for number in range(arrived))
    assert len(bench.source.messages) == (0 if delete else arrived)


def test_parsing_is_a_hook() -> None:
    class Plain(ListProvider):
        def parse_message(self, ctx: RunContext[MailboxState], octets: bytes) -> ParsedMessage:
            return ParsedMessage("d", len(octets), "<own@x>")

    bench = filled(1)
    bench.provider = Plain(SourceConfig(), ProviderEnv("i"), bench.source)
    bench.run()
    assert bench.gateway.offers[0].message.message_id == "<own@x>"


def test_what_cannot_be_removed_does_not_make_run_follow_run() -> None:
    class Stubborn(ListProvider):
        def dispose_messages(self, ctx: RunContext[MailboxState], settled: Sequence[Listed]) -> None:
            """The server refuses every removal."""

    bench = filled(7, delete=True, items=3)
    bench.provider = Stubborn(SourceConfig(delete=True), ProviderEnv("i"), bench.source)
    outcomes = [bench.run() for _ in range(5)]
    assert [one.more for one in outcomes] == [True, True, False, False, False]
    assert len(bench.gateway.offers) == 7
    bench.source.messages.append(("fresh", message(99)))
    assert bench.run().delivered == 1, "new mail comes first"


def test_old_mail_is_removed_once_removal_is_switched_on() -> None:
    bench = filled(7, items=3)
    while bench.run().more:
        pass
    bench.provider = ListProvider(SourceConfig(delete=True), ProviderEnv("i"), bench.source)
    for _ in range(3):
        bench.run()
    assert bench.source.messages == []
    assert len(bench.gateway.offers) == 7


def test_mail_before_the_watermark_stays_at_the_source() -> None:
    gateway = FakeGateway(lambda offer: Verdict(offer.source_key != "k1", ReasonCode.BEFORE_WATERMARK))
    bench = filled(3, delete=True, gateway=gateway)
    for _ in range(3):
        bench.run()
    assert gateway.by(Disposition.FILTERED) == ["k1"]
    assert [key for key, _ in bench.source.messages] == ["k1"]
    assert bench.source.retrieved.count("k1") == 1
