"""Providers whose life cycle is wrong."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import replace
from typing import Any

from postroom.errors import ProviderError, TransientError
from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.providers.contract import CheckReport, RunContext, RunOutcome
from postroom.providers.mailbox_run import MailboxState
from postroom.testing.conformance.mutants import mutant
from postroom.testing.conformance.mutants.plain import PlainPop3


@mutant("LIF-01", "cannot run once it was checked", says="the line is used up", also=("LIF-02", "LIF-05", "LIF-12"))
class UsedUp(Pop3Provider):
    def on_check(self, ctx: Any) -> Any:
        report = super().on_check(ctx)
        self.used = True
        return report

    def open_mailbox(self, ctx: Any) -> None:
        if getattr(self, "used", False):
            raise TransientError("the line is used up")
        super().open_mailbox(ctx)


@mutant("LIF-02", "always fails", says="not today", also=("LIF-01", "LIF-05"))
class AlwaysFails(Pop3Provider):
    def on_check(self, ctx: Any) -> Any:
        super().on_check(ctx)
        raise TransientError("not today: mail.sim.test")


@mutant("LIF-03", "says that all is well", says="no error")
class AlwaysGood(Pop3Provider):
    def on_check(self, ctx: Any) -> CheckReport:
        try:
            return super().on_check(ctx)
        except TransientError:
            raise
        except ProviderError:
            return CheckReport("all is well")


@mutant("LIF-04", "tries again for ever", says="hour past its deadline", also=("LIF-03", "CFG-09"))
class TriesForEver(Pop3Provider):
    def on_check(self, ctx: Any) -> CheckReport:
        while True:
            with suppress(TransientError):
                return super().on_check(ctx)
            ctx.clock.sleep(30.0)


@mutant("LIF-04", "takes it for permanent", says="TransientError when the server is")
class GivesUp(Pop3Provider):
    def on_check(self, ctx: Any) -> CheckReport:
        try:
            return super().on_check(ctx)
        except TransientError as error:
            raise ProviderError(str(error)) from error


@mutant("LIF-05", "marks mail as seen", says="seen.add", also=("LIF-01", "SEC-01"))
class ChecksBySeeing(Pop3Provider):
    def on_check(self, ctx: Any) -> CheckReport:
        self.open_mailbox(ctx)
        listed = self.list_messages(ctx)
        ctx.seen.add({one.key: "checked" for one in listed})
        self.close_mailbox(ctx)
        self.abandon_mailbox()
        return CheckReport(f"{len(listed)} messages")


@mutant("LIF-06", "commits each time", says="state.commit", also=("LIF-05", "LIF-12", "STA-07"))
class CommitsEachTime(Pop3Provider):
    def close_mailbox(self, ctx: Any) -> None:
        ctx.state.commit(ctx.state.value)
        super().close_mailbox(ctx)


@mutant("LIF-07", "leaks a descriptor each run", says="more after 100 runs", also=("LIF-09",))
class LeaksDescriptors(Pop3Provider):
    def open_mailbox(self, ctx: Any) -> None:
        self.held = [*getattr(self, "held", []), os.dup(0)]
        super().open_mailbox(ctx)

    def on_close(self) -> None:
        for number in getattr(self, "held", []):
            os.close(number)
        super().on_close()


@mutant("LIF-08", "raises at the second close", says="close to succeed")
class ClosesOnce(PlainPop3):
    closed = False

    def close(self) -> None:
        if self.closed:
            raise ValueError("closed before")
        self.closed = True
        super().close()


@mutant("LIF-09", "keeps a connection", says="connections, left to the runtime", also=("PRF", "CON", "LIF-12"))
class KeepsConnection(Pop3Provider):
    def abandon_mailbox(self) -> None:
        self._dialogue = None

    def close_mailbox(self, ctx: Any) -> None:
        if getattr(self, "spare", None) is None:
            self.spare = ctx.net.connect(self.config.host, self.config.port, timeout=5.0)
        super().close_mailbox(ctx)


LEAVE = threading.Event()
"""Set when a thread of a mutant may end."""


@mutant("LIF-09", "keeps a thread", says="thread postroom-mutant", also=("CON-07", "LIF-07"))
class KeepsThread(Pop3Provider):
    def open_mailbox(self, ctx: Any) -> None:
        if getattr(self, "poller", None) is None:
            LEAVE.clear()
            self.poller = threading.Thread(target=LEAVE.wait, args=(1.0,), name="postroom-mutant", daemon=True)
            self.poller.start()
        super().open_mailbox(ctx)


@mutant("LIF-10", "counts what was refused as delivered", says="what the outcomes count", also=("INB-04",))
class CountsTooMuch(PlainPop3):
    def run(self, ctx: RunContext[Any]) -> RunOutcome:
        outcome = super().run(ctx)
        return replace(outcome, delivered=outcome.delivered + outcome.rejected, rejected=0)


@mutant("LIF-11", "silently connects again", says="no error")
class ComesBack(PlainPop3):
    def run(self, ctx: RunContext[Any]) -> RunOutcome:
        if self.inner._closed:  # noqa: SLF001 - the mistake
            self.inner = self.kind(self.config, self.env)
        return super().run(ctx)


@mutant("LIF-12", "forgets what it delivered", says="one more run", also=("LIF", "STA", "INB", "CON", "ERR", "PRF-01"))
class Forgets(PlainPop3):
    def run(self, ctx: RunContext[Any]) -> RunOutcome:
        outcome = super().run(ctx)
        entries = ctx.seen.entries  # type: ignore[attr-defined] # the kit's own memory
        if outcome.processed:
            entries.clear()
            ctx.gateway.ledger.clear()  # type: ignore[attr-defined]
            if ctx.state.value != MailboxState():
                ctx.state.commit(MailboxState())
        return outcome
