"""Every setting one step outside of what it may be: refused by name, with nothing written."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from postroom.errors import RecordError, SettingsError
from postroom.model import ENTITIES
from postroom.model.attributes import INT_MAX, INT_MIN, Attribute, Kind, attributes_of
from postroom.model.deployment import DeploymentSettings
from postroom.organization import SYSTEM
from postroom.testing.scene import Scene

ENTITY_NAMES = ("organization", "emailserverprofile", "mailbox")


def writable(entity: str) -> list[Attribute]:
    return [one for one in attributes_of(ENTITIES[entity]).values() if not (one.read_only or one.create_only or one.internal)]


def wrong_values(one: Attribute) -> list[Any]:
    if one.kind is Kind.INTEGER:
        low, high = (INT_MIN if one.low is None else one.low), (INT_MAX if one.high is None else one.high)
        return [low - 1, high + 1, "many", 1.5, True, 10**40]
    if one.kind in (Kind.STRING, Kind.MEMO):
        return ["x" * ((one.limit or 0) + 1), 7, b"octets"]
    if one.kind is Kind.BOOLEAN:
        return [2, "yes", "true"]
    if one.kind is Kind.PICKLIST:
        return [-1, 999, "none of them"]
    if one.kind is Kind.LOOKUP:
        return ["not a lookup", 7]
    if one.kind is Kind.MOMENT:
        return ["yesterday", 7]
    return []


CASES = [(entity, one.name, value) for entity in ENTITY_NAMES for one in writable(entity) for value in wrong_values(one)]


@pytest.fixture(scope="module")
def scene() -> Any:
    with Scene(check=False) as scene:
        scene.mail_server()
        scene.user("Ada", "ada@alder.test")
        yield scene


def record_id(scene: Scene, entity: str) -> str:
    return {"emailserverprofile": next(iter(scene.profiles.values())), "mailbox": scene.people["Ada"].mailbox}[entity]


def change(scene: Scene, entity: str, name: str, value: Any) -> None:
    if entity == "organization":
        scene.organization.update_settings(SYSTEM, **{name: value})
    else:
        scene.organization.update(SYSTEM, entity, record_id(scene, entity), **{name: value})


def now(scene: Scene, entity: str) -> Any:
    return (
        scene.organization.settings
        if entity == "organization"
        else scene.organization.retrieve(SYSTEM, entity, record_id(scene, entity))
    )


def test_there_is_something_to_be_wrong() -> None:
    assert len(CASES) > 250


@pytest.mark.parametrize("entity", ENTITY_NAMES)
def test_a_value_out_of_range_is_refused_by_name_and_changes_nothing(scene: Scene, entity: str) -> None:
    wrong = []
    for _, name, value in (case for case in CASES if case[0] == entity):
        before = now(scene, entity)
        try:
            change(scene, entity, name, value)
        except RecordError as refused:
            if name not in str(refused) or len(str(refused)) > 500:
                wrong.append(f"{name} = {str(value)[:20]!r}: the refusal does not tell: {str(refused)[:200]}")
        except Exception as other:
            wrong.append(f"{name} = {str(value)[:20]!r}: {type(other).__name__}: {str(other)[:100]}")
        else:
            wrong.append(f"{name} = {str(value)[:20]!r} was taken")
        if now(scene, entity) != before:
            wrong.append(f"{name} = {str(value)[:20]!r} changed something")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", [one.name for one in dataclasses.fields(DeploymentSettings) if "low" in one.metadata])
def test_settings_of_the_deployment(name: str) -> None:
    field = next(one for one in dataclasses.fields(DeploymentSettings) if one.name == name)
    for value in (field.metadata["low"] - 1, field.metadata["high"] + 1, "many", None, True):
        with pytest.raises(SettingsError, match=name):
            DeploymentSettings(**{name: value})
