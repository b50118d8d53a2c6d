"""One run over an open mailbox: which messages, in which commits, and what is remembered of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from postroom.errors import Cancelled, MessageError, OrganizationError, PostroomError, ProviderError
from postroom.model.verdict import ReasonCode, Verdict
from postroom.providers.contract import Delivered, Disposition, IncomingOffer, RunContext
from postroom.providers.lifecycle import Tally, reraise

if TYPE_CHECKING:
    from postroom.providers.mailbox import MailboxProvider

__all__ = ["Fetched", "Listed", "MailboxRun", "MailboxState", "of_one_message"]

GROUP_MESSAGES = 50
"""Messages asked for at once; nothing is disposed of while answers are outstanding."""
LEAVE = ""
"""Remembered in the place of a digest for a parked message: it stays at the source and is not looked at again (reference 3.5)."""
BATCH_OCTETS = 4 * 1024 * 1024
BATCH_SECONDS = 5.0
"""A commit is not put off longer than this by a slow source, so that a run that is cut off keeps its progress."""


@dataclass(frozen=True, slots=True)
class MailboxState:
    """What a mailbox provider remembers beside the seen keys. Ours.

    left        messages that were left at the source by the last run; None when unknown (first run, lost state)
    looking     the source's keys look renamed: ask for each digest whether it was settled before, until no new key is left
    touched_on  ISO date of the last time the seen keys that are still listed were kept from expiring
    totals      what the source said of all messages together when each of them was known to be the one that was seen under its key
    nameless    messages without a key were handled: whoever gets a key next may be one of them
    """

    left: int | None = None
    looking: bool = False
    touched_on: str = ""
    nameless: bool = False
    totals: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """One message of a listing: `key` as the source calls it ("" when it has no stable names), `place` is the provider's own."""

    key: str
    place: Any


@dataclass(frozen=True, slots=True)
class Fetched:
    """One message retrieved whole, or the `error` that this one message met (`octets` then hold what there is, maybe nothing)."""

    listed: Listed
    octets: bytes = b""
    error: MessageError | None = None


@dataclass(slots=True)
class _Candidate:
    """A message on its way through one batch. `again`: its key was seen before; `suspect`: and the source tells another size of it now; `ask`: it may have been settled under another key; `known`: it was settled before;
    `done`: it is settled now; `parked`: it stays at the source."""

    listed: Listed
    offer: IncomingOffer
    error: MessageError | None = None
    again: bool = False
    suspect: bool = False
    ask: bool = False
    known: bool = False
    done: bool = False
    parked: bool = False
    remembered: bool = False


class MailboxRun:
    """One run over an open mailbox."""

    def __init__(self, provider: MailboxProvider[Any], ctx: RunContext[MailboxState], tally: Tally) -> None:
        self.provider = provider
        self.ctx = ctx
        self.tally = tally
        self.total = 0
        self.disposed = 0
        self.looking = False
        self.nameless = False
        self.totals = ""
        self.sizes: dict[str, int] = {}
        self.suspects: set[str] = set()
        self.touched_on = ctx.state.value.touched_on
        self.pending: list[_Candidate] = []
        self.pending_octets = 0
        self.pending_since = 0.0
        self.disposable: list[Listed] = []

    def work(self) -> None:
        listing = self.provider.list_messages(self.ctx)
        self.total = len(listing)
        if listing and not all(listed.key for listed in listing):
            nameless = [listed for listed in listing if not listed.key]
            self.nameless = True
            self._work_without_keys(nameless)
            if len(nameless) == len(listing):
                return
            listing = [listed for listed in listing if listed.key]
        listing = _distinct(listing)
        new, again = self._choose(listing)
        # New mail first: a long row of old messages to be removed must not hold it up.
        wanted = [listed for listed in listing if listed.key in new] + [listed for listed in listing if listed.key in again]
        # Old ones wait for the next cycle: what a server refuses to remove must not make run follow run.
        self.tally.more = self.tally.more or len(new) > self.ctx.items
        taken = wanted[: self.ctx.items]
        for start in range(0, len(taken), GROUP_MESSAGES):
            self._take(taken[start : start + GROUP_MESSAGES], again)
        self.looking = self.looking and self.tally.more

    def interrupted(self) -> None:
        """Something may be left at the source now, how much is unknown."""
        if self.tally.progress and self.ctx.state.value.left is not None:
            self.remember(left=None)

    def remember(self, left: int | None) -> None:
        """Commit the state when it says something new; no progress, no commit."""
        before = self.ctx.state.value
        totals = before.totals if self.suspects else self.totals
        state = MailboxState(left, self.looking, self.touched_on, self.nameless, totals)
        if state != before and (self.total or before.left is not None):
            self.ctx.state.commit(state)

    # -- choosing

    def _choose(self, listing: Sequence[Listed]) -> tuple[set[str], set[str]]:
        """Keys to retrieve: new ones; and of those seen before: where messages are deleted, the ones that are still there (the removal was lost),
        which are looked at again before they are removed; where messages stay, the ones of another size than before. For a key may have been given
        to another message."""
        keys = [listed.key for listed in listing]
        new = set(self.ctx.seen.new_among(keys))
        self._suspect(keys, new)
        old = [key for key in keys if key not in new]
        self._touch(old)
        if not self.provider.deletes:
            return new, self._changed(listing, old, self.ctx.items - len(new))
        return new, set(self._to_look_at_again(old, self.ctx.items - len(new)))

    def _changed(self, listing: Sequence[Listed], old: Sequence[str], room: int) -> set[str]:
        """Keys seen before under which the source now tells another size: at most `room`, the others in the next run. A poll that finds nothing
        costs one question to the source and none to the store; another message of the same size is overlooked."""
        before = self.ctx.state.value.totals
        self.totals = before
        totals = self.provider.mailbox_totals(self.ctx) if listing else ""
        if totals == before or room < 0:  # nothing changed; or there is more new mail than one run takes: when that is done
            return set()
        self.totals = totals
        places = self.provider.message_sizes(self.ctx) if totals else {}
        self.sizes = {one.key: places[one.place] for one in listing if one.place in places}
        if not (old and self.sizes):
            return set()
        learned: dict[str, str] = {}
        for key, text in self.ctx.seen.recall(old).items():
            size = _size_of(text)
            if size is None:
                learned[key] = self._remembered(key, _digest_of(text))
            elif size != self.sizes.get(key, size):
                self.suspects.add(key)
        if learned:
            self.ctx.seen.add(learned)
        return set(islice((key for key in old if key in self.suspects), room))

    def _remembered(self, key: str, digest: str) -> str:
        """What is kept under a key: the digest, and where the source told it the size."""
        size = self.sizes.get(key)
        return digest if size is None else f"{digest} {size}"

    def _seen_digest(self, key: str) -> str | None:
        text = self.ctx.seen.digest(key)
        return None if text is None else _digest_of(text)

    def _to_look_at_again(self, keys: Iterable[str], room: int) -> Iterator[str]:
        """Those that may still be removed, as far as there is `room`."""
        return islice((key for key in keys if self._seen_digest(key) != LEAVE), max(0, room))

    def _suspect(self, keys: Sequence[str], new: set[str]) -> None:
        """Messages were left here and now every key is new: the source may have renamed all (pitfalls 2.4). Unknown counts as left."""
        state = self.ctx.state.value
        renamed = bool(keys) and ((len(new) == len(keys) and state.left != 0) or state.nameless)
        if renamed and state.left is not None:
            self.ctx.log(
                "mailbox.keys_renamed", "keys look renamed; asking the ledger before anything is delivered", count=len(new)
            )
        self.looking = (renamed or state.looking) and bool(new)
        if self.looking != state.looking:
            self.remember(state.left)

    def _touch(self, keys: Sequence[str]) -> None:
        today = self.ctx.clock.now().date().isoformat()
        if keys and self.touched_on != today:
            self.ctx.seen.touch(keys)
            self.touched_on = today

    def _work_without_keys(self, listing: Sequence[Listed]) -> None:
        """The source has no stable names: the octets are the name. Everything is retrieved in each run; the protocol leaves
        no other way. At most `ctx.items` of them are handled."""
        taken = 0
        copies: Counter[str] = Counter()
        for start in range(0, len(listing), GROUP_MESSAGES):
            if taken >= self.ctx.items:
                self.tally.more = True
                return
            found = []
            for fetched in self._retrieve(listing[start : start + GROUP_MESSAGES]):
                digest = hashlib.sha256(fetched.octets).hexdigest()
                copies[digest] += 1
                found.append(
                    replace(fetched, listed=replace(fetched.listed, key=_numbered(f"sha256:{digest}", copies[digest])))
                )
            new = set(self.ctx.seen.new_among([fetched.listed.key for fetched in found]))
            for fetched in found:
                if fetched.listed.key not in new:
                    if fetched.error is None and self._seen_digest(fetched.listed.key) != LEAVE:
                        self.disposable.append(fetched.listed)
                elif taken < self.ctx.items:
                    taken += 1
                    # It may have had a key once. A further copy of the same octets is another message (RFC 1939 §7).
                    self._add(fetched, again=False, ask=" " not in fetched.listed.key)
                else:
                    self.tally.more = True
            self._flush()
            self._dispose()

    # -- taking

    def _take(self, group: Sequence[Listed], again: set[str]) -> None:
        for fetched in self._retrieve(group):
            self._add(fetched, again=fetched.listed.key in again)
            if self.pending_octets >= BATCH_OCTETS or self.ctx.clock.monotonic() - self.pending_since >= BATCH_SECONDS:
                self._flush()
        self._flush()
        self._dispose()

    def _retrieve(self, group: Sequence[Listed]) -> Iterator[Fetched]:
        self.ctx.raise_if_cancelled()
        try:
            for fetched in self.provider.retrieve_messages(self.ctx, group):
                yield fetched
                self.ctx.raise_if_cancelled()
        except Cancelled:
            raise
        except ProviderError as error:
            reraise(self.provider.handle_retrieve_error(self.ctx, error), error)

    def _add(self, fetched: Fetched, *, again: bool, ask: bool = False) -> None:
        if not self.pending:
            self.pending_since = self.ctx.clock.monotonic()
        provider, ctx = self.provider, self.ctx
        message = provider.parse_message(ctx, fetched.octets)
        offer = IncomingOffer(
            fetched.listed.key, fetched.octets, message, provider.received_on(ctx, message), provider.env.mailbox
        )
        suspect = fetched.listed.key in self.suspects
        candidate = _Candidate(fetched.listed, offer, fetched.error, again, suspect, ask)
        if candidate.error is None:
            try:
                provider.validate_message(ctx, offer)
                candidate.offer = provider.unwrap_message(ctx, offer)
            except MessageError as error:
                candidate.error = _as_message_error(provider.handle_validate_error(ctx, offer, error), offer)
        self.pending.append(candidate)
        self.pending_octets += len(fetched.octets)

    def _flush(self) -> None:
        """One commit for all that is pending; then they are seen; then they may be disposed of. Asked to end meanwhile, what is settled by
        then is kept (one message at least, so that a slow source does not keep the run from ever getting on). Raises Cancelled."""
        pending, self.pending, self.pending_octets = self.pending, [], 0
        if not pending:
            return
        self._look_up(pending)
        counts = Tally()
        ended: Cancelled | None = None
        if any(not candidate.known for candidate in pending):
            with self.ctx.gateway.batch():
                for number, candidate in enumerate(pending):
                    try:
                        if number:
                            self.ctx.raise_if_cancelled()
                    except Cancelled as asked:
                        ended = asked
                        break
                    self._settle(candidate, counts)
        done = [candidate for candidate in pending if candidate.done]
        fresh = {c.listed.key: LEAVE if c.parked else c.offer.message.digest for c in done if not c.remembered}
        if fresh:
            self.ctx.seen.add({key: self._remembered(key, digest) for key, digest in fresh.items()})
        self.suspects.difference_update(candidate.listed.key for candidate in done)
        self.disposable.extend(candidate.listed for candidate in done if not candidate.parked)
        for name in ("processed", "delivered", "rejected", "failed"):
            setattr(self.tally, name, getattr(self.tally, name) + getattr(counts, name))
        if ended is not None:
            raise ended

    def _look_up(self, pending: Iterable[_Candidate]) -> None:
        """Which of them were settled before, under this key or another one: only remembered, not delivered again."""
        asked = []
        for candidate in pending:
            digest = candidate.offer.message.digest
            if candidate.again and self._seen_digest(candidate.listed.key) == digest:
                candidate.known = candidate.done = True
                candidate.remembered = not candidate.suspect  # its size is told differently now
            elif (self.looking or candidate.again or candidate.ask) and candidate.error is None:
                asked.append(candidate)
        if asked:
            settled = self.ctx.gateway.settled([candidate.offer.message.digest for candidate in asked])
            for candidate in asked:
                disposition = settled.get(candidate.offer.message.digest)
                candidate.known = candidate.done = disposition is not None
                candidate.parked = disposition is Disposition.PARKED

    def _settle(self, candidate: _Candidate, counts: Tally) -> None:
        if candidate.known or (candidate.again and not candidate.suspect and candidate.error is not None):
            return  # settled before; or it was, and cannot be looked at again now: it stays
        gateway, offer = self.ctx.gateway, candidate.offer
        verdict = Verdict(deliver=False, reason=ReasonCode.UNKNOWN)
        try:
            if candidate.error is not None:
                raise candidate.error
            verdict = self._accept(offer)
            if verdict.deliver:
                counts.delivered += self._deliver(offer, verdict).created
            else:
                gateway.settle(offer, Disposition.FILTERED, verdict)
                candidate.parked = (
                    verdict.reason is ReasonCode.BEFORE_WATERMARK
                )  # too old to be looked at: it stays at the source
                counts.rejected += 1
        except MessageError as error:
            counts.failed += 1
            if not gateway.failed(offer.source_key, str(error), offer.message.subject) and not error.permanent:
                return
            gateway.settle(offer, Disposition.PARKED, replace(verdict, deliver=False, detail=str(error)))
            candidate.parked = True
        else:
            counts.processed += 1
        candidate.done = True

    def _accept(self, offer: IncomingOffer) -> Verdict:
        try:
            verdict = self.provider.accept_message(self.ctx, offer)
        except Exception as error:
            reraise(of_one_message(self.provider.handle_accept_error(self.ctx, offer, error), offer), error)
        if not verdict.deliver and verdict.reason is ReasonCode.UNKNOWN:
            # Undecided counts as a failure that may be tried again (server-side-sync reference 4.1, 3.5).
            raise MessageError(verdict.detail or "undecided", source_key=offer.source_key)
        return verdict

    def _deliver(self, offer: IncomingOffer, verdict: Verdict) -> Delivered:
        try:
            return self.provider.deliver_message(self.ctx, offer, verdict)
        except Exception as error:
            reraise(of_one_message(self.provider.handle_deliver_error(self.ctx, offer, error), offer), error)

    def _dispose(self) -> None:
        done, self.disposable = self.disposable, []
        if done and self.provider.deletes:
            self.provider.dispose_messages(self.ctx, done)
            self.disposed += len(done)


def _digest_of(text: str) -> str:
    return text.partition(" ")[0]


def _size_of(text: str) -> int | None:
    size = text.partition(" ")[2]
    return int(size) if size.isdecimal() else None


def _distinct(listing: Sequence[Listed]) -> list[Listed]:
    """Two messages may share a key in one listing (RFC 1939 §7 allows hashes): the second becomes "key 2", so that it is neither lost
    nor looped over. A blank cannot be part of a UIDL. An empty key in a listing that has keys is not admitted."""
    if len({listed.key for listed in listing}) == len(listing):
        return list(listing)
    copies: Counter[str] = Counter()
    found = []
    for listed in listing:
        copies[listed.key] += 1
        number = copies[listed.key]
        found.append(listed if number == 1 else replace(listed, key=_numbered(listed.key, number)))
    return found


def _numbered(key: str, number: int) -> str:
    return key if number == 1 else f"{key} {number}"


def of_one_message(error: Exception, offer: IncomingOffer) -> Exception:
    """What may be held against one message alone: its own errors, the organization's refusals, and errors that nobody foresaw (a
    plug-in's, ours), so that no message can stop those behind it for ever. The store's and the connection's errors end the run."""
    if isinstance(error, OrganizationError) or not isinstance(error, PostroomError):
        return _as_message_error(error, offer)
    return error


def _as_message_error(error: Exception, offer: IncomingOffer) -> MessageError:
    if isinstance(error, MessageError):
        return error
    text = str(error) if isinstance(error, PostroomError) else type(error).__name__
    return MessageError(text, source_key=offer.source_key)
