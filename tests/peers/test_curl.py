"""curl over POP3 and SMTP, in the clear, upgraded and over implicit TLS."""

from __future__ import annotations

import pytest
from foreign import ANN, BOB, MESSAGES, PASSWORD, ended, fault, fill, held, run

from postroom_simulator.faults import Cut, LoseReply, Reply

SEND_FAILED, RECEIVE_FAILED, STRANGE_REPLY, BAD_CERTIFICATE, DENIED = 55, 56, 8, 60, 67
"""Exit codes: curl(1), "EXIT CODES"."""


@pytest.fixture
def curl(program, served):
    path = program("curl")

    def call(url, *options, way="plain", authority=None):
        """`url` with "{scheme}" and "{port}" left out: only what follows the port."""
        trust = [] if way == "plain" else ["--cacert", authority or served.authority]
        upgrade = ["--ssl-reqd"] if way == "upgraded" else []
        return run([path, "-sS", "--user", f"{ANN}:{PASSWORD}", *trust, *upgrade, *options, url], home=served.home)

    return call


def pop3_url(served, number, way="plain"):
    service = "pop3s" if way == "implicit" else "pop3"
    return f"{service}://127.0.0.1:{served.port(service)}/{number}"


def submit(curl, served, octets, way="plain"):
    text = served.home / "message"
    text.write_bytes(octets)
    scheme, service = ("smtps", "smtps") if way == "implicit" else ("smtp", "submission")
    url = f"{scheme}://127.0.0.1:{served.port(service)}/client.test"
    return curl(url, "--mail-from", BOB, "--mail-rcpt", ANN, "--upload-file", text, way=way)


@pytest.mark.parametrize("way", ["plain", "upgraded", "implicit"])
@pytest.mark.parametrize("name", MESSAGES)
def test_it_fetches_what_the_store_holds(curl, served, name, way):
    fill(served.world)
    done = curl(pop3_url(served, list(MESSAGES).index(name) + 1, way), way=way)
    assert (done.code, done.err) == (0, "")
    assert done.out == ended(MESSAGES[name])


@pytest.mark.parametrize("way", ["plain", "upgraded", "implicit"])
@pytest.mark.parametrize("name", MESSAGES)
def test_the_store_holds_what_it_submitted(curl, served, name, way):
    served.world.smtp.settings.trace = way != "plain"
    done = submit(curl, served, MESSAGES[name], way)
    assert (done.code, done.err) == (0, "")
    assert held(served.world) == [ended(MESSAGES[name])]


def test_it_trusts_nobody_unknown(curl, served):
    other = type(served.world.authority)("elsewhere.test").write(served.home / "other.pem")
    done = curl(pop3_url(served, "", "implicit"), way="implicit", authority=other)
    assert done.code == BAD_CERTIFICATE


def test_a_wrong_password_is_told(curl, served):
    done = curl(pop3_url(served, 1), "--user", f"{ANN}:guess")
    assert done.code == DENIED


def test_an_error_at_retr_fails(curl, served):
    served.world.place(ANN, MESSAGES["dots"])
    fault(served.world, "pop3", "RETR", Reply("-ERR", "[SYS/TEMP] later"))
    assert curl(pop3_url(served, 1)).code == STRANGE_REPLY
    assert curl(pop3_url(served, 1)).out == MESSAGES["dots"]


def test_a_reset_inside_a_message_fails(curl, served):
    served.world.place(ANN, MESSAGES["long"])
    fault(served.world, "pop3", "RETR", Cut(3000, "rst"))
    broken = curl(pop3_url(served, 1))
    assert broken.code == RECEIVE_FAILED
    assert len(broken.out) < len(MESSAGES["long"])
    assert MESSAGES["long"].startswith(broken.out)
    assert curl(pop3_url(served, 1)).out == MESSAGES["long"]


def test_an_orderly_end_inside_a_message_is_not_always_noticed(curl, served):
    """curl 7.88 calls that success; others may not. What it has is the beginning of the message, and the server has all of it."""
    served.world.place(ANN, MESSAGES["long"])
    fault(served.world, "pop3", "RETR", Cut(3000, "fin"))
    broken = curl(pop3_url(served, 1))
    assert len(broken.out) < len(MESSAGES["long"])
    assert MESSAGES["long"].startswith(broken.out)
    assert curl(pop3_url(served, 1)).out == MESSAGES["long"]


def test_a_refused_recipient_fails_and_nothing_arrives(curl, served):
    fault(served.world, "smtp", "RCPT", Reply("451", "4.3.0 later"))
    done = submit(curl, served, MESSAGES["dots"])
    assert done.code == SEND_FAILED
    assert "451" in done.err
    assert held(served.world) == []
    assert submit(curl, served, MESSAGES["dots"]).code == 0
    assert held(served.world) == [MESSAGES["dots"]]


def test_a_lost_last_reply_fails_though_the_message_is_there(curl, served):
    fault(served.world, "smtp", "end-of-data", LoseReply())
    assert submit(curl, served, MESSAGES["dots"]).code == RECEIVE_FAILED
    assert held(served.world) == [MESSAGES["dots"]]
