"""Settings: every one is named, explained and changed by one name; what is wrong is said at once and changes nothing."""

from __future__ import annotations

from command_desk import Desk

from postroom.cli import meanings
from postroom.cli.settings import known_settings


def test_every_setting_has_a_meaning_and_every_meaning_a_setting() -> None:
    known = known_settings()
    assert [one.name for one in known.values() if not one.meaning] == []
    assert {*meanings.COLUMNS, *meanings.SWITCHES, *meanings.DEPLOYMENT} == set(known)


def test_settings_of_all_three_kinds_are_listed_with_default_and_source(alder: Desk) -> None:
    items = {one["attribute"]: one for one in alder.json("settings", "list")["items"]}
    assert items.keys() == known_settings().keys()
    assert items["ignoreinternalemail"] | {"meaning": ""} == {
        "name": "ignoreinternalemail",
        "attribute": "ignoreinternalemail",
        "where": "organization",
        "value": False,
        "default": False,
        "source": "published",
        "reference": "1.5",
        "read_only": False,
        "meaning": "",
    }
    assert (items["donotautotrackemail"]["name"], items["donotautotrackemail"]["where"]) == (
        "DoNotAutoTrackEmail",
        "orgdborgsettings",
    )
    assert (items["allow_non_ssl_email"]["source"], items["item_attempts"]["source"]) == ("ours", "ours")


def test_one_call_changes_settings_of_all_three_kinds(alder: Desk) -> None:
    alder.run("settings", "set", "IGNOREINTERNALEMAIL=yes", "MaximumSubjectLengthOnMailServer=120", "AllowNonSSLEmail=yes")
    changed = {one["attribute"]: one["value"] for one in alder.json("settings", "list", "--changed")["items"]}
    assert changed == {
        "name": "Alder",
        "ignoreinternalemail": True,
        "maximumsubjectlengthonmailserver": 120,
        "allow_non_ssl_email": True,
    }
    alder.run("settings", "set", "ignoreinternalemail=", "maximumsubjectlengthonmailserver=", "allow_non_ssl_email=")
    assert [one["attribute"] for one in alder.json("settings", "list", "--changed")["items"]] == ["name"]


def test_everything_wrong_is_said_at_once_and_nothing_is_changed(alder: Desk) -> None:
    calls = ["ignoreinternalemail=yes", "nonsense=1", "trackingtokeniddigits=many", "AllowNonSSLEmail=perhaps", "what"]
    told = alder.refused("settings", "set", *calls, code=2)
    assert len(told.splitlines()) == 4
    told = alder.refused(
        "settings", "set", "trackingtokeniddigits=many", "item_attempts=0", "trackingtokenidbase=12345", code=2
    )
    assert len(told.splitlines()) == 3, told
    error = alder.json(
        "settings",
        "set",
        "ignoreinternalemail=yes",
        "trackingtokeniddigits=11",
        "item_attempts=0",
        "maximumsubjectlengthonmailserver=0",
        code=2,
    )
    assert len(error["problems"]) == 3
    assert [one["attribute"] for one in alder.json("settings", "list", "--changed")["items"]] == ["name"]


def test_what_the_engine_writes_is_not_set(alder: Desk) -> None:
    assert "engine only" in alder.refused("settings", "set", "maxverboseloggingmailbox=3", code=2)


def test_one_setting_is_found_by_either_name(alder: Desk) -> None:
    assert alder.json("settings", "show", "AllowNonSSLEmail") == alder.json("settings", "show", "allow-non-ssl-email")
    assert "did you mean" in alder.refused("settings", "show", "AllowNonSLEmail", code=2)


def test_a_look_up_is_given_by_name(alder: Desk) -> None:
    made = alder.json("profile", "create", "Mail", "--pop3", "mail.test", "--smtp", "mail.test")
    alder.run("settings", "set", "defaultemailserverprofileid=Mail")
    assert alder.json("settings", "show", "defaultemailserverprofileid")["value"] == {
        "entity": "emailserverprofile",
        "id": made["id"],
    }


def test_settings_are_looked_for_by_words(alder: Desk) -> None:
    found = [one["attribute"] for one in alder.json("settings", "list", "approved", "queues")["items"]]
    assert found == ["requireapprovalforqueueemail"]
