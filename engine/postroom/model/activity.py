"""Email with its parties, attachments and hashes (server-side-sync reference 1.8, 4.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar

from postroom.model.attributes import (
    Lookup,
    Record,
    boolean,
    guid,
    integer,
    key,
    lookup,
    memo,
    moment,
    number,
    picklist,
    string,
)
from postroom.model.options import (
    CorrelationMethod,
    EmailNotification,
    EmailState,
    EmailStatus,
    HashType,
    ParticipationType,
    Priority,
)

__all__ = ["ActivityMimeAttachment", "ActivityParty", "Email", "EmailHash"]

BODY_MAX = 1_073_741_823
"""Largest memo of all, in characters [K]: mail bodies and attachments in base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Email(Record):
    """An email activity. `directioncode` True: outgoing. Its party lists (`from`, `to`, `cc`, `bcc`) are `ActivityParty` rows of the
    participation type that `__parties__` names."""

    __entity__: ClassVar[str] = "email"
    __key__: ClassVar[str] = "activityid"
    __primary__: ClassVar[str] = "subject"
    __parties__: ClassVar[Mapping[str, ParticipationType]] = MappingProxyType(
        {
            "from": ParticipationType.SENDER,
            "to": ParticipationType.TO,
            "cc": ParticipationType.CC,
            "bcc": ParticipationType.BCC,
        }
    )

    activityid: str = key()
    statecode: EmailState = picklist(EmailState, default=EmailState.OPEN)
    statuscode: EmailStatus = picklist(EmailStatus, default=EmailStatus.DRAFT)
    directioncode: bool = boolean(default=True)
    ownerid: Lookup | None = lookup("systemuser", "team")
    subject: str | None = string(200)
    description: str | None = memo(BODY_MAX)
    safedescription: str | None = memo(BODY_MAX, read_only=True)
    mimetype: str | None = string(256)
    sender: str | None = string(250)
    torecipients: str | None = string(500)
    messageid: str | None = string(320)
    messageiddupcheck: str | None = guid(read_only=True)  # unique where set
    inreplyto: str | None = string(320)
    conversationindex: str | None = string(2048)
    baseconversationindexhash: int | None = integer()
    conversationtrackingid: str | None = guid()
    trackingtoken: str | None = string(50)
    correlationmethod: CorrelationMethod | None = picklist(CorrelationMethod, read_only=True)
    parentactivityid: Lookup | None = lookup("email")
    correlatedactivityid: Lookup | None = lookup("email")
    acceptingentityid: Lookup | None = lookup("systemuser", "queue")
    receivingmailboxid: Lookup | None = lookup("mailbox")
    regardingobjectid: Lookup | None = lookup()
    sendermailboxid: Lookup | None = lookup("mailbox", read_only=True)
    emailsender: Lookup | None = lookup(read_only=True)
    emailsenderobjecttypecode: str | None = string(64, read_only=True)  # logical name; length ours
    sendersaccount: Lookup | None = lookup("account", read_only=True)
    submittedby: str | None = string(250)
    deliveryattempts: int | None = integer(0)
    postponeemailprocessinguntil: datetime | None = moment(read_only=True)
    delayedemailsendtime: datetime | None = moment()
    deliveryprioritycode: Priority | None = picklist(Priority, default=Priority.NORMAL)
    prioritycode: Priority | None = picklist(Priority, default=Priority.NORMAL)
    deliveryreceiptrequested: bool = boolean()
    readreceiptrequested: bool = boolean()
    notifications: EmailNotification | None = picklist(EmailNotification)
    senton: datetime | None = moment()
    actualstart: datetime | None = moment()
    actualend: datetime | None = moment()
    attachmentcount: int | None = integer(0)
    replycount: int | None = integer(0)
    opencount: int | None = integer(0)
    isworkflowcreated: bool = boolean()
    templateid: Lookup | None = lookup("template")
    createdby: Lookup | None = lookup("systemuser", read_only=True)
    createdon: datetime | None = moment(read_only=True)
    modifiedon: datetime | None = moment(read_only=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityParty(Record):
    """One party of an activity. An unresolved recipient has `addressused` and no `partyid`."""

    __entity__: ClassVar[str] = "activityparty"
    __key__: ClassVar[str] = "activitypartyid"

    activitypartyid: str = key()
    activityid: Lookup = lookup(required=True)
    partyid: Lookup | None = lookup()
    participationtypemask: ParticipationType | None = picklist(ParticipationType)
    addressused: str | None = string(200)
    exchangeentryid: str | None = string(1024)
    effort: float | None = number()


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityMimeAttachment(Record):
    """An attachment of an activity; `body` is base64, `attachmentid` names a blob that several may share."""

    __entity__: ClassVar[str] = "activitymimeattachment"
    __key__: ClassVar[str] = "activitymimeattachmentid"
    __primary__: ClassVar[str] = "filename"

    activitymimeattachmentid: str = key()
    objectid: Lookup = lookup(required=True)
    objecttypecode: str | None = string(64)  # logical name of objectid's entity; length ours
    filename: str | None = string(255)
    mimetype: str | None = string(256)
    body: str | None = memo(BODY_MAX)
    attachmentid: Lookup | None = lookup("attachment")
    attachmentnumber: int | None = integer(0)
    filesize: int | None = integer(0, read_only=True)  # octets


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailHash(Record):
    """One hash of a subject word or of a recipient, for smart matching (4.6). The hash is a signed 32-bit integer; columns ours."""

    __entity__: ClassVar[str] = "emailhash"
    __key__: ClassVar[str] = "emailhashid"

    emailhashid: str = key()
    activityid: Lookup = lookup("email", required=True)
    hash: int = integer(required=True)
    hashtype: HashType = picklist(HashType, required=True)
