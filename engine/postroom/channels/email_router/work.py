"""One run of one instance: its fences, its provider, what the provider may touch, and how it ended."""

from __future__ import annotations

import os
import socket
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from postroom.channels.email_router.events import secrets_of
from postroom.channels.email_router.gateways import BoundedGateway, Senders, SendersGateway, deployment_for, end_quietly
from postroom.channels.email_router.instances import Instance, plain
from postroom.channels.email_router.memory import RouterStateCell
from postroom.channels.email_router.state_files import with_threshold
from postroom.errors import ConfigError, PostroomError, RecordNotFound, StateError
from postroom.model import Lookup
from postroom.organization import SYSTEM, GatewayBinding, Operation, Organization, router_service
from postroom.providers.contract import Direction, EmailGateway, Provider, ProviderEnv, RunContext, RunOutcome
from postroom.rules.eligibility import Obstacle, Reason
from postroom.runtime.jobs import JobRun
from postroom.store import Fence

if TYPE_CHECKING:
    from postroom.channels.email_router.service import EmailRouter

__all__ = ["BrokenByProvider", "NotServed", "ProviderMistake", "Work", "close_provider"]

TRACE_FRAMES = 20
MOST_IN_A_ROW = 1000
"""Runs of an instance that follow each other at once. Ours."""


class NotServed(PostroomError):
    """The router may not serve this mailbox now: nothing was done, and nothing went wrong."""

    def __init__(self, reasons: tuple[Reason, ...] | list[Reason]) -> None:
        super().__init__("; ".join(reason.text for reason in reasons))
        self.reasons = tuple(reasons)


class ProviderMistake(Exception):
    """What no provider may do: `sys.exit()`, or giving back something else than an outcome."""


class BrokenByProvider(ConfigError):
    """The provider cannot be made. A ConfigError of its own is the configuration's; this is anything else."""


class Work:
    """One run. Made for each job anew; `acquire`, `renew` and `release` are its lease, as the runtime asks for it."""

    def __init__(self, router: EmailRouter, instance: Instance) -> None:
        self.router, self.instance = router, instance
        self.place, self.generation = instance.place, instance.generation
        assert self.place.entry is not None
        self.entry = self.place.entry
        self.organization: Organization = router.organizations[self.place.organization]
        self.operation = self.place.operation
        self.secrets = secrets_of(self.entry.config)
        self.overlap = ""
        self.trace = ""
        self.mailbox_id = ""
        self.lost = ""
        self.threshold: datetime | None = None
        self.judged: Any = None
        self.senders: Senders | None = None
        self.senders_gateway: SendersGateway | None = None
        self._mailbox_fence: Fence | None = None

    # -- the lease ----------------------------------------------------------------------------------------------------

    def acquire(self) -> Any | None:
        """The fence of the instance's state, and for an inbound provider the lease of its mailbox. Raises NotServed, StateError, StoreError."""
        self.instance.running_since = self.router.clock.now()
        if reasons := router_service.channel(self.organization):
            raise NotServed(reasons)
        self._know_mailboxes()
        router, instance, place = self.router, self.instance, self.place
        self.lost = self._lost()
        fence = router.memory.begin(
            place.key,
            self.entry.provider,
            router.holder,
            name=place.name,
            organization=place.organization,
            mailbox=instance.address,
            seconds=router.lease_seconds,
            held=self.lost,
        )
        if fence is None:
            self.overlap = "another process has the instance"
            return None
        try:
            if self.entry.direction is Direction.INBOUND and not self._take_mailbox():
                self.router.memory.end(fence)
                return None
            self._leave_a_mark()
        except BaseException:
            self.router.memory.end(fence)
            raise
        if self.entry.direction is Direction.OUTBOUND:
            delay = self.entry.settings.sending_status_delay.delta
            self.senders = Senders(self.organization, self.router.holder, delay)
        return fence

    def _lost(self) -> str:
        """Why it must not begin: the organization knows that this instance served the mailbox, and the router's database knows nothing of it, so what it
        remembered is lost, or elsewhere."""
        mailboxes = self.instance.mailboxes
        if self.instance.marked or self.entry.direction is Direction.OUTBOUND or not mailboxes:
            return ""
        if self.router.memory.knows(self.place.key):
            return ""
        since = router_service.served_since(self.organization, mailboxes[0], self.place.key)
        if since is None:
            return ""
        return (
            f"it has served this mailbox since {since:%Y-%m-%d %H:%M} UTC, and what it remembers is not in the router's database: restore that,"
            " or say from when on it goes on"
        )

    def _leave_a_mark(self) -> None:
        """In the organization, once for each start of the router, while its mailbox is ours."""
        if self.entry.direction is Direction.INBOUND and not self.instance.marked:
            router_service.note_served(self.organization, self.mailbox_id, self.place.key, self.router.holder)
            self.instance.marked = True

    def _know_mailboxes(self) -> None:
        """Whom it serves: asked for when it is new, and again each `ConfigUpdatePeriod`."""
        instance, period = self.instance, self.router.file.system.config_update_period.seconds
        now = self.router.clock.monotonic()
        if instance.mailboxes is not None and not (period and now - instance.asked_at >= period):
            return
        found = self._look_up()
        address = ""
        if len(found) == 1:
            address = self.organization.retrieve(SYSTEM, "mailbox", found[0]).emailaddress or ""
        if instance.mailboxes is not None and address != instance.address:
            instance.forget_provider()
        instance.mailboxes, instance.address, instance.asked_at = found, address, now

    def _look_up(self) -> tuple[str, ...]:
        place = self.place
        if place.owners:
            known = router_service.mailboxes_of(self.organization, place.owners)
            missing = [owner for owner in place.owners if owner not in known]
            if missing and (len(missing) == len(place.owners)):
                raise NotServed([_absent(missing[0])])
            return tuple(known[owner] for owner in place.owners if owner in known)
        if self.entry.direction is Direction.OUTBOUND:
            return tuple(router_service.senders(self.organization))
        mailbox_id = router_service.find_mailbox(self.organization, place.address)
        if mailbox_id is None:
            raise NotServed([Reason(Obstacle.METHOD, f"no mailbox has the address {place.address}")])
        return (mailbox_id,)

    def _take_mailbox(self) -> bool:
        assert self.instance.mailboxes
        self.mailbox_id = self.instance.mailboxes[0]
        try:
            begun = router_service.begin(
                self.organization,
                self.mailbox_id,
                self.operation,
                self.router.holder,
                forward=self.entry.settings.is_forward_mailbox,
            )
        except RecordNotFound:
            self.instance.mailboxes = None  # asked for again
            raise NotServed([Reason(Obstacle.MAILBOX_INACTIVE, "the mailbox is not there any more")]) from None
        if begun.held_by:
            self.overlap = begun.held_by
            return False
        if begun.fence is None:
            raise NotServed(begun.reasons)
        self._mailbox_fence = begun.fence
        return True

    def renew(self, fence: Any) -> bool:
        kept = self._mailbox_fence is None or self.organization.renew_run(self.mailbox_id, self._mailbox_fence)
        kept = kept and (self.senders is None or self.senders.renew())
        return self.router.memory.renew(fence, self.router.lease_seconds) and kept

    def release(self, fence: Any) -> None:
        """At the end of the run, or to take everything from one that does not end."""
        if self.senders is not None:
            self.senders.end()
        if self._mailbox_fence is not None:
            end_quietly(self.organization, self._mailbox_fence)
        self.router.memory.end(fence, self.judged.text if self.judged is not None else "")

    # -- the run ------------------------------------------------------------------------------------------------------

    def carry_out(self, run: JobRun) -> RunOutcome:
        """In the executor. What the provider raises comes out as it is, `sys.exit()` and its like as ProviderMistake."""
        before = Belongings.now()
        try:
            provider = self._provider()
            outcome = self._guarded(lambda: provider.run(self._context(run)))
        except Exception as error:
            if not isinstance(error, PostroomError):
                self.trace = self.instance.redact(_trace(error))
            raise
        finally:
            self._look_behind(before)
        if not isinstance(outcome, RunOutcome):
            raise ProviderMistake(f"run() gave back {type(outcome).__name__} instead of a RunOutcome")
        if self.senders_gateway is not None and outcome.error is None:
            outcome = replace(outcome, more=self.senders_gateway.more)
        return replace(outcome, more=self._goes_on(outcome))

    def _goes_on(self, outcome: RunOutcome) -> bool:
        """Whether it really runs again at once: not when it did nothing, nor for ever. Who has more after that waits its period."""
        did = outcome.processed or outcome.delivered or outcome.rejected or outcome.failed
        instance = self.instance
        instance.in_a_row = instance.in_a_row + 1 if outcome.more and did else 0
        if instance.in_a_row >= MOST_IN_A_ROW:
            instance.in_a_row = 0
        return instance.in_a_row > 0

    @staticmethod
    def _guarded(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (SystemExit, KeyboardInterrupt, GeneratorExit) as error:
            raise ProviderMistake(f"raised {type(error).__name__}") from error

    def _provider(self) -> Provider:
        """The instance's provider; made now where there is none, after those of earlier configurations were closed."""
        instance = self.instance
        while instance.retired:
            close_provider(self.router, instance, instance.retired.pop(0))
        if instance.provider is None:
            env = ProviderEnv(instance.key, self.organization.name, instance.address)
            kind = self.router.provider_class(self.entry)
            try:
                instance.provider = self._guarded(lambda: kind(self.entry.config, env))
            except PostroomError:
                raise
            except Exception as error:
                self.trace = instance.redact(_trace(error))
                raise BrokenByProvider(f"its constructor raised {_cause(error)}") from error
        assert instance.provider is not None
        return instance.provider

    def _context(self, run: JobRun) -> RunContext[Any]:
        settings, memory = self.entry.settings, self.router.memory
        if self.lost:
            raise StateError(self.lost)
        incoming = self.entry.direction is Direction.INBOUND
        batch = settings.batch_size * settings.request_batch_size
        return RunContext(
            run_id=run.run_id,
            instance=self.place.key,
            state=self._state(run.fence),
            seen=memory.seen(self.place.key, run.fence),
            gateway=self._gateway(),
            net=run.connector(self.router.connector),
            clock=self.router.clock,
            log=self._log,
            deadline=run.deadline,
            items=settings.max_message_count if incoming else min(settings.max_message_count, batch),
            timeout=settings.connection_timeout.seconds,
            cancelled=run.cancelled,
            alert=self._alert,
        )

    def _state(self, fence: Fence | None) -> RouterStateCell[Any]:
        """What it remembers. The first cursor of a state that was never committed begins at the instance's threshold."""
        memory, key, spec = self.router.memory, self.place.key, self.entry.provider
        cell = memory.state(key, spec, fence, secrets=self.secrets)
        if self.entry.direction is Direction.INBOUND:
            self.threshold, generation = memory.threshold(key)
            begun = with_threshold(cell.value, self.threshold) if self.threshold is not None and not generation else None
            if begun is not None:
                cell.commit(begun)
        return cell

    def _alert(self, key: str, text: str, /) -> None:
        """What a provider wants people to know: an alert of the instance, once for each key."""
        memory, identity = self.router.memory, self.place.key
        detail = f"{' '.join(self.instance.redact(str(text)).split())[:500]} ({self.instance.redact(str(key))[:320]})"
        if not any(one.kind == "provider" and one.detail == detail for one in memory.alerts(identity, cleared=True)):
            memory.note(identity, "provider", detail)

    def _gateway(self) -> EmailGateway:
        settings = self.entry.settings
        if self.senders is not None:
            made = SendersGateway(self.senders, self.instance.mailboxes or (), settings, self.instance.last_turn)
            self.senders_gateway = made
            outgoing_half: Any = made
            return cast(EmailGateway, outgoing_half)
        binding = GatewayBinding(self.mailbox_id, self.mailbox_id, self._mailbox_fence, Operation.INCOMING)
        deployment = deployment_for(self.organization.deployment.settings, settings)
        gateway: EmailGateway = self.organization.gateway(binding, deployment)
        expiry = settings.message_expiry.delta if settings.message_expiry is not None else None
        if expiry is not None or self.threshold is not None:
            return BoundedGateway(gateway, expiry, self.threshold, self.router.clock.now)
        return gateway

    def _log(self, event: str, text: str = "", /, **values: Any) -> None:
        """What a provider tells: traced on the level of messages, its secrets taken out."""
        redact = self.instance.redact
        shown = {f"its_{str(key)[:60]}": plain(value, redact) for key, value in values.items()}
        self.router.events.tell(
            "provider.event", self.place.key, self.place.name, redact(str(text)), told=redact(str(event))[:60], **shown
        )

    def _look_behind(self, before: Belongings) -> None:
        """What the whole process has in common is put back."""
        for what in before.put_back(self.router.known_threads):
            self.router.events.tell("provider.left_behind", self.place.key, self.place.name, self.instance.redact(what))


class Belongings:
    """What belongs to the whole process, at one moment: working folder, environment, default time-out of sockets, threads."""

    def __init__(self) -> None:
        self.folder = ""
        with suppress(OSError):
            self.folder = os.getcwd()  # noqa: PTH109 - a string to go back to
        self.environment = dict(os.environ)
        self.timeout = socket.getdefaulttimeout()
        self.threads = set(threading.enumerate())

    @classmethod
    def now(cls) -> Belongings:
        return cls()

    def put_back(self, known_threads: set[int]) -> list[str]:
        """Undo what was changed; says what. Threads cannot be ended: each is told once."""
        found = []
        after = Belongings()
        if self.folder and after.folder != self.folder:
            with suppress(OSError):
                os.chdir(self.folder)
            found.append("changed the working folder; it was put back")
        if after.environment != self.environment:
            names = sorted(
                name
                for name in {*self.environment, *after.environment}
                if self.environment.get(name) != after.environment.get(name)
            )
            for name in names:
                if name in self.environment:
                    os.environ[name] = self.environment[name]
                else:
                    os.environ.pop(name, None)
            found.append(f"changed the environment ({', '.join(names)[:200]}); it was put back")
        if after.timeout != self.timeout:
            socket.setdefaulttimeout(self.timeout)
            found.append("changed the default time-out of sockets; it was put back")
        left = [
            thread
            for thread in after.threads - self.threads
            if not thread.name.startswith("postroom-") and id(thread) not in known_threads
        ]
        if left:
            known_threads.update(id(thread) for thread in left)
            found.append(f"left {len(left)} thread{'' if len(left) == 1 else 's'} running")
        return found


def close_provider(router: EmailRouter, instance: Instance, provider: Provider) -> None:
    """Once a provider. What it raises is told, and no more."""
    try:
        provider.close()
    except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit) as error:
        text = instance.redact(_cause(error))
        router.events.tell("instance.close_failed", instance.key, instance.place.name, text)
    else:
        router.events.tell("instance.closed", instance.key, instance.place.name)


def _absent(owner: Lookup) -> Reason:
    return Reason(Obstacle.OWNER, f"the {'user' if owner.entity == 'systemuser' else 'queue'} {owner.id} has no mailbox")


def _cause(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if isinstance(error, PostroomError | ProviderMistake) else type(error).__name__


def _trace(error: BaseException) -> str:
    """The last frames, without the values of variables."""
    return "".join(traceback.format_exception(error, limit=-TRACE_FRAMES))[-8000:]
