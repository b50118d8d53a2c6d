"""What the server says, as values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from postroom_simulator.pop3.maildrop import Shown

__all__ = ["END", "REPLY_LINE_LIMIT", "Answer", "Code", "Refusal", "first_line", "multi_line", "ok", "reply_line"]

END = b".\r\n"
"""Ends every multi-line reply (RFC 1939 §3)."""

REPLY_LINE_LIMIT = 512
"""Octets of a reply's first line with its CR LF (RFC 1939 §3)."""


class Code:
    """Response codes (RFC 2449 §8.1, RFC 3206 §4)."""

    AUTH = "AUTH"  # bad credentials
    IN_USE = "IN-USE"  # the maildrop is locked by another session
    SYS_TEMP = "SYS/TEMP"  # try later
    SYS_PERM = "SYS/PERM"  # somebody has to be called
    LOGIN_DELAY = "LOGIN-DELAY"  # too soon after the last login
    UTF8 = "UTF8"  # what was asked for needs the command UTF8 (RFC 6856 §5)


@dataclass(slots=True)  # not frozen: that costs more than the rest of it
class Answer:
    """The reply to one step and what goes with it.

    octets   the whole reply, CR LF and closing "." line included
    ends     the session is over once this is said
    tls      a handshake is due once this is said
    offers   the message that is handed out whole with this
    bad      counts as a bad command
    hangs    nothing is said or heard after this
    language tag that goes before the text (RFC 6856 §3.1)
    """

    octets: bytes
    ends: bool = False
    tls: bool = False
    offers: Shown | None = None
    bad: bool = False
    hangs: bool = False
    language: str = ""


class Refusal(Exception):
    """The command is answered "-ERR". `code` is one of `Code`; `bad` marks a client that does not speak the protocol, to be
    told from a command that could not be carried out."""

    def __init__(self, text: str, code: str | None = None, *, bad: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.bad = bad


def reply_line(status: str, text: str = "") -> bytes:
    """One reply line. Text from outside (a fault, a setting) cannot smuggle a second line or pass the limit."""
    line = f"{status} {text}" if text else status
    if not (line.isascii() and line.isprintable()):
        line = "".join(c if c.isprintable() else "?" for c in line.encode("ascii", "backslashreplace").decode("ascii"))
    return line[: REPLY_LINE_LIMIT - 2].encode("ascii") + b"\r\n"


def ok(text: str) -> Answer:
    return Answer(reply_line("+OK", text))


def multi_line(text: str, lines: Iterable[bytes]) -> Answer:
    """`lines` with their CR LF and already stuffed."""
    return Answer(b"".join((reply_line("+OK", text), *lines, END)))


def first_line(octets: bytes) -> str:
    """The first line of a reply as a journal may know it: without a challenge, which may hold a secret."""
    if octets.startswith(b"+ "):
        return "+ ***" if len(octets) > len(b"+ \r\n") else "+"
    return octets[: octets.find(b"\r\n")].decode("utf-8", "backslashreplace")
