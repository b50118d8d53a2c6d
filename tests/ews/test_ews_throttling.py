"""How much a client may ask: shown by moving the clock (ews reference 16)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import wire
from wire import ANN, connected, create_item, direct, envelope, find_item, get_folder, http

from postroom_simulator import World
from postroom_simulator.errors import WorldError
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.throttling import Budget
from postroom_simulator.faults import Reply, When

BOBS = "Basic Ym9iQHNpbS50ZXN0Omh1c2g="
GET_INBOX = envelope(get_folder())
BUSY = "The server cannot service this request right now. Try again later."


@pytest.fixture
def world() -> Iterator[World]:
    with wire.make_world() as world:
        yield world


def test_a_budget_is_used_up_and_fills_again(world: World) -> None:
    world.ews.throttling.add(Budget(calls=3, seconds=30))
    for _ in range(3):
        assert direct(world, get_folder()).status == 200
    busy = direct(world, get_folder())
    assert (busy.status, wire.codes(busy.body)) == (500, ["ErrorServerBusy"])
    assert wire.values(busy.body) == {"BackOffMilliseconds": "10000"}
    assert f'<faultstring xml:lang="en-US">{BUSY}</faultstring>'.encode() in busy.body, "to the letter: DavMail compares it"
    world.clock.sleep(4)
    assert wire.values(direct(world, get_folder()).body) == {"BackOffMilliseconds": "6000"}
    world.clock.sleep(6)
    assert direct(world, get_folder()).status == 200
    assert direct(world, get_folder()).status == 500
    world.clock.sleep(3600)
    assert [direct(world, get_folder()).status for _ in range(4)] == [200, 200, 200, 500]


def test_who_waits_as_long_as_was_said_is_served(world: World) -> None:
    """With budgets that do not divide evenly too."""
    world.ews.throttling.add(Budget(calls=7, seconds=11))
    served = 0
    for _ in range(40):
        answer = direct(world, get_folder())
        if answer.status == 200:
            served += 1
            continue
        world.clock.sleep(int(wire.values(answer.body)["BackOffMilliseconds"]) / 1000)
        assert direct(world, get_folder()).status == 200
    assert served >= 7


def test_each_account_has_its_own(world: World) -> None:
    world.ews.throttling.add(Budget(calls=1, seconds=60))
    assert direct(world, get_folder()).status == 200
    assert direct(world, get_folder(), auth=BOBS).status == 200
    assert direct(world, get_folder()).status == 500


def test_a_budget_for_one_account_and_one_operation(world: World) -> None:
    world.ews.throttling.add(Budget(calls=1, seconds=60, account=ANN, operation="FindItem"))
    assert [direct(world, find_item()).status for _ in range(2)] == [200, 500]
    assert direct(world, get_folder()).status == 200
    assert [direct(world, find_item(), auth=BOBS).status for _ in range(2)] == [200, 200]


def test_a_call_that_is_refused_does_nothing(world: World) -> None:
    world.ews.throttling.add(Budget(calls=1, seconds=60, operation="CreateItem"))
    for _ in range(3):
        direct(world, create_item())
    body = get_folder("drafts").replace("IdOnly", "Default")
    assert b"<t:TotalCount>1</t:TotalCount>" in direct(world, body).body


def test_by_http(world: World) -> None:
    world.ews.throttling.add(Budget(calls=1, seconds=45, by="http"))
    direct(world, get_folder())
    answer = direct(world, get_folder())
    assert (answer.status, dict(answer.headers)["Retry-After"]) == (503, "45")
    world.clock.sleep(45)
    assert direct(world, get_folder()).status == 200


def test_several_budgets_hold_at_once_and_a_refusal_costs_nothing(world: World) -> None:
    world.ews.throttling.add(Budget(calls=100, seconds=100))
    world.ews.throttling.add(Budget(calls=1, seconds=10, operation="FindItem"))
    direct(world, find_item())
    for _ in range(50):
        assert direct(world, find_item()).status == 500
    assert [direct(world, get_folder()).status for _ in range(99)] == [200] * 99
    assert direct(world, get_folder()).status == 500


@pytest.mark.parametrize(
    "budget",
    [Budget(0, 10), Budget(1, 0), Budget(1, float("nan")), Budget(1, 1, operation="MakeTea"), Budget(1, 1, by="mail")],  # type: ignore[arg-type]
)
def test_impossible_budgets(world: World, budget: Budget) -> None:
    with pytest.raises(WorldError):
        world.ews.throttling.add(budget)


def test_so_many_connections_of_one_account(world: World) -> None:
    world.ews.throttling.connections = 2
    request = http(envelope(get_folder()))
    lines = [connected(world) for _ in range(3)]
    assert [line.ask(request).codes for line in lines] == [["NoError"], ["NoError"], ["ErrorExceededConnectionCount"]]
    other = connected(world)
    assert other.ask(http(envelope(get_folder()), auth=BOBS)).codes == ["NoError"]
    lines[0].close()
    assert lines[2].ask(request).codes == ["NoError"]
    for line in (*lines[1:], other):
        line.close()


def test_so_much_found_at_once(world: World) -> None:
    for number in range(4):
        world.deliver("x@out.test", [ANN], b"Subject: %d\r\n\r\nbody\r\n" % number)
    world.ews.throttling.found = 3
    answer = direct(world, find_item())
    assert (answer.status, wire.codes(answer.body)) == (200, ["ErrorExceededFindCountLimit"])
    assert wire.values(answer.body) == {"PolicyLimit": "3"}
    page = find_item().replace(
        "<m:Par", '<m:IndexedPageItemView MaxEntriesReturned="3" Offset="0" BasePoint="Beginning"/><m:Par'
    )
    assert wire.codes(direct(world, page).body) == ["NoError"]


def test_so_many_streams_and_subscriptions(world: World) -> None:
    """What GetStreamingEvents and Subscribe ask."""
    throttling, ann = world.ews.throttling, world.directory.account(ANN)
    throttling.check_subscriptions(1_000_000)
    throttling.subscriptions = 20
    throttling.check_subscriptions(19)
    with pytest.raises(EwsError, match="ErrorExceededSubscriptionCount"):
        throttling.check_subscriptions(20)
    throttling.streams = 1
    throttling.begin_stream(ann)
    throttling.begin_stream(world.directory.account("bob@sim.test"))
    with pytest.raises(EwsError, match="ErrorExceededConnectionCount"):
        throttling.begin_stream(ann)
    throttling.end_stream(ann)
    throttling.begin_stream(ann)


def test_no_limits_any_more(world: World) -> None:
    world.ews.throttling.add(Budget(1, 1000))
    world.ews.throttling.found = 1
    direct(world, get_folder())
    world.ews.throttling.clear()
    assert direct(world, get_folder()).status == 200


LIMITS = (
    "ErrorServerBusy",
    "ErrorExceededConnectionCount",
    "ErrorExceededFindCountLimit",
    "ErrorExceededSubscriptionCount",
    "ErrorTooManyObjectsOpened",
    "ErrorTimeoutExpired",
    "ErrorInternalServerTransientError",
)


@pytest.mark.parametrize("code", LIMITS)
@pytest.mark.parametrize("operation", ["GetFolder", "FindItem"])
def test_each_limit_can_be_made_to_hit_each_operation(world: World, code: str, operation: str) -> None:
    """Section 16: a fault table's word, once, for one operation; the next call is served."""
    world.faults.add(When("ews", operation, nth=1), Reply(code, "[BackOffMilliseconds=1500]"))
    body = {"GetFolder": GET_INBOX, "FindItem": wire.envelope(wire.find_item())}
    other = "FindItem" if operation == "GetFolder" else "GetFolder"
    assert wire.codes(wire.direct(world, body[other]).body) == ["NoError"]
    hit = wire.direct(world, body[operation])
    assert (hit.status, wire.codes(hit.body)) == (500, [code])
    assert b'Name="BackOffMilliseconds">1500<' in hit.body
    assert wire.codes(wire.direct(world, body[operation]).body) == ["NoError"]


def test_budgets_refill_with_the_worlds_clock(world: World) -> None:
    """Section 16: BackOffMilliseconds is how long it takes until the next call is there; half of it is not enough."""
    world.ews.throttling.add(Budget(calls=2, seconds=60))
    served = [wire.codes(wire.direct(world, GET_INBOX).body) for _ in range(3)]
    assert served == [["NoError"], ["NoError"], ["ErrorServerBusy"]]
    world.clock.sleep(15)
    assert wire.codes(wire.direct(world, GET_INBOX).body) == ["ErrorServerBusy"]
    world.clock.sleep(15)
    assert wire.codes(wire.direct(world, GET_INBOX).body) == ["NoError"]
    world.clock.sleep(3600)
    served = [wire.codes(wire.direct(world, GET_INBOX).body)[0] for _ in range(3)]
    assert served == ["NoError", "NoError", "ErrorServerBusy"]
