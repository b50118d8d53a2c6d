"""What can be set about an SMTP server."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from weakref import WeakSet

from postroom_simulator.policies import Policies

if TYPE_CHECKING:
    from postroom_simulator.smtp.dialogue import Dialogue

__all__ = ["EXTENSIONS", "SmtpService", "SmtpSettings"]

EXTENSIONS = (
    *(
        "SIZE",
        "8BITMIME",
        "BINARYMIME",
        "CHUNKING",
        "SMTPUTF8",
        "PIPELINING",
        "DSN",
        "ENHANCEDSTATUSCODES",
        "STARTTLS",
        "AUTH",
        "EXPN",
        "HELP",
    ),
)
"""Every extension that the server knows, in the order in which EHLO lists them."""

Relay = Literal["anyone", "authenticated", "nobody"]
Verify = Literal["vague", "real"]


@dataclass(slots=True)
class SmtpSettings:
    """One server's ways; changes hold for the next command of sessions that run, too. Limits are mail-protocol-pitfalls 8; what has no source there is our choice.

    extensions        offered after EHLO; without one of them its parameters and commands are unknown too
    mechanisms        of AUTH, in the order offered; names of `sasl.MECHANISMS`
    hidden            extensions and mechanisms that are neither announced nor there, as if they were left out above
    false             extensions and mechanisms that are announced, and not there. For both, and for single accounts, see `offers`
    auth_without_tls  offer AUTH on a line that is not encrypted. True is our choice: tests and loopback (RFC 4954 §4 wants
                      it asked for); False answers 538
    require_auth      MAIL before AUTH is answered 530
    require_tls       all but EHLO, HELO, NOOP, RSET, QUIT, HELP and STARTTLS is answered 530 on an unencrypted line (RFC 3207 §4)
    relay             whose mail for people unknown here goes to the outbound drawer; others get 550 5.7.1
    relay_domains     the domains that it may be for (any case); None: all
    verify            "real": VRFY and EXPN say who is here, and EXPN is announced; "vague": they say 252 (RFC 5321 §3.5.2, §3.5.3)
    strict_line_ends  a lone CR or LF in the text is refused with 550 5.5.2, except in BINARYMIME; otherwise kept as it is and noted
    trace             put one `Received:` line in front of each message (RFC 5321 §4.4); all other octets stay as sent
    return_path       put one `Return-Path:` line in front of what is delivered to a mailbox here (RFC 5321 §4.4). Off is our choice: a
                      mailbox then holds what was sent, and the journal who sent it
    max_octets        of a message, without the dots of transparency (RFC 1870 §4)
    max_hops          `Received:` lines in the header; with more it is 554 5.4.6, a loop (RFC 5321 §6.3)
    max_command       octets of a command line with its end; `max_auth` in AUTH and its answers (RFC 4954 §4)
    max_bad_commands  the last of so many ends the connection with 421; so does the last of `max_auth_failures`
    idle_limit        seconds without input before 421 (RFC 5321 §4.5.3.2.7); None: no limit
    """

    extensions: tuple[str, ...] = EXTENSIONS
    mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN")
    hidden: AbstractSet[str] = frozenset()
    false: AbstractSet[str] = frozenset()
    auth_without_tls: bool = True
    require_auth: bool = False
    require_tls: bool = False
    relay: Relay = "anyone"
    relay_domains: AbstractSet[str] | None = None
    verify: Verify = "vague"
    strict_line_ends: bool = False
    trace: bool = True
    return_path: bool = False
    max_octets: int = 25 * 2**20
    max_recipients: int = 1_000
    max_hops: int = 100
    max_command: int = 4_096
    max_auth: int = 12_288
    max_bad_commands: int = 20
    max_auth_failures: int = 5
    idle_limit: float | None = 300.0

    def __post_init__(self) -> None:
        unknown = [name for name in self.extensions if name not in EXTENSIONS]
        if unknown:
            raise ValueError(f"unknown SMTP extension {unknown[0]!r}: known are {', '.join(EXTENSIONS)}")
        if self.relay not in ("anyone", "authenticated", "nobody"):
            raise ValueError(f"relay is 'anyone', 'authenticated' or 'nobody', not {self.relay!r}")
        if self.verify not in ("vague", "real"):
            raise ValueError(f"verify is 'vague' or 'real', not {self.verify!r}")
        for name in (
            "max_octets",
            "max_recipients",
            "max_hops",
            "max_command",
            "max_auth",
            "max_bad_commands",
            "max_auth_failures",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1, not {getattr(self, name)}")
        from postroom_simulator.sasl import MECHANISMS

        for name in self.mechanisms:
            if name not in MECHANISMS:
                raise ValueError(f"unknown AUTH mechanism {name!r}: known are {', '.join(MECHANISMS)}")


@dataclass(slots=True)
class SmtpService:
    """A world's SMTP service.

    policies  what is refused, slowed down and counted beyond the settings; see `postroom_simulator.policies`
    sessions  those that run (and some that have ended)
    """

    settings: SmtpSettings = field(default_factory=SmtpSettings)
    policies: Policies = field(default_factory=Policies)
    sessions: WeakSet[Dialogue] = field(default_factory=WeakSet, repr=False)
