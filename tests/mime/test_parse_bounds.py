"""Whatever the octets: no exception, bounded work, nothing that a database or XML would refuse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.mime.filenames import MAX_FILENAME_OCTETS, safe_filename
from postroom.mime.parse import parse_message
from postroom.mime.values import Limits, ParsedMessage

SAMPLES = [b"Subject: x\r\n\r\nbody\r\n"] + [
    path.read_bytes()
    for folder in ("fixtures/messages", "engine/postroom/demo/samples")
    for path in sorted((Path(__file__).parents[2] / folder).glob("*.eml"))
]
REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
STALE = re.compile("[\r\n]")


class Ticks:
    """A monotonic clock that moves on at each look."""

    def __init__(self, step: float) -> None:
        self.step, self.looks = step, 0

    def __call__(self) -> float:
        self.looks += 1
        return self.looks * self.step


def texts(parsed: ParsedMessage) -> list[str]:
    people = [*parsed.from_, *parsed.to, *parsed.cc, *parsed.bcc, *parsed.reply_to]
    lines = [parsed.subject, parsed.message_id, parsed.in_reply_to, parsed.conversation_index, *parsed.references]
    lines += [one.address for one in people] + [one.name for one in people]
    lines += [one.filename for one in parsed.attachments] + [one.content_id for one in parsed.attachments]
    lines += [value for _, value in parsed.headers]
    return lines


def check(octets: bytes, limits: Limits | None = None) -> ParsedMessage:
    limits = limits or Limits()
    parsed = parse_message(octets, limits=limits, monotonic=Ticks(0.0))
    assert "parser failure" not in parsed.defects
    assert parsed.size == len(octets)
    assert parsed.message_id.startswith("<")
    assert parsed.message_id.endswith(">")
    assert len(parsed.attachments) <= limits.parts + 2
    assert all(one.address for one in parsed.from_)
    assert not any(REFUSED.search(line) or STALE.search(line) for line in texts(parsed))
    assert not any(REFUSED.search(body) for body in (parsed.text, parsed.html) if body)
    for one in parsed.attachments:
        assert one.filename
        assert len(one.filename.encode()) <= MAX_FILENAME_OCTETS
        assert one.filename not in (".", "..")
        assert not set(one.filename) & set("/\\:")
    assert len(set(parsed.defects)) == len(parsed.defects)
    return parsed


pieces = st.sampled_from(
    [b"From: ", b"To: a@b.example", b"Subject: ", b"Date: ", b"Message-ID: <1@a>", b"Content-Type: multipart/mixed; boundary=x", b"\r\n--x\r\n",
     b"\r\n--x--\r\n", b"\r\n\r\n", b"\n", b"\r", b"\r\n ", b"=?utf-8?B?", b"=?utf-8?Q?=C3?=", b"?=", b"(", b"<", b"\"", b"\\", b"\x00", b"\xff",
     b"Content-Type: text/html; charset=utf-7", b"Content-Transfer-Encoding: base64", b"Content-Transfer-Encoding: quoted-printable", b"=", b"==",
     b"=\r", b"filename*0*=utf-8''%e2", b"; name=\"../../x\"", b"Content-Disposition: attachment", b"Content-Type: message/rfc822", b"@", b",", b";", b":"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_any_octets(octets: bytes) -> None:
    check(octets)


@settings(max_examples=200, deadline=None)
@given(st.lists(pieces | st.binary(max_size=8), max_size=40).map(b"".join))
def test_anything_that_looks_like_mail(octets: bytes) -> None:
    check(octets)
    check(octets, Limits(octets=60, levels=1, parts=2, header_lines=3, header_octets=40, parameters=1, addresses=1))


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(SAMPLES),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), pieces | st.binary(max_size=6)), min_size=1, max_size=6),
)
def test_samples_with_damage(sample: bytes, cuts: list[tuple[float, int, bytes]]) -> None:
    octets = sample[:20_000]
    for place, length, put in cuts:
        at = int(place * len(octets))
        octets = octets[:at] + put + octets[at + length :]
    check(octets)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(SAMPLES), st.integers(1, 30))
def test_out_of_time_at_any_moment(sample: bytes, looks: int) -> None:
    """However early time runs out, the message comes back, and each octet that was not looked into is in one opaque part."""
    ticks = Ticks(1.0)
    parsed = parse_message(sample, limits=Limits(seconds=looks), monotonic=ticks)
    assert "parser failure" not in parsed.defects
    assert parsed.size == len(sample)
    if "time budget used up" not in parsed.defects:
        assert parsed == parse_message(sample)


@settings(max_examples=200)
@given(st.text(max_size=300))
def test_safe_names_stay_as_they_are(name: str) -> None:
    safe = safe_filename(name)
    assert safe_filename(safe) == safe
    assert len(safe.encode()) <= MAX_FILENAME_OCTETS


HEAD = b"From: a@b.example\r\nMessage-ID: <1@b.example>\r\nDate: Tue, 5 Mar 2024 09:30:00 +0000\r\n"


def nested(levels: int) -> bytes:
    body = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(levels))
    return HEAD + body + b"Content-Type: text/plain\r\n\r\ndeep\r\n"


def wide(parts: int) -> bytes:
    return HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * parts + b"--b--\r\n"


BOMBS = {
    "nested multiparts": (nested(2_000), "too many levels"),
    "tiny parts": (wide(200_000), "too many parts"),
    "nested messages": (HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 1_000, None),
    "parameters": (HEAD + b"Content-Type: text/plain" + b"; a=b" * 8_000 + b"\r\n\r\nx", "too many parameters"),
    "addresses": (HEAD + b"To: " + b"a@b.example, " * 8_000 + b"\r\n\r\nx", "too many addresses"),
    "brackets": (HEAD + b"To: " + b"(" * 200_000 + b"\r\n\r\nx", "unusable address in To"),
    "angles": (HEAD + b"To: " + b"<" * 200_000 + b"\r\n\r\nx", "unusable address in To"),
    "open quotes": (HEAD + b"To: " + b'"\\' * 100_000 + b"\r\n\r\nx", "unusable address in To"),
    "open angles and quotes": (HEAD + b"To: " + b'<"\\,' * 50_000 + b"\r\n\r\nx", "unusable address in To"),
    "routes": (HEAD + b"To: " + b"<@a," * 50_000 + b"\r\n\r\nx", "unusable address in To"),
    "encoded words": (HEAD + b"Subject: " + b"=?utf-8?q?=41?= " * 8_000 + b"\r\n\r\nx", None),
    "open encoded words": (HEAD + b"Subject: " + b"=?a?q?" * 40_000 + b"\r\n\r\nx", None),
    "header lines": (HEAD + b"X: y\r\n" * 50_000 + b"\r\nx", "too many header lines"),
    "one header line": (HEAD + b"X: " + b"y" * 5_000_000 + b"\r\n\r\nx", "header larger than the limit"),
    "folds": (HEAD + b"X: y" + b"\r\n " * 900 + b"\r\n\r\nx", None),
    "blanks": (HEAD + b"Subject:" + b" " * 200_000 + b"x\r\n\r\nx", None),
    "quoted-printable": (
        HEAD + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"= " * 500_000,
        "damaged quoted-printable",
    ),
    "quoted-printable blanks": (HEAD + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=" + b" " * 1_000_000, None),
    "base64 runs": (HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n" + b"QQ==" * 300_000, "damaged base64"),
    "dashes": (HEAD + b"Content-Type: multipart/mixed; boundary=-\r\n\r\n" + b"-" * 1_000_000, "multipart without parts"),
    "boundary lines that are none": (
        HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--bb\r\n" * 200_000,
        "multipart without parts",
    ),
    "references": (HEAD + b"References:" + b" <a@b>" * 40_000 + b"\r\n\r\nx", None),
    "dates": (HEAD.replace(b"Tue, 5", b"9" * 100_000) + b"\r\nx", "unusable Date"),
    "segments": (
        HEAD + b"Content-Type: a/b" + b"".join(b"; name*%d*=%%41" % n for n in range(9_000)) + b"\r\n\r\nx",
        "too many parameters",
    ),
    "flowed": (HEAD + b"Content-Type: text/plain; format=flowed\r\n\r\n" + b">" * 500_000 + b" \r\n" * 100_000, None),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str) -> None:
    """Time is bounded by construction: nothing here is allowed to need the budget (the clock stands still), and the suite's own time-out would show
    a pass that is not linear."""
    octets, defect = BOMBS[name]
    parsed = check(octets)
    if defect is not None:
        assert defect in parsed.defects


def test_what_lies_beyond_a_limit_is_one_opaque_part() -> None:
    parsed = parse_message(wide(1_500))
    assert parsed.defects == ("too many parts",)
    rest = parsed.attachments[-1]
    assert rest.content_type == "application/octet-stream"
    assert rest.octets.count(b"--b\r\n") == 1_500 - 999

    parsed = parse_message(nested(60))
    assert parsed.attachments[-1].octets.startswith(b"--b50\r\n")

    parsed = parse_message(HEAD + b"\r\n" + b"x" * 100, limits=Limits(octets=len(HEAD) + 12))
    assert parsed.text == "x" * 10
    assert [one.octets for one in parsed.attachments] == [b"x" * 90]
    assert parsed.defects == ("larger than the limit",)
    assert parsed.size == len(HEAD) + 102


def test_time_is_looked_at() -> None:
    parsed = parse_message(wide(50), limits=Limits(seconds=10), monotonic=Ticks(1.0))
    assert "time budget used up" in parsed.defects
    assert parsed.message_id == "<1@b.example>"
    walked, rest = parsed.attachments[:-1], parsed.attachments[-1]
    assert 0 < len(walked) < 20
    assert {one.octets for one in walked} == {b"x"}
    assert rest.octets.count(b"--b\r\n") + 1 + len(walked) == 50
