"""Mail from a POP3 server (RFC 1939, RFC 2449, RFC 2595), left there or deleted once it is stored."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from postroom.errors import ConnectionFailed, MessageError, ProtocolError
from postroom.providers.base import Fetched, Listed, MailboxProvider, MailboxState
from postroom.providers.builtin.pop3_dialogue import Pop3Dialogue, Refused
from postroom.providers.configuration import element
from postroom.providers.contract import Capability, CheckReport, Direction, ProviderEnv, ProviderSpec, RunContext
from postroom.providers.lines import Overlong
from postroom.providers.secret import Secret

__all__ = ["Pop3Config", "Pop3Provider"]

NUMBERED = re.compile(r"^([1-9][0-9]{0,9}) +([^ \r\n]{1,280})[ \t]*\r$", re.MULTILINE)
"""A line of a listing. An idle poll of a large mailbox is hardly more than this, so all lines are matched at once."""
STRANGE = re.compile(r"^([1-9][0-9]{0,9})(?: +|$)([^\r\n]*)")
"""A line of a listing whose name no server should give."""
UNPRINTABLE = re.compile(rb"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]")
NAME_LIMIT = 280
"""Characters of a name; longer ones are remembered by their digest. RFC 1939 §7 admits 70."""


@dataclass(frozen=True, slots=True)
class Pop3Config:
    """Where the mailbox is, and what to do there.

    tls             "none", "implicit" (usually port 995) or "starttls" (STLS); when asked for it is required
    delete          delete messages once they are stored; otherwise they stay
    message_octets  a longer message is parked, not stored
    pipelining      use it when the server offers it
    """

    host: str = element("EmailServer", identity=True, length=255, help="host name", source="7.2, spelling unconfirmed")
    port: int = element("EmailPort", minimum=1, maximum=65535, help="port", source="7.2, spelling unconfirmed")
    user: str = element("EmailUser", identity=True, length=320, help="account", source="7.2")
    password: Secret = element("EmailPassword", secret=True, help="its password", source="7.2, spelling unconfirmed")
    tls: Literal["none", "implicit", "starttls"] = element(
        "EmailTls",
        default="implicit",
        was={"EmailUseSsl": {"true": "implicit", "1": "implicit", "false": "none", "0": "none"}},
        help="implicit (usually port 995), starttls (STLS) or none; when asked for it is required",
        source="ours",
    )
    delete: bool = element(
        "DeleteEmails", default=False, help="delete messages once they are stored", source="7.2, spelling unconfirmed"
    )
    message_octets: int = element(
        "MaxMessageSize", default=25 * 1024 * 1024, minimum=1024, help="octets; a longer message is parked", source="ours"
    )
    listing_octets: int = element(
        "MaxListingSize", default=64 * 1024 * 1024, minimum=1024, help="octets of a listing of the mailbox", source="ours"
    )
    pipelining: bool = element("UsePipelining", default=True, help="use it when the server offers it", source="ours")


class Pop3Provider(MailboxProvider[Pop3Config]):
    """Polls one POP3 maildrop."""

    spec: ClassVar[ProviderSpec[Pop3Config, MailboxState]] = ProviderSpec(
        "pop3",
        Direction.INBOUND,
        Pop3Config,
        MailboxState,
        capabilities=frozenset({Capability.STATEFUL, Capability.CHECK, Capability.DELETE}),
    )

    def __init__(self, config: Pop3Config, env: ProviderEnv) -> None:
        super().__init__(config, env)
        self.deletes = config.delete
        self._dialogue: Pop3Dialogue | None = None

    @property
    def _line(self) -> Pop3Dialogue:
        if self._dialogue is None:
            raise ConnectionFailed("not connected")
        return self._dialogue

    def on_check(self, ctx: RunContext[MailboxState]) -> CheckReport:
        """Log in, look, leave. Nothing is changed."""
        try:
            self.open_mailbox(ctx)
            try:
                reply = self._line.command("STAT")
            except Refused as refused:
                raise refused.as_error() from refused
            self.close_mailbox(ctx)
            found = re.match(rb"([0-9]{1,10}) ", reply + b" ")
            return CheckReport(f"logged in; {found[1].decode()} messages" if found else "logged in")
        finally:
            self.abandon_mailbox()

    def on_close(self) -> None:
        self.abandon_mailbox()

    # -- hooks

    def open_mailbox(self, ctx: RunContext[MailboxState]) -> None:
        config = self.config
        self._dialogue = dialogue = Pop3Dialogue(
            ctx.net, config.host, config.port, ctx.timeout, implicit=config.tls == "implicit"
        )
        if config.tls == "starttls":
            dialogue.start_tls()
        dialogue.login(config.user, config.password)

    def list_messages(self, ctx: RunContext[MailboxState]) -> Sequence[Listed]:
        """By UIDL; without it, by LIST and with no keys. Raises ProtocolError for a listing that is none."""
        try:
            text = self._line.text("UIDL", self.config.listing_octets)
        except Refused as refused:
            if refused.code:
                raise refused.as_error() from refused
            ctx.log("pop3.no_uidl", "the server has no stable names; every message is retrieved in every run")
            return [Listed("", number) for number in dict(_lines(self._list()))]
        lines = _lines(text)
        if lines and not lines[-1][0] == len(lines) == len(dict(lines)):  # not 1, 2, 3 ... n
            lines = self._in_disorder(ctx, dict(lines))  # a message named twice is one message
        return [Listed(name, number) for number, name in lines]

    def _in_disorder(self, ctx: RunContext[MailboxState], named: dict[int, str]) -> list[tuple[int, str]]:
        """Where numbers are missing between those with a name, they are taken from LIST, without a name: none may be lost."""
        if len(named) == max(named):
            return list(named.items())
        try:
            there = dict(_lines(self._list()))
        except ProtocolError:
            there = {}
        ctx.log("pop3.nameless", "the listing of names leaves messages out", count=len(there.keys() - named.keys()))
        return [(number, named.get(number, "")) for number in {**there, **named}]

    def _list(self) -> bytes:
        try:
            return self._line.text("LIST", self.config.listing_octets)
        except Refused as refused:
            raise refused.as_error() from refused

    def mailbox_totals(self, ctx: RunContext[MailboxState]) -> str:
        """STAT: how many messages and how many octets (RFC 1939 §5)."""
        try:
            found = re.match(rb"[0-9]{1,10} +[0-9]{1,20}", self._line.command("STAT"))
        except Refused as refused:
            ctx.log("pop3.no_totals", str(refused))
            return ""
        return found[0].decode("ascii") if found else ""

    def message_sizes(self, ctx: RunContext[MailboxState]) -> Mapping[int, int]:
        """LIST. A server may tell sizes that are not exact (RFC 1939 §11): they are only compared with what it told before."""
        try:
            listed = _lines(self._list())
        except ProtocolError as error:
            ctx.log("pop3.no_sizes", str(error))
            return {}
        return {number: int(size) for number, size in listed if size.isdecimal() and len(size) <= 20}

    def retrieve_messages(self, ctx: RunContext[MailboxState], wanted: Sequence[Listed]) -> Iterator[Fetched]:  # noqa: ARG002
        if self.config.pipelining and len(wanted) > 1:
            self._line.pipelined = "PIPELINING" in self._line.capabilities()
        texts = self._line.texts([f"RETR {listed.place}" for listed in wanted], self.config.message_octets)
        for listed, text in zip(wanted, texts, strict=True):
            if isinstance(text, bytes):
                yield Fetched(listed, text)
            elif isinstance(text, Overlong):
                yield Fetched(listed, text.head, MessageError(str(text), source_key=listed.key, permanent=True))
            else:
                error = text.as_error()
                if not isinstance(error, ProtocolError):  # a response code: it concerns the mailbox
                    raise error
                yield Fetched(listed, b"", MessageError(str(error), source_key=listed.key, reply=error.reply))

    def dispose_messages(self, ctx: RunContext[MailboxState], settled: Sequence[Listed]) -> None:
        for listed, refused in zip(settled, self._line.commands([f"DELE {one.place}" for one in settled]), strict=True):
            if refused is not None:
                ctx.log("pop3.not_deleted", str(refused), key=listed.key)

    def close_mailbox(self, ctx: RunContext[MailboxState]) -> None:  # noqa: ARG002
        self._line.quit()

    def abandon_mailbox(self) -> None:
        dialogue, self._dialogue = self._dialogue, None
        if dialogue is not None:
            dialogue.abandon()


def _lines(text: bytes) -> list[tuple[int, str]]:
    """Numbers and names of a listing. Names that no server should give (RFC 1939 §7) are made ones that can be remembered: blanks and
    control characters escaped, long ones by their digest. Raises ProtocolError for a line that is neither."""
    if UNPRINTABLE.search(text) is None:
        found = NUMBERED.findall(text.decode("ascii", "backslashreplace"))
        if len(found) == text.count(b"\r\n") == text.count(b"\n"):
            return [(int(number), name) for number, name in found]
    lines = text.split(b"\r\n")
    if lines.pop() or text.count(b"\n") != len(lines):
        raise ProtocolError("the listing holds a line that is no number and name")
    return [_strange(line.decode("ascii", "backslashreplace")) for line in lines]


def _strange(line: str) -> tuple[int, str]:
    found = STRANGE.match(line)
    if found is None:
        raise ProtocolError("the listing holds a line that is no number and name")
    name = "".join(char if "!" <= char <= "~" else f"\\x{ord(char):02x}" for char in found[2].rstrip(" \t"))
    if len(name) > NAME_LIMIT:
        name = f"sha256:{hashlib.sha256(name.encode('ascii')).hexdigest()}"
    return int(found[1]), name
