"""Mail from an mbox file that is published over HTTP: each GET gives the whole file, and new messages are appended to it.

Nothing is ever removed, so what was dealt with has to be known by itself: by the digest of a message's octets. Not by its place, since a file
may be cut or begun anew; not by its Message-ID, which may be missing, or used twice by different letters. The ETag (or Last-Modified) of a file
of which everything was dealt with is kept, and saves taking it again until it changes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import ClassVar

from postroom.errors import Cancelled, ConfigError, MessageError, OrganizationError, ProtocolError
from postroom.mime.parse import parse_message
from postroom.model.verdict import ReasonCode, Verdict
from postroom.providers.configuration import Secret, element
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
from postroom.providers.web import Answer, Login, Url, fetch

__all__ = ["MboxConfig", "MboxOverHttp", "MboxState", "Piece", "split"]

GROUP = 50
"""Messages that share a commit."""
VALIDATOR_LENGTH = 300
WEB = (r"https?://[^\s/]\S*", "a URL that begins with http:// or https://")

_BEGIN = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]*(?:\n|\Z)")
"""A line that begins a message: the first of the file, or one behind an empty line."""
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
_WHEN = re.compile(rb"([A-Z][a-z]{2}) +([0-9]{1,2}) ([0-9]{2}):([0-9]{2})(?::([0-9]{2}))? +([0-9]{4})\s*$")
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")


@dataclass(frozen=True)
class MboxConfig:
    """Where the file is, and how much of it is taken."""

    url: str = element("MboxUrl", identity=True, length=2000, pattern=WEB, help="where the mbox file is")
    user: str = element("MboxUser", identity=True, default="", length=320, help="account, where one is needed")
    password: Secret = element("MboxPassword", secret=True, default=Secret(""), help="its password")
    plain_password: bool = element("AllowPlainPassword", default=False, help="send the password though the URL is not https")
    largest_file: int = element("MaxMailboxSize", default=256 * 1024 * 1024, minimum=1024, help="octets of the whole file")
    largest: int = element("MaxMessageSize", default=25 * 1024 * 1024, minimum=1024, help="octets; a longer message is parked")


@dataclass(frozen=True)
class MboxState:
    """What the server said of the file when all of it had been dealt with."""

    etag: str = ""
    modified: str = ""


@dataclass(frozen=True)
class Piece:
    """Where a message stands in the file, and when it came in as its first line says."""

    start: int
    end: int
    when: datetime | None


@dataclass(frozen=True)
class _Found:
    key: str
    octets: bytes
    when: datetime | None


class MboxOverHttp(PollingProvider[MboxConfig, MboxState]):
    """Polls one file."""

    spec: ClassVar[ProviderSpec[MboxConfig, MboxState]] = ProviderSpec(
        "mbox_over_http",
        Direction.INBOUND,
        MboxConfig,
        MboxState,
        capabilities=frozenset({Capability.STATEFUL, Capability.CHECK}),
    )

    def on_check(self, ctx: RunContext[MboxState]) -> CheckReport:
        pieces, unfinished = split(self._fetch(ctx, MboxState()).body)
        return CheckReport(f"the mbox holds {len(pieces) + unfinished} message(s)")

    def on_run(self, ctx: RunContext[MboxState]) -> RunOutcome:
        ctx.raise_if_cancelled()
        answer = self._fetch(ctx, ctx.state.value)
        if answer.status == 304:
            return self.tally.outcome()
        pieces, unfinished = split(answer.body)
        if unfinished:
            ctx.log(
                "mbox.unfinished",
                "the last message has no empty line behind it yet: it is looked at again when the file changes",
            )
        by_key: dict[str, Piece] = {}
        for piece in pieces:
            by_key.setdefault(_key(_octets(answer.body, piece)), piece)
        new = list(ctx.seen.new_among(list(by_key)))
        fresh = set(new)
        if known := [key for key in by_key if key not in fresh]:
            ctx.seen.touch(known)  # they are still in the file: they must not be forgotten
        wanted = [key for key in by_key if key in fresh]
        self.tally.more = len(wanted) > ctx.items
        now = wanted[: ctx.items]
        for start in range(0, len(now), GROUP):
            group = now[start : start + GROUP]
            self._take(ctx, (_Found(key, _octets(answer.body, by_key[key]), by_key[key].when) for key in group))
        if not (self.tally.more or self.tally.failed):
            after = MboxState(_kept(answer.headers.get("etag", "")), _kept(answer.headers.get("last-modified", "")))
            if after != ctx.state.value and by_key:
                ctx.state.commit(after)
        return self.tally.outcome()

    def _fetch(self, ctx: RunContext[MboxState], before: MboxState) -> Answer:
        config, url = self.config, Url.parse(self.config.url)
        login = Login(config.user, config.password) if config.user else None
        if login is not None and not url.tls and not config.plain_password:
            raise ConfigError("the password is not sent without TLS: use https, or set AllowPlainPassword")
        fields = (("If-None-Match", before.etag), ("If-Modified-Since", before.modified))
        return fetch(
            ctx.net,
            url,
            timeout=ctx.timeout,
            limit=config.largest_file,
            now=ctx.clock.now(),
            headers=[("Accept", "application/mbox, */*;q=0.1"), *((name, value) for name, value in fields if value)],
            login=login,
        )

    def _take(self, ctx: RunContext[MboxState], group: Iterator[_Found]) -> None:
        """One commit for all of them; then, and not before, they are seen."""
        settled: dict[str, str] = {}
        ended: Cancelled | None = None
        with ctx.gateway.batch():
            for found in group:
                try:
                    ctx.raise_if_cancelled()
                except Cancelled as error:
                    ended = error  # what was taken until now stays taken
                    break
                message = parse_message(found.octets, monotonic=ctx.clock.monotonic)
                offer = IncomingOffer(found.key, found.octets, message, found.when or ctx.clock.now(), self.env.mailbox)
                if self._settle(ctx, offer):
                    settled[found.key] = message.digest
        if settled:
            ctx.seen.add(settled)
        if ended is not None:
            raise ended

    def _settle(self, ctx: RunContext[MboxState], offer: IncomingOffer) -> bool:
        """Whether this message is done with."""
        verdict = Verdict(deliver=False, reason=ReasonCode.UNKNOWN)
        try:
            if len(offer.octets) > self.config.largest:
                raise MessageError(
                    f"{len(offer.octets)} octets, at most {self.config.largest} are taken in",
                    source_key=offer.source_key,
                    permanent=True,
                )
            verdict = ctx.gateway.check_incoming(offer)
            if not verdict.deliver and verdict.reason is ReasonCode.UNKNOWN:
                raise MessageError(verdict.detail or "undecided", source_key=offer.source_key)
            if verdict.deliver:
                self.tally.delivered += ctx.gateway.deliver_incoming(offer, verdict).created
            else:
                ctx.gateway.settle(offer, Disposition.FILTERED, verdict)
                self.tally.rejected += 1
        except (MessageError, OrganizationError) as error:
            self.tally.failed += 1
            used_up = ctx.gateway.failed(offer.source_key, str(error), offer.message.subject)
            if not (used_up or (isinstance(error, MessageError) and error.permanent)):
                return False
            ctx.gateway.settle(offer, Disposition.PARKED, replace(verdict, deliver=False, detail=str(error)))
            return True
        self.tally.processed += 1
        return True


def split(octets: bytes) -> tuple[list[Piece], bool]:
    """The messages of an mbox file that are complete, and whether there is one more whose end has not been written yet.

    A message ends with an empty line (RFC 4155). Without it somebody is still writing: half a letter would be taken for the whole one,
    and the whole one, later, for its duplicate. (A writer that stops at an empty line inside a letter cannot be told from one that is done:
    whoever publishes the file should put it there whole.)
    """
    begins = list(_BEGIN.finditer(octets))
    if octets.strip() and (not begins or octets[: begins[0].start()].strip()):
        raise ProtocolError("it is no mbox file: it does not begin with a From line")
    pieces: list[Piece] = []
    for place, begin in enumerate(begins):
        last = place + 1 == len(begins)
        end = len(octets) if last else begins[place + 1].start()
        for blank in (b"\n\r\n", b"\n\n"):
            if octets.endswith(blank, begin.end() - 1, end):
                pieces.append(Piece(begin.end(), end - len(blank) + 1, _when(begin.group())))
                break
        else:
            return pieces, True
    return pieces, False


def _octets(file: bytes, piece: Piece) -> bytes:
    """A message as it was before it was put into the file: lines that begin with From are quoted in there (mboxrd)."""
    octets = file[piece.start : piece.end]
    return _QUOTED.sub(rb"\1", octets) if b">From " in octets else octets


def _when(line: bytes) -> datetime | None:
    """The time at the end of a From line: without a zone it is UTC (RFC 4155)."""
    found = _WHEN.search(line)
    if found is None or found[1] not in _MONTHS:
        return None
    try:
        return datetime(
            int(found[6]),
            _MONTHS.index(found[1]) + 1,
            int(found[2]),
            int(found[3]),
            int(found[4]),
            int(found[5] or 0),
            tzinfo=UTC,
        )
    except ValueError:
        return None


def _key(octets: bytes) -> str:
    return f"sha256:{hashlib.sha256(octets).hexdigest()}"


def _kept(validator: str) -> str:
    return validator if len(validator) <= VALIDATOR_LENGTH and all(" " <= one <= "~" for one in validator) else ""
