"""exchangelib against each version of the server: it finds out which it is, and asks for nothing that the version does not have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from exchangelib import DELEGATE, Account, Configuration, Credentials, Message, Version

from postroom_simulator import World
from postroom_simulator.ews.mount import mounted
from postroom_simulator.ews.versions import SERVERS


@pytest.fixture(params=list(SERVERS))
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with World(hostname=f"v{request.param.lower().replace('_', '-')}.sim.test") as world:
        world.ews.server_name = request.param
        world.add_account("ann@sim.test", "pw", name="Ann")
        world.deliver("x@out.test", ["ann@sim.test"], b"From: x@out.test\r\nSubject: hello\r\n\r\nbody\r\n")
        yield world


def test_the_inbox_is_read_and_an_item_changed(world: World) -> None:
    with mounted(world) as url:
        configuration = Configuration(service_endpoint=url, credentials=Credentials("ann@sim.test", "pw"))
        ann = Account("ann@sim.test", config=configuration, autodiscover=False, access_type=DELEGATE)
        version = ann.protocol.version
        assert isinstance(version, Version)
        assert (version.build.major_version, version.build.minor_version) == world.ews.server.numbers[:2]
        (item,) = ann.inbox.all()
        assert (item.subject, item.body.strip()) == ("hello", "body")
        item.is_read = True
        item.save(update_fields=["is_read"])
        assert [one.is_read for one in ann.inbox.all().only("is_read")] == [True]
        draft = Message(account=ann, folder=ann.drafts, subject="a draft", body="text", to_recipients=["x@out.test"])
        draft.save()
        assert [one.subject for one in ann.drafts.all()] == ["a draft"]
