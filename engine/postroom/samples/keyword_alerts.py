"""A POP3 provider that raises an alert when the subject of a stored message holds a keyword: the original SDK's example of changing one step of a
finished provider (email-router-providers reference 3.1).

Everything but `deliver_message` is the POP3 provider's: its configuration with one element more, its state, its order of steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from postroom.model.verdict import Verdict
from postroom.providers.builtin.pop3 import Pop3Config, Pop3Provider
from postroom.providers.configuration import element
from postroom.providers.contract import Delivered, IncomingOffer, ProviderSpec, RunContext
from postroom.providers.mailbox import MailboxState

__all__ = ["KeywordAlertsConfig", "KeywordAlertsProvider"]


@dataclass(frozen=True, slots=True)
class KeywordAlertsConfig(Pop3Config):
    """A POP3 mailbox, and what is looked for in subjects."""

    keywords: tuple[str, ...] = element(
        "AlertKeyword", many=True, length=200, help="raises an alert when a subject holds it, in any case", source="ours"
    )


class KeywordAlertsProvider(Pop3Provider):
    """Polls one POP3 maildrop and says when something urgent came."""

    config: KeywordAlertsConfig
    spec: ClassVar[ProviderSpec[KeywordAlertsConfig, MailboxState]] = ProviderSpec(  # type: ignore[assignment]
        "pop3-keyword-alerts",
        Pop3Provider.spec.direction,
        KeywordAlertsConfig,
        MailboxState,
        capabilities=Pop3Provider.spec.capabilities,
    )

    def deliver_message(self, ctx: RunContext[MailboxState], offer: IncomingOffer, verdict: Verdict) -> Delivered:
        """As ever, and then the alert. A run that is cut off before its commit delivers again; the alert has the message's key, so it stays
        one. The text names the keyword, not the subject: alerts are read by more people than mail is."""
        delivered = super().deliver_message(ctx, offer, verdict)
        subject = offer.message.subject.casefold()
        for keyword in self.config.keywords:
            if keyword.casefold() in subject:
                ctx.alert(f"{offer.source_key} {keyword}"[:320], f"a message with {keyword!r} in its subject was stored")
        return delivered
