"""Providers that judge errors wrongly."""

# ruff: noqa: ARG002 - hooks have the contract's arguments

from __future__ import annotations

from contextlib import suppress
from typing import Any

from postroom.errors import AuthError, ConfigError, ProtocolError, ProviderError, StoreError, TlsError, TransientError
from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.providers.builtin.pop3_dialogue import Pop3Dialogue
from postroom.providers.contract import RunContext, RunOutcome
from postroom.testing.conformance.mutants import mutant
from postroom.testing.conformance.mutants.plain import PlainPop3


@mutant("ERR-01", "takes it for transient", says="AuthError", also=("LIF-03",))
class PasswordMayHeal(Pop3Provider):
    def handle_open_error(self, ctx: Any, error: Exception) -> Exception:
        return TransientError(str(error)) if isinstance(error, AuthError) else error


@mutant("ERR-01", "hammers", says="one attempt")
class Hammers(Pop3Provider):
    def open_mailbox(self, ctx: Any) -> None:
        for _ in range(3):
            with suppress(AuthError):
                return super().open_mailbox(ctx)
            self.abandon_mailbox()
        return super().open_mailbox(ctx)


@mutant("ERR-02", "takes it for permanent", says="TransientError: the server is", also=("ERR-04", "ERR-06", "CON", "ERR-07"))
class NetworkIsConfig(Pop3Provider):
    def handle_open_error(self, ctx: Any, error: Exception) -> Exception:
        return ConfigError(str(error)) if isinstance(error, TransientError) else error


@mutant("ERR-03", "goes on in the clear", says="TlsError", also=("SEC-03",))
class GoesOnInTheClear(Pop3Provider):
    def open_mailbox(self, ctx: Any) -> None:
        try:
            super().open_mailbox(ctx)
        except TlsError:
            self.abandon_mailbox()
            self._dialogue = Pop3Dialogue(ctx.net, self.config.host, 110, ctx.timeout, implicit=False)
            self._dialogue.login(self.config.user, self.config.password)


@mutant("ERR-04", "asks again at once", says="retry_after is None")
class AsksAgain(PlainPop3):
    def run(self, ctx: RunContext[Any]) -> RunOutcome:
        for _ in range(3):
            with suppress(TransientError):
                return super().run(ctx)
        try:
            return super().run(ctx)
        except TransientError as error:
            error.retry_after = None
            raise


@mutant("ERR-05", "drops the message", says="after", also=("INB", "STA"))
class DropsIt(Pop3Provider):
    def deliver_message(self, ctx: Any, offer: Any, verdict: Any) -> Any:
        from postroom.providers.contract import Delivered

        try:
            return super().deliver_message(ctx, offer, verdict)
        except StoreError:
            return Delivered("lost", created=False)


@mutant("ERR-06", "lets a ValueError out", says="ValueError", also=("LOG-02", "LOG-03"))
class RawParserError(Pop3Provider):
    def handle_open_error(self, ctx: Any, error: Exception) -> Exception:
        return ValueError("bad line") if isinstance(error, ProtocolError) else error


@mutant("ERR-07", "gives a bare text", says="names the server", also=("LIF-03",))
class BareText(Pop3Provider):
    def handle_open_error(self, ctx: Any, error: Exception) -> Exception:
        if isinstance(error, ProviderError):
            error.args = ("operation failed",)
        return error


@mutant("ERR-08", "keeps the old error", says="last_error after a success")
class KeepsOldError(PlainPop3):
    kept = ""

    @property
    def last_error(self) -> str:
        self.kept = self.inner.last_error or self.kept
        return self.kept


@mutant("ERR-09", "catches BaseException", says="it was swallowed")
class SwallowsExit(PlainPop3):
    def run(self, ctx: RunContext[Any]) -> RunOutcome:
        try:
            return super().run(ctx)
        except (KeyboardInterrupt, SystemExit):
            return RunOutcome()
