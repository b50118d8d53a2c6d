"""What every administrative command has in common: which organization, who asks, how answers and errors look.

A command is a function that takes a `Desk` first; `command` gives it the common options. Exit codes: 0 done, 1 it did not succeed,
2 the call itself makes no sense. With --json there is one document on standard output; an error is one line of JSON on standard error:
{"error": {"kind": "RecordNotFound", "text": "...", "problems": ["...", ...]}}.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from postroom.errors import PostroomError, RecordError, SettingsError

if TYPE_CHECKING:
    from postroom.cli.deployment_file import DeploymentFile
    from postroom.organization import Organization
    from postroom.organization.callers import Caller
    from postroom.organization.deployment import Deployment

__all__ = ["Common", "Desk", "UsageProblem", "command", "group", "reporting"]

F = TypeVar("F", bound=Callable[..., None])


class UsageProblem(PostroomError):
    """The call makes no sense: exit code 2."""


class Failed(PostroomError):
    """The call was understood and did not succeed; everything was said already. Exit code 1."""


@dataclasses.dataclass(frozen=True, slots=True)
class Common:
    """The options of every administrative command."""

    deployment: Path | None = None
    org: str = ""
    as_: str = ""
    privileges: tuple[str, ...] = ()
    json: bool = False

    @property
    def path(self) -> Path:
        """The deployment file: as given (what is not called something.toml is a folder, the file is in it), else the one here."""
        from postroom.cli.deployment_file import FILE_NAME

        given = self.deployment or Path(FILE_NAME)
        return given if given.suffix == ".toml" and not given.is_dir() else given / FILE_NAME


_PANEL = "Which organization, who asks, how it is shown"
_COMMON: dict[str, tuple[Any, Any]] = {
    "deployment": (
        Annotated[
            Path | None,
            typer.Option(
                "--deployment",
                "-d",
                envvar="POSTROOM_DEPLOYMENT",
                metavar="PATH",
                help="The deployment file, or its folder. Default: postroom.toml here.",
                rich_help_panel=_PANEL,
            ),
        ],
        None,
    ),
    "org": (
        Annotated[
            str,
            typer.Option(
                "--org",
                envvar="POSTROOM_ORG",
                metavar="NAME",
                help="The organization, where the deployment has several.",
                rich_help_panel=_PANEL,
            ),
        ],
        "",
    ),
    "as_": (
        Annotated[
            str,
            typer.Option("--as", metavar="USER", help="Act as this user, not as an administrator.", rich_help_panel=_PANEL),
        ],
        "",
    ),
    "privileges": (
        Annotated[
            list[str] | None,
            typer.Option(
                "--privilege",
                metavar="NAME",
                help="With --as: a privilege the user holds, for example prvSendAsUser. Repeatable.",
                rich_help_panel=_PANEL,
            ),
        ],
        None,
    ),
    "json": (
        Annotated[bool, typer.Option("--json", help="The answer as JSON, errors too.", rich_help_panel=_PANEL)],
        False,
    ),
}


class Desk:
    """Opens what a command asks for, once, and closes it at the end."""

    def __init__(self, common: Common) -> None:
        self.common = common
        self._stack = ExitStack()

    @cached_property
    def file(self) -> DeploymentFile:
        """Raises DeploymentFileError."""
        from postroom.cli.deployment_file import DeploymentFile, DeploymentFileError

        path = self.common.path
        if not path.exists():
            raise DeploymentFileError(
                f"{path}: no deployment file; make one with `postroom org create NAME`, or name it with --deployment"
            )
        return DeploymentFile.read(path)

    @cached_property
    def name(self) -> str:
        """The organization that is meant. Raises UsageProblem when that is not clear."""
        names = list(self.file.organizations)
        if self.common.org:
            if self.common.org not in names:
                raise UsageProblem(f"{self.file.path} has no organization {self.common.org!r}; it has: {', '.join(names)}")
            return self.common.org
        if len(names) != 1:
            known = f"it has: {', '.join(names)}; say which with --org" if names else "make one with `postroom org create NAME`"
            raise UsageProblem(f"{self.file.path} has {len(names) or 'no'} organizations; {known}")
        return names[0]

    @cached_property
    def deployment(self) -> Deployment:
        from postroom.clock import SystemClock
        from postroom.organization.deployment import Deployment
        from postroom.store.secrets import KeyRing

        keys = KeyRing.from_file(self.file.key_file, create=False)
        return self._stack.enter_context(Deployment(SystemClock(), settings=self.file.settings, keys=keys))

    @cached_property
    def organization(self) -> Organization:
        """Raises StoreError and its kin."""
        url = self.file.organizations[self.name]
        check_address(url, self.name)
        return self.deployment.open_organization(self.name, url)

    @cached_property
    def caller(self) -> Caller:
        """An administrator: every privilege, no user. With --as a user, who may read and write activities, and what --privilege adds."""
        from postroom.organization.callers import (
            ADMINISTRATOR,
            APPROVE_ADDRESS,
            READ_ACTIVITY,
            SEND_AS_USER,
            WRITE_ACTIVITY,
            Caller,
        )

        names = (APPROVE_ADDRESS, READ_ACTIVITY, SEND_AS_USER, WRITE_ACTIVITY, ADMINISTRATOR)
        known = {name.casefold(): name for name in names}
        if not self.common.as_:
            if self.common.privileges:
                raise UsageProblem("--privilege goes with --as: an administrator holds every privilege")
            return Caller(privileges=frozenset(known.values()))
        unknown = [name for name in self.common.privileges if name.casefold() not in known]
        if unknown:
            raise UsageProblem(f"no such privilege: {', '.join(unknown)}; there are {', '.join(known.values())}")
        from postroom.cli.finding import find

        user = find(self.organization, "systemuser", self.common.as_)
        more = (known[name.casefold()] for name in self.common.privileges)
        return Caller.user(user.id, READ_ACTIVITY, WRITE_ACTIVITY, *more)

    def say(self, text: str) -> None:
        """Lines for people; with --json nothing."""
        if not self.common.json:
            from postroom.cli.texts import clean

            for line in text.splitlines():
                typer.echo(clean(line))

    def done(self, text: str, **document: Any) -> None:
        """What was done: a line, or the document."""
        if self.common.json:
            self.document(document)
        else:
            self.say(text)

    def document(self, document: Any) -> None:
        from postroom.cli.show import as_json

        typer.echo(json.dumps(as_json(document), ensure_ascii=False, indent=2))

    def line(self, document: Any) -> None:
        """One of many documents, on a line of its own, at once."""
        from postroom.cli.show import as_json

        print(json.dumps(as_json(document), ensure_ascii=False), flush=True)

    def close(self) -> None:
        self._stack.close()


def check_address(url: str, name: str) -> None:
    """An organization that should exist has a database that exists: a typing error must not make a new one."""
    if url in ("sqlite://", "sqlite:///:memory:"):
        raise UsageProblem("an organization in memory is gone when the command ends: give it a file, sqlite:///PATH")
    path = url.removeprefix("sqlite:///")
    if path != url and not os.path.exists(path):  # noqa: PTH110
        from postroom.errors import StoreError

        raise StoreError(f"the database of {name!r} is missing: {path}")


@contextmanager
def reporting(as_json: bool) -> Iterator[None]:
    """Known errors end with their exit code and are said: one line for each problem, or as JSON."""
    from postroom.cli.texts import clean, told

    try:
        yield
    except Failed:
        raise typer.Exit(1) from None
    except BrokenPipeError:  # nobody reads on, as with `| head`: no reason to complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise typer.Exit(1) from None
    except (PostroomError, OSError) as error:
        problems = list(getattr(error, "problems", None) or [told(error)])
        kind = type(error).__name__ if isinstance(error, PostroomError) else "OSError"
        if as_json:
            document = {"error": {"kind": kind, "text": told(error), "problems": problems}}
            typer.echo(json.dumps(document, ensure_ascii=False), err=True)
        else:
            for problem in problems:
                typer.echo(f"postroom: {clean(problem)}", err=True)
        raise typer.Exit(_exit_code(error)) from None


def _exit_code(error: Exception) -> int:
    from postroom.cli.deployment_file import DeploymentFileError

    return 2 if isinstance(error, UsageProblem | DeploymentFileError | SettingsError | RecordError) else 1


def command(into: typer.Typer, name: str, *, panel: str | None = None) -> Callable[[F], F]:
    """Registers `function(desk, ...)` as a command with the common options after its own."""

    def register(function: F) -> F:
        hints = get_type_hints(function, include_extras=True)
        own = [
            one.replace(annotation=hints[one.name], kind=inspect.Parameter.KEYWORD_ONLY)
            for one in list(inspect.signature(function).parameters.values())[1:]
        ]
        common = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
            for name, (annotation, default) in _COMMON.items()
        ]

        def run(**values: Any) -> None:
            options = {name: values.pop(name) for name in _COMMON}
            options["privileges"] = tuple(options["privileges"] or ())
            asked = Common(**options)
            with reporting(asked.json):
                desk = Desk(asked)
                try:
                    function(desk, **values)
                finally:
                    desk.close()

        parameters = [*own, *common]
        run.__doc__ = _with_examples(function.__doc__ or "")
        run.__name__ = function.__name__
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        into.command(name, rich_help_panel=panel)(run)
        return function

    return register


def _with_examples(text: str) -> str:
    """Paragraphs of calls are examples: typer's Markdown keeps their lines apart only between fences."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    for number, one in enumerate(paragraphs):
        lines = [line.strip() for line in one.splitlines()]
        if all(line.startswith("postroom ") for line in lines):
            paragraphs[number] = "\n".join(["```", *lines, "```"])
    return "\n\n".join(paragraphs)


def group(app: typer.Typer, name: str, text: str) -> typer.Typer:
    made = typer.Typer(help=text, no_args_is_help=True, rich_markup_mode="markdown")
    app.add_typer(made, name=name, rich_help_panel="Administration")
    return made
