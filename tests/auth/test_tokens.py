"""Tokens: issued, expired, revoked, refreshed, verified, on the world's clock; and what a token endpoint answers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom_simulator.errors import UnknownAccount, WorldError
from postroom_simulator.journal import Kind
from postroom_simulator.tokens import SCOPES, Grant, TokenError, TokenFailure
from postroom_simulator.world import World

ANN, BOB, PASSWORD = "ann@sim.test", "bob@sim.test", "open sesame"
HERE = "https://mail.sim.test"
POP, SEND = SCOPES["pop3"], SCOPES["smtp"]


@pytest.fixture
def world() -> World:
    world = World(seed=3)
    world.add_account(ANN, PASSWORD)
    world.add_account(BOB, "other")
    return world


def verify(world: World, grant: Grant, scope: str = POP, login: str | None = None) -> str:
    found = world.tokens.verify(grant.access, HERE, scope, login)
    return found.value if isinstance(found, TokenFailure) else found.address


# -- the life of a token


def test_a_token_is_good_for_its_time(world: World) -> None:
    grant = world.tokens.issue(ANN)
    assert (grant.expires_in, grant.audience, grant.scope) == (3600, HERE, frozenset(SCOPES.values()))
    assert verify(world, grant) == ANN
    world.clock.sleep(3599)
    assert verify(world, grant) == ANN
    world.clock.sleep(1)
    assert verify(world, grant) == TokenFailure.EXPIRED
    assert verify(world, world.tokens.issue(ANN, lifetime=0)) == TokenFailure.EXPIRED


def test_failures_have_names_and_are_counted(world: World) -> None:
    tokens = world.tokens
    assert tokens.verify("made up", HERE, POP) is TokenFailure.UNKNOWN
    assert tokens.verify("", HERE, POP) is TokenFailure.UNKNOWN
    assert tokens.verify("\ud800", HERE, POP) is TokenFailure.UNKNOWN
    assert verify(world, tokens.issue(ANN, audience="https://x.test")) == TokenFailure.WRONG_AUDIENCE
    assert verify(world, tokens.issue(ANN, scope=[SEND])) == TokenFailure.WRONG_SCOPE
    assert verify(world, tokens.issue(ANN, scope=f"{HERE}/{POP} offline_access")) == ANN
    assert verify(world, tokens.issue(ANN), login="ann") == ANN
    assert verify(world, tokens.issue(ANN), login=BOB) == TokenFailure.WRONG_USER
    grant = tokens.issue(ANN)
    world.directory.account(ANN).disabled = True
    assert verify(world, grant) == TokenFailure.ACCOUNT_DISABLED
    world.directory.account(ANN).disabled = False
    tokens.expire(grant.access)
    assert verify(world, grant) == TokenFailure.EXPIRED
    tokens.revoke(grant.access)
    assert verify(world, grant) == TokenFailure.REVOKED
    assert tokens.failures == {
        "unknown token": 3,
        "token for another audience": 1,
        "token without the scope": 1,
        "token of somebody else": 1,
        "account disabled": 1,
        "expired token": 1,
        "revoked token": 1,
    }


def test_a_refresh_token_is_no_access_token(world: World) -> None:
    grant = world.tokens.issue(ANN)
    assert grant.refresh is not None
    assert world.tokens.verify(grant.refresh, HERE, POP) is TokenFailure.UNKNOWN
    with pytest.raises(TokenError, match="invalid_grant"):
        world.tokens.refresh(grant.access)


def test_revoking_a_refresh_token_takes_what_it_brought(world: World) -> None:
    first, other = world.tokens.issue(ANN), world.tokens.issue(ANN)
    assert first.refresh is not None
    second = world.tokens.refresh(first.refresh)
    world.tokens.revoke(first.refresh)
    assert [verify(world, grant) for grant in (first, second, other)] == [TokenFailure.REVOKED, TokenFailure.REVOKED, ANN]
    with pytest.raises(TokenError, match="revoked"):
        world.tokens.refresh(first.refresh)
    world.tokens.revoke_all("ann@SIM.test")
    assert verify(world, other) == TokenFailure.REVOKED
    assert verify(world, world.tokens.issue(ANN)) == ANN


def test_tokens_follow_the_account(world: World) -> None:
    grant = world.tokens.issue(ANN)
    world.change_addresses(ANN, primary="ann@new.test")
    assert verify(world, grant) == "ann@new.test"
    world.remove_account("ann@new.test")
    assert verify(world, grant) == TokenFailure.UNKNOWN
    world.add_account("ann@new.test", "x")
    assert verify(world, grant) == TokenFailure.UNKNOWN  # somebody else
    assert grant.refresh is not None
    with pytest.raises(TokenError, match="invalid_grant"):
        world.tokens.refresh(grant.refresh)


def test_impossible_calls(world: World) -> None:
    with pytest.raises(UnknownAccount):
        world.tokens.issue("nobody@sim.test")
    for call in (world.tokens.expire, world.tokens.revoke):
        with pytest.raises(WorldError) as raised:
            call("s3cret")
        assert "s3cret" not in str(raised.value)


def test_equal_seeds_equal_tokens_and_never_the_same_twice(world: World) -> None:
    def some(seed: int) -> list[str]:
        world = World(seed=seed)
        world.add_account(ANN, PASSWORD)
        return [token for _ in range(20) for grant in [world.tokens.issue(ANN)] for token in (grant.access, str(grant.refresh))]

    assert some(1) == some(1)
    assert len(set(some(1) + some(2))) == 80
    assert all(len(token) == 64 for token in some(1))


def test_old_tokens_are_forgotten(world: World) -> None:
    world.tokens.kept = 3
    grants = [world.tokens.issue(ANN) for _ in range(4)]
    assert [verify(world, grant) for grant in grants] == [TokenFailure.UNKNOWN, ANN, ANN, ANN]


# -- refreshing


def test_refresh(world: World) -> None:
    first = world.tokens.issue(ANN, scope=[POP], refresh_lifetime=10_000)
    assert first.refresh is not None
    world.clock.sleep(3600)
    second = world.tokens.refresh(first.refresh)
    assert (second.refresh, second.scope, second.expires_in) == (first.refresh, {POP}, 3600)
    assert (verify(world, first), verify(world, second)) == (TokenFailure.EXPIRED, ANN)
    with pytest.raises(TokenError, match="invalid_scope"):
        world.tokens.refresh(first.refresh, scope=SEND)
    world.clock.sleep(6400)
    with pytest.raises(TokenError, match="expired"):
        world.tokens.refresh(first.refresh)


def test_refresh_with_rotation(world: World) -> None:
    world.tokens.rotate = True
    first = world.tokens.issue(ANN, refresh_lifetime=1000)
    assert first.refresh is not None
    world.clock.sleep(600)
    second = world.tokens.refresh(first.refresh)
    assert second.refresh not in (None, first.refresh)
    with pytest.raises(TokenError, match="invalid_grant"):
        world.tokens.refresh(first.refresh)
    assert second.refresh is not None
    assert verify(world, world.tokens.refresh(second.refresh)) == ANN
    world.clock.sleep(400)
    with pytest.raises(TokenError, match="invalid_grant"):
        world.tokens.refresh(second.refresh)


def test_too_many_refreshes_are_throttled(world: World) -> None:
    world.tokens.refresh_limit, world.tokens.refresh_window = 2, 30.0
    ann, bob = world.tokens.issue(ANN).refresh, world.tokens.issue(BOB).refresh
    assert ann is not None
    assert bob is not None
    world.tokens.refresh(ann)
    world.clock.sleep(10)
    world.tokens.refresh(ann)
    for wait in (20, 20):  # to be refused does not make it longer
        with pytest.raises(TokenError) as raised:
            world.tokens.refresh(ann)
        assert (raised.value.error, raised.value.status, raised.value.retry_after) == ("temporarily_unavailable", 429, wait)
    world.tokens.refresh(bob)
    world.clock.sleep(19.5)
    with pytest.raises(TokenError) as raised:
        world.tokens.refresh(ann)
    assert raised.value.retry_after == 1
    world.clock.sleep(1)
    assert world.tokens.refresh(ann)
    world.tokens.refresh_limit = 0
    with pytest.raises(TokenError):
        world.tokens.refresh(ann)


# -- clients that act for themselves


def test_client_credentials(world: World) -> None:
    tokens = world.tokens
    tokens.register_client("sync", "s3cret", scope=[POP, SEND], accounts=[ANN])
    grant = tokens.client_credentials("sync", "s3cret", f"{HERE}/.default")
    assert grant.refresh is None
    assert grant.scope == {POP, SEND}
    assert verify(world, grant, login=ANN) == ANN
    assert verify(world, grant, SEND, "ann") == ANN
    assert verify(world, grant, login=BOB) == TokenFailure.WRONG_USER
    assert verify(world, grant) == TokenFailure.WRONG_USER  # it has to say for whom
    assert verify(world, grant, SCOPES["ews"], ANN) == TokenFailure.WRONG_SCOPE
    assert tokens.owner(grant.access) is None
    for client, secret, error in (("sync", "no", "invalid_client"), ("nobody", "s3cret", "invalid_client")):
        with pytest.raises(TokenError, match=error):
            tokens.client_credentials(client, secret)
    with pytest.raises(TokenError, match="invalid_scope"):
        tokens.client_credentials("sync", "s3cret", SCOPES["ews"])
    tokens.register_client("all", "x")
    assert verify(world, tokens.client_credentials("all", "x"), login=BOB) == BOB
    tokens.register_client("public", None)
    with pytest.raises(TokenError, match="unauthorized_client"):
        tokens.client_credentials("public", "")
    with pytest.raises(WorldError):
        tokens.register_client("odd", "")


# -- the token endpoint


def ask(world: World, **form: str) -> tuple[int, dict[str, object]]:
    return world.tokens.handle_token_request(form)


def test_the_password_grant_and_the_refresh(world: World) -> None:
    status, told = ask(world, grant_type="password", username="ann", password=PASSWORD, scope=f"{HERE}/{POP} offline_access")
    assert status == 200
    assert {name: told[name] for name in ("token_type", "expires_in", "scope")} == {
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": POP,
    }
    assert world.tokens.verify(str(told["access_token"]), HERE, POP) is world.directory.account(ANN)
    status, again = ask(world, grant_type="refresh_token", refresh_token=str(told["refresh_token"]))
    assert (status, again["scope"], again["refresh_token"]) == (200, POP, told["refresh_token"])
    assert again["access_token"] != told["access_token"]


def test_client_credentials_by_form(world: World) -> None:
    world.tokens.register_client("sync", "s3cret")
    status, told = ask(
        world, grant_type="client_credentials", client_id="sync", client_secret="s3cret", scope=f"{HERE}/.default"
    )
    assert status == 200
    assert "refresh_token" not in told
    assert world.tokens.verify(str(told["access_token"]), HERE, POP, BOB) is world.directory.account(BOB)


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({}, 400, "invalid_request"),
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"grant_type": "authorization_code"}, 400, "unsupported_grant_type"),
        ({"grant_type": "password", "username": "ann"}, 400, "invalid_request"),
        ({"grant_type": "password", "username": "ann", "password": ""}, 400, "invalid_request"),
        ({"grant_type": "password", "username": "ann", "password": "guess"}, 400, "invalid_grant"),
        ({"grant_type": "password", "username": "nobody", "password": PASSWORD}, 400, "invalid_grant"),
        ({"grant_type": "password", "username": "ann", "password": PASSWORD, "scope": "Everything"}, 400, "invalid_scope"),
        ({"grant_type": "password", "username": "ann", "password": PASSWORD, "client_id": "sync"}, 401, "invalid_client"),
        (
            {"grant_type": "password", "username": "ann", "password": PASSWORD, "client_id": "x", "client_secret": "y"},
            401,
            "invalid_client",
        ),
        ({"grant_type": "password", "username": "a" * 20_000, "password": PASSWORD}, 400, "invalid_request"),
        ({"grant_type": "refresh_token"}, 400, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "made up"}, 400, "invalid_grant"),
        ({"grant_type": "client_credentials", "client_id": "sync"}, 401, "invalid_client"),
        ({"grant_type": "client_credentials", "client_id": "sync", "client_secret": "no"}, 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, 400, "invalid_request"),
    ],
)
def test_refused_requests(world: World, form: dict[str, str], status: int, error: str) -> None:
    world.tokens.register_client("sync", "s3cret")
    said, told = world.tokens.handle_token_request(form)
    assert (said, told["error"]) == (status, error)
    assert set(told) == {"error", "error_description"}
    json.dumps(told)
    (note,) = world.journal.entries(kind=Kind.NOTE, detail="token request")
    assert (note.data["status"], note.data["error"]) == (status, error)


def test_a_refresh_token_belongs_to_its_client(world: World) -> None:
    _, told = ask(world, grant_type="password", username="ann", password=PASSWORD, client_id="one")
    refresh = str(told["refresh_token"])
    assert ask(world, grant_type="refresh_token", refresh_token=refresh, client_id="two")[1]["error"] == "invalid_grant"
    assert ask(world, grant_type="refresh_token", refresh_token=refresh, client_id="one")[0] == 200


def test_the_endpoint_throttles(world: World) -> None:
    world.tokens.refresh_limit = 1
    refresh = str(world.tokens.issue(ANN).refresh)
    assert ask(world, grant_type="refresh_token", refresh_token=refresh)[0] == 200
    status, told = ask(world, grant_type="refresh_token", refresh_token=refresh)
    assert (status, told["error"], told["retry_after"]) == (429, "temporarily_unavailable", 60)


def test_anyone_gets_a_token_where_anyone_is_accepted(world: World) -> None:
    world.accept_anyone = True
    _, told = ask(world, grant_type="password", username="new@sim.test", password="any")
    assert world.tokens.owner(str(told["access_token"])) is world.directory.account("new@sim.test")


def test_no_secret_shows(world: World) -> None:
    world.tokens.register_client("sync", "s3cret")
    grant = world.tokens.issue(ANN)
    assert grant.refresh is not None
    ask(world, grant_type="password", username="ann", password=PASSWORD)
    ask(world, grant_type="password", username="ann", password="guess")
    ask(world, grant_type="refresh_token", refresh_token=grant.refresh)
    ask(world, grant_type="client_credentials", client_id="sync", client_secret="s3cret")
    ask(world, grant_type=grant.access, client_id="sync", client_secret="hunter2")
    held = repr(vars(world.tokens)) + repr(world.tokens) + repr(grant) + str(grant)
    told = world.journal.transcript() + repr(world.journal.fields())
    for secret in (grant.access, grant.refresh, PASSWORD, "guess", "s3cret", "hunter2"):
        assert secret not in told
        assert secret not in held


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["grant_type", "username", "password", "refresh_token", "client_id", "client_secret", "scope", "odd"]),
        st.one_of(
            st.sampled_from(
                ["password", "refresh_token", "client_credentials", "ann", PASSWORD, "sync", "s3cret", ".default", POP]
            ),
            st.text(max_size=30),
        ),
    )
)
def test_any_form_gets_an_answer(form: dict[str, str]) -> None:
    world = World()
    world.add_account(ANN, PASSWORD)
    world.tokens.register_client("sync", "s3cret")
    status, told = world.tokens.handle_token_request(form)
    assert (status == 200) == ("access_token" in told)
    assert status in (200, 400, 401)
    json.dumps(told)
