"""AUTH of the SMTP server (RFC 4954), and what the server takes back of its extensions: the middle layer of `SmtpServer`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiosmtpd.smtp import syntax

from postroom_simulator import offers
from postroom_simulator.journal import Kind
from postroom_simulator.sasl import MECHANISMS, Cancelled, Examiner, Exchange, Failed, SaslError, Unoffered
from postroom_simulator.smtp.dialogue import Dialogue
from postroom_simulator.smtp.text import TooLong

if TYPE_CHECKING:
    from postroom_simulator.directory import Account

__all__ = ["LoginDialogue"]


class LoginDialogue(Dialogue):
    """A dialogue that can log people in."""

    person: Account | None = None
    """Who is logged in."""

    # -- what is there

    @property
    def extensions(self) -> tuple[str, ...]:
        """Extensions that are there now, for who is logged in. AUTH is there even where it is false: it fails (see `offers`)."""
        settings, person = self.settings, self.person
        if not (settings.hidden or settings.false or (person is not None and person.offers)):
            return settings.extensions  # the usual case, asked at every reply
        return tuple(name for name in settings.extensions if self._is_there(name))

    @property
    def announced_extensions(self) -> tuple[str, ...]:
        return tuple(name for name in self.settings.extensions if not self._hides(name))

    @property
    def announced_mechanisms(self) -> tuple[str, ...]:
        return tuple(name for name in self.settings.mechanisms if not self._hides(name))

    def _hides(self, name: str) -> bool:
        return offers.hides(self.settings, self.person, "smtp", name)

    def _is_there(self, name: str) -> bool:
        return not (self._hides(name) if name == "AUTH" else offers.lacks(self.settings, self.person, "smtp", name))

    # -- the command

    @syntax("AUTH mechanism [initial-response]")
    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's names
        """RFC 4954 §4."""
        exchange, initial = self._exchange(arg)
        if exchange is None or exchange.name not in self.announced_mechanisms:
            return await self.push("504 5.5.4 mechanism not known here")
        outcome = _outcome(lambda: exchange.begin(initial))
        while isinstance(outcome, bytes):
            if exchange.refused is not None:
                self._note_login(exchange, exchange.account, ok=False, why=exchange.refused.why)
            await self.push("334 " + outcome.decode("ascii"))
            line = await self.next_line(self.settings.max_auth)
            self.context.note(Kind.COMMAND, detail="*" if line == b"*" else "***", account=self.account)
            if not await self.step("auth", self._named(exchange, line)):
                return None
            if isinstance(line, TooLong):
                return await self.push(
                    "421 4.7.0 endless line" if line.endless else "500 5.5.6 authentication exchange line is too long"
                )
            answer = line
            outcome = _outcome(lambda answer=answer: exchange.answer(answer))  # type: ignore[misc]
        return await self.push(self._end_of(exchange, outcome))

    def _exchange(self, arg: str) -> tuple[Exchange | None, bytes | None]:
        """What an argument of AUTH begins, if anything, and its initial response."""
        name, _, initial = arg.partition(" ")
        name = name.upper()
        octets = initial.strip(" ").encode("utf-8", "surrogateescape")
        if name not in MECHANISMS:
            return None, octets or None
        return Exchange(name, Examiner(self.context.world, "smtp", self.settings, name)), octets or None

    def _end_of(self, exchange: Exchange, outcome: Account | SaslError) -> str:
        """Journal how an exchange ended, and the reply."""
        if isinstance(outcome, Failed):
            return self._failed(exchange, outcome)
        if isinstance(outcome, Cancelled):
            return f"501 5.7.0 {outcome}"
        if isinstance(outcome, Unoffered):
            return "504 5.5.4 mechanism not known here"
        if isinstance(outcome, SaslError):
            return f"501 5.5.2 {outcome}"
        self._note_login(exchange, outcome, ok=True)
        self.person, self.account = outcome, outcome.address
        self.session.authenticated = True
        return "235 2.7.0 authentication successful"

    def _failed(self, exchange: Exchange, failed: Failed) -> str:
        if failed.explanation is None:  # else it was noted when it was explained
            self._note_login(exchange, exchange.account, ok=False, why=failed.why)
        self._auth_failures += 1
        if self._auth_failures >= self.settings.max_auth_failures:
            return "421 4.7.0 too many authentication failures"
        return "535 5.7.3 authentication unsuccessful" if failed.misplaced else "535 5.7.8 authentication credentials invalid"

    def _note_login(self, exchange: Exchange, account: Account | None, *, ok: bool, why: str = "") -> None:
        data: dict[str, object] = {"ok": ok, "way": exchange.name}
        address = account.address if account is not None else None
        self.context.note(Kind.LOGIN, account=address, detail=exchange.name, data=data | {"why": why} if why else data)

    # -- what may be known before it is carried out

    def claimed_account(self, verb: str, arg: str | None) -> str | None:
        """Of an AUTH command whose initial response names somebody."""
        if verb != "AUTH" or not arg:
            return None
        exchange, initial = self._exchange(arg)
        return None if exchange is None or initial is None else self._named(exchange, initial)

    @staticmethod
    def _named(exchange: Exchange, line: bytes | TooLong) -> str | None:
        account = exchange.names(None if isinstance(line, TooLong) else line)
        return account.address if account is not None else None

    def redacted(self, verb: str, arg: str | None) -> str:
        if verb != "AUTH" or not arg:
            return arg or ""
        mechanism, blank, _ = arg.partition(" ")
        # A client may leave the mechanism out: show only one that is known.
        return (mechanism if mechanism.upper() in MECHANISMS else "***") + (" ***" if blank else "")


def _outcome(step: Callable[[], bytes | Account]) -> bytes | Account | SaslError:
    """The next challenge, or how the exchange ends."""
    try:
        return step()
    except SaslError as error:
        return error
