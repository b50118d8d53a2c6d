"""Feeds as octets, for `Site.publish`: RSS 2.0 and Atom (RFC 4287)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from xml.sax.saxutils import escape

__all__ = ["Entry", "as_entry", "atom", "rss"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One item: `key` is its guid or id, `text` may be HTML. `when` None: without a date. `author`: an address or a name."""

    key: str
    title: str
    text: str = ""
    when: datetime | None = None
    link: str = ""
    author: str = ""


def as_entry(item: Any) -> Entry:
    """An entry as it is, or what a message says."""
    return item if isinstance(item, Entry) else Entry(item.message_id, item.subject, item.text, item.date)


def rss(entries: Iterable[Entry], *, title: str = "feed") -> bytes:
    """RSS 2.0, in the order given."""
    items = "".join(
        "<item>"
        + _element("title", one.title)
        + (_element("guid", one.key, ' isPermaLink="false"') if one.key else "")
        + _element("link", one.link)
        + _element("author", one.author)
        + (_element("pubDate", format_datetime(one.when.astimezone(UTC))) if one.when is not None else "")
        + _element("description", one.text)
        + "</item>"
        for one in entries
    )
    return _document(f'<rss version="2.0"><channel>{_element("title", title)}{items}</channel></rss>')


def atom(entries: Iterable[Entry], *, title: str = "feed") -> bytes:
    """Atom, in the order given."""
    items = "".join(
        "<entry>"
        + _element("title", one.title)
        + _element("id", one.key)
        + (f'<link href="{escape(one.link, {chr(34): "&quot;"})}"/>' if one.link else "")
        + (f"<author>{_element('email' if '@' in one.author else 'name', one.author)}</author>" if one.author else "")
        + (_element("published", one.when.astimezone(UTC).isoformat()) if one.when is not None else "")
        + _element("content", one.text, ' type="html"')
        + "</entry>"
        for one in entries
    )
    return _document(f'<feed xmlns="http://www.w3.org/2005/Atom">{_element("title", title)}{items}</feed>')


def _document(text: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode("utf-8", "xmlcharrefreplace")


def _element(name: str, text: str, attributes: str = "") -> str:
    if not text:
        return ""
    allowed = "".join(one for one in text if one in "\t\n\r" or (one >= " " and not "\ud800" <= one <= "\udfff"))
    return f"<{name}{attributes}>{escape(allowed)}</{name}>"
