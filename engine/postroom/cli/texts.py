"""Words that several commands share."""

from __future__ import annotations

__all__ = ["told"]


def told(error: Exception) -> str:
    """An error as a line for a person: of the machine's errors the file and the words, without their number."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    return str(error)
