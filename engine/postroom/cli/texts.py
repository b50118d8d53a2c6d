"""Words that several commands share."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["clean", "counted", "listed", "told"]


def told(error: Exception) -> str:
    """An error as a line for a person: of the machine's errors the file and the words, without their number."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    return str(error)


def clean(text: str) -> str:
    """Control characters, also those that turn the direction of writing, shown as escapes."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def counted(number: int, noun: str, plural: str = "") -> str:
    """ "1 mailbox", "2 mailboxes"."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {plural or noun + ('es' if noun.endswith(('s', 'x')) else 's')}"


def listed(words: Iterable[str], last: str = "or") -> str:
    """ "a, b or c"."""
    found = list(words)
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} {last} {found[-1]}" if found else ""
