"""People and mail made up from a seed: threads, plain text, HTML, attachments, other scripts. Equal seeds and an equal version of Faker
give equal octets."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

from postroom_simulator.compose import Fields, base64_lines, encoded, entity, mailbox, multipart, quoted_printable
from postroom_simulator.directory import Account
from postroom_simulator.populate_contacts import fill_address_books
from postroom_simulator.store.interface import Item

if TYPE_CHECKING:
    from faker import Faker

    from postroom_simulator.world import World

__all__ = ["Person", "Population", "populate"]

LOCALES = ("en_US", "de_DE", "fr_FR", "ja_JP")
WEIGHTS = (6, 2, 1, 1)
"""Most people write English (our choice)."""

REPLIES = 0.4
"""The share of messages that answer an earlier one."""

MAX_REFERENCES = 20


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who writes and receives mail; `inside` when the world has the account."""

    name: str
    address: str
    locale: str
    inside: bool


@dataclass(frozen=True, slots=True)
class Population:
    """What was made: accounts, correspondents elsewhere, items in order of time (one for each copy), contacts and lists."""

    accounts: tuple[Account, ...]
    outsiders: tuple[Person, ...]
    items: tuple[Item, ...]
    contacts: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class _Written:
    """A message that can be answered."""

    message_id: str
    references: tuple[str, ...]
    subject: str
    text: str
    sender: Person
    recipients: tuple[Person, ...]
    at: datetime


def populate(
    world: World,
    people: int = 10,
    messages: int = 100,
    *,
    seed: int | None = None,
    days: float = 30,
    domain: str | None = None,
    password: str = "secret",  # noqa: S107 - a fake server's default, documented
    contacts: int = 0,
) -> Population:
    """Add `people` accounts of `domain` (default: the host name's) and deposit `messages` messages in their Inboxes, received in order
    over the last `days`, past all rules. A message has one copy for each of its recipients inside. Each account has so many `contacts`, and with
    some of them a list or two; the mail is the same whatever their number.

    `seed` None: the world's. Raises ValueError for numbers that make no sense, DuplicateAddress never: taken addresses are avoided.
    """
    if people < 1 or messages < 0 or days < 0 or contacts < 0:
        raise ValueError("populate needs at least one person, no negative number of messages or contacts, no negative days")
    seed = world.ids.seed if seed is None else seed
    author = _Author(seed, domain or _domain_of(world.hostname), world.hostname)
    insiders = [author.person(lambda address: address in world.directory, inside=True) for _ in range(people)]
    outsiders = [author.person(lambda _: False, inside=False) for _ in range(max(1, people // 2))]
    accounts = [world.add_account(person.address, password, name=person.name) for person in insiders]
    written: list[_Written] = []
    items: list[Item] = []
    for at in _moments(author.chance, world.clock.now(), messages, days):
        letter = author.write(insiders, outsiders, written, at)
        octets = author.octets(letter)
        written.append(letter)
        inside = (person.address for person in letter.recipients if person.inside)
        items += [world.place(address, octets, received=at, sender=letter.sender.address) for address in inside]
    cards = fill_address_books(world, accounts, [*insiders, *outsiders], contacts, seed=seed)
    return Population(tuple(accounts), tuple(outsiders), tuple(items), tuple(cards))


def _moments(chance: random.Random, now: datetime, number: int, days: float) -> list[datetime]:
    """Whole seconds, in order."""
    return sorted(now - timedelta(seconds=int(chance.random() * days * 86400)) for _ in range(number))


def _domain_of(hostname: str) -> str:
    """ "mail.sim.test" serves sim.test."""
    first, _, rest = hostname.partition(".")
    return rest if "." in rest else hostname or first


class _Author:
    """Makes people and letters; owns all chance."""

    def __init__(self, seed: int, domain: str, hostname: str) -> None:
        from faker import Faker  # heavy: half a second that most tests need not pay

        self.chance = random.Random(seed)
        self._domain = domain
        self._hostname = hostname
        self._fakers: dict[str, Faker] = {locale: Faker(locale) for locale in LOCALES}
        for number, faker in enumerate(self._fakers.values()):
            faker.seed_instance(seed * len(LOCALES) + number)
        self._taken: set[str] = set()

    # -- people

    def person(self, is_taken: Callable[[str], bool], *, inside: bool) -> Person:
        locale = self.chance.choices(LOCALES, WEIGHTS)[0]
        faker = self._fakers[locale]
        name = f"{faker.first_name()} {faker.last_name()}"
        domain = self._domain if inside else f"{_slug(self._fakers['en_US'].last_name())}.test"
        stem = _slug(name) or "person"
        number = 1
        address = f"{stem}@{domain}"
        while address in self._taken or is_taken(address):
            number += 1
            address = f"{stem}{number}@{domain}"
        self._taken.add(address)
        return Person(name, address, locale, inside)

    # -- letters

    def write(self, insiders: list[Person], outsiders: list[Person], written: list[_Written], at: datetime) -> _Written:
        message_id = f"<{self.chance.getrandbits(96):024x}@{self._hostname}>"
        if written and self.chance.random() < REPLIES:
            return self._reply(self.chance.choice(written[-50:]), message_id, at)
        sender = self.chance.choice(outsiders if self.chance.random() < 0.6 or len(insiders) == 1 else insiders)
        others = [person for person in insiders if person is not sender]
        recipients = self.chance.sample(others, min(len(others), self.chance.choice((1, 1, 1, 2, 3))))
        faker = self._fakers[sender.locale]
        return _Written(message_id, (), faker.sentence(5).rstrip(".。"), self._text(sender), sender, tuple(recipients), at)

    def _reply(self, parent: _Written, message_id: str, at: datetime) -> _Written:
        """From one of the recipients, to the sender and whoever else had it; somebody inside has it in any case."""
        sender = self.chance.choice(parent.recipients)
        recipients = tuple(dict.fromkeys((parent.sender, *(p for p in parent.recipients if p is not sender))))
        if not any(person.inside for person in recipients):
            sender, recipients = parent.sender, parent.recipients  # a second thought of the first writer
        quoted = "\n".join(f"> {line}" for line in parent.text.split("\n")[:20])
        text = f"{self._text(sender)}\n\n{parent.sender.name} <{parent.sender.address}>:\n{quoted}"
        subject = parent.subject if parent.subject.startswith("Re: ") else f"Re: {parent.subject}"
        references = (*parent.references, parent.message_id)[-MAX_REFERENCES:]
        return _Written(message_id, references, subject, text, sender, recipients, at)

    def _text(self, sender: Person) -> str:
        faker = self._fakers[sender.locale]
        paragraphs = [faker.paragraph(nb_sentences=self.chance.randint(1, 4)) for _ in range(self.chance.randint(1, 3))]
        return "\n\n".join([*paragraphs, sender.name])

    # -- octets

    def octets(self, letter: _Written) -> bytes:
        fields = [
            ("Received", f"from client.{self._domain} by {self._hostname} with ESMTP;\r\n\t{format_datetime(letter.at)}"),
            ("From", mailbox(letter.sender.name, letter.sender.address)),
            ("To", ",\r\n ".join(mailbox(person.name, person.address) for person in letter.recipients)),
            ("Subject", encoded(letter.subject)),
            ("Date", format_datetime(letter.at - timedelta(seconds=self.chance.randint(0, 30)))),
            ("Message-ID", letter.message_id),
        ]
        if letter.references:
            fields += [("In-Reply-To", letter.references[-1]), ("References", "\r\n ".join(letter.references))]
        fields.append(("MIME-Version", "1.0"))
        shape = self.chance.choices((self._plain, self._alternative, self._attached), (5, 3, 2))[0]
        more, body = shape(letter)
        return entity([*fields, *more], body)

    def _plain(self, letter: _Written) -> tuple[Fields, bytes]:
        """text/plain; other scripts as 8bit, quoted-printable or base64."""
        octets = letter.text.replace("\n", "\r\n").encode() + b"\r\n"
        longest = max(map(len, octets.split(b"\r\n")))
        if octets.isascii() and longest <= 998:
            return _typed('text/plain; charset="us-ascii"', "7bit"), octets
        encoding = self.chance.choice(
            ("8bit", "quoted-printable", "base64") if longest <= 998 else ("quoted-printable", "base64")
        )
        write: dict[str, Callable[[bytes], bytes]] = {
            "8bit": bytes,
            "quoted-printable": quoted_printable,
            "base64": base64_lines,
        }
        return _typed('text/plain; charset="utf-8"', encoding), write[encoding](octets)

    def _alternative(self, letter: _Written) -> tuple[Fields, bytes]:
        paragraphs = "".join(f"<p>{_escaped(part)}</p>\n" for part in letter.text.split("\n\n"))
        html = f"<!DOCTYPE html>\n<html><body>\n{paragraphs}</body></html>\n".encode()
        parts = [
            entity(*self._plain(letter)),
            entity(_typed('text/html; charset="utf-8"', "quoted-printable"), quoted_printable(html)),
        ]
        return self._multipart("alternative", parts)

    def _attached(self, letter: _Written) -> tuple[Fields, bytes]:
        faker = self._fakers[letter.sender.locale]
        stem = _slug(faker.last_name()) or "file"
        content_type, name, octets = self.chance.choice(
            (
                ("text/csv", f"{stem}.csv", b"number,amount\r\n" + b"".join(b"%d,%d\r\n" % (n, n * 37) for n in range(20))),
                ("application/octet-stream", f"{stem}.bin", self.chance.randbytes(self.chance.randint(100, 4000))),
                ("application/pdf", f"{stem}.pdf", b"%PDF-1.4\n" + self.chance.randbytes(500) + b"\n%%EOF\n"),
            )
        )
        fields = [*_typed(content_type, "base64"), ("Content-Disposition", f'attachment; filename="{name}"')]
        return self._multipart("mixed", [entity(*self._plain(letter)), entity(fields, base64_lines(octets))])

    def _multipart(self, subtype: str, parts: list[bytes]) -> tuple[Fields, bytes]:
        boundary = f"=_{self.chance.getrandbits(96):024x}"
        eight = any(not part.isascii() for part in parts)
        return _typed(f'multipart/{subtype}; boundary="{boundary}"', "8bit" if eight else "7bit"), multipart(boundary, parts)


def _typed(content_type: str, encoding: str) -> list[tuple[str, str]]:
    return [("Content-Type", content_type), ("Content-Transfer-Encoding", encoding)]


def _slug(name: str) -> str:
    """The ASCII letters and digits of a name, words joined by dots; "" for other scripts."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    words = ("".join(c for c in word if c.isalnum()) for word in plain.split())
    return ".".join(word for word in words if word)


def _escaped(text: str) -> str:
    from html import escape

    return escape(text).replace("\n", "<br>\n")
