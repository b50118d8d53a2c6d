"""Mail out through an SMTP server (RFC 5321), one transaction an email, several a connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from postroom.errors import ConnectionFailed, ProtocolError, ProviderError, TransientError
from postroom.providers.base import SendProvider, Submitted
from postroom.providers.builtin.smtp_dialogue import Reply, SmtpDialogue, stuffed
from postroom.providers.configuration import element
from postroom.providers.contract import (
    Capability,
    CheckReport,
    ClaimedEmail,
    Direction,
    ProviderEnv,
    ProviderSpec,
    RecipientResult,
    RunContext,
    Submission,
    SubmissionResult,
)
from postroom.providers.secret import Secret
from postroom.rules.error_classes import Nature, Scope
from postroom.rules.send_codes import Judgement, SmtpStep, judge_smtp

__all__ = ["SmtpConfig", "SmtpProvider", "SmtpState"]

Envelope = tuple[str, tuple[tuple[str, str], ...]]
"""The sender as it travels, and (recipient as claimed, as it travels)."""


@dataclass(frozen=True, slots=True)
class SmtpConfig:
    """Where mail is handed over.

    user               "" for a server that wants no log-in
    tls                "none", "implicit" (usually port 465) or "starttls"; when asked for it is required
    hello_name         the name given with EHLO
    final_dot_timeout  seconds to wait after the text: a short time makes duplicates (RFC 5321 §4.5.3.2, RFC 1047)
    """

    host: str = element("EmailServer", identity=True, length=255, help="host name", source="7.2, spelling unconfirmed")
    port: int = element("EmailPort", minimum=1, maximum=65535, help="port", source="7.2, spelling unconfirmed")
    user: str = element(
        "EmailUser",
        default="",
        identity=True,
        length=320,
        help="account; empty for a server that wants no log-in",
        source="7.2",
    )
    password: Secret = element(
        "EmailPassword", default=Secret(""), secret=True, help="its password", source="7.2, spelling unconfirmed"
    )
    tls: Literal["none", "implicit", "starttls"] = element(
        "EmailTls",
        default="starttls",
        was={"EmailUseSsl": {"true": "starttls", "1": "starttls", "false": "none", "0": "none"}},
        help="starttls, implicit (usually port 465) or none; when asked for it is required",
        source="ours",
    )
    hello_name: str = element(
        "HelloName", default="postroom.invalid", length=255, help="the name given with EHLO", source="ours"
    )
    final_dot_timeout: float = element(
        "FinalDotTimeout",
        default=600.0,
        milliseconds=True,
        minimum=1000,
        help="wait after the text of a message; a short one makes duplicates",
        source="ours",
    )


@dataclass(frozen=True, slots=True)
class SmtpState:
    """Nothing: the organization knows what waits."""


@dataclass(frozen=True, slots=True)
class _Composed:
    text: bytes
    envelope: Envelope
    options: str
    utf8: bool


class SmtpProvider(SendProvider[SmtpConfig, SmtpState]):
    """Hands claimed emails to one SMTP server."""

    spec: ClassVar[ProviderSpec[SmtpConfig, SmtpState]] = ProviderSpec(
        "smtp", Direction.OUTBOUND, SmtpConfig, SmtpState, capabilities=frozenset({Capability.CHECK})
    )

    def __init__(self, config: SmtpConfig, env: ProviderEnv) -> None:
        super().__init__(config, env)
        self._dialogue: SmtpDialogue | None = None

    @property
    def _line(self) -> SmtpDialogue:
        if self._dialogue is None:
            raise ConnectionFailed("not connected")
        return self._dialogue

    def on_check(self, ctx: RunContext[SmtpState]) -> CheckReport:
        """Connect, secure, log in, NOOP, leave. No mail is sent."""
        try:
            self.open_transport(ctx)
            reply = self._line.command("NOOP")
            if not reply.good:
                raise reply.as_error(SmtpStep.EHLO, "NOOP")
            self.close_transport(ctx)
            return CheckReport("logged in" if self.config.user else "connected")
        finally:
            self.abandon_transport()

    def on_close(self) -> None:
        self.abandon_transport()

    # -- hooks

    def open_transport(self, ctx: RunContext[SmtpState]) -> None:
        config = self.config
        self._dialogue = dialogue = SmtpDialogue(
            ctx.net, config.host, config.port, ctx.timeout, implicit=config.tls == "implicit", hello_name=config.hello_name
        )
        if config.tls == "starttls":
            dialogue.start_tls()
        if config.user:
            dialogue.login(config.user, config.password)

    def compose_message(self, ctx: RunContext[SmtpState], email: ClaimedEmail) -> _Composed | None:  # noqa: ARG002
        """None before there is a connection: what may be said depends on what the server offers. ValueError: it cannot be sent."""
        if not email.recipients:
            raise ValueError("there is no recipient")
        if self._dialogue is None:
            return None
        utf8, eight = self._line.offers("smtputf8"), self._line.offers("8bitmime")
        envelope: Envelope = (
            wire_address(email.envelope_from, utf8) if email.envelope_from else "",
            tuple((recipient, wire_address(recipient, utf8)) for recipient in email.recipients),
        )
        octets = compose_octets(email, eight=eight, utf8=utf8)
        travelling = (envelope[0], *(wire for _, wire in envelope[1]))
        header = octets.partition(b"\r\n\r\n")[0]
        needs_utf8 = utf8 and not (all(address.isascii() for address in travelling) and header.isascii())
        options = " BODY=8BITMIME" if eight and not octets.isascii() else ""
        options += " SMTPUTF8" if needs_utf8 else ""
        # Told beforehand, so that a message that is too large is refused before it is sent (RFC 1870 §3).
        options += f" SIZE={len(octets)}" if self._line.offers("size") else ""
        return _Composed(stuffed(octets), envelope, options, needs_utf8)

    def submit_message(self, ctx: RunContext[SmtpState], email: ClaimedEmail, composed: _Composed | None) -> Submission:
        if composed is None:
            raise ProtocolError("composed before the connection")
        return _Transaction(self._line, ctx, email, composed, self.config.final_dot_timeout).run()

    def close_transport(self, ctx: RunContext[SmtpState]) -> None:  # noqa: ARG002
        self._line.quit()

    def transport_usable(self) -> bool:
        return self._dialogue is not None and self._dialogue.alive

    def abandon_transport(self) -> None:
        dialogue, self._dialogue = self._dialogue, None
        if dialogue is not None:
            dialogue.abandon()


class _Transaction:
    """MAIL, RCPT one by one, DATA, the text, the mark, the dot, the answer."""

    def __init__(
        self, line: SmtpDialogue, ctx: RunContext[SmtpState], email: ClaimedEmail, composed: _Composed, dot_timeout: float
    ) -> None:
        self.line = line
        self.ctx = ctx
        self.email = email
        self.composed = composed
        self.dot_timeout = dot_timeout
        self.results: list[RecipientResult] = []

    def run(self) -> Submission:
        """The outcome, or `Submitted` when the line is lost with it. Before the dot everything is safe to try again."""
        try:
            refusal = self._before_the_dot()
        except Submitted:
            raise
        except ProviderError as error:
            raise Submitted(self._retry(getattr(error, "reply", "") or str(error)), error) from error
        if refusal is not None:
            return refusal
        # Raised from here, StaleRun and store errors end the run with the dot unsaid: nothing was submitted.
        self.ctx.gateway.mark_submitting(self.email, [one for one in self.results if not one.accepted])
        return self._the_dot()

    def _before_the_dot(self) -> Submission | None:
        line, composed = self.line, self.composed
        self.line.utf8(composed.utf8)
        try:
            reply = line.command(f"MAIL FROM:<{composed.envelope[0]}>{composed.options}")
            if not reply.good:
                return self._refused(SmtpStep.MAIL, reply)
            if (refused := self._recipients(composed.envelope[1])) is not None:
                return refused
        finally:
            self.line.utf8(wanted=False)
        reply = line.command("DATA")
        if reply.code != 354:
            return self._refused(SmtpStep.DATA, reply)
        line.write(composed.text)
        return None

    def _recipients(self, recipients: Sequence[tuple[str, str]]) -> Submission | None:
        last = Reply(550, "")
        for recipient, wire in recipients:
            last = self.line.command(f"RCPT TO:<{wire}>")
            judged = judge_smtp(SmtpStep.RCPT, last.code)
            if judged is not None and judged.scope is Scope.MAILBOX:
                return self._refused(SmtpStep.RCPT, last)
            # 452 and the like concern this try only, 5yz the recipient (RFC 5321 §4.5.3.1.10).
            self.results.append(RecipientResult(recipient, last.good, str(last), permanent=last.permanent))
        if any(result.accepted for result in self.results):
            return None
        self._reset()
        permanent = all(result.permanent for result in self.results)
        return Submission(
            SubmissionResult.FAILED if permanent else SubmissionResult.RETRY,
            tuple(self.results),
            next(result.reply for result in self.results if result.permanent == permanent),
        )

    def _refused(self, step: SmtpStep, reply: Reply) -> Submission:
        """No to the email as a whole. Codes that concern the line or the log-in end the conversation."""
        judged = judge_smtp(step, reply.code)
        if not self.line.alive or (judged is not None and judged.scope is Scope.MAILBOX):
            last = judged is Judgement.MAILBOX_PERMANENT
            raise Submitted(self._retry(str(reply), attempted=not last), reply.as_error(step), last=last)
        if judged is None:
            raise reply.as_error(step)
        self._reset()
        result = SubmissionResult.RETRY if judged.nature is Nature.TRANSIENT else SubmissionResult.FAILED
        return Submission(result, tuple(self.results), str(reply))

    def _the_dot(self) -> Submission:
        try:
            self.line.write(b".\r\n")
            reply = self.line.answer(self.dot_timeout)
        except ProviderError as error:
            # The server may have it or not, and nobody can know (RFC 1047).
            raise Submitted(self._submission(SubmissionResult.UNCERTAIN, str(error)), error) from error
        if reply.good:
            return self._submission(SubmissionResult.SENT, str(reply))
        judged = judge_smtp(SmtpStep.TEXT, reply.code)
        if judged is not None:
            transient = judged.nature is Nature.TRANSIENT
            told = self._submission(SubmissionResult.RETRY if transient else SubmissionResult.FAILED, str(reply))
            if not self.line.alive:
                raise Submitted(told, reply.as_error(SmtpStep.TEXT, "the message"))
            return told
        nonsense = ProtocolError(f"the message was answered with {reply}", reply=str(reply))
        raise Submitted(self._submission(SubmissionResult.UNCERTAIN, str(reply)), nonsense)

    def _submission(self, result: SubmissionResult, reply: str) -> Submission:
        """With each recipient's fate: who was refused before is refused for good or for now, whatever the dot brought."""
        accepted = result in (SubmissionResult.SENT, SubmissionResult.UNCERTAIN)
        recipients = tuple(
            one
            if accepted or not one.accepted
            else RecipientResult(one.address, False, reply, result is SubmissionResult.FAILED)
            for one in self.results
        )
        return Submission(result, recipients, reply)

    def _retry(self, reply: str, *, attempted: bool = True) -> Submission:
        return Submission(SubmissionResult.RETRY, reply=reply, attempted=attempted)

    def _reset(self) -> None:
        """Forget the transaction, so that the next email begins afresh. A line that is lost here is found lost by the next email."""
        try:
            self.line.command("RSET")
        except TransientError:
            self.line.alive = False


def wire_address(address: str, utf8: bool) -> str:
    """An address as MAIL and RCPT carry it. Raises ValueError for one that could leave its brackets or that this server cannot take:
    a non-ASCII local part without SMTPUTF8 has no other form (RFC 6531, 5.6.7); a domain goes as A-labels."""
    if not address or any(ord(char) < 0x20 or ord(char) == 0x7F or char in "\x85\u2028\u2029" for char in address):
        raise ValueError("an address is empty or holds control characters")
    local, at, domain = address.rpartition("@")
    quoted = len(local) > 1 and local.startswith('"') and local.endswith('"')
    if not at or not local or not domain or any(char in "<> ,;" for char in domain):
        raise ValueError("an address has no local part or no domain")
    if not quoted and any(char in '<> "(),:;\\@' for char in local):
        raise ValueError("an address holds characters that need quotes")
    if len(address.encode("utf-8", "surrogatepass")) > 254 + 2:
        raise ValueError("an address is longer than a path can be")
    if address.isascii() or utf8:
        address.encode()  # a surrogate has no form at all
        return address
    if not local.isascii():
        raise ValueError("an address needs SMTPUTF8, which the server does not offer")
    return f"{local}@{domain.encode('idna').decode('ascii')}"


def compose_octets(email: ClaimedEmail, *, eight: bool, utf8: bool) -> bytes:
    """The message as octets, 8-bit and UTF-8 headers only where offered."""
    from postroom.mime.compose import compose

    return compose(email.message, eight_bit=eight, utf8=utf8)
