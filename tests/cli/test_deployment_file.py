"""postroom.toml: read with all of its problems, changed line by line."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.cli.deployment_file import DeploymentFile, DeploymentFileError, setting_name, with_line, without_line
from postroom.errors import SettingsError

TEXT = """\
# ours
key_file = "my.key"   # elsewhere

[organizations.Alder]
database = "sqlite:///alder.sqlite3"

[settings]
# a comment that stays
AllowNonSSLEmail = true
lease_seconds = 60
"""


def written(folder: Path, text: str = TEXT) -> DeploymentFile:
    path = folder / "postroom.toml"
    path.write_text(text)
    path.chmod(0o600)
    return DeploymentFile.read(path)


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    file = written(tmp_path)
    assert file.key_file == tmp_path / "my.key"
    assert file.organizations == {"Alder": f"sqlite:///{tmp_path}/alder.sqlite3"}


def test_settings_are_known_by_both_names(tmp_path: Path) -> None:
    file = written(tmp_path)
    assert file.settings.allow_non_ssl_email
    assert file.settings.lease_seconds == 60
    assert setting_name("MailboxBackoffOnTimeout") == setting_name("mailbox_backoff_on_timeout") == "mailbox_backoff_on_timeout"
    assert setting_name("nonsense") is None


def test_every_problem_is_said_at_once(tmp_path: Path) -> None:
    text = 'keyfile = "x"\n[organizations.Alder]\nurl = "x"\n[settings]\nlease_secs = 1\ntest_retry = 0\n'
    with pytest.raises(DeploymentFileError) as refused:
        written(tmp_path, text)
    told = "\n".join(refused.value.problems)
    for part in (
        "'keyfile'; did you mean 'key_file'?",
        "[organizations.Alder] needs database",
        "'lease_secs'; did you mean",
        "test_retry",
    ):
        assert part in told


def test_a_changed_setting_leaves_the_rest_alone(tmp_path: Path) -> None:
    file = written(tmp_path).with_settings({"allow_non_ssl_email": None, "lease_seconds": 90, "item_attempts": 7})
    text = file.path.read_text()
    assert (file.settings.allow_non_ssl_email, file.settings.lease_seconds, file.settings.item_attempts) == (False, 90, 7)
    assert "# a comment that stays" in text
    assert 'key_file = "my.key"   # elsewhere' in text
    assert "AllowNonSSLEmail" not in text
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_a_wrong_setting_changes_nothing(tmp_path: Path) -> None:
    file = written(tmp_path)
    with pytest.raises(SettingsError):
        file.with_settings({"lease_seconds": -1})
    assert file.path.read_text() == TEXT


def test_organizations_come_and_go(tmp_path: Path) -> None:
    name = 'Ålder & "Sons".test'
    file = written(tmp_path).with_organization(name, "sqlite:////var/x.sqlite3")
    assert file.organizations[name] == "sqlite:////var/x.sqlite3"
    assert list(file.without_organization(name).organizations) == ["Alder"]
    assert file.path.read_text().rstrip() == TEXT.rstrip()


def test_what_cannot_be_changed_by_lines_is_refused_and_left(tmp_path: Path) -> None:
    text = "settings.lease_seconds = 60\n"
    file = written(tmp_path, text)
    with pytest.raises(DeploymentFileError, match="TOML"):
        file.with_settings({"item_attempts": 7})
    assert file.path.read_text() == text


def test_a_list_is_written_and_read(tmp_path: Path) -> None:
    domains = frozenset({"a.test", "b.test"})
    file = written(tmp_path).with_settings({"exchange_online_domains": domains})
    assert file.settings.exchange_online_domains == domains


@pytest.mark.parametrize("text", ["a = ", "[settings]\nlease_seconds = 'x'", "settings = 1", "organizations = 1", "\xff"])
def test_nonsense_is_an_error_of_ours(tmp_path: Path, text: str) -> None:
    path = tmp_path / "postroom.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DeploymentFileError):
        DeploymentFile.read(path)


@given(name=st.text(min_size=1, max_size=30), value=st.integers(0, 9))
def test_a_line_is_found_again_whatever_the_table_is_called(name: str, value: int) -> None:
    import json

    if not name.isprintable():
        return
    table = f"organizations.{json.dumps(name, ensure_ascii=False)}"
    text = with_line(with_line(TEXT, table, "n", "0"), table, "n", str(value))
    assert tomllib.loads(text)["organizations"][name]["n"] == value
    assert "n" not in tomllib.loads(without_line(text, table, "n"))["organizations"][name]


def test_the_routers_database_lies_beside_the_file_unless_it_says_otherwise(tmp_path: Path) -> None:
    assert written(tmp_path).router_database == f"sqlite:///{tmp_path}/router.sqlite3"
    assert written(tmp_path, f'router_database = "sqlite:///state/r.db"\n{TEXT}').router_database == (
        f"sqlite:///{tmp_path}/state/r.db"
    )
    address = "postgresql+psycopg://host/router"
    file = written(tmp_path, f'router_database = "{address}"  # elsewhere\n{TEXT}')
    assert file.router_database == address
    assert file.with_settings({"lease_seconds": 90}).router_database == address
    assert "# elsewhere" in file.path.read_text()


@pytest.mark.parametrize("value", ["5", '"router.sqlite3"', "[]"])
def test_a_routers_database_that_is_no_address_is_said(tmp_path: Path, value: str) -> None:
    with pytest.raises(DeploymentFileError, match="router_database is an address"):
        written(tmp_path, f"router_database = {value}\n{TEXT}")
