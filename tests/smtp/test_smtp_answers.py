"""VRFY and EXPN with real answers, Postmaster, domains in two spellings, and reports that a client asks for."""

import smtplib
from email import message_from_bytes

import pytest
from smtp_talk import ANN, LETTER, Talk, make_world, queued, stored

from postroom_simulator.actors import Bounce
from postroom_simulator.smtp.enquiries import MAX_LINES, expand

TEXT = b"DATA\r\n" + LETTER + b".\r\n"


@pytest.fixture
def world():
    world = make_world(verify="real")
    world.directory.account(ANN).name = "Ann Smith"
    world.add_account("bob@sim.test", name="Bob")
    world.add_account("bob@other.test", name="Bob the Other")
    world.add_account("dan@sim.test", disabled=True)
    world.add_account("jörg@bücher.test", name="Jörg")
    world.add_group("all@sim.test", [ANN, "bob@sim.test", "eve@far.test"], name="Everybody")
    world.add_group("none@sim.test")
    world.add_group("wide@sim.test", ["jörg@bücher.test"])
    return world


VERIFIED = {
    "ann": "250 2.1.5 Ann Smith <ann@sim.test>",
    "ANN@sim.test": "250 2.1.5 Ann Smith <ann@sim.test>",
    "<ann+tag@sim.test>": "250 2.1.5 Ann Smith <ann@sim.test>",
    "Anybody <ann@sim.test>": "250 2.1.5 Ann Smith <ann@sim.test>",
    "ann smith": "250 2.1.5 Ann Smith <ann@sim.test>",
    "all@sim.test": "250 2.1.5 Everybody <all@sim.test>",
    "Everybody": "250 2.1.5 Everybody <all@sim.test>",
    "bob": "553-5.1.4 ambiguous, possibly:\r\n553-5.1.4 Bob <bob@sim.test>\r\n553 5.1.4 Bob the Other <bob@other.test>",
    "nobody": "550 5.1.1 nobody has this name or address here",
    "nobody@sim.test": "550 5.1.1 nobody has this name or address here",
    "eve@far.test": "252 2.5.0 cannot VRFY user, but will accept message and attempt delivery",
    "dan": "550 5.2.1 mailbox disabled",
    "a@b c": "501 5.1.3 ",
    "jörg@bücher.test": "553 5.6.8 the name needs SMTPUTF8",
    "jörg@xn--bcher-kva.test SMTPUTF8": "250 2.1.5 Jörg <jörg@bücher.test>",
}


@pytest.mark.parametrize("asked", VERIFIED)
def test_who_somebody_is(world, asked):
    said = Talk.greeted(world).say(f"VRFY {asked}\r\n".encode()).decode()
    assert said.startswith(VERIFIED[asked])
    assert said.endswith("\r\n")


EXPANDED = {
    "all@sim.test": "250-2.1.5 Ann Smith <ann@sim.test>\r\n250-2.1.5 Bob <bob@sim.test>\r\n250 2.1.5 <eve@far.test>\r\n",
    "all": "250-2.1.5 Ann Smith",
    "ann": "550 5.1.1 that is a user, not a list\r\n",
    "none@sim.test": "550 5.2.4 the list is empty\r\n",
    "x@far.test": "550 5.1.1 nobody has this name or address here\r\n",
    "wide@sim.test": "553 5.6.8 the name needs SMTPUTF8\r\n",
    "wide@sim.test smtputf8": "250 2.1.5 Jörg <jörg@bücher.test>\r\n",
}


@pytest.mark.parametrize("asked", EXPANDED)
def test_who_is_on_a_list(world, asked):
    assert Talk.greeted(world).say(f"EXPN {asked}\r\n".encode()).decode().startswith(EXPANDED[asked])


def test_a_long_list_is_cut_off(world):
    world.add_group("many@sim.test", [f"x{number}@far.test" for number in range(MAX_LINES + 5)])
    assert expand(world.directory, "many@sim.test").count("\n") == MAX_LINES - 1


def test_nobody_elsewhere_where_nothing_is_relayed():
    world = make_world(verify="real", relay="nobody")
    assert Talk.greeted(world).say(b"VRFY eve@far.test\r\n") == b"550 5.7.1 relaying denied\r\n"


def test_a_domain_in_its_two_spellings_is_one(world):
    talk = Talk.greeted(world)
    said = talk.say(
        "MAIL FROM:<> SMTPUTF8\r\nRCPT TO:<jörg@BÜCHER.test>\r\nRCPT TO:<jörg@xn--bcher-kva.TEST>\r\n".encode() + TEXT
    )
    assert said.endswith(queued(1))
    assert stored(world, "jörg@bücher.test") == [LETTER]
    assert world.store.outbound() == []


def test_settings_that_cannot_be():
    with pytest.raises(ValueError, match="'vague' or 'real'"):
        make_world(verify="maybe")


def test_a_client_of_others_asks_for_reports():
    """smtplib, over a socket: what it asks of MAIL and RCPT comes back as a report, read by the standard library."""
    with make_world() as world, world.listen(ports={"smtp": 0}) as servers:
        world.add_account("bob@sim.test")
        world.add_account("cid@sim.test").actors.append(Bounce(30, "5.1.1"))
        with smtplib.SMTP("127.0.0.1", servers.port("smtp"), "client.test", timeout=20) as client:
            client.ehlo()
            assert client.has_extn("dsn")
            assert client.has_extn("chunking")
            names, options = [ANN, "cid@sim.test"], ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;old+2Bname@sim.test"]
            assert client.sendmail("bob@sim.test", names, LETTER, ["RET=HDRS", "ENVID=job+2B7"], options) == {}
        world.settle()
        world.clock.advance(30)
        reports = [message_from_bytes(octets) for octets in world.inbox("bob@sim.test")]
    blocks = [report.get_payload()[1].get_payload() for report in reports]
    assert [(about["Original-Envelope-Id"], one["Final-Recipient"], one["Action"]) for about, one in blocks] == [
        ("job+7", f"rfc822; {ANN}", "delivered"),
        ("job+7", "rfc822; cid@sim.test", "failed"),
    ]
    assert {one["Original-Recipient"] for _, one in blocks} == {"rfc822;old+name@sim.test"}
    assert all(report.get_payload()[2].get_content_type() == "text/rfc822-headers" for report in reports)
    assert [report["To"] for report in reports] == ["bob@sim.test"] * 2
