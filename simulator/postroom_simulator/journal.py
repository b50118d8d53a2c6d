"""The journal: everything that happened in a world, in order, as values. (Queries are added below the entry types.)"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

__all__ = ["Entry", "Kind"]


class Kind(StrEnum):
    """What an entry tells."""

    CONNECTED = "connected"  # a connection was accepted (or refused by a fault)
    TLS = "tls"  # a handshake ended; detail: "established" or the reason it failed
    COMMAND = "command"  # a client's command; verb and redacted arguments
    REPLY = "reply"  # the first line of the server's reply, as said (before a fault garbled or lost it)
    LOGIN = "login"  # authentication succeeded for `account`, or failed (data["ok"] is False)
    DELIVERY = (
        "delivery"  # an accepted message reached an account (data: uid, sender, recipient, folder) or the outbound drawer
    )
    OFFERED = "offered"  # a message was handed to a client over a mailbox protocol (POP3 RETR; data: uid, uidl, octets)
    REMOVED = "removed"  # a message left a mailbox (POP3 UPDATE, a rule, a test)
    FAULT = "fault"  # a fault acted (data: name, effect)
    CLOSED = "closed"  # a connection ended; detail: "server", "client", "fault" or "timeout"
    NOTE = "note"  # anything else worth telling


class Entry:
    """One thing that happened.

    number      1, 2, 3 ... within the world
    at          aware UTC time by the world's clock
    kind        see `Kind`
    protocol    "pop3", "smtp", "ews" or "" where no connection is involved
    connection  "pop3-1", "smtp-3" ...: counted for each world and protocol; "" where none is involved
    account     address of the account concerned, where it is known by then, else None
    verb        upper-case command for COMMAND and REPLY, else ""
    detail      human-readable, control characters escaped, never a secret
    data        more values; never a secret, an address, a port or a segmentation
    """

    __slots__ = ("account", "at", "connection", "data", "detail", "kind", "number", "protocol", "verb")

    def __init__(
        self,
        number: int,
        at: datetime,
        kind: Kind,
        protocol: str = "",
        connection: str = "",
        account: str | None = None,
        verb: str = "",
        detail: str = "",
        data: dict[str, Any] | None = None,
    ) -> None:
        self.number = number
        self.at = at
        self.kind = kind
        self.protocol = protocol
        self.connection = connection
        self.account = account
        self.verb = verb
        self.detail = detail
        self.data = data or {}
