"""python -m tests.mutation [--sample N] [--seed N] [--jobs N] [--quick] [MODULE ...]: mistakes put into rules/, and whether a test sees each.

MODULE is a name in postroom.rules (default: all of them). The exit code is 1 when a mutant survives that tests/mutation/equivalent.md does
not explain. Survivors are listed with the change made.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from multiprocessing.pool import ThreadPool

from tests.mutation.mutants import Mutant
from tests.mutation.run import Bench, Result, all_mutants, equivalents, judge, named_tests, rule_modules, tests_of, warm


def results(modules: list[str], sample: int | None, seed: int, jobs: int, quick: bool) -> Iterator[Result]:
    mutants = all_mutants(modules)
    if sample is not None and sample < len(mutants):
        mutants = drawn(mutants, sample, seed)
    named, known = named_tests(), equivalents()
    wanted = sorted({test for mutant in mutants for tests in tests_of(mutant, named) for test in tests})
    warm()
    bench = Bench(wanted) if wanted else None
    with ThreadPool(jobs) as pool:
        yield from pool.imap(lambda mutant: judge(mutant, named, known, bench, quick=quick), mutants)


def drawn(mutants: list[Mutant], number: int, seed: int) -> list[Mutant]:
    """By their names, so that a sample stays what it was while other mutants come and go."""
    return sorted(mutants, key=lambda mutant: hashlib.sha256(f"{seed} {mutant.name}".encode()).digest())[:number]


def table(found: list[Result]) -> str:
    by_module: dict[str, Counter[str]] = defaultdict(Counter)
    for result in found:
        by_module[result.mutant.module.removeprefix("postroom.rules.")][result.outcome] += 1
        by_module["all"][result.outcome] += 1
    outcomes = ("killed", "killed elsewhere", "equivalent", "survived")
    lines = [f"{'module':20}" + "".join(f"{outcome:>18}" for outcome in outcomes)]
    for module, counts in sorted(by_module.items(), key=lambda pair: (pair[0] == "all", pair[0])):
        lines.append(f"{module:20}" + "".join(f"{counts[outcome]:18}" for outcome in outcomes))
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--sample", type=int, help="only so many, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="mutants at a time (default: 1)")
    parser.add_argument("--quick", action="store_true", help="tests/rules first, the named tests only for what they let pass")
    parser.add_argument("modules", nargs="*", metavar="MODULE")
    options = parser.parse_args()
    modules = [f"postroom.rules.{name}" for name in options.modules] or rule_modules()
    found = []
    for result in results(modules, options.sample, options.seed, options.jobs, options.quick):
        found.append(result)
        if result.outcome in {"survived", "killed elsewhere"}:
            print(result, flush=True)
    print(table(found))
    return int(any(result.outcome == "survived" for result in found))


if __name__ == "__main__":
    sys.exit(main())
