"""What a provider's process may ask for during a run, answered from the run's context. One table, CALLS, names it all; the protocol page and
its test read it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from postroom.errors import MessageError, ProtocolError, ProviderError, StaleRun
from postroom.mime.compose import compose
from postroom.mime.parse import parse_message
from postroom.model.verdict import ReasonCode, Verdict
from postroom.providers.contract import (
    ClaimedEmail,
    Connection,
    Disposition,
    IncomingOffer,
    RecipientResult,
    RunContext,
    Submission,
)
from postroom.providers.mailbox_run import of_one_message
from postroom.providers.wire import pack, unpack, verdict_from, verdict_to

__all__ = ["CALLS", "Answers", "StateCodec"]

MOST_OFFERS = 1000
MOST_OCTETS = 256 * 1024 * 1024
"""Of messages that a process offered and has not settled."""
MOST_KEYS = 200_000
MOST_CONNECTIONS = 16
MOST_LOGGED = 10_000
SOURCE_KEY = 320
PIECE = 256 * 1024
PAUSE = 0.2
"""Seconds."""


@dataclass(frozen=True, slots=True)
class StateCodec:
    """How a state passes the pipe."""

    out: Callable[[Any], Any]
    back: Callable[[Any], Any]


@dataclass(slots=True)
class _Offered:
    offer: IncomingOffer
    verdict: Verdict | None = None


class Answers:
    """The context of one run (or check), at the disposal of a process. `effects` False: a check, which changes nothing."""

    def __init__(self, ctx: RunContext[Any], state: StateCodec, *, effects: bool) -> None:
        self.ctx = ctx
        self.state = state
        self.effects = effects
        self.stale: StaleRun | None = None
        self.batch: AbstractContextManager[None] | None = None
        self._offers: dict[str, _Offered] = {}
        self._octets = 0
        self._claimed: dict[str, ClaimedEmail] = {}
        self._connections: dict[int, Connection] = {}
        self._number = 0
        self._logged = 0

    def answer(self, name: Any, given: Mapping[str, Any]) -> Any:
        """What the process gets. Raises what the context raises, and ProtocolError for a call that is none."""
        call = CALLS.get(name) if isinstance(name, str) else None
        if call is None:
            raise ProtocolError("the provider's process asked for something that there is not", code="process-call")
        if call.effect and not self.effects:
            raise ProtocolError(f"a check has no effects: {name} is refused", code="process-call")
        try:
            return call.answer(self, given)
        except StaleRun as stale:
            self.stale = stale
            raise

    def log(self, given: Mapping[str, Any]) -> None:
        """A line of its log; after too many of them no more are kept."""
        self._logged += 1
        if self._logged > MOST_LOGGED:
            return
        values = given.get("values")
        kept = {str(key)[:60]: one for key, one in list(values.items())[:20]} if isinstance(values, Mapping) else {}
        shown = {key: one if isinstance(one, bool | int | float) else str(one)[:500] for key, one in kept.items()}
        self.ctx.log(str(given.get("event") or "provider")[:100], str(given.get("text") or "")[:2000], **shown)

    def close(self) -> None:
        """Whatever the process left open is undone."""
        for connection in self._connections.values():
            try:
                connection.close()
            except (OSError, ProviderError):
                continue
        self._connections.clear()
        if self.batch is not None:
            self._leave(ProtocolError("the provider's process left a batch open", code="process-batch"))

    def _leave(self, error: BaseException | None) -> None:
        batch, self.batch = self.batch, None
        if batch is None:
            raise ProtocolError("the provider's process ends a batch that it did not begin", code="process-batch")
        if error is None:
            batch.__exit__(None, None, None)
            return
        try:
            batch.__exit__(type(error), error, error.__traceback__)
        except BaseException as same:
            if same is not error:
                raise

    # -- messages

    def offered(self, given: Mapping[str, Any]) -> _Offered:
        """The offer that a call speaks of: with its octets, or one of before by its key."""
        key = _text(given, "source_key", SOURCE_KEY)
        if "octets" not in given:
            if key not in self._offers:
                raise ProtocolError("the provider's process speaks of an offer without its octets", code="process-values")
            return self._offers[key]
        octets = _octets(given, "octets")
        message = parse_message(octets, monotonic=self.ctx.clock.monotonic)
        if key in self._offers and self._offers[key].offer.message.digest == message.digest:
            return self._offers[key]
        self.forget(key)
        self._octets += len(octets)
        if len(self._offers) >= MOST_OFFERS or self._octets > MOST_OCTETS:
            raise ProtocolError("the provider's process offers more than it settles", code="process-endless")
        received = given.get("received_on")
        when = unpack(_moment(), received) if received else _received(self.ctx, message)
        offer = IncomingOffer(key, octets, message, when, _text(given, "submitted_by", SOURCE_KEY, needed=False))
        self._offers[key] = _Offered(offer)
        return self._offers[key]

    def forget(self, key: str) -> None:
        gone = self._offers.pop(key, None)
        if gone is not None:
            self._octets -= len(gone.offer.octets)

    def check_incoming(self, given: Mapping[str, Any]) -> Any:
        one = self.offered(given)
        one.verdict = self.ctx.gateway.check_incoming(one.offer)
        return verdict_to(one.verdict)

    def deliver_incoming(self, given: Mapping[str, Any]) -> Any:
        one = self.offered(given)
        verdict = verdict_from(given.get("verdict"), one.verdict)
        done = pack(self.ctx.gateway.deliver_incoming(one.offer, verdict))
        self.forget(one.offer.source_key)
        return done

    def settle(self, given: Mapping[str, Any]) -> Any:
        one = self.offered(given)
        disposition = unpack(Disposition, given.get("disposition"))
        self.ctx.gateway.settle(one.offer, disposition, verdict_from(given.get("verdict"), one.verdict))
        self.forget(one.offer.source_key)

    def take_in(self, given: Mapping[str, Any]) -> Any:
        """One message as a mailbox provider would: asked, delivered or filtered, committed, and only then remembered. What may be held against this
        message alone is counted, and parked when its attempts are used up."""
        one = self.offered(given)
        gateway, offer = self.ctx.gateway, one.offer
        verdict = Verdict(deliver=False, reason=ReasonCode.UNKNOWN)
        with gateway.batch():
            try:
                verdict = gateway.check_incoming(offer)
                if not verdict.deliver and verdict.reason is ReasonCode.UNKNOWN:
                    raise MessageError(verdict.detail or "undecided", source_key=offer.source_key)
                if verdict.deliver:
                    gateway.deliver_incoming(offer, verdict)
                else:
                    gateway.settle(offer, Disposition.FILTERED, verdict)
                disposition = Disposition.TRACKED if verdict.deliver else Disposition.FILTERED
            except Exception as error:
                alone = of_one_message(error, offer)
                if not isinstance(alone, MessageError):
                    raise
                if not gateway.failed(offer.source_key, str(alone), offer.message.subject) and not alone.permanent:
                    return {"disposition": None, "error": str(alone)[:2000]}
                verdict = replace(verdict, deliver=False, detail=str(alone))
                gateway.settle(offer, Disposition.PARKED, verdict)
                disposition = Disposition.PARKED
        self.ctx.seen.add({offer.source_key: offer.message.digest})
        self.forget(offer.source_key)
        return {"disposition": disposition.value, "verdict": verdict_to(verdict)}

    def begin(self, _: Mapping[str, Any]) -> Any:
        if self.batch is not None:
            raise ProtocolError("batches are not nested", code="process-batch")
        batch = self.ctx.gateway.batch()
        batch.__enter__()
        self.batch = batch

    # -- sending

    def claim(self, given: Mapping[str, Any]) -> Any:
        found = self.ctx.gateway.claim_outgoing(_number(given, "limit", 1, 100_000))
        self._claimed |= {email.email_id: email for email in found}
        return [_claimed(email) for email in found]

    def claimed(self, given: Mapping[str, Any]) -> ClaimedEmail:
        found = self._claimed.get(_text(given, "email_id", 200))
        if found is None:
            raise ProtocolError("the provider's process speaks of an email that it did not claim", code="process-values")
        return found

    def submitting(self, given: Mapping[str, Any]) -> Any:
        refused = unpack(tuple[RecipientResult, ...], given.get("refused") or [])
        self.ctx.gateway.mark_submitting(self.claimed(given), refused)

    def report(self, given: Mapping[str, Any]) -> Any:
        email = self.claimed(given)
        self.ctx.gateway.report_outgoing(email, unpack(Submission, given.get("submission")))
        del self._claimed[email.email_id]

    # -- the network

    def connect(self, given: Mapping[str, Any]) -> Any:
        if len(self._connections) >= MOST_CONNECTIONS:
            raise ProtocolError("the provider's process opens too many connections", code="process-endless")
        host, port = _text(given, "host", 255), _number(given, "port", 1, 65535)
        made = self.ctx.net.connect(host, port, timeout=_wait(given, self.ctx.timeout), tls=given.get("tls") is True)
        self._number += 1
        self._connections[self._number] = made
        return {"connection": self._number}

    def _connection(self, given: Mapping[str, Any]) -> Connection:
        found = self._connections.get(_number(given, "connection", 1, 2**31))
        if found is None:
            raise ProtocolError("the provider's process speaks of a connection that is closed", code="process-values")
        return found

    def secure(self, given: Mapping[str, Any]) -> Any:
        secured = self.ctx.net.start_tls(self._connection(given), _text(given, "host", 255))
        self._connections[int(given["connection"])] = secured

    def send(self, given: Mapping[str, Any]) -> Any:
        self._connection(given).sendall(_octets(given, "octets"))

    def receive(self, given: Mapping[str, Any]) -> Any:
        connection = self._connection(given)
        connection.settimeout(_wait(given, self.ctx.timeout))
        return {"octets": pack(connection.recv(_number(given, "limit", 1, PIECE)))}

    def disconnect(self, given: Mapping[str, Any]) -> Any:
        found = self._connections.pop(_number(given, "connection", 1, 2**31), None)
        if found is not None:
            found.close()

    def alert(self, given: Mapping[str, Any]) -> Any:
        self.ctx.alert(_text(given, "key", SOURCE_KEY), _text(given, "text", 500))

    # -- memory and time

    def commit(self, given: Mapping[str, Any]) -> Any:
        self.ctx.state.commit(self.state.back(given.get("value")))

    def rewind(self, given: Mapping[str, Any]) -> Any:
        self.ctx.state.rewind(self.state.back(given.get("value")), _text(given, "reason", 2000))

    def sleep(self, given: Mapping[str, Any]) -> Any:
        """In small pieces, so that a run that was cancelled does not sleep on."""
        left = min(_wait(given, 0.0), self.ctx.remaining())
        while left > 0 and not self.ctx.cancelled():
            self.ctx.clock.sleep(min(left, PAUSE))
            left -= PAUSE


@dataclass(frozen=True, slots=True)
class Call:
    """`effect`: it may change something, and is refused during a check. `says`: for the page about the protocol."""

    answer: Callable[[Answers, Mapping[str, Any]], Any]
    says: str
    effect: bool = False


CALLS: Mapping[str, Call] = {
    "check_incoming": Call(
        Answers.check_incoming, "source_key, octets, received_on?, submitted_by? -> {deliver, reason, detail}"
    ),
    "deliver_incoming": Call(
        Answers.deliver_incoming, "source_key, octets?, verdict? -> {email_id, created}; in a batch", True
    ),
    "settle": Call(Answers.settle, "source_key, octets?, disposition (filtered, parked), verdict?; in a batch", True),
    "take_in": Call(
        Answers.take_in,
        "source_key, octets, received_on?, submitted_by? -> {disposition, verdict}; all in one, seen key too",
        True,
    ),
    "batch.begin": Call(Answers.begin, "what follows shares one commit", True),
    "batch.commit": Call(lambda self, _: self._leave(None), "durable when answered", True),
    "batch.abandon": Call(lambda self, _: self._leave(ProtocolError("abandoned")), "undone", True),
    "failed": Call(
        lambda self, given: self.ctx.gateway.failed(
            _text(given, "source_key", SOURCE_KEY), _text(given, "detail", 2000), _text(given, "subject", 2000, needed=False)
        ),
        "source_key, detail, subject? -> true when its attempts are used up",
        True,
    ),
    "settled": Call(
        lambda self, given: pack(dict(self.ctx.gateway.settled(_keys(given, "digests")))), "digests -> {digest: disposition}"
    ),
    "claim_outgoing": Call(Answers.claim, "limit -> [{email_id, attempt, envelope_from, recipients, message, octets}]", True),
    "mark_submitting": Call(Answers.submitting, "email_id, refused?; before the server becomes responsible", True),
    "report_outgoing": Call(Answers.report, "email_id, submission {result, recipients, reply, retry_after, attempted}", True),
    "state.get": Call(lambda self, _: self.state.out(self.ctx.state.value), "-> the state"),
    "state.commit": Call(Answers.commit, "value; durable when answered", True),
    "state.rewind": Call(Answers.rewind, "value, reason", True),
    "seen.new_among": Call(lambda self, given: self.ctx.seen.new_among(_keys(given, "keys")), "keys -> those not seen"),
    "seen.digest": Call(lambda self, given: self.ctx.seen.digest(_text(given, "key", SOURCE_KEY)), "key -> digest or null"),
    "seen.recall": Call(lambda self, given: dict(self.ctx.seen.recall(_keys(given, "keys"))), "keys -> {key: digest}"),
    "seen.add": Call(lambda self, given: self.ctx.seen.add(_entries(given)), "entries {key: digest}", True),
    "seen.touch": Call(lambda self, given: self.ctx.seen.touch(_keys(given, "keys")), "keys", True),
    "alert": Call(Answers.alert, "key (names the occasion: telling it again is one alert), text", True),
    "net.connect": Call(Answers.connect, "host, port, tls?, timeout? -> {connection}"),
    "net.start_tls": Call(Answers.secure, "connection, host"),
    "net.send": Call(Answers.send, "connection, octets"),
    "net.recv": Call(Answers.receive, "connection, limit, timeout? -> {octets}"),
    "net.close": Call(Answers.disconnect, "connection"),
    "clock.now": Call(lambda self, _: pack(self.ctx.clock.now()), "-> ISO 8601, UTC"),
    "clock.sleep": Call(Answers.sleep, "timeout"),
    "cancelled": Call(lambda self, _: self.ctx.cancelled() or self.ctx.remaining() <= 0, "-> true when the run should end"),
    "remaining": Call(lambda self, _: self.ctx.remaining(), "-> seconds until the deadline"),
}


def _claimed(email: ClaimedEmail) -> dict[str, Any]:
    told: dict[str, Any] = pack(email)
    try:
        told["octets"] = pack(compose(email.message))
    except Exception as wrong:  # what cannot be composed is the provider's to report, as it would be in this process
        told |= {"octets": None, "problem": type(wrong).__name__}
    return told


def _moment() -> Any:
    from datetime import datetime

    return datetime


def _received(ctx: RunContext[Any], message: Any) -> Any:
    return message.received[0] if message.received else message.date or ctx.clock.now()


def _wrong(name: str) -> ProtocolError:
    return ProtocolError(f"the provider's process gave no usable {name}", code="process-values")


def _text(given: Mapping[str, Any], name: str, longest: int, *, needed: bool = True) -> str:
    value = given.get(name)
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or len(value) > longest or (needed and not value):
        raise _wrong(name)
    if "\0" in value or (not value.isascii() and any("\ud800" <= one <= "\udfff" for one in value)):
        raise _wrong(name)
    return value


def _number(given: Mapping[str, Any], name: str, low: int, high: int) -> int:
    value = given.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _wrong(name)
    return value


def _wait(given: Mapping[str, Any], default: float) -> float:
    value = given.get("timeout", default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 86400:
        raise _wrong("timeout")
    return float(value)


def _octets(given: Mapping[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(given[name], validate=True)
    except (KeyError, TypeError, ValueError):
        raise _wrong(name) from None


def _keys(given: Mapping[str, Any], name: str) -> list[str]:
    values = given.get(name)
    if not isinstance(values, list) or len(values) > MOST_KEYS:
        raise _wrong(name)
    return [_text({name: one}, name, SOURCE_KEY) for one in values]


def _entries(given: Mapping[str, Any]) -> dict[str, str]:
    values = given.get("entries")
    if not isinstance(values, Mapping) or len(values) > MOST_KEYS:
        raise _wrong("entries")
    return {
        _text({"key": key}, "key", SOURCE_KEY): _text({"digest": digest}, "digest", 128, needed=False)
        for key, digest in values.items()
    }
