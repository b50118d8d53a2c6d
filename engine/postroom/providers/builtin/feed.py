"""RSS 2.0, RSS 1.0 and Atom (RFC 4287) as items: on expat, without document types and entities, bounded, never raising anything but FeedError."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parseaddr, parsedate_to_datetime
from xml.parsers import expat

__all__ = ["FeedError", "FeedItem", "parse_feed"]

DEEPEST = 100
MOST_ITEMS = 20_000
MOST_ELEMENTS = 500_000
PIECE = 64 * 1024
"""Octets given to expat at once: it can be stopped only between two pieces."""
_SPACES = re.compile(r"\s+")
_WORDS = {
    "item": "item",
    "entry": "item",
    "guid": "id",
    "id": "id",
    "title": "title",
    "link": "link",
    "description": "body",
    "summary": "body",
    "content": "content",
    "encoded": "content",
    "pubDate": "date",
    "published": "date",
    "date": "date",
    "updated": "updated",
    "author": "author",
    "creator": "author",
}
"""Local name -> what it means here; `email` and `name` stand inside an author of Atom."""


class FeedError(Exception):
    """What was fetched is no feed. The text says why, in one line."""


@dataclass(slots=True)
class FeedItem:
    """One item. `key`: its guid or id, else its link, else made of what it says. `when`: aware UTC, None where it does not say."""

    key: str = ""
    title: str = ""
    link: str = ""
    body: str = ""
    when: datetime | None = None
    author: str = ""
    address: str = ""


@dataclass(slots=True)
class _Open:
    name: str
    meaning: str
    text: list[str] = field(default_factory=list)


class _Reader:
    """expat's events become items. Text inside markup (XHTML of Atom) counts as text of the element of the item that it stands in."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.items: list[FeedItem] = []
        self._open: list[_Open] = []
        self._values: dict[str, str] | None = None
        self._depth = 0  # of the item
        self._elements = 0

    def _doctype(self, *_: object) -> None:
        raise FeedError("the feed has a document type, which is refused")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > MOST_ELEMENTS:
            raise FeedError(f"the feed has more than {MOST_ELEMENTS} elements")
        if len(self._open) >= DEEPEST:
            raise FeedError(f"the feed is nested more than {DEEPEST} levels deep")
        name = tag.rpartition(" ")[2]
        if not self._open and name not in ("rss", "feed", "RDF"):
            raise FeedError(f"the root is neither rss nor feed nor RDF, but {name[:40]!r}")
        self._open.append(_Open(name, _WORDS.get(name, "")))
        if self._open[-1].meaning == "item" and self._values is None:
            if len(self.items) >= MOST_ITEMS:
                raise FeedError(f"the feed has more than {MOST_ITEMS} items")
            self._values, self._depth = {}, len(self._open)
        elif name == "link":
            self._link(attributes)

    def _link(self, attributes: dict[str, str]) -> None:
        """Atom: the address is an attribute, and there may be several."""
        if self._values is None or len(self._open) != self._depth + 1:
            return
        if attributes.get("rel", "alternate") == "alternate" and "href" in attributes:
            self._values.setdefault("link", attributes["href"].strip())

    def _text(self, text: str) -> None:
        if self._values is None:
            return
        for one in self._open[self._depth :]:
            one.text.append(text)
            break  # the child of the item that it stands in
        if len(self._open) == self._depth + 2:  # e-mail and name of an author
            self._open[-1].text.append(text)

    def _end(self, _tag: str) -> None:
        closed = self._open.pop()
        if self._values is None:
            return
        level = len(self._open) + 1 - self._depth
        text = "".join(closed.text).strip()
        if level == 0:
            self.items.append(_item(self._values))
            self._values = None
        elif level == 1 and closed.meaning and text:
            self._values.setdefault(closed.meaning, text)
        elif level == 2 and closed.name in ("email", "name") and self._open[-1].meaning == "author":
            self._values.setdefault(closed.name, text)


def parse_feed(octets: bytes) -> list[FeedItem]:
    """The items in the feed's order. Raises FeedError."""
    reader = _Reader()
    try:
        for start in range(0, len(octets), PIECE):
            reader.parser.Parse(octets[start : start + PIECE], False)
        reader.parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise FeedError(
            f"the feed is no XML: {expat.errors.messages.get(error.code, 'error')} at line {error.lineno}"
        ) from None
    except (LookupError, ValueError):
        raise FeedError("the feed has an encoding that is not known") from None
    return reader.items


def _item(values: dict[str, str]) -> FeedItem:
    author = values.get("author", "")
    name, address = parseaddr(author) if "@" in author else (author, "")
    title = _SPACES.sub(" ", values.get("title", ""))
    body = values.get("content") or values.get("body", "")
    item = FeedItem(
        values.get("id") or values.get("link", ""),
        title,
        values.get("link", ""),
        body,
        _moment(values.get("date", "")) or _moment(values.get("updated", "")),
        _SPACES.sub(" ", values.get("name") or name),
        values.get("email") or address,
    )
    if not item.key:
        told = "\0".join((title, body, values.get("date", "")))
        item.key = f"sha256:{hashlib.sha256(told.encode('utf-8', 'surrogatepass')).hexdigest()}"
    return item


def _moment(text: str) -> datetime | None:
    """RFC 822 dates of RSS, RFC 3339 ones of Atom; a time without a zone counts as UTC. None for anything else."""
    if not text or len(text) > 100:
        return None
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(text)
            return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).astimezone(UTC)
        except (TypeError, ValueError, OverflowError, IndexError):
            continue
    return None
