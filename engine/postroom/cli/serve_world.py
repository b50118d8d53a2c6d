"""The world that `postroom serve` serves: what its options mean."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

if TYPE_CHECKING:
    from postroom_simulator import World
    from postroom_simulator.journal import Entry

__all__ = ["MadeUp", "Ways", "furnish", "set_pages", "set_troubles", "set_ways", "shown_message"]

Relay = Literal["anyone", "authenticated", "nobody"]


@dataclass(slots=True)
class Ways:
    """How the servers behave, as the options of `serve` say it; what is left out stays as it is."""

    mechanisms: list[str] = field(default_factory=list)
    ews_mechanisms: list[str] = field(default_factory=list)
    apop: bool = False
    hide: list[str] = field(default_factory=list)
    require_auth: bool = False
    require_tls: bool = False
    max_size: int | None = None
    max_recipients: int | None = None
    idle_limit: float | None = None
    relay: Relay = "anyone"
    relay_to: list[str] = field(default_factory=list)
    refuse: list[str] = field(default_factory=list)
    mailboxes_for: list[str] = field(default_factory=list)
    accept_anyone: bool = False
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class MadeUp:
    """How much is made up: people with mail, contacts of each of them, and appointments of every mailbox."""

    people: int = 0
    contacts: int = 0
    appointments: int = 0


def _pair(text: str, separator: str, option: str, shape: str) -> tuple[str, str]:
    """Splits at the first separator. The text itself is not repeated in the error: it may hold a password."""
    left, found, right = text.partition(separator)
    if not found or "@" not in left or not right:
        raise typer.BadParameter(f"give {shape}", param_hint=option)
    return left, right


def furnish(
    world: World,
    accounts: Iterable[str],
    imports: Iterable[str],
    made_up: MadeUp,
    quota: int | None,
    archives: Iterable[str] = (),
) -> None:
    """Mailboxes, people, mail and calendars. `quota`: octets that each of them may hold; `archives`: addresses of those that have one. Raises
    typer.BadParameter, SimulatorError."""
    from postroom_simulator.imports import import_into
    from postroom_simulator.populate import populate
    from postroom_simulator.populate_calendars import populate_calendar

    for text in accounts:
        address, password = _pair(text, ":", "--account", "ADDRESS:PASSWORD, for example ada@example.test:secret")
        world.add_account(address, password)
    if made_up.contacts and not made_up.people:
        raise typer.BadParameter("contacts are made up for made-up people: --people N", param_hint="--contacts")
    if made_up.people:
        populate(world, people=made_up.people, messages=10 * made_up.people, contacts=made_up.contacts)
    for text in imports:
        address, path = _pair(text, "=", "--import", "ADDRESS=PATH, for example ada@example.test=mail/")
        if world.directory.get(address) is None:
            world.add_account(address)
        import_into(world, address, path, complain=lambda problem: typer.echo(f"postroom serve: {problem}", err=True))
    for address in archives:
        if world.directory.get(address) is None:
            world.add_account(address)
        world.store.open_archive(world.directory.account(address).address)
    if made_up.appointments:
        few = max(1, made_up.appointments // 5)
        populate_calendar(world, appointments=made_up.appointments, tasks=made_up.appointments, series=few, meetings=few)
    if quota is not None:
        for account in world.directory.accounts():
            world.set_quota(account.address, quota)


def set_pages(world: World, published: Iterable[str]) -> None:
    """Raises typer.BadParameter, WorldError."""
    for text in published:
        path, found, file = text.partition("=")
        if not found or not path.startswith("/") or not file:
            raise typer.BadParameter("give PATH=FILE, for example /feed=news.xml", param_hint="--publish")
        world.http.publish_file(path, Path(file))


def set_ways(world: World, ways: Ways) -> None:
    """Raises WorldError, typer.BadParameter."""
    from postroom_simulator.policies import RefuseRecipient

    smtp, pop3 = world.smtp.settings, world.pop3.settings
    world.accept_anyone = ways.accept_anyone
    if ways.mechanisms:
        smtp.mechanisms = pop3.mechanisms = _mechanisms(ways.mechanisms)
    pop3.apop = ways.apop
    smtp.hidden, pop3.hidden = _hidden(ways.hide)
    smtp.require_auth, smtp.require_tls = ways.require_auth, ways.require_tls
    if ways.require_tls:
        smtp.auth_without_tls = pop3.plaintext_without_tls = False
    smtp.max_octets = ways.max_size or smtp.max_octets
    smtp.max_recipients = ways.max_recipients or smtp.max_recipients
    if ways.idle_limit is not None:
        smtp.idle_limit = pop3.idle_limit = world.ews.idle_limit = ways.idle_limit
    if ways.ews_mechanisms:
        world.ews.challenges = _ews_mechanisms(ways.ews_mechanisms)
    smtp.relay = ways.relay
    if ways.relay_to:
        smtp.relay_domains = frozenset(_domain(name, "--relay-to") for name in ways.relay_to)
    world.open_domains = frozenset(
        name if name == "*" else _domain(name, "--mailboxes-for").lower() for name in ways.mailboxes_for
    )
    for who in ways.refuse:
        if "@" not in who:
            raise typer.BadParameter("give an address, or @DOMAIN for all of a domain", param_hint="--refuse")
        world.smtp.policies.add(RefuseRecipient(who))
    if ways.certificate is not None:
        world.authority.use(ways.certificate, ways.key)
    elif ways.key is not None:
        raise typer.BadParameter("a key needs its certificate: --tls-cert FILE", param_hint="--tls-key")


def _mechanisms(names: Iterable[str]) -> tuple[str, ...]:
    from postroom_simulator.fault_rules import nearest
    from postroom_simulator.sasl import MECHANISMS

    found = list(dict.fromkeys(name.strip().upper() for text in names for name in text.split(",")))
    for name in found:
        if name not in MECHANISMS:
            known = ", ".join(MECHANISMS)
            raise typer.BadParameter(
                f"no mechanism is called {name!r}: {known}.{nearest(name, MECHANISMS)}", param_hint="--auth"
            )
    return tuple(found)


def _ews_mechanisms(names: Iterable[str]) -> list[str]:
    from postroom_simulator.ews.identity import MECHANISMS
    from postroom_simulator.fault_rules import nearest

    known = {name.lower(): name for name in MECHANISMS}
    asked = list(dict.fromkeys(name.strip() for text in names for name in text.split(",")))
    for name in asked:
        if name.lower() not in known:
            told = ", ".join(MECHANISMS)
            raise typer.BadParameter(
                f"no mechanism is called {name!r}: {told}.{nearest(name, MECHANISMS)}", param_hint="--ews-auth"
            )
    return [known[name.lower()] for name in asked]


def _hidden(names: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """For SMTP and POP3: "pop3=UIDL" for one of them, "STARTTLS" for whoever has such a thing."""
    from postroom_simulator import offers
    from postroom_simulator.errors import WorldError

    found: dict[str, set[str]] = {"smtp": set(), "pop3": set()}
    for text in names:
        protocol, _, name = text.rpartition("=")
        if protocol not in ("", *found):
            raise typer.BadParameter("give NAME, smtp=NAME or pop3=NAME", param_hint="--hide")
        problems = []
        for each in [protocol] if protocol else found:
            try:
                found[each] |= offers.checked(each, [name])
            except WorldError as problem:
                problems.append(problem)
        if len(problems) == (1 if protocol else 2):
            raise problems[0]
    return frozenset(found["smtp"]), frozenset(found["pop3"])


def _domain(name: str, option: str) -> str:
    if not name or "@" in name or " " in name:
        raise typer.BadParameter("give a domain, for example example.test", param_hint=option)
    return name


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


def shown_message(world: World, entry: Entry, *, as_json: bool) -> str:
    """A message that arrived, as one line."""
    from postroom_simulator.errors import StoreError

    data = entry.data
    where = entry.account or data["folder"]
    store = world.store
    drawn = data["folder"] == "drawer"
    try:
        size = store.outbound_item(data["uid"]).size if drawn else store.item(data["uid"]).size
    except StoreError:  # somebody fetched it already
        size = None
    if as_json:
        told: dict[str, Any] = {
            "at": entry.at.isoformat(),
            "mailbox": entry.account,
            "folder": data["folder"],
            "sender": data["sender"],
            "recipient": data["recipient"],
            "subject": data["subject"],
            "message_id": data["message_id"],
            "octets": size,
        }
        return json.dumps(told)
    octets = "" if size is None else f", {size:,} octets"
    return (
        f"{entry.at:%H:%M:%S} {where}: <{data['sender']}> to <{data['recipient']}>, {data['subject'] or '(no subject)'}{octets}"
    )
