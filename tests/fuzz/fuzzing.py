"""What both fuzzers and the replay of their corpora share: an input played to a session, and what must hold of every one.

An input is octets: two of settings, then what the client sends. 0xF8 to 0xFF never occur in UTF-8 (RFC 3629 §1) and stand for more
than themselves:

    0xF8  log in with the right password, in one line      0xFC  the idle limit has passed
    0xF9  log in with it, in several lines                  0xFD  the handshake is done, where one is due
    0xFA  the same with a wrong password                    0xFE  the client is gone
    0xFB  CR LF . CR LF                                     0xFF  a line of 5,000 octets

So an input never holds the password itself, and a journal that shows it has taken it from where it must not be.
"""

from __future__ import annotations

import logging
import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from postroom_simulator.session import Session, SessionContext
from postroom_simulator.world import World

CORPUS = Path(__file__).parent / "corpus"
ANN, PASSWORD, WRONG = "ann@sim.test", "Xyzzy-Plugh-42", "Plover-77-Dwarf"
SECRETS = tuple(
    shown
    for word in (PASSWORD, WRONG)
    for shown in (word, b64encode(word.encode()).decode(), b64encode(f"\0{ANN}\0{word}".encode()).decode())
)
LARGEST = 64 * 1024
"""Octets of an input that are played."""
AMPLIFIED = 120
"""Octets that may be said for one that came, and `AT_LEAST` whatever came: the longest answers are those to the shortest commands."""
AT_LEAST = 4096


class Broken(AssertionError):
    """An invariant does not hold."""


class Spoken(Protocol):
    """What a protocol brings: its session, and what is special about it."""

    def session(self, world: World, flags: int) -> Session: ...
    def logins(self, password: str) -> tuple[bytes, bytes]: ...
    def check_reply(self, octets: bytes) -> None: ...
    def may_show(self, octets: bytes) -> bool: ...


@dataclass
class Played:
    """One conversation."""

    said: bytearray = field(default_factory=bytearray)
    received: int = 0
    tls: bool = False
    closed: bool = False


def play(protocol: Spoken, octets: bytes) -> None:
    """Play an input whole and in pieces. Raises Broken, or whatever leaves the session."""
    if len(octets) < 2:
        return
    flags, cut, sent = octets[0], octets[1] % 32, octets[2:LARGEST]
    whole = _converse(protocol, flags, 0, sent)
    if cut:
        pieces = _converse(protocol, flags, cut, sent)
        # What comes with the command that starts TLS is forgotten, what comes later is the handshake's.
        if not (whole.tls or pieces.tls) and (whole.said, whole.closed) != (pieces.said, pieces.closed):
            raise Broken(f"cut into pieces of {cut}: {bytes(pieces.said)!r} instead of {bytes(whole.said)!r}")


def _converse(protocol: Spoken, flags: int, cut: int, sent: bytes) -> Played:
    world = World()
    world.add_account(ANN, PASSWORD, name="Ann")
    world.add_account("bob@sim.test", PASSWORD)
    world.add_group("all@sim.test", [ANN, "bob@sim.test"])
    for text in (b"Subject: one\r\n\r\n.dot\r\n", b"Subject: two\n\nlast", b"Subject: \xc3\xa9\r\n\r\n\xff\0\r\n"):
        world.place(ANN, text)
    session = protocol.session(world, flags)
    played = Played()
    session.start()
    _drain(protocol, session, played)
    for piece in re.split(rb"([\xf8-\xff])", sent):
        if len(piece) == 1 and piece[0] >= 0xF8:
            _act(protocol, session, played, piece[0], cut)
        else:
            _send(protocol, session, played, piece, cut)
    was_closed = session.closed
    session.receive_eof()
    _drain(protocol, session, played)
    _check_the_end(protocol, session, was_closed)
    _check_journal(protocol, world, sent)
    if world.pop3.locks.holder(ANN) is not None:
        raise Broken("the maildrop is still locked")
    world.close()
    return played


def _act(protocol: Spoken, session: Session, played: Played, sign: int, cut: int) -> None:
    in_one, in_several = protocol.logins(PASSWORD)
    sends = {0xF8: in_one, 0xF9: in_several, 0xFA: protocol.logins(WRONG)[1], 0xFB: b"\r\n.\r\n", 0xFF: b"x" * 4999 + b"\r\n"}
    others: dict[int, Callable[[], None]] = {0xFC: session.timeout, 0xFE: session.receive_eof, 0xFD: lambda: _secure(session)}
    if sign in sends:
        _send(protocol, session, played, sends[sign], 64 * cut if sign == 0xFF else cut)
    elif not session.closed or sign == 0xFE:
        others[sign]()
        _drain(protocol, session, played)


def _secure(session: Session) -> None:
    if session.wants_tls:
        session.tls_established()


def _send(protocol: Spoken, session: Session, played: Played, octets: bytes, cut: int) -> None:
    for start in range(0, len(octets), cut or max(1, len(octets))):
        if session.wants_tls:
            return  # it would be the handshake's
        piece = octets[start : start + cut] if cut else octets
        was_closed, before = session.closed, len(played.said)
        played.received += len(piece)
        session.receive_data(piece)
        _drain(protocol, session, played)
        if was_closed and (len(played.said) > before or not session.closed):
            raise Broken(f"said after the end: {bytes(played.said[before:])!r}")


def _drain(protocol: Spoken, session: Session, played: Played) -> None:
    while taken := session.take():
        for out in taken:
            protocol.check_reply(out.octets)
            played.said += out.octets
    played.tls = played.tls or session.wants_tls
    played.closed = session.closed
    if len(played.said) > AT_LEAST + AMPLIFIED * played.received:
        raise Broken(f"{len(played.said)} octets said for {played.received}")


def _check_the_end(protocol: Spoken, session: Session, was_closed: bool) -> None:
    if not session.closed:
        raise Broken("not closed although the client is gone")
    played = Played()
    session.receive_data(protocol.logins(PASSWORD)[0] + b"NOOP\r\nQUIT\r\n")
    session.timeout()
    session.resume()
    session.receive_eof()
    _drain(protocol, session, played)
    if played.said or not session.closed or session.wants_tls:
        raise Broken(f"`closed` is not final{' after its own end' if was_closed else ''}: {bytes(played.said)!r}")


def _check_journal(protocol: Spoken, world: World, sent: bytes) -> None:
    for entry in world.journal:
        text = f"{entry.verb} {entry.detail} {entry.account} {entry.data}"
        if "internal error" in text:
            raise Broken(text)
        if not (entry.verb.isprintable() and entry.detail.isprintable() and len(entry.detail) <= 1001):
            raise Broken(f"not fit to be shown: {entry!r}")
        if any(secret in text for secret in SECRETS) and not protocol.may_show(sent):
            raise Broken(f"a secret in the journal: {text}")


def context(world: World, protocol: str) -> SessionContext:
    return SessionContext(world, protocol, f"{protocol}-1")


def fuzz(protocol: Callable[[], Spoken], words: list[str]) -> None:
    """Run atheris over a protocol: `words` are libFuzzer's, folders of corpora among them. Mistakes that the session catches and logs
    are found in the journal."""
    logging.disable()
    import sys

    import atheris  # type: ignore[import-not-found, unused-ignore]

    made = protocol()
    atheris.Setup([sys.argv[0], *words], lambda octets: play(made, octets))
    atheris.Fuzz()
