"""GetRoomLists (MS-OXWSGTRM 3.1.4.1): groups of the directory that are lists of rooms."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, success


def handle(call: Call, _: Value) -> Value:
    found = sorted(
        (one for one in call.world.directory.groups() if one.is_room_list), key=lambda one: (one.name or one.address).casefold()
    )
    lists = [
        {"Name": one.name or one.address, "EmailAddress": one.address, "RoutingType": "SMTP", "MailboxType": "PublicDL"}
        for one in found
    ]
    return success(RoomLists={"Address": lists})
