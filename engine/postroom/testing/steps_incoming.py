"""Phrases about mail that comes in: settings, what a mail looks like, what it was correlated with, who got it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pytest_bdd import given, parsers, then, when

from postroom.errors import PostroomError
from postroom.model import Email, IncomingFilteringMethod, Lookup
from postroom.model.settings import OrgDbOrgSettings
from postroom.organization import SYSTEM
from postroom.rules.tracking_header import TRACKING_HEADER
from postroom.testing.scene import FORWARD_MAILBOX, Party, Scene

ROLES = {"from": 1, "to": 2, "cc": 3, "bcc": 4}
METHODS = {
    "nothing": 0,
    "nothing, without looking": 1,
    "our own header": 2,
    "its In-Reply-To": 3,
    "its token": 4,
    "its conversation": 5,
    "smart matching": 6,
}
ENTITIES = {"user": "systemuser"}
SETTINGS = {
    "smart matching": "enablesmartmatching",
    "correlation by headers": "emailcorrelationenabled",
    "ignoring internal email": "ignoreinternalemail",
    "leaving shared recipients unresolved": "unresolveemailaddressifmultiplematch",
}
SINK = "sink-secret"


# -- settings ---------------------------------------------------------------------------------------------------------


@given(parsers.re(r'the setting "(?P<name>\w+)" is (?P<state>on|off)'))
@when(parsers.re(r'the setting "(?P<name>\w+)" is switched (?P<state>on|off)'))
def a_switch(postroom_scene: Scene, name: str, state: str) -> None:
    """One of the switches of OrgDbOrgSettings, by its published name."""
    organization = postroom_scene.organization
    before = OrgDbOrgSettings.from_xml(organization.settings.orgdborgsettings)
    values = {one: getattr(before, one) for one in before.__dataclass_fields__}
    assert name.lower() in values, f"there is no switch {name!r}"
    changed = OrgDbOrgSettings(**{**values, name.lower(): state == "on"})
    organization.update_settings(SYSTEM, orgdborgsettings=changed.to_xml(organization.settings.orgdborgsettings))


@given(parsers.re(rf"(?P<what>{'|'.join(SETTINGS)}) is (?P<state>on|off)"))
@when(parsers.re(rf"(?P<what>{'|'.join(SETTINGS)}) is switched (?P<state>on|off)"))
def a_setting(postroom_scene: Scene, what: str, state: str) -> None:
    postroom_scene.organization.update_settings(SYSTEM, **{SETTINGS[what]: state == "on"})


@given(parsers.parse("{count:d} common addresses are needed for smart matching"))
def common_addresses(postroom_scene: Scene, count: int) -> None:
    postroom_scene.organization.update_settings(SYSTEM, hashminaddresscount=count)


@given(parsers.parse("subjects may differ by {count:d} word in smart matching"))
def differing_words(postroom_scene: Scene, count: int) -> None:
    postroom_scene.organization.update_settings(SYSTEM, hashdeltasubjectcount=count)


@when(parsers.re(r'the tracking prefix becomes "(?P<prefix>[^"]*)"'))
def tracking_prefix(postroom_scene: Scene, prefix: str) -> None:
    postroom_scene.organization.update_settings(SYSTEM, trackingprefix=prefix)


@when(parsers.parse("user numbers in tokens get {digits:d} digits"))
def token_digits(postroom_scene: Scene, digits: int) -> None:
    postroom_scene.organization.update_settings(SYSTEM, trackingtokeniddigits=digits)


@given(parsers.parse("attachments may have {size:d} octets"))
def attachment_size(postroom_scene: Scene, size: int) -> None:
    postroom_scene.organization.update_settings(SYSTEM, maxuploadfilesize=size)


@given(parsers.re(r'attachments with the extensions "(?P<extensions>[^"]*)" are blocked'))
def blocked_extensions(postroom_scene: Scene, extensions: str) -> None:
    postroom_scene.organization.update_settings(SYSTEM, blockedattachments=extensions)


@given(parsers.re(r'"(?P<name>[^"]+)" wants a (?P<entity>contact|lead) for unknown senders'))
def wants_record(postroom_scene: Scene, name: str, entity: str) -> None:
    user = postroom_scene.people[name].id
    values = {"autocreatecontactonpromote": True, "createleadonpromote": entity == "lead"}
    postroom_scene.organization.update(SYSTEM, "usersettings", user, **values)


@when(parsers.re(r'"(?P<name>[^"]+)" chooses to track no email messages'))
def chooses_none(postroom_scene: Scene, name: str) -> None:
    try:
        postroom_scene.filter(postroom_scene.people[name], int(IncomingFilteringMethod.NO_EMAIL_MESSAGES))
    except PostroomError as error:
        postroom_scene.refusal = error


@given(parsers.re(r'"(?P<name>[^"]+)" is the owner of the queue "(?P<queue>[^"]+)"'))
def queue_owner(postroom_scene: Scene, name: str, queue: str) -> None:
    owner = postroom_scene.people[name].lookup
    postroom_scene.organization.assign(SYSTEM, "queue", postroom_scene.people[queue].id, owner)


@given(parsers.re(r'the contact "(?P<contact>[^"]+)" belongs to "(?P<owner>[^"]+)"'))
def contact_owner(postroom_scene: Scene, contact: str, owner: str) -> None:
    postroom_scene.organization.assign(
        SYSTEM, "contact", postroom_scene.people[contact].id, postroom_scene.people[owner].lookup
    )


@given(parsers.re(r'the (?P<entity>contact|lead|account) "(?P<name>[^"]+)" is inactive'))
def record_inactive(postroom_scene: Scene, entity: str, name: str) -> None:
    postroom_scene.organization.set_state(SYSTEM, entity, postroom_scene.people[name].id, False)


@given(parsers.re(r'mail for "(?P<name>[^"]+)" goes through the forward mailbox "(?P<address>[^"]+)"'))
def forward_mailbox(postroom_scene: Scene, name: str, address: str) -> None:
    """The mailbox is made when it is first named, ready to receive."""
    scene = postroom_scene
    owner = scene.people[name]
    scene.organization.update(SYSTEM, "mailbox", owner.mailbox, incomingemaildeliverymethod=FORWARD_MAILBOX)
    if address in scene.people:
        return
    scene.world.add_account(address, password=SINK, name="sink")
    profile = scene.organization.settings.defaultemailserverprofileid
    mailbox = scene.organization.create(
        SYSTEM, "mailbox", name=address, emailaddress=address, emailserverprofile=profile, processanddeleteemails=True
    )
    party = scene.people[address] = Party(address, "mailbox", mailbox, address, mailbox)
    scene.credentials(party, SINK)
    scene.organization.approve_email(SYSTEM, mailbox)
    scene.test_and_enable(party)


# -- mail arrives -----------------------------------------------------------------------------------------------------


def _deliver(scene: Scene, to: str, headers: Mapping[str, str], body: str = "Hello.", *, into: str | None = None) -> None:
    """Octets as a stranger's program would write them: fields in the order given, empty ones left out."""
    fields = {
        "Message-ID": f"<{scene.world.ids.token()}@outside.test>",
        "Date": f"{scene.world.clock.now():%a, %d %b %Y %H:%M:%S +0000}",
        "To": to,
        **headers,
    }
    text = (
        "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
        + "\r\n"
        + body.replace("\n", "\r\n")
        + "\r\n"
    )
    targets = [into] if into else [one.strip() for one in to.split(",")]
    scene.world.deliver(fields.get("From", ""), targets, text.encode())


@given(
    parsers.re(
        r'a mail from "(?P<sender>[^"]+)" to "(?P<to>[^"]*)" and in copy to "(?P<cc>[^"]+)" reaches "(?P<into>[^"]+)" with the subject "(?P<subject>[^"]+)"'
    )
)
def a_mail_in_copy(postroom_scene: Scene, sender: str, to: str, cc: str, into: str, subject: str) -> None:
    _deliver(postroom_scene, to, {"From": sender, "Cc": cc, "Subject": subject}, into=into)


@given(
    parsers.re(r'a mail without a Message-ID from "(?P<sender>[^"]+)" to "(?P<to>[^"]+)" with the subject "(?P<subject>[^"]+)"')
)
def a_mail_without_id(postroom_scene: Scene, sender: str, to: str, subject: str) -> None:
    _deliver(postroom_scene, to, {"From": sender, "Subject": subject, "Message-ID": ""})


@given(
    parsers.re(
        r'a mail from "(?P<sender>[^"]+)" to "(?P<to>[^"]+)" with the subject "(?P<subject>[^"]+)" and the field "(?P<field>[\w-]+): (?P<value>[^"]*)"'
    )
)
def a_mail_with_field(postroom_scene: Scene, sender: str, to: str, subject: str, field: str, value: str) -> None:
    _deliver(postroom_scene, to, {"From": sender, "Subject": subject, field: value})


@given(
    parsers.re(
        r'a mail from "(?P<sender>[^"]+)" to "(?P<to>[^"]+)" with the subject "(?P<subject>[^"]+)" and the files "(?P<files>[^"]+)"'
    )
)
def a_mail_with_files(postroom_scene: Scene, sender: str, to: str, subject: str, files: str) -> None:
    """Each file holds its own name."""
    parts = [
        f'--b\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename="{name.strip()}"\n\n{name.strip()}'
        for name in files.split(",")
    ]
    body = "\n".join(["--b\nContent-Type: text/plain\n\nHello.", *parts, "--b--"])
    headers = {"From": sender, "Subject": subject, "Content-Type": 'multipart/mixed; boundary="b"'}
    _deliver(postroom_scene, to, headers, body)


@given(
    parsers.re(
        r'a mail from "(?P<sender>[^"]+)" to "(?P<to>[^"]+)" that is (?P<days>\d+) days old with the subject "(?P<subject>[^"]+)"'
    )
)
def an_old_mail(postroom_scene: Scene, sender: str, to: str, days: str, subject: str) -> None:
    moment = postroom_scene.world.clock.now() - timedelta(days=int(days))
    date = f"{moment:%a, %d %b %Y %H:%M:%S +0000}"
    _deliver(postroom_scene, to, {"From": sender, "Subject": subject, "Date": date})


def _message_id(scene: Scene, subject: str) -> str:
    return _last(scene, subject).messageid or ""


@given(parsers.re(r'the mail "(?P<subject>[^"]+)" also reaches "(?P<into>[^"]+)"'))
@when(parsers.re(r'the mail "(?P<subject>[^"]+)" also reaches "(?P<into>[^"]+)"'))
def another_copy(postroom_scene: Scene, subject: str, into: str) -> None:
    """The same octets in another mailbox."""
    [octets] = [one for one in _stored(postroom_scene) if f"Subject: {subject}\r\n".encode() in one]
    postroom_scene.world.deliver("carl@birch.test", [into], octets)


def _stored(scene: Scene) -> list[bytes]:
    return [scene.world.store.octets(item.uid) for item in scene.inbox_items()]


@when(
    parsers.re(
        r'"(?P<sender>[^"]+)" answers "(?P<subject>[^"]+)" to "(?P<to>[^"]+)" with the subject "(?P<own>[^"]*)" and (?P<how>no headers|In-Reply-To|References|our own header)'
    )
)
def an_answer(postroom_scene: Scene, sender: str, subject: str, to: str, own: str, how: str) -> None:
    """`own`: the answer's subject; "(token)" in it stands for the token of the email answered."""
    email = _last(postroom_scene, subject)
    fields = {
        "no headers": {},
        "In-Reply-To": {"In-Reply-To": email.messageid or ""},
        "References": {"References": f"<root@outside.test> {email.messageid}"},
        "our own header": {TRACKING_HEADER: email.activityid},
    }[how]
    text = own.replace("(token)", email.trackingtoken or "")
    _deliver(postroom_scene, to, {"From": sender, "Subject": text, **fields})


@given(parsers.re(r'"(?P<sender>[^"]+)" sent an email with a token to "(?P<to>[^"]+)" with the subject "(?P<subject>[^"]+)"'))
@when(parsers.re(r'"(?P<sender>[^"]+)" sends an email with a token to "(?P<to>[^"]+)" with the subject "(?P<subject>[^"]+)"'))
def sent_with_token(postroom_scene: Scene, sender: str, to: str, subject: str) -> None:
    _send(postroom_scene, sender, to, subject, None)


@given(parsers.re(r'"(?P<sender>[^"]+)" sent an email to "(?P<to>[^"]+)" with the subject "(?P<subject>[^"]+)"'))
def sent(postroom_scene: Scene, sender: str, to: str, subject: str) -> None:
    _send(postroom_scene, sender, to, subject, "")


@given(
    parsers.re(
        r'"(?P<sender>[^"]+)" sent an email to "(?P<to>[^"]+)" about the (?P<entity>\w+) "(?P<title>[^"]+)" with the subject "(?P<subject>[^"]+)"'
    )
)
def sent_about(postroom_scene: Scene, sender: str, to: str, entity: str, title: str, subject: str) -> None:
    about = Lookup(entity, postroom_scene.organization.create(SYSTEM, entity, title=title, name=title))
    postroom_scene.people[title] = Party(title, entity, about.id, "")
    _send(postroom_scene, sender, to, subject, "", regardingobjectid=about)


def _send(scene: Scene, sender: str, to: str, subject: str, token: str | None, **values: Any) -> None:
    """By the user itself, and taken to the server."""
    organization, party = scene.organization, scene.people[sender]
    organization.update_settings(SYSTEM, allowunresolvedpartiesonemailsend=True)
    target: Any = scene.people[to].lookup if to in scene.people else to
    email = organization.create_email(SYSTEM, from_=party.lookup, to=[target], subject=subject, **values)
    organization.send_email(SYSTEM, email, tracking_token=token)
    scene.run(after=timedelta(minutes=15))


@given(parsers.re(r'"(?P<name>[^"]+)" forwarded the mails? "(?P<subjects>[^"]+)" of "(?P<sender>[^"]+)" to "(?P<sink>[^"]+)"'))
@when(parsers.re(r'"(?P<name>[^"]+)" forwards the mails? "(?P<subjects>[^"]+)" of "(?P<sender>[^"]+)" to "(?P<sink>[^"]+)"'))
def forwarded(postroom_scene: Scene, name: str, subjects: str, sender: str, sink: str) -> None:
    """As a server's rule does: each as an attachment of one message. Message-IDs follow from the subjects."""
    address = postroom_scene.people[name].address if name in postroom_scene.people else name
    parts = []
    for subject in (one.strip() for one in subjects.split(",")):
        head = f"From: {sender}\nTo: {address}\nSubject: {subject}\nMessage-ID: <{subject.replace(' ', '-')}@outside.test>"
        parts.append(f"--f\nContent-Type: message/rfc822\n\n{head}\n\nHello.")
    headers = {"From": address, "Subject": f"Forwarded: {subjects}", "Content-Type": 'multipart/mixed; boundary="f"'}
    _deliver(postroom_scene, sink, headers, "\n".join([*parts, "--f--"]))


# -- the received-after date ------------------------------------------------------------------------------------------


@given(parsers.parse('the mailbox of "{name}" processes mail from {days:d} days ago on'))
@when(parsers.parse('the mailbox of "{name}" processes mail from {days:d} days ago on'))
def mailbox_date(postroom_scene: Scene, name: str, days: int) -> None:
    moment = postroom_scene.world.clock.now() - timedelta(days=days)
    postroom_scene.organization.update(SYSTEM, "mailbox", postroom_scene.people[name].mailbox, processemailreceivedafter=moment)


@given(parsers.parse('the profile "{name}" processes mail from {days:d} days ago on'))
@when(parsers.parse('the profile "{name}" processes mail from {days:d} days ago on'))
def profile_date(postroom_scene: Scene, name: str, days: int) -> None:
    moment: datetime = postroom_scene.world.clock.now() - timedelta(days=days)
    profile = postroom_scene.profiles[name]
    postroom_scene.organization.update(SYSTEM, "emailserverprofile", profile, processemailsreceivedafter=moment)


@when(parsers.re(r'the email activity "(?P<subject>[^"]+)" is deleted'))
def activity_deleted(postroom_scene: Scene, subject: str) -> None:
    postroom_scene.organization.delete(SYSTEM, "email", _last(postroom_scene, subject).activityid)


# -- looking ----------------------------------------------------------------------------------------------------------


def _last(scene: Scene, subject: str) -> Email:
    """The email with this subject, its token not counted; of several the one stored last."""
    found = [
        one
        for one in scene.organization.retrieve_multiple(SYSTEM, "email")
        if (one.subject or "").removesuffix(one.trackingtoken or "").rstrip() == subject
    ]
    assert found, f"no email has the subject {subject!r}"
    email: Email = found[-1]
    return email


@then(parsers.re(rf'the email "(?P<subject>[^"]+)" was correlated by (?P<how>{"|".join(METHODS)})'))
def correlated_by(postroom_scene: Scene, subject: str, how: str) -> None:
    assert _last(postroom_scene, subject).correlationmethod == METHODS[how]


@then(parsers.re(r'the email "(?P<subject>[^"]+)" belongs to the email "(?P<other>[^"]+)"(?P<parent>, its parent)?'))
def belongs_to(postroom_scene: Scene, subject: str, other: str, parent: str | None) -> None:
    email, original = _last(postroom_scene, subject), _last(postroom_scene, other)
    assert email.correlatedactivityid == original.reference
    assert email.parentactivityid == (original.reference if parent else None)
    assert email.regardingobjectid == original.regardingobjectid


@then(parsers.re(r'the email "(?P<subject>[^"]+)" is about "(?P<title>[^"]+)"'))
def is_about(postroom_scene: Scene, subject: str, title: str) -> None:
    assert _last(postroom_scene, subject).regardingobjectid == postroom_scene.people[title].lookup


@then(parsers.re(r'the email "(?P<subject>[^"]+)" is owned by "(?P<name>[^"]+)"'))
def owned_by(postroom_scene: Scene, subject: str, name: str) -> None:
    assert _last(postroom_scene, subject).ownerid == postroom_scene.people[name].lookup


@then(parsers.re(r'the email "(?P<subject>[^"]+)" was accepted by "(?P<name>[^"]+)" in the mailbox of "(?P<owner>[^"]+)"'))
def accepted_by(postroom_scene: Scene, subject: str, name: str, owner: str) -> None:
    email = _last(postroom_scene, subject)
    assert email.acceptingentityid == postroom_scene.people[name].lookup
    assert email.receivingmailboxid == Lookup("mailbox", postroom_scene.people[owner].mailbox)


@then(parsers.re(r'the email "(?P<subject>[^"]+)" is (?P<role>from|to|cc|bcc) the (?P<entity>\w+) "(?P<name>[^"]+)"'))
def party_is(postroom_scene: Scene, subject: str, role: str, entity: str, name: str) -> None:
    party = postroom_scene.people[name]
    assert party.entity == ENTITIES.get(entity, entity)
    assert (ROLES[role], party.lookup) in _parties(postroom_scene, subject)


@then(
    parsers.re(r'the email "(?P<subject>[^"]+)" is from a new (?P<entity>contact|lead) with the address "(?P<address>[^"]+)"')
)
def new_sender(postroom_scene: Scene, subject: str, entity: str, address: str) -> None:
    sender = _last(postroom_scene, subject).emailsender
    assert sender is not None
    assert sender.entity == entity
    assert postroom_scene.organization.retrieve(SYSTEM, entity, sender.id).get("emailaddress1") == address


@then(parsers.re(r'the email "(?P<subject>[^"]+)" has (?P<count>\d+) (?P<role>from|to|cc|bcc) part(?:y|ies)'))
def party_count(postroom_scene: Scene, subject: str, count: str, role: str) -> None:
    assert sum(mask == ROLES[role] for mask, _ in _parties(postroom_scene, subject)) == int(count)


def _parties(scene: Scene, subject: str) -> list[tuple[int | None, Lookup | None]]:
    rows = scene.organization.retrieve_multiple(SYSTEM, "activityparty", activityid=_last(scene, subject).reference)
    return [(row.participationtypemask, row.partyid) for row in rows]


@then(parsers.re(r'the email "(?P<subject>[^"]+)" has the files? "(?P<files>[^"]*)"'))
def has_files(postroom_scene: Scene, subject: str, files: str) -> None:
    email = _last(postroom_scene, subject)
    rows = postroom_scene.organization.retrieve_multiple(SYSTEM, "activitymimeattachment", objectid=email.reference)
    wanted = [name.strip() for name in files.split(",") if name.strip()]
    assert [row.filename for row in rows] == wanted
    assert email.attachmentcount == len(wanted)


@then(parsers.re(r'the email "(?P<subject>[^"]+)" says that (?P<what>a file is missing|nothing is missing)'))
def says_missing(postroom_scene: Scene, subject: str, what: str) -> None:
    assert _last(postroom_scene, subject).notifications == (1 if what == "a file is missing" else 0)


@then(parsers.re(r'the email "(?P<subject>[^"]+)" is in the queues? "(?P<queues>[^"]+)"'))
def in_queues(postroom_scene: Scene, subject: str, queues: str) -> None:
    assert _queues(postroom_scene, subject) == {postroom_scene.people[name.strip()].id for name in queues.split(",")}


@then(parsers.re(r'the email "(?P<subject>[^"]+)" is in no queue'))
def in_no_queue(postroom_scene: Scene, subject: str) -> None:
    assert _queues(postroom_scene, subject) == set()


def _queues(scene: Scene, subject: str) -> set[str]:
    rows = scene.organization.retrieve_multiple(SYSTEM, "queueitem", objectid=_last(scene, subject).reference)
    return {row.queueid.id for row in rows}


@then(parsers.re(r'the email "(?P<subject>[^"]+)" has the (?P<attribute>\w+) "(?P<value>[^"]*)"'))
def has_value(postroom_scene: Scene, subject: str, attribute: str, value: str) -> None:
    """An attribute of the activity by its published name; numbers of options, yes and no for truth values."""
    found = getattr(_last(postroom_scene, subject), attribute)
    if isinstance(found, bool):
        found = "yes" if found else "no"
    assert ("" if found is None else str(int(found) if isinstance(found, int) else found)) == value


@then(parsers.re(r'the mail "(?P<subject>[^"]+)" waits because it is before the watermark'))
def waits(postroom_scene: Scene, subject: str) -> None:
    rows = [row for row in postroom_scene.organization.books().incoming if row.subject == subject]
    assert [(row.disposition, row.reason) for row in rows] == [("pending", "before watermark")]


@then(parsers.re(r'"(?P<name>[^"]+)" is told "(?P<code>\w+)" about the mail "(?P<subject>[^"]+)"'))
def is_told(postroom_scene: Scene, name: str, code: str, subject: str) -> None:
    """An alert on the mailbox."""
    regarding = Lookup("mailbox", postroom_scene.people[name].mailbox)
    rows = postroom_scene.organization.retrieve_multiple(SYSTEM, "tracelog", regardingobjectid=regarding)
    assert [row for row in rows if row.errortypedisplay == code and repr(subject) in (row.text or "")]
