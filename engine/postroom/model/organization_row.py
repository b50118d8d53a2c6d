"""Organization: the row that holds the email settings (server-side-sync reference 1.5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from postroom.model.attachments import BLOCKED_ATTACHMENTS
from postroom.model.attributes import INT_MAX, Lookup, Record, boolean, integer, key, lookup, memo, moment, picklist, string
from postroom.model.options import EmailConnectionChannel

__all__ = ["HASH_FILTER_KEYWORDS", "Organization"]

HASH_FILTER_KEYWORDS = r"^[\s]*([\w]+\s?:[\s]*)+"
"""Published default of HashFilterKeywords (4.6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization(Record):
    """One row an organization. The defaults are what a new organization is seeded with: the metadata's, and where the public texts
    contradict each other the reading of reference 11 (approval required, smart matching off, alerts as the UI has them)."""

    __entity__: ClassVar[str] = "organization"
    __key__: ClassVar[str] = "organizationid"
    __primary__: ClassVar[str] = "name"

    organizationid: str = key()
    name: str | None = string(160)
    emailconnectionchannel: EmailConnectionChannel = picklist(
        EmailConnectionChannel, default=EmailConnectionChannel.SERVER_SIDE_SYNC
    )
    defaultemailserverprofileid: Lookup | None = lookup("emailserverprofile")
    defaultemailsettings: str | None = memo()  # XML, see settings.DefaultEmailSettings
    requireapprovalforuseremail: bool = boolean(default=True)  # metadata False, UI ticked; reference 11: True for new ones
    requireapprovalforqueueemail: bool = boolean(default=True)
    emailcorrelationenabled: bool = boolean(default=True)
    enablesmartmatching: bool = boolean()
    hashfilterkeywords: str | None = string(4000, default=HASH_FILTER_KEYWORDS)  # length ours
    hashmaxcount: int = integer(0, default=20)
    hashdeltasubjectcount: int = integer(0, default=0)
    hashminaddresscount: int = integer(0, default=2)
    trackingprefix: str | None = string(256, default="CRM:")  # history of prefixes, separated by ";" (4.5)
    trackingtokenidbase: int = integer(0, INT_MAX, default=0)
    trackingtokeniddigits: int = integer(1, 10, default=3)  # 1-9 and 1-10 are both published: reference 11 accepts 10
    nexttrackingnumber: int = integer(default=0)
    maximumtrackingnumber: int = integer(0, default=999)  # three counter digits (4.5)
    ignoreinternalemail: bool = boolean()
    allowunresolvedpartiesonemailsend: bool = boolean()
    unresolveemailaddressifmultiplematch: bool = boolean()
    resolvesimilarunresolvedemailaddress: bool = boolean()
    isfolderbasedtrackingenabled: bool = boolean()
    maxfolderbasedtrackingmappings: int = integer(1, 25, default=25)
    incomingemailexchangeemailretrievalbatchsize: int | None = integer(1)
    ismailboxforcedunlockingenabled: bool = boolean()
    ismailboxinactivebackoffenabled: bool = boolean()
    mailboxintermittentissueminrange: int | None = integer()
    mailboxpermanentissueminrange: int | None = integer()
    generatealertsforerrors: bool = boolean(default=True)
    generatealertsforinformation: bool = boolean(default=True)
    generatealertsforwarnings: bool = boolean()  # metadata default not read; the UI has it off
    notifymailboxownerofemailserverlevelalerts: bool = boolean(default=True)
    tracelogmaximumageindays: int | None = integer()
    blockedattachments: str | None = memo(default=BLOCKED_ATTACHMENTS)  # extensions separated by ";" (4.11); None: the default
    maxuploadfilesize: int = integer(0, default=5 * 1024 * 1024)  # octets; the UI shows 5120 KB
    isappointmentattachmentsyncenabled: bool = boolean()
    iscontactmailingaddresssyncenabled: bool = boolean(default=True)
    isassignedtaskssyncenabled: bool = boolean()
    isdelegateaccessenabled: bool = boolean()
    isemailserverprofilecontentfilteringenabled: bool = boolean()
    maxverboseloggingmailbox: int | None = integer(read_only=True)
    maxverboseloggingsynccycles: int | None = integer(read_only=True)
    emailsendpollingperiod: int | None = integer()
    orgdborgsettings: str | None = memo()  # XML, see settings.OrgDbOrgSettings
    createdon: datetime | None = moment(read_only=True)
    modifiedon: datetime | None = moment(read_only=True)
