"""exchangelib, unmodified, through `responses`: no socket, no thread."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from exchangelib import DELEGATE, Account, Configuration, Credentials
from exchangelib.errors import UnauthorizedError

from postroom_simulator import World
from postroom_simulator.ews.mount import mounted

MAIL = (
    b"From: Xenia <x@out.test>\r\nTo: ann@sim.test\r\nSubject: hello %d\r\nMessage-ID: <%d@out.test>\r\n"
    b"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n\r\nbody %d\r\n"
)


@pytest.fixture
def world() -> Iterator[World]:
    with World(hostname="reads.sim.test") as world:
        world.add_account("ann@sim.test", "pw", name="Ann")
        for number in range(3):
            world.deliver("x@out.test", ["ann@sim.test"], MAIL % (number, number, number))
        yield world


def account(url: str, password: str = "pw") -> Account:
    configuration = Configuration(service_endpoint=url, credentials=Credentials("ann@sim.test", password))
    return Account("ann@sim.test", config=configuration, autodiscover=False, access_type=DELEGATE)


def test_the_tree_and_the_inbox_are_there(world: World) -> None:
    with mounted(world) as url:
        ann = account(url)
        assert ann.inbox.total_count == 3
        assert {folder.name for folder in ann.msg_folder_root.children} >= {"Inbox", "Calendar", "Sent Items"}
        assert sorted(item.subject for item in ann.inbox.all()) == ["hello 0", "hello 1", "hello 2"]


def test_a_wrong_password_is_refused(world: World) -> None:
    with mounted(world) as url, pytest.raises(UnauthorizedError):
        _ = account(url, "wrong").inbox.total_count
