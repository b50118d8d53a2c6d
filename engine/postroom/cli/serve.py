"""`postroom serve`: the simulated servers, for anyone, in any language."""

from __future__ import annotations

import json
import queue
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from postroom_simulator import World
    from postroom_simulator.journal import Entry
    from postroom_simulator.net.tcp import Servers

__all__ = ["register", "set_troubles"]

LISTED = ("smtp", "smtps", "pop3", "pop3s")
JOURNAL_ENTRIES = 100_000
"""What the journal of a server that runs for weeks keeps: the newest entries. Ours."""
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def _pair(text: str, separator: str, option: str, shape: str) -> tuple[str, str]:
    """Splits at the first separator. The text itself is not repeated in the error: it may hold a password."""
    left, found, right = text.partition(separator)
    if not found or "@" not in left or not right:
        raise typer.BadParameter(f"give {shape}", param_hint=option)
    return left, right


def serve(
    account: Annotated[
        list[str] | None, typer.Option("--account", metavar="ADDRESS:PASSWORD", help="A mailbox and its password. Repeatable.")
    ] = None,
    import_: Annotated[
        list[str] | None,
        typer.Option(
            "--import",
            metavar="ADDRESS=PATH",
            help="Messages for that Inbox: an .eml, a folder, an mbox, a Maildir. An address without --account gets the password secret. Repeatable.",
        ),
    ] = None,
    people: Annotated[
        int, typer.Option(min=0, max=10_000, metavar="N", help="Make up N people with mail in their Inboxes; password: secret.")
    ] = 0,
    smtp_port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="SMTP with STARTTLS; 0 picks a free port.")
    ] = 0,
    smtps_port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="SMTP over implicit TLS; 0 likewise.")] = 0,
    pop3_port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="POP3 with STLS; 0 likewise.")] = 0,
    pop3s_port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="POP3 over implicit TLS; 0 likewise.")] = 0,
    host: Annotated[
        str, typer.Option(help="Where to listen. Anything but loopback lets others on your network in.")
    ] = "127.0.0.1",
    faults: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What goes wrong, and when (TOML; see docs/faults.md).")
    ] = None,
    tls_trouble: Annotated[
        list[str] | None,
        typer.Option(
            "--tls-trouble",
            metavar="[SERVICE=]NAME",
            help="A trouble with TLS, for all services or one: expired, wrong-name, stripped ... (see `postroom faults list`). Repeatable.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed, the same ids, people and chance.")] = 0,
    ca_file: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Write the CA certificate that clients should trust here.")
    ] = None,
    accept_anyone: Annotated[
        bool, typer.Option("--accept-anyone", help="Any user name and password log in; a mailbox is made at once.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One line of JSON once everything listens, and no display of traffic.")
    ] = False,
) -> None:
    """Start POP3 and SMTP servers that behave, and misbehave, on cue. Nothing sent to them leaves this machine.

    Mail for known accounts lands in their Inboxes; everything else in a drawer. End with Ctrl-C.
    """
    from postroom.cli.texts import told
    from postroom_simulator import SystemClock, World
    from postroom_simulator.errors import SimulatorError

    world = World(seed=seed, clock=SystemClock(), journal_capacity=JOURNAL_ENTRIES)
    try:
        _furnish(world, account or [], import_ or [], people, faults, accept_anyone=accept_anyone)
        set_troubles(world, tls_trouble or [])
        if ca_file is not None:
            world.authority.write(ca_file)
        wanted = dict(zip(LISTED, (smtp_port, smtps_port, pop3_port, pop3s_port), strict=True))
        if host not in LOOPBACK:
            typer.echo(
                f"postroom: warning: {host} is not loopback; anyone who reaches this machine can use these servers", err=True
            )
        servers = world.listen(host=host, ports=wanted, allow_remote=True)
        _run(world, servers, seed=seed, as_json=as_json)
    except (SimulatorError, OSError) as error:
        typer.echo(f"postroom serve: {told(error)}", err=True)
        raise typer.Exit(2) from None
    finally:
        world.close()


def _furnish(
    world: World, accounts: list[str], imports: list[str], people: int, faults: Path | None, *, accept_anyone: bool
) -> None:
    from postroom_simulator.fault_files import load_faults
    from postroom_simulator.imports import import_into
    from postroom_simulator.populate import populate

    world.accept_anyone = accept_anyone
    for text in accounts:
        address, password = _pair(text, ":", "--account", "ADDRESS:PASSWORD, for example ada@example.test:secret")
        world.add_account(address, password)
    if people:
        populate(world, people=people, messages=10 * people)
    for text in imports:
        address, path = _pair(text, "=", "--import", "ADDRESS=PATH, for example ada@example.test=mail/")
        if world.directory.get(address) is None:
            world.add_account(address)
        import_into(world, address, path)
    if faults is not None:
        for fault in load_faults(faults):
            world.faults.add(fault)


def set_troubles(world: World, wanted: list[str]) -> None:
    """ "expired" for all services, "pop3s=expired" for one, which goes before what is said for all. Raises FaultError."""
    from postroom_simulator.faults import TlsTrouble

    troubles: dict[str, TlsTrouble] = {}
    for text in sorted(wanted, key=lambda text: "=" in text):
        service, named, name = text.rpartition("=")
        if named:
            world.tls = troubles | {service: TlsTrouble(name)}
        else:
            world.tls = TlsTrouble(name)
        troubles = dict(world.tls)


def _run(world: World, servers: Servers, *, seed: int, as_json: bool) -> None:
    """Say where everything is, show traffic, and stay until a signal comes."""
    news: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: news.put(None))
    if as_json:
        ready: dict[str, Any] = {
            name: {"host": servers.addresses[name][0], "port": servers.addresses[name][1]} for name in LISTED
        }
        ready["accounts"] = [account.address for account in world.directory.accounts()]
        ready["seed"] = seed
        print(json.dumps(ready), flush=True)
    else:
        _table(world, servers)
        world.journal.listen(news.put)
    while (entry := news.get()) is not None:
        print(entry.line(), flush=True)
    if not as_json:
        print("stopped", flush=True)


def _table(world: World, servers: Servers) -> None:
    from rich.console import Console
    from rich.table import Table

    kinds = {"smtp": "SMTP, STARTTLS", "smtps": "SMTP over TLS", "pop3": "POP3, STLS", "pop3s": "POP3 over TLS"}
    table = Table(title="Postroom listens", title_justify="left")
    for heading in ("service", "host", "port"):
        table.add_column(heading)
    for name in LISTED:
        host, port = servers.addresses[name]
        table.add_row(kinds[name], host, str(port))
    console = Console()
    console.print(table)
    addresses = [account.address for account in world.directory.accounts()]
    shown = ", ".join(addresses[:10]) + (f" and {len(addresses) - 10} more" if len(addresses) > 10 else "")
    console.print(f"mailboxes: {shown or 'none (add some with --account, --people or --accept-anyone)'}")
    console.print("Ctrl-C ends it. Traffic:", highlight=False)


def register(app: typer.Typer) -> None:
    app.command()(serve)
