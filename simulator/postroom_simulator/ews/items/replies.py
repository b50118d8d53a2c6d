"""Response objects about messages: answers and what is sent on (ews reference 8; MS-OXWSCORE 3.1.4.2.3, MS-OXWSMSG)."""

from __future__ import annotations

import html
import re
from typing import Any

from postroom_simulator.directory import canonical
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import target_folder
from postroom_simulator.ews.ids import parse_change_key
from postroom_simulator.ews.items import mapi
from postroom_simulator.ews.items.finding import check_right, find_item
from postroom_simulator.ews.items.html import html_of
from postroom_simulator.ews.items.keeping import changed_since, own, save
from postroom_simulator.ews.items.kinds import kind_of, kind_of_element
from postroom_simulator.ews.items.mail import topic
from postroom_simulator.ews.items.sending import send
from postroom_simulator.ews.items.threads import child_index, topic_of
from postroom_simulator.ews.items.view import item_id, properties_of
from postroom_simulator.ews.items.writing import New, mailboxes, store_new
from postroom_simulator.store.interface import Folder, Item, Role

__all__ = ["referred", "respond"]

_VERBS = {"ReplyToItem": 102, "ReplyAllToItem": 103, "ForwardItem": 104}
_MARK = re.compile(r"^ExtendedProperty \('', (?:4225|4226),")
"""The names of what `_mark` changes, as `keeping.changed_names` says them."""
_PREFIXES = {"ReplyToItem": "RE: ", "ReplyAllToItem": "RE: ", "ForwardItem": "FW: ", "PostReplyItem": "RE: "}


def referred(call: Call, value: Value) -> Item:
    """The item that a response object is about. Raises EwsError."""
    given = value.get("ReferenceItemId")
    if given is None:
        raise EwsError("ErrorMissingInformationReferenceItemId")
    item = find_item(call, given)
    key = given.get("@ChangeKey", "")
    if not key:
        raise EwsError("ErrorChangeKeyRequired")
    version = parse_change_key(key)
    if version != item.change and not _only_answered(call, item, version):
        raise EwsError("ErrorStaleObject")
    return item


def _only_answered(call: Call, item: Item, version: int) -> bool:
    """Whether nothing happened to the item since but that it was answered or read: whoever answers twice knows it all the same (our choice)."""
    since = changed_since(call, item, version)
    return since is not None and all(name in ("IsRead", "@ReceiptDone") or _MARK.search(name) for name in since)


def respond(call: Call, request: Value, element: str, value: Value) -> list[tuple[str, Value]]:
    """Carry out a response object; the items of the answer. Raises EwsError."""
    item = referred(call, value)
    if element == "SuppressReadReceipt":
        check_right(call, item, "edit")
        before = own(call.store, item)
        save(call, item, before, before | {"@ReceiptDone": True})
        return []
    if element == "RemoveItem":
        return _remove(call, item)
    if element == "PostReplyItem":
        return _post(call, request, item, value)
    return _answer(call, request, item, element, value)


def _remove(call: Call, item: Item) -> list[tuple[str, Value]]:
    """Away with a cancelled meeting: the message goes to Deleted Items, and what it cancelled with it (see `meetings`)."""
    from postroom_simulator.ews.items.deleting import delete

    if not kind_of(item.item_class).element.startswith("Meeting"):
        raise EwsError("ErrorInvalidOperation", "Only what belongs to a meeting is removed so.")
    delete(call, item, {"@DeleteType": "MoveToDeletedItems", "RemoveItem": True})
    return []


# -- answers


def _answer(call: Call, request: Value, item: Item, element: str, value: Value) -> list[tuple[str, Value]]:
    disposition = request.get("@MessageDisposition")
    if disposition is None:
        raise EwsError("ErrorMessageDispositionRequired")
    allowed = {name for name, _ in responses_of(call, item)}
    if element not in allowed:
        raise EwsError("ErrorInvalidOperation", f"{element} is not possible for this item.")
    new = New(kind_of_element("Message"), _written(call, item, element, value))
    if disposition == "SaveOnly":
        item_made = store_new(call, _folder(call, request, Role.DRAFTS), new, draft=True)
        _mark(call, item, element)
        return [("Message", {"ItemId": item_id(item_made)})]
    if element == "ForwardItem":
        from postroom_simulator.ews.items.answers import forwarded

        if forwarded(call, item, new.properties, copy=disposition == "SendAndSaveCopy"):
            return []
    copy = _folder(call, request, Role.SENT) if disposition == "SendAndSaveCopy" else None
    from postroom_simulator.ews.items.hooks import hooks_of

    ready = New(new.kind, hooks_of("Message").prepare(call, dict(new.properties), True))
    send(call, ready, copy)
    _mark(call, item, element)
    return []


def responses_of(call: Call, item: Item) -> list[tuple[str, Value]]:
    from postroom_simulator.ews.items.hooks import hooks_of

    return hooks_of(kind_of(item.item_class).element).respond(call, item, properties_of(call, item)) or []


def _folder(call: Call, request: Value, role: Role) -> Folder:
    if "SavedItemFolderId" in request:
        folder = target_folder(call, request["SavedItemFolderId"])
    else:
        folder = call.store.folder(canonical(call.account.address), role)
    call.service.check_access(call, folder, "create")
    return folder


def _written(call: Call, item: Item, element: str, value: Value) -> Value:
    known = own(call.store, item) | {"DateTimeSent": properties_of(call, item).get("DateTimeSent")}
    made: Value = {
        name: value[name]
        for name in ("IsReadReceiptRequested", "IsDeliveryReceiptRequested", "From")
        if value.get(name) is not None
    }
    made |= _recipients(call, known, element)
    for name in ("ToRecipients", "CcRecipients", "BccRecipients"):
        if name in value:
            given = mailboxes(call, value[name])
            if given is not None:
                made[name] = given
            else:
                made.pop(name, None)
    made["Subject"] = value.get("Subject") or _PREFIXES[element] + (topic(known.get("Subject") or "") or "")
    made["Body"] = value.get("Body") or _body(known, value.get("NewBodyContent"))
    if element == "ForwardItem":
        if known.get("Attachments"):
            made["Attachments"] = known["Attachments"]
    else:
        made["Attachments"] = [
            pair for pair in known.get("Attachments") or () if pair[1].get("IsInline") and pair[1].get("ContentId")
        ]
        if not made["Attachments"]:
            del made["Attachments"]
    return made | _thread(call, known)


def _thread(call: Call, known: Value) -> Value:
    made: Value = {"ConversationIndex": child_index(call, known.get("ConversationIndex"), call.now())}
    if topic_of(known):
        made["ConversationTopic"] = topic_of(known)
    message_id = known.get("InternetMessageId")
    if message_id:
        made["InReplyTo"] = message_id
        made["References"] = " ".join([*(known.get("References") or "").split()[-50:], message_id])
    return made


def _recipients(call: Call, known: Value, element: str) -> Value:
    if element == "ForwardItem":
        return {}
    sender = [(known.get("From") or known.get("Sender") or {}).get("Mailbox")]
    first = [box for box in (known.get("ReplyTo") or {}).get("Mailbox") or sender if box]
    if element == "ReplyToItem":
        return {"ToRecipients": {"Mailbox": first}} if first else {}
    seen = {(box.get("EmailAddress") or "").lower() for box in first}
    found: dict[str, list[Any]] = {"ToRecipients": list(first), "CcRecipients": []}
    for name, boxes in found.items():
        for box in (known.get(name) or {}).get("Mailbox") or ():
            address = (box.get("EmailAddress") or "").lower()
            if address not in seen and call.world.directory.get(address) is not call.account:
                seen.add(address)
                boxes.append(box)
    return {name: {"Mailbox": boxes} for name, boxes in found.items() if boxes}


def _body(known: Value, new: Value | None) -> Value:
    """The new text, and below it what it answers, as HTML unless both are text."""
    old = known.get("Body") or {"@BodyType": "Text", "": ""}
    new = new or {"@BodyType": old["@BodyType"], "": ""}
    head = _head(known)
    if new["@BodyType"] == "Text" and old["@BodyType"] == "Text":
        rows = "".join(f"{name}: {text}\r\n" for name, text in head)
        return {"@BodyType": "Text", "": f"{new['']}\r\n\r\n________________________________\r\n{rows}\r\n{old['']}"}
    above = _fragment(new[""] if new["@BodyType"] == "HTML" else html_of(new[""]))
    rows = "<br>\r\n".join(f"<b>{name}:</b> {html.escape(text, quote=False)}" for name, text in head)
    quoted = f'<div>{above}</div>\r\n<hr tabindex="-1">\r\n<div id="divRplyFwdMsg">{rows}</div>\r\n'
    below = old[""] if old["@BodyType"] == "HTML" else html_of(old[""])
    found = _BODY.search(below)
    at = found.end() if found is not None else 0
    return {"@BodyType": "HTML", "": f"{below[:at]}\r\n{quoted}{below[at:]}"}


_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)


def _fragment(markup: str) -> str:
    """What is between the tags of the body."""
    found = _BODY.search(markup)
    inner = markup[found.end() :] if found is not None else markup
    return re.sub(r"</(?:body|html)\s*>\s*", "", inner, flags=re.IGNORECASE).strip()


def _head(known: Value) -> list[tuple[str, str]]:
    def named(boxes: Any) -> str:
        return "; ".join(f"{box.get('Name') or ''} <{box.get('EmailAddress') or ''}>".strip() for box in boxes if box)

    sent = known.get("DateTimeSent")
    rows = [
        ("From", named([(known.get("From") or {}).get("Mailbox")])),
        ("Sent", sent.strftime("%A, %d %B %Y %H:%M:%S UTC") if sent else ""),
        ("To", named((known.get("ToRecipients") or {}).get("Mailbox") or ())),
        ("Cc", named((known.get("CcRecipients") or {}).get("Mailbox") or ())),
        ("Subject", known.get("Subject") or ""),
    ]
    return [(name, text) for name, text in rows if text]


def _mark(call: Call, item: Item, element: str) -> None:
    """The item says how it was answered last, and when (0x1081, 0x1082; MS-OXOMSG 2.2.1.4)."""
    before = own(call.store, item)
    after = dict(before)
    stamp = call.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    for tag, kind, text in (("0x1081", "Integer", str(_VERBS[element])), ("0x1082", "SystemTime", stamp)):
        mapi.write(after, {"ExtendedFieldURI": {"@PropertyTag": tag, "@PropertyType": kind}, "Value": text}, {})
    save(call, item, before, after)


def _post(call: Call, request: Value, item: Item, value: Value) -> list[tuple[str, Value]]:
    """Into the folder of the post, unless another is named."""
    known = own(call.store, item) | {"DateTimeSent": item.created}
    if "SavedItemFolderId" in request:
        folder = target_folder(call, request["SavedItemFolderId"])
    else:
        folder = call.store.folder_by_uid(item.folder)
    call.service.check_access(call, folder, "create")
    made: Value = {"Subject": value.get("Subject") or _PREFIXES["PostReplyItem"] + (topic(known.get("Subject") or "") or "")}
    made["Body"] = value.get("Body") or _body(known, value.get("NewBodyContent"))
    new = New(kind_of_element("PostItem"), made | _thread(call, known))
    return [("PostItem", {"ItemId": item_id(store_new(call, folder, new, draft=False))})]
