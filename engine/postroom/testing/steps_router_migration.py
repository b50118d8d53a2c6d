"""The phrases about leaving a router of the original for server-side synchronization."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID
from xml.sax.saxutils import escape

from pytest_bdd import given, parsers, then, when

from postroom.channels.email_router.migration import (
    Done,
    MailboxPlan,
    MigrationPlan,
    apply_migration,
    plan_migration,
    read_router,
    render,
    view_of,
)
from postroom.testing.steps_router import Stage

ORIGINAL = "Microsoft.Crm.Tools.Email.Providers."
PASSWORD = "Xyzzy-Plugh-42"  # noqa: S105 - of nobody
STRANGER = str(UUID(int=7))


@dataclass
class Migration:
    """The files of the original, and what was decided and done about them."""

    stage: Stage
    entries: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    plan: MigrationPlan | None = None
    done: list[Done] = field(default_factory=list)

    @property
    def planned(self) -> MigrationPlan:
        assert self.plan is not None
        return self.plan

    def add(self, provider: str, server: str, owner: str = "", account: str = "") -> None:
        named = provider if "." in provider else ORIGINAL + provider
        rows = {"ProviderClassName": named, "EmailServer": server, "UserId": owner}
        if account:
            rows |= {"EmailUser": account, "EmailPassword": PASSWORD}
        inner = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in rows.items() if value)
        self.entries.append(f"<ProviderConfiguration>{inner}</ProviderConfiguration>")

    def box(self, name: str) -> MailboxPlan:
        address = self.stage.parties[name].address
        return next(one for one in self.planned.mailboxes if one.address == address)

    def days_ago(self, days: int) -> datetime:
        return self.stage.base.scene.world.clock.now() - timedelta(days=days)

    def outcomes(self, provider: str) -> list[str]:
        """Of all providers with this name: the outcome and what to do."""
        return [f"{out}: {todo}" for one, out, todo in self.planned.outcomes if one.class_name.endswith(provider)]


ITS_FILE = "the original's file"


@given(
    parsers.re(
        ITS_FILE
        + r' has "(?P<provider>[^"]+)" for "(?P<name>[^"]+)" at "(?P<server>[^"]+)"(?: with the account "(?P<account>[^"]+)")?'
    )
)
def original_has(postroom_migration: Migration, provider: str, name: str, server: str, account: str | None) -> None:
    postroom_migration.add(provider, server, postroom_migration.stage.parties[name].id, account or "")


@given(parsers.re(ITS_FILE + r' has "(?P<provider>[^"]+)" for (?P<whom>nobody|somebody who left) at "(?P<server>[^"]+)"'))
def original_has_for(postroom_migration: Migration, provider: str, whom: str, server: str) -> None:
    postroom_migration.add(provider, server, "" if whom == "nobody" else STRANGER)


@given(parsers.parse('the files to migrate say that "{address}" stood {days:d} days ago'))
def state_to_migrate(postroom_migration: Migration, address: str, days: int) -> None:
    moment = postroom_migration.days_ago(days).isoformat()
    postroom_migration.states.append(f"<a1><EmailAddress>{address}</EmailAddress><ThresholdDate>{moment}</ThresholdDate></a1>")


@when("the migration is planned")
def planned(postroom_migration: Migration) -> None:
    base = postroom_migration.stage.base
    agent, state = base.folder / "Original.xml", base.folder / "OriginalState.xml"
    agent.write_text(
        f"<Configuration><SystemConfiguration/>{''.join(postroom_migration.entries)}</Configuration>", encoding="utf-8"
    )
    state.write_text(f"<SystemState>{''.join(postroom_migration.states)}</SystemState>", encoding="utf-8")
    source = read_router(agent, state, base.folder / "EncryptionKey.xml")
    postroom_migration.plan = plan_migration(source, view_of(base.organization), now=postroom_migration.days_ago(0))


@when("the plan is written")
def written(postroom_migration: Migration) -> None:
    postroom_migration.done = apply_migration(postroom_migration.planned, postroom_migration.stage.base.organization)


@when("the plan is written and the organization leaves the router")
def written_and_switched(postroom_migration: Migration) -> None:
    organization = postroom_migration.stage.base.organization
    postroom_migration.done = apply_migration(postroom_migration.planned, organization, switch=True)
    assert organization.settings.emailconnectionchannel == 0


@then(parsers.parse('both of "{name}" become "{outcome}"'))
def both_become(postroom_migration: Migration, name: str, outcome: str) -> None:
    plan, box = postroom_migration.planned, postroom_migration.box(name)
    assert len(plan.outcomes) == 2
    assert all(outcome in found for _, found, _ in plan.outcomes), plan.outcomes
    assert bool(box.profile) == (outcome != "not migrated")


@then(parsers.re(r"the plan has (?P<profiles>\d+) profiles? and (?P<mailboxes>\d+) mailbox(?:es)?"))
def plan_has(postroom_migration: Migration, profiles: str, mailboxes: str) -> None:
    plan = postroom_migration.planned
    assert (len(plan.profiles), len(plan.mailboxes)) == (int(profiles), int(mailboxes)), render(plan)


@then(parsers.parse('the plan names the custom provider "{provider}"'))
def plan_names(postroom_migration: Migration, provider: str) -> None:
    plan = postroom_migration.planned
    assert [one.class_name for one in plan.custom] == [provider]
    assert provider in render(plan)


@then(parsers.parse('the plan says of "{provider}" "{text}"'))
def plan_says(postroom_migration: Migration, provider: str, text: str) -> None:
    found = postroom_migration.outcomes(provider)
    assert found
    assert all(text in one for one in found), found


@then(parsers.parse("each of the {count:d} providers has an outcome"))
def each_has_an_outcome(postroom_migration: Migration, count: int) -> None:
    plan = postroom_migration.planned
    assert len(plan.outcomes) == count
    assert all(outcome and todo for _, outcome, todo in plan.outcomes), plan.outcomes


@then(parsers.parse('the mailbox of "{name}" is to take in mail from {days:d} days ago on'))
def takes_in_from(postroom_migration: Migration, name: str, days: int) -> None:
    assert postroom_migration.box(name).threshold == postroom_migration.days_ago(days)


@then(parsers.parse("{changed:d} of the plan's changes were written, {refused:d} refused"))
def were_written(postroom_migration: Migration, changed: int, refused: int) -> None:
    results = [one.result for one in postroom_migration.done]
    assert sum(one in ("created", "changed") for one in results) == changed, postroom_migration.done
    assert results.count("refused") == refused, postroom_migration.done


@then("the plan shows no password")
def shows_no_password(postroom_migration: Migration) -> None:
    plan = postroom_migration.planned
    assert PASSWORD not in render(plan)
    assert PASSWORD not in repr(plan)
