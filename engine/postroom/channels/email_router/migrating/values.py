"""What a migration from a router works on: what its files say, what the organization has, and the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from postroom.channels.email_router.state_files import KeptState
from postroom.model.secret import Secret
from postroom.providers.configuration.problems import Problem
from postroom.providers.contract import Direction
from postroom.rules.router_migration import Merged, Protocol

__all__ = [
    "Done",
    "MailboxPlan",
    "MigrationPlan",
    "OrganizationView",
    "OwnerView",
    "ProfilePlan",
    "RouterProfile",
    "RouterSource",
]


@dataclass(frozen=True)
class RouterProfile:
    """One `ProviderConfiguration`, as the file has it. `owners`: users and queues by id."""

    number: int
    line: int
    class_name: str
    assembly: str
    direction: Direction
    protocol: Protocol
    name: str = ""
    server: str = ""
    port: int | None = None
    tls: bool = True
    user: str = ""
    password: Secret | None = field(default=None, repr=False)
    anonymous: bool = False
    delete: bool = False
    forward: bool = False
    crm_url: str = ""
    users: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()

    @property
    def owners(self) -> tuple[tuple[str, str], ...]:
        return (*(("systemuser", one) for one in self.users), *(("queue", one) for one in self.queues))

    @property
    def title(self) -> str:
        return f"{self.name or self.class_name.rpartition('.')[2]} (line {self.line})"


@dataclass(frozen=True)
class RouterSource:
    """What the files say. `problems`: what could not be read; `key_file`: EncryptionKey.xml is there, so passwords may be encrypted."""

    profiles: tuple[RouterProfile, ...] = ()
    states: tuple[KeptState, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class OwnerView:
    """A user or queue of the organization, with its mailbox ("" when it has none)."""

    entity: str
    id: str
    name: str
    address: str
    mailbox: str = ""


@dataclass(frozen=True)
class OrganizationView:
    """What planning has to know of the organization."""

    name: str
    owners: Mapping[tuple[str, str], OwnerView] = field(default_factory=dict)


@dataclass(frozen=True)
class ProfilePlan:
    """One email server profile to be. `password`s apart, as they are never among the values."""

    name: str
    merged: Merged
    incoming: str
    outgoing: str
    values: Mapping[str, Any]
    passwords: Mapping[str, Secret] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class MailboxPlan:
    """What becomes of the mail of one user, queue or forward mailbox. `profile` "": not migrated, see `why` and `todo`."""

    title: str
    owner: OwnerView | None
    address: str
    profile: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    password: Secret | None = field(default=None, repr=False)
    threshold: datetime | None = None
    why: str = ""
    todo: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class MigrationPlan:
    """`outcomes`: each provider of the file, by its title -> what becomes of it. Nothing of the file is missing here."""

    organization: str
    profiles: tuple[ProfilePlan, ...] = ()
    mailboxes: tuple[MailboxPlan, ...] = ()
    outcomes: tuple[tuple[RouterProfile, str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def custom(self) -> list[RouterProfile]:
        """Those that server-side synchronization cannot run."""
        return [profile for profile, _, _ in self.outcomes if profile.protocol is Protocol.CUSTOM]


@dataclass(frozen=True, slots=True)
class Done:
    """One thing that was done: created, changed, unchanged, refused (with the organization's reason) or left (not in the plan)."""

    what: str
    result: str
    detail: str = ""
