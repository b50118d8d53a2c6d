"""Several engine processes on one PostgreSQL database share the mailboxes: each mailbox is processed by one at a time and once a round; one that
pauses is fenced off; what one that was killed had begun is taken over. Against the simulator over sockets."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from engine_process import KEYS, SETTINGS

from postroom.model import Lookup, Mailbox, Queue
from postroom.organization import SYSTEM, Deployment, Operation, Organization
from postroom.store.secrets import write_all
from postroom.testing import postgres
from postroom.testing.books import check_books
from postroom_simulator import ManualClock, World

LEASE = timedelta(minutes=31)
ROUND = timedelta(minutes=15)
MESSAGES = 2
IMPATIENT = "?options=-c%20idle_in_transaction_session_timeout%3D1500"
"""PostgreSQL ends a paused transaction after a second and a half, not after a minute."""


class Engine:
    """A process of `engine_process`."""

    def __init__(self, url: str, threads: int = 4) -> None:
        script = Path(__file__).with_name("engine_process.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), url, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
        )

    def ready(self) -> None:
        assert self._line() == {"ready": self.process.pid}

    def begin(self, at: float, stop: str | None = None) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"at": at, "stop": stop}) + "\n")
        self.process.stdin.flush()

    def end(self) -> Counter[tuple[str, str]]:
        """How its runs ended: (ending, error) -> how many."""
        return Counter((ending, error) for _, ending, error in self._line()["reports"])

    def _line(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the engine died"
        return json.loads(line)

    def wait_until_paused(self) -> None:
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        if self.process.poll() is None:
            self.go_on()
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class Town:
    """An organization of many queues with mail for each, and engines to fetch it."""

    def __init__(self, url: str, mailboxes: int) -> None:
        self.url = url
        self.world = World(seed=3, hostname="localhost")
        assert isinstance(self.world.clock, ManualClock)
        self.clock = self.world.clock
        self.start = self.clock.now()
        self.addresses = [f"box{number}@alder.test" for number in range(mailboxes)]
        self.port = self.world.listen(ports={"pop3": 0}).addresses["pop3"][1]
        self.deployment = Deployment(self.clock, settings=SETTINGS, keys=KEYS, ids=self.world.ids)
        self.organization = self.deployment.create_organization("alder", url)
        self._furnish()
        self.engines: list[Engine] = []

    def _furnish(self) -> None:
        """One queue by the organization's own messages, the others as its copies."""
        organization = self.organization
        profile = organization.create(
            SYSTEM,
            "emailserverprofile",
            name="mail",
            servertype=1,
            incomingserverlocation="localhost",
            incomingportnumber=self.port,
            incomingusessl=False,
            outgoingserverlocation="localhost",
            outgoingusessl=False,
            incomingcredentialretrieval=0,
            outgoingcredentialretrieval=0,
        )
        organization.update_settings(SYSTEM, defaultemailserverprofileid=Lookup("emailserverprofile", profile))
        first = self._first(organization)
        with organization.store.transaction() as tx:
            queue = tx.get(Queue, first)
            assert queue.defaultmailbox is not None
            mailbox = tx.get(Mailbox, queue.defaultmailbox.id)
            for address in self.addresses[1:]:
                queue_id, box_id = tx.new_id(), tx.new_id()
                tx.create(
                    dataclasses.replace(
                        queue, queueid=queue_id, name=address, emailaddress=address, defaultmailbox=Lookup("mailbox", box_id)
                    )
                )
                tx.create(
                    dataclasses.replace(
                        mailbox,
                        mailboxid=box_id,
                        name=address,
                        emailaddress=address,
                        username=address,
                        regardingobjectid=Lookup("queue", queue_id),
                    )
                )
                write_all(tx, Mailbox, box_id, {"password": "secret"})
        for address in self.addresses:
            self.world.add_account(address, password="secret")
            for number in range(MESSAGES):
                octets = f"From: carl@birch.test\r\nTo: {address}\r\nMessage-ID: <{number}.{address}>\r\nSubject: {number} {address}\r\n"
                self.world.deliver("carl@birch.test", [address], octets.encode() + b"\r\nHello.\r\n")

    def _first(self, organization: Organization) -> str:
        address = self.addresses[0]
        queue = organization.create(
            SYSTEM, "queue", name=address, emailaddress=address, incomingemaildeliverymethod=2, outgoingemaildeliverymethod=0
        )
        box = organization.retrieve(SYSTEM, "queue", queue).defaultmailbox.id
        organization.update(
            SYSTEM, "mailbox", box, allowemailconnectortousecredentials=True, username=address, password="secret"
        )
        organization.approve_email(SYSTEM, box)
        organization.schedule_test(SYSTEM, box)
        organization.record_test_result(box, Operation.INCOMING)
        return queue

    def engine(self) -> Engine:
        self.engines.append(Engine(self.url + IMPATIENT))
        return self.engines[-1]

    @property
    def at(self) -> float:
        return (self.clock.now() - self.start).total_seconds()

    def round(self, *engines: Engine) -> list[Counter[tuple[str, str]]]:
        """All of them at the same time."""
        for engine in engines:
            engine.begin(self.at)
        return [engine.end() for engine in engines]

    def pass_time(self, delta: timedelta) -> None:
        """The server gives up on whoever says nothing meanwhile."""
        self.clock.advance(delta)
        self.world.settle()

    def logins(self) -> Counter[str]:
        return Counter(entry.account or "" for entry in self.world.journal.entries(kind="login") if entry.data["ok"])

    def check(self) -> None:
        """Each message once, nothing locked, the books balance."""
        found = Counter(email.subject for email in self.organization.retrieve_multiple(SYSTEM, "email"))
        assert found == {f"{number} {address}": 1 for address in self.addresses for number in range(MESSAGES)}
        for box in self.organization.retrieve_multiple(SYSTEM, "mailbox"):
            assert (box.hostid, box.processingstatecode) == (None, 0), f"{box.name} is locked"
        self.world.settle()
        check_books(self.world, self.organization)

    def close(self) -> None:
        for engine in self.engines:
            engine.close()
        self.deployment.close()
        self.world.close()


Build = Callable[[int], Town]
_numbers = itertools.count()


@pytest.fixture
def build(postroom_postgres: str) -> Iterator[Build]:
    made: list[Town] = []

    def town(mailboxes: int) -> Town:
        url = postgres.database(postroom_postgres, f"engines{next(_numbers)}")
        made.append(Town(url, mailboxes))
        return made[-1]

    yield town
    for one in made:
        one.close()


DONE = ("done", "")
BUSY = ("busy", "")


def _share(town: Town, count: int, rounds: int) -> None:
    engines = [town.engine() for _ in range(count)]
    for engine in engines:
        engine.ready()
    for number in range(1, rounds + 1):
        ended = town.round(*engines)
        assert {kind for one in ended for kind in one} <= {DONE, BUSY}, ended
        assert sum(one[DONE] for one in ended) == len(town.addresses), ended
        assert all(one[DONE] for one in ended), f"one did nothing: {ended}"
        assert set(town.logins().values()) == {number}
        town.pass_time(ROUND)
    town.check()


@pytest.mark.slow
def test_two_engines_share_two_hundred_mailboxes(build: Build) -> None:
    """Every mailbox is polled exactly once in a round, whoever found it due; the server, which lets one in at a time, never says that a
    mailbox is in use."""
    _share(build(200), 2, rounds=2)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_four_engines_share_two_thousand_mailboxes(build: Build) -> None:
    _share(build(2000), 4, rounds=5)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["conversation", "transaction"])
def test_a_paused_engine_is_fenced_off(build: Build, where: str) -> None:
    """It is stopped (SIGSTOP) while it holds mailboxes, within a conversation or a write transaction; the other does all the rest, and takes its
    mailboxes over when their locks are stale. When it goes on, nothing that it does counts."""
    town = build(12)
    paused, other = town.engine(), town.engine()
    paused.ready()
    other.ready()
    paused.begin(town.at, where)
    paused.wait_until_paused()
    before = town.round(other)[0]
    assert before[DONE] < 12
    town.pass_time(LEASE)
    after = town.round(other)[0]
    assert after[DONE] == 12
    paused.go_on()
    ended = paused.end()
    assert any(error for _, error in ended), f"the paused engine noticed nothing: {ended}"
    assert not any(error for _, error in before + after)
    town.pass_time(ROUND)
    town.round(other)
    town.check()
    boxes = town.organization.retrieve_multiple(SYSTEM, "mailbox")
    assert sum(box.forcedunlockcount for box in boxes) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("where", ["conversation", "transaction"])
def test_the_work_of_a_killed_engine_is_taken_over(build: Build, where: str) -> None:
    town = build(12)
    killed, other = town.engine(), town.engine()
    killed.ready()
    other.ready()
    killed.begin(town.at, where)
    killed.wait_until_paused()
    killed.kill()
    before = town.round(other)[0]
    held = 12 - before[DONE]
    assert 1 <= held <= 4, before
    town.pass_time(LEASE)
    assert town.round(other)[0] == {DONE: 12}
    town.check()
