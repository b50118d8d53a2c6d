"""What RFC 5321 asks of a server, beyond transcripts; and RFC 6409 of a submission server, 3207 and 4954 of a server's states."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

import pytest
from smtp_talk import ANN, ENVELOPE, HELLO, LETTER, Talk, make_world, plain, stored

from postroom_simulator.faults import Reply
from postroom_simulator.journal import Kind


def said(talk: Talk, *lines: str) -> list[str]:
    """The first nine characters of each answer's last line."""
    return [talk.say(line.encode() + b"\r\n").decode().split("\r\n")[-2][:9] for line in lines]


class TestBeforeAndBetween:
    def test_a_server_that_gives_no_service_waits_for_quit(self) -> None:
        """§3.1: after 554, 503 to everything until QUIT."""
        world = make_world()
        talk = Talk(world)
        talk.fault("greeting", Reply("554", "5.3.2 no service"))
        talk = Talk(world)
        assert talk.greeting.startswith(b"554 ")
        assert [code[:3] for code in said(talk, "EHLO me", "MAIL FROM:<>", "NOOP", "QUIT")] == ["503", "503", "503", "221"]

    def test_some_commands_need_no_hello(self) -> None:
        """§4.1.4."""
        talk = Talk(make_world())
        assert said(talk, "NOOP", "HELP", "VRFY ann", "EXPN team", "RSET") == [
            "250 2.0.0",
            "214 2.0.0",
            "252 2.5.0",
            "252 2.5.0",
            "250 2.0.0",
        ]
        assert said(talk, "MAIL FROM:<>") == ["503 5.5.1"]

    def test_they_change_no_transaction(self) -> None:
        """§4.1.4: NOOP, HELP, EXPN and VRFY inside one."""
        talk = Talk.greeted(make_world())
        said(talk, "MAIL FROM:<bob@far.test>", "NOOP", "HELP", "VRFY ann", "EXPN team", f"RCPT TO:<{ANN}>", "NOOP", "HELP DATA")
        assert talk.say(b"DATA\r\n").startswith(b"354")

    @pytest.mark.parametrize("name", ["nowhere.invalid", "localhost", "[127.0.0.1]", "[IPv6:::1]", "x", "under_score.test"])
    def test_nobody_is_refused_for_the_name_he_says(self, name: str) -> None:
        """§4.1.4: no message is refused because that name does not check out."""
        talk = Talk(make_world())
        assert talk.say(f"EHLO {name}\r\n".encode()) == HELLO
        assert talk.send(LETTER + b".\r\n").startswith(b"250 ")


class TestSyntax:
    def test_verbs_and_keywords_in_any_case(self) -> None:
        """§2.4."""
        talk = Talk(make_world())
        lines = (
            "eHlO me",
            "mAiL fRoM:<bob@far.test> sIzE=10 bOdY=8bitmime",
            f"rCpT tO:<{ANN.upper()}>",
            "rSeT",
            "nOoP",
            "qUiT",
        )
        assert [code[:3] for code in said(talk, *lines)] == ["250", "250", "250", "250", "250", "221"]

    def test_blanks_behind_a_command_are_taken(self) -> None:
        """§4.1.1."""
        talk = Talk(make_world())
        lines = ("EHLO me  ", "MAIL FROM:<bob@far.test> ", f"RCPT TO:<{ANN}>   ", "RSET ", "NOOP  ", "QUIT ")
        assert [code[:3] for code in said(talk, *lines)] == ["250", "250", "250", "250", "250", "221"]

    def test_noop_may_say_anything(self) -> None:
        """§4.1.1.9: a string behind it is ignored."""
        assert said(Talk(make_world()), "NOOP and so on") == ["250 2.0.0"]

    def test_what_takes_no_argument_refuses_one(self) -> None:
        """§4.1.1.4, §4.1.1.5, §4.1.1.10; RFC 3207 §4."""
        talk = Talk.greeted(make_world())
        said(talk, "MAIL FROM:<>", f"RCPT TO:<{ANN}>")
        assert said(talk, "DATA now", "RSET now", "QUIT now", "STARTTLS now") == ["501 5.5.4"] * 4
        assert talk.say(b"DATA\r\n").startswith(b"354"), "and nothing was changed by it"

    def test_unknown_is_500_and_known_but_not_here_502(self) -> None:
        """§4.2.4."""
        assert said(Talk.greeted(make_world()), "FROB", "TURN", "SEND FROM:<>") == ["500 5.5.2", "502 5.5.1", "502 5.5.1"]

    def test_the_least_there_has_to_be(self) -> None:
        """§4.5.1."""
        from postroom_simulator.smtp.server import SmtpServer

        assert {"EHLO", "HELO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "VRFY"} <= set(SmtpServer.commands)
        talk = Talk.greeted(make_world())
        answers = said(talk, "HELO me", "MAIL FROM:<>", f"RCPT TO:<{ANN}>", "RSET", "NOOP", "VRFY ann", "QUIT")
        assert not [code for code in answers if code.startswith(("500", "502"))]

    def test_names_as_long_as_they_may_be(self) -> None:
        """§4.5.3.1.1 to §4.5.3.1.3: a local part of 64 octets, a domain of 255."""
        domain = ".".join(["d" * 62] * 4) + ".te"
        assert len(domain) == 254
        talk = Talk.greeted(make_world())
        assert said(talk, f"MAIL FROM:<{'l' * 64}@x{domain}>", f"RCPT TO:<{'l' * 64}@x{domain}>") == ["250 2.1.0", "250 2.1.5"]

    def test_replies_are_short(self) -> None:
        """§4.5.3.1.5: 512 octets with CR LF."""
        talk = Talk.greeted(make_world())
        for line in (b"VRFY " + b"x" * 3000, b"MAIL FROM:<" + b"x" * 3000, b"x" * 3000, b"EHLO " + b"y" * 3000):
            assert all(len(part) <= 510 for part in talk.say(line + b"\r\n").split(b"\r\n"))

    def test_help_with_and_without_a_command(self) -> None:
        """§4.1.1.8."""
        talk = Talk(make_world())
        assert b"MAIL" in talk.say(b"HELP\r\n")
        assert b"MAIL FROM:" in talk.say(b"HELP mail\r\n")


class TestVrfyAndExpn:
    def test_expn_is_announced_where_it_expands(self) -> None:
        """§3.5.2."""
        assert b"EXPN" not in Talk(make_world()).say(b"EHLO me\r\n")
        assert b"250-EXPN\r\n" in Talk(make_world(verify="real")).say(b"EHLO me\r\n")
        world = make_world(verify="real", hidden={"EXPN"})
        talk = Talk(world)
        assert b"EXPN" not in talk.say(b"EHLO me\r\n")
        assert said(talk, "EXPN team") == ["502 5.5.1"]
        assert b"EXPN" not in talk.say(b"HELP\r\n")

    def test_nothing_is_verified_that_was_not_looked_up(self) -> None:
        """§3.5.3: no 250 for good syntax only."""
        assert said(Talk(make_world()), f"VRFY {ANN}", "VRFY nobody@sim.test") == ["252 2.5.0"] * 2
        assert said(Talk(make_world(verify="real")), f"VRFY {ANN}", "VRFY nobody@sim.test", "VRFY x@far.test") == [
            "250 2.1.5",
            "550 5.1.1",
            "252 2.5.0",
        ]


class TestTheMessage:
    @pytest.mark.parametrize(
        "octets",
        [
            b"",
            b"no header at all\r\n",
            b"Resent-To: a@b.test\r\n\r\n",
            b"From: \r\nFrom: two\r\nDate: never\r\n\r\n",
            b"Content-Type: multipart/mixed\r\n\r\nno boundary\r\n",
        ],
    )
    def test_defects_of_a_header_are_no_reason_to_refuse(self, octets: bytes) -> None:
        """§3.3: the header is the sender's business; Resent- fields too."""
        world = make_world()
        assert Talk.greeted(world).send(octets + b".\r\n").startswith(b"250 ")
        assert stored(world) == [octets]

    def test_without_a_recipient_there_is_no_text(self) -> None:
        """§3.3: 503 or 554."""
        talk = Talk.greeted(make_world(relay="nobody"))
        assert said(talk, "MAIL FROM:<>", "RCPT TO:<x@far.test>", "DATA") == ["250 2.1.0", "550 5.7.1", "503 5.5.1"]

    def test_trace_lines_that_are_there_stay(self) -> None:
        """§4.4: earlier Received lines are neither changed nor moved."""
        world = make_world()
        text = b"Received: from x by y; Mon, 1 Jan 2024 10:00:00 +0000\r\nReceived: odd\r\n" + LETTER
        assert Talk.greeted(world).send(text + b".\r\n").startswith(b"250 ")
        (octets,) = world.inbox(ANN)
        assert octets.endswith(text)
        assert octets.startswith(b"Received: from client.test ([127.0.0.1])\r\n\tby mail.sim.test with ESMTP id ")

    def test_the_sender_s_address_is_put_in_front_where_that_is_wanted(self) -> None:
        """§4.4: at final delivery, and not for mail that goes on."""
        world = make_world(return_path=True)
        world.add_group("all@sim.test", [ANN, "x@far.test"])
        for sender in ("bob@far.test", ""):
            envelope = f"MAIL FROM:<{sender}>\r\nRCPT TO:<all@sim.test>\r\n".encode()
            assert Talk.greeted(world).send(LETTER + b".\r\n", envelope).startswith(b"250 ")
        first, second = world.inbox(ANN)
        assert first.startswith(b"Return-Path: <bob@far.test>\r\nReceived: from ")
        assert second.startswith(b"Return-Path: <>\r\nReceived: from ")
        assert all(world.store.outbound_octets(each.uid).startswith(b"Received: ") for each in world.store.outbound())
        entry = world.journal.entries(kind=Kind.DELIVERY, account=ANN)[0]
        assert entry.data["digest"] == entry.data["wire_digest"] == sha256(first).hexdigest()

    def test_its_digest_on_the_wire_counts_it_too(self) -> None:
        world = make_world(return_path=True)
        world.deliver("bob@far.test", [ANN], b"a\nb")
        world.place(ANN, b"a\nb")
        delivered, placed = (entry.data["wire_digest"] for entry in world.journal.deliveries())
        assert delivered == sha256(b"Return-Path: <bob@far.test>\r\na\r\nb\r\n").hexdigest()
        assert placed == sha256(b"a\r\nb\r\n").hexdigest()

    def test_an_alias_keeps_the_sender(self) -> None:
        """§3.9.1."""
        world = make_world()
        world.add_group("team@sim.test", [ANN, "x@far.test"])
        envelope = b"MAIL FROM:<bob@far.test>\r\nRCPT TO:<team@sim.test>\r\n"
        assert Talk.greeted(world).send(LETTER + b".\r\n", envelope).startswith(b"250 ")
        assert {entry.data["sender"] for entry in world.journal.deliveries()} == {"bob@far.test"}
        assert [each.sender for each in world.store.outbound()] == ["bob@far.test"]

    def test_a_source_route_is_ignored(self) -> None:
        """§3.6.1, appendix C."""
        world = make_world()
        envelope = b"MAIL FROM:<@a.test,@b.test:bob@far.test>\r\nRCPT TO:<@c.test:ann@sim.test>\r\n"
        assert Talk.greeted(world).send(LETTER + b".\r\n", envelope).startswith(b"250 ")
        (entry,) = world.journal.deliveries()
        assert (entry.data["sender"], entry.data["recipient"]) == ("bob@far.test", ANN)

    def test_rset_keeps_the_connection_and_the_hello(self) -> None:
        """§4.1.1.5."""
        world = make_world()
        talk = Talk.greeted(world)
        assert said(talk, "MAIL FROM:<>", f"RCPT TO:<{ANN}>", "RSET", "RCPT TO:<x@y.test>", "MAIL FROM:<>") == [
            "250 2.1.0",
            "250 2.1.5",
            "250 2.0.0",
            "503 5.5.1",
            "250 2.1.0",
        ]


class TestDeclarations:
    def test_a_parameter_is_given_once(self) -> None:
        """RFC 3461 §4: each at most once; and it is no fault of the address."""
        talk = Talk.greeted(make_world())
        assert said(talk, "MAIL FROM:<> RET=FULL RET=HDRS", "MAIL FROM:<> ENVID=a ENVID=b", "MAIL FROM:<>") == [
            "501 5.5.4",
            "501 5.5.4",
            "250 2.1.0",
        ]
        assert (
            said(talk, f"RCPT TO:<{ANN}> NOTIFY=DELAY NOTIFY=DELAY", f"RCPT TO:<{ANN}> NOTIFY=NEVER,DELAY") == ["501 5.5.4"] * 2
        )

    def test_binary_with_data_is_refused_until_rset(self) -> None:
        """RFC 3030 §3: 503, and what the transaction is then only RSET mends."""
        talk = Talk.greeted(make_world())
        assert said(
            talk, "MAIL FROM:<> BODY=BINARYMIME", f"RCPT TO:<{ANN}>", "DATA", "BDAT 0 LAST", "RSET", "MAIL FROM:<>"
        ) == [
            "250 2.1.0",
            "250 2.1.5",
            "503 5.5.1",
            "503 5.5.1",
            "250 2.0.0",
            "250 2.1.0",
        ]

    def test_binary_needs_chunks(self) -> None:
        """RFC 3030 §3: announced with CHUNKING only."""
        talk = Talk(make_world(hidden={"CHUNKING"}))
        assert b"BINARYMIME" not in talk.say(b"EHLO me\r\n")
        assert said(talk, "MAIL FROM:<> BODY=BINARYMIME") == ["501 5.5.4"]


class TestAuth:
    def test_a_line_that_is_too_long_is_500(self) -> None:
        """RFC 4954 §4."""
        talk = Talk.greeted(make_world())
        assert said(talk, "AUTH PLAIN " + "A" * 13_000) == ["500 5.5.6"]
        said(talk, "AUTH PLAIN")
        assert said(talk, "A" * 13_000)[0][:3] == "500"
        assert said(talk, "NOOP") == ["250 2.0.0"]

    def test_unknown_mechanisms_are_504(self) -> None:
        """RFC 4954 §4."""
        assert said(Talk.greeted(make_world()), "AUTH FROB", "AUTH CRAM-MD5") == ["504 5.5.4"] * 2

    def test_an_initial_response_where_the_server_begins_is_refused(self) -> None:
        """RFC 4954 §4."""
        talk = Talk.greeted(make_world(mechanisms=("CRAM-MD5",)))
        assert said(talk, "AUTH CRAM-MD5 " + b64encode(b"x").decode(), "NOOP") == ["501 5.5.2", "250 2.0.0"]

    def test_no_password_in_the_clear_can_be_configured(self) -> None:
        """RFC 4954 §4, §9: PLAIN over TLS is there, and without TLS neither announced nor taken."""
        world = make_world(auth_without_tls=False)
        talk = Talk(world)
        assert b"AUTH" not in talk.say(b"EHLO me\r\n")
        assert said(talk, "AUTH PLAIN " + plain().decode())[0][:3] == "538"
        secure = Talk.greeted(world, secure=True)
        assert said(secure, "AUTH PLAIN " + plain().decode())[0][:3] == "235"

    def test_what_needs_no_login(self) -> None:
        """RFC 4954 §6: 530 for all but these."""
        talk = Talk(make_world(require_auth=True))
        assert [
            code[:3] for code in said(talk, "EHLO me", "NOOP", "RSET", "HELP", "MAIL FROM:<>", "AUTH PLAIN", "*", "QUIT")
        ] == [
            "250",
            "250",
            "250",
            "214",
            "530",
            "334",
            "501",
            "221",
        ]

    def test_the_auth_parameter_is_checked_for_its_form(self) -> None:
        """RFC 4954 §5."""
        talk = Talk.greeted(make_world())
        assert said(
            talk, "MAIL FROM:<> AUTH=<>", "RSET", "MAIL FROM:<> AUTH=e+3Dmc2@example.test", "RSET", "MAIL FROM:<> AUTH=a+4"
        ) == [
            "250 2.1.0",
            "250 2.0.0",
            "250 2.1.0",
            "250 2.0.0",
            "501 5.5.4",
        ]


class TestTls:
    def test_after_the_handshake_a_hello_is_due(self) -> None:
        """RFC 3207 §4.2."""
        world = make_world()
        talk = Talk.greeted(world)
        assert said(talk, "STARTTLS") == ["220 2.0.0"]
        talk.context.secure = True
        talk.session.tls_established()
        assert said(talk, "MAIL FROM:<>", "EHLO me", "MAIL FROM:<>") == ["503 5.5.1", "250 HELP", "250 2.1.0"]

    def test_where_tls_is_due_everything_else_waits(self) -> None:
        """RFC 3207 §4: 530 for all but these."""
        talk = Talk(make_world(require_tls=True))
        assert [code[:3] for code in said(talk, "EHLO me", "NOOP", "MAIL FROM:<>", "AUTH PLAIN", "VRFY ann", "STARTTLS")] == [
            "250",
            "250",
            "530",
            "530",
            "530",
            "220",
        ]


class TestSubmission:
    """RFC 6409."""

    def test_bad_addresses_are_501(self) -> None:
        assert (
            said(Talk.greeted(make_world()), "MAIL FROM:<a@b@c.test>", "MAIL FROM:<@>", "MAIL FROM:<a b@c.test>")
            == ["501 5.1.7"] * 3
        )

    def test_no_mail_without_a_login_can_be_asked_for(self) -> None:
        world = make_world(require_auth=True)
        talk = Talk.greeted(world)
        assert said(talk, "MAIL FROM:<ann@sim.test>", "AUTH PLAIN " + plain().decode(), "MAIL FROM:<ann@sim.test>") == [
            "530 5.7.0",
            "235 2.7.0",
            "250 2.1.0",
        ]

    def test_the_extensions_of_a_submission_server(self) -> None:
        offered = {line[4:].split(b" ")[0].decode() for line in HELLO.split(b"\r\n")[1:] if line}
        assert {"PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "AUTH", "STARTTLS"} <= offered
        assert "ETRN" not in offered
        assert said(Talk.greeted(make_world()), "ETRN x") == ["502 5.5.1"]

    def test_refusals_are_in_the_journal(self) -> None:
        talk = Talk.greeted(make_world(relay="nobody"))
        said(talk, "MAIL FROM:<>", "RCPT TO:<x@far.test>")
        (reply,) = talk.world.journal.replies("RCPT")
        assert reply.detail.startswith("550 5.7.1")

    def test_postmaster_is_taken(self) -> None:
        talk = Talk.greeted(make_world(relay="nobody"))
        assert said(talk, "MAIL FROM:<>", "RCPT TO:<Postmaster>", "RCPT TO:<postmaster@sim.test>") == [
            "250 2.1.0",
            "250 2.1.5",
            "250 2.1.5",
        ]


def test_the_envelope_is_what_counts() -> None:
    """§2.3.1: nothing is read out of the header."""
    world = make_world()
    text = b"To: x@elsewhere.test\r\nBcc: y@elsewhere.test\r\nSubject: x\r\n\r\n"
    assert Talk.greeted(world).send(text + b".\r\n", ENVELOPE).startswith(b"250 ")
    assert stored(world) == [text]
    assert list(world.store.outbound()) == []
