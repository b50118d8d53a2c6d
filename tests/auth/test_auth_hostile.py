"""AUTH and garbage: an answer or an end, no login, no secret, nothing left behind, however it is cut."""

from __future__ import annotations

from base64 import b64encode
from itertools import pairwise

import pytest
from auth_talk import ALL, ANN, PASSWORD, PROTOCOLS, Line, cram_md5, make_world, oauthbearer, plain, xoauth2
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom_simulator.journal import Kind
from postroom_simulator.sasl import MECHANISMS, Examiner, Exchange, SaslError

GARBAGE = st.one_of(
    st.binary(max_size=60),
    st.lists(
        st.sampled_from(
            [b"\0", b"\1", b"ann", b"user=", b"auth=Bearer ", b"n,", b"a=", b"=2C", b",", b" ", b"0" * 32, b"\xff"]
        ),
        max_size=12,
    ).map(b"".join),
)
LINES = st.one_of(
    GARBAGE.map(b64encode),
    GARBAGE.map(lambda octets: octets.replace(b"\r", b"").replace(b"\n", b"")),
    st.sampled_from([b"", b"*", b"=", b"QUIT ", b"AAAA", b"STAT", b"NOOP"]),
    st.sampled_from(ALL).map(lambda name: b"AUTH " + name.encode()),
    st.tuples(st.sampled_from(ALL), GARBAGE.map(b64encode)).map(lambda pair: b"AUTH " + pair[0].encode() + b" " + pair[1]),
)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=80, deadline=None)
@given(lines=st.lists(LINES, max_size=12), cuts=st.lists(st.integers(0, 900), max_size=4))
def test_any_lines_however_cut(protocol: str, lines: list[bytes], cuts: list[int]) -> None:
    octets = b"".join(line + b"\r\n" for line in lines)

    def talk(*pieces: bytes) -> tuple[bytes, list[object]]:
        world = make_world()
        line = Line(world, protocol)
        said = b"".join(line.say(piece) for piece in pieces)
        assert line.session.account is None
        assert all(not entry.data["ok"] for entry in world.journal.entries(kind=Kind.LOGIN))
        assert len(world.directory.accounts()) == 2
        line.session.receive_eof()
        return said, world.journal.fields()

    whole = talk(octets)
    ends = sorted({0, len(octets), *(cut for cut in cuts if cut < len(octets))})
    assert talk(*(octets[a:b] for a, b in pairwise(ends))) == whole


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(ALL), answers=st.lists(GARBAGE, min_size=1, max_size=4))
def test_a_mechanism_ends_in_an_account_a_challenge_or_its_own_error(name: str, answers: list[bytes]) -> None:
    world = make_world()
    exchange = Exchange(name, Examiner(world, "pop3", world.pop3.settings, name))
    try:
        said = exchange.begin(None)
        for answer in answers:
            assert isinstance(said, bytes)
            exchange.names(b64encode(answer))
            said = exchange.answer(b64encode(answer))
        assert isinstance(said, bytes)
    except SaslError as error:
        text = str(error)
        assert text.isascii()
        assert text.isprintable()
        assert len(text) < 80


@settings(max_examples=60, deadline=None)
@given(
    login=st.text(st.characters(codec="utf-8", exclude_characters="\0\1,="), min_size=1, max_size=12),
    password=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20),
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_any_name_and_password_work(protocol: str, login: str, password: str) -> None:
    """RFC 4616 §2: any UTF-8 but NUL; CR LF inside base64 too (mail-protocol-pitfalls 1)."""
    world = make_world()
    world.add_account("eve@sim.test", password)
    if world.directory.find_login(login) is None:
        world.directory.change_addresses("eve@sim.test", logins=[login])
    else:
        login = "eve"
    token = world.tokens.issue("eve@sim.test").access
    for name in ALL:
        line = Line(world, protocol)
        said = line.auth(name)
        match name:
            case "PLAIN":
                said = line.answer(plain(login, password))
            case "LOGIN":
                assert line.answer(login.encode()) == b"Password:"
                said = line.answer(password.encode())
            case "CRAM-MD5":
                assert isinstance(said, bytes)
                said = line.answer(cram_md5(said, login, password))
            case "XOAUTH2":
                said = line.answer(xoauth2(token, login))
            case _:
                said = line.answer(oauthbearer(token, login))
        assert said == "ok"
        line.session.receive_eof()
    told = world.journal.transcript()
    assert "\n\n" not in told
    assert all(entry.account in ("eve@sim.test", None) for entry in world.journal)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_endless_answer_costs_no_more_than_the_limit(protocol: str) -> None:
    line = Line(make_world(), protocol)
    assert line.auth("LOGIN") == b"Username:"
    for _ in range(40):
        assert line.say(b"A" * 12_000) == b""
    assert line.raw(b"") == "too long"
    assert line.auth("PLAIN", plain(ANN, PASSWORD)) == "ok"


def test_what_a_response_names_needs_no_time() -> None:
    """Patterns that could be led astray are not: the longest line is matched at once, on any machine."""
    world = make_world()
    for name in MECHANISMS:
        for piece in (b"=", b"a=\1", b"user=", b"\1", b" ", b"n,a=", b"0" * 32 + b" ", b"=2C", b"\0"):
            octets = b64encode(b"n,a=x,\1" + piece * (9000 // len(piece)))
            assert Exchange(name, Examiner(world, "smtp", world.smtp.settings, name)).names(octets) is None
