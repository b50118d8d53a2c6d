"""The organization as a checked provider sees it: the fake of `testing.fake_gateway`, journalled, with mail that comes back to be sent again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from postroom.errors import MessageError
from postroom.model.verdict import Verdict
from postroom.providers.contract import ClaimedEmail, IncomingOffer, Submission, SubmissionResult
from postroom.testing.fake_gateway import Call, FakeGateway

if TYPE_CHECKING:
    from postroom.testing.conformance.world import KitWorld

__all__ = ["EFFECTS", "MESSAGE_EFFECTS", "KitGateway", "Report"]

MESSAGE_EFFECTS = frozenset({"deliver_incoming", "settle", "failed", "mark_submitting", "report_outgoing"})
"""Calls that change what becomes of a message. A run with nothing to do makes none of them."""
EFFECTS = MESSAGE_EFFECTS | {"state.commit", "state.rewind", "seen.add"}
"""Calls that change anything. The first run with nothing to do may still put its memory in order, the next one makes none of them."""
RETRY_AFTER = timedelta(minutes=1)
"""When an email that is to be retried is handed out again, unless the report names a time (ours)."""


@dataclass(frozen=True, slots=True)
class Report:
    """One report on one claim."""

    email: ClaimedEmail
    submission: Submission


class KitGateway(FakeGateway):
    """See `FakeGateway` for judge, ledger, offers, claimed, submitting, reports, `fail` and `fail_always`. Beside these:

    history   every report, in order; `reports` has the last one of each email
    An email reported as RETRY is handed out again a minute later (or after its `retry_after`), with attempt + 1 when it was attempted, at
    most `maximum` attempts; UNCERTAIN, SENT and FAILED never. Two reports on one claim are refused.
    """

    def __init__(self, world: KitWorld, judge: Callable[[IncomingOffer], Verdict] | None = None, *, maximum: int = 5) -> None:
        super().__init__(judge, maximum=maximum)
        self.world = world
        self.history: list[Report] = []
        self._later: list[tuple[float, ClaimedEmail]] = []
        self._out: set[str] = set()

    def note(self, name: str, key: str = "") -> None:
        source = "state" if name.startswith(("state.", "seen.")) else "crm"
        entry = self.world.note(source, f"{name} {key}".rstrip())
        try:
            super().note(name, key)
        except Exception as error:
            self.world.note(source, f"{name}: raises {type(error).__name__}", of=entry)
            raise

    # -- outbound

    def add_outgoing(self, *emails: ClaimedEmail) -> None:
        self.outgoing.extend(emails)

    def claim_outgoing(self, limit: int) -> Sequence[ClaimedEmail]:
        now = self.world.clock.monotonic()
        due = [email for at, email in self._later if at <= now]
        self._later = [(at, email) for at, email in self._later if at > now]
        self.outgoing.extend(due)
        taken = super().claim_outgoing(limit)
        self._out.update(email.email_id for email in taken)
        return taken

    def report_outgoing(self, email: ClaimedEmail, submission: Submission) -> None:
        self.note("report_outgoing", email.email_id)
        if email.email_id not in self._out:
            raise MessageError(f"{email.email_id} was reported before, or never claimed")
        self._out.discard(email.email_id)
        self.world.note("crm", f"{email.email_id} is {submission.result}", recipients=len(submission.recipients))
        self.reports[email.email_id] = submission
        self.history.append(Report(email, submission))
        attempt = email.attempt + submission.attempted
        if submission.result is SubmissionResult.RETRY and attempt <= self.maximum:
            wait = submission.retry_after or RETRY_AFTER
            self._later.append((self.world.clock.monotonic() + wait.total_seconds(), replace(email, attempt=attempt)))

    @property
    def unreported(self) -> list[str]:
        """Ids of emails that were claimed and not reported yet."""
        return sorted(self._out)

    # -- questions

    @property
    def armed(self) -> bool:
        """Whether any failure still waits to be raised."""
        return self.stale or bool(self._always) or any(self._waiting_failures())

    def _waiting_failures(self) -> list[object]:
        return [error for waiting in self._waiting.values() for error in waiting if error is not None]

    def heal(self) -> None:
        """No failure any more; the lease is held again."""
        super().heal()
        self.stale = False

    def made(self, *names: str, since: int = 0) -> list[Call]:
        """Calls of these names (all, when none is given), from the `since`-th call on (`len(gateway.calls)` is a mark)."""
        return [call for call in self.calls[since:] if not names or call.name in names]

    def effects(self, since: int = 0) -> list[Call]:
        """What was changed since a mark."""
        return self.made(*EFFECTS, since=since)
