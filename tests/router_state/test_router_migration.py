"""From a router to server-side synchronization: each provider of the file has an outcome, the custom ones by name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from postroom.channels.email_router.migration import (
    MigrationPlan,
    OrganizationView,
    OwnerView,
    apply_migration,
    plan_migration,
    read_router,
    render,
    view_of,
)
from postroom.organization import SYSTEM, DeploymentSettings
from postroom.rules.router_migration import Merged, Protocol, merge, protocol_of
from postroom.testing.scene import Scene

NOW = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
ADA, BOB, SALES = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))
ORIGINAL = "Microsoft.Crm.Tools.Email.Providers."


def entry(kind: str, *owners: str, server: str = "mail.alder.test", **more: str) -> str:
    names = {
        "pop3": "Pop3PollingMailboxProvider",
        "smtp": "SmtpPollingSendEmailProvider",
        "exchange": "ExchangePollingMailboxProvider",
    }
    class_name = ORIGINAL + names[kind] if kind in names else kind
    inner = "".join(f"<{tag}>{text}</{tag}>" for tag, text in more.items())
    ids = "".join(
        f"<{'QueueId' if one == SALES else 'UserId'}>{{{one.upper()}}}</{'QueueId' if one == SALES else 'UserId'}>"
        for one in owners
    )
    return (
        f"<ProviderConfiguration><ProviderClassName>{class_name}</ProviderClassName>"
        f"<EmailServer>{server}</EmailServer>{inner}{ids}</ProviderConfiguration>"
    )


VIEW = OrganizationView(
    "alder",
    {
        ("systemuser", ADA): OwnerView("systemuser", ADA, "Ada", "ada@alder.test", "box-ada"),
        ("systemuser", BOB): OwnerView("systemuser", BOB, "Bob", "bob@alder.test", "box-bob"),
        ("queue", SALES): OwnerView("queue", SALES, "Sales", "sales@alder.test", "box-sales"),
    },
)


class Files:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def plan(
        self, *entries: str, state: str = "", view: OrganizationView = VIEW, key: bool = False, crm_url: str = ""
    ) -> MigrationPlan:
        agent = self.folder / "EmailAgent.xml"
        agent.write_text(f"<Configuration><SystemConfiguration/>{''.join(entries)}</Configuration>")
        kept = self.folder / "SystemState.xml"
        kept.write_text(f"<SystemState>{state}</SystemState>")
        if key:
            (self.folder / "EncryptionKey.xml").write_text("<key>verysecretkey</key>")
        return plan_migration(read_router(agent, kept, self.folder / "EncryptionKey.xml"), view, now=NOW, crm_url=crm_url)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


_E, _O, _P, _S, _N = Protocol.EXCHANGE, Protocol.EXCHANGE_ONLINE, Protocol.POP3, Protocol.SMTP, Protocol.NONE


@pytest.mark.parametrize(
    ("incoming", "outgoing", "expected"),
    [
        (_E, _S, Merged.EXCHANGE),
        (_E, _O, Merged.EXCHANGE),
        (_O, _S, Merged.EXCHANGE),
        (_O, _O, Merged.EXCHANGE),
        (_P, _S, Merged.POP3_SMTP),
        (_P, _O, Merged.EXCHANGE),
        *((Protocol.EXCHANGE_OLD, other, Merged.LEFT) for other in Protocol),
        *((Protocol.CUSTOM, other, Merged.LEFT) for other in Protocol),
        *((other, Protocol.CUSTOM, Merged.LEFT) for other in Protocol),
        (_P, _N, Merged.POP3_SMTP),
        (_N, _S, Merged.POP3_SMTP),
        (_N, _N, Merged.LEFT),
    ],
)
def test_the_table_of_the_reference(incoming: Protocol, outgoing: Protocol, expected: Merged) -> None:
    assert merge(incoming, outgoing) is expected


@pytest.mark.parametrize(
    ("name", "server", "expected"),
    [
        (ORIGINAL + "Pop3PollingMailboxProvider", "x", _P),
        ("pop3", "x", _P),
        ("isolated:pop3", "x", _P),
        (ORIGINAL + "ExchangePollingMailboxProvider", "https://mail.test/EWS/Exchange.asmx", _E),
        (ORIGINAL + "ExchangePollingMailboxProvider", "https://outlook.office365.com/EWS/Exchange.asmx", _O),
        (ORIGINAL + "ExchangePollingMailboxProvider", "https://mail.test/exchange/ada", Protocol.EXCHANGE_OLD),
        (ORIGINAL + "ExchangePollingMailboxProvider", "mail.test", Protocol.EXCHANGE_UNCLEAR),
        ("Contoso.Mail.ExchangeProvider", "https://mail.test/EWS/Exchange.asmx", Protocol.CUSTOM),
        ("process:sh folder.sh", "", Protocol.CUSTOM),
        ("rss", "", Protocol.CUSTOM),
        ("", "", Protocol.CUSTOM),
    ],
)
def test_what_a_provider_speaks(name: str, server: str, expected: Protocol) -> None:
    assert protocol_of(name, server) is expected


def test_incoming_and_outgoing_become_one_profile(files: Files) -> None:
    plan = files.plan(
        entry(
            "pop3", ADA, EmailPort="110", EmailUseSsl="false", EmailUser="ada", EmailPassword="hunter22", DeleteEmails="true"
        ),
        entry("pop3", BOB, EmailPort="110", EmailUseSsl="false", EmailUser="bob"),
        entry("smtp", ADA, BOB, EmailAuthMode="Anonymous", EmailPort="25"),
        state="<a1><EmailAddress>ADA@alder.test</EmailAddress><ThresholdDate>2025-12-31T10:00:00Z</ThresholdDate></a1>",
    )
    (profile,) = plan.profiles
    assert profile.merged is Merged.POP3_SMTP
    assert (profile.values["servertype"], profile.values["incomingusessl"], profile.values["incomingportnumber"]) == (
        1,
        False,
        110,
    )
    assert (profile.values["incomingcredentialretrieval"], profile.values["outgoingcredentialretrieval"]) == (0, 4)
    ada, bob = plan.mailboxes
    assert ada.threshold == ada.values["processemailreceivedafter"] == datetime(2025, 12, 31, 10, tzinfo=UTC)
    assert (ada.values["username"], ada.values["processanddeleteemails"]) == ("ada", True)
    assert ada.password is not None
    assert bob.threshold == NOW
    assert "from now on" in " ".join(bob.notes)
    assert "password is not in the file" in " ".join(bob.notes)
    assert [outcome for _, outcome, _ in plan.outcomes] == [f"POP3/SMTP profile: {profile.name}"] * 3
    assert "hunter22" not in render(plan) + repr(plan)


def test_custom_ones_are_named(files: Files) -> None:
    plan = files.plan(
        entry("Contoso.Fax.Provider", ADA, ProviderAssembly="Contoso.Fax"),
        entry("smtp", ADA, BOB),
        entry("pop3", BOB, EmailUser="bob"),
        entry("acme_rss:RssProvider"),
    )
    assert [one.class_name for one in plan.custom] == ["Contoso.Fax.Provider", "acme_rss:RssProvider"]
    shown = render(plan)
    assert "CUSTOM PROVIDERS THAT WILL NOT RUN ANY MORE: 2" in shown
    assert "Contoso.Fax.Provider of Contoso.Fax" in shown
    assert shown.count("not migrated: it is a custom provider") >= 2
    assert "keep the organization on the router" in shown
    assert [bool(one.profile) for one in plan.mailboxes] == [False, True]
    outcomes = {one.number: outcome for one, outcome, _ in plan.outcomes}
    assert "POP3/SMTP profile" in outcomes[2]
    assert "not migrated for Ada" in outcomes[2]
    assert all(todo for _, outcome, todo in plan.outcomes if outcome.startswith("not migrated"))


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (
            [entry("exchange", ADA, server="https://m.test/exchange/"), entry("smtp", ADA)],
            "Exchange 2003 and WebDAV are not migrated",
        ),
        ([entry("exchange", ADA, server="mail"), entry("smtp", ADA)], "do not say which Exchange"),
        ([entry("pop3", ADA), entry("pop3", ADA, server="other.test")], "2 inbound providers serve it"),
        ([entry("pop3", "00000000-0000-4000-8000-00000000000f")], "the organization has no such record"),
        ([entry("pop3")], "serves no user and no queue"),
    ],
)
def test_what_is_left_and_why(files: Files, entries: list[str], said: str) -> None:
    plan = files.plan(*entries)
    assert plan.profiles == ()
    assert said in render(plan)
    assert all(outcome.startswith("not migrated") and todo for _, outcome, todo in plan.outcomes)


def test_nothing_of_the_files_is_dropped(files: Files) -> None:
    plan = files.plan(
        entry("pop3", ADA, CrmServerUrl="https://one.test/a", EmailUser="ada"),
        entry("pop3", BOB, CrmServerUrl="https://two.test/b"),
        entry("pop3", EmailUser="sink@alder.test", IsForwardMailbox="true"),
        state="<a1><EmailAddress>stranger@x.test</EmailAddress></a1><a2><ThresholdDate>0001-01-01T00:00:00</ThresholdDate>"
        "<EmailAddress>ada@alder.test</EmailAddress></a2>",
        key=True,
        crm_url="https://one.test/a/",
    )
    outcomes = [outcome for _, outcome, _ in plan.outcomes]
    assert len(outcomes) == 3
    assert outcomes[1] == "not of this organization"
    assert [one.title for one in plan.mailboxes] == ["Ada", "forward mailbox sink@alder.test"]
    shown = render(plan)
    assert "stranger@x.test belongs to no mailbox" in shown
    assert "EncryptionKey.xml" in shown
    assert "beginning of time" in shown
    assert "verysecretkey" not in shown


@pytest.mark.parametrize("octets", [b"", b"<Configuration>", b"<!DOCTYPE x []><Configuration/>"])
def test_a_file_that_cannot_be_read(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "a.xml").write_bytes(octets)
    source = read_router(tmp_path / "a.xml", tmp_path / "none.xml")
    plan = plan_migration(source, VIEW, now=NOW)
    assert plan.outcomes == ()
    assert render(plan).count("cannot be used") == 2


class TestApplying:
    @pytest.fixture
    def scene(self) -> Iterator[Scene]:
        with Scene(settings=DeploymentSettings(allow_non_ssl_email=True)) as made:
            made.world.add_account("sales@alder.test")
            yield made

    def made(self, scene: Scene, files: Files) -> MigrationPlan:
        ada, sales = scene.user("Ada", "ada@alder.test"), scene.queue("Sales", "sales@alder.test")
        ids = {"ada": ada.id, "sales": sales.id}
        pop3 = "<ProviderConfiguration><ProviderClassName>pop3</ProviderClassName><EmailServer>mail.test</EmailServer><EmailPort>995</EmailPort>"
        return files.plan(
            f"{pop3}<EmailUser>ada</EmailUser><EmailPassword>hunter22</EmailPassword><UserId>{ids['ada']}</UserId></ProviderConfiguration>",
            f"{pop3}<EmailUser>sales</EmailUser><QueueId>{ids['sales']}</QueueId></ProviderConfiguration>",
            f"<ProviderConfiguration><ProviderClassName>smtp</ProviderClassName><EmailServer>mail.test</EmailServer><EmailPort>465</EmailPort>"
            f"<EmailUser>relay</EmailUser><EmailPassword>hunter33</EmailPassword><UserId>{ids['ada']}</UserId><QueueId>{ids['sales']}</QueueId></ProviderConfiguration>",
            entry(
                "pop3",
                EmailUser="sink@alder.test",
                EmailPassword="p",
                IsForwardMailbox="true",
                EmailPort="995",
                server="mail.test",
            ),
            entry("Contoso.Fax.Provider", ids["ada"]),
            state="<a1><EmailAddress>sales@alder.test</EmailAddress><ThresholdDate>2025-12-31T10:00:00Z</ThresholdDate></a1>",
            view=view_of(scene.organization),
        )

    def test_twice_is_once(self, scene: Scene, files: Files) -> None:
        plan = self.made(scene, files)
        assert len(plan.profiles) >= 1
        first = apply_migration(plan, scene.organization)
        second = apply_migration(plan, scene.organization)
        results = {one.what: one.result for one in first}
        assert results["mailbox Sales"] == "changed", first
        assert results["mailbox forward mailbox sink@alder.test"] == "created", first
        assert {one.result for one in second} <= {"unchanged", "left"}, second
        box = scene.mailbox(scene.people["Sales"])
        assert box.processemailreceivedafter == datetime(2025, 12, 31, 10, tzinfo=UTC)
        assert box.username == "sales"
        profiles = scene.organization.retrieve_multiple(SYSTEM, "emailserverprofile")
        assert len(profiles) == len(plan.profiles)
        assert profiles[0].isoutgoingpasswordset
        assert "hunter" not in repr(first)

    def test_what_the_organization_refuses_is_told_and_the_rest_goes_on(self, scene: Scene, files: Files) -> None:
        plan = self.made(scene, files)
        refused: Any = [*plan.profiles]
        refused[0] = type(refused[0])(**{**vars(refused[0]), "values": {**refused[0].values, "maxconcurrentconnections": -1}})
        done = apply_migration(type(plan)(**{**vars(plan), "profiles": tuple(refused)}), scene.organization)
        assert done[0].result == "refused"
        assert any(one.result == "left" and "could not be written" in one.detail for one in done)

    def test_switching(self, scene: Scene, files: Files) -> None:
        scene.organization.update_settings(SYSTEM, emailconnectionchannel=1)
        done = apply_migration(self.made(scene, files), scene.organization, switch=True)
        assert done[-1].result == "changed"
        assert scene.organization.settings.emailconnectionchannel == 0
        assert apply_migration(MigrationPlan("x"), scene.organization, switch=True)[-1].result == "unchanged"
