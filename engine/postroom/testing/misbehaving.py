"""Providers that no one should let into a process: importable by name, so that they can have one of their own."""

# ruff: noqa: ARG002 - the contract's shape

from __future__ import annotations

import os
import sys
import threading
from typing import Any, ClassVar

from postroom.providers.contract import CheckReport, Direction, ProviderEnv, ProviderSpec, RunContext, RunOutcome
from postroom.testing.router_stage import FeedConfig, FeedState


class Misbehaving:
    """Does what its `Flavour` says."""

    spec: ClassVar[ProviderSpec[FeedConfig, FeedState]] = ProviderSpec("misbehaving", Direction.INBOUND, FeedConfig, FeedState)

    def __init__(self, config: FeedConfig, env: ProviderEnv) -> None:
        self.config, self.env = config, env

    def check(self, ctx: RunContext[FeedState]) -> CheckReport:
        return CheckReport()

    def run(self, ctx: RunContext[FeedState]) -> RunOutcome:
        getattr(self, self.config.flavour)(ctx)
        return RunOutcome()

    def well(self, ctx: RunContext[Any]) -> None:
        ctx.state.commit(FeedState(ctx.state.value.done + 1))

    def block(self, ctx: RunContext[Any]) -> None:
        threading.Event().wait()

    def spin(self, ctx: RunContext[Any]) -> None:
        while True:
            pass

    def exit(self, ctx: RunContext[Any]) -> None:
        os._exit(3)

    def exit_politely(self, ctx: RunContext[Any]) -> None:
        sys.exit(3)

    def print_secret(self, ctx: RunContext[Any]) -> None:
        print(self.config.password.reveal())
        print(self.config.password.reveal(), file=sys.stderr)
        raise ValueError(self.config.password.reveal())

    def meddle(self, ctx: RunContext[Any]) -> None:
        os.chdir("/")
        os.environ["POSTROOM_MEDDLED"] = "1"
        threading.Thread(target=threading.Event().wait, daemon=True).start()

    def close(self) -> None:
        pass
