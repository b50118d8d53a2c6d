"""Where mail stays at the source, a key that was given to another message is noticed by the size, at a bounded cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from test_mailbox_order import Bench, ListProvider, SourceConfig, message

from postroom.errors import MessageError
from postroom.providers.base import MailboxState
from postroom.providers.contract import Disposition, ProviderEnv, RunContext


class SizingProvider(ListProvider):
    """Tells totals and sizes, as POP3 does."""

    def mailbox_totals(self, ctx: RunContext[MailboxState]) -> str:
        self.source.failures.note("totals")
        return f"{len(self.source.messages)} {sum(len(octets) for _, octets in self.source.messages)}"

    def message_sizes(self, ctx: RunContext[MailboxState]) -> Mapping[Any, int]:
        self.source.failures.note("sizes")
        return {place: len(octets) for place, (_, octets) in enumerate(self.source.messages)}


def bench(count: int, **arguments: Any) -> Bench:
    found = Bench(**arguments)
    found.provider = SizingProvider(SourceConfig(delete=False), ProviderEnv("i", mailbox="me@x.test"), found.source)
    found.source.messages = [(f"k{number}", message(number)) for number in range(count)]
    return found


def idle(found: Bench) -> list[str]:
    """The calls of a poll that finds nothing. The one before it may keep what is there from expiring, as it does once a day."""
    found.run()
    found.gateway.calls.clear()
    found.run()
    return found.calls


@pytest.mark.parametrize("count", [1, 40])
def test_an_idle_poll_costs_one_question(count: int) -> None:
    found = bench(count)
    found.run()
    assert idle(found) == ["open", "list", "seen.new_among", "totals", "close"]


def test_another_message_under_a_seen_key_is_taken_in_once() -> None:
    found = bench(3)
    found.run()
    found.source.messages[1] = ("k1", message(9, "longer"))
    found.source.retrieved.clear()
    found.run()
    assert found.source.retrieved == ["k1"]
    assert len(found.tracked) == 4
    assert idle(found) == ["open", "list", "seen.new_among", "totals", "close"]


def test_a_key_that_passes_to_a_message_as_another_leaves() -> None:
    """One is removed, one takes its key, one is new: all at once."""
    found = bench(2)
    found.run()
    found.source.messages = [("k0", message(7, "seven")), ("k1", message(1)), ("k8", message(8))]
    found.source.retrieved.clear()
    found.run()
    assert sorted(found.source.retrieved) == ["k0", "k8"]
    assert len(found.tracked) == 4


def test_the_same_message_of_another_size_is_no_new_one() -> None:
    """A server that corrects its sizes: looked at once more, and remembered with the new size."""
    found = bench(2)
    found.run()
    found.seen.entries["k0"] = found.seen.entries["k0"].partition(" ")[0] + " 1"
    found.cell.value = MailboxState(left=2, touched_on=found.cell.value.touched_on, totals="0 0")
    found.run()
    assert len(found.tracked) == 2
    assert idle(found) == ["open", "list", "seen.new_among", "totals", "close"]


def test_keys_remembered_without_a_size_learn_it() -> None:
    found = bench(2)
    found.run()
    found.seen.entries = {key: text.partition(" ")[0] for key, text in found.seen.entries.items()}
    found.cell.value = MailboxState(left=2, touched_on=found.cell.value.touched_on)
    found.source.retrieved.clear()
    found.run()
    assert found.source.retrieved == []
    assert all(" " in text for text in found.seen.entries.values())


def test_many_of_them_take_several_runs_and_none_is_forgotten() -> None:
    found = bench(5, items=2)
    for _ in range(4):
        found.run()
    found.source.messages = [(key, octets + b"more\r\n") for key, octets in found.source.messages]
    for expected in (7, 9, 10, 10):
        found.run()
        assert len(found.tracked) == expected


def test_new_mail_comes_first() -> None:
    """As long as there is more new mail than one run takes, nobody asks for sizes."""
    found = bench(5, items=2)
    found.run()
    assert "sizes" not in found.calls


def test_a_parked_one_of_another_size_is_looked_at() -> None:
    found = bench(1)
    found.source.broken["k0"] = MessageError("broken", source_key="k0", permanent=True)
    found.run()
    assert found.gateway.by(Disposition.PARKED) == ["k0"]
    found.source.broken.clear()
    found.source.messages[0] = ("k0", message(4, "another"))
    found.run()
    assert found.tracked == ["k0"]


def test_one_that_cannot_be_had_is_counted_and_parked_in_the_end() -> None:
    found = bench(1)
    found.run()
    found.source.messages[0] = ("k0", message(4, "another"))
    found.source.broken["k0"] = MessageError("broken", source_key="k0")
    for _ in range(found.gateway.maximum):
        found.run()
    assert found.gateway.by(Disposition.PARKED) == ["k0"]
    assert idle(found) == ["open", "list", "seen.new_among", "totals", "close"]


def test_a_source_that_tells_nothing_is_not_asked_for_sizes() -> None:
    found = Bench()
    found.source.messages = [("k0", message(0))]
    found.run()
    assert idle(found) == ["open", "list", "seen.new_among", "close"]
