"""A small router that can be cut off anywhere: a source of numbered messages, an organization that keeps what it was given in a file of its
own, and the state between them. As a program it forks lives that can be killed (`main`)."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

from router_state_values import ME, SPEC, Progress

from postroom.channels.email_router.database import RouterDatabase
from postroom.clock import Clock, SystemClock
from postroom.testing.crash import Steps, watch_store

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)


class Ledger:
    """What was delivered, a line each, durable; idempotent on the key, as an organization is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: set[str] | None = None

    def keys(self) -> list[str]:
        if not self.path.exists():
            return []
        return [line for line in self.path.read_text().split("\n")[:-1] if line]

    def deliver(self, key: str) -> None:
        if self._known is None:
            self._known = set(self.keys())
        if key in self._known:
            return
        self._known.add(key)
        with self.path.open("ab") as file:
            file.write(key.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def live(path: Path, ledger: Ledger, number: int, clock: Clock, steps: Steps | None = None) -> int:
    """One run: what is new is delivered, then remembered, then committed, in batches of two. Gives how many it looked at."""
    ledger = Ledger(ledger.path)  # what an earlier life knew is gone
    with RouterDatabase(f"sqlite:///{path}", clock) as database:
        if steps is not None:
            watch_store(database, steps)
        fence = database.begin(ME, SPEC, "the only one")
        assert fence is not None
        cell, seen = database.state(ME, SPEC, fence), database.seen(ME, fence)
        assert database.alerts() == []
        looked = 0
        for n in range(number):
            when, key = BEGIN + timedelta(seconds=n // 3), f"message {n}"  # three share each second
            if not cell.value.cursor.is_new(when, key) or not seen.new_among([key]):
                continue
            looked += 1
            database.check(fence)
            ledger.deliver(key)
            seen.add({key: "digest"})
            cell.commit(Progress(cell.value.cursor.advance(when, key), cell.value.done + 1))
        database.end(fence)
        return looked


def child(path: str, ledger: str, number: int) -> NoReturn:
    """A life in a process of its own."""
    code = 1
    try:
        live(Path(path), Ledger(Path(ledger)), number, SystemClock())
        code = 0
    finally:
        os._exit(code)


def main() -> None:
    """A line of JSON in: [database, ledger, number]. Out: the child's process id, and when it is no more, how it ended. Forking spares
    each life the imports; no database is open and no thread runs when it happens."""
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            child(*json.loads(line))
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
