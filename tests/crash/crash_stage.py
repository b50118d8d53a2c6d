"""What is cut off and what must be true afterwards: scenarios, the organization they happen in, and the checks of its end state."""

from __future__ import annotations

import base64
import re
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from postroom.channels.server_side_sync import ServerSideSync
from postroom.clock import Clock
from postroom.mime.compose import compose
from postroom.mime.values import Address, Attachment, OutgoingMessage
from postroom.model import Lookup
from postroom.organization import SYSTEM, Deployment, DeploymentSettings, Operation, Organization
from postroom.providers.contract import Connector
from postroom.store.secrets import KeyRing
from postroom.testing.books import check_books
from postroom.testing.crash import PowerCut, SteppedConnector, Steps, watch_store
from postroom.testing.memory import WorldConnector
from postroom_simulator import ManualClock, World
from postroom_simulator.clock import EPOCH
from postroom_simulator.faults import Fault, LoseReply, When
from postroom_simulator.store import Role

SALES = "sales@alder.test"
CARL = "carl@birch.test"  # somewhere else
BEN = "ben@alder.test"  # on the same server, no mailbox of ours
NOBODY = "nobody@alder.test"  # refused for good
SINK = "sink@alder.test"  # a forward mailbox
KEYS = KeyRing([base64.urlsafe_b64encode(b"the key of the crashing engine..")])
"""The same in every process."""
LEASE = timedelta(minutes=31)
"""After this long a dead run's lease is free (reference 3.3: thirty minutes)."""
LIVES = 3
"""After so many lives nothing is uncertain any more: one email may be uncertain twice, where the second answer is lost as well."""
ROUND = timedelta(minutes=15)
"""After this long everything that was postponed is due."""


@dataclass(frozen=True)
class Scenario:
    """`subjects` of the mail that waits for the queue Sales; `sends`: the recipients of each email that it sends; `test`: Test & Enable is scheduled.
    `fetched_before`: a whole run took place, and then the server gave all its messages new names. `forward`: the mail of the queue is forwarded
    to a forward mailbox, which is read in its place. `lost`: the answer to the first final dot is lost. `disabled`: the password is
    wrong, so that both directions are switched off."""

    name: str
    subjects: tuple[str, ...] = ()
    tracked: tuple[str, ...] | None = None
    parked: tuple[str, ...] = ()
    delete: bool = False
    filter: int = 0
    sends: tuple[tuple[str, ...], ...] = ()
    test: bool = False
    fetched_before: int = 0
    forward: bool = False
    lost: bool = False
    disabled: bool = False
    items: int = 100
    size: int = 25_000

    @property
    def wanted(self) -> tuple[str, ...]:
        return self.subjects if self.tracked is None else self.tracked

    @property
    def left(self) -> int:
        """How many messages stay at the server."""
        return len(self.parked) if self.delete else len(self.subjects)

    @property
    def settings(self) -> DeploymentSettings:
        return DeploymentSettings(
            allow_non_ssl_email=True,
            allow_basic_authentication_on_non_secure_channel=True,
            incoming_maximum_emails_per_cycle=self.items,
            maximum_message_size=self.size,
        )


THREE = ("One", "Two with a file", "Three")
SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("fetch", THREE),
        Scenario("fetch and delete", THREE, delete=True),
        Scenario("fetch and delete, two at a time", THREE, delete=True, items=2),
        Scenario("names reset", THREE, fetched_before=3),
        Scenario("names reset and a new one", (*THREE, "Four"), fetched_before=3, delete=False),
        Scenario("filtered and deleted", THREE, tracked=(), delete=True, filter=1),
        Scenario("one parked", (*THREE, "Huge"), tracked=THREE, parked=("Huge",), delete=True),
        Scenario("send", sends=((CARL,),)),
        Scenario("send to two", sends=((CARL, BEN),)),
        Scenario("send, one refused", sends=((CARL, NOBODY),)),
        Scenario("send, all refused", sends=((NOBODY,),)),
        Scenario("send three", sends=((CARL,), (BEN,), (CARL, BEN))),
        Scenario("fetch, delete and send", THREE[:2], delete=True, sends=((CARL, BEN),)),
        Scenario("test and enable", test=True),
        Scenario("forward", THREE, forward=True),
        Scenario("forward and delete", THREE, forward=True, delete=True),
        Scenario("send, the reply lost", sends=((CARL,),), lost=True),
        Scenario("disable", THREE, tracked=(), sends=((CARL,),), disabled=True),
    )
}


# -- what there is before -----------------------------------------------------------------------------------------------


def furnish(scenario: Scenario, path: Path, *, tls: bool = False) -> None:
    """The organization in a new database file, with everything asked for and nothing done."""
    with Deployment(ManualClock(), settings=scenario.settings, keys=KEYS) as deployment:
        organization = deployment.create_organization("alder", f"sqlite:///{path}")
        profile = organization.create(
            SYSTEM,
            "emailserverprofile",
            name="mail",
            servertype=1,
            incomingserverlocation="localhost",
            incomingportnumber=995 if tls else 110,
            incomingusessl=tls,
            outgoingserverlocation="localhost",
            outgoingportnumber=465 if tls else 587,
            outgoingusessl=tls,
            incomingcredentialretrieval=0,
            outgoingcredentialretrieval=0,
        )
        organization.update_settings(
            SYSTEM,
            defaultemailserverprofileid=Lookup("emailserverprofile", profile),
            allowunresolvedpartiesonemailsend=True,
        )
        sales = organization.create(
            SYSTEM,
            "queue",
            name="Sales",
            emailaddress=SALES,
            incomingemaildeliverymethod=3 if scenario.forward else 2,
            outgoingemaildeliverymethod=2,
            incomingemailfilteringmethod=scenario.filter,
        )
        organization.create(SYSTEM, "contact", fullname="Carl", emailaddress1=CARL)
        boxes = {SALES: organization.retrieve(SYSTEM, "queue", sales).defaultmailbox.id}
        if scenario.forward:
            boxes[SINK] = organization.create(
                SYSTEM,
                "mailbox",
                name="Sink",
                emailaddress=SINK,
                emailserverprofile=Lookup("emailserverprofile", profile),
            )
        for address, box in boxes.items():
            _ready(scenario, organization, address, box)
        for number, recipients in enumerate(scenario.sends, start=1):
            email = organization.create_email(
                SYSTEM, from_=Lookup("queue", sales), to=recipients, subject=f"Out {number}", description="Hello."
            )
            organization.send_email(SYSTEM, email, tracking_token="")


def _ready(scenario: Scenario, organization: Organization, address: str, box: str) -> None:
    """Credentials, approval, and tested unless that is what is cut off."""
    sink = address == SINK
    organization.update(
        SYSTEM,
        "mailbox",
        box,
        allowemailconnectortousecredentials=True,
        username=address,
        password="not the password" if scenario.disabled else "Sales-secret",
        processanddeleteemails=scenario.delete,
    )
    organization.approve_email(SYSTEM, box)
    organization.schedule_test(SYSTEM, box)
    if not scenario.test:
        for direction in (Operation.INCOMING, *(() if sink else (Operation.OUTGOING,))):
            organization.record_test_result(box, direction)


def world_of(scenario: Scenario) -> World:
    """A world whose server has the accounts and the mail. Each has the same seed, so that names are the same."""
    world = World(seed=5, hostname="localhost")
    world.add_account(SALES, password="Sales-secret")
    world.add_account(BEN, password="Ben-secret")
    world.add_account(NOBODY, disabled=True)
    if scenario.forward:
        world.add_account(SINK, password="Sales-secret")
    if scenario.lost:
        world.faults.add(Fault(When("smtp", "end-of-data", nth=1), LoseReply()))
    for number, subject in enumerate(scenario.subjects[: scenario.fetched_before or None]):
        if scenario.forward:
            world.deliver(SALES, [SINK], forwarded(subject, number))
        else:
            world.deliver(CARL, [SALES], mail(subject, number))
    return world


def forwarded(subject: str, number: int) -> bytes:
    """The mail as an attachment, from the queue to the forward mailbox."""
    head = (
        f"From: {SALES}\r\nTo: {SINK}\r\nSubject: FW: {subject}\r\nMessage-ID: <outer.{number}@alder.test>\r\n"
        'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    )
    return head.encode() + b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + mail(subject, number) + b"\r\n--b--\r\n"


def mail(subject: str, number: int) -> bytes:
    files = (Attachment("a.bin", "application/octet-stream", bytes(range(256))),) if "file" in subject else ()
    text = "Hello.\r\n" * (10_000 if subject == "Huge" else 1)
    return compose(
        OutgoingMessage(
            message_id=f"<{number}@birch.test>",
            date=EPOCH - timedelta(hours=1),
            from_=Address(CARL, "Carl"),
            to=(Address(SALES),),
            subject=subject,
            text=text,
            attachments=files,
        )
    )


# -- one run, and the engine's life after it ----------------------------------------------------------------------------


def open_organization(scenario: Scenario, path: Path, clock: Clock) -> Deployment:
    deployment = Deployment(clock, settings=scenario.settings, keys=KEYS)
    share_statements(deployment.open_organization("alder", f"sqlite:///{path}"))
    return deployment


_shared: list[Any] = []


def share_statements(organization: Organization) -> None:
    """One dialect and one cache of compiled statements for all databases of this process: compiling them anew for each cut would take
    longer than all the rest."""
    engine: Any = organization.store._database.engine
    if not _shared:
        _shared.extend((engine.dialect, engine._compiled_cache))
    engine.dialect, engine._compiled_cache = _shared


def run_engine(organization: Organization, connector: Connector, *, clock: ManualClock | None = None, rounds: int = 1) -> None:
    """Do what is due; with more rounds, let time pass in between."""
    sync = ServerSideSync(organization, connector)
    try:
        for number in range(rounds):
            if number:
                assert clock is not None
                clock.advance(ROUND)
            sync.run_due()
    finally:
        sync.close()


class Stage:
    """One scenario in memory and on a copy of its database file: run up to a cut, recover, look."""

    def __init__(self, scenario: Scenario, template: Path, path: Path) -> None:
        self.scenario = scenario
        self.path = path
        for old in path.parent.glob(path.name + "*"):
            old.unlink()
        shutil.copyfile(template, path)
        self.world = world_of(scenario)
        assert isinstance(self.world.clock, ManualClock)
        self.clock = self.world.clock
        if scenario.fetched_before:
            self.run(Steps())
            self.clock.advance(ROUND)
            self.world.reset_uidls(SALES)
            for number, subject in enumerate(scenario.subjects):
                if number >= scenario.fetched_before:
                    self.world.deliver(CARL, [SALES], mail(subject, number))

    def run(self, steps: Steps, *, rounds: int = 1) -> str:
        """Run the engine; the name of the step at which it was cut, "" when it went through."""
        deployment = open_organization(self.scenario, self.path, self.clock)
        organization = deployment.organizations["alder"]
        watch_store(organization.store, steps)
        connector = SteppedConnector(WorldConnector(self.world), steps)
        try:
            run_engine(organization, connector, clock=self.clock, rounds=rounds)
        except PowerCut as cut:
            return str(cut)
        finally:
            connector.drop()
            deployment.close()
        return ""

    def recover(self) -> None:
        """The machine is switched on again, and works until there is nothing left to do."""
        self.clock.advance(LEASE)
        assert self.run(Steps(), rounds=2) == ""

    def verify(self) -> Ended:
        resolved: dict[str, bool] = {}
        for _ in range(LIVES):
            with open_organization(self.scenario, self.path, self.clock) as deployment:
                ended = verify(self.scenario, self.world, deployment.organizations["alder"])
            if not ended.resolved:
                return Ended(resolved, snapshot(self.path))
            resolved |= ended.resolved
            self.recover()
        raise AssertionError("still uncertain after everything was resolved")

    def close(self) -> None:
        self.world.close()


# -- what must be true --------------------------------------------------------------------------------------------------


Row = tuple[tuple[str, Any], ...]
Tables = dict[str, Counter[Row]]


@dataclass(frozen=True)
class Ended:
    """`resolved`: the emails that were uncertain, and what a person who looked said. `tables`: what the database holds, normalised."""

    resolved: dict[str, bool]
    tables: Tables


def verify(scenario: Scenario, world: World, organization: Organization) -> Ended:
    """Nothing lost, nothing doubled, nothing stuck, the uncertain ones named. Uncertain emails are then resolved as somebody would who
    asked the recipients."""
    world.settle()
    check_books(world, organization)
    _incoming(scenario, world, organization)
    for box in organization.retrieve_multiple(SYSTEM, "mailbox"):
        assert (box.hostid, box.processingstatecode) == (None, 0), f"{box.emailaddress} is still locked"
    box = organization.retrieve_multiple(SYSTEM, "mailbox", emailaddress=SINK if scenario.forward else SALES)[0]
    assert box.enabledforincomingemail is not scenario.disabled
    assert box.enabledforoutgoingemail is not scenario.disabled or scenario.forward
    assert not box.testemailconfigurationscheduled or scenario.disabled
    return Ended(_outgoing(scenario, world, organization), {})


def _incoming(scenario: Scenario, world: World, organization: Organization) -> None:
    received = organization.retrieve_multiple(SYSTEM, "email", directioncode=False)
    counts = Counter(email.subject for email in received if not scenario.test)
    assert counts == Counter(scenario.wanted), f"tracked: {counts}"
    folder = world.store.folder(SINK if scenario.forward else SALES, Role.INBOX)
    left = list(world.store.items(folder.uid))
    if not scenario.test:
        assert len(left) == scenario.left, f"{len(left)} messages at the server, not {scenario.left}"
    parked = {entry.subject for entry in organization.books().incoming if entry.disposition == "parked"}
    assert parked == set(scenario.parked)


def _outgoing(scenario: Scenario, world: World, organization: Organization) -> dict[str, bool]:
    arrived = deliveries(world)
    resolved: dict[str, bool] = {}
    rows = organization.books().outgoing
    assert Counter(row.kind for row in rows)["email"] == len(scenario.sends)
    for row in rows:
        copies = {one.address: arrived[row.message_id, one.address] for one in row.recipients}
        wanted = {address: int(address != NOBODY) for address in copies}
        assert row.mark not in {"claimed", "submitting"}, f"{row.subject} is stuck: {row.mark}"
        if row.mark == "uncertain":
            assert all(number <= wanted[address] for address, number in copies.items()), f"doubled: {copies}"
            resolved[row.email_id] = any(copies.values())
            organization.resolve_uncertain(SYSTEM, row.email_id, sent=resolved[row.email_id])
        elif row.kind == "test":
            assert row.mark == ("sent" if any(copies.values()) else "canceled") or row.mark == "sent"
        else:
            wanted = dict.fromkeys(wanted, 0) if scenario.disabled else wanted
            assert copies == wanted, f"{row.subject} ({row.mark}): delivered {copies}, not {wanted}"
            ended = "pending" if scenario.disabled else "sent" if any(wanted.values()) else "failed"
            assert row.mark == ended, f"{row.subject}: {row.mark}"
    if scenario.test:
        assert any(row.mark == "sent" for row in rows), "no test message was sent"
    return resolved


def deliveries(world: World) -> Counter[tuple[str, str]]:
    """How often each submitted message reached each recipient."""
    counted: Counter[tuple[str, str]] = Counter()
    for entry in world.journal.entries(kind="delivery"):
        if entry.protocol == "smtp":
            for recipient in entry.data.get("recipients", (entry.data["recipient"],)):
                counted[entry.data["message_id"], recipient] += 1
    return counted


_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_LEFT_OUT = {
    "alembic_version": None,
    "lease": None,
    "mailboxstatistics": None,
    "secret": None,
    "statevalue": None,  # losing it costs another look and never a message (providers.contract.StateCell)
    "emailserverprofile": {"lasttesttotalexecutiontime"},
    "outgoing_ledger": {"token"},
    "tracelog": {"machinename"},
    "mailbox": {
        "averagetotalduration",
        "forcedunlockcount",
        "itemsprocessedforlastsync",
        "lastactiveon",
        "lastduration",
        "lastsyncerrormachinename",
        "lastmailboxforcedunlockoccurredon",
        "mailboxprocessingcontext",  # the polling interval in force
        "noemailcount",
        "postponesendinguntil",
        "processedtimes",
    },
}
"""Tables, and columns of tables, that tell how often and when something ran: an interruption may show there and nowhere else."""
UNCERTAINTY = {
    "email": {"deliveryattempts", "actualend", "senton"},
    "exchangesyncidmapping": None,  # a failure and its tries; gone when a person decided
    "outgoing_ledger": {"attempts", "reason"},
    "outgoing_recipient": {"accepted", "permanent", "reply"},
    "tracelog": None,
}
"""Where it may show that an email was uncertain and a person decided."""


def snapshot(path: Path) -> Tables:
    """Every row of every table without ids and moments, so that two histories with the same outcome compare equal."""
    found: Tables = {}
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            left_out = _LEFT_OUT.get(name, set())
            if left_out is None or name.startswith("sqlite_"):
                continue
            rows = database.execute(f'SELECT * FROM "{name}"').fetchall()
            found[name] = Counter(_normal(row, left_out | {"rownumber"}) for row in rows)
    return found


def _normal(row: sqlite3.Row, left_out: set[str]) -> Row:
    values: list[tuple[str, Any]] = []
    for name in row.keys():  # noqa: SIM118 - a Row iterates over its values
        value = row[name]
        if name in left_out:
            continue
        if isinstance(value, int) and value > 10**14:
            value = "a moment"
        elif isinstance(value, str):
            value = _UUID.sub("id", value)
        values.append((name, value))
    return tuple(values)


def without(tables: Tables, columns: dict[str, set[str] | None]) -> Tables:
    """The tables without some columns, or without a table."""
    found: Tables = {}
    for name, rows in tables.items():
        left_out = columns.get(name, set())
        if left_out is not None:
            found[name] = Counter()
            for row, number in rows.items():
                found[name][tuple(pair for pair in row if pair[0] not in left_out)] += number
    return found


def differences(one: Tables, other: Tables) -> str:
    """Rows of one that the other has not, in words; empty when they are equal."""
    lines = []
    for name in sorted(one.keys() | other.keys()):
        a, b = one.get(name, Counter()), other.get(name, Counter())
        for which, rows, others in (("uninterrupted", a - b, b - a), ("interrupted", b - a, a - b)):
            known = next(iter(others), ()) if len(rows) == len(others) == 1 else ()
            lines += [f"  {which} only, {name}: {dict(pair for pair in row if pair not in known)}" for row in rows.elements()]
    return "\n".join(lines)


def compare(scenario: Scenario, expected: Ended, ended: Ended) -> None:
    """The end is that of the uninterrupted run, but for what the interruption itself explains."""
    assert bool(expected.resolved) == scenario.lost
    left_out: dict[str, set[str] | None] = {}
    if scenario.test:  # a test starts over, and its messages are mail like any other
        left_out = dict.fromkeys(expected.tables.keys() - {"mailbox", "emailserverprofile", "queue", "contact"})
        left_out["mailbox"] = {"lastmessageid"}
    elif ended.resolved:
        left_out = dict(UNCERTAINTY)
        if scenario.lost:  # a run that was cut off does not tell of the connection that it lost
            left_out["mailbox"] = {"transientfailurecount"} | {
                f"lastsyncerror{what}" for what in ("", "code", "count", "occurredon")
            }
    told = differences(without(expected.tables, left_out), without(ended.tables, left_out))
    assert not told, f"the end is another one:\n{told}"
