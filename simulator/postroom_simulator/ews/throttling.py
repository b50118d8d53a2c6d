"""How much a client may ask: budgets on the world's clock, and caps (ews reference 16).

Nothing is limited unless somebody says so: a test says what it wants to see.

    world.ews.throttling.add(Budget(calls=10, seconds=60))                  # each account, all operations together
    world.ews.throttling.add(Budget(calls=1, seconds=30, operation="FindItem", by="http"))
    world.ews.throttling.streams = 3
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from postroom_simulator.directory import canonical
from postroom_simulator.errors import WorldError
from postroom_simulator.ews.errors import EwsError, Fault
from postroom_simulator.ews.http import HTML, REASONS, Response
from postroom_simulator.ews.operations import OPERATIONS
from postroom_simulator.fault_rules import nearest

if TYPE_CHECKING:
    from postroom_simulator.directory import Account
    from postroom_simulator.ews.link import Link
    from postroom_simulator.world import World

__all__ = ["FOUND_TEXT", "Budget", "Refused", "Throttling"]

FOUND_TEXT = (
    "You have exceeded the maximum number of objects that can be returned for the find operation. Use paging to reduce the result size and"
    " try your request again."
)


class Refused(Exception):
    """The answer is an HTTP status."""

    def __init__(self, response: Response) -> None:
        super().__init__(str(response.status))
        self.response = response


@dataclass(frozen=True, slots=True)
class Budget:
    """So many calls within so many seconds, refilled evenly (a token bucket).

    account    of whom; None: each account has one of its own
    operation  of what; None: of all together
    by         "fault": ErrorServerBusy with BackOffMilliseconds; "http": 503 with Retry-After
    """

    calls: int
    seconds: float
    account: str | None = None
    operation: str | None = None
    by: Literal["fault", "http"] = "fault"

    def concerns(self, address: str, operation: str) -> bool:
        return (self.account is None or canonical(self.account) == address) and self.operation in (None, operation)


@dataclass(slots=True)
class Throttling:
    """Limits of a world's Exchange; None: none.

    connections    open at once with the same account behind them: ErrorExceededConnectionCount
    streams        of these, with GetStreamingEvents going on: ErrorExceededConnectionCount in its message
    found          items or folders in one message of FindItem, FindFolder, ...: ErrorExceededFindCountLimit
    subscriptions  of an account at once: ErrorExceededSubscriptionCount
    """

    world: World
    connections: int | None = None
    streams: int | None = None
    found: int | None = None
    subscriptions: int | None = None
    budgets: list[Budget] = field(default_factory=list)
    _filled: dict[tuple[Budget, str], tuple[float, float]] = field(default_factory=dict, repr=False)
    _links: dict[str, dict[int, Link]] = field(default_factory=dict, repr=False)
    _streams: dict[str, int] = field(default_factory=dict, repr=False)

    def add(self, budget: Budget) -> Budget:
        """Raises WorldError for one that cannot be."""
        if budget.calls < 1 or not (math.isfinite(budget.seconds) and budget.seconds > 0):
            raise WorldError("a budget is at least one call in more than no time")
        if budget.operation is not None and budget.operation not in OPERATIONS:
            raise WorldError(f"there is no operation {budget.operation!r}.{nearest(budget.operation, OPERATIONS)}")
        if budget.by not in ("fault", "http"):
            raise WorldError(f'a budget is told by "fault" or "http", not by {budget.by!r}')
        self.budgets.append(budget)
        return budget

    def clear(self) -> None:
        """No limits any more."""
        self.budgets.clear()
        self._filled.clear()
        self.connections = self.streams = self.found = self.subscriptions = None

    # -- what the service asks

    def spend(self, account: Account, operation: str) -> None:
        """One call. Raises Fault or Refused where a budget is used up; a call that is refused costs nothing."""
        address = canonical(account.address)
        concerned = [one for one in self.budgets if one.concerns(address, operation)]
        left = {one: self._left(one, address) for one in concerned}
        for budget, calls in left.items():
            if calls < 1 - 1e-9:
                raise _told(budget, (1 - calls) * budget.seconds / budget.calls)
        now = self.world.clock.monotonic()
        for budget, calls in left.items():
            self._filled[budget, address] = (calls - 1, now)

    def _left(self, budget: Budget, address: str) -> float:
        calls, at = self._filled.get((budget, address), (float(budget.calls), 0.0))
        return min(budget.calls, calls + (self.world.clock.monotonic() - at) * budget.calls / budget.seconds)

    def enter(self, account: Account, link: Link) -> None:
        """The connection has a request of this account. Raises Fault ErrorExceededConnectionCount."""
        held = self._links.setdefault(canonical(account.address), {})
        if id(link) in held:
            return
        if self.connections is not None and len(held) >= self.connections:
            raise Fault(
                "ErrorExceededConnectionCount", "You have exceeded the available concurrent connections for your account."
            )
        held[id(link)] = link

    def leave(self, link: Link) -> None:
        """The connection has ended."""
        for address in [one for one, held in self._links.items() if held.pop(id(link), None) is not None and not held]:
            del self._links[address]

    # -- what operations ask

    def check_subscriptions(self, held: int) -> None:
        """Whether one more fits to so many. Raises EwsError."""
        if self.subscriptions is not None and held >= self.subscriptions:
            raise EwsError("ErrorExceededSubscriptionCount", "You have exceeded the available subscriptions for your account.")

    def begin_stream(self, account: Account) -> None:
        """One more stream of this account goes on. Raises EwsError."""
        address = canonical(account.address)
        if self.streams is not None and self._streams.get(address, 0) >= self.streams:
            raise EwsError(
                "ErrorExceededConnectionCount", "You have exceeded the available concurrent connections for your account."
            )
        self._streams[address] = self._streams.get(address, 0) + 1

    def end_stream(self, account: Account) -> None:
        address = canonical(account.address)
        self._streams[address] = max(0, self._streams.get(address, 0) - 1)

    def cap_found(self, value: Mapping[str, Any]) -> None:
        """Make errors of messages that found too much: a find changes nothing, so the answer may be looked at afterwards."""
        if self.found is None:
            return
        messages = value.get("ResponseMessages") or []
        for _, message in messages:
            root = message.get("RootFolder") or {}
            count = max((len(root.get(name) or ()) for name in ("Items", "Folders")), default=0)
            if count > self.found:
                message.clear()
                message.update(
                    {
                        "@ResponseClass": "Error",
                        "MessageText": FOUND_TEXT,
                        "ResponseCode": "ErrorExceededFindCountLimit",
                        "DescriptiveLinkKey": 0,
                        "MessageXml": [("Value", {"@Name": "PolicyLimit", "": str(self.found)})],
                    }
                )


def _told(budget: Budget, seconds: float) -> Exception:
    """seconds: until one call is there again."""
    if budget.by == "fault":
        return Fault("ErrorServerBusy", values={"BackOffMilliseconds": str(math.ceil(seconds * 1000 - 1e-6))})
    text = f"<html><body>{REASONS[503]}</body></html>".encode()
    return Refused(Response(503, [("Retry-After", str(max(1, math.ceil(seconds - 1e-6)))), ("Content-Type", HTML)], text))
