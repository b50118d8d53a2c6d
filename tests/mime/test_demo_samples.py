"""The demo's own mail: what its README says of the messages holds."""

from __future__ import annotations

import re
from collections import Counter
from importlib.resources import files

import pytest

from postroom.mime.parse import parse_message

FOLDER = files("postroom.demo") / "samples"
NAMES = sorted(entry.name for entry in FOLDER.iterdir() if entry.name.endswith(".eml"))
LOCAL = {f"{name}@alder.example" for name in ("ada", "ben", "dora", "support", "everyone", "sales-2019")}
README = (FOLDER / "README.md").read_text("utf-8")


def test_the_readme_lists_each_file_once() -> None:
    assert re.findall(r"^\| (\S+\.eml) \|", README, re.MULTILINE) == NAMES
    assert len(NAMES) >= 25


@pytest.mark.parametrize("name", NAMES)
def test_each_goes_to_somebody_here(name: str) -> None:
    """Who gets a message is read from its octets here, so that a header which the parser refuses still names its recipient."""
    octets = (FOLDER / name).read_bytes()
    parsed = parse_message(octets)
    assert "parser failure" not in parsed.defects
    named = set(re.findall(r"[a-z0-9-]+@alder\.example", re.search(rb"(?ms)^To: .*?^\S+: (?!To)", octets)[0].decode("latin-1")))  # type: ignore[index]
    assert named & LOCAL
    if name != "28-mail-loop.eml":
        assert {one.key for one in (*parsed.to, *parsed.cc)} & LOCAL
        assert parsed.date is not None or parsed.received


def test_ids_are_doubled_where_the_story_wants_it() -> None:
    ids = Counter(parse_message((FOLDER / name).read_bytes()).message_id for name in NAMES)
    assert {one for one, count in ids.items() if count > 1} == {"<VI1PR04-0905@mail.birch.example>", "<enq-1@cedar.example>"}
    made_up = [name for name in NAMES if parse_message((FOLDER / name).read_bytes()).message_id_synthetic]
    assert made_up == ["11-spam-to-support.eml", "24-no-message-id.eml", "28-mail-loop.eml"]


@pytest.mark.parametrize(
    ("name", "defects"),
    [
        ("09-no-sender.eml", ("missing From",)),
        ("10-sender-that-is-none.eml", ("unusable address in From", "missing From")),
        ("11-spam-to-support.eml", ("unusable Message-ID", "unusable Date")),
        ("23-cut-off.eml", ("missing close line", "damaged base64")),
        ("24-no-message-id.eml", ("missing Message-ID",)),
        ("27-sixty-levels.eml", ("missing close line", "too many levels")),
        ("28-mail-loop.eml", ("too many header lines", "missing Message-ID", "missing From", "missing Date")),
    ],
)
def test_the_malformed_ones(name: str, defects: tuple[str, ...]) -> None:
    assert parse_message((FOLDER / name).read_bytes()).defects == defects


def test_the_others_are_sound() -> None:
    malformed = {"09", "10", "11", "23", "24", "27", "28"}
    assert all(parse_message((FOLDER / name).read_bytes()).defects == () for name in NAMES if name[:2] not in malformed)
