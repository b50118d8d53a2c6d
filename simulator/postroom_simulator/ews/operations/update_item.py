"""UpdateItem (MS-OXWSCORE 3.1.4.9, ews reference 8)."""

from __future__ import annotations

from postroom_simulator.directory import canonical
from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import target_folder
from postroom_simulator.ews.ids import parse_change_key
from postroom_simulator.ews.items.changing import apply_updates, check_key
from postroom_simulator.ews.items.finding import check_right, find_reference
from postroom_simulator.ews.items.hooks import hooks_of
from postroom_simulator.ews.items.keeping import STATES, changed_names, changed_since, save
from postroom_simulator.ews.items.keeping import own_of as own
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.ews.items.receipts import acknowledge
from postroom_simulator.ews.items.sending import check_recipients, send
from postroom_simulator.ews.items.stored import sendable
from postroom_simulator.ews.items.view import item_id
from postroom_simulator.store.interface import Folder, Item, Role


def handle(call: Call, request: Value) -> Value:
    return answer(call, request["ItemChanges"]["ItemChange"], lambda one: _update(call, request, one), Items=[])


def _update(call: Call, request: Value, change: Value) -> Value:
    name = next(name for name in change if name != "Updates")
    with call.world.lock:
        item = find_reference(call, name, change[name])
        check_right(call, item, "edit")
        kind = kind_of(item.item_class)
        _check_request(request, kind.element)
        before = own(call, item)
        after = apply_updates(call, item, before, change["Updates"])
        conflicts = _conflicts(request["@ConflictResolution"], call, item, change[name], _names(before, after))
        hooks = hooks_of(kind.element)
        after = hooks.update(call, item, before, after, request)
        seen = after.get("IsRead") is True and not item.read
        saved = save(call, item, before, after)
        hooks.changed(call, saved, before, after, request)
        if seen:
            acknowledge(call, saved, send=not request.get("@SuppressReadReceipts"))
        answered: list[tuple[str, Value]] = []
        if request.get("@MessageDisposition", "SaveOnly") != "SaveOnly" and kind.element == "Message":
            _send(call, request, call.store.item(item.uid))
        else:
            answered = [(kind.element, {"ItemId": item_id(find_again(call, saved))})]
    return {"Items": answered, "ConflictResults": {"Count": conflicts}}


def find_again(call: Call, item: Item) -> Item:
    """As it is now; an occurrence is what keeping it gave."""
    from postroom_simulator.ews.items.hooks import Occurrence

    return item if isinstance(item, Occurrence) else call.store.item(item.uid)


def _check_request(request: Value, element: str) -> None:
    if element == "Message" and "@MessageDisposition" not in request:
        raise EwsError("ErrorMessageDispositionRequired")
    if element == "CalendarItem" and "@SendMeetingInvitationsOrCancellations" not in request:
        raise EwsError("ErrorSendMeetingInvitationsOrCancellationsRequired")


def _names(before: Value, after: Value) -> set[str]:
    """What a request changes."""
    return changed_names(before, after) | {name for name in STATES if name in after}


def _conflicts(mode: str, call: Call, item: Item, reference: Value, names: set[str]) -> int:
    """How many of the properties somebody else changed since the version that the request knows. Raises EwsError where that must not be."""
    missing = "" if mode == "AlwaysOverwrite" else "ErrorChangeKeyRequiredForWriteOperations"
    if check_key(item, reference, missing=missing, stale="" if mode != "NeverOverwrite" else "ErrorIrresolvableConflict"):
        return 0
    if "@ChangeKey" not in reference or not reference["@ChangeKey"]:
        return 0
    since = changed_since(call, item, parse_change_key(reference["@ChangeKey"]))
    if mode == "AutoResolve" and (since is None or since & names):
        raise EwsError("ErrorIrresolvableConflict")
    return len((since or frozenset()) & names)


def _send(call: Call, request: Value, item: Item) -> None:
    """The draft goes out, and is gone."""
    new = sendable(call, item)
    check_recipients(new.whole())
    send(call, new, _copy_folder(call, request))
    call.store.delete([item.uid])


def _copy_folder(call: Call, request: Value) -> Folder | None:
    if request["@MessageDisposition"] != "SendAndSaveCopy":
        return None
    if "SavedItemFolderId" in request:
        return target_folder(call, request["SavedItemFolderId"], "create")
    return call.store.folder(canonical(call.account.address), Role.SENT)
