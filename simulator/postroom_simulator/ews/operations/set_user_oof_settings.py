"""SetUserOofSettings (MS-OXWOOF 3.1.4.2, ews reference 15)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.people.absence import store_settings
from postroom_simulator.ews.people.book import account_of


def handle(call: Call, request: Value) -> Value:
    try:
        account = account_of(call, request["Mailbox"])
        if account is not call.account:
            raise EwsError("ErrorAccessDenied")
        store_settings(call, account, request["UserOofSettings"])
    except EwsError as error:
        return {"ResponseMessage": failure(error)}
    return {"ResponseMessage": success()}
