"""The mutator itself: what it changes, and that every change is one change."""

from __future__ import annotations

import ast

import pytest
from tests.mutation.mutants import mutants_of, mutated
from tests.mutation.run import all_mutants, equivalents, rule_modules


def changes(source: str) -> list[str]:
    return [mutant.change for mutant in mutants_of("m", source)]


@pytest.mark.parametrize(
    ("source", "change"),
    [
        ("def f(a): return a < 3", "`a < 3` becomes `a >= 3`"),
        ("def f(a): return a < 3", "`a < 3` becomes `a <= 3`"),
        ("def f(a): return a < 3", "`3` becomes `4`"),
        ("def f(a): return a is None", "`a is None` becomes `a is not None`"),
        ("def f(a, b): return a in b", "`a in b` becomes `a not in b`"),
        ("def f(a, b): return a and b", "`a and b` becomes `a or b`"),
        ("def f(a, b): return a and b", "`a and b` becomes `a`"),
        ("def f(a): return not a", "`not a` becomes `a`"),
        ("def f(a): return True", "`True` becomes `False`"),
        ("def f(a, b): return a - b", "`a - b` becomes `a + b`"),
        ("def f(a, b): return max(a, b)", "`max(a, b)` becomes `min(a, b)`"),
        ("def f(a):\n if a: return 'x'\n return 'y'", "`if a` becomes `if not a`"),
        ("def f(a):\n if a == 'q': return 'x'\n return 'y'", "`if a == 'q': ...` becomes `the branch is dropped`"),
        ("def f(a): return [b for b in a if b]", "`for b if b` becomes `all of them`"),
        ("def f(a): return 0 < a < 9", "`0 < a < 9` becomes `0 < a >= 9`"),
        ("LIMIT = 100", "`100` becomes `101`"),
    ],
)
def test_what_is_changed(source: str, change: str) -> None:
    assert change in changes(source)


@pytest.mark.parametrize(
    "source",
    [
        "__all__ = ['a']",
        "def f(a): raise ValueError(a - 1)",
        "def f(a): return f'{a + 1}'",
        "def f(a): return 'a' + a",
        "a: int",
    ],
)
def test_what_is_said_is_left_alone(source: str) -> None:
    assert changes(source) == []


def test_a_mutant_differs_in_one_place_and_the_name_stays() -> None:
    source = "def f(a):\n    if a == 1:\n        return 1\n    return a == 1\n"
    mutants = mutants_of("m", source)
    texts = {ast.unparse(mutated(mutant, source)) for mutant in mutants}
    assert len(texts) == len(mutants)
    assert ast.unparse(ast.parse(source)) not in texts
    moved = mutants_of("m", "X = 'moved'\n\n" + source)
    assert [mutant.name for mutant in mutants] == [mutant.name for mutant in moved]
    assert len({mutant.name for mutant in mutants}) == len(mutants)


def test_every_mutant_of_the_rules_can_be_compiled() -> None:
    from tests.mutation.mutants import source_of
    from tests.mutation.run import ENGINE

    mutants = all_mutants(rule_modules())
    assert len(mutants) > 300
    for mutant in mutants[::5]:
        compile(mutated(mutant, source_of(mutant.module, ENGINE)[1]), mutant.name, "exec")


def test_what_is_called_equivalent_is_there_and_has_a_reason() -> None:
    names = {mutant.name for mutant in all_mutants(rule_modules())}
    gone = [name for name in equivalents() if name not in names]
    assert not gone, "no such mutant any more:\n" + "\n".join(gone)
    assert all(len(reason.split()) > 3 for reason in equivalents().values())
