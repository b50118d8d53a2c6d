"""Custom email-enabled entities stay known (server-side-sync reference 4.8)."""

from __future__ import annotations

from pathlib import Path

import pytest
from organization_house import House

from postroom.errors import RecordError
from postroom.model import EmailColumns, Lookup
from postroom.organization import SYSTEM, Deployment
from postroom.store import search
from postroom_simulator.clock import ManualClock


def who_has(organization: object, address: str) -> list[Lookup]:
    with organization.store.reading() as tx:  # type: ignore[attr-defined]
        return [found.reference for found in search.resolve(tx, [address]).get(address, [])]


def test_registered_columns_survive_closing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'o.db'}"
    columns = EmailColumns()
    columns.register("new_boat", "new_address")
    with Deployment(ManualClock()) as deployment:
        organization = deployment.create_organization("alder", url, email_columns=columns)
        boat = Lookup(
            "new_boat", organization.create(SYSTEM, "new_boat", new_address="Boat@Alder.test", new_other="o@alder.test")
        )
        assert who_has(organization, "boat@alder.test") == [boat]
    with Deployment(ManualClock()) as deployment:
        organization = deployment.open_organization("alder", url)
        second = Lookup("new_boat", organization.create(SYSTEM, "new_boat", new_address="second@alder.test"))
        assert who_has(organization, "second@alder.test") == [second]
        assert who_has(organization, "o@alder.test") == []
        organization.register_email_columns(SYSTEM, "new_boat", "new_other")
        assert who_has(organization, "o@alder.test") == [boat]
    more = EmailColumns()
    more.register("contact", "new_private")
    with Deployment(ManualClock()) as deployment:
        organization = deployment.open_organization("alder", url, email_columns=more)
        assert organization.store.email_columns.of("new_boat") == ("new_address", "new_other")
    with Deployment(ManualClock()) as deployment:
        organization = deployment.open_organization("alder", url)
        assert "new_private" in organization.store.email_columns.of("contact")


def test_names_that_are_none_are_refused(house: House) -> None:
    with pytest.raises(RecordError):
        house.organization.register_email_columns(SYSTEM, "no entity", "x")
    with pytest.raises(RecordError):
        house.organization.register_email_columns(SYSTEM, "new_boat")
