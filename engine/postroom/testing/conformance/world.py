"""The world of one check: simulated servers, a clock that stands still, chance from a seed, a network that can be sick."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Self

from postroom.testing.conformance.failures import Hang
from postroom.testing.conformance.guard import unseen
from postroom.testing.conformance.network import KitConnector
from postroom_simulator import ManualClock, World
from postroom_simulator.journal import Entry, Kind
from postroom_simulator.world import SERVICES

if TYPE_CHECKING:
    from postroom_simulator.faults import FaultTable

__all__ = ["HOST", "PASSWORD", "WRONG_PASSWORD", "KitClock", "KitWorld"]

HOST = "mail.sim.test"
PASSWORD = "kit-S3cret-f0r-the-mailb0x"  # noqa: S105 - of a simulated account; sought in all that a provider says
WRONG_PASSWORD = "kit-wr0ng-Passw0rd"  # noqa: S105


class KitClock(ManualClock):
    """A manual clock that ends whoever waits far beyond a run's deadline. `limit`: a point of `monotonic()`, None for none."""

    limit: float | None = None

    def advance_to(self, monotonic: float) -> None:
        super().advance_to(monotonic)
        if self.limit is not None and self.monotonic() > self.limit:
            self.limit = None
            raise Hang("waits and waits, an hour past its deadline")


class KitWorld:
    """What `config`, `seed` and the other hooks of an author are given.

    sim       the simulated world: `sim.place(world.address, octets)`, `sim.inbox(...)`, `sim.http` ...
    faults    the fault table of the simulator
    network   every dial of the provider; `network.fail(Trouble.SILENT)`
    clock     manual
    random    the only chance there is
    mailbox   number of the mailbox that is meant: `world.at(1)` is the same world as the second mailbox sees it, with another address
    folder    where the provider may write, if it must
    own       a dict for the author's hooks, shared by all mailboxes of this world: what a simulated source holds
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.clock = KitClock()
        self.sim = World(seed=seed, clock=self.clock, hostname=HOST)
        self.random = Random(f"kit {seed}")
        self.mailbox = 0
        self.own: dict[str, Any] = {}
        self._shared: dict[str, Any] = {"unbounded": 0, "swallowed": 0, "folder": None}
        self.network = KitConnector(self)

    # -- people and places

    def at(self, number: int) -> Self:
        """The same world, another mailbox."""
        other = copy.copy(self)
        other.mailbox = number
        return other

    @property
    def address(self) -> str:
        return f"kit{self.mailbox}@{HOST}"

    @property
    def user(self) -> str:
        return self.address

    @property
    def password(self) -> str:
        return PASSWORD

    @property
    def wrong_password(self) -> str:
        return WRONG_PASSWORD

    @property
    def host(self) -> str:
        return self.sim.hostname

    @property
    def http(self) -> Any:
        """The simulator's little HTTP server: `world.http.publish(...)`, `world.http.url("/feed")`."""
        return self.sim.http

    def port(self, service: str) -> int:
        """In memory: `port("pop3s")`."""
        return SERVICES[service]

    def account(self) -> None:
        """Make the account of this mailbox, once."""
        if self.sim.directory.get(self.address) is None:
            self.sim.add_account(self.address, PASSWORD)

    @property
    def faults(self) -> FaultTable:
        return self.sim.faults

    @property
    def folder(self) -> Path:
        """The one folder where writing is no violation. Made at first use, removed with the world."""
        if self._shared["folder"] is None:
            with unseen():
                above = self._shared.get("above")
                self._shared["folder"] = tempfile.TemporaryDirectory(
                    prefix="postroom-kit-", dir=above.folder if above else None
                )
        return Path(self._shared["folder"].name)

    def nest(self, above: KitWorld) -> None:
        """Where this world has its folder: below that of another one, which is granted already."""
        self._shared["above"] = above

    @property
    def has_folder(self) -> bool:
        return self._shared["folder"] is not None

    # -- what happened

    def note(self, source: str, text: str, **data: Any) -> int:
        """Write what is not the simulator's into the one journal: "crm", "net", "log", "state", "kit". The number of the entry."""
        return self.sim.journal.add(Kind.NOTE, connection=source, detail=text, data=data or None).number

    @property
    def journal(self) -> list[Entry]:
        return list(self.sim.journal)

    @property
    def unbounded(self) -> int:
        """Reads without a time-out on a silent server."""
        return int(self._shared["unbounded"])

    @unbounded.setter
    def unbounded(self, number: int) -> None:
        self._shared["unbounded"] = number

    @property
    def swallowed(self) -> int:
        """How often a provider read on and on from an endless server until the kit ended it."""
        return int(self._shared["swallowed"])

    @swallowed.setter
    def swallowed(self, number: int) -> None:
        self._shared["swallowed"] = number

    def heal(self) -> None:
        """Take all faults and troubles back."""
        self.network.heal()
        self.sim.faults.clear()
        self.sim.tls = None

    def close(self) -> None:
        self.sim.close()
        if self._shared["folder"] is not None:
            with unseen():
                self._shared["folder"].cleanup()
            self._shared["folder"] = None
