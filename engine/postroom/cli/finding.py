"""Which record somebody means: by id, the beginning of an id, name or address."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from postroom.errors import RecordNotFound
from postroom.model import ENTITIES, GenericRecord, Lookup
from postroom.model.attributes import nearest

if TYPE_CHECKING:
    from postroom.organization import Organization

__all__ = ["NOUNS", "Ambiguous", "find", "label_of", "labels"]

NOUNS = {
    "systemuser": "user",
    "emailserverprofile": "profile",
    "tracelog": "alert",
    "exchangesyncidmapping": "failed email",
}
"""What people call an entity, where that is not its name."""

_COLUMNS = {
    "systemuser": ("fullname", "internalemailaddress", "domainname"),
    "queue": ("name", "emailaddress"),
    "mailbox": ("emailaddress", "name"),
    "emailserverprofile": ("name",),
    "email": ("messageid", "subject"),
    "tracelog": (),
}
_GENERIC = ("fullname", "name", "title", "subject", "emailaddress1", "emailaddress2", "emailaddress3", "emailaddress")
_ID = re.compile(r"\{?[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\}?")
_BEGINNING = re.compile(r"[0-9a-f]{4}[0-9a-f-]{0,31}")
_SHOWN = 5


class Ambiguous(RecordNotFound):
    """Several records are called that: `problems` names them."""

    def __init__(self, text: str, problems: list[str]) -> None:
        super().__init__(text)
        self.problems = problems


def find(organization: Organization, entity: str, text: str) -> Lookup:
    """The record of that entity. Raises RecordNotFound, Ambiguous."""
    from postroom.organization import SYSTEM

    if _ID.fullmatch(text):
        found: Lookup = organization.retrieve(SYSTEM, entity, _canonical(text)).reference
        return found
    columns = _COLUMNS.get(entity, _GENERIC)
    noun = NOUNS.get(entity, entity)
    if entity in ENTITIES:
        for column in columns:
            exact = organization.retrieve_multiple(SYSTEM, entity, limit=2, **{column: text})
            if len(exact) == 1:
                return exact[0].reference  # type: ignore[no-any-return]
    everything = organization.retrieve_multiple(SYSTEM, entity)
    wanted = text.strip().casefold()
    for column in columns:
        matches = [one for one in everything if _value(one, column).casefold() == wanted]
        if matches:
            return _only(matches, noun, text)
    matches = [one for one in everything if _BEGINNING.fullmatch(wanted) and one.record_id.startswith(wanted)]
    if matches:
        return _only(matches, noun, text)
    matches = [one for one in everything if entity == "email" and _value(one, "subject").casefold().startswith(f"{wanted} ")]
    if matches:  # the subject was given a tracking token when it was sent
        return _only(matches, noun, text)
    known = {_value(one, column) for one in everything for column in columns} - {""}
    raise RecordNotFound(f"no {noun} {text!r}{nearest(text, known)}")


def _canonical(text: str) -> str:
    from uuid import UUID

    return str(UUID(text))


def _only(matches: list[Any], noun: str, text: str) -> Lookup:
    if len(matches) == 1:
        found: Lookup = matches[0].reference
        return found
    shown = [f"{one.record_id}  {label_of(one)}" for one in matches[:_SHOWN]]
    more = [f"and {len(matches) - _SHOWN} more"] if len(matches) > _SHOWN else []
    text = f"{len(matches)} records are the {noun} {text!r}; name one by its id"
    raise Ambiguous(text, [text, *shown, *more])


def _value(record: Any, column: str) -> str:
    value = record.get(column) if isinstance(record, GenericRecord) else getattr(record, column, None)
    return value if isinstance(value, str) else ""


def label_of(record: Any) -> str:
    """What a record is called: name and address, as far as it has them."""
    columns = _COLUMNS.get(record.reference.entity, _GENERIC)
    values = list(dict.fromkeys(value for column in columns if (value := _value(record, column))))
    if record.reference.entity == "email":
        return _value(record, "subject") or "(no subject)"
    return f"{values[0]} ({values[1]})" if len(values) > 1 else (values or [record.record_id])[0]


def labels(organization: Organization, references: set[Lookup]) -> dict[str, str]:
    """id -> what the record is called, of those that exist."""
    from postroom.organization import SYSTEM

    found = {}
    for reference in references:
        try:
            found[reference.id] = label_of(organization.retrieve(SYSTEM, reference.entity, reference.id))
        except RecordNotFound:
            found[reference.id] = f"{reference.id} (gone)"
    return found
