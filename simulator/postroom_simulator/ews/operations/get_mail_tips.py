"""GetMailTips (MS-OXWSMTIPS, ews reference 15)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.people.tips import LIMIT, tips_for


def handle(call: Call, request: Value) -> Value:
    """A message for each recipient, and a class and code on the answer. Who leaves out what is asked for gets all (ews reference 15). They are told as
    to whom SendingAs names; whether the caller may send so is not asked before something is sent (our choice)."""
    sender = request["SendingAs"].get("EmailAddress") or call.account.address
    recipients = request["Recipients"].get("Mailbox", [])
    asked = frozenset(request.get("MailTipsRequested", "All").split()) or frozenset({"All"})
    if len(recipients) > LIMIT:
        return failure(EwsError("ErrorExceededMaxRecipientLimit"))
    nobody = EwsError("ErrorMissingInformationEmailAddress")
    messages = [
        success(MailTips=tips_for(call, sender, one, asked)) if one.get("EmailAddress") else failure(nobody)
        for one in recipients
    ]
    return success(ResponseMessages={"MailTipsResponseMessageType": messages} if messages else None)
