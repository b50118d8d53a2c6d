"""Storms: seeded schedules of mail, faults, troubles and changes of the configuration; afterwards all is mended, the engine runs until
nothing is left to do, and what must always be true is asked.

    schedule = draw(seed)          # a tuple of events, each a plain value
    problems = play(schedule)      # what was wrong afterwards; empty when all is well
    shortest = shrink(schedule)    # the fewest events that still fail
    print(written(shortest))       # a timeline, with the faults as a TOML file that `postroom serve --faults` takes
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from postroom.organization import SYSTEM, DeploymentSettings, Operation
from postroom.providers.contract import Connector
from postroom.testing.books import Balance, balance
from postroom.testing.scene import Party, Scene
from postroom_simulator import World
from postroom_simulator.clock import EPOCH
from postroom_simulator.fault_files import to_data
from postroom_simulator.fault_text import in_words
from postroom_simulator.faults import Cut, Delay, Drop, Effect, Fault, Garble, Lie, LoseReply, Refuse, Reply, Stall, When
from postroom_simulator.pop3.copies import InboxCopy
from postroom_simulator.pop3.troubles import Troubles

__all__ = ["Event", "draw", "play", "shrink", "written"]

ADA, ORDERS, BEN = "ada@alder.test", "orders@alder.test", "ben@alder.test"
OURS = {"Ada": ADA, "Orders": ORDERS, "Ben": BEN}
CARL, DORA, NOBODY = "carl@birch.test", "dora@birch.test", "nobody@alder.test"
LENGTH = 80
"""Minutes that a storm lasts."""
STEP = timedelta(minutes=10)
CALM = timedelta(minutes=20)
PATIENCE = 30
"""Rounds of calm after which everything must be quiet."""


@dataclass(frozen=True, slots=True)
class Event:
    """`at`: minutes from the beginning; `what`: a key of `HAPPENS`; `who`: a name of `OURS` or ""; `value`: what that event needs."""

    at: int
    what: str
    who: str = ""
    value: Any = None

    def __str__(self) -> str:
        value = in_words(self.value) if isinstance(self.value, Fault) else self.value
        return " ".join(
            str(part) for part in (f"{self.at:4d} min", self.what, self.who, "" if value is None else value)
        ).rstrip()


Schedule = tuple[Event, ...]


# -- drawing ------------------------------------------------------------------------------------------------------------


def draw(seed: int) -> Schedule:
    """Three to twelve mails, three to nine things that go wrong or change."""
    chance = random.Random(f"storm {seed}")
    events = [_mail(chance, number) for number in range(chance.randint(3, 12))]
    events += [chance.choice(_KINDS)(chance) for _ in range(chance.randint(3, 9))]
    return tuple(sorted(events, key=lambda event: event.at))


def _minute(chance: random.Random) -> int:
    return chance.randrange(LENGTH)


def _anybody(chance: random.Random) -> str:
    return chance.choice(list(OURS))


def _mail(chance: random.Random, number: int) -> Event:
    if chance.random() < 0.45:
        recipients = chance.sample([CARL, DORA, NOBODY, *OURS.values()], chance.randint(1, 3))
        return Event(_minute(chance), "send", _anybody(chance), (f"Out {number}", tuple(recipients)))
    sender = chance.choice([CARL, DORA, "stranger@else.test", None, ADA])
    recipients = chance.sample(list(OURS.values()), chance.randint(1, 3))
    return Event(_minute(chance), "mail", "", (f"In {number}", sender, tuple(recipients)))


def _again(chance: random.Random) -> Event:
    """The same message a second time: a list and a direct copy, or a server that delivers twice."""
    return Event(_minute(chance), "mail twice", _anybody(chance), f"Twice {chance.randrange(1000)}")


def _fault(chance: random.Random) -> Event:
    protocol, at, effect = _step(chance)
    start = _minute(chance)
    account = chance.choice([None, None, None, *OURS.values()]) if at in LOGGED_IN else None
    window = {"after": EPOCH + timedelta(minutes=start)}
    if chance.random() < 0.4:
        when = When(protocol, at, account, nth=chance.randint(1, 3), **window)
    else:
        window["until"] = EPOCH + timedelta(minutes=start + chance.choice([10, 30, 90]))
        when = When(protocol, at, account, probability=chance.choice([None, None, 0.5]), **window)
    return Event(start, "fault", "", Fault(when, effect, name=f"{type(effect).__name__} at {at} {chance.randrange(10**6)}"))


POP3_STEPS = ("connect", "greeting", "CAPA", "AUTH", "UIDL", "UIDL", "LIST", "RETR", "RETR", "RETR", "DELE", "QUIT")
SMTP_STEPS = (
    "connect",
    "greeting",
    "EHLO",
    "AUTH",
    "MAIL",
    "RCPT",
    "DATA",
    "text",
    "text",
    *["end-of-data"] * 4,
    "RSET",
    "QUIT",
)
LOGGED_IN = {*POP3_STEPS, *SMTP_STEPS} - {"connect", "greeting", "CAPA", "AUTH", "EHLO"}
POP3_REPLIES = ["-ERR [SYS/TEMP] try later", "-ERR [IN-USE] busy", "-ERR no", "-ERR [SYS/PERM] broken"]
SMTP_REPLIES = ["451 4.3.0 try later", "550 5.7.1 no", "421 4.3.2 closing", "552 5.3.4 too much", "454 4.7.0 later"]


def _step(chance: random.Random) -> tuple[str, str, Effect]:
    if chance.random() < 0.5:
        at = chance.choice(POP3_STEPS)
        return "pop3", at, _effect(chance, at, POP3_REPLIES)
    at = chance.choice(SMTP_STEPS)
    return "smtp", at, _effect(chance, at, SMTP_REPLIES)


def _effect(chance: random.Random, at: str, replies: list[str]) -> Effect:
    how = chance.choice(["fin", "rst"])
    code, _, text = chance.choice(replies).partition(" ")
    choices: list[Effect] = [Cut(chance.choice([0, 1, 7, 60, 500]), how), Drop(how), Stall(None)]  # type: ignore[arg-type]
    if at == "connect":
        return chance.choice([Refuse(), choices[0]])
    if at == "text":
        return chance.choice(choices)
    choices += [Reply(code, text), Delay(chance.choice([1, 45, 400])), LoseReply(how)]  # type: ignore[arg-type]
    if at in {"RETR", "EHLO", "CAPA"}:
        choices.append(Garble(3))
    if at in {"DELE", "QUIT"}:  # a lie about a recipient or a message makes any client double or lose it
        choices.append(Lie(code, text))
    return chance.choice(choices)


_TROUBLES: list[dict[str, Any]] = [
    *({"uidl": one} for one in ("reset", "doubled", "missing", "long", "illegal")),
    *({"listing_lies": one} for one in ("more", "fewer", "twice", "reversed", "stat")),
    *({"sizes": one} for one in (1, -20, 10**9, "zero")),
    {"vanished": (1,)},
    {"vanished": (1, 2, 3)},
    {"no_uidl": True},
    {"lock": 1800.0},
    {"endless": 50_000},
]


def _trouble(chance: random.Random) -> Event:
    return Event(_minute(chance), "trouble", _anybody(chance), dict(chance.choice(_TROUBLES)))


def _change(chance: random.Random) -> Event:
    what = chance.choice(
        [
            "well",
            "new unique ids",
            "maildrop locked",
            "filter",
            "delete",
            "wrong password",
            "right password",
            "deactivate",
            "activate",
            "profile off",
            "profile on",
            "test",
            "internal",
            "disable",
            "take over",
            "approval",
            "backup",
            "restore",
        ]
    )
    values: dict[str, Any] = {
        "filter": chance.choice([0, 0, 2, 3, 4]),
        "delete": chance.random() < 0.5,
        "maildrop locked": chance.choice([600, 3600]),
        "internal": chance.random() < 0.5,
        "disable": chance.choice(["incoming", "outgoing"]),
        "approval": chance.random() < 0.5,
    }
    who = "" if what in {"profile off", "profile on", "internal"} else _anybody(chance)
    return Event(_minute(chance), what, who, values.get(what))


_KINDS: list[Callable[[random.Random], Event]] = [_fault, _fault, _fault, _fault, _trouble, _change, _change, _change, _again]


# -- playing ------------------------------------------------------------------------------------------------------------


class Storm:
    """One organization with three mailboxes on one server."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.world: World = scene.world
        ports = {"incomingportnumber": 110, "outgoingportnumber": 587}
        self.profile = scene.profile("open lines", default=True, **ports, incomingusessl=False, outgoingusessl=False)
        scene.organization.update_settings(SYSTEM, allowunresolvedpartiesonemailsend=True)
        self.people: dict[str, Party] = {
            "Ada": scene.user("Ada", ADA),
            "Orders": scene.queue("Orders", ORDERS),
            "Ben": scene.user("Ben", BEN),
        }
        self.world.add_account(NOBODY, disabled=True)
        scene.contact("Carl", CARL)
        self.passwords = {name: f"{name}-secret" for name in OURS}
        for name, party in self.people.items():
            scene.credentials(party, self.passwords[name])
            scene.organization.approve_email(SYSTEM, party.mailbox)
            scene.filter(party, 0)
            for direction in (Operation.INCOMING, Operation.OUTGOING):
                scene.organization.record_test_result(party.mailbox, direction)
        self.backups: dict[str, InboxCopy] = {}
        self.books: Balance | None = None

    def happen(self, event: Event) -> None:
        HAPPENS[event.what](self, event)

    def mend(self) -> None:
        """Everything is as it should be again: the servers well, the mailboxes switched on, tested and enabled."""
        organization = self.scene.organization
        self.world.faults.clear()
        for address in OURS.values():
            del self.world.pop3.troubles[address]
        organization.set_state(SYSTEM, "emailserverprofile", self.profile, True)
        for name, party in self.people.items():
            organization.set_state(SYSTEM, "mailbox", party.mailbox, True)
            self.scene.credentials(party, self.passwords[name])
            organization.approve_email(SYSTEM, party.mailbox)
        self.scene.advance(timedelta(hours=2))  # locks of sessions that died are over
        for party in self.people.values():
            organization.schedule_test(SYSTEM, party.mailbox)

    def quiet(self) -> bool:
        """Nothing is left to do; then `books` are those of this moment, and stay as they are."""
        if not all(map(self._idle, self.people.values())):
            return False
        self.world.settle()
        found = balance(self.world, self.scene.organization)
        if found.counts()["pending"] or found.outgoing["pending"]:
            return False
        self.books = found
        return True

    def _idle(self, party: Party) -> bool:
        box = self.scene.mailbox(party)
        return not box.testemailconfigurationscheduled and bool(box.enabledforincomingemail and box.enabledforoutgoingemail)


def _happen_mail(storm: Storm, event: Event) -> None:
    subject, sender, recipients = event.value
    storm.scene.mail(sender, ";".join(recipients), subject)


def _happen_twice(storm: Storm, event: Event) -> None:
    message_id = f"<{event.value.replace(' ', '.')}@birch.test>"
    for _ in range(2):
        storm.scene.mail(CARL, OURS[event.who], event.value, message_id=message_id)


def _happen_send(storm: Storm, event: Event) -> None:
    subject, recipients = event.value
    storm.scene.send(event.who, recipients, subject)


def _happen_lock(storm: Storm, event: Event) -> None:
    storm.world.lock_maildrop(OURS[event.who], event.value)


def _box(values: Callable[[Event], dict[str, Any]]) -> Callable[[Storm, Event], None]:
    return lambda storm, event: storm.scene.organization.update(
        SYSTEM, "mailbox", storm.people[event.who].mailbox, **values(event)
    )


def _state(entity: str, active: bool) -> Callable[[Storm, Event], None]:
    def change(storm: Storm, event: Event) -> None:
        record = storm.profile if entity == "emailserverprofile" else storm.people[event.who].mailbox
        storm.scene.organization.set_state(SYSTEM, entity, record, active)

    return change


def _happen_delete(storm: Storm, event: Event) -> None:
    """Only queues may have their mail deleted (reference 1.2)."""
    storm.scene.organization.update(SYSTEM, "mailbox", storm.people["Orders"].mailbox, processanddeleteemails=event.value)


def _happen_take_over(storm: Storm, event: Event) -> None:
    """A second process looks at the mailbox at the same moment: it gets the lease, and gives it back."""
    organization = storm.scene.organization
    fence = organization.begin_run(storm.people[event.who].mailbox, Operation.OUTGOING, "another process")
    if fence is not None:
        organization.end_run(storm.people[event.who].mailbox, fence)


def _happen_backup(storm: Storm, event: Event) -> None:
    storm.backups[event.who] = storm.world.copy_inbox(OURS[event.who])


def _happen_restore(storm: Storm, event: Event) -> None:
    """The server goes back to its last backup, if there is one: removed mail is there again, newer mail is gone."""
    if event.who in storm.backups:
        storm.world.restore_inbox(storm.backups[event.who])


def _happen_approval(storm: Storm, event: Event) -> None:
    decide = storm.scene.organization.approve_email if event.value else storm.scene.organization.reject_email
    decide(SYSTEM, storm.people[event.who].mailbox)


HAPPENS: dict[str, Callable[[Storm, Event], None]] = {
    "mail": _happen_mail,
    "mail twice": _happen_twice,
    "send": _happen_send,
    "fault": lambda storm, event: storm.world.faults.add(event.value) and None,
    "trouble": lambda storm, event: storm.world.pop3.troubles.__setitem__(OURS[event.who], Troubles(**event.value)),
    "well": lambda storm, event: storm.world.pop3.troubles.__delitem__(OURS[event.who]),
    "new unique ids": lambda storm, event: storm.world.reset_uidls(OURS[event.who]),
    "maildrop locked": _happen_lock,
    "filter": lambda storm, event: storm.scene.filter(storm.people[event.who], event.value),
    "delete": _happen_delete,
    "wrong password": lambda storm, event: storm.scene.credentials(storm.people[event.who], "not the password"),
    "right password": lambda storm, event: storm.scene.credentials(storm.people[event.who], storm.passwords[event.who]),
    "deactivate": _state("mailbox", False),
    "activate": _state("mailbox", True),
    "profile off": _state("emailserverprofile", False),
    "profile on": _state("emailserverprofile", True),
    "test": lambda storm, event: storm.scene.organization.schedule_test(SYSTEM, storm.people[event.who].mailbox),
    "internal": lambda storm, event: storm.scene.organization.update_settings(SYSTEM, ignoreinternalemail=event.value),
    "disable": _box(lambda event: {f"enabledfor{event.value}email": False}),
    "take over": _happen_take_over,
    "approval": _happen_approval,
    "backup": _happen_backup,
    "restore": _happen_restore,
}


def play(schedule: Schedule, *, connector: Callable[[Connector], Connector] | None = None) -> list[str]:
    """What is wrong at the end; empty when all is well. An exception of the engine is wrong as well."""
    settings = DeploymentSettings(allow_non_ssl_email=True, allow_basic_authentication_on_non_secure_channel=True)
    with Scene(settings=settings, check=False) as scene:
        storm = Storm(scene)
        try:
            _blow(storm, schedule)
            return list(_problems(storm, schedule))
        except Exception as error:
            return [f"{type(error).__name__}: {error}"]


def _blow(storm: Storm, schedule: Schedule) -> None:
    waiting = sorted(schedule, key=lambda event: event.at)
    minute = 0
    while minute < LENGTH or waiting:
        while waiting and waiting[0].at <= minute:
            storm.happen(waiting.pop(0))
        storm.scene.run()
        storm.scene.advance(STEP)
        minute += 10
    storm.mend()
    for number in range(PATIENCE):
        storm.scene.run(after=CALM)
        if number > 1 and storm.quiet():
            return


def _problems(storm: Storm, schedule: Schedule) -> Iterator[str]:
    scene, organization = storm.scene, storm.scene.organization
    storm.world.settle()
    found = storm.books or balance(storm.world, organization)
    yield from found.problems
    for row in found.incoming:
        if row.outcome == "pending":
            yield f"pending for ever: {row.account} {row.subject!r}: {row.reason}"
        elif row.outcome in {"filtered", "parked"} and not row.reason:
            yield f"{row.outcome} without a reason: {row.account} {row.subject!r}"
    if found.outgoing["pending"]:
        yield f"{found.outgoing['pending']} emails wait for ever"
    received = organization.retrieve_multiple(SYSTEM, "email", directioncode=False)
    for message_id, number in Counter(email.messageid for email in received).items():
        if number > 1:
            yield f"tracked {number} times: {message_id}"
    yield from _explained(found, schedule)
    for name, party in storm.people.items():
        box = scene.mailbox(party)
        if (box.hostid, box.processingstatecode) != (None, 0):
            yield f"the mailbox of {name} is still locked"
        if not (box.enabledforincomingemail and box.enabledforoutgoingemail):
            yield f"the mailbox of {name} could not be enabled again: {box.lastsyncerror or ''}"


def _explained(found: Balance, schedule: Schedule) -> Iterator[str]:
    """Nothing is parked, failed or uncertain where no server was in trouble."""
    hit = {
        "pop3" if event.what == "trouble" else event.value.when.protocol
        for event in schedule
        if event.what in {"trouble", "fault"}
    }
    parked = [row.subject for row in found.incoming if row.outcome == "parked"]
    if parked and "pop3" not in hit:
        yield f"parked, and no POP3 server was in trouble: {parked}"
    if found.outgoing["uncertain"] and "smtp" not in hit:
        yield f"{found.outgoing['uncertain']} uncertain, and no SMTP server was in trouble"


# -- shrinking ----------------------------------------------------------------------------------------------------------


def shrink(schedule: Schedule, fails: Callable[[Schedule], bool] | None = None) -> Schedule:
    """The fewest events that still fail, by delta debugging (Zeller's ddmin): no single one of them can be left out."""
    wrong = fails or (lambda one: bool(play(one)))
    parts = 2
    while len(schedule) > 1:
        size = -(-len(schedule) // parts)
        pieces = [schedule[start : start + size] for start in range(0, len(schedule), size)]
        smaller = next((rest for index in range(len(pieces)) if wrong(rest := _without(pieces, index))), None)
        if smaller is not None:
            schedule, parts = smaller, max(parts - 1, 2)
        elif size == 1:
            return schedule
        else:
            parts = min(parts * 2, len(schedule))
    return schedule


def _without(pieces: list[Schedule], index: int) -> Schedule:
    return tuple(event for number, piece in enumerate(pieces) if number != index for event in piece)


def written(schedule: Schedule) -> str:
    """The timeline as comments, and the faults as a file of faults."""
    lines = [f"# {event}" for event in schedule]
    for event in schedule:
        if event.what == "fault":
            lines += ["", "[[fault]]"]
            lines += [f"{name} = {_toml(value)}" for name, value in to_data(event.value).items()]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(one)}" for name, one in value.items()) + " }"
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value)
