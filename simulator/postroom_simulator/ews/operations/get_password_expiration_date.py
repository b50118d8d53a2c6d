"""GetPasswordExpirationDate (MS-OXWSPED 3.1.4.1, ews reference 15)."""

from __future__ import annotations

from datetime import UTC, datetime

from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.people.book import account_of

NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def handle(call: Call, request: Value) -> Value:
    try:
        account = account_of(call, request["MailboxSmtpAddress"]) if request.get("MailboxSmtpAddress") else call.account
        if account is not call.account:
            raise EwsError("ErrorAccessDenied")
    except EwsError as error:
        return failure(error, PasswordExpirationDate=NEVER)
    return success(PasswordExpirationDate=account.password_expires or NEVER)
