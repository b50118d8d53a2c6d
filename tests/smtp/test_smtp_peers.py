"""A client that others wrote: smtplib, in memory and over sockets with TLS."""

import smtplib

import pytest
from smtp_talk import ANN, LETTER, PASSWORD, make_world, stored

SENDER, OUTSIDE = "bob@far.test", "eve@far.test"
BIG = LETTER + b"".join(b"%d .\r\n.\r\n" % number for number in range(20_000))


@pytest.fixture
def world():
    with make_world() as world:
        yield world


class MemorySmtp(smtplib.SMTP):
    def __init__(self, world):
        self._world = world
        super().__init__(local_hostname="client.test")
        self.connect("mail.sim.test")

    def _get_socket(self, host, port, timeout):
        return self._world.connect("smtp")


def converse(client):
    client.login(ANN, PASSWORD)
    assert client.sendmail(SENDER, [ANN, OUTSIDE], BIG) == {}
    assert client.sendmail(SENDER, [ANN], LETTER) == {}
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        client.sendmail(SENDER, ["no address"], LETTER)
    assert next(iter(refused.value.recipients.values()))[0] == 501
    assert client.verify("ann")[0] == 252
    assert client.help().startswith(b"2.0.0 Supported commands")


def check(world):
    world.settle()
    assert stored(world) == [BIG, LETTER]
    assert world.store.outbound_octets(world.store.outbound()[0].uid).endswith(BIG)


def test_in_memory(world):
    with MemorySmtp(world) as client:
        converse(client)
    check(world)


def test_with_starttls_over_a_socket(world):
    with world.listen(ports={"submission": 0}) as servers:
        with smtplib.SMTP("localhost", servers.port("submission"), local_hostname="client.test", timeout=20) as client:
            client.starttls(context=world.authority.client_context())
            assert not client.has_extn("starttls")
            converse(client)
        check(world)
    assert b" with ESMTPSA id " in world.inbox(ANN)[0][:200]


def test_with_tls_from_the_start(world):
    with world.listen(ports={"smtps": 0}) as servers:
        context = world.authority.client_context()
        with smtplib.SMTP_SSL("localhost", servers.port("smtps"), "client.test", timeout=20, context=context) as client:
            client.ehlo()
            assert client.esmtp_features["auth"] == " PLAIN LOGIN"
            converse(client)
        check(world)
