"""The demo's organization, made openly by the documented messages: nothing is switched on by hand, everything passes approval, test and enable."""

from __future__ import annotations

from dataclasses import dataclass

from postroom.demo.people import Cast, Person
from postroom.testing.scene import Party, Scene
from postroom_simulator.faults import Fault, Reply, When

__all__ = ["GREYLISTED", "Errand", "Staff", "hire", "run_errands"]

GREYLISTED = "4.2.0 greylisted, please try again later"
"""What the server is told to answer once, with 450."""

SOMEBODY = Person("Somebody Outside", "somebody@outside.example", "contact")
"""Whom our people write to when the organization knows nobody."""


@dataclass(frozen=True, slots=True)
class Staff:
    """Everybody of the cast as records, by address.

    known   contacts, leads and accounts; somebody made up when the cast has none
    leaver  a contact whose account on our mail server is disabled
    """

    cast: Cast
    parties: dict[str, Party]
    known: tuple[Person, ...]
    leaver: Person

    def party(self, person: Person) -> Party:
        return self.parties[person.address]


@dataclass(frozen=True, slots=True)
class Errand:
    """An email that one of us sends. `note` says what to expect and why."""

    email_id: str
    note: str


def hire(scene: Scene, cast: Cast) -> Staff:
    """Profile, users, queue, contacts, the mail server's accounts; each mailbox tested and enabled by the engine."""
    world = scene.world
    scene.mail_server()
    parties = {}
    for person in cast.ours:
        make = scene.queue if person.kind == "queue" else scene.user
        party = parties[person.address] = make(person.name, person.address, ready=True)
        scene.filter(party, person.filter or 0)
    for address, target in cast.aliases.items():
        world.change_addresses(target, aliases=(address,))
    for address, members in cast.groups.items():
        world.add_group(address, members)
    known = cast.known or (SOMEBODY,)
    leaver = Person("Former Colleague", _free(f"former.colleague@{cast.domain}", parties), "contact")
    world.add_account(leaver.address, disabled=True, name=leaver.name)
    for person in (*known, leaver):
        parties[person.address] = scene.contact(person.name, person.address, person.kind)
    return Staff(cast, parties, known, leaver)


def run_errands(scene: Scene, staff: Staff) -> list[Errand]:
    """Our people write five emails: two that arrive, one that one of two recipients refuses, one that is refused, one that is refused
    at first. The only fault is the greylisting; the disabled account refuses mail by itself."""
    cast = staff.cast
    first, queue = cast.owner, cast.queue
    second = cast.users[1] if len(cast.users) > 1 else queue
    one, other = staff.known[0], staff.known[min(1, len(staff.known) - 1)]
    when = When("smtp", "RCPT", account=queue.address, nth=1)
    scene.world.faults.add(Fault(when, Reply("450", GREYLISTED), "greylisting"))
    leaver = staff.leaver
    return [
        _write(scene, staff, queue, (other,), "We have received your request", f'the server says "450 {GREYLISTED}" once'),
        _write(scene, staff, first, (one,), "Thank you for your message", "to somebody outside"),
        _write(scene, staff, first, (second,), "Can you take this one?", "to a colleague"),
        _write(scene, staff, first, (other, leaver), "Minutes of our meeting", f"the account of {leaver.address} is disabled"),
        _write(scene, staff, second, (leaver,), "Your keys", f"the account of {leaver.address} is disabled"),
    ]


def _write(scene: Scene, staff: Staff, sender: Person, to: tuple[Person, ...], subject: str, note: str) -> Errand:
    recipients = [staff.party(person).lookup for person in to]
    return Errand(scene.send(staff.party(sender).name, recipients, subject, text=f"{subject}.\n\n{sender.name}\n"), note)


def _free(address: str, taken: dict[str, Party]) -> str:
    local, _, domain = address.partition("@")
    names = (f"{local}{n}@{domain}" for n in ("", *range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)
