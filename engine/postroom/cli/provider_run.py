"""`postroom provider run`: the providers of a configuration file at their real servers, rehearsed: nothing is kept, nothing removed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import typer

from postroom.cli.desk import Failed, UsageProblem
from postroom.cli.texts import clean, counted
from postroom.clock import SystemClock
from postroom.errors import Cancelled, PostroomError, TlsError
from postroom.model.verdict import Verdict
from postroom.providers.contract import ClaimedEmail, Delivered, Direction, Disposition, IncomingOffer, ProviderEnv, RunOutcome
from postroom.providers.state import encode
from postroom.testing.fake_gateway import FakeGateway, MemoryLog, MemorySeenSet, MemoryStateCell, make_context

if TYPE_CHECKING:
    from postroom.channels.email_router.placing import Providers
    from postroom.providers.configuration import ProviderEntry, RouterFile
    from postroom.providers.contract import Connector, Provider

__all__ = ["Rehearsal", "rehearse", "rehearse_file"]


class _Rehearsed(Cancelled):
    """The end of a rehearsal: nothing is committed, so nothing may be removed at the source."""


class _Gateway(FakeGateway):
    """An organization that takes everything and keeps nothing: the commit of a batch ends the run."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[tuple[IncomingOffer, Disposition]] = []
        self.ended = False
        """The rehearsal is over: what a provider makes of that (a program of its own may tell another error) is no failure."""

    @contextmanager
    def batch(self) -> Iterator[None]:
        before = len(self.taken)
        with super().batch():
            yield
            if len(self.taken) > before:
                self.ended = True
                raise _Rehearsed("a rehearsal commits nothing")

    def deliver_incoming(self, offer: IncomingOffer, verdict: Verdict) -> Delivered:
        self.taken.append((offer, Disposition.TRACKED))
        return super().deliver_incoming(offer, verdict)

    def settle(self, offer: IncomingOffer, disposition: Disposition, verdict: Verdict) -> None:
        self.taken.append((offer, disposition))
        super().settle(offer, disposition, verdict)


@dataclass(slots=True)
class Rehearsal:
    """What one provider did. `state`: what it would remember. `error`: what ended it."""

    name: str
    taken: Sequence[tuple[IncomingOffer, Disposition]] = ()
    sent: dict[str, Any] = field(default_factory=dict)
    outcome: RunOutcome | None = None
    checked: str = ""
    state: Any = None
    log: Sequence[tuple[str, str, dict[str, Any]]] = ()
    error: Exception | None = None

    @property
    def messages(self) -> list[dict[str, str]]:
        return [
            {
                "source_key": offer.source_key,
                "what": disposition.value,
                "from": offer.message.from_[0].address if offer.message.from_ else "",
                "subject": offer.message.subject,
                "received": offer.received_on.isoformat(),
            }
            for offer, disposition in self.taken
        ]


def rehearse_file(
    file: Path, only: str, send_to: str, send_from: str, limit: int, ca_file: Path | None, *, as_json: bool
) -> None:
    """Raises UsageProblem, and Failed when a provider failed."""
    from postroom.channels.email_router.placing import Providers
    from postroom.cli.provider import registry_here
    from postroom.cli.running import trust
    from postroom.providers.connectors import SocketConnector

    net = SocketConnector(trust(ca_file, "--ca-file:"))
    providers = Providers(registry_here())
    read = _read(file, providers)
    entries = [one for one in read.providers if not only or only in (one.settings.name, one.provider.name)]
    if not entries:
        known = ", ".join(dict.fromkeys(one.settings.name or one.provider.name for one in read.providers)) or "none"
        raise UsageProblem(f"{file} has no provider {only!r}; it has: {known}" if only else f"{file} has no providers")
    found = []
    for entry in entries:
        found.append(rehearse(providers.find(entry), entry, net, send_to, send_from or send_to, limit))
        if not as_json:
            _show(found[-1])
    if as_json:
        typer.echo(json.dumps({"providers": [_document(one) for one in found]}, ensure_ascii=False, indent=2, default=str))
    if any(one.error for one in found):
        raise Failed("a provider failed")


def _read(file: Path, providers: Providers) -> RouterFile:
    from postroom.providers.configuration import validate

    read, problems = validate(file, resolve=providers.resolve)
    if read is None:
        for problem in problems:
            typer.echo(f"{file}: {problem}", err=True)
        raise Failed("the file cannot be used")
    return read


def rehearse(kind: type[Provider], entry: ProviderEntry, net: Connector, send_to: str, send_from: str, limit: int) -> Rehearsal:
    """Check, then one run. Whatever the provider raises is in the answer."""
    clock, gateway, log = SystemClock(), _Gateway(), MemoryLog()
    name = entry.settings.name or entry.provider.name
    cell = MemoryStateCell(entry.provider.state(), gateway)
    result = Rehearsal(name, taken=gateway.taken, log=log.lines)
    if send_to and entry.direction is Direction.OUTBOUND:
        gateway.outgoing.append(_test_message(send_to, send_from, clock))
    provider: Provider | None = None
    try:
        provider = kind(entry.config, ProviderEnv(entry.identity, "", ""))
        context = make_context(
            cell.value,
            net=net,
            clock=clock,
            gateway=gateway,
            cell=cell,
            seen=MemorySeenSet(gateway),
            log=log,
            items=min(limit, entry.settings.max_message_count),
            timeout=entry.settings.connection_timeout.seconds,
        )
        result.checked = provider.check(context).detail or "it works"
        result.outcome = provider.run(context)
        error = result.outcome.error
        result.error = None if gateway.ended or isinstance(error, Cancelled) else error
    except Exception as error:
        result.error = None if gateway.ended else error
    finally:
        if provider is not None:
            provider.close()
    result.state = cell.value
    result.sent = {one: (report.result.value, report.reply) for one, report in gateway.reports.items()}
    return result


def _test_message(to: str, sender: str, clock: SystemClock) -> ClaimedEmail:
    from postroom.mime.values import Address, OutgoingMessage

    message = OutgoingMessage(
        message_id=f"<{uuid4().hex}@postroom.invalid>",
        date=clock.now(),
        from_=Address(sender),
        to=(Address(to),),
        subject="Test message",
        text="Sent by `postroom provider run`. Nothing needs to be done.\n",
    )
    return ClaimedEmail("test-message", 1, sender, (to,), message)


# -- shown


def _show(one: Rehearsal) -> None:
    from postroom.cli.show import lines, table

    typer.echo(one.name)
    if one.checked:
        lines(f"check: {one.checked}", indent="    ")
    for event, text, values in one.log:
        said = " ".join(f"{name}={value}" for name, value in values.items())
        lines(" ".join(part for part in ("log:", event, text, said) if part), indent="    ")
    if one.taken:
        typer.echo(f"    took {counted(len(one.taken), 'message')}; nothing was kept, all of it is still at the source")
        table(
            ("what", "from", "subject", "received"), [(m["what"], m["from"], m["subject"], m["received"]) for m in one.messages]
        )
    elif one.error is None and not one.sent:
        typer.echo("    nothing to do")
    for result, reply in one.sent.values():
        typer.echo(f"    test message: {result}{f' ({clean(reply)})' if reply else ''}")
    if one.error is not None:
        typer.echo(f"    failed: {_told(one.error)}", err=True)


def _told(error: Exception) -> str:
    """Our own errors say what an author can do; of others also where they came from."""
    if isinstance(error, PostroomError):
        more = "; --ca-file trusts a certificate of your own" if isinstance(error, TlsError) else ""
        return clean(f"{type(error).__name__}: {error}{more}")
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f" in {frame.tb_frame.f_code.co_filename}, line {frame.tb_lineno}" if frame is not None else ""
    return clean(f"{type(error).__name__}: {error}{where}")


def _document(one: Rehearsal) -> dict[str, Any]:
    return {
        "name": one.name,
        "check": one.checked,
        "messages": one.messages,
        "sent": one.sent,
        "state": None if one.state is None else encode(one.state),
        "log": [{"event": event, "text": text, **values} for event, text, values in one.log],
        "error": None if one.error is None else _told(one.error),
    }
