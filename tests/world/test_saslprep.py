"""User names and passwords compared as RFC 4013 prepares them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_simulator import World
from postroom_simulator.saslprep import prepared


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("user", "user"),
        ("USER", "USER"),
        ("I\u00adX", "IX"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("ju\u0308rgen", "j\u00fcrgen"),
        ("a\u00a0b\u3000c", "a b c"),
        ("\u0007é", "\u0007é"),
        ("\u0627\u0031", "\u0627\u0031"),
        ("\u06271\u0628", "\u06271\u0628"),
        ("\u0627x\u0628", "\u0627x\u0628"),
        ("\ue000", "\ue000"),
        ("\U000e0001x", "\U000e0001x"),
    ],
)
def test_examples(text: str, result: str) -> None:
    """RFC 4013 §3, and one for each thing that is forbidden: that stays as it is."""
    assert prepared(text) == result


@given(st.text(max_size=20))
def test_twice_is_once(text: str) -> None:
    assert prepared(prepared(text)) == prepared(text)


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("ju\u0308rgen@example.test", "pa\u0308ss"),
        ("j\u00fcrgen@example.test", "p\u00e4ss"),
        ("ju\u0308rgen", "p\u00e4\u00adss"),
    ],
)
@pytest.mark.parametrize("service", ["pop3", "smtp"])
def test_logging_in_however_it_is_written(service: str, login: str, password: str) -> None:
    from base64 import b64encode

    with World() as world:
        world.add_account("j\u00fcrgen@example.test", "p\u00e4ss")
        exchange = b64encode(f"\0{login}\0{password}".encode()).decode()
        lines = {
            "pop3": f"USER {login}\r\nPASS {password}\r\nQUIT\r\n",
            "smtp": f"EHLO me\r\nAUTH PLAIN {exchange}\r\nQUIT\r\n",
        }
        with world.connect(service) as client:
            client.sendall(lines[service].encode())
            said = b""
            while octets := client.recv(4096):
                said += octets
        assert [entry.data["ok"] for entry in world.journal.entries(kind="login")] == [True], said
        assert world.authenticate("ju\u0308rgen", "pass") is None
        world.remove_account("j\u00fcrgen@example.test")
        assert world.directory.find_login("ju\u0308rgen") is None
