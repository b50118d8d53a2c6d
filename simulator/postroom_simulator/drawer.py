"""What becomes of a world's mail outside the world: the outbound drawer as a folder of files, and how much is kept of what comes."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from postroom_simulator.errors import ImportProblem, NoSuchItem
from postroom_simulator.journal import Entry, Kind

if TYPE_CHECKING:
    from postroom_simulator.world import World

__all__ = ["ENVELOPES", "keep_newest", "write_drawer"]

ENVELOPES = "envelopes.jsonl"
"""The file of the drawer's folder that has a line for each message: file, at, sender, recipients."""
_DRAWER = "drawer"


def write_drawer(world: World, folder: str | os.PathLike[str]) -> None:
    """From now on write every message for people unknown here to `folder` as well, octet for octet, before its sender is answered: as
    "000017.eml", by its uid, whole or not at all. Who it was from and for stands in `ENVELOPES`.

    The folder is made where it is missing; files of an earlier world are never overwritten. Raises ImportProblem where it cannot be written. A
    disk that refuses later is noted in the journal, and the mail goes on."""
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
        with (place / ENVELOPES).open("ab"):
            pass
    except OSError as error:
        raise ImportProblem(f"{error.filename or place}: {error.strerror}") from error
    world.journal.listen(_Writer(world, place))


class _Writer:
    def __init__(self, world: World, place: Path) -> None:
        self._world = world
        self._place = place
        self._last = 0

    def __call__(self, entry: Entry) -> None:
        if entry.kind is not Kind.DELIVERY or entry.data["folder"] != _DRAWER or entry.data["uid"] == self._last:
            return  # the entries of one message, one for each recipient, come one after the other
        self._last = uid = entry.data["uid"]
        try:
            self._write(uid)
        except OSError as error:
            detail = f"the drawer's folder: {error.filename or self._place}: {error.strerror}"
            self._world.journal.add(Kind.NOTE, detail=detail, data={"uid": uid})

    def _write(self, uid: int) -> None:
        outbound = self._world.store.outbound_item(uid)
        name = self._put(uid, self._world.store.outbound_octets(uid))
        line = {"file": name, "at": outbound.at.isoformat(), "sender": outbound.sender, "recipients": outbound.recipients}
        with (self._place / ENVELOPES).open("a", encoding="ascii") as envelopes:
            envelopes.write(json.dumps(line) + "\n")

    def _put(self, uid: int, octets: bytes) -> str:
        """Under a name that nobody has."""
        unfinished = self._place / f".{uid:06d}.{os.getpid()}.part"
        try:
            unfinished.write_bytes(octets)
            for again in range(1_000_000):
                name = f"{uid:06d}-{again}.eml" if again else f"{uid:06d}.eml"
                with contextlib.suppress(FileExistsError):
                    os.link(unfinished, self._place / name)
                    return name
            raise FileExistsError(17, "there are too many files of this number", str(self._place))
        finally:
            unfinished.unlink(missing_ok=True)


def keep_newest(world: World, count: int) -> None:
    """From now on keep only so many of the newest messages of each folder that mail reaches, and of the outbound drawer: for servers that run
    long. What goes is journalled as REMOVED, with the reason "kept enough"; of the drawer nothing is."""
    if count < 1:
        raise ValueError("at least one message is kept")

    def watch(entry: Entry) -> None:
        if entry.kind is not Kind.DELIVERY:
            return
        if entry.data["folder"] == _DRAWER:
            for old in world.store.outbound()[:-count]:
                with contextlib.suppress(NoSuchItem):
                    world.store.drop_outbound(old.uid)
            return
        with contextlib.suppress(NoSuchItem):
            folder = world.store.item(entry.data["uid"]).folder
            excess = world.store.count(folder) - count
            for item in world.store.items(folder)[:excess] if excess > 0 else ():
                world.withdraw(item.uid, reason="kept enough")

    world.journal.listen(watch)
