"""Questions about items: XML in, values of the schema out (see `folders_scene`)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from folders_scene import ANN, BOB, Asker

from postroom_simulator import World
from postroom_simulator.clock import ManualClock

__all__ = ["ANN", "BOB", "MAIL", "Items", "items", "prop"]

Value = dict[str, Any]
MAIL = (
    b"Received: from somewhere\r\nFrom: Xenia <x@out.test>\r\nTo: ann@sim.test, Bob <bob@sim.test>\r\nSubject: hello\r\nMessage-ID: <1@out.test>\r\n"
    b"X-Kept: as it is\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n\r\n.a line\r\nbody\r\n"
)


@dataclass
class Items(Asker):
    """Asks about items."""

    def create(self, item: str, disposition: str = "SaveOnly", folder: str = "", **how: str) -> Value:
        """The message of one item that was created."""
        return self.messages(creating(item, disposition, folder), **how)[0]

    def made(self, item: str, disposition: str = "SaveOnly", folder: str = "", **how: str) -> Value:
        """The ItemId of a new item."""
        message = self.create(item, disposition, folder, **how)
        assert message["ResponseCode"] == "NoError", message
        return dict(message["Items"][0][1]["ItemId"])

    def draft(self, inside: str = "<t:Subject>s</t:Subject>", **how: str) -> Value:
        return self.made(f"<t:Message>{inside}</t:Message>", **how)

    def get(self, item: Value, paths: str = "", shape: str = "AllProperties", extra: str = "", **how: str) -> Value:
        """The properties of an item."""
        return self.shown(item, paths, shape, extra, **how)[1]

    def shown(
        self, item: Value, paths: str = "", shape: str = "AllProperties", extra: str = "", **how: str
    ) -> tuple[str, Value]:
        message = self.messages(getting(item, paths, shape, extra), **how)[0]
        assert message["ResponseCode"] == "NoError", message
        element, value = message["Items"][0]
        return element, {name: one for name, one in value.items() if one != []}

    def mime(self, item: Value) -> bytes:
        found = self.get(item, shape="IdOnly", extra="<t:IncludeMimeContent>true</t:IncludeMimeContent>")
        return base64.b64decode(found["MimeContent"][""])

    def update(
        self,
        item: Value,
        changes: str,
        mode: str = "AutoResolve",
        attributes: str = 'MessageDisposition="SaveOnly"',
        folder: str = "",
    ) -> Value:
        key = f' ChangeKey="{item["@ChangeKey"]}"' if "@ChangeKey" in item else ""
        saved = f'<SavedItemFolderId><t:DistinguishedFolderId Id="{folder}"/></SavedItemFolderId>' if folder else ""
        return self.messages(
            f'<UpdateItem ConflictResolution="{mode}" {attributes}>{saved}<ItemChanges><t:ItemChange><t:ItemId Id="{item["@Id"]}"{key}/>'
            f"<t:Updates>{changes}</t:Updates></t:ItemChange></ItemChanges></UpdateItem>"
        )[0]

    def updated(self, item: Value, changes: str, mode: str = "AutoResolve") -> Value:
        """The ItemId after a change that succeeds."""
        message = self.update(item, changes, mode)
        assert message["ResponseCode"] == "NoError", message
        return dict(message["Items"][0][1]["ItemId"])

    def listed(self, folder: str, user: str = ANN) -> list[Value]:
        """The ItemIds of a folder, in order of arrival."""
        found = self.world.store.folder(user, next(role for role in _roles() if role.value == folder))
        from postroom_simulator.ews.items.view import item_id

        return [item_id(item) for item in self.world.store.items(found.uid)]

    def deliver(self, octets: bytes = MAIL, to: str = ANN) -> Value:
        """A mail from outside: its ItemId."""
        self.world.deliver("x@out.test", [to], octets)
        return self.listed("inbox", to)[-1]


def _roles() -> Any:
    from postroom_simulator.store.interface import Role

    return Role


def creating(item: str, disposition: str = "SaveOnly", folder: str = "", attributes: str = "") -> str:
    saved = f'<SavedItemFolderId><t:DistinguishedFolderId Id="{folder}"/></SavedItemFolderId>' if folder else ""
    said = f'MessageDisposition="{disposition}"' if disposition else ""
    return f"<CreateItem {said} {attributes}>{saved}<Items>{item}</Items></CreateItem>"


def getting(item: Value, paths: str = "", shape: str = "AllProperties", extra: str = "") -> str:
    more = f"<t:AdditionalProperties>{paths}</t:AdditionalProperties>" if paths else ""
    return (
        f"<GetItem><ItemShape><t:BaseShape>{shape}</t:BaseShape>{extra}{more}</ItemShape>"
        f'<ItemIds><t:ItemId Id="{item["@Id"]}"/></ItemIds></GetItem>'
    )


def set_field(uri: str, inside: str, element: str = "Message", action: str = "SetItemField") -> str:
    return f'<t:{action}><t:FieldURI FieldURI="{uri}"/><t:{element}>{inside}</t:{element}></t:{action}>'


def drop_field(uri: str) -> str:
    return f'<t:DeleteItemField><t:FieldURI FieldURI="{uri}"/></t:DeleteItemField>'


def set_extended(path: str, value: str, element: str = "Message") -> str:
    return f"<t:SetItemField>{path}<t:{element}>{extended(path, value)}</t:{element}></t:SetItemField>"


def extended(path: str, value: str) -> str:
    """An ExtendedProperty; `value`: the Value or Values element."""
    return f"<t:ExtendedProperty>{path}{value}</t:ExtendedProperty>"


def tag(number: str, kind: str) -> str:
    return f'<t:ExtendedFieldURI PropertyTag="{number}" PropertyType="{kind}"/>'


def prop(item: Value, index: int = 0) -> Any:
    """What an extended property of an answer holds."""
    one = item["ExtendedProperty"][index]
    return one["Value"] if "Value" in one else one["Values"]["Value"]


def to(*addresses: str, field: str = "ToRecipients") -> str:
    boxes = "".join(f"<t:Mailbox><t:EmailAddress>{one}</t:EmailAddress></t:Mailbox>" for one in addresses)
    return f"<t:{field}>{boxes}</t:{field}>"


def mime(octets: bytes) -> str:
    return f'<t:MimeContent CharacterSet="UTF-8">{base64.b64encode(octets).decode()}</t:MimeContent>'


@pytest.fixture
def items() -> Iterator[Items]:
    with World(hostname="items.sim.test", clock=ManualClock()) as world:
        world.add_account(ANN, "pw", name="Ann Alder")
        world.add_account(BOB, "pw", name="Bob Birch")
        yield Items(world)
