"""GetMailTips (MS-OXWSMTIPS, ews reference 15)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.people.tips import LIMIT, tips_for


def handle(call: Call, request: Value) -> Value:
    """A message for each recipient, and a class and code on the answer. Who leaves out what is asked for gets all (ews reference 15)."""
    recipients = request["Recipients"].get("Mailbox", [])
    asked = frozenset(request.get("MailTipsRequested", "All").split()) or frozenset({"All"})
    if len(recipients) > LIMIT:
        return failure(EwsError("ErrorExceededMaxRecipientLimit"))
    nobody = EwsError("ErrorMissingInformationEmailAddress")
    messages = [
        success(MailTips=tips_for(call, one, asked)) if one.get("EmailAddress") else failure(nobody) for one in recipients
    ]
    return success(ResponseMessages={"MailTipsResponseMessageType": messages} if messages else None)
