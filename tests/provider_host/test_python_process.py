"""Python providers in a process of their own do what they do in ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from postroom.errors import AuthError, ConfigError, ConnectionFailed, StaleRun
from postroom.providers.builtin.pop3 import Pop3Config, Pop3Provider
from postroom.providers.contract import Disposition, ProviderEnv, RunContext
from postroom.providers.mailbox import MailboxState
from postroom.providers.process import ProcessProvider, isolated
from postroom.providers.registry import verify
from postroom.providers.secret import Secret
from postroom.testing.fake_gateway import FakeGateway, MemoryLog, MemorySeenSet, MemoryStateCell, make_context
from postroom.testing.memory import WorldConnector
from postroom_simulator.world import World

ME = "me@sim.test"


@pytest.fixture
def world() -> Iterator[World]:
    with World() as made:
        made.add_account(ME, "secret")
        yield made


class Polls:
    """One isolated instance polling a world."""

    def __init__(self, world: World, password: str = "secret", port: int = 110) -> None:
        config = Pop3Config(host=world.hostname, port=port, user=ME, password=Secret(password), tls="none", delete=True)
        self.world = world
        self.provider: ProcessProvider = isolated(Pop3Provider)(config, ProviderEnv("i", mailbox=ME))
        self.gateway, self.cell, self.log = FakeGateway(), MemoryStateCell(MailboxState()), MemoryLog()
        self.seen = MemorySeenSet()

    def context(self, **more: Any) -> RunContext[MailboxState]:
        return make_context(
            MailboxState(),
            net=WorldConnector(self.world),
            clock=self.world.clock,
            gateway=self.gateway,
            cell=self.cell,
            seen=self.seen,
            log=self.log,
            **more,
        )


@pytest.fixture
def polls(world: World) -> Iterator[Polls]:
    made = Polls(world)
    yield made
    made.provider.close()


def test_mail_is_taken_in_once(world: World, polls: Polls) -> None:
    for n in range(5):
        world.deliver("a@b.test", [ME], f"Subject: Mail {n}\r\n\r\nHello {n}\r\n".encode())
    outcome = polls.provider.run(polls.context())
    assert (outcome.processed, outcome.delivered, outcome.error) == (5, 5, None)
    assert [one.message.subject for one in polls.gateway.offers] == [f"Mail {n}" for n in range(5)]
    assert polls.gateway.offers[0].octets.endswith(b"Hello 0\r\n")
    assert len(polls.gateway.by(Disposition.TRACKED)) == 5
    again = polls.provider.run(polls.context())
    assert (again.processed, again.more) == (0, False)
    assert polls.cell.value.left == 0


def test_a_cap_and_the_rest(world: World, polls: Polls) -> None:
    for n in range(5):
        world.deliver("a@b.test", [ME], f"Subject: Mail {n}\r\n\r\nHello\r\n".encode())
    assert [polls.provider.run(polls.context(items=2)).processed for _ in range(3)] == [2, 2, 1]


def test_check(world: World, polls: Polls) -> None:
    before = list(polls.gateway.calls)
    polls.provider.check(polls.context())
    assert polls.gateway.calls == before


@pytest.mark.parametrize(("password", "port", "kind"), [("wrong", 110, AuthError), ("secret", 7, ConnectionFailed)])
def test_errors_keep_their_class(world: World, password: str, port: int, kind: type[Exception]) -> None:
    polls = Polls(world, password, port)
    try:
        with pytest.raises(kind) as caught:
            polls.provider.run(polls.context())
        assert password == "secret" or password not in str(caught.value)
    finally:
        polls.provider.close()


def test_a_lost_fence_is_not_swallowed(world: World, polls: Polls) -> None:
    world.deliver("a@b.test", [ME], b"Subject: Mail\r\n\r\nHello\r\n")
    polls.gateway.stale = True
    with pytest.raises(StaleRun):
        polls.provider.run(polls.context())
    assert polls.gateway.offers == []


def test_a_failing_commit_loses_and_doubles_nothing(world: World, polls: Polls) -> None:
    for n in range(3):
        world.deliver("a@b.test", [ME], f"Subject: Mail {n}\r\n\r\nHello\r\n".encode())
    polls.gateway.fail("commit", ConnectionFailed("the organization is away"))
    with pytest.raises(ConnectionFailed):
        polls.provider.run(polls.context())
    assert polls.gateway.offers == []
    assert polls.provider.run(polls.context()).delivered == 3


def test_it_is_a_provider_like_any_other() -> None:
    kind = isolated(Pop3Provider)
    assert verify(kind, "here") is kind
    assert kind.spec is Pop3Provider.spec


def test_what_cannot_be_imported_elsewhere() -> None:
    class Local(Pop3Provider):
        pass

    with pytest.raises(ConfigError, match="cannot be imported"):
        isolated(Local)
