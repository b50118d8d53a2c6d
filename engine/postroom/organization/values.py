"""What the organization takes and gives, beside records: bindings, due mailboxes, runs, connections."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from postroom.model import EmailServerProfile, Mailbox
    from postroom.store.leases import Fence

__all__ = ["Connection", "DueMailbox", "GatewayBinding", "Operation", "RunFailure", "Scope"]


class Operation(StrEnum):
    """What a run does for a mailbox."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"
    ACT = "act"
    TEST = "test"


class Scope(StrEnum):
    """How far an error reaches (server-side-sync reference 3.4)."""

    EMAIL = "email"
    MAILBOX = "mailbox"
    PROFILE = "profile"


@dataclass(frozen=True, slots=True)
class GatewayBinding:
    """What ties a gateway to one run.

    instance   the provider instance: ledger rows and memory are kept under this name
    fence      the run's lease; every transaction of the run compares it first. None: no lease is checked (tools, tests)
    """

    mailbox_id: str
    instance: str
    fence: Fence | None
    operation: Operation | str


class DueMailbox(NamedTuple):
    """A mailbox with work due now. `directions` in the order to run them; `Operation.TEST` when a test is scheduled."""

    mailbox: Mailbox
    directions: tuple[Operation, ...]
    profile: EmailServerProfile


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach the server of a mailbox in one direction; for the engine only. The password is in no repr.

    authentication   0 Auto Detect, 1 Negotiate, 2 NTLM, 3 Basic
    credentials      0 by user or queue, 1 in profile, 2 server to server, 3 Windows Integrated, 4 anonymous (reference 2.6)
    timeout          seconds of each wait, at most 100 (reference 1.1)
    user             the authenticated user that connection limits are counted for
    """

    host: str
    port: int
    tls: bool
    authentication: int
    credentials: int
    username: str
    password: str = field(repr=False)
    timeout: float = 100.0
    limit: int = 10

    @property
    def user(self) -> str:
        return self.username


@dataclass(frozen=True, slots=True)
class RunFailure:
    """What ended a run early, as `rules.error_classes` judged it.

    code         the "Email Server Error Code" (server-side-sync reference 10)
    permanent    the direction is disabled at once; otherwise it is postponed and its transient failures are counted
    retry_after  how long to postpone a transient failure; None: the deployment's back-off
    timed_out    the server did not answer in time (another back-off applies)
    """

    code: str
    text: str
    permanent: bool = False
    scope: Scope = Scope.MAILBOX
    retry_after: timedelta | None = None
    timed_out: bool = False
    occurred_on: datetime | None = None
