"""The phrases that features are written in. Each step is one call on the `Scene`; other people's features use them too.

Given-steps set the stage, When-steps let something happen, Then-steps look. `the engine ran` is `the engine runs` in a Given.
"""

from __future__ import annotations

import re
from datetime import timedelta

from pytest_bdd import given, parsers, then, when

from postroom.errors import PostroomError
from postroom.model import ActivityParty, Email, Lookup
from postroom.organization import SYSTEM, Operation
from postroom.testing.books import balance
from postroom.testing.scene import FORWARD_MAILBOX, SERVER_SIDE_SYNC, Party, Scene
from postroom_simulator.faults import Cut, Drop, Effect, Fault, LoseReply, Reply, When
from postroom_simulator.journal import Kind

METHODS = {"none": 0, "server-side synchronization": SERVER_SIDE_SYNC, "forward mailbox": FORWARD_MAILBOX}
FILTERS = {
    "all email messages": 0,
    "email messages in response to our own": 1,
    "email messages from leads, contacts, accounts": 2,
    "email messages from email-enabled records": 3,
    "no email messages": 4,
}
DIRECTIONS = {"incoming": Operation.INCOMING, "outgoing": Operation.OUTGOING}
ORDINALS = {"first": 1, "second": 2, "third": 3}
STATES = {"sent": (1, 3), "pending send": (1, 6), "failed": (0, 8), "received": (1, 4), "draft": (0, 1), "canceled": (2, 5)}


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


# -- the stage --------------------------------------------------------------------------------------------------------


@given(parsers.parse('an organization "{name}"'))
def an_organization(postroom_scene: Scene, name: str) -> None:
    postroom_scene.name = name
    assert postroom_scene.organization.name == name, "a scene has one organization, and it has a name already"


@given(parsers.parse('an organization "{name}" with a mail server'))
def an_organization_with_a_mail_server(postroom_scene: Scene, name: str) -> None:
    an_organization(postroom_scene, name)
    postroom_scene.mail_server()


@given(parsers.parse('an email server profile "{name}"'))
def an_email_server_profile(postroom_scene: Scene, name: str) -> None:
    postroom_scene.profile(name)


@given(parsers.parse('"{name}" is the default profile'))
@when(parsers.parse('"{name}" becomes the default profile'))
def the_default_profile(postroom_scene: Scene, name: str) -> None:
    postroom_scene.default_profile(name)


@given("there is no default profile")
def no_default_profile(postroom_scene: Scene) -> None:
    postroom_scene.default_profile(None)


@given(parsers.parse('the profile "{name}" is deactivated'))
def profile_deactivated(postroom_scene: Scene, name: str) -> None:
    postroom_scene.organization.set_state(SYSTEM, "emailserverprofile", postroom_scene.profiles[name], False)


@given(parsers.parse('the profile of "{name}" is deactivated'))
def profile_of_deactivated(postroom_scene: Scene, name: str) -> None:
    box = postroom_scene.mailbox(postroom_scene.people[name])
    assert box.emailserverprofile is not None
    postroom_scene.organization.set_state(SYSTEM, "emailserverprofile", box.emailserverprofile.id, False)


@given(parsers.re(r'the (?P<kind>user|queue) "(?P<name>[^"]+)" with the address "(?P<address>[^"]+)", (?P<how>.+)'))
@when(parsers.re(r'the (?P<kind>user|queue) "(?P<name>[^"]+)" is created with the address "(?P<address>[^"]+)", (?P<how>.+)'))
def an_owner(postroom_scene: Scene, kind: str, name: str, address: str, how: str) -> None:
    """`how`: "served by server-side synchronization", "approved but not tested", "ready to send and receive"."""
    make = postroom_scene.user if kind == "user" else postroom_scene.queue
    known = {"served by server-side synchronization", "approved but not tested", "ready to send and receive"}
    assert how in known, f"unknown phrase {how!r}; known: {sorted(known)}"
    make(name, address, approved=how == "approved but not tested", ready=how == "ready to send and receive")


@when(parsers.re(r'the user "(?P<name>[^"]+)" is created with incoming (?P<incoming>.+) and outgoing (?P<outgoing>.+)'))
def a_user_with_methods(postroom_scene: Scene, name: str, incoming: str, outgoing: str) -> None:
    postroom_scene.user(
        name,
        f"{name.lower()}@alder.test",
        incomingemaildeliverymethod=METHODS[incoming],
        outgoingemaildeliverymethod=METHODS[outgoing],
    )


@given(parsers.re(r'the (?P<entity>contact|lead|account) "(?P<name>[^"]+)" with the address "(?P<address>[^"]+)"'))
def a_contact(postroom_scene: Scene, entity: str, name: str, address: str) -> None:
    postroom_scene.contact(name, address, entity)


@given(parsers.re(r'"(?P<name>[^"]+)" tracks (?P<method>.+)'))
def tracks(postroom_scene: Scene, name: str, method: str) -> None:
    postroom_scene.filter(postroom_scene.people[name], FILTERS[method])


@given("approval is not required for users")
def approval_not_required(postroom_scene: Scene) -> None:
    postroom_scene.organization.update_settings(SYSTEM, requireapprovalforuseremail=False)


@given(parsers.parse('the address of "{name}" is rejected'))
def address_rejected(postroom_scene: Scene, name: str) -> None:
    postroom_scene.organization.reject_email(SYSTEM, postroom_scene.people[name].mailbox)


@given(parsers.re(r'the mailbox of "(?P<name>[^"]+)" is (?P<state>deactivated|activated)'))
@when(parsers.re(r'the mailbox of "(?P<name>[^"]+)" is (?P<state>deactivated|activated)'))
def mailbox_state(postroom_scene: Scene, name: str, state: str) -> None:
    postroom_scene.organization.set_state(SYSTEM, "mailbox", postroom_scene.people[name].mailbox, state == "activated")


@given(parsers.parse('the mailbox of "{name}" has no profile any more'))
def mailbox_without_profile(postroom_scene: Scene, name: str) -> None:
    postroom_scene.organization.update(SYSTEM, "mailbox", postroom_scene.people[name].mailbox, emailserverprofile=None)


@given(parsers.parse('the mailbox of "{name}" has a wrong password'))
def wrong_password(postroom_scene: Scene, name: str) -> None:
    postroom_scene.credentials(postroom_scene.people[name], "not the password")


@given(parsers.re(r'the user "(?P<name>[^"]+)" is (?P<state>disabled|enabled again)'))
@when(parsers.re(r'the user "(?P<name>[^"]+)" is (?P<state>disabled|enabled again)'))
def user_state(postroom_scene: Scene, name: str, state: str) -> None:
    postroom_scene.organization.set_state(SYSTEM, "systemuser", postroom_scene.people[name].id, state == "enabled again")


@given(parsers.parse('emails of "{name}" are deleted after processing'))
def deleted_after_processing(postroom_scene: Scene, name: str) -> None:
    postroom_scene.organization.update(SYSTEM, "mailbox", postroom_scene.people[name].mailbox, processanddeleteemails=True)


# -- mail arrives -----------------------------------------------------------------------------------------------------


@given(parsers.re(r'a mail from "(?P<sender>[^"]+)" to "(?P<to>[^"]+)" with the subject "(?P<subject>[^"]+)"'))
def a_mail(postroom_scene: Scene, sender: str, to: str, subject: str) -> None:
    postroom_scene.mail(sender, to, subject)


@given(
    parsers.re(
        r'a mail from "(?P<sender>[^"]+)" to "(?P<to>[^"]+)" reaches "(?P<into>[^"]+)" with the subject "(?P<subject>[^"]+)"'
    )
)
def a_mail_into(postroom_scene: Scene, sender: str, to: str, into: str, subject: str) -> None:
    postroom_scene.mail(sender, to, subject, into=into)


@given(parsers.re(r'a mail without a sender to "(?P<to>[^"]+)" with the subject "(?P<subject>[^"]+)"'))
def a_mail_without_sender(postroom_scene: Scene, to: str, subject: str) -> None:
    postroom_scene.mail(None, to, subject)


# -- faults -----------------------------------------------------------------------------------------------------------


def _fault(scene: Scene, when_: When, effect: Effect) -> None:
    scene.world.faults.add(Fault(when_, effect))


@given(
    parsers.re(r'the server answers the (?P<nth>first|second|third) "(?P<verb>[A-Z]+)" with "(?P<code>\S+) (?P<text>[^"]+)"')
)
def server_answers(postroom_scene: Scene, nth: str, verb: str, code: str, text: str) -> None:
    _fault(postroom_scene, When(protocol=_protocol(verb), at=verb, nth=ORDINALS[nth]), Reply(code, text))


@given(parsers.re(r'the server answers every "(?P<verb>[A-Z]+)" with "(?P<code>\S+) (?P<text>[^"]+)"'))
def server_always_answers(postroom_scene: Scene, verb: str, code: str, text: str) -> None:
    _fault(postroom_scene, When(protocol=_protocol(verb), at=verb), Reply(code, text))


@given(parsers.re(r'the server cuts the (?P<nth>first|second|third) "(?P<verb>[A-Z]+)" after (?P<octets>\d+) octets'))
def server_cuts(postroom_scene: Scene, nth: str, verb: str, octets: str) -> None:
    _fault(postroom_scene, When(protocol=_protocol(verb), at=verb, nth=ORDINALS[nth]), Cut(int(octets)))


@given("the server takes the first message but its answer is lost")
def answer_lost(postroom_scene: Scene) -> None:
    _fault(postroom_scene, When(protocol="smtp", at="end-of-data", nth=1), LoseReply())


@given(parsers.re(r'the server drops the connection at the (?P<nth>first|second|third) "(?P<verb>[A-Z]+)"'))
def server_drops(postroom_scene: Scene, nth: str, verb: str) -> None:
    _fault(postroom_scene, When(protocol=_protocol(verb), at=verb, nth=ORDINALS[nth]), Drop())


@given(parsers.re(r'the server drops the connection at every "(?P<verb>[A-Z]+)"'))
def server_always_drops(postroom_scene: Scene, verb: str) -> None:
    _fault(postroom_scene, When(protocol=_protocol(verb), at=verb), Drop())


@when("the server gives every message a new UIDL")
def new_uidls(postroom_scene: Scene) -> None:
    postroom_scene.world.reset_uidls()


def _protocol(verb: str) -> str:
    return "smtp" if verb in {"EHLO", "HELO", "MAIL", "RCPT", "DATA", "STARTTLS"} else "pop3"


# -- the engine -------------------------------------------------------------------------------------------------------


@given("the engine ran")
@when("the engine runs")
def engine_runs(postroom_scene: Scene) -> None:
    postroom_scene.run()


@when(parsers.parse("the engine runs again after {minutes:d} minutes"))
def engine_runs_again(postroom_scene: Scene, minutes: int) -> None:
    postroom_scene.run(after=timedelta(minutes=minutes))


@when(parsers.parse('the mailbox of "{name}" is tested and enabled'))
def tested_and_enabled(postroom_scene: Scene, name: str) -> None:
    postroom_scene.test_and_enable(postroom_scene.people[name])


@when(parsers.parse('a second mailbox is made for "{name}"'))
def second_mailbox(postroom_scene: Scene, name: str) -> None:
    party = postroom_scene.people[name]
    try:
        postroom_scene.organization.create(SYSTEM, "mailbox", name=f"{name} again", regardingobjectid=party.lookup)
    except PostroomError as error:
        postroom_scene.refusal = error


@when(parsers.re(r'"(?P<sender>[^"]+)" sends an email to "(?P<to>[^"]+)" with the subject "(?P<subject>[^"]+)"'))
def sends(postroom_scene: Scene, sender: str, to: str, subject: str) -> None:
    postroom_scene.send(sender, [_party(postroom_scene, name) for name in _names(to)], subject)


@when(
    parsers.re(
        r'"(?P<sender>[^"]+)" sends an email to "(?P<to>[^"]+)" with a blind copy to "(?P<bcc>[^"]+)" and the subject "(?P<subject>[^"]+)"'
    )
)
def sends_blind(postroom_scene: Scene, sender: str, to: str, bcc: str, subject: str) -> None:
    postroom_scene.organization.update_settings(SYSTEM, allowunresolvedpartiesonemailsend=True)
    postroom_scene.send(sender, [_party(postroom_scene, name) for name in _names(to)], subject, bcc=_names(bcc))


def _party(scene: Scene, name: str) -> str | Lookup:
    return scene.people[name].lookup if name in scene.people else name


# -- looking at mailboxes ---------------------------------------------------------------------------------------------


def _owner(scene: Scene, name: str) -> Party:
    return scene.people[name]


@then(parsers.re(r'the mailbox of "(?P<name>[^"]+)" has the profile "(?P<profile>[^"]+)"'))
def has_profile(postroom_scene: Scene, name: str, profile: str) -> None:
    assert postroom_scene.mailbox(_owner(postroom_scene, name)).emailserverprofile == Lookup(
        "emailserverprofile", postroom_scene.profiles[profile]
    )


@then(parsers.parse('the mailbox of "{name}" has no profile'))
def has_no_profile(postroom_scene: Scene, name: str) -> None:
    assert postroom_scene.mailbox(_owner(postroom_scene, name)).emailserverprofile is None


@then(parsers.re(r'the mailbox of "(?P<name>[^"]+)" has the address "(?P<address>[^"]+)"'))
def has_address(postroom_scene: Scene, name: str, address: str) -> None:
    assert postroom_scene.mailbox(_owner(postroom_scene, name)).emailaddress == address


@then(parsers.parse('the mailbox of "{name}" awaits approval'))
def awaits_approval(postroom_scene: Scene, name: str) -> None:
    assert postroom_scene.mailbox(_owner(postroom_scene, name)).emailrouteraccessapproval == 2


@then(parsers.re(r'the mailbox of "(?P<name>[^"]+)" is (?P<negation>not )?enabled for (?P<direction>incoming|outgoing) email'))
def is_enabled(postroom_scene: Scene, name: str, negation: str | None, direction: str) -> None:
    box = postroom_scene.mailbox(_owner(postroom_scene, name))
    assert getattr(box, f"enabledfor{direction}email") is (negation is None)


@then(parsers.re(r'the mailbox of "(?P<name>[^"]+)" is (?P<state>inactive|active)'))
def is_active(postroom_scene: Scene, name: str, state: str) -> None:
    assert postroom_scene.mailbox(_owner(postroom_scene, name)).statecode == (1 if state == "inactive" else 0)


@then(parsers.re(r'the test of the mailbox of "(?P<name>[^"]+)" failed for (?P<direction>incoming|outgoing) email'))
def test_failed(postroom_scene: Scene, name: str, direction: str) -> None:
    assert getattr(postroom_scene.mailbox(_owner(postroom_scene, name)), f"{direction}emailstatus") == 2


@then(
    parsers.re(
        r'the mailbox of "(?P<name>[^"]+)" is skipped for (?P<direction>incoming|outgoing) email because "(?P<reason>[^"]+)"'
    )
)
def is_skipped(postroom_scene: Scene, name: str, direction: str, reason: str) -> None:
    party = _owner(postroom_scene, name)
    holder = postroom_scene.engine.holder
    found = postroom_scene.organization.explain_mailbox(party.mailbox, DIRECTIONS[direction], holder=holder)
    reasons = [reason.text for reason in found]
    assert reason in reasons, f"explained as {reasons}"


@then(parsers.parse("it is refused because {reason}"))
def is_refused(postroom_scene: Scene, reason: str) -> None:
    assert postroom_scene.refusal is not None, "nothing was refused"
    assert reason in str(postroom_scene.refusal)


# -- looking at mail --------------------------------------------------------------------------------------------------


def _one(scene: Scene, subject: str) -> Email:
    found = scene.emails(subject)
    assert len(found) == 1, f"{len(found)} email activities have the subject {subject!r}"
    return found[0]


def _outcomes(scene: Scene, subject: str) -> list[tuple[str, str]]:
    return [(row.outcome, row.reason) for row in balance(scene.world, scene.organization).incoming if row.subject == subject]


@then(parsers.re(r'the mail "(?P<subject>[^"]+)" became an email activity'))
def became_activity(postroom_scene: Scene, subject: str) -> None:
    email = _one(postroom_scene, subject)
    assert (email.directioncode, email.statecode, email.statuscode) == (False, 1, 4)


@then(parsers.re(r'the mail "(?P<subject>[^"]+)" was filtered as "(?P<reason>[^"]+)"'))
def was_filtered(postroom_scene: Scene, subject: str, reason: str) -> None:
    assert not postroom_scene.emails(subject)
    assert [(o, _words(r)) for o, r in _outcomes(postroom_scene, subject)] == [("filtered", reason)]


@then(parsers.re(r'the other copy of "(?P<subject>[^"]+)" was filtered as "(?P<reason>[^"]+)"'))
def other_copy_filtered(postroom_scene: Scene, subject: str, reason: str) -> None:
    assert ("filtered", reason) in [(o, _words(r)) for o, r in _outcomes(postroom_scene, subject)]


def _words(reason: str) -> str:
    """A reason code as people say it: NO_RECIPIENT_MATCH or NoRecipientMatch -> "no recipient match"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", reason).replace("_", " ").lower()


@then(parsers.parse('there is {count:d} email activity with the subject "{subject}"'))
def count_activities(postroom_scene: Scene, count: int, subject: str) -> None:
    assert len(postroom_scene.emails(subject)) == count


@then(
    parsers.re(
        r'the email "(?P<subject>[^"]+)" is received, from the (?P<from_entity>\w+) "(?P<sender>[^"]+)", to the (?P<to_entity>\w+) "(?P<recipient>[^"]+)"'
    )
)
def has_parties(postroom_scene: Scene, subject: str, from_entity: str, sender: str, to_entity: str, recipient: str) -> None:
    email = _one(postroom_scene, subject)
    entities = {"user": "systemuser"}
    parties = {(p.participationtypemask, p.partyid) for p in _parties(postroom_scene, email)}
    assert (1, Lookup(entities.get(from_entity, from_entity), postroom_scene.people[sender].id)) in parties
    assert (2, Lookup(entities.get(to_entity, to_entity), postroom_scene.people[recipient].id)) in parties


@then(parsers.re(r'the email "(?P<subject>[^"]+)" has the unresolved (?P<role>sender|recipient) "(?P<address>[^"]+)"'))
def has_unresolved(postroom_scene: Scene, subject: str, role: str, address: str) -> None:
    masks = {1} if role == "sender" else {2, 3, 4}
    parties = _parties(postroom_scene, _one(postroom_scene, subject))
    assert address in [p.addressused for p in parties if p.participationtypemask in masks and p.partyid is None]


def _parties(scene: Scene, email: Email) -> list[ActivityParty]:
    return list(scene.organization.retrieve_multiple(SYSTEM, "activityparty", activityid=Lookup("email", email.activityid)))


def _on_server(scene: Scene, subject: str) -> list[bool]:
    """For each item with this subject in any Inbox: whether it has been read or retrieved."""
    touched = {e.data["uid"] for e in scene.world.journal.entries(kind=Kind.OFFERED)}
    delivered = [e for e in scene.world.journal.entries(kind=Kind.DELIVERY) if e.data.get("subject") == subject]
    there = {item.uid for item in scene.inbox_items()}
    return [e.data["uid"] in touched for e in delivered if e.data["uid"] in there]


@then(parsers.re(r'the mail "(?P<subject>[^"]+)" is still on the server(?P<untouched>, untouched)?'))
def still_on_server(postroom_scene: Scene, subject: str, untouched: str | None) -> None:
    found = _on_server(postroom_scene, subject)
    assert found, f"no mail {subject!r} is on the server"
    if untouched:
        assert not any(found), f"the mail {subject!r} was retrieved"


@then(parsers.re(r'the mail "(?P<subject>[^"]+)" is gone from the server'))
def gone_from_server(postroom_scene: Scene, subject: str) -> None:
    assert not _on_server(postroom_scene, subject)


@then(parsers.re(r'the mail "(?P<subject>[^"]+)" was retrieved once'))
def retrieved_once(postroom_scene: Scene, subject: str) -> None:
    uids = [e.data["uid"] for e in postroom_scene.world.journal.entries(kind=Kind.DELIVERY) if e.data.get("subject") == subject]
    offered = [e for e in postroom_scene.world.journal.entries(kind=Kind.OFFERED) if e.data["uid"] in uids]
    assert len(offered) == len(uids) == 1


@then(parsers.re(r'the email "(?P<subject>[^"]+)" (?:is|has) (?P<state>sent|pending send|failed|draft|canceled)'))
def email_state(postroom_scene: Scene, subject: str, state: str) -> None:
    email = _one(postroom_scene, subject)
    assert (email.statecode, email.statuscode) == STATES[state]


@then(parsers.re(r'the email "(?P<subject>[^"]+)" is uncertain'))
def email_uncertain(postroom_scene: Scene, subject: str) -> None:
    email = _one(postroom_scene, subject)
    assert [r.mark for r in postroom_scene.organization.books().outgoing if r.email_id == email.activityid] == ["uncertain"]


@then(parsers.re(r'"(?P<address>[^"]+)" received (?P<count>\d+) mails? with the subject "(?P<subject>[^"]+)"'))
def received_count(postroom_scene: Scene, address: str, count: str, subject: str) -> None:
    assert len(_received(postroom_scene, address, subject)) == int(count)


@then(parsers.re(r'"(?P<address>[^"]+)" received a mail with the subject "(?P<subject>[^"]+)"'))
def received_one(postroom_scene: Scene, address: str, subject: str) -> None:
    assert len(_received(postroom_scene, address, subject)) == 1


@then(parsers.re(r'no header of the mail "(?P<subject>[^"]+)" names "(?P<address>[^"]+)"'))
def no_header_names(postroom_scene: Scene, subject: str, address: str) -> None:
    copies = [
        octets
        for message in postroom_scene.world.store.outbound()
        if f"Subject: {subject}".encode() in (octets := postroom_scene.world.store.outbound_octets(message.uid))
    ]
    assert copies
    assert all(address.encode() not in octets.partition(b"\r\n\r\n")[0] for octets in copies)


def _received(scene: Scene, address: str, subject: str) -> list[bytes]:
    return [octets for octets in scene.received(address) if f"Subject: {subject}".encode() in octets]
