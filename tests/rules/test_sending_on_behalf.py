"""How far a privilege reaches, and whose mailbox sends (server-side-sync reference 7.5, 7.6)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from postroom.model.attributes import Lookup
from postroom.model.options import EmailStatus, ServerType
from postroom.rules.sending import (
    RECIPIENT_ENTITIES,
    Author,
    Depth,
    ExchangeStep,
    Party,
    SendProblem,
    SendRequest,
    Through,
    check_send,
    exchange_steps,
    reaches,
    sending_mailbox,
)

ADA, BEN, SUPPORT = Lookup("systemuser", "ada"), Lookup("systemuser", "ben"), Lookup("queue", "support")
EXCHANGE, POP3 = ServerType.EXCHANGE_SERVER, ServerType.OTHER


@pytest.mark.parametrize(
    ("depth", "own", "above", "reached"),
    [
        (None, "n", ["n"], False),
        (Depth.BASIC, "n", ["n"], False),
        (Depth.LOCAL, "n", ["n"], True),
        (Depth.LOCAL, "n", ["b", "n"], False),
        (Depth.DEEP, "n", ["b", "n"], True),
        (Depth.DEEP, "b", ["n"], False),
        (Depth.DEEP, None, ["n"], False),
        (Depth.LOCAL, "n", [], False),
        (Depth.GLOBAL, None, [], True),
    ],
)
def test_depth(depth: Depth | None, own: str | None, above: list[str], reached: bool) -> None:
    assert reaches(depth, own, above) is reached


@pytest.mark.parametrize(
    ("sender", "submitter", "delegation", "server_type", "through"),
    [
        (BEN, ADA, True, EXCHANGE, Through.SUBMITTER),
        (SUPPORT, ADA, True, ServerType.EXCHANGE_ONLINE_HYBRID, Through.SUBMITTER),
        (BEN, ADA, False, EXCHANGE, Through.SENDER),
        (BEN, ADA, True, POP3, Through.SENDER),
        (BEN, ADA, True, None, Through.SENDER),
        (ADA, ADA, True, EXCHANGE, Through.SENDER),
        (BEN, None, True, EXCHANGE, Through.SENDER),
    ],
)
def test_whose_mailbox_sends(
    sender: Lookup, submitter: Lookup | None, delegation: bool, server_type: ServerType | None, through: Through
) -> None:
    assert sending_mailbox(sender, submitter, delegation=delegation, server_type=server_type) is through


def test_the_exchange_path() -> None:
    draft, send, save, grant = (
        ExchangeStep.CREATE_DRAFT,
        ExchangeStep.SEND,
        ExchangeStep.SEND_AND_SAVE_COPY,
        ExchangeStep.GRANT_DELEGATE,
    )
    assert exchange_steps(save_copy=True) == (draft, save)
    assert exchange_steps(save_copy=False) == (draft, send)
    assert exchange_steps(save_copy=True, auto_grant=True) == (grant, draft, save)
    assert exchange_steps(save_copy=True, auto_grant=True, impersonation=True) == (draft, save)


BASE = SendRequest(True, EmailStatus.DRAFT, (Party(ADA, "a@x.test"),), (), Author("ada"))


@pytest.mark.parametrize("entity", [*sorted(RECIPIENT_ENTITIES), "team", "businessunit", "new_thing"])
def test_who_is_written_to(entity: str) -> None:
    request = replace(BASE, recipients=(Party(Lookup(entity, "1"), "b@x.test"),))
    expected = None if entity in RECIPIENT_ENTITIES else SendProblem.RECIPIENT_KIND
    assert check_send(request).problem is expected
    assert check_send(replace(request, custom=("new_thing",))).problem is (None if entity == "new_thing" else expected)


@pytest.mark.parametrize(
    ("recipients", "detail"),
    [
        ((), "the email has no recipients"),
        ((Party(Lookup("contact", "1")),), "no recipient has an address"),
        ((Party(None, "x@y.test"),), "unresolved recipients: x@y.test"),
    ],
)
def test_what_is_wrong_with_the_recipients_in_words(recipients: tuple[Party, ...], detail: str) -> None:
    assert check_send(replace(BASE, recipients=recipients)).detail == detail
