"""ews-javascript-api for Node, the port of the EWS Managed API: one process plays the scenarios of `clients/exchange.js`."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from foreign import ANN, CLIENTS, DEADLINE, MESSAGES, NODE_MODULES, PASSWORD

from postroom_simulator.world import World

BOB = "bob@sim.test"


@dataclass(slots=True)
class Player:
    """Plays scenarios against a world with Ann and Bob."""

    world: World
    url: str
    process: subprocess.Popen[str]

    def __call__(self, scenario: str, **job: object) -> dict[str, Any]:
        """What the scenario saw, by step. Fails when it broke off."""
        known = {"scenario": scenario, "url": self.url, "user": ANN, "other": BOB, "secret": PASSWORD}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        late = threading.Timer(DEADLINE, self.process.kill)
        late.start()
        try:
            self.process.stdin.write(json.dumps(known | job) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        finally:
            late.cancel()
        assert line, f"{scenario}: the client ended with {self.process.wait(DEADLINE)}"
        found = {what: _value(text) for what, text in json.loads(line)["outcomes"]}
        assert "FAILED" not in found, found["FAILED"]
        return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@pytest.fixture(scope="module")
def client(script, program, tmp_path_factory) -> Iterator[subprocess.Popen[str]]:
    name, home = script("exchange.js"), tmp_path_factory.mktemp("node")
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "NODE_PATH": str(NODE_MODULES)}
    with subprocess.Popen(
        [program("node"), CLIENTS / name], cwd=home, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        try:
            process.communicate(timeout=DEADLINE)
        finally:
            process.kill()


@pytest.fixture
def play(client):
    with World() as world:
        world.add_account(ANN, PASSWORD, name="Ann")
        world.add_account(BOB, PASSWORD, name="Bob")
        port = world.listen(ports={"ews": 0}).port("ews")
        yield Player(world, f"http://localhost:{port}/EWS/Exchange.asmx", client)


def test_it_logs_in(play):
    seen = play("login")
    assert "401" in str(seen["wrong"]) or "Unauthorized" in str(seen["wrong"])
    assert (seen["folder"], seen["version"]) == ("Inbox", 15)


@pytest.mark.parametrize("version", ["Exchange2010_SP2", "Exchange2013", "Exchange2013_SP1", "Exchange2015", "Exchange2016"])
def test_it_names_a_version(play, version):
    assert play("login", version=version)["folder"] == "Inbox"


def test_mail(play):
    assert play("mail") == {
        "saved": True,
        "from": ANN,
        "to": [BOB],
        "cc": ["Carl"],
        "importance": "High",
        "read": False,
        "draft": False,
        "body": True,
        "attachment": ["a.txt", "text of it"],
        "sent": 1,
        "reply": "RE: hello",
        "forward": "FW: hello",
        "changed": ["changed", True],
        "copied": True,
        "old id": "ErrorItemNotFound",
        "deleted": "ErrorItemNotFound",
    }


def test_mail_octet_for_octet(play):
    play.world.place(ANN, MESSAGES["octets"])
    assert base64.b64decode(play("mime")["mime"]) == MESSAGES["octets"]


def test_markup_that_it_does_not_escape_is_refused(play):
    assert "cannot contain child element 'p'" in play("unescaped")["body"]


def test_queries(play):
    assert play("queries") == {
        "pages": [["item 6", "item 5", "item 4"], ["item 3", "item 2", "item 1"], ["item 0"]],
        "filtered": 3,
        "query": 1,
        "groups": [3, 4],
        "loaded": ["Success", "Success"],
    }


def test_folders(play):
    assert play("folders") == {
        "made": True,
        "again": "ErrorFolderExists",
        "listed": ["Bills"],
        "moved": [True, 0],
        "count": 1,
        "emptied": 0,
        "gone": "ErrorItemNotFound",
        "well known": "ErrorDeleteDistinguishedFolder",
    }


def test_synchronisation(play):
    play.world.place(ANN, MESSAGES["dots"])
    seen = play("sync")
    assert seen["folders"] is True
    assert (seen["first"], seen["second"], seen["third"]) == (1, [["Create", "new"]], ["ReadFlagChange"])
    assert seen["nonsense"] == "ErrorInvalidSyncStateData"


def test_calendars(play):
    assert play("calendar") == {
        "request": ["MeetingRequest", "here", "2027-03-01 09:00"],
        "accepted": ["Accept"],
        "answers": [[BOB, "Accept"]],
        "cancelled": ["IPM.Schedule.Meeting.Canceled"],
        "occurrences": 4,
        "exceptions": [["weekly", "Occurrence"], ["weekly, moved", "Exception"], ["weekly", "Occurrence"]],
        "master": "RecurringMaster",
    }


def test_contacts(play):
    assert play("contacts") == {
        "card": ["Carl", "Cedar", "Cedar and Sons", "carl@cedar.test"],
        "phone": "+45 1234",
        "city": "Aarhus",
        "changed": "Dogwood",
        "resolved": ["carl@cedar.test"],
        "group": [BOB],
        "deleted": "ErrorItemNotFound",
    }


def test_tasks(play):
    assert play("tasks") == {
        "task": ["dig", "NotStarted", False, 0],
        "half": 50,
        "complete": [True, 100],
        "left": 0,
    }


def test_settings(play):
    assert play("settings") == {
        "absence": ["Enabled", "away"],
        "configuration": "value",
        "rules": ["sort"],
        "availability": "Success",
        "rooms": 0,
    }


def test_pulled_notifications(play):
    seen = play("pull")
    assert seen["events"] == ["Created", "NewMail"]
    assert seen["after"] == "ErrorSubscriptionNotFound"


def test_streamed_notifications(play):
    assert play("stream")["events"] == ["Created", "NewMail"]


def test_autodiscover(play):
    seen = play("autodiscover", finder=play.url.replace("/EWS/Exchange.asmx", "/autodiscover/autodiscover.svc"))
    assert seen == {"settings": ["Ann", play.url], "nobody": "InvalidUser"}


def test_delegates(play):
    assert play("delegates") == {
        "added": ["Success"],
        "told": ["DelegatesAndMe", [[BOB, "Editor"]]],
        "seen": ["by the other"],
        "inbox": "ErrorAccessDenied",
        "less": ["DelegatesAndSendInformationToMe", [[BOB, "Reviewer"]]],
        "left": 0,
    }


def test_acting_for_another(play):
    play.world.ews.impersonators[BOB] = {"*"}
    assert play("impersonation") == {
        "whose": ["in the name of"],
        "nobody": "The SMTP address has no mailbox associated with it.",
    }


def test_properties_and_ids(play):
    assert play("properties") == {
        "values": [7, "the body"],
        "found": 1,
        "hexadecimal": True,
        "back": True,
    }


def test_conversations(play):
    assert play("conversations") == {"topics": ["other", "talk"], "nodes": ["RE: talk", "talk"]}


def test_many_at_once(play):
    success = ["Success"] * 3
    assert play("manyAtOnce") == {
        "made": success,
        "changed": success,
        "copied": success,
        "moved": ["Success"] * 2,
        "gone": ["Error", "Error", "Success"],
        "where": [0, 3, 2],
    }


def test_rooms_and_groups(play):
    play.world.add_account("atlas@sim.test", PASSWORD, name="Atlas").is_room = True
    play.world.add_group("rooms@sim.test", ["atlas@sim.test"]).is_room_list = True
    play.world.add_group("team@sim.test", [ANN, BOB])
    assert play("people") == {
        "lists": ["rooms@sim.test"],
        "rooms": ["atlas@sim.test"],
        "group": [ANN, BOB],
        "expiration": "done",
        "tags": "done",
    }
