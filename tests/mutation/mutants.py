"""Mutants of a module: its syntax tree with one small mistake each.

A mutant's name tells module, function, what was and what is instead; it has no line number, so it stays the same while other code moves.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Mutant", "mutants_of", "mutated"]

_INVERTED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.GtE, ast.LtE),
    ast.LtE: (ast.Gt, ast.Lt),
    ast.Gt: (ast.LtE, ast.GtE),
    ast.GtE: (ast.Lt, ast.Gt),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
"""The opposite first, then the neighbour (a boundary off by one)."""
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
}
_SWAPPED = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """`function`: qualified name inside the module, "" outside of functions; `number`: which change of the module this is."""

    module: str
    function: str
    change: str
    number: int
    line: int

    @property
    def name(self) -> str:
        return f"{self.module}{'.' if self.function else ''}{self.function}: {self.change}"


@dataclass(frozen=True, slots=True)
class _Place:
    """One change: `path` leads from the module to the node, `make` gives the node that takes its place."""

    path: tuple[tuple[str, int | None], ...]
    make: Callable[[ast.AST], ast.AST]
    function: str
    was: str
    now: str
    line: int


def mutants_of(module: str, source: str) -> list[Mutant]:
    """All mutants of a module, each with a name of its own."""
    seen: Counter[str] = Counter()
    found = []
    for number, place in enumerate(_places(ast.parse(source))):
        change = f"`{place.was}` becomes `{place.now}`"
        seen[place.function + change] += 1
        if seen[place.function + change] > 1:
            change += f" ({seen[place.function + change]})"
        found.append(Mutant(module, place.function, change, number, place.line))
    return found


def mutated(mutant: Mutant, source: str) -> ast.Module:
    """The module's tree with this one change."""
    tree = ast.parse(source)
    place = list(_places(tree))[mutant.number]
    parent: ast.AST = tree
    for field, index in place.path[:-1]:
        value = getattr(parent, field)
        parent = value if index is None else value[index]
    field, index = place.path[-1]
    if index is None:
        setattr(parent, field, place.make(getattr(parent, field)))
    else:
        getattr(parent, field)[index] = place.make(getattr(parent, field)[index])
    return ast.fix_missing_locations(tree)


def source_of(module: str, root: Path) -> tuple[Path, str]:
    path = root / (module.replace(".", "/") + ".py")
    return path, path.read_text()


# -- where something can be changed -------------------------------------------------------------------------------------


def _places(tree: ast.Module) -> Iterator[_Place]:
    yield from _walk(tree, (), "")


def _walk(node: ast.AST, path: tuple[tuple[str, int | None], ...], function: str) -> Iterator[_Place]:
    for field, value in ast.iter_fields(node):
        if field in {"annotation", "returns", "type_comment", "decorator_list"} or _ignored(node, field):
            continue
        children = [(index, child) for index, child in enumerate(value)] if isinstance(value, list) else [(None, value)]
        for index, child in children:
            if not isinstance(child, ast.AST):
                continue
            inside = function
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inside = f"{function}.{child.name}".lstrip(".")
            step = (*path, (field, index))
            for was, now, make in _changes(child):
                yield _Place(step, make, inside, was, now, getattr(child, "lineno", 0))
            yield from _walk(child, step, inside)


def _ignored(node: ast.AST, field: str) -> bool:
    """What is said and not done: texts put together, names exported, messages of errors."""
    if isinstance(node, ast.JoinedStr | ast.Raise | ast.Assert):
        return True
    if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == "__all__" for one in node.targets):
        return True
    return isinstance(node, ast.If) and field == "body" and ast.unparse(node.test) == "TYPE_CHECKING"


Change = tuple[str, str, Callable[[ast.AST], ast.AST]]


def _changes(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in _INVERTED[type(node.ops[0])]:
            yield _with(node, ops=[other()])
    elif isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            for other in _INVERTED[type(operator)]:
                yield _with(node, ops=[*node.ops[:index], other(), *node.ops[index + 1 :]])
    elif isinstance(node, ast.BoolOp) and not any(
        isinstance(one, ast.Constant) and isinstance(one.value, str) for one in node.values
    ):
        yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        for index in range(len(node.values)):
            rest = [*node.values[:index], *node.values[index + 1 :]]
            yield _instead(node, rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield _instead(node, node.operand)
    elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC and not _text(node):
        yield _with(node, op=_ARITHMETIC[type(node.op)]())
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _SWAPPED:
        yield _with(node, func=ast.Name(_SWAPPED[node.func.id], ast.Load()))
    elif isinstance(node, ast.Constant):
        yield from _constant(node)
    yield from _branch(node)


def _text(node: ast.BinOp) -> bool:
    texts = (ast.JoinedStr, ast.List, ast.Tuple)
    return any(
        isinstance(side, texts) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in (node.left, node.right)
    )


def _constant(node: ast.Constant) -> Iterator[Change]:
    if isinstance(node.value, bool):
        yield _instead(node, ast.Constant(not node.value))
    elif isinstance(node.value, int | float):
        yield _instead(node, ast.Constant(node.value + 1))
        yield _instead(node, ast.Constant(node.value - 1))


def _branch(node: ast.AST) -> Iterator[Change]:
    """Conditions that are neither compared nor combined are negated; each branch is dropped once."""
    if isinstance(node, ast.If):
        was = f"if {ast.unparse(node.test)}: ..."
        yield was, "the branch is dropped", lambda one: _copied(one, test=ast.Constant(False))
    if isinstance(node, ast.If | ast.IfExp | ast.While) and isinstance(
        node.test, ast.Name | ast.Attribute | ast.Call | ast.NamedExpr
    ):
        negated = ast.UnaryOp(ast.Not(), node.test)
        word = "while" if isinstance(node, ast.While) else "if"
        told = (f"{word} {ast.unparse(node.test)}", f"{word} {ast.unparse(negated)}")
        yield *told, lambda one: _copied(one, test=negated)
    if isinstance(node, ast.comprehension):
        for index, condition in enumerate(node.ifs):
            rest = [*node.ifs[:index], *node.ifs[index + 1 :]]
            yield f"for {ast.unparse(node.target)} if {ast.unparse(condition)}", "all of them", _setter("ifs", rest)


def _setter(field: str, value: object) -> Callable[[ast.AST], ast.AST]:
    return lambda one: _copied(one, **{field: value})


def _with(node: ast.AST, **fields: object) -> Change:
    return _instead(node, _copied(node, **fields))


def _instead(node: ast.AST, other: ast.AST) -> Change:
    return ast.unparse(node), ast.unparse(other), lambda _: other


def _copied(node: ast.AST, **fields: object) -> ast.AST:
    made = copy.copy(node)
    for field, value in fields.items():
        setattr(made, field, value)
    return made
