"""SMTP smuggling (mail-protocol-pitfalls 3.4): every odd end of data, on every line, by DATA and BDAT, cut at any octet.

All of these come from loopback, where other servers switch their guards off.
"""

from __future__ import annotations

import pytest
from safety_peers import ANN, Peer, Site, site

ODD_ENDS = {
    "LF.LF": b"\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "CRLF.LF": b"\r\n.\n",
    "CR.CR": b"\r.\r",
    "CRLF.CR": b"\r\n.\r",
    "LF.CR": b"\n.\r",
    "CRLF NUL.CRLF": b"\r\n\0.\r\n",
    "LF.CRCRLF": b"\n.\r\r\n",
    "CR.LF": b"\r.\n",
    "CR.CRLF": b"\r.\r\n",
    "CRCRLF.LF": b"\r\r\n.\n",
    "CRCR.CRLF": b"\r\r.\r\n",
    "LFLF.CRLF": b"\n\n.\r\n",
    "LFCR.LFCR": b"\n\r.\n\r",
    "CRLF.CRCRLF": b"\r\n.\r\r\n",
    "CRLF.CR NUL LF": b"\r\n.\r\0\n",
    "CRLF. NUL CRLF": b"\r\n.\0\r\n",
    "CRLF.SP CRLF": b"\r\n. \r\n",
    "CRLF.TAB CRLF": b"\r\n.\t\r\n",
    "CRLF..CRLF": b"\r\n..\r\n",
    "CRLF SP.CRLF": b"\r\n .\r\n",
    "CR NUL LF.CRLF": b"\r\0\n.\r\n",
    "NEL.NEL": b"\xc2\x85.\xc2\x85",
    "LS.LS": b"\xe2\x80\xa8.\xe2\x80\xa8",
    "VT.FF": b"\x0b.\x0c",
    "8-bit CRLF": b"\x8d\x8a.\x8d\x8a",
    "full-width dot": b"\r\n\xef\xbc\x8e\r\n",
}
SMUGGLED = b"MAIL FROM:<evil@far.test>\r\nRCPT TO:<ann@sim.test>\r\nDATA\r\nsmuggled"
ENVELOPE = b"MAIL FROM:<bob@far.test>\r\nRCPT TO:<ann@sim.test>\r\n"
LINES = ("smtp", "submission", "starttls", "smtps")


def opened(where: Site, line: str) -> Peer:
    peer = where.peer("smtp" if line == "starttls" else line)
    assert peer.say(b"EHLO c.test\r\n").startswith(b"250-")
    if line == "starttls":
        peer.start_tls(b"STARTTLS")
        assert peer.say(b"EHLO c.test\r\n").startswith(b"250-")
    return peer


def text_with(end: bytes) -> bytes:
    return b"Subject: x\r\n\r\nbody" + end + SMUGGLED + b"\r\n"


def in_pieces(octets: bytes, places: range) -> list[list[bytes]]:
    """The octets cut once, at each of the places."""
    return [[octets[:place], octets[place:]] for place in places]


def ways_to_cut(octets: bytes, end: bytes, *, everywhere: bool) -> list[list[bytes]]:
    """In one, octet by octet, at each octet around the odd end and the true one."""
    octet_by_octet = [octets[place : place + 1] for place in range(len(octets))]
    begin = octets.index(b"body") + 3
    around = in_pieces(octets, range(begin, begin + len(end) + 4)) + in_pieces(octets, range(len(octets) - 7, len(octets)))
    return [[octets], octet_by_octet, *(around if everywhere else around[1:-1:4])]


def by_data(peer: Peer, pieces: list[bytes]) -> bytes:
    for command in ENVELOPE.splitlines(keepends=True):
        assert peer.say(command).startswith(b"250 ")
    assert peer.say(b"DATA\r\n").startswith(b"354 ")
    for piece in pieces:
        peer.send(piece)
    return peer.reply()


def ended_once(where: Site, peer: Peer, messages: list[bytes]) -> None:
    """One reply for each message, nothing of them run, all stored as they were meant."""
    assert peer.say(b"NOOP\r\n") == b"250 2.0.0 OK\r\n"
    assert where.world.inbox(ANN) == messages
    assert where.world.journal.count(verb="MAIL", protocol="smtp", detail="evil") == 0
    assert peer.say(b"QUIT\r\n").startswith(b"221 ")
    assert peer.rest() == b""
    peer.close()


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("listen", [False, True], ids=["memory", "tcp"])
def test_no_odd_end_ends_data(listen, line):
    with site(listen=listen) as where:
        peer, messages = opened(where, line), []
        for name, end in ODD_ENDS.items():
            text = text_with(end)
            for pieces in ways_to_cut(text + b".\r\n", end, everywhere=not listen):
                assert by_data(peer, pieces).startswith(b"250 2.6.0 "), name
                messages.append(text.replace(b"\r\n.", b"\r\n"))
        ended_once(where, peer, messages)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("listen", [False, True], ids=["memory", "tcp"])
def test_refused_lone_line_ends_end_nothing_either(listen, line):
    with site(listen=listen) as where:
        where.world.smtp.settings.strict_line_ends = True
        peer, messages = opened(where, line), []
        for name, end in ODD_ENDS.items():
            text = text_with(end)
            lone = b"\r" in text.replace(b"\r\n", b"") or b"\n" in text.replace(b"\r\n", b"")
            reply = by_data(peer, [text[:-7], text[-7:] + b".\r\n"])
            assert reply.startswith(b"550 5.5.2 " if lone else b"250 2.6.0 "), name
            messages += [] if lone else [text.replace(b"\r\n.", b"\r\n")]
        ended_once(where, peer, messages)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("listen", [False, True], ids=["memory", "tcp"])
def test_no_end_at_all_ends_a_chunk(listen, line):
    """By BDAT only the count does, and CR LF . CR LF is text as any; a chunk may end in the middle of one."""
    with site(listen=listen) as where:
        peer, messages = opened(where, line), []
        for name, end in {**ODD_ENDS, "CRLF.CRLF": b"\r\n.\r\n"}.items():
            text = text_with(end)
            for pieces in ways_to_cut(text, end, everywhere=not listen):
                for command in ENVELOPE.splitlines(keepends=True):
                    assert peer.say(command).startswith(b"250 ")
                if len(pieces) == 2:
                    assert peer.say(b"BDAT %d\r\n%s" % (len(pieces[0]), pieces[0])).startswith(b"250 "), name
                    del pieces[0]
                peer.send(b"BDAT %d LAST\r\n" % sum(map(len, pieces)))
                for piece in pieces:
                    peer.send(piece)
                assert peer.reply().startswith(b"250 2.6.0 "), name
                messages.append(text)
        ended_once(where, peer, messages)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("listen", [False, True], ids=["memory", "tcp"])
@pytest.mark.parametrize("why", ["no transaction", "not offered", "too big", "a chunk was refused", "tls required"])
def test_a_refused_chunk_is_skipped_and_not_run(why, listen, line):
    chunk = SMUGGLED + b"\r\n.\r\n"
    with site(listen=listen) as where:
        smtp = where.world.smtp.settings
        peer = opened(where, line)
        if why == "not offered":
            smtp.extensions = tuple(name for name in smtp.extensions if name != "CHUNKING")
        if why == "too big":
            smtp.max_octets = 10
        if why == "tls required" and line in ("smtp", "submission"):
            smtp.require_tls = True
        if why in ("too big", "a chunk was refused"):
            for command in ENVELOPE.splitlines(keepends=True):
                peer.say(command)
        if why == "a chunk was refused":
            assert peer.say(b"BDAT 5 FIRST\r\nNOOP\r").startswith(b"501 ")
            assert peer.rest() == b""  # its end is not known, so the connection's is there
            peer.close()
            return
        for cut in (0, 1, 3):
            reply = peer.say(b"BDAT %d LAST\r\n%s" % (len(chunk), chunk), cut)
            assert reply[:3] in (b"503", b"502", b"552", b"530")
        ended_once(where, peer, [])


def test_pipelined_letters_that_end_oddly_are_as_many_as_were_sent():
    """All in one segment (RFC 2920), a proper end behind each: what is counted is proper ends."""
    with site() as where:
        peer = opened(where, "smtp")
        texts = [text_with(end) for end in ODD_ENDS.values()]
        peer.send(b"".join(ENVELOPE + b"DATA\r\n" + text + b".\r\n" for text in texts))
        replies = [peer.reply()[:3] for _ in range(4 * len(texts))]
        assert replies == [b"250", b"250", b"354", b"250"] * len(texts)
        ended_once(where, peer, [text.replace(b"\r\n.", b"\r\n") for text in texts])
