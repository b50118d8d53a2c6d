"""A provider that inherits nothing: what mutants that have to break the final wrappers start from."""

from __future__ import annotations

from typing import Any

from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.providers.builtin.smtp import SmtpProvider
from postroom.providers.contract import CheckReport, ProviderEnv, ProviderSpec, RunContext, RunOutcome

__all__ = ["PlainPop3", "PlainSmtp"]


class PlainPop3:
    """The built-in POP3 provider, held instead of inherited."""

    spec: ProviderSpec[Any, Any] = Pop3Provider.spec
    kind: Any = Pop3Provider

    def __init__(self, config: Any, env: ProviderEnv) -> None:
        self.config = config
        self.env = env
        self.inner = self.kind(config, env)

    @property
    def last_error(self) -> str:
        return str(self.inner.last_error)

    def check(self, ctx: RunContext[Any]) -> CheckReport:
        report: CheckReport = self.inner.check(ctx)
        return report

    def run(self, ctx: RunContext[Any]) -> RunOutcome:
        outcome: RunOutcome = self.inner.run(ctx)
        return outcome

    def close(self) -> None:
        self.inner.close()


class PlainSmtp(PlainPop3):
    """The built-in SMTP provider, likewise."""

    spec = SmtpProvider.spec
    kind = SmtpProvider
