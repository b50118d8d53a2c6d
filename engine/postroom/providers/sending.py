"""Sending mail: claim, compose, submit, report. Every claimed email is reported before the run ends, whatever happens."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from typing import Any, TypeVar, final

from postroom.errors import Cancelled, MessageError, ProviderError, StaleRun, TransientError
from postroom.providers.contract import ClaimedEmail, RunContext, RunOutcome, Submission, SubmissionResult
from postroom.providers.lifecycle import PollingProvider

__all__ = ["SendProvider", "Submitted"]

C = TypeVar("C")
S = TypeVar("S")

RECONNECTIONS = 2
"""How often one run connects again after the line was lost in the middle of an email (ours): so that one email on which a server
hangs up does not stop those behind it."""


class Submitted(ProviderError):
    """Internal: `submission` is known and must be reported, and `cause` ended the connection or the run.

    `last` when nothing more can be sent in this run, otherwise a new connection may be tried.
    """

    def __init__(self, submission: Submission, cause: ProviderError, *, last: bool = False) -> None:
        super().__init__(str(cause))
        self.submission = submission
        self.cause = cause
        self.last = last


class SendProvider(PollingProvider[C, S]):
    """Sends what waits. A subclass says how to open, submit and close a transport."""

    # -- hooks

    @abstractmethod
    def open_transport(self, ctx: RunContext[S]) -> None:
        """Connect and log in."""

    @abstractmethod
    def compose_message(self, ctx: RunContext[S], email: ClaimedEmail) -> Any:
        """What `submit_message` sends. ValueError or MessageError: this email cannot be sent at all."""

    @abstractmethod
    def submit_message(self, ctx: RunContext[S], email: ClaimedEmail, composed: Any) -> Submission:
        """Send one email, calling `gateway.mark_submitting` before the octet that makes the server responsible. Raises `Submitted`
        when the outcome is known and the connection is lost; any other error means that nothing was submitted."""

    def transport_usable(self) -> bool:
        """Whether the next email may go over the connection that is open."""
        return True

    @abstractmethod
    def close_transport(self, ctx: RunContext[S]) -> None:
        """End in order. Its errors concern no email any more."""

    @abstractmethod
    def abandon_transport(self) -> None:
        """Drop the connection, whatever state it is in. Never raises. Called after `close_transport` too."""

    # -- the run

    @final
    def on_run(self, ctx: RunContext[S]) -> RunOutcome:
        ctx.raise_if_cancelled()
        claimed = deque(ctx.gateway.claim_outgoing(ctx.items))
        if not claimed:
            return self.tally.outcome()
        self.tally.more = len(claimed) >= ctx.items
        reason: Exception = Cancelled("the run ended before this email's turn")
        try:
            last_error = self._send_all(ctx, claimed)
        except StaleRun:
            claimed.clear()  # another run owns them now; it will look at our marks
            raise
        except Exception as error:
            reason = error
            raise
        finally:
            self.abandon_transport()
            while claimed:
                self._report(ctx, claimed.popleft(), untried(reason))
        return self.tally.outcome(last_error)

    def _send_all(self, ctx: RunContext[S], claimed: deque[ClaimedEmail]) -> ProviderError | None:
        """Send them one by one, each taken from the left when it is reported. Gives the error that cut the last connection, when
        nothing was sent after it."""
        lost: ProviderError | None = None
        connections = 0
        opened = False
        while claimed:
            ctx.raise_if_cancelled()
            email = claimed[0]
            try:
                composed = self.compose_message(ctx, email)
            except (ValueError, MessageError) as error:
                claimed.popleft()
                self._report(ctx, email, Submission(SubmissionResult.FAILED, reply=str(error)))
                continue
            if opened and not self.transport_usable():
                self.abandon_transport()
                opened = False
            if not opened:
                self.open_transport(ctx)
                opened, connections = True, connections + 1
                # What can be composed may depend on what the server offers.
                continue
            try:
                submission = self.submit_message(ctx, email, composed)
            except Submitted as told:
                claimed.popleft()
                self._report(ctx, email, told.submission)
                self.abandon_transport()
                opened, lost = False, told.cause
                if told.last or connections > RECONNECTIONS:
                    raise told.cause from told
                continue
            except StaleRun:
                raise
            except Exception as error:
                claimed.popleft()
                self._report(ctx, email, Submission(SubmissionResult.RETRY, reply=type(error).__name__))
                raise
            claimed.popleft()
            self._report(ctx, email, submission)
            lost = None
        if opened:
            self._close(ctx)
        return lost

    def _report(self, ctx: RunContext[S], email: ClaimedEmail, submission: Submission) -> None:
        ctx.gateway.report_outgoing(email, submission)
        if submission.result is SubmissionResult.SENT:
            self.tally.processed += 1
            self.tally.delivered += 1
            return
        self.tally.detail = submission.reply or next((one.reply for one in submission.recipients if not one.accepted), "")
        if submission.result is SubmissionResult.FAILED:
            self.tally.processed += 1
            self.tally.rejected += 1
        elif submission.attempted:
            self.tally.failed += 1

    def _close(self, ctx: RunContext[S]) -> None:
        try:
            self.close_transport(ctx)
        except ProviderError as error:
            ctx.log("transport.close_failed", str(error))


def untried(reason: Exception) -> Submission:
    """The report on an email whose turn did not come: it stays pending, and the try does not count against it (reference 7.4)."""
    return Submission(
        SubmissionResult.RETRY,
        reply=str(reason) if isinstance(reason, ProviderError) else type(reason).__name__,
        retry_after=reason.retry_after if isinstance(reason, TransientError) else None,
        attempted=False,
    )
