"""What every router file has: the system's settings, and those that all providers share (email-router-providers 7)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum
from uuid import UUID

from postroom.providers.configuration.declaration import element
from postroom.providers.configuration.loading import Precedence
from postroom.providers.configuration.values import Millis
from postroom.providers.contract import Direction

__all__ = [
    "PUBLISHED_OVERRIDES",
    "AuthMode",
    "FileDirection",
    "Isolation",
    "LogDetail",
    "LogScale",
    "ProviderSettings",
    "SystemConfiguration",
]

OURS = "ours"
DECLARED = "has an effect with providers that declare it themselves"
UNSPELT = "7.2, spelling unconfirmed"
URL = (r"https?://[^\s/]\S*", "a URL that begins with http:// or https://")

PUBLISHED_OVERRIDES = (
    "CacheCapacity",
    "PendingStatusDelay",
    "SendingStatusDelay",
    "MaximumDeliveryAttempts",
    "EWSRetrieveMessageCount",
    "BatchSize",
    "RequestBatchSize",
)
"""The elements of the one published sample of `ProviderOverrides` (email-router-providers 7.3)."""


class LogScale(StrEnum):
    """Two scales of `LogLevel` were published (email-router-providers 7.1); nothing in a file says which, so it is a setting."""

    CURRENT = "Current"  # 0 none (the default), 1 errors, 2 mailbox level, 3 message level
    OF_2008 = "2008"  # 1 normal, 2 advanced, 3 detailed


class LogDetail(IntEnum):
    """How much is traced: what a level means, on either scale. 2008's words are taken for the later levels of their number (ours)."""

    NONE = 0
    ERRORS = 1
    MAILBOX = 2
    MESSAGE = 3


class FileDirection(Enum):
    """`Direction` in a file."""

    INBOUND = "Inbound"
    OUTBOUND = "Outbound"

    @property
    def direction(self) -> Direction:
        return Direction.INBOUND if self is FileDirection.INBOUND else Direction.OUTBOUND


class AuthMode(Enum):
    """`EmailAuthMode`. `Anonymous` is a published value; `ClearText` is ours in spelling."""

    ANONYMOUS = "Anonymous"
    CLEAR_TEXT = "ClearText"


class Isolation(Enum):
    """`Isolation`: where a provider runs."""

    NONE = "None"
    PROCESS = "Process"


@dataclass(frozen=True, slots=True)
class SystemConfiguration:
    """Settings of the service. Defaults are the values of the published samples."""

    max_threads: int = element(
        "MaxThreads", default=50, minimum=1, maximum=1000, help="size of the pool that runs providers", source="7.1"
    )
    max_thread_execution: Millis = element(
        "MaxThreadExecution", default=Millis(600_000), minimum=1000, help="longest time of one run", source="7.1"
    )
    scheduling_period: Millis = element(
        "SchedulingPeriod", default=Millis(1000), minimum=10, help="how often the scheduler looks for work", source="7.1"
    )
    config_refresh_period: Millis = element(
        "ConfigRefreshPeriod", default=Millis(5000), minimum=10, help="how often this file is read again", source="7.1"
    )
    config_update_period: Millis = element(
        "ConfigUpdatePeriod",
        default=Millis(3_600_000),
        help="how often users' and queues' settings are pulled from CRM into the file; 0 never",
        source="7.1",
    )
    log_level: int | None = element(
        "LogLevel",
        default=None,
        minimum=0,
        maximum=3,
        help="0 none, 1 errors, 2 mailboxes, 3 messages; on the scale of 2008 1 normal, 2 advanced, 3 detailed. "
        "Absent: 0, on the scale of 2008 1",
        source="7.1",
    )
    log_scale: LogScale = element("LogLevelScale", default=LogScale.CURRENT, help="which scale LogLevel is on", source=OURS)
    log_file: str = element("LogFile", default="", help="full path of the trace file; none when empty", source="7.1")
    precedence: Precedence = element(
        "ProviderOverridesPrecedence",
        default=Precedence.PROVIDER_FIRST,
        help="which counts where a provider has an element that ProviderOverrides has too; "
        "OverridesFirst is the compatibility mode",
        source=OURS,
    )

    @property
    def detail(self) -> LogDetail:
        """What the level means."""
        level = self.log_level if self.log_level is not None else 1 if self.log_scale is LogScale.OF_2008 else 0
        return LogDetail(level)


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What any provider's element may hold beside the provider's own elements."""

    class_name: str = element(
        "ProviderClassName",
        length=500,
        overridable=False,
        help="a provider's name, a class name of the original's, or a class path package.module:Class",
        source=UNSPELT,
    )
    assembly: str = element(
        "ProviderAssembly",
        default="",
        length=500,
        overridable=False,
        help="the module of a class name that is neither",
        source=UNSPELT,
    )
    name: str = element(
        "Name", default="", length=200, identity=True, help="tells providers apart that are otherwise equal", source=OURS
    )
    direction: FileDirection | None = element(
        "Direction", default=None, overridable=False, help="must be the provider's; absent: it is", source=UNSPELT
    )
    target: str = element("Target", default="", identity=True, help="what is served at the source", source=UNSPELT)
    crm_server_url: str = element(
        "CrmServerUrl", default="", identity=True, pattern=URL, help="the organization that is served", source=UNSPELT
    )
    auth_mode: AuthMode | None = element("EmailAuthMode", default=None, help="Anonymous: no user, no password", source="7.2")
    users: tuple[UUID, ...] = element("UserId", many=True, help="CRM users that are served", source="7.2")
    queues: tuple[UUID, ...] = element("QueueId", many=True, help="CRM queues that are served", source="7.2")
    isolation: Isolation = element(
        "Isolation",
        default=Isolation.NONE,
        help="Process: it runs in a process of its own, which is ended when it does not end by itself",
        source=OURS,
    )
    is_forward_mailbox: bool = element(
        "IsForwardMailbox",
        default=False,
        help="the mailbox collects copies, attached",
        source="3.2 property, spelling unconfirmed",
    )
    polling_period: Millis = element(
        "PollingPeriod", default=Millis(60_000), minimum=1000, help="from one run to the next", source=UNSPELT
    )
    max_message_count: int = element(
        "MaxMessageCount", default=100, minimum=1, maximum=100_000, help="messages of one run", source=UNSPELT
    )
    message_expiry: Millis | None = element(
        "MessageExpiry", default=None, minimum=1000, help="older messages are ignored; absent: none is too old", source=UNSPELT
    )
    move_emails: bool = element(
        "MoveEmails", default=False, help=f"move undeliverable mail to another folder; {DECLARED}", source=UNSPELT
    )
    connection_timeout: Millis = element(
        "ConnectionTimeout", default=Millis(100_000), minimum=100, help="longest wait for a server", source=UNSPELT
    )
    deliver_loop_limit: int | None = element(
        "DeliverLoopLimit", default=None, minimum=1, help=f"kept; its meaning is not documented; {DECLARED}", source=UNSPELT
    )
    cache_capacity: int = element(
        "CacheCapacity",
        default=1024,
        minimum=1,
        maximum=10_000_000,
        help=f"recently seen messages that are kept in mind; {DECLARED}",
        source="7.3",
    )
    pending_status_delay: Millis = element(
        "PendingStatusDelay", default=Millis(300_000), help="before an email that failed is tried again", source="7.3"
    )
    sending_status_delay: Millis = element(
        "SendingStatusDelay",
        default=Millis(1_800_000),
        help="before an email without a result is looked at again",
        source="7.3",
    )
    maximum_delivery_attempts: int = element(
        "MaximumDeliveryAttempts", default=10, minimum=1, maximum=1000, help="attempts before an email has failed", source="7.3"
    )
    ews_retrieve_message_count: int = element(
        "EWSRetrieveMessageCount",
        default=10,
        minimum=1,
        maximum=1000,
        help=f"messages of one request to Exchange; {DECLARED}",
        source="7.3",
    )
    batch_size: int = element(
        "BatchSize", default=5, minimum=1, maximum=10_000, help="users and queues of one outgoing request", source="7.3"
    )
    request_batch_size: int = element(
        "RequestBatchSize", default=5, minimum=1, maximum=10_000, help="emails of one user in one request", source="7.3"
    )
