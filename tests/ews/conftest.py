"""Every answer of every EwsService in these tests fits the published schema for the version that its request named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from exchangelib_scene import exchange  # noqa: F401
from items_scene import items  # noqa: F401
from lxml import etree
from people_scene import office  # noqa: F401

from postroom_simulator.ews import answering
from postroom_simulator.ews.call import Call
from postroom_simulator.ews.codec import NAMESPACES
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.exchange import Exchange
from postroom_simulator.ews.service import EwsService
from postroom_simulator.ews.validate import problems, problems_of_envelope
from postroom_simulator.ews.versions import Version

SPACES = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in NAMESPACES.items())


@pytest.fixture(autouse=True)
def stumbles(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Exception]]:
    """What our own code stumbled over in any EwsService; the test fails when there is something. A test that wants that clears the list."""
    found: list[Exception] = []
    failed = EwsService.failed

    def noted(self: EwsService, asked: Exchange, problem: Exception) -> EwsError:
        error = failed(self, asked, problem)
        found.append(problem)
        return error

    monkeypatch.setattr(EwsService, "failed", noted)
    yield found
    if found:
        raise found[0]


@pytest.fixture(autouse=True)
def answers_fit_the_schema(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Violations of all answers, streams and faults; the test fails when there is one. A test that wants a broken answer clears the list."""
    violations: list[str] = []
    written, fault = answering._written, answering.fault

    def checked(call: Call, value: Any) -> str:
        text = written(call, value)
        element = etree.fromstring(f"<x {SPACES}>{text}</x>", etree.XMLParser(huge_tree=True))[0]
        violations.extend(problems(element, call.version))
        return text

    def checked_fault(error: EwsError) -> bytes:
        octets = fault(error)
        violations.extend(problems_of_envelope(octets, max(Version)))
        return octets

    monkeypatch.setattr(answering, "_written", checked)
    monkeypatch.setattr(answering, "fault", checked_fault)
    yield violations
    assert not violations, "\n".join(violations[:20])
