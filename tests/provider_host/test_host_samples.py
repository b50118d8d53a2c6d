"""The samples in other languages, in front of a fake organization. A program that is not installed is an error that says so, as for all foreign programs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from provider_scene import Running, running

from postroom.errors import ConfigError, MessageError, OrganizationError, PermissionDenied, ProtocolError, TransientError
from postroom.model.verdict import ReasonCode, Verdict
from postroom.providers.configuration.router_file import from_registry, read
from postroom.providers.contract import Capability, Direction, Disposition
from postroom.providers.process import foreign, sample
from postroom.providers.registry import Registry, verify

Program = Callable[[str], str]


class TestShell:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        made = tmp_path / "mail"
        made.mkdir()
        for n in range(3):
            (made / f"{n}.eml").write_bytes(f"From: a@b.test\r\nSubject: Mail {n}\r\n\r\nHello \xe9\r\n".encode("latin-1"))
        return made

    @pytest.fixture
    def one(self, folder: Path, program: Program) -> Iterator[Running]:
        with running([program("sh"), str(sample("folder.sh"))], {"Folder": str(folder)}) as made:
            yield made

    def test_it_says_what_it_is(self, program: Program) -> None:
        kind = foreign([program("sh"), str(sample("folder.sh"))])
        assert (kind.spec.name, kind.spec.direction) == ("folder", Direction.INBOUND)
        assert kind.spec.capabilities == {Capability.CHECK, Capability.STATEFUL}
        assert verify(kind, "here") is kind

    def test_each_message_once(self, one: Running, folder: Path) -> None:
        outcome = one.provider.run(one.context())
        assert (outcome.processed, outcome.delivered, outcome.more) == (3, 3, False)
        assert [offer.octets for offer in one.gateway.offers] == [(folder / f"{n}.eml").read_bytes() for n in range(3)]
        assert one.provider.run(one.context()).processed == 0
        (folder / "new one, 3.eml").write_bytes(b"Subject: new\r\n\r\n")
        assert one.provider.run(one.context()).delivered == 1

    def test_a_cap(self, one: Running) -> None:
        assert [(found.processed, found.more) for found in (one.provider.run(one.context(items=2)) for _ in range(2))] == [
            (2, True),
            (1, False),
        ]

    def test_what_is_not_wanted(self, one: Running) -> None:
        one.gateway.judge = lambda _: Verdict(deliver=False, reason=ReasonCode.NO_RECIPIENT_MATCH)
        outcome = one.provider.run(one.context())
        assert (outcome.processed, outcome.rejected) == (3, 3)
        assert len(one.gateway.by(Disposition.FILTERED)) == 3

    def test_a_message_that_always_fails(self, one: Running) -> None:
        one.gateway.fail_always("deliver_incoming", MessageError("cannot be stored"), "1.eml")
        found = [one.provider.run(one.context()) for _ in range(6)]
        assert [(each.delivered, each.failed) for each in found] == [(2, 1), (0, 1), (0, 1), (0, 1), (0, 1), (0, 0)]
        assert one.gateway.by(Disposition.PARKED) == ["1.eml"]

    @pytest.mark.parametrize("error", [OrganizationError("refused"), ValueError("nobody foresaw this")])
    def test_what_concerns_one_message_does_not_stop_the_others(self, one: Running, error: Exception) -> None:
        one.gateway.fail("deliver_incoming", error, nth=2)
        found = [one.provider.run(one.context()) for _ in range(2)]
        assert [(each.delivered, each.failed) for each in found] == [(2, 1), (1, 0)]

    def test_an_undecided_message_is_tried_again(self, one: Running) -> None:
        undecided, accepted = (
            Verdict(deliver=False, reason=ReasonCode.UNKNOWN),
            Verdict(deliver=True, reason=ReasonCode.ACCEPT_ALL),
        )
        one.gateway.judge = lambda offer: undecided if offer.source_key == "1.eml" else accepted
        outcome = one.provider.run(one.context())
        assert (outcome.delivered, outcome.rejected, outcome.failed) == (2, 0, 1)
        assert one.gateway.attempts == {"1.eml": 1}

    def test_an_engine_that_is_told_to_exit(self, one: Running) -> None:
        one.gateway.fail("check_incoming", SystemExit())  # type: ignore[arg-type]
        with pytest.raises(SystemExit):
            one.provider.run(one.context())
        assert one.provider.run(one.context()).delivered == 3

    def test_an_organization_that_is_away(self, one: Running) -> None:
        one.gateway.fail("commit", TransientError("503"), nth=2)
        with pytest.raises(TransientError):
            one.provider.run(one.context())
        assert one.provider.run(one.context()).delivered == 2

    def test_names_of_files(self, one: Running, folder: Path) -> None:
        (folder / 'a"b\n.eml').write_bytes(b"Subject: x\r\n\r\n")
        assert one.provider.run(one.context()).delivered == 3
        assert one.log.events == ["folder.skipped"]

    def test_check(self, one: Running, tmp_path: Path, program: Program) -> None:
        assert one.provider.check(one.context()).detail == "the folder can be read"
        assert one.gateway.calls == []
        for name, kind in (("none", PermissionDenied), ("n\xf6ne", ConfigError)):
            values = {"Folder": str(tmp_path / name)}
            with running([program("sh"), str(sample("folder.sh"))], values) as other, pytest.raises(kind):
                other.provider.check(other.context())


ENTRY = "<item><title>Entry {0} &amp; more</title><link>http://x.test/{0}</link><guid>id {0}</guid><pubDate>Mon, 05 Jan 2026 08:0{0}:00 GMT</pubDate><description><![CDATA[<p>caf\xe9 {0}</p>]]></description></item>"


class Feed(ThreadingHTTPServer):
    """A feed over HTTP. `status`, `entries` and `body` say what is answered."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.status, self.entries, self.body, self.asked = 200, 3, "", 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}/feed?x=1"


class Answer(BaseHTTPRequestHandler):
    server: Feed

    def do_GET(self) -> None:
        feed = self.server
        feed.asked += 1
        tag = f'"{feed.entries}"'
        if feed.status == 200 and self.headers.get("If-None-Match") == tag:
            self.send_response(304)
            self.end_headers()
            return
        items = "".join(ENTRY.format(n) for n in range(feed.entries))
        self.send_response(feed.status)
        self.send_header("ETag", tag)
        self.end_headers()
        self.wfile.write((feed.body or f"<?xml version='1.0'?><rss><channel>{items}</channel></rss>").encode())

    def log_message(self, *_: object) -> None:
        """Nothing to say."""


class TestNode:
    @pytest.fixture
    def feed(self) -> Iterator[Feed]:
        with Feed() as made:
            thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            yield made
            made.shutdown()
            thread.join()

    @pytest.fixture
    def one(self, feed: Feed, program: Program) -> Iterator[Running]:
        values = {"FeedUrl": feed.url, "To": "me@sim.test"}
        with running([program("node"), str(sample("feed.mjs"))], values, grace=2.0) as made:
            yield made

    def test_each_entry_once(self, one: Running, feed: Feed) -> None:
        outcome = one.provider.run(one.context())
        assert (outcome.processed, outcome.delivered, outcome.error) == (3, 3, None)
        first = one.gateway.offers[0].message
        assert first.subject == "Entry 0 & more"
        assert first.text is not None
        assert first.text.startswith("caf\xe9 0")
        assert first.to[0].address == "me@sim.test"
        assert first.date is not None
        assert one.cell.value.value == {"etag": '"3"'}
        assert one.provider.run(one.context()).processed == 0
        feed.entries = 5
        assert one.provider.run(one.context()).delivered == 2
        assert len({offer.message.message_id for offer in one.gateway.offers}) == 5

    def test_a_cap_keeps_the_rest(self, one: Running) -> None:
        assert [one.provider.run(one.context(items=2)).processed for _ in range(3)] == [2, 1, 0]

    @pytest.mark.parametrize(
        ("status", "body", "kind"),
        [
            (404, "", PermissionDenied),
            (503, "", TransientError),
            (200, "<html>no feed</html>", ProtocolError),
            (200, "<!DOCTYPE x []><rss></rss>", ProtocolError),
            (200, "<rss>" + "x" * 5_000_000, ProtocolError),
        ],
    )
    def test_feeds_that_are_none(self, one: Running, feed: Feed, status: int, body: str, kind: type[Exception]) -> None:
        feed.status, feed.body = status, body
        with pytest.raises(kind):
            one.provider.run(one.context())
        feed.status, feed.body = 200, ""
        assert one.provider.run(one.context()).delivered == 3

    def test_check(self, one: Running) -> None:
        assert one.provider.check(one.context()).detail == "3 entries"
        assert one.gateway.calls == []


def test_named_in_a_configuration(program: Program, tmp_path: Path) -> None:
    shell, registry = program("sh"), Registry()
    text = f"""<Configuration><SystemConfiguration/>
      <ProviderConfiguration><ProviderClassName>process:{shell} {sample("folder.sh")}</ProviderClassName><Folder>{tmp_path}</Folder></ProviderConfiguration>
      <ProviderConfiguration><ProviderClassName>isolated:postroom.providers.builtin.pop3:Pop3Provider</ProviderClassName>
        <EmailServer>mail.test</EmailServer><EmailPort>110</EmailPort><EmailUser>a</EmailUser><EmailPassword>b</EmailPassword></ProviderConfiguration>
      </Configuration>"""
    file, problems = read(text.encode(), strict=True, resolve=from_registry(registry))
    assert file is not None, problems
    assert [entry.provider.name for entry in file.providers] == ["folder", "pop3"]
    assert file.providers[0].identity != file.providers[1].identity
    assert registry.find(f"process:{shell} {sample('folder.sh')}").spec is file.providers[0].provider


@pytest.mark.parametrize("name", ["process:", "process:'", "process:/none/such", "isolated:none"])
def test_named_wrongly(name: str) -> None:
    with pytest.raises(ConfigError):
        Registry().find(name)
