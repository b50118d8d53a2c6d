"""What the organization takes and gives, beside records: bindings, due mailboxes, runs, connections."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from postroom.errors import PostroomError
from postroom.rules.error_classes import ErrorClass, classify
from postroom.rules.operation import Operation

if TYPE_CHECKING:
    from postroom.model import EmailServerProfile, Mailbox
    from postroom.store.leases import Fence

__all__ = ["Connection", "DueMailbox", "GatewayBinding", "Operation", "RunFailure"]


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
    """What ended a run or a test early, judged.

    error        the judgement of `rules.error_classes`
    text         for people; never a secret
    retry_after  what the server asked for
    """

    error: ErrorClass
    text: str
    retry_after: timedelta | None = None

    @classmethod
    def of(cls, error: BaseException, operation: Operation = Operation.INCOMING) -> RunFailure:
        """The judgement of an error, with what it says itself. Texts of errors that are not ours are not shown: they may hold anything."""
        known = isinstance(error, PostroomError)
        text = str(error) if known else type(error).__name__
        reply = getattr(error, "reply", "") if known else ""
        shown = f"{text} ({reply})" if reply and reply not in text else text
        return cls(classify(error, operation), shown, getattr(error, "retry_after", None))
