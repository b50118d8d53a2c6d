"""What every database must do alike: secrets."""

from __future__ import annotations

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

    def test_rotation(self, store: OrganizationStore) -> None:
        assert store.keys is not None
        first = store.keys
        with store.transaction() as tx:
            secrets.write(tx, "one", "password", "p")
            both = first.rotate()
            assert secrets.reencrypt(tx, both) == 1
            with pytest.raises(StoreError, match="key"):
                secrets.read(tx, "one", "password")
            store.keys = both.newest()
            assert secrets.read(tx, "one", "password") == secrets.Secret("p")

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
