"""The phrases about mail that goes out: drafts and their states, tokens, refusals of the server, sending as others, tracking by hand, bulk mail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from pytest_bdd import given, parsers, then, when

from postroom.errors import PostroomError
from postroom.mime.parse import parse_message
from postroom.mime.values import Attachment, ParsedMessage
from postroom.model import CorrelationMethod, Email, Lookup, Priority
from postroom.organization import SYSTEM, Caller, GatewayBinding, Operation
from postroom.testing.scene import Party, Scene
from postroom_simulator.faults import Drop, Effect, Fault, LoseReply, Reply, When
from postroom_simulator.journal import Kind

METHODS = {
    "in reply to": CorrelationMethod.IN_REPLY_TO,
    "tracking token": CorrelationMethod.TRACKING_TOKEN,
    "our own header": CorrelationMethod.X_HEADER,
    "smart matching": CorrelationMethod.SMART_MATCHING,
}


# -- finding things -----------------------------------------------------------------------------------------------------


def _email(scene: Scene, subject: str) -> Email:
    """The one outgoing email with this subject, with or without a token behind it."""
    found = [
        one
        for one in scene.organization.retrieve_multiple(SYSTEM, "email")
        if one.subject == subject or (one.directioncode and (one.subject or "").startswith(f"{subject} "))
    ]
    assert len(found) == 1, f"{len(found)} emails have the subject {subject!r}"
    email: Email = found[0]
    return email


def _caller(scene: Scene, name: str, *privileges: str) -> Caller:
    party = scene.people[name]
    return Caller.user(party.id, *privileges) if party.entity == "systemuser" else SYSTEM


def _recipients(scene: Scene, names: str) -> list[str | Lookup]:
    wanted = [part.strip() for part in names.split(",") if part.strip()]
    return [scene.people[name].lookup if name in scene.people else name for name in wanted]


def _attempt(scene: Scene, action: Callable[[], Any]) -> Any:
    """What is refused is kept for `it is refused because`."""
    scene.refusal = None
    try:
        return action()
    except PostroomError as error:
        scene.refusal = error
        return None


def _write(scene: Scene, sender: str, to: str, subject: str, **values: Any) -> str:
    party = scene.people[sender]
    email_id: str = scene.organization.create_email(
        _caller(scene, sender),
        **{"from_": party.lookup, "to": _recipients(scene, to), "subject": subject, "description": "Hello.", **values},
    )
    return email_id


def _write_and_send(scene: Scene, sender: str, to: str, subject: str, **values: Any) -> str:
    email_id = _write(scene, sender, to, subject, **values)
    scene.organization.send_email(_caller(scene, sender), email_id, tracking_token="")
    return email_id


def _settings(scene: Scene, **values: Any) -> None:
    scene.organization.update_settings(SYSTEM, **values)


def _switch(scene: Scene, name: str, value: object) -> None:
    _settings(scene, orgdborgsettings=f"<OrgSettings><{name}>{value}</{name}></OrgSettings>")


# -- drafts and their states --------------------------------------------------------------------------------------------


@given(parsers.re(r'"(?P<sender>[^"]+)" writes an email to "(?P<to>[^"]*)" with the subject "(?P<subject>[^"]+)"'))
@when(parsers.re(r'"(?P<sender>[^"]+)" writes an email to "(?P<to>[^"]*)" with the subject "(?P<subject>[^"]+)"'))
def writes(postroom_scene: Scene, sender: str, to: str, subject: str) -> None:
    _attempt(postroom_scene, lambda: _write(postroom_scene, sender, to, subject))


@given(parsers.re(r'the email "(?P<subject>[^"]+)" of "(?P<sender>[^"]+)" to "(?P<to>[^"]+)" is (?P<state>[a-z ]+)'))
def an_email_that_is(postroom_scene: Scene, subject: str, sender: str, to: str, state: str) -> None:
    """Brought there as it would come there: by sending, by a server that refuses, by a run that has it and is not back."""
    scene = postroom_scene
    if state == "received":
        scene.filter(scene.people[sender], 0)
        scene.mail(scene.people[to].address, scene.people[sender].address, subject)
        scene.run()
        return
    email_id = _write(scene, sender, to, subject)
    if state == "draft":
        return
    if state in ("canceled", "completed"):
        _act(scene, sender, email_id, "canceled" if state == "canceled" else "marked complete")
        return
    scene.organization.send_email(_caller(scene, sender), email_id, tracking_token="")
    if state == "sending":
        box = scene.people[sender].mailbox
        fence = scene.organization.begin_run(box, Operation.OUTGOING, "an engine that is not back")
        scene.organization.gateway(GatewayBinding(box, box, fence, Operation.OUTGOING)).claim_outgoing(1)
    elif state in ("sent", "failed"):
        if state == "failed":
            scene.world.faults.add(Fault(When("smtp", "RCPT", nth=1), Reply("550", "5.1.1 no such user")))
        scene.run()
    else:
        assert state == "pending send", f"unknown state {state!r}"


def _act(scene: Scene, sender: str, email_id: str, action: str) -> None:
    organization, caller = scene.organization, _caller(scene, sender)
    actions: dict[str, Callable[[], Any]] = {
        "sent": lambda: organization.send_email(caller, email_id, tracking_token=""),
        "only recorded as sent": lambda: organization.send_email(caller, email_id, issue_send=False, tracking_token=""),
        "edited": lambda: organization.update(caller, "email", email_id, description="Another text."),
        "canceled": lambda: organization.cancel_email(caller, email_id),
        "marked complete": lambda: organization.set_state(caller, "email", email_id, False),
        "deleted": lambda: organization.delete(caller, "email", email_id),
    }
    _attempt(scene, actions[action])


@when(
    parsers.re(
        r'the email "(?P<subject>[^"]+)" is (?P<action>sent|only recorded as sent|edited|canceled|marked complete|deleted) by "(?P<name>[^"]+)"'
    )
)
def something_is_done(postroom_scene: Scene, subject: str, action: str, name: str) -> None:
    _act(postroom_scene, name, _email(postroom_scene, subject).activityid, action)


@then(parsers.parse('the email "{subject}" has the state {state:d} and the status {status:d}'))
def has_codes(postroom_scene: Scene, subject: str, state: int, status: int) -> None:
    email = _email(postroom_scene, subject)
    assert (int(email.statecode), int(email.statuscode)) == (state, status)


@then(parsers.re(r"that is (?P<outcome>done|refused)"))
def outcome(postroom_scene: Scene, outcome: str) -> None:
    assert (postroom_scene.refusal is not None) is (outcome == "refused"), f"{postroom_scene.refusal!r}"


@then(parsers.parse('the email "{subject}" was tried {count:d} times'))
@then(parsers.parse('the email "{subject}" was tried {count:d} time'))
def tried(postroom_scene: Scene, subject: str, count: int) -> None:
    assert _email(postroom_scene, subject).deliveryattempts == count


# -- sending ------------------------------------------------------------------------------------------------------------


@when(parsers.re(r'"(?P<name>[^"]+)" sends the email "(?P<subject>[^"]+)"(?P<how>| again)'))
def sends_the_email(postroom_scene: Scene, name: str, subject: str, how: str) -> None:  # noqa: ARG001
    email_id = _email(postroom_scene, subject).activityid
    caller = _caller(postroom_scene, name)
    _attempt(postroom_scene, lambda: postroom_scene.organization.send_email(caller, email_id, tracking_token=""))


@when(parsers.re(r'"(?P<name>[^"]+)" with the privilege "(?P<privilege>[^"]+)" sends the email "(?P<subject>[^"]+)"'))
def sends_with_privilege(postroom_scene: Scene, name: str, privilege: str, subject: str) -> None:
    email_id = _email(postroom_scene, subject).activityid
    caller = _caller(postroom_scene, name, privilege)
    _attempt(postroom_scene, lambda: postroom_scene.organization.send_email(caller, email_id, tracking_token=""))


@when(parsers.re(r'"(?P<name>[^"]+)" without the privilege "(?P<privilege>[^"]+)" sends the email "(?P<subject>[^"]+)"'))
def sends_without_privilege(postroom_scene: Scene, name: str, privilege: str, subject: str) -> None:
    email_id = _email(postroom_scene, subject).activityid
    caller = _caller(postroom_scene, name).without(privilege)
    _attempt(postroom_scene, lambda: postroom_scene.organization.send_email(caller, email_id, tracking_token=""))


@when(
    parsers.re(
        r'"(?P<sender>[^"]+)" sends an email with (?P<priority>low|normal|high) delivery priority to "(?P<to>[^"]+)" with the subject "(?P<subject>[^"]+)"'
    )
)
def sends_with_priority(postroom_scene: Scene, sender: str, priority: str, to: str, subject: str) -> None:
    _write_and_send(postroom_scene, sender, to, subject, deliveryprioritycode=Priority[priority.upper()])
    postroom_scene.advance(timedelta(seconds=1))


@when(
    parsers.re(
        r'"(?P<sender>[^"]+)" sends an email to "(?P<to>[^"]+)" that is to leave in (?P<minutes>\d+) minutes, with the subject "(?P<subject>[^"]+)"'
    )
)
def sends_later(postroom_scene: Scene, sender: str, to: str, minutes: str, subject: str) -> None:
    moment = postroom_scene.world.clock.now() + timedelta(minutes=int(minutes))
    _write_and_send(postroom_scene, sender, to, subject, delayedemailsendtime=moment)


@when(
    parsers.re(
        r'"(?P<sender>[^"]+)" sends an email asking for a (?P<receipt>read|delivery) receipt to "(?P<to>[^"]+)" with the subject "(?P<subject>[^"]+)"'
    )
)
def sends_with_receipt(postroom_scene: Scene, sender: str, receipt: str, to: str, subject: str) -> None:
    _write_and_send(postroom_scene, sender, to, subject, **{f"{receipt}receiptrequested": True})


@when(
    parsers.re(
        r'"(?P<sender>[^"]+)" sends an email to "(?P<to>[^"]+)" with the file "(?P<file>[^"]+)" and the subject "(?P<subject>[^"]+)"'
    )
)
def sends_with_file(postroom_scene: Scene, sender: str, to: str, file: str, subject: str) -> None:
    files = [Attachment(file, "application/octet-stream", b"the file's octets")]
    _attempt(postroom_scene, lambda: _write_and_send(postroom_scene, sender, to, subject, attachments=files))


@when(
    parsers.re(
        r'"(?P<sender>[^"]+)" sends an email to "(?P<to>[^"]+)" with the text "(?P<text>[^"]+)" and the subject "(?P<subject>[^"]+)"'
    )
)
def sends_text(postroom_scene: Scene, sender: str, to: str, text: str, subject: str) -> None:
    _write_and_send(postroom_scene, sender, to, subject, description=text)


@given(parsers.parse('the mailbox of "{name}" sends nothing for {minutes:d} minutes'))
def sending_postponed(postroom_scene: Scene, name: str, minutes: int) -> None:
    until = postroom_scene.world.clock.now() + timedelta(minutes=minutes)
    postroom_scene.organization.update(SYSTEM, "mailbox", postroom_scene.people[name].mailbox, postponesendinguntil=until)


@given("unresolved recipients are allowed")
def unresolved_allowed(postroom_scene: Scene) -> None:
    _settings(postroom_scene, allowunresolvedpartiesonemailsend=True)


@given(parsers.parse('"{name}" lets others send on his or her behalf'))
def lets_others(postroom_scene: Scene, name: str) -> None:
    postroom_scene.organization.update(SYSTEM, "usersettings", postroom_scene.people[name].id, issendasallowed=True)


@given(parsers.parse('the file extensions "{extensions}" are blocked'))
def blocked(postroom_scene: Scene, extensions: str) -> None:
    _settings(postroom_scene, blockedattachments=extensions)


@given(parsers.parse('outgoing text is written in the code page "{code_page}"'))
def code_page(postroom_scene: Scene, code_page: str) -> None:
    for profile in postroom_scene.profiles.values():
        postroom_scene.organization.update(SYSTEM, "emailserverprofile", profile, encodingcodepage=code_page)


# -- what the server does -----------------------------------------------------------------------------------------------


def _fault(scene: Scene, effect: Effect, at: str, **values: Any) -> None:
    scene.world.faults.add(Fault(When("smtp", at, **values), effect))


@given(parsers.re(r'the SMTP server answers "(?P<verb>[A-Z]+)" with "(?P<code>\d+) (?P<text>[^"]+)"(?P<once>| once)'))
def smtp_answers(postroom_scene: Scene, verb: str, code: str, text: str, once: str) -> None:
    """`TEXT` is the message itself: what comes after the final dot."""
    at = "end-of-data" if verb == "TEXT" else verb
    _fault(postroom_scene, Reply(code, text), at, nth=1 if once else None)


@given(parsers.re(r'the SMTP server refuses "(?P<address>[^"]+)" with "(?P<code>\d+) (?P<text>[^"]+)"(?P<once>| once)'))
def smtp_refuses(postroom_scene: Scene, address: str, code: str, text: str, once: str) -> None:
    _fault(postroom_scene, Reply(code, text), "RCPT", argument=f"*<{address}>*", nth=1 if once else None)


@given("the SMTP server hangs up at the end of the first message, without taking it")
def smtp_hangs_up(postroom_scene: Scene) -> None:
    _fault(postroom_scene, Drop(), "end-of-data", nth=1)


@given("the SMTP server takes the first message but its answer is lost")
def smtp_loses_reply(postroom_scene: Scene) -> None:
    _fault(postroom_scene, LoseReply(), "end-of-data", nth=1)


@when(parsers.parse("the engine runs {count:d} more times, {minutes:d} minutes apart"))
def runs_often(postroom_scene: Scene, count: int, minutes: int) -> None:
    for _ in range(count):
        postroom_scene.run(after=timedelta(minutes=minutes))


# -- tokens -------------------------------------------------------------------------------------------------------------


@given(parsers.parse('the tracking prefix is "{prefix}"'))
@when(parsers.parse('the tracking prefix becomes "{prefix}"'))
def tracking_prefix(postroom_scene: Scene, prefix: str) -> None:
    _attempt(postroom_scene, lambda: _settings(postroom_scene, trackingprefix=prefix))


@given("tracking tokens are switched off")
def no_tokens(postroom_scene: Scene) -> None:
    _settings(postroom_scene, trackingprefix="")


@given(parsers.parse("user numbers begin after {base:d} and have {digits:d} digits"))
def user_numbers(postroom_scene: Scene, base: int, digits: int) -> None:
    _settings(postroom_scene, trackingtokenidbase=base, trackingtokeniddigits=digits)


@given(parsers.parse("tracking numbers go up to {limit:d}"))
def tracking_numbers(postroom_scene: Scene, limit: int) -> None:
    _settings(postroom_scene, maximumtrackingnumber=limit)


@given(parsers.parse("subjects on the mail server have at most {limit:d} characters"))
def subject_limit(postroom_scene: Scene, limit: int) -> None:
    _switch(postroom_scene, "MaximumSubjectLengthOnMailServer", limit)


@when(
    parsers.re(
        r'"(?P<sender>[^"]+)" sends (?P<count>an email|\d+ emails) with a tracking token to "(?P<to>[^"]+)" with the subject "(?P<subject>[^"]+)"'
    )
)
def sends_with_token(postroom_scene: Scene, sender: str, count: str, to: str, subject: str) -> None:
    for _ in range(1 if count == "an email" else int(count.split(maxsplit=1)[0])):
        email_id = _write(postroom_scene, sender, to, subject)
        postroom_scene.organization.send_email(_caller(postroom_scene, sender), email_id)


@when(
    parsers.re(
        r'"(?P<sender>[^"]+)" sends an email with a token got beforehand to "(?P<to>[^"]+)" with the subject "(?P<subject>[^"]+)"'
    )
)
def sends_with_known_token(postroom_scene: Scene, sender: str, to: str, subject: str) -> None:
    caller = _caller(postroom_scene, sender)
    token = postroom_scene.organization.get_tracking_token_email(caller, subject)
    email_id = _write(postroom_scene, sender, to, subject)
    postroom_scene.organization.send_email(caller, email_id, tracking_token=token)
    assert postroom_scene.organization.retrieve(SYSTEM, "email", email_id).trackingtoken == token


@then(parsers.re(r'the latest email of "(?P<sender>[^"]+)" has the tracking token "(?P<token>[^"]*)"'))
def latest_token(postroom_scene: Scene, sender: str, token: str) -> None:
    box = Lookup("mailbox", postroom_scene.people[sender].mailbox)
    emails = postroom_scene.organization.retrieve_multiple(SYSTEM, "email", sendermailboxid=box)
    assert (emails[-1].trackingtoken or "") == token


@then(parsers.re(r'the email "(?P<answer>[^"]+)" is correlated with the email "(?P<subject>[^"]+)" by (?P<method>[a-z ]+)'))
def is_correlated(postroom_scene: Scene, answer: str, subject: str, method: str) -> None:
    found = postroom_scene.emails(answer)
    assert len(found) == 1, f"{len(found)} emails have the subject {answer!r}"
    assert found[0].correlatedactivityid == Lookup("email", _email(postroom_scene, subject).activityid)
    assert found[0].correlationmethod is METHODS[method]


@then(parsers.re(r'the email "(?P<answer>[^"]+)" is correlated with nothing'))
def is_not_correlated(postroom_scene: Scene, answer: str) -> None:
    assert [one.correlatedactivityid for one in postroom_scene.emails(answer)] == [None]


# -- looking at what was sent -------------------------------------------------------------------------------------------


def _arrived(scene: Scene, address: str, subject: str) -> ParsedMessage:
    found = [parsed for octets in scene.received(address) if (parsed := parse_message(octets)).subject == subject]
    assert len(found) == 1, f"{address} received {len(found)} mails {subject!r}"
    return found[0]


@then(parsers.re(r'the mails reached the server in the order "(?P<subjects>[^"]+)"'))
def in_order(postroom_scene: Scene, subjects: str) -> None:
    wanted = [part.strip() for part in subjects.split(",")]
    deliveries = postroom_scene.world.journal.entries(kind=Kind.DELIVERY)
    assert [entry.data["subject"] for entry in deliveries if entry.data["subject"] in wanted] == wanted


@then(parsers.re(r'the mail "(?P<subject>[^"]+)" to "(?P<address>[^"]+)" is from "(?P<sender>[^"]+)"'))
def is_from(postroom_scene: Scene, subject: str, address: str, sender: str) -> None:
    """In the header and in the envelope."""
    message = _arrived(postroom_scene, address, subject)
    assert [one.address for one in message.from_] == [sender]
    envelopes = {
        entry.data["sender"]
        for entry in postroom_scene.world.journal.entries(kind=Kind.DELIVERY)
        if entry.data["subject"] == subject
    }
    assert envelopes == {sender}


@then(parsers.re(r'the mail "(?P<subject>[^"]+)" to "(?P<address>[^"]+)" has the file "(?P<file>[^"]+)"'))
def has_file(postroom_scene: Scene, subject: str, address: str, file: str) -> None:
    message = _arrived(postroom_scene, address, subject)
    assert [(one.filename, one.octets) for one in message.attachments] == [(file, b"the file's octets")]


@then(
    parsers.re(
        r'the mail "(?P<subject>[^"]+)" to "(?P<address>[^"]+)" has the header "(?P<name>[^"]+)" with "(?P<value>[^"]+)"'
    )
)
def has_header(postroom_scene: Scene, subject: str, address: str, name: str, value: str) -> None:
    found = _arrived(postroom_scene, address, subject).header(name)
    assert found is not None, f"the mail has no {name}"
    assert value in found


@then(parsers.re(r'the mail "(?P<subject>[^"]+)" to "(?P<address>[^"]+)" names its email in our own header'))
def has_our_header(postroom_scene: Scene, subject: str, address: str) -> None:
    header = _arrived(postroom_scene, address, subject).header("X-Postroom-Email-Id")
    assert header == _email(postroom_scene, subject).activityid


@then(
    parsers.re(
        r'the mail "(?P<subject>[^"]+)" to "(?P<address>[^"]+)" says "(?P<text>[^"]+)" in the character set "(?P<charset>[^"]+)"'
    )
)
def says(postroom_scene: Scene, subject: str, address: str, text: str, charset: str) -> None:
    message = _arrived(postroom_scene, address, subject)
    assert (message.text or "").strip() == text
    assert f"charset={charset}" in (message.header("Content-Type") or "")


@then(parsers.re(r'the Message-ID of the mail "(?P<subject>[^"]+)" to "(?P<address>[^"]+)" is the one of its email'))
def same_message_id(postroom_scene: Scene, subject: str, address: str) -> None:
    assert _arrived(postroom_scene, address, subject).message_id == _email(postroom_scene, subject).messageid


@then(parsers.re(r'"(?P<name>[^"]+)" is told of (?P<count>\d+) "(?P<code>[^"]+)"'))
def is_told(postroom_scene: Scene, name: str, count: str, code: str) -> None:
    box = Lookup("mailbox", postroom_scene.people[name].mailbox)
    found = postroom_scene.organization.retrieve_multiple(SYSTEM, "tracelog", regardingobjectid=box, errortypedisplay=code)
    assert len(found) == int(count), [one.text for one in found]


# -- a person decides ---------------------------------------------------------------------------------------------------


@when(parsers.re(r'a person says that the email "(?P<subject>[^"]+)" was (?P<negation>not )?sent'))
def a_person_says(postroom_scene: Scene, subject: str, negation: str | None) -> None:
    email_id = _email(postroom_scene, subject).activityid
    _attempt(postroom_scene, lambda: postroom_scene.organization.resolve_uncertain(SYSTEM, email_id, negation is None))


# -- tracking by hand ---------------------------------------------------------------------------------------------------


def _track(scene: Scene, name: str, subject: str, octets: bytes, regarding: Lookup | None = None) -> None:
    party: Party = scene.people[name]
    parsed = parse_message(octets)
    assert parsed.subject == subject
    scene.organization.deliver_promote_email(
        _caller(scene, name),
        message_id=parsed.message_id,
        subject=parsed.subject,
        from_=parsed.from_,
        to=parsed.to,
        cc=parsed.cc,
        received_on=scene.world.clock.now(),
        submitted_by=party.address,
        importance=parsed.importance,
        body=parsed.html or parsed.text or "",
        attachments=parsed.attachments,
        in_reply_to=parsed.in_reply_to,
        regarding=regarding,
    )


def _copy(scene: Scene, name: str, subject: str) -> bytes:
    found = [one for one in scene.received(scene.people[name].address) if parse_message(one).subject == subject]
    assert found, f"{name} has no mail {subject!r}"
    return found[0]


@when(parsers.re(r'"(?P<name>[^"]+)" tracks the mail "(?P<subject>[^"]+)" by hand'))
def tracks_by_hand(postroom_scene: Scene, name: str, subject: str) -> None:
    _track(postroom_scene, name, subject, _copy(postroom_scene, name, subject))


@when(parsers.re(r'"(?P<name>[^"]+)" tracks the mail "(?P<subject>[^"]+)" by hand, regarding "(?P<regarding>[^"]+)"'))
def tracks_regarding(postroom_scene: Scene, name: str, subject: str, regarding: str) -> None:
    record = postroom_scene.people[regarding].lookup
    _track(postroom_scene, name, subject, _copy(postroom_scene, name, subject), record)


@when(parsers.re(r'"(?P<name>[^"]+)" tracks by hand the mail "(?P<subject>[^"]+)" that reached "(?P<address>[^"]+)"'))
def tracks_sent_mail(postroom_scene: Scene, name: str, subject: str, address: str) -> None:
    """A mail of one's own: the copy in Sent Items is the one that the recipient has."""
    found = [one for one in postroom_scene.received(address) if parse_message(one).subject == subject]
    _track(postroom_scene, name, subject, found[0])


@then(parsers.re(r'the mail "(?P<subject>[^"]+)" of "(?P<name>[^"]+)" (?P<may>may|may not) be tracked by hand'))
def may_be_tracked(postroom_scene: Scene, subject: str, name: str, may: str) -> None:
    parsed = parse_message(_copy(postroom_scene, name, subject))
    verdict = postroom_scene.organization.check_promote_email(
        _caller(postroom_scene, name), message_id=parsed.message_id, subject=parsed.subject
    )
    assert verdict.deliver is (may == "may"), verdict


@then(parsers.re(r'the email "(?P<subject>[^"]+)" is regarding "(?P<name>[^"]+)"'))
def is_regarding(postroom_scene: Scene, subject: str, name: str) -> None:
    assert [one.regardingobjectid for one in postroom_scene.emails(subject)] == [postroom_scene.people[name].lookup]


# -- bulk mail ----------------------------------------------------------------------------------------------------------


@given(parsers.re(r'the template "(?P<title>[^"]+)" with the subject "(?P<subject>[^"]+)" and the text "(?P<body>[^"]+)"'))
def a_template(postroom_scene: Scene, title: str, subject: str, body: str) -> None:
    made = postroom_scene.organization.create(SYSTEM, "template", title=title, subject=subject, body=body)
    postroom_scene.people[title] = Party(title, "template", made, "")


@given(parsers.parse('"{name}" is not to be written to in bulk'))
def no_bulk(postroom_scene: Scene, name: str) -> None:
    party = postroom_scene.people[name]
    postroom_scene.organization.update(SYSTEM, party.entity, party.id, donotbulkemail=True)


@when(parsers.re(r'"(?P<sender>[^"]+)" sends the template "(?P<title>[^"]+)" to all (?P<entity>contact|lead|account)s'))
def sends_bulk(postroom_scene: Scene, sender: str, title: str, entity: str) -> None:
    _settings(postroom_scene, trackingprefix="")
    party = postroom_scene.people[sender].lookup
    postroom_scene.organization.send_bulk_mail(_caller(postroom_scene, sender), party, postroom_scene.people[title].id, entity)


@then(parsers.parse("there are {count:d} outgoing emails, all {state}"))
def count_outgoing(postroom_scene: Scene, count: int, state: str) -> None:
    emails = postroom_scene.organization.retrieve_multiple(SYSTEM, "email", directioncode=True)
    assert [one.statuscode.name.lower().replace("_", " ") for one in emails] == [state] * count


# -- the published messages ---------------------------------------------------------------------------------------------


@when(parsers.re(r'somebody asks for the message "(?P<name>[^"]+)"'))
def asks_for_message(postroom_scene: Scene, name: str) -> None:
    _attempt(postroom_scene, lambda: postroom_scene.organization.execute(SYSTEM, name))
