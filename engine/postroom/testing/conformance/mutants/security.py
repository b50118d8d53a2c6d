"""Providers that do what they must not."""

from __future__ import annotations

import tempfile
import xml.etree.ElementTree as ElementTree
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postroom.errors import ProtocolError, ProviderError, TlsError
from postroom.mime.parse import parse_message
from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.providers.builtin.pop3_dialogue import Pop3Dialogue
from postroom.providers.configuration import element
from postroom.providers.contract import (
    Capability,
    CheckReport,
    Direction,
    Disposition,
    IncomingOffer,
    ProviderSpec,
    RunContext,
    RunOutcome,
)
from postroom.providers.lifecycle import PollingProvider
from postroom.testing.conformance.messages import SourceMessage
from postroom.testing.conformance.mutants import mutant
from postroom.testing.conformance.subject import Subject
from postroom.testing.conformance.world import KitWorld


@mutant("SEC-01", "calls home", says="telemetry.example", also=("PRF", "ERR", "CON"))
class CallsHome(Pop3Provider):
    def close_mailbox(self, ctx: Any) -> None:
        with suppress(ProviderError):
            ctx.net.connect("telemetry.example", 443, timeout=1.0, tls=True)
        super().close_mailbox(ctx)


@mutant("SEC-02", "leaves a temporary file", says="kit-mutant")
class LeavesFile(Pop3Provider):
    def close_mailbox(self, ctx: Any) -> None:
        with tempfile.NamedTemporaryFile(prefix="kit-mutant-") as file:
            file.write(b"kept")
        super().close_mailbox(ctx)


@mutant("SEC-03", "logs in before it encrypts", says="sent in the clear", also=("ERR-03",))
class PlainLoginFirst(Pop3Provider):
    def open_mailbox(self, ctx: Any) -> None:
        config = self.config
        if config.tls != "starttls":
            super().open_mailbox(ctx)
            return
        self._dialogue = Pop3Dialogue(ctx.net, config.host, config.port, ctx.timeout, implicit=False)
        self._dialogue.login(config.user, config.password)
        with suppress(TlsError):
            self._dialogue.start_tls()


@dataclass(frozen=True)
class XmlConfig:
    place: str = element("Folder", identity=True)


@dataclass(frozen=True)
class XmlState:
    """Nothing."""


class DefaultParser(PollingProvider[XmlConfig, XmlState]):
    """Reads a document from a folder, with the standard library's parser as it comes."""

    spec = ProviderSpec("kit-xml", Direction.INBOUND, XmlConfig, XmlState, capabilities=frozenset({Capability.STATEFUL}))

    def on_check(self, ctx: RunContext[XmlState]) -> CheckReport:  # noqa: ARG002
        return CheckReport()

    def on_run(self, ctx: RunContext[XmlState]) -> RunOutcome:
        place = Path(self.config.place) / "feed.xml"
        if not place.exists():
            return RunOutcome()
        try:
            root = ElementTree.fromstring(place.read_text(encoding="utf-8"))  # noqa: S314 - the mistake
        except ElementTree.ParseError as error:
            raise ProtocolError(f"the feed is no XML: {error}") from error
        if root.tag != "mail":
            raise ProtocolError(f"the feed holds no mail: {root.text}")
        items = {item.get("key", ""): b64decode(item.text or "") for item in root}
        fresh = ctx.seen.new_among(list(items))
        for key in fresh[: ctx.items]:
            ctx.raise_if_cancelled()
            with ctx.gateway.batch():
                self._take(ctx, key, items[key])
            ctx.seen.add({key: "seen"})
        return self.tally.outcome(more=len(fresh) > ctx.items)

    def _take(self, ctx: RunContext[XmlState], key: str, octets: bytes) -> None:
        message = parse_message(octets, monotonic=ctx.clock.monotonic)
        offer = IncomingOffer(key, octets, message, message.date or ctx.clock.now(), self.env.mailbox)
        verdict = ctx.gateway.check_incoming(offer)
        self.tally.processed += 1
        if verdict.deliver:
            self.tally.delivered += ctx.gateway.deliver_incoming(offer, verdict).created
        else:
            ctx.gateway.settle(offer, Disposition.FILTERED, verdict)
            self.tally.rejected += 1


@mutant("SEC-04", "uses the default parser", says="was expanded", also=("INB-08", "INB-09"))
class DefaultParserSubject(Subject):
    provider = DefaultParser

    def config(self, world: KitWorld) -> Mapping[str, Any]:
        return {"Folder": str(_mailbox(world))}

    def seed(self, world: KitWorld, messages: Sequence[SourceMessage]) -> None:
        place = _mailbox(world) / "feed.xml"
        before = place.read_text(encoding="ascii").removesuffix("</mail>") if place.exists() else "<mail>"
        items = (f'<item key="{one.token}">{b64encode(one.octets).decode()}</item>' for one in messages)
        place.write_text(f"{before}{''.join(items)}</mail>", encoding="ascii")

    def hostile(self, world: KitWorld, document: bytes) -> bool:
        (_mailbox(world) / "feed.xml").write_bytes(document)
        return True


def _mailbox(world: KitWorld) -> Path:
    place = world.folder / str(world.mailbox)
    place.mkdir(exist_ok=True)
    return place
