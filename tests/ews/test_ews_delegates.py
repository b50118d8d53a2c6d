"""Delegates, and who may send as whom: ews reference 15, 8."""

from __future__ import annotations

import pytest
from people_scene import ANN, BOB, CARL, Answer, Office

from postroom_simulator.ews import permissions
from postroom_simulator.ews.identity import sid_of
from postroom_simulator.store.interface import Role

MINE = f"<m:Mailbox><t:EmailAddress>{ANN}</t:EmailAddress></m:Mailbox>"


def user(address: str = BOB) -> str:
    return f"<t:UserId><t:PrimarySmtpAddress>{address}</t:PrimarySmtpAddress></t:UserId>"


def levels(**given: str) -> str:
    inner = "".join(f"<t:{name}FolderPermissionLevel>{level}</t:{name}FolderPermissionLevel>" for name, level in given.items())
    return f"<t:DelegatePermissions>{inner}</t:DelegatePermissions>"


def add(office: Office, *delegates: str, more: str = "", operation: str = "AddDelegate", who: str = ANN) -> Answer:
    inner = "".join(f"<t:DelegateUser>{one}</t:DelegateUser>" for one in delegates)
    return office.ask(operation, f"{MINE}<m:DelegateUsers>{inner}</m:DelegateUsers>{more}", who=who)


def get(office: Office, *users: str, permissions_too: str = "true", who: str = ANN) -> Answer:
    ids = f"<m:UserIds>{''.join(users)}</m:UserIds>" if users else ""
    return office.ask("GetDelegate", MINE + ids, attributes=f'IncludePermissions="{permissions_too}"', who=who)


def remove(office: Office, *users: str) -> Answer:
    return office.ask("RemoveDelegate", f"{MINE}<m:UserIds>{''.join(users)}</m:UserIds>")


def test_there_is_none_at_first(office: Office) -> None:
    found = get(office)
    assert (found.classes, found.codes) == (["Success"], ["NoError"])
    assert found.one("DeliverMeetingRequests") == "DelegatesAndSendInformationToMe"


def test_what_is_added_is_told(office: Office) -> None:
    added = add(
        office,
        user()
        + levels(Calendar="Editor", Inbox="Reviewer")
        + "<t:ReceiveCopiesOfMeetingMessages>true</t:ReceiveCopiesOfMeetingMessages>",
        user(CARL) + "<t:ViewPrivateItems>true</t:ViewPrivateItems>",
        more="<m:DeliverMeetingRequests>DelegatesOnly</m:DeliverMeetingRequests>",
    )
    assert added.codes == ["NoError"] * 3
    found = get(office)
    assert found.all("PrimarySmtpAddress") == [BOB, CARL]
    assert found.all("DisplayName") == ["Bob Birch", "Carl Cedar"]
    assert found.all("ReceiveCopiesOfMeetingMessages") == ["true", "false"]
    assert found.all("ViewPrivateItems") == ["false", "true"]
    assert found.all("CalendarFolderPermissionLevel") == ["Editor", "None"]
    assert found.all("InboxFolderPermissionLevel") == ["Reviewer", "None"]
    assert found.one("DeliverMeetingRequests") == "DelegatesOnly"


def test_permissions_are_told_when_asked_for(office: Office) -> None:
    add(office, user())
    assert get(office, permissions_too="false").all("DelegatePermissions") == []


def test_one_is_asked_for_by_address_sid_or_name(office: Office) -> None:
    add(office, user())
    bob = office.world.directory.account(BOB)
    for reference in (
        user(),
        f"<t:UserId><t:SID>{sid_of(bob)}</t:SID></t:UserId>",
        "<t:UserId><t:DisplayName>Bob Birch</t:DisplayName></t:UserId>",
    ):
        found = get(office, reference)
        assert found.all("PrimarySmtpAddress") == [BOB]
        assert found.all("SID") == [sid_of(bob)]


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        (user("nobody@sim.test"), "ErrorDelegateNoUser"),
        (user(CARL), "ErrorNotDelegate"),
        ("<t:UserId><t:SID>nonsense</t:SID></t:UserId>", "ErrorInvalidUserSid"),
        ("<t:UserId><t:SID>S-1-5-21-1-2-3-4</t:SID></t:UserId>", "ErrorDelegateNoUser"),
        ("<t:UserId><t:DistinguishedUser>Default</t:DistinguishedUser></t:UserId>", "ErrorInvalidDelegateUserId"),
    ],
)
def test_each_has_its_own_error(office: Office, reference: str, code: str) -> None:
    add(office, user())
    assert get(office, user(), reference).codes == ["NoError", "NoError", code]
    if code != "ErrorNotDelegate":
        assert add(office, reference).codes == ["NoError", code]
    assert remove(office, reference).codes == ["NoError", code]
    assert add(office, reference, operation="UpdateDelegate").codes == ["NoError", code]


def test_nobody_is_added_twice_or_to_themselves(office: Office) -> None:
    assert add(office, user(), user()).codes == ["NoError", "NoError", "ErrorDelegateAlreadyExists"]
    assert add(office, user(ANN)).codes == ["NoError", "ErrorDelegateCannotAddOwner"]


def test_custom_is_no_wish(office: Office) -> None:
    assert add(office, user() + levels(Tasks="Custom")).codes == ["NoError", "ErrorInvalidDelegatePermission"]
    assert get(office).all("PrimarySmtpAddress") == []


def test_an_update_changes_what_it_names(office: Office) -> None:
    add(office, user() + levels(Calendar="Editor", Tasks="Author") + "<t:ViewPrivateItems>true</t:ViewPrivateItems>")
    assert add(office, user() + levels(Tasks="None"), operation="UpdateDelegate").codes == ["NoError", "NoError"]
    found = get(office)
    assert (found.one("CalendarFolderPermissionLevel"), found.one("TasksFolderPermissionLevel")) == ("Editor", "None")
    assert found.one("ViewPrivateItems") == "true"
    office.ask("UpdateDelegate", MINE + "<m:DeliverMeetingRequests>NoForward</m:DeliverMeetingRequests>")
    assert get(office).one("DeliverMeetingRequests") == "NoForward"


def test_levels_are_the_folders_permissions(office: Office) -> None:
    store = office.world.store
    calendar = store.folder(ANN, Role.CALENDAR)
    add(office, user() + levels(Calendar="Editor"))
    assert permissions.allowed(store.folder_by_uid(calendar.uid), BOB, "edit")
    permissions.grant(store, store.folder_by_uid(calendar.uid), BOB, "PublishingEditor")
    assert get(office).one("CalendarFolderPermissionLevel") == "Custom"
    assert remove(office, user()).codes == ["NoError", "NoError"]
    assert not permissions.allowed(store.folder_by_uid(calendar.uid), BOB, "read")
    assert get(office).all("DelegateUser") == []


def test_a_delegate_reads_what_is_entrusted(office: Office) -> None:
    office.contact("<t:DisplayName>Zoe</t:DisplayName>")
    find = (
        '<m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape><m:ParentFolderIds><t:DistinguishedFolderId Id="contacts">'
        f"<t:Mailbox><t:EmailAddress>{ANN}</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId></m:ParentFolderIds>"
    )
    assert office.ask("FindItem", find, who=BOB, attributes='Traversal="Shallow"').codes == ["ErrorAccessDenied"]
    add(office, user() + levels(Contacts="Reviewer"))
    assert office.ask("FindItem", find, who=BOB, attributes='Traversal="Shallow"').all("DisplayName") == ["Zoe"]


def test_delegates_are_the_owners_business(office: Office) -> None:
    assert get(office, who=BOB).codes == ["ErrorAccessDenied"]
    assert add(office, user(CARL), who=BOB).codes == ["ErrorAccessDenied"]
    other = "<m:Mailbox><t:EmailAddress>x@out.test</t:EmailAddress></m:Mailbox>"
    assert office.ask("GetDelegate", other, attributes='IncludePermissions="true"').codes == ["ErrorNonExistentMailbox"]


def test_a_delegate_who_left(office: Office) -> None:
    add(office, user())
    office.world.remove_account(BOB)
    assert get(office).codes == ["NoError", "ErrorDelegateNoUser"]


# -- sending


def send(office: Office, author: str, sender: str = "", who: str = BOB) -> list[str]:
    shown = f"<t:Sender><t:Mailbox><t:EmailAddress>{sender}</t:EmailAddress></t:Mailbox></t:Sender>" if sender else ""
    message = (
        f"<t:Subject>s</t:Subject>{shown}<t:ToRecipients><t:Mailbox><t:EmailAddress>{CARL}</t:EmailAddress></t:Mailbox></t:ToRecipients>"
        f"<t:From><t:Mailbox><t:EmailAddress>{author}</t:EmailAddress></t:Mailbox></t:From>"
    )
    return office.ask(
        "CreateItem",
        f"<m:Items><t:Message>{message}</t:Message></m:Items>",
        who=who,
        attributes='MessageDisposition="SendOnly"',
    ).codes


def test_nobody_sends_as_another_without_a_right(office: Office) -> None:
    assert send(office, ANN) == ["ErrorSendAsDenied"]
    assert send(office, ANN, ANN) == ["ErrorSendAsDenied"]
    assert send(office, "x@out.test") == ["ErrorSendAsDenied"]
    assert send(office, BOB) == ["NoError"]
    assert len(office.inbox(CARL)) == 1


def test_send_as_does_not_show(office: Office) -> None:
    office.world.directory.account(ANN).send_as.add(BOB)
    assert send(office, ANN, ANN) == ["NoError"]
    assert send(office, ANN) == ["NoError"]
    for message in office.inbox(CARL):
        assert f'From: "Ann Alder" <{ANN}>' in message
        assert BOB not in message.partition("\r\n\r\n")[0]


def test_on_behalf_shows(office: Office) -> None:
    office.world.directory.account(ANN).send_on_behalf.add(BOB)
    for sender in ("", BOB, ANN):  # whatever the message says of its sender
        assert send(office, ANN, sender) == ["NoError"]
    for message in office.inbox(CARL):
        assert f'From: "Ann Alder" <{ANN}>' in message
        assert f'Sender: "Bob Birch" <{BOB}>' in message
    assert send(office, ANN, CARL) == ["ErrorSendAsDenied"]


def test_a_delegate_sends_on_behalf(office: Office) -> None:
    add(office, user())
    assert send(office, ANN, BOB) == ["NoError"]
    assert send(office, ANN, CARL) == ["ErrorSendAsDenied"]
