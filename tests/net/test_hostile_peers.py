"""Whatever a client sends and however it leaves: one end, nothing held, no mistake of ours."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from postroom_simulator.faults import Cut, Delay, Drip, Drop, Effect, Garble, LoseReply, Stall, When
from postroom_simulator.journal import Kind
from postroom_simulator.net.tls import Authority
from postroom_simulator.world import World

TRUST = Authority("mail.sim.test")
LINES = st.sampled_from(
    [
        b"USER ann@sim.test\r\n",
        b"PASS secret\r\n",
        b"RETR 1\r\n",
        b"STLS\r\n",
        b"AUTH PLAIN\r\n",
        b"AGFubkBzaW0udGVzdABzZWNyZXQ=\r\n",
        b"EHLO me\r\n",
        b"MAIL FROM:<a@b.test>\r\n",
        b"RCPT TO:<ann@sim.test>\r\n",
        b"DATA\r\n",
        b"BDAT 5\r\nhello",
        b".\r\n",
        b"STARTTLS\r\n",
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"QUIT\r\n",
        b"\r\n",
        b"x" * 5000,
    ]
)
PIECES = st.lists(st.one_of(LINES, st.binary(max_size=30)), max_size=12)
EFFECTS: st.SearchStrategy[Effect | None] = st.sampled_from(
    [None, Delay(1), Stall(1), Stall(), Cut(2), Drop("rst"), LoseReply(), Garble(2), Drip(5, 0.1)]
)


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(["pop3", "smtp", "submission", "pop3s", "smtps"]),
    PIECES,
    EFFECTS,
    st.integers(1, 6),
    st.sampled_from(["read", "leave", "half"]),
)
def test_any_input_in_any_state(service: str, pieces: list[bytes], effect: Effect | None, nth: int, manner: str) -> None:
    with World() as world:
        world._authority = TRUST
        world.add_account("ann@sim.test")
        world.place("ann@sim.test", b"Subject: x\r\n\r\nhi\r\n")
        if effect is not None:
            world.faults.add(When(first=nth), effect)
        with world.connect(service, timeout=30) as sock:
            try:
                for piece in pieces:
                    sock.sendall(piece)
                    if manner == "read":
                        sock.setblocking(False)
                        sock.recv(100_000)
                        sock.settimeout(30)
                if manner == "half":
                    sock.shutdown(2)
                    while sock.recv(100_000):
                        pass
            except OSError:  # in any of its kinds
                pass
        world.settle(1)
        closed = world.journal.entries(kind=Kind.CLOSED)
        assert len(closed) == 1
        assert closed[0].detail in ("server", "client", "fault", "timeout")
        assert not world.journal.entries(kind=Kind.NOTE, detail="internal error")
        assert world.connections.live() == []
        world.faults.clear()
        with world.connect("pop3", timeout=30) as again:  # nothing stays locked
            again.sendall(b"USER ann@sim.test\r\nPASS secret\r\n")
            world.journal.expect(
                kind=Kind.LOGIN, connection=f"pop3-{2 if service.startswith('pop3') else 1}", data={"ok": True}
            )
