"""GetUserOofSettings (MS-OXWOOF 3.1.4.1, ews reference 15)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.people.absence import settings_of, settings_value
from postroom_simulator.ews.people.book import account_of


def handle(call: Call, request: Value) -> Value:
    try:
        account = account_of(call, request["Mailbox"])
        if account is not call.account:
            raise EwsError("ErrorAccessDenied")
        settings = settings_value(settings_of(account), call.now())
    except EwsError as error:
        return {"ResponseMessage": failure(error)}
    return {"ResponseMessage": success(), "OofSettings": settings, "AllowExternalOof": "All"}
