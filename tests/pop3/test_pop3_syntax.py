from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom_simulator.pop3.commands import Arity
from postroom_simulator.pop3.replies import REPLY_LINE_LIMIT, first_line, reply_line
from postroom_simulator.pop3.syntax import LineReader, looks_like_http, parse_number, split_keyword


def lines(pieces: list[bytes], limit: int) -> list[tuple[bytes, bool]]:
    reader = LineReader()
    found = []
    for piece in pieces:
        reader.feed(piece)
        while (line := reader.next_line(limit)) is not None:
            found.append((line.octets, line.too_long))
    return found


@pytest.mark.parametrize("limit", [3, 5, 8, 70, 200])
@given(
    data=st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"a", b"bcdef", b"x" * 90]), max_size=12).map(b"".join),
    cut=st.integers(1, 9),
)
@settings(max_examples=40)
def test_cutting_the_input_changes_nothing(limit: int, data: bytes, cut: int) -> None:
    whole = lines([data], limit)
    assert lines([data[i : i + cut] for i in range(0, len(data), cut)], limit) == whole
    expected = data.split(b"\r\n")[:-1]
    assert [too_long for _, too_long in whole] == [len(line) + 2 > limit for line in expected]
    assert [line for line, too_long in whole if not too_long] == [line for line in expected if len(line) + 2 <= limit]


def test_an_unfinished_line_costs_no_more_than_the_limit() -> None:
    reader = LineReader()
    for _ in range(1000):
        reader.feed(b"x" * 1000)
        assert reader.next_line(4096) is None
        assert len(reader) < 4096 + 1000
    reader.feed(b"\r\nNOOP\r\n")
    long = reader.next_line(4096)
    assert long is not None
    assert long.too_long
    assert len(long.octets) <= 64
    after = reader.next_line(4096)
    assert after is not None
    assert after.octets == b"NOOP"


@pytest.mark.parametrize(
    ("digits", "number"),
    [
        (b"1", 1),
        (b"0", 0),
        (b"007", 7),
        (b"4294967295", 4294967295),
        (b"", None),
        (b"-1", None),
        (b"+1", None),
        (b"1x", None),
        (b"1_0", None),
        (b" 1", None),
        (b"1\n", None),
        (b"12345678901234567890", None),
        ("１２".encode(), None),
        (b"9" * 5000, None),
    ],
)
def test_numbers(digits: bytes, number: int | None) -> None:
    assert parse_number(digits) == number


def test_keywords_fold_ascii_only() -> None:
    assert split_keyword(b"uIdL 1") == (b"UIDL", b"1")
    assert split_keyword(b"QUIT") == (b"QUIT", None)
    assert split_keyword(b"QUIT ") == (b"QUIT", b"")
    assert split_keyword(" lıst \u212a".encode()) == (b"", "lıst \u212a".encode())
    assert split_keyword("lıst\u212a".encode()) == ("LıST\u212a".encode(), None)  # neither the dotless i nor the Kelvin sign


@pytest.mark.parametrize(
    ("arity", "rest", "arguments"),
    [
        (Arity.NONE, None, []),
        (Arity.NONE, b"", None),
        (Arity.NONE, b"1", None),
        (Arity.ONE, None, None),
        (Arity.ONE, b"", None),
        (Arity.ONE, b"a", [b"a"]),
        (Arity.ONE, b"a b", None),
        (Arity.ONE, b"a ", None),
        (Arity.OPTIONAL, None, []),
        (Arity.OPTIONAL, b"1", [b"1"]),
        (Arity.OPTIONAL, b"1 2", None),
        (Arity.ONE_OR_TWO, b"a", [b"a"]),
        (Arity.ONE_OR_TWO, b"a b", [b"a", b"b"]),
        (Arity.ONE_OR_TWO, b"a b c", None),
        (Arity.TWO, b"1", None),
        (Arity.TWO, b"1 2", [b"1", b"2"]),
        (Arity.TWO, b"1  2", None),
        (Arity.TWO, b"1 2 3", None),
        (Arity.REST, b" a  b ", [b" a  b "]),
        (Arity.REST, b"", None),
    ],
)
def test_arguments(arity: Arity, rest: bytes | None, arguments: list[bytes] | None) -> None:
    assert arity.split(rest) == arguments


def test_a_reply_is_one_line_whatever_it_is_made_of() -> None:
    line = reply_line("-ERR", "two\r\n+OK lines\0\x1b[31m " + "ä" * 600)
    assert line.count(b"\r\n") == 1
    assert len(line) <= REPLY_LINE_LIMIT
    assert all(0x20 <= octet < 0x7F for octet in line[:-2])
    assert reply_line("+OK") == b"+OK\r\n"


def test_what_a_journal_is_told_of_a_reply() -> None:
    assert first_line(b"+OK 3 octets\r\nx\r\n.\r\n") == "+OK 3 octets"
    assert first_line(b"+ \r\n") == "+"
    assert first_line(b"+ c2VjcmV0\r\n") == "+ ***"


def test_what_browsers_say() -> None:
    assert all(looks_like_http(line) for line in (b"GET / HTTP/1.1", b"POST /x HTTP/1.1", b"CONNECT a:1 HTTP/1.1", b"put / x"))
    assert not any(looks_like_http(line) for line in (b"USER get", b"GETX", b"QUIT", b""))
