"""Intake by the rules that apply, with 10, 1,000 and 100,000 stored activities; the question who is due among 10,000 mailboxes.

Messages are judged and stored through the gateway, fifty in a commit, on a file database; no server and no network. What is stored already is copied from
one real message, with its parties, hashes, ledger row and octets. A unit is one message, or one question.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.harness import Bench
from benchmarks.intake import folder
from postroom.mime.parse import parse_message
from postroom.model import Lookup, Mailbox, Queue
from postroom.organization import SYSTEM, DeploymentSettings, GatewayBinding, Operation
from postroom.providers.contract import IncomingOffer
from postroom.store.database import observe
from postroom.testing.scene import Party, Scene

SIZES = (10, 1_000, 100_000)
MESSAGES, BATCH = 200, 50
MAILBOXES = 10_000
CASES = ("all messages", "from contacts", "in response to ours", "in response, smart matching")
"""Each adds to the one before: nothing to look up but duplicates; the sender must be a contact; the message must answer one of ours (ten References,
a token in the subject); where neither tells, similar subjects and parties are compared."""

_numbers = itertools.count()


def run(bench: Bench) -> None:
    for size in SIZES[: bench.pick(3, 2)]:
        with organization(size) as (scene, ann):
            for number, case in enumerate(CASES):
                prepare(scene, ann, number)
                row = bench.measure(
                    f"{size:,} activities, {case}",
                    lambda s=scene, a=ann, n=number: intake(s, a, n),  # type: ignore[misc]
                    repeats=3,
                )
                bench.note(f"{size:,} activities, {case}: {1 / row.ours.median:,.0f} messages a second")
    for count in (100, MAILBOXES)[: bench.pick(2, 1)]:
        with resting(count) as scene:
            row = bench.measure(f"who is due among {count:,} mailboxes: nobody", lambda s=scene: ask(s))  # type: ignore[misc]
            bench.note(f"{count:,} mailboxes, nothing due: {statements(scene)} statement")


# -- intake -------------------------------------------------------------------------------------------------------------


@contextmanager
def organization(size: int) -> Iterator[tuple[Scene, Party]]:
    """A user with a mailbox, a hundred contacts, and so many stored activities."""
    settings = DeploymentSettings(allow_non_ssl_email=True)
    with folder() as home, Scene(url=f"sqlite:///{home}/organization.db", settings=settings, check=False) as scene:
        scene.mail_server()
        ann = scene.user("Ann", "ann@alder.test", ready=True, outgoingemaildeliverymethod=0)
        scene.filter(ann, 0)
        for number in range(100):
            scene.contact(f"Contact {number}", f"contact{number}@birch.test")
        scene.organization.update_settings(SYSTEM, enablesmartmatching=True)
        intake(scene, ann, 0, count=1)
        multiply(scene, size)
        yield scene, ann


def prepare(scene: Scene, ann: Party, case: int) -> None:
    scene.filter(ann, (0, 2, 1, 1)[case])
    scene.organization.update_settings(SYSTEM, enablesmartmatching=case == 3)


def message(case: int) -> bytes:
    number = next(_numbers)
    sender = f"contact{number % 100}@birch.test" if case else "carl@birch.test"
    lines = [
        f"From: {sender}",
        "To: ann@alder.test",
        f"Subject: Order {number} of spring",
        f"Message-ID: <{number}@birch.test>",
    ]
    lines.append("Date: Mon, 05 Jan 2026 07:00:00 +0000")
    if case >= 2:
        lines[2] = f"Subject: RE: Order {number % 7} of spring CRM:0001{number % 999:03}"
        lines += [
            f"In-Reply-To: <nobody{number}@else.test>",
            "References: " + " ".join(f"<r{n}.{number}@else.test>" for n in range(10)),
        ]
    return ("\r\n".join(lines) + "\r\n\r\n" + "A line of an order.\r\n" * 50).encode()


def intake(scene: Scene, ann: Party, case: int, count: int = MESSAGES) -> float:
    gateway = scene.organization.gateway(GatewayBinding(ann.mailbox, ann.mailbox, None, Operation.INCOMING))
    octets = [message(case) for _ in range(count)]
    began = time.perf_counter()
    for start in range(0, count, BATCH):
        with gateway.batch():
            for raw in octets[start : start + BATCH]:
                parsed = parse_message(raw)
                offer = IncomingOffer(f"key-{parsed.message_id}", raw, parsed, scene.world.clock.now(), ann.address)
                verdict = gateway.check_incoming(offer)
                if verdict.deliver:
                    gateway.deliver_incoming(offer, verdict)
    return (time.perf_counter() - began) / count


_COPIED = {
    "email": (
        "activityid",
        "messageid",
        "messageiddupcheck",
        "trackingtoken",
        "conversationindex",
        "baseconversationindexhash",
    ),
    "activityparty": ("activitypartyid", "activityid"),
    "emailhash": ("emailhashid", "activityid", "hash"),
    "incoming_ledger": ("source_key", "digest", "message_id", "email_id"),
    "content": ("digest",),
    "seenentry": ("sourcekey", "digest"),
}
"""Tables that grow with each message, and the columns that are a copy's own."""


def multiply(scene: Scene, size: int) -> None:
    """Copies of the one message, until there are so many."""
    with scene.organization.store.transaction() as tx:
        for table, own in _COPIED.items():
            info = tx.connection.exec_driver_sql(f"PRAGMA table_info({table})").all()
            names = [row[1] for row in info if row[1] != "rownumber"]
            values = []
            for row in info:
                name, kind = row[1], row[2].upper()
                if name == "rownumber":
                    continue
                copied = f"{name} + n.i * 7919" if "INT" in kind else f"{name} || '-' || n.i"
                values.append(copied if name in own else name)
            tx.connection.exec_driver_sql(
                f"INSERT INTO {table} ({', '.join(names)}) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {size}) "
                f"SELECT {', '.join(values)} FROM n, {table} AS t"
            )


# -- who is due ---------------------------------------------------------------------------------------------------------


@contextmanager
def resting(count: int) -> Iterator[Scene]:
    """So many mailboxes that are served and not due."""
    settings = DeploymentSettings(allow_non_ssl_email=True)
    with folder() as home, Scene(url=f"sqlite:///{home}/organization.db", settings=settings, check=False) as scene:
        scene.mail_server()
        first = scene.queue("First", "first@alder.test", ready=True)
        scene.run()
        with scene.organization.store.transaction() as tx:
            queue, mailbox = tx.get(Queue, first.id), tx.get(Mailbox, first.mailbox)
            queues, boxes = [], []
            for number in range(count - 1):
                ids, address = (tx.new_id(), tx.new_id()), f"box{number}@alder.test"
                box = Lookup("mailbox", ids[1])
                queues.append(
                    dataclasses.replace(queue, queueid=ids[0], name=address, emailaddress=address, defaultmailbox=box)
                )
                owner = Lookup("queue", ids[0])
                boxes.append(
                    dataclasses.replace(mailbox, mailboxid=ids[1], name=address, emailaddress=address, regardingobjectid=owner)
                )
            tx.create_many(queues)
            tx.create_many(boxes)
        yield scene


def ask(scene: Scene) -> float:
    began = time.perf_counter()
    for _ in range(5):
        if scene.engine.run_due():
            raise RuntimeError("somebody was due")
    return (time.perf_counter() - began) / 5


def statements(scene: Scene) -> int:
    seen: list[str] = []
    forget = observe(scene.organization.store._database, seen.append)
    scene.engine.run_due()
    forget()
    return sum(text.lstrip().startswith(("SELECT", "UPDATE", "INSERT", "DELETE")) for text in seen)
