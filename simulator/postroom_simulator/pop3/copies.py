"""An Inbox as it was once, and putting it back: what a server does that was restored from a backup (mail-protocol-pitfalls 2.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from postroom_simulator.journal import Kind
from postroom_simulator.pop3.maildrop import uidl
from postroom_simulator.store.interface import Role

if TYPE_CHECKING:
    from postroom_simulator.store.interface import Item
    from postroom_simulator.world import World

__all__ = ["InboxCopy", "copy_inbox", "restore_inbox"]


@dataclass(frozen=True, slots=True)
class InboxCopy:
    """The messages of one account's Inbox at one moment: items, octets, and the unique ids that POP3 gave them."""

    account: str
    messages: tuple[tuple[Item, bytes, str], ...]

    def __repr__(self) -> str:
        return f"<InboxCopy of {self.account}, {len(self.messages)} messages>"


def copy_inbox(world: World, address: str) -> InboxCopy:
    """Raises UnknownAccount."""
    with world.lock:
        account = world.directory.account(address).address
        names = world.pop3.names
        items = world.store.items(world.store.folder(account, Role.INBOX).uid)
        return InboxCopy(
            account,
            tuple(
                (item, world.store.octets(item.uid), names.get(item.uid) or uidl(item))
                for item in items
                if item.properties is None
            ),
        )


def restore_inbox(world: World, copy: InboxCopy) -> None:
    """Make the account's Inbox what it was: newer mail leaves (journalled as REMOVED, reason "restored"), older mail that was removed
    comes back under its old unique id (journalled as a NOTE with the item's uid and the one it had `before`). Raises UnknownAccount,
    QuotaExceeded."""
    with world.lock:
        account = world.directory.account(copy.account).address
        kept = {item.uid for item, _, _ in copy.messages}
        there = {item.uid for item in world.store.items(world.store.folder(account, Role.INBOX).uid)}
        for uid in sorted(there - kept):
            world.withdraw(uid, reason="restored")
        order = []
        for item, octets, name in copy.messages:
            if item.uid in there:
                order.append(item.uid)
                continue
            back = world.store.deposit(account, octets, received=item.received, read=item.read)
            world.pop3.names[back.uid] = name
            order.append(back.uid)
            data = {"uid": back.uid, "before": item.uid}
            world.journal.add(Kind.NOTE, account=account, detail="back from an old copy", data=data)
        world.store.arrange(world.store.folder(account, Role.INBOX).uid, order)
