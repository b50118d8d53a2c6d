"""The world hands work to the transports and takes everything back at its end."""

from __future__ import annotations

import threading

from postroom_simulator import Kind, World


def test_a_conversation_in_memory_ends_in_the_journal() -> None:
    with World() as world:
        client = world.connect("pop3")
        assert client.recv(4) == b"+OK "
        client.close()
        world.settle()
        assert world.journal.count(kind=Kind.CLOSED, protocol="pop3") == 1


def test_closing_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    with World() as world:
        world.listen()
        assert set(threading.enumerate()) - before
    assert not {thread for thread in set(threading.enumerate()) - before if thread.is_alive()}


def test_a_journal_with_a_capacity() -> None:
    world = World(journal_capacity=3)
    for _ in range(5):
        world.journal.add(Kind.NOTE)
    assert len(world.journal) == 3
