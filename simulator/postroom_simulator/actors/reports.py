"""Writing multipart/report messages (RFC 6522): delivery status (RFC 3464, RFC 6533) and abuse (RFC 5965). Pure but for the token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Literal

from postroom_simulator.actors.wishes import Returns
from postroom_simulator.compose import entity, field_lines, multipart
from postroom_simulator.headers import head_end, message_id_of

__all__ = ["Action", "Fate", "StatusReport", "complaint_report", "status_report"]

Action = Literal["failed", "delayed", "delivered", "relayed", "expanded"]

RETURNED = 64 * 1024
"""Octets up to which a message comes back whole with a failure where RET does not say (RFC 3461 §4.3 leaves it open; our choice)."""

TITLES = {
    "failed": "Undelivered mail returned to sender",
    "delayed": "Delayed mail (still being retried)",
    "delivered": "Successful mail delivery report",
    "relayed": "Successful mail delivery report",
    "expanded": "Successful mail delivery report",
}
SENTENCES = {
    "failed": "could not be delivered",
    "delayed": "has not been delivered yet; nothing needs to be done, it will be tried again",
    "delivered": "was delivered",
    "relayed": "was passed on to a system that sends no reports of its own",
    "expanded": "was passed on to all members of a list",
}


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a message for one recipient. `original` is of ORCPT ("rfc822;ann@sim.test"), `retry_until` of a delay."""

    recipient: str
    action: Action
    status: str
    diagnostic: str = ""
    original: str = ""
    retry_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class StatusReport:
    """All that a report of delivery tells. The fates are of one kind: failed, delayed, or good."""

    to: str
    fates: Sequence[Fate]
    octets: bytes
    arrived: datetime
    returns: Returns = ""
    envelope_id: str = ""


def status_report(report: StatusReport, *, now: datetime, hostname: str, token: Callable[[int], str]) -> bytes:
    """The message. Where an address is other than ASCII it is of the internationalized kind (RFC 6533)."""
    wide = not all(fate.recipient.isascii() and fate.original.isascii() for fate in report.fates)
    first = report.fates[0]
    human = ["This is the mail system at host " + hostname + ".", ""]
    human += [f"Your message for <{fate.recipient}> {SENTENCES[fate.action]}." for fate in report.fates]
    human += [f"<{fate.recipient}>: {fate.diagnostic}" for fate in report.fates if fate.diagnostic]
    blocks = [_about_the_message(report, hostname), *(_about_a_recipient(fate, now, wide=wide) for fate in report.fates)]
    kind = "message/global-delivery-status" if wide else "message/delivery-status"
    status = entity([("Content-Type", kind), *_encoding(b"\xff" if wide else b"")], b"\r\n".join(blocks))
    whole = first.action == "failed" and (report.returns == "FULL" or (not report.returns and len(report.octets) <= RETURNED))
    return _report(
        [
            ("From", f"Mail Delivery System <MAILER-DAEMON@{hostname}>"),
            ("To", report.to),
            ("Subject", TITLES[first.action]),
            ("Auto-Submitted", "auto-replied"),
            *_answering(report.octets),
        ],
        "delivery-status",
        human,
        [status, _original(report.octets, whole=whole, wide=wide)],
        now=now,
        hostname=hostname,
        token=token,
    )


def complaint_report(
    octets: bytes,
    *,
    reporter: str,
    to: str,
    sender: str,
    kind: str,
    arrived: datetime,
    now: datetime,
    hostname: str,
    token: Callable[[int], str],
) -> bytes:
    """A feedback report (RFC 5965 §3) about `octets`, which `sender` sent and `reporter` got."""
    fields = [
        ("Feedback-Type", kind),
        ("User-Agent", "Postroom-simulator/1"),
        ("Version", "1"),
        ("Original-Mail-From", f"<{sender}>"),
        ("Original-Rcpt-To", f"<{reporter}>"),
        ("Arrival-Date", format_datetime(arrived)),
        ("Reporting-MTA", f"dns; {hostname}"),
        ("Reported-Domain", sender.rpartition("@")[2]),
    ]
    wide = not (sender.isascii() and reporter.isascii())
    human = [f"This is a report about a message that <{reporter}> got from <{sender}>", f"and calls: {kind}."]
    block = entity([("Content-Type", "message/feedback-report"), *_encoding(b"\xff" if wide else b"")], field_lines(fields))
    return _report(
        [
            ("From", f"Feedback loop <feedback@{hostname}>"),
            ("To", to),
            ("Subject", "Complaint about a message"),
            ("Auto-Submitted", "auto-generated"),
        ],
        "feedback-report",
        human,
        [block, _original(octets, whole=True, wide=wide)],
        now=now,
        hostname=hostname,
        token=token,
    )


# -- parts


def _report(
    fields: list[tuple[str, str]],
    kind: str,
    human: Sequence[str],
    parts: Sequence[bytes],
    *,
    now: datetime,
    hostname: str,
    token: Callable[[int], str],
) -> bytes:
    text = "\r\n".join(human).encode("utf-8", "replace") + b"\r\n"
    first = entity([("Content-Type", "text/plain; charset=utf-8"), *_encoding(text)], text)
    boundary = f"=_{token(32)}"
    while any(boundary.encode() in part for part in parts):
        boundary = f"=_{token(32)}"
    body = multipart(boundary, [first, *parts])
    head = [
        ("Date", format_datetime(now)),
        ("Message-ID", f"<{token(24)}@{hostname}>"),
        *fields,
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/report; report-type={kind};\r\n\tboundary="{boundary}"'),
        *_encoding(body),
    ]
    return entity(head, body)


def _about_the_message(report: StatusReport, hostname: str) -> bytes:
    """RFC 3464 §2.2."""
    fields = [("Original-Envelope-Id", report.envelope_id)] if report.envelope_id else []
    return field_lines([*fields, ("Reporting-MTA", f"dns; {hostname}"), ("Arrival-Date", format_datetime(report.arrived))])


def _about_a_recipient(fate: Fate, now: datetime, *, wide: bool) -> bytes:
    """RFC 3464 §2.3."""
    kind = "utf-8" if wide and not fate.recipient.isascii() else "rfc822"
    fields = [("Original-Recipient", fate.original)] if fate.original else []
    fields += [("Final-Recipient", f"{kind}; {fate.recipient}"), ("Action", fate.action), ("Status", fate.status)]
    if fate.diagnostic:
        fields.append(("Diagnostic-Code", f"smtp; {fate.diagnostic}"))
    if fate.action in ("failed", "delayed"):
        fields.append(("Last-Attempt-Date", format_datetime(now)))
    if fate.retry_until is not None:
        fields.append(("Will-Retry-Until", format_datetime(fate.retry_until)))
    return field_lines(fields)


def _original(octets: bytes, *, whole: bool, wide: bool) -> bytes:
    """The message, or its head, exactly as it was."""
    if whole:
        kind = "message/global" if wide else "message/rfc822"
    else:
        kind, octets = "message/global-headers" if wide else "text/rfc822-headers", octets[: head_end(octets)]
    return entity([("Content-Type", kind), *_encoding(octets)], octets)


def _encoding(octets: bytes) -> list[tuple[str, str]]:
    """7bit needs no word (RFC 2045 §6.1)."""
    if b"\0" in octets:
        return [("Content-Transfer-Encoding", "binary")]
    return [] if octets.isascii() else [("Content-Transfer-Encoding", "8bit")]


def _answering(octets: bytes) -> list[tuple[str, str]]:
    """RFC 3834 §3.1.5 for the message that a report is about."""
    about = message_id_of(octets)
    return [("In-Reply-To", about), ("References", about)] if about.isprintable() and about else []
