"""Errors of our own code: the client is told as Exchange tells it, the connection serves on, and nobody overlooks them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import wire
from wire import Client, connected, direct, envelope, get_folder, http, make_world

from postroom_simulator import World
from postroom_simulator.ews import answering
from postroom_simulator.ews.operations import get_folder as operation
from postroom_simulator.journal import Kind

INTERNAL = "ErrorInternalServerError"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Its GetFolder stumbles over Drafts."""
    find = operation.find_folder

    def stumbling(call: Any, name: str, value: Any) -> Any:
        if value.get("@Id") == "drafts":
            raise KeyError("a mistake")
        return find(call, name, value)

    monkeypatch.setattr(operation, "find_folder", stumbling)
    world = make_world()
    yield world
    world.close()


def test_one_of_a_batch_has_a_message_of_its_own(world: World, stumbles: list[Exception]) -> None:
    response = direct(world, get_folder("inbox", "drafts", "outbox"))
    assert response.status == 200
    assert wire.codes(response.body) == ["NoError", INTERNAL, "NoError"]
    assert b"An internal server error occurred. The operation failed." in response.body
    assert b"a mistake" not in response.body
    (note,) = world.journal.entries(kind=Kind.NOTE)
    assert (note.verb, note.account, note.detail) == ("GetFolder", wire.ANN, "internal error: KeyError: 'a mistake'")
    assert [str(one) for one in stumbles] == ["'a mistake'"]
    stumbles.clear()


def test_all_of_a_request_is_a_fault(world: World, stumbles: list[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def stumbling(*_: Any) -> str:
        raise RecursionError("too deep")

    monkeypatch.setattr(answering, "_written", stumbling)
    response = direct(world, get_folder("inbox"))
    assert (response.status, wire.codes(response.body)) == (500, [INTERNAL])
    assert b"<s:Fault>" in response.body
    assert world.journal.expect(1, kind=Kind.REPLY)[0].detail == f"500 {INTERNAL}"
    stumbles.clear()


@pytest.mark.parametrize("way", ["memory", "tcp"])
def test_the_connection_serves_on(world: World, stumbles: list[Exception], way: str) -> None:
    if way == "memory":
        client = connected(world)
    else:
        client = Client(socket.create_connection(world.listen(ports={"ews": 0}).addresses["ews"], timeout=10))
    for names, codes in ((["drafts"], [INTERNAL]), (["inbox"], ["NoError"])):
        answer = client.ask(http(envelope(get_folder(*names))))
        assert (answer.status, answer.codes) == (200, codes)
    client.close()
    with pytest.raises(KeyError, match="a mistake"):
        world.connections.settle()
    stumbles.clear()


def test_a_world_does_not_end_as_if_nothing_had_been(stumbles: list[Exception], world: World) -> None:
    with pytest.raises(KeyError, match="a mistake"), world:
        direct(world, get_folder("drafts"))
    stumbles.clear()


def test_what_is_raised_already_is_not_hidden_by_it(stumbles: list[Exception], world: World) -> None:
    def both() -> None:
        with world:
            direct(world, get_folder("drafts"))
            raise ValueError("something else")

    with pytest.raises(ValueError, match="something else"):
        both()
    stumbles.clear()
