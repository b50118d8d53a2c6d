"""An import that never ends breaks its own entry; the others run."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from postroom.errors import ConfigError
from postroom.providers.registry import Registry
from postroom.testing.router_stage import RouterStage, mail, provider

BLOCKING = """
import threading
from postroom.providers.builtin.pop3 import Pop3Provider as Provider
import endless_gate
endless_gate.passed.wait()
"""


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A package `endless_package` whose import waits until the gate is opened."""
    passed = threading.Event()
    module = type(sys)("endless_gate")
    module.__dict__["passed"] = passed
    monkeypatch.setitem(sys.modules, "endless_gate", module)
    (tmp_path / "endless_package.py").write_text(BLOCKING, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield passed
    passed.set()
    for thread in threading.enumerate():
        if thread.name == "postroom-import":
            thread.join(10)
    sys.modules.pop("endless_package", None)


def test_an_import_that_does_not_end_breaks_its_entry_alone(stage: RouterStage, gate: threading.Event) -> None:
    ada = stage.user("Ada")
    stage.source.items["feed"] = [mail("Hello", ada.address)]
    router = stage.router(provider("endless_package:Provider"), stage.feed(ada), import_seconds=0.05)
    router.run_due()
    states = {one.provider: (str(one.state), one.why) for one in router.instances()}
    assert states["feed"] == ("waiting", "")
    state, why = states["endless_package:Provider"]
    assert state == "broken"
    assert "its import did not end within 0.05 seconds" in why
    assert stage.subjects() == ["Hello"]


def test_nobody_waits_for_it_twice_and_it_counts_when_it_ends(gate: threading.Event) -> None:
    registry = Registry()
    with pytest.raises(ConfigError, match=r"did not end within 0\.05 seconds"):
        registry.find("endless_package:Provider", within=0.05)
    (working,) = [thread for thread in threading.enumerate() if thread.name == "postroom-import"]
    with pytest.raises(ConfigError, match="did not end"):
        registry.find("endless_package:Provider", within=1_000_000)  # at once: it is working already
    gate.set()
    working.join(10)
    assert registry.find("endless_package:Provider", within=0.05).spec.name == "pop3"


def test_an_installed_one_blocks_no_other_name(gate: threading.Event) -> None:
    registry = Registry.default()
    registry.discover([EntryPoint("endless", "endless_package:Provider", "postroom.providers")])
    broken = registry.look("endless", within=0.05)
    assert "did not end" in getattr(broken, "reason", "")
    assert registry.find("pop3", within=0.05).spec.name == "pop3"
    gate.set()
    for thread in threading.enumerate():
        if thread.name == "postroom-import":
            thread.join(10)
    assert registry.find("endless", within=0.05).spec.name == "pop3"


@pytest.mark.parametrize("raised", ["SystemExit(3)", "KeyboardInterrupt()", "ValueError('no')"])
def test_what_an_import_raises_is_raised_where_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: str
) -> None:
    (tmp_path / "raising_package.py").write_text(f"raise {raised}", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    expected = KeyboardInterrupt if "Keyboard" in raised else ConfigError
    with pytest.raises(expected):
        Registry().find("raising_package:Provider", within=5)
