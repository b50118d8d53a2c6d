"""One request on its way through an operation: who asks, in which version, of which world; and the messages of the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from postroom_simulator.errors import NoSuchFolder, NoSuchItem, QuotaExceeded, StoreError
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.versions import Server, Version

if TYPE_CHECKING:
    from postroom_simulator.directory import Account
    from postroom_simulator.ews.exchange import Exchange
    from postroom_simulator.ews.service import EwsService
    from postroom_simulator.ews.stream import Stream
    from postroom_simulator.store.interface import MailStore
    from postroom_simulator.world import World

__all__ = ["Call", "Value", "answer", "failure", "success"]

Value = dict[str, Any]
"""A value of a complex type, as `schema` says."""


@dataclass(slots=True)
class Call:
    """What an operation is handed besides its request.

    principal   who logged in
    account     whose mailbox it is about: the principal's, or that of whom the principal impersonates
    time_zone   Id of TimeZoneContext, "" where none was sent
    zone_definition  the TimeZoneDefinition of TimeZoneContext where it says more than an Id
    version     of the schema that the request named; answers are written in it
    base_url    scheme and host as the client wrote them, for URLs in answers
    exchange    the request on its way: its connection, its faults
    headers     of the HTTP request, names in lower case
    """

    world: World
    service: EwsService
    principal: Account
    account: Account
    version: Version
    server: Server
    operation: str = ""
    time_zone: str = ""
    zone_definition: Mapping[str, Any] | None = None
    connection: str = ""
    base_url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    exchange: Exchange | None = field(default=None, repr=False)
    stream: Stream | None = field(default=None, repr=False)

    def open_stream(self) -> Stream:
        """The answer goes on: what the operation returns is its first envelope, `Stream.send` makes each further one."""
        from postroom_simulator.ews.answering import stream_writer
        from postroom_simulator.ews.stream import Stream

        if self.exchange is None:
            raise RuntimeError("a call that belongs to no request cannot stream")
        self.stream = Stream(self.exchange.link.context, stream_writer(self))
        return self.stream

    def begin_item(self, number: int) -> EwsError | None:
        """One of a batch is next, counted from 1: a step at which faults may act. Raises EwsError in its place; returns the error that is said
        behind it, where a fault lies."""
        return self.exchange.begin_item(number) if self.exchange is not None else None

    @property
    def store(self) -> MailStore:
        return self.world.store

    def now(self) -> datetime:
        return self.world.clock.now()


def success(**payload: Any) -> Value:
    """A message of ResponseClass Success."""
    return {"@ResponseClass": "Success", "ResponseCode": "NoError", **payload}


def failure(error: EwsError, **payload: Any) -> Value:
    """A message of ResponseClass Error or Warning, with the empty payload that goes with it (ews reference 3)."""
    return {
        "@ResponseClass": "Warning" if error.warning else "Error",
        "MessageText": error.text,
        "ResponseCode": error.code,
        "DescriptiveLinkKey": 0,
        "MessageXml": error.message_xml(),
        **payload,
    }


def answer(call: Call, inputs: Iterable[Any], act: Callable[[Any], Value], *, message: str = "", **empty: Any) -> Value:
    """One message for each input, in their order. `act` gives the payload; its EwsError becomes the message of that input alone, with
    `empty` as payload, and so does what our own code stumbles over (see `EwsService.failed`)."""
    name = message or f"{call.operation}ResponseMessage"
    found: list[tuple[str, Value]] = []
    stopped = False
    for number, one in enumerate(inputs, 1):
        if stopped:
            rest = EwsError("ErrorBatchProcessingStopped", warning=True)
            found.append((name, failure(rest, **empty)))
            continue
        try:
            lie = call.begin_item(number)
            payload = act(one)
            if lie is not None:
                raise lie
            found.append((name, success(**payload)))
        except (EwsError, StoreError) as problem:
            error = refusal(problem) if isinstance(problem, StoreError) else problem
            stopped = error.code in _FATAL
            found.append((name, failure(error, **(error.payload or empty))))
        except Exception as problem:
            if call.exchange is None:
                raise
            found.append((name, failure(call.service.failed(call.exchange, problem), **empty)))
    return {"ResponseMessages": found}


_FATAL = frozenset({"ErrorMailboxMoveInProgress", "ErrorMailboxStoreUnavailable", "ErrorQuotaExceeded"})
"""After one of these nothing more is tried: the rest of a batch is told so (ews reference 3). Which ones do is our choice."""


def refusal(error: StoreError) -> EwsError:
    """What the store refuses, in the service's terms."""
    for kind, code in _REFUSALS.items():
        if isinstance(error, kind):
            return EwsError(code)
    return EwsError("ErrorInternalServerError", f"The store refuses: {error}")


_REFUSALS: Mapping[type[StoreError], str] = {
    QuotaExceeded: "ErrorQuotaExceeded",
    NoSuchItem: "ErrorItemNotFound",
    NoSuchFolder: "ErrorFolderNotFound",
}
