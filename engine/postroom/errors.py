"""What can go wrong in the engine, as one tree.

PostroomError
├── SettingsError                 settings that do not fit; lists all problems at once
├── RecordError                   a record cannot be as asked (model)
│   ├── UnknownEntity
│   ├── UnknownAttribute          names the nearest attribute
│   ├── InvalidValue              wrong type, too long, out of range, not an option
│   ├── NotWritable               read-only, create-only or update-only attribute
│   └── RequiredMissing
├── StoreError                    the database
│   ├── RecordNotFound
│   ├── DuplicateRecord           a uniqueness rule of the store
│   ├── StaleRun                  the run's lease was lost to another: nothing was written
│   ├── NewerDatabase             written by a later version of Postroom
│   └── WrongThread               an in-memory store was used by a second thread
├── OrganizationError             the organization refuses a message; carries a published code where there is one
│   ├── PrivilegeMissing
│   ├── RuleViolated              one mailbox a user, a forward mailbox sends nothing ...
│   ├── SendRefused               SendEmail's checks
│   └── UnsupportedMessage        a published message that is not done here, with the reason
└── ProviderError                 a provider's run went wrong (providers raise these, `rules.error_classes` judges them)
    ├── ConfigError               profile level: wrong configuration, permanent
    ├── AuthError                 mailbox level: credentials refused, permanent
    ├── PermissionDenied          mailbox level: known, but not allowed, permanent
    ├── TransientError            network, throttling, time-out: try again, after `retry_after` where known
    │   ├── ConnectionFailed      no connection, or it was lost
    │   ├── ServerTimeout         the server did not answer in time
    │   └── ProtocolError         the server said something that is not the protocol
    ├── TlsError                  mailbox level: certificate or negotiation refused, permanent
    ├── MessageError              email level: this message only
    ├── StateError                the kept state cannot be used: hold and alert
    └── Cancelled                 deadline or shutdown: a normal end, progress kept
"""

from __future__ import annotations

from datetime import timedelta

__all__ = [
    "AuthError",
    "Cancelled",
    "ConfigError",
    "ConnectionFailed",
    "DuplicateRecord",
    "InvalidValue",
    "MessageError",
    "NewerDatabase",
    "NotWritable",
    "OrganizationError",
    "PermissionDenied",
    "PostroomError",
    "PrivilegeMissing",
    "ProtocolError",
    "ProviderError",
    "RecordError",
    "RecordNotFound",
    "RequiredMissing",
    "RuleViolated",
    "SendRefused",
    "ServerTimeout",
    "SettingsError",
    "StaleRun",
    "StateError",
    "StoreError",
    "TlsError",
    "TransientError",
    "UnknownAttribute",
    "UnknownEntity",
    "UnsupportedMessage",
    "WrongThread",
]


class PostroomError(Exception):
    """Root of the tree."""


class SettingsError(PostroomError):
    """Settings that do not fit. `problems` lists all of them."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class RecordError(PostroomError):
    """A record cannot be as asked."""


class UnknownEntity(RecordError): ...


class UnknownAttribute(RecordError): ...


class InvalidValue(RecordError): ...


class NotWritable(RecordError): ...


class RequiredMissing(RecordError): ...


class StoreError(PostroomError):
    """The database refuses."""


class RecordNotFound(StoreError): ...


class DuplicateRecord(StoreError): ...


class StaleRun(StoreError):
    """The run's lease was lost to another run: nothing was written, and nothing that it does counts any more."""


class NewerDatabase(StoreError): ...


class WrongThread(StoreError): ...


class OrganizationError(PostroomError):
    """The organization refuses a message. `code` is the published name or number where there is one."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class PrivilegeMissing(OrganizationError): ...


class RuleViolated(OrganizationError): ...


class SendRefused(OrganizationError): ...


class UnsupportedMessage(OrganizationError):
    """A message that this organization does not do. `code` is its name."""


class ProviderError(PostroomError):
    """A provider's run went wrong. `reply` is what the server said, control characters escaped, secrets never in it."""

    def __init__(self, text: str, *, reply: str = "", code: str = "") -> None:
        super().__init__(text)
        self.reply = reply
        self.code = code


class ConfigError(ProviderError): ...


class AuthError(ProviderError): ...


class PermissionDenied(ProviderError): ...


class TransientError(ProviderError):
    """Try again later; not before `retry_after` where the server named a time."""

    def __init__(self, text: str, *, reply: str = "", code: str = "", retry_after: timedelta | None = None) -> None:
        super().__init__(text, reply=reply, code=code)
        self.retry_after = retry_after


class ConnectionFailed(TransientError): ...


class ServerTimeout(TransientError): ...


class ProtocolError(TransientError): ...


class TlsError(ProviderError): ...


class MessageError(ProviderError):
    """This message only; `source_key` names it at the source. `permanent`: trying again is of no use."""

    def __init__(self, text: str, *, source_key: str = "", permanent: bool = False, reply: str = "", code: str = "") -> None:
        super().__init__(text, reply=reply, code=code)
        self.source_key = source_key
        self.permanent = permanent


class StateError(ProviderError): ...


class Cancelled(ProviderError): ...
