"""GetUserPhoto (MS-OXWSPHOTO, ews reference 15)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.people.book import account_of
from postroom_simulator.ews.people.photos import photo_of


def handle(call: Call, request: Value) -> Value:
    try:
        account = account_of(call, request["Email"])
        octets = photo_of(account.profile, request["SizeRequested"])
        if not octets or request.get("TypeRequested", "UserPhoto") != "UserPhoto":
            raise EwsError("ErrorItemNotFound")
    except EwsError as error:
        return failure(error, HasChanged=False)
    return success(HasChanged=True, PictureData=octets)
