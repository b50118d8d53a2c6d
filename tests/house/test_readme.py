"""What README.md shows is what the program prints. `python tests/house/test_readme.py` writes the transcript anew."""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"(<!-- demo transcript: [^>]*-->\n```text\n)(.*?)(```\n<!-- end of transcript -->)", re.DOTALL)


def transcript() -> str:
    """What `postroom demo --seed 0` prints where there is no terminal: 100 columns, no colour."""
    from typer.testing import CliRunner

    from postroom.cli import app

    done = CliRunner(env={"NO_COLOR": "1", "FORCE_COLOR": None}).invoke(app, ["demo", "--seed", "0"])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_transcript_is_what_the_demo_prints() -> None:
    shown = BLOCK.search(README.read_text("utf-8"))
    assert shown is not None, "README.md has lost the markers of the transcript"
    assert shown[2] == transcript(), f"README.md is out of date: run {Path(__file__).name} as a program"


def main() -> int:
    text = README.read_text("utf-8")
    found = BLOCK.search(text)
    if found is None:
        print(f"{README}: the markers of the transcript are missing", file=sys.stderr)
        return 2
    README.write_text(text[: found.start(2)] + transcript() + text[found.end(2) :], "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
