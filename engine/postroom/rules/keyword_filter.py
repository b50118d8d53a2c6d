"""HashFilterKeywords: deleting what a pattern finds in a subject, in bounded time whatever the pattern (server-side-sync reference 4.6).

The pattern is an administrator's and the subject a stranger's, and `re` may need exponential time for the two together. So the pattern is parsed by
the standard library and run here, on a small program whose every (instruction, position) is looked at once: at most `program x subject` steps
for a match, and `STEPS` for a whole subject. The published default cannot go wrong and is left to `re`.

What such a program cannot do (back references, looking ahead or behind, conditions, atomic groups) is refused by `compile_filter`.
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from postroom.errors import InvalidValue
from postroom.model.organization_row import HASH_FILTER_KEYWORDS

__all__ = ["PROGRAM_LIMIT", "STEPS", "KeywordFilter", "compile_filter"]

PROGRAM_LIMIT = 1_000
"""Instructions of a program; a longer pattern is refused. Ours."""
STEPS = 100_000
"""Steps for one subject; when they are used up the rest stays as it is. Ours."""

_parser: Any = importlib.import_module("re._parser")
_codes: Any = importlib.import_module("re._constants")
_compiler: Any = importlib.import_module("re._compiler")

Test = Callable[[str], object]


@dataclass(slots=True)
class _Instruction:
    """`test` set: takes one character. `assertion` set: a condition on the place. `first`, `second`: where to go on, the preferred way first; -1:
    the pattern has matched."""

    first: int
    second: int | None = None
    test: Test | None = None
    assertion: str = ""


class KeywordFilter:
    """A pattern ready for use."""

    def __init__(self, program: list[_Instruction], start: int, plain: re.Pattern[str] | None = None) -> None:
        self._program = program
        self._start = start
        self._plain = plain

    def delete(self, text: str) -> str:
        """The text without what the pattern matches, as `re.sub` with an empty replacement."""
        if self._plain is not None:
            return self._plain.sub("", text)
        kept: list[str] = []
        at = 0
        budget = STEPS
        while at < len(text):
            end, budget = self._match(text, at, budget)
            if budget <= 0:
                break
            if end > at:
                at = end
            else:
                kept.append(text[at])
                at += 1
        return "".join(kept) + text[at:]

    def _match(self, text: str, start: int, budget: int) -> tuple[int, int]:
        """Where the match that begins at `start` ends (`start` or less: nothing to delete), and what is left of the budget."""
        program = self._program
        seen: set[tuple[int, int]] = set()
        ways = [(self._start, start)]
        while ways and budget > 0:
            way = ways.pop()
            if way in seen:
                continue  # it led nowhere before, or is being tried
            seen.add(way)
            budget -= 1
            place, at = way
            if place < 0:
                return at, budget
            here = program[place]
            if here.test is not None:
                if at < len(text) and here.test(text[at]):
                    ways.append((here.first, at + 1))
            elif not here.assertion or _holds(here.assertion, text, at):
                if here.second is not None:
                    ways.append((here.second, at))
                ways.append((here.first, at))
        return -1, budget


def _holds(assertion: str, text: str, at: int) -> bool:
    match assertion:
        case "begin":
            return at == 0
        case "end":
            return at == len(text) or (at == len(text) - 1 and text[at] == "\n")
        case "very end":
            return at == len(text)
    before = at > 0 and _WORD(text[at - 1]) is not None
    after = at < len(text) and _WORD(text[at]) is not None
    return (before != after) is (assertion == "boundary")


_WORD = re.compile(r"\w").match


@lru_cache(maxsize=64)
def compile_filter(pattern: str) -> KeywordFilter:
    """Raises InvalidValue for what is no pattern, needs what is not supported, or is too long."""
    if pattern == HASH_FILTER_KEYWORDS:
        return KeywordFilter([], -1, re.compile(pattern))
    try:
        with warnings.catch_warnings(action="ignore"):  # what may mean something else in a later Python
            parsed = _parser.parse(pattern)
        builder = _Builder(parsed.state)
        return KeywordFilter(builder.program, builder.sequence(parsed, -1))
    except (re.error, OverflowError, RecursionError) as wrong:
        raise InvalidValue(f"hashfilterkeywords: no regular expression: {str(wrong)[:200]}") from None


class _Builder:
    """From the library's parse tree to a program, built from its end: each construct is given where to go on after it."""

    def __init__(self, state: Any) -> None:
        self.program: list[_Instruction] = []
        self.state = state
        self.flags: int = state.flags
        if self.flags & re.MULTILINE:
            raise InvalidValue("hashfilterkeywords: a subject has one line: (?m) is not supported")

    def add(self, instruction: _Instruction) -> int:
        if len(self.program) >= PROGRAM_LIMIT:
            raise InvalidValue("hashfilterkeywords: the pattern is too long")
        self.program.append(instruction)
        return len(self.program) - 1

    def sequence(self, items: Any, after: int) -> int:
        for code, argument in reversed(list(items)):
            after = self.one(code, argument, after)
        return after

    def one(self, code: Any, argument: Any, after: int) -> int:
        if code in (_codes.LITERAL, _codes.NOT_LITERAL, _codes.ANY, _codes.IN):
            return self.add(_Instruction(after, test=self.character(code, argument)))
        if code is _codes.SUBPATTERN:
            _, added, removed, inner = argument
            if added or removed:
                raise InvalidValue("hashfilterkeywords: flags inside a pattern are not supported")
            return self.sequence(inner, after)
        if code is _codes.BRANCH:
            *others, last = (self.sequence(one, after) for one in argument[1])
            for other in reversed(others):
                last = self.add(_Instruction(other, last))
            return last
        if code in (_codes.MAX_REPEAT, _codes.MIN_REPEAT):
            return self.repeat(*argument, after=after, greedy=code is _codes.MAX_REPEAT)
        if code is _codes.AT and argument in _PLACES:
            return self.add(_Instruction(after, assertion=_PLACES[argument]))
        raise InvalidValue(f"hashfilterkeywords: {str(code).lower().replace('_', ' ')} is not supported")

    def repeat(self, least: int, most: Any, inner: Any, *, after: int, greedy: bool) -> int:
        if least > PROGRAM_LIMIT or (most is not _codes.MAXREPEAT and most > PROGRAM_LIMIT):
            raise InvalidValue("hashfilterkeywords: the pattern is too long")
        if most is _codes.MAXREPEAT:
            loop = self.add(_Instruction(after))  # completed below: the body leads back to it
            body = self.sequence(inner, loop)
            way = self.program[loop]
            way.first, way.second = (body, after) if greedy else (after, body)
            entry = loop
        else:
            entry = after
            for _ in range(most - least):
                body = self.sequence(inner, entry)
                entry = self.add(_Instruction(body, after) if greedy else _Instruction(after, body))
        for _ in range(least):
            entry = self.sequence(inner, entry)
        return entry

    def character(self, code: Any, argument: Any) -> Test:
        """One character's test, made by the library from its own tree, so that classes and case mean what they mean there."""
        single = _parser.SubPattern(self.state, [(code, argument)])
        pattern: re.Pattern[str] = _compiler.compile(single, self.flags)
        return pattern.match


_PLACES = {
    _codes.AT_BEGINNING: "begin",
    _codes.AT_BEGINNING_STRING: "begin",
    _codes.AT_END: "end",
    _codes.AT_END_STRING: "very end",
    _codes.AT_BOUNDARY: "boundary",
    _codes.AT_NON_BOUNDARY: "inside",
}
