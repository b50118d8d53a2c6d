"""Correlation measured on labelled threads (fixtures/threads): whatever comes out otherwise than the reference says is listed by name, and no
figure falls."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from thread_runner import FOLDER, Found, figures, known_misses, label_of, labels, play, table, threads


@pytest.fixture(scope="module")
def results() -> list[Found]:
    return play()


@pytest.mark.slow
def test_every_thread_comes_out_as_labelled_or_is_a_known_miss(results: list[Found]) -> None:
    known = known_misses()
    print(table(results))
    new = [str(one) for one in results if not one.as_labelled and one.name not in known]
    assert not new, f"{len(new)} threads come out otherwise than labelled:\n" + "\n".join(new)
    right = [one.name for one in results if one.as_labelled and one.name in known]
    assert not right, f"known misses that are none any more: take them from {FOLDER.name}/misses.md: {right}"


@pytest.mark.slow
def test_no_figure_falls(results: list[Found]) -> None:
    wanted = json.loads((FOLDER / "figures.json").read_text())
    found = figures(results)
    assert wanted.keys() == found.keys()
    fallen = [
        f"{name} {kind}: {getattr(one, kind):.3f}, it was {wanted[name][kind]}"
        for name, one in found.items()
        for kind in ("precision", "recall")
        if getattr(one, kind) < wanted[name][kind]
    ]
    assert not fallen, "\n".join(fallen)


@pytest.mark.slow
def test_the_regarding_follows_and_only_headers_make_a_parent(results: list[Found]) -> None:
    """Reference 4.7: regardingobjectid is copied from the matched email, parentactivityid is set for methods 3 and 5 only."""
    assert not [one.name for one in results if not one.regarding]


def test_there_are_enough_threads_and_each_has_one_label() -> None:
    rows, names = labels(), [thread["name"] for thread in threads()]
    assert len(names) == len(set(names)) >= 300
    for name in names:
        label = label_of(name, rows)
        assert label.method in {"", "InReplyTo", "TrackingToken", "ConversationIndex", "SmartMatching"}
        assert bool(label.method) == bool(label.email)
    unused = [pattern for pattern in rows if "*" not in pattern and pattern not in names]
    assert not unused, f"labels of no thread: {unused}"
    assert set(known_misses()) <= set(names)


def test_labels_are_more_exact_than_patterns() -> None:
    rows = {
        "a/*": {"method": "InReplyTo", "email": "A"},
        "a/b*": {"method": "", "answers": "A"},
        "a/bc": {"method": "", "answers": ""},
    }
    assert label_of("a/x", rows).method == "InReplyTo"
    assert label_of("a/bx", rows).answers == "A"
    assert label_of("a/bc", rows).answers == ""
    with pytest.raises(KeyError):
        label_of("b", rows)


def test_the_file_is_what_the_generator_makes() -> None:
    assert list(_generator().threads()) == threads()


def _generator() -> ModuleType:
    path = Path(FOLDER) / "generate.py"
    spec = importlib.util.spec_from_file_location("generate_threads", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_figures_are_counted_right() -> None:
    from thread_runner import Label

    reply, nothing = Label("InReplyTo", "A", "A"), Label("", "", "")
    counted = figures(
        [
            Found("right", "InReplyTo", "A", True, reply),
            Found("missed", "", "", True, reply),
            Found("wrong email", "InReplyTo", "?", True, reply),
            Found("nothing to find", "InReplyTo", "A", True, nothing),
            Found("by another method", "TrackingToken", "A", True, reply),
        ]
    )
    assert (counted["InReplyTo"].made, counted["InReplyTo"].right) == (3, 1)
    assert (counted["InReplyTo"].there, counted["InReplyTo"].found) == (4, 1)
    assert (counted["TrackingToken"].made, counted["TrackingToken"].right) == (1, 1)
    assert (counted["all"].there, counted["all"].found) == (4, 2)
