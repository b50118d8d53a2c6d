"""RETRs that are carried out together do what they do one by one."""

from hypothesis import given, settings
from hypothesis import strategies as st
from pop3_talk import BOB, DOTTED, LOGIN, PASSWORD, PLAIN, Talk, make_world, plant

from postroom_simulator.clock import ManualClock
from postroom_simulator.faults import Reply
from postroom_simulator.journal import Journal, Kind

MESSAGES = (DOTTED, PLAIN, b"Subject: large\r\n\r\n" + b"x" * 70 + b"\r\n", b".", b"\n\n")
RETRS = "RETR 1,retr 2,RETR 0003,RETR 4,RETR 5,RETR 6,RETR,RETR  1,RETR x,RETR 12345678901,RETR 1 2"
OTHERS = "DELE 2,RSET,NOOP,TOP 1 0,LANG de,LANG *,BAD,STAT"
COMMANDS = st.sampled_from([*(RETRS + "," + OTHERS).encode().split(b","), b"RETR 2" + b" " * 5000])


def conversation(commands, cut, *, singly):
    """What is said, and the journal. `singly`: a fault that never acts makes every step ask the table."""
    world = make_world(*MESSAGES)
    if singly:
        plant(world, "RETR", Reply("-ERR"), nth=1_000_000)
    talk = Talk(world)
    said = talk.say(LOGIN + b"".join(command + b"\r\n" for command in commands) + b"QUIT\r\n", cut)
    return said, [entry.fields() for entry in world.journal], talk.session.closed


@settings(max_examples=150, deadline=None)
@given(st.lists(COMMANDS, max_size=30), st.sampled_from([0, 1, 2, 7, 100]))
def test_together_is_as_one_by_one(commands, cut):
    assert conversation(commands, cut, singly=False) == conversation(commands, cut, singly=True)


def test_many_are_said_together_and_no_more_than_a_batch_waits():
    world = make_world(*[b"Subject: %d\r\n\r\n" % n + b"x" * 60 * 1024 + b"\r\n" for n in range(10)])
    talk = Talk.logged_in(world)
    talk.outgoing.clear()
    talk.session.receive_data(b"".join(b"RETR %d\r\n" % n for n in range(1, 11)))
    assert world.journal.count(kind=Kind.OFFERED) == 2
    talk.drain()
    assert world.journal.count(kind=Kind.OFFERED) == 10
    assert len(talk.outgoing) == 5


def test_a_message_that_was_altered_meanwhile_is_refused_in_its_place():
    world = make_world(PLAIN, DOTTED, PLAIN)
    talk = Talk.logged_in(world)
    world.store.replace_octets(2, b"other")
    said = talk.say(b"RETR 1\r\nRETR 2\r\nRETR 3\r\n")
    assert said.count(b"+OK") == 2
    assert b".\r\n-ERR message 2 was altered by somebody else\r\n+OK" in said
    assert [entry.data["uid"] for entry in world.journal.entries(kind=Kind.OFFERED)] == [1, 3]


def test_the_last_of_them_is_the_command_that_error_texts_name():
    world = make_world(PLAIN, DOTTED)
    talk = Talk.logged_in(world)
    talk.say(b"RETR 1\r\nRETR 2\r\n")
    assert talk.session._context.argument == "2"


def test_listeners_hear_all_three_entries_in_order():
    world = make_world(PLAIN)
    heard = []
    talk = Talk.logged_in(world)
    world.journal.listen(heard.append)
    talk.say(b"RETR 1\r\nNOOP\r\n")
    assert [entry.kind for entry in heard[:3]] == [Kind.COMMAND, Kind.REPLY, Kind.OFFERED]
    assert [entry.number for entry in heard] == list(range(heard[0].number, heard[0].number + 5))
    assert heard[2].data["uid"] == 1
    assert heard[2].account == BOB
    assert PASSWORD not in world.journal.transcript()


def test_a_journal_with_a_capacity_keeps_the_newest_of_them():
    journal = Journal(ManualClock(), capacity=4)
    for number in range(5):
        journal.write_retrieval("pop3-1", BOB, str(number), number, f"id-{number}", 10)
    assert [entry.number for entry in journal] == [12, 13, 14, 15]
    assert journal.dropped == 11
    assert [entry.detail for entry in journal.commands()] == ["4"]
