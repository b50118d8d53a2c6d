"""AcceptSharingInvitation: an invitation to somebody's calendar or contacts becomes a folder that shows them (MS-OXWSMSHR 3.1.4.4, MS-OXSHRMSG 2.2).

An invitation is a message with the attachment sharing_metadata.xml, which names who shares and what. Only people of this server can share with
one another: there is no federation.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lxml import etree

from postroom_simulator.ews.envelope import parse_xml
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.keeping import own
from postroom_simulator.ews.items.replies import referred
from postroom_simulator.ews.people.book import account_of
from postroom_simulator.ews.people.sharing import refresh, sharing_folder, source_of

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call

__all__ = ["respond"]

Value = dict[str, Any]
_SPACE = "{http://schemas.microsoft.com/sharing/2008}"
_NAME = "sharing_metadata.xml"
_LIMIT = 256 * 1024
"""Octets of the attachment that are read (our choice)."""
_DATA: Mapping[str, str] = MappingProxyType({"calendar": "Calendar", "contacts": "Contacts"})


def respond(call: Call, _: Value, __: str, value: Value) -> list[tuple[str, Value]]:
    """Makes the folder and fills it; the answer has no item. Raises EwsError: ErrorInvalidSharingMessage for what is no invitation,
    ErrorInvalidSharingData for one that cannot be read, ErrorNotSupportedSharingMessage for things that cannot be shared here,
    ErrorSharingNoExternalEwsAvailable for people elsewhere, ErrorAccessDenied where nothing may be seen."""
    message = own(call.store, referred(call, value))
    attachments = [one for _, one in message.get("Attachments") or ()]
    content = next((one.get("Content") for one in attachments if str(one.get("Name", "")).lower() == _NAME), None)
    if not isinstance(content, bytes):
        raise EwsError("ErrorInvalidSharingMessage", "The message is no invitation to share.")
    kind, owner = _read(content)
    if kind not in _DATA:
        raise EwsError("ErrorNotSupportedSharingMessage")
    account = account_of(call, owner, error="ErrorSharingNoExternalEwsAvailable")
    folder = sharing_folder(call, source_of(call, account, _DATA[kind]))
    refresh(call, folder)
    return []


def _read(content: bytes) -> tuple[str, str]:
    """What is shared, in lower case, and the address of who shares."""
    if len(content) > _LIMIT:
        raise EwsError("ErrorInvalidSharingData")
    try:
        root: etree._Element = parse_xml(content)
    except EwsError:
        raise EwsError("ErrorInvalidSharingData") from None
    kind = root.findtext(f"{_SPACE}DataType") or ""
    owner = root.findtext(f"{_SPACE}Initiator/{_SPACE}SmtpAddress") or ""
    if root.tag != f"{_SPACE}SharingMessage" or not kind or not owner:
        raise EwsError("ErrorInvalidSharingData")
    return kind.strip().lower(), owner.strip()
