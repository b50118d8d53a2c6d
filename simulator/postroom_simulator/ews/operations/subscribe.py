"""Subscribe (MS-OXWSNTIF 3.1.4.4, ews reference 14)."""

from __future__ import annotations

from typing import Any

from postroom_simulator.directory import canonical
from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import find_folder
from postroom_simulator.ews.notifications.events import write_watermark
from postroom_simulator.ews.notifications.push import Pushing, check_url
from postroom_simulator.ews.notifications.subscriptions import STREAM_LIFE


def handle(call: Call, request: Value) -> Value:
    return answer(call, [request], lambda one: _subscribe(call, one))


def _subscribe(call: Call, request: Value) -> Value:
    kind = next(one for one in ("Pull", "Push", "Streaming") if f"{one}SubscriptionRequest" in request)
    asked = request[f"{kind}SubscriptionRequest"]
    account, folders = _scope(call, asked)
    elements = frozenset(asked["EventTypes"]["EventType"])
    open_one = call.service.subscriptions.open
    if kind == "Streaming":
        return {"SubscriptionId": open_one(call, "streaming", account, folders, elements, STREAM_LIFE).id}
    life = 60.0 * asked["Timeout"] if kind == "Pull" else float("inf")
    if kind == "Push":
        check_url(asked["URL"], call.service.push_hosts)
    made = open_one(call, kind.lower(), account, folders, elements, life, asked.get("Watermark"))
    if kind == "Push":
        Pushing(call.service, made, asked["URL"], 60.0 * asked["StatusFrequency"], asked.get("CallerData", ""))
    return {"SubscriptionId": made.id, "Watermark": write_watermark(made.known)}


def _scope(call: Call, asked: Value) -> tuple[str, frozenset[int] | None]:
    """Mailbox and folders. Raises EwsError ErrorInvalidSubscriptionRequest where it is not one mailbox, or both or neither of folders and all."""
    given: list[tuple[str, Any]] = asked.get("FolderIds") or []
    everything = asked.get("@SubscribeToAllFolders", False)
    if bool(given) == everything:
        raise EwsError("ErrorInvalidSubscriptionRequest", "A subscription names folders, or wants all of them.")
    if everything:
        return canonical(call.account.address), None
    folders = [find_folder(call, *one) for one in given]
    for folder in folders:
        call.service.check_access(call, folder, "read")
    accounts = {folder.account for folder in folders}
    if len(accounts) > 1:
        raise EwsError("ErrorInvalidSubscriptionRequest", "The folders are in several mailboxes.")
    return accounts.pop(), frozenset(folder.uid for folder in folders)
