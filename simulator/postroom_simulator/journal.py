"""The journal: everything that happened in a world, in order, as values, and the questions that tests ask of it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, cast

from postroom_simulator.directory import fold
from postroom_simulator.errors import ExpectationFailed

if TYPE_CHECKING:
    from postroom_simulator.clock import Clock

__all__ = ["DETAIL_LIMIT", "Entry", "Journal", "Kind", "printable"]

DETAIL_LIMIT = 1000
"""Characters of `Entry.detail` that are kept (our choice); longer ones end in an ellipsis."""

NEAREST = 5
"""How many near misses a failed expectation shows."""


class Kind(StrEnum):
    """What an entry tells."""

    CONNECTED = "connected"  # a connection was accepted (or refused by a fault)
    TLS = "tls"  # a handshake ended; detail: "established" or the reason it failed
    COMMAND = "command"  # a client's command; verb and redacted arguments (EWS: data has what header fields say of client and mailbox)
    REPLY = (
        "reply"  # the first line of the server's reply (data, where a fault spoils it on its way: lost, cut, garbled or told)
    )
    LOGIN = "login"  # authentication succeeded for `account`, or failed (data["ok"] is False)
    DELIVERY = "delivery"  # an accepted message reached an account or the outbound drawer (see `delivery`)
    OFFERED = "offered"  # a message was handed to a client whole and true over a mailbox protocol (POP3 RETR; data: uid, uidl, octets)
    REMOVED = "removed"  # a message left a mailbox or its folder (POP3 UPDATE, EWS, a rule, a test)
    FAULT = "fault"  # a fault acted (data: name, effect)
    CLOSED = "closed"  # a connection ended; detail: "server", "client", "fault" or "timeout"
    NOTE = "note"  # anything else worth telling


class Entry:
    """One thing that happened.

    number      1, 2, 3 ... within the world
    at          aware UTC time by the world's clock
    kind        see `Kind`
    protocol    "pop3", "smtp", "ews", "http" or "" where no connection is involved
    connection  "pop3-1", "smtp-3" ...: counted for each world and protocol; "" where none is involved
    account     address of the account concerned, where it is known by then, else None
    verb        upper-case command for COMMAND and REPLY, else ""
    detail      human-readable, control characters escaped, never a secret
    data        more values; never a secret, an address, a port or a segmentation
    """

    __slots__ = ("account", "at", "connection", "data", "detail", "kind", "number", "protocol", "verb")

    def __init__(
        self,
        number: int,
        at: datetime,
        kind: Kind,
        protocol: str = "",
        connection: str = "",
        account: str | None = None,
        verb: str = "",
        detail: str = "",
        data: dict[str, Any] | None = None,
    ) -> None:
        self.number = number
        self.at = at
        self.kind = kind
        self.protocol = protocol
        self.connection = connection
        self.account = account
        self.verb = verb
        self.detail = detail
        self.data = data or {}

    def fields(self) -> tuple[Any, ...]:
        """Everything but number and time: what two transports have to agree on for one conversation."""
        data = tuple(sorted(self.data.items()))
        return (str(self.kind), self.protocol, self.connection, self.account, self.verb, self.detail, data)

    def __repr__(self) -> str:
        return f"<Entry {self.number} {self.line()}>"

    def line(self) -> str:
        """One line of a transcript, without number and time."""
        arrow = _ARROWS.get(self.kind)
        words = [self.connection or "-", arrow or self.kind.value]
        if arrow is None and self.account:
            words.append(self.account)
        if self.verb and self.kind is not Kind.REPLY:
            words.append(self.verb)
        if self.detail and not (self.kind is Kind.COMMAND and self.detail == self.verb):
            words.append(_without_verb(self.verb, self.detail) if self.kind is Kind.COMMAND else self.detail)
        if self.data and arrow is None:
            shown = ((name, value[:12] if name.endswith("digest") else value) for name, value in self.data.items())
            words.append(" ".join(f"{name}={_shown(value)}" for name, value in shown))
        if self.data and self.kind is Kind.REPLY:
            words.append(_fate(self.data))
        return " ".join(words)


_Row = tuple[int, datetime, str, str, str, str | None, str, str, tuple[tuple[str, Any], ...]]
"""What an `Entry` is made from: nothing that Python's garbage collector has to look through again and again, for a journal is long."""


_Retrieval = tuple[int, datetime, str, str | None, str, int, str, int]
"""The three entries of a message handed out over POP3, in one: number of the first, at, connection, account, argument, uid, uidl, octets."""


def _entries(row: _Row | _Retrieval | Entry) -> tuple[Entry, ...]:
    if isinstance(row, Entry):
        return (row,)
    if len(row) == 9:
        number, at, kind, protocol, connection, account, verb, detail, data = cast("_Row", row)
        return (Entry(number, at, Kind(kind), protocol, connection, account, verb, detail, dict(data)),)
    number, at, connection, account, argument, uid, uidl, octets = cast("_Retrieval", row)
    told = {"uid": uid, "uidl": uidl, "octets": octets}
    return (
        Entry(number, at, Kind.COMMAND, "pop3", connection, account, "RETR", argument),
        Entry(number + 1, at, Kind.REPLY, "pop3", connection, account, "RETR", f"+OK {octets} octets"),
        Entry(number + 2, at, Kind.OFFERED, "pop3", connection, account, "RETR", "", told),
    )


def _fate(data: Mapping[str, Any]) -> str:
    """What became of a reply that a fault spoiled: see `session.spoiling`."""
    if "told" in data:
        return f"(not sent; told instead: {printable(data['told'])})"
    if "garbled" in data:
        return f"({data['garbled']} octets garbled)"
    cut = data.get("cut", 0)
    return f"(cut at octet {cut})" if cut else "(not sent)"


_ARROWS = {Kind.COMMAND: "C:", Kind.REPLY: "S:"}


class Journal:
    """An ordered list of entries. Safe to write and read from several threads.

    What is written is kept as rows; they become entries, each once, when somebody asks or listens.

    `capacity` keeps only that many of the newest entries (a server that runs for weeks); `dropped` counts those lost.
    """

    def __init__(self, clock: Clock, capacity: int | None = None) -> None:
        if capacity is not None and capacity < 1:
            raise ValueError("a journal keeps at least one entry: capacity >= 1, or None for all")
        self._clock = clock
        self._entries: deque[Entry] = deque(maxlen=capacity)
        self._rows: deque[_Row | _Retrieval | Entry] = deque(maxlen=capacity)  # behind all of these, most not made entries yet
        self._number = 0
        self._at: datetime | None = None
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Entry], None]] = []

    def add(
        self,
        kind: Kind,
        *,
        protocol: str = "",
        connection: str = "",
        account: str | None = None,
        verb: str = "",
        detail: str = "",
        data: dict[str, Any] | None = None,
    ) -> Entry:
        """Write one entry. Control characters in `verb` and `detail` are escaped and their length is bounded; `data` is kept as
        it is given and must not be changed afterwards."""
        if len(detail) > DETAIL_LIMIT or not detail.isprintable():
            detail = printable(detail)
        if not verb.isprintable():
            verb = printable(verb)
        with self._lock:
            self._number += 1
            entry = Entry(self._number, self._clock.now(), kind, protocol, connection, account, verb, detail, data)
            self._rows.append(entry)  # no reason to make entries of all before it
        for listener in self._listeners:
            listener(entry)
        return entry

    def write(
        self,
        kind: Kind,
        protocol: str,
        connection: str,
        account: str | None,
        verb: str,
        detail: str,
        data: dict[str, Any] | None,
    ) -> None:
        """As `add`, for what is written at every step of a conversation: no entry is made before somebody wants to see it, and the time
        may be that of `hold_time`."""
        if len(detail) > DETAIL_LIMIT or not detail.isprintable():
            detail = printable(detail)
        if not verb.isprintable():
            verb = printable(verb)
        values = tuple(data.items()) if data else ()
        with self._lock:
            self._number = number = self._number + 1
            at = self._at or self._clock.now()
            self._rows.append((number, at, kind._value_, protocol, connection, account, verb, detail, values))
            entry = self._made()[-1] if self._listeners else None
        if entry is not None:
            for listener in self._listeners:
                listener(entry)

    def write_retrieval(self, connection: str, account: str | None, argument: str, uid: int, uidl: str, octets: int) -> None:
        """What three calls of `write` would write of a RETR that was answered with its message: the command, the reply, what was
        offered. (Of the 13 us that such a RETR took, those were 4; this is 0.6.)"""
        with self._lock:
            number = self._number + 1
            self._number += 3
            self._rows.append((number, self._at or self._clock.now(), connection, account, argument, uid, uidl, octets))
            entries = list(islice(reversed(self._made()), 3)) if self._listeners else []
        for entry in reversed(entries):
            for listener in self._listeners:
                listener(entry)

    def hold_time(self) -> None:
        """Until `release_time` all that is written with `write` happens now: one piece of input, under the world's lock."""
        self._at = self._clock.now()

    def release_time(self) -> None:
        self._at = None

    def listen(self, listener: Callable[[Entry], None]) -> None:
        """Call `listener` with every entry from now on, in the thread that writes it (a live display of traffic)."""
        self._listeners.append(listener)

    # -- questions

    def __len__(self) -> int:
        with self._lock:
            return len(self._made())

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._snapshot())

    @property
    def dropped(self) -> int:
        """Entries lost to `capacity`."""
        with self._lock:
            return self._number - len(self._made())

    def entries(
        self,
        *,
        kind: Kind | None = None,
        protocol: str | None = None,
        verb: str | None = None,
        account: str | None = None,
        connection: str | None = None,
        detail: str | None = None,
        data: Mapping[str, Any] | None = None,
        after: int = 0,
    ) -> list[Entry]:
        """Entries that meet all criteria, in order. `verb` and `account` fold case, `detail` is a part of the text, `data` names
        values that the entry must have, `after` is an entry number."""
        wanted = _criteria(
            kind=kind, protocol=protocol, connection=connection, account=account, verb=verb, detail=detail, data=data
        )
        return [entry for entry in self._snapshot() if entry.number > after and _meets(entry, wanted)]

    def commands(self, verb: str | None = None, **criteria: Any) -> list[Entry]:
        """Commands that clients gave: `commands("RETR", account="ann@sim.test")`."""
        return self.entries(kind=Kind.COMMAND, verb=verb, **criteria)

    def replies(self, verb: str | None = None, **criteria: Any) -> list[Entry]:
        """What servers answered, each with the verb that it answers."""
        return self.entries(kind=Kind.REPLY, verb=verb, **criteria)

    def deliveries(self, **criteria: Any) -> list[Entry]:
        """Messages that reached an account or the outbound drawer."""
        return self.entries(kind=Kind.DELIVERY, **criteria)

    def count(self, **criteria: Any) -> int:
        return len(self.entries(**criteria))

    def expect(self, count: int | None = None, **criteria: Any) -> list[Entry]:
        """The entries that meet the criteria of `entries`. Raises ExpectationFailed unless there are exactly `count` of them
        (None: at least one), showing what was expected next to the nearest entries."""
        found = self.entries(**criteria)
        if found if count is None else len(found) == count:
            return found
        after = criteria.pop("after", 0)
        considered = [entry for entry in self._snapshot() if entry.number > after]
        raise ExpectationFailed(_failure(count, found, considered, _criteria(**criteria)))

    def fields(self) -> list[tuple[Any, ...]]:
        """`Entry.fields` of every entry, in order: equal for equal conversations over either transport."""
        return [entry.fields() for entry in self._snapshot()]

    def transcript(self, **criteria: Any) -> str:
        """The entries (all, or those that meet the criteria) as text, a line each."""
        return "".join(f"{entry.number:>5} {_clocked(entry.at)} {entry.line()}\n" for entry in self.entries(**criteria))

    def _snapshot(self) -> list[Entry]:
        with self._lock:
            return list(self._made())

    def _made(self) -> deque[Entry]:
        """All entries; with the lock held."""
        if self._rows:
            self._entries.extend(chain.from_iterable(map(_entries, self._rows)))
            self._rows.clear()
        return self._entries


def printable(text: str) -> str:
    """Control characters, lone surrogates and the like escaped, at most DETAIL_LIMIT characters kept."""
    shown = text[:DETAIL_LIMIT]
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in shown)
    return shown if max(len(text), len(shown)) <= DETAIL_LIMIT else shown[:DETAIL_LIMIT] + "…"


def _criteria(**given: Any) -> dict[str, Any]:
    unknown = given.keys() - _TESTS.keys()
    if unknown:
        raise TypeError(f"unknown criterion {min(unknown)!r}: the journal knows {', '.join(_TESTS)}")
    return {name: value for name, value in given.items() if value is not None}


def _same(entry: Entry, name: str, value: Any) -> bool:
    return bool(getattr(entry, name) == value)


def _same_account(entry: Entry, _: str, value: str) -> bool:
    return entry.account is not None and fold(entry.account) == fold(value)


def _same_verb(entry: Entry, _: str, value: str) -> bool:
    return entry.verb.upper() == value.upper()


def _contains(entry: Entry, _: str, value: str) -> bool:
    return value in entry.detail


_NOTHING = object()


def _has_data(entry: Entry, _: str, value: Mapping[str, Any]) -> bool:
    return all(entry.data.get(key, _NOTHING) == wanted for key, wanted in value.items())


_TESTS: dict[str, Callable[[Entry, str, Any], bool]] = {
    "kind": _same,
    "protocol": _same,
    "connection": _same,
    "account": _same_account,
    "verb": _same_verb,
    "detail": _contains,
    "data": _has_data,
}


def _meets(entry: Entry, wanted: Mapping[str, Any]) -> bool:
    return all(_TESTS[name](entry, name, value) for name, value in wanted.items())


def _failure(count: int | None, found: Sequence[Entry], considered: Sequence[Entry], wanted: Mapping[str, Any]) -> str:
    asked = ", ".join(f"{name}={_shown(value)}" for name, value in wanted.items()) or "any entry"
    number = "at least 1" if count is None else str(count)
    lines = [f"expected {number} of ({asked}), found {len(found)} among {len(considered)} entries"]
    if found:
        lines.append("found:")
        lines += [f"  {entry.number:>5} {_clocked(entry.at)} {entry.line()}" for entry in found[:NEAREST]]
        lines += [f"  ... and {len(found) - NEAREST} more"] if len(found) > NEAREST else []
    others = [(entry, misses) for entry in considered if (misses := _misses(entry, wanted))]
    if others and (count is None or len(found) < count):
        # Of two entries that miss equally, the later one is more often the one that the reader means.
        others.sort(key=lambda pair: (len(pair[1]), -pair[0].number))
        lines.append("nearest (* differs):")
        lines += _table(wanted, others[:NEAREST])
    return "\n".join(lines)


def _misses(entry: Entry, wanted: Mapping[str, Any]) -> set[str]:
    return {name for name, value in wanted.items() if not _TESTS[name](entry, name, value)}


def _table(wanted: Mapping[str, Any], others: Sequence[tuple[Entry, set[str]]]) -> list[str]:
    rows = [["", *wanted], ["expected", *(_shown(value) for value in wanted.values())]]
    for entry, misses in others:
        cells = (("*" if name in misses else "") + _shown(_looked_at(entry, name, value)) for name, value in wanted.items())
        rows.append([f"entry {entry.number}", *cells])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _looked_at(entry: Entry, name: str, value: Any) -> Any:
    return {key: entry.data.get(key) for key in value} if name == "data" else getattr(entry, name)


def _shown(value: Any) -> str:
    text = value.value if isinstance(value, Kind) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _without_verb(verb: str, detail: str) -> str:
    """Commands are journalled with or without their verb in the text; a transcript shows it once."""
    return detail[len(verb) :].lstrip() if verb and detail.upper().startswith(verb.upper()) else detail


def _clocked(at: datetime) -> str:
    return at.strftime("%m-%d %H:%M:%S.") + f"{at.microsecond // 1000:03d}"
