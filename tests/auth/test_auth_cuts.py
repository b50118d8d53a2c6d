"""Every mechanism on both servers, cut at every octet."""

from __future__ import annotations

import pytest
from auth_talk import ALL, ANN, PROTOCOLS, REPLIES, Line, conversation, logins, make_world

WAYS = [
    *((name, at_once, True) for name in ALL for at_once in (False, True) if not (name == "CRAM-MD5" and at_once)),
    *((name, False, False) for name in ALL),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("mechanism", "at_once", "good"), WAYS)
def test_cut_at_every_octet(mechanism: str, at_once: bool, good: bool, protocol: str) -> None:
    """What the server says depends on the octets, not on how they come."""

    octets = b"".join(line + b"\r\n" for line in conversation(protocol, mechanism, good=good, at_once=at_once)) + b"NOOP\r\n"

    def talk(*pieces: bytes) -> bytes:
        world = make_world()
        world.tokens.issue(ANN)
        line = Line(world, protocol)
        said = b"".join(line.say(piece) for piece in pieces)
        assert line.session.account == (ANN if good else None)
        assert [entry.data["ok"] for entry in logins(world)] == [good]
        return said

    whole = talk(octets)
    assert REPLIES[protocol]["ok" if good else "failed"] in whole
    for cut in range(1, len(octets)):
        assert talk(octets[:cut], octets[cut:]) == whole
    assert talk(*(octets[at : at + 1] for at in range(len(octets)))) == whole
