"""Which files of a received email are kept (server-side-sync reference 4.11)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AttachmentPolicy", "is_kept"]


@dataclass(frozen=True, slots=True)
class AttachmentPolicy:
    """MaxUploadFileSize in octets; the blocked extensions in lower case, without dots."""

    size: int
    blocked: frozenset[str]


def is_kept(filename: str, size: int, policy: AttachmentPolicy) -> bool:
    """Neither larger than allowed nor of a blocked extension. Dots and blanks at the end of a name do not count: Windows drops them, and the file
    would be the blocked kind after all (ours)."""
    _, dot, extension = filename.rstrip(". ").rpartition(".")
    return size <= policy.size and not (dot and extension.strip().lower() in policy.blocked)
