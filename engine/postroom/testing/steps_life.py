"""The phrases about mailboxes and profiles, schedules, locks, errors, alerts and settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_bdd import given, parsers, then, when

from postroom.errors import PostroomError
from postroom.model import ActivityParty, Lookup, Mailbox, MailboxStatistics, TraceLevel, TraceLog
from postroom.model.deployment import DeploymentSettings
from postroom.model.settings import OrgDbOrgSettings
from postroom.organization import SYSTEM, Caller, Operation
from postroom.organization.callers import APPROVE_ADDRESS
from postroom.testing.scene import SERVER_SIDE_SYNC, Party, Scene
from postroom_simulator.faults import Fault, Reply, Stall, When

LEVELS = {"information": TraceLevel.INFORMATION, "warning": TraceLevel.WARNING, "error": TraceLevel.ERROR}
EWS = "https://mail.alder.test/EWS/Exchange.asmx"
PROFILES: dict[str, dict[str, Any]] = {
    "POP3 in and SMTP out": {},
    "Exchange in and SMTP out": {"servertype": 0, "outgoingportnumber": 587},
    "POP3 in and Exchange out": {"outgoingserverlocation": EWS},
    "IMAP in": {"incomingportnumber": 993},
    "Exchange 2007": {"servertype": 0, "exchangeversion": 0},
    "Exchange 2013": {"servertype": 0, "exchangeversion": 5, "incomingserverlocation": EWS, "outgoingserverlocation": EWS},
    "Exchange Online on another server": {"servertype": 3, "incomingserverlocation": EWS, "outgoingserverlocation": EWS},
    "POP3 with autodiscover": {"useautodiscover": True},
    "POP3 without credentials": {"incomingcredentialretrieval": 4},
    "SMTP without credentials": {"outgoingcredentialretrieval": 4, "usesamesettingsforoutgoingconnections": False},
    "Exchange without credentials": {"servertype": 0, "outgoingcredentialretrieval": 4},
    "POP3 with integrated Windows authentication": {"incomingcredentialretrieval": 3},
    "POP3 with server to server authentication": {"incomingcredentialretrieval": 2},
    "POP3 without TLS": {"incomingusessl": False, "incomingauthenticationprotocol": 2},
    "POP3 with passwords in the clear": {"incomingusessl": False},
    "POP3 with NTLM": {"incomingauthenticationprotocol": 2},
}


def _attempt(scene: Scene, action: Callable[[], Any]) -> None:
    """What is refused is kept for `it is refused because`."""
    scene.refusal = None
    try:
        action()
    except PostroomError as error:
        scene.refusal = error


def _value(text: str) -> Any:
    if text in ("on", "off"):
        return text == "on"
    if text == "nothing":
        return None
    return int(text) if text.lstrip("-").isdecimal() else text


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _box(scene: Scene, name: str) -> Mailbox:
    return scene.mailbox(scene.people[name])


# -- settings ---------------------------------------------------------------------------------------------------------


@given(parsers.parse('the organization\'s "{name}" is "{value}"'))
@when(parsers.parse('the organization\'s "{name}" is "{value}"'))
def organization_setting(postroom_scene: Scene, name: str, value: str) -> None:
    """By its published name, in any case; "on" and "off", a number, or text."""
    scene = postroom_scene
    _attempt(scene, lambda: scene.organization.update_settings(SYSTEM, **{name.lower(): _value(value)}))


@when(parsers.parse('the organization\'s settings become "{given}"'))
def organization_settings(postroom_scene: Scene, given: str) -> None:
    pairs = (part.split("=", 1) for part in given.split("; "))
    values = {name.strip().lower(): _value(value) for name, value in pairs}
    _attempt(postroom_scene, lambda: postroom_scene.organization.update_settings(SYSTEM, **values))


@given(parsers.parse('the switch "{name}" is "{value}"'))
def a_switch(postroom_scene: Scene, name: str, value: str) -> None:
    before = postroom_scene.organization.settings.orgdborgsettings
    known = {field.metadata["published"]: field.name for field in dataclasses.fields(OrgDbOrgSettings)}
    after = dataclasses.replace(OrgDbOrgSettings.from_xml(before), **{known[name]: _value(value)})
    postroom_scene.organization.update_settings(SYSTEM, orgdborgsettings=after.to_xml(before))


@given(parsers.parse('the deployment\'s "{name}" is "{value}"'))
@when(parsers.parse('the deployment\'s "{name}" is "{value}"'))
def deployment_setting(postroom_scene: Scene, name: str, value: str) -> None:
    """By its published name, or ours."""
    known = {field.metadata.get("published") or field.name: field.name for field in dataclasses.fields(DeploymentSettings)}
    deployment = postroom_scene.deployment

    def change() -> None:
        deployment.settings = dataclasses.replace(deployment.settings, **{known[name]: _value(value)})

    _attempt(postroom_scene, change)


# -- profiles ---------------------------------------------------------------------------------------------------------


@when(parsers.re(r'a profile is saved for (?P<first>[^"]+?)(?: together with (?P<second>[^"]+))?'))
def profile_saved(postroom_scene: Scene, first: str, second: str | None) -> None:
    values: dict[str, Any] = {"servertype": 1, "name": "new", **PROFILES[first], **(PROFILES[second] if second else {})}
    _attempt(postroom_scene, lambda: postroom_scene.organization.create(SYSTEM, "emailserverprofile", **values))


@then("it is saved")
def it_is_saved(postroom_scene: Scene) -> None:
    assert postroom_scene.refusal is None, str(postroom_scene.refusal)


@given(parsers.re(r'the profile "(?P<name>[^"]+)" has the (?P<attribute>\w+) "(?P<value>[^"]*)"'))
@when(parsers.re(r'the profile "(?P<name>[^"]+)" has the (?P<attribute>\w+) "(?P<value>[^"]*)"'))
def profile_attribute(postroom_scene: Scene, name: str, attribute: str, value: str) -> None:
    """An attribute by its published name."""
    given_value = _moment(value) if attribute == "processemailsreceivedafter" else _value(value)
    scene = postroom_scene
    _attempt(
        scene,
        lambda: scene.organization.update(SYSTEM, "emailserverprofile", scene.profiles[name], **{attribute: given_value}),
    )


@given(parsers.parse('"{owner}" owns the profile "{name}" and wants a mail when its mailboxes fail'))
def profile_owner(postroom_scene: Scene, owner: str, name: str) -> None:
    scene, profile = postroom_scene, postroom_scene.profiles[name]
    scene.organization.assign(SYSTEM, "emailserverprofile", profile, scene.people[owner].lookup)
    address = scene.people[owner].address
    scene.organization.update(SYSTEM, "emailserverprofile", profile, sendemailalert=True, owneremailaddress=address)


@when(parsers.parse('the profile "{name}" is deleted'))
def profile_deleted(postroom_scene: Scene, name: str) -> None:
    scene = postroom_scene
    _attempt(scene, lambda: scene.organization.delete(SYSTEM, "emailserverprofile", scene.profiles[name]))


@when(parsers.re(r'the profile "(?P<name>[^"]+)" is switched (?P<state>off|on)'))
def profile_switched(postroom_scene: Scene, name: str, state: str) -> None:
    postroom_scene.organization.set_state(SYSTEM, "emailserverprofile", postroom_scene.profiles[name], state == "on")


@given(parsers.parse('the profile "{name}" has the credentials of "{person}"'))
def profile_credentials(postroom_scene: Scene, name: str, person: str) -> None:
    postroom_scene.organization.update(
        SYSTEM,
        "emailserverprofile",
        postroom_scene.profiles[name],
        incomingcredentialretrieval=1,
        outgoingcredentialretrieval=1,
        incomingusername=postroom_scene.people[person].address,
        incomingpassword="not the password",
    )


# -- mailboxes and their owners ---------------------------------------------------------------------------------------


@when(parsers.re(r'the (?P<place>mailbox of )?"(?P<name>[^"]+)" gets the address "(?P<address>[^"]*)"'))
@when(parsers.re(r'(?P<place>)"(?P<name>[^"]+)" gets the address "(?P<address>[^"]*)"'))
def new_address(postroom_scene: Scene, place: str | None, name: str, address: str) -> None:
    party = postroom_scene.people[name]
    column = "internalemailaddress" if party.entity == "systemuser" else "emailaddress"
    if place:
        postroom_scene.organization.update(SYSTEM, "mailbox", party.mailbox, emailaddress=address or None)
    else:
        postroom_scene.organization.update(SYSTEM, party.entity, party.id, **{column: address or None})


@then(parsers.re(r'the (?P<kind>user|queue) "(?P<name>[^"]+)" has the address "(?P<address>[^"]*)"'))
def owner_address(postroom_scene: Scene, kind: str, name: str, address: str) -> None:
    party = postroom_scene.people[name]
    record = postroom_scene.organization.retrieve(SYSTEM, party.entity, party.id)
    assert (record.internalemailaddress if kind == "user" else record.emailaddress) == (address or None)


@given(parsers.parse('the mailbox of "{name}" has the {attribute} "{value}"'))
@when(parsers.parse('the mailbox of "{name}" has the {attribute} "{value}"'))
def mailbox_attribute(postroom_scene: Scene, name: str, attribute: str, value: str) -> None:
    scene, mailbox = postroom_scene, postroom_scene.people[name].mailbox
    _attempt(scene, lambda: scene.organization.update(SYSTEM, "mailbox", mailbox, **{attribute: _value(value)}))


@then(parsers.parse('the mailbox of "{name}" says "{attribute}" is "{value}"'))
def mailbox_says(postroom_scene: Scene, name: str, attribute: str, value: str) -> None:
    assert getattr(_box(postroom_scene, name), attribute) == _value(value)


@when(parsers.re(r'(?P<who>somebody|somebody with the privilege) (?P<what>approves|rejects) the address of "(?P<name>[^"]+)"'))
def decides(postroom_scene: Scene, who: str, what: str, name: str) -> None:
    scene, mailbox = postroom_scene, postroom_scene.people[name].mailbox
    caller = Caller.user(scene.people[name].id, *([APPROVE_ADDRESS] if "privilege" in who else []))
    organization = scene.organization
    decide = organization.approve_email if what == "approves" else organization.reject_email
    _attempt(scene, lambda: decide(caller, mailbox))


@then(parsers.re(r'the address of "(?P<name>[^"]+)" is (?P<state>approved|pending approval|rejected|empty)'))
def approval_is(postroom_scene: Scene, name: str, state: str) -> None:
    numbers = {"empty": 0, "approved": 1, "pending approval": 2, "rejected": 3}
    assert _box(postroom_scene, name).emailrouteraccessapproval == numbers[state]


@when(parsers.parse('the default email settings are applied to "{name}"'))
def defaults_applied(postroom_scene: Scene, name: str) -> None:
    scene = postroom_scene
    _attempt(scene, lambda: scene.organization.apply_default_email_settings(SYSTEM, [scene.people[name].mailbox]))


@when(parsers.re(r'the (?P<kind>user|queue) "(?P<name>[^"]+)" is deleted'))
def owner_deleted(postroom_scene: Scene, kind: str, name: str) -> None:
    entity = {"user": "systemuser"}.get(kind, kind)
    postroom_scene.organization.delete(SYSTEM, entity, postroom_scene.people[name].id)


@when(parsers.parse('the queue "{name}" is deactivated'))
def queue_deactivated(postroom_scene: Scene, name: str) -> None:
    postroom_scene.organization.set_state(SYSTEM, "queue", postroom_scene.people[name].id, False)


@then(parsers.parse('the mailbox of "{name}" is gone'))
def mailbox_gone(postroom_scene: Scene, name: str) -> None:
    found = postroom_scene.organization.retrieve_multiple(SYSTEM, "mailbox", mailboxid=postroom_scene.people[name].mailbox)
    assert found == []


@when(parsers.parse('somebody types a password for the mailbox of "{name}" over plain HTTP'))
def typed_in_the_clear(postroom_scene: Scene, name: str) -> None:
    scene, mailbox = postroom_scene, postroom_scene.people[name].mailbox
    caller = Caller(scene.people[name].id, secure_channel=False)
    _attempt(scene, lambda: scene.organization.update(caller, "mailbox", mailbox, password="typed"))  # noqa: S106 - it is refused


# -- tests ------------------------------------------------------------------------------------------------------------


@when(parsers.parse('all mailboxes of the profile "{name}" are tested and enabled'))
def all_tested(postroom_scene: Scene, name: str) -> None:
    postroom_scene.organization.schedule_profile_tests(SYSTEM, postroom_scene.profiles[name])
    postroom_scene.engine.run_due(operations={Operation.TEST})


@when(parsers.re(r'a test of the mailbox of "(?P<name>[^"]+)" is asked for(?P<how>.*)'))
def test_asked(postroom_scene: Scene, name: str, how: str) -> None:
    """`how`: nothing, " from <date> on", " for this organization only", " taking it over", " without enabling"."""
    scene, mailbox = postroom_scene, postroom_scene.people[name].mailbox
    options: dict[str, Any] = {}
    if how.startswith(" from "):
        options["process_from"] = _moment(how.removeprefix(" from ").removesuffix(" on"))
    elif how:
        options = {
            " for this organization only": {"primary": True},
            " taking it over": {"take_over": True},
            " without enabling": {"enable": False},
        }[how]
    _attempt(scene, lambda: scene.organization.schedule_test(SYSTEM, mailbox, **options))
    scene.engine.run_due(operations={Operation.TEST})


@then(
    parsers.re(r'the test of the mailbox of "(?P<name>[^"]+)" (?P<result>succeeded|was not run) for (?P<direction>\w+) email')
)
def test_result(postroom_scene: Scene, name: str, result: str, direction: str) -> None:
    wanted = {"succeeded": 1, "was not run": 0}[result]
    assert getattr(_box(postroom_scene, name), f"{direction}emailstatus") == wanted


@then(parsers.re(r'the test of the mailbox of "(?P<name>[^"]+)" (?P<waits>will be tried again|is over)'))
def test_waits(postroom_scene: Scene, name: str, waits: str) -> None:
    assert _box(postroom_scene, name).testemailconfigurationscheduled is (waits == "will be tried again")


# -- time and trouble -------------------------------------------------------------------------------------------------


@given("the server is well again")
@when("the server is well again")
def server_well(postroom_scene: Scene) -> None:
    postroom_scene.world.faults.clear()


@given(parsers.parse("the engine ran {times:d} times, every {minutes:d} minutes"))
@when(parsers.parse("the engine runs {times:d} times, every {minutes:d} minutes"))
def runs_often(postroom_scene: Scene, times: int, minutes: int) -> None:
    for _ in range(times):
        postroom_scene.run(after=timedelta(minutes=minutes))


@given(parsers.parse('{count:d} mails from "{sender}" to "{to}"'))
def many_mails(postroom_scene: Scene, count: int, sender: str, to: str) -> None:
    for number in range(count):
        postroom_scene.mail(sender, to, f"Number {number + 1}")


@then(parsers.parse('the mailbox of "{name}" is polled again after {seconds:d} seconds'))
def polled_after(postroom_scene: Scene, name: str, seconds: int) -> None:
    due = _box(postroom_scene, name).postponemailboxprocessinguntil
    assert due is not None
    assert due - postroom_scene.world.clock.now() == timedelta(seconds=seconds)


@then(
    parsers.re(r'(?P<direction>incoming|outgoing) email of "(?P<name>[^"]+)" waits (?P<seconds>\d+) seconds after the failure')
)
def waits_after_failure(postroom_scene: Scene, direction: str, name: str, seconds: str) -> None:
    box = _box(postroom_scene, name)
    until = box.receivingpostponeduntil if direction == "incoming" else box.postponesendinguntil
    assert until is not None
    assert box.lastsyncerroroccurredon is not None
    assert until - box.lastsyncerroroccurredon == timedelta(seconds=int(seconds))


@given(parsers.parse('another host took the mailbox of "{name}" and died'))
def lock_left(postroom_scene: Scene, name: str) -> None:
    fence = postroom_scene.organization.begin_run(postroom_scene.people[name].mailbox, Operation.INCOMING, "elsewhere/1")
    assert fence is not None


@given(parsers.parse('our own host took the mailbox of "{name}" and died'))
def own_lock_left(postroom_scene: Scene, name: str) -> None:
    holder = f"{postroom_scene.engine.holder}-before"
    assert postroom_scene.organization.begin_run(postroom_scene.people[name].mailbox, Operation.INCOMING, holder) is not None


@then(parsers.re(r'the lock of the mailbox of "(?P<name>[^"]+)" was broken (?P<count>\d+) times?'))
def lock_broken(postroom_scene: Scene, name: str, count: str) -> None:
    assert _box(postroom_scene, name).forcedunlockcount == int(count)


# -- alerts and statistics --------------------------------------------------------------------------------------------


def _alerts(scene: Scene, code: str, regarding: Lookup | None = None) -> list[TraceLog]:
    found: list[TraceLog] = scene.organization.retrieve_multiple(SYSTEM, "tracelog", errortypedisplay=code)
    return [one for one in found if regarding is None or one.regardingobjectid == regarding]


def _place(scene: Scene, name: str) -> Lookup:
    if name in scene.profiles:
        return Lookup("emailserverprofile", scene.profiles[name])
    party: Party = scene.people[name]
    return Lookup("mailbox", party.mailbox)


@then(
    parsers.re(
        r'there is an? (?:(?P<state>open|closed) )?(?P<level>information|warning|error) alert "(?P<code>[^"]+)" for "(?P<name>[^"]+)"'
    )
)
def alert_is_there(postroom_scene: Scene, state: str | None, level: str, code: str, name: str) -> None:
    found = [one for one in _alerts(postroom_scene, code, _place(postroom_scene, name)) if one.level is LEVELS[level]]
    everything = postroom_scene.organization.retrieve_multiple(SYSTEM, "tracelog")
    assert len(found) == 1, [(one.errortypedisplay, one.level.name, one.regardingobjectid.entity) for one in everything]
    if state:
        assert found[0].tracestatus is (state == "closed")


@then(parsers.re(r'there is no (?:(?P<level>information|warning|error) )?alert "(?P<code>[^"]+)" for "(?P<name>[^"]+)"'))
def no_alert(postroom_scene: Scene, level: str | None, code: str, name: str) -> None:
    found = _alerts(postroom_scene, code, _place(postroom_scene, name))
    assert [one for one in found if level is None or one.level is LEVELS[level]] == []


@then(parsers.re(r'the alert "(?P<code>[^"]+)" for "(?P<name>[^"]+)" happened (?P<count>\d+) times?'))
def alert_count(postroom_scene: Scene, code: str, name: str, count: str) -> None:
    [one] = _alerts(postroom_scene, code, _place(postroom_scene, name))
    assert one.collationlevel == int(count)
    assert (one.modifiedon != one.createdon) is (int(count) > 1)


@then(parsers.parse('the error alert "{code}" for "{name}" belongs to the warning'))
def alert_parent(postroom_scene: Scene, code: str, name: str) -> None:
    found = {one.level: one for one in _alerts(postroom_scene, code, _place(postroom_scene, name))}
    assert found[TraceLevel.ERROR].parenttracelogid == found[TraceLevel.WARNING].reference
    assert found[TraceLevel.ERROR].tracecode == found[TraceLevel.WARNING].tracecode


@then(parsers.parse('the statistics of "{name}" for {direction} email say "{values}"'))
def statistics_say(postroom_scene: Scene, name: str, direction: str, values: str) -> None:
    """Of the last row: "itemsprocessed=1; processresult=on"."""
    mailbox = Lookup("mailbox", postroom_scene.people[name].mailbox)
    rows: list[MailboxStatistics] = postroom_scene.organization.retrieve_multiple(
        SYSTEM, "mailboxstatistics", mailboxid=mailbox, operationtypeid={"incoming": 0, "outgoing": 1}[direction]
    )
    for pair in values.split("; "):
        attribute, value = pair.split("=", 1)
        assert getattr(rows[-1], attribute) == _value(value), (attribute, getattr(rows[-1], attribute))


@given(parsers.parse('the user "{name}" without an address, served by server-side synchronization'))
@when(parsers.parse('the user "{name}" is created without an address, served by server-side synchronization'))
def user_without_address(postroom_scene: Scene, name: str) -> None:
    methods = {"incomingemaildeliverymethod": SERVER_SIDE_SYNC, "outgoingemaildeliverymethod": SERVER_SIDE_SYNC}
    record_id = postroom_scene.organization.create(SYSTEM, "systemuser", fullname=name, **methods)
    mailbox = postroom_scene.organization.retrieve(SYSTEM, "systemuser", record_id).defaultmailbox
    postroom_scene.people[name] = Party(name, "systemuser", record_id, "", mailbox.id)


@given(parsers.re(r'the log-in of "(?P<first>[^"]+)"(?: and "(?P<second>[^"]+)")? fails for now'))
def log_in_fails(postroom_scene: Scene, first: str, second: str | None) -> None:
    for name in filter(None, (first, second)):
        address = postroom_scene.people[name].address
        postroom_scene.world.faults.add(
            Fault(When(protocol="pop3", at="PASS", account=address), Reply("-ERR", "[SYS/TEMP] later"))
        )


@given(parsers.parse('the server answers nothing to every "{verb}"'))
def server_is_silent(postroom_scene: Scene, verb: str) -> None:
    """The profiles wait for 300 ms only: over sockets they are real ones."""
    for profile in postroom_scene.profiles.values():
        postroom_scene.organization.update(SYSTEM, "emailserverprofile", profile, timeoutmailboxconnectionafteramount=300)
    postroom_scene.world.faults.add(Fault(When(protocol="pop3", at=verb), Stall()))


@when(parsers.parse('the queue "{name}" is created with the address "{address}" and nothing else'))
def queue_with_defaults(postroom_scene: Scene, name: str, address: str) -> None:
    record_id = postroom_scene.organization.create(SYSTEM, "queue", name=name, emailaddress=address)
    mailbox = postroom_scene.organization.retrieve(SYSTEM, "queue", record_id).defaultmailbox
    postroom_scene.people[name] = Party(name, "queue", record_id, address, mailbox.id)


def _sender(scene: Scene, subject: str) -> ActivityParty:
    [email] = scene.emails(subject)
    parties = scene.organization.retrieve_multiple(SYSTEM, "activityparty", activityid=Lookup("email", email.activityid))
    [found] = [one for one in parties if one.participationtypemask == 1]
    party: ActivityParty = found
    return party


@when(parsers.parse('somebody says that the sender of "{subject}" is the new contact "{name}"'))
def sender_resolved(postroom_scene: Scene, subject: str, name: str) -> None:
    party = _sender(postroom_scene, subject)
    contact = postroom_scene.contact(name, party.addressused or "")
    postroom_scene.organization.resolve_party(SYSTEM, party.activitypartyid, contact.lookup)


@then(parsers.parse('the sender of "{subject}" is the contact "{name}"'))
def sender_is(postroom_scene: Scene, subject: str, name: str) -> None:
    assert _sender(postroom_scene, subject).partyid == postroom_scene.people[name].lookup
