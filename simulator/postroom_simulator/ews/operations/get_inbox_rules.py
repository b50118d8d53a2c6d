"""GetInboxRules (MS-OXWSRULES 3.1.4.1, ews reference 15)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.inbox_rules import numbered, outlook_blobs, rule_value, rules_of


def handle(call: Call, request: Value) -> Value:
    try:
        account = rules_of(call, request.get("MailboxSmtpAddress"))
    except EwsError as error:
        return failure(error)
    account.rules[:] = numbered(call, account.rules)
    rules = [rule_value(call, account, rule) for rule in account.rules]
    return success(OutlookRuleBlobExists=bool(outlook_blobs(call, account)), InboxRules={"Rule": rules} if rules else None)
