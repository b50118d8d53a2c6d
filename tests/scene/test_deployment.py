"""Several organizations in one deployment: nothing crosses over but the limits on connections."""

from __future__ import annotations

from datetime import timedelta

import pytest

from postroom.channels.server_side_sync import ServerSideSync
from postroom.errors import RecordNotFound
from postroom.model import Lookup
from postroom.organization import SYSTEM, Deployment, Organization
from postroom.testing.books import check_books
from postroom.testing.memory import WorldConnector
from postroom_simulator import ManualClock, World
from postroom_simulator.faults import Fault, Reply, When
from postroom_simulator.world import SERVICES


def furnish(organization: Organization, world: World, address: str) -> str:
    """A profile and a user who tracks everything, approved, tested and enabled. Returns the mailbox's id."""
    profile = organization.create(
        SYSTEM,
        "emailserverprofile",
        name="mail",
        servertype=1,
        incomingserverlocation=world.hostname,
        incomingportnumber=SERVICES["pop3s"],
        outgoingserverlocation=world.hostname,
        outgoingportnumber=SERVICES["smtps"],
        incomingcredentialretrieval=0,
        outgoingcredentialretrieval=0,
    )
    organization.update_settings(SYSTEM, defaultemailserverprofileid=Lookup("emailserverprofile", profile))
    user = organization.create(
        SYSTEM,
        "systemuser",
        fullname=address,
        internalemailaddress=address,
        incomingemaildeliverymethod=2,
        outgoingemaildeliverymethod=2,
    )
    organization.update(SYSTEM, "usersettings", user, incomingemailfilteringmethod=0)
    mailbox: str = organization.retrieve(SYSTEM, "systemuser", user).defaultmailbox.id
    organization.update(
        SYSTEM, "mailbox", mailbox, allowemailconnectortousecredentials=True, username=address, password="secret"
    )
    organization.approve_email(SYSTEM, mailbox)
    organization.schedule_test(SYSTEM, mailbox)
    return mailbox


def subjects(organization: Organization) -> set[str]:
    found = organization.retrieve_multiple(SYSTEM, "email", directioncode=False)
    return {email.subject for email in found} - {"Your mailbox is now connected to Dynamics 365"}


def test_no_mail_state_or_error_crosses_over() -> None:
    with World() as world:
        clock = world.clock
        assert isinstance(clock, ManualClock)
        deployment = Deployment(clock, ids=world.ids)
        engines, boxes = [], []
        for name in ("alder", "birch"):
            organization = deployment.create_organization(name)
            world.add_account(f"ann@{name}.test", "secret")
            boxes.append(furnish(organization, world, f"ann@{name}.test"))
            engines.append(ServerSideSync(organization, WorldConnector(world)))
            engines[-1].run_due()
        alder, birch = (engine.organization for engine in engines)
        for name in ("alder", "birch"):
            octets = f"From: x@else.test\r\nTo: ann@{name}.test\r\nSubject: To {name}\r\nMessage-ID: <{name}@x>\r\n\r\nx\r\n"
            world.deliver("x@else.test", [f"ann@{name}.test"], octets.encode())
        world.faults.add(Fault(When("pop3", at="PASS", account="ann@birch.test"), Reply("-ERR", "[AUTH] no")))
        clock.advance(timedelta(minutes=15))
        for engine in engines:
            engine.run_due()
        assert (subjects(alder), subjects(birch)) == ({"To alder"}, set())
        assert alder.retrieve(SYSTEM, "mailbox", boxes[0]).enabledforincomingemail is True
        assert birch.retrieve(SYSTEM, "mailbox", boxes[1]).enabledforincomingemail is False
        assert [trace.text for trace in alder.retrieve_multiple(SYSTEM, "tracelog", level=3)] == []
        assert birch.retrieve_multiple(SYSTEM, "tracelog", level=3)
        with pytest.raises(RecordNotFound):
            alder.retrieve(SYSTEM, "mailbox", boxes[1])
        world.settle()
        check_books(world, alder, birch)
        for engine in engines:
            engine.close()
        deployment.close()


def test_connection_limits_are_shared_on_purpose() -> None:
    with World() as world:
        deployment = Deployment(world.clock)
        slots = deployment.connections
        assert slots.acquire("mail.test", "shared", 2)
        assert slots.acquire("MAIL.test", "Shared", 2)
        assert not slots.acquire("mail.test", "shared", 2)
        assert slots.acquire("mail.test", "other", 2)
        slots.release("mail.test", "shared")
        assert slots.acquire("mail.test", "shared", 2)
        deployment.close()
