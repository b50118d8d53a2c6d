"""One table says what an error means (server-side-sync reference 3.4, section 10)."""

from __future__ import annotations

import inspect

import pytest

from postroom import errors
from postroom.rules.error_classes import TABLE, AlertLevel, Nature, Scope, classify
from postroom.rules.operation import Operation


@pytest.mark.parametrize(
    ("error", "nature", "scope", "level"),
    [
        (errors.ConfigError("x"), Nature.PERMANENT, Scope.PROFILE, AlertLevel.ERROR),
        (errors.AuthError("x"), Nature.PERMANENT, Scope.MAILBOX, AlertLevel.ERROR),
        (errors.PermissionDenied("x"), Nature.PERMANENT, Scope.MAILBOX, AlertLevel.ERROR),
        (errors.TlsError("x"), Nature.PERMANENT, Scope.MAILBOX, AlertLevel.ERROR),
        (errors.ConnectionFailed("x"), Nature.TRANSIENT, Scope.MAILBOX, AlertLevel.WARNING),
        (errors.ServerTimeout("x"), Nature.TRANSIENT, Scope.MAILBOX, AlertLevel.WARNING),
        (errors.ProtocolError("x"), Nature.TRANSIENT, Scope.MAILBOX, AlertLevel.WARNING),
        (errors.TransientError("x"), Nature.TRANSIENT, Scope.MAILBOX, AlertLevel.WARNING),
        (errors.MessageError("x"), Nature.TRANSIENT, Scope.EMAIL, AlertLevel.WARNING),
        (errors.MessageError("x", permanent=True), Nature.PERMANENT, Scope.EMAIL, AlertLevel.ERROR),
        (errors.StateError("x"), Nature.PERMANENT, Scope.MAILBOX, AlertLevel.ERROR),
        (errors.Cancelled("x"), Nature.NONE, Scope.MAILBOX, AlertLevel.NONE),
        (errors.StaleRun("x"), Nature.STALE, Scope.MAILBOX, AlertLevel.NONE),
        (ZeroDivisionError("x"), Nature.TRANSIENT, Scope.MAILBOX, AlertLevel.WARNING),
    ],
)
def test_judgement(error: Exception, nature: Nature, scope: Scope, level: AlertLevel) -> None:
    judged = classify(error)
    assert (judged.nature, judged.scope, judged.level) == (nature, scope, level)


def test_every_error_of_the_tree_has_a_judgement_of_its_branch() -> None:
    tree = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.PostroomError)]
    for kind in tree:
        error = kind(["x"]) if kind is errors.SettingsError else kind("x")
        assert classify(error).tracecode != classify(ZeroDivisionError()).tracecode, kind


def test_only_mailbox_and_profile_errors_count_against_the_mailbox() -> None:
    assert classify(errors.ServerTimeout("x")).counts
    assert not classify(errors.MessageError("x")).counts
    assert not classify(errors.AuthError("x")).counts
    assert not classify(errors.Cancelled("x")).counts


def test_the_operation_gives_number_and_name() -> None:
    error = errors.AuthError("x")
    assert classify(error, Operation.OUTGOING).name == "OutgoingEmailAuthenticationError"
    assert [classify(error, operation).tracecode // 1000 for operation in Operation] == [1, 2, 3, 4, 4]


def test_a_code_decides_among_rows_of_one_class() -> None:
    assert classify(errors.ConnectionFailed("x", code="dns")).name == "Socket returned exception HostNotFound"
    assert classify(errors.ConnectionFailed("x", code="other")).name == "Socket returned exception ConnectionReset"
    assert classify(errors.ServerTimeout("x")).timeout


def test_numbers_are_unique() -> None:
    assert len({row.number for row in TABLE}) == len(TABLE)


def test_a_queue_of_a_team_without_roles() -> None:
    """The same string, another platform number (reference 10)."""
    one, other = (classify(errors.OrganizationError("x", code)) for code in ("-2147209462", ""))
    assert one.name == other.name == "UnknownIncomingEmailIntegrationError"
    assert one.tracecode != other.tracecode


def test_a_reply_of_smtp_is_no_status_of_http() -> None:
    assert classify(errors.TransientError("x", code="503")).name == "ServerBusy"
    assert classify(errors.TransientError("x", code="ServiceUnavailable")).name.startswith("Http server")
