"""Folders by their names (ews reference 6: names are unique in a folder, without regard to case)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call
from postroom_simulator.store.interface import Folder

__all__ = ["named_child"]


def named_child(call: Call, parent: Folder, name: str) -> Folder | None:
    """The folder of that name right in another."""
    folded = name.casefold()
    return next((one for one in call.store.children(parent.uid) if one.name.casefold() == folded), None)
