"""Where the subfolders of a Maildir++ belong in a mailbox: directories like ".Archive.2024" beside `cur` and `new`."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING

from postroom_simulator.store.interface import Folder, Role

if TYPE_CHECKING:
    from postroom_simulator.store.interface import MailStore

__all__ = ["decoded", "find_or_make", "folder_path"]

_ROLES = {
    "sent": Role.SENT,
    "sent items": Role.SENT,
    "sent messages": Role.SENT,
    "drafts": Role.DRAFTS,
    "trash": Role.DELETED,
    "deleted items": Role.DELETED,
    "deleted messages": Role.DELETED,
    "junk": Role.JUNK,
    "junk e-mail": Role.JUNK,
    "spam": Role.JUNK,
}
"""Names that mail programs give to what a mailbox has already (RFC 6154 §2 has the uses; the names are our choice)."""

_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-", re.ASCII)


def decoded(name: str) -> str:
    """A folder's name out of modified UTF-7 (RFC 3501 §5.1.3); one that is none stays as it is."""
    try:
        return _SHIFTED.sub(_unshifted, name)
    except ValueError:  # broken base64, half a character
        return name


def _unshifted(match: re.Match[str]) -> str:
    text = match[1].replace(",", "/")
    if not text:
        return "&"
    return b64decode(text + "=" * (-len(text) % 4), validate=True).decode("utf-16-be")


def folder_path(directory: str) -> tuple[str, ...]:
    """ ".Archive.2024" is "2024" in "Archive". Empty levels are left out."""
    levels = (decoded(level).strip() for level in directory.split("."))
    return tuple(level[:255] for level in levels if level)


def find_or_make(store: MailStore, account: str, path: tuple[str, ...]) -> Folder:
    """The folder of a mailbox, beside the Inbox; what is missing of it is made, names in any case. Raises UnknownAccount."""
    role = _ROLES.get(path[0].casefold())
    here = store.folder(account, role or Role.TOP)
    for name in path[1:] if role is not None else path:
        beneath = (folder for folder in store.folders(account) if folder.parent == here.uid)
        found = next((folder for folder in beneath if folder.name.casefold() == name.casefold()), None)
        here = found or store.create_folder(here.uid, name)
    return here
