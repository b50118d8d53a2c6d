"""Requests and answers of HTTP as values; no framing, no socket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["XML", "Request", "Response"]

XML = "text/xml; charset=utf-8"
"""The Content-Type of every answer, to the letter: DavMail compares the whole value (ews reference 1)."""


@dataclass(slots=True)
class Request:
    """headers: names in lower case, the last of several. `link` is what the server remembers of the connection (NTLM is bound to it), the same
    object for all requests of one connection."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    secure: bool = False
    connection: str = ""
    link: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Without query and host, in lower case: clients write it as they like (ews reference 1)."""
        target = self.target.partition("?")[0]
        if "://" in target[:10]:
            target = "/" + target.split("://", 1)[1].partition("/")[2]
        return target.lower()


@dataclass(slots=True)
class Response:
    """headers: pairs, since WWW-Authenticate may come several times. With a `stream` the body is its pieces, chunk by chunk."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    stream: Iterator[bytes] | None = None
