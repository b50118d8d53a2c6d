from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_simulator.headers import HEADER_LIMIT, HeaderMap, decoded, head_end, message_id_of, read_headers, subject_of


@pytest.mark.parametrize(
    ("octets", "head"),
    [
        (b"A: 1\r\nB: 2\r\n\r\nbody\n\n", b"A: 1\r\nB: 2\r\n"),
        (b"A: 1\nB: 2\n\nbody\r\n\r\n", b"A: 1\nB: 2\n"),
        (b"A: 1\r\n\nbody", b"A: 1\r\n"),
        (b"A: 1\n\r\nbody", b"A: 1\n"),
        (b"A: 1", b"A: 1"),
        (b"\r\nA: 1\r\n\r\n", b""),
        (b"\nA: 1\n\n", b""),
        (b"", b""),
        (b"A: " + b"x" * HEADER_LIMIT, (b"A: " + b"x" * HEADER_LIMIT)[:HEADER_LIMIT]),
    ],
)
def test_where_the_head_ends(octets: bytes, head: bytes) -> None:
    assert octets[: head_end(octets)] == head


def test_fields_are_unfolded_and_nonsense_is_passed_over() -> None:
    octets = b" lost\nFrom x Mon\nA : one\r\n\t two\r\nno colon\n: none\nB:\n three\nC: \xff\n\nD: body"
    assert read_headers(octets) == [("A", "one two"), ("B", "three"), ("C", "\ufffd")]


def test_look_ups_fold_case_and_find_the_first() -> None:
    headers = HeaderMap(b"Subject: one\nSUBJECT: two\n\n")
    assert headers["sUbJeCt"] == headers.get("SUBJECT") == "one"
    assert "subject" in headers
    assert 1 not in headers
    assert headers.get("To") is None
    with pytest.raises(KeyError):
        headers["To"]


@pytest.mark.parametrize(
    ("head", "subject"),
    [
        (b"X-Subject: no\r\nsubject: yes\r\n", "yes"),
        (b"Subject: a\r\n b\r\n\tc\r\nTo: x\r\n", "a b c"),
        (b"Subject: =?utf-8?q?=E2=82=AC?=\r\n =?utf-8?q?_uro?=\r\n", "€ uro"),
        (b"Subject: =?nonsense?q?x?=\r\n", "=?nonsense?q?x?="),
        (b"Subject:\r\n", ""),
        (b"To: x\r\n", ""),
        (b"Subject: " + b"x" * 100_000 + b"\r\n", "x" * 400),
    ],
)
def test_the_subject(head: bytes, subject: str) -> None:
    assert subject_of(head + b"\r\nSubject: in the body\r\n") == subject


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from([b"Subject", b":", b"\n", b"\r\n", b" ", b"=?utf-8?b?", b"?=", b"\xff"])).map(b"".join)
)
def test_nothing_breaks_it(octets: bytes) -> None:
    fields = read_headers(octets)
    assert all("\n" not in name + value for name, value in fields)
    assert len(subject_of(octets)) <= 400
    assert message_id_of(octets) == "" or message_id_of(octets)[0] == "<"
    for _, value in fields:
        decoded(value)
