"""Faults of EWS at every level: connection, HTTP, SOAP, one item of a batch. (Every effect at every step: tests/faults/test_every_cell.py.)"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import wire
from exchangelib import DELEGATE, Account, Configuration, Credentials
from exchangelib.errors import ErrorServerBusy
from wire import ANN, PASSWORD, connected, create_item, direct, envelope, find_item, get_folder, http

from postroom_simulator import World
from postroom_simulator.errors import FaultError
from postroom_simulator.ews.codec import NAMESPACES
from postroom_simulator.ews.mount import mounted
from postroom_simulator.ews.operations import OPERATIONS
from postroom_simulator.fault_files import load_faults
from postroom_simulator.fault_text import in_words
from postroom_simulator.faults import Cut, Delay, Drip, Drop, Effect, Garble, Lie, LoseReply, Refuse, Reply, Stall, When
from postroom_simulator.journal import Kind

GET_INBOX = envelope(get_folder())


@pytest.fixture
def world() -> Iterator[World]:
    with wire.make_world() as world:
        yield world


# -- what is said


def test_a_status_of_http_with_header_fields(world: World) -> None:
    world.faults.add(When("ews", "envelope", nth=1), Reply("503", "[Retry-After=30][X-CasErrorCode=Busy] come <back> later"))
    one = connected(world)
    answer = one.ask(http(GET_INBOX))
    assert (answer.status, answer.header("Retry-After"), answer.header("X-CasErrorCode")) == (503, "30", "Busy")
    assert answer.body == b"<html><body>come &lt;back&gt; later</body></html>"
    assert one.ask(http(GET_INBOX)).codes == ["NoError"]
    one.close()


@pytest.mark.parametrize("status", ["302", "400", "401", "403", "404", "429", "500", "502", "503", "504", "599", "204"])
@pytest.mark.parametrize("at", ["request", "auth", "envelope", "GetFolder"])
def test_every_status_at_every_step(world: World, status: str, at: str) -> None:
    world.faults.add(When("ews", at, nth=1), Reply(status, "[Location=/ews/genericerrorpage.htm]"))
    one = connected(world)
    answer = one.ask(http(GET_INBOX))
    assert (answer.status, answer.header("Location")) == (int(status), "/ews/genericerrorpage.htm")
    assert (answer.header("WWW-Authenticate") is not None) == (status == "401")
    assert one.ask(http(GET_INBOX)).codes == ["NoError"], (
        "the connection is kept, the rest of the body is not taken for a request"
    )
    one.close()


def test_a_status_is_said_when_the_head_is_there(world: World) -> None:
    world.faults.add(When("ews", "request", nth=1), Reply("503"))
    one = connected(world)
    request = http(GET_INBOX)
    one.say(request[: -len(GET_INBOX)])
    assert one.hear().status == 503
    one.say(GET_INBOX + request)
    assert one.hear().codes == ["NoError"]
    one.close()


def test_a_soap_fault_with_values_and_its_usual_text(world: World) -> None:
    world.faults.add(When("ews", "GetFolder", nth=1), Reply("ErrorServerBusy", "[BackOffMilliseconds=2500]"))
    answer = direct(world, GET_INBOX)
    assert (answer.status, wire.codes(answer.body), wire.values(answer.body)) == (
        500,
        ["ErrorServerBusy"],
        {"BackOffMilliseconds": "2500"},
    )
    assert b">The server cannot service this request right now. Try again later.<" in answer.body


def test_one_item_of_a_batch(world: World) -> None:
    """By its number, in one operation; those beside it are carried out."""
    world.faults.add(When("ews", "item", argument="CreateItem 2"), Reply("ErrorItemSave", "not this one"))
    answer = direct(world, three())
    assert (answer.status, wire.codes(answer.body)) == (200, ["NoError", "ErrorItemSave", "NoError"])
    assert b"<m:MessageText>not this one</m:MessageText>" in answer.body
    assert drafts(world) == 2
    assert wire.codes(direct(world, get_folder("inbox", "drafts")).body) == ["NoError"] * 2


def test_a_lie_about_one_item(world: World) -> None:
    world.faults.add(When("ews", "item", argument="CreateItem 2"), Lie("ErrorItemSave"))
    assert wire.codes(direct(world, three()).body) == ["NoError", "ErrorItemSave", "NoError"]
    assert drafts(world) == 3


def test_the_end_in_the_middle_of_a_batch(world: World) -> None:
    """What came before was done."""
    world.faults.add(When("ews", "item", argument="CreateItem 3"), Drop("rst"))
    one = connected(world)
    one.say(http(envelope(three())))
    assert one.ended()
    one.close()
    assert drafts(world) == 2


def test_a_done_batch_whose_answer_is_lost(world: World) -> None:
    world.faults.add(When("ews", "item", nth=1), LoseReply())
    one = connected(world)
    one.say(http(envelope(three())))
    assert one.ended()
    one.close()
    assert drafts(world) == 3


def three() -> str:
    message = "<t:Message><t:Subject>s</t:Subject></t:Message>"
    return f'<m:CreateItem MessageDisposition="SaveOnly"><m:Items>{message * 3}</m:Items></m:CreateItem>'


def drafts(world: World) -> int:
    body = direct(world, get_folder("drafts").replace("IdOnly", "Default")).body.decode()
    return int(body.partition("TotalCount>")[2].partition("<")[0])


def test_faults_by_account_argument_and_operation(world: World) -> None:
    world.faults.add(When("ews", "FindItem", argument="*drafts*"), Reply("ErrorFolderNotFound"))
    world.faults.add(When("ews", "GetFolder", account="bob@sim.test"), Reply("ErrorAccessDenied"))
    bobs = "Basic Ym9iQHNpbS50ZXN0Omh1c2g="
    assert wire.codes(direct(world, find_item("inbox")).body) == ["NoError"]
    assert wire.codes(direct(world, find_item("drafts")).body) == ["ErrorFolderNotFound"]
    assert wire.codes(direct(world, get_folder()).body) == ["NoError"]
    assert wire.codes(direct(world, get_folder(), auth=bobs).body) == ["ErrorAccessDenied"]


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_a_step(world: World, name: str) -> None:
    """Each can be answered by a fault before anything of it is looked at but its form."""
    world.faults.add(When("ews", name), Reply("ErrorServerBusy"))
    world.faults.add(When("ews", "envelope", nth=2), Reply("503"))
    element = f"{name}Request" if name in ("GetUserAvailability", "GetUserOofSettings", "SetUserOofSettings") else name
    answer = direct(world, envelope(f'<m:{element} xmlns:m="{NAMESPACES["m"]}"/>', version="Exchange2016"))
    assert wire.codes(answer.body)[0] in ("ErrorServerBusy", "ErrorSchemaValidation", "ErrorInvalidOperation")
    assert direct(world, envelope(f"<m:{element}/>", version="Exchange2016")).status == 503
    entry = world.journal.commands()[0]
    assert entry.verb == name


# -- several at once


def test_waits_add_up_and_the_first_end_counts(world: World) -> None:
    world.faults.add(When("ews", "auth"), Delay(3))
    world.faults.add(When("ews", "envelope"), Delay(4))
    world.faults.add(When("ews", "GetFolder"), Cut(12))
    world.faults.add(When("ews", "item"), LoseReply())
    one = connected(world)
    before = world.clock.monotonic()
    one.say(http(GET_INBOX))
    assert one.sock.recv(100) == b"HTTP/1.1 200"
    assert one.ended()
    assert world.clock.monotonic() - before == 7
    one.close()
    assert [entry.data["effect"] for entry in world.journal.entries(kind="fault")] == ["Delay", "Delay", "Cut", "LoseReply"]
    assert world.journal.replies()[-1].data == {"cut": 12}


def test_two_stalls_one_after_the_other(world: World) -> None:
    world.faults.add(When("ews", "auth"), Stall(3))
    world.faults.add(When("ews", "CreateItem"), Stall(4))
    one = connected(world)
    before = world.clock.monotonic()
    assert one.ask(http(envelope(create_item()))).codes == ["NoError"]
    assert world.clock.monotonic() - before == 7
    one.close()
    world.faults.clear()
    assert drafts(world) == 1
    assert world.journal.count(kind="login", data={"ok": True}) == 2
    assert len(world.journal.commands("CreateItem")) == 1


# -- the journal


def test_what_is_spoiled_is_not_offered(world: World) -> None:
    world.deliver("x@out.test", [ANN], b"Subject: hello\r\n\r\nbody\r\n")
    found = direct(world, find_item()).body.decode().partition(' Id="')[2].partition('"')[0]
    shape = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent></m:ItemShape>"
    get = f'<m:GetItem>{shape}<m:ItemIds><t:ItemId Id="{found}"/></m:ItemIds></m:GetItem>'
    for effect in (Cut(50), LoseReply(), Garble(3), Lie("503"), Drop()):
        world.faults.clear()
        world.faults.add(When("ews", "GetItem"), effect)
        one = connected(world)
        one.say(http(envelope(get)))
        one.sock.settimeout(0)
        try:
            while one.sock.recv(65536):
                pass
        except (BlockingIOError, ConnectionResetError):
            pass
        one.close()
        assert world.journal.count(kind=Kind.OFFERED) == 0, effect
    world.faults.clear()
    world.faults.add(When("ews", "GetItem"), Delay(1))
    direct(world, get)
    assert world.journal.count(kind=Kind.OFFERED) == 1


def test_a_lie_is_told_with_the_truth_beside_it(world: World) -> None:
    world.faults.add(When("ews", "CreateItem"), Lie("ErrorInternalServerError", "no"))
    one = connected(world)
    assert one.ask(http(envelope(create_item()))).codes == ["ErrorInternalServerError"]
    one.close()
    (reply,) = world.journal.replies("CreateItem")
    assert (reply.detail, reply.data) == ("200 NoError", {"told": "ErrorInternalServerError no"})


# -- without a line


@pytest.mark.parametrize(
    ("at", "effect", "error"),
    [
        ("connect", Refuse(), ConnectionRefusedError),
        ("connect", Drop(), ConnectionResetError),
        ("connect", Stall(), TimeoutError),
        ("request", Drop("rst"), ConnectionResetError),
        ("GetFolder", Stall(), TimeoutError),
        ("GetFolder", Cut(10), ConnectionResetError),
        ("GetFolder", LoseReply(), ConnectionResetError),
        ("item", Drop(), ConnectionResetError),
    ],
)
def test_the_direct_call_raises_what_a_client_would_see(world: World, at: str, effect: Effect, error: type[Exception]) -> None:
    world.faults.add(When("ews", at, nth=1), effect)
    with pytest.raises(error):
        direct(world, GET_INBOX)
    assert direct(world, GET_INBOX).status == 200
    assert world.journal.count(kind="connected") == world.journal.count(kind="closed") == 2


@pytest.mark.parametrize(("effect", "seconds"), [(Delay(5), 5), (Stall(6), 6), (Drip(100, 1), 9)])
def test_the_direct_call_waits_on_the_worlds_clock(world: World, effect: Effect, seconds: float) -> None:
    plain = direct(world, GET_INBOX)
    world.faults.add(When("ews", "GetFolder"), effect)
    before = world.clock.monotonic()
    assert direct(world, GET_INBOX).body == plain.body
    assert seconds <= world.clock.monotonic() - before < seconds + 2


@pytest.mark.parametrize(
    ("at", "effect", "error"),
    [
        ("connect", Refuse(), requests.ConnectionError),
        ("connect", Drop(), requests.ConnectionError),
        ("GetFolder", Drop("rst"), requests.ConnectionError),
        ("GetFolder", Cut(500), requests.ConnectionError),
        ("GetFolder", LoseReply(), requests.ConnectionError),
        ("GetFolder", Stall(), requests.ReadTimeout),
        ("GetFolder", Delay(40), requests.ReadTimeout),
    ],
)
def test_the_mount_raises_what_requests_would(world: World, at: str, effect: Effect, error: type[Exception]) -> None:
    world.faults.add(When("ews", at, nth=1), effect)
    with mounted(world) as url, requests.Session() as session:
        with pytest.raises(error):
            session.post(url, GET_INBOX, auth=(ANN, PASSWORD), timeout=30)
        assert session.post(url, GET_INBOX, auth=(ANN, PASSWORD), timeout=30).status_code == 200


def test_exchangelib_is_told_how_long_to_wait(world: World) -> None:
    world.hostname = "busy.sim.test"
    with mounted(world) as url:
        configuration = Configuration(service_endpoint=url, credentials=Credentials(ANN, PASSWORD))
        account = Account(ANN, config=configuration, autodiscover=False, access_type=DELEGATE)
        assert account.inbox.total_count == 0
        world.faults.add(When("ews", "FindItem", nth=1), Reply("ErrorServerBusy", "[BackOffMilliseconds=20000]"))
        with pytest.raises(ErrorServerBusy) as busy:
            list(account.inbox.all())
        assert busy.value.back_off == 20
        assert list(account.inbox.all()) == []


# -- in files and words


def test_a_file_of_faults(tmp_path: Path, world: World) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(
        '[[fault]]\nprotocol = "ews"\nat = "item"\nargument = "GetFolder 2"\neffect = { reply = "ErrorItemNotFound" }\n'
        '[[fault]]\nprotocol = "ews"\nat = "FindItem"\nnth = 1\neffect = { reply = "ErrorServerBusy [BackOffMilliseconds=10]" }\n'
        '[[fault]]\nprotocol = "ews"\nat = "envelope"\nnth = 4\neffect = { reply = "503 [Retry-After=9] Service Unavailable" }\n'
    )
    for fault in load_faults(path):
        world.faults.add(fault)
    assert wire.codes(direct(world, get_folder("inbox", "drafts")).body) == ["NoError", "ErrorItemNotFound"]
    assert wire.values(direct(world, find_item()).body) == {"BackOffMilliseconds": "10"}
    assert direct(world, find_item()).status == 200
    assert direct(world, find_item()).status == 503


@pytest.mark.parametrize(
    ("when", "effect", "what"),
    [
        (When("ews", "GetItems"), Reply("503"), 'Did you mean "GetItem"'),
        (When("ews", "RETR"), Reply("503"), "step of pop3 only"),
        (When("ews", "greeting"), Delay(1), "step of pop3 only"),
        (When("ews", "GetItem"), Reply("-ERR"), "no ews reply"),
        (When("ews", "GetItem"), Reply("ErrorServerBussy"), 'Did you mean "ErrorServerBusy"'),
        (When("ews", "item"), Reply("503"), "status of HTTP"),
        (When("ews", "item"), Stall(1), "not possible"),
        (When("ews", "auth", argument="x"), Delay(1), "no command"),
        (When("ews", "request", account=ANN), Delay(1), "not known yet"),
        (When("smtp", "item"), Delay(1), "step of ews only"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(world: World, when: When, effect: Effect, what: str) -> None:
    with pytest.raises(FaultError, match=what):
        world.faults.add(when, effect)


def test_in_words(world: World) -> None:
    told = in_words(world.faults.add(When("ews", "item", argument="GetItem 2"), Reply("ErrorItemNotFound", "gone")))
    assert told == (
        'Each time that one item of a batch is next (EWS), followed by something like "GetItem 2": the server says'
        ' "ErrorItemNotFound gone" and does nothing.'
    )
    assert in_words(world.faults.add(When("ews", "GetItem"), Drop())).startswith("At each GetItem of EWS: ")
