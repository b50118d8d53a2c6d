"""User configurations, and the small operations of settings: ews reference 15, 4."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from people_scene import ANN, BOB, Answer, Office

from postroom_simulator.ews.people.retention import RetentionTag
from postroom_simulator.people import Profile

NAME = '<t:UserConfigurationName Name="{}"><t:DistinguishedFolderId Id="{}"/></t:UserConfigurationName>'


def entry(key: str, kind: str, *values: str, key_type: str = "String") -> str:
    texts = "".join(f"<t:Value>{value}</t:Value>" for value in values)
    return (
        f"<t:DictionaryEntry><t:DictionaryKey><t:Type>{key_type}</t:Type><t:Value>{key}</t:Value></t:DictionaryKey>"
        f"<t:DictionaryValue><t:Type>{kind}</t:Type>{texts}</t:DictionaryValue></t:DictionaryEntry>"
    )


def put(
    office: Office, inner: str = "", operation: str = "Create", name: str = "mine", folder: str = "inbox", **options: str
) -> Answer:
    return office.ask(
        f"{operation}UserConfiguration",
        f"<m:UserConfiguration>{NAME.format(name, folder)}{inner}</m:UserConfiguration>",
        **options,
    )


def named(office: Office, operation: str, name: str = "mine", folder: str = "inbox", more: str = "", **options: str) -> Answer:
    named = NAME.format(name, folder).replace("t:UserConfigurationName", "m:UserConfigurationName")
    return office.ask(f"{operation}UserConfiguration", named + more, **options)


def get(office: Office, properties: str = "All", **options: str) -> Answer:
    return named(office, "Get", more=f"<m:UserConfigurationProperties>{properties}</m:UserConfigurationProperties>", **options)


def test_create_get_update_delete(office: Office) -> None:
    dictionary = f"<t:Dictionary>{entry('a', 'String', 'x')}</t:Dictionary>"
    assert put(office, dictionary + "<t:XmlData>PHgvPg==</t:XmlData><t:BinaryData>AAE=</t:BinaryData>").codes == ["NoError"]
    found = get(office)
    assert (found.all("DictionaryValue/Value"), found.one("XmlData"), found.one("BinaryData")) == (["x"], "PHgvPg==", "AAE=")
    assert found.one("UserConfigurationName@Name") == "mine"
    assert found.one("DistinguishedFolderId@Id") == "inbox"
    key = found.one("ItemId@ChangeKey")

    assert put(office, "<t:BinaryData>Ag==</t:BinaryData>", "Update").codes == ["NoError"]
    found = get(office)
    assert (found.all("DictionaryValue/Value"), found.one("XmlData"), found.one("BinaryData")) == (["x"], "PHgvPg==", "Ag==")
    assert found.one("ItemId@ChangeKey") != key

    assert named(office, "Delete").codes == ["NoError"]
    assert get(office).codes == ["ErrorItemNotFound"]


@pytest.mark.parametrize("operation", ["Get", "Update", "Delete"])
def test_what_is_not_there_is_not_found(office: Office, operation: str) -> None:
    found = (
        get(office)
        if operation == "Get"
        else put(office, operation="Update")
        if operation == "Update"
        else named(office, "Delete")
    )
    assert (found.classes, found.codes) == (["Error"], ["ErrorItemNotFound"])


def test_what_is_there_is_not_made_again(office: Office) -> None:
    put(office)
    assert put(office).codes == ["ErrorItemSave"]
    assert put(office, name="MINE").codes == ["ErrorItemSave"]
    assert put(office, folder="calendar").codes == ["NoError"]
    assert put(office, name="other").codes == ["NoError"]


@pytest.mark.parametrize(
    ("properties", "elements"),
    [
        ("Id", {"ItemId"}),
        ("Dictionary", {"Dictionary"}),
        ("XmlData", {"XmlData"}),
        ("BinaryData", {"BinaryData"}),
        ("Id XmlData", {"ItemId", "XmlData"}),
        ("All", {"ItemId", "Dictionary", "XmlData", "BinaryData"}),
    ],
)
def test_properties_select_what_returns(office: Office, properties: str, elements: set[str]) -> None:
    put(office, "<t:Dictionary/><t:XmlData>PHgvPg==</t:XmlData><t:BinaryData>AAE=</t:BinaryData>")
    found = get(office, properties).element.find(".//{*}UserConfiguration")
    assert {one.tag.rpartition("}")[2] for one in found} == elements | {"UserConfigurationName"}


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        ("Boolean", ["1"], ["true"]),
        ("Boolean", ["False"], ["false"]),
        ("Byte", ["255"], ["255"]),
        ("ByteArray", ["AAE="], ["AAE="]),
        ("DateTime", ["2026-11-22T10:00:00.123+01:00"], ["2026-11-22T09:00:00Z"]),
        ("Integer32", ["-2147483648"], ["-2147483648"]),
        ("Integer64", ["9223372036854775807"], ["9223372036854775807"]),
        ("UnsignedInteger32", ["4294967295"], ["4294967295"]),
        ("UnsignedInteger64", [" 18446744073709551615 "], ["18446744073709551615"]),
        ("String", [" kept as it is "], [" kept as it is "]),
        ("StringArray", ["a", "b"], ["a", "b"]),
    ],
)
def test_values_have_types(office: Office, kind: str, given: list[str], kept: list[str]) -> None:
    assert put(office, f"<t:Dictionary>{entry('k', kind, *given)}</t:Dictionary>").codes == ["NoError"]
    found = get(office)
    assert (found.all("DictionaryValue/Type"), found.all("DictionaryValue/Value")) == ([kind], kept)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("Boolean", "maybe"), ("Byte", "256"), ("ByteArray", "***"), ("DateTime", "soon"), ("Integer32", "2147483648"), ("UnsignedInteger32", "-1"),
     ("Integer64", "x"), ("UnsignedInteger64", "9" * 100)],
)  # fmt: skip
def test_a_value_that_is_none_of_its_type_is_refused(office: Office, kind: str, value: str) -> None:
    assert put(office, f"<t:Dictionary>{entry('k', kind, value)}</t:Dictionary>").codes == ["ErrorInvalidValueForProperty"]
    assert get(office).codes == ["ErrorItemNotFound"]


def test_keys_have_types_and_are_there_once(office: Office) -> None:
    both = entry("1", "String", "a") + entry("1", "String", "b", key_type="Integer32")
    assert put(office, f"<t:Dictionary>{both}</t:Dictionary>").codes == ["NoError"]
    assert get(office).all("DictionaryKey/Type") == ["String", "Integer32"]
    twice = entry("1", "String", "a") * 2
    assert put(office, f"<t:Dictionary>{twice}</t:Dictionary>", "Update").codes == ["ErrorInvalidValueForProperty"]
    assert put(office, f"<t:Dictionary>{entry('k', 'String', 'a', 'b')}</t:Dictionary>", "Update").codes == [
        "ErrorInvalidValueForProperty"
    ]


def test_settings_are_hidden_items_of_their_folder(office: Office) -> None:
    put(office)
    shape = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
    parent = '<m:ParentFolderIds><t:DistinguishedFolderId Id="inbox"/></m:ParentFolderIds>'
    assert office.ask("FindItem", shape + parent, attributes='Traversal="Shallow"').all("ItemId") == []
    assert office.world.inbox(ANN) == []


def test_settings_of_others_need_a_right(office: Office) -> None:
    put(office)
    of_ann = f'<t:DistinguishedFolderId Id="inbox"><t:Mailbox><t:EmailAddress>{ANN}</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>'
    inner = f'<m:UserConfigurationName Name="mine">{of_ann}</m:UserConfigurationName>'
    for operation, more in (("Get", "<m:UserConfigurationProperties>All</m:UserConfigurationProperties>"), ("Delete", "")):
        assert office.ask(f"{operation}UserConfiguration", inner + more, who=BOB).codes == ["ErrorAccessDenied"]


def test_a_name_has_a_limit(office: Office) -> None:
    assert put(office, name="x" * 300).codes == ["ErrorInvalidArgument"]


# -- passwords, services, tags, apps


def test_passwords_do_not_expire_unless_somebody_says_so(office: Office) -> None:
    assert office.ask("GetPasswordExpirationDate").one("PasswordExpirationDate") == "9999-12-31T23:59:59Z"
    office.world.directory.account(ANN).password_expires = datetime(2027, 1, 1, tzinfo=UTC)
    own = office.ask("GetPasswordExpirationDate", f"<m:MailboxSmtpAddress>{ANN}</m:MailboxSmtpAddress>")
    assert own.one("PasswordExpirationDate") == "2027-01-01T00:00:00Z"
    other = office.ask("GetPasswordExpirationDate", f"<m:MailboxSmtpAddress>{BOB}</m:MailboxSmtpAddress>")
    assert other.codes == ["ErrorAccessDenied"]


def test_services_tell_their_configuration(office: Office) -> None:
    names = ("MailTips", "UnifiedMessagingConfiguration", "ProtectionRules", "PolicyNudges")
    wanted = "".join(f"<m:ConfigurationName>{name}</m:ConfigurationName>" for name in names)
    found = office.ask("GetServiceConfiguration", f"<m:RequestedConfiguration>{wanted}</m:RequestedConfiguration>")
    assert found.codes == ["NoError"] * 5
    assert (found.one("MailTipsEnabled"), found.one("MaxMessageSize"), found.one("UmEnabled")) == (
        "true",
        str(25 * 2**20),
        "false",
    )
    assert set(found.all("Domain@Name")) == {"sim.test"}
    one = office.ask(
        "GetServiceConfiguration",
        "<m:RequestedConfiguration><m:ConfigurationName>MailTips</m:ConfigurationName></m:RequestedConfiguration>",
    )
    assert one.all("UmEnabled") == []


def test_tags_are_those_that_are_set(office: Office) -> None:
    assert office.ask("GetUserRetentionPolicyTags").all("RetentionPolicyTag") == []
    office.world.ews.retention_tags.append(RetentionTag("Two years", 730, "Inbox"))
    found = office.ask("GetUserRetentionPolicyTags")
    assert (found.one("DisplayName"), found.one("RetentionPeriod"), found.one("Type")) == ("Two years", "730", "Inbox")
    assert found.one("RetentionId") == office.ask("GetUserRetentionPolicyTags").one("RetentionId")


def test_nobody_searches_other_mailboxes(office: Office) -> None:
    assert office.ask("GetSearchableMailboxes").codes == ["ErrorAccessDenied"]


def test_who_has_the_role_searches_mailboxes(office: Office) -> None:
    """MS-OXWSEDISC: the role, the filter, the members of groups."""
    office.world.ews.roles["Ann@sim.test"] = {"MailboxSearch"}
    office.world.add_group("inner@sim.test", ["bob@sim.test"])
    office.world.add_group("team@sim.test", ["ann@sim.test", "inner@sim.test", "x@out.test"], name="Team")
    found = office.ask("GetSearchableMailboxes")
    addresses = ["ann@sim.test", "bob@sim.test", "carl@sim.test", "inner@sim.test", "team@sim.test"]
    assert (found.codes, found.all("PrimarySmtpAddress")) == (["NoError"], addresses)
    assert found.all("IsMembershipGroup") == ["false"] * 3 + ["true"] * 2
    assert len(set(found.all("Guid"))) == 5
    team = office.ask("GetSearchableMailboxes", "<m:SearchFilter>Team</m:SearchFilter>")
    assert team.all("DisplayName") == ["Team"]
    members = "<m:SearchFilter>Team</m:SearchFilter><m:ExpandGroupMembership>true</m:ExpandGroupMembership>"
    assert office.ask("GetSearchableMailboxes", members).all("PrimarySmtpAddress") == addresses[:2]
    assert office.ask("GetSearchableMailboxes", "<m:SearchFilter>zzz</m:SearchFilter>").all("SearchableMailbox") == []
    assert office.ask("GetSearchableMailboxes", who="bob@sim.test").codes == ["ErrorAccessDenied"]


def test_apps_that_are_installed(office: Office) -> None:
    office.world.ews.app_manifests.append(b"<OfficeApp/>")
    assert office.ask("GetAppManifests").all("Manifest") == ["PE9mZmljZUFwcC8+"]


def test_there_are_no_apps(office: Office) -> None:
    found = office.ask("GetAppManifests")
    assert (found.codes, found.all("Manifest")) == (["NoError"], [])
    assert office.ask("GetAppMarketplaceUrl").one("AppMarketplaceUrl") == "http://mail.sim.test/marketplace"


# -- photos


def photo(office: Office, address: str, size: str = "HR48x48") -> Answer:
    return office.ask("GetUserPhoto", f"<m:Email>{address}</m:Email><m:SizeRequested>{size}</m:SizeRequested>")


def test_photos(office: Office) -> None:
    assert photo(office, BOB).codes == ["ErrorItemNotFound"]
    assert photo(office, "nobody@sim.test").codes == ["ErrorNonExistentMailbox"]
    office.world.directory.account(BOB).profile = Profile(photo=b"\xff\xd8")
    for size in ("HR48x48", "HR648x648"):
        found = photo(office, BOB, size)
        assert (found.one("HasChanged"), found.one("PictureData")) == ("true", "/9g=")


def test_a_photo_is_set_by_its_owner(office: Office) -> None:
    done = office.ask("SetUserPhoto", f"<m:Email>{ANN}</m:Email><m:Content>/9g=</m:Content>")
    assert (done.status, done.codes) == (200, ["NoError"])
    assert photo(office, ANN).one("PictureData") == "/9g="
    assert office.ask("SetUserPhoto", f"<m:Email>{BOB}</m:Email><m:Content>/9g=</m:Content>").codes == ["ErrorAccessDenied"]
    assert office.ask("SetUserPhoto", f"<m:Email>{ANN}</m:Email><m:Content>*</m:Content>").codes == ["ErrorInvalidArgument"]
    assert office.ask("SetUserPhoto", f"<m:Email>{ANN}</m:Email><m:Content> </m:Content>").codes == ["ErrorInvalidPhotoSize"]


# -- what others share


def test_sharing_with_another_organization(office: Office) -> None:
    folder = '<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds><t:DistinguishedFolderId Id="{}"/></m:FolderIds>'
    calendar, inbox = (office.ask("GetFolder", folder.format(name)).one("FolderId@Id") for name in ("calendar", "inbox"))

    def ask(folder: str, sender: str = ANN) -> Answer:
        return office.ask(
            "GetSharingMetadata",
            f'<m:IdOfFolderToShare Id="{folder}"/><m:SenderSmtpAddress>{sender}</m:SenderSmtpAddress>'
            "<m:Recipients><t:SmtpAddress>x@out.test</t:SmtpAddress></m:Recipients>",
        )

    found = ask(calendar)
    assert found.codes[0] == "NoError"
    assert (found.one("InvalidRecipient/SmtpAddress"), found.one("InvalidRecipient/ResponseCode")) == (
        "x@out.test",
        "RecipientOrganizationNotFederated",
    )
    assert ask(inbox).codes == ["ErrorInvalidFolderTypeForOperation"]
    assert ask(calendar, BOB).codes == ["ErrorInvalidExternalSharingInitiator"]


def test_a_sharing_folder_shows_what_is_shared(office: Office) -> None:
    from postroom_simulator.ews import permissions
    from postroom_simulator.store.interface import Role

    def folder(inner: str) -> Answer:
        return office.ask("GetSharingFolder", f"<m:SmtpAddress>{BOB}</m:SmtpAddress>{inner}")

    def names() -> list[str]:
        parent = f'<m:ParentFolderIds><t:FolderId Id="{shown}"/></m:ParentFolderIds>'
        shape = "<m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape>"
        return sorted(office.ask("FindItem", shape + parent, attributes='Traversal="Shallow"').all("DisplayName"))

    def refresh() -> list[str]:
        return office.ask("RefreshSharingFolder", f'<m:SharingFolderId Id="{shown}"/>').codes

    kind = "<m:DataType>Contacts</m:DataType>"
    assert folder(kind).codes == ["ErrorAccessDenied"]
    assert folder("").codes == ["ErrorInvalidGetSharingFolderRequest"]
    contacts = office.world.store.folder(BOB, Role.CONTACTS)
    permissions.grant(office.world.store, contacts, ANN, "Reviewer")
    shown = folder(kind).one("SharingFolderId@Id")
    assert folder(kind).one("SharingFolderId@Id") == shown
    one, _ = office.contact("<t:DisplayName>One</t:DisplayName>", who=BOB)
    office.contact("<t:DisplayName>Two</t:DisplayName>", who=BOB)
    assert names() == []
    assert refresh() == ["NoError"]
    assert names() == ["One", "Two"]
    office.ask("DeleteItem", f'<m:ItemIds><t:ItemId Id="{one}"/></m:ItemIds>', who=BOB, attributes='DeleteType="HardDelete"')
    assert refresh() == ["NoError"]
    assert names() == ["Two"]
    permissions.revoke(office.world.store, office.world.store.folder_by_uid(contacts.uid), ANN)
    assert refresh() == ["ErrorSharingSynchronizationFailed"]
    plain = office.ask(
        "GetFolder",
        '<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds><t:DistinguishedFolderId Id="contacts"/></m:FolderIds>',
    ).one("FolderId@Id")
    assert office.ask("RefreshSharingFolder", f'<m:SharingFolderId Id="{plain}"/>').codes == [
        "ErrorInvalidFolderTypeForOperation"
    ]
