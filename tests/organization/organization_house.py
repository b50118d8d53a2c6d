"""A small organization on a store in memory, with time in hand."""

from __future__ import annotations

import dataclasses
from typing import Any

from postroom.mime.parse import parse_message
from postroom.model import Email, Lookup, Mailbox
from postroom.organization import SYSTEM, Deployment, GatewayBinding, Operation
from postroom.organization.gateway import OrganizationGateway
from postroom.providers.contract import IncomingOffer
from postroom_simulator.clock import ManualClock
from postroom_simulator.ids import Ids


class House:
    """An organization "alder" with the default profile "mail"; `user`, `queue` and `contact` make people."""

    def __init__(self, url: str = "sqlite://", **settings: Any) -> None:
        self.clock = ManualClock()
        self.deployment = Deployment(self.clock, ids=Ids(7))
        self.organization = self.deployment.create_organization("alder", url, **settings)
        self.profile = self.organization.create(
            SYSTEM,
            "emailserverprofile",
            name="mail",
            servertype=1,
            incomingserverlocation="pop.test",
            outgoingserverlocation="smtp.test",
        )
        self.organization.update_settings(SYSTEM, defaultemailserverprofileid=Lookup("emailserverprofile", self.profile))

    def settings(self, **values: Any) -> None:
        self.organization.update_settings(SYSTEM, **values)

    def deploy(self, **values: Any) -> None:
        """Other settings of the deployment."""
        self.deployment.settings = dataclasses.replace(self.deployment.settings, **values)

    def user(self, name: str, *, ready: bool = True, filter_: int = 0, **values: Any) -> Lookup:
        values = {"internalemailaddress": f"{name}@alder.test", **_SERVED, **values}
        user = Lookup("systemuser", self.organization.create(SYSTEM, "systemuser", fullname=name.capitalize(), **values))
        self.organization.update(SYSTEM, "usersettings", user.id, incomingemailfilteringmethod=filter_)
        if ready:
            self.ready(user)
        return user

    def queue(self, name: str, *, ready: bool = True, **values: Any) -> Lookup:
        values = {"emailaddress": f"{name}@alder.test", **_SERVED, **values}
        queue = Lookup("queue", self.organization.create(SYSTEM, "queue", name=name, **values))
        if ready:
            self.ready(queue)
        return queue

    def contact(self, name: str, **values: Any) -> Lookup:
        values = {"fullname": name.capitalize(), "emailaddress1": f"{name}@birch.test", **values}
        return Lookup("contact", self.organization.create(SYSTEM, "contact", **values))

    def ready(self, owner: Lookup) -> None:
        box = self.mailbox(owner)
        if box.emailaddress:
            self.organization.approve_email(SYSTEM, box.mailboxid)
        self.organization.schedule_test(SYSTEM, box.mailboxid)
        for direction in (Operation.INCOMING, Operation.OUTGOING):
            self.organization.record_test_result(box.mailboxid, direction)

    def mailbox(self, owner: Lookup) -> Mailbox:
        found: list[Mailbox] = self.organization.retrieve_multiple(SYSTEM, "mailbox", regardingobjectid=owner)
        return found[0]

    def update_mailbox(self, owner: Lookup, **values: Any) -> Mailbox:
        self.organization.update(SYSTEM, "mailbox", self.mailbox(owner).mailboxid, **values)
        return self.mailbox(owner)

    def email(self, email_id: str) -> Email:
        found: Email = self.organization.retrieve(SYSTEM, "email", email_id)
        return found

    def parties(self, email_id: str) -> list[tuple[int, Lookup | None, str | None]]:
        rows = self.organization.retrieve_multiple(SYSTEM, "activityparty", activityid=Lookup("email", email_id))
        return [(int(row.participationtypemask), row.partyid, row.addressused) for row in rows]

    def gateway(self, owner: Lookup, operation: str = "incoming", *, fence: Any = None) -> OrganizationGateway:
        box = self.mailbox(owner).mailboxid
        return self.organization.gateway(GatewayBinding(box, box, fence, operation))

    def offer(
        self, number: int = 1, *, key: str = "", when: Any = None, raw: bytes | None = None, **headers: str
    ) -> IncomingOffer:
        octets = raw if raw is not None else message(number, **headers)
        return IncomingOffer(key or f"uidl-{number}", octets, parse_message(octets), when or self.clock.now(), "ada@alder.test")

    def take_in(self, owner: Lookup, offer: IncomingOffer) -> str:
        """As a provider does: judged, then delivered in a batch. Returns the email's id."""
        gateway = self.gateway(owner)
        verdict = gateway.check_incoming(offer)
        with gateway.batch():
            return gateway.deliver_incoming(offer, verdict).email_id


_SERVED = {"incomingemaildeliverymethod": 2, "outgoingemaildeliverymethod": 2}


def message(number: int = 1, body: str = "hello", **headers: str) -> bytes:
    """A plain message; headers by name with underscores, an empty one is left out."""
    fields = {
        "From": "Carl Birch <carl@birch.test>",
        "To": "ada@alder.test",
        "Subject": f"Message {number}",
        "Message-ID": f"<{number}@birch.test>",
        "Date": "Mon, 05 Jan 2026 07:00:00 +0000",
        **{name.strip("_").replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"{name}: {value}" for name, value in fields.items() if value]
    return ("\r\n".join(lines) + f"\r\n\r\n{body}\r\n").encode()
