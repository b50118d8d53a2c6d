"""Settings of a whole deployment (server-side-sync reference 1.6): `ServerSideSyncEmailSettings` and `ServerSideSyncACTSettings`.

Attributes are the published names in snake case; durations are seconds. No numeric default is published: the numbers are the
reference's suggestions. Each field's metadata is as `settings` describes it; `published` is "" where the setting itself is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from postroom.errors import SettingsError
from postroom.model.settings import number, problems_of, switch

__all__ = ["DeploymentSettings"]

EXCHANGE_ONLINE_DOMAINS = frozenset({"office365.com", "outlook.com", "office365.us", "outlook.cn"})
"""Domains of Exchange Online's servers [K]: outlook.office365.com for the world, outlook.com of old, outlook.office365.us for the United States'
government, partner.outlook.cn in China. The reference only says that a profile of Exchange Online cannot point to an external server (section 9); which
servers are its own is not published there, so a deployment may name others."""

_MONTH = 86_400 * 30
_MANY = 1_000_000
_DAYS = 36_500


def _ours(default: int, low: int, high: int) -> Any:
    return number("", default, low, high)


@dataclass(frozen=True, slots=True)
class DeploymentSettings:
    """Raises SettingsError with every problem at once."""

    active_mailbox_minimum_backoff: int = number("ActiveMailboxMinimumBackoff", 120, 1, _MONTH)
    active_mailbox_maximum_backoff: int = number("ActiveMailboxMaximumBackoff", 300, 1, _MONTH)
    idle_mailbox_minimum_backoff: int = number("IdleMailboxMinimumBackoff", 300, 1, _MONTH)
    idle_mailbox_maximum_backoff: int = number("IdleMailboxMaximumBackoff", 720, 1, _MONTH)
    mailbox_backoff_on_transient_error: int = number("MailboxBackoffOnTransientError", 300, 0, _MONTH)
    mailbox_backoff_on_timeout: int = number("MailboxBackoffOnTimeout", 300, 0, _MONTH)
    max_mailbox_transient_failures: int = number("MaxMailboxTransientFailures", 10, 1, 998)
    maximum_email_delivery_attempts: int = number("MaximumEmailDeliveryAttempts", 10, 1, _MANY)
    incoming_maximum_emails_per_cycle: int = number("IncomingMaximumEmailsPerCycle", 100, 1, _MANY)
    incoming_email_exchange_email_retrieval_batch_size: int = number(
        "IncomingEmailExchangeEmailRetrievalBatchSize", 10, 1, _MANY
    )
    allow_ad_based_authentication_protocols: bool = switch("AllowADBasedAuthenticationProtocols", True)
    allow_basic_authentication_on_non_secure_channel: bool = switch(
        "AllowBasicAuthenticationOnNonSecureChannel", False, stated=False
    )
    allow_non_ssl_email: bool = switch("AllowNonSSLEmail", False, stated=False)
    allow_credentials_entry_via_non_secure_channels: bool = switch(
        "AllowCredentialsEntryViaNonSecureChannels", False, stated=False
    )
    email_router_migration_max_parallel_runs: int = number(
        "EmailRouterMigrationMaxParallelRuns", 1, 1, _MANY, note="no number is suggested: ours"
    )
    # appointments, contacts and tasks
    active_mailbox_minimum_backoff_for_act: int = number("ActiveMailboxMinimumBackoffForACT", 120, 1, _MONTH)
    active_mailbox_maximum_backoff_for_act: int = number("ActiveMailboxMaximumBackoffForACT", 300, 1, _MONTH)
    idle_mailbox_minimum_backoff_for_act: int = number("IdleMailboxMinimumBackoffForACT", 300, 1, _MONTH)
    idle_mailbox_maximum_backoff_for_act: int = number("IdleMailboxMaximumBackoffForACT", 720, 1, _MONTH)
    mailbox_backoff_on_transient_error_for_act: int = number("MailboxBackoffOnTransientErrorForACT", 300, 0, _MONTH)
    mailbox_backoff_on_timeout_for_act: int = number("MailboxBackoffOnTimeoutForACT", 300, 0, _MONTH)
    maximum_mailbox_transient_failures_for_act: int = number("MaximumMailboxTransientFailuresForACT", 10, 1, 998)
    maximum_synchronization_attempts_for_act: int = number("MaximumSynchronizationAttemptsForACT", 5, 1, _MANY)
    # ours
    item_attempts: int = _ours(5, 1, _MANY)  # reference 3.5
    test_attempts: int = _ours(10, 1, _MANY)  # reference 2.4
    test_retry: int = _ours(300, 1, _MONTH)  # reference 2.4
    lease_seconds: int = _ours(1800, 1, _MONTH)  # reference 3.3: a lock is stale after 30 minutes
    maximum_message_size: int = _ours(25 * 1024 * 1024, 1, 2**31 - 1)  # octets; a larger message is parked
    maximum_body_characters: int = _ours(1_073_741_823, 1, 1_073_741_823)  # of a received email; what the column holds
    allow_anonymous_smtp: bool = switch(
        "", False, stated=False, note="reference 2.6: declared not valid; for simulated servers"
    )
    retention_interval: int = _ours(86_400, 60, _MONTH)  # seconds between two removals of what was kept long enough
    keep_traces_days: int = _ours(30, 0, _DAYS)  # where the organization's tracelogmaximumageindays is empty; 0 here: for ever
    keep_statistics_days: int = _ours(30, 0, _DAYS)  # mailboxstatistics; 0: for ever, as in the following
    keep_memory_days: int = _ours(180, 0, _DAYS)  # seen marks and ledger rows of messages that left their source
    keep_outgoing_days: int = _ours(180, 0, _DAYS)  # ledger rows of emails that were sent, failed or canceled
    keep_contents_days: int = _ours(30, 0, _DAYS)  # the octets of received messages, unless parked or pending
    exchange_online_domains: frozenset[str] = (
        EXCHANGE_ONLINE_DOMAINS  # where an Exchange Online profile may point (reference 9)
    )

    def __post_init__(self) -> None:
        problems = problems_of(self)
        if not problems:
            problems = [
                f"{kind}_mailbox_minimum_backoff{act} is larger than {kind}_mailbox_maximum_backoff{act}"
                for act in ("", "_for_act")
                for kind in ("active", "idle")
                if getattr(self, f"{kind}_mailbox_minimum_backoff{act}") > getattr(self, f"{kind}_mailbox_maximum_backoff{act}")
            ]
        if problems:
            raise SettingsError(problems)
