"""A router on the stage: an organization that uses the Email Router, a file in words, and a provider that does what it is told.

with Scene() as scene, RouterStage(scene, folder) as stage:
    ada = stage.user("Ada")
    stage.source.items["feed"] = [mail("Hello", ada.address)]
    stage.router(stage.feed(ada)).run_due()
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Self
from xml.sax.saxutils import escape

from postroom.channels.email_router import EmailRouter
from postroom.channels.email_router.database import RouterDatabase
from postroom.errors import Cancelled
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
from postroom.runtime.executors import InlineExecutor
from postroom.testing.scene import Party, Scene

__all__ = ["FeedConfig", "FeedState", "RouterStage", "Source", "feed_provider", "mail", "provider", "take_in", "words"]

ROUTER, SYNC = 1, 0
"""`emailconnectionchannel`."""


@dataclass(frozen=True)
class FeedConfig:
    feed: str = element("FeedUrl", default="feed", identity=True)
    host: str = element("EmailServer", default="", identity=True)
    password: Secret = element("EmailPassword", default=Secret(""), secret=True)
    flavour: str = element("Flavour", default="")


@dataclass(frozen=True)
class FeedState:
    done: int = 0
    note: str = ""


@dataclass
class Source:
    """What feed providers find and do, by the name of the feed.

    items      messages
    before     called before a run looks for them; what it gives is the outcome, None goes on
    at_birth   called by the constructor; `at_close` by close()
    """

    items: dict[str, list[bytes]] = field(default_factory=dict)
    before: dict[str, Callable[[RunContext[Any]], Any]] = field(default_factory=dict)
    at_birth: dict[str, Callable[[FeedConfig], Any]] = field(default_factory=dict)
    at_close: dict[str, Callable[[FeedConfig], Any]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    contexts: list[RunContext[Any]] = field(default_factory=list)
    environments: list[ProviderEnv] = field(default_factory=list)


def feed_provider(source: Source, called: str = "feed") -> type[Any]:
    """A provider that takes in a list of the source's: its state is how much of it was taken. Every call has its own class."""

    class FeedProvider:
        spec: ClassVar[ProviderSpec[FeedConfig, FeedState]] = ProviderSpec(called, Direction.INBOUND, FeedConfig, FeedState)

        def __init__(self, config: FeedConfig, env: ProviderEnv) -> None:
            self.config, self.env = config, env
            source.made.append(config.feed)
            source.environments.append(env)
            if config.feed in source.at_birth:
                source.at_birth[config.feed](config)

        def check(self, ctx: RunContext[FeedState]) -> CheckReport:  # noqa: ARG002
            return CheckReport()

        def run(self, ctx: RunContext[FeedState]) -> RunOutcome:
            feed = self.config.feed
            source.ran.append(feed)
            source.contexts.append(ctx)
            given = source.before[feed](ctx) if feed in source.before else None
            return take_in(ctx, feed, source.items.get(feed, [])) if given is None else given

        def close(self) -> None:
            source.closed.append(self.config.feed)
            if self.config.feed in source.at_close:
                source.at_close[self.config.feed](self.config)

    return FeedProvider


def take_in(ctx: RunContext[FeedState], feed: str, items: Sequence[bytes]) -> RunOutcome:
    """What is new in the list, each message in a commit of its own, then the state."""
    start = ctx.state.value.done
    delivered = rejected = 0
    for number, octets in enumerate(items[start : start + ctx.items], start + 1):
        if ctx.cancelled():
            return RunOutcome(delivered + rejected, delivered, rejected, more=True, error=Cancelled("the run was asked to end"))
        parsed = parse_message(octets, monotonic=ctx.clock.monotonic)
        offer = IncomingOffer(f"{feed}-{number}", octets, parsed, parsed.date or ctx.clock.now())
        with ctx.gateway.batch():
            verdict = ctx.gateway.check_incoming(offer)
            if verdict.deliver:
                delivered += ctx.gateway.deliver_incoming(offer, verdict).created
            else:
                ctx.gateway.settle(offer, Disposition.FILTERED, verdict)
                rejected += 1
        ctx.state.commit(FeedState(number))
        ctx.log("feed.taken", offer.message.subject, number=number)
    return RunOutcome(delivered + rejected, delivered, rejected, more=start + ctx.items < len(items))


def mail(subject: str, to: str, sender: str = "carl@birch.test") -> bytes:
    return f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <{subject}@birch.test>\r\n\r\nHello.\r\n".encode()


def provider(name: str, **elements: Any) -> str:
    """One ProviderConfiguration. A list repeats its element."""
    rows = [f"<ProviderClassName>{name}</ProviderClassName>"]
    for key, value in elements.items():
        values = value if isinstance(value, list) else [value]
        rows.extend(f"<{key}>{escape(str(one))}</{key}>" for one in values)
    return "<ProviderConfiguration>" + "".join(rows) + "</ProviderConfiguration>"


def words(*providers: str, **system: Any) -> str:
    rows = "".join(f"<{key}>{value}</{key}>" for key, value in system.items())
    return f"<Configuration><SystemConfiguration>{rows}</SystemConfiguration>{''.join(providers)}</Configuration>"


class RouterStage:
    """A scene whose organization uses the router, and routers on one file with one database (in memory unless `url` says otherwise)."""

    def __init__(self, scene: Scene, folder: Path, url: str = "sqlite://") -> None:
        self.scene, self.folder, self.url = scene, folder, url
        self.path = folder / "EmailAgent.xml"
        self.source = Source()
        self.registry = Registry.default()
        self.registry.register(feed_provider(self.source))
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
            self.database = RouterDatabase(self.url, self.scene.world.clock)
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for one in self.routers:
            one.close()
        if self.database is not None:
            self.database.close()
