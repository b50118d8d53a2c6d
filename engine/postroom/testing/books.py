"""The books: what the simulator offered against what the engine's ledger says became of it.

In pairs of message and monitored place, at the end of anything:

    offered   = tracked + filtered (with a reason) + parked + withdrawn (a test took it away)
                + pending (with a reason: before the watermark, mailbox skipped, not yet due)
                + forgotten (by retention, long after it had left the source)
    requested = sent + failed + pending + uncertain, each sent recipient with exactly one delivery, an uncertain one with at most one
    nothing was deleted at the source before it was saved
    nobody got mail that nobody asked for
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from postroom.errors import PostroomError
from postroom.model import Mailbox
from postroom.organization import SYSTEM, Operation, Organization
from postroom.organization.books import Books, IncomingEntry, OutgoingEntry, RecipientEntry
from postroom.providers.contract import Disposition
from postroom_simulator import World
from postroom_simulator.journal import Entry, Kind
from postroom_simulator.pop3.maildrop import uidl
from postroom_simulator.store import Item, Role

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
    detail: str = ""
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
        came = " + ".join(
            f"{counts[o]} {o}" for o in ("tracked", "filtered", "parked", "withdrawn", "pending", "forgotten") if counts[o]
        )
        went = " + ".join(
            f"{self.outgoing[o]} {o}" for o in ("sent", "failed", "pending", "uncertain", "canceled") if self.outgoing[o]
        )
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
    seen = _Seen.of(world)
    for organization in organizations:
        books = organization.books()
        _incoming(result, organization, books, deliveries, seen)
        _outgoing(result, books, deliveries)
        _unasked(result, organization, books, deliveries)
    return result


# -- incoming ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the servers noted of each item, by the uid it came with: the unique ids under which it was handed out, and how it left; by
    account: the number of the latest complete look."""

    names: dict[int, set[str]]
    removals: dict[int, Entry]
    looks: dict[str, int]

    @classmethod
    def of(cls, world: World) -> _Seen:
        first: dict[int, int] = {}
        names: dict[int, set[str]] = {}
        for entry in world.journal.entries(kind=Kind.NOTE):
            if "uidl" in entry.data:  # it was asked for, and the server was in trouble
                names.setdefault(first.get(entry.data["uid"], entry.data["uid"]), set()).add(entry.data["uidl"])
            if "before" in entry.data:  # the server gave an item a new unique id, and so another uid
                first[entry.data["uid"]] = first.get(entry.data["before"], entry.data["before"])
        for entry in world.journal.entries(kind=Kind.OFFERED):
            names.setdefault(first.get(entry.data["uid"], entry.data["uid"]), set()).add(entry.data["uidl"])
        for item in _still_there(world):  # what was asked for and refused was never handed out
            names.setdefault(first.get(item.uid, item.uid), set()).add(uidl(item))
        removals = {
            first.get(entry.data["uid"], entry.data["uid"]): entry for entry in world.journal.entries(kind=Kind.REMOVED)
        }
        return cls(names, removals, _looks(world))


def _still_there(world: World) -> Iterator[Item]:
    """Every message in an Inbox."""
    for account in world.directory.accounts():
        yield from world.store.items(world.store.folder(account.address, Role.INBOX).uid)


def _looks(world: World) -> dict[str, int]:
    """By account: the number of the latest listing in a POP3 session that went on to its QUIT."""
    ended = {entry.connection for entry in world.journal.commands("QUIT", protocol="pop3")}
    looks: dict[str, int] = {}
    for verb in ("UIDL", "LIST"):
        for entry in world.journal.commands(verb, protocol="pop3"):
            if entry.connection in ended and entry.account:
                key = entry.account.casefold()
                looks[key] = max(looks.get(key, 0), entry.number)
    return looks


def _incoming(result: Balance, organization: Organization, books: Books, deliveries: Iterable[Entry], seen: _Seen) -> None:
    places = {
        box.emailaddress.casefold(): box
        for box in organization.retrieve_multiple(SYSTEM, "mailbox")
        if box.emailaddress and _monitored(box)
    }
    by_key: dict[tuple[str, str], list[IncomingEntry]] = {}
    for row in books.incoming:
        by_key.setdefault((row.mailbox_id, row.source_key), []).append(row)
        by_key.setdefault((row.mailbox_id, row.digest), []).append(row)
    for entry in deliveries:
        box = places.get((entry.account or "").casefold())
        if box is None or entry.data.get("folder") != "inbox":
            continue
        uid = entry.data["uid"]
        keys = [entry.data["wire_digest"], *sorted(seen.names.get(uid, ()))]
        rows = [row for key in keys for row in by_key.get((box.mailboxid, key), [])]
        removal = seen.removals.get(uid)
        pair = _pair(organization, box, entry, rows, seen, books.left_before)
        result.incoming.append(pair)
        if pair.outcome == "lost":
            result.problems.append(f"lost: {pair.account} uid {uid} {pair.subject!r}: {pair.reason}")
        if pair.outcome != "forgotten":
            _saved_before_removed(result, pair, rows, removal)


def _monitored(box: Mailbox) -> bool:
    return box.incomingemaildeliverymethod == 2 or bool(box.isforwardmailbox)


_RANK = (
    (Disposition.TRACKED, "tracked"),
    (Disposition.PARKED, "parked"),
    (Disposition.FILTERED, "filtered"),
    ("pending", "pending"),
    ("failing", "pending"),
)


def _pair(
    organization: Organization,
    box: Mailbox,
    entry: Entry,
    rows: list[IncomingEntry],
    seen: _Seen,
    left_before: datetime | None,
) -> Incoming:
    uid, account, subject = entry.data["uid"], entry.account or "", entry.data["subject"]
    for disposition, outcome in _RANK:
        for row in rows:
            if row.disposition == disposition:
                reason = (row.detail if outcome in {"pending", "parked"} else "") or row.reason or row.detail
                return Incoming(account, uid, row.subject or subject, outcome, reason, row.detail, row.email_id or "")
    removal = seen.removals.get(uid)
    if removal is not None and not removal.connection:
        return Incoming(account, uid, subject, "withdrawn", removal.detail)
    if removal is not None and left_before is not None and removal.at < left_before:
        return Incoming(account, uid, subject, "forgotten", "it left the server long ago")
    why = _why_pending(organization, box, entry, seen)
    return Incoming(
        account,
        uid,
        subject,
        "pending" if why else "lost",
        why or "the mailbox was looked through since, and no ledger knows it",
    )


def _why_pending(organization: Organization, box: Mailbox, entry: Entry, seen: _Seen) -> str:
    """Why a message has no row yet; empty when it ought to have one. Being postponed explains nothing that was there at the last look."""
    if seen.looks.get((entry.account or "").casefold(), 0) > entry.number:
        return ""
    reasons = organization.explain_mailbox(box.mailboxid, Operation.INCOMING)
    lasting = [reason.text for reason in reasons if reason.until is None]
    if lasting:
        return "mailbox skipped: " + "; ".join(lasting)
    return "not yet due: the mailbox was not looked through since it arrived"


def _saved_before_removed(result: Balance, pair: Incoming, rows: list[IncomingEntry], removal: Entry | None) -> None:
    if removal is None or not removal.connection:
        return
    if not any(row.at <= removal.at for row in rows):
        result.problems.append(f"deleted at the source before it was saved: {pair.account} uid {pair.uid} {pair.subject!r}")


# -- outgoing ---------------------------------------------------------------------------------------------------------


OUTCOMES = {
    "pending": "pending",
    "claimed": "pending",
    "submitting": "uncertain",
    "sent": "sent",
    "failed": "failed",
    "uncertain": "uncertain",
    "canceled": "canceled",
}
"""The ledger's marks as the books count them: what was claimed and not submitted still waits; what was being submitted when the run died is
uncertain; what was canceled is not asked for any more."""


def _outgoing(result: Balance, books: Books, deliveries: Iterable[Entry]) -> None:
    arrived: Counter[tuple[str, str]] = Counter()
    for entry in deliveries:
        if entry.protocol == "smtp":
            for recipient in _recipients(entry):
                arrived[entry.data["message_id"], recipient] += 1
    for row in books.outgoing:
        outcome = OUTCOMES[row.mark]
        result.outgoing[outcome] += 1
        for one in row.recipients:
            _recipient(result, row, outcome, one, arrived[row.message_id, one.address.casefold()])


def _recipients(entry: Entry) -> list[str]:
    """Everybody this delivery was for, folded: one mailbox may have been named by several addresses, or through a group."""
    return [str(recipient).casefold() for recipient in entry.data.get("recipients", (entry.data["recipient"],))]


def _recipient(result: Balance, row: OutgoingEntry, outcome: str, one: RecipientEntry, copies: int) -> None:
    what = f"{row.kind} {row.message_id} to {one.address}"
    if one.accepted:  # whatever became of the others, and whether or not they are tried again
        if copies != 1:
            result.problems.append(f"sent, but delivered {copies} times: {what}")
    elif outcome == "uncertain" and copies > 1:
        result.problems.append(f"uncertain, but delivered {copies} times: {what}")
    elif copies and (outcome in {"failed", "pending", "canceled"} or one.accepted is False):
        result.problems.append(f"{'refused' if one.accepted is False else outcome}, but delivered {copies} times: {what}")


def _unasked(result: Balance, organization: Organization, books: Books, deliveries: Iterable[Entry]) -> None:
    """Mail submitted in the name of one of the organization's mailboxes, to somebody it was not meant for."""
    ours = {(box.emailaddress or "").casefold() for box in organization.retrieve_multiple(SYSTEM, "mailbox")} - {""}
    asked = {(row.message_id, recipient.address.casefold()) for row in books.outgoing for recipient in row.recipients}
    for entry in deliveries:
        if entry.protocol != "smtp" or str(entry.data.get("sender", "")).casefold() not in ours:
            continue
        if books.settled_before is not None and entry.at < books.settled_before:
            continue
        for recipient in _recipients(entry):
            if (entry.data["message_id"], recipient) not in asked:
                result.problems.append(f"nobody asked for: {entry.data['message_id']} to {recipient}")
