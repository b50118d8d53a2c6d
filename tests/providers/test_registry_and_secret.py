"""Finding providers by name, and keeping secrets."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import pytest

from postroom.errors import ConfigError
from postroom.providers.base import PollingProvider
from postroom.providers.builtin.pop3 import Pop3Config, Pop3Provider
from postroom.providers.builtin.smtp import SmtpConfig, SmtpProvider
from postroom.providers.contract import CheckReport, Direction, ProviderSpec, RunOutcome
from postroom.providers.registry import ALIASES, GROUP, BrokenProvider, Registry, verify
from postroom.providers.secret import Secret


@dataclass(frozen=True)
class Nothing: ...


class Good(PollingProvider[Nothing, Nothing]):
    spec: ClassVar[ProviderSpec[Nothing, Nothing]] = ProviderSpec("good", Direction.INBOUND, Nothing, Nothing)

    def on_check(self, ctx: Any) -> CheckReport:
        return CheckReport()

    def on_run(self, ctx: Any) -> RunOutcome:
        return RunOutcome()


def test_the_built_in_ones_are_found_by_name_alias_and_path() -> None:
    registry = Registry.default()
    assert registry.find("pop3") is Pop3Provider
    assert registry.find("postroom.providers.builtin.smtp:SmtpProvider") is SmtpProvider
    for alias, name in ALIASES.items():
        assert registry.find(alias) is registry.find(name)
    assert {"pop3", "smtp"} <= set(registry.names())


def test_registered_classes() -> None:
    registry = Registry()
    assert registry.register(Good) is Good
    assert registry.register(Good) is Good
    assert registry.find("good") is Good
    with pytest.raises(ConfigError, match="'good'"):
        registry.find("goood")


def test_a_name_is_taken_once() -> None:
    class Other(Good): ...

    registry = Registry()
    registry.register(Good)
    with pytest.raises(ConfigError, match="taken"):
        registry.register(Other)


def test_entry_points_are_loaded_when_asked_for_and_broken_ones_hide_no_other() -> None:
    registry = Registry()
    registry.discover(
        [
            EntryPoint("good", f"{__name__}:Good", GROUP),
            EntryPoint("missing", "no_such_module_at_all:X", GROUP),
            EntryPoint("wrong", "json:loads", GROUP),
            EntryPoint("twice", f"{__name__}:Good", GROUP),
            EntryPoint("twice", "json:loads", GROUP),
        ]
    )
    assert registry.names() == ["good", "missing", "twice", "wrong"]
    assert registry.find("good") is Good
    for name, reason in (("missing", "ModuleNotFoundError"), ("wrong", "not a class"), ("twice", "several packages")):
        broken = registry.look(name)
        assert isinstance(broken, BrokenProvider)
        assert reason in broken.reason
        with pytest.raises(ConfigError, match=name):
            registry.find(name)


@pytest.mark.parametrize(
    "path", ["no_such_module_at_all:X", "json:nothing", "json:loads", "postroom.providers.base:MailboxProvider"]
)
def test_class_paths_that_lead_nowhere(path: str) -> None:
    with pytest.raises(ConfigError, match=path.split(":", maxsplit=1)[0]):
        Registry().find(path)


def test_everything_wrong_is_told_at_once() -> None:
    class Wrong:
        spec = "none"

        def check(self) -> None: ...

    with pytest.raises(ConfigError) as caught:
        verify(Wrong, "wrong")
    for part in ("run is missing", "close is missing", "ProviderSpec"):
        assert part in str(caught.value)


def test_a_later_interface_and_dodged_finals_are_refused() -> None:
    class Later(Good):
        spec = ProviderSpec("later", Direction.INBOUND, Nothing, Nothing, sdk_api=(99, 0))

    with pytest.raises(ConfigError, match="interface"):
        verify(Later, "later")

    class Dodging(Good): ...

    Dodging.run = lambda self, ctx: RunOutcome()  # type: ignore[method-assign,misc]
    with pytest.raises(ConfigError, match="final"):
        verify(Dodging, "dodging")


class _Package(Distribution):
    """An installed distribution with one line of metadata."""

    def __init__(self, name: str, version: str, place: Path) -> None:
        self._text, self._place = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", place

    def read_text(self, filename: str) -> str | None:
        return self._text if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        return self._place / path


def offered(name: str, target: str, package: str, version: str = "1.0") -> EntryPoint:
    point = EntryPoint(name, target, GROUP)
    vars(point)["dist"] = _Package(package, version, Path("/site"))
    return point


def test_two_packages_with_one_name_are_both_named() -> None:
    registry = Registry()
    registry.discover([offered("good", f"{__name__}:Good", "acme", "1.2"), offered("good", "json:loads", "bolt", "3.0")])
    with pytest.raises(ConfigError, match=r"acme 1\.2 in /site, bolt 3\.0 in /site.*several packages"):
        registry.find("good")


def test_one_package_found_twice_counts_once() -> None:
    registry = Registry()
    registry.discover([offered("good", f"{__name__}:Good", "acme"), offered("good", f"{__name__}:Good", "acme")])
    assert registry.find("good") is Good
    assert registry.listing()[0].finding == ""


def test_who_is_preferred_wins_and_the_other_is_told() -> None:
    registry = Registry(prefer={"good": "acme"})
    registry.discover([offered("good", f"{__name__}:Good", "acme"), offered("good", "json:loads", "bolt")])
    assert registry.find("good") is Good
    assert "bolt 1.0" in registry.listing()[0].finding


def test_a_built_in_name_is_nobody_elses_unless_it_is_said() -> None:
    for prefer, kind in (({}, Pop3Provider), ({"pop3": "acme"}, Good)):
        registry = Registry(prefer=prefer)
        registry.offer("pop3", "postroom.providers.builtin.pop3:Pop3Provider", "built in")
        registry.discover([offered("pop3", f"{__name__}:Good", "acme")])
        assert registry.find("pop3") is kind
        (row,) = registry.listing()
        assert ("acme 1.0" if kind is Pop3Provider else "built in") in row.finding


def test_an_import_that_ends_the_program_does_not_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "leaves_at_once_xyz.py").write_text("import sys\nsys.exit('no licence')\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry()
    registry.discover([offered("leaves", "leaves_at_once_xyz:Leaver", "acme"), offered("good", f"{__name__}:Good", "acme")])
    broken = registry.look("leaves")
    assert isinstance(broken, BrokenProvider)
    assert "SystemExit: no licence" in broken.reason
    assert "leaves_at_once_xyz.py" in broken.trace
    assert registry.find("good") is Good


def test_strict_lists_all_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        offered("a", "no_such_module_at_all:X", "acme"),
        offered("b", "json:loads", "bolt"),
        offered("pop3", "x:Y", "crow"),
    ]
    monkeypatch.setattr("postroom.providers.registry.entry_points", lambda **_: found)
    Registry.default()
    with pytest.raises(ConfigError, match=r"a: ModuleNotFoundError.*b: .*not a class.*pop3: .*crow 1\.0"):
        Registry.default(strict=True)


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("run", lambda self: None),
        ("check", lambda self, ctx, more: None),
        ("close", lambda self, now: None),
        ("__init__", lambda self, config: None),
    ],
)
def test_methods_that_cannot_be_called_as_the_contract_says(name: str, method: Any) -> None:
    whole = {"run": lambda self, ctx: None, "check": lambda self, ctx: None, "close": lambda self: None, "spec": Good.spec}
    verify(type("Whole", (), whole), "whole")
    with pytest.raises(ConfigError, match=f"{name}.* cannot be called with"):
        verify(type("Odd", (), {**whole, name: method}), "odd")


# -- secrets


def test_a_secret_shows_nowhere() -> None:
    secret = Secret("hunter2")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", f"{secret!r:.3}", "%s" % secret, repr([secret])]  # noqa: UP031
    shown += [repr(Pop3Config("h", 1, "u", secret)), repr(SmtpConfig("h", 1, "u", secret)), str({"x": secret})]
    assert not any("hunter" in text for text in shown)
    for leak in (pickle.dumps, json.dumps, "".join, lambda one: "x" + one):
        with pytest.raises(TypeError):
            leak(secret if leak is not "".join else [secret])  # type: ignore[operator,arg-type]
    assert not hasattr(secret, "__dict__")
    assert secret.reveal() == "hunter2"


def test_secrets_compare_and_copy() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert copy.deepcopy(Secret("a")) == Secret("a")
    assert not Secret("")
