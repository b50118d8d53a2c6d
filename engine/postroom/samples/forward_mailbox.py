"""A POP3 provider for a forward mailbox: what a rule has sent there as an attachment is taken in, not the message around it
(email-router-providers reference 12).

Everything but `unwrap_message` is the POP3 provider's. The wrapper's key stays the source's; the octets, and with them the ledger's digest, are the
original's, so that one original that came by two mailboxes is known again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from postroom.mime.parse import parse_message
from postroom.providers.builtin.pop3 import Pop3Config, Pop3Provider
from postroom.providers.contract import Capability, IncomingOffer, ProviderSpec, RunContext
from postroom.providers.mailbox import MailboxState

__all__ = ["ForwardMailboxProvider"]


class ForwardMailboxProvider(Pop3Provider):
    """Polls one POP3 maildrop that collects forwarded mail."""

    spec: ClassVar[ProviderSpec[Pop3Config, MailboxState]] = ProviderSpec(
        "pop3-forward-mailbox",
        Pop3Provider.spec.direction,
        Pop3Config,
        MailboxState,
        capabilities=Pop3Provider.spec.capabilities | {Capability.UNWRAP_FORWARDED},
    )

    def unwrap_message(self, ctx: RunContext[MailboxState], offer: IncomingOffer) -> IncomingOffer:
        """The first message that is attached; mail that holds none is taken as it is."""
        inner = next((one for one in offer.message.attachments if one.content_type == "message/rfc822"), None)
        if inner is None:
            return offer
        message = parse_message(inner.octets, monotonic=ctx.clock.monotonic)
        return replace(offer, octets=inner.octets, message=message, received_on=self.received_on(ctx, message))
