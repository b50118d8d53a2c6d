"""UpdateInboxRules (MS-OXWSRULES 3.1.4.2, ews reference 15): all operations or none."""

from __future__ import annotations

from dataclasses import replace

from postroom_simulator.directory import Rule
from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.inbox_rules import Problem, numbered, outlook_blobs, read_rule, rules_of, sorted_rules

MOST = 500
"""Rules of a mailbox (our choice)."""


def handle(call: Call, request: Value) -> Value:
    try:
        account = rules_of(call, request.get("MailboxSmtpAddress"))
        blobs = outlook_blobs(call, account)
        if blobs and not request.get("RemoveOutlookRuleBlob"):
            raise EwsError("ErrorOutlookRuleBlobExists", "Outlook keeps rules of its own in this mailbox.")
        work = _Work(call, numbered(call, account.rules))
        problems = []
        for index, (operation, value) in enumerate(request["Operations"]):
            try:
                work.carry_out(operation, value)
            except Problem as problem:
                problems.append({"OperationIndex": index, "ValidationErrors": {"Error": [problem.value]}})
        if problems:
            error = EwsError("ErrorInboxRulesValidationError", "A validation error occurred while executing the operation.")
            return failure(error, RuleOperationErrors={"RuleOperationError": problems})
        if len(work.rules) > MOST:
            raise EwsError("ErrorRulesOverQuota")
    except EwsError as error:
        return failure(error)
    call.store.delete([item.uid for item in blobs])
    account.rules[:] = numbered(call, sorted_rules(work.rules))
    return success()


class _Work:
    """The rules as they are going to be."""

    def __init__(self, call: Call, rules: list[Rule]) -> None:
        self.rules = rules
        self._call = call
        self._priorities: set[int] = set()
        self._touched: set[str] = set()

    def carry_out(self, operation: str, value: Value) -> None:
        """Raises Problem."""
        if operation == "DeleteRuleOperation":
            self.rules.remove(self._known(value["RuleId"]))
            return
        given = value["Rule"]
        if operation == "CreateRuleOperation" and given.get("RuleId"):
            raise Problem("RuleId", "CreateWithRuleId", given["RuleId"])
        if operation == "SetRuleOperation":
            if not given.get("RuleId"):
                raise Problem("RuleId", "MissingParameter")
            old = self._known(given["RuleId"])
            rule = read_rule(self._call, given)
            self.rules.remove(old)
        else:
            rule = read_rule(self._call, given)
        self._place(rule)

    def _known(self, one: str) -> Rule:
        found = next((rule for rule in self.rules if rule.id and rule.id == one), None)
        if found is None:
            raise Problem("RuleId", "RuleNotFound", one)
        if one in self._touched:
            raise Problem("RuleId", "DuplicatedOperationOnTheSameRule", one)
        self._touched.add(one)
        return found

    def _place(self, rule: Rule) -> None:
        """Rules of the same and of higher numbers make room (our choice; two of one request may not want the same place)."""
        if rule.priority in self._priorities:
            raise Problem("Priority", "DuplicatedPriority", rule.priority)
        self._priorities.add(rule.priority)
        if any(one.priority == rule.priority for one in self.rules):
            self.rules = [replace(one, priority=one.priority + (one.priority >= rule.priority)) for one in self.rules]
        self.rules.append(rule)
