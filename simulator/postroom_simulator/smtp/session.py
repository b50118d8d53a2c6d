"""The SMTP server as a session that owns no socket: the contract of `postroom_simulator.session` around `SmtpServer`."""

from __future__ import annotations

from postroom_simulator.session import Outgoing, SessionContext
from postroom_simulator.smtp.server import SmtpServer
from postroom_simulator.smtp.settings import SmtpSettings

__all__ = ["SmtpSession"]


class SmtpSession:
    """A server's side of one SMTP conversation. Settings are the world's, unless given."""

    def __init__(self, context: SessionContext, settings: SmtpSettings | None = None) -> None:
        self._context = context
        self._settings = settings if settings is not None else context.world.smtp.settings
        self._server = SmtpServer(context, self._settings)

    @property
    def closed(self) -> bool:
        return self._server.over

    @property
    def wants_tls(self) -> bool:
        return self._server.wants_tls and not self._server.over

    @property
    def idle_limit(self) -> float | None:
        """None while a fault suspends the session: it says nothing then, not even 421."""
        return None if self._server.suspended or self._server.over else self._settings.idle_limit

    @property
    def account(self) -> str | None:
        return self._server.account

    def start(self) -> None:
        self._server.begin()

    def receive_data(self, octets: bytes) -> None:
        if not self._server.over and octets:
            self._server.data_received(octets)

    def receive_eof(self) -> None:
        """Nothing is stored that was not ended by its dot; the coroutine ends."""
        self._server.end()

    def take(self) -> list[Outgoing]:
        return self._server.take()

    def resume(self) -> None:
        if self._server.suspended and not self._server.over:
            self._server.suspended = False
            self._server.wake()

    def tls_established(self) -> None:
        """The line is encrypted from here on; what came aside since is the first input."""
        if self.wants_tls:
            self._context.secure = True
            self._server.wants_tls = False
            self._server.wake()

    def timeout(self) -> None:
        """Says 421 and ends (RFC 5321 §3.8, §4.5.3.2.7). Nothing is said in the middle of a handshake or while suspended."""
        if self._server.over or self._server.suspended:
            return
        if not self._server.wants_tls:
            self._server.say_timeout()
        self.receive_eof()
