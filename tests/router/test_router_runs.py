"""The router runs what its file says: inbound and outbound, for the mailboxes that are listed."""

from __future__ import annotations

from postroom.organization import SYSTEM
from postroom.testing.router_stage import RouterStage, mail


def test_a_feed_is_taken_in(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    stage.source.items["feed"] = [mail("one", ada.address), mail("two", ada.address)]
    router = stage.router(stage.feed(ada))
    reports = router.run_due()
    assert [report.error for report in reports] == [None]
    assert stage.subjects() == ["one", "two"]
    (status,) = router.instances()
    assert (status.state, status.mailbox, status.organization) == ("waiting", ada.address, "Alder")
    assert status.counters["delivered"] == 2


def test_pop3_and_smtp_by_their_documented_names(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    pop3 = stage.pop3(ada).replace(">pop3<", ">Microsoft.Crm.Tools.Email.Providers.Pop3PollingMailboxProvider<")
    smtp = stage.smtp(ada).replace(">smtp<", ">Microsoft.Crm.Tools.Email.Providers.SmtpPollingSendEmailProvider<")
    router = stage.router(pop3, smtp)
    stage.scene.mail("carl@birch.test", ada.address, "Hello")
    stage.scene.send("Ada", ["carl@birch.test"], "Good day")
    for report in router.run_due():
        assert report.error is None
    assert stage.subjects() == ["Hello"]
    assert len(stage.scene.received("carl@birch.test")) == 1
    (sent,) = stage.scene.emails("Good day")
    assert (sent.statecode, sent.statuscode) == (1, 3)


def test_nothing_is_taken_in_twice(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    router = stage.router(stage.pop3(ada))
    stage.scene.mail("carl@birch.test", ada.address, "Hello")
    router.run_due()
    for _ in range(3):
        stage.pass_time(60)
        router.run_due()
    assert stage.subjects() == ["Hello"]
    assert router.instances()[0].counters["runs"] == 4


def test_an_organization_on_server_side_sync_is_left_alone(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    router = stage.router(stage.feed(ada))
    router.run_due()
    stage.organization.update_settings(SYSTEM, emailconnectionchannel=0)
    stage.source.items["feed"] = [mail("one", ada.address)]
    stage.pass_time(60)
    router.run_due()
    (status,) = router.instances()
    assert status.state == "stopped"
    assert "server-side synchronization" in status.why
    assert stage.subjects() == []
    stage.organization.update_settings(SYSTEM, emailconnectionchannel=1)
    stage.pass_time(60)
    router.run_due()
    assert stage.subjects() == ["one"]
    assert router.instances()[0].state == "waiting"
