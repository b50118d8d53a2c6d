"""Reports of delivery, point by point: RFC 3461 (who is told what) and RFC 3464 (what a report is made of)."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from postroom_simulator import World
from postroom_simulator.actors import Bounce, DelayNotice

ANN, BOB = "ann@sim.test", "bob@sim.test"
TEXT = "Subject: hello\r\nMessage-ID: <1@sim.test>\r\n\r\nHow are you?\r\n"


@pytest.fixture
def world() -> World:
    world = World(seed=3)
    world.add_account(ANN)
    world.add_account(BOB)
    world.smtp.settings.trace = False
    return world


def submit(world: World, *recipients: str, mail: str = "", sender: str = BOB) -> None:
    """By SMTP: `recipients` with their parameters behind the address, `mail`: parameters of MAIL."""
    lines = [
        "EHLO me",
        f"MAIL FROM:<{sender}> {mail}",
        *(f"RCPT TO:<{who.replace(' ', '> ', 1)}" + ("" if " " in who else ">") for who in recipients),
    ]
    with world.connect("smtp") as client:
        client.sendall(("\r\n".join([*lines, "DATA", TEXT + ".", "QUIT"]) + "\r\n").encode())
        said = b""
        while octets := client.recv(4096):
            said += octets
    assert b"250 2.6.0" in said, said


def reports(world: World) -> list[EmailMessage]:
    world.clock.advance(hours=24)
    return [message_from_bytes(octets, policy=policy.SMTP) for octets in world.inbox(BOB)]  # type: ignore[arg-type]


def blocks(report: EmailMessage) -> list[dict[str, str]]:
    return [dict(block.items()) for block in report.get_payload()[1].get_payload()]  # type: ignore[index,union-attr]


def actions(world: World) -> list[str]:
    return [block["Action"] for report in reports(world) for block in blocks(report)[1:]]


class TestWhoIsTold:
    """RFC 3461 §4.1, §5.2."""

    @pytest.mark.parametrize(
        ("notify", "told"), [("", []), (" NOTIFY=SUCCESS", ["delivered"]), (" NOTIFY=NEVER", []), (" NOTIFY=FAILURE", [])]
    )
    def test_of_a_delivery(self, world: World, notify: str, told: list[str]) -> None:
        submit(world, ANN + notify)
        assert actions(world) == told

    @pytest.mark.parametrize(
        ("notify", "told"), [("", ["failed"]), (" NOTIFY=FAILURE", ["failed"]), (" NOTIFY=NEVER", []), (" NOTIFY=SUCCESS", [])]
    )
    def test_of_a_failure(self, world: World, notify: str, told: list[str]) -> None:
        world.directory.account(ANN).actors[:] = [Bounce(5)]
        submit(world, ANN + notify)
        assert actions(world) == told

    @pytest.mark.parametrize(
        ("notify", "told"), [(" NOTIFY=DELAY", ["delayed"]), (" NOTIFY=NEVER", []), (" NOTIFY=SUCCESS,FAILURE", ["delivered"])]
    )
    def test_of_a_delay(self, world: World, notify: str, told: list[str]) -> None:
        world.directory.account(ANN).actors[:] = [DelayNotice(60, 120)]
        submit(world, ANN + notify)
        assert actions(world) == told

    def test_of_mail_that_goes_where_no_reports_come_from(self, world: World) -> None:
        """§5.2.2: relayed."""
        submit(world, "x@far.test NOTIFY=SUCCESS")
        assert actions(world) == ["relayed"]

    def test_of_a_list(self, world: World) -> None:
        """§5.2.7.3: expanded."""
        world.add_group("team@sim.test", [ANN, "x@far.test"])
        submit(world, "team@sim.test NOTIFY=SUCCESS")
        assert actions(world) == ["expanded"]

    def test_nobody_where_nobody_sent_it(self, world: World) -> None:
        """§6.2, RFC 5321 §6.1: no report about what came from the empty sender."""
        world.directory.account(ANN).actors[:] = [Bounce(5)]
        submit(world, f"{ANN} NOTIFY=SUCCESS,FAILURE,DELAY", sender="")
        world.clock.advance(hours=1)
        assert world.inbox(BOB) == []
        assert list(world.store.outbound()) == []


class TestTheEnvelope:
    def test_reports_come_from_nobody_and_go_to_the_sender(self, world: World) -> None:
        """RFC 3461 §6.1; RFC 3464 §2."""
        submit(world, f"{ANN} NOTIFY=SUCCESS")
        (report,) = reports(world)
        (entry,) = world.journal.deliveries(account=BOB)
        assert (entry.data["sender"], entry.data["recipient"]) == ("", BOB)
        assert (str(report["To"]), "@" in str(report["From"])) == (BOB, True)

    @pytest.mark.parametrize(("mail", "whole"), [("RET=FULL", True), ("RET=HDRS", False)])
    def test_what_comes_back_with_a_failure(self, world: World, mail: str, whole: bool) -> None:
        """RFC 3461 §6.2."""
        world.directory.account(ANN).actors[:] = [Bounce(5)]
        submit(world, ANN, mail=mail)
        (report,) = reports(world)
        assert (b"How are you" in bytes(report)) is whole

    def test_a_good_report_brings_back_the_head_only(self, world: World) -> None:
        """RFC 3461 §6.2, whatever RET says."""
        submit(world, f"{ANN} NOTIFY=SUCCESS", mail="RET=FULL")
        (report,) = reports(world)
        assert report.get_payload()[2].get_content_type() == "text/rfc822-headers"  # type: ignore[index,union-attr]


class TestTheForm:
    """RFC 3464 §2."""

    @pytest.fixture
    def report(self, world: World) -> EmailMessage:
        world.directory.account(ANN).actors[:] = [Bounce(5)]
        submit(world, f"{ANN} NOTIFY=FAILURE ORCPT=rfc822;Ann+2BAlt@Old.test", mail="ENVID=QQ+2B314159")
        (report,) = reports(world)
        return report

    def test_three_parts_for_people_programs_and_the_record(self, report: EmailMessage) -> None:
        assert report.get_content_type() == "multipart/report"
        assert report.get_param("report-type") == "delivery-status"
        kinds = [part.get_content_type() for part in report.get_payload()]  # type: ignore[union-attr]
        assert kinds == ["text/plain", "message/delivery-status", "message/rfc822"]
        assert report["MIME-Version"] == "1.0"

    def test_the_status_is_ascii_in_blocks(self, report: EmailMessage) -> None:
        status = report.get_payload()[1]  # type: ignore[index]
        assert status["Content-Transfer-Encoding"] in (None, "7bit")  # type: ignore[index]
        assert bytes(status).isascii()  # type: ignore[arg-type]
        assert len(blocks(report)) == 2

    def test_the_fields_that_have_to_be_there(self, report: EmailMessage) -> None:
        """§2.2.2, §2.3.2 to §2.3.4."""
        message, recipient = blocks(report)
        assert re.fullmatch(r"dns; \S+", message["Reporting-MTA"])
        assert recipient["Final-Recipient"] == f"rfc822; {ANN}"
        assert recipient["Action"] == "failed"
        assert re.fullmatch(r"5\.\d{1,3}\.\d{1,3}", recipient["Status"])
        assert recipient["Diagnostic-Code"].startswith("smtp; 550 5.1.1")

    def test_the_fields_that_are_given_back(self, report: EmailMessage) -> None:
        """§2.2.1, §2.3.1; RFC 3461 §6.3: as they were, out of xtext; only what was given."""
        message, recipient = blocks(report)
        assert message["Original-Envelope-Id"] == "QQ+314159"
        assert recipient["Original-Recipient"] == "rfc822;Ann+Alt@Old.test"

    def test_what_was_not_given_is_not_there(self, world: World) -> None:
        submit(world, f"{ANN} NOTIFY=SUCCESS")
        (report,) = reports(world)
        message, recipient = blocks(report)
        assert "Original-Envelope-Id" not in message
        assert "Original-Recipient" not in recipient

    def test_until_when_is_told_of_delays_only(self, world: World) -> None:
        """§2.3.9."""
        world.directory.account(ANN).actors[:] = [DelayNotice(60, 120)]
        submit(world, f"{ANN} NOTIFY=DELAY,SUCCESS")
        delayed, delivered = reports(world)
        assert "Will-Retry-Until" in blocks(delayed)[1]
        assert "Will-Retry-Until" not in blocks(delivered)[1]

    def test_each_recipient_has_a_block(self, world: World) -> None:
        submit(world, f"{ANN} NOTIFY=SUCCESS", "x@far.test NOTIFY=SUCCESS")
        told = [(block["Final-Recipient"], block["Action"]) for report in reports(world) for block in blocks(report)[1:]]
        assert told == [(f"rfc822; {ANN}", "delivered"), ("rfc822; x@far.test", "relayed")]
