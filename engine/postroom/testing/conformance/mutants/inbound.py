"""Providers that take mail in wrongly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from postroom.errors import MessageError, OrganizationError, TransientError
from postroom.model.verdict import ReasonCode, Verdict
from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.samples.forward_mailbox import ForwardMailboxProvider
from postroom.testing.conformance.mutants import mutant


@mutant(
    "INB-01",
    "sends each message a second time, under another key",
    says="2 times",
    also=("INB", "STA", "CON", "LIF", "ERR", "PRF", "PKG"),
)
class SendsTwice(Pop3Provider):
    def deliver_message(self, ctx: Any, offer: Any, verdict: Any) -> Any:
        delivered = super().deliver_message(ctx, offer, verdict)
        ctx.gateway.deliver_incoming(replace(offer, source_key=f"{offer.source_key}+"), verdict)
        return delivered


@mutant("INB-02", "swaps to and cc", says="to: ")
class SwapsToAndCc(Pop3Provider):
    def parse_message(self, ctx: Any, octets: bytes) -> Any:
        message = super().parse_message(ctx, octets)
        return replace(message, to=message.cc, cc=message.to)


@mutant("INB-03", "delivers whatever the organization says", says="that were not seeded", also=("INB-04", "INB-12"))
class DeliversAlways(Pop3Provider):
    def accept_message(self, ctx: Any, offer: Any) -> Verdict:
        super().accept_message(ctx, offer)
        return Verdict(deliver=True, reason=ReasonCode.ACCEPT_ALL)


@mutant("INB-04", "treats a duplicate as a failure", says="were told as failed")
class FailsDuplicates(Pop3Provider):
    def accept_message(self, ctx: Any, offer: Any) -> Verdict:
        verdict = super().accept_message(ctx, offer)
        if verdict.reason is ReasonCode.DUPLICATE:
            raise MessageError("it is there already", source_key=offer.source_key)
        return verdict


@mutant("INB-05", "takes one more than it may", says="4 messages", also=("CON-11",))
class OffByOne(Pop3Provider):
    def open_mailbox(self, ctx: Any) -> None:
        ctx.items += 1
        super().open_mailbox(ctx)


@mutant("INB-06", "re-encodes attachments that are text", says="octet for octet", also=("INB-07",))
class ReEncodesText(Pop3Provider):
    def parse_message(self, ctx: Any, octets: bytes) -> Any:
        message = super().parse_message(ctx, octets)
        changed = tuple(
            replace(one, octets=one.octets.replace(b"\r\n", b"\n")) if one.content_type.startswith("text/") else one
            for one in message.attachments
        )
        return replace(message, attachments=changed)


@mutant(
    "INB-07",
    "declares that it unwraps, and delivers the wrapper",
    says="the attached original, once",
    also=("PKG-08", "PKG-01"),
)
class DeliversWrapper(ForwardMailboxProvider):
    def unwrap_message(self, ctx: Any, offer: Any) -> Any:  # noqa: ARG002
        return offer


@mutant("INB-08", "lets the error of one message end the run", says="were not delivered", also=("INB-09", "INB-11"))
class RaisesOutOfLoop(Pop3Provider):
    def handle_deliver_error(self, ctx: Any, offer: Any, error: Exception) -> Exception:  # noqa: ARG002
        return TransientError(str(error)) if isinstance(error, MessageError | OrganizationError) else error


class _NeverEnough:
    """A gateway whose `failed` never says that it is enough."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def failed(self, source_key: str, detail: str, subject: str = "") -> bool:
        self._inner.failed(source_key, detail, subject)
        return False


@mutant("INB-09", "retries a message for ever", says="it is parked after", also=("LIF-12",))
class RetriesForEver(Pop3Provider):
    def open_mailbox(self, ctx: Any) -> None:
        ctx.gateway = _NeverEnough(ctx.gateway)
        super().open_mailbox(ctx)


@mutant(
    "INB-10",
    "deletes what it has retrieved before anything is stored",
    says="are gone",
    also=("INB", "STA", "CON", "LIF-12", "ERR", "PRF", "LIF-10"),
)
class DeletesOnRetrieve(Pop3Provider):
    def retrieve_messages(self, ctx: Any, wanted: Sequence[Any]) -> Iterator[Any]:
        found = list(super().retrieve_messages(ctx, wanted))
        if self.deletes:
            super().dispose_messages(ctx, wanted)
            self._line.quit()
            self.abandon_mailbox()
            self.open_mailbox(ctx)
        yield from found

    def dispose_messages(self, ctx: Any, settled: Sequence[Any]) -> None:
        """Done already."""


@mutant("INB-11", "deletes parked messages too", says="still at the source", also=("INB-12",))
class DeletesParked(Pop3Provider):
    def list_messages(self, ctx: Any) -> Sequence[Any]:
        self._listed = super().list_messages(ctx)
        return self._listed

    def close_mailbox(self, ctx: Any) -> None:
        if self.deletes and self.tally.failed:
            self._line.commands([f"DELE {one.place}" for one in self._listed])
        super().close_mailbox(ctx)


@mutant("INB-12", "deletes expired mail", says="it is gone", also=("INB-11",))
class DeletesExpired(Pop3Provider):
    def list_messages(self, ctx: Any) -> Sequence[Any]:
        self._listed = super().list_messages(ctx)
        return self._listed

    def close_mailbox(self, ctx: Any) -> None:
        if self.deletes and self.tally.rejected:
            self._line.commands([f"DELE {one.place}" for one in self._listed])
        super().close_mailbox(ctx)


@mutant("INB-13", "cannot do without a message id", says="no message id")
class NeedsMessageId(Pop3Provider):
    def validate_message(self, ctx: Any, offer: Any) -> None:  # noqa: ARG002
        if offer.message.message_id_synthetic:
            raise MessageError("no message id", source_key=offer.source_key)


@mutant("INB-14", "reads a message many times", says="copies")
class ReadsManyCopies(Pop3Provider):
    def parse_message(self, ctx: Any, octets: bytes) -> Any:
        copies = [octets + bytes([number]) for number in range(8)]
        message = super().parse_message(ctx, octets)
        return message if copies else None


@mutant("INB-15", "never says that there is more", says="does not say so", also=("INB-05", "STA", "CON-11", "PRF-01"))
class NeverSaysMore(Pop3Provider):
    def close_mailbox(self, ctx: Any) -> None:
        self.tally.more = False
        super().close_mailbox(ctx)


@mutant("INB-16", "deletes what is stored without being asked", says="nobody asked for it")
class DeletesUnasked(Pop3Provider):
    def __init__(self, config: Any, env: Any) -> None:
        super().__init__(config, env)
        self.deletes = True
