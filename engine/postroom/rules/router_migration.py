"""What becomes of a router's providers in server-side synchronization: pure decisions (email-router-providers reference 14).

The original's wizard merged an incoming and an outgoing profile into one, and left custom ones out without a word. Here every provider of the file
has an outcome, and every one that is not migrated says why and what to do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Left", "Merged", "Protocol", "merge", "protocol_of", "reason_left"]


class Protocol(StrEnum):
    """What a provider speaks, as far as its class name and its server say it."""

    POP3 = "POP3"
    SMTP = "SMTP"
    EXCHANGE = "Exchange (EWS)"
    EXCHANGE_ONLINE = "Exchange Online"
    EXCHANGE_OLD = "Exchange 2003 or WebDAV"
    EXCHANGE_UNCLEAR = "Exchange, version unclear"
    CUSTOM = "custom"
    NONE = "none"


class Merged(StrEnum):
    """What an incoming and an outgoing profile become."""

    EXCHANGE = "Exchange profile"
    POP3_SMTP = "POP3/SMTP profile"
    LEFT = "not migrated"


_NAMES = {
    "pop3": Protocol.POP3,
    "smtp": Protocol.SMTP,
    "Microsoft.Crm.Tools.Email.Providers.Pop3PollingMailboxProvider": Protocol.POP3,
    "Microsoft.Crm.Tools.Email.Providers.SmtpPollingSendEmailProvider": Protocol.SMTP,
}
_ORIGINAL = "Microsoft.Crm.Tools.Email.Providers."
_ONLINE = re.compile(r"(outlook\.office365\.com|\.outlook\.com|office365)", re.IGNORECASE)
_OLD = re.compile(r"(webdav|2003|/exchange(/|$)|/public(/|$))", re.IGNORECASE)
_EWS = re.compile(r"(ews|exchange\.asmx|autodiscover|2007|2010|2013|2016)", re.IGNORECASE)


def protocol_of(class_name: str, server: str) -> Protocol:
    """Class names beyond the two documented ones, and the marks of an Exchange server's kind, are our reading [I]."""
    known = _NAMES.get(class_name) or _NAMES.get(class_name.removeprefix("isolated:"))
    if known is not None:
        return known
    if not class_name.startswith(_ORIGINAL) or ("exchange" not in class_name.casefold() and "ews" not in class_name.casefold()):
        return Protocol.CUSTOM
    said = f"{class_name.removeprefix(_ORIGINAL)} {server}"
    if "online" in said.casefold() or _ONLINE.search(said):
        return Protocol.EXCHANGE_ONLINE
    if _OLD.search(said):
        return Protocol.EXCHANGE_OLD
    return Protocol.EXCHANGE if _EWS.search(said) else Protocol.EXCHANGE_UNCLEAR


_P, _N = Protocol, Protocol.NONE
_TABLE: dict[tuple[Protocol, Protocol], Merged] = {
    **{
        (incoming, outgoing): Merged.EXCHANGE
        for incoming in (_P.EXCHANGE, _P.EXCHANGE_ONLINE)
        for outgoing in (_P.SMTP, _P.EXCHANGE_ONLINE)
    },
    (_P.POP3, _P.SMTP): Merged.POP3_SMTP,
    (_P.POP3, _P.EXCHANGE_ONLINE): Merged.EXCHANGE,
    # one direction only: the table is silent; ours: the other direction stays off
    (_P.POP3, _N): Merged.POP3_SMTP,
    (_N, _P.SMTP): Merged.POP3_SMTP,
    (_P.EXCHANGE, _N): Merged.EXCHANGE,
    (_P.EXCHANGE_ONLINE, _N): Merged.EXCHANGE,
    (_N, _P.EXCHANGE_ONLINE): Merged.EXCHANGE,
}


def merge(incoming: Protocol, outgoing: Protocol) -> Merged:
    """The table of the reference; whatever it does not have is not migrated."""
    return _TABLE.get((incoming, outgoing), Merged.LEFT)


@dataclass(frozen=True, slots=True)
class Left:
    """Why something is not migrated, and what to do."""

    why: str
    todo: str


_LEFT = {
    Protocol.CUSTOM: Left(
        "it is a custom provider: server-side synchronization runs none",
        "keep the organization on the router, or move its mailboxes to a server that POP3, SMTP or Exchange reaches; its state is"
        " exported with the router's",
    ),
    Protocol.EXCHANGE_OLD: Left(
        "Exchange 2003 and WebDAV are not migrated", "move its mailboxes to Exchange 2010 or later, or read them by POP3"
    ),
    Protocol.EXCHANGE_UNCLEAR: Left(
        "its name and server do not say which Exchange it is", "give its server as a URL that ends in /EWS/Exchange.asmx"
    ),
}


def reason_left(incoming: Protocol, outgoing: Protocol) -> Left:
    """The first of the two that cannot come along decides."""
    for one in (incoming, outgoing):
        if one in _LEFT:
            return _LEFT[one]
    return Left(f"{incoming} with {outgoing} has no counterpart", "choose POP3 with SMTP, or Exchange with either")
