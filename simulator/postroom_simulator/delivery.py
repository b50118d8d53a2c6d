"""The one place where mail enters and leaves mailboxes: recipients resolved, quota, rules, the outbound drawer, journal."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from postroom_simulator.actors.courier import Arrival, Budget, Mail, hold, react, report
from postroom_simulator.actors.reports import Action, Fate
from postroom_simulator.actors.wishes import NEVER, Wish, Wishes
from postroom_simulator.conversation_actions import with_conversation
from postroom_simulator.directory import Account, Group, canonical, is_postmaster
from postroom_simulator.errors import NoSuchFolder, StoreError, WorldError
from postroom_simulator.headers import head_end, message_id_of, subject_of
from postroom_simulator.item_classes import report_class
from postroom_simulator.journal import Kind
from postroom_simulator.junk import is_junk
from postroom_simulator.rule_replies import answers
from postroom_simulator.rules import Letter, Verdict, judge, write
from postroom_simulator.store.contents import with_line_ends
from postroom_simulator.store.interface import Folder, Item, Outbound, Role

if TYPE_CHECKING:
    from postroom_simulator.ews.calendar.assistant import Received
    from postroom_simulator.world import World

__all__ = ["DRAWER", "Delivery", "Outcome", "RecipientStatus", "deliver", "place", "recipient_status", "withdraw"]

DRAWER = "drawer"
"""What the journal calls the outbound drawer where it names a folder."""

_CALENDAR_PART = re.compile(rb"text/calendar", re.IGNORECASE)
_LOOKED_AT = 262_144
"""Octets of a message in which a calendar part has to begin (our choice)."""

MAX_SENT_ON = 100
"""Messages that rules and actors may write because of one, at once and when it was held (our choice): many accounts that forward to each other would otherwise
write a message for every way through them."""


class RecipientStatus(StrEnum):
    """What would become of mail for an address."""

    OK = "ok"  # an account or group takes it
    OUTSIDE = "outside"  # nobody here: the outbound drawer takes it
    DISABLED = "disabled"
    OVER_QUOTA = "over-quota"


class Outcome(StrEnum):
    """What became of a message for one recipient."""

    DELIVERED = "delivered"
    DRAWER = "drawer"
    DISABLED = "disabled"
    OVER_QUOTA = "over-quota"  # no room: in the mailbox, or on the disk
    HELD = "held"  # accepted, and kept by an actor of the account: it is delivered later, or bounced

    @property
    def taken(self) -> bool:
        """Whether the message lies somewhere now."""
        return self in (Outcome.DELIVERED, Outcome.DRAWER, Outcome.HELD)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message for one account or outside address.

    recipient   as in the envelope; the first of them where several lead to the same account
    recipients  all of the envelope that lead here
    account     primary address, None for the drawer
    uid         of the item, or in the drawer; None when it was refused
    folder      role or name of the folder, "drawer", or "" when it was refused
    """

    recipient: str
    outcome: Outcome
    recipients: tuple[str, ...] = ()
    account: str | None = None
    uid: int | None = None
    folder: str = ""
    detail: str = ""


@dataclass(slots=True)
class _Letterbox:
    """Where one copy goes: an account or an outside address, and the envelope's recipients that led there."""

    account: Account | None
    address: str
    recipients: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Job:
    """A message on its way. `rule` or `actor` names what wrote it, "" for one that came from outside; `wishes` None: nobody is told what
    becomes of it; `held`: it has waited already; `placed`: it was put there, and not sent by anybody."""

    sender: str
    recipients: tuple[str, ...]
    octets: bytes
    protocol: str = ""
    connection: str = ""
    rule: str = ""
    actor: str = ""
    wishes: Wishes | None = None
    held: bool = False
    placed: bool = False
    budget: Budget = field(default_factory=lambda: Budget(MAX_SENT_ON))

    known: dict[str, str] | None = None

    def facts(self) -> dict[str, str]:
        """Subject and Message-ID, read once for all recipients."""
        if self.known is None:
            head = self.octets[: head_end(self.octets)]
            self.known = {"subject": subject_of(head), "message_id": message_id_of(head)}
        return self.known

    def delivered(self, world: World) -> bytes:
        """What a mailbox gets: with a line that says who sent it, where that is wanted."""
        if self.placed or not world.smtp.settings.return_path:
            return self.octets
        return f"Return-Path: <{self.sender}>\r\n".encode("utf-8", "replace") + self.octets

    def wire_digest(self, world: World, item: Item) -> str:
        """SHA-256 of the octets as a client of a line protocol has them: every line ended by CR LF, unstuffed."""
        if item.wire_size == item.size:
            return item.digest
        known = self.facts()
        if "wire" not in known:
            known["wire"] = sha256(with_line_ends(self.delivered(world))).hexdigest()
        return known["wire"]


def deliver(
    world: World,
    sender: str,
    recipients: Iterable[str],
    octets: bytes,
    *,
    protocol: str = "",
    connection: str = "",
    wishes: Wishes | None = None,
    actor: str = "",
    budget: Budget | None = None,
) -> list[Delivery]:
    """Put a message, octet for octet, where its recipients want it.

    Each account gets one copy, however many of its addresses and groups are named; all unknown recipients share one message in
    the drawer. Disabled accounts and full mailboxes refuse it for themselves only. What rules send on is delivered too, in the same
    call, and shows in the journal, not in the answer; so are the reports that `wishes` ask for (None: none at all) and what actors answer
    at once. `actor` names in the journal what wrote the message, `budget` is what it leaves to be written (None: it begins anew).
    """
    with world.lock:
        world.desk.tick()
        job = _Job(sender, tuple(recipients), bytes(octets), protocol, connection, actor=actor, wishes=wishes)
        job.budget = budget or job.budget
        return _deliver(world, job)


def deliver_held(world: World, arrival: Arrival, address: str) -> None:
    """Deliver what an actor has kept: without asking such actors again. Whatever fails now is reported."""
    with world.lock:
        job = _Job(
            arrival.sender,
            (address,),
            arrival.octets,
            arrival.protocol,
            arrival.connection,
            wishes=arrival.wishes,
            held=True,
            budget=arrival.budget,
        )
        _deliver(world, job)


def _deliver(world: World, first: _Job) -> list[Delivery]:
    """A message, and all that is written because of it."""
    jobs = deque([first])
    outcome: list[Delivery] | None = None
    while jobs:
        job = jobs.popleft()
        done, more = _carry_out(world, job)
        outcome = done if outcome is None else outcome
        budget = first.budget
        if len(more) > budget.left:
            world.journal.add(Kind.NOTE, detail=f"rules wrote {MAX_SENT_ON} messages because of one: no more are sent on")
            more = more[: budget.left]
        budget.left -= len(more)
        for each in more:
            each.budget = budget
        jobs += more
    return outcome or []


def recipient_status(world: World, address: str, size: int = 0) -> RecipientStatus:
    """What would become of a message of `size` octets (0: unknown). Changes nothing. Groups are always fine."""
    entry = world.directory.resolve(address)
    if entry is None:
        return RecipientStatus.OK if _is_open(world, address) else RecipientStatus.OUTSIDE
    if isinstance(entry, Group):
        return RecipientStatus.OK
    if entry.disabled:
        return RecipientStatus.DISABLED
    quota = world.store.quota(entry.address)
    if quota is not None and world.store.used(entry.address) + max(size, 1) > quota:
        return RecipientStatus.OVER_QUOTA
    return RecipientStatus.OK


def place(
    world: World,
    address: str,
    octets: bytes,
    *,
    folder: str | Role | int = Role.INBOX,
    received: datetime | None = None,
    read: bool = False,
    sender: str = "",
) -> Item:
    """Put a message into a mailbox without rules, as an import does, and journal it. `folder` is a role, a name (made where it is
    missing), or a uid. Raises UnknownAccount, QuotaExceeded, NoSuchFolder."""
    with world.lock:
        account = world.directory.account(address)
        target = world.store.folder_by_uid(folder) if isinstance(folder, int) else find_folder(world, account, folder)
        item = world.store.deposit(
            account.address,
            octets,
            folder=target.uid,
            received=received,
            read=read,
            item_class=report_class(octets) or "IPM.Note",
        )
        _journal(world, _Job(sender, (address,), octets, placed=True), account.address, item, (address,), _named(target))
        return item


def withdraw(world: World, uid: int, *, to: str | Role | None = None, reason: str = "test") -> int | None:
    """Take an item out of its mailbox for good, or move it to another folder of it, and journal that. The uid that it has then. Raises
    NoSuchItem."""
    with world.lock:
        item = world.store.item(uid)
        folder = _named(world.store.folder_by_uid(item.folder))
        data = {"uid": uid, "folder": folder, "digest": item.digest, "reason": reason}
        now = None
        if to is None:
            world.store.delete([uid])
        else:
            target = find_folder(world, world.directory.account(item.account), to)
            if target.uid == item.folder:
                return uid
            now = world.store.move(uid, target.uid).uid
            data["to"] = _named(target)
        world.journal.add(Kind.REMOVED, account=item.account, detail=f"{folder} {uid}", data=data)
        return now


def find_folder(world: World, account: Account, wanted: str | int | Role) -> Folder:
    """A folder by role or name (case folded); a name that is missing becomes a folder beside the Inbox (our choice). By uid: raises
    NoSuchFolder where it is gone, or another's."""
    if isinstance(wanted, int):
        folder = world.store.folder_by_uid(wanted)
        if folder.account != canonical(account.address):
            raise NoSuchFolder(f"folder {wanted} does not belong to {account.address!r}")
        return folder
    folders = world.store.folders(account.address)
    name = str(wanted).casefold()
    role = next((one for one in Role if one and one.value == name), None)
    if role is not None:
        try:
            return world.store.folder(account.address, role)
        except NoSuchFolder:  # of an archive that the account does not have
            pass
    for folder in folders:
        if folder.name.casefold() == name:
            return folder
    return world.store.create_folder(world.store.folder(account.address, Role.TOP).uid, str(wanted))


# -- inside, with the world's lock held


def _carry_out(world: World, job: _Job) -> tuple[list[Delivery], list[_Job]]:
    done: list[Delivery] = []
    more: list[_Job] = []
    outside: list[_Letterbox] = []
    for box in _expand(world, job.recipients):
        if box.account is None:
            outside.append(box)
            continue
        delivery, sent_on = _deliver_to(world, job, box.account, tuple(box.recipients))
        done.append(delivery)
        more += sent_on
    done += _post(world, job, outside) if outside else []
    if job.wishes is not None and job.sender and not _all_went_as_expected(job.wishes, done):
        more += _letters(report(world, _arrival(world, job), _fates(world, job, done)))
    return done, more


def _all_went_as_expected(wishes: Wishes, done: list[Delivery]) -> bool:
    """Whether every recipient has the message, and nobody asked to be told of that: the usual case, in which there is no report."""
    for delivery in done:
        if delivery.outcome is not Outcome.DELIVERED and delivery.outcome is not Outcome.DRAWER:
            return False
    for wish in wishes.each.values():
        if wish.notify is not None:
            return False
    return wishes.other.notify is None


def _arrival(world: World, job: _Job) -> Arrival:
    return Arrival(job.sender, job.octets, world.clock.now(), job.budget, job.wishes or Wishes(), job.protocol, job.connection)


def _letters(mails: Iterable[Mail]) -> list[_Job]:
    return [_Job("", (mail.recipient,), mail.octets, actor=mail.actor) for mail in mails]


_FATES: dict[Outcome, tuple[Action, str, str]] = {
    Outcome.DELIVERED: ("delivered", "2.0.0", ""),
    Outcome.DRAWER: ("relayed", "2.0.0", ""),
    Outcome.DISABLED: ("failed", "5.2.1", "550 5.2.1 mailbox disabled"),
    Outcome.OVER_QUOTA: ("failed", "5.2.2", "552 5.2.2 mailbox full"),
}


def _fates(world: World, job: _Job, done: list[Delivery]) -> list[Fate]:
    """What can be told of each recipient by now. When nobody at all got a message, its client is told by the reply."""
    told = [delivery for delivery in done if delivery.outcome in _FATES]
    if not (job.rule or job.held or any(delivery.outcome.taken for delivery in done)):
        return []
    fates: dict[tuple[str, str], Fate] = {}
    for delivery in told:
        action, status, diagnostic = _FATES[delivery.outcome]
        for recipient in delivery.recipients:
            list_of_many = action in ("delivered", "relayed") and isinstance(world.directory.resolve(recipient), Group)
            fate = Fate(recipient, "expanded" if list_of_many else action, status, diagnostic)
            fates.setdefault((recipient, fate.action), fate)
    return list(fates.values())


def _expand(world: World, recipients: Iterable[str]) -> list[_Letterbox]:
    """Letterboxes in order of first mention, each once; each group is walked once, so circles end."""
    boxes: dict[str, _Letterbox] = {}
    for recipient in recipients:
        walked: set[str] = set()
        waiting = deque([recipient])
        while waiting:
            address = waiting.popleft()
            entry = world.directory.resolve(address) or _newcomer(world, address)
            if isinstance(entry, Group):
                if canonical(entry.address) not in walked:
                    walked.add(canonical(entry.address))
                    waiting.extendleft(reversed(entry.members))
                continue
            key = canonical(entry.address if entry is not None else address)
            box = boxes.setdefault(key, _Letterbox(entry, address))
            if recipient not in box.recipients:
                box.recipients.append(recipient)
    return list(boxes.values())


def _is_open(world: World, address: str) -> bool:
    """Whether mail for somebody unknown makes a mailbox."""
    if not world.open_domains:
        return False
    domain = canonical(address).rpartition("@")[2]
    return bool(domain) and ("*" in world.open_domains or domain in world.open_domains)


def _newcomer(world: World, address: str) -> Account | None:
    """An account for somebody unknown in an open domain, without the subaddress (RFC 5233); None for all others."""
    if not _is_open(world, address):
        return None
    local, at, domain = address.rpartition("@")
    try:
        return world.add_account((local.partition("+")[0] or local) + at + domain)
    except WorldError:  # an address that no account can have: to the drawer
        return None


def _deliver_to(world: World, job: _Job, account: Account, recipients: tuple[str, ...]) -> tuple[Delivery, list[_Job]]:
    recipient = recipients[0]
    always = any(map(is_postmaster, recipients))
    if account.disabled and not always:
        return Delivery(recipient, Outcome.DISABLED, recipients, account.address, detail="the account is disabled"), []
    if account.actors and not job.held:
        why = hold(world, _arrival(world, job), account, recipient)
        if why is not None:
            world.journal.add(
                Kind.NOTE, account=account.address, detail=why, data={"sender": job.sender, "recipient": recipient}
            )
            return Delivery(recipient, Outcome.HELD, recipients, account.address, detail=why), []
    letter = Letter(job.octets) if account.rules else None
    verdict = judge(account.rules, letter, account, world.clock.now()) if letter else Verdict()
    if not (verdict.move_to or verdict.delete) and is_junk(world.store, account.address, job.sender, job.octets):
        verdict = replace(verdict, move_to=Role.JUNK.value, moved_by="blocked sender")
    if account.conversations:
        verdict = with_conversation(account, job.octets, verdict)
    meeting = _meeting(world, account, job.octets)
    try:
        item, folder = _deposit(world, account, job.delivered(world), verdict, meeting, always=always)
    except StoreError as error:  # over quota, or the disk is full
        return Delivery(recipient, Outcome.OVER_QUOTA, recipients, account.address, detail=str(error)), []
    _journal(world, job, account.address, item, recipients, folder)
    if meeting is not None and not (verdict.delete or verdict.gone):
        item = meeting.carry_out(world, account, item)
    _after_deposit(world, account, item, verdict)
    if verdict.delete:
        data = {"uid": item.uid, "folder": str(Role.INBOX), "to": folder, "digest": item.digest, "reason": "rule"}
        world.journal.add(Kind.REMOVED, account=account.address, detail=verdict.moved_by, data=data)
    sent_on = _send_on(world, job, account, recipient, letter, verdict) if letter and verdict.forwards else []
    if letter is not None and verdict.replies:
        sent_on += _letters(answers(world, account, letter, job.sender, verdict))
    if account.actors and not (verdict.delete or verdict.gone):
        sent_on += _letters(react(world, _arrival(world, job), account))
    return Delivery(recipient, Outcome.DELIVERED, recipients, account.address, item.uid, folder), sent_on


def _meeting(world: World, account: Account, octets: bytes) -> Received | None:
    """What the message asks a calendar to do; None for all that is no meeting notice."""
    if _CALENDAR_PART.search(octets, 0, _LOOKED_AT) is None:
        return None
    from postroom_simulator.ews.calendar.assistant import look_at  # heavy: most mail is none

    return look_at(world, account, octets)


def _deposit(
    world: World, account: Account, octets: bytes, verdict: Verdict, meeting: Received | None, *, always: bool
) -> tuple[Item, str]:
    """`always`: room is made for it, as mail for Postmaster is never refused (RFC 5321 §4.5.1)."""
    quota = world.store.quota(account.address) if always else None
    if quota is not None:
        world.store.set_quota(account.address, None)
        try:
            return _deposit(world, account, octets, verdict, meeting, always=False)
        finally:
            world.store.set_quota(account.address, quota)
    target = _target(world, account, verdict)
    item = world.store.deposit(
        account.address,
        octets,
        folder=target.uid if target is not None else None,
        read=verdict.read,
        delivered=True,
        item_class=meeting.item_class if meeting is not None else report_class(octets) or "IPM.Note",
        beside=_beside(meeting.beside if meeting is not None else None, verdict),
    )
    return item, _named(target) if target is not None else Role.INBOX.value


def _beside(given: Mapping[str, Any] | None, verdict: Verdict) -> Mapping[str, Any] | None:
    """What rules say of a message beside its octets, in the words of the item's properties."""
    said: dict[str, Any] = dict(given or {})
    if verdict.importance:
        said["Importance"] = verdict.importance
    if verdict.categories:
        said["Categories"] = {"String": list(verdict.categories)}
    return said or None


def _after_deposit(world: World, account: Account, item: Item, verdict: Verdict) -> None:
    """Copies that rules want, and the end of what they delete for good."""
    for wanted in verdict.copies:
        try:
            world.store.copy(item.uid, find_folder(world, account, wanted).uid)
        except StoreError as error:
            world.journal.add(Kind.NOTE, account=account.address, detail=f"a rule copies nothing: {error}")
    if verdict.gone:
        world.store.delete([item.uid])
        data = {"uid": item.uid, "folder": str(Role.INBOX), "digest": item.digest, "reason": "rule"}
        world.journal.add(Kind.REMOVED, account=account.address, detail=verdict.moved_by, data=data)


def _target(world: World, account: Account, verdict: Verdict) -> Folder | None:
    """Where rules want it; None for the Inbox, also when they name a folder that cannot be."""
    if verdict.delete:
        return world.store.folder(account.address, Role.DELETED)
    if not verdict.move_to:
        return None
    try:
        return find_folder(world, account, verdict.move_to)
    except StoreError as error:
        world.journal.add(Kind.NOTE, account=account.address, detail=f"the rule {verdict.moved_by!r} moves nothing: {error}")
        return None


def _send_on(world: World, job: _Job, account: Account, recipient: str, letter: Letter, verdict: Verdict) -> list[_Job]:
    if not letter.may_pass(account):
        world.journal.add(
            Kind.NOTE, account=account.address, detail="a rule would send a message round in a circle: not sent on"
        )
        return []
    jobs = []
    for forward in verdict.forwards:
        octets = write(forward, account, letter, now=world.clock.now(), token=world.ids.token, hostname=world.hostname)
        # A redirected message keeps its sender, so that complaints reach the author. What came from nobody stays from nobody, so
        # that no report is ever written about a report.
        sender = job.sender if forward.how == "redirect" or not job.sender else account.address
        wishes = None if job.wishes is None else Wishes(other=_passed_on(job, recipient))
        jobs.append(_Job(sender, forward.recipients, octets, rule=forward.rule or forward.how, wishes=wishes))
    return jobs


def _passed_on(job: _Job, recipient: str) -> Wish:
    """Who wants to know nothing of a recipient is not told by those it sends mail on to either."""
    wish = job.wishes.of(recipient) if job.wishes is not None else NEVER
    return NEVER if wish.notify == NEVER.notify else Wish()


def _post(world: World, job: _Job, boxes: list[_Letterbox]) -> list[Delivery]:
    """One message in the drawer for all outside addresses; one journal entry for each of them."""
    addresses = tuple(box.address for box in boxes)
    outbound = world.store.post_outbound(job.sender, addresses, job.octets)
    done = []
    for box in boxes:
        recipients = tuple(box.recipients)
        _journal(world, job, None, outbound, recipients, DRAWER, box.address)
        done.append(Delivery(recipients[0], Outcome.DRAWER, recipients, None, outbound.uid, DRAWER))
    return done


def _journal(
    world: World,
    job: _Job,
    account: str | None,
    lies: Item | Outbound,
    recipients: tuple[str, ...],
    folder: str,
    address: str = "",
) -> None:
    recipient = recipients[0]
    facts = job.facts()
    data: dict[str, object] = {
        "uid": lies.uid,
        "sender": job.sender,
        "recipient": recipient,
        "folder": folder,
        "subject": facts["subject"],
        "message_id": facts["message_id"],
        "digest": lies.digest,
    }
    if isinstance(lies, Item):
        data["wire_digest"] = job.wire_digest(world, lies)
    if len(recipients) > 1:
        data["recipients"] = recipients
    if address and address != recipient:
        data["member"] = address  # a group led outside
    if job.rule:
        data["rule"] = job.rule
    if job.actor:
        data["actor"] = job.actor
    detail = f"<{job.sender}> to <{recipient}>"
    world.journal.write(Kind.DELIVERY, job.protocol, job.connection, account, "", detail, data)


def _named(folder: Folder) -> str:
    """What the journal calls a folder: its role, or its name where it has none."""
    return folder.role.value or folder.name
