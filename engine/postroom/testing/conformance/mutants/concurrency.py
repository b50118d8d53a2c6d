"""Providers that get in each other's way, and that do not know when to end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from postroom.errors import ProviderError, StaleRun
from postroom.model.verdict import ReasonCode, Verdict
from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.providers.contract import Delivered, ProviderEnv
from postroom.testing.conformance.mutants import mutant


@mutant("CON-01", "keeps messages on the class", says="messages of others", also=("CON", "ERR-05"))
class ClassLevelCache(Pop3Provider):
    cache: ClassVar[WeakKeyDictionary[Any, dict[int, Any]]] = WeakKeyDictionary()
    """By clock, so that one bench does not spoil the next."""

    def retrieve_messages(self, ctx: Any, wanted: Sequence[Any]) -> Iterator[Any]:
        known = self.cache.setdefault(ctx.clock, {})
        for fetched in super().retrieve_messages(ctx, wanted):
            first = known.setdefault(fetched.listed.place, fetched)
            yield replace(fetched, octets=first.octets)


@mutant("CON-02", "has one connection for all", says="of 32 failed", also=("CON-09", "CON-11"))
class GlobalConnection(Pop3Provider):
    shared: ClassVar[list[Any]] = [None]

    @property
    def _dialogue(self) -> Any:
        return self.shared[0]

    @_dialogue.setter
    def _dialogue(self, dialogue: Any) -> None:
        self.shared[0] = dialogue


@mutant(
    "CON-03", "ignores that it was asked to end", says="were begun after it was asked to end", also=("CON-04", "CON-09", "OUT")
)
class IgnoresFlag(Pop3Provider):
    def open_mailbox(self, ctx: Any) -> None:
        ctx.cancelled = lambda: False
        super().open_mailbox(ctx)


@mutant(
    "CON-04",
    "connects again and again until somebody answers",
    says="an end within",
    also=("CON-05", "CON-09", "ERR", "LIF", "CFG", "PRF"),
)
class TriesForEver(Pop3Provider):
    def open_mailbox(self, ctx: Any) -> None:
        for _ in range(20):
            try:
                return super().open_mailbox(ctx)
            except ProviderError:
                ctx.clock.sleep(min(20.0, ctx.remaining()))
        return super().open_mailbox(ctx)


@mutant("CON-05", "waits for better times", says="an end at the deadline", also=("CON-04", "ERR", "LIF"))
class WaitsForBetterTimes(Pop3Provider):
    def handle_open_error(self, ctx: Any, error: Exception) -> Exception:
        ctx.clock.sleep(1800.0)
        return error


@mutant("CON-06", "goes on when another run has its instance", says="calls", also=("STA-16",))
class GoesOn(Pop3Provider):
    def accept_message(self, ctx: Any, offer: Any) -> Verdict:
        try:
            return super().accept_message(ctx, offer)
        except StaleRun:
            return Verdict(deliver=True, reason=ReasonCode.ACCEPT_ALL)

    def deliver_message(self, ctx: Any, offer: Any, verdict: Any) -> Delivered:
        try:
            return super().deliver_message(ctx, offer, verdict)
        except StaleRun:
            return Delivered("", created=False)


@mutant("CON-07", "leaves a thread behind", says="thread", also=("LIF-09", "LIF-07", "PRF-03"))
class LeavesThread(Pop3Provider):
    def close_mailbox(self, ctx: Any) -> None:
        super().close_mailbox(ctx)
        threading.Thread(target=threading.Event().wait, args=(2.0,), daemon=True, name="kit-mutant").start()


@mutant("CON-08", "sets the default time-out of all sockets", says="the default time-out of sockets")
class SetsDefault(Pop3Provider):
    def open_mailbox(self, ctx: Any) -> None:
        socket.setdefaulttimeout(77.0)
        super().open_mailbox(ctx)


@mutant("CON-09", "goes by the newest configuration", says="messages of others", also=("CON", "CFG", "LIF", "ERR"))
class NewestConfiguration(Pop3Provider):
    newest: ClassVar[dict[str, Any]] = {}

    def __init__(self, config: Any, env: ProviderEnv) -> None:
        super().__init__(config, env)
        self.newest["config"] = config

    def open_mailbox(self, ctx: Any) -> None:
        self.config = self.newest["config"]
        super().open_mailbox(ctx)


@mutant("CON-10", "waits until the wall clock has come as far as it was", says="a run as ever after a jump", also=("PRF-03",))
class WaitsOnWall(Pop3Provider):
    last = datetime.min.replace(tzinfo=UTC)

    def open_mailbox(self, ctx: Any) -> None:
        while ctx.clock.now() < self.last:
            ctx.clock.sleep(60.0)
        self.last = ctx.clock.now()
        super().open_mailbox(ctx)


@mutant("CON-11", "has one current message for all", says="messages", also=("CON-02",))
class OneCurrentMessage(Pop3Provider):
    current: ClassVar[list[Any]] = [None]

    def accept_message(self, ctx: Any, offer: Any) -> Verdict:
        self.current[0] = offer
        return super().accept_message(ctx, offer)

    def deliver_message(self, ctx: Any, offer: Any, verdict: Any) -> Delivered:
        current = self.current[0]
        return super().deliver_message(ctx, replace(offer, octets=current.octets, message=current.message), verdict)
