"""Push subscriptions: the server posts to the client (ews reference 14; MS-OXWSPSNTIF 3.1.4).

Only loopback is called, and hosts that the service's settings name. Posts are errands of the world's desk: they go out, one after the other, when
the delivery or the request that is their cause is done and the world's lock is free, so that the client may ask for what it hears of before it
answers.
"""

from __future__ import annotations

import http.client
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING
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
"""Seconds in which a client has to take a post: it holds others up (our choice)."""
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
            self._service.world.desk.outside(self._tell)

    def _status_later(self) -> None:
        self._turn += 1
        turn = self._turn
        self._service.world.desk.later(self._frequency, f"status for {self._url}", lambda: self._status(turn))

    def _status(self, turn: int) -> None:
        if turn == self._turn and not self._pausing:
            self._service.world.desk.outside(lambda: self._tell(turn))

    def _tell(self, turn: int = 0) -> None:
        """Post what there is; a status where there is nothing, and nothing was said since that `turn`. Without the world's lock."""
        while True:
            with self._service.world.lock:
                self._asked = False
                found = self._next(status=turn == self._turn)
            if found is None:
                return
            newest, body = found
            said: str | Exception
            try:
                said = _status_in(self._service.post_notification(self._url, body))
            except (OSError, http.client.HTTPException, Fault) as problem:
                said = problem
            with self._service.world.lock:
                if not self._heard(said, newest):
                    return

    def _next(self, *, status: bool) -> tuple[int, bytes] | None:
        """What is to be posted, and the number of its last event; None: nothing."""
        subscriptions = self._service.subscriptions
        if self._pausing or not subscriptions.is_open(self._one):
            return None
        events = subscriptions.pending(self._one, self._one.known)
        if not (events or status):
            return None
        page, more = events[:PAGE], len(events) > PAGE
        newest = page[-1].number if page else subscriptions.newest
        value = notification(self._one, page, write_watermark(self._one.known), more=more, newest=newest)
        message = ("SendNotificationResponseMessage", success(Notification=value))
        body = write("SendNotification", "SendNotificationResponseType", {"ResponseMessages": [message]}, max(Version))
        return newest, wrap(body, self._service.server)

    def _heard(self, said: str | Exception, newest: int) -> bool:
        """What became of a post. Whether there may be more of them."""
        if not self._service.subscriptions.is_open(self._one):  # ended meanwhile
            return False
        if isinstance(said, Exception):
            self._failed(said)
            return False
        self._tries = 0
        self._note(said)
        if said != "OK":
            self._service.subscriptions.close(self._one)
            return False
        self._one.known = newest
        self._status_later()
        return True

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
        self._service.world.desk.outside(lambda turn=self._turn: self._tell(turn))  # type: ignore[misc]

    def _note(self, detail: str) -> None:
        self._service.world.journal.add(Kind.NOTE, account=self._one.account, detail=f"push to {self._url}: {detail}")


def _status_in(octets: bytes) -> str:
    """OK or Unsubscribe. Raises Fault for what is no XML, OSError for an answer that says neither."""
    found = parse_xml(octets).find(f".//{{{NAMESPACES['m']}}}SubscriptionStatus")
    text = (found.text or "").strip() if found is not None else ""
    if text not in ("OK", "Unsubscribe"):
        raise OSError("the client's answer has no SubscriptionStatus")
    return text
