"""Prints docs/checks.md; with `--explain ID...` what single checks are about; with `--schema` the schema of reports."""

from __future__ import annotations

import sys

from postroom.testing.conformance.pages import checks_page
from postroom.testing.conformance.reports import SCHEMA, explain
from postroom.testing.conformance.table import selected


def main(words: list[str]) -> int:
    if not words:
        print(checks_page(), end="")
    elif words == ["--schema"]:
        print(SCHEMA.read_text(encoding="utf-8"), end="")
    elif words[0] == "--explain" and len(words) > 1:
        try:
            print("\n".join(map(explain, selected(words[1:]))), end="")
        except ValueError as error:
            print(error, file=sys.stderr)
            return 2
    else:
        print("usage: python -m postroom.testing.conformance [--explain ID... | --schema]", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
