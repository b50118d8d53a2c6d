"""The router runs what its file says: inbound and outbound, for the mailboxes that are listed."""

from __future__ import annotations

from postroom.organization import SYSTEM
from router.router_bench import Laboratory, Source, mail


def test_a_feed_is_taken_in(lab: Laboratory, source: Source) -> None:
    ada = lab.user("Ada")
    source.items["feed"] = [mail("one", ada.address), mail("two", ada.address)]
    router = lab.router(lab.feed(ada))
    reports = router.run_due()
    assert [report.error for report in reports] == [None]
    assert lab.subjects() == ["one", "two"]
    (status,) = router.instances()
    assert (status.state, status.mailbox, status.organization) == ("waiting", ada.address, "Alder")
    assert status.counters["delivered"] == 2


def test_pop3_and_smtp_by_their_documented_names(lab: Laboratory) -> None:
    ada = lab.user("Ada")
    pop3 = lab.pop3(ada).replace(">pop3<", ">Microsoft.Crm.Tools.Email.Providers.Pop3PollingMailboxProvider<")
    smtp = lab.smtp(ada).replace(">smtp<", ">Microsoft.Crm.Tools.Email.Providers.SmtpPollingSendEmailProvider<")
    router = lab.router(pop3, smtp)
    lab.scene.mail("carl@birch.test", ada.address, "Hello")
    lab.scene.send("Ada", ["carl@birch.test"], "Good day")
    for report in router.run_due():
        assert report.error is None
    assert lab.subjects() == ["Hello"]
    assert len(lab.scene.received("carl@birch.test")) == 1
    (sent,) = lab.scene.emails("Good day")
    assert (sent.statecode, sent.statuscode) == (1, 3)


def test_nothing_is_taken_in_twice(lab: Laboratory) -> None:
    ada = lab.user("Ada")
    router = lab.router(lab.pop3(ada))
    lab.scene.mail("carl@birch.test", ada.address, "Hello")
    router.run_due()
    for _ in range(3):
        lab.pass_time(60)
        router.run_due()
    assert lab.subjects() == ["Hello"]
    assert router.instances()[0].counters["runs"] == 4


def test_an_organization_on_server_side_sync_is_left_alone(lab: Laboratory, source: Source) -> None:
    ada = lab.user("Ada")
    router = lab.router(lab.feed(ada))
    router.run_due()
    lab.organization.update_settings(SYSTEM, emailconnectionchannel=0)
    source.items["feed"] = [mail("one", ada.address)]
    lab.pass_time(60)
    router.run_due()
    (status,) = router.instances()
    assert status.state == "stopped"
    assert "server-side synchronization" in status.why
    assert lab.subjects() == []
    lab.organization.update_settings(SYSTEM, emailconnectionchannel=1)
    lab.pass_time(60)
    router.run_due()
    assert lab.subjects() == ["one"]
    assert router.instances()[0].state == "waiting"
