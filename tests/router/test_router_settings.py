"""Each setting of the router's file does what docs/router-configuration.md says."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from postroom.model import EmailStatus
from postroom.organization import SYSTEM
from postroom.providers.configuration import validate
from postroom.providers.configuration.router_file import NOT_APPLIED
from postroom.runtime.executors import PoolExecutor
from postroom.testing.router_stage import RouterStage, mail, provider
from postroom_simulator.faults import Fault, Reply, When


def due_in(stage: RouterStage, number: int = 0) -> float:
    due = stage.routers[-1].instances()[number].next_due
    assert due is not None
    return (due - stage.scene.world.clock.now()).total_seconds()


# -- SystemConfiguration ------------------------------------------------------------------------------------------------


def test_max_thread_execution_is_the_deadline(stage: RouterStage) -> None:
    router = stage.router(stage.feed(stage.user("Ada")), system={"MaxThreadExecution": 90_000})
    router.run_due()
    assert stage.source.contexts[0].deadline - stage.scene.world.clock.monotonic() == pytest.approx(90.0)


def test_max_thread_execution_changes_for_the_next_run(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    router = stage.router(stage.feed(ada), system={"MaxThreadExecution": 90_000})
    router.run_due()
    stage.write(stage.feed(ada), MaxThreadExecution=30_000)
    router.reload()
    stage.pass_time(60)
    router.run_due()
    assert stage.source.contexts[1].deadline - stage.scene.world.clock.monotonic() == pytest.approx(30.0)
    assert stage.source.made == ["feed"]


def test_max_threads_is_the_size_of_the_pool(stage: RouterStage, tmp_path: Path) -> None:
    pool = PoolExecutor(1)
    router = stage.router(stage.feed(), system={"MaxThreads": 7}, executor=pool)
    assert pool.slots == 1  # the caller's own
    stage.write(stage.feed(), MaxThreads=3)
    router.reload()
    assert pool.slots == 3


def test_the_scheduling_period_is_between_two_looks(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    router = stage.router(stage.feed(ada, PollingPeriod=1000), system={"SchedulingPeriod": 5000})
    runs = []
    for _ in range(20):
        runs.append(len(router.tick()))
        stage.pass_time(1)
    assert runs == [1, 0, 0, 0, 0] * 4


def test_run_looks_each_scheduling_period_until_it_is_stopped(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    router = stage.router(stage.feed(ada, PollingPeriod=10_000), system={"SchedulingPeriod": 2000})
    began = stage.scene.world.clock.monotonic()
    router.run(until=lambda: stage.scene.world.clock.monotonic() >= began + 60)
    assert len(stage.source.ran) == 6


def test_config_update_period_asks_the_organization_again(stage: RouterStage) -> None:
    """Who sends through a provider that lists nobody: everybody whose outgoing email is the router's."""
    ada = stage.user("Ada")
    router = stage.router(stage.smtp(user=ada), system={"ConfigUpdatePeriod": 600_000})
    router.run_due()
    assert router.instances()[0].mailbox == ada.address
    stage.user("Ben")
    stage.pass_time(540)
    router.run_due()
    assert router.instances()[0].mailbox == ada.address
    stage.pass_time(60)
    router.run_due()
    assert router.instances()[0].mailbox == "2 mailboxes"


def test_config_update_period_zero_asks_once(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    router = stage.router(stage.smtp(user=ada), system={"ConfigUpdatePeriod": 0})
    router.run_due()
    stage.user("Ben")
    stage.pass_time(1_000_000)
    router.run_due()
    assert router.instances()[0].mailbox == ada.address


@pytest.mark.parametrize(
    ("level", "found"),
    [(0, set()), (1, {"run.failed"}), (2, {"run.failed", "run.ended"}), (3, {"run.failed", "run.ended", "provider.event"})],
)
def test_the_log_level_says_what_the_trace_file_holds(stage: RouterStage, tmp_path: Path, level: int, found: set[str]) -> None:
    from postroom.errors import ServerTimeout

    ada, ben = stage.user("Ada"), stage.user("Ben")
    stage.source.items["a"] = [mail("one", ada.address)]

    def fail(_: Any) -> None:
        raise ServerTimeout("slow")

    stage.source.before["b"] = fail
    log = tmp_path / "trace.log"
    router = stage.router(stage.feed(ada, "a"), stage.feed(ben, "b"), system={"LogLevel": level, "LogFile": log})
    router.run_due()
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    interesting = {"run.failed", "run.ended", "provider.event"}
    assert {row["event"] for row in rows} & interesting == found
    assert all(row["at"].endswith("+00:00") for row in rows)


def test_levels_of_2008(stage: RouterStage, tmp_path: Path) -> None:
    log = tmp_path / "trace.log"
    router = stage.router(stage.feed(stage.user("Ada")), system={"LogLevelScale": "2008", "LogFile": log})
    router.run_due()
    assert log.read_text() == ""  # 1, normal: nothing went wrong


def test_another_log_file_counts_at_once(stage: RouterStage, tmp_path: Path) -> None:
    ada, log = stage.user("Ada"), tmp_path / "other.log"
    router = stage.router(stage.feed(ada))
    router.run_due()
    stage.write(stage.feed(ada), LogLevel=2, LogFile=log)
    router.reload()
    stage.pass_time(60)
    router.run_due()
    assert "run.ended" in log.read_text()


def test_a_log_file_that_cannot_be_written_stops_nothing(stage: RouterStage, tmp_path: Path) -> None:
    router = stage.router(stage.feed(stage.user("Ada")), system={"LogLevel": 3, "LogFile": tmp_path / "none" / "trace.log"})
    assert len(router.run_due()) == 1
    assert "router.log_file" in [one.event for one in router.events.latest]


# -- ProviderConfiguration ----------------------------------------------------------------------------------------------


def test_the_polling_period_is_between_two_runs(stage: RouterStage) -> None:
    router = stage.router(stage.feed(stage.user("Ada"), PollingPeriod=25_000))
    router.run_due()
    assert due_in(stage) == 25.0
    stage.pass_time(24)
    assert router.run_due() == []
    stage.pass_time(1)
    assert len(router.run_due()) == 1


def test_max_message_count_bounds_one_run(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    stage.source.items["feed"] = [mail(f"m{number}", ada.address) for number in range(7)]
    router = stage.router(stage.feed(ada, MaxMessageCount=3))
    assert [report.outcome.processed for report in router.run_due() if report.outcome] == [3, 3, 1]


def test_connection_timeout_is_the_longest_wait(stage: RouterStage) -> None:
    router = stage.router(stage.feed(stage.user("Ada"), ConnectionTimeout=4500))
    router.run_due()
    assert stage.source.contexts[0].timeout == 4.5


def test_message_expiry_ignores_older_mail_and_leaves_it(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    stage.scene.mail("carl@birch.test", ada.address, "old")
    stage.pass_time(7200)
    stage.scene.mail("carl@birch.test", ada.address, "new")
    router = stage.router(stage.pop3(ada, MessageExpiry=3_600_000, DeleteEmails="true"))
    router.run_due()
    assert stage.subjects() == ["new"]
    left = [stage.scene.world.store.octets(item.uid) for item in stage.scene.inbox(ada.address)]
    assert [b"Subject: old" in octets for octets in left] == [True]


def test_is_forward_mailbox_must_be_what_the_record_says(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    router = stage.router(stage.feed(ada, IsForwardMailbox="true"))
    router.run_due()
    assert router.instances()[0].state == "stopped"
    assert "is not a forward mailbox" in router.instances()[0].why


def test_target_is_the_address_of_the_mailbox_where_nobody_is_listed(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    stage.source.items["feed"] = [mail("one", ada.address)]
    router = stage.router(stage.feed(Target="ADA@alder.test"))
    router.run_due()
    assert (stage.subjects(), router.instances()[0].mailbox) == (["one"], ada.address)


def test_an_inbound_provider_has_an_instance_for_each_that_it_lists(stage: RouterStage) -> None:
    ada, desk = stage.user("Ada"), stage.scene.queue("Desk", "desk@alder.test")
    stage.organization.approve_email(SYSTEM, desk.mailbox)
    router = stage.router(stage.feed(UserId=ada.id, QueueId=desk.id))
    router.run_due()
    assert [one.mailbox for one in router.instances()] == [ada.address, desk.address]
    assert len({one.identity for one in router.instances()}) == 2
    assert [env.mailbox for env in stage.source.environments] == [ada.address, desk.address]


def test_several_from_one_account_that_is_emptied_is_refused(stage: RouterStage) -> None:
    ada, ben = stage.user("Ada"), stage.user("Ben")
    router = stage.router(stage.pop3(ada, UserId=[ada.id, ben.id], DeleteEmails="true"))
    router.run_due()
    assert [one.state for one in router.instances()] == ["broken", "broken"]
    assert "DeleteEmails" in router.instances()[0].why


def test_overrides_apply_to_every_provider(stage: RouterStage) -> None:
    ada, ben = stage.user("Ada"), stage.user("Ben")
    text = "<PollingPeriod>11000</PollingPeriod>"
    router = stage.router(stage.feed(ada, "a"), stage.feed(ben, "b", PollingPeriod=5000), system={"ProviderOverrides": text})
    router.run_due()
    assert [due_in(stage, number) for number in (0, 1)] == [11.0, 5.0]


# -- sending ------------------------------------------------------------------------------------------------------------


def refuse_for_now(stage: RouterStage) -> None:
    stage.scene.world.faults.add(Fault(When("smtp", "RCPT"), Reply("451", "4.3.0 later")))


def email(stage: RouterStage, subject: str) -> Any:
    return stage.scene.emails(subject)[0]


def test_pending_status_delay_is_before_the_next_try(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    refuse_for_now(stage)
    router = stage.router(stage.smtp(ada, PendingStatusDelay=900_000))
    stage.scene.send("Ada", ["carl@birch.test"], "Good day")
    router.run_due()
    now = stage.scene.world.clock.now()
    assert (email(stage, "Good day").statuscode, email(stage, "Good day").deliveryattempts) == (EmailStatus.PENDING_SEND, 1)
    assert email(stage, "Good day").postponeemailprocessinguntil - now == timedelta(seconds=900)


def test_maximum_delivery_attempts_ends_in_failure(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    refuse_for_now(stage)
    router = stage.router(stage.smtp(ada, PendingStatusDelay=1000, MaximumDeliveryAttempts=3))
    stage.scene.send("Ada", ["carl@birch.test"], "Good day")
    for _ in range(4):
        router.run_due()
        stage.pass_time(3600)
    assert (email(stage, "Good day").statuscode, email(stage, "Good day").deliveryattempts) == (EmailStatus.FAILED, 3)


def lost_in_the_middle(stage: RouterStage, router: Any) -> None:
    """A run that ends between the claim and the report, and a process that ends with it."""
    from postroom.organization import GatewayBinding, Operation, router_service

    box = stage.scene.people["Ada"].mailbox
    begun = router_service.begin(stage.organization, box, Operation.OUTGOING, "here/1")
    assert begun.fence is not None
    stage.organization.gateway(GatewayBinding(box, begun.fence.instance, begun.fence, Operation.OUTGOING)).claim_outgoing(5)
    stage.organization.end_run(box, begun.fence)


def test_sending_status_delay_is_before_an_email_without_a_result_is_looked_at(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    router = stage.router(stage.smtp(ada, SendingStatusDelay=1_200_000))
    stage.scene.send("Ada", ["carl@birch.test"], "Good day")
    lost_in_the_middle(stage, router)
    assert email(stage, "Good day").statuscode == EmailStatus.SENDING
    for _ in range(19):
        router.run_due()
        assert email(stage, "Good day").statuscode == EmailStatus.SENDING
        stage.pass_time(60)
    stage.pass_time(61)
    router.run_due()
    assert email(stage, "Good day").statuscode == EmailStatus.SENT


@pytest.mark.parametrize(("batch", "each", "order"), [(2, 1, "abcabca"), (1, 2, "aabbcca"), (5, 5, "aaabbcc")])
def test_batch_sizes_say_whose_turn_it_is(stage: RouterStage, batch: int, each: int, order: str) -> None:
    """BatchSize senders at a time, RequestBatchSize emails each; who had a turn comes last."""
    parties = sorted((stage.user(name) for name in ("Ada", "Ben", "Cay")), key=lambda party: party.mailbox)
    router = stage.router(stage.smtp(*parties, BatchSize=batch, RequestBatchSize=each))
    for party, count in zip(parties, (3, 2, 2), strict=True):
        for number in range(count):
            stage.scene.send(party.name, ["carl@birch.test"], f"{party.name} {number}")
    router.run_due()
    letters = {party.name: letter for party, letter in zip(parties, "abc", strict=True)}
    sent = [octets.partition(b"Subject: ")[2].partition(b" ")[0].decode() for octets in stage.scene.received("carl@birch.test")]
    assert "".join(letters[name] for name in sent) == order


def test_max_message_count_bounds_what_is_claimed(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    router = stage.router(stage.smtp(ada, MaxMessageCount=2))
    for number in range(5):
        stage.scene.send("Ada", ["carl@birch.test"], f"letter {number}")
    assert [report.outcome.delivered for report in router.run_due() if report.outcome] == [2, 2, 1]


# -- what has no effect -------------------------------------------------------------------------------------------------

VALUES: dict[str, Callable[[], Any]] = {
    "MoveEmails": lambda: "true",
    "DeliverLoopLimit": lambda: 3,
    "CacheCapacity": lambda: 2048,
    "EWSRetrieveMessageCount": lambda: 5,
}


@pytest.mark.parametrize("name", NOT_APPLIED)
def test_what_cannot_be_applied_is_told(stage: RouterStage, name: str) -> None:
    ada = stage.user("Ada")
    router = stage.router(stage.pop3(ada, **{name: VALUES[name]()}))
    _, problems = validate(stage.path)
    assert [problem.path.rpartition("/")[2] for problem in problems] == [name]
    assert not problems[0].error
    assert any(name in one.text for one in router.events.latest if one.event == "router.file_warning")


def test_move_emails_false_is_no_problem(stage: RouterStage) -> None:
    stage.write(stage.pop3(stage.user("Ada"), MoveEmails="false"))
    assert validate(stage.path)[1] == []


def test_an_organization_that_is_not_there(stage: RouterStage) -> None:
    ada = stage.user("Ada")
    router = stage.router(stage.feed(ada, CrmServerUrl="https://crm.example.com/other"), provider("feed", FeedUrl="b"))
    assert [one.state for one in router.instances()] == ["broken", "broken"]
    assert "CrmServerUrl" in router.instances()[0].why
