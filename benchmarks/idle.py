"""An idle poll of a mailbox of 10, 1,000 and 100,000 messages: time, SQL statements, commits.

Linear only in the listing that the protocol forces; statements and commits stay the same. In memory, no TLS; the messages were dealt with before.
"""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta

from benchmarks.harness import Bench
from postroom.organization import DeploymentSettings, Operation
from postroom.store.database import observe
from postroom.store.memory import SqlSeenSet
from postroom.testing.scene import Scene
from postroom_simulator.pop3.maildrop import uidl

SIZES = (10, 1_000, 100_000)


def run(bench: Bench) -> None:
    medians, counts = {}, {}
    for size in SIZES[: bench.pick(3, 2)]:
        with mailbox(size) as scene:
            row = bench.measure(f"{size:,} messages", lambda s=scene: poll(s))  # type: ignore[misc]
            medians[size], counts[size] = row.ours.median, counted(scene)
    for size, found in counts.items():
        bench.note(
            f"{size:,} messages: {found['statement']} statements, {found['commit']} commits, "
            f"{found['read']} reading transactions; {medians[size] / size * 1e6:.2f} us a message"
        )
    same = len({(found["statement"], found["commit"]) for found in counts.values()}) == 1
    bench.note("statements and commits do not depend on the size" if same else "statements or commits DEPEND on the size")


def mailbox(size: int) -> Scene:
    """One user whose mailbox holds so many messages, all seen."""
    scene = Scene(
        check=False,
        settings=DeploymentSettings(allow_non_ssl_email=True, allow_basic_authentication_on_non_secure_channel=True),
    )
    host, port = scene.endpoint("pop3")
    scene.profile(
        "mail", default=True, incomingserverlocation=host, incomingportnumber=port, incomingusessl=False, outgoingusessl=False
    )
    ann = scene.user("Ann", "ann@alder.test", ready=True, outgoingemaildeliverymethod=0)
    for number in range(size):
        scene.world.place("ann@alder.test", b"From: carl@birch.test\r\nSubject: %d\r\n\r\nHello.\r\n" % number)
    seen = {uidl(item): item.digest for item in scene.inbox("ann@alder.test")}
    SqlSeenSet(scene.organization.store, ann.mailbox).add(seen)
    poll(scene)
    return scene


def poll(scene: Scene) -> float:
    scene.world.clock.advance(timedelta(minutes=30))  # type: ignore[attr-defined]
    began = time.perf_counter()
    reports = scene.engine.run_due(operations={Operation.INCOMING})
    took = time.perf_counter() - began
    if len(reports) != 1 or reports[0].error is not None or reports[0].outcome is None or reports[0].outcome.processed:
        raise RuntimeError(f"not one idle poll: {reports}")
    return took


def counted(scene: Scene) -> Counter[str]:
    """What one poll asks of the database."""
    found: Counter[str] = Counter()
    kinds = {"COMMIT": "commit", "ROLLBACK": "read"}

    def statement(text: str) -> None:
        found[kinds.get(text, "statement")] += 1

    forget = observe(scene.organization.store._database, statement)
    try:
        poll(scene)
    finally:
        forget()
    return found
