from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_simulator import Account, Group
from postroom_simulator.directory import Directory, fold
from postroom_simulator.errors import DuplicateAddress, UnknownAccount, WorldError


@pytest.fixture
def ann() -> Account:
    return Account("Ann@Sim.test", "päss word", aliases=("info@sim.test",), logins=("SIM\\ann",))


@pytest.fixture
def directory(ann: Account) -> Directory:
    directory = Directory()
    directory.add(ann)
    return directory


class TestLookUps:
    @pytest.mark.parametrize("address", ["ann@sim.test", "ANN@SIM.TEST", "info@sim.test", "INFO@sim.test"])
    def test_any_address_in_any_case_finds_the_account(self, directory: Directory, ann: Account, address: str) -> None:
        assert directory.get(address) is ann
        assert directory.resolve(address) is ann

    def test_only_ascii_letters_fold(self) -> None:
        assert fold("ÄRGER@Sim.Test") == "Ärger@sim.test"
        assert fold("İ@x.test") == "İ@x.test"

    @pytest.mark.parametrize("address", ["ann+orders@sim.test", "Info+a+b@SIM.test", "ann+@sim.test"])
    def test_a_subaddress_leads_to_its_user(self, directory: Directory, ann: Account, address: str) -> None:
        assert directory.resolve(address) is ann
        assert directory.get(address) is None

    def test_an_address_of_its_own_comes_before_a_subaddress(self, directory: Directory) -> None:
        tagged = Account("ann+orders@sim.test", "x")
        directory.add(tagged)
        assert directory.resolve("Ann+Orders@sim.test") is tagged

    @pytest.mark.parametrize("address", ["bob@sim.test", "+ann@sim.test", "ann@other.test", "", "@", "+", "+@sim.test"])
    def test_nobody(self, directory: Directory, address: str) -> None:
        assert directory.resolve(address) is None

    def test_an_account_by_a_groups_address_is_unknown(self, directory: Directory) -> None:
        directory.add(Group("all@sim.test"))
        with pytest.raises(UnknownAccount, match=r"all@sim\.test"):
            directory.account("all@sim.test")


class TestLoggingIn:
    @pytest.mark.parametrize("login", ["ann@sim.test", "Info@sim.test", "sim\\ANN", "ann", "INFO"])
    def test_every_name_of_the_account_works(self, directory: Directory, ann: Account, login: str) -> None:
        assert directory.authenticate(login, "päss word") is ann

    @pytest.mark.parametrize(
        ("login", "password"),
        [("ann", "pass word"), ("ann", ""), ("bob", ""), ("bob", "päss word"), ("ann", "päss word\0"), ("ann", "\ud800")],
    )
    def test_anything_else_does_not(self, directory: Directory, login: str, password: str) -> None:
        assert directory.authenticate(login, password) is None

    def test_a_disabled_account_is_known_and_does_not_log_in(self, directory: Directory, ann: Account) -> None:
        ann.disabled = True
        assert directory.authenticate("ann", "päss word") is None
        assert directory.find_login("ann") is ann

    def test_a_local_part_that_two_have_means_nobody(self, directory: Directory, ann: Account) -> None:
        directory.add(Account("ann@other.test", "päss word"))
        assert directory.authenticate("ann", "päss word") is None
        directory.remove("ann@other.test")
        assert directory.authenticate("ann", "päss word") is ann

    def test_a_group_does_not_log_in(self, directory: Directory) -> None:
        directory.add(Group("all@sim.test"))
        assert directory.authenticate("all@sim.test", "") is None

    def test_passwords_do_not_show(self, ann: Account) -> None:
        assert "päss" not in repr(ann)


class TestComingAndGoing:
    @pytest.mark.parametrize(
        "entry",
        [
            Account("ann@SIM.test", "x"),
            Account("new@sim.test", "x", aliases=("INFO@sim.test",)),
            Account("new@sim.test", "x", logins=("sim\\ann",)),
            Account("new@sim.test", "x", logins=("ann@sim.test",)),
            Group("info@sim.test"),
        ],
    )
    def test_what_somebody_has_is_not_given_again(self, directory: Directory, entry: Account | Group) -> None:
        with pytest.raises(DuplicateAddress, match="belongs to"):
            directory.add(entry)
        assert len(directory) == 1
        assert directory.get("new@sim.test") is None

    @pytest.mark.parametrize("address", ["", "ann", "@sim.test", "ann@", "a@b c", "a@b\n", "a\r\nb@c"])
    def test_an_address_has_two_sides(self, directory: Directory, address: str) -> None:
        with pytest.raises(WorldError, match="address"):
            directory.add(Account(address, "x"))

    def test_removing_takes_all_addresses_and_logins(self, directory: Directory, ann: Account) -> None:
        assert directory.remove("info@sim.test") is ann
        assert directory.resolve("ann@sim.test") is directory.find_login("ann") is directory.find_login("sim\\ann") is None
        assert directory.accounts() == []
        with pytest.raises(UnknownAccount):
            directory.remove("ann@sim.test")

    def test_addresses_change(self, directory: Directory, ann: Account) -> None:
        directory.change_addresses("ann@sim.test", primary="anna@sim.test", aliases=["ann@sim.test"])
        assert directory.get("anna@sim.test") is directory.get("ann@sim.test") is ann
        assert directory.get("info@sim.test") is None
        assert directory.find_login("sim\\ann") is ann

    def test_a_change_that_cannot_be_changes_nothing(self, directory: Directory, ann: Account) -> None:
        directory.add(Account("bob@sim.test", "x"))
        with pytest.raises(DuplicateAddress):
            directory.change_addresses("ann@sim.test", primary="anna@sim.test", aliases=["bob@sim.test"])
        assert ann.address == "Ann@Sim.test"
        assert directory.get("info@sim.test") is ann
        assert directory.get("anna@sim.test") is None


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcdef"), st.sampled_from("xyz")), max_size=20))
def test_an_address_belongs_to_one_at_a_time(steps: list[tuple[bool, str, str]]) -> None:
    directory, owners = Directory(), {}
    for coming, local, other in steps:
        names = {f"{local}@sim.test", f"{other}@sim.test"}
        if coming and not names & owners.keys():
            account = Account(f"{local}@sim.test", "x", aliases=(f"{other}@sim.test",))
            directory.add(account)
            owners.update(dict.fromkeys(names, account))
        elif coming:
            with pytest.raises(DuplicateAddress):
                directory.add(Account(f"{local}@sim.test", "x", aliases=(f"{other}@sim.test",)))
        elif f"{local}@sim.test" in owners:
            gone = directory.remove(f"{local}@sim.test")
            owners = {name: owner for name, owner in owners.items() if owner is not gone}
        for letter in "abcdefxyz":
            assert directory.get(f"{letter}@sim.test") is owners.get(f"{letter}@sim.test")
            assert directory.find_login(letter) is owners.get(f"{letter}@sim.test")
