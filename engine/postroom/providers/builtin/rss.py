"""A feed as a source of mail: RSS 2.0, RSS 1.0 and Atom over HTTP, each new item one message.

The tutorial case of the original SDK (email-router-providers reference 3.1; provider-kit reference 5.8): a provider that polls, keeps a state, and has no use
for a mailbox. What was dealt with is told by the seen set and, when that was lost, by the ledger; the cursor says how old an item may be to
count as new, and the validators (RFC 9110 §13.1) save looking at what did not change. They are kept only when nothing was left undone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import ClassVar

from postroom.errors import Cancelled, ConfigError, MessageError, OrganizationError, ProtocolError
from postroom.mime.addresses import is_usable
from postroom.mime.compose import compose
from postroom.mime.parse import parse_message
from postroom.mime.values import Address, OutgoingMessage
from postroom.model.verdict import ReasonCode, Verdict
from postroom.providers.builtin.feed import FeedError, FeedItem, parse_feed
from postroom.providers.configuration import Millis, Secret, element
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
from postroom.providers.cursor import Cursor
from postroom.providers.lifecycle import PollingProvider
from postroom.providers.web import Answer, Login, Url, fetch

__all__ = ["RssConfig", "RssProvider", "RssState", "as_octets"]

GROUP = 50
"""Items that share a commit (ours)."""
ACCEPTED = "application/rss+xml, application/atom+xml, application/xml;q=0.9, text/xml;q=0.8, */*;q=0.1"
VALIDATOR_LENGTH = 300
"""Characters of an ETag or a Last-Modified that are kept; a longer one is as if there were none (ours)."""
KEY_LENGTH = 300
TITLE_LENGTH = 500
NO_DATE = datetime(1970, 1, 1, tzinfo=UTC)
URL = (r"https?://[^\s/]\S*", "a URL that begins with http:// or https://")
_DATE_LINE = re.compile(rb"^Date: [^\r\n]*\r\n", re.MULTILINE)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class RssConfig:
    """Where the feed is."""

    url: str = element("FeedUrl", identity=True, length=2000, pattern=URL, help="where the feed is", source="ours")
    user: str = element("FeedUser", default="", identity=True, length=320, help="account, where one is needed", source="ours")
    password: Secret = element("FeedPassword", default=Secret(""), secret=True, help="its password", source="ours")
    plain_password: bool = element(
        "AllowPlainPassword", default=False, help="send the password though the URL is not https", source="ours"
    )
    hosts: tuple[str, ...] = element(
        "AllowedHost", many=True, length=255, help="host, beside the URL's, that a redirection may lead to", source="ours"
    )
    octets: int = element(
        "MaxFeedSize", default=8 * 1024 * 1024, minimum=1024, maximum=256 * 1024 * 1024, help="octets of a feed", source="ours"
    )
    look_back: Millis = element(
        "LookBack",
        default=Millis(30 * 24 * 3600 * 1000),
        minimum=0,
        help="how much older than the newest item dealt with a new one may be dated",
        source="ours",
    )


@dataclass(frozen=True)
class RssState:
    """etag      and `modified`: what the server said of the feed when all of it had been dealt with
    cursor    the newest item that was dealt with, no later than the run's own time"""

    etag: str = ""
    modified: str = ""
    cursor: Cursor = Cursor.start()


@dataclass(frozen=True, slots=True)
class _Found:
    key: str
    item: FeedItem


class RssProvider(PollingProvider[RssConfig, RssState]):
    """Polls one feed."""

    spec: ClassVar[ProviderSpec[RssConfig, RssState]] = ProviderSpec(
        "rss",
        Direction.INBOUND,
        RssConfig,
        RssState,
        capabilities=frozenset({Capability.STATEFUL, Capability.CHECK}),
    )

    # -- hooks

    def on_check(self, ctx: RunContext[RssState]) -> CheckReport:
        answer = self._fetch(ctx, [])
        return CheckReport(f"{len(self._items(answer))} items")

    def on_run(self, ctx: RunContext[RssState]) -> RunOutcome:
        ctx.raise_if_cancelled()
        before = ctx.state.value
        answer = self._fetch(ctx, _conditions(before))
        if answer.status == 304:
            return self.tally.outcome()
        signpost = ctx.clock.now()
        items = self._items(answer)
        future = before.cursor.in_future(signpost)
        if future:
            ctx.log("rss.cursor_in_future", "the newest item dealt with is dated later than now; only later ones count as new")
        found = self._wanted(ctx, items)
        new = set(ctx.seen.new_among([one.key for one in found]))
        self._keep(ctx, [one.key for one in found if one.key not in new])
        wanted = [one for one in found if one.key in new]
        left = len(wanted) > ctx.items
        self.tally.more = left
        newest = before.cursor
        for start in range(0, min(len(wanted), ctx.items), GROUP):
            newest = self._take(ctx, wanted[start : min(start + GROUP, ctx.items)], newest, signpost)
        if (
            not future or self.tally.processed
        ):  # what is to be looked at again when the cursor was put right must not be called unchanged
            self._remember(ctx, items, answer if not (future or left or self.tally.failed) else None, newest)
        return self.tally.outcome()

    # -- the feed

    def _fetch(self, ctx: RunContext[RssState], conditions: Iterable[tuple[str, str]]) -> Answer:
        config = self.config
        url = Url.parse(config.url)
        login = Login(config.user, config.password) if config.user else None
        if login is not None and not url.tls and not config.plain_password:
            raise ConfigError("the password is not sent without TLS: use https, or set AllowPlainPassword")
        return fetch(
            ctx.net,
            url,
            timeout=ctx.timeout,
            limit=config.octets,
            now=ctx.clock.now(),
            headers=[("Accept", ACCEPTED), *conditions],
            login=login,
            allowed=config.hosts,
        )

    def _items(self, answer: Answer) -> list[FeedItem]:
        try:
            return parse_feed(answer.body)
        except FeedError as error:
            raise ProtocolError(str(error)) from None

    def _wanted(self, ctx: RunContext[RssState], items: Sequence[FeedItem]) -> list[_Found]:
        """Oldest first; those without a date behind, in the feed's order from its end (feeds list the newest first). Of two with one key
        the first counts. Older ones than the window are left out."""
        cursor = ctx.state.value.cursor
        begin = None
        if cursor.threshold is not None:
            begin = Cursor(cursor.threshold, look_back=self.config.look_back.delta).asks_from
        distinct: dict[str, FeedItem] = {}
        for item in items:
            distinct.setdefault(_key(item.key), item)
        found = [
            _Found(key, item)
            for key, item in reversed(distinct.items())
            if begin is None or item.when is None or item.when >= begin
        ]
        latest = datetime.max.replace(tzinfo=UTC)
        return sorted(found, key=lambda one: one.item.when or latest)

    def _keep(self, ctx: RunContext[RssState], known: Sequence[str]) -> None:
        """They are still listed: do not forget them."""
        if known:
            ctx.seen.touch(known)

    # -- taking

    def _take(self, ctx: RunContext[RssState], group: Sequence[_Found], newest: Cursor, signpost: datetime) -> Cursor:
        """One commit for all; then they are seen. The cursor as far as these lead it."""
        settled: dict[str, str] = {}
        ended: Cancelled | None = None
        with ctx.gateway.batch():
            for one in group:
                try:
                    ctx.raise_if_cancelled()
                except Cancelled as error:
                    ended = error
                    break
                offer = self._offer(ctx, one)
                if self._settle(ctx, offer):
                    settled[one.key] = offer.message.digest
                    newest = _advanced(newest, one, signpost)
        if settled:
            ctx.seen.add(settled)
        if ended is not None:
            raise ended
        return newest

    def _offer(self, ctx: RunContext[RssState], one: _Found) -> IncomingOffer:
        octets = as_octets(one.item, one.key, Url.parse(self.config.url).host, self.env.mailbox)
        message = parse_message(octets, monotonic=ctx.clock.monotonic)
        return IncomingOffer(one.key, octets, message, one.item.when or ctx.clock.now(), self.env.mailbox)

    def _settle(self, ctx: RunContext[RssState], offer: IncomingOffer) -> bool:
        """Whether this item is done with."""
        gateway = ctx.gateway
        verdict = Verdict(deliver=False, reason=ReasonCode.UNKNOWN)
        try:
            verdict = gateway.check_incoming(offer)
            if not verdict.deliver and verdict.reason is ReasonCode.UNKNOWN:
                raise MessageError(verdict.detail or "undecided", source_key=offer.source_key)
            if verdict.deliver:
                self.tally.delivered += gateway.deliver_incoming(offer, verdict).created
            else:
                gateway.settle(offer, Disposition.FILTERED, verdict)
                self.tally.rejected += 1
        except (MessageError, OrganizationError) as error:
            self.tally.failed += 1
            used_up = gateway.failed(offer.source_key, str(error), offer.message.subject)
            if not (used_up or (isinstance(error, MessageError) and error.permanent)):
                return False
            gateway.settle(offer, Disposition.PARKED, replace(verdict, deliver=False, detail=str(error)))
            return True
        self.tally.processed += 1
        return True

    def _remember(self, ctx: RunContext[RssState], items: Sequence[FeedItem], answer: Answer | None, newest: Cursor) -> None:
        """The state where it says something new. `answer`: None when the feed must be looked at again in any case."""
        before = ctx.state.value
        after = RssState(
            _kept(answer.headers.get("etag", "")) if answer is not None else "",
            _kept(answer.headers.get("last-modified", "")) if answer is not None else "",
            newest,
        )
        if after != before and items:
            ctx.state.commit(after)


def _conditions(state: RssState) -> list[tuple[str, str]]:
    fields = (("If-None-Match", state.etag), ("If-Modified-Since", state.modified))
    return [(name, value) for name, value in fields if value]


def _kept(validator: str) -> str:
    usable = len(validator) <= VALIDATOR_LENGTH and all(" " <= one <= "~" for one in validator)
    return validator if usable else ""


def _advanced(cursor: Cursor, one: _Found, signpost: datetime) -> Cursor:
    """No further than the run's own time; items without a date lead nowhere, older ones neither."""
    target = min(one.item.when or signpost, signpost)
    if one.item.when is None or (cursor.threshold is not None and target <= cursor.threshold):
        return cursor
    return Cursor(target)


def _key(text: str) -> str:
    """What the ledger calls it, at most 320 characters."""
    if len(text) <= KEY_LENGTH and text.isprintable():
        return text
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def as_octets(item: FeedItem, key: str, host: str, mailbox: str) -> bytes:
    """The message that an item is: always the same octets for the same item, its Message-ID made from its key."""
    name = re.sub(r"[^A-Za-z0-9.-]", "-", host)
    author = item.address if is_usable(item.address) else f"feed@{name}"
    text = _clean("\r\n\r\n".join(part for part in (item.body, item.link) if part)) + "\r\n"
    markup = "<" in item.body and ">" in item.body
    message = OutgoingMessage(
        message_id=f"<{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}@{name}>",
        date=item.when or NO_DATE,
        from_=Address(author, _clean(item.author)[:200]),
        to=(Address(mailbox),) if is_usable(mailbox) else (),
        subject=_clean(item.title)[:TITLE_LENGTH],
        text=None if markup else text,
        html=text if markup else None,
    )
    try:
        octets = compose(message)
    except ValueError:  # an address that no header can hold
        octets = compose(replace(message, from_=Address(f"feed@{name}"), to=()))
    return octets if item.when is not None else _DATE_LINE.sub(b"", octets, count=1)


def _clean(text: str) -> str:
    return _CONTROL.sub(" ", text)
