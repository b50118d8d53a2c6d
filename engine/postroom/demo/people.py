"""Who is who in a pile of mail: from the senders and recipients of messages to the cast of an organization. Pure.

Our own choice throughout: one domain is ours, the addresses there that get most of the mail are users, one is the queue, some of the outside
senders are known to the organization, and everybody else is a stranger.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["FILTERS", "MAX_KNOWN", "MAX_USERS", "SAMPLE_CAST", "Cast", "Letter", "Person", "cast_of"]

MAX_USERS = 5
MAX_KNOWN = 200
"""Outside senders that the organization knows at most, so that a large pile stays a small organization."""

FILTERS = (2, 1, 0, 3, 4)
"""`incomingemailfilteringmethod` of the first user, the second ...; the queue tracks all (0)."""

KINDS = ("contact", "lead", "account")

_QUEUE_NAMES = frozenset(
    [
        "support",
        "help",
        "helpdesk",
        "info",
        "office",
        "service",
        "services",
        "sales",
        "contact",
        "team",
        "list",
        "lists",
        "hello",
        "enquiries",
        "inquiries",
        "orders",
        "webmaster",
        "postmaster",
        "admin",
        "hilfe",
        "kontakt",
    ]
)
_LIST_LIKE = re.compile(r"(^|[-_.])(list|announce|discuss|dev|devel|users|talk|request|owner)$")
_USABLE = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*", re.IGNORECASE)
ADDRESS_LIMIT = 100
"""Characters of an address that a user's or a contact's record holds (server-side-sync reference 1)."""
_NAME_LIMIT = 50
NOWHERE = "alder.example"
"""Our domain when no message is addressed to anybody."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What is looked at in one message: (address, display name) of its first From, and of everybody on To and Cc."""

    sender: tuple[str, str] = ("", "")
    recipients: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """kind    systemuser, queue, contact, lead or account
    filter  `incomingemailfilteringmethod` of a user or queue; None for the others
    """

    name: str
    address: str
    kind: str
    filter: int | None = None


@dataclass(frozen=True, slots=True)
class Cast:
    """users      at least one; the first is the folder's owner
    known      contacts, leads and accounts
    groups     addresses on the mail server that stand for several of our accounts
    aliases    further addresses of an account; the organization knows neither
    limit      octets of the largest message that is taken in; None: the deployment's default
    """

    domain: str
    users: tuple[Person, ...]
    queue: Person
    known: tuple[Person, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None

    @property
    def owner(self) -> Person:
        return self.users[0]

    @property
    def ours(self) -> tuple[Person, ...]:
        """Who has an account on the mail server, users first."""
        return (*self.users, self.queue)

    def accounts_of(self, letter: Letter) -> tuple[str, ...]:
        """Where a message landed: at each of our addresses on To and Cc, groups and aliases followed. One for nobody here lay in the
        owner's folder, so that is where it landed (a blind copy, or a list)."""
        mailboxes = {_key(person.address): person.address for person in self.ours}
        found: dict[str, None] = {}
        for address, _ in letter.recipients:
            key = _key(address)
            targets = self.groups.get(key) or (self.aliases.get(key, key),)
            found |= {mailboxes[_key(target)]: None for target in targets if _key(target) in mailboxes}
        return tuple(found) or (self.owner.address,)

    def strangers(self, letters: Iterable[Letter]) -> int:
        """How many different senders are neither ours nor known; unusable addresses count too."""
        familiar = {_key(person.address) for person in (*self.ours, *self.known)}
        senders = {_key(letter.sender[0]) for letter in letters if letter.sender[0]}
        return sum(one not in familiar and _domain(one) != self.domain for one in senders)


SAMPLE_CAST = Cast(
    domain="alder.example",
    users=(
        Person("Ada Alder", "ada@alder.example", "systemuser", 2),
        Person("Ben Alder", "ben@alder.example", "systemuser", 1),
        Person("Dora Alder", "dora@alder.example", "systemuser", 0),
    ),
    queue=Person("Support", "support@alder.example", "queue", 0),
    known=(
        Person("Betty Birch", "betty@birch.example", "contact"),
        Person("Bruno Birch", "bruno@birch.example", "contact"),
        Person("Cora Cedar", "cora@cedar.example", "lead"),
    ),
    groups={"everyone@alder.example": ("ada@alder.example", "ben@alder.example")},
    aliases={"sales-2019@alder.example": "ada@alder.example"},
    limit=32 * 1024,
)
"""The people of our own samples (demo/samples/README.md)."""


def cast_of(letters: Sequence[Letter], seed: int = 0) -> Cast:
    """The cast for any pile of mail; equal letters and seed give an equal cast. Linear in the number of addresses."""
    names: dict[str, str] = {}
    received = _count((letter.recipients for letter in letters), names)
    sent = _count(((letter.sender,) for letter in letters), names)
    domain = _our_domain(received)
    here = [address for address, _ in _by_weight(received) if _domain(address) == domain]
    queue = next((address for address in here if _is_shared(address)), "")
    taken = set(here)
    users = [address for address in here if address != queue][:MAX_USERS] or [_made_up("owner", domain, taken)]
    outside = [(address, count) for address, count in _by_weight(sent) if _domain(address) != domain]
    known = _known(outside, random.Random(seed))
    naming = _Naming(names)
    return Cast(
        domain=domain,
        users=tuple(Person(naming(one), one, "systemuser", FILTERS[n % len(FILTERS)]) for n, one in enumerate(users)),
        queue=Person(naming(queue or "support"), queue or _made_up("support", domain, taken), "queue", 0),
        known=tuple(Person(naming(one), one, KINDS[n % len(KINDS)]) for n, one in enumerate(known)),
    )


def _count(lists: Iterable[Iterable[tuple[str, str]]], names: dict[str, str]) -> Counter[str]:
    """In how many messages each usable address stands; `names` learns the first display name of each."""
    counts: Counter[str] = Counter()
    for addresses in lists:
        once: dict[str, None] = {}
        for address, name in addresses:
            if len(address) <= ADDRESS_LIMIT and _USABLE.fullmatch(address):
                key = _key(address)
                once[key] = None
                if name and key not in names:
                    names[key] = name
        counts.update(once.keys())
    return counts


def _our_domain(received: Counter[str]) -> str:
    """The domain of the most frequent recipients."""
    domains: Counter[str] = Counter()
    for address, count in received.items():
        domains[_domain(address)] += count
    return next((domain for domain, _ in _by_weight(domains)), NOWHERE)


def _known(outside: Sequence[tuple[str, int]], chance: random.Random) -> list[str]:
    """Who wrote more than once, and of the others every second one by chance."""
    return [address for address, count in outside if count > 1 or chance.random() < 0.5][:MAX_KNOWN]


def _by_weight(counts: Counter[str]) -> list[tuple[str, int]]:
    """Most frequent first, then by the alphabet, so that the order of files decides nothing."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _is_shared(address: str) -> bool:
    local = address.partition("@")[0]
    return local in _QUEUE_NAMES or _LIST_LIKE.search(local) is not None


def _made_up(local: str, domain: str, taken: set[str]) -> str:
    candidates = (f"{local}{n}@{domain}" for n in ("", *range(2, len(taken) + 3)))
    return next(one for one in candidates if one not in taken)


def _key(address: str) -> str:
    return address.casefold()


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


class _Naming:
    """A display name for each address, no two alike: without control characters, cut, with the address where another has the name."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._given: set[str] = set()

    def __call__(self, address: str) -> str:
        raw = self._names.get(address, "") or address.partition("@")[0].replace(".", " ").title()
        name = " ".join("".join(c if c.isprintable() else " " for c in raw).split())[:_NAME_LIMIT] or address
        if name in self._given:
            name = f"{name} ({address})"
        self._given.add(name)
        return name
