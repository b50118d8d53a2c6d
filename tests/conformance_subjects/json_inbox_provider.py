"""An inbox behind a small JSON interface, read by time with a cursor: `GET /inbox?from=...` gives what came since, oldest first.

No base class of Postroom but `PollingProvider`; HTTP by `http.client` over the run's connection.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from postroom.errors import (
    AuthError,
    ConfigError,
    ConnectionFailed,
    MessageError,
    OrganizationError,
    ProtocolError,
    TransientError,
)
from postroom.mime.parse import parse_message
from postroom.model.secret import Secret
from postroom.model.verdict import ReasonCode, Verdict
from postroom.providers.configuration import element
from postroom.providers.contract import (
    Capability,
    CheckReport,
    Direction,
    Disposition,
    IncomingOffer,
    ProviderSpec,
    RunContext,
    RunOutcome,
)
from postroom.providers.cursor import Cursor
from postroom.providers.lifecycle import PollingProvider

LARGEST = 96 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class JsonInboxConfig:
    host: str = element("Host", identity=True, length=255, help="host name")
    path: str = element("Path", identity=True, length=200, help="path of the inbox")
    token: Secret = element("Token", secret=True, help="what to show for being let in")
    port: int = element("Port", default=443, minimum=1, maximum=65535, help="port")
    tls: bool = element("UseTls", default=True, help="without it the token is refused unless AllowPlainToken is set")
    plain: bool = element("AllowPlainToken", default=False, help="show the token without TLS")


@dataclass(frozen=True)
class JsonInboxState:
    cursor: Cursor = Cursor.start(look_back=timedelta(minutes=5))


@dataclass(frozen=True, slots=True)
class Mail:
    id: str
    when: datetime
    octets: bytes


class JsonInboxProvider(PollingProvider[JsonInboxConfig, JsonInboxState]):
    spec: ClassVar[ProviderSpec[JsonInboxConfig, JsonInboxState]] = ProviderSpec(
        "json-inbox",
        Direction.INBOUND,
        JsonInboxConfig,
        JsonInboxState,
        capabilities=frozenset({Capability.STATEFUL, Capability.CHECK}),
    )

    def on_check(self, ctx: RunContext[JsonInboxState]) -> CheckReport:
        return CheckReport(f"{len(self._fetch(ctx, None, 1))} messages")

    def on_run(self, ctx: RunContext[JsonInboxState]) -> RunOutcome:
        ctx.raise_if_cancelled()
        cursor = ctx.state.value.cursor
        if cursor.in_future(ctx.clock.now()):
            ctx.log("json.cursor_in_future", "what was read last is dated later than now; nothing is new before that")
        mails = [one for one in self._fetch(ctx, cursor.asks_from, 0) if cursor.is_new(one.when, one.id)]
        passable = True  # nothing before this one is left undone
        for mail in mails[: ctx.items]:
            ctx.raise_if_cancelled()
            if self._take(ctx, mail):
                cursor = ctx.state.value.cursor
                moved = cursor.advance(mail.when, mail.id) if passable else cursor.note(mail.when, mail.id)
                ctx.state.commit(replace(ctx.state.value, cursor=moved))
            else:
                passable = False
        self.tally.more = len(mails) > ctx.items
        return self.tally.outcome()

    def _take(self, ctx: RunContext[JsonInboxState], mail: Mail) -> bool:
        message = parse_message(mail.octets, monotonic=ctx.clock.monotonic)
        offer = IncomingOffer(mail.id, mail.octets, message, message.date or mail.when, self.env.mailbox)
        with ctx.gateway.batch():
            return self._settle(ctx, offer)

    def _settle(self, ctx: RunContext[JsonInboxState], offer: IncomingOffer) -> bool:
        verdict = Verdict(deliver=False, reason=ReasonCode.UNKNOWN)
        try:
            verdict = ctx.gateway.check_incoming(offer)
            if verdict.deliver:
                self.tally.delivered += ctx.gateway.deliver_incoming(offer, verdict).created
            elif verdict.reason is ReasonCode.UNKNOWN:
                raise MessageError("undecided", source_key=offer.source_key)
            else:
                ctx.gateway.settle(offer, Disposition.FILTERED, verdict)
                self.tally.rejected += 1
        except (MessageError, OrganizationError) as error:
            self.tally.failed += 1
            if not ctx.gateway.failed(offer.source_key, str(error)) and not getattr(error, "permanent", False):
                return False
            ctx.gateway.settle(offer, Disposition.PARKED, replace(verdict, deliver=False, detail=str(error)))
            return True
        self.tally.processed += 1
        return True

    # -- HTTP

    def _fetch(self, ctx: RunContext[JsonInboxState], since: datetime | None, limit: int) -> list[Mail]:
        query = [f"from={quote(since.isoformat())}"] if since is not None else []
        query += [f"limit={limit}"] if limit else []
        body = self._ask(ctx, self.config.path + ("?" + "&".join(query) if query else ""))
        try:
            found = json.loads(body)
            mails = [
                Mail(
                    str(one["id"])[:320],
                    datetime.fromisoformat(one["received"]),
                    base64.b64decode(one["octets"], validate=True),
                )
                for one in found
            ]
            if any(one.when.tzinfo is None for one in mails):
                raise ValueError
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ProtocolError("the answer is no list of messages") from None
        return sorted(mails, key=lambda one: (one.when, one.id))

    def _ask(self, ctx: RunContext[Any], target: str) -> bytes:
        config = self.config
        if not (config.tls or config.plain):
            raise ConfigError("the token is not shown without TLS: set UseTls or AllowPlainToken")
        connection = ctx.net.connect(config.host, config.port, timeout=ctx.timeout, tls=config.tls)
        try:
            head = f"GET {target} HTTP/1.1\r\nHost: {config.host}\r\nConnection: close\r\n"
            basic = base64.b64encode(f"{self.env.mailbox}:{config.token.reveal()}".encode()).decode()
            connection.sendall((head + f"Authorization: Basic {basic}\r\n\r\n").encode("ascii"))
            line: Any = _Line(connection)
            response = http.client.HTTPResponse(line, method="GET")
            response.begin()
            body = response.read(LARGEST + 1)
            if len(body) > LARGEST or response.length:
                raise ConnectionFailed("the answer is cut, or has no end")
        except (http.client.HTTPException, ValueError) as error:
            if isinstance(error, http.client.RemoteDisconnected | http.client.IncompleteRead):
                raise ConnectionFailed("the connection was lost") from error
            raise ProtocolError("the answer is no HTTP") from error
        finally:
            with suppress(Exception):
                connection.close()
        if response.status in (401, 403):
            raise AuthError("the token was refused")
        if response.status == 404:
            raise ConfigError("there is no such inbox")
        if response.status != 200:
            wait = response.headers.get("Retry-After", "")
            after = timedelta(seconds=int(wait[:6])) if wait.isdecimal() else None
            raise TransientError(f"the server answers {response.status}", retry_after=after)
        return body


class _Line:
    """What http.client wants of a socket; at most so many octets."""

    def __init__(self, connection: Any) -> None:
        self._reader = _Bounded(connection.makefile("rb"))

    def makefile(self, *_: object) -> Any:
        return self._reader


class _Bounded(io.BufferedIOBase):
    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.left = LARGEST + 65536

    def readable(self) -> bool:
        return True

    def readline(self, limit: int | None = -1, /) -> bytes:
        line: bytes = self.inner.readline(min(limit, 65537) if limit and limit > 0 else 65537)
        if not line.endswith(b"\n"):
            raise ConnectionFailed("the connection was lost in the middle of a line")
        return self._counted(line)

    def read(self, size: int | None = -1, /) -> bytes:
        return self._counted(self.inner.read(self.left if size is None or size < 0 else min(size, self.left)))

    def _counted(self, octets: bytes) -> bytes:
        self.left -= len(octets)
        if self.left <= 0:
            raise ProtocolError("the answer has no end")
        return octets
