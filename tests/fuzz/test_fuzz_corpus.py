"""Every input of the corpora is played on every run, and others that hypothesis makes of the same words."""

from __future__ import annotations

import logging

import pytest
from fuzz_pop3 import Pop3
from fuzz_smtp import Smtp
from fuzzing import CORPUS, Broken, play
from hypothesis import given, settings
from hypothesis import strategies as st

PROTOCOLS = {"pop3": Pop3(), "smtp": Smtp()}
FILES = sorted(path for path in CORPUS.rglob("*") if path.is_file())
SIGNS = [bytes([sign]) for sign in range(0xF8, 0x100)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_an_input_of_the_corpus(path, caplog):
    with caplog.at_level(logging.ERROR):
        play(PROTOCOLS[path.parent.name], path.read_bytes())
    assert caplog.records == []


def test_the_corpora_are_there_and_small():
    assert {path.parent.name for path in FILES} == set(PROTOCOLS)
    assert all(path.stat().st_size <= 4096 for path in FILES)


def words_of(name):
    lines = {line for path in FILES if path.parent.name == name for line in path.read_bytes()[2:].splitlines(keepends=True)}
    return st.sampled_from(sorted(lines)) | st.sampled_from(SIGNS) | st.binary(max_size=12)


@pytest.mark.parametrize("name", PROTOCOLS)
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_other_inputs_of_the_same_words(name, data):
    head = data.draw(st.binary(min_size=2, max_size=2), label="settings")
    play(PROTOCOLS[name], head + b"".join(data.draw(st.lists(words_of(name), max_size=14), label="sent")))


class Chatty(Smtp):
    """A session that says more than it should, in one way or another."""

    def __init__(self, spoil):
        super().__init__()
        self.spoil = spoil

    def session(self, world, flags):
        session = super().session(world, flags)
        self.spoil(world, session)
        return session


def shows_all(world, session):
    session._server.redacted = lambda verb, arg: arg or ""


def never_ends(world, session):
    session.receive_eof = lambda: None


def fails(world, session):
    world.deliver = None


def says_more(world, session):
    session._server.settings.extensions = ("HELP",) * 1000


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (shows_all, "a secret"),
        (never_ends, "not closed"),
        (fails, "internal error"),
        (says_more, "octets said for"),
    ],
)
def test_what_is_broken_is_found(spoil, words):
    """The harness itself: each of its alarms goes off."""
    sent = b"EHLO c\r\n\xf8MAIL FROM:<>\r\nRCPT TO:<ann@sim.test>\r\nDATA\r\n\xfb"
    with pytest.raises(Broken, match=words):
        play(Chatty(spoil), b"\0\0" + sent)
