"""The messages in fixtures/messages against what stands beside each: the values were written from the message, not from the parser."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from postroom.mime.parse import parse_message
from postroom.mime.values import Address, ParsedMessage

FOLDER = Path(__file__).parents[2] / "fixtures" / "messages"
NAMES = sorted(path.stem for path in FOLDER.glob("*.eml"))


def pairs(addresses: Iterable[Address]) -> list[list[str]]:
    return [[one.address, one.name] for one in addresses]


def files(parsed: ParsedMessage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for one in parsed.attachments:
        entry = {
            "filename": one.filename,
            "content_type": one.content_type,
            "size": len(one.octets),
            "sha256": hashlib.sha256(one.octets).hexdigest()[:16],
        }
        found.append(
            entry | ({"inline": True} if one.inline else {}) | ({"content_id": one.content_id} if one.content_id else {})
        )
    return found


def test_there_are_samples_and_each_has_its_values() -> None:
    assert len(NAMES) >= 60
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_sample(name: str) -> None:
    octets = (FOLDER / f"{name}.eml").read_bytes()
    expected = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    parsed = parse_message(octets)
    assert parsed.digest == hashlib.sha256(octets).hexdigest()
    assert parsed.size == len(octets)
    assert parsed.subject == expected["subject"]
    assert pairs(parsed.from_) == expected["from"]
    if "to_count" in expected:
        assert len(parsed.to) == expected["to_count"]
        assert pairs((parsed.to[0], parsed.to[-1])) == [expected["to_first"], expected["to_last"]]
    else:
        assert pairs(parsed.to) == expected["to"]
    assert pairs(parsed.cc) == expected["cc"]
    assert files(parsed) == expected["attachments"]
    assert list(parsed.defects) == expected["defects"]
    assert (parsed.date.isoformat() if parsed.date else None) == expected["date"]
    assert parsed.message_id_synthetic == expected.get("synthetic", False)
    assert parsed.importance == expected.get("importance", 1)
    for body, excerpt in ((parsed.text, expected["text"]), (parsed.html, expected["html"])):
        assert (body is None) == (excerpt is None)
        assert body is None or excerpt in body
        assert body is None or (body == "") == (excerpt == "")


@pytest.mark.parametrize("name", NAMES)
def test_sample_details(name: str) -> None:
    """What only some samples are about."""
    expected = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    parsed = parse_message((FOLDER / f"{name}.eml").read_bytes())
    found: dict[str, Any] = {
        "message_id": parsed.message_id,
        "in_reply_to": parsed.in_reply_to,
        "references": list(parsed.references),
        "conversation_index": parsed.conversation_index,
        "received": [moment.isoformat() for moment in parsed.received],
        "reply_to": pairs(parsed.reply_to),
        "sender": [parsed.sender.address, parsed.sender.name] if parsed.sender else None,
        "bcc": pairs(parsed.bcc),
    }
    for key in found.keys() & expected.keys():
        assert found[key] == expected[key]


@pytest.mark.parametrize("name", [name for name in NAMES if b"\r\n" in (FOLDER / f"{name}.eml").read_bytes()])
def test_line_ends_change_nothing_but_line_ends(name: str) -> None:
    """The same message with bare LFs: what a Unix mail folder keeps of it."""
    octets = (FOLDER / f"{name}.eml").read_bytes()
    one, other = parse_message(octets), parse_message(octets.replace(b"\r\n", b"\n"))
    assert (one.subject, one.from_, one.to, one.cc, one.text, one.html) == (
        other.subject,
        other.from_,
        other.to,
        other.cc,
        other.text,
        other.html,
    )
    assert (one.message_id, one.defects, len(one.attachments)) == (other.message_id, other.defects, len(other.attachments))
