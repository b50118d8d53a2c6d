"""curl over POP3 and SMTP, in the clear, upgraded and over implicit TLS."""

from __future__ import annotations

import pytest
from foreign import ANN, BOB, MESSAGES, PASSWORD, ended, fault, fill, held, logins, require_login, run

from postroom_simulator.faults import Cut, Drop, LoseReply, Reply

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


def submit(curl, served, octets, way="plain", *options, authority=None):
    text = served.home / "message"
    text.write_bytes(octets)
    scheme, service = ("smtps", "smtps") if way == "implicit" else ("smtp", "submission")
    url = f"{scheme}://127.0.0.1:{served.port(service)}/client.test"
    return curl(url, "--mail-from", BOB, "--mail-rcpt", ANN, "--upload-file", text, *options, way=way, authority=authority)


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


@pytest.mark.parametrize("way", ["upgraded", "implicit"])
def test_it_trusts_nobody_unknown(curl, served, way):
    other = type(served.world.authority)("elsewhere.test").write(served.home / "other.pem")
    assert curl(pop3_url(served, "", way), way=way, authority=other).code == BAD_CERTIFICATE
    assert submit(curl, served, MESSAGES["dots"], way, authority=other).code == BAD_CERTIFICATE
    assert logins(served.world) == []


WAYS_IN = {
    "USER": [],
    "APOP": ["--login-options", "AUTH=+APOP"],
    **{
        mechanism: ["--login-options", f"AUTH={mechanism}"]
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER")
    },
}


def credentials(mechanism, secret):
    """A later `--user` goes before an earlier one."""
    if mechanism in ("XOAUTH2", "OAUTHBEARER"):
        return ["--user", f"{ANN}:", "--oauth2-bearer", secret, *WAYS_IN[mechanism]]
    return ["--user", f"{ANN}:{secret}", *WAYS_IN[mechanism]]


@pytest.mark.parametrize("one_line", [False, True], ids=["two steps", "one line"])
@pytest.mark.parametrize("way", ["plain", "upgraded", "implicit"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER"])
def test_it_logs_in_to_submit(curl, served, mechanism, way, one_line):
    secret = require_login(served.world, mechanism)
    initial = ["--sasl-ir"] if one_line else []
    failed = submit(curl, served, MESSAGES["dots"], way, *credentials(mechanism, "guess"), *initial)
    assert failed.code == DENIED, failed.err
    done = submit(curl, served, MESSAGES["dots"], way, *credentials(mechanism, secret), *initial)
    assert (done.code, done.err) == (0, "")
    assert logins(served.world) == [(mechanism, False), (mechanism, True)]
    assert held(served.world) == [MESSAGES["dots"]]


@pytest.mark.parametrize("one_line", [False, True], ids=["two steps", "one line"])
@pytest.mark.parametrize("way", ["plain", "upgraded", "implicit"])
@pytest.mark.parametrize("mechanism", WAYS_IN)
def test_it_logs_in_to_fetch(curl, served, mechanism, way, one_line):
    secret = require_login(served.world, mechanism)
    if mechanism in ("USER", "APOP"):
        served.world.pop3.settings.mechanisms = ()
    served.world.place(ANN, MESSAGES["dots"])
    initial = ["--sasl-ir"] if one_line else []
    url = pop3_url(served, 1, way)
    assert curl(url, *credentials(mechanism, "guess"), *initial, way=way).code == DENIED
    done = curl(url, *credentials(mechanism, secret), *initial, way=way)
    assert (done.code, done.err, done.out) == (0, "", MESSAGES["dots"])
    assert logins(served.world) == [(mechanism, False), (mechanism, True)]


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


def test_a_lost_farewell_is_no_failure(curl, served):
    """The message was there; QUIT is only sent."""
    served.world.place(ANN, MESSAGES["dots"])
    fault(served.world, "pop3", "QUIT", Drop("rst"))
    done = curl(pop3_url(served, 1))
    assert (done.code, done.out) == (0, MESSAGES["dots"])


@pytest.mark.parametrize("way", ["plain", "upgraded", "implicit"])
@pytest.mark.parametrize(
    ("at", "effect", "codes"),
    [
        ("RCPT", Reply("451", "4.3.0 later"), {SEND_FAILED}),
        ("RCPT", Reply("550", "5.1.1 unknown"), {SEND_FAILED}),
        ("end-of-data", Reply("452", "4.2.2 full"), {STRANGE_REPLY}),
        ("text", Cut(3000, "rst"), {SEND_FAILED, RECEIVE_FAILED}),
        ("text", Cut(3000, "fin"), {SEND_FAILED, RECEIVE_FAILED, STRANGE_REPLY}),
    ],
    ids=["transient", "permanent", "full", "reset", "ended"],
)
def test_a_failure_is_told_and_nothing_arrives(curl, served, way, at, effect, codes):
    fault(served.world, "smtp", at, effect)
    failed = submit(curl, served, MESSAGES["long"], way)
    assert failed.code in codes, failed.err
    if isinstance(effect, Reply) and at == "RCPT":
        assert effect.code in failed.err
    assert held(served.world) == []
    assert submit(curl, served, MESSAGES["long"], way).code == 0
    assert held(served.world) == [MESSAGES["long"]]


def test_a_lost_last_reply_fails_though_the_message_is_there(curl, served):
    fault(served.world, "smtp", "end-of-data", LoseReply())
    assert submit(curl, served, MESSAGES["dots"]).code == RECEIVE_FAILED
    assert held(served.world) == [MESSAGES["dots"]]
