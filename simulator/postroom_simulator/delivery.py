"""The one place where mail enters and leaves mailboxes: recipients resolved, quota, rules, the outbound drawer, journal."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING

from postroom_simulator.directory import Account, Group, fold
from postroom_simulator.errors import StoreError
from postroom_simulator.headers import head_end, message_id_of, subject_of
from postroom_simulator.journal import Kind
from postroom_simulator.rules import Letter, Verdict, judge, write
from postroom_simulator.store.contents import with_line_ends
from postroom_simulator.store.interface import Folder, Item, Outbound, Role

if TYPE_CHECKING:
    from postroom_simulator.world import World

__all__ = ["DRAWER", "Delivery", "Outcome", "RecipientStatus", "deliver", "place", "recipient_status", "withdraw"]

DRAWER = "drawer"
"""What the journal calls the outbound drawer where it names a folder."""

MAX_SENT_ON = 100
"""Messages that rules may write because of one delivery (our choice): many accounts that forward to each other would otherwise
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

    @property
    def taken(self) -> bool:
        """Whether the message lies somewhere now."""
        return self in (Outcome.DELIVERED, Outcome.DRAWER)


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
    """A message on its way. `rule` names what wrote it, "" for one that came from outside."""

    sender: str
    recipients: tuple[str, ...]
    octets: bytes
    protocol: str = ""
    connection: str = ""
    rule: str = ""

    known: dict[str, str] | None = None

    def facts(self) -> dict[str, str]:
        """Subject and Message-ID, read once for all recipients."""
        if self.known is None:
            head = self.octets[: head_end(self.octets)]
            self.known = {"subject": subject_of(head), "message_id": message_id_of(head)}
        return self.known

    def wire_digest(self, item: Item) -> str:
        """SHA-256 of the octets as a client of a line protocol has them: every line ended by CR LF, unstuffed."""
        if item.wire_size == item.size:
            return item.digest
        known = self.facts()
        if "wire" not in known:
            known["wire"] = sha256(with_line_ends(self.octets)).hexdigest()
        return known["wire"]


def deliver(
    world: World, sender: str, recipients: Iterable[str], octets: bytes, *, protocol: str = "", connection: str = ""
) -> list[Delivery]:
    """Put a message, octet for octet, where its recipients want it.

    Each account gets one copy, however many of its addresses and groups are named; all unknown recipients share one message in
    the drawer. Disabled accounts and full mailboxes refuse it for themselves only. What rules send on is delivered too, in the same
    call, and shows in the journal, not in the answer.
    """
    with world.lock:
        jobs = deque([_Job(sender, tuple(recipients), bytes(octets), protocol, connection)])
        outcome: list[Delivery] | None = None
        written = 0
        while jobs:
            job = jobs.popleft()
            done, more = _carry_out(world, job)
            outcome = done if outcome is None else outcome
            if written + len(more) > MAX_SENT_ON:
                world.journal.add(Kind.NOTE, detail=f"rules wrote {MAX_SENT_ON} messages because of one: no more are sent on")
                more = more[: MAX_SENT_ON - written]
            written += len(more)
            jobs += more
        return outcome or []


def recipient_status(world: World, address: str, size: int = 0) -> RecipientStatus:
    """What would become of a message of `size` octets (0: unknown). Changes nothing. Groups are always fine."""
    entry = world.directory.resolve(address)
    if entry is None:
        return RecipientStatus.OUTSIDE
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
    folder: str | Role = Role.INBOX,
    received: datetime | None = None,
    read: bool = False,
    sender: str = "",
) -> Item:
    """Put a message into a mailbox without rules, as an import does, and journal it. `folder` is a role or a name (made where it is
    missing). Raises UnknownAccount, QuotaExceeded."""
    with world.lock:
        account = world.directory.account(address)
        target = find_folder(world, account, folder)
        item = world.store.deposit(account.address, octets, folder=target.uid, received=received, read=read)
        _journal(world, _Job(sender, (address,), octets), account.address, item, (address,), _named(target))
        return item


def withdraw(world: World, uid: int, *, to: str | Role | None = None, reason: str = "test") -> None:
    """Take an item out of its mailbox for good, or move it to another folder of it, and journal that. Raises NoSuchItem."""
    with world.lock:
        item = world.store.item(uid)
        folder = _named(world.store.folder_by_uid(item.folder))
        data = {"uid": uid, "folder": folder, "digest": item.digest, "reason": reason}
        if to is None:
            world.store.delete([uid])
        else:
            target = find_folder(world, world.directory.account(item.account), to)
            if target.uid == item.folder:
                return
            world.store.move(uid, target.uid)
            data["to"] = _named(target)
        world.journal.add(Kind.REMOVED, account=item.account, detail=f"{folder} {uid}", data=data)


def find_folder(world: World, account: Account, wanted: str | Role) -> Folder:
    """A folder by role or name (case folded); a name that is missing becomes a folder beside the Inbox (our choice)."""
    folders = world.store.folders(account.address)
    name = str(wanted).casefold()
    for folder in folders:
        if folder.role and folder.role.value == name:
            return folder
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
    return done + (_post(world, job, outside) if outside else []), more


def _expand(world: World, recipients: Iterable[str]) -> list[_Letterbox]:
    """Letterboxes in order of first mention, each once; each group is walked once, so circles end."""
    boxes: dict[str, _Letterbox] = {}
    for recipient in recipients:
        walked: set[str] = set()
        waiting = deque([recipient])
        while waiting:
            address = waiting.popleft()
            entry = world.directory.resolve(address)
            if isinstance(entry, Group):
                if fold(entry.address) not in walked:
                    walked.add(fold(entry.address))
                    waiting.extendleft(reversed(entry.members))
                continue
            key = fold(entry.address if entry is not None else address)
            box = boxes.setdefault(key, _Letterbox(entry, address))
            if recipient not in box.recipients:
                box.recipients.append(recipient)
    return list(boxes.values())


def _deliver_to(world: World, job: _Job, account: Account, recipients: tuple[str, ...]) -> tuple[Delivery, list[_Job]]:
    recipient = recipients[0]
    if account.disabled:
        return Delivery(recipient, Outcome.DISABLED, recipients, account.address, detail="the account is disabled"), []
    letter = Letter(job.octets) if account.rules else None
    verdict = judge(account.rules, letter) if letter else Verdict()
    try:
        item, folder = _deposit(world, account, job.octets, verdict)
    except StoreError as error:  # over quota, or the disk is full
        return Delivery(recipient, Outcome.OVER_QUOTA, recipients, account.address, detail=str(error)), []
    _journal(world, job, account.address, item, recipients, folder)
    if verdict.delete:
        data = {"uid": item.uid, "folder": str(Role.INBOX), "to": folder, "digest": item.digest, "reason": "rule"}
        world.journal.add(Kind.REMOVED, account=account.address, detail=verdict.moved_by, data=data)
    sent_on = _send_on(world, job, account, letter, verdict) if letter and verdict.forwards else []
    return Delivery(recipient, Outcome.DELIVERED, recipients, account.address, item.uid, folder), sent_on


def _deposit(world: World, account: Account, octets: bytes, verdict: Verdict) -> tuple[Item, str]:
    target = _target(world, account, verdict)
    if target is not None:
        return world.store.deposit(account.address, octets, folder=target.uid, read=verdict.read), _named(target)
    return world.store.deposit(account.address, octets, read=verdict.read), Role.INBOX.value


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


def _send_on(world: World, job: _Job, account: Account, letter: Letter, verdict: Verdict) -> list[_Job]:
    if not letter.may_pass(account):
        world.journal.add(
            Kind.NOTE, account=account.address, detail="a rule would send a message round in a circle: not sent on"
        )
        return []
    jobs = []
    for forward in verdict.forwards:
        octets = write(forward, account, letter, now=world.clock.now(), token=world.ids.token, hostname=world.hostname)
        # A redirected message keeps its sender, so that complaints reach the author.
        sender = job.sender if forward.how == "redirect" else account.address
        jobs.append(_Job(sender, forward.recipients, octets, rule=forward.rule or forward.how))
    return jobs


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
        data["wire_digest"] = job.wire_digest(lies)
    if len(recipients) > 1:
        data["recipients"] = recipients
    if address and address != recipient:
        data["member"] = address  # a group led outside
    if job.rule:
        data["rule"] = job.rule
    world.journal.add(
        Kind.DELIVERY,
        protocol=job.protocol,
        connection=job.connection,
        account=account,
        detail=f"<{job.sender}> to <{recipient}>",
        data=data,
    )


def _named(folder: Folder) -> str:
    """What the journal calls a folder: its role, or its name where it has none."""
    return folder.role.value or folder.name
