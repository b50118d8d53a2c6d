"""Owner, attachments, watermark, deletion; and the rules that wait for Exchange (server-side-sync reference 4.1, 4.2, 4.9, 4.11, 4.12)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from postroom.model import IncomingFilteringMethod, UserSettings
from postroom.model.attachments import BLOCKED_ATTACHMENTS, extensions_of
from postroom.model.attributes import Lookup
from postroom.model.options import EmailNotification
from postroom.organization.promotion import notification_of, record_for_strangers
from postroom.rules.attachments import AttachmentPolicy, is_kept
from postroom.rules.category_tracking import CATEGORY, Action, Upkeep, action_for, is_category, upkeep
from postroom.rules.ownership import choose_owner
from postroom.rules.scanned_folders import FolderKind, ItemTimes, is_candidate, moment_of, scanned
from postroom.rules.watermark import advanced, deletes_after_processing, lower_bound

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
DAY = timedelta(days=1)
ADA, BEN, EVE = (Lookup("systemuser", name) for name in ("ada", "ben", "eve"))


# -- 4.9 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lists", "correlated", "sender_record", "owner"),
    [
        ([[ADA, BEN], [EVE], []], None, None, ADA),
        ([[], [BEN], [EVE]], None, None, BEN),  # Cc when nobody is on To
        ([[], [], [EVE]], None, None, EVE),
        ([[ADA, BEN], [], []], BEN, None, BEN),
        ([[ADA, BEN], [], []], None, BEN, BEN),
        ([[ADA, BEN], [], []], BEN, ADA, BEN),  # the correlated email's owner before the sender's
        ([[ADA], [BEN], []], BEN, BEN, ADA),  # only within the first list that has anybody
        ([[ADA], [], []], EVE, EVE, ADA),
        ([[], [], []], BEN, BEN, EVE),
    ],
)
def test_the_owner(lists: list[list[Lookup]], correlated: Lookup | None, sender_record: Lookup | None, owner: Lookup) -> None:
    assert choose_owner(lists, correlated=correlated, sender_record=sender_record, fallback=EVE) == owner


# -- 4.11 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "size", "kept"),
    [
        ("a.txt", 10, True),
        ("a.txt", 11, False),
        ("a.exe", 1, False),
        ("A.EXE", 1, False),
        ("a.exe.", 1, False),
        ("a.exe . ", 1, False),
        ("a.exe.txt", 1, True),
        ("exe", 1, True),
        (".exe", 1, False),
        ("", 1, True),
        ("winmail.dat", 1, True),
    ],
)
def test_which_files_are_kept(name: str, size: int, kept: bool) -> None:
    assert is_kept(name, size, AttachmentPolicy(10, extensions_of("exe;vbs"))) is kept


def test_the_list_of_extensions() -> None:
    assert {"exe", "bat", "js", "vbs", "ps1"} - extensions_of(None) == {"ps1"}
    assert extensions_of(BLOCKED_ATTACHMENTS) == extensions_of(None)
    assert extensions_of("") == frozenset()
    assert extensions_of(" .Exe ;; tar.gz") == {"exe", "tar.gz"}


@pytest.mark.parametrize(
    ("blocked", "cut", "expected"),
    [
        (False, False, EmailNotification.NONE),
        (True, False, EmailNotification.ATTACHMENT_BLOCKED),
        (False, True, EmailNotification.TRUNCATED_BODY),
        (True, True, EmailNotification.ATTACHMENT_BLOCKED),
    ],
)
def test_notifications(blocked: bool, cut: bool, expected: EmailNotification) -> None:
    assert notification_of(blocked=blocked, cut=cut) is expected


@pytest.mark.parametrize(
    ("wanted", "lead", "entity"), [(False, False, ""), (False, True, ""), (True, False, "contact"), (True, True, "lead")]
)
def test_what_unknown_senders_become(wanted: bool, lead: bool, entity: str) -> None:
    settings = UserSettings(systemuserid="ada", autocreatecontactonpromote=wanted, createleadonpromote=lead)
    assert record_for_strangers(settings) == entity
    assert record_for_strangers(None) == ""
    assert settings.incomingemailfilteringmethod is IncomingFilteringMethod.IN_RESPONSE_TO_CRM_EMAIL


# -- 4.2, 4.1 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "mailbox", "bound"),
    [(None, None, None), (NOW, None, NOW), (None, NOW, NOW), (NOW, NOW - DAY, NOW), (NOW - DAY, NOW, NOW)],
)
def test_the_later_date_is_the_bound(profile: datetime | None, mailbox: datetime | None, bound: datetime | None) -> None:
    assert lower_bound(profile, mailbox) == bound


@pytest.mark.parametrize(
    ("bound", "newest", "tells", "after"),
    [
        (None, NOW - DAY, True, NOW - DAY),
        (NOW - DAY, NOW, True, NOW),
        (NOW, NOW - DAY, True, NOW),  # never back
        (None, NOW + DAY, True, NOW),  # never into the future
        (NOW + DAY, NOW, True, NOW + DAY),
        (NOW - DAY, None, True, NOW - DAY),
        (NOW - DAY, NOW, False, NOW - DAY),  # POP3: the administrator's only
        (None, NOW, False, None),
    ],
)
def test_the_date_advances(bound: datetime | None, newest: datetime | None, tells: bool, after: datetime | None) -> None:
    assert advanced(bound, newest, NOW, has_received_time=tells) == after


@pytest.mark.parametrize(
    ("asked", "owner", "forward", "deletes"),
    [
        (True, "queue", False, True),
        (True, None, True, True),
        (True, "systemuser", False, False),
        (True, None, False, False),
        (False, "queue", True, False),
        (None, "queue", False, False),
    ],
)
def test_only_queues_and_forward_mailboxes_delete(asked: bool | None, owner: str | None, forward: bool, deletes: bool) -> None:
    assert deletes_after_processing(asked, owner, forward=forward) is deletes


# -- what waits for Exchange ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "folders", "sent", "expected"),
    [
        (FolderKind.INBOX, False, False, True),
        (FolderKind.INBOX_SUBFOLDER, True, True, False),
        (FolderKind.TRACKED, True, False, True),
        (FolderKind.TRACKED, False, True, False),
        (FolderKind.SENT_ITEMS, False, True, True),
        (FolderKind.SENT_ITEMS, True, False, False),
        (FolderKind.OTHER, True, True, False),
    ],
)
def test_the_folders_that_are_scanned(kind: FolderKind, folders: bool, sent: bool, expected: bool) -> None:
    assert scanned(kind, folder_tracking=folders, sent_items=sent) is expected


def test_the_moment_that_counts() -> None:
    times = ItemTimes(received=NOW - 2 * DAY, modified=NOW)
    assert moment_of(FolderKind.INBOX, times) == NOW - 2 * DAY
    assert moment_of(FolderKind.TRACKED, times) == NOW
    assert is_candidate(FolderKind.TRACKED, times, NOW - DAY)
    assert not is_candidate(FolderKind.INBOX, times, NOW - DAY)  # it came back from a subfolder, too late
    assert is_candidate(FolderKind.INBOX, times, NOW - 2 * DAY)
    assert is_candidate(FolderKind.INBOX, times, None)


@pytest.mark.parametrize(
    ("entity", "enabled", "categorized", "tracked", "changed", "action"),
    [
        ("email", True, True, False, True, Action.TRACK),
        ("appointment", True, True, False, True, Action.TRACK),
        ("recurringappointmentmaster", True, True, False, True, Action.TRACK),
        ("task", True, True, False, True, Action.TRACK),
        ("contact", True, True, False, True, Action.NOTHING),
        ("email", True, True, False, False, Action.NOTHING),  # from before the feature was switched on
        ("email", True, False, True, True, Action.UNTRACK),
        ("email", True, True, True, True, Action.NOTHING),
        ("email", True, False, False, True, Action.NOTHING),
        ("email", False, True, False, True, Action.NOTHING),
        ("email", False, False, True, True, Action.NOTHING),
    ],
)
def test_the_category(entity: str, enabled: bool, categorized: bool, tracked: bool, changed: bool, action: Action) -> None:
    assert action_for(entity, enabled=enabled, categorized=categorized, tracked=tracked, changed=changed) is action


def test_a_renamed_category_is_known_by_its_id() -> None:
    assert is_category("7", "7", "Something else")
    assert not is_category("7", "8", CATEGORY)
    assert is_category("", "8", CATEGORY.upper())


@pytest.mark.parametrize(
    ("enabled", "there", "what"),
    [
        (True, False, Upkeep.CREATE),
        (True, True, Upkeep.NOTHING),
        (False, True, Upkeep.REMOVE),
        (False, False, Upkeep.NOTHING),
    ],
)
def test_the_list_of_categories_is_kept(enabled: bool, there: bool, what: Upkeep) -> None:
    assert upkeep(enabled=enabled, there=there) is what
