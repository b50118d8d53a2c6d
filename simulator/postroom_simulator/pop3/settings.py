"""What a world's POP3 service offers and tolerates, and the state that its sessions share."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from postroom_simulator.directory import fold
from postroom_simulator.pop3.maildrop import Heads
from postroom_simulator.pop3.policy import Policies
from postroom_simulator.pop3.troubles import TroubleTable

__all__ = ["Hold", "MaildropLocks", "Pop3Service", "Pop3Settings"]


@dataclass(slots=True)
class Pop3Settings:
    """Limits and offers; changes hold for sessions that start afterwards and for the next command of those that run.

    line_limit             octets of a command line with CR LF. RFC 2449 §4 says 255; more is taken, as real servers do
    auth_line_limit        octets of a line inside an AUTH exchange
    idle_limit             seconds without input, then the session ends without UPDATE. RFC 1939 §3 asks for at least 600
    bad_commands           so many commands that are none, and the session ends
    commands_before_login  so many commands without a login, and the session ends
    login_failures         so many refused logins, and the session ends (our choice; RFC 5034 §6 leaves it open)
    plaintext_without_tls  whether USER, PASS and mechanisms that show the password or a token work on an open line; a test
                           server says yes
    mechanisms             of AUTH, in the order announced; names of `sasl.MECHANISMS`
    apop                   whether the greeting has a timestamp, for APOP (RFC 1939 §7). Off: mail-protocol-pitfalls 2.5
    hidden                 capabilities and mechanisms that are neither announced nor there ("UIDL", "TOP", "USER", "SASL", "STLS",
                           "CAPA", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE", "IMPLEMENTATION", "APOP", "PLAIN" ...)
    false                  the same names: announced, and not there. For both, and for single accounts, see `offers`
    implementation         what CAPA says of the program; "" says nothing
    implementation_late    whether it says so only after login (RFC 2449 §6.9)
    utf8_heads             what clients that did not say UTF8 get of messages with UTF-8 in their heads: "downgrade" or "refuse"
                           (RFC 6856 §4), or "raw", as many servers do (mail-protocol-pitfalls 2.5)
    pending_output         octets waiting to be sent above which no further command is taken up until they were fetched
    held_input             octets kept while the session is suspended; more ends it
    """

    line_limit: int = 4096
    auth_line_limit: int = 12288
    idle_limit: float | None = 600.0
    bad_commands: int = 20
    commands_before_login: int = 100
    login_failures: int = 10
    plaintext_without_tls: bool = True
    mechanisms: tuple[str, ...] = ("PLAIN",)
    apop: bool = False
    hidden: AbstractSet[str] = frozenset()
    false: AbstractSet[str] = frozenset()
    implementation: str = "Postroom"
    implementation_late: bool = False
    utf8_heads: Heads = "downgrade"
    pending_output: int = 64 * 1024
    held_input: int = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Hold:
    """A maildrop held by somebody: a connection's name, or one that a test makes up for a session that died unnoticed. `until`: a point
    of the clock's `monotonic()` at which it is let go, None: when the holder does so."""

    account: str
    holder: str
    until: float | None = None


class MaildropLocks:
    """Who holds which maildrop (RFC 1939 §4: exclusive, from login to the end of the session)."""

    def __init__(self) -> None:
        self._holds: dict[str, Hold] = {}

    def acquire(self, account: str, holder: str, *, now: float = 0.0, until: float | None = None) -> Hold | None:
        """The hold, or None when somebody has the maildrop (the same holder too). What is held until a point that is not after `now`
        is free."""
        hold = Hold(fold(account), holder, until)
        before = self._holds.get(hold.account)
        if before is not None and before.until is not None and before.until <= now:
            self.release(before)
        return hold if self._holds.setdefault(hold.account, hold) is hold else None  # one step under every thread

    def linger(self, hold: Hold, until: float) -> None:
        """The holder is dead, and nobody notices before `until`."""
        if self._holds.get(hold.account) is hold:
            self._holds[hold.account] = Hold(hold.account, hold.holder, until)

    def release(self, hold: Hold) -> None:
        """Let go. Idempotent."""
        if self._holds.get(hold.account) is hold:
            del self._holds[hold.account]

    def holder(self, account: str, now: float = 0.0) -> str | None:
        hold = self._holds.get(fold(account))
        return hold.holder if hold is not None and (hold.until is None or hold.until > now) else None


@dataclass(slots=True)
class Pop3Service:
    """A world's POP3 service: its settings, and by account address the locks of its maildrops, how often people may log in and how long
    mail stays, and what is wrong with single maildrops. `names`: unique ids, by item uid, of messages that kept an older one."""

    settings: Pop3Settings = field(default_factory=Pop3Settings)
    locks: MaildropLocks = field(default_factory=MaildropLocks)
    policies: Policies = field(default_factory=Policies)
    troubles: TroubleTable = field(default_factory=TroubleTable)
    names: dict[int, str] = field(default_factory=dict)

    def forget(self, uid: int) -> None:
        """An item is gone for good, or another by now. Idempotent."""
        self.names.pop(uid, None)
        self.policies.forget(uid)
