"""Who wants to know what, and what they were told (ews reference 14; MS-OXWSNTIF 3.1.4)."""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from postroom_simulator.directory import canonical
from postroom_simulator.ews.archive import in_archive
from postroom_simulator.ews.call import Call, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.notifications.events import Event, Log, events_of, parse_watermark, write_watermark
from postroom_simulator.store.interface import Folder, Happening

if TYPE_CHECKING:
    from postroom_simulator.ews.service import EwsService
    from postroom_simulator.ews.stream import Stream
    from postroom_simulator.store.interface import MailStore
    from postroom_simulator.world import World

__all__ = ["PAGE", "Subscription", "Subscriptions", "message_of", "notification"]

PAGE = 50
"""Events that one notification has at most (our choice)."""
STREAM_LIFE = 30 * 60.0
"""Seconds for which a streaming subscription waits for a connection (our choice)."""
REMEMBERED = 1000
"""Subscriptions that ended and are still known as expired."""
Value = dict[str, Any]


@dataclass(slots=True)
class Subscription:
    """kind: pull, push, streaming. account: whose mailbox; owner: who subscribed. folders: uids, None for all. known: the number of the last event
    that was told. life: seconds without a sign after which it ends; `ends` when that is, by the clock's `monotonic()`."""

    id: str
    kind: str
    account: str
    owner: str
    folders: frozenset[int] | None
    elements: frozenset[str]
    known: int
    life: float
    ends: float = 0.0
    stream: Stream | None = None
    push: Any = None
    told: int = field(default=0, repr=False)

    def wants(self, event: Event) -> bool:
        if event.element not in self.elements:
            return False
        return not event.archived if self.folders is None else any(place in self.folders for place in event.places)


class Subscriptions:
    """The subscriptions of one service, and the events for them. Nothing is watched before the first of them."""

    def __init__(self, service: EwsService) -> None:
        self._service = service
        self._held: dict[str, Subscription] = {}
        self._expired: OrderedDict[str, None] = OrderedDict()
        self._logs: dict[str, Log] = {}
        self._number = 0
        self._watching = False

    @property
    def world(self) -> World:
        return self._service.world

    @property
    def newest(self) -> int:
        """The number of the last event."""
        return self._number

    # -- coming and going

    def open(
        self,
        call: Call,
        kind: str,
        account: str,
        folders: frozenset[int] | None,
        elements: frozenset[str],
        life: float,
        watermark: str | None = None,
    ) -> Subscription:
        """Raises EwsError: ErrorInvalidWatermark, ErrorExceededSubscriptionCount."""
        owner = canonical(call.account.address)
        self._sweep()
        call.service.throttling.check_subscriptions(sum(1 for one in self._held.values() if one.owner == owner))
        self._watch(account)
        known = self._number
        if watermark:
            known = parse_watermark(watermark, self._number)
            next(self._logs[account].after(known), None)
        made = Subscription(self._new_id(), kind, account, owner, folders, elements, known, life)
        self._held[made.id] = made
        self.touch(made)
        return made

    def _new_id(self) -> str:
        name = self.world.hostname.encode("utf-8", "replace")[:200]
        return base64.b64encode(bytes([len(name), 0]) + name + b"\x10\0\0\0" + self.world.ids.uuid().bytes_le).decode("ascii")

    def find(self, call: Call, one: str) -> Subscription:
        """Raises EwsError: ErrorSubscriptionNotFound, ErrorExpiredSubscription, ErrorSubscriptionAccessDenied."""
        self._sweep()
        found = self._held.get(one)
        if found is None:
            raise EwsError("ErrorExpiredSubscription" if one in self._expired else "ErrorSubscriptionNotFound")
        if found.owner != canonical(call.account.address):
            raise EwsError("ErrorSubscriptionAccessDenied")
        return found

    def is_open(self, one: Subscription) -> bool:
        return self._held.get(one.id) is one

    def close(self, one: Subscription) -> None:
        self._held.pop(one.id, None)
        if one.stream is not None:
            one.stream.end()

    def touch(self, one: Subscription) -> None:
        """A sign of life."""
        one.ends = self.world.clock.monotonic() + one.life

    def _sweep(self) -> None:
        now = self.world.clock.monotonic()
        for one in [one for one in self._held.values() if one.ends < now and one.stream is None and one.kind != "push"]:
            del self._held[one.id]
            self._expired[one.id] = None
            while len(self._expired) > REMEMBERED:
                self._expired.popitem(last=False)

    # -- what happens

    def _watch(self, account: str) -> None:
        if account not in self._logs:
            self.world.store.complete(account)
            self._logs[account] = Log(self._number)
        if not self._watching:
            self._watching = True
            self.world.store.observe(self._happened)

    def _happened(self, happening: Happening) -> None:
        """With the store's lock held."""
        store = self.world.store
        accounts = {happening.folder.account}
        if happening.item is not None and happening.old_folder:
            accounts |= {store.folder_by_uid(happening.old_folder).account}
        logs = [(account, self._logs[account]) for account in accounts if account in self._logs]
        if not logs:
            return
        for _, element, places, value in events_of(store, happening, self.world.clock.now()):
            self._number += 1
            event = Event(
                self._number, element, places, value, all(_is_archived(store, happening.folder, one) for one in places)
            )
            for _, log in logs:
                log.add(event)
        self._tell({account for account, _ in logs})

    def _tell(self, accounts: set[str]) -> None:
        """Those who wait on a line hear it at once. Whoever changes the store without the world's lock has it done a moment later: waiting for
        that lock while holding the store's could last for ever."""
        waiting = [
            one for one in self._held.values() if one.account in accounts and (one.stream is not None or one.push is not None)
        ]
        if not waiting:
            return
        if self.world.lock.acquire(blocking=False):
            try:
                for one in waiting:
                    self.deliver(one)
            finally:
                self.world.lock.release()
            return
        for one in waiting:
            if one.stream is not None:
                one.stream.call_later(0.0, lambda one=one: self.deliver(one))  # type: ignore[misc]

    def deliver(self, one: Subscription) -> None:
        """Send what a streaming subscription was not told yet; let a push subscription know that there is something. With the world's lock held."""
        if one.push is not None:
            one.push.wake()
        while one.stream is not None:
            events = self.pending(one, one.known)
            if not events:
                return
            one.known = events[-1].number
            one.stream.send(message_of(Notifications={"Notification": [notification(one, events)]}))

    def pending(self, one: Subscription, since: int) -> list[Event]:
        """The first of the events that it wants, a page of them and one more. Raises EwsError ErrorInvalidWatermark."""
        found = []
        for event in self._logs[one.account].after(since):
            if one.wants(event):
                found.append(event)
                if len(found) > PAGE:
                    break
        return found[:PAGE] if one.stream is not None else found


def _is_archived(store: MailStore, folder: Folder, place: int) -> bool:
    """`folder`: what happened in; it may be gone. With the store's lock held."""
    if not store.has_archive(folder.account):
        return False
    return in_archive(store, folder if place == folder.uid else store.folder_by_uid(place))


def notification(one: Subscription, events: list[Event], previous: str = "", *, more: bool = False, newest: int = 0) -> Value:
    """A NotificationType. `previous`: with watermarks, as pull and push have them; then without events there is one StatusEvent."""
    if not previous:
        return {"SubscriptionId": one.id, "": [(event.element, event.value) for event in events]}
    pairs: list[tuple[str, Mapping[str, Any]]] = [
        (event.element, {**event.value, "Watermark": write_watermark(event.number)}) for event in events
    ]
    if not pairs:
        pairs = [("StatusEvent", {"Watermark": write_watermark(newest)})]
    return {"SubscriptionId": one.id, "PreviousWatermark": previous, "MoreEvents": more, "": pairs}


def message_of(**payload: Any) -> Value:
    """One message of a stream."""
    return {"ResponseMessages": [("GetStreamingEventsResponseMessage", success(**payload))]}


def each_id(value: Mapping[str, Any]) -> Iterator[str]:
    """Of an array of subscription ids, each once."""
    yield from dict.fromkeys(value["SubscriptionId"])
