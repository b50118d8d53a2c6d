"""One conversation, two transports, one journal: with every fault and without."""

from __future__ import annotations

import pytest
from net_helpers import DOT, LINE, converse, effects_of, open_in_memory, open_over_tcp

from postroom_simulator.faults import AcceptThenReset, Delay, Drop, Effect, Fault, Garble, Refuse, Reply, Stall, When
from postroom_simulator.world import World

POP3 = [
    (b"", LINE),
    (b"USER ann@sim.test\r\n", LINE),
    (b"PASS secret\r\n", LINE),
    (b"RETR 1\r\n", DOT),
    (b"DELE 1\r\n", LINE),
    (b"QUIT\r\n", LINE),
    (b"", LINE),
]
SMTP = [
    (b"", LINE),
    (b"HELO client.test\r\n", LINE),
    (b"MAIL FROM:<bob@else.test>\r\n", LINE),
    (b"RCPT TO:<ann@sim.test>\r\n", LINE),
    (b"DATA\r\n", LINE),
    (b"Subject: hello\r\n\r\nHow are you?\r\n", ()),
    (b".\r\n", LINE),
    (b"QUIT\r\n", LINE),
    (b"", LINE),
]
SCRIPTS = {"pop3": POP3, "smtp": SMTP, "submission": SMTP}


def make_world(fault: Fault | None) -> World:
    world = World(seed=5)
    world.add_account("ann@sim.test")
    world.place("ann@sim.test", b"Subject: one\r\n\r\n" + b"some text\r\n" * 30)
    if fault is not None:
        world.faults.add(fault)
    return world


def in_memory(service: str, fault: Fault | None) -> tuple[list[str], list[object]]:
    with make_world(fault) as world:
        try:
            heard = converse(open_in_memory(world, service), SCRIPTS[service])
        except ConnectionRefusedError:
            heard = ["<reset>"]  # over TCP a port that listens cannot refuse
        world.settle(2)
        return heard, list(world.journal.fields())


def over_tcp(service: str, fault: Fault | None) -> tuple[list[str], list[object]]:
    with make_world(fault) as world:
        servers = world.listen(ports={service: 0})
        try:
            heard = converse(open_over_tcp(world, servers, service), SCRIPTS[service])
        except ConnectionResetError:  # before `connect` returned
            heard = ["<reset>"]
        world.settle(5)
        return heard, list(world.journal.fields())


def check(service: str, fault: Fault | None) -> list[str]:
    heard, journal = in_memory(service, fault)
    heard_tcp, journal_tcp = over_tcp(service, fault)
    assert journal == journal_tcp
    assert heard == heard_tcp
    assert journal[-1][0] == "closed"  # type: ignore[index]
    assert fault is None or any(entry[0] == "fault" for entry in journal)  # type: ignore[index]
    return heard


@pytest.mark.parametrize("service", SCRIPTS)
def test_without_faults(service: str) -> None:
    assert check(service, None)[-1] == "<fin>"


@pytest.mark.parametrize("at", ["greeting", "PASS", "RETR", "QUIT"])
@pytest.mark.parametrize("effect", [*effects_of(), Garble(3), Reply("-ERR", "no")], ids=str)
def test_pop3_with_a_fault(at: str, effect: Effect) -> None:
    check("pop3", Fault(When("pop3", at), effect, "the fault"))


@pytest.mark.parametrize("at", ["greeting", "RCPT", "DATA", "end-of-data", "QUIT"])
@pytest.mark.parametrize("effect", [*effects_of(), Garble(3), Reply("451", "4.3.0 later")], ids=str)
def test_smtp_with_a_fault(at: str, effect: Effect) -> None:
    check("smtp", Fault(When("smtp", at), effect, "the fault"))


@pytest.mark.parametrize("effect", [e for e in effects_of() if type(e).__name__ in ("Cut", "Drop", "Stall")], ids=str)
def test_smtp_with_a_fault_in_the_text(effect: Effect) -> None:
    check("smtp", Fault(When("smtp", "text"), effect, "the fault"))


@pytest.mark.parametrize("service", ["pop3", "smtp"])
@pytest.mark.parametrize(
    "effect", [Refuse(), AcceptThenReset(), AcceptThenReset(5), Delay(3), Stall(3), Stall(), Drop(), Drop("rst")], ids=str
)
def test_a_fault_at_connect(service: str, effect: Effect) -> None:
    check(service, Fault(When(at="connect"), effect, "the fault"))
