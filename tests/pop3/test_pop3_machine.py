"""The session against a plain model: any order of commands, deliveries, disappearances, drops and QUITs, cut anywhere."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pop3_talk import BOB, LOGIN, WELCOME, Talk, inbox, make_world

from postroom_simulator.journal import Kind
from postroom_simulator.pop3.maildrop import uidl

NUMBERS = st.integers(0, 7)
CUTS = st.integers(0, 7)
BODIES = st.lists(st.sampled_from([b"", b".", b"..x", b"hello", b"\xff"]), max_size=4)


class Pop3Model(RuleBasedStateMachine):
    """`mailbox`: uid to wire lines, as it should be. `seen`: the uids of the session's snapshot, or None before login."""

    def __init__(self) -> None:
        super().__init__()
        self.world = make_world()
        self.world.pop3.settings.bad_commands = self.world.pop3.settings.commands_before_login = 1000
        self.mailbox: dict[int, list[bytes]] = {}
        self.snapshot: dict[int, list[bytes]] = {}
        self.seen: list[int] | None = None
        self.marked: set[int] = set()
        self.removed: list[int] = []
        self.offered: list[int] = []
        self.talk = Talk(self.world)

    # -- the world outside the session

    @rule(body=BODIES)
    def deliver(self, body: list[bytes]) -> None:
        lines = [b"Subject: s", b"", *body]
        item = self.world.store.deposit(BOB, b"\n".join(lines) + b"\n")
        self.mailbox[item.uid] = lines

    @precondition(lambda self: self.mailbox)
    @rule(data=st.data())
    def vanish(self, data: st.DataObject) -> None:
        uid = data.draw(st.sampled_from(sorted(self.mailbox)))
        self.world.store.delete([uid])
        del self.mailbox[uid]

    # -- the session's life

    def reconnect(self) -> None:
        self.seen = None
        self.marked = set()
        self.talk = Talk(self.world)

    @precondition(lambda self: self.seen is None)
    @rule(cut=CUTS)
    def log_in(self, cut: int) -> None:
        assert self.talk.say(LOGIN, cut) == WELCOME
        self.seen = list(self.mailbox)
        self.snapshot = {uid: self.mailbox[uid] for uid in self.seen}

    @rule(how=st.sampled_from(["eof", "timeout", "half a QUIT"]))
    def drop(self, how: str) -> None:
        if how == "half a QUIT":
            assert self.talk.say(b"QUIT\r") == b""
        self.talk.session.timeout() if how == "timeout" else self.talk.session.receive_eof()
        assert self.talk.session.closed
        self.reconnect()

    @rule(cut=CUTS)
    def leave(self, cut: int) -> None:
        said = self.talk.say(b"QUIT\r\n", cut)
        assert said.startswith(b"+OK bye")
        assert self.talk.session.closed
        due = [uid for number, uid in enumerate(self.seen or [], 1) if number in self.marked and uid in self.mailbox]
        self.removed += due
        for uid in due:
            del self.mailbox[uid]
        self.reconnect()

    # -- commands

    def ask(self, command: bytes, cut: int) -> bytes:
        said = self.talk.say(command + b"\r\n", cut)
        assert said.endswith(b"\r\n")
        return said

    def there(self, number: int) -> int | None:
        """The uid behind a number that a command may use."""
        if self.seen is None or not 1 <= number <= len(self.seen) or number in self.marked:
            return None
        return self.seen[number - 1]

    def size(self, uid: int) -> int:
        return sum(len(line) + 2 for line in self.snapshot[uid])

    @rule(cut=CUTS)
    def stat_and_list(self, cut: int) -> None:
        said = self.ask(b"STAT\r\nLIST", cut)
        if self.seen is None:
            assert said.count(b"-ERR") == 2
            return
        there = [(n, self.size(uid)) for n, uid in enumerate(self.seen, 1) if n not in self.marked]
        listing = b"".join(b"%d %d\r\n" % row for row in there)
        assert said == b"+OK %d %d\r\n+OK %d messages\r\n%s.\r\n" % (len(there), sum(s for _, s in there), len(there), listing)

    @rule(number=NUMBERS, cut=CUTS)
    def retrieve(self, number: int, cut: int) -> None:
        said = self.ask(b"RETR %d" % number, cut)
        uid = self.there(number)
        if uid is None or uid not in self.mailbox:
            assert said.startswith(b"-ERR")
            return
        self.offered.append(uid)
        stuffed = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in self.snapshot[uid])
        assert said == b"+OK %d octets\r\n" % self.size(uid) + stuffed + b".\r\n"

    @rule(number=NUMBERS, cut=CUTS)
    def unique_id(self, number: int, cut: int) -> None:
        said = self.ask(b"UIDL %d" % number, cut)
        uid = self.there(number)
        if uid is None:
            assert said.startswith(b"-ERR")
        elif uid in self.mailbox:
            assert said == b"+OK %d %s\r\n" % (number, uidl(self.world.store.item(uid)).encode())

    @rule(number=NUMBERS, cut=CUTS)
    def mark(self, number: int, cut: int) -> None:
        said = self.ask(b"DELE %d" % number, cut)
        if self.there(number) is None:
            assert said.startswith(b"-ERR")
        else:
            assert said.startswith(b"+OK")
            self.marked.add(number)

    @rule(cut=CUTS)
    def reset(self, cut: int) -> None:
        assert self.ask(b"RSET", cut).startswith(b"-ERR" if self.seen is None else b"+OK")
        self.marked = set()

    @rule(line=st.sampled_from([b"LAST", b"", b"RETR 1 2", b"DELE", b"STLS 1", b"\xff"]))
    def nonsense(self, line: bytes) -> None:
        assert self.ask(line, 0).startswith(b"-ERR")

    # -- always

    @invariant()
    def nothing_else_is_removed(self) -> None:
        assert inbox(self.world) == list(self.mailbox)

    @invariant()
    def the_journal_agrees(self) -> None:
        for kind, uids in ((Kind.REMOVED, self.removed), (Kind.OFFERED, self.offered)):
            assert [entry.data["uid"] for entry in self.world.journal if entry.kind is kind] == uids

    @invariant()
    def who_is_in_holds_the_lock(self) -> None:
        assert (self.world.pop3.locks.holder(BOB) is not None) == (self.seen is not None)


Pop3Model.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestPop3Model = Pop3Model.TestCase
