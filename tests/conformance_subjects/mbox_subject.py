"""What the pages for authors are good for: a provider that was written from README.md and docs/providers.md alone, and the subject it is tried as."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mbox_over_http_provider import MboxOverHttp

from postroom.testing.conformance import KitWorld, Subject
from postroom.testing.conformance.messages import SourceMessage
from postroom_simulator.web.values import Request, Response


@dataclass
class Published:
    """A file on a web server that knows ETags, and asks for time when it is told to."""

    letters: list[bytes] = field(default_factory=list)
    file: bytes = b""
    wait: int = 0

    def append(self, letter: bytes, when: datetime) -> None:
        self.letters.append(letter)
        self.file += as_mbox(letter, when)

    def answer(self, request: Request) -> Response:
        if request.method != "GET":
            return Response(405)
        if self.wait:
            return Response(503, [("Retry-After", str(self.wait))])
        etag = f'"{hashlib.sha256(self.file).hexdigest()[:20]}"'
        if request.headers.get("if-none-match") == etag:
            return Response(304, [("ETag", etag)])
        return Response(200, [("ETag", etag), ("Content-Type", "application/mbox")], self.file)


class MboxOverHttpSubject(Subject):
    provider = MboxOverHttp

    def config(self, world: KitWorld) -> Mapping[str, str]:
        return {
            "MboxUrl": world.http.url(path(world)),
            "MboxUser": world.user,
            "MboxPassword": world.password,
            "AllowPlainPassword": "true",
        }

    def prepare(self, world: KitWorld) -> None:
        """An empty file, for this account only."""
        world.account()
        published = world.own[path(world)] = Published()
        world.http.handle(path(world), published.answer)
        world.http.protect(path(world), world.address)

    def seed(self, world: KitWorld, messages: Sequence[SourceMessage]) -> None:
        for message in messages:
            world.own[path(world)].append(message.octets, message.date)

    def remaining(self, world: KitWorld) -> Sequence[bytes]:
        """All of it: nothing is ever taken out of the file."""
        return list(world.own[path(world)].letters)

    def secured(self, world: KitWorld) -> Mapping[str, str]:
        return {"MboxUrl": world.http.url(path(world), tls=True)}

    def throttle(self, world: KitWorld, seconds: int) -> bool:
        world.own[path(world)].wait = seconds
        return True


def as_mbox(octets: bytes, when: datetime) -> bytes:
    """As a delivery agent appends it: a From line, the message with such lines quoted, an empty line."""
    quoted = re.sub(rb"^(>*From )", rb">\1", octets, flags=re.MULTILINE)
    line = f"From kit@sim.test {when.astimezone(UTC):%a %b %e %H:%M:%S %Y}\n".encode()
    return line + quoted + (b"\n" if octets.endswith(b"\n") else b"\n\n")


def path(world: KitWorld) -> str:
    return f"/{world.mailbox}.mbox"
