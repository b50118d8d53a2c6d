"""Correct providers that share nothing but the contract, as the kit is told of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from http_post_provider import HttpPostProvider
from json_inbox_provider import JsonInboxProvider
from maildir_provider import MaildirProvider
from mbox_subject import MboxOverHttpSubject
from queue_provider import QUEUES, QueueProvider

from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.providers.builtin.rss import RssProvider
from postroom.providers.builtin.smtp import SmtpProvider
from postroom.providers.contract import ProviderSpec
from postroom.samples.forward_mailbox import ForwardMailboxProvider
from postroom.samples.keyword_alerts import KeywordAlertsProvider
from postroom.testing.conformance.messages import SourceMessage
from postroom.testing.conformance.subject import Arrived, Misbehaviour, Subject
from postroom.testing.conformance.world import KitWorld
from postroom_simulator.faults import Drop, LoseReply, Reply, Stall, When
from postroom_simulator.web.values import Request, Response


class Pop3(Subject):
    provider = Pop3Provider


class Smtp(Subject):
    provider = SmtpProvider


class Rss(Subject):
    provider = RssProvider


class KeywordAlerts(Subject):
    provider = KeywordAlertsProvider


class Queue(Subject):
    provider = QueueProvider

    def _name(self, world: KitWorld) -> str:
        return f"{id(world.sim)}-{world.mailbox}"

    def config(self, world: KitWorld) -> Mapping[str, Any]:
        return {"QueueName": self._name(world)}

    def prepare(self, world: KitWorld) -> None:
        QUEUES[self._name(world)] = []

    def seed(self, world: KitWorld, messages: Sequence[SourceMessage]) -> None:
        QUEUES[self._name(world)] += [message.octets for message in messages]

    def remaining(self, world: KitWorld) -> Sequence[bytes]:
        return list(QUEUES[self._name(world)])


class Maildir(Subject):
    provider = MaildirProvider

    def config(self, world: KitWorld) -> Mapping[str, Any]:
        return {"Folder": str(world.folder / f"mail-{world.mailbox}")}

    def prepare(self, world: KitWorld) -> None:
        for part in ("new", "cur", "tmp"):
            (world.folder / f"mail-{world.mailbox}" / part).mkdir(parents=True)

    def seed(self, world: KitWorld, messages: Sequence[SourceMessage]) -> None:
        for message in messages:
            number = world.own["files"] = world.own.get("files", 0) + 1
            (world.folder / f"mail-{world.mailbox}" / "new" / f"{number:06}.kit").write_bytes(message.octets)

    def remaining(self, world: KitWorld) -> Sequence[bytes]:
        folder = world.folder / f"mail-{world.mailbox}" / "new"
        return [path.read_bytes() for path in sorted(folder.iterdir())]

    def deleting(self, world: KitWorld) -> Mapping[str, str]:
        return {"DeleteEmails": "true"}


class JsonInbox(Subject):
    provider = JsonInboxProvider

    def config(self, world: KitWorld) -> Mapping[str, Any]:
        return {
            "Host": world.host,
            "Port": str(world.port("http")),
            "Path": f"/inbox-{world.mailbox}",
            "Token": world.password,
            "UseTls": "false",
            "AllowPlainToken": "true",
        }

    def prepare(self, world: KitWorld) -> None:
        world.account()
        path = f"/inbox-{world.mailbox}"
        mails: list[dict[str, str]] = []
        world.own[path] = mails

        def answer(request: Request) -> Response:
            asked = parse_qs(urlsplit(request.target).query)
            since = asked.get("from", [""])[0]
            found = [one for one in mails if one["received"] >= since]
            return Response(200, [], json.dumps(found[: int(asked.get("limit", ["100000"])[0])]).encode())

        world.http.handle(path, answer)
        world.http.protect(path, world.address)

    def seed(self, world: KitWorld, messages: Sequence[SourceMessage]) -> None:
        """The server's own times: each later than the one before, whatever the router's clock does."""
        mails = world.own[f"/inbox-{world.mailbox}"]
        for message in messages:
            number = world.own["mails"] = world.own.get("mails", 0) + 1
            last = world.own.get("received", world.clock.now() - timedelta(seconds=1))
            at = world.own["received"] = max(last, world.clock.now() - timedelta(seconds=1)) + timedelta(microseconds=1)
            received = at.isoformat(timespec="microseconds")
            octets = base64.b64encode(message.octets).decode()
            mails.append({"id": f"m{number}", "received": received, "octets": octets})

    def remaining(self, world: KitWorld) -> Sequence[bytes]:
        return [base64.b64decode(one["octets"]) for one in world.own[f"/inbox-{world.mailbox}"]]

    def throttle(self, world: KitWorld, seconds: int) -> bool:
        world.faults.add(When("http", "GET"), Reply("503", f"[Retry-After={seconds}] kit wants a rest"))
        return True

    def secured(self, world: KitWorld) -> Mapping[str, str]:
        return {"Port": str(world.port("https")), "UseTls": "true", "AllowPlainToken": "false"}


class HttpPost(Subject):
    provider = HttpPostProvider

    def config(self, world: KitWorld) -> Mapping[str, Any]:
        return {
            "Host": world.host,
            "Port": str(world.port("http")),
            "Path": "/outgoing",
            "User": world.user,
            "Token": world.password,
            "UseTls": "false",
            "AllowPlainToken": "true",
        }

    def prepare(self, world: KitWorld) -> None:
        world.account()
        if "arrived" in world.own:
            return
        arrived: list[Arrived] = world.own.setdefault("arrived", [])

        def answer(request: Request) -> Response:
            if request.method != "POST":
                return Response(405)
            nobody = world.own.get("nobody", "")
            to = json.loads(request.headers["x-envelope-to"])
            refused = {one: "kit knows nobody of this name" for one in to if one == nobody}
            taken = tuple(one for one in to if one not in refused)
            if taken:
                arrived.append(Arrived(request.body, json.loads(request.headers["x-envelope-from"]), taken))
            return Response(202, [], json.dumps({"refused": refused}).encode())

        world.http.handle("/outgoing", answer)
        world.http.protect("/outgoing")

    def sent(self, world: KitWorld) -> Sequence[Arrived]:
        return list(world.own["arrived"])

    def misbehave(self, world: KitWorld, what: Misbehaviour, recipient: str = "") -> str | None:
        if what is Misbehaviour.REFUSE_RECIPIENT:
            world.own["nobody"] = recipient
            return "kit knows nobody of this name"
        at, effect = {
            Misbehaviour.REFUSE_FOR_NOW: ("POST", Reply("503", "kit says later")),
            Misbehaviour.REFUSE_FOR_GOOD: ("POST", Reply("422", "kit says never")),
            Misbehaviour.LOSE_BEFORE: ("connect", Drop("rst")),
            Misbehaviour.LOSE_ANSWER: ("POST", LoseReply()),
            Misbehaviour.SLOW: ("request", Stall(3600.0)),
        }[what]
        world.faults.add(When("http", at, nth=1 if what is Misbehaviour.SLOW else None), effect)
        return effect.text if isinstance(effect, Reply) else ""

    def secured(self, world: KitWorld) -> Mapping[str, str]:
        return {"Port": str(world.port("https")), "UseTls": "true", "AllowPlainToken": "false"}


SUBJECTS: Mapping[str, type[Subject]] = {
    "pop3": Pop3,
    "smtp": Smtp,
    "rss": Rss,
    "keyword-alerts": KeywordAlerts,
    "queue": Queue,
    "maildir": Maildir,
    "json-inbox": JsonInbox,
    "http-post": HttpPost,
    "mbox-over-http": MboxOverHttpSubject,
}
INBOUND = [name for name, one in SUBJECTS.items() if one.provider.spec.direction == "inbound"]


class Forward(Subject):
    """A forward mailbox: what is attached is what is meant."""

    provider = ForwardMailboxProvider


def _from_first(old: Any, version: int) -> Any:
    """Version 1 had the position under another name, and nothing of what failed."""
    assert version == 1
    return {"position": old["read"]}


class SecondQueueProvider(QueueProvider):
    """The queue provider, whose state has changed once."""

    spec: ClassVar[ProviderSpec[Any, Any]] = replace(QueueProvider.spec, state_version=2, migrate=_from_first)


class Versioned(Queue):
    provider = SecondQueueProvider

    def earlier_states(self) -> Sequence[tuple[int, Mapping[str, Any]]]:
        return [(1, {"read": 0})]
