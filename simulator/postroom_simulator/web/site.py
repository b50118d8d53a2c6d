"""Pages of a world: octets by path, with the headers that let a client ask whether they changed (RFC 9110)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import mimetypes
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postroom_simulator.errors import WorldError
from postroom_simulator.web.exchange import Exchange, Instead, as_status
from postroom_simulator.web.feeds import Entry, as_entry, rss
from postroom_simulator.web.values import HTML, METHODS, REASONS, Request, Response

if TYPE_CHECKING:
    from postroom_simulator.directory import Account
    from postroom_simulator.world import World

__all__ = ["Handler", "Page", "Received", "Site"]

FEEDS = {".rss": "application/rss+xml", ".atom": "application/atom+xml", ".xml": "application/xml"}
"""What names of files do not say everywhere alike."""
Handler = Callable[[Request], Response]
"""Answers a request for a path by itself."""


@dataclass(frozen=True, slots=True)
class Page:
    """etag: without it none is shown; modified: likewise. location: of a redirect, with `status` 301, 302, 303, 307 or 308."""

    octets: bytes = field(default=b"", repr=False)
    content_type: str = HTML
    etag: str = ""
    modified: datetime | None = None
    headers: tuple[tuple[str, str], ...] = ()
    status: int = 200
    location: str = ""


@dataclass(frozen=True, slots=True)
class Received:
    """One request that was taken by a path which collects."""

    path: str
    method: str
    headers: dict[str, str]
    body: bytes = field(repr=False)
    account: str | None = None


@dataclass(slots=True)
class Site:
    """What the services "http" and "https" of a world serve, at any host name.

    body_limit   octets of a request's body that are taken (16 MiB is our choice)
    idle_limit   seconds that a connection may be kept open unused, None: any number
    received     what was posted to paths that collect, in order
    """

    world: World
    body_limit: int = 16 * 1024 * 1024
    idle_limit: float | None = 120.0
    received: list[Received] = field(default_factory=list)
    _pages: dict[str, Page] = field(default_factory=dict)
    _handlers: dict[str, Handler] = field(default_factory=dict)
    _feeds: dict[str, list[Entry]] = field(default_factory=dict)
    _files: dict[str, Path] = field(default_factory=dict)
    _protected: dict[str, str | None] = field(default_factory=dict)

    def url(self, path: str, *, tls: bool = False) -> str:
        """Where a path is in memory."""
        from postroom_simulator.world import SERVICES

        scheme = "https" if tls else "http"
        return f"{scheme}://{self.world.hostname}:{SERVICES[scheme]}{_checked(path)}"

    # -- what is there

    def publish(
        self,
        path: str,
        octets: bytes,
        *,
        content_type: str = "application/octet-stream",
        headers: Iterable[tuple[str, str]] = (),
        validators: bool = True,
    ) -> Page:
        """These octets under this path from now on, with an ETag made of them and the world's time as Last-Modified, or without (`validators`
        False). The same octets again keep both."""
        known = self._pages.get(_checked(path))
        if known is not None and (known.octets, known.content_type, known.headers) == (octets, content_type, tuple(headers)):
            return known
        page = Page(octets, content_type, headers=tuple(headers))
        if validators:
            tag = f'"{hashlib.sha256(octets).hexdigest()[:16]}"'
            page = replace(page, etag=tag, modified=self.world.clock.now().replace(microsecond=0))
        self._pages[path] = page
        return page

    def publish_file(self, path: str, file: Path) -> Page:
        """A file under this path, looked at in each request: what changes on the disk changes here. 404 while it is away. Raises WorldError where it
        cannot be read now."""
        self._files[_checked(path)] = file
        try:
            return self._read(path)
        except OSError as error:
            del self._files[path]
            raise WorldError(f"{file}: {error.strerror or 'cannot be read'}") from None

    def _read(self, path: str) -> Page:
        file = self._files[path]
        guessed = FEEDS.get(file.suffix.lower()) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        return self.publish(path, file.read_bytes(), content_type=guessed)

    def publish_feed(self, path: str, items: Iterable[Any], *, write: Callable[..., bytes] = rss, **options: Any) -> Page:
        """Put items in front of a feed, the last one foremost, as feeds have their newest first. `items`: `feeds.Entry` values, or messages with
        `message_id`, `subject`, `text` and `date`. `write`: `feeds.rss` or `feeds.atom`; `options` as for `publish`."""
        known = self._feeds.setdefault(_checked(path), [])
        known[:0] = [as_entry(one) for one in items][::-1]
        return self.publish(path, write(known), content_type="application/xml", **options)

    def redirect(self, path: str, location: str, status: int = 302) -> None:
        """Whoever asks for this path is sent elsewhere."""
        self._pages[_checked(path)] = Page(status=status, location=location)

    def remove(self, path: str) -> None:
        """404 from now on."""
        self._pages.pop(path, None)
        self._files.pop(path, None)
        self._handlers.pop(path, None)

    def handle(self, path: str, handler: Handler) -> None:
        """This path, and what is below it, is answered by a function. With the world's lock held."""
        self._handlers[_checked(path)] = handler

    def collect(self, path: str, status: int = 202) -> None:
        """What is posted to this path is kept in `received`."""

        def take(request: Request) -> Response:
            if request.method not in ("POST", "PUT"):
                return Response(405, [("Allow", "POST, PUT")])
            account = self.who(request)
            address = account.address if account is not None else None
            self.received.append(Received(_path(request), request.method, dict(request.headers), request.body, address))
            return Response(status)

        self.handle(path, take)

    def protect(self, prefix: str, address: str | None = None) -> None:
        """Paths that begin so are for people of the world who log in (Basic, RFC 7617), or for one of them."""
        self._protected[_checked(prefix)] = address

    # -- answering

    def who(self, request: Request) -> Account | None:
        """Whose credentials a request shows, None: nobody's that are known."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        try:
            user, colon, password = base64.b64decode(text.strip(), validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return self.world.authenticate(user, password) if scheme.lower() == "basic" and colon else None

    def answer(self, exchange: Exchange) -> Response:
        """May be called again after a Halted. Raises Halted only."""
        request = exchange.request
        try:
            exchange.pass_step("request", exchange.address)
            refused = self._refusal(exchange)
            if refused is not None:
                return refused
            exchange.hear(exchange.verb, request.target[:200])
            if request.method in METHODS:
                exchange.pass_step(request.method, exchange.address, request.target)
        except Instead as instead:
            return as_status(instead.reply, self.world.hostname)
        path = _path(request)
        handler = self._handler(path)
        if handler is not None:
            return handler(request)
        page = self._page(path)
        if page is None:
            return _plain(404)
        if request.method not in ("GET", "HEAD"):
            return Response(405, [("Allow", "GET, HEAD")])
        return _shown(page, request)

    def _page(self, path: str) -> Page | None:
        if path in self._files:
            try:
                return self._read(path)
            except OSError:
                return None
        return self._pages.get(path)

    def _handler(self, path: str) -> Handler | None:
        fitting = [one for one in self._handlers if path == one or path.startswith(one.rstrip("/") + "/")]
        return self._handlers[max(fitting, key=len)] if fitting else None

    def _refusal(self, exchange: Exchange) -> Response | None:
        path = _path(exchange.request)
        guarding = [prefix for prefix in self._protected if path.startswith(prefix)]
        if not guarding:
            return None
        only = self._protected[max(guarding, key=len)]
        found = self.who(exchange.request)
        shown = "authorization" in exchange.request.headers
        if found is None or (only is not None and found.address != only):
            if shown:
                exchange.note_login(found, "Basic", "wrong credentials" if found is None else "not allowed here")
            if found is not None:
                return _plain(403)
            refused = _plain(401)
            refused.headers.append(("WWW-Authenticate", f'Basic realm="{self.world.hostname}", charset="UTF-8"'))
            return refused
        exchange.account = found
        exchange.note_login(found, "Basic")
        return None


def _checked(path: str) -> str:
    if not path.startswith("/") or any(not "!" <= one <= "~" for one in path):
        raise WorldError(f"{path!r} is no path: it begins with / and holds no blanks")
    return path


def _path(request: Request) -> str:
    """As published, upper and lower case kept; without query."""
    target = request.target.partition("?")[0]
    return "/" + target.split("://", 1)[1].partition("/")[2] if "://" in target[:10] else target


def _plain(status: int) -> Response:
    return Response(status, [("Content-Type", HTML)], f"<html><body>{REASONS.get(status, '')}</body></html>".encode())


def _shown(page: Page, request: Request) -> Response:
    """The page, or 304 where the client has it (RFC 9110 §13.1.2, §13.1.3: a tag goes before a date)."""
    if page.location:
        return Response(page.status, [("Location", page.location)])
    headers = list(page.headers)
    if page.etag:
        headers.append(("ETag", page.etag))
    if page.modified is not None:
        headers.append(("Last-Modified", format_datetime(page.modified.astimezone(UTC), usegmt=True)))
    if _unchanged(page, request.headers):
        return Response(304, headers)
    return Response(page.status, [("Content-Type", page.content_type), *headers], page.octets)


def _unchanged(page: Page, headers: Mapping[str, str]) -> bool:
    tags = headers.get("if-none-match")
    if tags is not None:
        known = {one.strip().removeprefix("W/") for one in tags.split(",")}
        return bool(page.etag) and (page.etag.removeprefix("W/") in known or "*" in known)
    since = headers.get("if-modified-since")
    if since is None or page.modified is None:
        return False
    try:
        return page.modified <= parsedate_to_datetime(since)
    except (ValueError, TypeError):  # unreadable, or without a zone: as if it had not been said
        return False
