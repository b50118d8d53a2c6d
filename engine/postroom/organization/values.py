"""What the organization takes and gives, beside records: bindings, due mailboxes, runs, connections."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from postroom.errors import PostroomError
from postroom.model.secret import Secret
from postroom.rules.error_classes import LEVELS, THOUSANDS, ErrorClass, Nature, Scope, classify
from postroom.rules.operation import Operation

if TYPE_CHECKING:
    from postroom.model import EmailServerProfile, Mailbox
    from postroom.store.leases import Fence

__all__ = ["Connection", "DueMailbox", "GatewayBinding", "Operation", "RunFailure", "Scope"]

UNKNOWN_NUMBER = 90
"""Within the thousands of an operation: what `rules.error_classes` gives an error that nobody knows."""


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
    """A mailbox with work due now. `directions` in the order to run them; `Operation.TEST` when a test is scheduled. `inactive_back_off`: the
    organization's IsMailboxInactiveBackoffEnabled. `token`: of the mailbox's lease at that moment (0: it never had one), so that a run begins
    only if nobody was there since."""

    mailbox: Mailbox
    directions: tuple[Operation, ...]
    profile: EmailServerProfile
    inactive_back_off: bool = False
    token: int | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach the server of a mailbox in one direction; for the engine only. The password is opaque.

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
    password: Secret
    timeout: float = 100.0
    limit: int = 10

    @property
    def user(self) -> str:
        return self.username


@dataclass(frozen=True, slots=True)
class RunFailure:
    """What ended a run or a test early, as `rules.error_classes` judged it. `of` makes it from an error.

    code         the "Email Server Error Code" (server-side-sync reference 10)
    text         for people; never a secret
    permanent    the direction is disabled at once; otherwise it is postponed and its transient failures are counted
    retry_after  what the server asked for
    timed_out    the server did not answer in time (another back-off applies)
    tracecode    of the alert; 0: that of an error that nobody knows
    """

    code: str
    text: str
    permanent: bool = False
    scope: Scope = Scope.MAILBOX
    retry_after: timedelta | None = None
    timed_out: bool = False
    tracecode: int = 0

    @classmethod
    def of(
        cls, error: BaseException, operation: Operation = Operation.INCOMING, *, profile_credentials: bool = False
    ) -> RunFailure:
        """Judge an error. What it says itself is shown only where the error is ours: others may say anything."""
        judged = classify(error, operation, profile_credentials=profile_credentials)
        known = isinstance(error, PostroomError)
        text = str(error) if known else type(error).__name__
        reply = getattr(error, "reply", "") if known else ""
        return cls(
            code=judged.name,
            text=f"{text} ({reply})" if reply and reply not in text else text,
            permanent=judged.nature is Nature.PERMANENT,
            scope=judged.scope,
            retry_after=getattr(error, "retry_after", None),
            timed_out=judged.timeout,
            tracecode=judged.tracecode,
        )

    def judgement(self, operation: Operation) -> ErrorClass:
        """The same in the words of `rules.error_classes`."""
        number = self.tracecode or THOUSANDS[operation] + UNKNOWN_NUMBER
        nature = Nature.PERMANENT if self.permanent else Nature.TRANSIENT
        return ErrorClass(nature, self.scope, number, self.code, LEVELS[nature], self.timed_out)
