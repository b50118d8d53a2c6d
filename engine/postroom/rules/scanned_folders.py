"""Where a server with folders is looked through, and by which moment an item counts as new (server-side-sync reference 4.1, 4.2). Exchange only:
POP3 has one Inbox and no times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = ["FolderKind", "ItemTimes", "is_candidate", "moment_of", "scanned"]


class FolderKind(StrEnum):
    INBOX = "inbox"
    INBOX_SUBFOLDER = "inbox subfolder"
    TRACKED = "tracked"
    """A folder below Inbox with a tracking rule of its own."""
    SENT_ITEMS = "sent items"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ItemTimes:
    received: datetime
    modified: datetime


def scanned(kind: FolderKind, *, folder_tracking: bool, sent_items: bool) -> bool:
    """The root Inbox only, plus tracked folders (IsFolderBasedTrackingEnabled), plus Sent Items (AutoTrackSentFolderItems)."""
    if kind is FolderKind.TRACKED:
        return folder_tracking
    if kind is FolderKind.SENT_ITEMS:
        return sent_items
    return kind is FolderKind.INBOX


def moment_of(kind: FolderKind, times: ItemTimes) -> datetime:
    """What is compared with the watermark: the received time; in tracked folders the modified time."""
    return times.modified if kind is FolderKind.TRACKED else times.received


def is_candidate(kind: FolderKind, times: ItemTimes, watermark: datetime | None) -> bool:
    """A message that sat in a subfolder while the watermark moved on, and then came back to Inbox, is none: its received time is older."""
    return watermark is None or moment_of(kind, times) >= watermark
