"""The world: clock, chance, directory, store, journal and faults in one object. One for each test, nothing global."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from postroom_simulator.clock import Clock, ManualClock
from postroom_simulator.directory import Account, Directory, Rule
from postroom_simulator.faults import FaultTable
from postroom_simulator.ids import Ids
from postroom_simulator.journal import Journal
from postroom_simulator.store.memory import MemoryMailStore

if TYPE_CHECKING:
    from postroom_simulator.net.memory import MemorySocket
    from postroom_simulator.net.tcp import Servers
    from postroom_simulator.net.tls import Authority

__all__ = ["SERVICES", "World"]

SERVICES = {"smtp": 25, "submission": 587, "smtps": 465, "pop3": 110, "pop3s": 995}
"""The services of a world and the ports that they have in memory (over TCP: any free port). "smtps" and "pop3s" are implicit
TLS, the others offer STARTTLS or STLS."""


class World:
    """A small internet: mail servers, the people who have mailboxes on them, and everything that happened.

    In memory there is nothing to start: `connect` gives a socket-like object. Over TCP, `listen` starts the servers on a thread of
    their own. `close` (or leaving the `with` block) leaves no thread, task, port or file behind.
    """

    def __init__(self, *, seed: int = 0, clock: Clock | None = None, hostname: str = "mail.sim.test") -> None:
        self.clock: Clock = clock if clock is not None else ManualClock()
        self.ids = Ids(seed)
        self.hostname = hostname
        self.lock = threading.RLock()
        self.journal = Journal(self.clock)
        self.faults = FaultTable(self.clock, self.ids.random)
        self.directory = Directory()
        self.store = MemoryMailStore(self.clock, self.ids)
        self.accept_anyone = False
        """Whether any user name and password log in, making an account at once (`serve --accept-anyone`)."""
        self._authority: Authority | None = None
        self._servers: list[Servers] = []

    # -- people

    def add_account(
        self,
        address: str,
        password: str = "secret",  # noqa: S107 - a fake server's default, documented
        *,
        name: str = "",
        aliases: Iterable[str] = (),
        quota: int | None = None,
        disabled: bool = False,
        rules: Iterable[Rule] = (),
    ) -> Account:
        """A new account with its folder tree. Raises DuplicateAddress."""
        account = Account(address, password, name, tuple(aliases), (), quota, disabled, list(rules))
        self.directory.add(account)
        self.store.open_account(address, quota)
        return account

    @property
    def authority(self) -> Authority:
        """The certificate authority of this world, made at first use."""
        with self.lock:
            if self._authority is None:
                from postroom_simulator.net.tls import Authority

                self._authority = Authority(self.hostname)
            return self._authority

    def connect(self, service: str, *, timeout: float | None = None) -> MemorySocket:
        """A client's end of a new in-memory connection. Raises ConnectionRefusedError where a fault says so."""
        from postroom_simulator.net import memory

        return memory.connect(self, service, timeout)

    def listen(self, *, host: str = "127.0.0.1", ports: dict[str, int] | None = None) -> Servers:
        """Start the servers on sockets. `ports` maps services to ports, 0 for any free one; default: all services."""
        from postroom_simulator.net.tcp import Servers

        servers = Servers(self, host, ports)
        self._servers.append(servers)
        return servers

    def settle(self, timeout: float = 10.0) -> None:
        """Return when every connection has seen both sides close and the journal is complete."""
        for servers in self._servers:
            servers.settle(timeout)

    def close(self) -> None:
        """Stop the servers and give the files back. Idempotent; journal and what is in memory can still be read."""
        while self._servers:
            self._servers.pop().close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
