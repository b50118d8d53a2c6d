"""The other end of the pipes, for providers in Python: `python -m postroom.providers.host package.module:Class`.

The provider sees the context that it would see inside the engine; each use of it is a line to the engine and a line back. What it prints goes to
standard error, so that it cannot disturb the conversation.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, BinaryIO

from postroom.clock import SystemClock
from postroom.errors import Cancelled, ConfigError, ConnectionFailed
from postroom.model.verdict import ReasonCode, Verdict
from postroom.providers.configuration.loading import from_mapping
from postroom.providers.connectors import GuardedConnection
from postroom.providers.contract import (
    Capability,
    ClaimedEmail,
    Delivered,
    Disposition,
    IncomingOffer,
    ProviderEnv,
    RecipientResult,
    RunContext,
    Submission,
)
from postroom.providers.registry import Registry
from postroom.providers.state import decode, encode
from postroom.providers.wire import API, error_from, error_to, line_of, outcome_to, pack, read_line, unpack, verdict_to

__all__ = ["main"]


class Line:
    """The conversation with the engine. A thread reads; `ask` waits for its answer."""

    def __init__(self, reader: BinaryIO, writer: BinaryIO) -> None:
        self._reader, self._writer = reader, writer
        self.requests: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.cancelled = threading.Event()
        self._lock = threading.Lock()
        self._number = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for line in self._reader:
                message = read_line(line)
                if message.get("call") == "cancel":
                    self.cancelled.set()
                elif "call" in message:
                    self.requests.put(message)
                else:
                    self._replies.put(message)
        finally:
            self.cancelled.set()
            self.requests.put(None)
            self._replies.put(None)

    def say(self, thing: Mapping[str, Any]) -> None:
        with self._lock:
            self._writer.write(line_of(thing))
            self._writer.flush()

    def ask(self, call: str, **given: Any) -> Any:
        """Raises what the engine says went wrong."""
        self._number += 1
        self.say({"id": self._number, "call": call, **given})
        reply = self._replies.get()
        if reply is None:
            raise SystemExit(1)  # the engine is gone, and nothing that is done now counts
        if "error" in reply:
            raise error_from(reply["error"])
        return reply.get("result")


class Gateway:
    def __init__(self, line: Line) -> None:
        self._line = line
        self._sent: dict[str, str] = {}

    def _offer(self, offer: IncomingOffer) -> dict[str, Any]:
        """The octets pass once; afterwards the key stands for them."""
        if self._sent.get(offer.source_key) == offer.message.digest:
            return {"source_key": offer.source_key}
        self._sent[offer.source_key] = offer.message.digest
        received = pack(offer.received_on)
        return {
            "source_key": offer.source_key,
            "octets": pack(offer.octets),
            "received_on": received,
            "submitted_by": offer.submitted_by or None,
        }

    @contextmanager
    def batch(self) -> Iterator[None]:
        self._line.ask("batch.begin")
        try:
            yield
        except BaseException:
            self._sent.clear()
            with contextlib.suppress(Exception):
                self._line.ask("batch.abandon")
            raise
        self._line.ask("batch.commit")

    def check_incoming(self, offer: IncomingOffer) -> Verdict:
        told = self._line.ask("check_incoming", **self._offer(offer))
        return Verdict(told["deliver"], ReasonCode(told["reason"]), told["detail"])

    def deliver_incoming(self, offer: IncomingOffer, verdict: Verdict) -> Delivered:
        told = self._line.ask("deliver_incoming", **self._offer(offer), verdict=verdict_to(verdict))
        self._sent.pop(offer.source_key, None)
        return unpack(Delivered, told)

    def settle(self, offer: IncomingOffer, disposition: Disposition, verdict: Verdict) -> None:
        self._line.ask("settle", **self._offer(offer), disposition=disposition.value, verdict=verdict_to(verdict))
        self._sent.pop(offer.source_key, None)

    def failed(self, source_key: str, detail: str, subject: str = "") -> bool:
        return bool(self._line.ask("failed", source_key=source_key, detail=(detail or "?")[:2000], subject=subject[:2000]))

    def settled(self, digests: Iterable[str]) -> Mapping[str, Disposition]:
        told = self._line.ask("settled", digests=list(digests))
        return {digest: Disposition(word) for digest, word in told.items()}

    def claim_outgoing(self, limit: int) -> Sequence[ClaimedEmail]:
        told = self._line.ask("claim_outgoing", limit=limit)
        return [unpack(ClaimedEmail, {key: one[key] for key in _CLAIMED}) for one in told]

    def mark_submitting(self, email: ClaimedEmail, refused: Sequence[RecipientResult] = ()) -> None:
        self._line.ask("mark_submitting", email_id=email.email_id, refused=pack(list(refused)))

    def report_outgoing(self, email: ClaimedEmail, submission: Submission) -> None:
        self._line.ask("report_outgoing", email_id=email.email_id, submission=pack(submission))


_CLAIMED = ("email_id", "attempt", "envelope_from", "recipients", "message")


class Cell:
    def __init__(self, line: Line, kind: type, kept: Any) -> None:
        self._line = line
        self.value: Any = decode(kind, kept)

    def commit(self, new: Any) -> None:
        self._line.ask("state.commit", value=encode(new))
        self.value = new

    def rewind(self, new: Any, reason: str) -> None:
        self._line.ask("state.rewind", value=encode(new), reason=reason)
        self.value = new


class Seen:
    def __init__(self, line: Line) -> None:
        self._line = line

    def new_among(self, keys: Sequence[str]) -> list[str]:
        return list(self._line.ask("seen.new_among", keys=list(keys)))

    def digest(self, key: str) -> str | None:
        found: str | None = self._line.ask("seen.digest", key=key)
        return found

    def recall(self, keys: Sequence[str]) -> Mapping[str, str]:
        return dict(self._line.ask("seen.recall", keys=list(keys)))

    def add(self, entries: Mapping[str, str]) -> None:
        self._line.ask("seen.add", entries=dict(entries))

    def touch(self, keys: Sequence[str]) -> None:
        self._line.ask("seen.touch", keys=list(keys))


class Socket:
    """A connection that the engine holds."""

    def __init__(self, line: Line, number: int, timeout: float | None) -> None:
        self.line, self.number, self.timeout = line, number, timeout

    def sendall(self, octets: bytes, /) -> None:
        for start in range(0, len(octets), _PIECE):
            self.line.ask("net.send", connection=self.number, octets=pack(bytes(octets[start : start + _PIECE])))

    def recv(self, limit: int, /) -> bytes:
        more = {} if self.timeout is None else {"timeout": self.timeout}
        told = self.line.ask("net.recv", connection=self.number, limit=max(1, min(limit, _PIECE)), **more)
        return unpack(bytes, told["octets"])

    def settimeout(self, seconds: float | None, /) -> None:
        self.timeout = seconds

    def shutdown(self, _how: int, /) -> None:
        self.close()

    def close(self) -> None:
        with contextlib.suppress(ConnectionFailed):
            self.line.ask("net.close", connection=self.number)


_PIECE = 256 * 1024


class Net:
    def __init__(self, line: Line) -> None:
        self._line = line

    def connect(self, host: str, port: int, *, timeout: float, tls: bool = False) -> GuardedConnection:
        told = self._line.ask("net.connect", host=host, port=port, timeout=timeout, tls=tls)
        return GuardedConnection(Socket(self._line, told["connection"], timeout), f"{host}:{port}")

    def start_tls(self, connection: Any, host: str) -> GuardedConnection:
        socket = connection.detach()
        self._line.ask("net.start_tls", connection=socket.number, host=host)
        return GuardedConnection(socket, host)


class EngineClock:
    """The engine's time of day; durations are this process's own."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._own = SystemClock()

    def now(self) -> datetime:
        return unpack(datetime, self._line.ask("clock.now"))

    def monotonic(self) -> float:
        return self._own.monotonic()  # the provider's process lives in real time

    def sleep(self, seconds: float) -> None:
        self._line.ask("clock.sleep", timeout=seconds)


class Log:
    def __init__(self, line: Line) -> None:
        self._line = line

    def __call__(self, event: str, text: str = "", /, **values: Any) -> None:
        shown = {key: one if isinstance(one, bool | int | float) else str(one) for key, one in values.items()}
        self._line.say({"call": "log", "event": event, "text": text, "values": shown})


class Host:
    def __init__(self, line: Line, path: str) -> None:
        self.line = line
        self.kind = Registry().find(path)
        self.spec = self.kind.spec
        self.provider: Any = None
        self.env = ProviderEnv("")

    def hello(self, asked: Mapping[str, Any]) -> Any:
        if asked.get("api", [0])[0] != API[0]:
            raise ConfigError(f"this speaks version {API[0]} of the protocol")
        return {
            "name": self.spec.name,
            "direction": str(self.spec.direction),
            "api": list(API),
            "state_version": self.spec.state_version,
            "capabilities": sorted(one.value for one in self.spec.capabilities if one is not Capability.OWN_TRANSPORT),
        }

    def configure(self, asked: Mapping[str, Any]) -> Any:
        config, problems = from_mapping(self.spec.config, asked["config"])
        if config is None:
            raise ConfigError("; ".join(str(problem) for problem in problems))
        self.env = ProviderEnv(asked["instance"], asked["organization"], asked["mailbox"])
        self.provider = self.kind(config, self.env)
        return {}

    def context(self, asked: Mapping[str, Any]) -> RunContext[Any]:
        clock = EngineClock(self.line)
        return RunContext(
            run_id=str(asked.get("run_id", "check")),
            instance=self.env.instance,
            state=Cell(self.line, self.spec.state, asked.get("state", {})),
            seen=Seen(self.line),
            gateway=Gateway(self.line),
            net=Net(self.line),
            clock=clock,
            log=Log(self.line),
            deadline=clock.monotonic() + asked["remaining"],
            items=asked.get("items", 1),
            timeout=asked["timeout"],
            cancelled=self.line.cancelled.is_set,
            alert=lambda key, text: self.line.ask("alert", key=key, text=text),
        )

    def check(self, asked: Mapping[str, Any]) -> Any:
        return pack(self.provider.check(self.context(asked)))

    def run(self, asked: Mapping[str, Any]) -> Any:
        return outcome_to(self.provider.run(self.context(asked)))

    def close(self, _: Mapping[str, Any]) -> Any:
        if self.provider is not None:
            self.provider.close()
        return {}

    def serve(self) -> None:
        calls = {"hello": self.hello, "configure": self.configure, "check": self.check, "run": self.run, "close": self.close}
        while (asked := self.line.requests.get()) is not None:
            try:
                self.line.say({"id": asked.get("id"), "result": calls[asked["call"]](asked)})
            except Exception as error:  # whatever the provider raises is told, and the process lives on
                self.line.say({"id": asked.get("id"), "error": error_to(error)})
            if not isinstance(asked, dict) or asked["call"] == "close":
                return
            self.line.cancelled.clear()


def main(arguments: Sequence[str]) -> int:
    reader, writer = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the provider prints
    with contextlib.suppress(BrokenPipeError, Cancelled):
        Host(Line(reader, writer), arguments[0]).serve()
        writer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
