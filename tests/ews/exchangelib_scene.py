"""exchangelib, unmodified, two ways to the same world: through `responses` without a socket, and over real sockets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from exchangelib import BASIC, DELEGATE, Account, BaseProtocol, Build, Configuration, Credentials, Version
from exchangelib.protocol import Protocol, RetryPolicy

from postroom_simulator import World

ANN, BOB, ROOM = "ann@sim.test", "bob@sim.test", "atlas@sim.test"
PASSWORD = "open-sesame"
WAYS = ("mounted", "sockets")
over_sockets = pytest.mark.parametrize("exchange", ["sockets"], indirect=True)
"""For what no mounted world can do: see `exchangelib_surface.TRANSPORT_BOUND`."""
_numbers = itertools.count(1)


@dataclass(slots=True)
class Exchange:
    """A world with Ann, Bob and a room in it, and the URL of its Exchange.

    way  "mounted" or "sockets"
    """

    world: World
    url: str
    way: str

    def account(
        self,
        address: str = ANN,
        *,
        user: str = "",
        password: str = PASSWORD,
        access: str = DELEGATE,
        policy: RetryPolicy | None = None,
        build: Build | None = None,
        auth: str | None = BASIC,
    ) -> Account:
        """exchangelib's, logged in as the owner or as `user`."""
        configuration = Configuration(
            service_endpoint=self.url,
            credentials=Credentials(user or address, password),
            auth_type=auth,
            retry_policy=policy,
            version=Version(build=build) if build is not None else None,
        )
        return Account(address, config=configuration, autodiscover=False, access_type=access, locale="en_US")

    def deliver(self, subject: str, body: str = "body", *, to: str = ANN, extra: str = "") -> None:
        """A mail from outside."""
        text = f"From: Xenia <xenia@out.test>\r\nTo: {to}\r\nSubject: {subject}\r\n{extra}\r\n{body}\r\n"
        self.world.deliver("xenia@out.test", [to], text.encode())

    def operations(self) -> list[str]:
        """What the clients called, in order."""
        return [entry.verb for entry in self.world.journal.commands() if entry.protocol == "ews"]


@pytest.fixture(params=WAYS)
def exchange(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Exchange]:
    """Both ways, one after the other. Nothing of a client outlives its test."""
    from postroom_simulator.ews.mount import mounted

    monkeypatch.setattr(BaseProtocol, "TIMEOUT", 20)
    name = f"exchange{next(_numbers)}.sim.test"
    with ExitStack() as stack:
        world = stack.enter_context(World(hostname=name))
        for address, person in ((ANN, "Ann Alder"), (BOB, "Bob Birch"), (ROOM, "Atlas")):
            world.add_account(address, PASSWORD, name=person)
        if request.param == "mounted":
            url = stack.enter_context(mounted(world))
        else:
            port = world.listen(ports={"ews": 0}).port("ews")
            url = f"http://localhost:{port}/EWS/Exchange.asmx"
        stack.callback(Protocol.clear_cache)
        yield Exchange(world, url, request.param)
