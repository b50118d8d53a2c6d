"""Requests and answers of HTTP as values; no framing, no socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from postroom_simulator.ews.stream import Stream

__all__ = ["HTML", "METHODS", "REASONS", "Request", "Response"]

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
"""Those that published pages know, each a step for faults."""

HTML = "text/html; charset=utf-8"

REASONS: Mapping[int, str] = {
    100: "Continue",
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    304: "Not Modified",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    411: "Length Required",
    413: "Payload Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    417: "Expectation Failed",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
    507: "Insufficient Storage",
}
"""What statuses are called (RFC 9110 §15)."""


@dataclass(slots=True)
class Request:
    """headers: names in lower case; several of one name joined by ", ". `link` is what the server remembers of the connection (see `exchange.Link`),
    the same object for all its requests; without one the request has a connection of its own."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    secure: bool = False
    link: Any = field(default=None, repr=False)

    @property
    def path(self) -> str:
        """Without query and host, in lower case: clients write it as they like (ews reference 1)."""
        target = self.target.partition("?")[0]
        if "://" in target[:10]:
            target = "/" + target.split("://", 1)[1].partition("/")[2]
        return target.lower()

    @property
    def scheme(self) -> str:
        """As the client wrote it, where something in front of us says so (X-Forwarded-Proto)."""
        told = self.headers.get("x-forwarded-proto", "").strip().lower()
        return told if told in ("http", "https") else "https" if self.secure else "http"

    def base_url(self, hostname: str) -> str:
        """Scheme and host for URLs in answers, from what the request names; `hostname` where it names none."""
        host = self.headers.get("x-forwarded-host", "") or self.headers.get("host", "")
        safe = host if host and len(host) <= 300 and all(c.isalnum() or c in ".-:[]_" for c in host) else hostname
        return f"{self.scheme}://{safe}"


@dataclass(slots=True)
class Response:
    """headers: pairs, since WWW-Authenticate may come several times. With a `stream` the body is what is pushed there, chunk by chunk.

    codes    response codes of the messages, for the journal
    offered  of each message that is in the body whole: uid, octets, way
    close    the connection ends behind it
    """

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = field(default=b"", repr=False)
    stream: Stream | None = None
    codes: list[str] = field(default_factory=list)
    offered: list[dict[str, Any]] = field(default_factory=list)
    close: bool = False
