"""What an idle poll asks of the store, statement by statement: constant, and each one named."""

from __future__ import annotations

import re
import sqlite3
from datetime import timedelta

import pytest

from postroom.testing.scene import Scene

IDLE_POLL = [
    "who is due",
    "UPDATE lease",  # begin: take the lease
    "UPDATE mailbox",  # and lock the mailbox
    "SELECT secret",  # the password
    "SELECT statevalue",  # what the provider remembers
    "SELECT json_each",  # which messages are new
    "UPDATE lease",  # finish: the lease goes back
    "UPDATE mailbox",  # unlocked, with its new counters
    "INSERT mailboxstatistics",
    "who is due",  # did that make anything due?
]


@pytest.mark.parametrize("waiting", [1, 30])
def test_an_idle_poll_asks_these(waiting: int) -> None:
    with Scene() as scene:
        scene.mail_server()
        ada = scene.user("Ada", "ada@alder.test", ready=True)
        scene.filter(ada, 0)
        for number in range(waiting):
            scene.mail("carl@birch.test", "ada@alder.test", f"Message {number}")
        for _ in range(2):
            scene.run(after=timedelta(minutes=15))
        asked: list[str] = []
        pooled = scene.organization.store._database.engine.raw_connection()  # the one connection of a store in memory
        driver = pooled.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.set_trace_callback(asked.append)
        scene.run(after=timedelta(minutes=15))
        driver.set_trace_callback(None)
        assert [said for text in asked if (said := in_short(text))] == IDLE_POLL
        assert asked.count("COMMIT") == 2


def in_short(statement: str) -> str:
    """The verb and the first table."""
    if "due_incoming" in statement:
        return "who is due"
    found = re.match(r"(UPDATE|INSERT INTO|SELECT.*?\sFROM) (\w+)", statement, re.DOTALL)
    return f"{found[1].split()[0]} {found[2]}" if found else ""
