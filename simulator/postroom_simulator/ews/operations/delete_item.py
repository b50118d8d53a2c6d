"""DeleteItem (MS-OXWSCORE 3.1.4.3, ews reference 8)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.deleting import delete
from postroom_simulator.ews.items.finding import check_right, find_reference
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.ews.items.receipts import acknowledge


def handle(call: Call, request: Value) -> Value:
    def one(reference: tuple[str, Value]) -> Value:
        with call.world.lock:
            item = find_reference(call, *reference)
            check_right(call, item, "delete")
            element = kind_of(item.item_class).element
            if element == "CalendarItem" and "@SendMeetingCancellations" not in request:
                raise EwsError("ErrorSendMeetingCancellationsRequired")
            if element == "Task" and "@AffectedTaskOccurrences" not in request:
                raise EwsError("ErrorAffectedTaskOccurrencesRequired")
            if not item.read and "draft" not in item.flags:
                item = acknowledge(call, item, send=not request.get("@SuppressReadReceipts"), seen=False)
            delete(call, item, request)
        return {}

    return answer(call, request["ItemIds"], one)
