"""What one conversation knows: who speaks, in which state, with which maildrop; and logging in, whatever the command."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from enum import Flag, auto
from typing import TYPE_CHECKING

from postroom_simulator import offers
from postroom_simulator.errors import SimulatorError, UnknownAccount
from postroom_simulator.journal import Kind
from postroom_simulator.pop3.languages import DEFAULT
from postroom_simulator.pop3.opening import open_maildrop
from postroom_simulator.pop3.replies import Answer, Code, Refusal, ok, reply_line
from postroom_simulator.sasl import MECHANISMS, Examiner, Exchange, Failed, Malformed, SaslError, timestamp

if TYPE_CHECKING:
    from postroom_simulator.directory import Account
    from postroom_simulator.pop3.maildrop import Maildrop
    from postroom_simulator.pop3.settings import Hold, Pop3Service
    from postroom_simulator.session import SessionContext

__all__ = ["Dialogue", "State", "mechanism_of", "refused", "text_of"]


class State(Flag):
    """RFC 1939 §3. UPDATE is passed through inside QUIT and never waits for a command."""

    AUTHORIZATION = auto()
    TRANSACTION = auto()


_LOGINS = frozenset({"USER", "SASL", "APOP"})
"""Capabilities that are ways to log in."""


class Dialogue:
    """What a conversation knows: who speaks, in which state, with which maildrop. No octets, no faults."""

    def __init__(self, context: SessionContext, service: Pop3Service) -> None:
        self.context = context
        self.service = service
        self.state = State.AUTHORIZATION
        self.user: str | None = None
        """Named by USER, until the next command (RFC 1939 §7: PASS comes immediately after)."""
        self.exchange: Exchange | None = None
        """An AUTH exchange that waits for the client's answer."""
        self.timestamp = b""
        """Said in the greeting, for APOP. Empty: there was none."""
        self.account: Account | None = None
        """Who is logged in."""
        self.address: str | None = None
        """Of that account."""
        self.failures = 0
        """Refused logins."""
        self.utf8 = False
        """The client said UTF8 (RFC 6856 §2.1)."""
        self.language = DEFAULT
        """Of reply texts (RFC 6856 §3)."""
        self._maildrop: Maildrop | None = None
        self._hold: Hold | None = None
        self.updated = False
        """The session went through UPDATE."""
        self.retrieved: list[int] = []
        """Uids of messages that were handed out whole."""

    @property
    def maildrop(self) -> Maildrop:
        if self._maildrop is None:
            raise RuntimeError("no maildrop before login: the table admits a command in a wrong state")
        return self._maildrop

    def hides(self, capability: str) -> bool:
        """Whether it is not announced."""
        if capability == "UIDL" and self._no_uidl:
            return True
        return offers.hides(self.service.settings, self.account, "pop3", capability)

    def lacks(self, capability: str | None) -> bool:
        """Whether it is not there. Ways to log in are there even where they are false: they fail (see `offers`)."""
        if capability is None:  # most commands
            return False
        if capability in _LOGINS:
            return self.hides(capability)
        if capability == "UIDL" and self._no_uidl:
            return True
        return offers.lacks(self.service.settings, self.account, "pop3", capability)

    @property
    def _no_uidl(self) -> bool:
        troubles = self.service.troubles
        return bool(troubles) and (found := troubles.get(self.address or "")) is not None and found.no_uidl

    def examiner(self, way: str) -> Examiner:
        return Examiner(self.context.world, "pop3", self.service.settings, way)

    @property
    def may_send_password(self) -> bool:
        return self.context.secure or self.service.settings.plaintext_without_tls

    @property
    def may_start_tls(self) -> bool:
        return self.context.tls_available and not self.context.secure

    def greet(self) -> Answer:
        """The greeting, with a timestamp where APOP is on (RFC 1939 §7)."""
        world, text = self.context.world, ""
        if self.service.settings.apop and not self.hides("APOP"):
            self.timestamp = timestamp(world)
            text = " " + self.timestamp.decode("ascii")
        return Answer(reply_line("+OK", f"{world.hostname} POP3 ready{text}"))

    def log_in(self, account: Account, way: str) -> Answer:
        """From AUTHORIZATION to TRANSACTION: the lock, then the snapshot. Raises `Refusal` and stays where it was."""
        self._not_too_soon(account, way)
        now = self.context.world.clock.monotonic()
        hold = self.service.locks.acquire(account.address, self.context.connection, now=now)
        if hold is None:
            self._note_login(account, ok=False, detail="maildrop in use", way=way)
            raise Refusal("the maildrop is in use by another session", Code.IN_USE)
        try:
            self._maildrop = open_maildrop(self.context, self.service, account.address, utf8=self.utf8)
        except SimulatorError as error:
            self.service.locks.release(hold)
            self._note_login(account, ok=False, detail="maildrop cannot be opened", way=way)
            # No mailbox at all: nobody need try again before somebody was called (RFC 3206 §4).
            code = Code.SYS_PERM if isinstance(error, UnknownAccount) else Code.SYS_TEMP
            raise Refusal("the maildrop cannot be opened", code) from None
        self.service.policies.logged_in(account.address, now)
        self.account, self.address, self._hold = account, account.address, hold
        self.state = State.TRANSACTION
        self._note_login(account, ok=True, way=way)
        return ok("maildrop locked and ready")

    def _not_too_soon(self, account: Account, way: str) -> None:
        """RFC 2449 §6.5. Asked once the credentials were right, so that nobody learns from it who was here lately."""
        wait = self.service.policies.wait(account.address, self.context.world.clock.monotonic())
        if wait > 0:
            self._note_login(account, ok=False, detail="too soon after the last login", way=way)
            raise Refusal(f"too soon after the last login, try again in {math.ceil(wait)} seconds", Code.LOGIN_DELAY)

    def concerned(self, verb: str, arguments: Sequence[bytes]) -> str | None:
        """Address of the account that a command is about: who is logged in, else whom the command claims to be."""
        if self.address is not None:
            return self.address
        account: Account | None = None
        if verb in ("USER", "APOP"):
            account = self.context.world.directory.find_login(text_of(arguments[0]))
        elif verb == "PASS" and self.user is not None:
            account = self.context.world.directory.find_login(self.user)
        elif verb == "AUTH" and len(arguments) == 2 and (name := mechanism_of(arguments[0])) is not None:
            account = Exchange(name, self.examiner(name)).names(arguments[1])
        return account.address if account is not None else None

    @contextmanager
    def logging_in(self, way: str, account: Callable[[], Account | None]) -> Generator[None]:
        """Turn what goes wrong in a login into a `Refusal`; refused credentials are counted and journalled, for the `account` that was
        named. Whatever was wrong with them, the text is the same (RFC 3206 §4)."""
        try:
            yield
        except Failed as failed:
            self.failures += 1
            if failed.explanation is None:
                self._note_failed(account(), failed, way)
            raise Refusal(str(failed), Code.AUTH) from None
        except SaslError as error:
            raise Refusal(str(error), bad=isinstance(error, Malformed)) from None

    def advance(self, exchange: Exchange, step: Callable[[], bytes | Account]) -> Answer:
        """Take an AUTH exchange one step further, to another challenge or to its end: a login or a `Refusal`."""
        self.exchange = None
        with self.logging_in(exchange.name, lambda: exchange.account):
            outcome = step()
        if not isinstance(outcome, bytes):
            return self.log_in(outcome, exchange.name)
        if exchange.refused is not None:
            self._note_failed(exchange.account, exchange.refused, exchange.name)
        self.exchange = exchange
        return Answer(b"+ " + outcome + b"\r\n")

    def forget(self) -> None:
        """After STLS nothing that was said before counts (RFC 2595 §4)."""
        self.user = None
        self.exchange = None
        self.language = DEFAULT

    def release(self) -> None:
        """The session is over, however: let the maildrop go, unless its server does not notice. Idempotent."""
        self.exchange = None
        hold, self._hold = self._hold, None
        if hold is None:
            return
        troubles = self.service.troubles.get(hold.account)
        if troubles is not None and troubles.lock > 0 and not self.updated:
            self.service.locks.linger(hold, self.context.world.clock.monotonic() + troubles.lock)
            self.context.note(
                Kind.NOTE, account=hold.account, detail=f"held {troubles.lock:g} seconds more", data={"trouble": "lock"}
            )
        else:
            self.service.locks.release(hold)

    def _note_failed(self, account: Account | None, failed: Failed, way: str) -> None:
        self._note_login(account, ok=False, detail=str(failed), way=way, why=failed.why)

    def _note_login(self, account: Account | None, *, ok: bool, way: str, detail: str = "", why: str = "") -> None:
        data: dict[str, object] = {"ok": ok, "way": way}
        address = account.address if account is not None else None
        self.context.note(Kind.LOGIN, account=address, detail=detail, data=data | {"why": why} if why else data)


def text_of(argument: bytes) -> str:
    """What a session admitted is UTF-8."""
    return argument.decode("utf-8", "replace")


def refused(dialogue: Dialogue, refusal: Refusal) -> Answer:
    """The reply, with its response code where such codes are there (RFC 2449 §8, RFC 3206)."""
    code = refusal.code
    if code is not None and (dialogue.lacks("RESP-CODES") or (code == Code.AUTH and dialogue.lacks("AUTH-RESP-CODE"))):
        code = None
    return Answer(reply_line("-ERR", f"[{code}] {refusal.text}" if code else refusal.text), bad=refusal.bad)


def mechanism_of(name: bytes) -> str | None:
    """The mechanism that is called so, offered or not."""
    mechanism = name.upper().decode("ascii")
    return mechanism if mechanism in MECHANISMS else None
