"""python -m benchmarks [NAME...] [--quick] [--full] [--messages N] [--json] [--list]"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from datetime import UTC, datetime
from typing import Any

from benchmarks.harness import Bench, Missing

NAMES = ("fresh", "smtp", "pop3", "ews", "intake", "polls", "idle", "growth", "router", "router_state", "conformance")
"""Modules of this package, each with a docstring that says what it measures and a function `run(bench)`."""
ASKED = ("soak",)
"""Those that run only when they are named."""


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ratios against others, measured side by side.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(NAMES)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="less of everything: a look, not a figure")
    parser.add_argument("--full", action="store_true", help="all 288,000 polls instead of a sample")
    parser.add_argument(
        "--messages", type=int, metavar="N", help="how many `soak` sends through (only named: it takes its time)"
    )
    parser.add_argument("--json", action="store_true", help="the figures as JSON, seconds throughout")
    parser.add_argument("--list", action="store_true", help="what there is")
    asked = parser.parse_args(words)
    unknown = [name for name in asked.names if name not in (*NAMES, *ASKED)]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}: there are {', '.join(NAMES + ASKED)}")
    if asked.list:
        for name in NAMES:
            print(f"{name:<14}{_about(_module(name))}")
        return 0
    if asked.messages is not None and (asked.messages < 1000 or "soak" not in asked.names):
        parser.error("--messages belongs to soak, and is at least 1000")
    given = {"soak": {"messages": asked.messages}} if asked.messages is not None else {}
    benches = [_run(name, quick=asked.quick, full=asked.full, **given.get(name, {})) for name in asked.names or NAMES]
    if asked.json:
        print(json.dumps({"machine": _machine(), "benchmarks": [bench.as_data() for bench in benches]}, indent=2))
    else:
        _print(benches)
    return 0


def _module(name: str) -> Any:
    return importlib.import_module(f"benchmarks.{name}")


def _about(module: Any) -> str:
    return str(module.__doc__).splitlines()[0]


def _run(name: str, *, quick: bool, full: bool, **given: Any) -> Bench:
    bench = Bench(name, quick=quick, full=full)
    try:
        _module(name).run(bench, **given)
    except Missing as missing:
        bench.note(f"not measured: {missing}")
    except ImportError as error:
        bench.note(f"not measured: {error}")
    except (RuntimeError, OSError) as error:  # what was measured before is shown all the same
        bench.note(f"FAILED: {error}")
    if sys.stderr.isatty():
        print("\r\x1b[2K", end="", file=sys.stderr)
    return bench


def _machine() -> dict[str, str]:
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
    }


def _print(benches: list[Bench]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(", ".join(f"{name} {value}" for name, value in _machine().items()))
    for bench in benches:
        table = Table(
            title=f"{bench.name}: {_about(_module(bench.name))}", title_justify="left", show_edge=False, pad_edge=False
        )
        for heading in ("what", "ours", "against", "its", "ratio", "best", "wanted", ""):
            table.add_column(heading, justify="right" if heading in {"ratio", "best", "wanted"} else "left")
        for row in bench.rows:
            verdict = {None: "", True: "met", False: "missed"}[row.met]
            ratios = [f"{ratio:.2f}x" if ratio is not None else "" for ratio in (row.ratio, row.best)]
            rival = (row.rival.name, str(row.rival)) if row.rival is not None else ("", "")
            table.add_row(row.what, str(row.ours), *rival, *ratios, row.target(), verdict)
        console.print()
        console.print(table)
        for note in bench.notes:
            console.print(f"  {note}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
