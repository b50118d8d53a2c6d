"""Which instances a file means, and whom each serves. Nothing here asks a database: an organization that does not answer keeps no other from starting.

An inbound provider has one instance for each user or queue that it lists (email-router-providers reference 4); one that lists none serves the mailbox whose
address is its `Target`, else its account. An outbound provider is one instance that serves its users and queues in turn; one that lists none serves all
whose outgoing email the router is to send.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from postroom.errors import ConfigError
from postroom.model import Lookup
from postroom.providers.configuration.declaration import declaration
from postroom.providers.configuration.router_file import IMPORT_SECONDS, ProviderEntry, Resolve, RouterFile, from_registry
from postroom.providers.contract import Direction, Provider, ProviderSpec
from postroom.providers.registry import Registry
from postroom.rules.operation import Operation
from postroom.rules.router_serving import organization_of

__all__ = ["Place", "Providers", "places"]


@dataclass(frozen=True, slots=True)
class Place:
    """One instance.

    key           its identity: the provider's, and where an inbound provider lists several users or queues, a dot and the owner's id
    entry         None where the provider cannot be used
    organization  the name; "" when the file does not say which
    owners        users and queues as listed
    address       the mailbox's address where no user or queue is listed (inbound)
    trouble       why it cannot run at all
    """

    key: str
    name: str
    entry: ProviderEntry | None
    organization: str = ""
    owners: tuple[Lookup, ...] = ()
    address: str = ""
    trouble: str = ""
    provider: str = ""

    @property
    def operation(self) -> Operation:
        outbound = self.entry is not None and self.entry.direction is Direction.OUTBOUND
        return Operation.OUTGOING if outbound else Operation.INCOMING

    @property
    def server(self) -> str:
        """The host that it talks to, folded; "" when its configuration has none."""
        return str(self.value("EmailServer") or "").casefold()

    def value(self, element: str) -> Any:
        """What the provider's own configuration says, by the element's name; None where it has no such element."""
        if self.entry is None:
            return None
        found = next((one for one in declaration(self.entry.provider.config) if one.name == element), None)
        return None if found is None else getattr(self.entry.config, found.attribute, None)

    def same_as(self, other: Place) -> bool:
        """Whether nothing changed: values count, not words or lines."""
        mine, its = self.entry, other.entry
        if mine is None or its is None:
            return self == other
        return (mine.provider, mine.settings, mine.config, self.organization, self.owners, self.trouble) == (
            its.provider,
            its.settings,
            its.config,
            other.organization,
            other.owners,
            other.trouble,
        )


def places(file: RouterFile, organizations: Sequence[str]) -> list[Place]:
    """In the order of the file; those that cannot be used last."""
    found = [place for entry in file.providers for place in _of(entry, organizations)]
    broken = [
        Place(f"unusable-{one.line}", one.class_name, None, trouble=one.reason, provider=one.class_name) for one in file.broken
    ]
    return found + broken


def _of(entry: ProviderEntry, organizations: Sequence[str]) -> list[Place]:
    settings = entry.settings
    name = settings.name or f"{entry.provider.name} {_account(entry)}".rstrip()
    organization = organization_of(settings.crm_server_url, organizations)
    owners = tuple(Lookup("systemuser", str(one)) for one in settings.users) + tuple(
        Lookup("queue", str(one)) for one in settings.queues
    )
    trouble = ""
    if organization is None:
        trouble = "CrmServerUrl names no organization of this router" if settings.crm_server_url else "CrmServerUrl is missing"
    base = Place(entry.identity, name, entry, organization or "", owners, "", trouble, entry.provider.name)
    if entry.direction is Direction.OUTBOUND or len(owners) == 1:
        return [base]
    if not owners:
        address = settings.target or _account(entry)
        if not trouble and "@" not in address:
            trouble = "it lists no user or queue, and neither Target nor EmailUser is the address of a mailbox"
        return [Place(base.key, name, entry, base.organization, (), address, trouble, base.provider)]
    if not trouble and getattr(entry.config, "delete", False):
        trouble = "it serves several from one account and deletes what it has read: set DeleteEmails to false, or list one"
    return [
        Place(f"{entry.identity}.{one.id.replace('-', '')}", name, entry, base.organization, (one,), "", trouble, base.provider)
        for one in owners
    ]


def _account(entry: ProviderEntry) -> str:
    found = next((one for one in declaration(entry.provider.config) if one.name == "EmailUser"), None)
    return str(getattr(entry.config, found.attribute, "") or "") if found is not None else ""


class Providers:
    """The classes behind a file's names. What an import raises stays with that provider, `sys.exit()` included."""

    def __init__(self, registry: Registry, within: float = IMPORT_SECONDS) -> None:
        """`within`: true seconds that an import may take; the entry of one that takes longer is broken."""
        self._registry, self._within = registry, within
        self._resolve: Resolve = from_registry(registry, within)

    def resolve(self, class_name: str, assembly: str) -> ProviderSpec[Any, Any]:
        """For `configuration.read`. Raises ConfigError."""
        try:
            return self._resolve(class_name, assembly)
        except (SystemExit, KeyboardInterrupt, GeneratorExit) as error:
            raise ConfigError(f"importing it raised {type(error).__name__}") from None

    def find(self, entry: ProviderEntry) -> type[Provider]:
        """The class of an entry that was read. Raises ConfigError."""
        settings = entry.settings
        known = self._registry.look(settings.class_name, within=self._within)
        name = settings.class_name
        if known is None and settings.assembly and ":" not in name:
            name = f"{settings.assembly}:{name}"
        return self._registry.find(name, within=self._within)
