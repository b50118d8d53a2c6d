"""Requests as text to a world's Exchange, and what is read of the answers."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from lxml import etree

from postroom_simulator import World
from postroom_simulator.ews.codec import NAMESPACES
from postroom_simulator.ews.http import Request

ANN, BOB, CARL = "ann@sim.test", "bob@sim.test", "carl@sim.test"
M, T, E = (f"{{{NAMESPACES[prefix]}}}" for prefix in "mte")


@dataclass(slots=True)
class Answer:
    """element: the operation's response, or the fault."""

    status: int
    element: etree._Element
    texts: dict[str, str] = field(default_factory=dict)

    def all(self, path: str) -> list[str]:
        """Texts of the elements with such a local name, "A/B" below one another; attributes as "A@Name"."""
        *names, last = path.split("/")
        last, _, attribute = last.partition("@")
        steps = "".join(f"//*[local-name()='{name}']" for name in (*names, last))
        found = self.element.xpath(f".{steps}")
        return [one.get(attribute, "") if attribute else (one.text or "") for one in found]

    def one(self, path: str) -> str:
        (found,) = self.all(path)
        return found

    @property
    def codes(self) -> list[str]:
        return self.all("ResponseCode")

    @property
    def classes(self) -> list[str]:
        return [one.get("ResponseClass") for one in self.element.iter() if one.get("ResponseClass")]


@dataclass(slots=True)
class Office:
    """A world with Ann, Bob and Carl in it."""

    world: World

    def ask(
        self, operation: str, inner: str = "", *, who: str = ANN, version: str = "Exchange2016", attributes: str = ""
    ) -> Answer:
        """What the operation's element holds, in prefixes m and t."""
        spaces = " ".join(f'xmlns:{prefix}="{NAMESPACES[prefix]}"' for prefix in "mt")
        text = (
            f'<s:Envelope xmlns:s="{NAMESPACES["s"]}" {spaces}><s:Header><t:RequestServerVersion Version="{version}"/></s:Header>'
            f"<s:Body><m:{operation} {attributes}>{inner}</m:{operation}></s:Body></s:Envelope>"
        )
        login = base64.b64encode(f"{who}:pw".encode()).decode()
        headers = {"authorization": f"Basic {login}", "content-type": "text/xml; charset=utf-8", "host": "mail.sim.test"}
        got = self.world.ews.respond(Request("POST", "/EWS/Exchange.asmx", headers, text.encode()))
        body = etree.fromstring(got.body).find(f"{{{NAMESPACES['s']}}}Body")
        assert body is not None
        return Answer(got.status, body[0])

    def contact(self, inner: str, *, who: str = ANN, element: str = "Contact") -> tuple[str, str]:
        """A new contact (or list) in the standard folder: id and change key."""
        made = self.ask("CreateItem", f"<m:Items><t:{element}>{inner}</t:{element}></m:Items>", who=who)
        assert made.codes == ["NoError"], made.codes
        return made.one("ItemId@Id"), made.one("ItemId@ChangeKey")

    def get(
        self, item: str, *, shape: str = "AllProperties", more: str = "", who: str = ANN, version: str = "Exchange2016"
    ) -> Answer:
        return self.ask(
            "GetItem",
            f'<m:ItemShape><t:BaseShape>{shape}</t:BaseShape>{more}</m:ItemShape><m:ItemIds><t:ItemId Id="{item}"/></m:ItemIds>',
            who=who,
            version=version,
        )

    def inbox(self, address: str) -> list[str]:
        return [octets.decode("utf-8", "replace") for octets in self.world.inbox(address)]


@pytest.fixture
def office() -> Iterator[Office]:
    with World(hostname="mail.sim.test") as world:
        for address, name in ((ANN, "Ann Alder"), (BOB, "Bob Birch"), (CARL, "Carl Cedar")):
            world.add_account(address, "pw", name=name)
        yield Office(world)
