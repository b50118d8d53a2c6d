"""`postroom provider`: custom email providers, from the first line to the proof that they are right."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroom.cli import provider_state
from postroom.cli.desk import Failed, UsageProblem, reporting
from postroom.cli.provider_new import Kind
from postroom.cli.texts import counted

if TYPE_CHECKING:
    from postroom.providers.configuration import RouterFile
    from postroom.providers.contract import Provider
    from postroom.providers.registry import Registry

__all__ = ["register", "registry_here"]

NAME = typer.Argument(
    metavar="NAME", help="A provider's name, or a class path `package.module:Class`. `postroom provider list` shows the names."
)
FILE = typer.Argument(metavar="FILE", help="A router's configuration file, as EmailAgent.xml.")
PREFER = typer.Option(
    "--prefer", metavar="NAME=PACKAGE", help="Which package's provider NAME means, where several offer it. Repeatable."
)
JSON = typer.Option("--json", help="The answer as JSON, errors too.")


def registry_here(prefer: list[str] | None = None) -> Registry:
    """What is installed, and what lies in the current folder: an author has not always installed what is being written."""
    from postroom.providers.registry import Registry

    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    wanted = [text.partition("=") for text in prefer or ()]
    if wrong := ["=".join((name, package)) for name, sign, package in wanted if not (name and sign and package)]:
        raise UsageProblem(f"--prefer: NAME=PACKAGE expected, not {wrong[0]!r}")
    return Registry.default(prefer={name: package for name, _, package in wanted})


def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What the package and the provider are called, for example acme_inbox.")
    ],
    kind: Annotated[
        Kind,
        typer.Option(
            "--kind", help="inbound: a source of its own; outbound: another way to send; pop3: POP3 with one step changed."
        ),
    ] = Kind.INBOUND,
    into: Annotated[Path, typer.Option("--in", metavar="FOLDER", help="Where the package's folder is made.")] = Path(),
) -> None:
    """Write a small package with a provider that works: configuration, provider, tests with the conformance kit.

    ```
    postroom provider new acme_inbox
    cd acme_inbox
    postroom provider check --suite tests/test_acme_inbox.py
    ```
    """
    with reporting(as_json=False):
        from postroom.cli.provider_new import make

        written = make(name, kind, into)
        for path in written:
            typer.echo(path)
        (suite,) = [path for path in written if path.parent.name == "tests"]
        folder = suite.parents[1]
        typer.echo(f"\nNext: cd {folder}; python -m pytest     (each check of the kit is a test; README.md says the rest)")


def list_(
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 when anything is not as it should be.")] = False,
    prefer: Annotated[list[str] | None, PREFER] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Each provider that is known: what it does, where it comes from, and what keeps a broken one from being used."""
    with reporting(as_json):
        rows = registry_here(prefer).listing()
        if as_json:
            typer.echo(json.dumps({"providers": [_listed(row) for row in rows]}, ensure_ascii=False, indent=2))
        else:
            from postroom.cli.show import table

            table(("name", "", "comes from", "also called", "what is wrong"), [_columns(row) for row in rows])
        if strict and any(row.finding for row in rows):
            raise Failed("not everything is as it should be")


def _listed(row: Any) -> dict[str, Any]:
    from postroom.providers.registry import BrokenProvider

    broken = isinstance(row.kind, BrokenProvider)
    known = {} if broken else {
        "class": f"{row.kind.__module__}:{row.kind.__qualname__}",
        "direction": row.kind.spec.direction,
        "capabilities": sorted(one.value for one in row.kind.spec.capabilities),
    }  # fmt: skip
    return {
        "name": row.name,
        "source": row.source,
        "usable": not broken,
        **known,
        "aliases": list(row.aliases),
        "finding": row.finding,
        "trace": row.kind.trace if broken else "",
    }


def _columns(row: Any) -> tuple[str, ...]:
    one = _listed(row)
    return row.name, one.get("direction", "broken"), row.source, " ".join(row.aliases), row.finding


# -- configuration


def validate(
    file: Annotated[Path, FILE],
    strict: Annotated[bool, typer.Option("--strict", help="Unknown elements are errors, not warnings.")] = False,
    prefer: Annotated[list[str] | None, PREFER] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Say everything that is wrong with a configuration file, by line. Values are never repeated: any could be a password.

    Exit code 0 when it can be used, 1 when it cannot."""
    with reporting(as_json):
        from postroom.providers.configuration import validate as look
        from postroom.providers.configuration.router_file import from_registry

        read, problems = look(file, strict=strict, resolve=from_registry(registry_here(prefer)))
        if as_json:
            found = [
                {
                    "code": one.code,
                    "path": one.path,
                    "line": one.line,
                    "text": one.text,
                    "remedy": one.remedy,
                    "error": one.error,
                }
                for one in problems
            ]
            typer.echo(json.dumps({"usable": read is not None, "problems": found}, ensure_ascii=False, indent=2))
        else:
            for one in problems:
                typer.echo(str(one) if one.path == str(file) else f"{file}: {one}", err=one.error)
            if read is not None:
                typer.echo(_summary(file, read, warnings=len(problems)))
        if read is None:
            raise Failed("the file cannot be used")


def _summary(path: Path, file: RouterFile, *, warnings: int) -> str:
    kinds = sorted({entry.provider.name for entry in file.providers})
    told = f" of {', '.join(kinds)}" if kinds else ""
    return f"{path}: {counted(len(file.providers), 'provider configuration')}{told}; " + (
        f"usable, with {counted(warnings, 'warning')}" if warnings else "nothing wrong"
    )


def elements(
    name: Annotated[str, NAME], markdown: Annotated[bool, typer.Option("--markdown", help="As a Markdown table.")] = False
) -> None:
    """Each element that a provider's configuration may hold: type, default, meaning."""
    with reporting(as_json=False):
        from postroom.providers import configuration

        model = _kind(name).spec.config
        typer.echo(configuration.markdown(model) if markdown else configuration.help_text(model), nl=False)


def schema(
    name: Annotated[str, NAME],
    xsd: Annotated[bool, typer.Option("--xsd", help="An XML schema instead of a JSON schema.")] = False,
) -> None:
    """A schema of a provider's configuration, for editors and other tools."""
    with reporting(as_json=False):
        from postroom.providers import configuration

        model = _kind(name).spec.config
        typer.echo(
            configuration.xsd(model) if xsd else json.dumps(configuration.json_schema(model), indent=2, ensure_ascii=False)
        )


def _kind(name: str) -> type[Provider]:
    return registry_here().find(name)


# -- the conformance kit


def check(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="A provider's name, or a class path `package.module:Class`.")
    ] = "",
    suite: Annotated[
        str,
        typer.Option(
            "--suite", metavar="FILE[:CLASS]", help="A test file with a ProviderSuite, which says how to try the provider."
        ),
    ] = "",
    scenario: Annotated[
        Path | None, typer.Option("--scenario", metavar="TOML", help="The same, as a file without Python.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("-k", "--only", metavar="ID", help="Only this check, family (INB) or profile (inbound). Repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed, the same messages and chances.")] = 0,
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=10_000, help="So many seeds, one after the other.")] = 1,
    waivers: Annotated[
        Path | None, typer.Option("--waivers", metavar="TOML", help="Failures that somebody answers for until a date.")
    ] = None,
    reports: Annotated[
        Path | None,
        typer.Option(
            "--reports",
            metavar="FOLDER",
            help="Write a page to read (HTML), JSON, JUnit XML, Markdown, a badge for shields.io, and the certificate of a whole run.",
        ),
    ] = None,
    explain: Annotated[str, typer.Option("--explain", metavar="ID", help="Say what a check demands and why, and end.")] = "",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Name every check.")] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Prove a provider right, or say exactly what is wrong: the conformance kit.

    Simulated servers, a simulated organization, a clock that stands still: nothing outside this machine is reached. Exit codes: 0 all Must
    checks of the claimed profiles hold; 1 some do not; 2 the kit or a test fixture broke; 3 too little ran; 4 a waiver is past its date.

    ```
    postroom provider check pop3
    postroom provider check --suite tests/test_acme_inbox.py --reports reports
    postroom provider check acme:Rss -k STA-09 --seed 7
    postroom provider check --explain STA-09
    ```
    """
    with reporting(as_json):
        from postroom.cli.provider_check import Asked, explanation, try_provider

        if explain:
            typer.echo(explanation(explain), nl=False)
            return
        tried = Asked(name, suite, scenario, tuple(only or ()), range(seed, seed + seeds), waivers, reports, verbose, as_json)
        code = try_provider(tried)
    raise typer.Exit(code)


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A report as JSON.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="A later one.")],
) -> None:
    """Compare two reports: what got worse, what was mended, which checks are new. Exit code 1 when something got worse."""
    with reporting(as_json=False):
        from postroom.cli.provider_check import compare

        compare(old, new)


def verify(file: Annotated[Path, typer.Argument(metavar="FILE", help="A certificate.")]) -> None:
    """Look whether a certificate is whole and says that the provider conforms. Neither provider nor its machine are needed."""
    with reporting(as_json=False):
        from postroom.cli.provider_check import examine

        examine(file)


# -- run


def run(
    file: Annotated[Path, FILE],
    only: Annotated[
        str,
        typer.Option("--only", metavar="NAME", help="Only the provider of this name (its Name element, or the provider's)."),
    ] = "",
    send_to: Annotated[
        str,
        typer.Option("--send-to", metavar="ADDRESS", help="Outbound providers really send one test message to this address."),
    ] = "",
    send_from: Annotated[
        str, typer.Option("--from", metavar="ADDRESS", help="Its sender. Default: the address it goes to.")
    ] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Messages taken in at most.")] = 20,
    ca_file: Annotated[Path | None, typer.Option("--ca-file", metavar="PEM", help="Trust these certificates too.")] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Rehearse: check each provider of a file and run it once at its real server, and show what it took.

    Nothing is kept: the run ends where it would commit, so what was taken stays at the source and is new to the next run. An outbound
    provider sends nothing, or with --send-to one real test message. Exit code 1 when a provider failed.

    ```
    postroom provider run router.xml
    postroom provider run router.xml --only smtp --send-to me@example.com
    ```
    """
    with reporting(as_json):
        from postroom.cli.provider_run import rehearse_file

        rehearse_file(file, only, send_to, send_from, limit, ca_file, as_json=as_json)


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Custom email providers: make one, look at it, prove it right, run it.",
        no_args_is_help=True,
        rich_markup_mode="markdown",
    )
    group.command()(new)
    group.command("list")(list_)
    group.command()(check)
    group.command()(diff)
    group.command()(verify)
    group.command()(run)
    config = typer.Typer(help="A provider's configuration, and the files that hold it.", no_args_is_help=True)
    config.command()(validate)
    config.command()(elements)
    config.command()(schema)
    group.add_typer(config, name="config")
    provider_state.register(group)
    app.add_typer(group, name="provider", rich_help_panel="Custom providers")
