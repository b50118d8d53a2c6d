"""Appointments, meetings and tasks asked for in XML; a world with Ann, Bob and Cat (see `folders_scene`)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from folders_scene import ANN, BOB, Asker

from postroom_simulator import World
from postroom_simulator.clock import ManualClock
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.ews.items.view import item_id
from postroom_simulator.store.interface import Role

__all__ = ["ANN", "BOB", "CAT", "Calendars", "calendars"]

Value = dict[str, Any]
CAT = "cat@sim.test"
BERLIN = '<t:StartTimeZone Id="W. Europe Standard Time"/>'
NINE, TEN = "2027-03-01T09:00:00", "2027-03-01T10:00:00"


def times(start: str = NINE, end: str = TEN, zone: str = BERLIN) -> str:
    return f"<t:Start>{start}</t:Start><t:End>{end}</t:End>{zone}"


def attendees(*addresses: str, kind: str = "RequiredAttendees") -> str:
    each = "".join(
        f"<t:Attendee><t:Mailbox><t:EmailAddress>{one}</t:EmailAddress></t:Mailbox></t:Attendee>" for one in addresses
    )
    return f"<t:{kind}>{each}</t:{kind}>"


def recurrence(
    pattern: str, bounds: str = "<t:NoEndRecurrence><t:StartDate>2027-03-01</t:StartDate></t:NoEndRecurrence>"
) -> str:
    return f"<t:Recurrence>{pattern}{bounds}</t:Recurrence>"


def daily(interval: int = 1) -> str:
    return f"<t:DailyRecurrence><t:Interval>{interval}</t:Interval></t:DailyRecurrence>"


def weekly(days: str = "Monday", interval: int = 1) -> str:
    return f"<t:WeeklyRecurrence><t:Interval>{interval}</t:Interval><t:DaysOfWeek>{days}</t:DaysOfWeek></t:WeeklyRecurrence>"


def numbered(count: int, start: str = "2027-03-01") -> str:
    return (
        f"<t:NumberedRecurrence><t:StartDate>{start}</t:StartDate>"
        f"<t:NumberOfOccurrences>{count}</t:NumberOfOccurrences></t:NumberedRecurrence>"
    )


def change(uri: str, inside: str, element: str = "CalendarItem", action: str = "SetItemField") -> str:
    return f'<t:{action}><t:FieldURI FieldURI="{uri}"/><t:{element}>{inside}</t:{element}></t:{action}>'


@dataclass
class Calendars(Asker):
    """Asks about calendars."""

    def create(self, inside: str, send: str = "SendToNone", element: str = "CalendarItem", **how: str) -> Value:
        said = f'SendMeetingInvitations="{send}"' if send else ""
        return self.messages(f"<CreateItem {said}><Items><t:{element}>{inside}</t:{element}></Items></CreateItem>", **how)[0]

    def made(self, inside: str, send: str = "SendToNone", element: str = "CalendarItem", **how: str) -> Value:
        """The ItemId of a new one."""
        message = self.create(inside, send, element, **how)
        assert message["ResponseCode"] == "NoError", message
        return dict(message["Items"][0][1]["ItemId"])

    def appointment(
        self, extra: str = "", start: str = NINE, end: str = TEN, zone: str = BERLIN, send: str = "SendToNone", **how: str
    ) -> Value:
        return self.made(f"<t:Subject>plan</t:Subject>{times_with(extra, start, end, zone)}", send, **how)

    def series(self, pattern: str = "", bounds: str = "", **how: Any) -> Value:
        return self.appointment(recurrence(pattern or daily(), bounds or numbered(5)), **how)

    def get(self, item: Value | str, paths: str = "", shape: str = "AllProperties", extra: str = "", **how: str) -> Value:
        return self.shown(item, paths, shape, extra, **how)[1]

    def shown(
        self, item: Value | str, paths: str = "", shape: str = "AllProperties", extra: str = "", **how: str
    ) -> tuple[str, Value]:
        message = self.got(item, paths, shape, extra, **how)
        assert message["ResponseCode"] == "NoError", message
        found: tuple[str, Value] = message["Items"][0]
        return found

    def got(self, item: Value | str, paths: str = "", shape: str = "AllProperties", extra: str = "", **how: str) -> Value:
        more = f"<t:AdditionalProperties>{paths}</t:AdditionalProperties>" if paths else ""
        return self.messages(
            f"<GetItem><ItemShape><t:BaseShape>{shape}</t:BaseShape>{extra}{more}</ItemShape><ItemIds>{reference(item)}</ItemIds></GetItem>",
            **how,
        )[0]

    def mime(self, item: Value | str, **how: str) -> bytes:
        found = self.get(item, shape="IdOnly", extra="<t:IncludeMimeContent>true</t:IncludeMimeContent>", **how)
        return base64.b64decode(found["MimeContent"][""])

    def update(
        self, item: Value | str, changes: str, send: str = "SendToNone", mode: str = "AlwaysOverwrite", **how: str
    ) -> Value:
        said = f'SendMeetingInvitationsOrCancellations="{send}"' if send else ""
        return self.messages(
            f'<UpdateItem ConflictResolution="{mode}" MessageDisposition="SaveOnly" {said}><ItemChanges><t:ItemChange>{reference(item)}'
            f"<t:Updates>{changes}</t:Updates></t:ItemChange></ItemChanges></UpdateItem>",
            **how,
        )[0]

    def updated(self, item: Value | str, changes: str, send: str = "SendToNone", **how: str) -> Value:
        message = self.update(item, changes, send, **how)
        assert message["ResponseCode"] == "NoError", message
        return dict(message["Items"][0][1]["ItemId"])

    def delete(
        self, item: Value | str, send: str = "SendToNone", kind: str = "MoveToDeletedItems", extra: str = "", **how: str
    ) -> str:
        said = f'SendMeetingCancellations="{send}"' if send else ""
        return self.code(
            f'<DeleteItem DeleteType="{kind}" {said} {extra}><ItemIds>{reference(item)}</ItemIds></DeleteItem>', **how
        )

    def respond_with(
        self, element: str, item: Value, inside: str = "", disposition: str = "SendAndSaveCopy", **how: str
    ) -> Value:
        """Carry out a response object."""
        given = f'<t:ReferenceItemId Id="{item["@Id"]}" ChangeKey="{item["@ChangeKey"]}"/>'
        return self.messages(
            f'<CreateItem MessageDisposition="{disposition}"><Items><t:{element}>{inside if element != "CancelCalendarItem" else ""}{given}'
            f"{inside if element == 'CancelCalendarItem' else ''}</t:{element}></Items></CreateItem>",
            **how,
        )[0]

    def view(self, start: str, end: str, most: int = 0, shape: str = "AllProperties", **how: str) -> list[Value]:
        found = self.root(start, end, most, shape, **how)["Items"]
        return [value for _, value in found]

    def root(
        self, start: str, end: str, most: int = 0, shape: str = "AllProperties", folder: str = "calendar", **how: str
    ) -> Value:
        limit = f'MaxEntriesReturned="{most}"' if most else ""
        root: Value = self.one(viewing(start, end, limit, shape, folder), **how)["RootFolder"]
        return root

    def listed(self, folder: str = "calendar", user: str = ANN) -> list[Value]:
        """The ItemIds of a folder, in order of arrival."""
        found = self.world.store.folder(user, Role(folder))
        return [item_id(item) for item in self.world.store.items(found.uid)]

    def notices(self, user: str, folder: str = "inbox") -> list[str]:
        """Elements of the messages in a folder, in order of arrival."""
        found = self.world.store.folder(user, Role(folder))
        return [kind_of(item.item_class).element for item in self.world.store.items(found.uid)]


def times_with(extra: str, start: str, end: str, zone: str) -> str:
    """In the order of the schema only as far as the service is strict: it is not."""
    return times(start, end, zone) + extra


def viewing(start: str, end: str, limit: str = "", shape: str = "AllProperties", folder: str = "calendar") -> str:
    return (
        f'<FindItem Traversal="Shallow"><ItemShape><t:BaseShape>{shape}</t:BaseShape></ItemShape>'
        f'<CalendarView {limit} StartDate="{start}" EndDate="{end}"/>'
        f'<ParentFolderIds><t:DistinguishedFolderId Id="{folder}"/></ParentFolderIds></FindItem>'
    )


def reference(item: Value | str) -> str:
    if isinstance(item, str):
        return item
    key = f' ChangeKey="{item["@ChangeKey"]}"' if "@ChangeKey" in item else ""
    return f'<t:ItemId Id="{item["@Id"]}"{key}/>'


def at(master: Value, index: int) -> str:
    return f'<t:OccurrenceItemId RecurringMasterId="{master["@Id"]}" InstanceIndex="{index}"/>'


@pytest.fixture
def calendars() -> Iterator[Calendars]:
    with World(hostname="calendars.sim.test", clock=ManualClock()) as world:
        for address, name in ((ANN, "Ann Alder"), (BOB, "Bob Birch"), (CAT, "Cat Cedar")):
            world.add_account(address, "pw", name=name)
        yield Calendars(world)
