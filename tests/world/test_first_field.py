"""A field is found as its pattern alone would find it."""

from hypothesis import given
from hypothesis import strategies as st

from postroom_simulator.headers import _MESSAGE_ID, _SUBJECT, _first, head_end

PIECES = st.sampled_from(
    [
        b"Subject: one",
        b"SUBJECT :two",
        b"X-Subject: three",
        b"subject",
        b"Message-ID: <a@b>",
        b"message-id: none",
        b"MESSAGE-ID:\t<c@d>",
        b"\n",
        b"\r\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b"\x00",
        b"\xc3\xa4",
    ]
)


@given(st.lists(PIECES, max_size=20).map(b"".join))
def test_the_first_that_is_like_the_pattern(octets):
    for pattern, name in ((_SUBJECT, b"subject"), (_MESSAGE_ID, b"message-id")):
        expected = pattern.search(octets, 0, head_end(octets))
        found = _first(pattern, name, octets)
        assert (found and (found.span(), found[1])) == (expected and (expected.span(), expected[1]))
