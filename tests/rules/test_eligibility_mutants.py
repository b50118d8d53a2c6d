"""Eligibility one condition at a time (server-side-sync reference 3.1): a mailbox that may run, and each single thing that keeps it from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroom.model import EmailServerProfile, Lookup, Mailbox, Organization
from postroom.rules.eligibility import Obstacle, explain, is_eligible, served

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)
USER, QUEUE = Lookup("systemuser", "u"), Lookup("queue", "q")
OPERATIONS = ("incoming", "outgoing", "act", "test")
MAILBOX = Mailbox(
    name="Ada",
    regardingobjectid=USER,
    isforwardmailbox=False,
    incomingemaildeliverymethod=2,
    outgoingemaildeliverymethod=2,
    actdeliverymethod=1,
    enabledforincomingemail=True,
    enabledforoutgoingemail=True,
    enabledforact=True,
    emailrouteraccessapproval=1,
    processingstatecode=0,
    testemailconfigurationscheduled=True,
)
PROFILE = EmailServerProfile(name="mail", servertype=0, incomingcredentialretrieval=0)
ORGANIZATION = Organization(
    name="alder", requireapprovalforuseremail=True, requireapprovalforqueueemail=True, emailconnectionchannel=0
)


def found(
    operation: str,
    mailbox: dict[str, Any] | None = None,
    profile: dict[str, Any] | None = None,
    organization: dict[str, Any] | None = None,
) -> set[Obstacle]:
    given = replace(PROFILE, **(profile or {}))
    reasons = explain(
        operation, replace(MAILBOX, **(mailbox or {})), given, replace(ORGANIZATION, **(organization or {})), now=NOW
    )
    return {reason.code for reason in reasons}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_nothing_speaks_against_it(operation: str) -> None:
    assert found(operation) == set()
    assert is_eligible(operation, MAILBOX, PROFILE, ORGANIZATION, now=NOW)
    assert found(operation, organization={"emailconnectionchannel": None}) == set()


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("mailbox", "profile", "organization", "obstacle"),
    [
        ({"statecode": 1}, {}, {}, Obstacle.MAILBOX_INACTIVE),
        ({}, {"statecode": 1}, {}, Obstacle.PROFILE_INACTIVE),
        ({}, {}, {"emailconnectionchannel": 1}, Obstacle.CHANNEL),
        ({"emailrouteraccessapproval": 0}, {}, {}, Obstacle.NOT_APPROVED),
        ({"emailrouteraccessapproval": 2}, {}, {}, Obstacle.NOT_APPROVED),
        ({"emailrouteraccessapproval": 3}, {}, {}, Obstacle.NOT_APPROVED),
        ({}, {"servertype": 3}, {}, Obstacle.NOT_APPROVED_BY_ADMIN),
        ({"processingstatecode": 1}, {}, {}, Obstacle.LOCKED),
    ],
)
def test_what_keeps_everything(
    operation: str, mailbox: dict[str, Any], profile: dict[str, Any], organization: dict[str, Any], obstacle: Obstacle
) -> None:
    assert found(operation, mailbox, profile, organization) == {obstacle}
    reasons = explain(
        operation, replace(MAILBOX, **mailbox), replace(PROFILE, **profile), replace(ORGANIZATION, **organization), now=NOW
    )
    assert [reason.until for reason in reasons] == [None]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_profile(operation: str) -> None:
    assert [reason.code for reason in explain(operation, MAILBOX, None, ORGANIZATION, now=NOW)] == [Obstacle.NO_PROFILE]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_lock_that_does_not_count(operation: str) -> None:
    locked = replace(MAILBOX, processingstatecode=1)
    assert is_eligible(operation, locked, PROFILE, ORGANIZATION, now=NOW, locked=False)
    assert not is_eligible(operation, MAILBOX, PROFILE, ORGANIZATION, now=NOW, locked=True)


@pytest.mark.parametrize(
    ("owner", "user", "queue", "obstacles"),
    [
        (USER, True, False, {Obstacle.NOT_APPROVED}),
        (USER, False, True, set()),
        (QUEUE, False, True, {Obstacle.NOT_APPROVED}),
        (QUEUE, True, False, set()),
        (None, True, False, {Obstacle.NOT_APPROVED}),
        (None, False, True, set()),
    ],
)
def test_whose_approval_is_asked_for(owner: Lookup | None, user: bool, queue: bool, obstacles: set[Obstacle]) -> None:
    """Reference 2.3; a forward mailbox as a user's."""
    mailbox = {"regardingobjectid": owner, "emailrouteraccessapproval": 2}
    assert (
        found("incoming", mailbox, organization={"requireapprovalforuseremail": user, "requireapprovalforqueueemail": queue})
        == obstacles
    )


def test_approved_by_the_administrator() -> None:
    assert found("incoming", {"isemailaddressapprovedbyo365admin": True}, {"servertype": 3}) == set()
    gate_off = {"requireapprovalforuseremail": False}
    assert found("incoming", {}, {"servertype": 3}, gate_off) == set()


@pytest.mark.parametrize(
    ("operation", "mailbox", "profile", "obstacles"),
    [
        ("incoming", {"incomingemaildeliverymethod": 0}, {}, {Obstacle.METHOD}),
        ("incoming", {"incomingemaildeliverymethod": 1}, {}, {Obstacle.METHOD}),
        ("incoming", {"incomingemaildeliverymethod": 3}, {}, {Obstacle.METHOD}),
        ("incoming", {"incomingemaildeliverymethod": 3, "isforwardmailbox": True}, {}, set()),
        ("incoming", {"enabledforincomingemail": False}, {}, {Obstacle.NOT_ENABLED}),
        ("incoming", {"enabledforoutgoingemail": False, "enabledforact": False}, {}, set()),
        ("outgoing", {"outgoingemaildeliverymethod": 0}, {}, {Obstacle.METHOD}),
        ("outgoing", {"outgoingemaildeliverymethod": 1}, {}, {Obstacle.METHOD}),
        ("outgoing", {"outgoingemaildeliverymethod": 0, "isforwardmailbox": True}, {}, {Obstacle.METHOD}),
        ("outgoing", {"enabledforoutgoingemail": False}, {}, {Obstacle.NOT_ENABLED}),
        ("act", {"actdeliverymethod": 0}, {}, {Obstacle.METHOD}),
        ("act", {"actdeliverymethod": 2}, {}, {Obstacle.METHOD}),
        ("act", {"enabledforact": False}, {}, {Obstacle.NOT_ENABLED}),
        ("act", {}, {"servertype": 1}, {Obstacle.SERVER_TYPE}),
        ("act", {"regardingobjectid": QUEUE}, {}, {Obstacle.OWNER}),
        ("act", {"regardingobjectid": None}, {}, {Obstacle.OWNER}),
        ("act", {}, {"incomingcredentialretrieval": 1, "incominguseimpersonation": False}, {Obstacle.DELEGATION}),
        ("act", {}, {"incomingcredentialretrieval": 1, "incominguseimpersonation": True}, set()),
        ("act", {}, {"incomingcredentialretrieval": 0, "incominguseimpersonation": False}, set()),
        ("incoming", {}, {"servertype": 1, "incomingcredentialretrieval": 1, "incominguseimpersonation": False}, set()),
        ("incoming", {"regardingobjectid": QUEUE}, {}, set()),
        ("test", {"testemailconfigurationscheduled": False}, {}, {Obstacle.NOT_SCHEDULED}),
        (
            "test",
            {"incomingemaildeliverymethod": 0, "outgoingemaildeliverymethod": 0, "actdeliverymethod": 0},
            {},
            {Obstacle.METHOD},
        ),
        ("test", {"incomingemaildeliverymethod": 0, "outgoingemaildeliverymethod": 0}, {}, set()),
        ("test", {"incomingemaildeliverymethod": 0, "actdeliverymethod": 0}, {}, set()),
        ("test", {"outgoingemaildeliverymethod": 0, "actdeliverymethod": 0}, {}, set()),
        ("test", {"enabledforincomingemail": False, "enabledforoutgoingemail": False, "enabledforact": False}, {}, set()),
    ],
)
def test_what_keeps_one_operation(
    operation: str, mailbox: dict[str, Any], profile: dict[str, Any], obstacles: set[Obstacle]
) -> None:
    assert found(operation, mailbox, profile) == obstacles


def test_what_is_served() -> None:
    assert [served(operation, MAILBOX) for operation in ("incoming", "outgoing", "act")] == [True] * 3


@pytest.mark.parametrize(
    ("operation", "column"),
    [
        ("incoming", "postponemailboxprocessinguntil"),
        ("incoming", "receivingpostponeduntil"),
        ("outgoing", "postponesendinguntil"),
        ("act", "receivingpostponeduntilforact"),
        ("test", "postponetestemailconfigurationuntil"),
    ],
)
def test_postponements(operation: str, column: str) -> None:
    """To the moment: what is postponed until now is due now."""
    assert found(operation, {column: NOW}) == set()
    (reason,) = explain(operation, replace(MAILBOX, **{column: LATER}), PROFILE, ORGANIZATION, now=NOW)
    assert (reason.code, reason.until) == (Obstacle.POSTPONED, LATER)


def test_the_latest_postponement_counts() -> None:
    mailbox = replace(MAILBOX, postponemailboxprocessinguntil=LATER, receivingpostponeduntil=LATER + timedelta(hours=1))
    (reason,) = explain("incoming", mailbox, PROFILE, ORGANIZATION, now=NOW)
    assert reason.until == LATER + timedelta(hours=1)
