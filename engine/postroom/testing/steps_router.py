"""The phrases about the Email Router: its file, its instances, what becomes of them.

A feed is a source that a scenario fills itself: the provider "feed" takes in what lies there. POP3 and SMTP entries point to the scene's mail server.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, parsers, then, when

from postroom.channels.email_router import EmailRouter, InstanceStatus
from postroom.errors import AuthError, ConfigError, ConnectionFailed, StateError, TransientError
from postroom.mime.parse import parse_message
from postroom.model import TraceLog
from postroom.organization import SYSTEM, Organization
from postroom.providers.contract import Disposition, IncomingOffer
from postroom.testing.misbehaving import Misbehaving
from postroom.testing.router_stage import FeedState, RouterStage, mail, provider
from postroom.testing.scene import Party, Scene
from postroom_simulator.faults import Fault, Reply, When

SECRET = "Xyzzy-Plugh-42"  # noqa: S105 - of nobody


@dataclass
class Stage:
    """What the scenario wrote into the file so far, and the routers that were started."""

    base: RouterStage
    entries: dict[str, str] = field(default_factory=dict)
    system: dict[str, Any] = field(default_factory=dict)
    parties: dict[str, Party] = field(default_factory=dict)
    others: dict[str, Organization] = field(default_factory=dict)
    routers: dict[str, EmailRouter] = field(default_factory=dict)
    refusal: Exception | None = None
    late: list[str] = field(default_factory=list)

    @property
    def router(self) -> EmailRouter:
        if "the router" not in self.routers:
            self.start("the router")
        return self.routers["the router"]

    def start(self, name: str, **given: Any) -> None:
        organizations = {self.base.scene.name: self.base.organization, **self.others}
        self.routers[name] = self.base.router(*self.words(), system=self.system, organizations=organizations, **given)

    def words(self) -> list[str]:
        return list(self.entries.values()) or [""]

    def write(self) -> None:
        self.base.write(*self.words(), **self.system)

    def instance(self, name: str, router: str = "") -> InstanceStatus:
        return (self.routers[router] if router else self.router).instance(name)

    def events(self) -> list[Any]:
        return list(self.router.events.latest)


# -- the stage ----------------------------------------------------------------------------------------------------------


@given(parsers.parse('an organization "{name}" that uses the Email Router'))
def an_organization(postroom_scene: Scene, postroom_router: Stage, name: str) -> None:
    postroom_scene.name = name
    assert postroom_router.base.organization.name == name


@given(parsers.re(r'(?P<kind>a|another) routed user "(?P<name>[^"]+)" with the address "(?P<address>[^"]+)"'))
def a_routed_user(postroom_router: Stage, kind: str, name: str, address: str) -> None:  # noqa: ARG001
    postroom_router.parties[name] = postroom_router.base.user(name, address)


@given(parsers.parse('the feed "{feed}" holds the mail "{subject}" to "{address}"'))
@when(parsers.parse('the feed "{feed}" gets the mail "{subject}" to "{address}"'))
def feed_holds(postroom_router: Stage, feed: str, subject: str, address: str) -> None:
    postroom_router.base.source.items.setdefault(feed, []).append(mail(subject, address))


@given(parsers.parse("{count:d} organizations beside it, each with a user and a feed of one mail"))
def organizations_beside(postroom_scene: Scene, postroom_router: Stage, count: int) -> None:
    for number in range(count):
        name = f"Org{number}"
        address = f"user@{name.lower()}.test"
        made = postroom_scene.deployment.create_organization(name, emailconnectionchannel=1, requireapprovalforuseremail=False)
        user = made.create(SYSTEM, "systemuser", fullname=name, internalemailaddress=address, incomingemaildeliverymethod=2)
        made.update(SYSTEM, "usersettings", user, incomingemailfilteringmethod=0)
        postroom_router.others[name] = made
        postroom_router.base.source.items[name] = [mail(f"for {name}", address)]
        postroom_router.entries[name] = provider(
            "feed", Name=name, FeedUrl=name, CrmServerUrl=f"https://crm.test/{name}", UserId=user
        )


# -- the file -----------------------------------------------------------------------------------------------------------


@given(parsers.re(r'the file has a feed "(?P<feed>[^"]+)" for "(?P<name>[^"]+)"(?: with (?P<elements>.+))?'))
@when(parsers.re(r'the file has a feed "(?P<feed>[^"]+)" for "(?P<name>[^"]+)"(?: with (?P<elements>.+))?'))
def file_has_feed(postroom_router: Stage, feed: str, name: str, elements: str | None) -> None:
    party = postroom_router.parties[name]
    mine = {"Name": feed, "CrmServerUrl": f"https://crm.test/{postroom_router.base.scene.name}", **_elements(elements)}
    postroom_router.entries[feed] = postroom_router.base.feed(party, feed, **mine)


def _elements(text: str | None) -> dict[str, Any]:
    """`Name=value and Other=value`."""
    return dict(part.strip().strip('"').split("=", 1) for part in text.split(" and ")) if text else {}


@given(parsers.re(r'the file has the provider "(?P<kind>[^"]+)" for "(?P<name>[^"]+)"(?: with (?P<elements>.+))?'))
def file_has_builtin(postroom_router: Stage, kind: str, name: str, elements: str | None) -> None:
    """One of the built-in ones, by any of its names."""
    base, party = postroom_router.base, postroom_router.parties[name]
    sends = "smtp" in kind.lower()
    given: dict[str, Any] = {"Name": f"{name} {'out' if sends else 'in'}", **_elements(elements)}
    entry = base.smtp(party, **given) if sends else base.pop3(party, **given)
    postroom_router.entries[f"{kind} {name}"] = entry.replace(f">{'smtp' if sends else 'pop3'}<", f">{kind}<", 1)


@given(parsers.parse('the file has an smtp provider "{title}" for "{names}" with {elements}'))
def file_has_smtp(postroom_router: Stage, title: str, names: str, elements: str) -> None:
    parties = [postroom_router.parties[name.strip()] for name in names.split(",")]
    postroom_router.entries[title] = postroom_router.base.smtp(*parties, Name=title, **_elements(elements))


@given(parsers.parse('the file has the provider "{kind}" of a package that says "{code}"'))
def file_has_broken(postroom_router: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, code: str) -> None:
    module = kind.partition(":")[0]
    (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop(module, None)
    postroom_router.entries[kind] = provider(kind)


@given(parsers.parse('the file\'s "{name}" is "{value}"'))
@when(parsers.parse('the file\'s "{name}" becomes "{value}"'))
def system_setting(postroom_router: Stage, name: str, value: str) -> None:
    postroom_router.system[name] = str(postroom_router.base.folder / value) if name == "LogFile" else value


@given(parsers.parse('the entry "{name}" is not in the file'))
@when(parsers.parse('the entry "{name}" is taken out of the file'))
def entry_taken_out(postroom_router: Stage, name: str) -> None:
    del postroom_router.entries[name]


@given(parsers.parse('the file has a provider in a process of its own for "{name}" that {does}'))
def file_has_isolated(postroom_router: Stage, name: str, does: str) -> None:
    flavours = {
        "blocks for ever": "block",
        "never stops computing": "spin",
        "ends its process": "exit",
        "prints its password": "print_secret",
        "changes its process": "meddle",
    }
    base = postroom_router.base
    if base.registry.look("misbehaving") is None:
        base.registry.register(Misbehaving)
    entry = {"Name": "stranger", "UserId": postroom_router.parties[name].id, "Flavour": flavours[does], "EmailPassword": SECRET}
    postroom_router.entries["stranger"] = provider("misbehaving", Isolation="Process", **entry)


@when("the file is saved")
def file_saved(postroom_router: Stage) -> None:
    postroom_router.write()


@when("the file is saved cut short")
def file_cut(postroom_router: Stage) -> None:
    postroom_router.write()
    path = postroom_router.base.path
    path.write_bytes(path.read_bytes()[:-30])


# -- time and runs ------------------------------------------------------------------------------------------------------


@given("the router ran")
@when("the router runs")
def the_router_runs(postroom_router: Stage) -> None:
    postroom_router.router.run_due()


@given(parsers.re(r"the router ran again after (?P<count>\d+) (?P<unit>second|minute|hour|day)s?"))
@when(parsers.re(r"the router runs again after (?P<count>\d+) (?P<unit>second|minute|hour|day)s?"))
def the_router_runs_later(postroom_router: Stage, count: str, unit: str) -> None:
    postroom_router.base.scene.advance(timedelta(**{f"{unit}s": int(count)}))
    postroom_router.router.run_due()


@when("the router is stopped and started again")
def router_restarted(postroom_router: Stage) -> None:
    postroom_router.router.close()
    postroom_router.start("the router")
    postroom_router.router.run_due()


@given("a second router with the same file and a memory of its own")
def second_router(postroom_router: Stage) -> None:
    _ = postroom_router.router
    postroom_router.start("the second router", database="sqlite://", holder="elsewhere/2")


@when("the second router runs")
def second_runs(postroom_router: Stage) -> None:
    postroom_router.routers["the second router"].run_due()


@when(parsers.parse('somebody resumes "{name}"'))
def somebody_resumes(postroom_router: Stage, name: str) -> None:
    postroom_router.router.resume(name)
    postroom_router.router.run_due()


@when("the router is closed")
def router_closed(postroom_router: Stage) -> None:
    postroom_router.router.close()


# -- trouble ------------------------------------------------------------------------------------------------------------


def _raise(error: BaseException) -> Callable[[Any], None]:
    def act(_: Any) -> None:
        raise error

    return act


def _tell_secret(ctx: Any) -> None:
    ctx.log("login", f"PASS {SECRET}")
    raise AuthError(f"refused: {SECRET}", reply=SECRET)


def _leave_a_thread(_: Any) -> None:
    threading.Thread(target=_ENOUGH.wait, daemon=True, name="left behind").start()


def _raise_in_a_thread(_: Any) -> None:
    told, threading.excepthook = threading.excepthook, lambda _: None  # it would be told to whoever watches this process
    try:
        thread = threading.Thread(target=_raise(ValueError("in a thread")), args=(None,))
        thread.start()
        thread.join()
    finally:
        threading.excepthook = told


def _meddle(_: Any) -> None:
    os.chdir("/")
    os.environ["POSTROOM_MEDDLED"] = "1"
    socket.setdefaulttimeout(1.0)


_ENOUGH = threading.Event()
_TROUBLES: dict[str, Callable[[Any], Any]] = {
    "leaves a thread behind": _leave_a_thread,
    "raises in a thread of its own": _raise_in_a_thread,
    "changes what belongs to the process": _meddle,
    "cannot be reached": _raise(ConnectionFailed("no line")),
    "asks to be left alone for 2 hours": _raise(TransientError("busy", retry_after=timedelta(hours=2))),
    "refuses the password": _raise(AuthError("refused")),
    "cannot use its state": _raise(StateError("the cursor is nonsense")),
    "makes a mistake": _raise(ValueError("nobody foresaw this")),
    "calls sys.exit": lambda _: sys.exit(3),
    "raises KeyboardInterrupt": _raise(KeyboardInterrupt()),
    "gives back no outcome": lambda _: 7,
    "tells its password": _tell_secret,
}


@given(parsers.re(r'the feed "(?P<feed>[^"]+)" (?P<what>' + "|".join(_TROUBLES) + ")"))
@when(parsers.re(r'the feed "(?P<feed>[^"]+)" (?P<what>' + "|".join(_TROUBLES) + ")"))
def feed_in_trouble(postroom_router: Stage, feed: str, what: str) -> None:
    postroom_router.base.source.before[feed] = _TROUBLES[what]


@given(parsers.parse('the constructor of the feed "{feed}" raises'))
def constructor_raises(postroom_router: Stage, feed: str) -> None:
    postroom_router.base.source.at_birth[feed] = _raise(RuntimeError("no"))


@given(parsers.parse('closing the feed "{feed}" raises'))
def close_raises(postroom_router: Stage, feed: str) -> None:
    postroom_router.base.source.at_close[feed] = _raise(RuntimeError("no"))


@when(parsers.parse('the feed "{feed}" works again'))
def feed_works(postroom_router: Stage, feed: str) -> None:
    postroom_router.base.source.before.pop(feed, None)
    postroom_router.base.source.at_birth.pop(feed, None)


@given(parsers.parse('the feed "{feed}" goes on to deliver after its lease was taken'))
def late_writer(postroom_router: Stage, feed: str) -> None:
    """In the middle of the run somebody revokes it, as the service does with a run that does not end."""

    def act(ctx: Any) -> None:
        postroom_router.router.memory.revoke(ctx.instance)
        postroom_router.base.source.before.pop(feed)
        octets = mail("late", "ada@alder.test")
        ctx.state.commit(FeedState(99))
        offer = IncomingOffer("late", octets, parse_message(octets, monotonic=ctx.clock.monotonic), ctx.clock.now())
        ctx.gateway.settle(offer, Disposition.FILTERED, ctx.gateway.check_incoming(offer))
        postroom_router.late.append("written")

    postroom_router.base.source.before[feed] = act


@given(parsers.parse('while the feed "{feed}" runs the second router runs too'))
def meanwhile(postroom_router: Stage, feed: str) -> None:
    def act(_: Any) -> None:
        postroom_router.base.source.before.pop(feed)
        postroom_router.routers["the second router"].run_due()

    postroom_router.base.source.before[feed] = act


@given(parsers.parse('while the feed "{feed}" runs its entry is taken out of the file'))
def removed_meanwhile(postroom_router: Stage, feed: str) -> None:
    def act(_: Any) -> None:
        postroom_router.base.source.before.pop(feed)
        del postroom_router.entries[feed]
        postroom_router.write()
        postroom_router.router.reload()

    postroom_router.base.source.before[feed] = act


@when(parsers.parse('the organization "{name}" loses its database'))
def database_lost(postroom_router: Stage, name: str) -> None:
    postroom_router.others[name].store.close()
    postroom_router.base.scene.deployment.organizations.pop(name)


@when("the organization changes to server-side synchronization")
def to_sync(postroom_router: Stage) -> None:
    postroom_router.base.organization.update_settings(SYSTEM, emailconnectionchannel=0)


@when("the organization changes back to the Email Router")
def to_router(postroom_router: Stage) -> None:
    postroom_router.base.organization.update_settings(SYSTEM, emailconnectionchannel=1)


@when("the file is read at the start")
def read_at_the_start(postroom_router: Stage) -> None:
    try:
        postroom_router.start("the router")
    except ConfigError as error:
        postroom_router.refusal = error


# -- what came of it ----------------------------------------------------------------------------------------------------


@then(parsers.re(r'the instance "(?P<name>[^"]+)" is (?P<state>\w+)'))
def instance_is(postroom_router: Stage, name: str, state: str) -> None:
    found = postroom_router.instance(name)
    assert found.state == state, found


@then(parsers.re(r'the instance "(?P<name>[^"]+)" is (?P<state>\w+) because "(?P<why>[^"]+)"'))
def instance_is_because(postroom_router: Stage, name: str, state: str, why: str) -> None:
    found = postroom_router.instance(name)
    assert found.state == state, found
    assert why in found.why, found.why


@then(parsers.parse('the instance "{name}" was last told "{text}"'))
def last_error(postroom_router: Stage, name: str, text: str) -> None:
    assert text in postroom_router.instance(name).last_error


@then(parsers.parse('the instance "{name}" does not run again by itself'))
def not_by_itself(postroom_router: Stage, name: str) -> None:
    before = postroom_router.instance(name).counters["runs"]
    postroom_router.base.scene.advance(timedelta(days=2))
    postroom_router.router.run_due()
    assert postroom_router.instance(name).counters["runs"] == before


@then(parsers.parse('the instance "{name}" runs again within {low:d} to {high:d} seconds'))
def runs_within(postroom_router: Stage, name: str, low: int, high: int) -> None:
    due = postroom_router.instance(name).next_due
    assert due is not None
    wait = (due - postroom_router.base.scene.world.clock.now()).total_seconds()
    assert low <= wait <= high, wait


@then(parsers.re(r'the feed "(?P<feed>[^"]+)" was made (?P<made>\d+) times? and closed (?P<closed>\d+) times?'))
def made_and_closed(postroom_router: Stage, feed: str, made: str, closed: str) -> None:
    source = postroom_router.base.source
    assert (source.made.count(feed), source.closed.count(feed)) == (int(made), int(closed))


@then(parsers.re(r'the feed "(?P<feed>[^"]+)" ran (?P<count>\d+) times?'))
def feed_ran(postroom_router: Stage, feed: str, count: str) -> None:
    assert postroom_router.base.source.ran.count(feed) == int(count)


@then(parsers.parse('the router told "{event}" of "{name}"'))
def told_of(postroom_router: Stage, event: str, name: str) -> None:
    assert any(one.event == event and name in (one.name, one.text) for one in postroom_router.events()), (
        postroom_router.events()
    )


@then(parsers.re(r'the router told "(?P<event>[^"]+)" (?P<count>\d+) times?'))
def told_times(postroom_router: Stage, event: str, count: str) -> None:
    assert [one.event for one in postroom_router.events()].count(event) == int(count)


@then(parsers.parse('the second router says of "{name}" that "{why}"'))
def second_says(postroom_router: Stage, name: str, why: str) -> None:
    assert why in postroom_router.instance(name, "the second router").why


@then(parsers.parse('the organization has the emails "{subjects}"'))
def has_emails(postroom_router: Stage, subjects: str) -> None:
    assert postroom_router.base.subjects() == sorted(part.strip() for part in subjects.split(","))


@then("the organization has no emails")
def has_no_emails(postroom_router: Stage) -> None:
    assert postroom_router.base.subjects() == []


@then("each organization beside it has its own mail alone")
def own_mail_alone(postroom_router: Stage) -> None:
    for name, organization in postroom_router.others.items():
        assert [one.subject for one in organization.retrieve_multiple(SYSTEM, "email")] == [f"for {name}"], name


@then(parsers.parse('the organization "{name}" has its mail'))
def one_has_mail(postroom_router: Stage, name: str) -> None:
    assert [one.subject for one in postroom_router.others[name].retrieve_multiple(SYSTEM, "email")] == [f"for {name}"]


@then(parsers.parse('the mailbox of "{name}" has the alert "{code}"'))
def mailbox_has_alert(postroom_router: Stage, name: str, code: str) -> None:
    mailbox = postroom_router.parties[name].mailbox
    with postroom_router.base.organization.store.reading() as tx:
        found = [one.errortypedisplay for one in tx.find(TraceLog) if one.regardingobjectid.id == mailbox]
    assert code in found, found


@then("the process is as it was")
def process_as_it_was() -> None:
    assert Path.cwd() != Path("/")
    assert "POSTROOM_MEDDLED" not in os.environ
    assert socket.getdefaulttimeout() is None


@then("what came late was not written")
def late_not_written(postroom_router: Stage) -> None:
    assert postroom_router.late == []


@then("its password is shown nowhere")
def password_nowhere(postroom_router: Stage) -> None:
    router, base = postroom_router.router, postroom_router.base
    with base.organization.store.reading() as tx:
        shown = [repr(tx.find(TraceLog)), repr(router.instances()), repr(postroom_router.events())]
    shown += [path.read_text() for path in base.folder.glob("*.log")]
    assert all(SECRET not in text for text in shown)


@then(parsers.parse('the trace file "{file}" holds "{event}"'))
def trace_holds(postroom_router: Stage, file: str, event: str) -> None:
    assert f'"{event}"' in (postroom_router.base.folder / file).read_text()


@then(parsers.parse('the trace file "{file}" does not hold "{event}"'))
def trace_does_not_hold(postroom_router: Stage, file: str, event: str) -> None:
    assert f'"{event}"' not in (postroom_router.base.folder / file).read_text()


@then(parsers.parse('the state of "{name}" is kept as a tombstone'))
def tombstone(postroom_router: Stage, name: str) -> None:
    rows = [row for row in postroom_router.router.memory.rows() if row.name == name]
    assert [row.tombstoned_on is not None for row in rows] == [True]


@then(parsers.parse('it is refused, and told are "{first}" and "{second}"'))
def refused_naming(postroom_router: Stage, first: str, second: str) -> None:
    assert postroom_router.refusal is not None
    assert first in str(postroom_router.refusal)
    assert second in str(postroom_router.refusal)


@then(parsers.parse('the email "{subject}" of "{name}" waits {seconds:d} seconds for its next try'))
def waits_for_try(postroom_router: Stage, subject: str, name: str, seconds: int) -> None:  # noqa: ARG001
    scene = postroom_router.base.scene
    (email,) = scene.emails(subject)
    assert email.postponeemailprocessinguntil is not None
    assert (email.postponeemailprocessinguntil - scene.world.clock.now()).total_seconds() == seconds


@when(parsers.parse('"{name}" writes {count:d} emails to "{address}"'))
@given(parsers.parse('"{name}" wrote {count:d} emails to "{address}"'))
def writes_emails(postroom_router: Stage, name: str, count: int, address: str) -> None:
    for number in range(count):
        postroom_router.base.scene.send(name, [address], f"{name} {number + 1}")


@then(parsers.parse('"{address}" received in this order of senders "{names}"'))
def in_this_order(postroom_router: Stage, address: str, names: str) -> None:
    """By turns: the order of the mailboxes is not known beforehand, that of the turns is."""
    received = postroom_router.base.scene.received(address)
    senders = [octets.partition(b"Subject: ")[2].partition(b" ")[0].decode() for octets in received]
    places: dict[str, str] = {}
    for sender in senders:
        places.setdefault(sender, f"{len(places) + 1}")
    assert " ".join(places[sender] for sender in senders) == names, senders


@given(parsers.parse('the file has the feed of the unapproved user "{name}"'))
def feed_of_unapproved(postroom_router: Stage, name: str) -> None:
    party = postroom_router.base.scene.people[name]
    title = f"feed of {name}"
    postroom_router.entries[title] = postroom_router.base.feed(party, title, Name=title)


@given("the server does not take mail for the moment")
def server_defers(postroom_router: Stage) -> None:
    postroom_router.base.scene.world.faults.add(Fault(When("smtp", "RCPT"), Reply("451", "4.3.0 later")))
