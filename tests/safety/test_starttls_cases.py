"""STARTTLS and STLS: injection and stripping, a numbered case each, over TCP from a raw socket (mail-protocol-pitfalls 3.8, RFC 2595 §4,
RFC 3207 §4.2). The table at the end says which cases hold for which server."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import subprocess
from base64 import b64encode
from dataclasses import dataclass

import pytest
from safety_peers import ANN, DEADLINE, PASSWORD, TRUST, Peer, Site, site

from postroom_simulator.faults import TlsTrouble
from postroom_simulator.journal import Kind
from postroom_simulator.net.handshake import HANDSHAKE_LIMIT
from postroom_simulator.pop3.settings import Pop3Settings
from postroom_simulator.smtp.settings import SmtpSettings

LOGIN = b64encode(f"\0{ANN}\0{PASSWORD}".encode())
WRONG = b64encode(f"\0{ANN}\0wrong".encode())


@dataclass(frozen=True)
class Side:
    """What a case says to one server or the other."""

    service: str
    upgrade: bytes
    hello: bytes
    """Harmless, with an answer of one line, in every state before login."""
    good: bytes
    bad: tuple[bytes, ...]
    private: bytes
    """Works only when somebody is logged in, or after EHLO."""
    injected: bytes
    """Changes something."""
    verb: str
    """Of `injected`."""

    def offers(self, peer: Peer) -> bytes:
        if self.service == "smtp":
            return peer.say(b"EHLO c.test\r\n")
        peer.send(b"CAPA\r\n")
        lines = peer.reply()
        while not lines.endswith(b"\r\n.\r\n"):
            lines += peer.reply()
        return lines


SMTP = Side(
    "smtp", b"STARTTLS", b"NOOP\r\n", b"250", (b"500", b"501", b"502", b"503"), b"MAIL FROM:<>\r\n", b"MAIL FROM:<>\r\n", "MAIL"
)
POP3 = Side("pop3", b"STLS", b"CAPA\r\n", b"+OK", (b"-ERR",), b"STAT\r\n", b"USER ann@sim.test\r\n", "USER")


def ready(where: Site, side: Side) -> Peer:
    peer = where.peer(side.service)
    if side is SMTP:
        assert peer.say(b"EHLO c.test\r\n").startswith(b"250-")
    return peer


def refused(side: Side, reply: bytes) -> bool:
    return reply.startswith(side.bad)


def works(side: Side, peer: Peer) -> None:
    """The conversation goes on, with no answer too many before and behind."""
    offered = side.offers(peer)
    assert offered.startswith(side.good)
    assert peer._got == b""


def not_run(where: Site, side: Side) -> None:
    assert where.world.journal.commands(side.verb) == []
    assert not [entry for entry in where.world.journal.entries(kind=Kind.LOGIN) if entry.data["ok"]]
    assert where.world.inbox(ANN) == []


def dropped(where: Site, peer: Peer) -> bytes:
    """The server ends the connection; what it still said."""
    said = peer.rest()
    peer.close()
    where.world.settle()
    return said


def upgraded(where: Site, side: Side, behind: bytes = b"") -> Peer:
    """Asks for TLS with something behind it in one segment, then does it properly."""
    peer = ready(where, side)
    peer.send(side.upgrade + b"\r\n" + behind)
    assert peer.reply()[:3] in (b"220", b"+OK")
    assert peer._got == b""
    peer.sock = where.secured(peer.sock)
    return peer


def below_tls(peer: Peer) -> socket.socket:
    """The same line once more, without its encryption."""
    below = socket.socket(fileno=os.dup(peer.sock.fileno()))
    below.settimeout(DEADLINE)
    return below


# -- injection: what came in the clear is forgotten


def case_a_command_behind_it(where, side):
    peer = upgraded(where, side, side.injected)
    works(side, peer)
    not_run(where, side)
    peer.close()


def case_many_commands_behind_it(where, side):
    peer = upgraded(where, side, side.injected * 1000)
    works(side, peer)
    not_run(where, side)
    peer.close()


def case_a_command_behind_it_octet_by_octet(where, side):
    """What does not come with it belongs to the handshake, which it spoils; run it never is."""
    peer = ready(where, side)
    peer.send(side.upgrade + b"\r\n" + side.injected, 1)
    assert peer.reply()[:3] in (b"220", b"+OK")
    try:
        peer.sock = where.secured(peer.sock)
    except OSError:
        where.world.settle()
    else:
        works(side, peer)
        peer.close()
    not_run(where, side)


def case_a_command_in_the_next_segment(where, side):
    peer = ready(where, side)
    assert peer.say(side.upgrade + b"\r\n")[:3] in (b"220", b"+OK")
    peer.send(side.injected)
    assert side.good not in dropped(where, peer)
    not_run(where, side)


def case_half_a_command_behind_it(where, side):
    """Its other half comes encrypted: the two are not put together."""
    half = len(side.injected) // 2
    peer = upgraded(where, side, side.injected[:half])
    assert refused(side, peer.say(side.injected[half:]))
    not_run(where, side)
    peer.close()


def case_a_lone_cr_behind_it(where, side):
    peer = upgraded(where, side, side.injected[:-1])
    assert refused(side, peer.say(b"\n\r\n"))
    not_run(where, side)
    peer.close()


def case_nuls_behind_it(where, side):
    peer = upgraded(where, side, b"\0" * 100)
    works(side, peer)
    peer.close()


def case_an_endless_line_before_it(where, side):
    """The line that is being thrown away is forgotten too: what comes encrypted is not its tail."""
    peer = upgraded(where, side, b"x" * 20_000)
    works(side, peer)
    peer.close()


def case_a_login_behind_it(where, side):
    peer = upgraded(where, side, b"AUTH PLAIN " + LOGIN + b"\r\n")
    assert refused(side, peer.say(side.private))
    assert not [entry for entry in where.world.journal.entries(kind=Kind.LOGIN) if entry.data["ok"]]
    peer.close()


def case_half_a_login_behind_it(where, side):
    peer = upgraded(where, side, b"AUTH PLAIN ")
    assert refused(side, peer.say(LOGIN + b"\r\n"))
    not_run(where, side)
    peer.close()


def case_a_login_begun_behind_it(where, side):
    """The answer of the exchange comes encrypted: there is no exchange."""
    peer = upgraded(where, side, b"AUTH PLAIN\r\n")
    assert refused(side, peer.say(LOGIN + b"\r\n"))
    not_run(where, side)
    peer.close()


def case_it_as_the_answer_in_a_login(where, side):
    peer = ready(where, side)
    assert peer.say(b"AUTH PLAIN\r\n").startswith((b"334", b"+ "))
    assert peer.say(side.upgrade + b"\r\n").startswith((b"501", b"-ERR"))
    works(side, peer)
    assert where.world.journal.entries(kind=Kind.TLS) == []
    peer.close()


def case_the_clients_hello_behind_it(where, side):
    """It is forgotten like all else, nothing is said to it, and the wait for another has an end."""
    outgoing = ssl.MemoryBIO()
    client = TRUST.client_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    peer = ready(where, side)
    peer.send(side.upgrade + b"\r\n" + outgoing.read())
    assert peer.reply()[:3] in (b"220", b"+OK")
    where.world.connections.wait_until(lambda live: True)
    where.world.clock.advance(HANDSHAKE_LIMIT)
    assert dropped(where, peer) == b""


# -- state: nothing of what was said in the clear counts


def case_the_name_said_before(where, side):
    """EHLO, or USER: who got in between has said it, perhaps."""
    if side is SMTP:
        peer = upgraded(where, side)
        assert peer.say(b"MAIL FROM:<>\r\n").startswith(b"503 ")
    else:
        peer = ready(where, side)
        assert peer.say(b"USER ann@sim.test\r\n").startswith(b"+OK")
        peer.start_tls(b"STLS")
        assert peer.say(f"PASS {PASSWORD}\r\n".encode()).startswith(b"-ERR")
    peer.close()


def case_a_session_fixed_before(where, side):
    """What the message's trace, or the language of answers, would take over from it."""
    if side is SMTP:
        where.world.smtp.settings.trace = True
        peer = where.peer("smtp")
        peer.say(b"EHLO evil.test\r\n")
        peer.start_tls(b"STARTTLS")
        peer.say(b"EHLO good.test\r\n")
        peer.send(b"MAIL FROM:<>\r\nRCPT TO:<ann@sim.test>\r\nDATA\r\n\r\n.\r\n")
        assert [peer.reply()[:3] for _ in range(4)] == [b"250", b"250", b"354", b"250"]
        (message,) = where.world.inbox(ANN)
        assert b"from good.test" in message
        assert b"with ESMTPS" in message
        assert b"evil" not in message
    else:
        peer = ready(where, side)
        peer.say(b"LANG de\r\n")
        peer.start_tls(b"STLS")
        other = where.peer("pop3")
        assert peer.say(b"STAT\r\n") == other.say(b"STAT\r\n")
        other.close()
    peer.close()


def case_a_transaction_begun_before(where, side):
    """Refused, and the transaction is still there."""
    peer = ready(where, side)
    assert peer.say(b"MAIL FROM:<>\r\n").startswith(b"250")
    assert peer.say(b"STARTTLS\r\n").startswith(b"503")
    assert peer.say(b"RCPT TO:<ann@sim.test>\r\n").startswith(b"250")
    peer.close()


def case_after_a_login(where, side):
    peer = ready(where, side)
    assert peer.say(b"AUTH PLAIN " + LOGIN + b"\r\n").startswith((b"235", b"+OK"))
    assert refused(side, peer.say(side.upgrade + b"\r\n"))
    assert where.world.journal.entries(kind=Kind.TLS) == []
    peer.close()


def case_failed_logins_count_on(where, side):
    """Or it would be a way to try as many passwords as one likes."""
    where.world.smtp.settings.max_auth_failures = where.world.pop3.settings.login_failures = 2
    peer = ready(where, side)
    assert peer.say(b"AUTH PLAIN " + WRONG + b"\r\n").startswith((b"535", b"-ERR"))
    peer.start_tls(side.upgrade)
    side.offers(peer)
    assert peer.say(b"AUTH PLAIN " + WRONG + b"\r\n").startswith((b"421", b"-ERR"))
    assert dropped(where, peer) == b""


def case_inside_a_text(where, side):
    peer = ready(where, side)
    peer.send(b"MAIL FROM:<>\r\nRCPT TO:<ann@sim.test>\r\nDATA\r\nSTARTTLS\r\n.\r\n")
    assert [peer.reply()[:3] for _ in range(4)] == [b"250", b"250", b"354", b"250"]
    peer.send(b"MAIL FROM:<>\r\nRCPT TO:<ann@sim.test>\r\nBDAT 10 LAST\r\nSTARTTLS\r\n")
    assert [peer.reply()[:3] for _ in range(3)] == [b"250"] * 3
    assert where.world.inbox(ANN) == [b"STARTTLS\r\n"] * 2
    assert where.world.journal.entries(kind=Kind.TLS) == []
    peer.close()


# -- the command itself


def case_twice(where, side):
    peer = upgraded(where, side)
    assert refused(side, peer.say(side.upgrade + b"\r\n"))
    works(side, peer)
    peer.close()


def case_twice_in_one_segment(where, side):
    peer = upgraded(where, side, side.upgrade + b"\r\n")
    works(side, peer)
    assert len(where.world.journal.commands(side.upgrade.decode())) == 1
    peer.close()


def case_on_a_line_that_begins_with_tls(where, side):
    peer = where.peer(side.service + "s")
    assert side.upgrade not in side.offers(peer)
    assert refused(side, peer.say(side.upgrade + b"\r\n"))
    works(side, peer)
    peer.close()


def case_with_an_argument(where, side):
    peer = ready(where, side)
    assert refused(side, peer.say(side.upgrade + b" now\r\n"))
    works(side, peer)
    assert where.world.journal.entries(kind=Kind.TLS) == []
    peer.close()


def case_with_another_line_end(where, side):
    peer = ready(where, side)
    for end in (b"\n", b"\r", b"\0\r\n"):
        peer.send(side.upgrade + end)
    assert refused(side, peer.reply())
    works(side, peer)
    assert where.world.journal.entries(kind=Kind.TLS) == []
    peer.close()


def case_what_is_offered_before_and_behind(where, side):
    where.world.smtp.settings.auth_without_tls = where.world.pop3.settings.plaintext_without_tls = False
    login, cleartext = (b"AUTH PLAIN", b"AUTH PLAIN " + LOGIN) if side is SMTP else (b"\r\nUSER\r\n", b"USER ann@sim.test")
    peer = ready(where, side)
    before = side.offers(peer)
    assert side.upgrade in before
    assert login not in before
    assert peer.say(cleartext + b"\r\n").startswith((b"538", b"-ERR"))
    peer.start_tls(side.upgrade)
    behind = side.offers(peer)
    assert side.upgrade not in behind
    assert login in behind
    assert peer.say(cleartext + b"\r\n").startswith((b"235", b"+OK"))
    peer.close()


# -- stripping: who insists on TLS gets it or nothing


def case_stripped_where_it_is_required(where, side):
    where.world.tls = {side.service: TlsTrouble("stripped")}
    where.world.smtp.settings.require_tls = True
    where.world.pop3.settings.plaintext_without_tls = False
    peer = ready(where, side)
    assert side.upgrade not in side.offers(peer)
    assert refused(side, peer.say(side.upgrade + b"\r\n"))
    assert peer.say(b"MAIL FROM:<>\r\n" if side is SMTP else b"USER ann@sim.test\r\n").startswith((b"530", b"-ERR"))
    assert where.world.journal.entries(kind=Kind.TLS) == []
    peer.close()


def case_refused_for_now(where, side):
    where.world.tls = {side.service: TlsTrouble("refused")}
    peer = ready(where, side)
    peer.send(side.upgrade + b"\r\n" + side.hello)
    assert peer.reply().startswith((b"454", b"-ERR"))
    assert peer.reply().startswith(side.good)
    peer.close()


# -- the handshake: it succeeds, or the connection ends


def case_plain_text_instead_of_a_hello(where, side):
    peer = ready(where, side)
    peer.say(side.upgrade + b"\r\n")
    peer.send(side.hello + side.injected)
    assert side.good not in dropped(where, peer)
    not_run(where, side)


def _records(where: Site, side: Side, octets: bytes) -> None:
    peer = ready(where, side)
    peer.say(side.upgrade + b"\r\n")
    peer.send(octets)
    peer.sock.shutdown(socket.SHUT_WR)
    assert side.good not in dropped(where, peer)
    assert where.world.journal.entries(kind=Kind.TLS)[-1].detail.startswith("failed")


def case_garbage_in_tls_records(where, side):
    for kind in (20, 21, 22, 23, 24, 255):
        _records(where, side, struct.pack(">BHH", kind, 0x0301, 32) + bytes(range(32)))
    not_run(where, side)


def case_a_record_of_impossible_length(where, side):
    _records(where, side, struct.pack(">BHH", 22, 0x0303, 0xFFFF) + b"\1\xff\xff\xff" + b"x" * 70_000)


def case_a_command_in_a_record_before_the_handshake(where, side):
    _records(where, side, struct.pack(">BHH", 23, 0x0303, len(side.injected)) + side.injected)
    not_run(where, side)


def case_half_a_handshake_then_silence(where, side):
    peer = ready(where, side)
    peer.say(side.upgrade + b"\r\n")
    peer.send(b"\x16\x03\x01\x02\x00\x01\x00")
    where.world.connections.wait_until(lambda live: True)
    where.world.clock.advance(HANDSHAKE_LIMIT)
    assert dropped(where, peer) == b""
    assert where.world.journal.entries(kind=Kind.TLS)[-1].detail == "failed: time-out"


def case_half_a_handshake_dripped(where, side):
    """An octet now and then does not put its end off."""
    peer = ready(where, side)
    peer.say(side.upgrade + b"\r\n")
    for octet in b"\x16\x03\x01\x02\x00\x01":
        peer.send(bytes([octet]))
        where.world.connections.wait_until(lambda live: True)
        where.world.clock.advance(HANDSHAKE_LIMIT / 6)
    assert dropped(where, peer) == b""


def case_half_a_handshake_then_the_end(where, side):
    peer = ready(where, side)
    peer.say(side.upgrade + b"\r\n")
    peer.send(b"\x16\x03\x01\x02\x00\x01\x00")
    peer.sock.shutdown(socket.SHUT_WR)
    assert dropped(where, peer) == b""


def case_a_client_that_does_not_trust_us(where, side):
    """It says so; nothing goes on in the clear behind that."""
    peer = ready(where, side)
    peer.say(side.upgrade + b"\r\n")
    raw = peer.sock.dup()
    with pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(peer.sock, server_hostname="localhost")
    peer.sock.close()
    peer.sock = raw
    try:
        peer.send(side.injected)
    except OSError:
        pass
    assert side.good not in dropped(where, peer)
    not_run(where, side)


# -- the encrypted line


def case_goodbye_then_plain_text(where, side):
    peer = upgraded(where, side)
    works(side, peer)
    below = below_tls(peer)
    peer.sock.settimeout(0)
    try:
        peer.sock.unwrap()
    except OSError:  # its answer is not there yet
        pass
    peer.sock.close()
    peer.sock = below
    try:
        peer.send(side.injected + side.hello)
    except OSError:
        pass
    assert side.good not in dropped(where, peer)
    not_run(where, side)


def case_plain_text_in_the_middle(where, side):
    """Somebody who got in between writes into the encrypted line."""
    peer = upgraded(where, side)
    works(side, peer)
    below = below_tls(peer)
    peer.sock.close()
    peer.sock = below
    below.sendall(side.injected)
    assert side.good not in dropped(where, peer)
    not_run(where, side)


def case_a_damaged_record_in_the_middle(where, side):
    peer = upgraded(where, side)
    works(side, peer)
    below = below_tls(peer)
    peer.sock.close()
    peer.sock = below
    below.sendall(struct.pack(">BHH", 23, 0x0303, 64) + b"\xa5" * 64)
    assert side.good not in dropped(where, peer)


def case_a_new_handshake_in_the_middle(where, side, program):
    """TLS 1.2 lets a client ask for one. It is refused, or the connection ends: no third way."""
    openssl = program("openssl")
    port = where.servers.port(side.service)
    words = [openssl, "s_client", "-connect", f"127.0.0.1:{port}", "-starttls", side.service, "-tls1_2"]
    done = subprocess.run(words, input=b"R\n", capture_output=True, timeout=20, check=False)
    assert b"RENEGOTIATING" in done.stdout + done.stderr
    where.world.settle()
    tls = [entry.detail for entry in where.world.journal.entries(kind=Kind.TLS)]
    assert tls == ["established"]


BOTH = (SMTP, POP3)
CASES = [
    (case_a_command_behind_it, BOTH),
    (case_many_commands_behind_it, BOTH),
    (case_a_command_behind_it_octet_by_octet, BOTH),
    (case_a_command_in_the_next_segment, BOTH),
    (case_half_a_command_behind_it, BOTH),
    (case_a_lone_cr_behind_it, BOTH),
    (case_nuls_behind_it, BOTH),
    (case_an_endless_line_before_it, BOTH),
    (case_a_login_behind_it, BOTH),
    (case_half_a_login_behind_it, BOTH),
    (case_a_login_begun_behind_it, BOTH),
    (case_it_as_the_answer_in_a_login, BOTH),
    (case_the_clients_hello_behind_it, BOTH),
    (case_the_name_said_before, BOTH),
    (case_a_session_fixed_before, BOTH),
    (case_a_transaction_begun_before, (SMTP,)),
    (case_after_a_login, BOTH),
    (case_failed_logins_count_on, BOTH),
    (case_inside_a_text, (SMTP,)),
    (case_twice, BOTH),
    (case_twice_in_one_segment, BOTH),
    (case_on_a_line_that_begins_with_tls, BOTH),
    (case_with_an_argument, BOTH),
    (case_with_another_line_end, BOTH),
    (case_what_is_offered_before_and_behind, BOTH),
    (case_stripped_where_it_is_required, BOTH),
    (case_refused_for_now, BOTH),
    (case_plain_text_instead_of_a_hello, BOTH),
    (case_garbage_in_tls_records, BOTH),
    (case_a_record_of_impossible_length, BOTH),
    (case_a_command_in_a_record_before_the_handshake, BOTH),
    (case_half_a_handshake_then_silence, BOTH),
    (case_half_a_handshake_dripped, BOTH),
    (case_half_a_handshake_then_the_end, BOTH),
    (case_a_client_that_does_not_trust_us, BOTH),
    (case_goodbye_then_plain_text, BOTH),
    (case_plain_text_in_the_middle, BOTH),
    (case_a_damaged_record_in_the_middle, BOTH),
]
NAMED = [
    pytest.param(case, side, id=f"{number:02}-{case.__name__[5:].replace('_', '-')}-{side.service}")
    for number, (case, sides) in enumerate(CASES, 1)
    for side in sides
]


@pytest.mark.parametrize(("case", "side"), NAMED)
def test_a_case(case, side):
    with site() as where:
        case(where, side)
        where.world.tls = None
        where.world.smtp.settings, where.world.pop3.settings = SmtpSettings(), Pop3Settings()
        where.next_client_is_served()


@pytest.mark.parametrize("side", BOTH, ids=["39-smtp", "39-pop3"])
def test_a_new_handshake_in_the_middle(side, program):
    with site() as where:
        case_a_new_handshake_in_the_middle(where, side, program)
        where.next_client_is_served()


def test_the_table_names_every_case():
    named = {case for case, _ in CASES} | {case_a_new_handshake_in_the_middle}
    assert {thing for name, thing in globals().items() if name.startswith("case_")} == named
