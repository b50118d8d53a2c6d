"""Servers that are not what the RFCs want: what can be wrong with one account's maildrop, set while the servers run.

    world.pop3.troubles["ann@sim.test"] = Troubles(uidl="reset", vanished={2})
    del world.pop3.troubles["ann@sim.test"]

A change holds for logins that come after it. The store is not touched, but by `restored_from`: only what a session shows of it is. Each
login with troubles and each of them that acts is journalled as a NOTE with data["trouble"]. All of this is our own choice; the cases are
those of mail-protocol-pitfalls 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Literal

from postroom_simulator.directory import fold
from postroom_simulator.pop3.maildrop import Maildrop, Shown, uidl
from postroom_simulator.pop3.replies import Refusal

if TYPE_CHECKING:
    from postroom_simulator.pop3.copies import InboxCopy
    from postroom_simulator.store.interface import Item

__all__ = ["TroubleTable", "TroubledMaildrop", "Troubles"]

LONG = 400
"""Characters of a unique id that is too long; RFC 1939 §7 admits 70."""


@dataclass(frozen=True, slots=True)
class Troubles:
    """What is wrong. Message numbers are those of the session, from 1.

    uidl           unique ids that are
                     "reset"    others in every session
                     "reused"   made from the place in the maildrop: what is behind a removed message gets the ids of others
                     "doubled"  the same for each two messages in a row
                     "missing"  only there for each first of two; the others have no line and an error
                     "long"     400 characters
                     "illegal"  with blanks, control characters and UTF-8
    no_uidl        UIDL is an unknown command, and not announced after login
    sizes          octets by which all sizes are wrong (never below 0), or "zero": all are
    vanished       messages that are listed and cannot be retrieved
    altered        messages with other octets in every session, under the same unique id and with their size of that session
    lock           seconds that a session which ends without QUIT goes on to hold the maildrop, by the world's clock
    listing_lies   LIST and UIDL name a message "more" than there is, leave the last away ("fewer"), name each one "twice" or in
                   "reversed" order; "stat": STAT counts one more
    endless        so many octets more than it has follow a retrieved message, without the closing line, and then nothing
    restored_from  a copy of the Inbox (`World.copy_inbox`) that is put in place of it at the next login, once
    """

    uidl: Literal["", "reset", "reused", "doubled", "missing", "long", "illegal"] = ""
    no_uidl: bool = False
    sizes: int | Literal["zero"] = 0
    vanished: AbstractSet[int] = frozenset()
    altered: AbstractSet[int] = frozenset()
    lock: float = 0.0
    listing_lies: Literal["", "more", "fewer", "twice", "reversed", "stat"] = ""
    endless: int = 0
    restored_from: InboxCopy | None = None

    def named(self) -> str:
        """What is wrong, in words for the journal."""
        wrong = [(each.name, getattr(self, each.name)) for each in fields(self)]
        return ", ".join(
            name if value is True or name == "restored_from" else f"{name} {_shown(value)}" for name, value in wrong if value
        )


def _shown(value: object) -> str:
    return " ".join(map(str, sorted(value))) if isinstance(value, set | frozenset) else str(value)


@dataclass(slots=True)
class TroubleTable:
    """The troubles of accounts, by address (any case), and how often each logged in."""

    _rows: dict[str, Troubles] = field(default_factory=dict)
    _logins: dict[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._rows)

    def __setitem__(self, address: str, troubles: Troubles) -> None:
        self._rows[fold(address)] = troubles

    def __delitem__(self, address: str) -> None:
        """All is well again. Idempotent."""
        self._rows.pop(fold(address), None)

    def get(self, address: str) -> Troubles | None:
        return self._rows.get(fold(address)) if self._rows else None

    def restored(self, address: str) -> None:
        """The old copy was put back: once is enough."""
        self._rows[fold(address)] = replace(self._rows[fold(address)], restored_from=None)

    def count_login(self, address: str) -> int:
        """1 at the first login with troubles, and so on."""
        key = fold(address)
        self._logins[key] = self._logins.get(key, 0) + 1
        return self._logins[key]


class TroubledMaildrop(Maildrop):
    """A maildrop as a server in trouble shows it. `note` journals what acts."""

    troubles = Troubles()
    session = 0
    note: Callable[[str, int], None] = staticmethod(lambda _trouble, _number: None)

    # -- names and sizes

    def name(self, number: int, item: Item) -> str:
        plain = super().name(number, item)
        match self.troubles.uidl:
            case "reset":
                return f"{plain}-{self.session:x}"
            case "reused":
                return f"place-{number}"
            case "doubled":
                return super().name(number - 1, self._items[number - 2]) if number % 2 == 0 else plain
            case "missing":
                return plain if number % 2 else ""
            case "long":
                return plain + "x" * (LONG - len(plain))
            case "illegal":
                return f"{plain[:8]} \x01é{plain[8:]}"
            case _:
                return plain

    def unique_id(self, number: int) -> str:
        name = super().unique_id(number)
        if not name:
            self.note("uidl", number)
            raise Refusal(f"message {number} has no unique id")
        return name

    def _size(self, number: int, item: Item) -> int:
        if self.troubles.sizes == "zero":
            return 0
        return max(0, self._true_size(number, item) + int(self.troubles.sizes))

    def _true_size(self, number: int, item: Item) -> int:
        return super()._size(number, item) + (len(self._alteration()) if number in self.troubles.altered else 0)

    def _alteration(self) -> bytes:
        return b"altered, session %d\r\n" % self.session

    @property
    def figures(self) -> tuple[int, int]:
        count, octets = super().figures
        return count + (self.troubles.listing_lies == "stat"), octets

    # -- listings

    def _rows(self, what: str) -> Iterator[str]:
        rows = [row for row in super()._rows(what) if not row.endswith(" ")]  # a message without an id has no line
        match self.troubles.listing_lies:
            case "more":
                number = len(self._items) + 1
                rows.append(f"{number} {'1000' if what == 'sizes' else f'nobody-{self.session}'}")
            case "fewer":
                rows = rows[:-1]
            case "twice":
                rows = [row for row in rows for _ in range(2)]
            case "reversed":
                rows.reverse()
            case _:
                pass
        return iter(rows)

    # -- octets

    def retrieve(self, number: int) -> Shown:
        if number in self.troubles.vanished:
            item = self.item(number)
            self.note("vanished", number)
            raise Refusal(f"message {number} is gone ({uidl(item)})")
        shown = super().retrieve(number)
        octets = shown.octets
        if number in self.troubles.altered:
            self.note("altered", number)
            octets += self._alteration()
        shown = shown._replace(octets=octets)
        if self.troubles.endless:
            self.note("endless", number)
            lines = -(-self.troubles.endless // len(_FILLER))
            shown = shown._replace(octets=shown.octets + (_FILLER * lines)[: self.troubles.endless], endless=True)
        return shown


_FILLER = b"and so on, and so on, and so on\r\n"
