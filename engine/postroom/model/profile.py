"""EmailServerProfile: how a server is reached and with which credentials (server-side-sync reference 1.1)."""

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
    big_integer,
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
    AuthenticationProtocol,
    CredentialRetrieval,
    ExchangeVersion,
    RecordState,
    RecordStatus,
    ServerType,
    TestExecutionStatus,
    TestOutcome,
)

__all__ = ["EmailServerProfile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailServerProfile(Record):
    """User-owned. `timeoutmailboxconnectionafteramount` is in milliseconds; passwords live in the secrets of the store."""

    __entity__: ClassVar[str] = "emailserverprofile"
    __key__: ClassVar[str] = "emailserverprofileid"
    __primary__: ClassVar[str] = "name"
    __secrets__: ClassVar[Mapping[str, Attribute]] = MappingProxyType(
        {
            "incomingpassword": secret("incomingpassword", 250, flag="isincomingpasswordset"),
            "outgoingpassword": secret("outgoingpassword", 250, flag="isoutgoingpasswordset"),
        }
    )

    emailserverprofileid: str = key()
    name: str = string(100, required=True)
    description: str | None = memo(2000)
    servertype: ServerType = picklist(ServerType, required=True)
    statecode: RecordState = picklist(RecordState, default=RecordState.ACTIVE)
    statuscode: RecordStatus = picklist(RecordStatus, default=RecordStatus.ACTIVE)
    ownerid: Lookup | None = lookup("systemuser", "team")
    useautodiscover: bool = boolean()
    defaultserverlocation: str | None = string(2084)
    incomingserverlocation: str | None = string(2084)
    outgoingserverlocation: str | None = string(2084)
    incomingportnumber: int | None = integer(0, 65536)
    outgoingportnumber: int | None = integer(0, 65536)
    incomingusessl: bool = boolean(default=True)
    outgoingusessl: bool = boolean(default=True)
    incomingauthenticationprotocol: AuthenticationProtocol | None = picklist(AuthenticationProtocol)
    outgoingauthenticationprotocol: AuthenticationProtocol | None = picklist(AuthenticationProtocol)
    incomingcredentialretrieval: CredentialRetrieval | None = picklist(CredentialRetrieval)
    outgoingcredentialretrieval: CredentialRetrieval | None = picklist(CredentialRetrieval)
    incomingusername: str | None = string(250)
    outgoingusername: str | None = string(250)
    isincomingpasswordset: bool = boolean(read_only=True)
    isoutgoingpasswordset: bool = boolean(read_only=True)
    incominguseimpersonation: bool = boolean()
    outgoinguseimpersonation: bool = boolean()
    outgoingautograntdelegateaccess: bool = boolean()
    usesamesettingsforoutgoingconnections: bool = boolean(default=True)
    maxconcurrentconnections: int = integer(1, 65536, default=10)  # the form's text; per authenticated user (3.6)
    minpollingintervalinminutes: int | None = integer(0, 1440)
    processemailsreceivedafter: datetime | None = moment()
    moveundeliveredemails: bool = boolean()
    sendemailalert: bool = boolean()
    owneremailaddress: str | None = string(100, email=True)
    timeoutmailboxconnection: bool = boolean(default=True)
    timeoutmailboxconnectionafteramount: int | None = integer(0, 100_000)
    exchangeversion: ExchangeVersion | None = picklist(ExchangeVersion)
    encodingcodepage: str | None = string(100)
    exchangeonlinetenantid: str | None = string(36)
    usedefaulttenantid: bool = boolean(default=True)
    lasttestexecutionstatus: TestExecutionStatus | None = picklist(TestExecutionStatus)
    lastauthorizationstatus: TestOutcome | None = picklist(TestOutcome)
    lasttestvalidationstatus: TestOutcome | None = picklist(TestOutcome)
    lastteststarttime: datetime | None = moment()
    lasttesttotalexecutiontime: int | None = big_integer()
    lasttestrequest: str | None = memo(2084)
    lasttestresponse: str | None = memo(2084)
    lastcrmmessage: str | None = memo(2084)
    incomingpartnerapplication: Lookup | None = lookup("partnerapplication", read_only=True)
    outgoingpartnerapplication: Lookup | None = lookup("partnerapplication", read_only=True)
    emailservertypename: str | None = string(100, read_only=True)
    organizationid: Lookup | None = lookup("organization", read_only=True)
    createdon: datetime | None = moment(read_only=True)
    modifiedon: datetime | None = moment(read_only=True)
