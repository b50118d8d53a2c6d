"""What can be found out about a provider by looking at it: what checks need, and whether its capabilities are what it declares."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from postroom.errors import ProviderError
from postroom.providers.contract import Capability
from postroom.testing.conformance.bench import Bench
from postroom.testing.conformance.failures import CheckFailed, FixtureError, Hang, NotApplicable
from postroom.testing.conformance.network import Trouble
from postroom.testing.conformance.table import Need

__all__ = ["PROBES", "Facts"]

MakeBench = Callable[[], AbstractContextManager[Bench]]
Probe = Callable[[MakeBench], bool | None]


def _checks(make: MakeBench) -> bool | None:
    """A self-test that looks at anything notices a network that is gone, or opens a connection. Of a provider that needs no network only
    its author can say what is not there (`missing`); else nothing is known: None."""
    with make() as bench:
        instance = bench.instance()
        bench.world.network.fail(Trouble.REFUSED)
        ran = instance.try_check()
        if isinstance(ran.error, ProviderError) or bench.world.network.dials:
            return True
    with make() as bench:
        elements = bench.subject.missing(bench.world)
        if elements is not None:
            return isinstance(bench.instance(elements).try_check().error, ProviderError)
        bench.seed(1)
        bench.instance().try_run()
        return False if bench.world.network.dials else None


def _stateful(make: MakeBench) -> bool:
    """Something is remembered between runs."""
    with make() as bench:
        bench.seed(2)
        instance = bench.instance()
        instance.try_run()
        return bool(instance.store.cell.commits or instance.store.seen.entries)


def _deletes(make: MakeBench) -> bool:
    """What was stored is gone at the source."""
    with make() as bench:
        if not bench.inbound:
            return False
        elements = bench.subject.deleting(bench.world) or {}
        bench.seed(2)
        instance = bench.instance(elements)
        instance.try_run()
        left = bench.subject.remaining(bench.world)
        return left is not None and len(left) < 2 and len(bench.done()) > 0


def _unwraps(make: MakeBench) -> bool:
    """A message that holds another one as an attachment arrives as that other one."""
    with make() as bench:
        if not bench.inbound:
            return False
        inner, outer = bench.messages(2)
        wrapped = outer.with_values(attachments=(_as_attachment(inner.octets),))
        bench.seeded[-1] = wrapped
        bench.seed([wrapped])
        instance = bench.instance(bench.subject.unwrapping(bench.world) or {})
        instance.try_run()
        return any(offer.message.message_id == inner.message_id for offer in bench.gateway.offers)


def _own_transport(make: MakeBench) -> bool:
    """Sockets that did not come from `ctx.net`."""
    with make() as bench:
        bench.seed(1)
        bench.instance().try_run()
        return bench.guard is not None and bench.guard.own_transport


def _as_attachment(octets: bytes) -> Any:
    from postroom.mime.values import Attachment

    return Attachment("forwarded.eml", "message/rfc822", octets)


PROBES: dict[Capability, Probe] = {
    Capability.CHECK: _checks,
    Capability.STATEFUL: _stateful,
    Capability.DELETE: _deletes,
    Capability.UNWRAP_FORWARDED: _unwraps,
    Capability.OWN_TRANSPORT: _own_transport,
}
"""Whether the provider does what the capability says, declared or not. Each uses a bench of its own."""


@dataclass(slots=True)
class Facts:
    """Found at first use, for one provider and seed. `make` gives fresh benches."""

    make: MakeBench
    _found: dict[Need | Capability, bool | None] = field(default_factory=dict)

    def has(self, need: Need) -> bool:
        if need not in self._found:
            self._look()
        return bool(self._found.get(need))

    def does(self, capability: Capability) -> bool | None:
        """What the probe says; None when it could not be tried, or there is none."""
        if capability not in self._found:
            probe = PROBES.get(capability)
            try:
                self._found[capability] = probe(self.make) if probe else None
            except (CheckFailed, FixtureError, NotApplicable, Hang):
                self._found[capability] = None
        return self._found[capability]

    def _look(self) -> None:
        with self.make() as bench:
            subject, world = bench.subject, bench.world
            found: dict[Need | Capability, bool | None] = {Need.INBOUND: bench.inbound, Need.OUTBOUND: not bench.inbound}
            self._found.update(found)
            try:
                bench.seed(1)
                bench.instance().try_run()
            except (CheckFailed, FixtureError, Hang):
                pass  # the checks say so, in their words
            self._found[Need.NETWORK] = bool(world.network.dials)
            for need, hook in (
                (Need.CREDENTIALS, subject.wrong_credentials),
                (Need.TLS, subject.secured),
                (Need.REMAINING, subject.remaining),
            ):
                try:
                    self._found[need] = hook(world) is not None
                except Exception:  # an author's hook: whoever needs it will say what is wrong with it
                    self._found[need] = True
