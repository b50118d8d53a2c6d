"""The verbs of the SMTP server: RFC 5321 with SIZE, 8BITMIME, SMTPUTF8, CHUNKING, BINARYMIME, PIPELINING, DSN, enhanced codes, STARTTLS
and AUTH."""

from __future__ import annotations

from typing import ClassVar

from aiosmtpd.smtp import SMTP, syntax

from postroom_simulator.smtp.dialogue import Command
from postroom_simulator.smtp.enquiries import VAGUE, expand, help_text, verify, without_utf8_parameter
from postroom_simulator.smtp.loop import wait
from postroom_simulator.smtp.transaction import Transaction

__all__ = ["SmtpServer"]


class SmtpServer(Transaction):
    """One client's server: what each verb does."""

    # -- states, as checks for the table: the refusing reply, or None

    def _may_start_tls(self) -> str | None:
        if "STARTTLS" not in self.extensions and "STARTTLS" in self.announced_extensions and not self.context.secure:
            return "454 4.7.0 TLS is not available"  # RFC 3207 §4
        if "STARTTLS" not in self.extensions or not (self.context.tls_available or self.context.secure):
            return "502 5.5.1 STARTTLS is not offered"
        if self.context.secure:
            return "503 5.5.1 TLS is there already"
        return self._nothing_begun()

    def _may_authenticate(self) -> str | None:
        if "AUTH" not in self.extensions or not self.announced_mechanisms:
            return "502 5.5.1 AUTH is not offered"
        if not self.session.extended_smtp:
            return "503 5.5.1 send EHLO first"
        if not self.settings.auth_without_tls and not self.context.secure:
            return "538 5.7.11 encryption required for AUTH"
        return self._nothing_begun()

    def _nothing_begun(self) -> str | None:
        """RFC 4954 §4, and for STARTTLS mail-protocol-pitfalls 3.8: neither after AUTH nor inside a transaction."""
        if self.account is not None:
            return "503 5.5.1 authenticated already"
        return "503 5.5.1 a transaction is in progress" if self.envelope.mail_from is not None else None

    # -- greeting

    @syntax("HELO hostname")
    async def smtp_HELO(self, hostname: str) -> None:  # noqa: N802 - aiosmtpd's names
        await self._greet(hostname, extended=False)

    @syntax("EHLO hostname")
    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802
        await self._greet(hostname, extended=True)

    async def _greet(self, hostname: str, *, extended: bool) -> None:
        """RFC 5321 §4.1.1.1; drops a transaction in progress (§4.1.4)."""
        if not hostname.isascii():
            return await self.push("501 5.5.4 a host name is ASCII")
        self.forget_transaction()
        self.session.host_name = hostname
        self.session.extended_smtp = extended
        lines = [self.hostname, *self._extensions()] if extended else [self.hostname]
        return await self.push("250 " + "\n".join(lines))

    def _extensions(self) -> list[str]:
        """What EHLO offers, in this moment."""
        tls = self.context.tls_available and not self.context.secure
        mechanisms = self.announced_mechanisms
        auth = mechanisms and (self.context.secure or self.settings.auth_without_tls)
        lines = {
            "SIZE": f"SIZE {self.settings.max_octets}",
            "STARTTLS": "STARTTLS" if tls else "",
            "AUTH": " ".join(("AUTH", *mechanisms)) if auth else "",
            "EXPN": "EXPN" if self.settings.verify == "real" else "",  # RFC 5321 §3.5.2
        }
        names = self.announced_extensions
        offered = (lines.get(name, name) for name in names if name != "BINARYMIME" or "CHUNKING" in names)
        return [line for line in offered if line]

    # -- STARTTLS and the rest

    @syntax("STARTTLS")
    async def smtp_STARTTLS(self, _arg: str | None) -> None:  # noqa: N802
        """RFC 3207. Says 220, forgets everything, every buffered octet too (§4.2), and waits for the driver's handshake."""
        await self.push("220 ready to start TLS")
        self.input.clear()
        self.forget_transaction()
        self.session = self._create_session()
        self.wants_tls = True
        await wait()

    @syntax("VRFY address")
    async def smtp_VRFY(self, arg: str) -> None:  # noqa: N802
        """RFC 5321 §3.5.3."""
        if self.settings.verify == "vague":
            return await self.push(VAGUE)
        text, utf8 = self._asked(arg)
        directory = self.context.world.directory
        return await self.push(verify(directory, text, utf8=utf8, relays=self._may_relay()))

    @syntax("EXPN list")
    async def smtp_EXPN(self, arg: str) -> None:  # noqa: N802
        """RFC 5321 §3.5.3."""
        if "EXPN" not in self.extensions:
            return await self.push("502 5.5.1 EXPN is not offered")
        if self.settings.verify == "vague":
            return await self.push("252 cannot EXPN list, but will accept message and attempt delivery")
        text, utf8 = self._asked(arg)
        return await self.push(expand(self.context.world.directory, text, utf8=utf8))

    def _asked(self, arg: str) -> tuple[str, bool]:
        return without_utf8_parameter(arg) if "SMTPUTF8" in self.extensions else (arg, False)

    @syntax("HELP [command]")
    async def smtp_HELP(self, arg: str | None) -> None:  # noqa: N802
        """RFC 5321 §4.1.1.8."""
        syntaxes = {verb: command.method.__smtp_syntax__ for verb, command in self.commands.items()}  # type: ignore[attr-defined]
        for verb, extension in _BROUGHT_BY.items():
            if extension not in self.extensions:
                del syntaxes[verb]
        await self.push(help_text(syntaxes, arg))

    @syntax("QUIT")
    async def smtp_QUIT(self, _arg: str | None) -> None:  # noqa: N802
        self._closing = True
        await self.push("221 bye")

    commands: ClassVar[dict[str, Command]] = {
        "EHLO": Command(smtp_EHLO, "some", before_tls=True),
        "HELO": Command(smtp_HELO, "some", before_tls=True),
        "STARTTLS": Command(smtp_STARTTLS, "none", _may_start_tls, before_tls=True),
        "AUTH": Command(Transaction.smtp_AUTH, "some", _may_authenticate),
        "MAIL": Command(Transaction.smtp_MAIL, "some", Transaction._may_mail),
        "RCPT": Command(Transaction.smtp_RCPT, "some", Transaction._may_name_recipients),
        "DATA": Command(Transaction.smtp_DATA, "none", Transaction._may_send_lines),
        "BDAT": Command(Transaction.smtp_BDAT, check=Transaction._may_send_chunks),
        "RSET": Command(SMTP.smtp_RSET, "none", before_tls=True),
        "NOOP": Command(SMTP.smtp_NOOP, before_tls=True),
        "VRFY": Command(smtp_VRFY, "some"),
        "EXPN": Command(smtp_EXPN, "some"),
        "HELP": Command(smtp_HELP, before_tls=True),
        "QUIT": Command(smtp_QUIT, "none", before_tls=True),
    }
    """Every verb: what it does, what it needs. HELP, the refusals and the tests read this table."""


_BROUGHT_BY = {"BDAT": "CHUNKING", "STARTTLS": "STARTTLS", "AUTH": "AUTH", "EXPN": "EXPN"}
"""Verbs that HELP names only where their extension is offered."""
