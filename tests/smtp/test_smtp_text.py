"""Lines and message texts out of octets, cut anywhere."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom_simulator.smtp.text import LineBuffer, MessageText, TooLong, has_long_line, lone_line_ends

LUMPS = st.lists(
    st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"\r\n.", b"\r\n..", b"\0", b"a", b"\xff", b"\r\n.\r\n"]), max_size=30
).map(b"".join)


def naive(octets, limit):
    """What a text is, by looking at all of it: (text or None when it does not end, the rest, size)."""
    found = re.search(rb"\r\n\.\r\n", b"\r\n" + octets)
    if not found:
        return None, b"", 0
    raw = octets[: found.start()]
    text = re.sub(rb"(\r\n)\.", rb"\1", b"\r\n" + raw)[2:]
    rest = (b"\r\n" + octets)[found.end() :]
    return (text if len(text) <= limit else b"<too big>"), rest, len(text)


@settings(max_examples=400, deadline=None)
@given(octets=LUMPS, cuts=st.lists(st.integers(1, 7), max_size=40), limit=st.sampled_from([0, 3, 10, 1000]))
def test_a_text_is_the_same_however_it_comes(octets, cuts, limit):
    text, at, rest = MessageText(limit), 0, None
    cuts = iter(cuts)
    while at < len(octets) and rest is None:
        step = next(cuts, len(octets))
        rest = text.feed(octets[at : at + step])
        at += step
    got = (
        (None, b"", 0) if rest is None else (b"<too big>" if text.too_big else text.octets(), rest + octets[at:], text.received)
    )
    assert got == naive(octets, limit)


def test_one_endless_line_costs_no_memory():
    text = MessageText(1000)
    for _ in range(100):
        assert text.feed(b"a" * 10_000) is None
    assert len(text._text) <= 4
    assert text.feed(b"\r\n.\r\nQUIT") == b"QUIT"
    assert text.too_big
    assert text.received == 1_000_002


def test_the_size_counts_neither_stuffing_nor_the_final_dot():
    text = MessageText(6)
    assert text.feed(b"..a\r\n..\r\n.\r\n") == b""
    assert (text.received, text.too_big) == (7, True)
    text = MessageText(7)
    assert text.feed(b"..a\r\n..\r\n.\r\n") == b""
    assert (text.received, text.too_big, text.octets()) == (7, False, b".a\r\n.\r\n")


@pytest.mark.parametrize(
    ("octets", "lone"),
    [(b"", False), (b"a\r\nb", False), (b"a\n", True), (b"a\r", True), (b"\r\r\n", True), (b"\r\n\n", True), (b"\n\r", True)],
)
def test_lone_line_ends(octets, lone):
    assert lone_line_ends(octets) is lone


@given(st.lists(st.sampled_from([0, 1, 500, 997, 998, 999, 1000, 2000]), max_size=6))
def test_long_lines(lengths):
    octets = b"\r\n".join(b"a" * length for length in lengths)
    assert has_long_line(octets) is any(length > 998 for length in lengths)


def lines_of(octets, limit, auth_limit, cut):
    buffer, got = LineBuffer(), []
    for at in range(0, len(octets), cut):
        buffer.feed(octets[at : at + cut])
        while (line := buffer.take_line(limit, auth_limit)) is not None:
            got.append(line)
    return got


@settings(max_examples=200, deadline=None)
@given(
    octets=st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"ab", b"AUTH x", b"abcdefgh"]), max_size=20).map(b"".join),
    cut=st.integers(1, 9),
)
def test_lines_are_the_same_however_they_come(octets, cut):
    expected = []
    for line in octets.split(b"\r\n")[:-1]:
        limit = 16 if line.startswith(b"AUTH ") else 10
        expected.append(TooLong() if len(line) + 2 > limit else line)
    assert lines_of(octets, 10, 16, cut) == expected


def test_only_crlf_ends_a_line():
    assert lines_of(b"a\nb\rc\r\nd", 100, 100, 1) == [b"a\nb\rc"]


def test_an_endless_line_costs_its_limit_and_is_given_up():
    buffer = LineBuffer()
    for _ in range(105):
        buffer.feed(b"x" * 10_000)
        line = buffer.take_line(4096, 12288)
        assert len(buffer) <= 1
        if line is not None:
            break
    assert line == TooLong(endless=True)


def test_put_back_goes_in_front():
    buffer = LineBuffer()
    buffer.feed(b"B\r\n")
    buffer.take_line(10, 10)
    buffer.feed(b"C")
    buffer.put_back(b"A\r\nB")
    assert [buffer.take_line(10, 10), buffer.take_all()] == [b"A", b"BC"]
