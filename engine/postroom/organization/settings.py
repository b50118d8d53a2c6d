"""Deployment-level settings (server-side-sync reference 1.6): names as published in snake case, numbers are the suggested ones."""

from __future__ import annotations

from dataclasses import dataclass, fields

from postroom.errors import SettingsError

__all__ = ["BLOCKED_EXTENSIONS", "DeploymentSettings"]

_BLOCKED = """
    ade adp app asa ashx asmx asp bas bat cdx cer chm class cmd com config cpl crt csh dll exe fxp hlp hta
    htr htw ida idc idq inf ins isp its jar js jse ksh lnk mad maf mag mam maq mar mas mat mau mav maw mda
    mdb mde mdt mdw mdz msc msh msh1 msh1xml msh2 msh2xml mshxml msi msp mst ops pcd pif prf prg printer pst
    reg rem scf scr sct shb shs shtm shtml soap stm tmp url vb vbe vbs vsmacros vss vst vsw ws wsc wsf wsh
"""
BLOCKED_EXTENSIONS = frozenset(_BLOCKED.split())
"""File extensions that a new organization blocks [K]."""

_MAY_BE_ZERO = frozenset({"mailbox_backoff_on_transient_error", "mailbox_backoff_on_timeout"})


@dataclass(frozen=True, slots=True)
class DeploymentSettings:
    """`ServerSideSyncEmailSettings`. Durations in seconds. Our choices, beside the published names, are below the line."""

    active_mailbox_minimum_backoff: int = 120
    active_mailbox_maximum_backoff: int = 300
    idle_mailbox_minimum_backoff: int = 300
    idle_mailbox_maximum_backoff: int = 720
    mailbox_backoff_on_transient_error: int = 300
    mailbox_backoff_on_timeout: int = 300
    max_mailbox_transient_failures: int = 10
    maximum_email_delivery_attempts: int = 10
    incoming_maximum_emails_per_cycle: int = 100
    incoming_email_exchange_email_retrieval_batch_size: int = 10
    allow_ad_based_authentication_protocols: bool = True
    allow_basic_authentication_on_non_secure_channel: bool = False
    allow_non_ssl_email: bool = False
    allow_credentials_entry_via_non_secure_channels: bool = False
    # ours
    item_attempts: int = 5  # reference 3.5
    test_attempts: int = 10  # reference 2.4
    test_retry: int = 300  # reference 2.4
    lease_seconds: int = 1800  # reference 3.3: a lock is stale after 30 minutes
    maximum_message_size: int = 25 * 1024 * 1024  # octets; a larger message is parked
    blocked_extensions: frozenset[str] = BLOCKED_EXTENSIONS

    def __post_init__(self) -> None:
        problems = [
            f"{f.name} must be {'at least 0' if f.name in _MAY_BE_ZERO else 'positive'}, not {value!r}"
            for f in fields(self)
            if type(value := getattr(self, f.name)) is int and (value < 0 or (value == 0 and f.name not in _MAY_BE_ZERO))
        ]
        problems += [
            f"{kind}_mailbox_minimum_backoff is larger than {kind}_mailbox_maximum_backoff"
            for kind in ("active", "idle")
            if getattr(self, f"{kind}_mailbox_minimum_backoff") > getattr(self, f"{kind}_mailbox_maximum_backoff")
        ]
        if problems:
            raise SettingsError(problems)
