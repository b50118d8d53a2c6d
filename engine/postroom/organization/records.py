"""Create, Retrieve, RetrieveMultiple, Update, Delete, SetState, Assign.

Values are checked against the published metadata first; then the entity's own rules run (`mailboxes` for everything that touches a mailbox), and all
is written in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from postroom.errors import RecordError, RecordNotFound, RuleViolated
from postroom.model import (
    ENTITIES,
    ActivityMimeAttachment,
    ActivityParty,
    Email,
    EmailServerProfile,
    ExchangeSyncIdMapping,
    GenericRecord,
    Lookup,
    Mailbox,
    Queue,
    RecordState,
    RecordStatus,
    SystemUser,
    UserSettings,
    entity_class,
)
from postroom.model import Organization as OrganizationRecord
from postroom.model.validate import validate_create, validate_update
from postroom.organization import item_monitoring, mailboxes, outgoing, profiles
from postroom.organization.callers import Caller
from postroom.organization.correlating import forget_hashes
from postroom.organization.incoming import check_filter
from postroom.organization.policies import settings_in
from postroom.rules.outgoing_state import Mark, Step, follow
from postroom.store import Transaction, ledger
from postroom.store.secrets import write_all

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = [
    "assign",
    "create",
    "delete",
    "retrieve",
    "retrieve_multiple",
    "seed",
    "set_state",
    "settings",
    "update",
    "update_settings",
]

_FAILURES = ExchangeSyncIdMapping.__entity__
_NEVER_MADE = frozenset({"organization", "usersettings", "mailboxstatistics", "activityparty"})
_NEVER_DELETED = frozenset({"organization", "usersettings", "mailboxstatistics"})
_ALWAYS_WRITABLE = frozenset({"regardingobjectid", "ownerid", "replycount", "opencount"})


# -- the organization row ---------------------------------------------------------------------------------------------


def settings(organization: Organization) -> OrganizationRecord:
    """Raises RecordNotFound when the database holds no organization."""
    with organization.store.reading() as tx:
        return settings_in(tx)


def seed(organization: Organization, values: Mapping[str, Any]) -> None:
    """The row of a new organization. The model's defaults are those of reference 11."""
    values = validate_create(OrganizationRecord, {"name": organization.name, **values})
    outgoing.keep_prefixes(values, None)
    with organization.store.transaction() as tx:
        if tx.first(OrganizationRecord) is not None:
            raise RuleViolated("the database holds an organization already: open it instead")
        mailboxes.check_organization(tx, values)
        tx.create(OrganizationRecord(**values))


def update_settings(organization: Organization, _caller: Caller, values: Mapping[str, Any]) -> None:
    values = validate_update(OrganizationRecord, values)
    with organization.store.transaction() as tx:
        mailboxes.check_organization(tx, values)
        before = settings_in(tx)
        outgoing.keep_prefixes(values, before)
        tx.update(OrganizationRecord, before.organizationid, **values)
        mailboxes.settings_changed(tx, before, settings_in(tx))


def settings_problems(organization: Organization, values: Mapping[str, Any]) -> list[str]:
    """Everything at once: those that can be saved by themselves are asked whether they go together, whatever is wrong with the others."""
    problems: list[str] = []
    fit: dict[str, Any] = {}
    for name, value in values.items():
        try:
            fit |= validate_update(OrganizationRecord, {name: value})
        except RecordError as wrong:
            problems += str(wrong).split("; ")
    with organization.store.reading() as tx:
        try:
            mailboxes.check_organization(tx, fit)
        except RecordError as wrong:
            problems += str(wrong).split("; ")
    return problems


# -- create -----------------------------------------------------------------------------------------------------------


def create(organization: Organization, caller: Caller, entity: str, values: Mapping[str, Any]) -> str:
    if entity == "email":
        return outgoing.create_email(organization, caller, outgoing.Draft.of_values(values))
    if entity in _NEVER_MADE:
        raise RuleViolated(f"{entity} records are made by the organization, not by callers")
    with organization.store.transaction() as tx:
        if entity not in ENTITIES:
            return _create_generic(tx, caller, entity, values)
        return _create_typed(organization, tx, caller, entity, values)


def _create_generic(tx: Transaction, caller: Caller, entity: str, values: Mapping[str, Any]) -> str:
    values = dict(values)
    record_id = str(values.pop(f"{entity}id", "") or "")
    values.setdefault("createdon", tx.now())
    if caller.user_id is not None and entity not in ("team", "businessunit"):
        values.setdefault("ownerid", Lookup("systemuser", caller.user_id))
    return tx.create(GenericRecord(entity, record_id, values)).id


_CREDENTIALS = frozenset(
    {"username", "password", "incomingusername", "incomingpassword", "outgoingusername", "outgoingpassword", "credentialinfo"}
)


def _refuse_credentials(organization: Organization, caller: Caller, values: Mapping[str, Any]) -> None:
    """Over plain HTTP nobody types user names and passwords, unless the deployment allows it (reference 1.1, 1.6)."""
    typed = sorted(_CREDENTIALS & values.keys())
    if (
        typed
        and not caller.secure_channel
        and not organization.deployment.settings.allow_credentials_entry_via_non_secure_channels
    ):
        raise RuleViolated(
            f"{', '.join(typed)}: credentials are not taken over a channel that is not secure (AllowCredentialsEntryViaNonSecureChannels)"
        )


def _create_typed(organization: Organization, tx: Transaction, caller: Caller, entity: str, values: Mapping[str, Any]) -> str:
    cls = entity_class(entity)
    valid = validate_create(cls, values)
    if cls.__secrets__:
        _refuse_credentials(organization, caller, values)
    plain: dict[str, Any] = dict(valid)
    if "ownerid" in cls.__dataclass_fields__ and plain.get("ownerid") is None and caller.user_id is not None:  # type: ignore[attr-defined]
        plain["ownerid"] = Lookup("systemuser", caller.user_id)
    if cls is SystemUser or cls is Queue:
        check_filter(tx, plain)
        return mailboxes.create_owner(tx, caller, cls, plain)
    if cls is Mailbox:
        record_id = mailboxes.create_by_hand(tx, caller, plain)
    elif cls is EmailServerProfile:
        record_id = tx.create(
            EmailServerProfile(**profiles.completed_profile(plain, organization.deployment.settings))
        ).emailserverprofileid
    else:
        record_id = tx.create(cls(**plain)).record_id
    write_all(tx, cls, record_id, valid.secrets)
    return record_id


# -- retrieve ---------------------------------------------------------------------------------------------------------


def retrieve(organization: Organization, caller: Caller, entity: str, record_id: str) -> Any:
    with organization.store.reading() as tx:
        if entity == _FAILURES:
            found = item_monitoring.shown(tx, caller, {ExchangeSyncIdMapping.__key__: record_id})
            if not found:
                raise RecordNotFound(f"there is no {entity} {record_id} for this caller")
            return found[0]
        return tx.fetch(Lookup(entity, record_id))


def retrieve_multiple(
    organization: Organization,
    caller: Caller,
    entity: str,
    conditions: Mapping[str, Any],
    *,
    order_by: tuple[str, ...],
    limit: int | None,
) -> list[Any]:
    with organization.store.reading() as tx:
        if entity == _FAILURES:
            return list(item_monitoring.shown(tx, caller, conditions, order_by=order_by, limit=limit))
        if entity in ENTITIES:
            return list(tx.find(entity_class(entity), order_by=order_by, limit=limit, **conditions))
        return list(tx.find(GenericRecord, order_by=order_by, limit=limit, entity=entity, **conditions))


# -- update -----------------------------------------------------------------------------------------------------------


def update(organization: Organization, caller: Caller, entity: str, record_id: str, values: Mapping[str, Any]) -> None:
    if entity == "organization":
        update_settings(organization, caller, values)
        return
    with organization.store.transaction() as tx:
        if entity not in ENTITIES:
            tx.update(GenericRecord, Lookup(entity, record_id), **dict(values))
            return
        cls = entity_class(entity)
        valid = validate_update(cls, values)
        plain: dict[str, Any] = dict(valid)
        if cls.__secrets__:
            _refuse_credentials(organization, caller, values)
        if cls is EmailServerProfile:
            profiles.update_profile(organization, tx, caller, record_id, plain)
        elif entity in _UPDATES:
            _UPDATES[entity](tx, caller, record_id, plain, bool(valid.secrets))
        else:
            tx.update(cls, record_id, **plain)
        write_all(tx, cls, record_id, valid.secrets)


def _update_email(tx: Transaction, _caller: Caller, record_id: str, values: dict[str, Any], _secrets: bool) -> None:
    """An email is edited while it is open; afterwards only what it is about, and whose it is (reference 7.1)."""
    email = tx.get(Email, record_id)
    if {"statecode", "statuscode", "directioncode"} & values.keys():
        raise RuleViolated("the state of an email follows from sending, cancelling or SetState")
    locked = values.keys() - _ALWAYS_WRITABLE
    edited = follow(email.statuscode, Step.EDIT)
    if locked and edited is None:
        raise RuleViolated(
            f"a {email.statuscode.name.lower().replace('_', ' ')} email is read-only: {', '.join(sorted(locked))}"
        )
    if locked and edited is not None:  # a failed email that is edited is a draft again
        values |= {"statecode": edited.state, "statuscode": edited}
    tx.update(Email, record_id, **values)


def _update_usersettings(tx: Transaction, _caller: Caller, record_id: str, values: dict[str, Any], _secrets: bool) -> None:
    check_filter(tx, values)
    tx.update(UserSettings, record_id, **values)


def _update_queue(tx: Transaction, caller: Caller, record_id: str, values: dict[str, Any], secrets: bool) -> None:
    check_filter(tx, values)
    mailboxes.update_queue(tx, caller, record_id, values, secrets)


_UPDATES: Mapping[str, Any] = {
    "systemuser": mailboxes.update_user,
    "queue": _update_queue,
    "mailbox": mailboxes.update_mailbox,
    "email": _update_email,
    "usersettings": _update_usersettings,
}


# -- state and owner --------------------------------------------------------------------------------------------------


def set_state(organization: Organization, caller: Caller, entity: str, record_id: str, active: bool) -> None:
    with organization.store.transaction() as tx:
        if entity == "systemuser":
            mailboxes.update_user(tx, caller, record_id, {"isdisabled": not active}, False)
        elif entity == "email":
            _complete_email(tx, record_id, active)
        elif entity not in ENTITIES:
            tx.update(GenericRecord, Lookup(entity, record_id), statecode=0 if active else 1)
        else:
            cls = entity_class(entity)
            if "statecode" not in cls.__dataclass_fields__:  # type: ignore[attr-defined]
                raise RuleViolated(f"{entity} has no state")
            values: dict[str, Any] = {
                "statecode": RecordState.ACTIVE if active else RecordState.INACTIVE,
                "statuscode": RecordStatus.ACTIVE if active else RecordStatus.INACTIVE,
            }
            if cls is EmailServerProfile:
                profiles.update_profile(organization, tx, caller, record_id, values)
            elif entity in _UPDATES:
                _UPDATES[entity](tx, caller, record_id, values, False)
            else:
                tx.update(cls, record_id, **values)


def _complete_email(tx: Transaction, record_id: str, active: bool) -> None:
    email = tx.get(Email, record_id)
    status = follow(email.statuscode, Step.COMPLETE)
    if active or status is None:
        raise RuleViolated("only a draft can be marked complete, and a completed email is not opened again")
    tx.update(Email, record_id, statecode=status.state, statuscode=status, actualend=tx.now())


def assign(organization: Organization, _caller: Caller, entity: str, record_id: str, owner: Lookup) -> None:
    if owner.entity not in ("systemuser", "team"):
        raise RuleViolated(f"a {owner.entity} cannot own records")
    with organization.store.transaction() as tx:
        tx.fetch(owner)
        if entity not in ENTITIES:
            tx.update(GenericRecord, Lookup(entity, record_id), ownerid=owner)
            return
        cls = entity_class(entity)
        if "ownerid" not in cls.__dataclass_fields__:  # type: ignore[attr-defined]
            raise RuleViolated(f"{entity} records have no owner")
        tx.update(cls, record_id, ownerid=owner)
        if cls is Queue:
            mailboxes.follow_queue_owner(tx, record_id, owner)


# -- delete -----------------------------------------------------------------------------------------------------------


def delete(organization: Organization, _caller: Caller, entity: str, record_id: str) -> None:
    if entity in _NEVER_DELETED:
        raise RuleViolated(f"{entity} records are not deleted by callers")
    with organization.store.transaction() as tx:
        if entity not in ENTITIES:
            tx.delete(GenericRecord, Lookup(entity, record_id))
            return
        before = _DELETES.get(entity)
        if before is not None:
            before(tx, record_id)
        tx.delete(entity_class(entity), record_id)


def _delete_email(tx: Transaction, record_id: str) -> None:
    """Parties, attachments and hashes go with it. What a run holds, or what a person has to decide about, stays."""
    row = ledger.outgoing_of(tx, record_id)
    if row is not None and row.mark in (Mark.CLAIMED, Mark.SUBMITTING, Mark.UNCERTAIN):
        raise RuleViolated(f"the email is {row.mark}: it cannot be deleted now")
    if row is not None and row.mark == Mark.PENDING:
        ledger.update_outgoing(tx, record_id, {"mark": Mark.CANCELED.value, "reason": "the email was deleted", "at": tx.now()})
    for party in tx.find(ActivityParty, activityid=Lookup("email", record_id)):
        tx.delete(ActivityParty, party.activitypartyid)
    for attachment in tx.find(ActivityMimeAttachment, objectid=Lookup("email", record_id)):
        tx.delete(ActivityMimeAttachment, attachment.activitymimeattachmentid)
    forget_hashes(tx, record_id)


def _delete_user(tx: Transaction, record_id: str) -> None:
    mailboxes.delete_with_owner(tx, Lookup("systemuser", record_id))
    if tx.first(UserSettings, systemuserid=record_id) is not None:
        tx.delete(UserSettings, record_id)


def _delete_queue(tx: Transaction, record_id: str) -> None:
    mailboxes.delete_with_owner(tx, Lookup("queue", record_id))


_DELETES: Mapping[str, Any] = {
    "systemuser": _delete_user,
    "queue": _delete_queue,
    "mailbox": mailboxes.before_delete,
    "emailserverprofile": profiles.before_profile_delete,
    "email": _delete_email,
}
