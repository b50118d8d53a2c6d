"""Where a run can be cut off: every durable write and every protocol step, told as it is reached.

    steps = Steps()                                    # a counting run: steps.names lists them all
    steps = Steps(stop=17, act=kill_this_process)      # the next one ends there
    watch_store(organization.store, steps)
    ServerSideSync(organization, SteppedConnector(connector, steps)).run_due()

A step is a moment at which something outside the process may have changed or is about to: before each writing statement, before and
after each commit that writes, before and after each connect, sendall and recv. Nothing is listed by hand: what the engine does is what
is counted.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from postroom.providers.connectors import GuardedConnection, SocketLike
from postroom.providers.contract import Connection, Connector
from postroom.store.base import BaseStore
from postroom.store.database import observe

__all__ = ["PowerCut", "SteppedConnector", "Steps", "kill_this_process", "watch_store"]

_WRITES = re.compile(r"\s*(INSERT INTO|UPDATE|DELETE FROM)\s+\"?(\w+)", re.IGNORECASE)
_COMMAND = re.compile(rb"([A-Za-z]{3,8})(?: [^\r\n]*)?\r\n")
_SECRET = frozenset({b"PASS", b"AUTH", b"APOP"})
_KNOWN = _SECRET | frozenset(
    b"CAPA DATA DELE EHLO HELO LIST MAIL NOOP QUIT RCPT RETR RSET STARTTLS STAT STLS UIDL USER".split()
)


class PowerCut(BaseException):
    """The process is no more. No Exception, so that nothing between here and the top deals with it."""


def kill_this_process(_: str) -> NoReturn:
    """SIGKILL: no handler, no `finally`, no flush."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")  # pragma: no cover


def cut_power(name: str) -> NoReturn:
    raise PowerCut(name)


class Steps:
    """The steps of a run in order. At number `stop` (from 0) `act` is called with its name; if it raises `PowerCut`, every later step
    raises it too: whoever cleans up on the way out reaches neither disk nor server any more.

    all_reads   whether each recv counts. Over real sockets a reply may come in any number of pieces, so there only the first recv after a
                sendall (or a connect) does, and the numbers are the same in every run
    """

    def __init__(self, stop: int | None = None, act: Callable[[str], NoReturn] = cut_power, *, all_reads: bool = True) -> None:
        self.stop = stop
        self.act = act
        self.all_reads = all_reads
        self.names: list[str] = []
        self.cut = False

    def reached(self, name: str) -> None:
        if self.cut:
            raise PowerCut(self.names[-1])
        self.names.append(name)
        if len(self.names) - 1 == self.stop:
            self.cut = True
            self.act(name)


# -- the store --------------------------------------------------------------------------------------------------------


def watch_store(store: BaseStore[Any], steps: Steps) -> None:
    """Tell the steps of a store. For databases in files only: one in memory ends with its process."""
    database = store._database  # noqa: SLF001 - instrumentation
    if database.engine.url.database in (None, "", ":memory:"):
        raise ValueError("only a database that outlives its process can be cut off")
    written: list[str] = []  # by the transaction that is open; one thread writes at a time
    begin = database.write

    def before_statement(statement: str) -> None:
        if statement == "COMMIT":
            if written:
                steps.reached(f"before commit of {', '.join(dict.fromkeys(written))}")
        elif found := _WRITES.match(statement):
            what = f"{found[1].split()[0].lower()} {found[2].lower()}"
            steps.reached(f"before {what}")
            written.append(what)

    @contextmanager
    def write() -> Iterator[Any]:
        written.clear()
        with begin() as connection:
            yield connection
        if written:
            steps.reached(f"after commit of {', '.join(dict.fromkeys(written))}")
            written.clear()

    observe(database, before_statement)
    database.write = write  # type: ignore[method-assign]


# -- the connections --------------------------------------------------------------------------------------------------


class SteppedSocket:
    """A socket that tells its steps."""

    def __init__(self, raw: SocketLike, steps: Steps, owner: SteppedConnector) -> None:
        self.raw = raw
        self._steps = steps
        self._owner = owner
        self._sent = "the greeting"
        self._answered = False

    def sendall(self, octets: bytes, /) -> None:
        what = _told(octets)
        self._steps.reached(f"before send {what}")
        self.raw.sendall(octets)
        self._sent, self._answered = what, False
        self._steps.reached(f"after send {what}")

    def recv(self, limit: int, /) -> bytes:
        counted = self._steps.all_reads or not self._answered
        if counted:
            self._steps.reached(f"before recv, {self._sent}")
        octets = self.raw.recv(limit)
        self._answered = True
        if counted:
            self._steps.reached(f"after recv, {self._sent}")
        return octets

    def settimeout(self, seconds: float | None, /) -> None:
        self.raw.settimeout(seconds)

    def shutdown(self, how: int, /) -> None:
        self.raw.shutdown(how)

    def close(self) -> None:
        self._owner.sockets.discard(self)
        self.raw.close()


class SteppedConnector:
    """A connector around another one. `drop` closes what is open as the death of the process would."""

    def __init__(self, inner: Connector, steps: Steps) -> None:
        self._inner = inner
        self._steps = steps
        self.sockets: set[SteppedSocket] = set()

    def connect(self, host: str, port: int, *, timeout: float, tls: bool = False) -> GuardedConnection:
        where = f"{host}:{port}"
        self._steps.reached(f"before connect {where}")
        made: Any = self._inner.connect(host, port, timeout=timeout, tls=tls)
        guarded = self._stepped(made, where)
        self._steps.reached(f"after connect {where}")
        return guarded

    def start_tls(self, connection: Connection, host: str) -> GuardedConnection:
        guarded: Any = connection
        stepped = guarded.detach()
        self.sockets.discard(stepped)
        self._steps.reached("before the handshake")
        made: Any = self._inner.start_tls(GuardedConnection(stepped.raw, host), host)
        secured = self._stepped(made, host)
        self._steps.reached("after the handshake")
        return secured

    def _stepped(self, made: GuardedConnection, where: str) -> GuardedConnection:
        stepped = SteppedSocket(made.detach(), self._steps, self)
        self.sockets.add(stepped)
        return GuardedConnection(stepped, where)

    def drop(self) -> None:
        for one in list(self.sockets):
            with suppress(OSError):
                one.close()


def _told(octets: bytes) -> str:
    """What is sent, in a word: a command without its secrets, else how many octets."""
    if octets == b".\r\n":
        return "the final dot"
    found = _COMMAND.match(octets)
    verb = found[1].upper() if found else b""
    if found is None or verb not in _KNOWN:
        return "a long text" if len(octets) > 100 else "a line"
    first = verb.decode() if verb in _SECRET else found[0].strip().decode("ascii", "replace")
    more = octets.count(b"\r\n") - 1
    return f"'{first}'" + (f" and {more} more" if more else "")
