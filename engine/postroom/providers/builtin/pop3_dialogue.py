"""The client's side of a POP3 conversation: poplib for the dialogue, retrieval of our own."""

from __future__ import annotations

import base64
import poplib
import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from postroom.errors import (
    AuthError,
    ConfigError,
    ConnectionFailed,
    PermissionDenied,
    ProtocolError,
    ProviderError,
    TlsError,
    TransientError,
)
from postroom.providers.contract import Connector
from postroom.providers.lines import LineReader, Overlong, forms_of, printable
from postroom.providers.secret import Secret

__all__ = ["Pop3Dialogue", "Refused"]

REPLY_OCTETS = 8 * 1024
"""A reply line is at most 512 octets (RFC 1939 §3); servers say more. Beyond this it is nonsense."""
CAPA_OCTETS = 64 * 1024
COMMAND_OCTETS = 255 - 2
"""RFC 2449 §4. Longer user names and passwords are sent all the same (their server knows them), other commands never are longer."""
PIPELINE = 50
CODE = re.compile(rb"-ERR +\[([A-Za-z0-9/-]{1,64})\]", re.IGNORECASE)


class Refused(Exception):
    """A command was answered with -ERR. `code` is the response code (RFC 2449 §8, RFC 3206), upper case, or ""."""

    def __init__(self, command: str, line: bytes, hide: Iterable[bytes] = ()) -> None:
        self.reply = printable(line, hide=hide)
        found = CODE.match(line)
        self.code = found[1].decode("ascii").upper() if found else ""
        super().__init__(f"{command} was refused: {self.reply}")

    def as_error(self) -> ProviderError:
        """By the response code alone; without one the command simply failed."""
        match self.code:
            case "IN-USE" | "SYS/TEMP" | "LOGIN-DELAY":
                return TransientError(str(self), reply=self.reply, code=self.code)
            case "SYS/PERM":
                return PermissionDenied(str(self), reply=self.reply, code=self.code)
            case "AUTH":
                return AuthError(str(self), reply=self.reply, code=self.code)
            case _:
                return ProtocolError(str(self), reply=self.reply, code=self.code)


class _Client(poplib.POP3):
    """poplib over a connector's connection: no limit of 2,048 octets a line, every line bounded all the same, commands checked."""

    def __init__(self, net: Connector, host: str, port: int, timeout: float, *, tls: bool) -> None:
        self._net = net
        self._tls = tls
        self.sock: Any = None
        self.file: Any = None
        super().__init__(host, port, timeout)

    def _create_socket(self, timeout: float | None) -> Any:
        return self._net.connect(self.host, self.port, timeout=timeout or 100.0, tls=self._tls)

    def _getline(self) -> tuple[bytes, int]:
        line = self.file.readline(REPLY_OCTETS + 1)
        if len(line) > REPLY_OCTETS:
            raise ProtocolError(f"the server said a line of more than {REPLY_OCTETS} octets")
        if not line.endswith(b"\n"):
            raise ConnectionFailed("the server closed the connection")
        return line.rstrip(b"\r\n"), len(line)

    def _putcmd(self, line: str) -> None:
        self.write([line])

    def write(self, commands: Sequence[str]) -> None:
        octets = [command.encode("utf-8", "surrogateescape") for command in commands]
        if any(mark in line for line in octets for mark in (b"\r", b"\n", b"\0")):
            # Checked at the one place where commands leave (pitfalls section 1); the text may be a password and is not shown.
            raise ConfigError("user name or password holds a line break or NUL")
        self.sock.sendall(b"\r\n".join(octets) + b"\r\n")

    def secure(self) -> None:
        self.sock = self._net.start_tls(self.sock, self.host)
        self.file = self.sock.makefile("rb")

    @property
    def reader(self) -> LineReader:
        reader: LineReader = self.file
        return reader


class Pop3Dialogue:
    """One conversation. Errors are ProviderErrors, but `Refused` where the caller decides what an -ERR means.

    `pipelined`: whether commands may be sent before the answers to earlier ones have come (RFC 2449 §6.6).
    """

    def __init__(self, net: Connector, host: str, port: int, timeout: float, *, implicit: bool) -> None:
        self.pipelined = False
        self._capabilities: frozenset[str] | None = None
        self._auth: frozenset[str] = frozenset()
        self._login_delay: timedelta | None = None
        self._outstanding = 0
        self._hidden: tuple[bytes, ...] = ()
        self._client = _Client.__new__(_Client)
        try:
            self._client.__init__(net, host, port, timeout, tls=implicit)  # type: ignore[misc]
        except poplib.error_proto as error:
            self.abandon()
            raise self._refused_greeting(error) from error
        except BaseException:
            self.abandon()
            raise

    @staticmethod
    def _refused_greeting(error: poplib.error_proto) -> ProviderError:
        refused = Refused("the connection", _line(error))
        if refused.code:
            return refused.as_error()
        if _line(error).upper().startswith(b"-ERR"):
            return TransientError(str(refused), reply=refused.reply)
        return ProtocolError(f"this is no POP3 server: {refused.reply}", reply=refused.reply)

    # -- single commands

    def command(self, line: str, shown: str = "") -> bytes:
        """The text after "+OK ". Raises Refused."""
        self._client.write([line])
        return self._reply(shown or line.split(" ", 1)[0])

    def text(self, line: str, limit: int) -> bytes:
        """The lines after the reply, at most `limit` octets (ProtocolError). Raises Refused."""
        self.command(line)
        return self._client.reader.read_text(limit, discard=limit)

    def _reply(self, shown: str) -> bytes:
        line, _ = self._client._getline()  # noqa: SLF001 - our own subclass
        head = line[:4].upper()
        if head.startswith(b"+OK"):
            return line[3:].strip(b" \t")
        if head.startswith(b"-ERR"):
            raise Refused(shown, line, self._hidden)
        reply = printable(line, hide=self._hidden)
        raise ProtocolError(f"{shown} was answered with something that is not POP3", reply=reply)

    # -- many commands

    def texts(self, lines: Sequence[str], limit: int) -> Iterator[bytes | Refused | Overlong]:
        """The text that each command gets, in order, whole. With pipelining the commands go out in groups."""
        for verb in self._sent(lines):
            try:
                self._reply(verb)
                answer: bytes | Refused | Overlong = self._client.reader.read_text(limit)
            except (Refused, Overlong) as told:
                answer = told
            self._outstanding -= 1
            yield answer

    def commands(self, lines: Sequence[str]) -> list[Refused | None]:
        """What became of each command, in order."""
        results: list[Refused | None] = []
        for verb in self._sent(lines):
            try:
                self._reply(verb)
                results.append(None)
            except Refused as refused:
                results.append(refused)
            self._outstanding -= 1
        return results

    def _sent(self, lines: Sequence[str]) -> Iterator[str]:
        group = PIPELINE if self.pipelined else 1
        for start in range(0, len(lines), group):
            part = lines[start : start + group]
            self._client.write(part)
            self._outstanding += len(part)
            for line in part:
                yield line.split(" ", 1)[0]

    # -- the beginning and the end

    def capabilities(self) -> frozenset[str]:
        """What CAPA names (RFC 2449 §5), upper case; none where it is refused. Forgotten at STLS and at login."""
        if self._capabilities is None:
            try:
                lines = self.text("CAPA", CAPA_OCTETS).upper().split(b"\r\n")
            except Refused:
                lines = []
            words = [line.decode("ascii", "replace").split(" ") for line in lines if line]
            self._capabilities = frozenset(word[0] for word in words)
            self._auth = frozenset(name for word in words if word[0] == "SASL" for name in word[1:])
            delays = [word[1] for word in words if word[0] == "LOGIN-DELAY" and len(word) > 1]
            if delays and re.fullmatch(r"[0-9]{1,6}", delays[0]):
                self._login_delay = timedelta(seconds=int(delays[0]))
        return self._capabilities

    def start_tls(self) -> None:
        """STLS, required: without it nothing more is said (RFC 2595 §4, pitfalls 3.8)."""
        if "STLS" not in self.capabilities():
            raise TlsError("TLS is required and the server does not offer STLS", code="not-offered")
        try:
            self.command("STLS")
        except Refused as refused:
            error = refused.as_error()
            if type(error) is TransientError:  # [SYS/TEMP] and the like: not now, says nothing against TLS (RFC 3206)
                raise error from refused
            raise TlsError(str(refused), reply=refused.reply, code="refused") from refused
        self._capabilities = None
        self._client.secure()

    def login(self, user: str, password: Secret) -> None:
        """USER and PASS, or AUTH PLAIN where USER is refused and PLAIN is offered. Only [AUTH] or a plain refusal means that the
        credentials are wrong (RFC 3206); nothing of the credentials enters an error."""
        if not user:
            raise ConfigError("there is no user name")
        self._hidden = forms_of(user, password)
        try:
            if self._user_is_known(user):
                self.command(f"PASS {password.reveal()}", "PASS")
            else:
                self._auth_plain(user, password)
        except Refused as refused:
            raise self._login_error(refused) from None
        self._capabilities = None

    def _login_error(self, refused: Refused) -> ProviderError:
        error = refused.as_error()
        if isinstance(error, ProtocolError):
            return AuthError("the server refused the credentials", reply=refused.reply, code=refused.code)
        if refused.code == "LOGIN-DELAY":
            with suppress(ProviderError):  # how long is told by CAPA only (RFC 2449 §6.5)
                self.capabilities()
            return TransientError(str(refused), reply=refused.reply, code=refused.code, retry_after=self._login_delay)
        return error

    def _user_is_known(self, user: str) -> bool:
        """Whether USER was taken. CAPA is asked only when it was not: a poll that finds nothing should cost few turns."""
        try:
            self.command(f"USER {user}", "USER")
        except Refused as refused:
            if refused.code or "USER" in self.capabilities() or "PLAIN" not in self._auth:
                raise
            return False
        return True

    def _auth_plain(self, user: str, password: Secret) -> None:
        answer = base64.b64encode(f"\0{user}\0{password.reveal()}".encode()).decode("ascii")
        if len(f"AUTH PLAIN {answer}") <= COMMAND_OCTETS:
            self.command(f"AUTH PLAIN {answer}", "AUTH")
            return
        # Too long for one line: wait for the prompt (RFC 5034 §4).
        self._client.write(["AUTH PLAIN"])
        line, _ = self._client._getline()  # noqa: SLF001
        if line[:4].upper().startswith(b"-ERR"):
            raise Refused("AUTH", line, self._hidden)
        self.command(answer, "AUTH")

    def quit(self) -> None:
        """End in order, so that deletions become effective. Raises when that is not certain."""
        if self._outstanding:
            raise ConnectionFailed("answers are outstanding; the conversation cannot end in order")
        try:
            self.command("QUIT")
        except Refused as refused:
            raise TransientError(str(refused), reply=refused.reply, code=refused.code) from refused

    def abandon(self) -> None:
        """Drop the connection. Never raises."""
        client = self._client
        sock, client.sock, client.file = getattr(client, "sock", None), None, None
        if sock is not None:
            with suppress(ProviderError, OSError):
                sock.shutdown(socket.SHUT_RDWR)
            with suppress(ProviderError, OSError):
                sock.close()


def _line(error: poplib.error_proto) -> bytes:
    said = error.args[0] if error.args else b""
    return said if isinstance(said, bytes) else str(said).encode()
