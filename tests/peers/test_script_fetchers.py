"""Libraries of other languages that fetch: Perl's Net::POP3 with Authen::SASL, Ruby's net/pop, node-pop3 for Node.

Their habits: Net::POP3 gives lines that end with LF in the clear, and with CR LF over TLS. net/pop knows no STLS, and once anything was
refused it answers itself with "ok" until it is closed. node-pop3 knows neither STLS nor APOP nor AUTH, and gives back what crossed the
line, read as UTF-8, with the dots doubled and without the last line end.
"""

from __future__ import annotations

import pytest
from foreign import ANN, MESSAGES, PASSWORD, Script, encrypted, ended, fault, fill, logins, require_login, verbs, with_lf

from postroom_simulator.faults import Cut, Drop, LoseReply, Reply

PERL, RUBY, NODE = "fetch.pl", "fetch.rb", "fetch.js"
CLIENTS = [PERL, RUBY, NODE]
WAYS = [
    (PERL, "plain"),
    (PERL, "upgraded"),
    (PERL, "implicit"),
    (RUBY, "plain"),
    (RUBY, "implicit"),
    (NODE, "plain"),
    (NODE, "implicit"),
]
DONE, QUIT = ("done", ""), ("quit", "")

LOGINS = [
    *(
        (PERL, way, mechanism)
        for way in ("upgraded", "implicit")
        for mechanism in ("USER", "APOP", "PLAIN", "LOGIN", "CRAM-MD5")
    ),
    *((RUBY, "implicit", mechanism) for mechanism in ("USER", "APOP")),
    (NODE, "implicit", "USER"),
]


class Fetch:
    def __init__(self, script, served):
        self.script = script
        self.served = served
        self.box = served.home / "box"
        self.box.mkdir()

    def __call__(self, name, way="implicit", mechanism="USER", secret=PASSWORD, authority=None):
        return Script(self.script(name), self.served.home)(
            host="localhost",
            port=self.served.port("pop3s" if way == "implicit" else "pop3"),
            way=way,
            authority=authority or self.served.authority,
            mechanism=mechanism,
            user=ANN,
            secret=secret,
            box=self.box,
        )

    @property
    def fetched(self):
        return {int(path.name): path.read_bytes() for path in self.box.iterdir()}


@pytest.fixture
def fetch(script, served):
    return Fetch(script, served)


def left(served):
    served.world.settle()
    return served.world.inbox(ANN)


def as_given(name, octets, way="implicit"):
    """A message as the library gives it."""
    whole = ended(octets)
    if name == NODE:
        dotted = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in whole.split(b"\r\n"))
        return dotted.removesuffix(b"\r\n").decode("utf-8", "replace").encode()
    return with_lf(whole) if (name, way) == (PERL, "plain") else whole


def all_as_given(name, way="implicit"):
    return {number: as_given(name, octets, way) for number, octets in enumerate(MESSAGES.values(), 1)}


@pytest.mark.parametrize(("name", "way"), WAYS)
def test_it_fetches_what_the_store_held_and_removes_it(fetch, served, name, way):
    fill(served.world)
    assert fetch(name, way) == [*[DONE] * len(MESSAGES), QUIT]
    assert fetch.fetched == all_as_given(name, way)
    assert left(served) == []
    assert encrypted(served.world) == (way != "plain")


@pytest.mark.parametrize(("name", "way", "mechanism"), LOGINS)
def test_it_logs_in(fetch, served, name, way, mechanism):
    secret = require_login(served.world, mechanism)
    served.world.place(ANN, MESSAGES["dots"])
    (refused,) = fetch(name, way, mechanism, "guess")
    assert "authentication failed" in refused[1]
    assert fetch(name, way, mechanism, secret) == [DONE, QUIT]
    assert logins(served.world) == [(mechanism, False), (mechanism, True)]
    assert fetch.fetched == {1: as_given(name, MESSAGES["dots"])}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (PERL, "certificate verify failed"),
        (RUBY, "certificate verify failed"),
        (NODE, "unable to verify the first certificate"),
    ],
)
def test_it_trusts_nobody_unknown(fetch, served, name, text):
    other = type(served.world.authority)("elsewhere.test").write(served.home / "other.pem")
    ((_, why),) = fetch(name, authority=other)
    assert text in why
    assert logins(served.world) == []


@pytest.mark.parametrize("text", ["[SYS/TEMP] later", "[SYS/PERM] never"])
@pytest.mark.parametrize(("name", "what"), [(PERL, "500"), (NODE, "error")])
def test_refused_at_retr_it_says_so_and_goes_on(fetch, served, name, what, text):
    fill(served.world)
    fault(served.world, "pop3", "RETR", Reply("-ERR", text), nth=2)
    assert fetch(name) == [DONE, (what, text), *[DONE] * (len(MESSAGES) - 2), QUIT]
    assert fetch.fetched == {number: octets for number, octets in all_as_given(name).items() if number != 2}
    assert left(served) == [MESSAGES["octets"]]


@pytest.mark.parametrize("text", ["[SYS/TEMP] later", "[SYS/PERM] never"])
def test_refused_at_retr_net_pop_says_so_and_then_only_pretends_to_go_on(fetch, served, text):
    """It gives empty messages and calls them removed; the server hears no more of it, not even QUIT, and so removes nothing."""
    fill(served.world)
    fault(served.world, "pop3", "RETR", Reply("-ERR", text), nth=2)
    assert fetch(RUBY) == [DONE, ("Net::POPError", f"-ERR {text}"), *[DONE] * (len(MESSAGES) - 2), QUIT]
    assert fetch.fetched == {1: as_given(RUBY, MESSAGES["dots"]), **dict.fromkeys(range(3, len(MESSAGES) + 1), b"")}
    assert left(served) == list(MESSAGES.values())
    assert verbs(served.world)[-1] == "RETR"


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("name", CLIENTS)
def test_cut_off_inside_a_message_it_loses_nothing(fetch, served, name, how):
    fill(served.world)
    fault(served.world, "pop3", "RETR", Cut(3000, how), nth=3)
    first = fetch(name)
    assert first[:2] == [DONE, DONE]
    assert DONE not in first[2:]
    assert set(fetch.fetched) == {1, 2}
    assert left(served) == list(MESSAGES.values())
    assert fetch(name) == [*[DONE] * len(MESSAGES), QUIT]
    assert fetch.fetched == all_as_given(name)
    assert left(served) == []


AFTER_QUIT = {
    PERL: [QUIT],
    RUBY: [("Errno::ECONNRESET", "Connection reset by peer")],
    NODE: [],
}
"""What each says when the connection is lost at QUIT: Net::POP3 that all is well; the promise of node-pop3 never settles."""


@pytest.mark.parametrize("name", CLIENTS)
def test_a_lost_farewell_after_the_removal(fetch, served, name):
    fill(served.world)
    fault(served.world, "pop3", "QUIT", LoseReply("rst"))
    assert fetch(name) == [*[DONE] * len(MESSAGES), *AFTER_QUIT[name]]
    assert fetch.fetched == all_as_given(name)
    assert left(served) == []


@pytest.mark.parametrize("name", CLIENTS)
def test_a_lost_quit_leaves_the_mail(fetch, served, name):
    fill(served.world)
    fault(served.world, "pop3", "QUIT", Drop("rst"))
    assert fetch(name) == [*[DONE] * len(MESSAGES), *AFTER_QUIT[name]]
    assert left(served) == list(MESSAGES.values())
