from __future__ import annotations

import email
import email.policy

import pytest

from postroom_simulator import World
from postroom_simulator.populate import Population, populate


def made(seed: int) -> tuple[World, Population]:
    world = World()
    return world, populate(world, 6, 120, seed=seed)


@pytest.fixture(scope="module")
def populated() -> tuple[World, Population]:
    return made(4)


def test_equal_seeds_give_equal_octets_and_others_do_not(populated: tuple[World, Population]) -> None:
    (world, population), (again, repeated), (other, third) = populated, made(4), made(5)
    assert [a.address for a in population.accounts] == [a.address for a in repeated.accounts]
    assert [world.store.octets(i.uid) for i in population.items] == [again.store.octets(i.uid) for i in repeated.items]
    assert [item.received for item in population.items] == [item.received for item in repeated.items]
    assert {world.store.octets(i.uid) for i in population.items}.isdisjoint(other.store.octets(i.uid) for i in third.items)


def test_every_message_is_well_formed_and_dated_in_order(populated: tuple[World, Population]) -> None:
    world, population = populated
    types = set()
    ids = {}
    for item in population.items:
        octets = world.store.octets(item.uid)
        assert max(map(len, octets.split(b"\r\n"))) <= 998
        assert octets.count(b"\n") == octets.count(b"\r\n") == octets.count(b"\r")
        message = email.message_from_bytes(octets, policy=email.policy.default)
        for part in message.walk():
            assert not part.defects
            types.add((part.get_content_type(), part["Content-Transfer-Encoding"]))
            if part.get_content_maintype() == "text":
                part.get_content()
        for reference in (message["References"] or "").split():
            assert reference in ids
        if message["In-Reply-To"]:
            assert message["Subject"].startswith("Re: ")
            assert ids[message["In-Reply-To"]] in message["Subject"]
        ids[message["Message-ID"]] = message["Subject"].removeprefix("Re: ")
    assert len(ids) == 120
    assert {"text/plain", "text/html", "multipart/mixed", "multipart/alternative"} <= {each for each, _ in types}
    assert {"7bit", "8bit", "base64", "quoted-printable"} <= {encoding for _, encoding in types}
    received = [item.received for item in population.items]
    assert received == sorted(received)
    assert max(received) <= world.clock.now()


def test_everybody_has_an_account_and_can_log_in(populated: tuple[World, Population]) -> None:
    world, population = populated
    assert len(population.accounts) == 6
    for account in population.accounts:
        assert account.address.isascii()
        assert account.address.endswith("@sim.test")
        assert world.authenticate(account.address, "secret") is account
    assert not any(person.address in world.directory for person in population.outsiders)


def test_who_is_there_already_stays(populated: tuple[World, Population]) -> None:
    world, _ = made(4)
    again = populate(world, 6, 5, seed=4)
    assert len(world.directory) == 12
    assert len({account.address for account in again.accounts}) == 6


def test_one_person_gets_mail_from_outside() -> None:
    world = World()
    population = populate(world, 1, 20, domain="alder.test", days=0)
    assert {item.account for item in population.items} == {population.accounts[0].address}
    assert len(population.items) >= 20
    assert population.accounts[0].address.endswith("@alder.test")


@pytest.mark.parametrize(("people", "messages", "days"), [(0, 1, 1), (1, -1, 1), (1, 1, -1)])
def test_numbers_that_make_no_sense(people: int, messages: int, days: float) -> None:
    with pytest.raises(ValueError, match="populate"):
        populate(World(), people, messages, days=days)
