"""Email from templates: SendTemplate, SendBulkMail, SendEmailFromTemplate (server-side-sync reference 7.2).

Templates are records of the entity `template` with `subject` and `body`; their slugs are filled from the recipient, the record the email is about, and the
sender (`rules.templates`). Each recipient gets an activity of its own, which then waits as Pending Send like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from postroom.errors import InvalidValue, RecordNotFound
from postroom.model import GenericRecord, Lookup, Priority, Record, attributes_of
from postroom.organization.callers import Caller
from postroom.organization.drafts import Draft, create_in
from postroom.organization.outgoing import send_in
from postroom.rules.sending import RECIPIENT_ENTITIES
from postroom.rules.templates import fill
from postroom.store import Transaction

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = ["send_bulk_mail", "send_email_from_template", "send_template"]

TEMPLATE = "template"
_NOT_TO_BE_WRITTEN_TO = ("donotemail", "donotbulkemail")
"""Attributes of contact, account and lead that keep a record out of bulk mail [K]."""


def send_template(
    organization: Organization,
    caller: Caller,
    template_id: str,
    sender: Lookup,
    recipients: Sequence[Lookup],
    regarding: Lookup | None,
    priority: int | None,
) -> list[str]:
    """Ids of the activities, one for each recipient that may be written to; nothing is left behind when one of them cannot be sent."""
    with organization.store.transaction() as tx:
        return _send_all(tx, caller, template_id, sender, recipients, regarding, priority)


def send_bulk_mail(
    organization: Organization,
    caller: Caller,
    sender: Lookup,
    template_id: str,
    regarding: Lookup | None,
    entity: str,
    conditions: Mapping[str, Any],
) -> list[str]:
    """The same to every record of `entity` that fits (the published Query; equality conditions as in RetrieveMultiple)."""
    if entity not in RECIPIENT_ENTITIES:
        raise InvalidValue(f"no email goes to records of {entity}")
    with organization.store.transaction() as tx:
        return _send_all(tx, caller, template_id, sender, _found(tx, entity, conditions), regarding, None)


def send_email_from_template(
    organization: Organization, caller: Caller, template_id: str, regarding: Lookup | None, target: Mapping[str, Any]
) -> str:
    """One email: `target` holds its attributes with its party lists; subject and body come from the template. Returns its id."""
    with organization.store.transaction() as tx:
        draft = Draft.of_values({**target, **({"regardingobjectid": regarding} if regarding is not None else {})})
        first = next((one for one in draft.recipients.get("to", ()) if isinstance(one, Lookup)), None)
        sources = [one for one in (first, regarding, draft.from_) if one is not None]
        subject, body = _filled(tx, _template(tx, template_id), sources)
        values = {**draft.values, "templateid": Lookup(TEMPLATE, template_id)}
        draft = Draft(draft.from_, draft.recipients, subject, body, draft.attachments, values)
        email_id = create_in(tx, caller, draft)
        send_in(tx, caller, email_id)
        return email_id


def _found(tx: Transaction, entity: str, conditions: Mapping[str, Any]) -> list[Lookup]:
    from postroom.model import ENTITIES

    if entity in ENTITIES:
        return [record.reference for record in tx.find(ENTITIES[entity], **conditions)]
    return [record.reference for record in tx.find(GenericRecord, entity=entity, **conditions)]


def _send_all(
    tx: Transaction,
    caller: Caller,
    template_id: str,
    sender: Lookup,
    recipients: Sequence[Lookup],
    regarding: Lookup | None,
    priority: int | None,
) -> list[str]:
    template = _template(tx, template_id)
    made = []
    for recipient in dict.fromkeys(recipients):
        record = tx.fetch(recipient)
        if not _reachable(tx, record):
            continue
        sources = [one for one in (recipient, regarding, sender) if one is not None]
        subject, body = _filled(tx, template, sources)
        values: dict[str, Any] = {"templateid": template.reference, "regardingobjectid": regarding}
        if priority is not None:
            values["deliveryprioritycode"] = Priority(priority)
        email_id = create_in(tx, caller, Draft(sender, {"to": (recipient,)}, subject, body, (), values))
        send_in(tx, caller, email_id)
        made.append(email_id)
    return made


def _reachable(tx: Transaction, record: Record | GenericRecord) -> bool:
    """It has an address, and nobody said that it is not to be written to."""
    entity = record.entity if isinstance(record, GenericRecord) else record.__entity__
    if any(_value(record, name) for name in _NOT_TO_BE_WRITTEN_TO):
        return False
    return any(str(_value(record, name) or "").strip() for name in tx.store.email_columns.of(entity))


def _value(record: Record | GenericRecord, name: str) -> Any:
    return record.get(name) if isinstance(record, GenericRecord) else getattr(record, name, None)


def _template(tx: Transaction, template_id: str) -> GenericRecord:
    """Raises RecordNotFound."""
    found = next(iter(tx.find(GenericRecord, entity=TEMPLATE, id=template_id)), None)
    if found is None:
        raise RecordNotFound(f"no {TEMPLATE} {template_id!r}")
    return found


def _filled(tx: Transaction, template: GenericRecord, sources: Sequence[Lookup]) -> tuple[str, str]:
    """Subject and body. Of several sources of one entity the first counts."""
    values: dict[str, dict[str, str]] = {}
    for source in sources:
        values.setdefault(source.entity, _texts(tx.fetch(source)))
    subject, body = str(template.get("subject") or ""), str(template.get("body") or "")
    return fill(subject, values), fill(body, values, html=body.lstrip().startswith("<"))


def _texts(record: Record | GenericRecord) -> dict[str, str]:
    """What a slug may name: texts and numbers."""
    if isinstance(record, GenericRecord):
        pairs = list(record.values.items())
    else:
        pairs = [(name, getattr(record, name)) for name, spec in attributes_of(type(record)).items() if not spec.internal]
    return {
        name.lower(): str(value)
        for name, value in pairs
        if isinstance(value, (str, int, float)) and not isinstance(value, bool)
    }
