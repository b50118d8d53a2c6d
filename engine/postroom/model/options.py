"""The published option lists, one IntEnum each, exact numbers (server-side-sync reference 1)."""

from __future__ import annotations

from enum import IntEnum

__all__ = [
    "ActDeliveryMethod",
    "AuthenticationProtocol",
    "ChangeType",
    "CorrelationMethod",
    "CredentialRetrieval",
    "EmailConnectionChannel",
    "EmailNotification",
    "EmailRouterAccessApproval",
    "EmailState",
    "EmailStatus",
    "ExchangeContactsImportStatus",
    "ExchangeVersion",
    "FolderOnboardingStatus",
    "HashType",
    "IncomingDeliveryMethod",
    "IncomingFilteringMethod",
    "MailboxTestStatus",
    "OfficeAppsDeploymentStatus",
    "OperationType",
    "OutgoingDeliveryMethod",
    "ParticipationType",
    "Priority",
    "RecordState",
    "RecordStatus",
    "ServerType",
    "SyncDirection",
    "TestExecutionStatus",
    "TestOutcome",
    "TraceLevel",
    "UserDecision",
]


class RecordState(IntEnum):
    """`statecode` of profiles, mailboxes, queues."""

    ACTIVE = 0
    INACTIVE = 1


class RecordStatus(IntEnum):
    """`statuscode` of profiles, mailboxes, queues."""

    ACTIVE = 1
    INACTIVE = 2


class ServerType(IntEnum):
    """emailserverprofile.servertype (1.1)."""

    EXCHANGE_SERVER = 0
    OTHER = 1  # POP3/SMTP
    EXCHANGE_SERVER_HYBRID = 2
    EXCHANGE_ONLINE_HYBRID = 3


class AuthenticationProtocol(IntEnum):
    """emailserverprofile.incoming/outgoingauthenticationprotocol (1.1)."""

    AUTO_DETECT = 0
    NEGOTIATE = 1
    NTLM = 2
    BASIC = 3


class CredentialRetrieval(IntEnum):
    """emailserverprofile.incoming/outgoingcredentialretrieval (1.1, 2.6)."""

    USER_OR_QUEUE = 0
    EMAIL_SERVER_PROFILE = 1
    SERVER_TO_SERVER = 2
    WINDOWS_INTEGRATED = 3
    ANONYMOUS = 4


class ExchangeVersion(IntEnum):
    """emailserverprofile.exchangeversion (1.1)."""

    EXCHANGE_2007 = 0
    EXCHANGE_2007_SP1 = 1
    EXCHANGE_2010 = 2
    EXCHANGE_2010_SP1 = 3
    EXCHANGE_2010_SP2 = 4
    EXCHANGE_2013 = 5


class TestExecutionStatus(IntEnum):
    """emailserverprofile.lasttestexecutionstatus (1.1)."""

    __test__ = False  # no pytest class

    FAILURE = 0
    SUCCESS = 1
    WARNING = 2


class TestOutcome(IntEnum):
    """emailserverprofile.lastauthorizationstatus, lasttestvalidationstatus (1.1)."""

    __test__ = False

    FAILURE = 0
    SUCCESS = 1


class IncomingDeliveryMethod(IntEnum):
    """incomingemaildeliverymethod of mailbox, user, queue (1.2, 1.7). A queue has no OUTLOOK."""

    NONE = 0
    OUTLOOK = 1
    SERVER_SIDE_SYNC_OR_ROUTER = 2
    FORWARD_MAILBOX = 3


class OutgoingDeliveryMethod(IntEnum):
    """outgoingemaildeliverymethod of mailbox, user, queue (1.2, 1.7). A queue has no OUTLOOK."""

    NONE = 0
    OUTLOOK = 1
    SERVER_SIDE_SYNC_OR_ROUTER = 2


class ActDeliveryMethod(IntEnum):
    """mailbox.actdeliverymethod: appointments, contacts, tasks (1.2)."""

    OUTLOOK = 0
    SERVER_SIDE_SYNC = 1
    NONE = 2


class EmailRouterAccessApproval(IntEnum):
    """emailrouteraccessapproval of mailbox, user, queue (1.2, 1.7)."""

    EMPTY = 0
    APPROVED = 1
    PENDING_APPROVAL = 2
    REJECTED = 3


class MailboxTestStatus(IntEnum):
    """mailbox.incomingemailstatus, outgoingemailstatus, actstatus, mailboxstatus (1.2)."""

    NOT_RUN = 0
    SUCCESS = 1
    FAILURE = 2


class ExchangeContactsImportStatus(IntEnum):
    """mailbox.exchangecontactsimportstatus (1.2)."""

    NOT_IMPORTED = 0
    IMPORTED = 1
    IMPORT_FAILED = 2


class OfficeAppsDeploymentStatus(IntEnum):
    """mailbox.officeappsdeploymentstatus (1.2)."""

    NOT_INSTALLED = 0
    INSTALLED = 1
    INSTALL_FAILED = 2
    UNINSTALL_FAILED = 3
    UPGRADE_REQUIRED = 4


class FolderOnboardingStatus(IntEnum):
    """mailboxtrackingfolder.folderonboardingstatus: an integer whose meanings are not published; these are ours (1.3)."""

    NEW = 0
    IN_PROGRESS = 1
    ONBOARDED = 2
    INVALID = 3


class ChangeType(IntEnum):
    """exchangesyncidmapping.from/tocrmchangetype: an integer whose meanings are not published; these are ours (1.4)."""

    NONE = 0
    CREATE = 1
    UPDATE = 2
    DELETE = 3


class UserDecision(IntEnum):
    """exchangesyncidmapping.userdecision: an integer whose meanings are not published; these are ours (1.4)."""

    NONE = 0
    IGNORE_AND_SAVE = 1
    DISCARD = 2


class EmailConnectionChannel(IntEnum):
    """organization.emailconnectionchannel (1.5)."""

    SERVER_SIDE_SYNC = 0
    EMAIL_ROUTER = 1


class IncomingFilteringMethod(IntEnum):
    """incomingemailfilteringmethod of user settings and queue (1.7)."""

    ALL = 0
    IN_RESPONSE_TO_CRM_EMAIL = 1
    FROM_LEADS_CONTACTS_ACCOUNTS = 2
    FROM_EMAIL_ENABLED_RECORDS = 3
    NO_EMAIL_MESSAGES = 4


class EmailState(IntEnum):
    """email.statecode (1.8)."""

    OPEN = 0
    COMPLETED = 1
    CANCELED = 2


class EmailStatus(IntEnum):
    """email.statuscode (1.8); `state` is the state that the status belongs to."""

    DRAFT = 1
    COMPLETED = 2
    SENT = 3
    RECEIVED = 4
    CANCELED = 5
    PENDING_SEND = 6
    SENDING = 7
    FAILED = 8

    @property
    def state(self) -> EmailState:
        if self in (EmailStatus.DRAFT, EmailStatus.FAILED):
            return EmailState.OPEN
        return EmailState.CANCELED if self is EmailStatus.CANCELED else EmailState.COMPLETED


class CorrelationMethod(IntEnum):
    """email.correlationmethod (1.8)."""

    NONE = 0
    SKIPPED = 1
    X_HEADER = 2
    IN_REPLY_TO = 3
    TRACKING_TOKEN = 4
    CONVERSATION_INDEX = 5
    SMART_MATCHING = 6
    CUSTOM_CORRELATION = 7


class Priority(IntEnum):
    """email.deliveryprioritycode, prioritycode (1.8)."""

    LOW = 0
    NORMAL = 1
    HIGH = 2


class EmailNotification(IntEnum):
    """email.notifications (1.8)."""

    NONE = 0
    ATTACHMENT_BLOCKED = 1
    TRUNCATED_BODY = 2


class ParticipationType(IntEnum):
    """activityparty.participationtypemask (1.8)."""

    SENDER = 1
    TO = 2
    CC = 3
    BCC = 4
    REQUIRED_ATTENDEE = 5
    OPTIONAL_ATTENDEE = 6
    ORGANIZER = 7
    REGARDING = 8
    OWNER = 9
    RESOURCE = 10
    CUSTOMER = 11


class TraceLevel(IntEnum):
    """tracelog.level (1.9)."""

    INFORMATION = 1
    WARNING = 2
    ERROR = 3


class OperationType(IntEnum):
    """mailboxstatistics.operationtypeid (1.9)."""

    INCOMING_EMAIL = 0
    OUTGOING_EMAIL = 1
    ACT = 2


class SyncDirection(IntEnum):
    """syncattributemapping.syncdirection and its siblings: values not published on the pages read; these are ours (1.9)."""

    NONE = 0
    TO_EXCHANGE = 1
    TO_CRM = 2
    BOTH = 3


class HashType(IntEnum):
    """emailhash.hashtype: which of the two hash sets of smart matching a row belongs to (4.6); the numbers are ours."""

    SUBJECT = 0
    RECIPIENT = 1
