"""Absences: ews reference 15; the replies that go out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from people_scene import ANN, BOB, Answer, Office

from postroom_simulator.actors import AutoReply, OofReply, OutOfOffice
from postroom_simulator.clock import ManualClock

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
MAIL = "From: {0}\r\nTo: {1}\r\nSubject: Hello\r\nMessage-ID: <1@x.test>\r\n\r\nhi\r\n"


def set_oof(
    office: Office,
    state: str = "Enabled",
    audience: str = "All",
    duration: str = "",
    who: str = ANN,
    whose: str = ANN,
    **texts: str,
) -> Answer:
    internal, external = texts.get("internal", "away inside"), texts.get("external", "away outside")
    return office.ask(
        "SetUserOofSettingsRequest",
        f"<t:Mailbox><t:Address>{whose}</t:Address></t:Mailbox><t:UserOofSettings><t:OofState>{state}</t:OofState>"
        f"<t:ExternalAudience>{audience}</t:ExternalAudience>{duration}"
        f'<t:InternalReply xml:lang="de-DE"><t:Message>{internal}</t:Message></t:InternalReply>'
        f"<t:ExternalReply><t:Message>{external}</t:Message></t:ExternalReply></t:UserOofSettings>",
        who=who,
    )


def get_oof(office: Office, whose: str = ANN, who: str = ANN) -> Answer:
    return office.ask("GetUserOofSettingsRequest", f"<t:Mailbox><t:Address>{whose}</t:Address></t:Mailbox>", who=who)


def lasting(start: datetime, end: datetime) -> str:
    first, last = (f"{one:%Y-%m-%dT%H:%M:%SZ}" for one in (start, end))
    return f"<t:Duration><t:StartTime>{first}</t:StartTime><t:EndTime>{last}</t:EndTime></t:Duration>"


def write(office: Office, sender: str, to: str = ANN, extra: str = "") -> None:
    office.world.deliver(sender, [to], (extra + MAIL.format(sender, to)).encode())


def answers(office: Office, address: str) -> list[str]:
    """Automatic replies to somebody, inside or outside."""
    store = office.world.store
    outside = [store.outbound_octets(one.uid).decode() for one in store.outbound() if address in one.recipients]
    inside = office.inbox(address) if address in office.world.directory else []
    return [one for one in inside + outside if "Auto-Submitted: auto-replied" in one]


def body_of(text: str) -> str:
    import base64

    return base64.b64decode(text.partition("\r\n\r\n")[2]).decode()


def test_nobody_is_away_at_first(office: Office) -> None:
    found = get_oof(office)
    assert (found.codes, found.one("OofState"), found.one("ExternalAudience")) == (["NoError"], "Disabled", "All")
    assert found.one("AllowExternalOof") == "All"
    assert len(found.all("Duration")) == 1


@pytest.mark.parametrize("state", ["Disabled", "Enabled", "Scheduled"])
@pytest.mark.parametrize("audience", ["None", "Known", "All"])
def test_what_was_set_is_told_again_times_included(office: Office, state: str, audience: str) -> None:
    start, end = NOW, NOW + timedelta(days=7, minutes=30)
    assert set_oof(office, state, audience, lasting(start, end)).codes == ["NoError"]
    found = get_oof(office)
    assert (found.one("OofState"), found.one("ExternalAudience")) == (state, audience)
    assert (found.one("StartTime"), found.one("EndTime")) == ("2026-11-22T10:00:00Z", "2026-11-29T10:30:00Z")
    assert (found.one("InternalReply/Message"), found.one("ExternalReply/Message")) == ("away inside", "away outside")
    assert found.element.find(".//{*}InternalReply").get("{http://www.w3.org/XML/1998/namespace}lang") == "de-DE"


def test_a_schedule_needs_a_duration(office: Office) -> None:
    assert set_oof(office, "Scheduled").codes == ["ErrorInvalidScheduledOofDuration"]
    assert set_oof(office, "Scheduled", duration=lasting(NOW, NOW)).codes == ["ErrorInvalidScheduledOofDuration"]
    assert get_oof(office).one("OofState") == "Disabled"


def test_a_reply_has_a_limit(office: Office) -> None:
    assert set_oof(office, internal="x" * 70_000).codes == ["ErrorInvalidUserOofSettings"]


def test_settings_are_the_owners(office: Office) -> None:
    for found in (get_oof(office, whose=BOB), set_oof(office, whose=BOB)):
        assert found.codes == ["ErrorAccessDenied"]
    for found in (get_oof(office, whose="x@out.test"), set_oof(office, whose="x@out.test")):
        assert found.codes == ["ErrorNonExistentMailbox"]
        assert found.all("OofSettings") == []


def test_inside_and_outside_get_their_replies(office: Office) -> None:
    set_oof(office)
    write(office, BOB)
    write(office, "x@out.test")
    (inside,), (outside,) = answers(office, BOB), answers(office, "x@out.test")
    assert (body_of(inside), body_of(outside)) == ("away inside", "away outside")
    assert "Subject: Automatic reply: Hello" in inside
    assert "Content-Language: de-DE" in inside
    assert "text/plain" in inside


def test_html_goes_out_as_html(office: Office) -> None:
    set_oof(office, internal="&lt;html&gt;&lt;body&gt;away&lt;/body&gt;&lt;/html&gt;")
    write(office, BOB)
    (reply,) = answers(office, BOB)
    assert "Content-Type: text/html" in reply
    assert body_of(reply) == "<html><body>away</body></html>"


def test_nobody_outside(office: Office) -> None:
    set_oof(office, audience="None")
    write(office, "x@out.test")
    write(office, BOB)
    assert (answers(office, "x@out.test"), len(answers(office, BOB))) == ([], 1)


def test_contacts_alone_outside(office: Office) -> None:
    office.contact(
        '<t:DisplayName>X</t:DisplayName><t:EmailAddresses><t:Entry Key="EmailAddress2">X@out.test</t:Entry></t:EmailAddresses>'
    )
    set_oof(office, audience="Known")
    write(office, "x@out.test")
    write(office, "y@out.test")
    assert (len(answers(office, "x@out.test")), answers(office, "y@out.test")) == (1, [])


def test_everybody_is_answered_once_while_it_is_on(office: Office) -> None:
    clock = office.world.clock
    assert isinstance(clock, ManualClock)
    set_oof(office)
    for _ in range(3):
        write(office, BOB)
        clock.advance(86_400 * 10)
    assert len(answers(office, BOB)) == 1
    set_oof(office)  # the same again changes nothing
    write(office, BOB)
    assert len(answers(office, BOB)) == 1
    set_oof(office, "Disabled")
    write(office, BOB)
    assert len(answers(office, BOB)) == 1
    set_oof(office)
    write(office, BOB)
    assert len(answers(office, BOB)) == 2


def test_a_schedule_follows_the_clock(office: Office) -> None:
    clock = office.world.clock
    assert isinstance(clock, ManualClock)
    start = clock.now() + timedelta(hours=1)
    set_oof(office, "Scheduled", duration=lasting(start, start + timedelta(hours=2)))
    write(office, BOB)
    assert answers(office, BOB) == []
    clock.advance(3600)
    write(office, BOB)
    assert len(answers(office, BOB)) == 1
    clock.advance(2 * 3600)
    write(office, "x@out.test")
    assert answers(office, "x@out.test") == []


def test_an_empty_reply_is_not_sent(office: Office) -> None:
    set_oof(office, external="")
    write(office, "x@out.test")
    assert answers(office, "x@out.test") == []


@pytest.mark.parametrize(
    "field", ["X-Auto-Response-Suppress: OOF", "Auto-Submitted: auto-generated", "Precedence: bulk", "List-Id: <x>"]
)
def test_machines_are_not_answered(office: Office, field: str) -> None:
    set_oof(office)
    write(office, BOB, extra=f"{field}\r\n")
    assert answers(office, BOB) == []


def test_two_who_are_away_do_not_answer_each_other_for_ever(office: Office) -> None:
    set_oof(office)
    set_oof(office, who=BOB, whose=BOB)
    write(office, BOB)
    assert (len(answers(office, BOB)), len(answers(office, ANN))) == (1, 0)


def test_settings_are_an_actor_of_the_account(office: Office) -> None:
    ann = office.world.directory.account(ANN)
    ann.actors.append(OutOfOffice("Enabled", internal=OofReply("set by hand")))
    assert get_oof(office).one("InternalReply/Message") == "set by hand"
    set_oof(office, "Disabled")
    (actor,) = ann.actors
    assert isinstance(actor, OutOfOffice)
    assert actor.state == "Disabled"


def test_another_automatic_reply_counts_as_settings(office: Office) -> None:
    ann = office.world.directory.account(ANN)
    ann.actors.append(AutoReply("by an actor", start=NOW, end=NOW + timedelta(days=1)))
    found = get_oof(office)
    assert (found.one("OofState"), found.one("InternalReply/Message"), found.one("StartTime")) == (
        "Scheduled",
        "by an actor",
        "2026-11-22T10:00:00Z",
    )
    set_oof(office, "Disabled")
    assert len(ann.actors) == 1


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="start"):
        OutOfOffice("Scheduled")
    with pytest.raises(ValueError, match="characters"):
        OutOfOffice(internal=OofReply("x" * 100_000))
