"""From a router to server-side synchronization: read its files, plan, show, apply (email-router-providers reference 14).

    source = read_router("EmailAgent.xml", "SystemState.xml", "EncryptionKey.xml")
    plan = plan_migration(source, view_of(organization), now=clock.now())
    print(render(plan))
    for done in apply_migration(plan, organization): ...

The plan is a value and touches nothing. Applying it twice changes nothing the second time. The files are read as they are, whether the
classes that they name are installed or not: a provider that nobody knows is the one that must not be forgotten.
"""

from __future__ import annotations

from postroom.channels.email_router.migrating.applying import apply_migration, view_of
from postroom.channels.email_router.migrating.planning import plan_migration
from postroom.channels.email_router.migrating.reading import read_router
from postroom.channels.email_router.migrating.showing import render
from postroom.channels.email_router.migrating.values import (
    Done,
    MailboxPlan,
    MigrationPlan,
    OrganizationView,
    OwnerView,
    ProfilePlan,
    RouterProfile,
    RouterSource,
)

__all__ = [
    "Done",
    "MailboxPlan",
    "MigrationPlan",
    "OrganizationView",
    "OwnerView",
    "ProfilePlan",
    "RouterProfile",
    "RouterSource",
    "apply_migration",
    "plan_migration",
    "read_router",
    "render",
    "view_of",
]
