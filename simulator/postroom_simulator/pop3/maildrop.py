"""A maildrop: the account's Inbox as it was at login (RFC 1939 §4, §5), and the unique ids of its messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

from postroom_simulator.errors import NoSuchItem, StoreError
from postroom_simulator.pop3.downgrade import downgraded
from postroom_simulator.pop3.replies import Code, Refusal
from postroom_simulator.store.contents import has_utf8_head, wire_form, wire_length
from postroom_simulator.store.interface import Item, Role

if TYPE_CHECKING:
    from postroom_simulator.store.interface import MailStore

__all__ = ["Heads", "Maildrop", "Removal", "Shown", "uid_of", "uidl"]

_DIGEST_PREFIX = 16
_UIDL = re.compile(r"([0-9a-f]{8,16})-[0-9a-f]*", re.ASCII)


def uidl(item: Item) -> str:
    """The unique id (RFC 1939 §7, 1 to 70 of 0x21 to 0x7E): the item's uid and the beginning of its digest, in hexadecimal.

    Never reused, the same in every session, unequal for equal messages; an item with other octets is another message (ours).
    """
    return f"{item.uid:08x}-{item.digest[:_DIGEST_PREFIX]}"


def uid_of(unique_id: str) -> int | None:
    """The uid of the item that `unique_id` was made from, or None when `uidl` never made it."""
    match = _UIDL.fullmatch(unique_id)
    return int(match[1], 16) if match else None


Heads = Literal["raw", "downgrade", "refuse"]
"""What becomes of heads with UTF-8 in them: sent as they are, rewritten (RFC 6856 §4), or the message is refused ([UTF8], §5)."""


class Shown(NamedTuple):
    """A message as it is handed out: octets stuffed, without the closing line; the size and unique id that the session told.
    `endless`: the closing line never comes."""

    item: Item
    octets: bytes
    size: int
    name: str
    endless: bool = False


@dataclass(slots=True)
class Removal:
    """What became of the marked messages at UPDATE: items removed with their unique ids, and how many could not be."""

    removed: list[tuple[Item, str]] = field(default_factory=list)
    failed: int = 0


class Maildrop:
    """A frozen snapshot: message numbers, sizes and unique ids never change; only marks do.

    Octets are read when asked for. An item that was altered or deleted meanwhile is refused, never served as another one.
    Items whose authority are properties (messages that somebody edited) are rendered as they were at login, and served so whatever becomes of
    them; those that are no messages (calendar items ...) are not in the maildrop (ours).
    Numbers are 1 to n. Methods with a number raise `Refusal` for one that names no message or a marked one.
    """

    def __init__(
        self, store: MailStore, items: Sequence[Item], names: Mapping[int, str] | None = None, heads: Heads = "raw"
    ) -> None:
        """`names`: unique ids of items, by uid, that are not made from the item (see `copies`)."""
        self._store = store
        self._rendered: dict[int, Item] = {}  # by uid, as the store gave them out
        self._items = [item for item in map(self._with_octets, items) if item is not None]
        self._names = {item.uid: names[item.uid] for item in self._items if item.uid in names} if names else {}
        self._heads = heads
        self._downgraded: dict[int, int] = {}  # sizes, by uid
        self._marked: set[int] = set()
        self._listings: dict[str, bytes] = {}
        self._figures: tuple[int, int] | None = None
        self._plain = type(self) is Maildrop and (heads == "raw" or not any(item.utf8_head for item in self._items))

    @classmethod
    def open(cls, store: MailStore, account: str, names: Mapping[int, str] | None = None, heads: Heads = "raw") -> Self:
        """The Inbox of the account as it is now. Reads no octets. Raises StoreError or UnknownAccount."""
        folder = store.folder(account, Role.INBOX).uid
        return cls(store, store.items(folder), names, heads)

    def _with_octets(self, item: Item) -> Item | None:
        """An item with the figures of what is served; None for what is no message."""
        if item.properties is None:
            return item
        octets = self._store.rendered(item)
        if octets is None:
            return None
        self._rendered[item.uid] = item
        return replace(
            item,
            size=len(octets),
            wire_size=wire_length(octets)[0],
            digest=sha256(octets).hexdigest(),
            utf8_head=has_utf8_head(octets),
        )

    def _octets(self, item: Item) -> bytes:
        """Raises StoreError."""
        original = self._rendered.get(item.uid)
        if original is None:
            return self._store.octets(item.uid)
        self._store.item(item.uid)  # gone is gone
        return self._store.rendered(original) or b""

    # -- what is there

    @property
    def count(self) -> int:
        """Messages, without the marked ones."""
        return len(self._items) - len(self._marked)

    @property
    def figures(self) -> tuple[int, int]:
        """Messages and their octets as sent, without the marked ones (RFC 1939 §5, §11)."""
        if self._figures is None:
            if self._plain:
                octets = sum([item.wire_size for _, item in self._there()])
            else:
                octets = sum(self._size(number, item) for number, item in self._there())
            self._figures = self.count, octets
        return self._figures

    def item(self, number: int) -> Item:
        if not 1 <= number <= len(self._items):
            raise Refusal(f"no such message, the maildrop has {len(self._items)}")
        if number in self._marked:
            raise Refusal(f"message {number} is marked as deleted")
        return self._items[number - 1]

    def size(self, number: int) -> int:
        return self._size(number, self.item(number))

    def unique_id(self, number: int) -> str:
        return self.name(number, self.item(number))

    def sizes(self) -> bytes:
        """The scan listing: "number size" lines."""
        return self._listing("sizes")

    def unique_ids(self) -> bytes:
        """The unique-id listing: "number id" lines."""
        return self._listing("unique ids")

    def _listing(self, what: str) -> bytes:
        """Made at the first question, kept until a mark changes it."""
        made = self._listings.get(what)
        if made is None:
            rows = "\r\n".join(self._rows(what))
            made = self._listings[what] = f"{rows}\r\n".encode() if rows else b""
        return made

    def _rows(self, what: str) -> Iterator[str]:
        """The lines of a listing, without line ends."""
        if what == "sizes":
            if self._plain:
                return iter([f"{n} {item.wire_size}" for n, item in self._there()])
            return iter([f"{n} {self._size(n, item)}" for n, item in self._there()])
        if self._plain and not self._names:
            return iter([f"{n} {uidl(item)}" for n, item in self._there()])
        return iter([f"{n} {self.name(n, item)}" for n, item in self._there()])

    def _there(self) -> Iterator[tuple[int, Item]]:
        return ((n, item) for n, item in enumerate(self._items, 1) if n not in self._marked)

    def name(self, number: int, item: Item) -> str:  # noqa: ARG002 - a troubled maildrop goes by the number
        """The unique id that this session tells."""
        return (self._names and self._names.get(item.uid)) or uidl(item)

    def _size(self, number: int, item: Item) -> int:  # noqa: ARG002
        """Octets that this session sends: exactly those, also where the head is rewritten for it."""
        if not item.utf8_head or self._heads != "downgrade":
            return item.wire_size
        known = self._downgraded.get(item.uid)
        if known is None:
            try:
                known = wire_length(downgraded(self._octets(item)))[0]
            except StoreError:  # gone: it will be refused, and its size does not matter
                known = item.wire_size
            self._downgraded[item.uid] = known
        return known

    # -- octets

    def retrieve(self, number: int) -> Shown:
        """The message as sent. Raises `Refusal` when it is gone or another by now, or not fit for this client."""
        item = self.item(number)
        rewritten = item.utf8_head and self._heads != "raw"
        if rewritten and self._heads == "refuse":
            raise Refusal(f"message {number} has UTF-8 in its head: UTF8 first", Code.UTF8)
        size = item.wire_size if self._plain else self._size(number, item)
        try:
            if rewritten:
                octets = wire_form(downgraded(self._octets(item)))
                digest = self._digest(item)  # after the octets: whoever altered them in between is seen here
            elif item.uid in self._rendered:
                digest, octets = item.digest, wire_form(self._octets(item))
            else:
                digest, octets = self._store.served(item.uid)
        except NoSuchItem:
            raise Refusal(f"message {number} is gone") from None
        except StoreError:
            raise Refusal(f"message {number} cannot be read", Code.SYS_TEMP) from None
        if digest != item.digest:
            raise Refusal(f"message {number} was altered by somebody else")
        return Shown(item, octets, size, self.name(number, item))

    def _digest(self, item: Item) -> str:
        """Of the octets that the store has now. Raises NoSuchItem."""
        now = self._store.item(item.uid)
        return item.digest if item.uid in self._rendered else now.digest

    # -- marks

    def mark(self, number: int) -> None:
        size = self._size(number, self.item(number))
        figures = self._figures
        self._marked.add(number)
        self._changed()
        if figures is not None:
            self._figures = figures[0] - 1, figures[1] - size

    def unmark_all(self) -> None:
        if self._marked:
            self._marked.clear()
            self._changed()

    def mark_quietly(self, uids: Iterable[int]) -> None:
        """Mark those that are there and not marked yet: an implicit DELE (RFC 2449 §6.7, EXPIRE 0)."""
        wanted = set(uids)
        self._marked.update(number for number, item in enumerate(self._items, 1) if item.uid in wanted)
        self._changed()

    def _changed(self) -> None:
        self._listings.clear()
        self._figures = None

    def update(self) -> Removal:
        """Remove the marked messages from the store (RFC 1939 §6).

        What somebody else deleted or moved away is not in the maildrop any more: nothing to do and no failure. What somebody
        altered was never seen by this client and stays: a failure (both ours).
        """
        result = Removal()
        due = []
        for number in sorted(self._marked):
            item = self._items[number - 1]
            state = self._state(item)
            if state == "same":
                due.append((item, self.name(number, item)))
            elif state == "altered":
                result.failed += 1
        try:
            self._store.delete([item.uid for item, _ in due])
            result.removed = due
        except StoreError:
            self._delete_singly(due, result)
        self.unmark_all()
        return result

    def _state(self, item: Item) -> str:
        try:
            now = self._store.item(item.uid)
        except NoSuchItem:
            return "gone"
        original = self._rendered.get(item.uid)
        same = now.digest == item.digest if original is None else now.content == original.content
        return "same" if same else "altered"

    def _delete_singly(self, due: list[tuple[Item, str]], result: Removal) -> None:
        for item, name in due:
            try:
                self._store.delete([item.uid])
                result.removed.append((item, name))
            except NoSuchItem:
                pass  # somebody was faster: it is gone
            except StoreError:
                result.failed += 1
