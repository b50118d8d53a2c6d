"""How often somebody may log in, and how long mail stays (RFC 2449 §6.5, §6.7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from postroom_simulator.directory import fold
from postroom_simulator.errors import NoSuchItem
from postroom_simulator.store.interface import Role

if TYPE_CHECKING:
    from postroom_simulator.clock import Clock
    from postroom_simulator.store.interface import Item
    from postroom_simulator.world import World

__all__ = ["NEVER", "Policies", "Policy", "expired"]

NEVER = "NEVER"

Days = int | Literal["NEVER"]


@dataclass(frozen=True, slots=True)
class Policy:
    """For one account, or for all.

    login_delay  seconds that must pass between two logins, 0: none (RFC 2449 §6.5)
    expire       days that mail stays, "NEVER" (it is never removed), 0 (what was retrieved is removed at QUIT), or None: nothing is
                 said and nothing is done (RFC 2449 §6.7)
    expire_from  what the days are counted from: when the message was "received", or when it was first "retrieved" (then what nobody
                 retrieved stays). Ours: the RFC leaves it to the site
    """

    login_delay: int = 0
    expire: Days | None = None
    expire_from: Literal["received", "retrieved"] = "received"

    def __post_init__(self) -> None:
        if self.login_delay < 0:
            raise ValueError("a login delay is 0 seconds or more")
        if self.expire is not None and self.expire != NEVER and (not isinstance(self.expire, int) or self.expire < 0):
            raise ValueError('mail expires after 0 days or more, "NEVER", or None')


@dataclass(slots=True)
class Policies:
    """The policy of all accounts, and those of single ones; and what has to be remembered to keep them.

    default     for whom nothing else is set
    accounts    by address (any case); set with `policies["ann@sim.test"] = Policy(...)`
    """

    default: Policy = field(default_factory=Policy)
    _accounts: dict[str, Policy] = field(default_factory=dict)
    _logins: dict[str, float] = field(default_factory=dict)
    _retrieved: dict[int, datetime] = field(default_factory=dict)

    def __getitem__(self, address: str) -> Policy:
        return self._accounts.get(fold(address), self.default) if self._accounts else self.default

    def __setitem__(self, address: str, policy: Policy) -> None:
        self._accounts[fold(address)] = policy

    def __delitem__(self, address: str) -> None:
        """Back to the default. Idempotent."""
        self._accounts.pop(fold(address), None)

    # -- logins

    def wait(self, address: str, now: float) -> float:
        """Seconds until the account may log in; 0: now. `now` is the clock's `monotonic()`."""
        last = self._logins.get(fold(address))
        return 0.0 if last is None else max(0.0, last + self[address].login_delay - now)

    def logged_in(self, address: str, now: float) -> None:
        if self[address].login_delay:
            self._logins[fold(address)] = now

    # -- what CAPA says

    def announced(self, address: str | None) -> list[str]:
        """LOGIN-DELAY and EXPIRE. Before login the longest delay and the shortest time are told, with "USER" where somebody has another."""
        if address is not None:
            mine = self[address]
            return [*_delay(mine.login_delay, ""), *_expire(mine.expire, "")]
        everybody = [self.default, *self._accounts.values()]
        delays = {policy.login_delay for policy in everybody}
        times = {policy.expire for policy in everybody}
        named: list[Days] = [days for days in times if days is not None]
        shortest: Days | None = min(named, key=_length) if named else None
        return [*_delay(max(delays), " USER" * (len(delays) > 1)), *_expire(shortest, " USER" * (len(times) > 1))]

    # -- expiry

    def retrieved(self, address: str, item: Item, clock: Clock) -> None:
        """The message was handed out whole."""
        policy = self[address]
        if policy.expire is not None and policy.expire != NEVER:
            self._retrieved.setdefault(item.uid, clock.now())

    def due(self, address: str, item: Item, now: datetime) -> bool:
        """Whether the message's days are over."""
        policy = self[address]
        if policy.expire is None or policy.expire == NEVER or policy.expire == 0:
            return False
        since = item.received if policy.expire_from == "received" else self._retrieved.get(item.uid)
        return since is not None and now - since >= timedelta(days=int(policy.expire))

    def forget(self, uid: int) -> None:
        self._retrieved.pop(uid, None)


def _length(days: Days | None) -> float:
    return float("inf") if days is None or days == NEVER else float(days)


def _delay(seconds: int, suffix: str) -> list[str]:
    return [f"LOGIN-DELAY {seconds}{suffix}"] if seconds else []


def _expire(days: Days | None, suffix: str) -> list[str]:
    return [] if days is None else [f"EXPIRE {days}{suffix}"]


def expired(world: World, policies: Policies, address: str) -> list[int]:
    """Remove what has expired from the account's Inbox, journalled with the reason "expired". Returns the uids."""
    if policies[address].expire in (None, NEVER, 0):
        return []
    now = world.clock.now()
    gone = []
    for item in world.store.items(world.store.folder(address, Role.INBOX).uid):
        if policies.due(address, item, now):
            try:
                world.withdraw(item.uid, reason="expired")
            except NoSuchItem:
                continue  # somebody was faster
            gone.append(item.uid)
    return gone
