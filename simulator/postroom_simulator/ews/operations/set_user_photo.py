"""SetUserPhoto (ews reference 4, 15): the caller's own photo.

The schema has the answer as a list of messages and none of its own name among them; one of GetUserPhoto stands there (our choice)."""

from __future__ import annotations

import base64
import binascii

from postroom_simulator.ews.call import Call, Value, success
from postroom_simulator.ews.errors import EwsError, Fault
from postroom_simulator.ews.people.book import account_of

LIMIT = 20 * 1024 * 1024
"""Octets of a photo (our choice; real servers make smaller sizes of it)."""


def handle(call: Call, request: Value) -> Value:
    account = account_of(call, request["Email"])
    if account is not call.account:
        raise EwsError("ErrorAccessDenied")
    try:
        octets = base64.b64decode("".join(request["Content"].split()), validate=True)
    except (binascii.Error, ValueError):
        raise Fault("ErrorInvalidArgument", "The content of the photo is no base64.") from None
    if not octets or len(octets) > LIMIT:
        raise EwsError("ErrorInvalidPhotoSize")
    account.profile.photo = octets
    account.profile.photos.clear()  # they were of the other one
    return {"ResponseMessages": [("GetUserPhotoResponseMessage", success(HasChanged=True))]}
