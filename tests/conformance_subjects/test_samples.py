"""The samples: a POP3 provider that raises alerts, one for forward mailboxes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from postroom.mime.compose import compose
from postroom.mime.values import Address, Attachment, OutgoingMessage
from postroom.model.secret import Secret
from postroom.providers.builtin.pop3 import Pop3Config
from postroom.providers.configuration import from_mapping
from postroom.providers.contract import ProviderEnv, RunContext
from postroom.providers.mailbox import MailboxState
from postroom.samples.forward_mailbox import ForwardMailboxProvider
from postroom.samples.keyword_alerts import KeywordAlertsConfig, KeywordAlertsProvider
from postroom.testing.fake_gateway import FakeGateway, make_context
from postroom.testing.memory import WorldConnector
from postroom_simulator import World

ADA = "ada@sim.test"
ACCOUNT: dict[str, Any] = {"host": "localhost", "port": 110, "user": ADA, "password": Secret("secret"), "tls": "none"}


@pytest.fixture
def world() -> Iterator[World]:
    with World() as made:
        made.add_account(ADA, "secret")
        yield made


def message(subject: str, **values: Any) -> bytes:
    from datetime import UTC, datetime

    date = datetime(2026, 1, 5, 7, tzinfo=UTC)
    return compose(
        OutgoingMessage(
            f"<{len(subject)}@x>", date, Address("carl@birch.test"), (Address(ADA),), subject=subject, text="hi", **values
        )
    )


def context(world: World, gateway: FakeGateway, told: list[tuple[str, str]]) -> RunContext[Any]:
    made = make_context(MailboxState(), net=WorldConnector(world), clock=world.clock, gateway=gateway)
    made.alert = lambda key, text: told.append((key, text))
    return made


def test_a_keyword_in_a_subject_raises_an_alert(world: World) -> None:
    for subject in ("the roof is on FIRE", "lunch"):
        world.place(ADA, message(subject))
    provider = KeywordAlertsProvider(
        KeywordAlertsConfig(**ACCOUNT, keywords=("fire", "flood")), ProviderEnv("one", mailbox=ADA)
    )
    told: list[tuple[str, str]] = []
    gateway = FakeGateway()
    assert provider.run(context(world, gateway, told)).delivered == 2
    assert [text for _, text in told] == ["a message with 'fire' in its subject was stored"]
    assert "roof" not in str(told)
    provider.run(context(world, gateway, told))  # memory lost: the ledger knows the message, the alert has the same key
    assert len({key for key, _ in told}) == 1


def test_without_anybody_to_tell_mail_is_taken_in_all_the_same(world: World) -> None:
    world.place(ADA, message("fire"))
    provider = KeywordAlertsProvider(KeywordAlertsConfig(**ACCOUNT, keywords=("fire",)), ProviderEnv("one", mailbox=ADA))
    gateway = FakeGateway()
    assert (
        provider.run(make_context(MailboxState(), net=WorldConnector(world), clock=world.clock, gateway=gateway)).delivered == 1
    )


def test_its_configuration_is_pop3_s_and_one_element_more() -> None:
    texts = {"EmailServer": "h", "EmailPort": "110", "EmailUser": "u", "EmailPassword": "p", "AlertKeyword": ["a", "b"]}
    config, problems = from_mapping(KeywordAlertsConfig, texts, strict=True)
    assert not problems
    assert config is not None
    assert config.keywords == ("a", "b")


def test_a_forwarded_message_is_unwrapped_and_another_is_taken_as_it_is(world: World) -> None:
    inner = message("the original")
    world.place(ADA, message("Fwd", attachments=(Attachment("m.eml", "message/rfc822", inner),)))
    world.place(ADA, message("written to the forward mailbox itself"))
    provider = ForwardMailboxProvider(Pop3Config(**ACCOUNT), ProviderEnv("one", mailbox=ADA))
    gateway = FakeGateway()
    provider.run(context(world, gateway, []))
    assert [offer.message.subject for offer in gateway.offers] == ["the original", "written to the forward mailbox itself"]
    assert gateway.offers[0].octets == inner
