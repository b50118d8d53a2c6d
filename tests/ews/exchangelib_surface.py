"""What exchangelib can do, listed before it is tried: every public name that asks the server something, with the tests that try it.

`test_exchangelib_surface.py` holds the list against exchangelib itself, against the tests, and against docs/clients.md.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Area:
    """name: as in docs/clients.md. calls: "Class.name". services: exchangelib's classes for operations. tests: the module that tries them."""

    name: str
    calls: tuple[str, ...]
    services: tuple[str, ...]
    tests: str


def _calls(of: str, names: str) -> tuple[str, ...]:
    return tuple(f"{of}.{name}" for name in names.split())


AREAS = (
    Area(
        "accounts: opening moves, logins, acting for others, versions, ids, time zones, a busy server",
        (
            *_calls("Account", "version primary_smtp_address domain"),
            *_calls("Protocol", "version get_auth_type get_timezones convert_ids"),
        ),
        ("ConvertId", "GetServerTimeZones"),
        "test_exchangelib_accounts",
    ),
    Area(
        "finding the server by its domain (Autodiscover, over HTTPS)",
        ("discover",),
        ("GetUserSettings",),
        "test_exchangelib_autodiscover",
    ),
    Area(
        "folders: well-known ones, walking, making, renaming, moving, deleting, emptying, wiping, finding",
        (
            *_calls("Account", "root inbox drafts sent trash outbox junk calendar contacts tasks notes journal search_folders"),
            *_calls(
                "Account", "msg_folder_root recoverable_items_root recoverable_items_deletions public_folders_root archive_root"
            ),
            *_calls(
                "BaseFolder",
                "children parent walk glob tree absolute save move delete empty wipe test_access to_id resolve refresh",
            ),
            *_calls("BaseFolder", "is_distinguished"),
            *_calls("RootOfHierarchy", "get_children clear_cache"),
            *_calls("Root", "tois"),
            *_calls("FolderCollection", "resolve find_folders get_folders"),
            *_calls("FolderQuerySet", "only depth get all filter"),
            *_calls("SingleFolderQuerySet", "resolve"),
        ),
        ("GetFolder", "FindFolder", "CreateFolder", "UpdateFolder", "DeleteFolder", "MoveFolder", "EmptyFolder"),
        "test_exchangelib_folders",
    ),
    Area(
        "mail: drafts, sending, replies, forwards, MIME, extended properties, conflicts, posts, junk",
        (
            *_calls("Item", "save refresh copy move move_to_trash soft_delete delete create_forward forward"),
            *_calls("Message", "send send_and_save create_reply reply create_reply_all reply_all mark_as_junk"),
            *_calls("BaseReplyItem", "save"),
        ),
        ("CreateItem", "UpdateItem", "DeleteItem", "MoveItem", "CopyItem", "SendItem", "GetItem", "MarkAsJunk"),
        "test_exchangelib_mail",
    ),
    Area(
        "queries: operators, Q, order, shapes, single items, slices, pages, several folders, what is done to all that match",
        (
            *_calls("BaseFolder", "get all none filter exclude"),
            *_calls("QuerySet", "all none filter exclude only order_by reverse values values_list depth get count exists"),
            *_calls("QuerySet", "delete send copy move mark_as_junk"),
            *_calls("FolderCollection", "get all none filter exclude find_items"),
        ),
        ("FindItem",),
        "test_exchangelib_queries",
    ),
    Area(
        "many at once: create, update, delete, send, copy, move, junk, archive, fetch; export and upload",
        (
            *_calls(
                "Account", "bulk_create bulk_update bulk_delete bulk_send bulk_copy bulk_move bulk_archive bulk_mark_as_junk"
            ),
            *_calls("Account", "fetch export upload"),
            *_calls("BaseFolder", "bulk_create"),
            *_calls("Item", "archive"),
            *_calls("QuerySet", "archive"),
        ),
        ("ArchiveItem", "ExportItems", "UploadItems"),
        "test_exchangelib_bulk",
    ),
    Area(
        "attachments: files, items, pictures in the text, streamed",
        (
            *_calls("Item", "attach detach"),
            *_calls("Attachment", "detach"),
            *_calls("FileAttachment", "fp content"),
            *_calls("ItemAttachment", "item"),
        ),
        ("CreateAttachment", "GetAttachment", "DeleteAttachment"),
        "test_exchangelib_attachments",
    ),
    Area(
        "synchronisation and notifications: items, hierarchy, pull, push, streaming",
        (
            *_calls("BaseFolder", "sync_items sync_hierarchy get_events get_streaming_events"),
            *_calls("BaseFolder", "pull_subscription push_subscription streaming_subscription"),
            *_calls("Account", "pull_subscription"),
            *_calls("FolderCollection", "pull_subscription"),
        ),
        (
            *(
                "SyncFolderItems",
                "SyncFolderHierarchy",
                "SubscribeToPull",
                "SubscribeToPush",
                "SubscribeToStreaming",
                "Unsubscribe",
            ),
            *("GetEvents", "GetStreamingEvents", "SendNotification"),
        ),
        "test_exchangelib_sync",
    ),
    Area(
        "calendars and tasks: events, recurrence, exceptions, views, meetings between mailboxes, cancellations",
        (
            *_calls("CalendarItem", "occurrence recurring_master cancel"),
            *_calls("AcceptDeclineMixIn", "accept decline tentatively_accept"),
            *_calls("BaseMeetingReplyItem", "send"),
            *_calls("FolderCollection", "view"),
            *_calls("Task", "complete"),
        ),
        (),
        "test_exchangelib_calendar",
    ),
    Area(
        "people: contacts, lists, names, personas",
        (
            *_calls("Protocol", "resolve_names expand_dl"),
            *_calls("Account", "fetch_personas directory"),
            *_calls("BaseFolder", "people"),
            *_calls("FolderCollection", "people"),
            *_calls("QuerySet", "people"),
        ),
        ("ResolveNames", "ExpandDL", "FindPeople", "GetPersona"),
        "test_exchangelib_people",
    ),
    Area(
        "settings: absence, inbox rules, delegates, stored configuration, mail tips, free and busy, rooms",
        (
            *_calls("Account", "oof_settings rules create_rule set_rule delete_rule delegates mail_tips"),
            *_calls("Rule", "save delete"),
            *_calls(
                "BaseFolder",
                "get_user_configuration create_user_configuration update_user_configuration delete_user_configuration",
            ),
            *_calls("Protocol", "get_free_busy_info get_roomlists get_rooms get_searchable_mailboxes"),
        ),
        (
            *(
                "GetUserOofSettings",
                "SetUserOofSettings",
                "GetInboxRules",
                "CreateInboxRule",
                "SetInboxRule",
                "DeleteInboxRule",
                "GetDelegate",
            ),
            *(
                "GetUserConfiguration",
                "CreateUserConfiguration",
                "UpdateUserConfiguration",
                "DeleteUserConfiguration",
                "GetMailTips",
            ),
            *("GetUserAvailability", "GetRoomLists", "GetRooms", "GetSearchableMailboxes"),
        ),
        "test_exchangelib_settings",
    ),
)

SAME = {
    "Account.subscribe_to_pull": "Account.pull_subscription",
    "Account.subscribe_to_push": "BaseFolder.push_subscription",
    "Account.subscribe_to_streaming": "BaseFolder.streaming_subscription",
    "Account.push_subscription": "BaseFolder.push_subscription",
    "Account.streaming_subscription": "BaseFolder.streaming_subscription",
    "Account.unsubscribe": "Account.pull_subscription",
    "BaseFolder.subscribe_to_pull": "BaseFolder.pull_subscription",
    "BaseFolder.subscribe_to_push": "BaseFolder.push_subscription",
    "BaseFolder.subscribe_to_streaming": "BaseFolder.streaming_subscription",
    "BaseFolder.unsubscribe": "BaseFolder.pull_subscription",
    "FolderCollection.subscribe_to_pull": "FolderCollection.pull_subscription",
    "FolderCollection.subscribe_to_push": "BaseFolder.push_subscription",
    "FolderCollection.subscribe_to_streaming": "BaseFolder.streaming_subscription",
    "FolderCollection.push_subscription": "BaseFolder.push_subscription",
    "FolderCollection.streaming_subscription": "BaseFolder.streaming_subscription",
    "FolderCollection.unsubscribe": "FolderCollection.pull_subscription",
    "FolderCollection.sync_items": "BaseFolder.sync_items",
    "FolderCollection.sync_hierarchy": "BaseFolder.sync_hierarchy",
    "FolderCollection.find_people": "BaseFolder.people",
    "Attachment.attach": "Item.attach",
    "BaseReplyItem.send": "Message.reply",
    "BaseFolder.parts": "BaseFolder.absolute",
    "BaseFolder.account": "Account.root",
    "BaseFolder.root": "Account.root",
    "Folder.account": "Account.root",
    "Folder.root": "Account.root",
    "Folder.parent": "BaseFolder.parent",
    "Folder.get_distinguished": "Account.inbox",
    "FolderCollection.folders": "FolderCollection.find_folders",
    "RootOfHierarchy.account": "Account.root",
    "RootOfHierarchy.root": "Account.root",
    "RootOfHierarchy.parent": "Account.root",
    "RootOfHierarchy.get_folder": "BaseFolder.walk",
    "RootOfHierarchy.get_default_folder": "Account.inbox",
    "RootOfHierarchy.get_distinguished": "Account.root",
    "Root.get_default_folder": "Account.inbox",
}
"""Names that ask the server nothing but what another one asks."""

ABSENT = (
    *_calls(
        "Account",
        "admin_audit_logs archive_deleted_items archive_inbox archive_msg_folder_root archive_recoverable_items_deletions",
    ),
    *_calls("Account", "archive_recoverable_items_purges archive_recoverable_items_root archive_recoverable_items_versions"),
    *_calls(
        "Account",
        "conflicts conversation_history favorites im_contact_list local_failures my_contacts people_connect quick_contacts",
    ),
    *_calls(
        "Account",
        "recipient_cache recoverable_items_purges recoverable_items_versions server_failures sync_issues todo_search voice_mail",
    ),
)
"""Further well-known folders: what is asked is what `Account.notes` asks; a mailbox has them or says that it does not."""

LOCAL = (
    *_calls(
        "BaseFolder", "ID_ELEMENT_CLS is_deletable clean has_distinguished_name localized_names folder_cls_from_container_class"
    ),
    *_calls(
        "BaseFolder", "item_model_from_tag allowed_item_fields validate_item_field normalize_fields get_item_field_by_fieldname"
    ),
    *_calls("Folder", "register deregister clean from_xml_with_root"),
    *_calls(
        "RootOfHierarchy", "register deregister add_folder update_folder remove_folder from_xml folder_cls_from_folder_name"
    ),
    *_calls("FolderCollection", "allowed_item_fields supported_item_models validate_item_field get_folder_fields"),
    *_calls("Protocol", "dummy_xml"),
    *_calls(
        "CalendarItem", "timezone_fields clean_timezone_fields clean from_xml tz_field_for_field_name date_to_datetime to_xml"
    ),
    *_calls("Task", "clean"),
    *_calls("Attachment", "clean"),
    *_calls("FileAttachment", "from_xml to_xml"),
    *_calls("ItemAttachment", "from_xml"),
    *_calls("Rule", "from_xml"),
)
"""Names that ask the server nothing."""

TRANSPORT_BOUND = {
    "test_exchangelib_sync::test_other_calls_go_on_while_a_stream_is_open": "a mounted stream is read to its end before the client sees any of it",
    "test_exchangelib_autodiscover::test_it_finds_the_server_by_its_certificate": "the client looks for a server that has a certificate",
}
"""Tests that need a socket, and why. All others go both ways."""
