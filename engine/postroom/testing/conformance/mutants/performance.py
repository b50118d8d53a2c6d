"""Providers that cost too much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from postroom.errors import ProviderError
from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.testing.conformance.mutants import mutant


@mutant("PRF-01", "connects anew for each message", says="connections", also=("PRF-03", "ERR", "LIF", "CON", "INB", "STA"))
class ConnectsAnew(Pop3Provider):
    def retrieve_messages(self, ctx: Any, wanted: Sequence[Any]) -> Iterator[Any]:
        for one in wanted:
            self.close_mailbox(ctx)
            self.abandon_mailbox()
            self.open_mailbox(ctx)
            yield from super().retrieve_messages(ctx, [one])


@mutant("PRF-02", "reconnects again and again", says="at most 20 connections", also=("PRF-01", "ERR", "CON", "SEC-03"))
class Reconnects(Pop3Provider):
    def open_mailbox(self, ctx: Any) -> None:
        for _ in range(2):
            super().open_mailbox(ctx)
            with suppress(ProviderError):
                self.close_mailbox(ctx)
            self.abandon_mailbox()
        super().open_mailbox(ctx)


@mutant("PRF-03", "keeps everything that it saw", says="KiB more")
class KeepsEverything(Pop3Provider):
    def validate_message(self, ctx: Any, offer: Any) -> None:
        self.kept = [*getattr(self, "kept", []), bytearray(offer.octets[:300] * 400)]
        super().validate_message(ctx, offer)
