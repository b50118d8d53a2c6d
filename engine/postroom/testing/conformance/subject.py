"""What an author writes: how to configure the provider, and how to put messages where it finds them.

    class TestRss(ProviderSuite):
        provider = RssProvider

        def config(self, world):
            return {"FeedUrl": world.http.url("/feed")}

        def seed(self, world, messages):
            world.http.publish_feed("/feed", messages)

For providers of the kinds that the simulator serves (POP3, SMTP, feeds) the class attribute is enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, metadata, packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from postroom.providers.contract import Capability, Direction, Provider, ProviderSpec
from postroom.providers.registry import BUILTIN, GROUP
from postroom.testing.conformance.table import Profile

if TYPE_CHECKING:
    from postroom.testing.conformance.messages import SourceMessage
    from postroom.testing.conformance.sources import Source
    from postroom.testing.conformance.world import KitWorld

__all__ = ["CARRIED", "Arrived", "Misbehaviour", "ProviderSuite", "Subject", "subject_for"]

CARRIED = frozenset({"message_id", "subject", "from", "to", "cc", "bcc", "date", "importance", "body", "attachments", "octets"})
"""What a message may have. "octets": the source keeps messages octet for octet, malformed ones too."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """One message that a server took over."""

    octets: bytes
    envelope_from: str = ""
    recipients: tuple[str, ...] = ()


class Misbehaviour(StrEnum):
    """What an outbound server is to do from now on, until the world is healed."""

    REFUSE_FOR_NOW = "refuse-for-now"  # every message: later, perhaps
    REFUSE_FOR_GOOD = "refuse-for-good"  # every message: never
    REFUSE_RECIPIENT = "refuse-recipient"  # one address, for good
    LOSE_BEFORE = "lose-before"  # the connection ends before the message is handed over
    LOSE_ANSWER = "lose-answer"  # the message is taken, and the connection ends before that is said
    SLOW = "slow"  # one message takes longer than a wait may take


class Subject:
    """The hooks. Every one has a default: that of the built-in source that the provider's configuration and direction fit.

    provider    the class under test, or its name as in a configuration file
    claims      profiles; None: by direction and capabilities (core, secure, concurrent, the direction, durable when STATEFUL)
    waivers     a file of waivers (TOML), or None
    optional    modules that the provider can do without, or asks for in a clear error (PKG-06)
    named       how `postroom provider check` finds it again, for the line that brings a failure back; "": by the provider's name
    published   the configuration's JSON Schema of the last release, a path or the schema; None: no release yet (CFG-14)
    """

    provider: type[Any]
    named: str = ""
    claims: ClassVar[Sequence[Profile | str] | None] = None
    waivers: ClassVar[Path | str | None] = None
    optional: ClassVar[Sequence[str]] = ()
    published: ClassVar[Path | str | Mapping[str, Any] | None] = None

    def __init__(self) -> None:
        """A provider may be named as in a configuration file. Raises ConfigError."""
        name: Any = getattr(self, "provider", None)
        if isinstance(name, str):
            from postroom.providers.registry import Registry

            self.provider = Registry.default().find(name)

    @property
    def spec(self) -> ProviderSpec[Any, Any]:
        spec: ProviderSpec[Any, Any] = self.provider.spec
        return spec

    @property
    def profiles(self) -> frozenset[Profile]:
        if self.claims is not None:
            return frozenset(Profile(one) for one in self.claims)
        direction = Profile.INBOUND if self.spec.direction is Direction.INBOUND else Profile.OUTBOUND
        durable = {Profile.DURABLE} if Capability.STATEFUL in self.spec.capabilities else set()
        return frozenset({Profile.CORE, Profile.SECURE, Profile.CONCURRENT, direction, *durable})

    @property
    def source(self) -> Source:
        """The built-in source whose defaults the hooks have."""
        from postroom.testing.conformance.sources import source_for

        return source_for(self.spec)

    # -- hooks that most providers need

    def config(self, world: KitWorld) -> Mapping[str, Any]:
        """Element name -> text (or list of texts) of a configuration that works in this world. `world.address`, `world.password`,
        `world.host`, `world.port("pop3")`; several mailboxes are told apart by `world.mailbox`."""
        return self.source.config(world)

    def prepare(self, world: KitWorld) -> None:
        """What must be there before the first run: an account, an empty feed. Called once for each mailbox."""
        self.source.prepare(world)

    def seed(self, world: KitWorld, messages: Sequence[SourceMessage]) -> None:
        """Inbound: put messages at the source, behind what is there. `message.octets`, `.subject`, `.text`, `.date`, `.message_id`."""
        self.source.seed(world, messages)

    # -- hooks that only some need; None says that there is no such thing, and what needs it is listed as not applicable

    def remaining(self, world: KitWorld) -> Sequence[bytes] | None:
        """Inbound: octets of what is left at the source, in order."""
        return self.source.remaining(world)

    def sent(self, world: KitWorld) -> Sequence[Arrived]:
        """Outbound: what a server took over so far, in order."""
        return self.source.sent(world)

    @property
    def carries(self) -> frozenset[str]:
        """Inbound: which parts of a message (of CARRIED) its source can carry; a feed has no attachments."""
        return self.source.carries

    def misbehave(self, world: KitWorld, what: Misbehaviour, recipient: str = "") -> str | None:
        """Outbound: make the server do so; what it will say (the text of the refusal, or "" where it says nothing). None: it cannot."""
        return self.source.misbehave(world, what, recipient)

    def earlier_states(self) -> Sequence[tuple[int, Mapping[str, Any]]]:
        """States as earlier releases wrote them: (version, JSON object). One at least for each version before `spec.state_version`."""
        return ()

    def wrong_credentials(self, world: KitWorld) -> Mapping[str, str] | None:
        """Elements to change so that the server refuses the log-in."""
        return self.source.wrong_credentials(self, world)

    def secured(self, world: KitWorld) -> Mapping[str, str] | None:
        """Elements to change so that the connection is encrypted."""
        return self.source.secured(world)

    def deleting(self, world: KitWorld) -> Mapping[str, str] | None:
        """Elements to change so that messages are disposed of at the source once they are stored."""
        return self.source.deleting(world)

    def unwrapping(self, world: KitWorld) -> Mapping[str, str] | None:
        """Elements to change so that forwarded messages are unwrapped."""
        return self.source.unwrapping(world)

    def missing(self, world: KitWorld) -> Mapping[str, str] | None:  # noqa: ARG002
        """Elements to change so that nothing is at the other end: a folder that does not exist. For self-tests of what is reached without
        `ctx.net`; where a network can be taken away, that is done."""
        return None

    def upgraded(self, world: KitWorld) -> Mapping[str, str] | None:
        """Elements to change so that the connection begins in the clear and is encrypted before the log-in (STARTTLS, STLS)."""
        return self.source.upgraded(world)

    def throttle(self, world: KitWorld, seconds: int) -> bool:
        """Make the server say that one should come back in so many seconds. False: it has no way to say so."""
        return self.source.throttle(world, seconds)

    def hostile(self, world: KitWorld, document: bytes) -> bool:
        """Put this XML document where the provider parses one. False: it parses none."""
        return self.source.hostile(world, document)

    # -- what the kit asks of the installation

    def entry_points(self) -> Sequence[EntryPoint]:
        """All providers that installed distributions announce, and the built-in ones."""
        built_in = [EntryPoint(name, value, GROUP) for name, value in BUILTIN.items()]
        return [*built_in, *entry_points(group=GROUP)]

    def metadata(self) -> Mapping[str, Any] | None:
        """Of the distribution that the provider belongs to; None when there is none."""
        top = self.provider.__module__.partition(".")[0]
        owner = next(iter(packages_distributions().get(top, [top])), top)
        try:
            told = metadata(owner)
        except PackageNotFoundError:
            return None
        return {name: told[name] for name in told}


class ProviderSuite(Subject):
    """A test class with `provider`: pytest makes one test of each check. Nothing else to import, nothing to call.

    strict  a Should or Optional that does not hold fails too; otherwise it is shown as an expected failure
    """

    strict: ClassVar[bool] = False


def subject_for(provider: type[Provider]) -> Subject:
    """The subject of a provider without hooks of its own."""
    made = Subject()
    made.provider = provider
    return made
