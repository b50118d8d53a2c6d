"""The verbs of the SMTP server: RFC 5321 with SIZE, 8BITMIME, SMTPUTF8, PIPELINING, enhanced codes, STARTTLS and AUTH."""

from __future__ import annotations

from typing import ClassVar

from aiosmtpd.smtp import SMTP, syntax

from postroom_simulator.delivery import Delivery, Outcome, RecipientStatus
from postroom_simulator.faults import Cut, Delay, Stall
from postroom_simulator.journal import Kind
from postroom_simulator.smtp.addresses import AddressError, parse_parameters, parse_path
from postroom_simulator.smtp.dialogue import Command
from postroom_simulator.smtp.login import LoginDialogue
from postroom_simulator.smtp.text import MessageText, has_long_line, lone_line_ends
from postroom_simulator.smtp.trace import hops, received_line

__all__ = ["SmtpServer"]

_NEEDS_SMTPUTF8 = "553 5.6.7 an address with other than ASCII characters needs SMTPUTF8"


class SmtpServer(LoginDialogue):
    """One client's server: what each verb does."""

    # -- states, as checks for the table: the refusing reply, or None

    def _greeted(self) -> str | None:
        return None if self.session.host_name else "503 5.5.1 send EHLO or HELO first"

    def _may_mail(self) -> str | None:
        if self.envelope.mail_from is not None:
            return "503 5.5.1 a transaction is in progress"
        if self.settings.require_auth and self.account is None:
            return self._greeted() or "530 5.7.0 authentication required"
        return self._greeted()

    def _may_name_recipients(self) -> str | None:
        return self._greeted() or (None if self.envelope.mail_from is not None else "503 5.5.1 need MAIL first")

    def _may_send(self) -> str | None:
        refusal = self._may_name_recipients()
        return refusal or (None if self.envelope.rcpt_tos else "503 5.5.1 need an accepted RCPT first")

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
        }
        offered = (lines.get(name, name) for name in self.announced_extensions)
        return [line for line in offered if line]

    # -- the transaction

    @syntax("MAIL FROM:<address> [parameters]")
    async def smtp_MAIL(self, arg: str) -> None:  # noqa: N802
        """RFC 5321 §4.1.1.2."""
        if arg[:5].upper() != "FROM:":
            return await self.push("501 5.5.4 syntax: MAIL FROM:<address>")
        try:
            address, rest = parse_path(arg[5:])
            parameters = parse_parameters(rest) if rest else {}
        except AddressError as error:
            return await self.push(f"501 5.1.7 {error}")
        utf8 = "SMTPUTF8" in parameters and "SMTPUTF8" in self.extensions
        refusal = self._refused_parameters(parameters) if parameters else None
        if refusal is None and not (utf8 or arg.isascii()):
            refusal = _NEEDS_SMTPUTF8
        if refusal is not None:
            return await self.push(refusal)
        self.envelope.mail_from = address
        self.envelope.smtp_utf8 = utf8
        self.envelope.mail_options = [name if value is None else f"{name}={value}" for name, value in parameters.items()]
        return await self.push("250 OK")

    def _refused_parameters(self, parameters: dict[str, str | None]) -> str | None:
        """Why the parameters of MAIL cannot be: the first that is wrong, as a reply (RFC 5321 §4.1.1.11: 555 for unknown ones)."""
        for name, value in parameters.items():
            known = _MAIL_PARAMETERS.get(name)
            if known is None or known not in self.extensions or not self.session.extended_smtp:
                return f"555 5.5.4 parameter {name} is not known here"
            if name == "SMTPUTF8" and value is not None:
                return "501 5.5.4 SMTPUTF8 takes no value"
            if name == "BODY" and (value or "").upper() not in ("7BIT", "8BITMIME"):
                return "501 5.5.4 BODY is 7BIT or 8BITMIME"
            if name == "AUTH" and not value:
                return "501 5.5.4 AUTH= needs an address or <>"
            if name == "SIZE":
                if value is None or not (value.isascii() and value.isdigit() and len(value) <= 20):
                    return "501 5.5.4 SIZE is a number of up to 20 digits"  # RFC 1870 §4
                if int(value) > self.settings.max_octets:
                    return f"552 5.3.4 a message has at most {self.settings.max_octets} octets"
        return None

    def _declared_size(self) -> int:
        """What SIZE= says, 0 when it says nothing."""
        return next((int(option[5:]) for option in self.envelope.mail_options if option.startswith("SIZE=")), 0)

    @syntax("RCPT TO:<address>")
    async def smtp_RCPT(self, arg: str) -> None:  # noqa: N802
        """RFC 5321 §4.1.1.3. Each recipient is judged by itself."""
        if arg[:3].upper() != "TO:":
            return await self.push("501 5.5.4 syntax: RCPT TO:<address>")
        try:
            address, rest = parse_path(arg[3:])
            parameters = parse_parameters(rest) if rest else {}
            if not address:
                raise AddressError("a recipient is not empty")
        except AddressError as error:
            return await self.push(f"501 5.1.3 {error}")
        if parameters:
            return await self.push(f"555 5.5.4 parameter {next(iter(parameters))} is not known here")
        refusal = self._refused_recipient(address)
        if refusal is not None:
            return await self.push(refusal)
        if address not in self.envelope.rcpt_tos:
            self.envelope.rcpt_tos.append(address)
        return await self.push("250 OK")

    def _refused_recipient(self, address: str) -> str | None:
        if not (self.envelope.smtp_utf8 or address.isascii()):
            return _NEEDS_SMTPUTF8
        if len(self.envelope.rcpt_tos) >= self.settings.max_recipients:
            return "452 4.5.3 too many recipients"
        status = self.context.world.recipient_status(self._home(address), self._declared_size())
        if status is RecipientStatus.OUTSIDE and not (self._may_relay() or address == "postmaster"):
            return "550 5.7.1 relaying denied"
        return _REFUSED.get(status)

    def _home(self, address: str) -> str:
        """Where an address leads: Postmaster without domain is the one account with that local part, or else the drawer; it is
        accepted always (RFC 5321 §4.5.1)."""
        if address != "postmaster":
            return address
        account = self.context.world.directory.find_login(address)
        return account.address if account is not None else f"postmaster@{self.hostname}"

    def _may_relay(self) -> bool:
        relay = self.settings.relay
        return relay == "anyone" or (relay == "authenticated" and self.account is not None)

    # -- the text

    @syntax("DATA")
    async def smtp_DATA(self, _arg: str | None) -> None:  # noqa: N802
        """RFC 5321 §4.1.1.4."""
        await self.push("354 end data with <CR><LF>.<CR><LF>")
        text = await self._receive_text()
        self._verb = "end-of-data"
        octets = b"" if text.too_big else text.octets()
        data: dict[str, object] = {"octets": text.received}
        lone = lone_line_ends(octets)
        if lone:
            data["lone_line_ends"] = True
        if has_long_line(octets):
            data["long_lines"] = True
        self.context.note(Kind.COMMAND, verb=self._verb, detail=f"{text.received} octets", account=self.account, data=data)
        if await self.step("end-of-data"):
            if text.too_big:
                reply = f"552 5.3.4 a message has at most {self.settings.max_octets} octets"
            elif lone and self.settings.strict_line_ends:
                reply = "550 5.5.2 a lone CR or LF in the text"
            elif hops(octets) > self.settings.max_hops:
                reply = f"554 5.4.6 more than {self.settings.max_hops} hops: a loop"
            else:
                reply = self._accept(octets)
            self.forget_transaction()
            await self.push(reply)
        self.forget_transaction()

    async def _receive_text(self) -> MessageText:
        """The text up to its end; what came behind that stays in the input. Raises Over where a fault cuts it."""
        effect = self.context.fault("text", self.account)
        if isinstance(effect, Stall | Delay):
            await self.hold(effect)
        elif effect is not None and not isinstance(effect, Cut):
            self.cut_off(effect)
        left = effect.octets if isinstance(effect, Cut) else None
        text = MessageText(self.settings.max_octets)
        while True:
            octets = self.input.take_all()
            rest = text.feed(octets)
            if effect is not None and left is not None:
                left -= len(octets) - len(rest or b"")  # the final dot counts, what comes behind it does not
                if left <= 0:
                    self.cut_off(effect)
            if rest is not None:
                self.input.put_back(rest)
                return text
            await self._wait()

    def _accept(self, octets: bytes) -> str:
        """Store the message, then say so: with the 250 it is ours (RFC 5321 §4.2.5)."""
        world, envelope = self.context.world, self.envelope
        queue_id = f"{world.ids.number('smtp message'):06d}"
        if self.settings.trace:
            octets = received_line(self.context, self.session, envelope, self.account, queue_id) + octets
        recipients = [self._home(address) for address in envelope.rcpt_tos]
        done = world.deliver(
            envelope.mail_from or "", recipients, octets, protocol=self.context.protocol, connection=self.context.connection
        )
        return _refused_by_all(done) or f"250 2.6.0 OK, queued as {queue_id}"

    # -- STARTTLS and the rest

    @syntax("STARTTLS")
    async def smtp_STARTTLS(self, _arg: str | None) -> None:  # noqa: N802
        """RFC 3207. Says 220, forgets everything, every buffered octet too (§4.2), and waits for the driver's handshake."""
        await self.push("220 ready to start TLS")
        self.input.clear()
        self.forget_transaction()
        self.session = self._create_session()
        self.wants_tls = True
        await self._wait()

    @syntax("VRFY address")
    async def smtp_VRFY(self, _arg: str | None) -> None:  # noqa: N802
        """RFC 5321 §3.5.3, §7.3: who is here is not told."""
        await self.push("252 cannot VRFY user, but will accept message and attempt delivery")

    @syntax("QUIT")
    async def smtp_QUIT(self, _arg: str | None) -> None:  # noqa: N802
        self._closing = True
        await self.push("221 bye")

    commands: ClassVar[dict[str, Command]] = {
        "EHLO": Command(smtp_EHLO, "some", before_tls=True),
        "HELO": Command(smtp_HELO, "some", before_tls=True),
        "STARTTLS": Command(smtp_STARTTLS, "none", _may_start_tls, before_tls=True),
        "AUTH": Command(LoginDialogue.smtp_AUTH, "some", _may_authenticate),
        "MAIL": Command(smtp_MAIL, "some", _may_mail),
        "RCPT": Command(smtp_RCPT, "some", _may_name_recipients),
        "DATA": Command(smtp_DATA, "none", _may_send),
        "RSET": Command(SMTP.smtp_RSET, "none", before_tls=True),
        "NOOP": Command(SMTP.smtp_NOOP, before_tls=True),
        "VRFY": Command(smtp_VRFY, "some"),
        "EXPN": Command(SMTP.smtp_EXPN),  # type: ignore[arg-type]
        "HELP": Command(SMTP.smtp_HELP, before_tls=True),
        "QUIT": Command(smtp_QUIT, "none", before_tls=True),
    }
    """Every verb: what it does, what it needs. HELP, the refusals and the tests read this table."""


_MAIL_PARAMETERS = {"SIZE": "SIZE", "BODY": "8BITMIME", "SMTPUTF8": "SMTPUTF8", "AUTH": "AUTH"}
"""Parameters of MAIL and the extension that brings each."""

_REFUSED = {
    RecipientStatus.DISABLED: "550 5.2.1 mailbox disabled",
    RecipientStatus.OVER_QUOTA: "452 4.2.2 mailbox full",
}


def _refused_by_all(done: list[Delivery]) -> str | None:
    """The reply when nobody got the message. Room may come, a disabled account does not by itself."""
    if any(delivery.outcome.taken for delivery in done):
        return None
    if any(delivery.outcome is Outcome.OVER_QUOTA for delivery in done):
        return "452 4.2.2 mailbox full"
    return "550 5.2.1 mailbox disabled" if done else "554 5.5.0 no recipient"
