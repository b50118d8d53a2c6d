"""A service with a hundred instances of five kinds through reloads, kills of runs, restarts and damaged states: the books balance."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from postroom.channels.email_router.database import RouterDatabase
from postroom.channels.email_router.tables import metadata
from postroom.errors import AuthError, ConnectionFailed
from postroom.organization import SYSTEM
from postroom.providers.contract import RunOutcome
from postroom.testing.books import check_books
from postroom.testing.router_stage import FeedState, RouterStage, feed_provider, mail
from postroom.testing.scene import Party, Scene

EACH = 20
"""Instances of each of the five kinds: pop3, smtp, and three test kinds."""


class Service:
    """Twenty users, each with a mailbox on the server, a way out, and three feeds of their own mailboxes."""

    def __init__(self, stage: RouterStage, seed: int) -> None:
        self.stage, self.random = stage, random.Random(seed)
        self.world = stage.scene.world
        stage.organization.update_settings(SYSTEM, generatealertsforwarnings=True)
        for kind in ("moody", "sleepy"):
            stage.registry.register(feed_provider(stage.source, kind))
        self.people = [stage.user(f"User{number:02}") for number in range(EACH)]
        self.readers = {
            kind: [stage.user(f"{kind.title()}{number:02}") for number in range(EACH)] for kind in ("feed", "moody", "sleepy")
        }
        self.offered: Counter[str] = Counter()
        self.turned: dict[str, int] = {}
        self.left_out: set[str] = set()
        self.flavour: dict[str, str] = {}

    def entries(self) -> list[str]:
        rows = {}
        for party in self.people:
            clear = {"EmailTls": "none"}  # handshakes are tested elsewhere, and take longer than all the rest
            pop3, smtp = (self.stage.scene.endpoint(service)[1] for service in ("pop3", "smtp"))
            rows[f"in {party.name}"] = self.stage.pop3(party, Name=f"in {party.name}", EmailPort=pop3, **clear)
            rows[f"out {party.name}"] = self.stage.smtp(party, Name=f"out {party.name}", EmailPort=smtp, **clear)
        for kind, readers in self.readers.items():
            for party in readers:
                feed = party.name
                entry = self.stage.feed(party, feed, Name=feed, Flavour=self.flavour.get(feed, ""))
                rows[feed] = entry.replace(">feed<", f">{kind}<", 1)
        return [row for name, row in rows.items() if name not in self.left_out]

    def offer(self) -> None:
        """Mail comes, and is written."""
        for party in self.random.sample(self.people, 4):
            self.stage.scene.mail("carl@birch.test", party.address, f"to {party.name} {self.world.ids.token()}")
        for party in self.random.sample(self.people, 3):
            self.stage.scene.send(party.name, ["carl@birch.test"], f"from {party.name} {self.world.ids.token()}")
        for reader in self.random.sample(self.all_readers(), 6):
            subject = f"{reader.name} {self.offered[reader.name]}"
            self.stage.source.items.setdefault(reader.name, []).append(mail(subject, reader.address))
            self.offered[reader.name] += 1

    def all_readers(self) -> list[Party]:
        return [party for readers in self.readers.values() for party in readers]

    def upset(self, router: Any) -> None:
        """Something goes wrong with a few feeds: they fail, break, or somebody takes their lease in the middle of a run."""

        def kill(ctx: Any) -> None:
            router().memory.revoke(ctx.instance)

        def fail(error: BaseException) -> Any:
            def act(_: Any) -> None:
                raise error

            return act

        troubles = [
            kill,
            fail(ConnectionFailed("no line")),
            fail(ValueError("oops")),
            fail(SystemExit(1)),
            lambda _: RunOutcome(more=False),
        ]
        self.stage.source.before.clear()
        for reader in self.random.sample(self.all_readers(), 5):
            self.stage.source.before[reader.name] = self.random.choice(troubles)
        if self.random.random() < 0.3:
            self.stage.source.before[self.random.choice(self.all_readers()).name] = fail(AuthError("refused"))

    def change_file(self) -> None:
        everybody = [party.name for party in self.all_readers()]
        self.left_out = set(self.random.sample(everybody, self.random.randrange(4)))
        for name in self.random.sample(everybody, 3):
            self.flavour[name] = self.random.choice(["", "mild", "hot"])
        self.stage.write(*self.entries())

    def damage(self, database: RouterDatabase) -> None:
        """A byte of somebody's state is not what it was."""
        table = metadata.tables["statevalue" if "statevalue" in metadata.tables else "state_value"]
        with database.transaction() as tx:
            rows = tx.execute(sa.select(table.c.instance)).all()
            if rows:
                victim = self.random.choice(rows)[0]
                tx.execute(sa.update(table).where(table.c.instance == victim).values(value='{"done": 77}'))


def live(folder: Path, seed: int, rounds: int) -> None:
    with Scene(seed=seed, check=False) as scene, RouterStage(scene, folder) as stage:
        service = Service(stage, seed)
        stage.write(*service.entries())
        stage.router()
        assert len(stage.routers[-1].instances()) == 5 * EACH
        for number in range(rounds):
            service.offer()
            service.upset(lambda: stage.routers[-1])
            if number % 3 == 1:
                service.change_file()
            if number % 4 == 2:
                service.damage(stage.routers[-1].memory)
            if number % 5 == 4:
                stage.routers[-1].close()
                stage.router()
            stage.pass_time(service.random.choice([61, 130, 700]))
            stage.routers[-1].run_due()
        settle(service)
        check(service)


def settle(service: Service) -> None:
    """Everything works again, everybody is in the file, and somebody resumes what waits for that."""
    stage = service.stage
    stage.source.before.clear()
    service.left_out.clear()
    stage.write(*service.entries())
    router = stage.routers[-1]
    router.reload()
    for _ in range(2):
        stage.pass_time(3700)
        router.run_due()
        for one in router.instances():
            if one.state == "held":
                reader = one.name
                done = sum(f"{reader} {number}" in stage.subjects() for number in range(service.offered[reader]))
                router.resume(one.identity, state=FeedState(done), reason="its mail was counted")
            elif one.state in ("stopped", "broken"):
                router.resume(one.identity)
        router.run_due()


def check(service: Service) -> None:
    stage, router = service.stage, service.stage.routers[-1]
    assert Counter(one.state for one in router.instances()) == {"waiting": 5 * EACH}
    balance = check_books(service.world, stage.organization)
    assert balance.counts()["tracked"] == sum(subject.startswith("to ") for subject in stage.subjects())
    assert balance.outgoing["sent"] == sum(balance.outgoing.values()) > 0
    expected = Counter(f"{name} {number}" for name, count in service.offered.items() for number in range(count))
    found = Counter(subject for subject in stage.subjects() if not subject.startswith("to "))
    assert found == expected
    router.close()
    for name, count in Counter(stage.source.made).items():
        assert stage.source.closed.count(name) == count, name


def test_a_hundred_instances_of_five_kinds(tmp_path: Path) -> None:
    live(tmp_path, seed=1, rounds=4)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(2, 22))
def test_a_hundred_instances_for_long(tmp_path: Path, seed: int) -> None:
    live(tmp_path, seed, rounds=40)
