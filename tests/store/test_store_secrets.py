"""What every database must do alike: secrets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from postroom.errors import (
    StoreError,
    UnknownAttribute,
)
from postroom.model import (
    Mailbox,
)
from postroom.store import OrganizationStore, secrets
from postroom.store.database import observe
from postroom.store.secrets import KeyRing
from postroom.store.tables import secret


class TestSecrets:
    def test_round_trip(self, store: OrganizationStore) -> None:
        with store.transaction() as tx:
            box = tx.create(Mailbox(name="a"))
            assert secrets.read(tx, box.mailboxid, "password") is None
            secrets.write_all(tx, Mailbox, box.mailboxid, {"password": secrets.Secret("pässword"), "credentialinfo": "x"})
            assert tx.get(Mailbox, box.mailboxid).ispasswordset
            found = secrets.read(tx, box.mailboxid, "password")
            assert found is not None
            assert found.reveal() == "pässword"
            assert "pässword" not in repr(found)
            raw = str(tx.execute(sa.select(secret.c.value)).all())
            assert "ssword" not in raw
            secrets.write_all(tx, Mailbox, box.mailboxid, {"password": None})
            assert not tx.get(Mailbox, box.mailboxid).ispasswordset
            assert secrets.read(tx, box.mailboxid, "password") is None
            with pytest.raises(UnknownAttribute):
                secrets.write_all(tx, Mailbox, box.mailboxid, {"name": "x"})

    def test_a_deleted_record_takes_its_secrets_along(self, store: OrganizationStore) -> None:
        with store.transaction() as tx:
            box = tx.create(Mailbox(name="a"))
            secrets.write(tx, box.mailboxid, "password", "p")
            tx.delete(Mailbox, box.mailboxid)
            assert tx.execute(sa.select(secret)).all() == []

    def test_a_row_copied_to_another_record_is_no_secret(self, store: OrganizationStore) -> None:
        with store.transaction() as tx:
            secrets.write(tx, "one", "password", "p")
            tx.execute(secret.update().values(recordid="two"))
            with pytest.raises(StoreError, match="copied"):
                secrets.read(tx, "two", "password")

    def test_without_keys_only_secrets_fail(self, store: OrganizationStore) -> None:
        with store.transaction() as tx:
            secrets.write(tx, "one", "password", "p")
        store.keys = None
        with store.transaction() as tx:
            tx.create(Mailbox(name="a"))
            assert secrets.read(tx, "two", "password") is None
            with pytest.raises(StoreError, match="without keys"):
                secrets.read(tx, "one", "password")
            with pytest.raises(StoreError, match="without keys"):
                secrets.write(tx, "two", "password", "p")


class TestRotation:
    @pytest.fixture
    def ring(self, store: OrganizationStore, tmp_path: Path) -> KeyRing:
        """The ring of a file, and the store uses it."""
        store.keys = KeyRing.from_file(tmp_path / "keys")
        return store.keys

    def fill(self, store: OrganizationStore, count: int) -> None:
        with store.transaction() as tx:
            for number in range(count):
                secrets.write(tx, f"box {number:04}", "password", f"p{number}")

    def values(self, store: OrganizationStore, count: int) -> list[str]:
        with store.reading() as tx:
            found = [secrets.read(tx, f"box {number:04}", "password") for number in range(count)]
        return [one.reveal() if one is not None else "gone" for one in found]

    def test_all_secrets_move_in_batches(
        self, store: OrganizationStore, ring: KeyRing, statements: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(secrets, "BATCH", 10)
        self.fill(store, 25)
        old = ring.to_text()
        ring.add_newest()
        assert len(ring) == 2
        assert not secrets.all_newest(store)
        largest = self._largest_transaction(store, lambda: secrets.move_to_newest(store))
        assert largest <= 10
        assert secrets.all_newest(store)
        assert ring.retire() == 1
        assert old not in (tmp_path / "keys").read_text()
        assert self.values(store, 25) == [f"p{n}" for n in range(25)]
        assert secrets.move_to_newest(store) == 0

    def _largest_transaction(self, store: OrganizationStore, work: Any) -> int:
        """How many rows the largest transaction changed."""
        counts = [0]

        def note(statement: str) -> None:
            if statement.startswith("UPDATE secret"):
                counts[-1] += 1
            elif statement == "COMMIT":
                counts.append(0)

        forget = observe(store._database, note)
        work()
        forget()
        assert sum(counts) == 25
        return max(counts)

    @pytest.mark.parametrize("commits", range(1, 5))
    def test_cut_off_anywhere_and_taken_up_again(
        self, store: OrganizationStore, ring: KeyRing, tmp_path: Path, commits: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The power goes at one of the commits: what is on disk then, file and database, opens every secret, and a second try ends it."""
        monkeypatch.setattr(secrets, "BATCH", 10)
        self.fill(store, 25)
        seen = []

        def cut(statement: str) -> None:
            if statement.startswith("UPDATE secret"):
                seen.append("changed")
            elif statement == "COMMIT" and seen and seen[-1] == "changed":
                seen.append("committed")
                if seen.count("committed") == commits:
                    raise ZeroDivisionError

        ring.add_newest()
        forget = observe(store._database, cut)
        if commits <= 3:
            with pytest.raises(ZeroDivisionError):
                secrets.move_to_newest(store)
        else:
            secrets.move_to_newest(store)
        forget()
        store.keys = KeyRing.from_file(tmp_path / "keys", create=False)
        assert self.values(store, 25) == [f"p{n}" for n in range(25)]
        assert secrets.move_to_newest(store) == (35 - 10 * commits if commits <= 3 else 0)
        store.keys.retire()
        assert self.values(store, 25) == [f"p{n}" for n in range(25)]

    def test_a_process_at_work_follows_the_file(self, store: OrganizationStore, ring: KeyRing, tmp_path: Path) -> None:
        """It read the ring before the rotation: it reads what was moved, and what it writes is sealed with the new key."""
        self.fill(store, 2)
        other = KeyRing.from_file(tmp_path / "keys")
        ring.add_newest()
        secrets.move_to_newest(store)
        ring.retire()
        store.keys = other
        assert self.values(store, 2) == ["p0", "p1"]
        earlier = KeyRing.from_text(other.to_text())
        ring.add_newest()
        with store.transaction() as tx:
            secrets.write(tx, "box 0000", "password", "new")
            sealed = tx.execute(sa.select(secret.c.value).where(secret.c.recordid == "box 0000")).scalar_one()
        with pytest.raises(StoreError):
            earlier.decrypt(sealed)
        store.keys = ring
        assert secrets.move_to_newest(store) == 1
        ring.retire()
        assert self.values(store, 2) == ["new", "p1"]

    def test_a_wrong_key_says_what_to_do(self, store: OrganizationStore, ring: KeyRing) -> None:
        self.fill(store, 2)
        store.keys = KeyRing.generate()
        with store.reading() as tx, pytest.raises(StoreError, match=r"'password' of 'box 0001'.*put back the key file.*enter"):
            secrets.read(tx, "box 0001", "password")

    def test_one_lost_secret_keeps_none_of_the_others_back(self, store: OrganizationStore, ring: KeyRing) -> None:
        self.fill(store, 3)
        with store.transaction() as tx:
            lost = KeyRing.generate().encrypt("x", 0)
            tx.execute(secret.update().where(secret.c.recordid == "box 0001").values(value=lost))
        ring.add_newest()
        with pytest.raises(StoreError, match="box 0001"):
            secrets.move_to_newest(store)
        with store.transaction() as tx:
            secrets.erase(tx, "box 0001", "password")
        assert secrets.all_newest(store)
        assert self.values(store, 3) == ["p0", "gone", "p2"]

    def test_a_key_file_that_cannot_be_written_changes_nothing(self, ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
        before = ring.to_text()

        def full(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="No space left"):
            ring.add_newest()
        assert ring.to_text() == before

    def test_a_key_file_that_went_away_is_said_so(self, store: OrganizationStore, ring: KeyRing, tmp_path: Path) -> None:
        (tmp_path / "keys").unlink()
        with store.transaction() as tx, pytest.raises(StoreError, match="cannot read the key file"):
            secrets.write(tx, "one", "password", "p")
