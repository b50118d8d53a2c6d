"""Mailbox, MailboxTrackingFolder, MailboxStatistics (server-side-sync reference 1.2, 1.3, 1.9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar

from postroom.model.attributes import (
    INT_MAX,
    Attribute,
    Lookup,
    Record,
    boolean,
    guid,
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
    ActDeliveryMethod,
    EmailRouterAccessApproval,
    ExchangeContactsImportStatus,
    IncomingDeliveryMethod,
    MailboxTestStatus,
    OfficeAppsDeploymentStatus,
    OperationType,
    OutgoingDeliveryMethod,
    RecordState,
    RecordStatus,
)

__all__ = ["Mailbox", "MailboxStatistics", "MailboxTrackingFolder"]

_NOT_RUN = MailboxTestStatus.NOT_RUN


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox(Record):
    """User-owned. The defaults are those of the metadata: whoever makes a mailbox for a user or queue sets `isforwardmailbox` and
    the three `enabledfor...` flags to No (reference 11). The password lives in the secrets of the store."""

    __entity__: ClassVar[str] = "mailbox"
    __key__: ClassVar[str] = "mailboxid"
    __primary__: ClassVar[str] = "name"
    __secrets__: ClassVar[Mapping[str, Attribute]] = MappingProxyType(
        {
            "password": secret("password", 200, flag="ispasswordset"),
            "credentialinfo": secret("credentialinfo", 4000),
            "dataencryptionkey": secret("dataencryptionkey", 3500),
        }
    )

    mailboxid: str = key()
    name: str | None = string(200)
    emailaddress: str | None = string(100, email=True)
    regardingobjectid: Lookup | None = lookup("systemuser", "queue", create_only=True)
    isforwardmailbox: bool = boolean(default=True, read_only=True)
    isserviceaccount: bool = boolean(read_only=True)
    ownerid: Lookup | None = lookup("systemuser", "team")
    emailserverprofile: Lookup | None = lookup("emailserverprofile")
    incomingemaildeliverymethod: IncomingDeliveryMethod | None = picklist(IncomingDeliveryMethod)
    outgoingemaildeliverymethod: OutgoingDeliveryMethod | None = picklist(OutgoingDeliveryMethod)
    actdeliverymethod: ActDeliveryMethod = picklist(ActDeliveryMethod, default=ActDeliveryMethod.OUTLOOK)
    emailrouteraccessapproval: EmailRouterAccessApproval | None = picklist(EmailRouterAccessApproval)
    isemailaddressapprovedbyo365admin: bool = boolean(update_only=True)
    incomingemailstatus: MailboxTestStatus = picklist(MailboxTestStatus, default=_NOT_RUN, update_only=True)
    outgoingemailstatus: MailboxTestStatus = picklist(MailboxTestStatus, default=_NOT_RUN, update_only=True)
    actstatus: MailboxTestStatus = picklist(MailboxTestStatus, default=_NOT_RUN, update_only=True)
    mailboxstatus: MailboxTestStatus = picklist(MailboxTestStatus, default=_NOT_RUN, read_only=True)
    enabledforincomingemail: bool = boolean(default=True, update_only=True)
    enabledforoutgoingemail: bool = boolean(default=True, update_only=True)
    enabledforact: bool = boolean(default=True, update_only=True)
    allowemailconnectortousecredentials: bool = boolean()
    username: str | None = string(200)
    ispasswordset: bool = boolean(read_only=True)
    processanddeleteemails: bool = boolean()
    processemailreceivedafter: datetime | None = moment()
    postponemailboxprocessinguntil: datetime | None = moment()
    postponesendinguntil: datetime | None = moment()
    receivingpostponeduntil: datetime | None = moment(read_only=True)
    receivingpostponeduntilforact: datetime | None = moment(read_only=True)
    postponetestemailconfigurationuntil: datetime | None = moment()
    testemailconfigurationscheduled: bool = boolean()
    testemailconfigurationretrycount: int | None = integer()
    testmailboxaccesscompletedon: datetime | None = moment()
    processingstatecode: int = integer(default=0, read_only=True)  # 0 idle, 1 being processed
    hostid: str | None = string(256, read_only=True)
    mailboxprocessingcontext: int | None = integer()
    processinglastattemptedon: datetime | None = moment(read_only=True)
    transientfailurecount: int = integer(default=0, read_only=True)
    noemailcount: int = integer(default=0, read_only=True)
    noactcount: int = integer(default=0, read_only=True)
    lastactiveon: datetime | None = moment(internal=True)
    lastmessageid: str | None = string(320, internal=True)
    lastsyncstartedon: datetime | None = moment(read_only=True)
    lastsuccessfulsynccompletedon: datetime | None = moment(read_only=True)
    lastsyncerror: str | None = string(2048)
    lastsyncerrorcode: int | None = integer()
    lastsyncerrorcount: int | None = integer()
    lastsyncerrormachinename: str | None = string(320)
    lastsyncerroroccurredon: datetime | None = moment()
    itemsprocessedforlastsync: int | None = integer()
    itemsfailedforlastsync: int | None = integer()
    processedtimes: int | None = integer(read_only=True)
    lastduration: int | None = integer(read_only=True)
    averagetotalduration: int | None = integer(read_only=True)
    forcedunlockcount: int = integer(default=0, read_only=True)
    lastmailboxforcedunlockoccurredon: datetime | None = moment(read_only=True)
    undeliverablefolder: str | None = string(256)
    ewsurl: str | None = string(2084)
    lastautodiscoveredon: datetime | None = moment()
    exchangesyncstatexml: str | None = memo()
    folderhierarchy: str | None = memo(1_048_576)
    isactsyncorgflagset: bool = boolean()
    orgmarkedasprimaryforexchangesync: bool = boolean()
    exchangecontactsimportstatus: ExchangeContactsImportStatus | None = picklist(ExchangeContactsImportStatus)
    isexchangecontactsimportscheduled: bool = boolean(read_only=True)
    exchangecontactsimportcompletedon: datetime | None = moment(read_only=True)
    officeappsdeploymentstatus: OfficeAppsDeploymentStatus | None = picklist(OfficeAppsDeploymentStatus)
    verboseloggingenabled: int = integer(0, 100, default=0, update_only=True)
    statecode: RecordState = picklist(RecordState, default=RecordState.ACTIVE)
    statuscode: RecordStatus = picklist(RecordStatus, default=RecordStatus.ACTIVE)
    organizationid: Lookup | None = lookup("organization", read_only=True)
    createdon: datetime | None = moment(read_only=True)
    modifiedon: datetime | None = moment(read_only=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxTrackingFolder(Record):
    """User-owned; one folder of a mailbox whose mail is tracked, and what it is set regarding (1.3)."""

    __entity__: ClassVar[str] = "mailboxtrackingfolder"
    __key__: ClassVar[str] = "mailboxtrackingfolderid"

    mailboxtrackingfolderid: str = key()
    mailboxid: Lookup = lookup("mailbox", required=True)
    exchangefolderid: str = string(120, required=True)
    exchangefoldername: str | None = string(256)
    regardingobjectid: Lookup | None = lookup()
    regardingobjecttypecode: str | None = string(64)  # logical name of the regarding record's entity; length ours
    regardingobjectidname: str | None = string(400)
    folderonboardingstatus: int = integer(0, INT_MAX, required=True)  # see FolderOnboardingStatus
    ownerid: Lookup | None = lookup("systemuser", "team")
    createdon: datetime | None = moment(read_only=True)
    modifiedon: datetime | None = moment(read_only=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxStatistics(Record):
    """One row per cycle and operation; read-only for callers (1.9). `crmitemsbacklog` -1: unknown."""

    __entity__: ClassVar[str] = "mailboxstatistics"
    __key__: ClassVar[str] = "mailboxstatisticsid"

    mailboxstatisticsid: str = key()
    mailboxid: Lookup | None = lookup("mailbox", read_only=True)
    operationtypeid: OperationType | None = picklist(OperationType, read_only=True)
    processresult: bool | None = boolean(default=None, read_only=True)  # True: success
    mailboxprocessscheduledon: datetime | None = moment(read_only=True)
    mailboxprocessstartedon: datetime | None = moment(read_only=True)
    mailboxprocesscompletedon: datetime | None = moment(read_only=True)
    scheduledtimeintervalinminutes: int | None = integer(read_only=True)  # scheduled to start
    processtimeintervalinminutes: int | None = integer(read_only=True)  # start to end
    itemsprocessed: int | None = integer(read_only=True)
    itemsfailed: int | None = integer(read_only=True)
    crmitemsbacklog: int | None = integer(read_only=True)
    individualstepdurations: str | None = string(160, read_only=True)
    machinename: str | None = string(160, read_only=True)
    asynceventid: str | None = guid(read_only=True)
    organizationid: Lookup | None = lookup("organization", read_only=True)
    createdon: datetime | None = moment(read_only=True)
