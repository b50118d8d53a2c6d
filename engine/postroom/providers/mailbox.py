"""Taking mail in: the order of steps that loses nothing and doubles nothing, with a hook for each step.

    open -> list -> which are new -> [retrieve whole -> parse -> validate, unwrap]... -> one commit: accept, deliver or settle
    -> remember as seen -> only then dispose at the source -> close

Whatever ends a run between two of these arrows costs another look and never a message (mail-protocol-pitfalls 2.3).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar, final

from postroom.errors import Cancelled, ProviderError
from postroom.mime.values import ParsedMessage
from postroom.model.verdict import Verdict
from postroom.providers.contract import Delivered, IncomingOffer, RunContext, RunOutcome
from postroom.providers.lifecycle import PollingProvider, reraise
from postroom.providers.mailbox_run import Fetched, Listed, MailboxRun, MailboxState

__all__ = ["Fetched", "Listed", "MailboxProvider", "MailboxState"]

C = TypeVar("C")


class MailboxProvider(PollingProvider[C, MailboxState]):
    """Polls one mailbox. A subclass says how to open, list, retrieve, dispose and close; the steps between have defaults.

    `deletes` says whether messages are disposed of at the source once they are settled.
    """

    deletes: bool = False

    # -- hooks: the source

    @abstractmethod
    def open_mailbox(self, ctx: RunContext[MailboxState]) -> None:
        """Connect and log in."""

    @abstractmethod
    def list_messages(self, ctx: RunContext[MailboxState]) -> Sequence[Listed]:
        """Everything there is, in the source's order."""

    def mailbox_totals(self, ctx: RunContext[MailboxState]) -> str:  # noqa: ARG002
        """What the source says of all its messages together, as cheaply as it can: it differs when one of them was exchanged for another of a different
        size. "" when the source does not say: then a key that was given to another message is overlooked, where nothing is deleted."""
        return ""

    def message_sizes(self, ctx: RunContext[MailboxState]) -> Mapping[Any, int]:  # noqa: ARG002
        """Place -> size of each message, as the source tells it. Asked only when `mailbox_totals` changed."""
        return {}

    @abstractmethod
    def retrieve_messages(self, ctx: RunContext[MailboxState], wanted: Sequence[Listed]) -> Iterator[Fetched]:
        """Each of `wanted`, in that order, whole. A message that cannot be had is told as Fetched(error=...); an error that
        concerns the connection is raised."""

    def dispose_messages(self, ctx: RunContext[MailboxState], settled: Sequence[Listed]) -> None:
        """Remove them at the source. Called only after the commit, and only when `deletes` is set."""

    @abstractmethod
    def close_mailbox(self, ctx: RunContext[MailboxState]) -> None:
        """End in order; removals become effective."""

    @abstractmethod
    def abandon_mailbox(self) -> None:
        """Drop the connection, whatever state it is in. Never raises. Called after `close_mailbox` too."""

    # -- hooks: the message

    def parse_message(self, ctx: RunContext[MailboxState], octets: bytes) -> ParsedMessage:
        from postroom.mime.parse import parse_message

        return parse_message(octets, monotonic=ctx.clock.monotonic)

    def received_on(self, ctx: RunContext[MailboxState], message: ParsedMessage) -> datetime:
        """POP3 has no received time: topmost Received, else Date, else now (server-side-sync reference 4.2)."""
        return message.received[0] if message.received else message.date or ctx.clock.now()

    def validate_message(self, ctx: RunContext[MailboxState], offer: IncomingOffer) -> None:
        """Raises MessageError for a message that must not be offered."""

    def unwrap_message(self, ctx: RunContext[MailboxState], offer: IncomingOffer) -> IncomingOffer:  # noqa: ARG002
        """The place for forward mailboxes, where the message of interest is inside."""
        return offer

    def accept_message(self, ctx: RunContext[MailboxState], offer: IncomingOffer) -> Verdict:
        return ctx.gateway.check_incoming(offer)

    def deliver_message(self, ctx: RunContext[MailboxState], offer: IncomingOffer, verdict: Verdict) -> Delivered:
        return ctx.gateway.deliver_incoming(offer, verdict)

    # -- hooks: errors. Each gets the error and returns the one to go on with: the place to translate a library's errors.

    def handle_open_error(self, ctx: RunContext[MailboxState], error: Exception) -> Exception:  # noqa: ARG002
        return error

    def handle_retrieve_error(self, ctx: RunContext[MailboxState], error: Exception) -> Exception:  # noqa: ARG002
        return error

    def handle_validate_error(self, ctx: RunContext[MailboxState], offer: IncomingOffer, error: Exception) -> Exception:  # noqa: ARG002
        return error

    def handle_accept_error(self, ctx: RunContext[MailboxState], offer: IncomingOffer, error: Exception) -> Exception:  # noqa: ARG002
        return error

    def handle_deliver_error(self, ctx: RunContext[MailboxState], offer: IncomingOffer, error: Exception) -> Exception:  # noqa: ARG002
        return error

    # -- the run

    @final
    def on_run(self, ctx: RunContext[MailboxState]) -> RunOutcome:
        ctx.raise_if_cancelled()
        try:
            try:
                self.open_mailbox(ctx)
            except Exception as error:
                reraise(self.handle_open_error(ctx, error), error)
            run = MailboxRun(self, ctx, self.tally)
            try:
                run.work()
            except ProviderError as error:
                run.interrupted()
                if isinstance(error, Cancelled):
                    with suppress(ProviderError):
                        self.close_mailbox(ctx)
                raise
            self._close(ctx, run)
            return self.tally.outcome()
        finally:
            self.abandon_mailbox()

    def _close(self, ctx: RunContext[MailboxState], run: MailboxRun) -> None:
        try:
            self.close_mailbox(ctx)
        except ProviderError as error:
            # Everything is committed; which removals took place is unknown, and the next run looks again (pitfalls 2.3).
            ctx.log("mailbox.close_failed", str(error))
            run.remember(left=None)
        else:
            run.remember(left=run.total - run.disposed)
