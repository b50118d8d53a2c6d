"""`postroom serve`: the simulated servers, for anyone, in any language."""

from __future__ import annotations

import json
import queue
import signal
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from postroom.cli.serve_world import MadeUp, Ways, furnish, set_pages, set_troubles, set_ways, shown_message

if TYPE_CHECKING:
    from postroom_simulator import World
    from postroom_simulator.journal import Entry
    from postroom_simulator.net.tcp import Servers

    News = queue.SimpleQueue[Entry | None]

__all__ = ["register", "set_troubles"]

LISTED = ("smtp", "smtps", "pop3", "pop3s", "ews", "ewss")
PAGES = ("http", "https")
"""Services that listen only where somebody asks for them."""
URLS = {"ews": "http", "ewss": "https", "http": "http", "https": "https"}
"""Services that clients reach by a URL, and its scheme."""
JOURNAL_ENTRIES = 100_000
"""What the journal of a server that runs for weeks keeps: the newest entries. Ours."""
TOKEN_LIFETIME = 86_400.0
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Show(StrEnum):
    """What is printed while the servers run."""

    TRAFFIC = "traffic"
    MESSAGES = "messages"
    NOTHING = "nothing"


class RelayFor(StrEnum):
    """Whose mail for people elsewhere is taken."""

    ANYONE = "anyone"
    AUTHENTICATED = "authenticated"
    NOBODY = "nobody"


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
    contacts: Annotated[
        int,
        typer.Option(
            min=0, max=10_000, metavar="N", help="Give each of the people N contacts, and a list or two of them. With --people."
        ),
    ] = 0,
    appointments: Annotated[
        int,
        typer.Option(
            min=0,
            max=1000,
            metavar="N",
            help="Give each mailbox N appointments and tasks of the weeks around now, a weekly series and meetings with the others.",
        ),
    ] = 0,
    archive: Annotated[
        list[str] | None, typer.Option("--archive", metavar="ADDRESS", help="Give that mailbox an archive (EWS). Repeatable.")
    ] = None,
    smtp_port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="SMTP with STARTTLS; 0 picks a free port.")
    ] = 0,
    smtps_port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="SMTP over implicit TLS; 0 likewise.")] = 0,
    pop3_port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="POP3 with STLS; 0 likewise.")] = 0,
    pop3s_port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="POP3 over implicit TLS; 0 likewise.")] = 0,
    ews_port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="Exchange Web Services over HTTP; 0 likewise.")
    ] = 0,
    ews_tls_port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="The same over HTTPS; 0 likewise.")] = 0,
    http_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, metavar="PORT", help="Pages over HTTP; 0 likewise. Usual with --publish, else nothing listens."
        ),
    ] = None,
    https_port: Annotated[
        int | None, typer.Option(min=0, max=65535, metavar="PORT", help="The same over HTTPS; 0 likewise.")
    ] = None,
    publish: Annotated[
        list[str] | None,
        typer.Option(
            "--publish",
            metavar="PATH=FILE",
            help="A page over HTTP and HTTPS, as /feed=news.xml; the file is looked at in each request. Repeatable.",
        ),
    ] = None,
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
    mailboxes_for: Annotated[
        list[str] | None,
        typer.Option(
            "--mailboxes-for",
            metavar="DOMAIN",
            help='Mail for anybody of this domain ("*": of any) makes a mailbox, with the password secret. Repeatable.',
        ),
    ] = None,
    auth: Annotated[
        list[str] | None,
        typer.Option(
            "--auth",
            metavar="NAME[,NAME]",
            help="Mechanisms of AUTH, POP3 and SMTP: PLAIN, LOGIN, CRAM-MD5, XOAUTH2, OAUTHBEARER. Repeatable.",
        ),
    ] = None,
    ews_auth: Annotated[
        list[str] | None,
        typer.Option(
            "--ews-auth",
            metavar="NAME[,NAME]",
            help="What EWS offers for logging in, in this order: Basic (usual), NTLM, Negotiate, Bearer. Repeatable.",
        ),
    ] = None,
    apop: Annotated[bool, typer.Option("--apop", help="Offer APOP in POP3.")] = False,
    hide: Annotated[
        list[str] | None,
        typer.Option(
            "--hide",
            metavar="[PROTOCOL=]NAME",
            help="Be without an extension, a capability or a mechanism: CHUNKING, pop3=UIDL. Repeatable.",
        ),
    ] = None,
    token: Annotated[
        list[str] | None,
        typer.Option(
            "--token", metavar="ADDRESS", help="Print an OAuth access token for that mailbox, good for a day. Repeatable."
        ),
    ] = None,
    require_auth: Annotated[bool, typer.Option("--require-auth", help="No mail without a login.")] = False,
    require_tls: Annotated[bool, typer.Option("--require-tls", help="No mail and no passwords in the clear.")] = False,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A certificate of your own (PEM, with its chain).")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key, unless it is in the same file.")] = None,
    hostname: Annotated[str, typer.Option(metavar="NAME", help="What the servers call themselves.")] = "mail.sim.test",
    max_size: Annotated[
        int | None, typer.Option(min=1, metavar="OCTETS", help="The largest message that is taken (25 MiB).")
    ] = None,
    max_recipients: Annotated[int | None, typer.Option(min=1, metavar="N", help="The most recipients of one (1,000).")] = None,
    quota: Annotated[int | None, typer.Option(min=0, metavar="OCTETS", help="What each mailbox may hold.")] = None,
    idle_limit: Annotated[
        float | None, typer.Option(min=0.001, metavar="SECONDS", help="Silence after which a client is let go.")
    ] = None,
    relay: Annotated[
        RelayFor, typer.Option(help="Whose mail for people elsewhere is taken (into the drawer).")
    ] = RelayFor.ANYONE,
    relay_to: Annotated[
        list[str] | None, typer.Option("--relay-to", metavar="DOMAIN", help="Only for people of this domain. Repeatable.")
    ] = None,
    refuse: Annotated[
        list[str] | None,
        typer.Option("--refuse", metavar="ADDRESS", help="550 for this recipient, or @DOMAIN for a whole domain. Repeatable."),
    ] = None,
    drawer: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write mail for people elsewhere here, an .eml each, as it comes.")
    ] = None,
    keep: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Keep the newest N messages of each mailbox and of the drawer.")
    ] = None,
    show: Annotated[
        Show | None, typer.Option(help="What to print: all traffic (usual), a line for each message, nothing (with --json).")
    ] = None,
    log: Annotated[Path | None, typer.Option(metavar="FILE", help="Append all traffic to this file, with times.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One line of JSON once everything listens; what --show prints is JSON too.")
    ] = False,
) -> None:
    """Start POP3, SMTP and EWS servers that behave, and misbehave, on cue. Nothing sent to them leaves this machine.

    Mail for known accounts lands in their Inboxes; everything else in a drawer. End with Ctrl-C.
    """
    from postroom.cli.texts import told
    from postroom_simulator import SystemClock, World
    from postroom_simulator.drawer import keep_newest, write_drawer
    from postroom_simulator.errors import SimulatorError
    from postroom_simulator.fault_files import load_faults

    world = World(seed=seed, clock=SystemClock(), hostname=hostname, journal_capacity=JOURNAL_ENTRIES)
    ways = Ways(
        mechanisms=auth or [],
        ews_mechanisms=ews_auth or [],
        apop=apop,
        hide=hide or [],
        require_auth=require_auth,
        require_tls=require_tls,
        max_size=max_size,
        max_recipients=max_recipients,
        idle_limit=idle_limit,
        relay=relay.value,
        relay_to=relay_to or [],
        refuse=refuse or [],
        mailboxes_for=mailboxes_for or [],
        accept_anyone=accept_anyone,
        certificate=tls_cert,
        key=tls_key,
    )
    with ExitStack() as open_files:
        try:
            open_files.callback(world.close)
            made_up = MadeUp(people, contacts, appointments)
            furnish(world, account or [], import_ or [], made_up, quota, archive or [])
            set_ways(world, ways)
            set_pages(world, publish or [])
            set_troubles(world, tls_trouble or [])
            for fault in load_faults(faults) if faults is not None else ():
                world.faults.add(fault)
            if ca_file is not None:
                world.authority.write(ca_file)
            if drawer is not None:
                write_drawer(world, drawer)
            if keep is not None:
                keep_newest(world, keep)
            shown = show or (Show.NOTHING if as_json else Show.TRAFFIC)
            written = open_files.enter_context(log.open("a", encoding="utf-8", buffering=1)) if log is not None else None
            tokens = {address: world.tokens.issue(address, lifetime=TOKEN_LIFETIME).access for address in token or []}
            wanted = dict(zip(LISTED, (smtp_port, smtps_port, pop3_port, pop3s_port, ews_port, ews_tls_port), strict=True))
            for name, port in zip(PAGES, (http_port, https_port), strict=True):
                if port is not None or publish:
                    wanted[name] = port or 0
            if host not in LOOPBACK:
                typer.echo(
                    f"postroom: warning: {host} is not loopback; anyone who reaches this machine can use these servers",
                    err=True,
                )
            news: News = queue.SimpleQueue()
            if shown is not Show.NOTHING or written is not None:
                world.journal.listen(news.put)  # before anybody can connect: nothing is missed
            servers = world.listen(host=host, ports=wanted, allow_remote=True)
            _run(world, servers, news, seed=seed, as_json=as_json, show=shown, log=written, tokens=tokens)
        except (SimulatorError, OSError) as error:
            typer.echo(f"postroom serve: {told(error)}", err=True)
            raise typer.Exit(2) from None


def _run(
    world: World,
    servers: Servers,
    news: News,
    *,
    seed: int,
    as_json: bool,
    show: Show,
    log: TextIO | None,
    tokens: dict[str, str],
) -> None:
    """Say where everything is, show what happens, and stay until a signal comes."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: news.put(None))
    if as_json:
        ready: dict[str, Any] = {
            name: {"host": servers.addresses[name][0], "port": servers.addresses[name][1]} for name in _listening(servers)
        }
        for name in [one for one in URLS if one in ready]:
            ready[name]["url"] = _url(name, servers)
        ready["accounts"] = [account.address for account in world.directory.accounts()]
        ready["seed"] = seed
        if tokens:
            ready["tokens"] = tokens
        print(json.dumps(ready), flush=True)
    else:
        _table(world, servers, tokens, show)
    while (entry := news.get()) is not None:
        if log is not None:
            log.write(f"{entry.at:%Y-%m-%dT%H:%M:%S.%fZ} {entry.line()}\n")
        line = _shown(world, entry, show, as_json=as_json)
        if line is not None:
            print(line, flush=True)
    if not as_json:
        print("stopped", flush=True)


def _url(service: str, servers: Servers) -> str:
    """Of the endpoint. The certificate is for localhost too, so that is what loopback is called."""
    host, port = servers.addresses[service]
    name = "localhost" if host in LOOPBACK else f"[{host}]" if ":" in host else host
    return f"{URLS[service]}://{name}:{port}{'' if service in PAGES else '/EWS/Exchange.asmx'}"


def _listening(servers: Servers) -> list[str]:
    return [name for name in (*LISTED, *PAGES) if name in servers.addresses]


def _shown(world: World, entry: Entry, show: Show, *, as_json: bool) -> str | None:
    """An entry as it is printed; None: it is not."""
    if show is Show.MESSAGES:
        return shown_message(world, entry, as_json=as_json) if entry.kind == "delivery" else None
    if show is Show.NOTHING:
        return None
    return json.dumps({"at": entry.at.isoformat(), "line": entry.line()}) if as_json else entry.line()


def _table(world: World, servers: Servers, tokens: dict[str, str], show: Show) -> None:
    from rich.console import Console
    from rich.table import Table

    kinds = {
        "smtp": "SMTP, STARTTLS",
        "smtps": "SMTP over TLS",
        "pop3": "POP3, STLS",
        "pop3s": "POP3 over TLS",
        "ews": "EWS over HTTP",
        "ewss": "EWS over HTTPS",
        "http": "pages over HTTP",
        "https": "pages over HTTPS",
    }
    table = Table(title="Postroom listens", title_justify="left")
    for heading in ("service", "host", "port"):
        table.add_column(heading)
    for name in _listening(servers):
        host, port = servers.addresses[name]
        table.add_row(kinds[name], host, str(port))
    console = Console()
    console.print(table)
    for name in [one for one in URLS if one in servers.addresses]:
        console.print(_url(name, servers), highlight=False, soft_wrap=True)
    addresses = [account.address for account in world.directory.accounts()]
    shown = ", ".join(addresses[:10]) + (f" and {len(addresses) - 10} more" if len(addresses) > 10 else "")
    console.print(f"mailboxes: {shown or 'none (add some with --account, --people or --accept-anyone)'}")
    for address, token in tokens.items():
        console.print(f"token of {address}: {token}", highlight=False, soft_wrap=True)
    headings = {Show.TRAFFIC: " Traffic:", Show.MESSAGES: " Messages:", Show.NOTHING: ""}
    console.print(f"Ctrl-C ends it.{headings[show]}", highlight=False)


def register(app: typer.Typer) -> None:
    app.command()(serve)
