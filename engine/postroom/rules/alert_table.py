"""Every alert that is not raised by an error, in one table: string, number, level, scope and text (server-side-sync reference 10, 3.7).

Alerts of errors have their rows in `rules.error_classes`; their numbers are below 100 within the thousands of the operation, those here are
above: 1xxx incoming, 2xxx outgoing, 3xxx appointments, contacts and tasks, 4xxx test and configuration. TraceLog.tracecode is not published:
all numbers are ours, as are the strings of rows that the reference lists with "(no code)".
"""

from __future__ import annotations

from dataclasses import dataclass

from postroom.rules.error_classes import AlertLevel, Scope

__all__ = ["ALERTS", "BY_CODE", "AlertKind", "platform_number"]


@dataclass(frozen=True, slots=True)
class AlertKind:
    """One row.

    code      the "Email Server Error Code"; ours where the reference has none
    number    TraceLog.tracecode
    text      with {places} for what it is about
    platform  the platform's error number where one is published
    exchange  only an Exchange server, or the test of one, can cause it: the row waits for such a provider
    """

    code: str
    number: int
    level: AlertLevel
    scope: Scope
    text: str
    platform: int | None = None
    exchange: bool = False


_I, _W, _E = AlertLevel.INFORMATION, AlertLevel.WARNING, AlertLevel.ERROR

ALERTS: tuple[AlertKind, ...] = (
    # incoming
    AlertKind(
        "NoRecipientMatch",
        1101,
        _I,
        Scope.EMAIL,
        "{item} was not tracked: no user or queue is among the recipients",
        -2147218683,
    ),
    AlertKind("NoCorrelationMatch", 1102, _I, Scope.EMAIL, "{item} was not tracked: nobody accepts it"),
    AlertKind(
        "InvalidSender",
        1103,
        _I,
        Scope.EMAIL,
        "The incoming email {subject} could not be created for {mailbox}: its sender is not valid",
    ),
    AlertKind(
        "InvalidForwardMailItem",
        1104,
        _I,
        Scope.EMAIL,
        "The incoming email {subject} could not be created for {mailbox}: it was not forwarded as an attachment",
    ),
    AlertKind("MessageParked", 1105, _E, Scope.EMAIL, "The incoming email {subject} is not tried any more"),
    AlertKind(
        "InvalidIncomingEmailServerProfile",
        1106,
        _E,
        Scope.MAILBOX,
        "Email cannot be received: {mailbox} has no profile, or its profile is inactive",
    ),
    # outgoing
    AlertKind(
        "MailboxDisabled",
        2101,
        _E,
        Scope.MAILBOX,
        "{subject} cannot be sent: {mailbox} is deactivated or disabled for outgoing email",
    ),
    AlertKind("EmailNotSent", 2102, _E, Scope.EMAIL, "The email {subject} was not sent"),
    AlertKind(
        "EmailUncertain", 2103, _E, Scope.EMAIL, "The email {subject} may or may not have been sent: somebody has to decide"
    ),
    AlertKind(
        "InvalidOutgoingEmailServerProfile",
        2104,
        _E,
        Scope.MAILBOX,
        "Email cannot be sent: {mailbox} has no profile, or its profile is inactive",
    ),
    # appointments, contacts, tasks
    AlertKind(
        "Crm.80040216",
        3101,
        _E,
        Scope.EMAIL,
        "An error occurred while {item} was synchronized for {mailbox}",
        -2147220970,
        exchange=True,
    ),
    AlertKind(
        "OrganizerMissing", 3102, _E, Scope.EMAIL, "{item} was not synchronized: the organizer is not there", exchange=True
    ),
    AlertKind(
        "ConfiguredWithAnotherOrganization",
        3103,
        _E,
        Scope.MAILBOX,
        "{mailbox} is synchronized with another organization",
        exchange=True,
    ),
    AlertKind("SchedulingConflict", 3104, _W, Scope.EMAIL, "{item} was not saved: the user is not available", exchange=True),
    AlertKind("DuplicateFound", 3105, _W, Scope.EMAIL, "{item} is there already: the user decides", exchange=True),
    AlertKind("LinkedItemsFound", 3106, _W, Scope.EMAIL, "{item} was linked before: the user decides", exchange=True),
    # test and configuration
    AlertKind("TestSucceeded", 4101, _I, Scope.MAILBOX, "The test of {what} succeeded for {mailbox}"),
    AlertKind(
        "AddressNotApproved",
        4102,
        _E,
        Scope.MAILBOX,
        "Email of {mailbox} is neither received nor sent: its address is not approved. It is switched off",
    ),
    AlertKind(
        "AddressNotApprovedByAdministrator",
        4103,
        _E,
        Scope.MAILBOX,
        "Email of {mailbox} is neither received nor sent: the Office 365 administrator has not approved its address. It is switched off",
    ),
    AlertKind(
        "MailboxLocationUnknown",
        4104,
        _E,
        Scope.MAILBOX,
        "The server of {mailbox} could not be found by autodiscover",
        exchange=True,
    ),
    AlertKind("MailboxInactive", 4105, _E, Scope.MAILBOX, "{mailbox} cannot be tested: it is deactivated (MailboxDisabled)"),
    AlertKind(
        "ProfileMailboxesFailing",
        4106,
        _E,
        Scope.PROFILE,
        "More than half of the mailboxes of {profile} failed within one hour",
    ),
    AlertKind(
        "MailboxTakenByAnother",
        4107,
        _W,
        Scope.MAILBOX,
        "{mailbox} is not synchronized any more: its address was mapped to another record",
    ),
    AlertKind(
        "8005E259", 4111, _E, Scope.MAILBOX, "The test of {mailbox} failed: the user or team lacks privileges", exchange=True
    ),
    AlertKind(
        "8005E272",
        4112,
        _E,
        Scope.PROFILE,
        "The test of {mailbox} failed: the server refused the account of {profile}",
        exchange=True,
    ),
    AlertKind(
        "8005E273",
        4113,
        _E,
        Scope.MAILBOX,
        "The test of {mailbox} failed: the user is disabled in the directory",
        exchange=True,
    ),
    AlertKind("8005E274", 4114, _E, Scope.MAILBOX, "The test of {mailbox} failed: MailboxNotEnabledForRESTAPI", exchange=True),
    AlertKind("8005E276", 4115, _E, Scope.MAILBOX, "The test of {mailbox} failed: there is no Exchange licence", exchange=True),
)

BY_CODE = {kind.code: kind for kind in ALERTS}

_PLATFORM = {
    "UnknownIncomingEmailIntegrationError": -2147220891,
    "Crm.80040265": -2147220891,
    "Crm.80042f0a": -2147209462,
    **{kind.code: kind.platform for kind in ALERTS if kind.platform is not None},
}


def platform_number(code: str) -> int | None:
    """The platform's published error number of a code string, where there is one: 0x80040265 IsvAborted is -2147220891."""
    return _PLATFORM.get(code)
