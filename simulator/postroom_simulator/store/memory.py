"""The mail store: everything in memory but the bodies that do not fit there.

Items and folders that were given out are never changed: a change puts a new value in place of the old one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from heapq import merge
from typing import Any

from postroom_simulator.clock import Clock
from postroom_simulator.directory import fold
from postroom_simulator.errors import NoSuchFolder, NoSuchItem, QuotaExceeded, StoreError, TokenExpired, UnknownAccount
from postroom_simulator.headers import HeaderMap
from postroom_simulator.ids import Ids
from postroom_simulator.store.contents import MEMORY_BUDGET, Contents
from postroom_simulator.store.interface import Changes, Folder, Happening, Horizon, Item, Listing, Outbound, Role, Tally
from postroom_simulator.store.tree import ARCHIVE, DISTINGUISHED, FURTHER, Box, FolderState

__all__ = ["MemoryMailStore"]

MAX_FOLDER_NAME = 255
MAX_FOLDER_DEPTH = 300
"""Bounds of Exchange's folder tree, which clients know too."""

_HALF_WAY = 2**64
"""A token is the number of the last change that was told; while a first listing goes on, this many times the number of its
beginning is added: what left before that concerns nobody to whom it was never shown."""


class MemoryMailStore:
    """A `MailStore` for one world. See the interface for what each method does."""

    def __init__(self, clock: Clock, ids: Ids, memory_budget: int = MEMORY_BUDGET, horizon: Horizon | None = None) -> None:
        self.horizon = horizon or Horizon()
        self.renderer: Callable[[Item], bytes | None] | None = None
        self._clock = clock
        self._ids = ids
        self._lock = threading.RLock()
        self._contents = Contents(memory_budget)
        self._boxes: dict[str, Box] = {}
        self._folders: dict[int, FolderState] = {}
        self._homes: dict[int, FolderState] = {}  # item uid -> its folder
        self._outbound: dict[int, Outbound] = {}
        self._observers: tuple[Callable[[Happening], None], ...] = ()
        self._change = 0

    # -- accounts

    def open_account(self, account: str, quota: int | None = None) -> None:
        with self._lock:
            account = fold(account)
            if account in self._boxes:
                return
            box = self._boxes[account] = Box(account, quota)
            self._plant(box, DISTINGUISHED)

    def open_archive(self, account: str) -> None:
        with self._lock:
            box = self._box(account)
            if Role.ARCHIVE_ROOT not in box.roles:
                self._plant(box, ARCHIVE)

    def has_archive(self, account: str) -> bool:
        with self._lock:
            return Role.ARCHIVE_ROOT in self._box(account).roles

    def _plant(self, box: Box, tree: Iterable[tuple[Role, Role | None, str, str]]) -> None:
        for role, parent, name, folder_class in tree:
            above = box.roles[parent].folder.uid if parent is not None else None
            box.roles[role] = self._new_folder(box, above, name, role, folder_class)

    def close_account(self, account: str) -> None:
        """Forget an account with all that is in it."""
        with self._lock:
            box = self._box(account)
            for state in list(box.folders.values()):
                self._discard(box, state)
            del self._boxes[box.account]

    def rename_account(self, account: str, new: str) -> None:
        """The same mailbox under another primary address. Raises StoreError when that one is taken."""
        with self._lock:
            box, new = self._box(account), fold(new)
            if new == box.account:
                return
            if new in self._boxes:
                raise StoreError(f"there is a mailbox of {new!r} already")
            self._boxes[new] = self._boxes.pop(box.account)
            box.account = new
            for state in box.folders.values():
                state.folder = replace(state.folder, account=new)
                for uid, item in state.items.items():
                    state.items[uid] = replace(item, account=new)

    def set_quota(self, account: str, quota: int | None) -> None:
        with self._lock:
            self._box(account).quota = quota

    def quota(self, account: str) -> int | None:
        """Octets, None: unlimited."""
        with self._lock:
            return self._box(account).quota

    def used(self, account: str) -> int:
        with self._lock:
            return self._box(account).used

    # -- folders

    def folders(self, account: str) -> list[Folder]:
        with self._lock:
            return [state.folder for state in self._box(account).folders.values()]

    def folder(self, account: str, role: Role) -> Folder:
        with self._lock:
            box = self._box(account)
            state = box.roles.get(role)
            if state is None:
                state = self._further(box, role)
            return state.folder

    def complete(self, account: str) -> None:
        with self._lock:
            box = self._box(account)
            if not box.roles.keys() >= FURTHER.keys():
                for role in FURTHER:
                    if role not in box.roles:
                        self._further(box, role)

    def _further(self, box: Box, role: Role) -> FolderState:
        """Made when first asked for."""
        if role not in FURTHER:
            raise NoSuchFolder(f"{box.account!r} has no folder with the role {role!r}")
        above, name, folder_class = FURTHER[role]
        parent = box.roles.get(above) or self._further(box, above)
        while any(one.folder.name.casefold() == name.casefold() for one in box.children(parent.folder.uid)):
            name += " (1)"
        state = box.roles[role] = self._new_folder(box, parent.folder.uid, name, role, folder_class)
        self._tell("created", state.folder)
        return state

    def folder_by_uid(self, uid: int) -> Folder:
        with self._lock:
            return self._state(uid).folder

    def create_folder(self, parent: int, name: str, folder_class: str = "IPF.Note") -> Folder:
        """Raises StoreError for a name that is empty, too long or taken by a sibling, and for too deep a tree."""
        with self._lock:
            above = self._state(parent).folder
            box = self._boxes[above.account]
            self._check_name(box, parent, name)
            self._check_depth(parent)
            made = self._new_folder(box, parent, name, Role.NONE, folder_class).folder
            self._tell("created", made)
            return made

    def rename_folder(self, uid: int, name: str) -> Folder:
        """Raises StoreError as `create_folder`, and for distinguished folders."""
        with self._lock:
            state = self._own_folder(uid, "renamed")
            assert state.folder.parent is not None
            self._check_name(self._boxes[state.folder.account], state.folder.parent, name, uid)
            return self._change_folder(state, name=name)

    def move_folder(self, uid: int, parent: int) -> Folder:
        """Raises StoreError as `create_folder`, for distinguished folders, below itself, and into another mailbox."""
        with self._lock:
            state = self._own_folder(uid, "moved")
            above: int | None = self._state(parent).folder.uid
            if self._state(parent).folder.account != state.folder.account:
                raise StoreError("a folder cannot be moved into another mailbox")
            while above is not None:
                if above == uid:
                    raise StoreError("a folder cannot be moved below itself")
                above = self._state(above).folder.parent
            self._check_name(self._boxes[state.folder.account], parent, state.folder.name, uid)
            self._check_depth(parent)
            old = state.folder.parent
            assert old is not None
            del self._folders[old].children[uid]
            self._folders[parent].children[uid] = None
            moved = self._change_folder(state, parent=parent, quiet=True)
            self._tell("moved", moved, old_folder=old)
            return moved

    def delete_folder(self, uid: int) -> None:
        with self._lock:
            state = self._own_folder(uid, "deleted")
            box = self._boxes[state.folder.account]
            doomed = [state]
            for each in doomed:  # grows while it is walked: the whole subtree
                doomed += box.children(each.folder.uid)
            for each in reversed(doomed):
                self._discard(box, each)
            assert state.folder.parent is not None
            del self._folders[state.folder.parent].children[uid]
            self._next_change()
            self._tell("deleted", state.folder)

    def children(self, uid: int) -> list[Folder]:
        with self._lock:
            return [self._folders[child].folder for child in self._state(uid).children]

    def tally(self, uid: int) -> Tally:
        with self._lock:
            return self._state(uid).tally()

    def set_folder(self, uid: int, *, properties: Mapping[str, Any] | None = None, folder_class: str | None = None) -> Folder:
        with self._lock:
            state = self._state(uid)
            values: dict[str, Any] = {} if properties is None else {"properties": dict(properties)}
            if folder_class is not None:
                values["folder_class"] = folder_class
            return self._change_folder(state, **values)

    def observe(self, observer: Callable[[Happening], None]) -> Callable[[], None]:
        with self._lock:
            self._observers += (observer,)

        def end() -> None:
            with self._lock:
                self._observers = tuple(one for one in self._observers if one is not observer)

        return end

    # -- items

    def deposit(
        self,
        account: str,
        octets: bytes,
        *,
        folder: int | None = None,
        received: datetime | None = None,
        read: bool = False,
        item_class: str = "IPM.Note",
        flags: frozenset[str] = frozenset(),
        delivered: bool = False,
        beside: Mapping[str, Any] | None = None,
    ) -> Item:
        octets = bytes(octets)
        if received is not None and received.tzinfo is None:
            raise ValueError(f"a message is received at an aware time, not at {received!r}: add tzinfo=UTC")
        with self._lock:
            box = self._box(account)
            state = box.roles[Role.INBOX] if folder is None else self._state(folder)
            if state.folder.account != box.account:
                raise NoSuchFolder(f"folder {folder} does not belong to {account!r}")
            more = _weight(beside) if beside else 0
            self._check_quota(box, len(octets) + more)
            content = self._contents.add(octets)
            now, change = self._clock.now(), self._next_change()
            item = Item(
                self._ids.number("item"),
                box.account,
                state.folder.uid,
                change,
                item_class,
                now,
                now,
                now if received is None else received.astimezone(UTC),
                read,
                content.size + more,
                content.wire_size,
                content.digest,
                frozenset(flags),
                utf8_head=content.utf8_head,
                arrived=change,
                content=change,
                beside=dict(beside) if beside else None,
            )
            return self._enter(box, state, item, "created", delivered=delivered)

    def create(
        self,
        folder: int,
        item_class: str,
        properties: Mapping[str, Any],
        *,
        received: datetime | None = None,
        read: bool = True,
        flags: frozenset[str] = frozenset(),
        delivered: bool = False,
    ) -> Item:
        with self._lock:
            state = self._state(folder)
            box = self._boxes[state.folder.account]
            kept, size = dict(properties), _weight(properties)
            self._check_quota(box, size)
            now, change = self._clock.now(), self._next_change()
            item = Item(
                self._ids.number("item"),
                box.account,
                folder,
                change,
                item_class,
                now,
                now,
                now if received is None else received.astimezone(UTC),
                read=read,
                size=size,
                wire_size=0,
                flags=frozenset(flags),
                properties=kept,
                arrived=change,
                content=change,
            )
            return self._enter(box, state, item, "created", delivered=delivered)

    def item(self, uid: int) -> Item:
        with self._lock:
            return self._home(uid).items[uid]

    def items(self, folder: int) -> Sequence[Item]:
        with self._lock:
            return list(self._state(folder).items.values())

    def count(self, folder: int) -> int:
        with self._lock:
            return len(self._state(folder).items)

    def octets(self, uid: int) -> bytes:
        with self._lock:
            return self._contents.octets(self._digest(uid))

    def wire(self, uid: int) -> bytes:
        with self._lock:
            return self._contents.wire(self._digest(uid))

    def served(self, uid: int) -> tuple[str, bytes]:
        with self._lock:
            digest = self._digest(uid)
            return digest, self._contents.wire(digest)

    def set_read(self, uids: Iterable[int], read: bool) -> None:
        with self._lock:
            items = [self.item(uid) for uid in dict.fromkeys(uids)]
            for item in items:
                if item.read != read:
                    self._replace(item, read=read, content=item.content)

    def set_flags(self, uid: int, flags: frozenset[str]) -> Item:
        with self._lock:
            item = self.item(uid)
            return item if item.flags == flags else self._replace(item, flags=frozenset(flags))

    def set_properties(self, uid: int, properties: Mapping[str, Any]) -> Item:
        return self.alter(uid, properties=properties)

    def alter(
        self,
        uid: int,
        *,
        properties: Mapping[str, Any] | None = None,
        beside: Mapping[str, Any] | None = None,
        read: bool | None = None,
        flags: frozenset[str] | None = None,
        item_class: str | None = None,
        received: datetime | None = None,
        created: datetime | None = None,
    ) -> Item:
        values: dict[str, Any] = {
            "read": read,
            "flags": flags,
            "item_class": item_class,
            "received": received.astimezone(UTC) if received is not None else None,
            "created": created.astimezone(UTC) if created is not None else None,
        }
        values = {name: value for name, value in values.items() if value is not None}
        with self._lock:
            item = self.item(uid)
            if properties is not None:
                values |= {
                    "properties": dict(properties),
                    "beside": None,
                    "size": _weight(properties),
                    "wire_size": 0,
                    "digest": "",
                    "utf8_head": False,
                }
            elif beside is not None:
                if not item.digest:
                    raise StoreError(f"item {uid} has properties, and nothing beside them")
                octets = item.size - (_weight(item.beside) if item.beside else 0)
                values |= {"beside": dict(beside) or None, "size": octets + (_weight(beside) if beside else 0)}
            if not values:
                return item
            self._check_quota(self._boxes[item.account], values.get("size", item.size) - item.size)
            if set(values) == {"read"}:
                if item.read == read:
                    return item
                values["content"] = item.content
            changed = self._replace(item, **values)
            if item.digest and not changed.digest:
                self._contents.release(item.digest)
            return changed

    def rendered(self, item: Item) -> bytes | None:
        if item.properties is not None:
            return self.renderer(item) if self.renderer is not None else None
        return self.octets(item.uid)

    def replace_octets(self, uid: int, octets: bytes) -> Item:
        with self._lock:
            item = self.item(uid)
            self._check_quota(self._boxes[item.account], len(octets) - item.size)
            content = self._contents.add(bytes(octets))
            changed = self._replace(
                item,
                properties=None,
                beside=None,
                size=content.size,
                wire_size=content.wire_size,
                digest=content.digest,
                utf8_head=content.utf8_head,
            )
            if item.digest:
                self._contents.release(item.digest)
            return changed

    def move(self, uid: int, folder: int) -> Item:
        """Into another mailbox too, where its quota allows."""
        with self._lock:
            home, target = self._home(uid), self._state(folder)
            item = home.items[uid]
            if target is home:
                return item
            if target.folder.account != item.account:
                self._check_quota(self._boxes[target.folder.account], item.size)
            return self._carry(item, home, target, modified=self._clock.now(), origin=home.folder.uid)

    def copy(self, uid: int, folder: int) -> Item:
        with self._lock:
            home, target = self._home(uid), self._state(folder)
            item, box = home.items[uid], self._boxes[target.folder.account]
            self._check_quota(box, item.size)
            now, change = self._clock.now(), self._next_change()
            if item.digest:
                self._contents.add(self._contents.octets(item.digest))
            twin = replace(
                item,
                uid=self._ids.number("item"),
                account=box.account,
                folder=folder,
                change=change,
                created=now,
                modified=now,
                arrived=change,
                content=change,
            )
            return self._enter(box, target, twin, "copied", old_folder=home.folder.uid, old_uid=uid)

    def newest(self, folder: int, offset: int, limit: int) -> list[Item]:
        with self._lock:
            state = self._state(folder)
            return [state.items[uid] for uid in state.ordering().newest(offset, limit)]

    def listing(
        self,
        folder: int,
        begun: int = 0,
        after: tuple[datetime, int] | None = None,
        limit: int = 512,
        *,
        associated: bool = False,
    ) -> Listing:
        """The first page counts as a first listing of `Horizon.listings`, for `changes` with its token too."""
        with self._lock:
            state, now = self._state(folder), self._clock.monotonic()
            past = state.past
            past.forget(self.horizon, now)
            first = begun == 0
            if first:
                begun = self._next_change()
            elif not 0 < begun <= self._change:
                raise TokenExpired(f"folder {folder} never began this listing")
            elif past.listing(begun, 0, now) is None and begun < past.forgotten:
                raise TokenExpired(f"folder {folder} has forgotten what left it since this listing began: begin anew")
            found = self._listed(state, begun, after, limit + 1, associated=associated)
            page, complete = tuple(found[:limit]), len(found) <= limit
            if not (first and complete):
                past.tell(begun, [item.uid for item in page], self.horizon, now, first=first)
            token = begun if first else begun * _HALF_WAY + begun
            last = (page[-1].received, page[-1].uid) if page else after
            return Listing(page, begun, last, complete, token)

    def _listed(
        self, state: FolderState, begun: int, after: tuple[datetime, int] | None, limit: int, *, associated: bool
    ) -> list[Item]:
        """What was here when the listing began and still is."""
        found: list[Item] = []
        keys = state.ordering().before(after)
        if associated and state.hidden:
            hidden = sorted(((state.items[uid].received, uid) for uid in state.hidden), reverse=True)
            keys = merge(keys, (key for key in hidden if after is None or key < after), reverse=True)
        for _, uid in keys:
            if state.items[uid].arrived <= begun:
                found.append(state.items[uid])
                if len(found) == limit:
                    break
        return found

    def delete(self, uids: Iterable[int]) -> None:
        with self._lock:
            homes = [(uid, self._home(uid)) for uid in dict.fromkeys(uids)]
            for uid, home in homes:
                item, unread = home.items[uid], home.unread
                self._drop(home, uid)
                self._forget(self._boxes[item.account], item)
                self._tell("deleted", home.folder, item, read_changed=home.unread != unread)

    def renumber(self, folder: int) -> dict[int, int]:
        with self._lock:
            state = self._state(folder)
            return {item.uid: self._carry(item, state, state).uid for item in list(state.items.values())}

    def arrange(self, folder: int, uids: Sequence[int]) -> None:
        with self._lock:
            items = self._state(folder).items
            if sorted(uids) != sorted(items):
                raise StoreError(f"an order of folder {folder} names each of its items once")
            for uid in uids:
                items[uid] = items.pop(uid)

    def changes(self, folder: int, since: int = 0, limit: int | None = None) -> Changes:
        """With `since` 0 nothing is said to have left: who knows nothing need not forget. Between pages of one long answer an item may be told as
        removed that the asker never saw, and as changed that was told as it is already. Raises TokenExpired; for a token that nobody was ever
        given too."""
        if limit is not None and limit < 1:
            raise ValueError(f"a limit of changes is at least 1, not {limit}")
        with self._lock:
            state, now = self._state(folder), self._clock.monotonic()
            state.past.forget(self.horizon, now)
            begun, position = divmod(since, _HALF_WAY)
            if since == 0:
                begun = self._next_change() if limit is not None and limit < len(state.items) else 0
                return self._page(state, begun, 0, limit)
            if not (0 <= position <= self._change and 0 <= begun <= self._change):
                raise TokenExpired(f"folder {folder} never gave this token")
            listing = state.past.listing(begun, position, now) if begun else None
            if listing is None and max(begun, position) < state.past.forgotten:
                raise TokenExpired(f"folder {folder} has forgotten what left it since this token: begin anew")
            return self._page(state, begun, position, limit)

    def _page(self, state: FolderState, begun: int, position: int, limit: int | None) -> Changes:
        """What changed after `position`, each item once."""
        past = state.past
        changed: dict[int, Item] = {}
        removed: list[int] = []
        new: set[int] = set()
        read_only: set[int] = set()
        first, complete, token = position == 0, True, position
        for change, uid in past.since(position):
            item = state.items.get(uid)
            known = past.arrived(uid) <= position and (item is not None or change > begun)
            if uid not in changed and (item is not None or known):
                if limit is not None and len(changed) + len(removed) == limit:
                    complete = False
                    break
                if item is None:
                    removed.append(uid)
                else:
                    changed[uid] = item
                    if not known:
                        new.add(uid)
                    elif item.content <= position:
                        read_only.add(uid)
            token = change
        sorts = frozenset(new), frozenset(read_only)
        if complete:
            past.end(begun)
            return Changes(tuple(changed.values()), tuple(removed), max(token, past.last_change), True, *sorts)
        if begun:
            past.tell(begun, changed, self.horizon, self._clock.monotonic(), first=first)
        return Changes(tuple(changed.values()), tuple(removed), begun * _HALF_WAY + token, False, *sorts)

    # -- the outbound drawer

    def post_outbound(self, sender: str, recipients: Iterable[str], octets: bytes) -> Outbound:
        octets = bytes(octets)
        with self._lock:
            content = self._contents.add(octets)
            outbound = Outbound(
                self._ids.number("item"),  # one sequence, so that a uid in the journal means one thing
                self._clock.now(),
                sender,
                tuple(recipients),
                content.size,
                content.digest,
                HeaderMap(octets),
            )
            self._outbound[outbound.uid] = outbound
            return outbound

    def outbound(self) -> Sequence[Outbound]:
        """In order of posting."""
        with self._lock:
            return list(self._outbound.values())

    def outbound_item(self, uid: int) -> Outbound:
        with self._lock:
            if uid not in self._outbound:
                raise NoSuchItem(f"nothing with the uid {uid} lies in the outbound drawer")
            return self._outbound[uid]

    def outbound_octets(self, uid: int) -> bytes:
        with self._lock:
            return self._contents.octets(self.outbound_item(uid).digest)

    def drop_outbound(self, uid: int) -> None:
        with self._lock:
            self._contents.release(self.outbound_item(uid).digest)
            del self._outbound[uid]

    def close(self) -> None:
        with self._lock:
            self._contents.close()

    # -- inside, with the lock held

    def _drop(self, state: FolderState, uid: int) -> None:
        state.drop(uid, self._next_change(), self.horizon, self._clock.monotonic())

    def _next_change(self) -> int:
        self._change += 1
        return self._change

    def _box(self, account: str) -> Box:
        box = self._boxes.get(fold(account))
        if box is None:
            raise UnknownAccount(f"no mailbox was opened for {account!r}")
        return box

    def _state(self, uid: int) -> FolderState:
        state = self._folders.get(uid)
        if state is None:
            raise NoSuchFolder(f"there is no folder {uid}")
        return state

    def _own_folder(self, uid: int, done: str) -> FolderState:
        """A folder that a user made."""
        state = self._state(uid)
        if state.folder.role is not Role.NONE:
            raise StoreError(f"the distinguished folder {state.folder.name!r} cannot be {done}")
        return state

    def _new_folder(self, box: Box, parent: int | None, name: str, role: Role, folder_class: str) -> FolderState:
        uid, change, now = self._ids.number("folder"), self._next_change(), self._clock.now()
        state = FolderState(Folder(uid, box.account, parent, name, role, folder_class, change, change, now, now))
        self._folders[uid] = box.folders[uid] = state
        if parent is not None:
            self._folders[parent].children[uid] = None
        return state

    def _change_folder(self, state: FolderState, *, quiet: bool = False, **values: Any) -> Folder:
        now = self._clock.now()
        state.folder = replace(state.folder, change=self._next_change(), modified=now, **values)
        state.touched = now
        if not quiet:
            self._tell("modified", state.folder)
        return state.folder

    def _tell(self, what: str, folder: Folder, item: Item | None = None, **facts: Any) -> None:
        if self._observers:
            if item is None and "old_folder" not in facts:
                facts["old_folder"] = folder.parent or 0
            happening = Happening(what, folder, item, **facts)
            for observer in self._observers:
                observer(happening)

    def _check_name(self, box: Box, parent: int, name: str, itself: int = 0) -> None:
        if not name.strip() or len(name) > MAX_FOLDER_NAME:
            raise StoreError(f"a folder's name has 1 to {MAX_FOLDER_NAME} characters")
        if any(s.folder.name.casefold() == name.casefold() and s.folder.uid != itself for s in box.children(parent)):
            raise StoreError(f"there is a folder {name!r} here already")

    def _check_depth(self, parent: int | None) -> None:
        depth = 0
        while parent is not None:
            depth += 1
            parent = self._state(parent).folder.parent
        if depth >= MAX_FOLDER_DEPTH:
            raise StoreError(f"folders are nested at most {MAX_FOLDER_DEPTH} deep")

    def _check_quota(self, box: Box, more: int) -> None:
        if box.quota is not None and more > 0 and box.used + more > box.quota:
            raise QuotaExceeded(f"{box.account!r} has {box.used} of {box.quota} octets in use, {more} more do not fit")

    def _home(self, uid: int) -> FolderState:
        home = self._homes.get(uid)
        if home is None:
            raise NoSuchItem(f"there is no item {uid}")
        return home

    def _digest(self, uid: int) -> str:
        item = self._home(uid).items[uid]
        if not item.digest:
            raise StoreError(f"item {uid} has properties, not octets")
        return item.digest

    def _carry(self, item: Item, home: FolderState, target: FolderState, **values: Any) -> Item:
        """The item leaves, and enters under a new uid."""
        self._drop(home, item.uid)
        del self._homes[item.uid]
        self._boxes[item.account].used -= item.size
        box, change = self._boxes[target.folder.account], self._next_change()
        values |= {"account": box.account, "folder": target.folder.uid, "change": change, "arrived": change, "content": change}
        renewed = replace(item, uid=self._ids.number("item"), **values)
        return self._enter(box, target, renewed, "moved", old_folder=home.folder.uid, old_uid=item.uid)

    def _enter(self, box: Box, state: FolderState, item: Item, what: str, **facts: Any) -> Item:
        read_changed = state.put(item)
        self._homes[item.uid] = state
        box.used += item.size
        self._tell(what, state.folder, item, read_changed=read_changed, **facts)
        return item

    def _replace(self, item: Item, **values: Any) -> Item:
        change = self._next_change()
        facts: dict[str, Any] = {"change": change, "content": change, "modified": self._clock.now()}
        changed = replace(item, **facts | values)
        self._boxes[item.account].used += changed.size - item.size
        home = self._homes[item.uid]
        read_changed = home.put(changed)
        self._tell("modified", home.folder, changed, read_changed=read_changed)
        return changed

    def _forget(self, box: Box, item: Item) -> None:
        del self._homes[item.uid]
        box.used -= item.size
        if item.digest:
            self._contents.release(item.digest)

    def _discard(self, box: Box, state: FolderState) -> None:
        for item in state.items.values():
            self._forget(box, item)
        del self._folders[state.folder.uid], box.folders[state.folder.uid]


def _weight(value: Any, depth: int = 0) -> int:
    """Octets that properties count for: an estimate, our choice. Texts and octets count their length, all else eight."""
    if isinstance(value, str | bytes | bytearray):
        return len(value)
    if depth < 32:
        if isinstance(value, Mapping):
            return sum(_weight(key, depth + 1) + _weight(inner, depth + 1) for key, inner in value.items())
        if isinstance(value, list | tuple | set | frozenset):
            return sum(_weight(inner, depth + 1) for inner in value)
    return 8
