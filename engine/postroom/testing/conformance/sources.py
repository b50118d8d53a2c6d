"""Defaults of the hooks, for providers of the kinds that the simulator serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from postroom.providers.configuration import Declared, declaration
from postroom.providers.contract import Direction, ProviderSpec
from postroom.testing.conformance.failures import FixtureError

if TYPE_CHECKING:
    from postroom.testing.conformance.messages import SourceMessage
    from postroom.testing.conformance.subject import Arrived, Subject
    from postroom.testing.conformance.world import KitWorld

__all__ = ["SOURCES", "Pop3Source", "SmtpSource", "Source", "source_for"]


def _declared(spec: ProviderSpec[Any, Any]) -> dict[str, Declared]:
    return {one.name: one for one in declaration(spec.config)}


class Source:
    """No source at all: what an author has to write when the provider is of none of the built-in kinds."""

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


SOURCES: list[type[Source]] = [Pop3Source, SmtpSource]
"""Tried in this order. Another built-in kind is added here."""


def source_for(spec: ProviderSpec[Any, Any]) -> Source:
    return next((kind(spec) for kind in SOURCES if kind.fits(spec)), Source(spec))
