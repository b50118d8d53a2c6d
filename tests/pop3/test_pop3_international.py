"""UTF-8 in user names, heads and replies, and the languages of replies (RFC 6856)."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pop3_talk import BARE, BOB, LOGIN, PLAIN, WELCOME, Talk, inbox, make_world

from postroom_simulator.journal import Kind
from postroom_simulator.pop3.downgrade import downgraded
from postroom_simulator.pop3.languages import LANGUAGES, find_language
from postroom_simulator.store.contents import has_utf8_head

GREEK = (
    "From: Ελένη <eleni@example.test>\r\nTo: bob@example.test, χρήστης@παράδειγμα.test\r\n"
    "Subject: Καλημέρα to all of you\r\nX-Plain: as it is\r\n\r\nΣώμα\r\n.dot\r\n"
).encode()


# -- heads


def body_of(reply: bytes) -> bytes:
    """The octets of a message as RETR sends it, unstuffed."""
    _, _, rest = reply.partition(b"\r\n")
    assert rest.endswith(b"\r\n.\r\n")
    lines = rest[: -len(b".\r\n")].split(b"\r\n")
    return b"\r\n".join(line.removeprefix(b".") for line in lines)


def test_who_did_not_ask_gets_ascii_heads_and_true_sizes() -> None:
    talk = Talk.logged_in(make_world(GREEK, PLAIN))
    size = int(talk.say(b"LIST 1\r\n").split()[2])
    octets = body_of(talk.say(b"RETR 1\r\n"))
    head, _, body = octets.partition(b"\r\n\r\n")
    assert head.isascii()
    assert body == "Σώμα\r\n.dot\r\n".encode(), "the body stays"
    assert len(octets) == size
    assert talk.say(b"STAT\r\n") == b"+OK 2 %d\r\n" % (size + 25)
    assert talk.say(b"LIST\r\n") == b"+OK 2 messages\r\n1 %d\r\n2 25\r\n.\r\n" % size
    assert talk.say(b"RETR 1\r\n").startswith(b"+OK %d octets\r\n" % size)
    assert body_of(talk.say(b"TOP 1 0\r\n")) == head + b"\r\n\r\n"
    message = message_from_bytes(octets, policy=policy.default)
    assert message["Subject"] == "Καλημέρα to all of you"
    assert message["From"].addresses[0].display_name == "Ελένη"
    assert b"X-Plain: as it is" in head
    talk.say(b"DELE 1\r\n")
    assert talk.say(b"STAT\r\n") == b"+OK 1 25\r\n"


def test_who_asked_gets_what_there_is() -> None:
    world = make_world(GREEK)
    talk = Talk(world)
    assert talk.say(b"UTF8\r\n") == b"+OK UTF8 enabled\r\n"
    talk.say(LOGIN)
    assert body_of(talk.say(b"RETR 1\r\n")) == GREEK
    assert talk.say(b"LIST 1\r\n") == b"+OK 1 %d\r\n" % len(GREEK)
    ids = talk.say(b"UIDL\r\n")
    talk.say(b"QUIT\r\n")
    assert Talk.logged_in(world).say(b"UIDL\r\n") == ids, "the same message, asked for or not"


def test_messages_may_be_refused_instead() -> None:
    world = make_world(GREEK, PLAIN)
    world.pop3.settings.utf8_heads = "refuse"
    talk = Talk.logged_in(world)
    assert talk.say(b"RETR 1\r\n") == b"-ERR [UTF8] message 1 has UTF-8 in its head: UTF8 first\r\n"
    assert talk.say(b"TOP 1 0\r\n").startswith(b"-ERR [UTF8]")
    assert talk.say(b"RETR 2\r\n").startswith(b"+OK 25")
    world.pop3.settings.utf8_heads = "raw"
    talk.say(b"QUIT\r\n")
    assert body_of(Talk.logged_in(world).say(b"RETR 1\r\n")) == GREEK


def test_utf8_comes_before_login_and_stls_before_utf8() -> None:
    talk = Talk.logged_in(make_world(BARE))
    assert talk.say(b"UTF8\r\n") == b"-ERR UTF8 works before login only\r\n"
    talk = Talk(make_world(BARE))
    assert talk.say(b"UTF8\r\nUTF8\r\nSTLS\r\n") == b"+OK UTF8 enabled\r\n" * 2 + b"-ERR STLS comes before UTF8\r\n"


ADDRESSES = {
    "Ünal <u@x.test>": "=?UTF-8?B?w5xuYWw=?= <u@x.test>",
    '"Ünal, K." <u@x.test>, b@x.test': "=?UTF-8?B?w5xuYWwsIEsu?= <u@x.test>, b@x.test",
    "b@x.test (Ünal)": "b@x.test (=?UTF-8?B?w5xuYWw=?=)",
    "ünal@x.test": "Internationalized Address =?UTF-8?B?w7xuYWxAeC50ZXN0?= Removed:;",
    "K <ünal@x.test>, b@x.test": "K Internationalized Address =?UTF-8?B?w7xuYWxAeC50ZXN0?= Removed:;, b@x.test",
}


@pytest.mark.parametrize("value", ADDRESSES)
def test_addresses(value: str) -> None:
    assert downgraded(f"To: {value}\r\n\r\n".encode()) == f"To: {ADDRESSES[value]}\r\n\r\n".encode()


def test_two_names_keep_the_blank_between_them() -> None:
    message = message_from_bytes(downgraded("From: Ünal Öz <u@x.test>\r\n\r\n".encode()), policy=policy.default)
    assert message["From"].addresses[0].display_name == "Ünal Öz"


def test_file_names() -> None:
    octets = 'Content-Type: text/plain; name="Größe 1.txt"; charset=utf-8\r\n\r\n'.encode()
    message = message_from_bytes(downgraded(octets), policy=policy.default)
    assert message.get_filename() == "Größe 1.txt"
    assert message.get_content_charset() == "utf-8"


def test_long_subjects_are_cut_between_characters() -> None:
    subject = "ünïcödé " * 40
    octets = downgraded(f"Subject: {subject.strip()}\r\nTo: a@b.test\r\n\r\nx".encode())
    assert message_from_bytes(octets, policy=policy.default)["Subject"] == subject.strip()
    assert max(len(line) for line in octets.split(b"\r\n")) < 100
    assert octets.endswith(b"To: a@b.test\r\n\r\nx")


FIELDS = st.tuples(
    st.sampled_from(["Subject", "From", "To", "Content-Type", "X-Any", "Ü"]),
    st.text(st.sampled_from('aü "\\<>(),;:=@.\t€?'), max_size=25).map(str.strip),
).map(lambda pair: f"{pair[0]}: {pair[1]}")


@given(lines=st.lists(FIELDS, min_size=1, max_size=4), end=st.sampled_from(["\r\n", "\n"]))
@settings(max_examples=150)
def test_any_head_becomes_ascii_and_bodies_stay(lines: list[str], end: str) -> None:
    octets = (end.join(lines) + end + end + "bödy").encode()
    made = downgraded(octets)
    assert not has_utf8_head(made)
    assert made.endswith((end + end + "bödy").encode())
    assert made.count(b":") >= len(lines)
    if octets.isascii():
        assert made == octets


# -- user names and passwords


def test_user_names_and_passwords_in_utf8() -> None:
    world = make_world()
    world.add_account("jürgen@example.test", "pässwörd mit Blank")
    talk = Talk(world)
    assert talk.say("USER jürgen@example.test\r\nPASS pässwörd mit Blank\r\n".encode()) == WELCOME
    assert "jürgen@example.test" in world.journal.commands("USER")[-1].detail
    assert "pässwörd" not in world.journal.transcript()
    bad = Talk(world)
    assert bad.say("USER jürgen@example.test\r\nPASS passwörd\r\n".encode()).endswith(b"-ERR [AUTH] authentication failed\r\n")


@pytest.mark.parametrize("line", [b"USER j\xfcrgen", b"USER \xc0\xaf", b"USER a\x00b", b"USER \xed\xa0\x80", "RETR ü".encode()])
def test_what_is_no_utf8_or_no_place_for_it(line: bytes) -> None:
    assert Talk(make_world()).say(line + b"\r\n") == b"-ERR only printable ASCII here\r\n"


def test_without_the_capability_there_is_no_utf8() -> None:
    world = make_world()
    world.pop3.settings.hidden = frozenset({"UTF8"})
    talk = Talk(world)
    assert talk.say("USER jürgen\r\nUTF8\r\n".encode()) == b"-ERR only printable ASCII here\r\n-ERR unknown command\r\n"
    assert b"UTF8" not in talk.say(b"CAPA\r\n")


# -- languages


def test_languages_are_listed() -> None:
    said = Talk(make_world()).say(b"LANG\r\n").decode()
    assert said.startswith("+OK")
    assert said.endswith("\r\n.\r\n")
    rows = dict(line.split(" ", 1) for line in said.split("\r\n")[1:-2])
    assert rows == LANGUAGES
    assert {"i-default", "en", "de", "fr", "es"} == set(rows)


def test_replies_in_a_language() -> None:
    world = make_world(PLAIN)
    talk = Talk(world)
    assert talk.say(b"LANG es\r\n").decode() == "+OK es idioma cambiado\r\n"
    assert talk.say(b"USER bob\r\nPASS nope\r\n").decode() == "+OK envíe PASS\r\n-ERR [AUTH] error de autenticación\r\n"
    talk.say(LOGIN)
    assert talk.say(b"RETR 7\r\n").decode() == "-ERR no existe ese mensaje, el buzón tiene 1\r\n"
    assert (
        talk.say(b"lang DE-at\r\nDELE 1\r\n").decode()
        == "+OK de Sprache gewechselt\r\n+OK Nachricht 1 als gelöscht markiert\r\n"
    )
    assert world.journal.replies("DELE")[-1].detail == "+OK Nachricht 1 als gelöscht markiert"
    assert talk.say(b"LANG tlh\r\n").decode() == "-ERR keine solche Sprache\r\n", "the language stays"
    assert talk.say(b"STAT\r\n") == b"+OK 0 0\r\n", "data are data"
    assert talk.say(b"LANG *\r\n") == b"+OK i-default language changed\r\n"
    assert talk.say(b"QUIT\r\n") == b"+OK bye, 1 messages removed\r\n"
    assert inbox(world) == []
    assert [entry.kind for entry in world.journal if entry.account == BOB][-1] is Kind.REPLY


def test_stls_forgets_the_language() -> None:
    talk = Talk(make_world())
    talk.say(b"LANG fr\r\nSTLS\r\n")
    talk.session.tls_established()
    assert talk.say(b"NOPE\r\n") == b"-ERR unknown command\r\n"


def test_every_translation_has_as_many_numbers_as_its_text() -> None:
    from postroom_simulator.pop3.languages import _TEXTS

    for texts in _TEXTS.values():
        for text, said in texts.items():
            assert text.count("#") == said.count("#")
            assert said.isprintable()


def test_ranges() -> None:
    assert find_language("*") == "i-default"
    assert find_language("FR-ca") == "fr"
    assert find_language("de-CH-1996") == "de"
    assert find_language("de-x-mine") == "de"
    assert find_language("x") is None
    assert find_language("") is None
    assert find_language("deutsch") is None
