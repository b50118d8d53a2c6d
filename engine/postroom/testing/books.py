"""The books: what the simulator offered against what the engine's ledger says became of it.

In pairs of message and monitored place, at the end of anything:

    offered   = tracked + filtered (with a reason) + parked + withdrawn (a test took it away)
                + pending (with a reason: before the watermark, mailbox skipped, not yet due)
    requested = sent + failed + pending + uncertain, each sent recipient with exactly one delivery, an uncertain one with at most one
    nothing was deleted at the source before it was saved
    nobody got mail that nobody asked for
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from postroom.errors import PostroomError
from postroom.model import Mailbox
from postroom.organization import SYSTEM, Operation, Organization
from postroom.organization.books import Books, IncomingRow, OutgoingRow
from postroom_simulator import World
from postroom_simulator.journal import Entry, Kind
from postroom_simulator.pop3.maildrop import uidl_of

__all__ = ["Balance", "BooksDoNotBalance", "Incoming", "balance", "check_books"]


class BooksDoNotBalance(PostroomError, AssertionError):
    """The text lists every row that has no counterpart."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One pair of message and monitored place, and what became of it."""

    account: str
    uid: int
    subject: str
    outcome: str
    reason: str = ""
    email_id: str = ""


@dataclass(slots=True)
class Balance:
    """The books, counted. `problems` is empty when they balance."""

    incoming: list[Incoming] = field(default_factory=list)
    outgoing: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @property
    def balanced(self) -> bool:
        return not self.problems

    def counts(self) -> Counter[str]:
        """Incoming pairs by outcome."""
        return Counter(row.outcome for row in self.incoming)

    def __str__(self) -> str:
        counts = self.counts()
        came = " + ".join(f"{counts[o]} {o}" for o in ("tracked", "filtered", "parked", "withdrawn", "pending") if counts[o])
        went = " + ".join(f"{self.outgoing[o]} {o}" for o in ("sent", "failed", "pending", "uncertain") if self.outgoing[o])
        lines = [f"offered {len(self.incoming)} = {came or '0'}", f"requested {sum(self.outgoing.values())} = {went or '0'}"]
        return "\n".join(lines + [f"  {problem}" for problem in self.problems])


def check_books(world: World, *organizations: Organization) -> Balance:
    """Raises BooksDoNotBalance with every row that has no counterpart; else the balance."""
    found = balance(world, *organizations)
    if not found.balanced:
        raise BooksDoNotBalance(f"the books do not balance (seed {world.ids.seed}):\n{found}")
    return found


def balance(world: World, *organizations: Organization) -> Balance:
    """Compare the world's journal with the ledgers of the organizations that it served."""
    result = Balance()
    deliveries = list(world.journal.entries(kind=Kind.DELIVERY))
    removals = {entry.data["uid"]: entry for entry in world.journal.entries(kind=Kind.REMOVED)}
    for organization in organizations:
        books = organization.books()
        _incoming(result, world, organization, books, deliveries, removals)
        _outgoing(result, books, deliveries)
        _unasked(result, organization, books, deliveries)
    return result


# -- incoming ---------------------------------------------------------------------------------------------------------


def _incoming(
    result: Balance,
    world: World,
    organization: Organization,
    books: Books,
    deliveries: Iterable[Entry],
    removals: Mapping[int, Entry],
) -> None:
    places = {
        box.emailaddress.casefold(): box
        for box in organization.retrieve_multiple(SYSTEM, "mailbox")
        if box.emailaddress and _monitored(box)
    }
    by_key: dict[tuple[str, str], list[IncomingRow]] = {}
    for row in books.incoming:
        by_key.setdefault((row.mailbox_id, row.source_key), []).append(row)
        by_key.setdefault((row.mailbox_id, row.digest), []).append(row)
    for entry in deliveries:
        box = places.get((entry.account or "").casefold())
        if box is None or entry.data.get("folder") != "inbox":
            continue
        uid, digest = entry.data["uid"], entry.data["digest"]
        rows = by_key.get((box.mailboxid, uidl_of(uid, digest)), []) or by_key.get(
            (box.mailboxid, entry.data.get("wire_digest", "")), []
        )
        removal = removals.get(uid)
        pair = _pair(organization, box, entry, rows, removal)
        result.incoming.append(pair)
        if pair.outcome == "lost":
            result.problems.append(f"lost: {pair.account} uid {uid} {pair.subject!r}: {pair.reason}")
        _saved_before_removed(result, pair, rows, removal)


def _monitored(box: Mailbox) -> bool:
    return box.incomingemaildeliverymethod == 2 or bool(box.isforwardmailbox)


_RANK = ("tracked", "parked", "filtered", "pending")


def _pair(organization: Organization, box: Mailbox, entry: Entry, rows: list[IncomingRow], removal: Entry | None) -> Incoming:
    uid, account, subject = entry.data["uid"], entry.account or "", entry.data.get("subject", "")
    for outcome in _RANK:
        for row in rows:
            if row.disposition == outcome:
                return Incoming(account, uid, row.subject or subject, outcome, row.reason, row.email_id or "")
    if removal is not None and not removal.connection:
        return Incoming(account, uid, subject, "withdrawn", removal.detail)
    why = _why_pending(organization, box, entry.at)
    return Incoming(account, uid, subject, "pending" if why else "lost", why or "eligible, polled since, and in no ledger")


def _why_pending(organization: Organization, box: Mailbox, arrived: datetime) -> str:
    """Why a message has no row yet; empty when it ought to have one."""
    reasons = organization.explain_mailbox(box.mailboxid, Operation.INCOMING)
    if reasons:
        return "mailbox skipped: " + "; ".join(str(reason) for reason in reasons)
    last = box.lastsuccessfulsynccompletedon
    if last is None or last <= arrived:
        return "not yet due: no successful poll since it arrived"
    if box.itemsfailedforlastsync:
        return f"{box.itemsfailedforlastsync} item(s) of the last poll failed and will be tried again"
    return ""


def _saved_before_removed(result: Balance, pair: Incoming, rows: list[IncomingRow], removal: Entry | None) -> None:
    if removal is None or not removal.connection:
        return
    if not any(row.at <= removal.at for row in rows):
        result.problems.append(f"deleted at the source before it was saved: {pair.account} uid {pair.uid} {pair.subject!r}")


# -- outgoing ---------------------------------------------------------------------------------------------------------


def _outgoing(result: Balance, books: Books, deliveries: Iterable[Entry]) -> None:
    arrived: Counter[tuple[str, str]] = Counter()
    for entry in deliveries:
        if entry.protocol == "smtp":
            arrived[entry.data.get("message_id", ""), str(entry.data.get("recipient", "")).casefold()] += 1
    for row in books.outgoing:
        mark = row.outcome
        result.outgoing[mark] += 1
        for recipient in row.recipients:
            _recipient(
                result, row, recipient.address, recipient.accepted, arrived[row.message_id, recipient.address.casefold()]
            )


def _recipient(result: Balance, row: OutgoingRow, address: str, accepted: bool | None, copies: int) -> None:
    what = f"{row.kind} {row.message_id} to {address}"
    if row.outcome == "sent" and accepted and copies != 1:
        result.problems.append(f"sent, but delivered {copies} times: {what}")
    elif row.outcome == "uncertain" and copies > 1:
        result.problems.append(f"uncertain, but delivered {copies} times: {what}")
    elif (row.outcome in {"failed", "pending"} or accepted is False) and copies:
        result.problems.append(f"{row.outcome if accepted is not False else 'refused'}, but delivered {copies} times: {what}")


def _unasked(result: Balance, organization: Organization, books: Books, deliveries: Iterable[Entry]) -> None:
    """Mail submitted in the name of one of the organization's mailboxes, to somebody it was not meant for."""
    ours = {(box.emailaddress or "").casefold() for box in organization.retrieve_multiple(SYSTEM, "mailbox")} - {""}
    asked = {(row.message_id, recipient.address.casefold()) for row in books.outgoing for recipient in row.recipients}
    for entry in deliveries:
        if entry.protocol != "smtp" or str(entry.data.get("sender", "")).casefold() not in ours:
            continue
        if (entry.data.get("message_id", ""), str(entry.data.get("recipient", "")).casefold()) not in asked:
            result.problems.append(f"nobody asked for: {entry.data.get('message_id')} to {entry.data.get('recipient')}")
