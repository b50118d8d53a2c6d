"""A maildrop: the account's Inbox as it was at login (RFC 1939 §4, §5), and the unique ids of its messages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from postroom_simulator.errors import NoSuchItem, StoreError
from postroom_simulator.pop3.replies import Code, Refusal
from postroom_simulator.store.interface import Item, Role

if TYPE_CHECKING:
    from postroom_simulator.store.interface import MailStore

__all__ = ["Maildrop", "Removal", "uid_of", "uidl"]

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


@dataclass(slots=True)
class Removal:
    """What became of the marked messages at UPDATE: items removed, and how many could not be."""

    removed: list[Item] = field(default_factory=list)
    failed: int = 0


class Maildrop:
    """A frozen snapshot: message numbers, sizes and unique ids never change; only marks do.

    Octets are read when asked for. An item that was altered or deleted meanwhile is refused, never served as another one.
    Items whose authority are properties (edited, calendar) have no octets and are not in the maildrop (ours).
    Numbers are 1 to n. Methods with a number raise `Refusal` for one that names no message or a marked one.
    """

    def __init__(self, store: MailStore, folder: int, items: Sequence[Item]) -> None:
        self._store = store
        self._folder = folder
        self._items = [item for item in items if item.properties is None]
        self._marked: set[int] = set()
        self._marked_octets = 0
        self._listings: dict[str, bytes] = {}

    @classmethod
    def open(cls, store: MailStore, account: str) -> Maildrop:
        """The Inbox of the account as it is now. Reads no octets. Raises StoreError or UnknownAccount."""
        folder = store.folder(account, Role.INBOX).uid
        return cls(store, folder, store.items(folder))

    # -- what is there

    @property
    def count(self) -> int:
        """Messages, without the marked ones."""
        return len(self._items) - len(self._marked)

    @property
    def octets(self) -> int:
        """Octets as sent, without the marked messages (RFC 1939 §11)."""
        return self._total - self._marked_octets

    @cached_property
    def _total(self) -> int:
        return sum(item.wire_size for item in self._items)

    def item(self, number: int) -> Item:
        if not 1 <= number <= len(self._items):
            raise Refusal(f"no such message, the maildrop has {len(self._items)}")
        if number in self._marked:
            raise Refusal(f"message {number} is marked as deleted")
        return self._items[number - 1]

    def sizes(self) -> bytes:
        """The scan listing: "number size" lines."""
        return self._listing("sizes")

    def unique_ids(self) -> bytes:
        """The unique-id listing: "number id" lines."""
        return self._listing("unique ids")

    def _listing(self, name: str) -> bytes:
        """Made at the first question, kept until a mark changes it."""
        made = self._listings.get(name)
        if made is None:
            there = ((n, item) for n, item in enumerate(self._items, 1) if n not in self._marked)
            if name == "sizes":
                text = "".join([f"{n} {item.wire_size}\r\n" for n, item in there])
            else:
                text = "".join([f"{n} {uidl(item)}\r\n" for n, item in there])
            made = self._listings[name] = text.encode("ascii")
        return made

    # -- octets

    def retrieve(self, number: int) -> tuple[Item, bytes]:
        """The message as sent, stuffed, without the closing line. Raises `Refusal` when it is gone or another by now."""
        item = self.item(number)
        try:
            octets = self._store.wire(item.uid)
            now = self._store.item(item.uid)  # after the octets: whoever altered them in between is seen here
        except NoSuchItem:
            raise Refusal(f"message {number} is gone") from None
        except StoreError:
            raise Refusal(f"message {number} cannot be read", Code.SYS_TEMP) from None
        if now.digest != item.digest:
            raise Refusal(f"message {number} was altered by somebody else")
        return item, octets

    # -- marks

    def mark(self, number: int) -> None:
        self._marked_octets += self.item(number).wire_size
        self._marked.add(number)
        self._listings.clear()

    def unmark_all(self) -> None:
        if self._marked:
            self._marked.clear()
            self._marked_octets = 0
            self._listings.clear()

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
                due.append(item)
            elif state == "altered":
                result.failed += 1
        try:
            self._store.delete([item.uid for item in due])
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
        if now.folder != self._folder:
            return "gone"
        return "same" if now.digest == item.digest else "altered"

    def _delete_singly(self, due: list[Item], result: Removal) -> None:
        for item in due:
            try:
                self._store.delete([item.uid])
                result.removed.append(item)
            except NoSuchItem:
                pass  # somebody was faster: it is gone
            except StoreError:
                result.failed += 1
