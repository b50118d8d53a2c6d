"""The plan, written to an organization: what is there already is left as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from postroom.channels.email_router.migrating.values import (
    Done,
    MailboxPlan,
    MigrationPlan,
    OrganizationView,
    OwnerView,
    ProfilePlan,
)
from postroom.errors import PostroomError
from postroom.model import EmailServerProfile, Lookup, Mailbox, Queue, SystemUser
from postroom.model.options import (
    EmailConnectionChannel,
)
from postroom.model.secret import Secret
from postroom.organization import SYSTEM, Organization

__all__ = ["apply_migration", "view_of"]


def view_of(organization: Organization) -> OrganizationView:
    """The users and queues of an organization, with their mailboxes."""
    with organization.store.reading() as tx:
        boxes = {box.regardingobjectid: box.mailboxid for box in tx.find(Mailbox) if box.regardingobjectid is not None}
        users = [
            OwnerView("systemuser", one.systemuserid, one.fullname or "", one.internalemailaddress or "")
            for one in tx.find(SystemUser)
        ]
        queues = [OwnerView("queue", one.queueid, one.name or "", one.emailaddress or "") for one in tx.find(Queue)]
    owners = {
        (one.entity, one.id): OwnerView(one.entity, one.id, one.name, one.address, boxes.get(Lookup(one.entity, one.id), ""))
        for one in (*users, *queues)
    }
    return OrganizationView(organization.name, owners)


def apply_migration(plan: MigrationPlan, organization: Organization, *, switch: bool = False) -> list[Done]:
    """Write the profiles and mailboxes of a plan. What the organization refuses is told, and the rest goes on. `switch`: and choose server-side
    synchronization for the organization, which ends its router. Mailboxes still have to be tested and enabled."""
    done: list[Done] = []
    known = {one.name: one for one in organization.retrieve_multiple(SYSTEM, "emailserverprofile")}
    ids: dict[str, str] = {}
    for profile in plan.profiles:
        found: EmailServerProfile | None = known.get(profile.name)
        if found is not None:
            ids[profile.name] = found.emailserverprofileid
        done.append(_told(f"profile {profile.name}", partial(_write_profile, organization, profile, found, ids)))
    done += [_told(f"mailbox {one.title}", partial(_write_mailbox, organization, one, ids)) for one in plan.mailboxes]
    if switch:
        done.append(_told("channel", lambda: _switch(organization)))
    return done


def _told(what: str, write: Callable[[], tuple[str, str]]) -> Done:
    try:
        return Done(what, *write())
    except PostroomError as error:
        return Done(what, "refused", str(error))


def _write_profile(
    organization: Organization, profile: ProfilePlan, found: EmailServerProfile | None, ids: dict[str, str]
) -> tuple[str, str]:
    values = dict(profile.values)
    if found is None:
        ids[profile.name] = organization.create(
            SYSTEM, "emailserverprofile", name=profile.name, **values, **_revealed(profile.passwords)
        )
        return "created", ""
    changes = {name: value for name, value in values.items() if getattr(found, name) != value}
    secrets = {name: one for name, one in profile.passwords.items() if not getattr(found, f"is{name}set")}
    if not changes and not secrets:
        return "unchanged", ""
    organization.update(SYSTEM, "emailserverprofile", found.emailserverprofileid, **changes, **_revealed(secrets))
    return "changed", ", ".join(sorted({*changes, *secrets}))


def _revealed(passwords: Mapping[str, Secret]) -> dict[str, str]:
    return {name: one.reveal() for name, one in passwords.items()}


def _write_mailbox(organization: Organization, one: MailboxPlan, ids: Mapping[str, str]) -> tuple[str, str]:
    if not one.profile:
        return "left", f"{one.why}: {one.todo}"
    if one.profile not in ids:
        return "left", f"its profile {one.profile} could not be written"
    values = dict(one.values) | {"emailserverprofile": Lookup("emailserverprofile", ids[one.profile])}
    mailbox_id = one.owner.mailbox if one.owner is not None else _forward_mailbox(organization, one)
    if not mailbox_id:
        more = {} if one.password is None else {"password": one.password.reveal()}
        organization.create(SYSTEM, "mailbox", name=one.address[:200], emailaddress=one.address[:100], **values, **more)
        return "created", "; ".join(one.notes)
    found: Mailbox = organization.retrieve(SYSTEM, "mailbox", mailbox_id)
    if found.emailserverprofile == values["emailserverprofile"] and found.processemailreceivedafter is not None:
        values.pop("processemailreceivedafter", None)  # it has gone on since: never set back
    changes = {name: value for name, value in values.items() if getattr(found, name) != value}
    if one.password is not None and not found.ispasswordset:
        changes["password"] = one.password.reveal()
    if not changes:
        return "unchanged", "; ".join(one.notes)
    organization.update(SYSTEM, "mailbox", mailbox_id, **changes)
    return "changed", "; ".join([", ".join(sorted(changes)), *one.notes])


def _forward_mailbox(organization: Organization, one: MailboxPlan) -> str:
    """The forward mailbox that has this address already."""
    boxes = organization.retrieve_multiple(SYSTEM, "mailbox")
    wanted = one.address.casefold()
    return next((box.mailboxid for box in boxes if box.isforwardmailbox and (box.emailaddress or "").casefold() == wanted), "")


def _switch(organization: Organization) -> tuple[str, str]:
    chosen = EmailConnectionChannel.SERVER_SIDE_SYNC
    if organization.settings.emailconnectionchannel == chosen:
        return "unchanged", ""
    organization.update_settings(SYSTEM, emailconnectionchannel=chosen)
    return "changed", "server-side synchronization; the router serves this organization no more"
