"""What callers may write, and what they are told when they may not."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from postroom.errors import InvalidValue, NotWritable, RecordError, RequiredMissing, UnknownAttribute
from postroom.model import EmailServerProfile, Lookup, Mailbox, MailboxTestStatus, Queue, RecordState, ServerType, UserSettings
from postroom.model.validate import Secret, validate_create, validate_update

ID = "11111111-0000-4000-8000-0000000000ab"


def test_values_are_normalized() -> None:
    done = validate_create(
        EmailServerProfile,
        {
            "name": "p",
            "servertype": 1,
            "incomingpassword": "secret word",
            "outgoingpassword": None,
            "ownerid": Lookup("systemuser", "{" + ID.upper() + "}"),
            "processemailsreceivedafter": datetime(2026, 1, 5, 9, 0, tzinfo=timezone(timedelta(hours=1))),
            "useautodiscover": None,
        },
    )
    assert done == {
        "name": "p",
        "servertype": ServerType.OTHER,
        "ownerid": Lookup("systemuser", ID),
        "processemailsreceivedafter": datetime(2026, 1, 5, 8, 0, tzinfo=UTC),
        "useautodiscover": False,
    }
    assert done["servertype"] is ServerType.OTHER
    assert done.secrets == {"incomingpassword": Secret("secret word"), "outgoingpassword": None}
    assert "secret word" not in repr(done.secrets)
    assert EmailServerProfile(**done).servertype is ServerType.OTHER


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"nam": "x"}, UnknownAttribute, "did you mean 'name'"),
        ({"pasword": "x"}, UnknownAttribute, "did you mean 'password'"),
        ({"name": "x" * 201}, InvalidValue, "201 characters, at most 200"),
        ({"name": 5}, InvalidValue, "text expected, not int"),
        ({"name": "a\x00"}, InvalidValue, "NUL"),
        ({"name": "a\nb"}, InvalidValue, "single line"),
        ({"name": "\udc80"}, InvalidValue, "surrogates"),
        ({"emailaddress": "nobody"}, InvalidValue, "not an e-mail address"),
        ({"emailaddress": "a b@x.test"}, InvalidValue, "not an e-mail address"),
        ({"emailaddress": "@x.test"}, InvalidValue, "not an e-mail address"),
        ({"statecode": 9}, InvalidValue, "0 ACTIVE, 1 INACTIVE"),
        ({"statecode": True}, InvalidValue, "option expected"),
        ({"statecode": MailboxTestStatus.SUCCESS}, InvalidValue, "option expected"),
        ({"statecode": "1"}, InvalidValue, "option expected"),
        ({"processanddeleteemails": 1}, InvalidValue, "True or False"),
        ({"lastsyncerrorcode": 2**31}, InvalidValue, "not within"),
        ({"lastsyncerrorcode": 10**5000}, InvalidValue, "not within"),
        ({"lastsyncerrorcode": 1.0}, InvalidValue, "whole number"),
        ({"ewsurl": "x" * 2085}, InvalidValue, "2085"),
        ({"postponesendinguntil": datetime(2026, 1, 1)}, InvalidValue, "time zone"),  # noqa: DTZ001
        ({"postponesendinguntil": "2026"}, InvalidValue, "time zone"),
        ({"emailserverprofile": Lookup("mailbox", ID)}, InvalidValue, "a lookup to emailserverprofile"),
        ({"emailserverprofile": ID}, InvalidValue, "a Lookup expected"),
        ({"emailserverprofile": Lookup("emailserverprofile", "x")}, InvalidValue, "uuid"),
        ({"password": "x" * 201}, InvalidValue, "at most 200"),
        ({"isforwardmailbox": False}, NotWritable, "engine only"),
        ({"lastmessageid": "x"}, NotWritable, "engine only"),
        ({"incomingemailstatus": 1}, NotWritable, "after the record was created"),
    ],
)
def test_refused_at_create(values: dict[str, Any], error: type[RecordError], words: str) -> None:
    with pytest.raises(error, match=words) as refused:
        validate_create(Mailbox, values)
    assert f"mailbox.{next(iter(values))}" in str(refused.value)
    assert len(str(refused.value)) < 400


def test_update_only_and_create_only() -> None:
    assert validate_update(Mailbox, {"incomingemailstatus": 1, "verboseloggingenabled": 100}) == {
        "incomingemailstatus": MailboxTestStatus.SUCCESS,
        "verboseloggingenabled": 100,
    }
    user = Lookup("systemuser", ID)
    assert validate_create(Mailbox, {"regardingobjectid": user, "mailboxid": ID}) == {
        "regardingobjectid": user,
        "mailboxid": ID,
    }
    for name, value in (("regardingobjectid", user), ("mailboxid", ID)):
        with pytest.raises(NotWritable, match="when the record is created"):
            validate_update(Mailbox, {name: value})
    assert validate_update(Mailbox, {"statecode": 1})["statecode"] is RecordState.INACTIVE
    assert validate_update(Mailbox, {"name": None}) == {"name": None}


def test_deprecated_passwords_cannot_be_written() -> None:
    for cls in (Queue, UserSettings):
        with pytest.raises(NotWritable, match="emailpassword"):
            validate_update(cls, {"emailpassword": "hush"})


def test_required() -> None:
    with pytest.raises(RequiredMissing, match=r"name: is required; .*servertype: is required"):
        validate_create(EmailServerProfile, {})
    with pytest.raises(RequiredMissing):
        validate_update(EmailServerProfile, {"name": None})
    assert validate_update(EmailServerProfile, {}) == {}
    assert validate_create(UserSettings, {}) == {}


def test_all_problems_at_once() -> None:
    with pytest.raises(InvalidValue) as refused:
        validate_update(Mailbox, {"name": 5, "isforwardmailbox": True, "nam": 1})
    for words in ("mailbox.name", "mailbox.isforwardmailbox", "mailbox.nam:"):
        assert words in str(refused.value)
    with pytest.raises(UnknownAttribute, match="and 980 more") as many:
        validate_update(Mailbox, {f"zzz{n}": 1 for n in range(1000)})
    assert len(str(many.value)) < 5000


def test_a_password_is_never_shown() -> None:
    for value in ("hush" * 100, "hush\x00", "hush\nhush", b"hush"):
        with pytest.raises(InvalidValue) as refused:
            validate_create(Mailbox, {"password": value})
        assert "hush" not in str(refused.value)
    secret = Secret("hush")
    assert "hush" not in repr(secret) + str(secret)
    assert secret.reveal() == "hush"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert validate_create(Mailbox, {"password": secret}).secrets == {"password": secret}
