"""DeleteItem (MS-OXWSCORE 3.1.4.3, ews reference 8)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.finding import find_item
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.store.interface import Role


def handle(call: Call, request: Value) -> Value:
    def one(reference: tuple[str, Value]) -> Value:
        item = find_item(call, reference[1])
        if kind_of(item.item_class).element == "CalendarItem" and "@SendMeetingCancellations" not in request:
            raise EwsError("ErrorSendMeetingCancellationsRequired")
        if kind_of(item.item_class).element == "Task" and "@AffectedTaskOccurrences" not in request:
            raise EwsError("ErrorAffectedTaskOccurrencesRequired")
        deleted = call.store.folder(item.account, Role.DELETED)
        if request["@DeleteType"] == "MoveToDeletedItems" and item.folder != deleted.uid:
            call.store.move(item.uid, deleted.uid)
        else:
            call.store.delete([item.uid])
        return {}

    return answer(call, request["ItemIds"], one)
