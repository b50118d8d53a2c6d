"""Defaults of the hooks, for providers of the kinds that the simulator serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from postroom.providers.configuration import Declared, declaration
from postroom.providers.contract import Direction, ProviderSpec
from postroom.testing.conformance.failures import FixtureError
from postroom.testing.conformance.subject import CARRIED, Misbehaviour
from postroom_simulator.faults import Drop, Effect, LoseReply, Reply, Stall, When
from postroom_simulator.pop3.policy import Policy as Pop3Policy

if TYPE_CHECKING:
    from postroom.testing.conformance.messages import SourceMessage
    from postroom.testing.conformance.subject import Arrived, Subject
    from postroom.testing.conformance.world import KitWorld

__all__ = ["SOURCES", "Pop3Source", "SmtpSource", "Source", "source_for"]


def _declared(spec: ProviderSpec[Any, Any]) -> dict[str, Declared]:
    return {one.name: one for one in declaration(spec.config)}


class Source:
    """No source at all: what an author has to write when the provider is of none of the built-in kinds."""

    carries = CARRIED

    def __init__(self, spec: ProviderSpec[Any, Any]) -> None:
        self.spec = spec
        self.names = _declared(spec)

    @classmethod
    def fits(cls, spec: ProviderSpec[Any, Any]) -> bool:  # noqa: ARG003
        return True

    def config(self, world: KitWorld) -> Mapping[str, Any]:  # noqa: ARG002
        if any(one.required for one in self.names.values()):
            raise FixtureError(
                f"{self.spec.name}: the kit does not know how to configure it: write config(self, world), which gives "
                + ", ".join(one.name for one in self.names.values() if one.required)
            )
        return {}

    def prepare(self, world: KitWorld) -> None:
        """Nothing to prepare."""

    def seed(self, world: KitWorld, messages: Sequence[SourceMessage]) -> None:  # noqa: ARG002
        raise FixtureError(f"{self.spec.name}: the kit does not know its source: write seed(self, world, messages)")

    def remaining(self, world: KitWorld) -> Sequence[bytes] | None:  # noqa: ARG002
        return None

    def sent(self, world: KitWorld) -> Sequence[Arrived]:  # noqa: ARG002
        raise FixtureError(f"{self.spec.name}: the kit does not know where its mail arrives: write sent(self, world)")

    def misbehave(self, world: KitWorld, what: Misbehaviour, recipient: str) -> str | None:  # noqa: ARG002
        return None

    def wrong_credentials(self, subject: Subject, world: KitWorld) -> Mapping[str, str] | None:
        """Every secret replaced."""
        given = subject.config(world)
        secrets = [name for name, one in self.names.items() if one.secret and given.get(name)]
        return dict.fromkeys(secrets, world.wrong_password) if secrets else None

    def secured(self, world: KitWorld) -> Mapping[str, str] | None:  # noqa: ARG002
        return None

    def deleting(self, world: KitWorld) -> Mapping[str, str] | None:  # noqa: ARG002
        return None

    def unwrapping(self, world: KitWorld) -> Mapping[str, str] | None:  # noqa: ARG002
        return None

    def upgraded(self, world: KitWorld) -> Mapping[str, str] | None:  # noqa: ARG002
        return None

    def throttle(self, world: KitWorld, seconds: int) -> bool:  # noqa: ARG002
        return False

    def hostile(self, world: KitWorld, document: bytes) -> bool:  # noqa: ARG002
        return False


class _MailServer(Source):
    """Elements as the built-in POP3 and SMTP providers have them; those that a provider does not declare are left out."""

    clear, encrypted = "", ""

    @classmethod
    def fits(cls, spec: ProviderSpec[Any, Any]) -> bool:
        return {"EmailServer", "EmailPort"} <= _declared(spec).keys()

    def _known(self, texts: Mapping[str, str]) -> dict[str, str]:
        return {name: text for name, text in texts.items() if name in self.names}

    def config(self, world: KitWorld) -> Mapping[str, Any]:
        return self._known(
            {
                "EmailServer": world.host,
                "EmailPort": str(world.port(self.clear)),
                "EmailUser": world.user,
                "EmailPassword": world.password,
                "EmailTls": "none",
            }
        )

    def prepare(self, world: KitWorld) -> None:
        world.account()

    def secured(self, world: KitWorld) -> Mapping[str, str] | None:
        if "EmailTls" not in self.names:
            return None
        return {"EmailTls": "implicit", "EmailPort": str(world.port(self.encrypted))}

    def upgraded(self, world: KitWorld) -> Mapping[str, str] | None:  # noqa: ARG002
        return {"EmailTls": "starttls"} if "EmailTls" in self.names else None


class Pop3Source(_MailServer):
    """A mailbox on the simulated POP3 server."""

    clear, encrypted = "pop3", "pop3s"

    @classmethod
    def fits(cls, spec: ProviderSpec[Any, Any]) -> bool:
        return spec.direction is Direction.INBOUND and super().fits(spec)

    def seed(self, world: KitWorld, messages: Sequence[SourceMessage]) -> None:
        for message in messages:
            world.sim.place(world.address, message.octets, received=message.date, sender=message.envelope_from)

    def remaining(self, world: KitWorld) -> Sequence[bytes] | None:
        return world.sim.inbox(world.address)

    def deleting(self, world: KitWorld) -> Mapping[str, str] | None:  # noqa: ARG002
        return self._known({"DeleteEmails": "true"}) or None

    def throttle(self, world: KitWorld, seconds: int) -> bool:
        """RFC 2449 §6.5."""
        world.sim.pop3.policies[world.address] = Pop3Policy(login_delay=seconds)
        return True


class SmtpSource(_MailServer):
    """Mail handed over to the simulated SMTP server."""

    clear, encrypted = "submission", "smtps"

    @classmethod
    def fits(cls, spec: ProviderSpec[Any, Any]) -> bool:
        return spec.direction is Direction.OUTBOUND and super().fits(spec)

    def sent(self, world: KitWorld) -> Sequence[Arrived]:
        from postroom.testing.conformance.subject import Arrived

        store = world.sim.store
        return [Arrived(store.outbound_octets(one.uid), one.sender, tuple(one.recipients)) for one in store.outbound()]

    def misbehave(self, world: KitWorld, what: Misbehaviour, recipient: str) -> str | None:
        said: dict[Misbehaviour, tuple[str, Effect]] = {
            Misbehaviour.REFUSE_FOR_NOW: ("MAIL", Reply("451", "4.7.1 kit says later")),
            Misbehaviour.REFUSE_FOR_GOOD: ("end-of-data", Reply("554", "5.7.1 kit says never")),
            Misbehaviour.REFUSE_RECIPIENT: ("RCPT", Reply("550", "5.1.1 kit knows nobody of this name")),
            Misbehaviour.LOSE_BEFORE: ("MAIL", Drop("rst")),
            Misbehaviour.LOSE_ANSWER: ("end-of-data", LoseReply()),
            Misbehaviour.SLOW: ("MAIL", Stall(3600.0)),
        }
        at, effect = said[what]
        one = what in (Misbehaviour.REFUSE_RECIPIENT, Misbehaviour.SLOW)
        argument = f"*{recipient}*" if what is Misbehaviour.REFUSE_RECIPIENT else None
        world.faults.add(When("smtp", at, argument=argument, nth=1 if one and argument is None else None), effect)
        return effect.text if isinstance(effect, Reply) else ""


class FeedSource(Source):
    """A feed on the simulated HTTP server."""

    carries = frozenset({"subject", "date", "body"})

    @classmethod
    def fits(cls, spec: ProviderSpec[Any, Any]) -> bool:
        return spec.direction is Direction.INBOUND and "FeedUrl" in _declared(spec)

    def _path(self, world: KitWorld) -> str:
        return f"/feed-{world.mailbox}"

    def config(self, world: KitWorld) -> Mapping[str, Any]:
        texts = {
            "FeedUrl": world.http.url(self._path(world)),
            "FeedUser": world.user,
            "FeedPassword": world.password,
            "AllowPlainPassword": "true",
        }
        return {name: text for name, text in texts.items() if name in self.names}

    @property
    def _secret(self) -> bool:
        return "FeedPassword" in self.names

    def prepare(self, world: KitWorld) -> None:
        world.account()
        if self._secret:
            world.http.protect(self._path(world), world.address)
        world.http.publish_feed(self._path(world), ())

    def seed(self, world: KitWorld, messages: Sequence[SourceMessage]) -> None:
        world.http.publish_feed(self._path(world), messages)

    def secured(self, world: KitWorld) -> Mapping[str, str] | None:
        changed = {"FeedUrl": world.http.url(self._path(world), tls=True)}
        return {**changed, "AllowPlainPassword": "false"} if "AllowPlainPassword" in self.names else changed

    def throttle(self, world: KitWorld, seconds: int) -> bool:
        """RFC 9110 §10.2.3."""
        world.faults.add(When("http", "GET"), Reply("503", f"[Retry-After={seconds}] kit wants a rest"))
        return True

    def hostile(self, world: KitWorld, document: bytes) -> bool:
        world.http.publish(self._path(world), document, content_type="application/xml")
        return True


SOURCES: list[type[Source]] = [Pop3Source, SmtpSource, FeedSource]
"""Tried in this order. Another built-in kind is added here."""


def source_for(spec: ProviderSpec[Any, Any]) -> Source:
    return next((kind(spec) for kind in SOURCES if kind.fits(spec)), Source(spec))
