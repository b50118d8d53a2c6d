"""Every example of docs/doubles.md, run."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from postroom_simulator.clock import ManualClock
from postroom_simulator.fault_files import parse_faults
from postroom_simulator.fault_text import in_words
from postroom_simulator.net.memory import connect, wrap_tls
from postroom_simulator.net.tls import Authority
from postroom_simulator.world import World

PAGE = Path(__file__).parents[2] / "docs" / "doubles.md"
PATIENCE = 60.0
TRUST = Authority("mail.sim.test")
LONG = ("CAPA", "LIST", "UIDL", "RETR", "TOP")
"""Commands of POP3 whose good answer has several lines (with no argument, for those where that matters here)."""


@dataclass
class Example:
    """One heading below a double, with its blocks."""

    title: str
    toml: str = ""
    python: str = ""
    others: list[str] = field(default_factory=list)


def examples(page: str) -> list[Example]:
    found: list[Example] = []
    for part in re.split(r"^### ", page, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        example = Example(title)
        for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", body, flags=re.MULTILINE | re.DOTALL):
            if language == "toml":
                example.toml += block
            elif language == "python":
                example.python += block
            else:
                example.others.append(language)
        found.append(example)
    return found


EXAMPLES = examples(PAGE.read_text("utf-8"))


class Ended(Exception):
    """How the connection ended, in brackets."""


class Talk:
    """A client in memory for the examples."""

    def __init__(self, world: World, service: str) -> None:
        self.pop3 = service.startswith("pop3")
        try:
            self.sock: Any = connect(world, service, PATIENCE)
        except ConnectionRefusedError:
            raise Ended("(refused)") from None
        if service in ("pop3s", "smtps"):
            try:
                self.sock = wrap_tls(self.sock, TRUST.client_context(), "mail.sim.test")
            except ssl.SSLCertVerificationError as error:
                raise Ended(f"(certificate refused: {error.verify_message})") from None
            except ssl.SSLError:
                raise Ended("(TLS failed)") from None

    def lines(self, command: str = "") -> list[str]:
        """One whole answer. Raises Ended."""
        found: list[str] = []
        while not self._is_whole(found, command):
            found.append(self._line())
        return found

    def _is_whole(self, found: list[str], command: str) -> bool:
        if not found:
            return False
        if not self.pop3:
            return found[-1][3:4] != "-"
        return command.split(" ", maxsplit=1)[0] not in LONG or found[0].startswith("-ERR") or found[-1] == "."

    def _line(self) -> str:
        got = b""
        try:
            while not got.endswith(b"\r\n"):
                octet = self.sock.recv(1)
                if not octet:
                    raise Ended("(end)")
                got += octet
        except ConnectionResetError:
            raise Ended("(reset)") from None
        except TimeoutError:
            raise Ended("(silence)") from None
        return got[:-2].decode()

    def say(self, line: str) -> None:
        try:
            self.sock.sendall(line.encode() + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            raise Ended("(reset)") from None


def say(world: World, service: str, *lines: str) -> list[str]:
    """See the page."""
    told: list[str] = []
    talk = None
    try:
        talk = Talk(world, service)
        told.append(talk.lines()[0])
        for line in lines:
            talk.say(line)
            told.append(talk.lines(line)[0])
        if lines[-1:] == ("QUIT",):
            talk.lines()
    except Ended as end:
        told.append(str(end))
    finally:
        if talk is not None:
            talk.sock.close()
        world.settle(2)
    return told


def listing(world: World, service: str, line: str) -> list[str]:
    """The lines of an answer without their codes."""
    talk = Talk(world, service)
    talk.lines()
    talk.say(line)
    told = [one if talk.pop3 else one[4:] for one in talk.lines(line)]
    talk.sock.close()
    return told


def submit(world: World) -> str:
    text = "From: bob@sim.test\r\nTo: ann@sim.test\r\nSubject: hello\r\n\r\nHow are you?\r\n."
    told = say(world, "smtp", "EHLO me", "MAIL FROM:<bob@sim.test>", "RCPT TO:<ann@sim.test>", "DATA", text)
    refused = next((answer for answer in told[:5] if answer[:1] not in ("2", "3")), None)
    return told[-1] if refused is None else refused


def make_world() -> World:
    world = World(seed=1)
    world._authority = TRUST
    world.add_account("ann@sim.test")
    world.add_account("bob@sim.test")
    world.place("ann@sim.test", b"Subject: one\r\n\r\ntext\r\n")
    return world


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.title[:50] for example in EXAMPLES])
def test_an_example_does_what_it_says(example: Example) -> None:
    assert not example.others, "examples are TOML or Python"
    assert example.python, "an example says what comes of it"
    assert "assert " in example.python
    with make_world() as world:
        assert isinstance(world.clock, ManualClock)
        faults = parse_faults(example.toml, example.title)
        for fault in faults:
            world.faults.add(fault)
            assert in_words(fault)
        clock, calls = world.clock, (say, listing, submit)
        names: dict[str, Any] = {call.__name__: _bound(call, world) for call in calls}
        exec(compile(example.python, str(PAGE), "exec"), {"world": world, "took": clock.monotonic, **names})
        if faults and not any(fault.when.probability is not None for fault in faults):
            acted = world.faults.counts
            assert all(acted.values()), f"a fault of the example never acts: {acted}"


def _bound(call: Callable[..., Any], world: World) -> Callable[..., Any]:
    return lambda *arguments: call(world, *arguments)


def test_the_page_has_its_doubles() -> None:
    doubles = re.findall(r"^## (.*)$", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    assert {"Mailpit", "smtp4dev", "GreenMail", "Toxiproxy", "BadSMTP"} <= set(doubles)
    assert len(EXAMPLES) == PAGE.read_text("utf-8").count("\n### ")
    assert PAGE.read_text("utf-8").count("```toml") == sum(bool(example.toml) for example in EXAMPLES)


def test_every_option_of_serve_that_the_page_names_exists() -> None:
    from typer.main import get_command

    from postroom.cli import app

    serve = get_command(app).commands["serve"]  # type: ignore[attr-defined]
    there = {name for option in serve.params for name in option.opts}
    page = PAGE.read_text("utf-8")
    ours = [row.rsplit("|", 2)[1] for row in page.split("\n") if row.startswith("| ")]
    named = {name for text in ours for name in re.findall(r"`(--[\w-]+)", text)}
    named |= {name for line in page.split("\n") for name in re.findall(r"(--[\w-]+)", line.partition("postroom serve ")[2])}
    assert named - there == set()
    assert len(named) > 20
