"""The mail transaction: MAIL, RCPT, and the text by DATA or BDAT (RFC 5321 §3.3, RFC 3030)."""

from __future__ import annotations

from dataclasses import dataclass

from aiosmtpd.smtp import Envelope, syntax

from postroom_simulator.actors.wishes import Wish, Wishes
from postroom_simulator.delivery import Delivery, Outcome, RecipientStatus
from postroom_simulator.directory import Account, canonical, is_postmaster
from postroom_simulator.faults import Cut, Delay, Stall
from postroom_simulator.journal import Kind
from postroom_simulator.policies import Request, Step
from postroom_simulator.smtp.addresses import AddressError, parse_parameters, parse_path
from postroom_simulator.smtp.login import LoginDialogue
from postroom_simulator.smtp.loop import wait
from postroom_simulator.smtp.parameters import MailOptions, ParameterError, read_mail, read_rcpt
from postroom_simulator.smtp.text import ChunkedText, MessageText, has_long_line, lone_line_ends, parse_chunk
from postroom_simulator.smtp.trace import hops, received_line

__all__ = ["MailEnvelope", "Transaction"]

_NEEDS_SMTPUTF8 = "553 5.6.7 an address with other than ASCII characters needs SMTPUTF8"
_NO_OPTIONS = MailOptions()
_NO_WISH = Wish()
_AFTER_A_FAILED_CHUNK = frozenset({"RSET", "EHLO", "HELO", "QUIT", "NOOP"})


class MailEnvelope(Envelope):
    """What a transaction has so far.

    wishes  by accepted recipient: what the sender asks to be told of it
    chunks  the text, once a BDAT has begun it
    failed  a chunk was refused: all is lost until RSET (RFC 3030 §2)
    """

    def __init__(self) -> None:
        super().__init__()
        self.options = _NO_OPTIONS
        self.wishes: dict[str, Wish] = {}
        self.chunks: ChunkedText | None = None
        self.failed = False


@dataclass(slots=True)
class _TextCut:
    """A cut in the text, and the octets that are left before it."""

    effect: Cut
    left: int


class Transaction(LoginDialogue):
    """What a client does with an envelope."""

    envelope: MailEnvelope

    def _create_envelope(self) -> MailEnvelope:
        return MailEnvelope()

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
        if self.envelope.chunks is not None:
            return "503 5.5.1 the text has begun"
        return self._greeted() or (None if self.envelope.mail_from is not None else "503 5.5.1 need MAIL first")

    def _may_send_lines(self) -> str | None:
        """DATA mixes neither with BDAT nor with BINARYMIME: RFC 3030 §2, §3."""
        if self.envelope.chunks is not None:
            self._fail()
            return "503 5.5.1 the text has begun with BDAT"
        refusal = self._may_name_recipients()
        if refusal is None and self.envelope.options.body == "BINARYMIME":
            self._fail()
            return "503 5.5.1 BINARYMIME needs BDAT"
        return refusal or self._has_recipients()

    def _may_send_chunks(self) -> str | None:
        if "CHUNKING" not in self.extensions:
            return "502 5.5.1 BDAT is not offered"
        refusal = self._greeted() or (None if self.envelope.mail_from is not None else "503 5.5.1 need MAIL first")
        return refusal or self._has_recipients()

    def _has_recipients(self) -> str | None:
        return None if self.envelope.rcpt_tos else "503 5.5.1 need an accepted RCPT first"

    def hindered(self, verb: str) -> str | None:
        if self.envelope.failed and verb not in _AFTER_A_FAILED_CHUNK:
            return "503 5.5.1 a chunk was refused: send RSET"
        return None

    def octets_behind(self, verb: str, arg: str | None) -> int | None:
        if verb != "BDAT":
            return 0
        chunk = parse_chunk(arg)
        return None if chunk is None else chunk[0]

    def refused(self) -> None:
        if self._verb == "BDAT" and self.envelope.mail_from is not None:
            self._fail()

    def _fail(self) -> None:
        self.envelope.failed = True
        self.envelope.chunks = None

    # -- the envelope

    @syntax("MAIL FROM:<address> [parameters]")
    async def smtp_MAIL(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's names
        """RFC 5321 §4.1.1.2."""
        if arg[:5].upper() != "FROM:":
            return await self.push("501 5.5.4 syntax: MAIL FROM:<address>")
        try:
            address, rest = parse_path(arg[5:])
            parameters = _parameters(rest) if rest else {}
            options = read_mail(parameters, self._parameters_of(), self.settings.max_octets) if parameters else _NO_OPTIONS
        except AddressError as error:
            return await self.push(f"501 5.1.7 {error}")
        except ParameterError as error:
            return await self.push(str(error))
        refusal = None if options.utf8 or arg.isascii() else _NEEDS_SMTPUTF8
        refusal = refusal or self._refused_by_policy("MAIL", sender=address, size=options.size)
        if refusal is not None:
            return await self.push(refusal)
        self.envelope.mail_from = address
        self.envelope.smtp_utf8 = options.utf8
        self.envelope.options = options
        return await self.push("250 OK")

    def _parameters_of(self) -> tuple[str, ...]:
        """The extensions whose parameters are known now. BINARYMIME is nothing without CHUNKING (RFC 3030 §3)."""
        if not self.session.extended_smtp:
            return ()
        there = self.extensions
        return there if "CHUNKING" in there else tuple(name for name in there if name != "BINARYMIME")

    @syntax("RCPT TO:<address> [parameters]")
    async def smtp_RCPT(self, arg: str) -> None:  # noqa: N802
        """RFC 5321 §4.1.1.3. Each recipient is judged by itself."""
        if arg[:3].upper() != "TO:":
            return await self.push("501 5.5.4 syntax: RCPT TO:<address>")
        try:
            address, rest = parse_path(arg[3:])
            if not address:
                raise AddressError("a recipient is not empty")
            parameters = _parameters(rest) if rest else {}
            wish = read_rcpt(parameters, self._parameters_of()) if parameters else _NO_WISH
        except AddressError as error:
            return await self.push(f"501 5.1.3 {error}")
        except ParameterError as error:
            return await self.push(str(error))
        refusal = self._refused_recipient(address, arg)
        if refusal is not None:
            return await self.push(refusal)
        if address not in self.envelope.rcpt_tos:
            self.envelope.rcpt_tos.append(address)
        self.envelope.wishes[self._home(address)] = wish
        if self._policies:
            self._policies.accepted(self._request("RCPT", recipient=address, size=self.envelope.options.size))
        return await self.push("250 OK")

    def _refused_recipient(self, address: str, arg: str) -> str | None:
        if not (self.envelope.smtp_utf8 or arg.isascii()):
            return _NEEDS_SMTPUTF8
        if len(self.envelope.rcpt_tos) >= self.settings.max_recipients:
            return "452 4.5.3 too many recipients"
        size = self.envelope.options.size
        if self._is_postmaster(address):  # taken whatever its mailbox is like: RFC 5321 §4.5.1
            refusal = self._policies.judge(
                self._request("RCPT", recipient=address, size=size), self._policies.naming(self._home(address))
            )
            return refusal.reply if refusal is not None else None
        status = self.context.world.recipient_status(address, size)
        if status is RecipientStatus.OUTSIDE and not (self._may_relay() and self._relays_to(address)):
            return "550 5.7.1 relaying denied"
        return _REFUSED.get(status) or self._refused_by_policy("RCPT", recipient=address, size=size)

    def _is_postmaster(self, address: str) -> bool:
        """Of a domain that is served here, or without one."""
        if not is_postmaster(address):
            return False
        domain = address.rpartition("@")[2] if "@" in address else ""
        return not domain or domain.lower() == self.hostname.lower() or self.context.world.directory.is_local(domain)

    def _home(self, address: str) -> str:
        """Where an address leads: Postmaster without domain is the one account with that local part, or else the drawer."""
        if address != "postmaster":
            return address
        account = self.context.world.directory.find_login(address)
        return account.address if account is not None else f"postmaster@{self.hostname}"

    def _may_relay(self) -> bool:
        relay = self.settings.relay
        return relay == "anyone" or (relay == "authenticated" and self.account is not None)

    def _relays_to(self, address: str) -> bool:
        domains = self.settings.relay_domains
        return domains is None or canonical(address).rpartition("@")[2] in {domain.lower() for domain in domains}

    # -- policies

    def _request(self, step: Step, *, sender: str = "", recipient: str = "", size: int = 0) -> Request:
        world = self.context.world
        sender = sender if step == "MAIL" else self.envelope.mail_from or ""
        owner = world.directory.resolve(sender) if sender and self.account is not None else None
        owns = not sender or (isinstance(owner, Account) and owner.address == self.account)
        now, client = world.clock.now(), self.context.client_address
        return Request(step, now, client, self.account, sender, owns, recipient, tuple(self.envelope.rcpt_tos), size)

    def _refused_by_policy(self, step: Step, *, sender: str = "", recipient: str = "", size: int = 0) -> str | None:
        if not self._policies:
            return None
        refusal = self._policies.judge(self._request(step, sender=sender, recipient=recipient, size=size))
        return refusal.reply if refusal is not None else None

    # -- the text

    @syntax("DATA")
    async def smtp_DATA(self, _arg: str | None) -> None:  # noqa: N802
        """RFC 5321 §4.1.1.4."""
        await self.push("354 end data with <CR><LF>.<CR><LF>")
        text = await self._receive_text()
        reply = await self._end_of_data(b"" if text.too_big else text.octets(), text.received)
        self.forget_transaction()
        if reply is not None:
            await self.push(reply)

    async def _receive_text(self) -> MessageText:
        """The text up to its end; what came behind that stays in the input. Raises Over where a fault cuts it."""
        cut = await self._begin_text()
        text = MessageText(self.settings.max_octets)
        while True:
            octets = self.input.take_all()
            rest = text.feed(octets)
            # The final dot counts, what comes behind it does not.
            self._count_down(cut, len(octets) - len(rest or b""))
            if rest is not None:
                self.input.put_back(rest)
                return text
            await wait()

    async def _begin_text(self) -> _TextCut | None:
        """The phase "text": what holds or ends it acts here; a cut acts when its octets have come."""
        effect = self.context.fault("text", self.account)
        if isinstance(effect, Stall | Delay):
            await self.hold(effect)
        elif isinstance(effect, Cut):
            return _TextCut(effect, effect.octets)
        elif effect is not None:
            self.cut_off(effect)
        return None

    def _count_down(self, cut: _TextCut | None, received: int) -> None:
        """So many octets have come. Raises Over when that was all that a cut leaves."""
        if cut is not None:
            cut.left -= received
            if cut.left <= 0:
                self.cut_off(cut.effect)

    @syntax("BDAT count [LAST]")
    async def smtp_BDAT(self, arg: str) -> None:  # noqa: N802
        """RFC 3030 §2: exactly `count` octets follow, whatever they are. The phases "text" and "end-of-data" belong to the last chunk."""
        chunk = parse_chunk(arg)
        if chunk is None:
            # What follows would be run as commands: nothing is known of its length. (Our choice; RFC 3030 does not say.)
            self._closing = True
            return await self.push("501 5.5.4 syntax: BDAT count [LAST]")
        last = chunk[1]
        effect, self._effect = self._effect, None
        text = self.envelope.chunks = self.envelope.chunks or ChunkedText(self.settings.max_octets)
        await self._receive_chunk(text, last)
        self._effect = effect
        if text.too_big:
            return await self.push(self._too_big())
        if not last:
            return await self.push(f"250 2.0.0 {chunk[0]} octets received")
        self._effect = None
        reply = await self._end_of_data(text.octets(), text.received)
        if reply is not None and reply.startswith("2"):
            self.forget_transaction()
        else:
            self._fail()
        if reply is not None:
            self._effect = self._effect or effect
            await self.push(reply)
        return None

    async def _receive_chunk(self, text: ChunkedText, last: bool) -> None:
        cut = await self._begin_text() if last else None
        self._count_down(cut, 0)
        while octets := await self.next_owed():
            text.feed(octets)
            self._count_down(cut, len(octets))

    async def _end_of_data(self, octets: bytes, received: int) -> str | None:
        """The whole text has come: what is to be answered; None when a fault has answered."""
        self._verb = "end-of-data"
        binary = self.envelope.options.body == "BINARYMIME"
        lone = not binary and lone_line_ends(octets)
        data: dict[str, object] = {"octets": received}
        data |= {"lone_line_ends": True} if lone else {}
        data |= {"long_lines": True} if not binary and has_long_line(octets) else {}
        data |= {"undeclared_8bit": True} if self.envelope.options.body in ("", "7BIT") and not octets.isascii() else {}
        self.context.note(Kind.COMMAND, verb=self._verb, detail=f"{received} octets", account=self.account, data=data)
        if not await self.step("end-of-data"):
            return None
        if received > self.settings.max_octets:
            return self._too_big()
        if lone and self.settings.strict_line_ends:
            return "550 5.5.2 a lone CR or LF in the text"
        if hops(octets) > self.settings.max_hops:
            return f"554 5.4.6 more than {self.settings.max_hops} hops: a loop"
        return self._refused_by_policy("message", size=received) or self._accept(octets)

    def _too_big(self) -> str:
        return f"552 5.3.4 a message has at most {self.settings.max_octets} octets"

    def _accept(self, octets: bytes) -> str:
        """Store the message, then say so: with the 250 it is ours (RFC 5321 §4.2.5)."""
        world, envelope = self.context.world, self.envelope
        queue_id = f"{world.ids.number('smtp message'):06d}"
        size = len(octets)
        if self.settings.trace:
            octets = received_line(self.context, self.session, envelope, self.account, queue_id) + octets
        recipients = [self._home(address) for address in envelope.rcpt_tos]
        done = world.deliver(
            envelope.mail_from or "",
            recipients,
            octets,
            protocol=self.context.protocol,
            connection=self.context.connection,
            wishes=Wishes(envelope.options.returns, envelope.options.envelope_id, envelope.wishes, _NO_WISH),
        )
        refusal = _refused_by_all(done)
        if refusal is None and self._policies:
            self._policies.accepted(self._request("message", size=size))
        return refusal or f"250 2.6.0 OK, queued as {queue_id}"


_REFUSED = {
    RecipientStatus.DISABLED: "550 5.2.1 mailbox disabled",
    RecipientStatus.OVER_QUOTA: "452 4.2.2 mailbox full",
}


def _parameters(text: str) -> dict[str, str | None]:
    """Raises ParameterError: what is wrong with them is not the address's fault (RFC 3463 §3.6)."""
    try:
        return parse_parameters(text)
    except AddressError as error:
        raise ParameterError(f"501 5.5.4 {error}") from None


def _refused_by_all(done: list[Delivery]) -> str | None:
    """The reply when nobody got the message. Room may come, a disabled account does not by itself."""
    if any(delivery.outcome.taken for delivery in done):
        return None
    if any(delivery.outcome is Outcome.OVER_QUOTA for delivery in done):
        return "452 4.2.2 mailbox full"
    return "550 5.2.1 mailbox disabled" if done else "554 5.5.0 no recipient"
