"""Correlation against stored emails: each method's look-up, its index, and what it must not find (server-side-sync reference 4.5 to 4.7)."""

from __future__ import annotations

import base64
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from organization_house import House

from postroom.model import CorrelationMethod, Email, EmailHash, HashType, Lookup
from postroom.model import Organization as OrganizationRecord
from postroom.organization import SYSTEM
from postroom.rules import smart_matching
from postroom.rules.tracking_header import TRACKING_HEADER

M = CorrelationMethod


def switches(**values: bool) -> str:
    inner = "".join(f"<{name}>{str(value).lower()}</{name}>" for name, value in values.items())
    return f"<OrgSettings>{inner}</OrgSettings>"


def sent(house: House, sender: Lookup, to: Lookup, subject: str = "Order", **values: Any) -> Email:
    email_id = house.organization.create_email(SYSTEM, from_=sender, to=[to], subject=subject, **values)
    house.organization.send_email(SYSTEM, email_id, tracking_token=values.get("token", ""))
    return house.email(email_id)


def took(house: House, owner: Lookup, number: int, **headers: Any) -> Email:
    return house.email(house.take_in(owner, house.offer(number, **headers)))


def found(email: Email) -> tuple[CorrelationMethod | None, Lookup | None]:
    return email.correlationmethod, email.correlatedactivityid


@pytest.fixture
def smart(house: House) -> House:
    house.settings(enablesmartmatching=True)
    return house


@pytest.fixture
def smart_sqlite() -> Iterator[House]:
    """What is asked can be listened to, and its plan had, where the driver is SQLite's."""
    house = House(enablesmartmatching=True)
    yield house
    house.deployment.close()


# -- smart matching ---------------------------------------------------------------------------------------------------


def test_an_answer_without_headers_is_known_by_words_and_people(smart: House) -> None:
    ada, carl = smart.user("ada"), smart.contact("carl")
    incident = Lookup("incident", smart.organization.create(SYSTEM, "incident", title="Broken"))
    original = sent(smart, ada, carl, "The broken lamp", regardingobjectid=incident)
    answer = took(smart, ada, 1, Subject="AW: the broken LAMP")
    assert found(answer) == (M.SMART_MATCHING, original.reference)
    assert (answer.parentactivityid, answer.regardingobjectid) == (None, incident)
    assert found(took(smart, ada, 2, Subject="AW: The broken bowl")) == (M.NONE, None)
    smart.settings(enablesmartmatching=False)
    assert found(took(smart, ada, 3, Subject="AW: The broken lamp")) == (M.NONE, None)


def test_tracked_mail_is_matched_too(smart: House) -> None:
    ada = smart.user("ada")
    first = took(smart, ada, 1, Subject="Delivery on Friday")
    assert found(took(smart, ada, 2, Subject="RE: Delivery on Friday")) == (M.SMART_MATCHING, first.reference)


def test_both_hash_sets_are_kept_and_go_with_the_email(smart: House) -> None:
    ada = smart.user("ada")
    email = took(smart, ada, 1, Subject="RE: Two words", Cc="x@else.test")
    rows = smart.organization.retrieve_multiple(SYSTEM, "emailhash", activityid=email.reference)
    words = {row.hash for row in rows if row.hashtype is HashType.SUBJECT}
    people = {row.hash for row in rows if row.hashtype is HashType.RECIPIENT}
    assert words == {smart_matching.hash_of("two"), smart_matching.hash_of("words")}
    assert people == {smart_matching.hash_of(one) for one in ("carl@birch.test", "ada@alder.test", "x@else.test")}
    smart.organization.delete(SYSTEM, "email", email.activityid)
    assert smart.organization.retrieve_multiple(SYSTEM, "emailhash") == []


def test_nothing_is_kept_while_it_is_off(house: House) -> None:
    took(house, house.user("ada"), 1)
    assert house.organization.retrieve_multiple(SYSTEM, "emailhash") == []


def test_the_most_recent_wins_and_only_90_days_count(smart: House) -> None:
    ada = smart.user("ada")
    took(smart, ada, 1, Subject="The lamp")
    smart.clock.advance(days=1)
    second = took(smart, ada, 2, Subject="The lamp")
    assert found(took(smart, ada, 3, Subject="RE: The lamp")) == (M.SMART_MATCHING, second.reference)
    smart.clock.advance(days=91)
    assert found(took(smart, ada, 4, Subject="RE: The lamp")) == (M.NONE, None)


def test_the_published_numbers_are_settings(smart: House) -> None:
    ada = smart.user("ada")
    took(smart, ada, 1, Subject="The broken lamp", From="eve@fir.test")
    assert found(took(smart, ada, 2, Subject="The broken lamp"))[0] is M.NONE  # one common address
    smart.settings(hashminaddresscount=1)
    assert found(took(smart, ada, 3, Subject="The broken lamp", From="x@fir.test"))[0] is M.SMART_MATCHING
    assert found(took(smart, ada, 4, Subject="The broken lamp again", From="y@fir.test"))[0] is M.NONE
    smart.settings(hashdeltasubjectcount=1)
    assert found(took(smart, ada, 5, Subject="The broken lamp again", From="z@fir.test"))[0] is M.SMART_MATCHING
    smart.settings(hashfilterkeywords=r"(?i)\[ext\]\s*", hashdeltasubjectcount=0)
    assert found(took(smart, ada, 6, Subject="[EXT] The broken lamp", From="w@fir.test"))[0] is M.SMART_MATCHING


def test_equal_hashes_of_other_words_are_no_match(smart: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every text has the same hash: only the texts can tell."""
    monkeypatch.setattr(smart_matching, "hash_of", lambda text: 7)
    ada = smart.user("ada")
    smart.settings(hashminaddresscount=1)
    first = took(smart, ada, 1, Subject="Lamp")
    assert found(took(smart, ada, 2, Subject="Bowl"))[0] is M.NONE
    assert found(took(smart, ada, 3, Subject="Lamp")) == (M.SMART_MATCHING, first.reference)


def test_an_everyday_subject_costs_no_more_than_any(smart_sqlite: House) -> None:
    """As many emails with the same word as there are: what is read stays bounded."""
    ada = smart_sqlite.user("ada")
    with smart_sqlite.organization.store.transaction() as tx:
        word = smart_matching.hash_of("hello")
        rows = [EmailHash(activityid=Lookup("email", str(n)), hash=word, hashtype=HashType.SUBJECT) for n in range(3_000)]
        tx.create_many(rows)
    last = took(smart_sqlite, ada, 1, Subject="Hello")
    with traced(smart_sqlite) as asked:
        assert found(took(smart_sqlite, ada, 2, Subject="Hello")) == (M.SMART_MATCHING, last.reference)
    reading = [one for one in asked if "FROM emailhash" in one and one.startswith("SELECT")]
    assert len(reading) == 3
    assert all(len(one) < 20_000 for one in reading)


@pytest.mark.parametrize("pattern", ["(", "(?=a)", "a{9999}"])
def test_a_pattern_that_cannot_be_used_is_refused(house: House, pattern: str) -> None:
    with pytest.raises(Exception, match="hashfilterkeywords"):
        house.settings(hashfilterkeywords=pattern)


# -- headers ----------------------------------------------------------------------------------------------------------


def thread(*octets: int) -> str:
    return base64.b64encode(bytes(range(1, 23)) + bytes(octets)).decode()


def test_a_conversation_is_known_by_its_whole_base(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom.organization.correlating.base_hash", lambda base: 5)
    monkeypatch.setattr("postroom.organization.promotion.base_hash", lambda base: 5)
    ada = house.user("ada")
    other = base64.b64encode(bytes(range(2, 24))).decode()
    first = took(house, ada, 1, Thread_Index=thread())
    assert (first.conversationindex, first.baseconversationindexhash) == (thread(), 5)
    assert found(took(house, ada, 2, Thread_Index=other)) == (M.NONE, None)  # the hash is equal, the base is not
    second = took(house, ada, 3, Thread_Index=thread(1, 2, 3, 4, 5))
    assert found(second) == (M.CONVERSATION_INDEX, first.reference)
    assert second.parentactivityid == first.reference
    house.settings(orgdborgsettings=switches(IgnoreConversationIndexAndInReplyToForCorrelation=True))
    assert found(took(house, ada, 4, Thread_Index=thread(9)))[0] is M.NONE


def test_the_last_reference_counts_where_it_is_switched_on(house: House) -> None:
    ada = house.user("ada")
    took(house, ada, 1)
    second = took(house, ada, 2)
    references = "<1@birch.test> <2@birch.test>"
    assert found(took(house, ada, 3, References=references)) == (M.NONE, None)
    house.settings(orgdborgsettings=switches(PostroomUseReferencesForCorrelation=True))
    answer = took(house, ada, 4, References=references)
    assert found(answer) == (M.IN_REPLY_TO, second.reference)
    assert answer.parentactivityid == second.reference
    assert found(took(house, ada, 5, References="<1@birch.test> <unknown@else.test>"))[0] is M.NONE
    assert found(took(house, ada, 6, References="<6@birch.test>", In_Reply_To="<6@birch.test>"))[0] is M.NONE


def test_our_own_header_names_the_email(house: House) -> None:
    ada, carl = house.user("ada"), house.contact("carl")
    one, two = sent(house, ada, carl, "One"), sent(house, ada, carl, "Two")
    headers = {TRACKING_HEADER: two.activityid, "In_Reply_To": one.messageid or ""}
    answer = took(house, ada, 1, **headers)
    assert found(answer) == (M.X_HEADER, two.reference)
    assert answer.parentactivityid is None
    house.settings(orgdborgsettings=switches(PostroomUseXHeaderForCorrelation=False))
    assert found(took(house, ada, 2, **headers)) == (M.IN_REPLY_TO, one.reference)
    house.settings(orgdborgsettings="", emailcorrelationenabled=False)
    assert found(took(house, ada, 3, **headers))[0] is M.NONE
    house.settings(emailcorrelationenabled=True)
    received = took(house, ada, 4)
    assert found(took(house, ada, 5, **{TRACKING_HEADER: received.activityid}))[0] is M.NONE  # not one we sent


def test_a_copy_of_itself_is_no_answer(smart: House) -> None:
    """Internal mail is stored twice; our header, the conversation and the words of the second are those of the first."""
    ada, ben = smart.user("ada"), smart.user("ben", filter_=1)
    original = sent(smart, ada, ben, "The lamp", conversationindex=thread())
    copy = {
        "From": "ada@alder.test",
        "To": "ben@alder.test",
        "Subject": "The lamp",
        "Message_ID": original.messageid or "",
        TRACKING_HEADER: original.activityid,
        "Thread_Index": thread(),
    }
    assert not smart.gateway(ben).check_incoming(smart.offer(1, **copy)).deliver
    copy["Message_ID"] = "<answer@birch.test>"
    assert smart.gateway(ben).check_incoming(smart.offer(2, **copy)).deliver


def test_correlation_that_is_switched_off_is_skipped(house: House) -> None:
    ada = house.user("ada")
    assert took(house, ada, 1).correlationmethod is M.NONE
    house.settings(emailcorrelationenabled=False, trackingprefix="")
    assert took(house, ada, 2).correlationmethod is M.SKIPPED


# -- tokens -----------------------------------------------------------------------------------------------------------


def token_of(house: House, ada: Lookup, carl: Lookup) -> Email:
    email_id = house.organization.create_email(SYSTEM, from_=ada, to=[carl], subject="Order")
    house.organization.send_email(SYSTEM, email_id)
    return house.email(email_id)


def test_tokens_from_before_a_change_of_prefix_and_digits(house: House) -> None:
    ada, carl = house.user("ada"), house.contact("carl")
    first = token_of(house, ada, carl)
    house.settings(trackingprefix="ALD:", trackingtokeniddigits=5, maximumtrackingnumber=99_999)
    second = token_of(house, ada, carl)
    assert (first.trackingtoken or "")[:4] == "CRM:"
    assert (second.trackingtoken or "")[:4] == "ALD:"
    for number, email in enumerate((first, second)):
        answer = took(house, ada, number, Subject=f"re: order {(email.trackingtoken or '').lower()}")
        assert found(answer) == (M.TRACKING_TOKEN, email.reference)


def test_the_last_token_that_is_ours(house: House) -> None:
    ada, carl = house.user("ada"), house.contact("carl")
    one, two = token_of(house, ada, carl), token_of(house, ada, carl)
    both = f"{one.trackingtoken} {two.trackingtoken}"
    assert found(took(house, ada, 1, Subject=both)) == (M.TRACKING_TOKEN, two.reference)
    somebody_elses = f"{two.trackingtoken} {one.trackingtoken} CRM:0999999 CRM:12"
    assert found(took(house, ada, 2, Subject=somebody_elses)) == (M.TRACKING_TOKEN, one.reference)


def test_of_equal_tokens_the_most_recent_email(house: House) -> None:
    """Counters come round: after the last number the first is given again."""
    ada, carl = house.user("ada"), house.contact("carl")
    house.settings(maximumtrackingnumber=1)
    emails = []
    for _ in range(4):
        emails.append(token_of(house, ada, carl))
        house.clock.advance(minutes=1)
    assert [one.trackingtoken for one in emails[:2]] == [one.trackingtoken for one in emails[2:]]
    assert found(took(house, ada, 1, Subject=f"RE: {emails[0].subject}")) == (M.TRACKING_TOKEN, emails[2].reference)


def test_a_header_goes_before_a_token(house: House) -> None:
    ada, carl = house.user("ada"), house.contact("carl")
    one, two = token_of(house, ada, carl), token_of(house, ada, carl)
    answer = took(house, ada, 1, Subject=f"RE: {two.subject}", In_Reply_To=one.messageid or "")
    assert found(answer) == (M.IN_REPLY_TO, one.reference)


# -- what it costs ----------------------------------------------------------------------------------------------------


@contextmanager
def traced(house: House) -> Iterator[list[str]]:
    pooled = house.organization.store._database.engine.raw_connection()
    driver = pooled.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    asked: list[str] = []
    driver.set_trace_callback(asked.append)
    try:
        yield asked
    finally:
        driver.set_trace_callback(None)


def test_every_look_up_goes_by_an_index(smart_sqlite: House) -> None:
    """All methods in one message; whatever it asks of emails, hashes and addresses is answered without reading a whole table."""
    smart_sqlite.settings(orgdborgsettings=switches(PostroomUseReferencesForCorrelation=True))
    ada = smart_sqlite.user("ada")
    took(smart_sqlite, ada, 1, Subject="The lamp")
    headers = {
        "Subject": "RE: The lamp CRM:0001001 the",
        "In_Reply_To": "<a@b.test>",
        "References": "<a@b.test> <c@d.test>",
        "Thread_Index": thread(),
        TRACKING_HEADER: "5d0f4cb5-8b33-4e2f-9a34-1f6f2a0d7c11",
    }
    with traced(smart_sqlite) as asked:
        smart_sqlite.gateway(ada).check_incoming(smart_sqlite.offer(2, **headers))
        smart_sqlite.gateway(ada).check_incoming(smart_sqlite.offer(3, Subject="The lamp"))
    questions = [one for one in asked if one.startswith("SELECT") and " FROM email" in one.replace("\n", " ")]
    assert len(questions) >= 8
    pooled = smart_sqlite.organization.store._database.engine.raw_connection()
    for question in questions:
        plan = [row[3] for row in pooled.cursor().execute(f"EXPLAIN QUERY PLAN {question}").fetchall()]
        scans = [step for step in plan if step.startswith("SCAN") and not re.search("json_each|VIRTUAL|SCAN few", step)]
        assert scans == [], (question, plan)


def test_settings_of_the_row_are_the_policy(house: House) -> None:
    row = OrganizationRecord()
    assert (row.enablesmartmatching, row.emailcorrelationenabled) == (False, True)
    assert (row.hashmaxcount, row.hashdeltasubjectcount, row.hashminaddresscount) == (20, 0, 2)
    assert house.organization.settings.enablesmartmatching is False
    assert timedelta(days=90) == smart_matching.SEARCHED_DAYS
