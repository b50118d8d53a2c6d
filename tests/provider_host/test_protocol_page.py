"""The page about the protocol and what is served are the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from postroom import errors
from postroom.errors import AuthError, MessageError, ProtocolError, TransientError
from postroom.mime.values import Address, OutgoingMessage
from postroom.providers.builtin.smtp import SmtpConfig, SmtpProvider, SmtpState
from postroom.providers.contract import ClaimedEmail, ProviderEnv, RunOutcome, SubmissionResult
from postroom.providers.process import isolated
from postroom.providers.secret import Secret
from postroom.providers.serving import CALLS
from postroom.providers.wire import error_from, error_to, outcome_from, outcome_to
from postroom.testing.fake_gateway import FakeGateway, make_context
from postroom.testing.memory import WorldConnector
from postroom_simulator.faults import Fault, Reply, When
from postroom_simulator.world import World

PAGE = (Path(__file__).parents[2] / "docs" / "provider-processes.md").read_text()


def test_every_call_stands_there_with_the_same_words() -> None:
    section = PAGE.split("## What a program may ask during a run")[1].split("## Errors")[0]
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", section, re.MULTILINE))
    assert rows == {name: call.says for name, call in CALLS.items()}


def test_every_code_stands_there() -> None:
    sources = "".join(path.read_text() for path in Path(str(errors.__file__)).parent.joinpath("providers").glob("*.py"))
    assert set(re.findall(r'"(process-[a-z]+)"', sources)) == set(re.findall(r"`(process-[a-z]+)`", PAGE))


@pytest.mark.parametrize(
    "error",
    [
        AuthError("refused", reply="535 no", code="x"),
        TransientError("later", retry_after=timedelta(seconds=90)),
        MessageError("bad", source_key="k", permanent=True),
        errors.StaleRun("lost"),
        errors.OrganizationError("no", "80040265"),
        errors.SettingsError(["a", "b"]),
    ],
)
def test_errors_there_and_back(error: Exception) -> None:
    back = error_from(error_to(error))
    assert type(back) is type(error)
    assert (str(back), vars(back)) == (
        str(error),
        vars(error) | ({"problems": [str(error)]} if hasattr(error, "problems") else {}),
    )


def test_what_is_no_error_of_ours_says_only_its_type() -> None:
    assert error_to(ValueError("hunter22")) == {"kind": "Fault", "text": "ValueError"}
    assert isinstance(error_from(None), RuntimeError)


def test_outcomes_there_and_back() -> None:
    outcome = RunOutcome(3, 1, 1, 1, more=True, retry_after=timedelta(seconds=5), detail="d")
    assert outcome_from(outcome_to(outcome)) == outcome
    assert outcome_from(None) == RunOutcome()
    for wrong in ({"processed": True}, {"failed": 1.5}, {"rejected": 2**50}):
        with pytest.raises(ProtocolError):
            outcome_from(wrong)


class TestSending:
    """A provider that sends, in a process of its own, over the engine's connections."""

    @pytest.fixture
    def world(self) -> Iterator[World]:
        with World() as made:
            for name in ("me", "you"):
                made.add_account(f"{name}@sim.test", "secret")
            yield made

    def test_claimed_marked_sent_reported(self, world: World) -> None:
        config = SmtpConfig(host=world.hostname, port=587, user="me@sim.test", password=Secret("secret"), tls="none")
        world.faults.add(Fault(When("smtp", "RCPT", nth=2), Reply("550", "5.1.1 nobody")))
        gateway = FakeGateway()
        me, you, nobody = (Address(address=f"{name}@sim.test", name="") for name in ("me", "you", "nobody"))
        moment = datetime(2026, 1, 5, tzinfo=UTC)
        for n in range(2):
            message = OutgoingMessage(f"<{n}@sim.test>", moment, me, (you, nobody), subject=f"Mail {n}", text="Hellö")
            gateway.outgoing.append(ClaimedEmail(f"e{n}", 1, me.address, (you.address, nobody.address), message))
        provider: Any = isolated(SmtpProvider)(config, ProviderEnv("i"))
        try:
            net: Any = WorldConnector(world)
            outcome = provider.run(make_context(SmtpState(), net=net, clock=world.clock, gateway=gateway))
        finally:
            provider.close()
        assert outcome.error is None, outcome
        assert gateway.submitting == ["e0", "e1"], (outcome, gateway.reports)
        assert {report.result for report in gateway.reports.values()} == {SubmissionResult.SENT}
        assert [one.accepted for one in gateway.reports["e0"].recipients] == [True, False]
