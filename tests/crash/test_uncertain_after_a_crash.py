"""What a person learns of an email whose sender died, and what their decision does."""

from __future__ import annotations

from pathlib import Path

from crash_stage import CARL, NOBODY, SCENARIOS, Stage, furnish, open_organization

from postroom.organization import SYSTEM, Organization
from postroom.organization.books import OutgoingEntry
from postroom.testing.crash import Steps


def cut_before_the_dot(name: str, folder: Path) -> Stage:
    """The run dies when the mark `submitting` is durable and the final dot is not said; the next one has found that out."""
    furnish(SCENARIOS[name], folder / "template.db")
    counting = Stage(SCENARIOS[name], folder / "template.db", folder / "count.db")
    steps = Steps()
    counting.run(steps)
    counting.close()
    stage = Stage(SCENARIOS[name], folder / "template.db", folder / "run.db")
    stage.run(Steps(steps.names.index("before send the final dot")))
    stage.recover()
    return stage


def uncertain(organization: Organization) -> list[OutgoingEntry]:
    return [row for row in organization.books().outgoing if row.mark == "uncertain"]


def test_an_uncertain_email_is_told_to_somebody(tmp_path: Path) -> None:
    stage = cut_before_the_dot("send", tmp_path)
    with open_organization(stage.scenario, stage.path, stage.clock) as deployment:
        organization = deployment.organizations["alder"]
        (row,) = uncertain(organization)
        alerts = organization.retrieve_multiple(SYSTEM, "tracelog")
        told = [alert.text for alert in alerts if "may or may not have been sent" in (alert.text or "")]
        assert len(told) == 1
        assert row.subject in told[0]
    stage.close()


def test_a_test_message_that_was_not_sent_is_given_up(tmp_path: Path) -> None:
    """The next test makes its own; nobody would ever send the old one."""
    stage = cut_before_the_dot("test and enable", tmp_path)
    with open_organization(stage.scenario, stage.path, stage.clock) as deployment:
        organization = deployment.organizations["alder"]
        (row,) = uncertain(organization)
        organization.resolve_uncertain(SYSTEM, row.email_id, sent=False)
        (after,) = [one for one in organization.books().outgoing if one.email_id == row.email_id]
        assert after.mark == "canceled"
    stage.close()


def test_a_recipient_refused_before_the_crash_is_not_forgotten(tmp_path: Path) -> None:
    """Whoever decides that the email was sent has no way to know of it; the mark made before the dot carries it."""
    stage = cut_before_the_dot("send, one refused", tmp_path)
    with open_organization(stage.scenario, stage.path, stage.clock) as deployment:
        organization = deployment.organizations["alder"]
        (row,) = uncertain(organization)
        assert {one.address: one.accepted for one in row.recipients} == {CARL: None, NOBODY: False}
        organization.resolve_uncertain(SYSTEM, row.email_id, sent=True)
        (after,) = organization.books().outgoing
        assert {one.address: one.accepted for one in after.recipients} == {CARL: True, NOBODY: False}
        assert "550" in after.recipients[1].reply
    stage.close()
