"""GetUserPhoto (ews reference 15). A photo is kept in one size and answers every size asked (our choice)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.people.book import account_of


def handle(call: Call, request: Value) -> Value:
    try:
        account = account_of(call, request["Email"])
        if not account.profile.photo or request.get("TypeRequested", "UserPhoto") != "UserPhoto":
            raise EwsError("ErrorItemNotFound")
    except EwsError as error:
        return failure(error, HasChanged=False)
    return success(HasChanged=True, PictureData=account.profile.photo)
