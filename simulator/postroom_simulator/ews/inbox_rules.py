"""Inbox rules between their published form and `directory.Rule` (ews reference 15; MS-OXWSRULES 2.2.4)."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from postroom_simulator import delivery
from postroom_simulator.directory import Account, Rule, canonical
from postroom_simulator.errors import StoreError
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import folder_id, target_folder
from postroom_simulator.ews.items.finding import find_item
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.ews.items.view import item_id
from postroom_simulator.rule_conditions import Conditions
from postroom_simulator.store.interface import ASSOCIATED, Item, Role

if TYPE_CHECKING:
    from postroom_simulator.store.interface import Folder

__all__ = ["Problem", "numbered", "outlook_blobs", "read_rule", "rule_value", "rules_of", "sorted_rules"]

STRINGS: Mapping[str, str] = MappingProxyType(
    {
        "Categories": "categories",
        "ContainsBodyStrings": "body",
        "ContainsHeaderStrings": "header",
        "ContainsRecipientStrings": "recipient",
        "ContainsSenderStrings": "sender",
        "ContainsSubjectOrBodyStrings": "subject_or_body",
        "ContainsSubjectStrings": "subject",
        "ItemClasses": "item_classes",
    }
)
ADDRESSES: Mapping[str, str] = MappingProxyType({"FromAddresses": "from_addresses", "SentToAddresses": "sent_to_addresses"})
WORDS: Mapping[str, str] = MappingProxyType(
    {"FlaggedForAction": "flagged", "Importance": "importance", "Sensitivity": "sensitivity"}
)
TRUTHS: Mapping[str, str] = MappingProxyType(
    {
        "HasAttachments": "has_attachments",
        "IsApprovalRequest": "is_approval_request",
        "IsAutomaticForward": "is_automatic_forward",
        "IsAutomaticReply": "is_automatic_reply",
        "IsEncrypted": "is_encrypted",
        "IsMeetingRequest": "is_meeting_request",
        "IsMeetingResponse": "is_meeting_response",
        "IsNDR": "is_ndr",
        "IsPermissionControlled": "is_permission_controlled",
        "IsReadReceipt": "is_read_receipt",
        "IsSigned": "is_signed",
        "IsVoicemail": "is_voicemail",
        "NotSentToMe": "not_sent_to_me",
        "SentCcMe": "sent_cc_me",
        "SentOnlyToMe": "sent_only_to_me",
        "SentToMe": "sent_to_me",
        "SentToOrCcMe": "sent_to_or_cc_me",
    }
)
FORWARDS: Mapping[str, str] = MappingProxyType(
    {
        "ForwardAsAttachmentToRecipients": "forward_as_attachment_to",
        "ForwardToRecipients": "forward_to",
        "RedirectToRecipients": "redirect_to",
    }
)
UNSUPPORTED = {"FromConnectedAccounts": "ConnectedAccountNotFound", "MessageClassifications": "MessageClassificationNotFound"}
TEXT_LIMIT = 256
"""Characters of a text in a rule (our choice)."""


class Problem(Exception):
    """What is wrong with a rule: a RuleValidationErrorType."""

    def __init__(self, field: str, code: str, value: object = "", text: str = "") -> None:
        super().__init__(code)
        self.value: Value = {
            "FieldURI": field,
            "ErrorCode": code,
            "ErrorMessage": text or f"The rule is not valid: {code}.",
            "FieldValue": str(value)[:TEXT_LIMIT],
        }


def rules_of(call: Call, address: str | None) -> Account:
    """Whose rules: the caller's own, or of whom the address names. Raises EwsError."""
    if not address or canonical(address) == canonical(call.account.address):
        return call.account
    found = call.world.directory.get(address)
    if not isinstance(found, Account):
        raise EwsError("ErrorNonExistentMailbox")
    raise EwsError("ErrorAccessDenied")


def numbered(call: Call, rules: Iterable[Rule]) -> list[Rule]:
    """Each with an id and a priority: rules that were not made by a client of Exchange get them now, and keep their places."""
    found: list[Rule] = []
    for rule in rules:
        least = found[-1].priority + 1 if found else 1
        one = rule.id or base64.b64encode(struct.pack(">Q", call.world.ids.number("rule"))).decode("ascii")
        found.append(replace(rule, id=one, priority=max(rule.priority, least)))
    return found


def sorted_rules(rules: Iterable[Rule]) -> list[Rule]:
    return sorted(rules, key=lambda rule: rule.priority)


# -- writing


def rule_value(call: Call, account: Account, rule: Rule) -> Value:
    """A RuleType. One whose folder is gone is in error."""
    actions, broken = _actions(call, account, rule)
    return {
        "RuleId": rule.id,
        "DisplayName": rule.name or "Rule",
        "Priority": rule.priority,
        "IsEnabled": rule.enabled,
        "IsNotSupported": False,
        "IsInError": broken,
        "Conditions": _predicates(_all_conditions(rule)),
        "Exceptions": _predicates(rule.exceptions or Conditions()),
        "Actions": actions,
    }


def _all_conditions(rule: Rule) -> Conditions:
    """The simple questions of a rule too."""
    found = rule.conditions or Conditions()
    if rule.from_contains is not None:
        found = replace(found, sender=(*found.sender, rule.from_contains))
    if rule.subject_contains is not None:
        found = replace(found, subject=(*found.subject, rule.subject_contains))
    if rule.sent_to is not None:
        found = replace(found, sent_to_addresses=(*found.sent_to_addresses, rule.sent_to))
    return found


def _predicates(conditions: Conditions) -> Value | None:
    value: Value = {}
    for name, part in STRINGS.items():
        if texts := getattr(conditions, part):
            value[name] = {"String": list(texts)}
    for name, part in ADDRESSES.items():
        if addresses := getattr(conditions, part):
            value[name] = _boxes(addresses)
    for name, part in (*WORDS.items(), *TRUTHS.items()):
        if (one := getattr(conditions, part)) is not None:
            value[name] = one
    if conditions.received is not None:
        ends = zip(("StartDateTime", "EndDateTime"), conditions.received, strict=True)
        value["WithinDateRange"] = {name: one for name, one in ends if one is not None}
    if conditions.size is not None:
        sizes = zip(("MinimumSize", "MaximumSize"), conditions.size, strict=True)
        value["WithinSizeRange"] = {name: -(-one // 1024) for name, one in sizes if one is not None}
    return value or None


def _boxes(addresses: Iterable[str]) -> Value:
    return {"Address": [{"Name": one, "EmailAddress": one, "RoutingType": "SMTP"} for one in addresses]}


def _actions(call: Call, account: Account, rule: Rule) -> tuple[Value, bool]:
    value: Value = {}
    broken = False
    for name, wanted in (("CopyToFolder", rule.copy_to), ("MoveToFolder", rule.move_to)):
        if wanted:
            folder = _found(call, account, wanted)
            broken = broken or folder is None
            if folder is not None:
                value[name] = {"FolderId": folder_id(folder)}
    for name, part in FORWARDS.items():
        if addresses := getattr(rule, part):
            value[name] = _boxes(addresses)
    if rule.categories:
        value["AssignCategories"] = {"String": list(rule.categories)}
    if rule.mark_importance:
        value["MarkImportance"] = rule.mark_importance
    if rule.reply_with is not None:
        item = _pattern(call, account, rule.reply_with)
        broken = broken or item is None
        if item is not None:
            value["ServerReplyWithMessage"] = item_id(item)
    for name, given in (
        ("Delete", rule.delete),
        ("MarkAsRead", rule.mark_read),
        ("PermanentDelete", rule.delete_for_good),
        ("StopProcessingRules", rule.stop),
    ):
        if given:
            value[name] = True
    return value, broken


def _found(call: Call, account: Account, wanted: str | int) -> Folder | None:
    try:
        return delivery.find_folder(call.world, account, wanted)
    except StoreError:
        return None


def _pattern(call: Call, account: Account, uid: int) -> Item | None:
    """The message that a rule answers with; None where it is gone, or in another mailbox now."""
    try:
        item = call.store.item(uid)
    except StoreError:
        return None
    return item if item.account == canonical(account.address) else None


def outlook_blobs(call: Call, account: Account) -> list[Item]:
    """What Outlook keeps of its own rules: hidden items of the Inbox (MS-OXORULE 2.2.4)."""
    inbox = call.store.folder(account.address, Role.INBOX)
    found = call.store.items(inbox.uid) if call.store.tally(inbox.uid).associated else ()
    return [item for item in found if ASSOCIATED in item.flags and item.item_class.casefold() == _BLOB]


_BLOB = "ipm.ruleorganizer"


# -- reading


def read_rule(call: Call, value: Value) -> Rule:
    """Raises Problem."""
    name = value["DisplayName"].strip()
    if not name:
        raise Problem("DisplayName", "EmptyValueFound")
    _short("DisplayName", name)
    if value["Priority"] < 1:
        raise Problem("Priority", "InvalidValue", value["Priority"])
    for field in ("IsNotSupported", "IsInError"):
        if value.get(field):  # the server says so, nobody else
            raise Problem(field, "NotSettable", "true")
    rule = Rule(name, enabled=value["IsEnabled"], id=value.get("RuleId", ""), priority=value["Priority"])
    conditions = _conditions("Condition", value.get("Conditions") or {})
    exceptions = _conditions("Exception", value.get("Exceptions") or {})
    rule = replace(
        rule,
        conditions=conditions if conditions.asked else None,
        exceptions=exceptions if exceptions.asked else None,
    )
    return _read_actions(call, rule, value.get("Actions") or {})


def _short(field: str, text: str) -> str:
    if len(text) > TEXT_LIMIT:
        raise Problem(field, "StringValueTooBig", text)
    return text


def _conditions(kind: str, value: Value) -> Conditions:
    parts: dict[str, Any] = {}
    for name, one in value.items():
        field = f"{kind}:{name}"
        if name in UNSUPPORTED:
            raise Problem(field, UNSUPPORTED[name], ", ".join(one["String"]))
        reader = _READERS.get(name)
        if reader is not None:
            parts[reader[0]] = reader[1](field, one)
    return Conditions(**parts)


def _strings(field: str, value: Value) -> tuple[str, ...]:
    found = tuple(_short(field, one) for one in value["String"])
    if not found or not all(found):
        raise Problem(field, "EmptyValueFound")
    return found


def _addresses(field: str, value: Value) -> tuple[str, ...]:
    found = tuple(_short(field, one.get("EmailAddress") or "") for one in value["Address"])
    if not found:
        raise Problem(field, "EmptyValueFound")
    for one in found:
        local, _, domain = one.rpartition("@")
        if not (local and domain) or any(c.isspace() for c in one):
            raise Problem(field, "InvalidAddress", one)
    return found


def _range(field: str, value: Value) -> tuple[datetime | None, datetime | None]:
    first, last = (_aware(value.get(name)) for name in ("StartDateTime", "EndDateTime"))
    if first is None and last is None:
        raise Problem(field, "MissingRangeValue")
    if first is not None and last is not None and first > last:
        raise Problem(field, "InvalidDateRange", f"{first} - {last}")
    return first, last


def _aware(value: datetime | None) -> datetime | None:
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def _sizes(field: str, value: Value) -> tuple[int | None, int | None]:
    """In kilobytes on the wire, in octets here."""
    least, most = value.get("MinimumSize"), value.get("MaximumSize")
    if least is None and most is None:
        raise Problem(field, "MissingRangeValue")
    if (least or 0) < 0 or (most or 0) < 0:
        raise Problem(field, "SizeLessThanZero", least if (least or 0) < 0 else most)
    if least is not None and most is not None and least > most:
        raise Problem(field, "InvalidSizeRange", f"{least} - {most}")
    return least * 1024 if least is not None else None, most * 1024 if most is not None else None


def _as_it_is(_: str, value: Any) -> Any:
    return value


_READERS: Mapping[str, tuple[str, Callable[[str, Any], Any]]] = MappingProxyType(
    {name: (part, _strings) for name, part in STRINGS.items()}
    | {name: (part, _addresses) for name, part in ADDRESSES.items()}
    | {name: (part, _as_it_is) for name, part in (*WORDS.items(), *TRUTHS.items())}
    | {"WithinDateRange": ("received", _range), "WithinSizeRange": ("size", _sizes)}
)
assert {part for part, _ in _READERS.values()} == {one.name for one in fields(Conditions)}


def _read_actions(call: Call, rule: Rule, value: Value) -> Rule:
    parts: dict[str, Any] = {}
    for name, one in value.items():
        field = f"Action:{name}"
        if name == "SendSMSAlertToRecipients":
            _check_numbers(field, one)
            raise Problem(field, "UnsupportedRule", text="No service for text messages is set up.")
        if name == "ServerReplyWithMessage":
            parts["reply_with"] = _reply(call, field, one)
        elif name in FORWARDS:
            parts[FORWARDS[name]] = _addresses(field, one)
        elif name in ("MoveToFolder", "CopyToFolder"):
            parts["move_to" if name == "MoveToFolder" else "copy_to"] = _folder(call, field, one)
        elif name == "AssignCategories":
            parts["categories"] = _strings(field, one)
        else:
            parts[_PLAIN[name]] = one
    if not any(parts.values()):
        raise Problem("Actions", "MissingAction")
    return replace(rule, **parts)


def _check_numbers(field: str, value: Value) -> None:
    """Telephone numbers of E.164, as Exchange takes them."""
    if not value["Address"]:
        raise Problem(field, "EmptyValueFound")
    for one in value["Address"]:
        number = one.get("EmailAddress") or one.get("Name") or ""
        if not _NUMBER.fullmatch(number):
            raise Problem(field, "InvalidAddress", number)
        if (one.get("RoutingType") or "MOBILE").upper() != "MOBILE":
            raise Problem(field, "UnsupportedAddress", number)


_NUMBER = re.compile(r"\+?[1-9][0-9]{4,14}")


def _reply(call: Call, field: str, value: Value) -> int:
    """The uid of a message in the caller's mailbox."""
    try:
        item = find_item(call, value)
    except EwsError:
        raise Problem(field, "InvalidValue", value.get("@Id", "")) from None
    if item.account != canonical(call.account.address) or kind_of(item.item_class).element != "Message":
        raise Problem(field, "InvalidValue", value["@Id"])
    return item.uid


_PLAIN = {
    "Delete": "delete",
    "MarkAsRead": "mark_read",
    "MarkImportance": "mark_importance",
    "PermanentDelete": "delete_for_good",
    "StopProcessingRules": "stop",
}


def _folder(call: Call, field: str, value: Value) -> int:
    try:
        folder = target_folder(call, value, "own")
    except EwsError as error:
        code = "InvalidFolderId" if error.code.startswith("ErrorInvalidId") else "FolderDoesNotExist"
        raise Problem(field, code, (value.get("FolderId") or value.get("DistinguishedFolderId") or {}).get("@Id", "")) from None
    if folder.account != canonical(call.account.address):
        raise Problem(field, "FolderDoesNotExist")
    return folder.uid
