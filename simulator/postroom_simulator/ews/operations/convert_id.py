"""ConvertId (MS-OXWSCVTID 3.1.4.1, ews reference 5)."""

from __future__ import annotations

import base64
import binascii

from postroom_simulator.directory import Account, canonical
from postroom_simulator.errors import StoreError
from postroom_simulator.ews import entry_ids
from postroom_simulator.ews.archive import in_archive
from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.ids import ID_LIMIT, Id, Kind, mailbox_number, parse_id, write_id

_LEGACY = b"\x00\x02\x00\x24"


def handle(call: Call, request: Value) -> Value:
    def one(source: tuple[str, Value]) -> Value:
        name, given = source
        if name != "AlternateId":
            raise EwsError("ErrorInvalidOperation", "There are no public folders.")
        named, owner = _read(call, given.get("@Id", ""), given["@Format"])
        shown: Value = {
            "@xsi:type": "t:AlternateIdType",
            "@Format": request["@DestinationFormat"],
            "@Id": _written(call, named, canonical(owner.address), request["@DestinationFormat"]),
            "@Mailbox": owner.address,
        }
        if _archived(call, named):
            shown["@IsArchive"] = True
        return {"AlternateId": shown}

    return answer(call, request["SourceIds"], one)


def _read(call: Call, text: str, format_name: str) -> tuple[Id, Account]:
    """What an id names, and whose it is. Raises EwsError."""
    if not text:
        raise EwsError("ErrorInvalidIdEmpty")
    if len(text) > ID_LIMIT:
        raise EwsError("ErrorInvalidIdMalformed")
    if format_name in ("EwsId", "EwsLegacyId"):
        parsed = parse_id(text if format_name == "EwsId" else _from_legacy(text))
        for owner in call.world.directory.accounts():
            if mailbox_number(canonical(owner.address)) == parsed.mailbox:
                return parsed, owner
        raise EwsError("ErrorNonExistentMailbox")
    guid, folder, uid = entry_ids.parse_entry(entry_ids.decoded(text, format_name))
    for owner in call.world.directory.accounts():
        address = canonical(owner.address)
        if entry_ids.mailbox_guid(address) == guid:
            return Id(Kind.ITEM if uid else Kind.FOLDER, mailbox_number(address), uid or folder), owner
    raise EwsError("ErrorNonExistentMailbox")


def _written(call: Call, named: Id, account: str, format_name: str) -> str:
    """Raises EwsError: ErrorItemNotFound where an entry id needs to know in which folder the item is."""
    if format_name == "EwsId":
        return write_id(named)
    if format_name == "EwsLegacyId":
        return base64.b64encode(_LEGACY + base64.b64decode(write_id(named))).decode("ascii")
    if named.kind is Kind.FOLDER:
        return entry_ids.encoded(entry_ids.folder_entry(account, named.uid), format_name)
    if named.kind is not Kind.ITEM:
        raise EwsError("ErrorInvalidOperation", "Only items and folders have entry ids.")
    try:
        folder = call.store.item(named.uid).folder
    except StoreError:
        raise EwsError("ErrorItemNotFound") from None
    return entry_ids.encoded(entry_ids.item_entry(account, folder, named.uid), format_name)


def _from_legacy(text: str) -> str:
    try:
        octets = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise EwsError("ErrorInvalidIdMalformed") from None
    if not octets.startswith(_LEGACY):
        raise EwsError("ErrorInvalidIdMalformed")
    return base64.b64encode(octets[len(_LEGACY) :]).decode("ascii")


def _archived(call: Call, named: Id) -> bool:
    try:
        uid = named.uid if named.kind is Kind.FOLDER else call.store.item(named.uid).folder
        return in_archive(call.store, call.store.folder_by_uid(uid))
    except StoreError:
        return False
