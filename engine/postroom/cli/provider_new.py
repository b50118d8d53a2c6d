"""`postroom provider new`: a package that works, passes the conformance kit, and is small enough to be read before it is changed.

The templates are packages of the samples: files whose name ends in `.template` lose that ending, and in all of them `my_provider`, `my-provider` and
`MyProvider` become the author's name.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

from postroom.cli.desk import UsageProblem

__all__ = ["Kind", "make"]

TEMPLATES = Path(__file__).parents[1] / "samples" / "new"
ENDING = ".template"


class Kind(StrEnum):
    """What to begin from."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    POP3 = "pop3"


def make(name: str, kind: Kind, into: Path) -> list[Path]:
    """Write the package into the folder `into`/NAME, which must not exist. The files, as written. Raises UsageProblem, OSError."""
    package = re.sub(r"[-.\s]+", "_", name.strip()).lower()
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,49}", package):
        raise UsageProblem(f"{name!r} is no name of a package: letters, digits and underscores, a letter first, at most 50")
    if package in _taken():
        raise UsageProblem(f"{package!r} is taken by a provider that is known already, or by Python; choose another name")
    words = {
        "my_provider": package,
        "my-provider": package.replace("_", "-"),
        "MyProvider": "".join(part.capitalize() for part in package.split("_")),
    }
    target = into / package
    try:
        target.mkdir(parents=True)
    except FileExistsError:
        raise UsageProblem(f"{target} exists already; nothing was written") from None
    written = []
    for source in sorted(one for one in (TEMPLATES / kind).rglob("*") if one.is_file()):
        place = target / _renamed(str(source.relative_to(TEMPLATES / kind)).removesuffix(ENDING), words)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(_renamed(source.read_text("utf-8"), words), "utf-8")
        written.append(place)
    return written


def _taken() -> frozenset[str]:
    import keyword
    import sys

    from postroom.providers.registry import Registry

    return frozenset({*Registry.default().names(), *keyword.kwlist, *sys.stdlib_module_names, "postroom", "tests"})


def _renamed(text: str, words: dict[str, str]) -> str:
    for old, new in words.items():
        text = text.replace(old, new)
    return text
