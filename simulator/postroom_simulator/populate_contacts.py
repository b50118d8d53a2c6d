"""Address books made up from a seed: what the directory tells of made-up people, contacts and private lists of each."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from postroom_simulator.directory import Account
from postroom_simulator.people import Profile
from postroom_simulator.store.interface import Item

if TYPE_CHECKING:
    from faker import Faker

    from postroom_simulator.world import World

__all__ = ["fill_address_books"]


class Somebody(Protocol):
    """See `populate.Person`."""

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def locale(self) -> str: ...


LIST_SIZE = 4
"""A list has so many members at most (our choice)."""


def fill_address_books(
    world: World, accounts: Sequence[Account], known: Sequence[Somebody], contacts: int, *, seed: int
) -> list[Item]:
    """Give each account a directory entry, and so many contacts: people that it may write to (`known`) and strangers; from three contacts on a
    list of some of them. Items in order of making; each account's chance is its own, so that one more person changes nobody else's."""
    made: list[Item] = []
    for number, account in enumerate(accounts):
        author = _Author(seed * 1_000_003 + number, known[number].locale if number < len(known) else "en_US")
        account.profile = author.profile(account.name)
        others = [one for one in known if one.address != account.address]
        if contacts:
            made += author.fill(world, account, others, contacts)
    return made


class _Author:
    """Makes the entries of one person."""

    def __init__(self, seed: int, locale: str) -> None:
        from faker import Faker  # heavy: half a second that most tests need not pay

        self._chance = random.Random(seed)
        self._faker: Faker = Faker(locale)
        self._faker.seed_instance(seed)

    def profile(self, name: str) -> Profile:
        given, _, surname = name.partition(" ")
        faker = self._faker
        return Profile(
            given_name=given,
            surname=surname,
            title=faker.job(),
            company=faker.company(),
            city=faker.city(),
            street=faker.street_address(),
            postal_code=faker.postcode(),
            phones={"BusinessPhone": faker.phone_number(), "MobilePhone": faker.phone_number()},
        )

    def fill(self, world: World, account: Account, others: Sequence[Somebody], contacts: int) -> list[Item]:
        from postroom_simulator.ews.people.adding import add_contact, add_list

        chosen = self._chance.sample(list(others), min(len(others), (contacts + 1) // 2))
        entries = [self._contact(one.name, one.address) for one in chosen]
        while len(entries) < contacts:
            stem = "".join(self._chance.choices("abcdefghijklmnopqrstuvwxyz", k=8))
            entries.append(self._contact(f"{self._faker.first_name()} {self._faker.last_name()}", f"{stem}@elsewhere.test"))
        items = [add_contact(world, account.address, **entry) for entry in entries]
        if len(entries) >= 3:
            members = self._chance.sample([entry["emails"][0] for entry in entries], min(len(entries), LIST_SIZE))
            items.append(add_list(world, account.address, self._faker.company(), members))
        return items

    def _contact(self, name: str, address: str) -> dict[str, Any]:
        """Arguments of `add_contact`. Not everybody has everything."""
        faker, chance = self._faker, self._chance
        given, _, surname = name.partition(" ")
        entry: dict[str, Any] = {"GivenName": given, "Surname": surname, "DisplayName": name, "emails": [address]}
        entry["FileAsMapping"] = "LastCommaFirst"
        if chance.random() < 0.7:
            entry |= {"CompanyName": faker.company(), "JobTitle": faker.job()}
        if chance.random() < 0.6:
            entry["phones"] = {"MobilePhone": faker.phone_number(), "BusinessPhone": faker.phone_number()}
        if chance.random() < 0.5:
            lines = {"Street": faker.street_address(), "City": faker.city(), "PostalCode": faker.postcode()}
            entry["PhysicalAddresses"] = {"Entry": [{"@Key": chance.choice(("Home", "Business")), **lines}]}
        if chance.random() < 0.3:
            entry["Birthday"] = datetime(
                chance.randint(1945, 2005), chance.randint(1, 12), chance.randint(1, 28), 11, 59, tzinfo=UTC
            )
        if chance.random() < 0.3:
            entry["Categories"] = {"String": [faker.word()]}
        return entry
