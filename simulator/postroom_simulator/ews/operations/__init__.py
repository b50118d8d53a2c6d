"""The operations, one module each, in one table (ews reference 4)."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from postroom_simulator.ews.call import failure
from postroom_simulator.ews.errors import EwsError, Fault
from postroom_simulator.ews.versions import Version

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call, Value

__all__ = ["OPERATIONS", "Operation", "find_operation"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    module    of this package, with `handle(call, request) -> response`, both values of the schema's elements; "" for one that is not available
    tier      of ews reference 4; 5 for what is in the schema but not in the service description
    since     the version of the schema that brought it (version notes of the EWS Managed API and of MS-OXWS documents)
    response  the element of the answer
    error     the code that an operation without module answers: as an ordinary answer where it says more than that nobody knows the operation,
              else as a fault (ews reference 4)
    missing   what an operation with module does not do; for docs/ews-operations.md
    """

    name: str
    module: str
    tier: int
    since: Version = Version.EXCHANGE_2007
    response: str = ""
    error: str = "ErrorInvalidOperation"
    missing: str = ""

    def handle(self, call: Call, request: Any) -> Value:
        """Raises EwsError, Fault."""
        if not self.module:
            if self.error != "ErrorInvalidOperation":
                return failure(EwsError(self.error))
            raise Fault(self.error, f"{self.name} is not available on this server.")
        value: Value = importlib.import_module(f"{__package__}.{self.module}").handle(call, request)
        return value


def _row(
    name: str,
    module: str,
    tier: int,
    since: str = "2007",
    *,
    response: str = "",
    error: str = "ErrorInvalidOperation",
    missing: str = "",
) -> Operation:
    return Operation(name, module, tier, Version.of_mark(since), response or f"{name}Response", error, missing)


OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        one.name: one
        for one in (
            # tier 0: without these no client connects
            _row("GetFolder", "get_folder", 0),
            _row("FindFolder", "find_folder", 0),
            _row("ConvertId", "convert_id", 0, "2007_SP1"),
            _row("FindItem", "find_item", 0),
            _row(
                "GetItem",
                "get_item",
                0,
                missing="RightsManagementLicenseData, ApprovalRequestData and what is said of clutter have no values; EntityExtractionResult has no"
                " contacts and suggests nothing",
            ),
            _row("SyncFolderHierarchy", "sync_folder_hierarchy", 0),
            _row("ResolveNames", "resolve_names", 0),
            # tier 1: mail, calendar, contacts, tasks
            _row("CreateItem", "create_item", 1),
            _row("UpdateItem", "update_item", 1),
            _row("DeleteItem", "delete_item", 1),
            _row("MoveItem", "move_item", 1),
            _row("CopyItem", "copy_item", 1),
            _row("SendItem", "send_item", 1),
            _row("CreateFolder", "create_folder", 1),
            _row("UpdateFolder", "update_folder", 1),
            _row("DeleteFolder", "delete_folder", 1),
            _row("MoveFolder", "move_folder", 1),
            _row("CopyFolder", "copy_folder", 1),
            _row("EmptyFolder", "empty_folder", 1, "2010"),
            _row("SyncFolderItems", "sync_folder_items", 1),
            _row("CreateAttachment", "create_attachment", 1),
            _row("GetAttachment", "get_attachment", 1),
            _row("DeleteAttachment", "delete_attachment", 1),
            _row("GetServerTimeZones", "get_server_time_zones", 1, "2010"),
            _row("GetUserAvailability", "get_user_availability", 1),
            _row("Subscribe", "subscribe", 1),
            _row("Unsubscribe", "unsubscribe", 1),
            # tier 2: expected by at least one common client
            _row("GetStreamingEvents", "get_streaming_events", 2, "2010_SP1"),
            _row("GetEvents", "get_events", 2),
            _row("GetUserOofSettings", "get_user_oof_settings", 2),
            _row(
                "SetUserOofSettings",
                "set_user_oof_settings",
                2,
                missing="what Exchange 2016 added (declining meetings and making an event while away) is read and changes nothing",
            ),
            _row("ExpandDL", "expand_dl", 2),
            _row("GetUserConfiguration", "get_user_configuration", 2, "2010"),
            _row("CreateUserConfiguration", "create_user_configuration", 2, "2010"),
            _row("UpdateUserConfiguration", "update_user_configuration", 2, "2010"),
            _row("DeleteUserConfiguration", "delete_user_configuration", 2, "2010"),
            _row("GetDelegate", "get_delegate", 2, "2007_SP1"),
            _row("AddDelegate", "add_delegate", 2, "2007_SP1"),
            _row("UpdateDelegate", "update_delegate", 2, "2007_SP1"),
            _row("RemoveDelegate", "remove_delegate", 2, "2007_SP1"),
            _row("GetInboxRules", "get_inbox_rules", 2, "2010_SP1"),
            _row(
                "UpdateInboxRules",
                "update_inbox_rules",
                2,
                "2010_SP1",
                missing="text messages: SendSMSAlertToRecipients is checked and refused; connected accounts and message classifications, of which"
                " there are none",
            ),
            _row("GetUserPhoto", "get_user_photo", 2, "2013"),
            _row("GetMailTips", "get_mail_tips", 2, "2010"),
            _row("GetRoomLists", "get_room_lists", 2, "2010"),
            _row("GetRooms", "get_rooms", 2, "2010"),
            _row("MarkAllItemsAsRead", "mark_all_items_as_read", 2, "2013"),
            _row("MarkAsJunk", "mark_as_junk", 2, "2013"),
            _row("ExportItems", "export_items", 2, "2010_SP1"),
            _row("UploadItems", "upload_items", 2, "2010_SP1"),
            _row("GetPasswordExpirationDate", "get_password_expiration_date", 2, "2010_SP1"),
            # tier 3: rounding out
            _row(
                "FindPeople",
                "find_people",
                3,
                "2013",
                missing="SearchPeopleSuggestionIndex, TopicQueryString and Context are read and change nothing",
            ),
            _row(
                "GetPersona",
                "get_persona",
                3,
                "2013",
                response="GetPersonaResponseMessage",
                missing="ParentFolderId and ItemLinkId are read and change nothing",
            ),
            _row("FindConversation", "find_conversation", 3, "2010_SP1"),
            _row("GetConversationItems", "get_conversation_items", 3, "2013"),
            _row("ApplyConversationAction", "apply_conversation_action", 3, "2010_SP1"),
            _row("ArchiveItem", "archive_item", 3, "2013"),
            _row(
                "GetServiceConfiguration",
                "get_service_configuration",
                3,
                "2010",
                missing="there are no protection rules, no policy nudges and no unified messaging",
            ),
            _row(
                "GetSharingMetadata",
                "get_sharing_metadata",
                3,
                "2010",
                missing="there is no federation: every recipient is refused",
            ),
            _row("GetSharingFolder", "get_sharing_folder", 3, "2010", missing="what mailboxes of the same world share only"),
            _row(
                "RefreshSharingFolder",
                "refresh_sharing_folder",
                3,
                "2010",
                missing="what mailboxes of the same world share only",
            ),
            _row("CreateManagedFolder", "create_managed_folder", 3),
            _row("CreateFolderPath", "create_folder_path", 3, "2013"),
            _row(
                "GetAppManifests",
                "get_app_manifests",
                3,
                "2013",
                missing="what is asked for since 2016 (which apps, with what) is read and changes nothing",
            ),
            _row("GetAppMarketplaceUrl", "get_app_marketplace_url", 3, "2013"),
            _row(
                "SetUserPhoto",
                "set_user_photo",
                3,
                "2016",
                missing="no smaller sizes are made of a photo: it answers every size that is not set beside it",
            ),
            _row(
                "GetSearchableMailboxes",
                "get_searchable_mailboxes",
                3,
                "2013",
            ),
            _row("GetUserRetentionPolicyTags", "get_user_retention_policy_tags", 3, "2013"),
            # tier 4: discovery and holds
            _row("SearchMailboxes", "", 4, "2013"),
            _row("GetHoldOnMailboxes", "", 4, "2013"),
            _row("SetHoldOnMailboxes", "", 4, "2013"),
            _row("GetDiscoverySearchConfiguration", "", 4, "2013"),
            _row("GetNonIndexableItemStatistics", "", 4, "2013"),
            _row("GetNonIndexableItemDetails", "", 4, "2013"),
            # tier 4: unified messaging
            _row("PlayOnPhone", "", 4, "2010"),
            _row("GetPhoneCallInformation", "", 4, "2010"),
            _row("DisconnectPhoneCall", "", 4, "2010"),
            # tier 4: message tracking
            _row("FindMessageTrackingReport", "", 4, "2010"),
            _row("GetMessageTrackingReport", "", 4, "2010"),
            # tier 4: lists of the unified contact store
            _row("AddNewImContactToGroup", "", 4, "2013"),
            _row("AddNewTelUriContactToGroup", "", 4, "2013"),
            _row("AddImContactToGroup", "", 4, "2013"),
            _row("RemoveImContactFromGroup", "", 4, "2013"),
            _row("AddImGroup", "", 4, "2013"),
            _row("AddDistributionGroupToImList", "", 4, "2013"),
            _row("GetImItemList", "", 4, "2013"),
            _row("GetImItems", "", 4, "2013"),
            _row("RemoveContactFromImList", "", 4, "2013"),
            _row("RemoveDistributionGroupFromImList", "", 4, "2013"),
            _row("RemoveImGroup", "", 4, "2013"),
            _row("SetImGroup", "", 4, "2013"),
            _row("SetImListMigrationCompleted", "", 4, "2013"),
            # tier 4: apps
            _row("InstallApp", "", 4, "2013"),
            _row("UninstallApp", "", 4, "2013"),
            _row("DisableApp", "", 4, "2013"),
            _row("GetClientAccessToken", "", 4, "2013"),
            _row("GetLastPrivateCatalogUpdate", "", 4, "2016"),
            _row("GetPrivateCatalogAddIns", "", 4, "2016"),
            # tier 4: site mailboxes
            _row("SetTeamMailbox", "", 4, "2013"),
            _row("UnpinTeamMailbox", "", 4, "2013"),
            # tier 4: tags
            _row("FindTags", "", 4, "2016"),
            _row("AddTag", "", 4, "2016"),
            _row("HideTag", "", 4, "2016"),
            # tier 4: instant search
            _row("StartSearchSession", "", 4, "2016"),
            _row("GetSearchSuggestions", "", 4, "2016"),
            _row("DeleteSearchSuggestion", "", 4, "2016"),
            _row("ExecuteSearch", "", 4, "2016"),
            _row("EndSearchSession", "", 4, "2016"),
            # tier 4: meeting spaces and instances
            _row("GetMeetingSpace", "", 4, "2016", response="GetMeetingSpaceResponseMessage"),
            _row("CreateMeetingSpace", "", 4, "2016", response="CreateMeetingSpaceResponseMessage"),
            _row("UpdateMeetingSpace", "", 4, "2016", response="UpdateMeetingSpaceResponseMessage"),
            _row("DeleteMeetingSpace", "", 4, "2016", response="DeleteMeetingSpaceResponseMessage"),
            _row("FindMeetingSpaceByJoinUrl", "", 4, "2016", response="FindMeetingSpaceByJoinUrlResponseMessage"),
            _row("GetMeetingInstance", "", 4, "2016"),
            _row("CreateMeetingInstance", "", 4, "2016"),
            _row("UpdateMeetingInstance", "", 4, "2016"),
            _row("DeleteMeetingInstance", "", 4, "2016"),
            # tier 4: others
            _row("FindMeetingTimeCandidates", "", 4, "2016"),
            _row("FindAvailableMeetingTimes", "", 4, "2016"),
            _row("GetSpecificUserConfiguration", "", 4, "2016"),
            _row("ReportMessage", "", 4, "2016"),
            _row("UpdateItemInRecoverableItems", "", 4, "2013"),
            # in the schema only, not in the service description
            _row("PerformInstantSearch", "", 5, "2016"),
            _row("EndInstantSearchSession", "", 5, "2016"),
            _row("GetFocusedOtherOverrides", "", 5, "2016"),
            _row("CreateOrUpdateFocusedOtherOverride", "", 5, "2016"),
            _row("DeleteFocusedOtherOverride", "", 5, "2016"),
            _row("GetOMEConfiguration", "", 5, "2016"),
            _row("SetOMEConfiguration", "", 5, "2016"),
            _row("RegisterConsent", "", 5, "2016"),
            _row("GetReminders", "get_reminders", 5, "2013"),
            _row("PerformReminderAction", "perform_reminder_action", 5, "2013"),
            _row("FindMailboxStatisticsByKeywords", "", 5, "2013"),
        )
    }
)
"""All operations, by the name of the request's element (less "Request", which seven have at its end)."""


def find_operation(call: Call) -> Operation:
    """Raises Fault for an operation that nobody knows, or that is newer than the version asked."""
    found = OPERATIONS.get(call.operation)
    if found is None:
        raise Fault("ErrorInvalidOperation", f"{call.operation[:60]} is no operation of this service.")
    if found.since > call.version:
        raise Fault("ErrorIncorrectSchemaVersion")
    return found
