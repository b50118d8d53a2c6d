"""How items lie in the store, and how they get there: one way in for every operation.

A message keeps its octets while only what no message has in its octets is set (categories, flags, reminders, extended properties ...): that lies beside
them (`Item.beside`, None for what was removed). A change of anything else makes the properties the authority. Properties carry, beside elements:
"@By" (who made the item, where that is not the owner), "@ReceiptDone" (a read receipt was sent, or never will be), "@Attachments" (the number of the
last attachment), and in an attachment "@Number" and "@Mime".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from postroom_simulator.directory import canonical
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.compose import compose
from postroom_simulator.ews.items.extended import path_of_property
from postroom_simulator.ews.items.hooks import Occurrence, hooks_of
from postroom_simulator.ews.items.kinds import Kind, kind_of
from postroom_simulator.ews.items.mail import read_message
from postroom_simulator.store.interface import Folder, Item

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call
    from postroom_simulator.store.interface import MailStore

__all__ = [
    "BESIDE",
    "changed_names",
    "changed_since",
    "check_size",
    "keep",
    "numbered",
    "octets_of",
    "own",
    "own_of",
    "rendered",
    "save",
    "states",
    "watch",
]

Value = dict[str, Any]

BESIDE = frozenset(
    {"Categories", "Flag", "ReminderIsSet", "ReminderMinutesBeforeStart", "ReminderDueBy", "ReminderNextTime", "ExtendedProperty",
     "Importance", "Sensitivity", "IsResponseRequested", "Culture", "RetentionDate", "PolicyTag", "ArchiveTag", "BccRecipients",
     "LastModifiedName", "@By", "@ReceiptDone"}
)  # fmt: skip
"""Properties that lie beside a message's octets (our choice)."""
STATES = ("IsRead", "IsDraft", "IsAssociated", "ItemClass", "DateTimeReceived", "DateTimeCreated")
"""Elements that the store keeps itself."""
HISTORY = 100
"""Changes of an item that are remembered for merging (our choice)."""


def own(store: MailStore, item: Item) -> Value:
    """Everything that the item itself says, with the octets of its attachments: the caller's to change."""
    if item.properties is not None:
        return dict(item.properties)
    octets = store.octets(item.uid)
    value = read_message(octets)
    if item.beside:
        value = {name: one for name, one in (value | dict(item.beside)).items() if one is not None}
    return numbered(value)


def numbered(value: Value) -> Value:
    """With a number for each attachment; numbers are not used again."""
    given = value.get("Attachments")
    if not given:
        value.pop("Attachments", None)
        return value
    last = max([value.get("@Attachments", 0), *(one.get("@Number", 0) for _, one in given)])
    found = []
    for element, one in given:
        if "@Number" not in one:
            last += 1
            one = one | {"@Number": last}
        found.append((element, one))
    return value | {"Attachments": found, "@Attachments": last}


def states(properties: Value) -> tuple[Value, Value]:
    """What the item says, and what the store keeps itself: by element, only what was given."""
    kept = {name: one for name, one in properties.items() if name not in STATES and one is not None and one != []}
    return kept, {name: properties[name] for name in STATES if properties.get(name) is not None}


def check_size(call: Call, properties: Value) -> None:
    """Raises EwsError where a message is larger than this server takes: the limit is that of SMTP."""
    limit = call.world.smtp.settings.max_octets
    if sum(_weights(properties)) > limit:
        raise EwsError("ErrorMessageSizeExceeded", f"The item is larger than {limit} octets.")


def _weights(value: Any) -> Iterable[int]:
    if isinstance(value, (str, bytes)):
        yield len(value)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _weights(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _weights(one)


def keep(
    call: Call, folder: Folder, kind: Kind, properties: Value, octets: bytes | None = None, *, flags: Iterable[str] = ()
) -> Item:
    """Store a new item. `octets`: those of a message for which `properties` say only what lies beside. Raises EwsError, QuotaExceeded."""
    kept, state = states(properties)
    known = set(flags)
    if state.get("IsDraft"):
        known.add("draft")
    if state.get("IsAssociated"):
        known.add("associated")
    if canonical(call.account.address) != folder.account:
        kept["@By"] = canonical(call.account.address)
    kept.setdefault("LastModifiedName", call.account.name or call.account.address)
    received, read = aware(state.get("DateTimeReceived")), state.get("IsRead", True)
    item_class = state.get("ItemClass") or kind.item_class
    found = frozenset(known)
    if octets is not None:
        item = call.store.deposit(
            folder.account,
            octets,
            folder=folder.uid,
            received=received,
            read=read,
            item_class=item_class,
            flags=found,
            beside=kept,
        )
    else:
        check_size(call, kept)
        item = call.store.create(folder.uid, item_class, numbered(kept), received=received, read=read, flags=found)
    if state.get("DateTimeCreated") is not None:
        item = call.store.alter(item.uid, created=aware(state["DateTimeCreated"]))
    return item


def aware(moment: datetime | None) -> datetime | None:
    """A time without zone is in UTC."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def save(call: Call, item: Item, before: Value, after: Value) -> Item:
    """Store what became of the item's own properties; `before` is from `own`. State elements are in `after` where they are to change. Raises
    EwsError, QuotaExceeded, NoSuchItem."""
    if isinstance(item, Occurrence):
        return hooks_of(kind_of(item.item_class).element).keep(call, item, after)
    after, state = states(after)
    before = states(before)[0]
    changed = changed_names(before, after)
    values: dict[str, Any] = {
        "read": state.get("IsRead"),
        "item_class": state.get("ItemClass"),
        "received": aware(state.get("DateTimeReceived")),
        "created": aware(state.get("DateTimeCreated")),
    }
    elements = {name.partition(" ")[0] for name in changed}
    if elements:
        check_size(call, after)
        after["LastModifiedName"] = call.account.name or call.account.address
        if item.properties is None and elements <= BESIDE:
            touched = elements | {"LastModifiedName"}
            values["beside"] = dict(item.beside or {}) | {name: after.get(name) for name in touched}
        else:
            values["properties"] = numbered(after)
            values["flags"] = item.flags | {"modified"}
    from postroom_simulator.ews.items.recovery import keep_version

    keep_version(call, item, frozenset(elements))
    saved = call.store.alter(item.uid, **values)
    extra = {name for name in ("IsRead", "ItemClass") if state.get(name) is not None}
    remember(call, item, saved, changed | extra)
    return saved


def changed_names(before: Value, after: Value) -> set[str]:
    """Elements whose values differ; of extended properties "ExtendedProperty" and which."""
    names = {
        name for name in before.keys() | after.keys() if name != "ExtendedProperty" and before.get(name) != after.get(name)
    }
    old, new = _extended(before), _extended(after)
    return names | {f"ExtendedProperty {key}" for key in old.keys() | new.keys() if old.get(key) != new.get(key)}


def _extended(value: Value) -> Value:
    return {repr(path_of_property(one).key): one for one in value.get("ExtendedProperty") or ()}


# -- what changed since a version


def remember(call: Call, before: Item, after: Item, names: Iterable[str]) -> None:
    """The names that changed with a version, for `changed_since`."""
    if before.change == after.change:
        return
    key = ("history", before.uid)
    steps = list(call.service.seen.get(key) or ())
    steps.append((before.change, after.change, frozenset(names)))
    call.service.seen.put(key, steps[-HISTORY:])


def changed_since(call: Call, item: Item, version: int) -> frozenset[str] | None:
    """What changed since that version of the item; None where that is not known any more."""
    names: set[str] = set()
    at = item.change
    for begun, ended, changed in reversed(call.service.seen.get(("history", item.uid)) or ()):
        if at == version:
            break
        if ended != at:
            return None
        names |= changed
        at = begun
    return frozenset(names) if at == version else None


# -- octets


def octets_of(call: Call, item: Item) -> bytes:
    """MimeContent. Raises EwsError where this kind of item has none."""
    kind = kind_of(item.item_class)
    write = hooks_of(kind.element).write_mime
    if write is not None:
        from postroom_simulator.ews.items.view import properties_of

        return write(call, item, properties_of(call, item))
    if item.properties is None:
        return call.store.octets(item.uid)
    if kind.folder_class != "IPF.Note":
        raise EwsError("ErrorUnsupportedMimeConversion", f"A {kind.element} has no MIME content.")
    return composed(item, bcc=True)


def composed(item: Item, *, bcc: bool) -> bytes:
    """The message that properties say: the same octets for the same item."""
    value = dict(item.properties or {})
    value.setdefault("DateTimeSent", item.created)
    return compose(value, bcc=bcc)


def rendered(item: Item) -> bytes | None:
    """For the store: what POP3 hands out of an item that has no octets. None for what is no message."""
    if kind_of(item.item_class).folder_class != "IPF.Note":
        return None
    return composed(item, bcc=False)


def watch(store: MailStore) -> None:
    """Let the store render items whose properties are the authority."""
    store.renderer = rendered


def own_of(call: Call, item: Item) -> Value:
    """The item's own properties, to be changed and saved: of an occurrence those of the date."""
    return own(call.store, item)
