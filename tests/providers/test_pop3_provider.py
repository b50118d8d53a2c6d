"""The POP3 provider against a simulated server, its faults, and servers that are worse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from postroom.errors import (
    AuthError,
    Cancelled,
    ConfigError,
    ConnectionFailed,
    PermissionDenied,
    ProtocolError,
    ServerTimeout,
    TlsError,
    TransientError,
)
from postroom.providers.builtin.pop3 import Pop3Config, Pop3Provider
from postroom.providers.contract import Disposition, ProviderEnv, RunContext, RunOutcome
from postroom.providers.mailbox import MailboxState
from postroom.providers.secret import Secret
from postroom.testing.fake_gateway import FakeGateway, MemoryLog, MemorySeenSet, MemoryStateCell, make_context
from postroom.testing.memory import WorldConnector
from postroom_simulator.faults import Cut, Drip, Drop, Fault, Garble, LoseReply, Refuse, Reply, Stall, When
from postroom_simulator.world import World
from providers.scripted import ScriptedConnector, ScriptedSocket

ME = "me@sim.test"


@pytest.fixture
def world() -> Iterator[World]:
    with World() as made:
        made.add_account(ME, "secret")
        yield made


class Polls:
    """One instance polling a world, run after run."""

    def __init__(self, world: World, net: Any = None, **config: Any) -> None:
        values: dict[str, Any] = {"host": world.hostname, "port": 110, "user": ME, "password": Secret("secret"), "tls": "none"}
        self.world = world
        self.net = net if net is not None else WorldConnector(world)
        self.provider = Pop3Provider(Pop3Config(**{**values, **config}), ProviderEnv("i", mailbox=ME))
        self.gateway = FakeGateway()
        self.seen = MemorySeenSet()
        self.cell = MemoryStateCell(MailboxState())
        self.log = MemoryLog()

    def context(self, **arguments: Any) -> RunContext[MailboxState]:
        return make_context(
            MailboxState(),
            net=self.net,
            clock=self.world.clock,
            gateway=self.gateway,
            seen=self.seen,
            cell=self.cell,
            log=self.log,
            **arguments,
        )

    def run(self, **arguments: Any) -> RunOutcome:
        return self.provider.run(self.context(**arguments))

    @property
    def octets(self) -> list[bytes]:
        return [offer.octets for offer in self.gateway.offers]


def message(number: int, body: str = "hello") -> bytes:
    return f"From: a@x.test\r\nTo: {ME}\r\nMessage-ID: <{number}@x.test>\r\n\r\n{body}\r\n".encode()


def fill(world: World, count: int) -> list[bytes]:
    messages = [message(number) for number in range(count)]
    for octets in messages:
        world.place(ME, octets)
    return messages


NASTY = [
    b"Subject: dots\r\n\r\n.\r\n..\r\n...\r\n.x\r\n\r\n.",
    b".Header: dot first\r\n\r\nx\r\n",
    b"Subject: nothing\r\n\r\n",
    b"Subject: no body\r\n",
    b"Subject: long\r\n\r\n" + b"x" * 100_000 + b"\r\n",
    b"Subject: eight bit\r\n\r\n\xff\x00\xfe\x85\x0b\r\n",
    b"Subject: lone cr\r\n\r\na\rb\r\n",
]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(("tls", "port"), [("none", 110), ("starttls", 110), ("implicit", 995)])
def test_octets_come_through_exactly(world: World, tls: str, port: int, pipelining: bool) -> None:
    for octets in NASTY:
        world.place(ME, octets)
    polls = Polls(world, tls=tls, port=port, pipelining=pipelining)
    assert polls.run().delivered == len(NASTY)
    assert polls.octets == [octets if octets.endswith(b"\r\n") else octets + b"\r\n" for octets in NASTY]


def test_mail_left_at_the_server_is_fetched_once(world: World) -> None:
    messages = fill(world, 5)
    polls = Polls(world)
    assert polls.run().delivered == 5
    assert polls.run().processed == 0
    assert polls.octets == messages
    assert len(world.inbox(ME)) == 5
    assert len(world.journal.commands("RETR")) == 5


def test_mail_is_deleted_once_it_is_stored(world: World) -> None:
    fill(world, 5)
    polls = Polls(world, delete=True)
    polls.run()
    assert world.inbox(ME) == []
    assert len(polls.octets) == 5


def test_check_changes_nothing(world: World) -> None:
    fill(world, 2)
    polls = Polls(world, delete=True)
    assert "2 messages" in polls.provider.check(polls.context()).detail
    assert len(world.inbox(ME)) == 2
    assert polls.gateway.calls == []


def test_new_ids_for_all_double_nothing(world: World) -> None:
    fill(world, 4)
    polls = Polls(world)
    polls.run()
    world.reset_uidls(ME)
    world.place(ME, message(99))
    assert polls.run().delivered == 1
    assert len(polls.octets) == 5


# -- errors


def test_wrong_password(world: World) -> None:
    polls = Polls(world, password=Secret("wr0ng-hidden"))
    with pytest.raises(AuthError) as caught:
        polls.run()
    with pytest.raises(AuthError):
        polls.provider.check(polls.context())
    shown = f"{caught.value!r} {caught.value.reply} {polls.provider.last_error} {polls.log.lines} {polls.provider.config!r}"
    assert "wr0ng-hidden" not in shown


@pytest.mark.parametrize(
    ("at", "reply", "kind"),
    [
        ("PASS", "[AUTH] no", AuthError),
        ("PASS", "no", AuthError),
        ("USER", "no", AuthError),
        ("PASS", "[IN-USE] locked", TransientError),
        ("PASS", "[SYS/TEMP] later", TransientError),
        ("PASS", "[LOGIN-DELAY] wait", TransientError),
        ("PASS", "[SYS/PERM] call us", PermissionDenied),
        ("UIDL", "[SYS/TEMP] later", TransientError),
        ("RETR", "[SYS/TEMP] later", TransientError),
        ("greeting", "[SYS/TEMP] later", TransientError),
        ("greeting", "busy", TransientError),
    ],
)
def test_refusals_are_told_apart_by_their_code(world: World, at: str, reply: str, kind: type[Exception]) -> None:
    fill(world, 1)
    world.faults.add(Fault(When("pop3", at), Reply("-ERR", reply)))
    with pytest.raises(kind) as caught:
        Polls(world).run()
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("at", "effect", "kind"),
    [
        ("connect", Refuse(), ConnectionFailed),
        ("greeting", Drop("rst"), ConnectionFailed),
        ("greeting", Stall(), ServerTimeout),
        ("PASS", Drop("fin"), ConnectionFailed),
        ("UIDL", Cut(20), ConnectionFailed),
        ("UIDL", Stall(), ServerTimeout),
        ("RETR", Cut(30, "fin"), ConnectionFailed),
        ("RETR", Cut(30, "rst"), ConnectionFailed),
        ("RETR", Stall(), ServerTimeout),
    ],
)
def test_lines_that_break(world: World, at: str, effect: Any, kind: type[Exception]) -> None:
    messages = fill(world, 3)
    polls = Polls(world, delete=True)
    world.faults.add(Fault(When("pop3", at, nth=1), effect))
    with pytest.raises(kind):
        polls.run()
    assert len(world.inbox(ME)) == 3
    polls.run()
    assert polls.octets == messages
    assert world.inbox(ME) == []


def test_a_cut_message_is_no_message(world: World) -> None:
    messages = fill(world, 3)
    polls = Polls(world, delete=True, pipelining=False)
    world.faults.add(Fault(When("pop3", "RETR", nth=3), Cut(60)))
    with pytest.raises(ConnectionFailed):
        polls.run()
    assert polls.octets == []
    polls.run()
    assert polls.octets == messages


@pytest.mark.parametrize("effect", [LoseReply(), Drop(), Stall(), Reply("-ERR", "some not removed")])
@pytest.mark.parametrize("at", ["QUIT", "DELE"])
def test_a_removal_that_is_uncertain_doubles_nothing(world: World, at: str, effect: Any) -> None:
    messages = fill(world, 3)
    polls = Polls(world, delete=True)
    world.faults.add(Fault(When("pop3", at, nth=1), effect))
    polls.run()
    polls.run()
    assert polls.octets == messages
    assert world.inbox(ME) == []


def test_a_message_that_the_server_refuses_is_isolated(world: World) -> None:
    fill(world, 3)
    world.faults.add(Fault(When("pop3", "RETR", nth=2), Reply("-ERR", "cannot read it")))
    polls = Polls(world)
    outcome = polls.run()
    assert (outcome.delivered, outcome.failed, outcome.error) == (2, 1, None)
    assert polls.run().delivered == 1


def test_garbled_text_is_one_other_message_and_no_crash(world: World) -> None:
    fill(world, 4)
    world.faults.add(Fault(When("pop3", "UIDL"), Garble(5)))
    polls = Polls(world)
    for _ in range(5):
        try:
            polls.run()
        except (TransientError, AuthError):
            pass
    world.faults.clear()
    polls.run()
    assert {message(number) for number in range(4)} <= set(polls.octets)


def test_a_dripping_server_is_read_to_the_end(world: World) -> None:
    messages = fill(world, 2)
    world.faults.add(Fault(When("pop3", "RETR"), Drip(3, 0.2)))
    polls = Polls(world)
    polls.run()
    assert polls.octets == messages


def test_tls_is_never_done_without(world: World) -> None:
    world.faults.add(Fault(When("pop3", "STLS"), Reply("-ERR", "not today")))
    with pytest.raises(TlsError):
        Polls(world, tls="starttls").run()
    assert world.journal.commands("PASS") == []


def test_a_wrong_host_name_is_refused(world: World) -> None:
    net = WorldConnector(world, {"other.test": world})
    with pytest.raises(TlsError):
        Polls(world, net, host="other.test", tls="implicit", port=995).run()
    with pytest.raises(ConnectionFailed):
        Polls(world, net, host="unknown.test").run()


def test_cancelled_while_retrieving(world: World) -> None:
    fill(world, 5)
    polls = Polls(world, delete=True)
    outcome = polls.run(cancelled=lambda: len(world.journal.commands("RETR")) > 0)
    assert isinstance(outcome.error, Cancelled)
    assert len(world.inbox(ME)) == 5
    polls.run()
    assert len(polls.octets) == 5


# -- servers that are worse


def server(**answers: bytes | Callable[[bytes], bytes | None] | None) -> ScriptedSocket:
    """A POP3 server of one message, with other answers for some verbs; `greeting` too."""
    told: dict[str, Any] = {
        "greeting": b"+OK hello\r\n",
        "CAPA": b"-ERR what\r\n",
        "USER": b"+OK\r\n",
        "PASS": b"+OK\r\n",
        "UIDL": b"+OK\r\n1 one\r\n.\r\n",
        "LIST": b"+OK\r\n1 20\r\n.\r\n",
        "STAT": b"+OK 1 20\r\n",
        "RETR": b"+OK\r\nSubject: x\r\n\r\nhi\r\n.\r\n",
        "DELE": b"+OK\r\n",
        "QUIT": b"+OK bye\r\n",
        **answers,
    }

    def answer(line: bytes) -> bytes | None:
        said = told.get(line.split(b" ")[0].decode().upper(), b"-ERR unknown\r\n")
        return said(line) if callable(said) else said

    return ScriptedSocket(told["greeting"], answer)


def test_a_plain_old_server(world: World) -> None:
    polls = Polls(world, ScriptedConnector(server()))
    assert polls.run().delivered == 1
    assert polls.octets == [b"Subject: x\r\n\r\nhi\r\n"]


def test_a_server_without_uidl(world: World) -> None:
    sockets = [server(UIDL=b"-ERR unknown\r\n") for _ in range(2)]
    polls = Polls(world, ScriptedConnector(*sockets), delete=True)
    assert polls.run().delivered == 1
    assert polls.gateway.by(Disposition.TRACKED)[0].startswith("sha256:")
    assert b"DELE 1" in sockets[0].lines
    assert polls.run().delivered == 0
    assert b"DELE 1" in sockets[1].lines
    assert "pop3.no_uidl" in polls.log.events


def test_auth_plain_where_user_is_not_known(world: World) -> None:
    capabilities = b"+OK\r\nSASL PLAIN\r\n.\r\n"
    socket = server(USER=b"-ERR unknown command\r\n", CAPA=capabilities, AUTH=b"+OK\r\n")
    Polls(world, ScriptedConnector(socket)).run()
    assert b"AUTH PLAIN AG1lQHNpbS50ZXN0AHNlY3JldA==" in socket.lines
    long = server(USER=b"-ERR unknown command\r\n", CAPA=capabilities, AUTH=b"+ \r\n")
    inner = long.answer
    long.answer = lambda line: b"+OK\r\n" if line.startswith(b"AG1l") else inner(line)
    assert Polls(world, ScriptedConnector(long), password=Secret("s" * 300)).run().delivered == 1


def test_the_login_delay_is_passed_on(world: World) -> None:
    socket = server(PASS=b"-ERR [LOGIN-DELAY] too soon\r\n", CAPA=b"+OK\r\nLOGIN-DELAY 900 USER\r\n.\r\n")
    with pytest.raises(TransientError) as caught:
        Polls(world, ScriptedConnector(socket)).run()
    assert caught.value.retry_after == timedelta(minutes=15)


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({"greeting": b"<html>\r\n"}, ProtocolError),
        ({"greeting": b"HTTP/1.1 400 Bad Request\r\n"}, ProtocolError),
        ({"greeting": b"+OK" + b"x" * 20_000}, ProtocolError),
        ({"UIDL": b"+OK\r\nno number\r\n.\r\n"}, ProtocolError),
        ({"UIDL": b"+OK\r\n" + "１ one\r\n.\r\n".encode()}, ProtocolError),
        ({"UIDL": b"+OK\r\n99999999999999999999 one\r\n.\r\n"}, ProtocolError),
        ({"UIDL": b"+OK\r\n" + b"1 x\r\n" * 50_000}, ProtocolError),
        ({"PASS": b"\x16\x03\x01\r\n"}, ProtocolError),
        ({"RETR": b"yes\r\n"}, ProtocolError),
        ({"RETR": b"+OK\r\n" + b"x" * 100_000}, ProtocolError),
        ({"RETR": b"+OK\r\nSubject: x\r\n\r\nhi"}, ServerTimeout),
        ({"RETR": b"+OK\r\nSubject: x\r\n\r\nhi\n.\n"}, ServerTimeout),
        ({"PASS": None}, ServerTimeout),
        ({"PASS": b""}, ConnectionFailed),
    ],
)
def test_nonsense_is_classified_and_bounded(world: World, answers: dict[str, Any], kind: type[Exception]) -> None:
    socket = server(**answers)
    polls = Polls(world, ScriptedConnector(socket), listing_octets=100_000, message_octets=20_000)
    with pytest.raises(kind) as caught:
        polls.run()
    assert all(char.isprintable() for char in str(caught.value))
    assert socket.closed
    assert polls.octets == []


def test_many_large_messages_are_pipelined_within_bounds(world: World) -> None:
    messages = [message(number, ("x" * 70 + "\r\n") * 15_000) for number in range(12)]
    for octets in messages:
        world.place(ME, octets)
    polls = Polls(world)
    assert polls.run().delivered == 12
    assert polls.octets == messages


def test_a_message_over_the_limit_is_parked_and_those_behind_it_come(world: World) -> None:
    world.place(ME, b"Subject: big\r\n\r\n" + b"y" * 300_000)
    world.place(ME, message(1))
    polls = Polls(world, message_octets=100_000, delete=True)
    outcome = polls.run()
    assert (outcome.delivered, outcome.failed, outcome.error) == (1, 1, None)
    assert polls.gateway.by(Disposition.PARKED)
    assert len(world.inbox(ME)) == 1, "what was not stored stays"
    assert polls.run().processed == 0
    assert len(world.journal.commands("RETR")) == 2


def test_line_breaks_in_credentials_are_refused(world: World) -> None:
    for values in ({"user": "me\r\nDELE 1"}, {"password": Secret("a\nb")}, {"user": ""}):
        with pytest.raises(ConfigError) as caught:
            Polls(world, ScriptedConnector(server()), **values).run()
        assert "DELE" not in str(caught.value)


def test_plaintext_before_the_handshake_is_refused(world: World) -> None:
    socket = server(CAPA=b"+OK\r\nSTLS\r\n.\r\n", STLS=b"+OK\r\n+OK injected\r\n")

    class Net(ScriptedConnector):
        def start_tls(self, connection: Any, host: str) -> Any:
            from postroom.providers.connectors import plain_line

            return plain_line(connection)

    with pytest.raises(TlsError):
        Polls(world, Net(socket), tls="starttls").run()


def test_uidl_is_case_sensitive_and_opaque(world: World) -> None:
    listing = b'+OK\r\n1 aB\r\n2 AB\r\n3 a.b"%\r\n.\r\n'
    polls = Polls(world, ScriptedConnector(server(UIDL=listing)))
    polls.run()
    assert set(polls.seen.entries) == {"aB", "AB", 'a.b"%'}
