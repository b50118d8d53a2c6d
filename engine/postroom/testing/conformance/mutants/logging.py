"""Providers that say too much, or in the wrong place."""

from __future__ import annotations

from typing import Any

from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.testing.conformance.mutants import mutant


@mutant("LOG-01", "logs free text", says="fetching for kit0")
class FreeText(Pop3Provider):
    def open_mailbox(self, ctx: Any) -> None:
        ctx.log(f"fetching for {self.env.mailbox}")
        super().open_mailbox(ctx)


@mutant("LOG-02", "prints", says="printed")
class Prints(Pop3Provider):
    def open_mailbox(self, ctx: Any) -> None:
        print("polling", self.config.host)
        super().open_mailbox(ctx)


@mutant("LOG-03", "dumps the message", says="no text of a message")
class Dumps(Pop3Provider):
    def validate_message(self, ctx: Any, offer: Any) -> None:
        ctx.log("pop3.message", offer.octets.decode("utf-8", "replace"))
        super().validate_message(ctx, offer)
