"""Every effect of the fault table, at every step that the engine takes, ends in the class that it should (server-side-sync reference 3.4, 10).

`ROWS` is read from the top: protocol, step and effect as patterns, and what may come of it. An effect or step that somebody adds to the simulator has
no row until its class is decided here, and fails.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator

import pytest
from fault_stage import FaultStage, cells, in_words

from postroom_simulator.faults import Effect, TlsTrouble

WELL = "well"
FAILED, WAITS = "email failed", "email pending"
RESET = "transient mailbox: Socket returned exception ConnectionReset"
REFUSED = "transient mailbox: Socket returned exception ConnectionRefused"
TIMED_OUT = "transient mailbox: Socket returned exception TimedOut"
BUSY = "transient mailbox: ServerBusy"
NONSENSE = "transient mailbox: UnexpectedServerResponse"
LOGIN_IN = "permanent mailbox: IncomingEmailAuthenticationError"
LOGIN_OUT = "permanent mailbox: OutgoingEmailAuthenticationError"
FORBIDDEN = "permanent mailbox: Forbidden"
TLS = "permanent mailbox: SecureConnectionError"

ROWS: tuple[tuple[str, str, str, set[str]], ...] = (
    # what the connection suffers
    ("*", "QUIT", "*", {WELL}),  # everything is done by then
    ("*", "*", "Delay", {WELL}),
    ("*", "*", "Drip", {WELL}),
    ("*", "*", "Stall", {TIMED_OUT}),
    ("*", "*", "Refuse", {REFUSED}),
    ("*", "*", "AcceptThenReset", {RESET}),
    ("*", "*", "Cut *", {RESET}),
    ("*", "*", "Drop *", {RESET}),
    ("*", "*", "LoseReply", {RESET}),
    # changed octets may still make sense; if not they are nonsense, a refusal or a server that hangs up
    ("pop3", "*", "Garble", {WELL, NONSENSE, RESET, BUSY, LOGIN_IN, FAILED, TLS, TIMED_OUT}),
    ("smtp", "*", "Garble", {WELL, NONSENSE, RESET, BUSY, LOGIN_OUT, FAILED, WAITS, TLS, TIMED_OUT}),
    # TLS
    ("*", "*", "TlsTrouble cut-*", {RESET}),
    ("*", "connect", "TlsTrouble refused", {BUSY}),  # 454, [SYS/TEMP]: for now
    ("*", "*", "TlsTrouble *", {TLS}),
    ("pop3", "STLS", "Reply [[]SYS/TEMP]", {BUSY}),
    ("pop3", "STLS", "Reply [[]IN-USE]", {BUSY}),
    ("pop3", "STLS", "Reply [[]LOGIN-DELAY]", {BUSY}),
    ("pop3", "STLS", "*", {TLS}),
    ("smtp", "STARTTLS", "Reply 421", {RESET}),
    ("smtp", "STARTTLS", "Reply 53[0458]", {LOGIN_OUT}),
    ("smtp", "STARTTLS", "Reply 5*", {TLS}),
    ("smtp", "STARTTLS", "*", {BUSY}),
    # POP3: the response code decides; without one the step does
    ("pop3", "DELE", "*", {WELL}),  # what could not be removed is removed another time
    ("pop3", "*", "Reply [[]AUTH]", {LOGIN_IN}),
    ("pop3", "*", "Reply [[]SYS/PERM]", {FORBIDDEN}),
    ("pop3", "*", "Reply [[]*]", {BUSY}),
    ("pop3", "greeting", "*", {BUSY}),
    ("pop3", "USER", "*", {LOGIN_IN}),
    ("pop3", "PASS", "*", {LOGIN_IN}),
    ("pop3", "UIDL", "*", {WELL}),  # a server without stable names is read all the same
    ("pop3", "RETR", "*", {FAILED}),  # this message only
    # SMTP: the code decides
    ("smtp", "*", "Reply 421", {RESET}),
    ("smtp", "end-of-data", "Reply 5*", {FAILED}),
    ("smtp", "end-of-data", "*", {WAITS}),
    ("smtp", "*", "Reply 53[0458]", {LOGIN_OUT}),
    ("smtp", "greeting", "*", {BUSY}),
    ("smtp", "EHLO", "Reply 5*", {LOGIN_OUT}),  # HELO is tried, which offers no way to log in
    ("smtp", "AUTH", "Reply 5*", {LOGIN_OUT}),
    ("smtp", "EHLO", "*", {BUSY}),
    ("smtp", "AUTH", "*", {BUSY}),
    ("smtp", "MAIL", "Reply 5*", {FAILED}),
    ("smtp", "RCPT", "Reply 5*", {FAILED}),
    ("smtp", "DATA", "Reply 5*", {FAILED}),
    ("smtp", "MAIL", "*", {WAITS}),
    ("smtp", "RCPT", "*", {WAITS}),
    ("smtp", "DATA", "*", {WAITS}),
)

NOT_TAKEN = {
    "pop3": {"auth", "APOP", "AUTH", "CAPA", "STAT", "LIST", "TOP", "NOOP", "RSET", "UTF8", "LANG"},
    "smtp": {"auth", "HELO", "BDAT", "RSET", "NOOP", "VRFY", "EXPN", "HELP"},
}
"""Steps that a run of one message does not take; that is checked, too."""
UPGRADE = ("STLS", "STARTTLS")


def expected(protocol: str, at: str, effect: Effect) -> set[str]:
    name = in_words(effect)
    for row_protocol, row_at, row_effect, outcomes in ROWS:
        if all(fnmatch.fnmatchcase(value, row) for value, row in ((protocol, row_protocol), (at, row_at), (name, row_effect))):
            return outcomes
    pytest.fail(
        f"no row says what {name} at {protocol} {at} means: decide its class in rules/error_classes.py, and say it here"
    )


GROUPS = sorted({(protocol, at) for protocol, at, _ in cells() if at not in NOT_TAKEN[protocol]})


def effects(protocol: str, at: str) -> list[Effect]:
    return [effect for one, step, effect in cells() if (one, step) == (protocol, at)]


@pytest.fixture(scope="module")
def stages() -> Iterator[dict[str, FaultStage]]:
    """Made when first asked for; TLS only where the step needs it, because handshakes take time."""

    class Stages(dict[str, FaultStage]):
        def __missing__(self, kind: str) -> FaultStage:
            self[kind] = made = FaultStage(tls=kind)
            return made

    made = Stages()
    yield made
    for stage in made.values():
        stage.scene.close(check=False)


@pytest.mark.parametrize(("protocol", "at"), GROUPS, ids=str)
def test_every_effect_ends_in_its_class(stages: dict[str, FaultStage], protocol: str, at: str) -> None:
    wrong = []
    for effect in effects(protocol, at):
        if isinstance(effect, TlsTrouble):
            kind = "upgrading" if at == "connect" else "implicit"
            if at == "tls" and effect.name == "injected":
                kind = "upgrading"
        else:
            kind = "implicit" if at == "tls" else "upgrading" if at in UPGRADE else "none"
        outcome, acted = stages[kind].outcome(protocol, at, effect)
        if outcome not in expected(protocol, at, effect) or not acted:
            wrong.append(f"{in_words(effect)} at {protocol} {at} ({kind}): {outcome}, acted {acted} times")
    assert wrong == []


@pytest.mark.parametrize("protocol", NOT_TAKEN)
def test_steps_that_are_not_taken(stages: dict[str, FaultStage], protocol: str) -> None:
    """A step that the engine begins to take needs rows of its own."""
    taken = [at for at in sorted(NOT_TAKEN[protocol]) if stages["none"].outcome(protocol, at, effects(protocol, at)[0])[1]]
    assert taken == []


def test_an_effect_without_a_row_would_fail() -> None:
    with pytest.raises(pytest.fail.Exception, match="no row"):
        expected("pop3", "NEW", TlsTrouble.__new__(type("Flood", (), {})))  # type: ignore[call-overload]
