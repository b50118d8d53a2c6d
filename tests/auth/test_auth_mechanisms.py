"""Every mechanism on both servers: in one line, in steps, failing, cancelled."""

from __future__ import annotations

from base64 import b64encode

import pytest
from auth_talk import (
    ALL,
    ANN,
    BOB,
    PASSWORD,
    PROTOCOLS,
    REPLIES,
    Line,
    complaint,
    conversation,
    cram_md5,
    logins,
    make_world,
    oauthbearer,
    plain,
    reasons,
    xoauth2,
)


@pytest.fixture(params=PROTOCOLS)
def line(request: pytest.FixtureRequest) -> Line:
    return Line(make_world(), request.param)


@pytest.mark.parametrize("mechanism", ALL)
def test_a_cancel_at_each_step_leaves_the_line_usable(line: Line, mechanism: str) -> None:
    lines = conversation(line.protocol, mechanism, good=False)
    for steps in range(1, len(lines)):
        for said in lines[:steps]:
            assert isinstance(line.raw(said), bytes)
            assert not line.session.closed
        assert line.raw(b"*") == "cancelled"
    tokens = ["unknown token"] if mechanism in ("XOAUTH2", "OAUTHBEARER") else []
    assert reasons(line.world) == tokens  # the token was refused before the cancel
    assert line.auth("PLAIN", plain()) == "ok"


@pytest.mark.parametrize("mechanism", ALL)
@pytest.mark.parametrize("junk", [b"!", b"AAA", b"AA=A", b"=", b"AA AA", b" ", b"\xff", b"QUIT!"])
def test_no_base64_at_each_step(line: Line, mechanism: str, junk: bytes) -> None:
    lines = conversation(line.protocol, mechanism, good=False)
    for steps in range(1, len(lines)):
        for said in lines[:steps]:
            assert isinstance(line.raw(said), bytes)
        assert line.raw(junk) == "base64"
    assert line.auth("PLAIN", plain()) == "ok"


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"])
def test_no_base64_with_the_command(line: Line, mechanism: str) -> None:
    for junk in (b"!", b"AAA", b"=A"):
        assert line.raw(b"AUTH " + mechanism.encode() + b" " + junk) == "base64"
    assert line.auth("PLAIN", plain()) == "ok"


def test_a_line_over_the_limit_ends_the_exchange(line: Line) -> None:
    for mechanism in ALL:
        assert isinstance(line.auth(mechanism), bytes)
        assert line.raw(b"A" * 12_288) == "too long"
    assert line.auth("PLAIN", plain()) == "ok"


def test_a_token_as_long_as_real_ones_fits(line: Line) -> None:
    line.world.tokens.token_length = 2_000
    token = line.world.tokens.issue(ANN).access
    assert len(token) == 2_000
    assert line.auth("XOAUTH2", xoauth2(token)) == "ok"


# -- PLAIN and LOGIN


@pytest.mark.parametrize(
    ("response", "outcome"),
    [
        (plain(), "ok"),
        (plain("ann"), "ok"),
        (plain("info@sim.test"), "ok"),
        (plain(authzid=ANN), "ok"),
        (plain("ann", authzid="info@sim.test"), "ok"),  # the same account by another of its names
        (plain(authzid=BOB), "failed"),
        (plain(authzid="nobody"), "failed"),
        (plain(BOB, "other", authzid=ANN), "failed"),
        (plain(password="guess"), "failed"),
        (plain("nobody"), "failed"),
        (plain(password=""), "failed"),
        (plain(password=PASSWORD + " "), "failed"),
        (b"", "malformed PLAIN response"),
        (b"\0", "malformed PLAIN response"),
        (b"\0\0x", "malformed PLAIN response"),
        (b"\0ann\0x\0", "malformed PLAIN response"),
        (b"\0ann\0\xff", "malformed PLAIN response"),
        (b"\xff\0ann\0x", "malformed PLAIN response"),
    ],
)
def test_plain(line: Line, response: bytes, outcome: str) -> None:
    for steps in (1, 2):
        if steps == 1:
            said = line.auth("PLAIN", response)
        else:
            assert line.auth("PLAIN") == b""
            said = line.answer(response)
        assert said == outcome or (isinstance(said, bytes) and outcome.encode() in said)
        if outcome == "ok":
            line = Line(make_world(), line.protocol)


def test_login_prompts(line: Line) -> None:
    assert line.auth("LOGIN") == b"Username:"
    assert line.answer(b"ann") == b"Password:"
    assert line.answer(b"guess") == "failed"
    assert line.auth("LOGIN", b"nobody") == b"Password:"  # who is there is not told
    assert line.answer(PASSWORD.encode()) == "failed"
    assert line.auth("LOGIN", b"") == b"Password:"
    assert line.answer(PASSWORD.encode()) == "failed"
    assert line.auth("LOGIN", b"ann") == b"Password:"
    assert line.answer(b"") == "failed"
    assert line.auth("LOGIN") == b"Username:"
    assert b"malformed LOGIN response" in line.word(line.say(b64encode(b"\xff") + b"\r\n" + b64encode(b"x") + b"\r\n"))  # type: ignore[operator]


# -- CRAM-MD5


def challenge_of(line: Line) -> bytes:
    challenge = line.auth("CRAM-MD5")
    assert isinstance(challenge, bytes)
    return challenge


def test_cram_md5_is_checked(line: Line) -> None:
    first = challenge_of(line)
    assert first.startswith(b"<")
    assert first.endswith(b"@mail.sim.test>")
    assert line.answer(cram_md5(first, password="guess")) == "failed"
    second = challenge_of(line)
    assert second != first
    assert line.answer(cram_md5(first)) == "failed"  # an old answer is worth nothing
    third = challenge_of(line)
    assert line.answer(cram_md5(third, login="nobody", password="")) == "failed"
    fourth = challenge_of(line)
    assert line.answer(cram_md5(fourth, login="ann")) == "ok"


def test_the_example_of_rfc_2195(monkeypatch: pytest.MonkeyPatch, line: Line) -> None:
    line.world.add_account("tim@sim.test", "tanstaaftanstaaf")
    challenge = b"<1896.697170952@postoffice.reston.mci.net>"
    monkeypatch.setattr("postroom_simulator.sasl.timestamp", lambda world: challenge)
    assert challenge_of(line) == challenge
    assert line.answer(b"tim b913a602c7eda7a495b4e6e7334d3890") == "ok"


@pytest.mark.parametrize("response", [b"", b"ann", b"ann 0123", b" " + b"0" * 32, b"ann " + b"A" * 32, b"\xff " + b"0" * 32])
def test_cram_md5_malformed(line: Line, response: bytes) -> None:
    challenge_of(line)
    assert b"malformed CRAM-MD5 response" in bytes(line.answer(response))  # type: ignore[arg-type]


def test_cram_md5_for_the_disabled(line: Line) -> None:
    line.world.directory.account(ANN).disabled = True
    assert line.answer(cram_md5(challenge_of(line))) == "failed"


def test_cram_md5_takes_no_initial_response(line: Line) -> None:
    for initial in (b"", b"ann 0123"):
        assert b"takes no initial response" in bytes(line.auth("CRAM-MD5", initial))  # type: ignore[arg-type]


# -- tokens


def test_two_steps(line: Line) -> None:
    assert line.auth("XOAUTH2") == b""
    assert line.answer(xoauth2(line.world.tokens.issue(ANN).access, "ann")) == "ok"


def test_oauthbearer_in_two_steps_and_by_no_name(line: Line) -> None:
    assert line.auth("OAUTHBEARER") == b""
    assert line.answer(oauthbearer(line.world.tokens.issue(ANN).access, "")) == "ok"
    assert line.session.account == ANN


@pytest.mark.parametrize(
    ("spoil", "status", "bearer_status", "refusal", "why"),
    [
        ("unknown", "400", "invalid_token", "failed", "unknown token"),
        ("empty", "400", "invalid_token", "failed", "unknown token"),
        ("scheme", "400", "invalid_token", "failed", "unknown token"),
        ("expired", "401", "invalid_token", "failed", "expired token"),
        ("revoked", "401", "invalid_token", "failed", "revoked token"),
        ("user", "400", "invalid_token", "failed", "token of somebody else"),
        ("nobody", "400", "invalid_token", "failed", "token of somebody else"),
        ("audience", "401", "invalid_token", "misplaced", "token for another audience"),
        ("scope", "401", "insufficient_scope", "misplaced", "token without the scope"),
        ("disabled", "401", "invalid_token", "misplaced", "account disabled"),
    ],
)
@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_a_refused_token_is_explained_first(
    line: Line, mechanism: str, spoil: str, status: str, bearer_status: str, refusal: str, why: str
) -> None:
    tokens, login = line.world.tokens, ANN
    token = tokens.issue(
        ANN, scope="Calendars.Read" if spoil == "scope" else None, audience="https://x" if spoil == "audience" else None
    )
    access = token.access
    match spoil:
        case "unknown":
            access = access[:-1]
        case "empty":
            access = ""
        case "expired":
            line.world.clock.sleep(3600)
        case "revoked":
            tokens.revoke(access)
        case "user":
            login = BOB
        case "nobody":
            login = "nobody"
        case "disabled":
            line.world.directory.account(ANN).disabled = True
    response = (xoauth2 if mechanism == "XOAUTH2" else oauthbearer)(access, login)
    if spoil == "scheme":
        response = response.replace(b"Bearer", b"Basic")
    told = complaint(line.auth(mechanism, response))
    scope = "https://mail.sim.test/" + {"pop3": "POP.AccessAsUser.All", "smtp": "SMTP.Send"}[line.protocol]
    if mechanism == "XOAUTH2":
        assert told == {"status": status, "schemes": "Bearer", "scope": scope}
    else:
        assert told == {"status": bearer_status, "scope": scope}
    assert reasons(line.world) == [why]  # whatever the client does now: many hang up
    said = line.answer(b"" if mechanism == "XOAUTH2" else b"\1")
    assert isinstance(said, str)
    assert REPLIES[line.protocol][said] == REPLIES[line.protocol][refusal]
    assert reasons(line.world) == [why]
    assert line.session.account is None
    assert line.auth("PLAIN", plain(BOB, "other")) == "ok"


def test_any_answer_to_the_explanation_leads_to_the_refusal(line: Line) -> None:
    for answer in (b"", b"\1", b"well", xoauth2("again")):
        complaint(line.auth("XOAUTH2", xoauth2("made up")))
        assert line.answer(answer) == "failed"
    complaint(line.auth("XOAUTH2", xoauth2("made up")))
    assert line.raw(b"*") == "cancelled"


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"user=ann",
        b"user=ann\1auth=Bearer x\1",
        b"user=ann\1auth=Bearer x\1\1\1",
        b"auth=Bearer x\1user=ann\1\1",
        b"user=\xff\1auth=Bearer x\1\1",
    ],
)
def test_xoauth2_malformed(line: Line, response: bytes) -> None:
    assert b"malformed XOAUTH2 response" in bytes(line.auth("XOAUTH2", response))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"\1",
        b"n,,\1auth=Bearer x\1",
        b"n,\1auth=Bearer x\1\1",
        b"x,,\1auth=Bearer x\1\1",
        b"n,b=ann,\1auth=Bearer x\1\1",
        b"n,a=,\1auth=Bearer x\1\1",
        b"n,a=an=n,\1auth=Bearer x\1\1",
        b"n,,\1auth=Bearer x\1auth=Bearer y\1\1",
        b"n,,\1auth=Bearer \xc3\xa9\1\1",
        b"n,,\1auth\1\1",
        b"n,,auth=Bearer x\1\1",
    ],
)
def test_oauthbearer_malformed(line: Line, response: bytes) -> None:
    assert b"malformed OAUTHBEARER response" in bytes(line.auth("OAUTHBEARER", response))  # type: ignore[arg-type]


def test_oauthbearer_headers(line: Line) -> None:
    assert b"no channel binding" in bytes(line.auth("OAUTHBEARER", b"p=tls-unique,,\1auth=Bearer x\1\1"))  # type: ignore[arg-type]
    assert (
        complaint(line.auth("OAUTHBEARER", b"n,,\1\1"))["status"] == "invalid_token"
    )  # how a client asks for the scope: RFC 7628 §4.3
    assert line.answer(b"\1") == "failed"
    line.world.directory.change_addresses(ANN, logins=["ann,=odd"])
    token = line.world.tokens.issue(ANN).access.encode()
    assert line.auth("OAUTHBEARER", b"y,a=ann=2C=3Dodd,\1port=1\1auth=bearer " + token + b"\1\1") == "ok"


# -- all of them


def test_failures_are_counted_and_end_the_connection(line: Line) -> None:
    line.world.pop3.settings.login_failures = line.world.smtp.settings.max_auth_failures = 4
    assert line.auth("PLAIN", plain(password="guess")) == "failed"
    assert line.auth("LOGIN", b"ann") == b"Password:"
    assert line.answer(b"guess") == "failed"
    complaint(line.auth("XOAUTH2", xoauth2("made up")))
    assert line.answer(b"") == "failed"
    complaint(line.auth("OAUTHBEARER", oauthbearer("made up")))
    assert not line.session.closed
    line.answer(b"\1")
    assert line.session.closed
    assert [(entry.account, entry.data["way"]) for entry in logins(line.world)] == [
        (ANN, "PLAIN"),
        (ANN, "LOGIN"),
        (ANN, "XOAUTH2"),
        (ANN, "OAUTHBEARER"),
    ]
    assert line.world.tokens.failures == {"unknown token": 2}


def test_anyone_is_accepted_by_every_mechanism(line: Line) -> None:
    world = line.world
    world.accept_anyone = True
    for mechanism, name in zip(ALL, "vwxyz", strict=True):
        other = Line(world, line.protocol)
        login, said = f"{name}@new.test", other.auth(mechanism)
        match mechanism:
            case "PLAIN":
                said = other.answer(plain(login, "any"))
            case "LOGIN":
                said = other.answer(login.encode()) and other.answer(b"any")
            case "CRAM-MD5":
                assert isinstance(said, bytes)
                said = other.answer(cram_md5(said, login, "any"))
            case "XOAUTH2":
                said = other.answer(xoauth2("any", login))
            case _:
                said = other.answer(oauthbearer("any", login))
        assert said == "ok"
        assert other.session.account == login
    world.accept_anyone = False
    assert world.authenticate("z@new.test", "any") is None  # nobody knows the password of who came by a token
    assert world.authenticate("z@new.test", "") is None


@pytest.mark.parametrize("mechanism", ALL)
@pytest.mark.parametrize("good", [True, False])
def test_no_secret_is_journalled(line: Line, mechanism: str, good: bool) -> None:
    grant = line.world.tokens.issue(ANN)
    lines = conversation(line.protocol, mechanism, good=good)
    for said in lines:
        line.raw(said)
    line.raw(b"AUTH " + lines[-1])  # the mechanism forgotten
    line.raw(lines[-1])  # an answer that nobody waits for
    told = line.world.journal.transcript() + repr(line.world.journal.fields()) + repr(line.world.tokens) + repr(grant)
    secrets = [PASSWORD, "sesame", "guess", "made up", grant.access, str(grant.refresh)]
    secrets += [answer.decode() for answer in lines[1:] if len(answer) > 4]
    for secret in secrets:
        assert secret not in told
