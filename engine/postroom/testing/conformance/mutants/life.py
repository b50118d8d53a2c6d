"""Providers whose life cycle is wrong."""

from __future__ import annotations

from typing import Any

from postroom.errors import TransientError
from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.testing.conformance.mutants import mutant


@mutant("LIF-01", "cannot run once it was checked", says="the line is used up")
class UsedUp(Pop3Provider):
    def on_check(self, ctx: Any) -> Any:
        report = super().on_check(ctx)
        self.used = True
        return report

    def open_mailbox(self, ctx: Any) -> None:
        if getattr(self, "used", False):
            raise TransientError("the line is used up")
        super().open_mailbox(ctx)


@mutant("LIF-06", "commits each time", says="state.commit", also=("LIF-12", "STA-07"))
class CommitsEachTime(Pop3Provider):
    def close_mailbox(self, ctx: Any) -> None:
        ctx.state.commit(ctx.state.value)
        super().close_mailbox(ctx)
