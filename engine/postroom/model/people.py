"""SystemUser, Queue, QueueItem, UserSettings: the columns that synchronization reads (server-side-sync reference 1.7).

Columns that the reference does not list but that a user, a queue or a queue item cannot do without (names, owners, states) are
well-known platform metadata [K].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar

from postroom.model.attributes import (
    Attribute,
    Lookup,
    Record,
    boolean,
    integer,
    key,
    lookup,
    memo,
    moment,
    picklist,
    secret,
    string,
)
from postroom.model.options import (
    EmailRouterAccessApproval,
    IncomingDeliveryMethod,
    IncomingFilteringMethod,
    OutgoingDeliveryMethod,
    RecordState,
    RecordStatus,
)

__all__ = ["Queue", "QueueItem", "SystemUser", "UserSettings"]

_DEPRECATED_PASSWORD: Mapping[str, Attribute] = MappingProxyType(
    {"emailpassword": secret("emailpassword", 200, read_only=True)}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemUser(Record):
    __entity__: ClassVar[str] = "systemuser"
    __key__: ClassVar[str] = "systemuserid"
    __primary__: ClassVar[str] = "fullname"

    systemuserid: str = key()
    fullname: str | None = string(200)
    domainname: str | None = string(1024)
    internalemailaddress: str | None = string(100, email=True)
    personalemailaddress: str | None = string(100, email=True)
    mobilealertemail: str | None = string(100, email=True)
    emailrouteraccessapproval: EmailRouterAccessApproval | None = picklist(EmailRouterAccessApproval)
    incomingemaildeliverymethod: IncomingDeliveryMethod | None = picklist(IncomingDeliveryMethod)
    outgoingemaildeliverymethod: OutgoingDeliveryMethod | None = picklist(OutgoingDeliveryMethod)
    defaultmailbox: Lookup | None = lookup("mailbox")
    queueid: Lookup | None = lookup("queue")  # the user's default queue [K]
    isdisabled: bool = boolean()
    businessunitid: Lookup | None = lookup("businessunit")
    createdon: datetime | None = moment(read_only=True)
    modifiedon: datetime | None = moment(read_only=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue(Record):
    """`incomingemailfilteringmethod`: "Convert Incoming Email To Activities", form default 0 (1.7). The three credential columns are
    deprecated and read-only, the password among them never stored."""

    __entity__: ClassVar[str] = "queue"
    __key__: ClassVar[str] = "queueid"
    __primary__: ClassVar[str] = "name"
    __secrets__: ClassVar[Mapping[str, Attribute]] = _DEPRECATED_PASSWORD

    queueid: str = key()
    name: str = string(200, required=True)
    description: str | None = memo(2000)
    emailaddress: str | None = string(100, email=True)
    emailrouteraccessapproval: EmailRouterAccessApproval | None = picklist(EmailRouterAccessApproval)
    incomingemaildeliverymethod: IncomingDeliveryMethod | None = picklist(IncomingDeliveryMethod)
    outgoingemaildeliverymethod: OutgoingDeliveryMethod | None = picklist(OutgoingDeliveryMethod)
    incomingemailfilteringmethod: IncomingFilteringMethod = picklist(
        IncomingFilteringMethod, default=IncomingFilteringMethod.ALL
    )
    defaultmailbox: Lookup | None = lookup("mailbox")
    allowemailcredentials: bool = boolean(read_only=True)
    emailusername: str | None = string(200, read_only=True)
    ownerid: Lookup | None = lookup("systemuser", "team")
    statecode: RecordState = picklist(RecordState, default=RecordState.ACTIVE)
    statuscode: RecordStatus = picklist(RecordStatus, default=RecordStatus.ACTIVE)
    createdon: datetime | None = moment(read_only=True)
    modifiedon: datetime | None = moment(read_only=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueItem(Record):
    """A record's place in a queue."""

    __entity__: ClassVar[str] = "queueitem"
    __key__: ClassVar[str] = "queueitemid"
    __primary__: ClassVar[str] = "title"

    queueitemid: str = key()
    queueid: Lookup = lookup("queue", required=True)
    objectid: Lookup = lookup(required=True)
    objecttypecode: int | None = integer(read_only=True)
    title: str | None = string(300)
    sender: str | None = string(250)
    torecipients: str | None = string(500)
    enteredon: datetime | None = moment(read_only=True)
    workerid: Lookup | None = lookup("systemuser", "team")
    statecode: RecordState = picklist(RecordState, default=RecordState.ACTIVE)
    statuscode: RecordStatus = picklist(RecordStatus, default=RecordStatus.ACTIVE)
    createdon: datetime | None = moment(read_only=True)
    modifiedon: datetime | None = moment(read_only=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSettings(Record):
    """A user's own settings; its id is the user's id. The default filter is 1, as the text has it (reference 11)."""

    __entity__: ClassVar[str] = "usersettings"
    __key__: ClassVar[str] = "systemuserid"
    __secrets__: ClassVar[Mapping[str, Attribute]] = _DEPRECATED_PASSWORD

    systemuserid: str = key()
    incomingemailfilteringmethod: IncomingFilteringMethod = picklist(
        IncomingFilteringMethod, default=IncomingFilteringMethod.IN_RESPONSE_TO_CRM_EMAIL
    )
    issendasallowed: bool = boolean()
    autocreatecontactonpromote: bool = boolean()
    createleadonpromote: bool | None = boolean()  # ours: what is created for an unknown sender is a lead instead of a contact
    ignoreunsolicitedemail: bool = boolean(read_only=True)  # deprecated
    emailusername: str | None = string(200, read_only=True)  # deprecated
    createdon: datetime | None = moment(read_only=True)
    modifiedon: datetime | None = moment(read_only=True)
