"""Mutated files and random octets: a result or problems, in bounded time; nothing but the octets is read; no password is told."""

from __future__ import annotations

import builtins
import codecs
import random
import socket
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest

from configuration.router_files import PASSWORD, taken, valid
from postroom.providers.configuration import write

TAGS = ["<a>", "</a>", "<!--", "-->", "<![CDATA[", "]]>", "&amp;", "&#0;", "&#xD;", "&x;", "<?p?>", "<!DOCTYPE a [<!ENTITY x SYSTEM '/etc/hostname'>]>", "\0", "\ufeff", "é", " xmlns='a'", "\r", "9" * 400, "<SystemConfiguration/>", "<a><b><c>" * 30]  # fmt: skip
SLOWEST = 5.0
"""Seconds for one input of a few thousand octets: a thousand times what it takes, so that only a hang fails."""


def _mutated(chance: random.Random) -> bytes:
    octets = bytearray(valid(), "utf-8")
    for _ in range(chance.randint(1, 6)):
        at, until = sorted(chance.randrange(len(octets) + 1) for _ in range(2))
        match chance.randrange(7):
            case 0:
                del octets[at : min(until, at + 40)]
            case 1:
                octets[at:at] = chance.choice(TAGS).encode()
            case 2:
                octets[at:at] = octets[at : at + 300]
            case 3:
                octets[at : at + 1] = bytes([chance.randrange(256)])
            case 4:
                del octets[until:]
            case 5:
                octets = bytearray(octets.replace(b"utf-8", chance.choice([b"utf-16", b"zlib", b"latin-1", b"..", b"idna"])))
            case 6:
                lines = octets.splitlines(keepends=True)
                chance.shuffle(lines) if chance.random() < 0.1 else lines.append(chance.choice(lines or [b""]))
                octets = bytearray(b"".join(lines))
        octets = octets or bytearray(b"<")
    return bytes(octets)


def _random(chance: random.Random) -> bytes:
    octets = chance.randbytes(chance.randrange(400))
    return chance.choice([b"", b"<", b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<", b"<?xml version='1.0' encoding='"]) + octets


def _refuse(*_: object, **__: object) -> NoReturn:
    raise AssertionError("something outside was read")


def _play(seeds: range, monkeypatch: pytest.MonkeyPatch) -> None:
    taken(valid())
    for codec in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "ascii", "latin-1", "cp1252"):
        codecs.lookup(codec)  # imported once, here: whatever else is looked up below was named by a file
    with monkeypatch.context() as patched:
        for owner, name in ((builtins, "open"), (Path, "open"), (socket.socket, "connect"), (builtins, "__import__")):
            original = getattr(owner, name)
            patched.setattr(owner, name, _refuse if name != "__import__" else _known_only(original))
        for seed in seeds:
            chance = random.Random(seed)
            octets = _random(chance) if seed % 5 == 0 else _mutated(chance)
            started = time.perf_counter()
            try:
                file, problems = taken(octets, strict=seed % 2 == 0)
                told = "".join(map(str, problems))
                assert (file is None) is any(problem.error for problem in problems)
                assert PASSWORD not in told
                assert all(letter.isprintable() for letter in told)
                if file is not None:
                    write(file)  # which reads it again and compares
            except AssertionError:
                raise
            except Exception as error:
                raise AssertionError(f"seed {seed}: {error!r}") from error
            assert time.perf_counter() - started < SLOWEST, f"seed {seed}"


def _known_only(original: Any) -> Any:
    """Imports of what is loaded already, or belongs to us; never a codec or module that a file names."""

    def guarded(name: str, *args: Any, **kwargs: Any) -> Any:
        assert "encodings" not in name or name == "encodings", "a codec was looked up"
        return original(name, *args, **kwargs)

    return guarded


def test_a_thousand_files(monkeypatch: pytest.MonkeyPatch) -> None:
    _play(range(1000), monkeypatch)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_files(monkeypatch: pytest.MonkeyPatch) -> None:
    _play(range(1000, 101_000), monkeypatch)
