"""Mailboxes and whose they are: creation and linking, the mirror of addresses, approval, what a change resets,
deactivation (server-side-sync reference 2). Profiles are in `profiles`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from postroom.errors import InvalidValue, RecordNotFound, RuleViolated
from postroom.model import (
    EmailRouterAccessApproval,
    EmailServerProfile,
    IncomingDeliveryMethod,
    Lookup,
    Mailbox,
    MailboxTestStatus,
    OutgoingDeliveryMethod,
    Queue,
    RecordState,
    RecordStatus,
    SystemUser,
    UserSettings,
)
from postroom.model import Organization as OrganizationRecord
from postroom.model.settings import DefaultEmailSettings, DeliveryMethods
from postroom.organization import alerts
from postroom.organization.callers import APPROVE_ADDRESS, Caller
from postroom.organization.policies import settings_in, switches_of
from postroom.rules import organization_combination
from postroom.rules.eligibility import Obstacle, approval_obstacles, served
from postroom.rules.linking import DefaultProfile, link_profile
from postroom.rules.mailbox_combination import problems
from postroom.rules.operation import COLUMNS, Operation
from postroom.store import Transaction, ledger
from postroom.store.tables import seen_entry

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = [
    "RESET",
    "apply_defaults",
    "before_delete",
    "check_organization",
    "create_by_hand",
    "create_owner",
    "decide_address",
    "delete_with_owner",
    "follow_queue_owner",
    "forget_source",
    "offer_again",
    "settings_changed",
    "switch_off_unapproved",
    "tell_profile",
    "update_mailbox",
    "update_queue",
    "update_user",
]

Approval = EmailRouterAccessApproval

_ADDRESS_COLUMN = {"systemuser": "internalemailaddress", "queue": "emailaddress"}
_METHOD = {
    Operation.INCOMING: "incomingemaildeliverymethod",
    Operation.OUTGOING: "outgoingemaildeliverymethod",
    Operation.ACT: "actdeliverymethod",
}


def _reset(directions: Iterable[Operation]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for direction in directions:
        found |= {COLUMNS[direction].status: MailboxTestStatus.NOT_RUN, COLUMNS[direction].enabled: False}
    return found


RESET: Mapping[str, Any] = _reset(COLUMNS)
"""Not Run and disabled, in every direction (reference 2.4)."""
_FORGOTTEN = {"ewsurl": None, "exchangesyncstatexml": None, "lastmessageid": None}
"""What a changed address makes worthless (reference 2.2)."""


# -- creation ---------------------------------------------------------------------------------------------------------


def create_owner(tx: Transaction, caller: Caller, cls: type[SystemUser | Queue], values: dict[str, Any]) -> str:
    """A user or queue with its mailbox (and a user's settings). Returns the owner's id."""
    entity = cls.__entity__
    settings = settings_in(tx)
    address = values.get(_ADDRESS_COLUMN[entity]) or None
    methods = _chosen_methods(DefaultEmailSettings.from_xml(settings.defaultemailsettings).of(entity), values)
    values |= {
        "incomingemaildeliverymethod": methods.incoming,
        "outgoingemaildeliverymethod": methods.outgoing,
        "emailrouteraccessapproval": _approval(caller, address, values.get("emailrouteraccessapproval")),
    }
    if values.get("defaultmailbox") is not None:
        raise RuleViolated(f"a new {entity} gets a mailbox of its own: defaultmailbox cannot be given")
    owner = tx.create(cls(**values))
    owned_by: Lookup | None
    if isinstance(owner, SystemUser):
        tx.create(UserSettings(systemuserid=owner.systemuserid))
        inactive, name, owned_by = owner.isdisabled, owner.fullname, owner.reference
    else:
        inactive, name, owned_by = owner.statecode is not RecordState.ACTIVE, owner.name, owner.ownerid or None
    mailbox = Mailbox(
        name=(name or address or entity)[:200],
        emailaddress=address,
        regardingobjectid=owner.reference,
        ownerid=owned_by,
        emailserverprofile=link_profile(methods, _default_profile(tx, settings)).profile,
        incomingemaildeliverymethod=methods.incoming,
        outgoingemaildeliverymethod=methods.outgoing,
        actdeliverymethod=methods.act,
        emailrouteraccessapproval=values["emailrouteraccessapproval"],
        **_new_mailbox(inactive=inactive),
    )
    _check(mailbox)
    made = tx.create(mailbox)
    tx.update(cls, owner.record_id, defaultmailbox=made.reference)
    return owner.record_id


def _new_mailbox(*, inactive: bool = False, forward: bool = False) -> dict[str, Any]:
    """What every new mailbox starts with: off until tested, whatever the metadata's defaults are (reference 11)."""
    return {
        "isforwardmailbox": forward,
        "statecode": RecordState.INACTIVE if inactive else RecordState.ACTIVE,
        "statuscode": RecordStatus.INACTIVE if inactive else RecordStatus.ACTIVE,
        **RESET,
    }


def _chosen_methods(defaults: DeliveryMethods | None, values: Mapping[str, Any]) -> DeliveryMethods:
    defaults = defaults or DeliveryMethods()
    incoming, outgoing = values.get("incomingemaildeliverymethod"), values.get("outgoingemaildeliverymethod")
    return DeliveryMethods(
        defaults.incoming if incoming is None else IncomingDeliveryMethod(incoming),
        defaults.outgoing if outgoing is None else OutgoingDeliveryMethod(outgoing),
        defaults.act,
    )


def _default_profile(tx: Transaction, settings: OrganizationRecord) -> DefaultProfile | None:
    reference = settings.defaultemailserverprofileid
    if reference is None:
        return None
    profile = tx.first(EmailServerProfile, emailserverprofileid=reference.id)
    return None if profile is None else DefaultProfile(profile.reference, profile.statecode is RecordState.ACTIVE)


def _approval(caller: Caller, address: str | None, asked: Any) -> Approval:
    """Pending Approval, unless the caller may decide and does; Empty without an address."""
    if not address:
        return Approval.EMPTY
    if asked in (Approval.APPROVED, Approval.REJECTED):
        caller.require(APPROVE_ADDRESS)
        return Approval(asked)
    return Approval.PENDING_APPROVAL


def create_by_hand(tx: Transaction, caller: Caller, values: dict[str, Any]) -> str:
    """A mailbox created as a record: without an owner it is a forward mailbox; with one it must be the owner's only one."""
    owner: Lookup | None = values.get("regardingobjectid")
    start = _new_mailbox(forward=owner is None, inactive=values.pop("statecode", 0) == RecordState.INACTIVE)
    values.pop("statuscode", None)
    if owner is not None:
        record = tx.fetch(owner)
        if tx.first(Mailbox, regardingobjectid=owner) is not None:
            raise RuleViolated(f"a {'user' if owner.entity == 'systemuser' else owner.entity} has one mailbox only")
        values.setdefault("emailaddress", getattr(record, _ADDRESS_COLUMN[owner.entity]))
    values["emailrouteraccessapproval"] = _approval(caller, values.get("emailaddress"), values.get("emailrouteraccessapproval"))
    values.setdefault("incomingemaildeliverymethod", _hand_method(owner))
    values.setdefault("outgoingemaildeliverymethod", OutgoingDeliveryMethod.NONE)
    mailbox = Mailbox(**{**start, **values})
    _check(mailbox)
    _check_profile_exists(tx, mailbox.emailserverprofile)
    made = tx.create(mailbox)
    if owner is not None:
        _tell_owner(tx, made, {"defaultmailbox": made.reference})
    return made.mailboxid


def _hand_method(owner: Lookup | None) -> IncomingDeliveryMethod:
    return IncomingDeliveryMethod.NONE if owner is not None else IncomingDeliveryMethod.SERVER_SIDE_SYNC_OR_ROUTER


# -- rules on one mailbox ---------------------------------------------------------------------------------------------


def _check(mailbox: Mailbox) -> None:
    """Combinations that the product refuses, all at once. Raises RuleViolated."""
    if found := problems(mailbox):
        raise RuleViolated("; ".join(found))


def _check_profile_exists(tx: Transaction, reference: Lookup | None) -> None:
    if reference is not None:
        tx.get(EmailServerProfile, reference)


def update_mailbox(tx: Transaction, caller: Caller, mailbox_id: str, values: dict[str, Any], secrets: bool) -> None:
    """An update of the mailbox with what it resets and mirrors. Values given explicitly win over what is reset."""
    before = tx.get(Mailbox, mailbox_id)
    change = _Change(caller, before, values)
    changes = {**change.resets(credentials=secrets), **values, **change.approval(), **change.state()}
    after = dataclasses.replace(before, **changes)
    _check(after)
    if change.differs("emailserverprofile"):
        _check_profile_exists(tx, after.emailserverprofile)
    tx.update(Mailbox, mailbox_id, **changes)
    mirrored = {
        name: getattr(after, name)
        for name in ("emailrouteraccessapproval", "incomingemaildeliverymethod", "outgoingemaildeliverymethod")
        if getattr(after, name) != getattr(before, name)
    }
    if change.differs("emailaddress"):
        mirrored["address"] = after.emailaddress
    if mirrored and after.regardingobjectid is not None:
        _tell_owner(tx, after, mirrored)
    if any(map(change.differs, _SOURCE)):
        forget_source(tx, [mailbox_id])
    if change.differs("processemailreceivedafter"):
        offer_again(tx, [mailbox_id], before.processemailreceivedafter, after.processemailreceivedafter)
    _follow_up(tx, change, after)


_SOURCE = ("emailaddress", "emailserverprofile", "username")
"""What decides which maildrop a mailbox reads."""


def _follow_up(tx: Transaction, change: _Change, after: Mailbox) -> None:
    """What the organization has to say and do about a changed approval or profile."""
    decided = change.differs("emailrouteraccessapproval") or change.differs("isemailaddressapprovedbyo365admin")
    if decided or change.differs("emailserverprofile"):
        settings = settings_in(tx)
        if change.differs("emailserverprofile"):
            tell_profile(tx, settings, after, missing=after.emailserverprofile is None)
        switch_off_unapproved(tx, settings, after)


def switch_off_unapproved(tx: Transaction, settings: OrganizationRecord, mailbox: Mailbox) -> None:
    """An address that has to be approved and is not: told once, to the owners of mailbox and profile, and the directions are switched off (reference
    10, 12.12); an address that is approved closes the alert."""
    profile = (
        tx.first(EmailServerProfile, emailserverprofileid=mailbox.emailserverprofile.id) if mailbox.emailserverprofile else None
    )
    found = approval_obstacles(mailbox, profile, settings)
    if not found:
        places = [mailbox.reference, *([profile.reference] if profile is not None else [])]
        for place in places:
            alerts.close(tx, place, _APPROVAL_ALERTS.values())
        return
    if not any(getattr(mailbox, columns.enabled) for columns in COLUMNS.values()):
        return
    tx.update(Mailbox, mailbox.mailboxid, **{columns.enabled: False for columns in COLUMNS.values()})
    name = mailbox.emailaddress or mailbox.name or "a mailbox"
    for reason in found:
        parent = None
        for place in [*([profile.reference] if profile is not None else []), mailbox.reference]:
            alert = alerts.about(
                _APPROVAL_ALERTS[reason.code], place, mailbox=name, actions=("ApproveEmail", "TestAndEnable"), parent=parent
            )
            parent = alerts.write(tx, settings, alert)


_APPROVAL_ALERTS = {
    Obstacle.NOT_APPROVED: "AddressNotApproved",
    Obstacle.NOT_APPROVED_BY_ADMIN: "AddressNotApprovedByAdministrator",
}
_PROFILE_ALERTS = {
    Operation.INCOMING: "InvalidIncomingEmailServerProfile",
    Operation.OUTGOING: "InvalidOutgoingEmailServerProfile",
}


def tell_profile(tx: Transaction, settings: OrganizationRecord, mailbox: Mailbox, *, missing: bool) -> None:
    """A mailbox that is served and has no active profile (any more) is told about, once for each direction; having one again closes that
    (reference 2.5, 10)."""
    if not missing:
        alerts.close(tx, mailbox.reference, _PROFILE_ALERTS.values())
        return
    if mailbox.statecode is not RecordState.ACTIVE:
        return
    name = mailbox.emailaddress or mailbox.name or "a mailbox"
    for direction, code in _PROFILE_ALERTS.items():
        if served(direction.value, mailbox):
            alerts.write(tx, settings, alerts.about(code, mailbox.reference, mailbox=name, actions=("ChooseProfile",)))


def forget_source(tx: Transaction, mailbox_ids: Sequence[str]) -> None:
    """Another maildrop: its names for messages mean nothing of what was seen before. Everything in it is looked at anew; what was settled
    is known by its octets. Ours: nothing published says it, and mail would be missed otherwise."""
    if mailbox_ids:
        tx.execute(sa.delete(seen_entry).where(seen_entry.c.instance.in_(list(mailbox_ids))))


class _Change:
    """One update of one mailbox: what is different, and what follows from it."""

    def __init__(self, caller: Caller, before: Mailbox, values: Mapping[str, Any]) -> None:
        self.caller = caller
        self.before = before
        self.values = values

    def differs(self, name: str) -> bool:
        return name in self.values and self.values[name] != getattr(self.before, name)

    def resets(self, *, credentials: bool) -> dict[str, Any]:
        """Profile, credentials and address reset every direction, a delivery method its own (reference 2.2, 2.4, 2.5)."""
        if self.differs("emailaddress"):
            return {**RESET, **_FORGOTTEN, "isemailaddressapprovedbyo365admin": False}
        if credentials or any(map(self.differs, ("emailserverprofile", "username", "allowemailconnectortousecredentials"))):
            return dict(RESET)
        return _reset(direction for direction, method in _METHOD.items() if self.differs(method))

    def approval(self) -> dict[str, Any]:
        """A new address has to be approved anew; deciding needs the privilege."""
        asked = self.values.get("emailrouteraccessapproval")
        if self.differs("emailaddress"):
            if self.values.get("isemailaddressapprovedbyo365admin") is True:
                self.caller.require(APPROVE_ADDRESS)
            return {"emailrouteraccessapproval": _approval(self.caller, self.values["emailaddress"], asked)}
        if self.differs("emailrouteraccessapproval") or self.values.get("isemailaddressapprovedbyo365admin") is True:
            self.caller.require(APPROVE_ADDRESS)
        return {}

    def state(self) -> dict[str, Any]:
        """statuscode follows statecode."""
        if "statecode" not in self.values:
            return {}
        inactive = self.values["statecode"] == RecordState.INACTIVE
        return {"statuscode": RecordStatus.INACTIVE if inactive else RecordStatus.ACTIVE}


def _tell_owner(tx: Transaction, mailbox: Mailbox, values: Mapping[str, Any]) -> None:
    """Mirror what changed on a mailbox to its user or queue."""
    owner = mailbox.regardingobjectid
    assert owner is not None
    changes = dict(values)
    if "address" in changes:
        changes[_ADDRESS_COLUMN[owner.entity]] = changes.pop("address")
    tx.update(SystemUser if owner.entity == "systemuser" else Queue, owner, **changes)


def offer_again(tx: Transaction, mailbox_ids: Sequence[str], before: datetime | None, after: datetime | None) -> None:
    """A lowered received-after date: messages that were noted as older are offered anew, and those whose activity was deleted; the
    providers must not remember them."""
    if before is None or (after is not None and after >= before):
        return
    for forgotten in (ledger.forget_pending(tx, mailbox_ids, after), ledger.reopen_deleted(tx, mailbox_ids, after)):
        for instance, keys in forgotten.items():
            ledger.forget_seen(tx, instance, keys)


# -- users and queues -------------------------------------------------------------------------------------------------


def update_user(tx: Transaction, caller: Caller, user_id: str, values: dict[str, Any], _secrets: bool) -> None:
    _update_owner(tx, caller, tx.get(SystemUser, user_id), values, deactivates=values.get("isdisabled") is True)


def update_queue(tx: Transaction, caller: Caller, queue_id: str, values: dict[str, Any], _secrets: bool) -> None:
    """A deactivated queue deactivates its mailbox, as a user does: suggested by the reference."""
    deactivates = values.get("statecode") == RecordState.INACTIVE
    if "statecode" in values:
        values["statuscode"] = RecordStatus.INACTIVE if deactivates else RecordStatus.ACTIVE
    _update_owner(tx, caller, tx.get(Queue, queue_id), values, deactivates=deactivates)
    if "ownerid" in values and values["ownerid"] is not None:
        follow_queue_owner(tx, queue_id, values["ownerid"])


def _update_owner(
    tx: Transaction, caller: Caller, owner: SystemUser | Queue, values: dict[str, Any], *, deactivates: bool
) -> None:
    mailbox = tx.first(Mailbox, regardingobjectid=owner.reference)
    if "defaultmailbox" in values and values["defaultmailbox"] != (mailbox.reference if mailbox else None):
        raise RuleViolated(f"the default mailbox of a {owner.__entity__} is its own")
    column = _ADDRESS_COLUMN[owner.__entity__]
    mirrored: dict[str, Any] = {
        name: values[name]
        for name in ("incomingemaildeliverymethod", "outgoingemaildeliverymethod", "emailrouteraccessapproval")
        if name in values
    }
    if column in values:
        mirrored["emailaddress"] = values[column]
    if mailbox is None:
        if values.get("emailrouteraccessapproval") in (Approval.APPROVED, Approval.REJECTED):
            caller.require(APPROVE_ADDRESS)
        tx.update(type(owner), owner.record_id, **values)
        return
    tx.update(
        type(owner), owner.record_id, **{name: value for name, value in values.items() if name != "emailrouteraccessapproval"}
    )
    if deactivates:
        mirrored["statecode"] = RecordState.INACTIVE
    if mirrored:
        update_mailbox(tx, caller, mailbox.mailboxid, mirrored, False)


def follow_queue_owner(tx: Transaction, queue_id: str, owner: Lookup) -> None:
    """A queue's mailbox belongs to the queue's owner (reference 1.2)."""
    mailbox = tx.first(Mailbox, regardingobjectid=Lookup("queue", queue_id))
    if mailbox is not None:
        tx.update(Mailbox, mailbox.mailboxid, ownerid=owner)


def delete_with_owner(tx: Transaction, owner: Lookup) -> None:
    """A deleted user's or queue's mailbox goes too (suggested by the reference)."""
    mailbox = tx.first(Mailbox, regardingobjectid=owner)
    if mailbox is not None:
        tx.delete(Mailbox, mailbox.mailboxid)


def before_delete(tx: Transaction, mailbox_id: str) -> None:
    """RemoveLink: the owner has no default mailbox any more."""
    mailbox = tx.get(Mailbox, mailbox_id)
    if mailbox.regardingobjectid is not None:
        _tell_owner(tx, mailbox, {"defaultmailbox": None})


# -- approval and defaults --------------------------------------------------------------------------------------------


def decide_address(organization: Organization, caller: Caller, mailbox_id: str, *, approve: bool) -> None:
    caller.require(APPROVE_ADDRESS)
    with organization.store.transaction() as tx:
        if not tx.get(Mailbox, mailbox_id).emailaddress:
            raise RuleViolated("the mailbox has no address to decide about")
        decision = Approval.APPROVED if approve else Approval.REJECTED
        update_mailbox(tx, caller, mailbox_id, {"emailrouteraccessapproval": decision}, False)


def apply_defaults(organization: Organization, caller: Caller, mailbox_ids: Sequence[str], *, test: bool) -> None:
    with organization.store.transaction() as tx:
        settings = settings_in(tx)
        profile = _default_profile(tx, settings)
        if profile is None:
            raise RuleViolated("the organization has no default profile")
        defaults = DefaultEmailSettings.from_xml(settings.defaultemailsettings)
        for mailbox_id in mailbox_ids:
            owner = tx.get(Mailbox, mailbox_id).regardingobjectid
            values: dict[str, Any] = {"emailserverprofile": profile.reference}
            methods = defaults.of(owner.entity) if owner is not None else None
            if methods is not None:
                values |= {
                    "incomingemaildeliverymethod": methods.incoming,
                    "outgoingemaildeliverymethod": methods.outgoing,
                    "actdeliverymethod": methods.act,
                }
            update_mailbox(tx, caller, mailbox_id, values, False)
    if test:
        for mailbox_id in mailbox_ids:
            organization.schedule_test(caller, mailbox_id)


def check_organization(tx: Transaction, values: Mapping[str, Any]) -> None:
    """Values of the organization row that must make sense together. Raises InvalidValue naming everything that does not, RecordNotFound for a
    default profile that is not there when that is all."""
    found: list[str] = []
    for name, read in (("defaultemailsettings", DefaultEmailSettings.from_xml), ("orgdborgsettings", switches_of)):
        try:
            read(values.get(name))
        except InvalidValue as wrong:
            found.append(str(wrong))
    before = tx.first(OrganizationRecord)
    after = dataclasses.replace(before or OrganizationRecord(), **values)
    found += organization_combination.problems(after)
    reference = values.get("defaultemailserverprofileid")
    if reference is not None and tx.first(EmailServerProfile, emailserverprofileid=reference.id) is None:
        problem = f"organization.defaultemailserverprofileid: no emailserverprofile {reference.id!r}"
        if not found:
            raise RecordNotFound(problem)
        found.append(problem)
    if found:
        raise InvalidValue("; ".join(found))


def settings_changed(tx: Transaction, before: OrganizationRecord, after: OrganizationRecord) -> None:
    """Approval is required from now on: mailboxes that run without it are switched off, and that is said (reference 2.3, 12.12)."""
    gates = ("requireapprovalforuseremail", "requireapprovalforqueueemail")
    if any(getattr(after, name) and not getattr(before, name) for name in gates):
        for mailbox in tx.find(Mailbox, statecode=RecordState.ACTIVE):
            switch_off_unapproved(tx, after, mailbox)
