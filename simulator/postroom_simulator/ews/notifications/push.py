"""Push subscriptions: the server posts to the client (ews reference 14; MS-OXWSPSNTIF 3.1.4).

Only loopback is called, and hosts that the service's settings name. Posts go out at the end of the delivery or the request that is their cause;
else when the world's desk does its work: as the clock moves, at `World.tick`, and by the loop of servers that listen.
"""

from __future__ import annotations

import http.client
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from postroom_simulator.ews.call import success
from postroom_simulator.ews.codec import NAMESPACES, write
from postroom_simulator.ews.envelope import parse_xml, wrap
from postroom_simulator.ews.errors import EwsError, Fault
from postroom_simulator.ews.notifications.events import write_watermark
from postroom_simulator.ews.notifications.subscriptions import PAGE, Subscription, notification
from postroom_simulator.ews.versions import Version
from postroom_simulator.journal import Kind
from postroom_simulator.net.hosts import is_loopback

if TYPE_CHECKING:
    from postroom_simulator.ews.service import EwsService

__all__ = ["PUSH_TIMEOUT", "Pushing", "check_url", "post"]

PUSH_TIMEOUT = 2.0
"""Seconds in which a client has to take a post: it holds the world up (our choice)."""
ANSWER_LIMIT = 64 * 1024
PAUSES = (30.0, 60.0, 120.0, 240.0, 480.0)
"""Seconds between tries of a post that was not taken; behind the last the subscription ends (our choice of numbers)."""


def check_url(url: str, allowed: AbstractSet[str]) -> None:
    """Raises EwsError ErrorInvalidPushSubscriptionUrl."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise EwsError("ErrorInvalidPushSubscriptionUrl") from None
    if parts.scheme not in ("http", "https") or not (host in allowed or is_loopback(host)):
        raise EwsError("ErrorInvalidPushSubscriptionUrl", "Only loopback and hosts that were set up are called.")


def post(url: str, body: bytes) -> bytes:
    """The answer's body. Raises OSError, http.client.HTTPException."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=PUSH_TIMEOUT)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '"SendNotification"'}
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        octets = answer.read(ANSWER_LIMIT)
        if answer.status != 200:
            raise OSError(f"the client answered with {answer.status}")
        return octets
    finally:
        connection.close()


class Pushing:
    """The posts of one subscription. `frequency`: seconds between status events when nothing else is said."""

    def __init__(self, service: EwsService, subscription: Subscription, url: str, frequency: float, caller: str = "") -> None:
        self._service = service
        self._one = subscription
        self._url = url
        self._frequency = frequency
        self._caller = caller
        self._tries = 0
        self._asked = self._pausing = False
        self._turn = 0
        subscription.push = self
        self._status_later()

    def wake(self) -> None:
        """There may be something to tell."""
        if not (self._asked or self._pausing):
            self._asked = True
            self._service.subscriptions.woken.append(self)
            self._service.world.desk.later(0.0, f"push to {self._url}", self.tell)

    def tell(self) -> None:
        """Post what there is, unless that was done since `wake`."""
        if self._asked:
            self._tell()

    def _status_later(self) -> None:
        self._turn += 1
        turn = self._turn
        self._service.world.desk.later(self._frequency, f"status for {self._url}", lambda: self._status(turn))

    def _status(self, turn: int) -> None:
        if turn == self._turn and not self._pausing:
            self._tell(status=True)

    def _tell(self, *, status: bool = False) -> None:
        self._asked = False
        subscriptions = self._service.subscriptions
        while subscriptions.is_open(self._one):
            events = subscriptions.pending(self._one, self._one.known)
            if not (events or status):
                return
            page, more = events[:PAGE], len(events) > PAGE
            newest = page[-1].number if page else subscriptions.newest
            if not self._post(page, newest, more=more):
                return
            self._one.known = newest
            status = False
            self._status_later()

    def _post(self, page: list[Any], newest: int, *, more: bool) -> bool:
        """Whether it was taken."""
        value = notification(self._one, page, write_watermark(self._one.known), more=more, newest=newest)
        message = ("SendNotificationResponseMessage", success(Notification=value))
        body = write("SendNotification", "SendNotificationResponseType", {"ResponseMessages": [message]}, max(Version))
        try:
            status = _status_in(self._service.post_notification(self._url, wrap(body, self._service.server)))
        except (OSError, http.client.HTTPException, Fault) as problem:
            self._failed(problem)
            return False
        self._tries = 0
        self._note(status)
        if status != "OK":
            self._service.subscriptions.close(self._one)
        return status == "OK"

    def _failed(self, problem: Exception) -> None:
        self._note(f"not taken: {type(problem).__name__}")
        if self._tries == len(PAUSES):
            self._service.subscriptions.close(self._one)
            return
        self._pausing = True
        self._service.world.desk.later(PAUSES[self._tries], f"push to {self._url} again", self._again)
        self._tries += 1

    def _again(self) -> None:
        self._pausing = False
        self._tell(status=True)

    def _note(self, detail: str) -> None:
        self._service.world.journal.add(Kind.NOTE, account=self._one.account, detail=f"push to {self._url}: {detail}")


def _status_in(octets: bytes) -> str:
    """OK or Unsubscribe. Raises Fault for what is no XML, OSError for an answer that says neither."""
    found = parse_xml(octets).find(f".//{{{NAMESPACES['m']}}}SubscriptionStatus")
    text = (found.text or "").strip() if found is not None else ""
    if text not in ("OK", "Unsubscribe"):
        raise OSError("the client's answer has no SubscriptionStatus")
    return text
