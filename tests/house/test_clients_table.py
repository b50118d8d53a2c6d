"""docs/clients.md names tests that exist, and every test file with a foreign client is in it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_named_test_exists_and_every_test_is_named():
    text = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", text))
    clients = [*(ROOT / "tests" / "peers").glob("test_*.py"), *(ROOT / "tests" / "ews").glob("test_exchangelib_*.py")]
    there = {str(path.relative_to(ROOT)) for path in clients}
    assert there - named - {"tests/ews/test_exchangelib_surface.py"} == set()  # that one talks to nobody
    assert [name for name in named - there if not (ROOT / name).exists()] == []


def test_the_versions_of_what_is_pinned_are_those_of_the_table():
    text = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
    pinned = re.findall(r'"(node-pop3|nodemailer)": "([\d.]+)"', (ROOT / "tests/peers/clients/package.json").read_text("utf-8"))
    pinned += re.findall(r"^(aiosmtplib)==([\d.]+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    assert len(pinned) == 3
    assert [name for name, version in pinned if f"{name} {version}" not in text] == []
