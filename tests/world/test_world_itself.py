from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import postroom_simulator
from postroom_simulator import Role, World
from postroom_simulator.errors import DuplicateAddress, UnknownAccount


def test_the_public_surface_is_what_all_says() -> None:
    assert sorted(postroom_simulator.__all__) == sorted(set(postroom_simulator.__all__))
    for name in postroom_simulator.__all__:
        assert getattr(postroom_simulator, name) is not None
    own = {
        name
        for name, value in vars(postroom_simulator).items()
        if not name.startswith("_") and not isinstance(value, type(sys)) and name != "annotations"
    }
    assert own == set(postroom_simulator.__all__)


@pytest.mark.parametrize(
    "module",
    [
        "clock",
        "compose",
        "delivery",
        "directory",
        "headers",
        "ids",
        "imports",
        "journal",
        "populate",
        "rules",
        "store",
        "world",
    ],
)
def test_every_module_says_what_it_offers(module: str) -> None:
    loaded = importlib.import_module(f"postroom_simulator.{module}")
    assert all(hasattr(loaded, name) for name in loaded.__all__)


def test_importing_it_loads_nothing_heavy() -> None:
    code = "import postroom_simulator, postroom_simulator.populate, sys; print(*sorted(sys.modules))"
    modules = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_env()).stdout.split()
    )
    assert "postroom_simulator.world" in modules
    assert not modules & {"faker", "aiosmtpd", "asyncio", "ssl", "cryptography", "lxml", "trustme"}


def _env() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_equal_seeds_equal_ids() -> None:
    assert World(seed=3).ids.token() == World(seed=3).ids.token() != World(seed=4).ids.token()


def test_an_account_that_cannot_be_leaves_no_mailbox() -> None:
    world = World()
    world.add_account("ann@sim.test")
    with pytest.raises(DuplicateAddress):
        world.add_account("bob@sim.test", aliases=["ann@sim.test"])
    with pytest.raises(UnknownAccount):
        world.store.folders("bob@sim.test")


def test_a_new_primary_address_keeps_the_mail() -> None:
    world = World()
    account = world.add_account("ann@sim.test")
    world.deliver("", ["ann@sim.test"], b"x")
    world.change_addresses("ann@sim.test", primary="anna@sim.test", aliases=["ann@sim.test"])
    world.deliver("", ["ann@sim.test"], b"y")
    assert account.address == "anna@sim.test"
    assert world.inbox("anna@sim.test") == world.inbox("ann@sim.test") == [b"x", b"y"]


def test_a_removed_account_is_a_stranger() -> None:
    world = World()
    world.add_account("ann@sim.test")
    world.remove_account("ann@sim.test")
    world.deliver("", ["ann@sim.test"], b"x")
    assert world.store.outbound()[0].recipients == ("ann@sim.test",)
    world.add_account("ann@sim.test")
    assert world.inbox("ann@sim.test") == []


def test_anyone_logs_in_where_anyone_is_accepted() -> None:
    world = World()
    ann = world.add_account("ann@sim.test", "right")
    world.add_group("all@sim.test")
    assert world.authenticate("new", "x") is None
    world.accept_anyone = True
    assert world.authenticate("ann@sim.test", "wrong") is ann
    new = world.authenticate("new", "x")
    assert new is not None
    assert new.address == "new@mail.sim.test"
    assert world.store.folder(new.address, Role.INBOX)
    assert world.authenticate("all@sim.test", "x") is None
    ann.disabled = True
    assert world.authenticate("ann@sim.test", "right") is None


def test_closing_twice_is_closing() -> None:
    with World() as world:
        world.add_account("ann@sim.test")
        world.deliver("", ["ann@sim.test"], b"x")
    world.close()
    assert world.inbox("ann@sim.test") == [b"x"]


def test_the_authority_is_made_once() -> None:
    world = World()
    assert world.authority is world.authority
