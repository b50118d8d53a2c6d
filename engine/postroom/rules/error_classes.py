"""What an error means (server-side-sync reference 3.4, section 10): one table, and nothing else decides it.

Published: nature (transient, permanent), scope (email, mailbox, profile), the alert levels, the code strings where the string is
one of section 10. Ours: the numbers (TraceLog.tracecode is not published; 1xxx incoming, 2xxx outgoing, 3xxx ACT, 4xxx test and
configuration, as the reference suggests) and the strings of errors that have none there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from postroom import errors
from postroom.rules.operation import Operation

__all__ = ["ERROR_NUMBERS", "TABLE", "AlertLevel", "ErrorClass", "Nature", "Row", "Scope", "classify"]


class Nature(StrEnum):
    """NONE: a normal end (cancelled). STALE: another run has the mailbox, nothing may be written."""

    TRANSIENT = "transient"
    PERMANENT = "permanent"
    NONE = "none"
    STALE = "stale"


class Scope(StrEnum):
    EMAIL = "email"
    MAILBOX = "mailbox"
    PROFILE = "profile"


class AlertLevel(IntEnum):
    """TraceLog.level, published numbers. NONE: no alert."""

    NONE = 0
    INFORMATION = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `number` is added to the operation's thousands; `names` by operation, "*" for the others.
    `timeout`: the postponement for time-outs applies (MailboxBackoffOnTimeout)."""

    error: type[BaseException]
    nature: Nature
    scope: Scope
    number: int
    names: dict[str, str]
    code: str = ""
    timeout: bool = False


@dataclass(frozen=True, slots=True)
class ErrorClass:
    """The judgement.

    tracecode   number for TraceLog.tracecode
    name        "Email Server Error Code": the string in the alert's details
    level       Warning for transient, Error for permanent, none for a normal end
    timeout     whether the server was too slow (another postponement may apply)
    """

    nature: Nature
    scope: Scope
    tracecode: int
    name: str
    level: AlertLevel
    timeout: bool = False

    @property
    def counts(self) -> bool:
        """Whether the mailbox's counter of transient failures goes up: email-level failures never count against the mailbox."""
        return self.nature is Nature.TRANSIENT and self.scope is not Scope.EMAIL


_T, _P = Nature.TRANSIENT, Nature.PERMANENT
_E, _M, _F = Scope.EMAIL, Scope.MAILBOX, Scope.PROFILE

TABLE: tuple[Row, ...] = (
    # The first row that fits decides: special before general; a row with a code fits only errors that carry it.
    Row(errors.Cancelled, Nature.NONE, _M, 0, {"*": "Cancelled"}),
    Row(errors.StaleRun, Nature.STALE, _M, 1, {"*": "MailboxLockLost"}),
    Row(errors.ConfigError, _P, _F, 10, {"*": "InvalidEmailServerProfileConfiguration"}),
    Row(
        errors.AuthError,
        _P,
        _M,
        20,
        {
            "incoming": "IncomingEmailAuthenticationError",
            "outgoing": "OutgoingEmailAuthenticationError",
            "*": "AuthenticationError",
        },
    ),
    # sending is blocked until quota frees: that passes (reference 7.4)
    Row(errors.PermissionDenied, _T, _M, 21, {"*": "ErrorQuotaExceeded"}, code="ErrorQuotaExceeded"),
    Row(errors.PermissionDenied, _T, _M, 24, {"*": "ErrorSubmissionQuotaExceeded"}, code="ErrorSubmissionQuotaExceeded"),
    Row(errors.PermissionDenied, _P, _M, 25, {"*": "ErrorNonExistentMailbox"}, code="ErrorNonExistentMailbox"),
    Row(errors.PermissionDenied, _P, _F, 26, {"*": "ErrorImpersonateUserDenied"}, code="ErrorImpersonateUserDenied"),
    Row(errors.PermissionDenied, _P, _M, 22, {"*": "Forbidden"}),
    Row(errors.TlsError, _P, _M, 23, {"*": "SecureConnectionError"}),
    Row(errors.ServerTimeout, _T, _M, 30, {"*": "Socket returned exception TimedOut"}, timeout=True),
    Row(errors.ConnectionFailed, _T, _M, 31, {"*": "Socket returned exception ConnectionRefused"}, code="refused"),
    Row(errors.ConnectionFailed, _T, _M, 32, {"*": "Socket returned exception HostNotFound"}, code="dns"),
    Row(errors.ConnectionFailed, _T, _M, 33, {"*": "Socket returned exception ConnectionReset"}),
    Row(errors.ProtocolError, _T, _M, 34, {"*": "UnexpectedServerResponse"}),
    Row(
        errors.TransientError, _T, _M, 35, {"*": "ErrorInternalServerTransientError"}, code="ErrorInternalServerTransientError"
    ),
    Row(
        errors.TransientError, _T, _M, 36, {"*": "Http server returned ServiceUnavailable exception"}, code="ServiceUnavailable"
    ),
    Row(errors.TransientError, _T, _M, 37, {"*": "ServerBusy"}),
    # permanent or not is the message's own affair: its attempts are counted with it (reference 3.5)
    Row(errors.MessageError, _T, _E, 40, {"incoming": "UnknownIncomingEmailIntegrationError", "*": "MessageError"}),
    Row(errors.StateError, _P, _M, 50, {"*": "InvalidMailboxState"}),
    Row(errors.StoreError, _T, _M, 60, {"incoming": "IncomingMailboxInternalCrmError", "*": "InternalCrmError"}),
    # A queue that is owned by a team without roles: the same string with another platform number (reference 10).
    Row(
        errors.OrganizationError,
        _T,
        _M,
        63,
        {"incoming": "UnknownIncomingEmailIntegrationError", "*": "Crm.80042f0a"},
        code="-2147209462",
    ),
    Row(errors.OrganizationError, _T, _M, 61, {"incoming": "UnknownIncomingEmailIntegrationError", "*": "Crm.80040265"}),
    Row(errors.PostroomError, _T, _M, 62, {"incoming": "IncomingMailboxInternalCrmError", "*": "InternalCrmError"}),
    # A mistake in a provider or in the engine: bounded by the counter like every transient error.
    Row(BaseException, _T, _M, 90, {"incoming": "UnknownIncomingEmailIntegrationError", "*": "Crm.80040265"}),
)

THOUSANDS = {
    Operation.INCOMING: 1000,
    Operation.OUTGOING: 2000,
    Operation.ACT: 3000,
    Operation.TEST: 4000,
    Operation.RETENTION: 4500,
}

ERROR_NUMBERS = 100
"""Numbers of this table are below this, within the thousands of an operation; alerts that no error raises are above (`rules.alert_table`)."""

LEVELS = {_T: AlertLevel.WARNING, _P: AlertLevel.ERROR, Nature.NONE: AlertLevel.NONE, Nature.STALE: AlertLevel.NONE}


def classify(
    error: BaseException, operation: Operation = Operation.INCOMING, *, profile_credentials: bool = False
) -> ErrorClass:
    """Judge an error by its class and, where a row names one, its code. Refused credentials that belong to the profile are the profile's
    trouble (reference 10: "profile or mailbox")."""
    row = next(
        row for row in TABLE if isinstance(error, row.error) and (not row.code or row.code == getattr(error, "code", ""))
    )
    nature = row.nature
    if isinstance(error, errors.MessageError) and error.permanent:
        nature = _P
    scope = Scope.PROFILE if profile_credentials and row.error is errors.AuthError else row.scope
    name = row.names.get(operation.value, row.names["*"])
    return ErrorClass(nature, scope, THOUSANDS[operation] + row.number, name, LEVELS[nature], row.timeout)
