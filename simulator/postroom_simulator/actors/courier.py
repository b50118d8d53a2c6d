"""What actors and reports make of mail that arrives. Called by `delivery`, with the world's lock held."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from postroom_simulator.actors.replies import reply_message, why_not
from postroom_simulator.actors.reports import Fate, StatusReport, complaint_report, status_report
from postroom_simulator.actors.values import Actor, AutoReply, Bounce, Complaint, DelayNotice, OutOfOffice
from postroom_simulator.actors.wishes import Notify, Wish, Wishes
from postroom_simulator.directory import Account, Group, canonical
from postroom_simulator.journal import Kind
from postroom_simulator.rules import Letter
from postroom_simulator.store.interface import Role

if TYPE_CHECKING:
    from postroom_simulator.world import World

__all__ = ["Arrival", "Budget", "Mail", "hold", "react", "report"]


@dataclass(frozen=True, slots=True)
class Mail:
    """A message that an actor sends, always from the null sender. `actor` names it in the journal."""

    recipient: str
    octets: bytes
    actor: str


@dataclass(slots=True)
class Budget:
    """How many messages may still be written because of one, at once and later."""

    left: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that came, and what its sender wants to know. `protocol` and `connection` are the journal's."""

    sender: str
    octets: bytes
    at: datetime
    budget: Budget
    wishes: Wishes = field(default_factory=Wishes)
    protocol: str = ""
    connection: str = ""


def report(world: World, arrival: Arrival, fates: Iterable[Fate]) -> list[Mail]:
    """The reports about a message: one for failures, one for delays, one for successes, of those that somebody wants. Nobody is told about
    mail from the null sender (RFC 5321 §6.1)."""
    wanted = [fate for fate in fates if arrival.wishes.of(fate.recipient).wants(_NOTIFY[fate.action])]
    if not arrival.sender or not wanted:
        return []
    mails = []
    for kind in dict.fromkeys(_NOTIFY[fate.action] for fate in wanted):
        same = [
            replace(fate, original=arrival.wishes.of(fate.recipient).original)
            for fate in wanted
            if _NOTIFY[fate.action] is kind
        ]
        told = StatusReport(
            arrival.sender, same, arrival.octets, arrival.at, arrival.wishes.returns, arrival.wishes.envelope_id
        )
        octets = status_report(told, now=world.clock.now(), hostname=world.hostname, token=world.ids.token)
        mails.append(Mail(arrival.sender, octets, f"report of {kind.lower()}"))
    return mails


_NOTIFY = {
    "failed": Notify.FAILURE,
    "delayed": Notify.DELAY,
    "delivered": Notify.SUCCESS,
    "relayed": Notify.SUCCESS,
    "expanded": Notify.SUCCESS,
}


# -- instead of delivery


def hold(world: World, arrival: Arrival, account: Account, recipient: str) -> str | None:
    """Keep a message from the mailbox where an actor wants that: why. None: it is delivered now."""
    bounce = _first(account.actors, Bounce)
    delay = _first(account.actors, DelayNotice)
    if bounce is None and delay is None:
        return None
    arrival = replace(arrival, wishes=for_one(world, arrival.wishes, recipient, account.address))
    address = account.address
    if delay is not None:
        until = arrival.at + timedelta(seconds=bounce.after if bounce is not None else delay.deliver_after)
        fate = Fate(address, "delayed", delay.status, f"{_CODES['4']} {delay.status} {delay.text}", retry_until=until)
        if bounce is None or delay.after < bounce.after:
            _later(world, arrival, delay.after, f"tell <{arrival.sender}> of a delay", lambda: report(world, arrival, [fate]))
    if bounce is not None:
        failed = Fate(address, "failed", bounce.status, f"{_CODES['5']} {bounce.status} {bounce.text}")
        _later(world, arrival, bounce.after, f"bounce to <{arrival.sender}>", lambda: _bounced(world, arrival, failed))
        return f"accepted, bounces in {bounce.after:g} seconds"
    assert delay is not None
    world.desk.later(delay.deliver_after, f"deliver to <{address}>", lambda: _deliver_late(world, arrival, address))
    return f"accepted, is delivered in {delay.deliver_after:g} seconds"


_CODES = {"4": "451", "5": "550"}


def _bounced(world: World, arrival: Arrival, fate: Fate) -> list[Mail]:
    mails = report(world, arrival, [fate])
    if not mails:
        why = "its sender does not want to know" if arrival.sender else "it comes from nobody"
        world.journal.add(Kind.NOTE, account=fate.recipient, detail=f"not bounced: {why}")
    return mails


def _deliver_late(world: World, arrival: Arrival, address: str) -> None:
    """A mailbox that is gone or closed by now fails."""
    from postroom_simulator import delivery

    delivery.deliver_held(world, arrival, address)


def for_one(world: World, wishes: Wishes, recipient: str, address: str) -> Wishes:
    """The wishes for an account that a recipient led to. Of a list only failures and delays are told (RFC 3461 §5.2.7)."""
    wish = wishes.of(recipient)
    if wish.notify is not None and isinstance(world.directory.resolve(recipient), Group):
        wish = Wish(wish.notify - {Notify.SUCCESS}, wish.original)
    return replace(wishes, each={address: wish})


# -- after delivery


def react(world: World, arrival: Arrival, account: Account) -> list[Mail]:
    """What the account's actors say at once to mail that lies in its mailbox now; what they say later is on the desk."""
    letter = Letter(arrival.octets)
    mails: list[Mail] = []
    for actor in tuple(account.actors):
        if isinstance(actor, AutoReply):
            mails += _answer(world, arrival, account, actor, letter)
        elif isinstance(actor, OutOfOffice):
            mails += _answer_while_away(world, arrival, account, actor, letter)
        elif isinstance(actor, Complaint):
            mails += _complain(world, arrival, account, actor, letter)
    return mails


def _answer(world: World, arrival: Arrival, account: Account, reply: AutoReply, letter: Letter) -> list[Mail]:
    now, sender = world.clock.now(), canonical(arrival.sender)
    mailbox = canonical(account.address)
    why = why_not(reply, account, letter, arrival.sender, world.desk.answered(mailbox, sender), now)
    if why:
        world.journal.add(Kind.NOTE, account=account.address, detail=f"no automatic reply: {why}")
        return []
    world.desk.note_answer(mailbox, sender, now)

    def write() -> list[Mail]:
        octets = reply_message(
            reply, account, letter, arrival.sender, now=world.clock.now(), hostname=world.hostname, token=world.ids.token
        )
        return [Mail(arrival.sender, octets, "automatic reply")]

    return _now_or_later(world, arrival, reply.after, f"automatic reply to <{arrival.sender}>", write)


def _answer_while_away(world: World, arrival: Arrival, account: Account, settings: OutOfOffice, letter: Letter) -> list[Mail]:
    """Whoever has an address here, or in a domain of somebody here, is inside (our choice)."""
    if not settings.away(world.clock.now()):
        return []
    inside = world.directory.is_local(arrival.sender.rpartition("@")[2])
    known = settings.audience == "Known" and not inside and knows(world, account, arrival.sender)
    reply = settings.reply(inside=inside, known=known)
    if reply is None:
        world.journal.add(Kind.NOTE, account=account.address, detail="no automatic reply: its sender is to have none")
        return []
    return _answer(world, arrival, account, reply, letter)


def knows(world: World, account: Account, address: str) -> bool:
    """Whether one of the account's contacts has the address."""
    wanted = canonical(address)
    contacts = world.store.folder(canonical(account.address), Role.CONTACTS)
    for item in world.store.items(contacts.uid):
        entries = ((item.properties or {}).get("EmailAddresses") or {}).get("Entry", ())
        if any(canonical(entry.get("", "")) == wanted for entry in entries):
            return True
    return False


def _complain(world: World, arrival: Arrival, account: Account, complaint: Complaint, letter: Letter) -> list[Mail]:
    if not _concerns(complaint, arrival, letter):
        return []
    to = complaint.to or f"abuse@{arrival.sender.rpartition('@')[2]}"

    def write() -> list[Mail]:
        octets = complaint_report(
            arrival.octets,
            reporter=account.address,
            to=to,
            sender=arrival.sender,
            kind=complaint.kind,
            arrived=arrival.at,
            now=world.clock.now(),
            hostname=world.hostname,
            token=world.ids.token,
        )
        return [Mail(to, octets, "complaint")]

    return _now_or_later(world, arrival, complaint.after, f"complaint to <{to}>", write)


def _concerns(complaint: Complaint, arrival: Arrival, letter: Letter) -> bool:
    """Never about automatic mail: two such accounts would go on for ever."""
    if not arrival.sender or letter.header("Auto-Submitted").partition(";")[0].strip().lower() not in ("", "no"):
        return False
    pairs = ((complaint.sender_contains, arrival.sender), (complaint.subject_contains, letter.header("Subject")))
    return all(part is None or part.casefold() in text.casefold() for part, text in pairs)


def _now_or_later(world: World, arrival: Arrival, seconds: float, what: str, write: Callable[[], list[Mail]]) -> list[Mail]:
    if not seconds:
        return write()
    _later(world, arrival, seconds, what, write)
    return []


def _later(world: World, arrival: Arrival, seconds: float, what: str, write: Callable[[], list[Mail]]) -> None:
    from postroom_simulator import delivery

    def send() -> None:
        for mail in write():
            delivery.deliver(world, "", [mail.recipient], mail.octets, actor=mail.actor, budget=arrival.budget)

    world.desk.later(seconds, what, send)


_T = TypeVar("_T")


def _first(actors: Iterable[Actor], kind: type[_T]) -> _T | None:
    return next((actor for actor in actors if isinstance(actor, kind)), None)
