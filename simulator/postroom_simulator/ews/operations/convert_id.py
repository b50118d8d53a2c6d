"""ConvertId (MS-OXWSCVTID 3.1.4.1, ews reference 5)."""

from __future__ import annotations

from postroom_simulator.directory import Account, canonical
from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.ids import mailbox_number, parse_id


def handle(call: Call, request: Value) -> Value:
    def one(source: tuple[str, Value]) -> Value:
        name, given = source
        if name != "AlternateId":
            raise EwsError("ErrorInvalidOperation", "There are no public folders.")
        parsed = parse_id(given.get("@Id", ""))
        owner = next(
            (one for one in call.world.directory.accounts() if mailbox_number(canonical(one.address)) == parsed.mailbox), None
        )
        if not isinstance(owner, Account):
            raise EwsError("ErrorNonExistentMailbox")
        return {
            "AlternateId": {
                "@xsi:type": "t:AlternateIdType",
                "@Format": request["@DestinationFormat"],
                "@Id": given["@Id"],
                "@Mailbox": owner.address,
            }
        }

    return answer(call, request["SourceIds"], one)
