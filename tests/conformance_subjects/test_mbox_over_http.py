"""How the provider that was written from the pages alone cuts an mbox file into messages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from mbox_over_http_provider import split
from mbox_subject import as_mbox

from postroom.errors import ProtocolError

WHEN = datetime(2026, 1, 3, 1, 5, 34, tzinfo=UTC)


def bodies(file: bytes) -> list[bytes]:
    return [file[piece.start : piece.end] for piece in split(file)[0]]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_messages_are_told_apart(line_end: bytes) -> None:
    letters = [b"Subject: a", b"", b"One", b"", b"two"], [b"Subject: b", b"", b""], [b"Subject: c", b"", b"c"]
    wanted = [line_end.join(letter) + line_end for letter in letters]
    file = b"".join(as_mbox(one, WHEN) for one in wanted)
    assert bodies(file) == wanted
    assert split(file)[1] is False
    assert {piece.when for piece in split(file)[0]} == {WHEN}


def test_a_file_of_windows_line_ends() -> None:
    file = b"From a Sat Jan  3 01:05:34 2026\r\nSubject: a\r\n\r\nA\r\n\r\nFrom b nonsense\r\nSubject: b\r\n\r\nB\r\n\r\n"
    assert bodies(file) == [b"Subject: a\r\n\r\nA\r\n", b"Subject: b\r\n\r\nB\r\n"]
    assert [piece.when for piece in split(file)[0]] == [WHEN, None]


def test_from_in_a_letter_begins_no_other() -> None:
    letter = b"Subject: a\n\n\nFrom here on\n>From there on\nDear\nFrom now on\n"
    file = as_mbox(letter, WHEN)
    assert len(split(file)[0]) == 1


LINE = b"From x Sat Jan  3 01:05:34 2026"


@pytest.mark.parametrize("begun", [LINE, LINE + b"\n", LINE + b"\nSubject: b", LINE + b"\nSubject: b\n\nB\n"])
def test_a_message_that_is_being_written_waits(begun: bytes) -> None:
    whole = as_mbox(b"Subject: a\n\nA\n", WHEN)
    pieces, unfinished = split(whole + begun)
    assert (len(pieces), unfinished) == (1, True)
    assert len(split(whole + begun + b"\n\n")[0]) == 2


@pytest.mark.parametrize("file", [b"", b"\n"])
def test_an_empty_file(file: bytes) -> None:
    assert split(file) == ([], False)


@pytest.mark.parametrize("file", [b"<html>Not found</html>", b"hello\n\nFrom a Sat Jan  3 01:05:34 2026\n\n\n"])
def test_something_else(file: bytes) -> None:
    with pytest.raises(ProtocolError, match="no mbox file"):
        split(file)
