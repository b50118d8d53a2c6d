"""What is typed becomes values; passwords come from a prompt, the input or the environment, never from arguments."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest

from postroom.cli.desk import UsageProblem
from postroom.cli.inputs import BadValues, assignments, free_assignments, moment, option, password, server
from postroom.model import EmailServerProfile, IncomingFilteringMethod, Lookup, Mailbox, SystemUser, UserSettings


def nobody(entity: str, text: str) -> Lookup:
    return Lookup(entity, text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("incomingportnumber=995", 995),
        ("incomingusessl=no", False),
        ("incomingusessl=TRUE", True),
        ("servertype=other", 1),
        ("servertype=3", 3),
        ("description=", None),
        ("description=a=b", "a=b"),
        ("processemailsreceivedafter=2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("processemailsreceivedafter=2026-03-01T09:30+02:00", datetime(2026, 3, 1, 7, 30, tzinfo=UTC)),
        ("ownerid=Ada", Lookup("systemuser", "Ada")),
        ("ownerid=team:Blue", Lookup("team", "Blue")),
    ],
)
def test_values_of_published_attributes(text: str, value: Any) -> None:
    (found,) = assignments([text], nobody, EmailServerProfile)
    assert list(found.values()) == [value]


def test_each_attribute_goes_to_the_first_entity_that_has_it() -> None:
    user, settings = assignments(["fullname=Ada", "issendasallowed=yes"], nobody, SystemUser, UserSettings)
    assert (user, settings) == ({"fullname": "Ada"}, {"issendasallowed": True})


def test_everything_that_is_wrong_is_said_at_once() -> None:
    texts = ["novalue", "usernam=x", "isforwardmailbox=perhaps", "incomingemaildeliverymethod=pigeon", "password=hunter2"]
    with pytest.raises(BadValues) as refused:
        assignments(texts, nobody, Mailbox)
    assert len(refused.value.problems) == 5
    told = str(refused.value)
    assert "did you mean 'username'?" in told
    assert "3 forward mailbox" in told
    assert "--password" in told
    assert "hunter2" not in told


def test_free_records_take_text_and_json() -> None:
    texts = ["fullname=Betty", "statecode:=1", "ownerid=Ada", "emailaddress2="]
    assert free_assignments(texts, nobody) == {
        "fullname": "Betty",
        "statecode": 1,
        "ownerid": Lookup("systemuser", "Ada"),
        "emailaddress2": None,
    }
    with pytest.raises(BadValues) as refused:
        free_assignments(["1x=1", "n:=[", "emailpassword=hunter2"], nobody)
    assert len(refused.value.problems) == 3
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("text", ["in response to crm email", "IN_RESPONSE_TO_CRM_EMAIL", "in-response-to-crm-email", "1"])
def test_an_option_by_number_or_name(text: str) -> None:
    assert option(IncomingFilteringMethod, text) is IncomingFilteringMethod.IN_RESPONSE_TO_CRM_EMAIL


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", ""])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="moment expected"):
        moment(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [("mail.test", ("mail.test", None)), ("mail.test:995", ("mail.test", 995)), ("[::1]:25", ("::1", 25))],
)
def test_servers(text: str, place: tuple[str, int | None]) -> None:
    assert server(text, "--pop3") == place


@pytest.mark.parametrize(
    "text", ["", "a b", "mail.test:", "mail.test:x", "mail.test:0", "mail.test:70000", "u:p@mail.test", "::1:25"]
)
def test_what_is_no_server(text: str) -> None:
    with pytest.raises(UsageProblem, match="HOST:PORT expected"):
        server(text, "--pop3")


def test_passwords_come_from_where_nobody_else_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "hunter2")
    from_variable = password(False, "MINE", "Ada")
    monkeypatch.setattr("sys.stdin", io.StringIO("hunter3\nnot this\n"))
    from_input = password(True, "", "Ada")
    assert from_variable is not None
    assert from_input is not None
    assert (from_variable.reveal(), from_input.reveal()) == ("hunter2", "hunter3")
    assert password(False, "", "Ada") is None


def test_a_terminal_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    asked = []
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda prompt: asked.append(prompt) or "hunter4")
    found = password(True, "", "Ada")
    assert found is not None
    assert found.reveal() == "hunter4"
    assert asked == ["Password of Ada: "]


@pytest.mark.parametrize(("ask", "variable"), [(True, ""), (False, "NOT_THERE")])
def test_no_password_where_one_was_promised(monkeypatch: pytest.MonkeyPatch, ask: bool, variable: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(UsageProblem):
        password(ask, variable, "Ada")
