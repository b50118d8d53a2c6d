"""The client's side of an SMTP conversation: smtplib over a connector's connection, every reply bounded and judged by its code."""

from __future__ import annotations

import base64
import re
import smtplib
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from postroom.errors import (
    AuthError,
    ConfigError,
    ConnectionFailed,
    ProtocolError,
    ProviderError,
    TlsError,
    TransientError,
)
from postroom.providers.contract import Connector
from postroom.providers.lines import forms_of, printable
from postroom.providers.secret import Secret
from postroom.rules.send_codes import CREDENTIAL_CODES, SERVICE_CLOSING, Judgement, SmtpStep, judge_smtp

__all__ = ["Reply", "SmtpDialogue", "stuffed"]

LINE_OCTETS = 8 * 1024
REPLY_LINES = 200
CODE = re.compile(rb"([2-5][0-9]{2})(?:[ -]|\Z)")


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply: the basic code decides, never the text (RFC 5321 §4.2.1). `text` is safe to show."""

    code: int
    text: str

    @property
    def good(self) -> bool:
        return 200 <= self.code < 300

    @property
    def transient(self) -> bool:
        return 400 <= self.code < 500

    @property
    def permanent(self) -> bool:
        return self.code >= 500

    def __str__(self) -> str:
        return f"{self.code} {self.text}"

    def as_error(self, step: SmtpStep, what: str = "") -> ProviderError:
        """For a step that concerns the connection or the mailbox, no single email: as `rules.send_codes` judges it."""
        text = f"{what or step.value} was answered with {self}"
        code = str(self.code)
        judged = judge_smtp(step, self.code)
        if judged is Judgement.MAILBOX_PERMANENT:
            kind = TlsError if step is SmtpStep.STARTTLS and self.code not in CREDENTIAL_CODES else AuthError
            return kind(text, reply=str(self), code=code)
        if self.code == SERVICE_CLOSING:
            return ConnectionFailed(text, reply=str(self), code=code)
        if judged is not None:
            return TransientError(text, reply=str(self), code=code)
        return ProtocolError(text, reply=str(self), code=code)


def stuffed(octets: bytes) -> bytes:
    """The text as DATA carries it, without the final dot line: one more dot before each line that begins with one, the last
    line ended (RFC 5321 §4.5.2). Raises ValueError for a lone CR or LF: passed on, it may end the text early elsewhere
    ("smuggling", mail-protocol-pitfalls 3.4)."""
    ends = octets.count(b"\r\n")
    if octets.count(b"\r") != ends or octets.count(b"\n") != ends:
        raise ValueError("the message holds a lone carriage return or line feed")
    if not octets.endswith(b"\r\n"):
        octets += b"\r\n"
    if octets.startswith(b"."):
        octets = b"." + octets
    return octets.replace(b"\r\n.", b"\r\n..")


class _Client(smtplib.SMTP):
    """smtplib for EHLO and the state of a conversation. The line comes from a connector; sending and reading are ours, because
    smtplib turns every OSError into "closed" and reads replies without end."""

    sock: Any
    file: Any

    def __init__(self, sock: Any, hello_name: str) -> None:
        super().__init__(local_hostname=hello_name)  # given, so nobody asks a name server who we are
        self.sock = sock
        self.file = sock.makefile("rb")
        self.hidden: tuple[bytes, ...] = ()  # what is never shown of a reply: the credentials, once they were sent

    def send(self, s: Any) -> None:
        if self.sock is None:
            raise ConnectionFailed("the connection is closed")
        self.sock.sendall(s.encode(self.command_encoding) if isinstance(s, str) else s)

    def putcmd(self, cmd: str, args: str = "") -> None:
        line = f"{cmd} {args}" if args else cmd
        if any(mark in line for mark in "\r\n\0"):
            raise ValueError("a command holds a line break or NUL")
        self.send(line + "\r\n")

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None:
            raise ConnectionFailed("the connection is closed")
        texts: list[bytes] = []
        first: bytes | None = None
        while True:
            line = self.file.readline(LINE_OCTETS + 1)
            if len(line) > LINE_OCTETS or len(texts) >= REPLY_LINES:
                raise ProtocolError("the server's reply has no end")
            if not line.endswith(b"\n"):
                raise ConnectionFailed("the server closed the connection")
            line = line.rstrip(b"\r\n")
            match = CODE.match(line)
            if match is None or (first is not None and match[1] != first):
                raise ProtocolError(
                    "the server said something that is not an SMTP reply", reply=printable(line, hide=self.hidden)
                )
            first = match[1]
            texts.append(line[4:].strip(b" \t"))
            if line[3:4] != b"-":
                return int(first), b"\n".join(texts)

    def close(self) -> None:
        self.file = None
        self.sock = None


class SmtpDialogue:
    """One conversation. Replies to single commands are given back; errors of the line are ProviderErrors."""

    def __init__(self, net: Connector, host: str, port: int, timeout: float, *, implicit: bool, hello_name: str) -> None:
        self._net = net
        self._host = host
        self.timeout = timeout
        self.alive = True
        """False once the server said 421 or the line was lost: then there is nothing to say any more."""
        connection = net.connect(host, port, timeout=timeout, tls=implicit)
        self._client = _Client(connection, hello_name)
        try:
            greeting = self._reply()
            if greeting.code != 220:
                raise greeting.as_error(SmtpStep.GREETING, "the connection")
            self._hello()
        except BaseException:
            self.abandon()
            raise

    # -- talking

    def command(self, line: str) -> Reply:
        try:
            self._client.putcmd(line)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        except ProviderError:
            self.alive = False
            raise
        return self._reply()

    def write(self, octets: bytes) -> None:
        try:
            self._client.send(octets)
        except ProviderError:
            self.alive = False
            raise

    def answer(self, timeout: float | None = None) -> Reply:
        """The next reply; waits `timeout` seconds where that is more than usual (RFC 5321 §4.5.3.2: ten minutes after the dot)."""
        if timeout is not None and self._client.sock is not None:
            self._client.sock.settimeout(max(timeout, self.timeout))
        try:
            return self._reply()
        finally:
            if timeout is not None and self._client.sock is not None:
                self._client.sock.settimeout(self.timeout)

    def _reply(self) -> Reply:
        try:
            code, text = self._client.getreply()
        except ProviderError:
            self.alive = False
            raise
        if code == 421:
            self.alive = False
        return Reply(code, printable(text.replace(b"\n", b" / "), hide=self._client.hidden))

    def utf8(self, wanted: bool) -> None:
        """Whether commands carry UTF-8 (RFC 6531: only in a transaction that asked for it)."""
        self._client.command_encoding = "utf-8" if wanted else "ascii"

    # -- the beginning and the end

    def offers(self, extension: str) -> bool:
        return self._client.has_extn(extension)

    def _hello(self) -> None:
        try:
            code, text = self._client.ehlo()
            if 500 <= code < 600 and code != 521:
                code, text = self._client.helo()
        except ValueError as error:
            raise ConfigError(f"the name for EHLO is unusable: {error}") from None
        except ProviderError:
            self.alive = False
            raise
        if code != 250:
            self.alive = self.alive and code != 421
            raise Reply(code, printable(text)).as_error(SmtpStep.EHLO)

    def start_tls(self) -> None:
        """STARTTLS, required: without it nothing more is said. What the server offered before is forgotten (RFC 3207 §4.2)."""
        if not self.offers("starttls"):
            raise TlsError("TLS is required and the server does not offer STARTTLS", code="not-offered")
        reply = self.command("STARTTLS")
        if reply.code != 220:
            raise reply.as_error(SmtpStep.STARTTLS)
        self._client.sock = self._net.start_tls(self._client.sock, self._host)
        self._client.file = self._client.sock.makefile("rb")
        self._client.ehlo_resp = self._client.helo_resp = None
        self._client.esmtp_features = {}
        self._client.does_esmtp = False
        self._hello()

    def login(self, user: str, password: Secret) -> None:
        """AUTH PLAIN or LOGIN, whichever is offered (RFC 4954). Ours instead of smtplib's: user names and passwords are UTF-8 there,
        smtplib takes ASCII only. Nothing of the credentials enters an error."""
        offered = self._client.esmtp_features.get("auth", "").upper().split()
        self._client.hidden = forms_of(user, password)
        if "PLAIN" in offered:
            reply = self.command("AUTH PLAIN " + _base64(f"\0{user}\0{password.reveal()}"))
        elif "LOGIN" in offered:
            reply = self.command("AUTH LOGIN")
            for answer in (user, password.reveal()):
                if reply.code != 334:
                    break
                reply = self.command(_base64(answer))
        else:
            raise AuthError("the server offers no way to log in that is known here (PLAIN, LOGIN)", code="no-mechanism")
        if reply.code != 235:
            what = "the log-in, as the server refused the credentials," if reply.permanent else "AUTH"
            raise reply.as_error(SmtpStep.AUTH, what)

    def quit(self) -> None:
        self.command("QUIT")

    def abandon(self) -> None:
        """Drop the connection. Never raises."""
        self.alive = False
        sock = self._client.sock
        self._client.close()
        if sock is not None:
            with suppress(ProviderError, OSError):
                sock.shutdown(socket.SHUT_RDWR)
            with suppress(ProviderError, OSError):
                sock.close()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode("ascii")
