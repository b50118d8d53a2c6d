"""GetRooms (MS-OXWSGTRM 3.1.4.2): the rooms of a list."""

from __future__ import annotations

from postroom_simulator.directory import Account, Group
from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError


def handle(call: Call, request: Value) -> Value:
    address = request["RoomList"].get("EmailAddress") or ""
    found = call.world.directory.get(address) if address else None
    if not isinstance(found, Group) or not found.is_room_list:
        return failure(EwsError("ErrorNameResolutionNoResults"))
    rooms = [call.world.directory.get(one) for one in found.members]
    return success(Rooms={"Room": [{"Id": _box(one)} for one in rooms if isinstance(one, Account) and one.is_room]})


def _box(room: Account) -> Value:
    return {"Name": room.name or room.address, "EmailAddress": room.address, "RoutingType": "SMTP", "MailboxType": "Mailbox"}
