"""docs/email-router.md says what is so."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from postroom.channels.email_router import EVENTS, InstanceState
from postroom.providers.configuration import ProviderSettings, SystemConfiguration
from postroom.providers.configuration.declaration import declaration

PAGE = (Path(__file__).parents[2] / "docs" / "email-router.md").read_text(encoding="utf-8")


def test_every_event_has_its_row_and_no_other() -> None:
    rows = [f"| `{name}` | {int(detail)} | {text} |" for name, (detail, _, text) in EVENTS.items()]
    assert PAGE.splitlines()[-len(rows) :] == rows


@pytest.mark.parametrize("state", InstanceState)
def test_every_state_has_its_row(state: InstanceState) -> None:
    assert f"| `{state}` |" in PAGE


@pytest.mark.parametrize("model", [SystemConfiguration, ProviderSettings])
def test_every_setting_is_named(model: type) -> None:
    """But those that only say who and what an entry is."""
    who = {
        "ProviderClassName",
        "ProviderAssembly",
        "Name",
        "Direction",
        "EmailAuthMode",
        "LogLevelScale",
        "ProviderOverridesPrecedence",
    }
    assert dataclasses.is_dataclass(model)
    assert [one.name for one in declaration(model) if one.name not in who and f"`{one.name}`" not in PAGE] == []
