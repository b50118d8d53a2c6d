"""What the tests of the router share: an organization on the router channel, a file's words, and providers that behave in every way."""

# ruff: noqa: RUF009 - element() is dataclasses.field()

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from xml.sax.saxutils import escape

from postroom.channels.email_router import EmailRouter
from postroom.channels.email_router.database import RouterDatabase
from postroom.mime.parse import parse_message
from postroom.organization import SYSTEM, Organization
from postroom.providers.configuration import element
from postroom.providers.contract import (
    CheckReport,
    Direction,
    Disposition,
    IncomingOffer,
    ProviderEnv,
    ProviderSpec,
    RunContext,
    RunOutcome,
)
from postroom.providers.registry import Registry
from postroom.providers.secret import Secret
from postroom.runtime.executors import Executor, InlineExecutor
from postroom.testing.scene import Party, Scene

ROUTER = 1
SYNC = 0


@dataclass(frozen=True)
class FeedConfig:
    feed: str = element("FeedUrl", default="feed", identity=True)
    host: str = element("EmailServer", default="", identity=True)
    password: Secret = element("EmailPassword", default=Secret(""), secret=True)
    flavour: str = element("Flavour", default="")


@dataclass(frozen=True)
class FeedState:
    done: int = 0


@dataclass
class Source:
    """What a feed provider finds: messages by feed, and what it does before it looks."""

    items: dict[str, list[bytes]] = field(default_factory=dict)
    before: dict[str, Callable[[RunContext[FeedState]], Any]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    contexts: list[RunContext[FeedState]] = field(default_factory=list)
    environments: list[ProviderEnv] = field(default_factory=list)


SOURCE = Source()


class FeedProvider:
    """Takes in a list. Its state is how much of it was taken."""

    spec: ClassVar[ProviderSpec[FeedConfig, FeedState]] = ProviderSpec("feed", Direction.INBOUND, FeedConfig, FeedState)

    def __init__(self, config: FeedConfig, env: ProviderEnv) -> None:
        self.config, self.env = config, env
        SOURCE.made.append(config.feed)
        SOURCE.environments.append(env)

    def check(self, ctx: RunContext[FeedState]) -> CheckReport:
        return CheckReport()

    def run(self, ctx: RunContext[FeedState]) -> RunOutcome:
        feed = self.config.feed
        SOURCE.ran.append(feed)
        SOURCE.contexts.append(ctx)
        if feed in SOURCE.before and (given := SOURCE.before[feed](ctx)) is not None:
            return given  # type: ignore[no-any-return]
        items = SOURCE.items.get(feed, [])
        start = ctx.state.value.done
        delivered = rejected = 0
        for number, octets in enumerate(items[start : start + ctx.items], start + 1):
            ctx.raise_if_cancelled()
            offer = IncomingOffer(
                f"{feed}-{number}", octets, parse_message(octets, monotonic=ctx.clock.monotonic), ctx.clock.now()
            )
            with ctx.gateway.batch():
                verdict = ctx.gateway.check_incoming(offer)
                if verdict.deliver:
                    ctx.gateway.deliver_incoming(offer, verdict)
                    delivered += 1
                else:
                    ctx.gateway.settle(offer, Disposition.FILTERED, verdict)
                    rejected += 1
            ctx.state.commit(FeedState(number))
        more = start + ctx.items < len(items)
        return RunOutcome(processed=delivered + rejected, delivered=delivered, rejected=rejected, more=more)

    def close(self) -> None:
        SOURCE.closed.append(self.config.feed)


def fresh_source() -> Source:
    for one in (SOURCE.items, SOURCE.before, SOURCE.made, SOURCE.ran, SOURCE.closed, SOURCE.contexts, SOURCE.environments):
        one.clear()
    return SOURCE


def mail(subject: str, to: str, sender: str = "carl@birch.test") -> bytes:
    return f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <{subject}@birch.test>\r\n\r\nHello.\r\n".encode()


def registry(*kinds: type) -> Registry:
    made = Registry.default()
    for kind in kinds or (FeedProvider,):
        made.register(kind)
    return made


def provider(name: str, **elements: Any) -> str:
    """One ProviderConfiguration. A list repeats its element."""
    rows = [f"<ProviderClassName>{name}</ProviderClassName>"]
    for key, value in elements.items():
        for one in value if isinstance(value, list) else [value]:
            rows.append(f"<{key}>{escape(str(one))}</{key}>")
    return "<ProviderConfiguration>" + "".join(rows) + "</ProviderConfiguration>"


def words(*providers: str, **system: Any) -> str:
    rows = "".join(f"<{key}>{value}</{key}>" for key, value in system.items())
    return f"<Configuration><SystemConfiguration>{rows}</SystemConfiguration>{''.join(providers)}</Configuration>"


class Laboratory:
    """A scene whose organization uses the router, and a router on a file."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self.scene, self.folder = scene, folder
        self.path = folder / "EmailAgent.xml"
        self.registry = registry()
        self.routers: list[EmailRouter] = []
        self.database: RouterDatabase | None = None
        scene.organization.update_settings(SYSTEM, emailconnectionchannel=ROUTER, allowunresolvedpartiesonemailsend=True)

    @property
    def organization(self) -> Organization:
        return self.scene.organization

    def user(self, name: str, address: str = "", **values: Any) -> Party:
        party = self.scene.user(name, address or f"{name.lower()}@alder.test", **values)
        self.organization.approve_email(SYSTEM, party.mailbox)
        self.scene.filter(party, 0)
        return party

    def write(self, *providers: str, **system: Any) -> None:
        self.path.write_text(words(*providers, **system), encoding="utf-8")

    def router(self, *providers: str, system: dict[str, Any] | None = None, **arguments: Any) -> EmailRouter:
        if providers:
            self.write(*providers, **(system or {}))
        if self.database is None:
            self.database = RouterDatabase("sqlite://", self.scene.world.clock)
        given: dict[str, Any] = {
            "connector": self.scene.connector,
            "clock": self.scene.world.clock,
            "database": self.database,
            "registry": self.registry,
            "executor": InlineExecutor(),
            "holder": "here/1",
            **arguments,
        }
        organizations = given.pop("organizations", None) or {self.scene.name: self.organization}
        made = EmailRouter(self.path, organizations, **given)
        self.routers.append(made)
        return made

    def feed(self, party: Party | None = None, name: str = "feed", **elements: Any) -> str:
        if party is not None:
            elements["UserId"] = party.id
        return provider("feed", FeedUrl=name, **elements)

    def pop3(self, party: Party, **elements: Any) -> str:
        host, port = self.scene.endpoint("pop3s")
        given = {
            "EmailServer": host,
            "EmailPort": port,
            "EmailUser": party.address,
            "EmailPassword": f"{party.name}-secret",
            "UserId": party.id,
            **elements,
        }
        return provider("pop3", **given)

    def smtp(self, *parties: Party, user: Party | None = None, **elements: Any) -> str:
        host, port = self.scene.endpoint("smtps")
        login = user or (parties[0] if parties else None)
        given: dict[str, Any] = {"EmailServer": host, "EmailPort": port, "EmailTls": "implicit"}
        if login is not None:
            given |= {"EmailUser": login.address, "EmailPassword": f"{login.name}-secret"}
        return provider("smtp", **{**given, "UserId": [one.id for one in parties], **elements})

    def subjects(self) -> list[str]:
        found = self.organization.retrieve_multiple(SYSTEM, "email", directioncode=False)
        return sorted(one.subject for one in found)

    def pass_time(self, seconds: float) -> None:
        self.scene.advance(timedelta(seconds=seconds))

    def close(self) -> None:
        for one in self.routers:
            one.close()
        if self.database is not None:
            self.database.close()


def names(events: Iterable[Any]) -> list[str]:
    return [one.event for one in events]


__all__ = ["Executor", "InlineExecutor"]
