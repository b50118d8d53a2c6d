"""Mailboxes and whose they are (server-side-sync reference 2)."""

from __future__ import annotations

from typing import Any

import pytest
from organization_house import House

from postroom.errors import ConfigError, NotWritable, PrivilegeMissing, RecordNotFound, RuleViolated, UnknownAttribute
from postroom.model import EmailRouterAccessApproval as Approval
from postroom.model import Lookup, MailboxTestStatus, RecordState
from postroom.model.secret import Secret
from postroom.organization import SYSTEM, Caller
from postroom.organization.callers import APPROVE_ADDRESS

FLAGS = ("enabledforincomingemail", "enabledforoutgoingemail", "enabledforact")
STATUSES = ("incomingemailstatus", "outgoingemailstatus", "actstatus")


def is_off(mailbox: Any) -> bool:
    """Not Run and disabled in every direction."""
    return not any(getattr(mailbox, name) for name in FLAGS) and all(
        getattr(mailbox, name) is MailboxTestStatus.NOT_RUN for name in STATUSES
    )


@pytest.mark.parametrize(
    ("incoming", "outgoing", "linked"),
    [(2, 2, True), (2, 0, True), (0, 2, True), (0, 0, False), (3, 0, False), (1, 1, False), (3, 2, True)],
)
def test_the_default_profile_is_linked_when_a_direction_is_served(
    house: House, incoming: int, outgoing: int, linked: bool
) -> None:
    ada = house.user("ada", ready=False, incomingemaildeliverymethod=incoming, outgoingemaildeliverymethod=outgoing)
    assert (house.mailbox(ada).emailserverprofile is not None) is linked


def test_a_new_mailbox_is_off_and_waits_for_approval(house: House) -> None:
    box = house.mailbox(house.user("ada", ready=False))
    assert is_off(box)
    assert (box.isforwardmailbox, box.emailrouteraccessapproval) == (False, Approval.PENDING_APPROVAL)
    assert box.emailaddress == "ada@alder.test"
    assert box.ownerid == box.regardingobjectid


def test_without_or_with_an_inactive_default_nothing_is_linked(house: House) -> None:
    house.organization.set_state(SYSTEM, "emailserverprofile", house.profile, False)
    assert house.mailbox(house.user("ada", ready=False)).emailserverprofile is None
    house.settings(defaultemailserverprofileid=None)
    assert house.mailbox(house.queue("support", ready=False)).emailserverprofile is None


def test_methods_come_from_the_default_settings_unless_given(house: House) -> None:
    house.settings(defaultemailsettings='<EmailSettings><systemuser incoming="2" outgoing="2"/></EmailSettings>')
    user = house.organization.create(SYSTEM, "systemuser", internalemailaddress="x@alder.test", outgoingemaildeliverymethod=0)
    box = house.mailbox(Lookup("systemuser", user))
    assert (box.incomingemaildeliverymethod, box.outgoingemaildeliverymethod) == (2, 0)
    queue = house.organization.create(SYSTEM, "queue", name="q")
    box = house.mailbox(Lookup("queue", queue))
    assert (box.incomingemaildeliverymethod, box.emailserverprofile, box.emailrouteraccessapproval) == (0, None, Approval.EMPTY)


def test_a_second_mailbox_is_refused_and_a_deleted_one_can_be_replaced(house: House) -> None:
    ada = house.user("ada")
    with pytest.raises(RuleViolated, match="one mailbox only"):
        house.organization.create(SYSTEM, "mailbox", name="again", regardingobjectid=ada)
    house.organization.delete(SYSTEM, "mailbox", house.mailbox(ada).mailboxid)
    assert house.organization.retrieve(SYSTEM, "systemuser", ada.id).defaultmailbox is None
    made = house.organization.create(SYSTEM, "mailbox", name="again", regardingobjectid=ada)
    assert house.organization.retrieve(SYSTEM, "systemuser", ada.id).defaultmailbox == Lookup("mailbox", made)
    assert house.mailbox(ada).emailaddress == "ada@alder.test"


def test_the_address_is_mirrored_both_ways_and_a_change_resets(house: House) -> None:
    ada, support = house.user("ada"), house.queue("support")
    house.organization.update(SYSTEM, "systemuser", ada.id, internalemailaddress="a@alder.test")
    box = house.mailbox(ada)
    assert box.emailaddress == "a@alder.test"
    assert is_off(box)
    assert box.emailrouteraccessapproval is Approval.PENDING_APPROVAL
    assert house.organization.retrieve(SYSTEM, "systemuser", ada.id).emailrouteraccessapproval is Approval.PENDING_APPROVAL
    house.update_mailbox(support, emailaddress="help@alder.test")
    assert house.organization.retrieve(SYSTEM, "queue", support.id).emailaddress == "help@alder.test"
    assert is_off(house.mailbox(support))
    house.update_mailbox(support, emailaddress=None)
    assert house.mailbox(support).emailrouteraccessapproval is Approval.EMPTY
    house.update_mailbox(support, emailaddress="new@alder.test", emailrouteraccessapproval=1)
    assert house.mailbox(support).emailrouteraccessapproval is Approval.APPROVED


@pytest.mark.parametrize(
    ("change", "incoming", "outgoing"),
    [
        ({"username": "new"}, False, False),
        ({"password": "new"}, False, False),
        ({"allowemailconnectortousecredentials": True}, False, False),
        ({"incomingemaildeliverymethod": 0}, False, True),
        ({"outgoingemaildeliverymethod": 0}, True, False),
        ({"emailserverprofile": None}, False, False),
        ({"name": "Other"}, True, True),
        ({"incomingemaildeliverymethod": 2}, True, True),
        ({"username": "new", "enabledforincomingemail": True}, True, False),
    ],
)
def test_what_a_change_resets(house: House, change: dict[str, Any], incoming: bool, outgoing: bool) -> None:
    ada = house.user("ada")
    box = house.update_mailbox(ada, **change)
    assert (box.enabledforincomingemail, box.enabledforoutgoingemail) == (incoming, outgoing)


def test_deciding_about_an_address_needs_the_privilege(house: House) -> None:
    ada = house.user("ada", ready=False)
    box = house.mailbox(ada).mailboxid
    nobody, boss = Caller.user(ada.id), Caller.user(ada.id, APPROVE_ADDRESS)
    for refused in (
        lambda: house.organization.approve_email(nobody, box),
        lambda: house.organization.reject_email(nobody, box),
        lambda: house.organization.update(nobody, "mailbox", box, emailrouteraccessapproval=1),
        lambda: house.organization.update(nobody, "systemuser", ada.id, emailrouteraccessapproval=1),
        lambda: house.organization.create(
            nobody, "systemuser", internalemailaddress="b@alder.test", emailrouteraccessapproval=1
        ),
    ):
        with pytest.raises(PrivilegeMissing):
            refused()
    assert house.mailbox(ada).emailrouteraccessapproval is Approval.PENDING_APPROVAL
    house.organization.approve_email(boss, box)
    assert house.organization.retrieve(SYSTEM, "systemuser", ada.id).emailrouteraccessapproval is Approval.APPROVED
    house.organization.reject_email(boss, box)
    assert house.mailbox(ada).emailrouteraccessapproval is Approval.REJECTED


def test_a_disabled_user_takes_its_mailbox_along_and_does_not_bring_it_back(house: House) -> None:
    ada, support = house.user("ada"), house.queue("support")
    house.organization.set_state(SYSTEM, "systemuser", ada.id, False)
    house.organization.set_state(SYSTEM, "queue", support.id, False)
    assert house.mailbox(ada).statecode is RecordState.INACTIVE
    assert house.mailbox(support).statecode is RecordState.INACTIVE
    house.organization.set_state(SYSTEM, "systemuser", ada.id, True)
    assert house.mailbox(ada).statecode is RecordState.INACTIVE
    house.organization.set_state(SYSTEM, "mailbox", house.mailbox(ada).mailboxid, True)
    assert (house.mailbox(ada).statecode, house.mailbox(ada).statuscode) == (0, 1)


@pytest.mark.parametrize(
    "values",
    [
        {"outgoingemaildeliverymethod": 2},
        {"incomingemaildeliverymethod": 3},
        {"actdeliverymethod": 1},
    ],
)
def test_a_forward_mailbox_sends_nothing(house: House, values: dict[str, Any]) -> None:
    made = house.organization.create(
        SYSTEM, "mailbox", name="sink", emailaddress="sink@alder.test", processanddeleteemails=True
    )
    assert house.organization.retrieve(SYSTEM, "mailbox", made).isforwardmailbox is True
    with pytest.raises(RuleViolated):
        house.organization.update(SYSTEM, "mailbox", made, **values)


def test_deleting_after_processing_is_for_queues_and_forward_mailboxes(house: House) -> None:
    with pytest.raises(RuleViolated, match="deleted after processing"):
        house.update_mailbox(house.user("ada"), processanddeleteemails=True)
    assert house.update_mailbox(house.queue("support"), processanddeleteemails=True).processanddeleteemails


@pytest.mark.parametrize(
    "values",
    [
        {"incomingcredentialretrieval": 3},
        {"incomingcredentialretrieval": 4},
        {"incomingcredentialretrieval": 2},
        {"servertype": 0, "outgoingcredentialretrieval": 4},
    ],
)
def test_profiles_that_cannot_be(house: House, values: dict[str, Any]) -> None:
    with pytest.raises(RuleViolated):
        house.organization.create(SYSTEM, "emailserverprofile", name="odd", **{"servertype": 1, **values})
    with pytest.raises(RuleViolated):
        house.organization.update(SYSTEM, "emailserverprofile", house.profile, **values)


def test_the_default_profile_stays_and_another_leaves_its_mailboxes_without_one(house: House) -> None:
    ada = house.user("ada")
    with pytest.raises(RuleViolated, match="default profile"):
        house.organization.delete(SYSTEM, "emailserverprofile", house.profile)
    house.deploy(allow_non_ssl_email=True, allow_basic_authentication_on_non_secure_channel=True)
    other = house.organization.create(SYSTEM, "emailserverprofile", name="other", servertype=1, incomingusessl=False)
    profile = house.organization.retrieve(SYSTEM, "emailserverprofile", other)
    assert (profile.incomingportnumber, profile.outgoingportnumber) == (110, 587)
    house.update_mailbox(ada, emailserverprofile=Lookup("emailserverprofile", other))
    house.organization.delete(SYSTEM, "emailserverprofile", other)
    assert house.mailbox(ada).emailserverprofile is None
    assert is_off(house.mailbox(ada))


def test_deleting_an_owner_deletes_its_mailbox(house: House) -> None:
    ada = house.user("ada")
    box = house.mailbox(ada).mailboxid
    house.organization.delete(SYSTEM, "systemuser", ada.id)
    with pytest.raises(RecordNotFound):
        house.organization.retrieve(SYSTEM, "mailbox", box)
    with pytest.raises(RecordNotFound):
        house.organization.retrieve(SYSTEM, "usersettings", ada.id)


def test_passwords_go_in_and_never_come_out(house: House) -> None:
    ada = house.user("ada")
    box = house.update_mailbox(ada, username="ada", password="open sesame", allowemailconnectortousecredentials=True)
    assert box.ispasswordset
    assert "sesame" not in repr(box)
    connection = house.organization.connection(box.mailboxid, "incoming")
    assert (connection.host, connection.port, connection.tls) == ("pop.test", 995, True)
    assert (connection.username, connection.password, connection.limit) == ("ada", Secret("open sesame"), 10)
    assert "sesame" not in repr(connection)
    with house.organization.store.reading() as tx:
        raw = tx.execute(__import__("sqlalchemy").text("SELECT value FROM secret")).scalars().all()
    assert raw
    assert not any("sesame" in value for value in raw)
    assert not house.update_mailbox(ada, password=None).ispasswordset
    with pytest.raises(ConfigError):
        house.organization.connection(box.mailboxid, "incoming")


def test_credentials_of_the_profile_and_the_time_out(house: House) -> None:
    house.deploy(allow_anonymous_smtp=True)
    ada = house.user("ada")
    house.organization.update(
        SYSTEM,
        "emailserverprofile",
        house.profile,
        incomingcredentialretrieval=1,
        incomingusername="engine",
        incomingpassword="in",
        outgoingcredentialretrieval=4,
        usesamesettingsforoutgoingconnections=False,
        timeoutmailboxconnectionafteramount=2500,
    )
    box = house.mailbox(ada).mailboxid
    incoming, outgoing = (house.organization.connection(box, direction) for direction in ("incoming", "outgoing"))
    assert (incoming.username, incoming.password, incoming.timeout) == ("engine", Secret("in"), 2.5)
    assert (outgoing.username, outgoing.password, outgoing.credentials, outgoing.port) == ("", Secret(""), 4, 587)
    house.organization.update(SYSTEM, "emailserverprofile", house.profile, usesamesettingsforoutgoingconnections=True)
    assert house.organization.connection(box, "outgoing").password == Secret("in")


def test_callers_are_held_to_the_metadata(house: House) -> None:
    ada = house.user("ada")
    box = house.mailbox(ada).mailboxid
    with pytest.raises(NotWritable):
        house.organization.update(SYSTEM, "mailbox", box, hostid="me")
    with pytest.raises(UnknownAttribute):
        house.organization.update(SYSTEM, "mailbox", box, emailadress="x@alder.test")
    with pytest.raises(RuleViolated):
        house.organization.create(SYSTEM, "organization", name="second")
    with pytest.raises(RecordNotFound):
        house.settings(defaultemailserverprofileid=Lookup("emailserverprofile", "00000000-0000-4000-8000-000000000000"))


def test_organizations_do_not_see_each_other(house: House) -> None:
    other = house.deployment.create_organization("birch", requireapprovalforuseremail=False)
    house.user("ada")
    assert other.retrieve_multiple(SYSTEM, "systemuser") == []
    assert (other.settings.name, other.settings.requireapprovalforuseremail) == ("birch", False)
    assert house.organization.settings.requireapprovalforuseremail is True
    with pytest.raises(RuleViolated):
        house.deployment.create_organization("birch")


def test_connections_are_counted_for_server_and_user(house: House) -> None:
    limits = house.deployment.connections
    with limits.slot("Pop.test", "ada", 1) as first, limits.slot("pop.test", "ADA", 1) as second:
        assert (first, second) == (True, False)
        assert limits.acquire("pop.test", "ben", 1)
    assert limits.open("pop.test", "ada") == 0
    assert limits.open("pop.test", "ben") == 1
