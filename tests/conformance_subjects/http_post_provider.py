"""Outgoing mail handed over by HTTP: one POST a message, the envelope in header fields. On `PollingProvider`, nothing of SendProvider."""

from __future__ import annotations

import base64
import http.client
import json
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from postroom.errors import (
    AuthError,
    Cancelled,
    ConfigError,
    ConnectionFailed,
    ProtocolError,
    ProviderError,
    StaleRun,
    TransientError,
)
from postroom.mime.compose import compose
from postroom.model.secret import Secret
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
    RunOutcome,
    Submission,
    SubmissionResult,
)
from postroom.providers.lifecycle import PollingProvider

ANSWER = 256 * 1024


@dataclass(frozen=True, slots=True)
class HttpPostConfig:
    host: str = element("Host", identity=True, length=255, help="host name")
    path: str = element("Path", identity=True, length=200, help="where messages are posted")
    user: str = element("User", identity=True, length=320, help="account")
    token: Secret = element("Token", secret=True, help="its token")
    port: int = element("Port", default=443, minimum=1, maximum=65535, help="port")
    tls: bool = element("UseTls", default=True, help="without it the token is refused unless AllowPlainToken is set")
    plain: bool = element("AllowPlainToken", default=False, help="show the token without TLS")


@dataclass(frozen=True, slots=True)
class NoState:
    """Nothing."""


class HttpPostProvider(PollingProvider[HttpPostConfig, NoState]):
    spec: ClassVar[ProviderSpec[HttpPostConfig, NoState]] = ProviderSpec(
        "http-post", Direction.OUTBOUND, HttpPostConfig, NoState, capabilities=frozenset({Capability.CHECK})
    )

    def __init__(self, config: HttpPostConfig, env: ProviderEnv) -> None:
        super().__init__(config, env)
        self._line: Any = None

    def on_check(self, ctx: RunContext[NoState]) -> CheckReport:
        try:
            status, _, _ = self._exchange(ctx, "OPTIONS", b"", [])
        finally:
            self._drop()
        if status in (401, 403):
            raise AuthError("the token was refused")
        if status >= 500:
            raise TransientError(f"the server answers {status}")
        return CheckReport("reached")

    def on_run(self, ctx: RunContext[NoState]) -> RunOutcome:
        ctx.raise_if_cancelled()
        claimed = deque(ctx.gateway.claim_outgoing(ctx.items))
        self.tally.more = len(claimed) >= ctx.items
        last: ProviderError | None = None
        reason: ProviderError = Cancelled("its turn did not come")
        lost = 0
        try:
            while claimed:
                ctx.raise_if_cancelled()
                email = claimed[0]
                submission, last = self._send(ctx, email)
                claimed.popleft()
                self._report(ctx, email, submission)
                lost = lost + 1 if last is not None else 0
                if isinstance(last, AuthError | ConfigError) or lost > 2:
                    assert last is not None
                    raise last
        except StaleRun:
            claimed.clear()
            raise
        except ProviderError as error:
            reason = error
            raise
        finally:
            self._drop()
            for email in claimed:
                after = getattr(reason, "retry_after", None)
                untried = Submission(SubmissionResult.RETRY, reply=str(reason), retry_after=after, attempted=False)
                self._report(ctx, email, untried)
        return self.tally.outcome(last)

    def _report(self, ctx: RunContext[NoState], email: ClaimedEmail, submission: Submission) -> None:
        ctx.gateway.report_outgoing(email, submission)
        if submission.result is SubmissionResult.SENT:
            self.tally.processed += 1
            self.tally.delivered += 1
        elif submission.result is SubmissionResult.FAILED:
            self.tally.processed += 1
            self.tally.rejected += 1
        elif submission.attempted:
            self.tally.failed += 1

    def _send(self, ctx: RunContext[NoState], email: ClaimedEmail) -> tuple[Submission, ProviderError | None]:
        """What became of it, and the error of the line, if any."""
        try:
            octets = compose(email.message, utf8=True, eight_bit=True)
            to = json.dumps(list(email.recipients))
            if any(mark in one for one in (email.envelope_from, *email.recipients) for mark in "\r\n\0"):
                raise ValueError("an address holds a line break")
        except ValueError as error:
            return Submission(SubmissionResult.FAILED, reply=str(error)), None
        fields = [("X-Envelope-From", json.dumps(email.envelope_from)), ("X-Envelope-To", to)]
        begun = False

        def begin() -> None:
            nonlocal begun
            ctx.gateway.mark_submitting(email)
            begun = True

        try:
            status, headers, body = self._exchange(ctx, "POST", octets, fields, begin)
        except ProviderError as error:
            if begun:
                return Submission(SubmissionResult.UNCERTAIN, reply=str(error)), error
            tried = not isinstance(error, AuthError | ConfigError | TransientError)
            return Submission(SubmissionResult.RETRY, reply=str(error), attempted=tried), error
        return self._judged(email, status, headers, body)

    def _judged(
        self, email: ClaimedEmail, status: int, headers: dict[str, str], body: bytes
    ) -> tuple[Submission, ProviderError | None]:
        text = body.decode("utf-8", "replace")[:300]
        if status == 202:
            try:
                refused = {str(key): str(value)[:300] for key, value in json.loads(body or b"{}").get("refused", {}).items()}
            except (ValueError, AttributeError):
                refused = {}
            results = tuple(RecipientResult(one, one not in refused, refused.get(one, "")) for one in email.recipients)
            accepted = any(one.accepted for one in results)
            reply = "" if accepted else next(iter(refused.values()), "refused")
            return Submission(SubmissionResult.SENT if accepted else SubmissionResult.FAILED, results, reply), None
        if status in (401, 403):
            error = AuthError("the token was refused")
            return Submission(SubmissionResult.RETRY, reply=str(error), attempted=False), error
        if status == 429 or status >= 500:
            wait = headers.get("retry-after", "")
            after = timedelta(seconds=int(wait[:6])) if wait.isdecimal() else None
            return Submission(SubmissionResult.RETRY, reply=f"{status} {text}", retry_after=after), None
        return Submission(SubmissionResult.FAILED, reply=f"{status} {text}"), None

    # -- HTTP

    def _exchange(
        self, ctx: RunContext[Any], method: str, body: bytes, fields: list[tuple[str, str]], begin: Any = None
    ) -> tuple[int, dict[str, str], bytes]:
        config = self.config
        if not (config.tls or config.plain):
            raise ConfigError("the token is not shown without TLS: set UseTls or AllowPlainToken")
        try:
            return self._asked(ctx, method, body, fields, begin)
        except BaseException:
            self._drop()
            raise

    def _asked(
        self, ctx: RunContext[Any], method: str, body: bytes, fields: list[tuple[str, str]], begin: Any
    ) -> tuple[int, dict[str, str], bytes]:
        config = self.config
        if self._line is None:
            connection = ctx.net.connect(config.host, config.port, timeout=ctx.timeout, tls=config.tls)
            self._line = connection, connection.makefile("rb")
        connection, reader = self._line
        basic = base64.b64encode(f"{config.user}:{config.token.reveal()}".encode()).decode()
        head = [f"{method} {config.path} HTTP/1.1", f"Host: {config.host}"]
        head += [f"Authorization: Basic {basic}", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in fields)]
        connection.sendall("\r\n".join(head).encode("ascii") + b"\r\n\r\n")
        if begin is not None:
            begin()
        if body:
            connection.sendall(body)
        line = reader.readline(ANSWER)
        parts = line.split(b" ", 2)
        if not line.endswith(b"\n") or len(parts) < 2 or not parts[1].isdigit() or len(parts[1]) != 3:
            if line.startswith(b"HTTP/") or not line:
                raise ConnectionFailed("the connection was lost")
            raise ProtocolError("the answer is no HTTP")
        try:
            headers = http.client.parse_headers(_Lines(reader))
        except http.client.HTTPException as error:
            raise ProtocolError("the answer is no HTTP") from error
        length = headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > ANSWER:
            raise ProtocolError("the answer has no length that it may have")
        answer = reader.read(int(length))
        if len(answer) < int(length):
            raise ConnectionFailed("the connection was lost")
        if headers.get("Connection", "").lower() == "close":
            self._drop()
        return int(parts[1]), {name.lower(): value for name, value in headers.items()}, answer

    def _drop(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            with suppress(Exception):
                line[0].close()


class _Lines:
    """A cut head is no head."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def readline(self, limit: int) -> bytes:
        line: bytes = self.inner.readline(limit)
        if not line.endswith(b"\n") and len(line) < limit:
            raise ConnectionFailed("the connection was lost")
        return line
