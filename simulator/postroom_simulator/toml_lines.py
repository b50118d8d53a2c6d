"""In which line of a TOML document each key is: the standard library reads values and forgets where they were.

For documents that `tomllib` has taken already; so everything is where TOML 1.0 wants it, and only places are looked for.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["Path", "lines_of"]

Path = tuple[str | int, ...]
"""The way to a value: keys of tables, and places in arrays counted from 0."""

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\]|\\.)*"|\'[^\']*\'', re.DOTALL)
_SCALAR = re.compile(r"[^,\]}#\r\n]*")


def lines_of(text: str) -> dict[Path, int]:
    """The line, counted from 1, of each table, element and key: of the header that opens it, or of the key itself."""
    return _Reader(text).read()


class _Reader:
    """One pass over the text. `_place` is where it stands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._line = 1
        self._counted = 0
        self._arrays: dict[Path, int] = {}
        self._found: dict[Path, int] = {}

    def read(self) -> dict[Path, int]:
        table: Path = ()
        while True:
            self._skip(_SPACE)
            if self._place >= len(self._text):
                return self._found
            if self._text.startswith("[", self._place):
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        """`[a.b]` or `[[a.b]]`: the path of the table that it opens."""
        array = self._text.startswith("[[", self._place)
        self._place += 2 if array else 1
        path: Path = ()
        keys = self._keys()
        for key in keys[:-1]:
            path = (*path, key)
            self._note(path)
            path = self._last(path)
        path = (*path, keys[-1])
        if array:
            number = self._arrays.get(path, 0)
            self._arrays[path] = number + 1
            self._note(path)
            path = (*path, number)
        self._note(path)
        self._place += 2 if array else 1
        return path

    def _last(self, path: Path) -> Path:
        """A header below an array of tables means its last element."""
        return (*path, self._arrays[path] - 1) if path in self._arrays else path

    def _pair(self, table: Path) -> None:
        path = table
        keys = self._keys()
        for key in keys:
            path = (*path, key)
            self._note(path)
        self._place += 1  # the equals sign
        self._skip(_BLANK)
        self._value(path)

    def _keys(self) -> list[str]:
        """A dotted key, up to what follows it."""
        found: list[str] = []
        while True:
            self._skip(_BLANK)
            quoted = self._text[self._place] in "\"'"
            piece = self._take(_STRING if quoted else _BARE)
            found.append(_unquoted(piece) if quoted else piece)
            self._skip(_BLANK)
            if not self._text.startswith(".", self._place):
                return found
            self._place += 1

    def _value(self, path: Path) -> None:
        """A value, whatever it is. Arrays and inline tables that wait to be ended are kept in a list, so that depth costs no stack."""
        waiting: list[tuple[str, Path, int]] = []  # what ends it, its path, how many elements it had
        while True:
            begin = self._text[self._place : self._place + 1]
            if begin in ("[", "{"):
                self._place += 1
                waiting.append(("]" if begin == "[" else "}", path, 0))
            else:
                self._take(_STRING if begin in ('"', "'") else _SCALAR)
            while waiting:
                end, path, count = waiting.pop()
                self._skip(_SPACE)
                if self._text.startswith(",", self._place):
                    self._place += 1
                    self._skip(_SPACE)
                if self._text.startswith(end, self._place):
                    self._place += 1
                    continue
                waiting.append((end, path, count + 1))
                path = self._element(end, path, count)
                break
            else:
                return

    def _element(self, end: str, path: Path, count: int) -> Path:
        """The path of the next value inside an array or an inline table."""
        if end == "]":
            path = (*path, count)
            self._note(path)
            return path
        for key in self._keys():
            path = (*path, key)
            self._note(path)
        self._place += 1
        self._skip(_BLANK)
        return path

    def _note(self, path: Path) -> None:
        self._line += self._text.count("\n", self._counted, self._place)
        self._counted = self._place
        self._found.setdefault(path, self._line)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._place)
        self._place = found.end() if found else self._place

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._place)
        if found is None:
            raise ValueError(f"line {self._line}: this is no TOML that tomllib takes")
        self._place = found.end()
        return found[0]


def _unquoted(key: str) -> str:
    import tomllib

    read: dict[str, Any] = tomllib.loads(f"{key} = 1")
    return next(iter(read))
