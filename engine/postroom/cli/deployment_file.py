"""`postroom.toml`: which organizations there are, where their databases and the key file lie, and the settings of the deployment. Ours.

    key_file = "postroom.key"
    ca_file = "ca.pem"                      # optional: trust these certificates too
    router_database = "sqlite:///router.sqlite3"    # optional, this is the default: what the Email Router remembers

    [organizations."Alder"]
    database = "sqlite:///Alder.sqlite3"

    [settings]
    allow_non_ssl_email = true              # server-side-sync reference 1.6; names in snake case or as published

Relative paths start at the file's folder. Commands change single lines, so that comments stay.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from postroom.errors import PostroomError, SettingsError
from postroom.model.attributes import nearest
from postroom.model.deployment import DeploymentSettings

__all__ = ["FILE_NAME", "DeploymentFile", "DeploymentFileError", "setting_name", "with_line", "without_line"]

FILE_NAME = "postroom.toml"
ROUTER_DATABASE = "sqlite:///router.sqlite3"
_TOP = ("key_file", "ca_file", "router_database", "organizations", "settings")
_HEAD = """\
# A Postroom deployment: its organizations and what holds for all of them. See docs/administration.md.
# The key file keeps the stored passwords readable: back it up, apart from the databases.
key_file = "postroom.key"
"""
_SIZE_LIMIT = 1_000_000


class DeploymentFileError(PostroomError):
    """The deployment file is missing or wrong. `problems`: all of them."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


@dataclass(frozen=True, slots=True)
class DeploymentFile:
    """What the file says. `organizations`: name -> database address; that of the Email Router beside them. Relative SQLite paths are made absolute."""

    path: Path
    key_file: Path
    ca_file: Path | None = None
    organizations: Mapping[str, str] = field(default_factory=dict)
    settings: DeploymentSettings = field(default_factory=DeploymentSettings)
    router_database: str = ""

    @classmethod
    def read(cls, path: Path) -> DeploymentFile:
        """Raises DeploymentFileError with everything that is wrong."""
        return cls._of(path, _parse(_text(path), path))

    @classmethod
    def _of(cls, path: Path, document: Mapping[str, Any]) -> DeploymentFile:
        problems = [f"{path}: unknown key {name!r}{nearest(name, _TOP)}" for name in document if name not in _TOP]
        problems += [
            f"{path}: {name} is a path in quotation marks"
            for name in ("key_file", "ca_file")
            if not isinstance(document.get(name, ""), str)
        ]
        router_database = document.get("router_database", ROUTER_DATABASE)
        if not isinstance(router_database, str) or "://" not in router_database:
            problems.append(f'{path}: router_database is an address, for example "{ROUTER_DATABASE}"')
        organizations = _organizations(path, document.get("organizations", {}), problems)
        settings = _settings(path, document.get("settings", {}), problems)
        if problems:
            raise DeploymentFileError(*problems)
        folder = path.absolute().parent
        ca_file = document.get("ca_file")
        return cls(
            path,
            folder / document.get("key_file", "postroom.key"),
            folder / ca_file if ca_file else None,
            organizations,
            settings,
            _absolute(path, router_database),
        )

    @classmethod
    def create(cls, path: Path) -> DeploymentFile:
        """A new file without organizations, readable by its owner only. Raises DeploymentFileError."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(_HEAD)
        except OSError as trouble:
            raise DeploymentFileError(f"cannot write {path}: {trouble.strerror}") from None
        return cls.read(path)

    def with_organization(self, name: str, database: str) -> DeploymentFile:
        """The file with one more organization, written."""
        return self._write(with_line(_text(self.path), f"organizations.{_quoted(name)}", "database", _quoted(database)))

    def without_organization(self, name: str) -> DeploymentFile:
        """The file without it, written. Its database stays where it is."""
        return self._write(_without_table(_text(self.path), ("organizations", name)))

    def with_ca_file(self, ca_file: str) -> DeploymentFile:
        return self._write(with_line(_text(self.path), "", "ca_file", _quoted(ca_file)))

    def with_settings(self, values: Mapping[str, Any]) -> DeploymentFile:
        """The file with these settings, written; None takes one out, so that its default holds. Raises SettingsError."""
        defaults: dict[str, Any] = {one.name: one.default for one in dataclasses.fields(DeploymentSettings)}
        dataclasses.replace(
            self.settings, **{name: defaults[name] if value is None else value for name, value in values.items()}
        )
        text = _text(self.path)
        for name, value in values.items():
            for spelling in {name, *_spellings(_parse(text, self.path).get("settings", {}), name)}:
                text = without_line(text, "settings", spelling)
            if value is not None:
                text = with_line(text, "settings", name, _rendered(value))
        return self._write(text)

    def _write(self, text: str) -> DeploymentFile:
        """Only a file that can be read back takes the place of the old one."""
        made = DeploymentFile._of(self.path, _parse(text, self.path))
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            mode = self.path.stat().st_mode & 0o777
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            fresh.chmod(mode)
            fresh.replace(self.path)
        except OSError as trouble:
            raise DeploymentFileError(f"cannot write {self.path}: {trouble.strerror}") from None
        finally:
            fresh.unlink(missing_ok=True)
        return made


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _SIZE_LIMIT:
            raise DeploymentFileError(f"{path} is too large to be a deployment file")
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise DeploymentFileError(f"{path} is no text in UTF-8") from None
    except OSError as trouble:
        raise DeploymentFileError(f"cannot read {path}: {trouble.strerror}") from None


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise DeploymentFileError(f"{path} is no valid TOML: {wrong}") from None


def _organizations(path: Path, tables: Any, problems: list[str]) -> dict[str, str]:
    if not isinstance(tables, dict):
        problems.append(f"{path}: [organizations.NAME] tables expected")
        return {}
    found = {}
    for name, table in tables.items():
        if not isinstance(table, dict) or not isinstance(table.get("database"), str):
            problems.append(f'{path}: [organizations.{name}] needs database = "ADDRESS"')
            continue
        problems += [f"{path}: [organizations.{name}]: unknown key {key!r}" for key in table if key != "database"]
        found[name] = _absolute(path, table["database"])
    return found


def _absolute(path: Path, database: str) -> str:
    prefix, rest = "sqlite:///", database.removeprefix("sqlite:///")
    if rest == database or not rest or rest.startswith("/"):
        return database
    return f"{prefix}{path.absolute().parent / rest}"


def _settings(path: Path, table: Any, problems: list[str]) -> DeploymentSettings:
    if not isinstance(table, dict):
        problems.append(f"{path}: [settings] is a table")
        return DeploymentSettings()
    values: dict[str, Any] = {}
    for key, value in table.items():
        name = setting_name(key)
        if name is None:
            names = [one.name for one in dataclasses.fields(DeploymentSettings)]
            problems.append(f"{path}: [settings]: unknown setting {key!r}{nearest(key, names)}")
        else:
            values[name] = frozenset(value) if isinstance(value, list) else value
    try:
        return DeploymentSettings(**values)
    except SettingsError as wrong:
        problems += [f"{path}: [settings]: {problem}" for problem in wrong.problems]
        return DeploymentSettings()


def setting_name(text: str) -> str | None:
    """The attribute of DeploymentSettings that is meant: its own name, or the published one, in any case."""
    wanted = text.casefold()
    for one in dataclasses.fields(DeploymentSettings):
        if wanted in (one.name, str(one.metadata.get("published", "")).casefold() or one.name):
            return one.name
    return None


def _spellings(table: Mapping[str, Any], name: str) -> list[str]:
    return [key for key in table if setting_name(key) == name]


# -- lines ------------------------------------------------------------------------------------------------------------


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _rendered(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return "[" + ", ".join(_quoted(str(one)) for one in sorted(value)) + "]"


def _table_of(line: str) -> tuple[str, ...] | None:
    """The path that a header line names; None for other lines."""
    if not re.match(r"\s*\[", line):
        return None
    try:
        document: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return None
    path: list[str] = []
    while isinstance(document, dict) and document:
        (name, document), *_ = document.items()
        path.append(name)
    return tuple(path)


def _path(table: str) -> tuple[str, ...]:
    return (_table_of(f"[{table}]") or ()) if table else ()


def _span(lines: list[str], table: tuple[str, ...]) -> tuple[int, int] | None:
    """The lines of a table, its header excluded; the top of the file for the empty path."""
    start: int | None = 0 if not table else None
    for number, line in enumerate(lines):
        named = _table_of(line)
        if named is None:
            continue
        if start is not None:
            return start, number
        if named == table:
            start = number + 1
    return None if start is None else (start, len(lines))


def _key_line(line: str, key: str) -> bool:
    return bool(re.match(rf'\s*(?:{re.escape(key)}|"{re.escape(key)}")\s*=', line))


def with_line(text: str, table: str, key: str, rendered: str) -> str:
    """The text with `key = rendered` in that table, made at its end where it is missing."""
    lines = text.splitlines()
    span = _span(lines, _path(table))
    if span is None:
        return "\n".join([*lines, *([""] if lines and lines[-1].strip() else []), f"[{table}]", f"{key} = {rendered}"]) + "\n"
    start, end = span
    for number in range(start, end):
        if _key_line(lines[number], key):
            lines[number] = f"{key} = {rendered}"
            return "\n".join(lines) + "\n"
    while end > start and not lines[end - 1].strip():
        end -= 1
    lines.insert(end, f"{key} = {rendered}")
    return "\n".join(lines) + "\n"


def without_line(text: str, table: str, key: str) -> str:
    lines = text.splitlines()
    span = _span(lines, _path(table))
    if span is not None:
        start, end = span
        lines[start:end] = [line for line in lines[start:end] if not _key_line(line, key)]
    return "\n".join(lines) + "\n"


def _without_table(text: str, path: tuple[str, ...]) -> str:
    lines = text.splitlines()
    span = _span(lines, path)
    if span is not None:
        start = span[0] - 1
        while start and not lines[start - 1].strip():
            start -= 1
        del lines[start : span[1]]
    return "\n".join(lines) + "\n"
