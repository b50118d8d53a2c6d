"""The `Received:` line in front of an accepted message: RFC 5321 §4.4."""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache

from aiosmtpd.smtp import Envelope, Session

from postroom_simulator.session import SessionContext

__all__ = ["hops", "received_line"]

_UNFIT = re.compile(r"[^A-Za-z0-9._:\[\]-]")
_RECEIVED = re.compile(rb"^received:", re.IGNORECASE | re.MULTILINE)
_HEADER_LOOKED_AT = 256 * 1024


def hops(octets: bytes) -> int:
    """How many `Received:` lines the header has (RFC 5321 §6.3), as far as its first 256 KiB tell."""
    end = octets.find(b"\r\n\r\n", 0, _HEADER_LOOKED_AT)
    return len(_RECEIVED.findall(octets[: end if end >= 0 else _HEADER_LOOKED_AT]))


def received_line(context: SessionContext, session: Session, envelope: Envelope, account: str | None, queue_id: str) -> bytes:
    """One folded header field with its line end, at the world's time. A sole recipient is named, several never are (RFC 5321 §7.2)."""
    name = _UNFIT.sub("?", session.host_name or "")[:255]
    peer = f"IPv6:{context.client_address}" if ":" in context.client_address else context.client_address
    only = f"\r\n\tfor <{envelope.rcpt_tos[0]}>" if len(envelope.rcpt_tos) == 1 else ""
    line = (
        f"Received: from {name} ([{peer}])\r\n\tby {context.world.hostname} with {_protocol(context, session, envelope, account)}"
        f" id {queue_id}{only};\r\n\t{_moment(context.world.clock.now().replace(microsecond=0))}\r\n"
    )
    return line.encode("utf-8")


@lru_cache(maxsize=8)
def _moment(second: datetime) -> str:
    """As RFC 5322 writes it; many messages share a second."""
    return format_datetime(second)


def _protocol(context: SessionContext, session: Session, envelope: Envelope, account: str | None) -> str:
    """The registered name of what was spoken: RFC 3848, RFC 6531 §4.3."""
    if not session.extended_smtp:
        return "SMTP"
    return ("UTF8SMTP" if envelope.smtp_utf8 else "ESMTP") + ("S" if context.secure else "") + ("A" if account else "")
