"""Rows of the references, and the lines of docs/coverage/ that say where each is kept.

    python tests/house/coverage_lines.py totals             # covered and open rows by section
    python tests/house/coverage_lines.py skeleton 4.3       # lines to fill in, for the rows of a section that have none
    python tests/house/coverage_lines.py skeleton "ews 6"   # the same of the reference of Exchange Web Services
    python tests/house/coverage_lines.py skeleton "router 7"   # of the Email Router's; "kit 5": of the kit's
    python tests/house/coverage_lines.py open               # write docs/coverage/open.md anew
    python tests/house/coverage_lines.py check              # what the test checks

A row is a body row of a table, a bullet, a numbered item, or a clause of a prose paragraph: paragraphs are cut at full stops and semicolons
outside brackets. Quotes are compared without backticks, with "|" as a space and runs of spaces as one. In the reference of Exchange Web
Services, whose lines are wrapped, bullets too are cut into sentences, and only there: at full stops, not at semicolons.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference" / "server-side-sync.md"
EWS_REFERENCE = ROOT / "docs" / "reference" / "ews.md"
ROUTER_REFERENCE = ROOT / "docs" / "reference" / "email-router-providers.md"
KIT_REFERENCE = ROOT / "docs" / "reference" / "provider-kit.md"
COVERAGE = ROOT / "docs" / "coverage"
OPEN = COVERAGE / "open.md"
COVERED = re.compile(r"(0|1\.1|1\.5|1\.6|[234579]|1[012])(\.|$)")
"""The sections that must be covered; of 1.1 only the paragraph on combinations."""
EWS_COVERED = re.compile(r"[1-9]$|1\d$")
"""Of the reference of Exchange Web Services all but its introduction and the list of documents."""
ROUTER_COVERED = re.compile(r"([3-9]|14|15)(\.|$)")
KIT_COVERED = re.compile(r"[56](\.|$)")
"""Of the references of the Email Router and of the kit: what binds the product. Rows are those of tables and lists; their prose explains."""
HEADER = ("Row", "Rule", "Test", "Scenario")
EWS_HEADER = HEADER[:3]
"""Pages of Exchange Web Services and of the kit have no column of scenarios: no feature is about them."""
COMBINATIONS = "Rules on the combination"
_HEADING = re.compile(r"#{2,3} (?P<number>\d+(?:\.\d+)*)\.? ")
_ITEM = re.compile(r"\s*(?:-|\d+\.) (?P<text>.*)")
_BULLET = re.compile(r"\s*- (?P<text>.*)")
_SAID = re.compile(r'"[^"]{1,120}"|\betc\. \(')
"""Full stops that end no sentence."""
_MARKS = re.compile(r"(?:\[[DOBKIMR]\](?:/| ?and )?)+")
_QUOTED = re.compile(r'(?P<section>(?:(?:ews|router|kit) )?\d+(?:\.\d+)*) "(?P<quote>.+)"')


@dataclass(frozen=True, slots=True)
class Row:
    """`text` as compared; `line` in the reference; `first` the first cell of a table row, else empty."""

    section: str
    text: str
    line: int
    first: str = ""

    def __str__(self) -> str:
        return f'{self.section} "{beginning(self)}"'


@dataclass(frozen=True, slots=True)
class Line:
    """One line of docs/coverage."""

    place: str
    row: str
    rule: str
    test: str
    scenario: str


def plain(text: str) -> str:
    """As quotes are compared."""
    return " ".join(text.replace("\\|", " ").replace("|", " ").replace("`", "").replace("**", "").split())


# -- the reference ------------------------------------------------------------------------------------------------------


@cache
def reference_rows() -> tuple[Row, ...]:
    return (
        *rows_of(REFERENCE.read_text()),
        *ews_rows(EWS_REFERENCE.read_text()),
        *listed_rows(ROUTER_REFERENCE.read_text(), "router", ROUTER_COVERED),
        *listed_rows(KIT_REFERENCE.read_text(), "kit", KIT_COVERED),
    )


def rows_of(text: str) -> Iterator[Row]:
    """The rows of the covered sections, in order."""
    section, body = "", False
    for number, line in enumerate(text.splitlines(), start=1):
        heading = _HEADING.match(line)
        if heading:
            section, body = heading["number"], False
        elif line.startswith("|"):
            if set(line) <= set("|-: "):
                body = True
            elif body and COVERED.match(section) and section != "1.1":
                cells = [plain(cell) for cell in line.strip().strip("|").split("|")]
                yield Row(section, plain(line), number, cells[0])
        else:
            body = False
            if COVERED.match(section) and line.strip():
                yield from _prose(section, line, number)


def _prose(section: str, line: str, number: int) -> Iterator[Row]:
    if line.startswith(("Sources:", "#")) or (section == "1.1" and not line.startswith(COMBINATIONS)):
        return
    item = _ITEM.match(line)
    if item:
        yield Row(section, plain(item["text"]), number)
        return
    for clause in clauses(line):
        words = plain(clause)
        if re.search(r"[^\W\d_]", _MARKS.sub("", words)) and not words.endswith(":"):
            yield Row(section, words, number)


def ews_rows(text: str) -> Iterator[Row]:
    """The rows of the reference of Exchange Web Services: body rows of tables, and sentences of paragraphs and bullets."""
    for section, block, number in _ews_blocks(text):
        if not EWS_COVERED.match(section):
            continue
        if block.startswith("|"):
            cells = [plain(cell) for cell in block.strip().strip("|").split("|")]
            yield Row(f"ews {section}", plain(block), number, cells[0])
            continue
        for sentence in clauses(_SAID.sub(lambda said: said[0].replace(". ", ".\N{NO-BREAK SPACE}"), block), ends="."):
            words = plain(sentence)
            if re.search(r"[^\W\d_]", _MARKS.sub("", words)) and not re.search(r"[^]]:$", words):
                yield Row(f"ews {section}", words, number)


def listed_rows(text: str, name: str, covered: re.Pattern[str]) -> Iterator[Row]:
    """The body rows of tables, and the items of lists with the lines that they are wrapped into. Neither prose nor examples."""
    section, body, fenced, first = "", False, False, 0
    item: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        heading, begins = _HEADING.match(line), None if fenced else _ITEM.match(line)
        goes_on = bool(item) and bool(line.strip()) and not (heading or begins or line.startswith(("|", "```")))
        if item and not goes_on:
            if covered.match(section):
                yield Row(f"{name} {section}", plain(" ".join(item)), first)
            item = []
        if line.startswith("```"):
            fenced = not fenced
        elif fenced:
            continue
        elif heading:
            section, body = heading["number"], False
        elif line.startswith("|"):
            if body and covered.match(section):
                cells = [plain(cell) for cell in line.strip().strip("|").split("|")]
                yield Row(f"{name} {section}", plain(line), number, cells[0])
            body = body or set(line) <= set("|-: ")
            continue
        elif begins:
            item, first = [begins["text"]], number
        elif goes_on:
            item.append(line.strip())
        body = False


def _ews_blocks(text: str) -> Iterator[tuple[str, str, int]]:
    """Section, one body row of a table or the joined lines of a paragraph or bullet, and its first line. Examples are left out."""
    section, body, first = "", False, 0
    block: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        heading, bullet = _HEADING.match(line), _BULLET.match(line)
        if block and (heading or bullet or not line.strip() or line.startswith("|")):
            yield section, " ".join(block), first
            block = []
        if heading:
            section = heading["number"]
        elif line.startswith("|"):
            if body and not set(line) <= set("|-: "):
                yield section, line, number
            body = body or set(line) <= set("|-: ")
            continue
        elif block or bullet or (line.strip() and not line.startswith("    ")):
            first = first if block else number
            block.append(bullet["text"] if bullet else line.strip())
        body = False


def clauses(paragraph: str, ends: str = ".;") -> list[str]:
    """Cut at ". " and "; " (and after evidence marks that end a sentence) outside brackets and backticks; `ends="."`: whole sentences."""
    found, depth, code, start = [], 0, False, 0
    for index, character in enumerate(paragraph):
        if character == "`":
            code = not code
        elif character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        stops = character == "." and paragraph[index + 1 : index + 2] in {"", " "} and paragraph[index - 1] != "."
        over = stops or (character == ";" and ";" in ends)
        marked = character == "]" and re.match(r" [A-Z\"]", paragraph[index + 1 :]) and _MARKS.search(paragraph[: index + 1])
        if depth == 0 and not code and (over or marked):
            found.append(paragraph[start : index + 1])
            start = index + 1
    found.append(paragraph[start:])
    return _with_marks(found)


def _with_marks(found: list[str]) -> list[str]:
    """An evidence mark after the full stop belongs to the clause before it; so does a lone ending."""
    joined: list[str] = []
    for clause in found:
        mark = re.match(r"\s*(?:\[[DOBKIMR]\][/ ]?)+", clause)
        if joined and mark:
            whole = clause[mark.end() : mark.end() + 1].islower()
            joined[-1] += clause if whole else mark[0]
            clause = "" if whole else clause[mark.end() :]
        if clause.strip(" .;"):
            joined.append(clause)
    return [clause.strip(" ;").removesuffix(".") for clause in joined]


def beginning(row: Row) -> str:
    """The shortest run of whole first words, at least five, that no other row of the section begins with."""
    words = row.text.split()
    others = [other.text for other in reference_rows() if other.section == row.section and other != row]
    for count in range(min(5, len(words)), len(words) + 1):
        start = " ".join(words[:count])
        if not any(_begins(other, start) for other in others):
            return start
    return row.text


def _begins(text: str, start: str) -> bool:
    return text.startswith(start) and (len(text) == len(start) or not (text[len(start)].isalnum() and start[-1].isalnum()))


def find_row(section: str, quote: str) -> Row | str:
    """The row that a quote means, or what is wrong with the quote. First words are meant; words inside of a row name a part of it."""
    wanted = plain(quote)
    rows = [row for row in reference_rows() if row.section == section]
    for matches in (
        [row for row in rows if row.text == wanted],
        [row for row in rows if row.first == wanted],
        [row for row in rows if _begins(row.text, wanted)],
        [row for row in rows if wanted in row.text],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            return f"the quote fits {len(matches)} rows; make it longer: {' / '.join(row.text[:50] for row in matches[:4])}"
    elsewhere = sorted({row.section for row in reference_rows() if wanted in row.text})
    return "no such row in the reference" + (f" in that section, but in {', '.join(elsewhere)}" if elsewhere else "")


# -- the lines ----------------------------------------------------------------------------------------------------------


def coverage_lines(folder: Path = COVERAGE) -> tuple[list[Line], list[str]]:
    """The lines of all pages, and what cannot be read."""
    lines: list[Line] = []
    problems: list[str] = []
    for page in sorted(folder.glob("*.md")):
        if page.name in {"README.md", OPEN.name}:
            continue
        for number, text in enumerate(page.read_text().splitlines(), start=1):
            if not text.startswith("|"):
                continue
            cells = tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", text.strip())[1:-1])
            if set("".join(cells)) <= set("-: ") or cells in (HEADER, EWS_HEADER):
                continue
            if len(cells) == 3 and cells[0].startswith(("ews ", "kit ")):
                cells = (*cells, "- no feature is about it")
            place = f"{page.relative_to(folder.parent.parent)}:{number}"
            if len(cells) != 4:
                problems.append(f"{place}: {len(cells)} cells, not 4 (a | inside a cell is written \\|): {text[:80]}")
            else:
                lines.append(Line(place, *cells))
    return lines, problems


def problems_of(line: Line) -> list[str]:
    """What is wrong with one line by itself."""
    empty = [name for name, cell in zip(HEADER, (line.row, line.rule, line.test, line.scenario), strict=True) if not cell]
    if empty:
        return [f"{line.place}: empty: {', '.join(empty)}"]
    found = [_row_problem(line.row), _rule_problem(line.rule)]
    excused = line.rule.startswith(("waits for Exchange", "not ours"))
    found += _named(line.test, test_problem, excused=excused, what="test")
    found += _named(line.scenario, scenario_problem, excused=True, what="scenario")
    return [f"{line.place}: {text}" for text in found if text]


def _row_problem(cell: str) -> str:
    quoted = _QUOTED.fullmatch(cell)
    if not quoted:
        return f'the row is not written as 4.3 "first words": {cell[:60]}'
    row = find_row(quoted["section"], quoted["quote"])
    return "" if isinstance(row, Row) else f"{cell}: {row}"


def _rule_problem(cell: str) -> str:
    if cell.startswith("not ours:"):
        return "" if cell.removeprefix("not ours:").strip() else "not ours, but why is not said"
    place = cell.removeprefix("waits for Exchange:")
    wrong = [name for name in parts(place) if not symbol(name)]
    return f"no such rule: {', '.join(wrong)}" if wrong or not parts(place) else ""


def parts(cell: str) -> list[str]:
    """Several names in one cell stand apart by comma, semicolon or <br>."""
    return [part for part in (text.strip(" `") for text in re.split(r"<br/?>|;|,(?= |$)", cell)) if part]


def _named(cell: str, check: Callable[[str], str], *, excused: bool, what: str) -> Iterator[str]:
    if cell.startswith("-"):
        if not excused:
            yield f"a {what} is needed, not {cell!r}"
        elif not cell.strip("- ()") and what == "scenario":
            yield f"no {what}, and why is not said"
        return
    names = re.split(r"<br/?>|;|,(?= *`?features/)", cell) if what == "scenario" else parts(cell)
    for name in names:
        yield check(name.strip(" `"))


@cache
def symbol(dotted: str) -> bool:
    """Whether a dotted name is there: a module, or attributes of one."""
    names = dotted.split(".")
    if names[0] not in {"postroom", "postroom_simulator"}:
        return False
    for count in range(len(names), 0, -1):
        try:
            value: Any = importlib.import_module(".".join(names[:count]))
        except ModuleNotFoundError:
            continue
        for name in names[count:]:
            if not hasattr(value, name) and name not in getattr(value, "__annotations__", ()):
                return False
            value = getattr(value, name, None)
        return True
    return False


@cache
def functions(path: Path) -> frozenset[str]:
    """Tests of a file: `test_x` and `TestX::test_y`."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            names.update(f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):  # TestMachine = Machine.TestCase
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return frozenset(names)


def test_problem(name: str) -> str:
    file, _, function = name.partition("::")
    path = ROOT / file
    if not file.startswith(("tests/", "features/")) or not path.is_file():
        return f"no such test file: {name}"
    return "" if function.split("[")[0] in functions(path) else f"no such test: {name}"


test_problem.__test__ = False  # type: ignore[attr-defined]


@cache
def scenarios(path: Path) -> frozenset[str]:
    found = re.findall(
        r"^\s*(?:Scenario|Scenario Outline|Scenario Template|Example): *(.+?)\s*$", path.read_text(), re.MULTILINE
    )
    return frozenset(found)


def scenario_problem(name: str) -> str:
    file, _, title = name.partition(":")
    path = ROOT / file.strip()
    if not file.startswith("features/") or not path.is_file():
        return f"no such feature: {name}"
    return "" if title.strip() in scenarios(path) else f"no such scenario: {name}"


# -- both together ------------------------------------------------------------------------------------------------------


def row_of(line: Line) -> Row | None:
    quoted = _QUOTED.fullmatch(line.row)
    row = find_row(quoted["section"], quoted["quote"]) if quoted else None
    return row if isinstance(row, Row) else None


def open_rows() -> list[Row]:
    """Rows that no line quotes."""
    covered = {row_of(line) for line in coverage_lines()[0]}
    return [row for row in reference_rows() if row not in covered]


def open_page() -> str:
    rows = open_rows()
    lines = ["# Rows not yet covered", "", "Written by `python tests/house/coverage_lines.py open`; never by hand.", ""]
    lines += [f"- {row}" for row in rows] or ["None."]
    return "\n".join(lines) + "\n"


def check() -> list[str]:
    """Everything that is wrong, readable."""
    lines, problems = coverage_lines()
    for line in lines:
        problems += problems_of(line)
    for row, number in Counter(plain(line.row) for line in lines).items():
        if number > 1:
            places = [line.place for line in lines if plain(line.row) == row]
            problems.append(f"doubled: {row}: {', '.join(places)}")
    return problems + _open_problems()


def _open_problems() -> list[str]:
    listed = {line[2:] for line in OPEN.read_text().splitlines() if line.startswith("- ")} if OPEN.exists() else set()
    missing = {str(row) for row in open_rows()}
    return [f"neither covered nor listed in open.md: {name}" for name in sorted(missing - listed)] + [
        f"listed in open.md, but covered (or no row): {name}" for name in sorted(listed - missing)
    ]


def totals() -> str:
    rows: Counter[str] = Counter()
    still: Counter[str] = Counter()
    for row in reference_rows():
        rows[row.section] += 1
    for row in open_rows():
        still[row.section] += 1
    kinds: Counter[str] = Counter()
    for line in coverage_lines()[0]:
        kinds["not ours" if line.rule.startswith("not ours") else "waits" if line.rule.startswith("waits") else "kept"] += 1
    lines = [f"{section:6} {rows[section] - still[section]:4d} of {rows[section]:4d} rows" for section in rows]
    lines.append(
        f"all    {rows.total() - still.total():4d} of {rows.total():4d} rows, {kinds.total()} lines: " + str(dict(kinds))
    )
    return "\n".join(lines)


def skeleton(section: str) -> str:
    """Lines to fill in, for the rows of a section (and the ones below it) that have none."""
    by_section: dict[str, list[Row]] = defaultdict(list)
    for row in open_rows():
        if row.section == section or row.section.startswith(section + "."):
            by_section[row.section].append(row)
    lines = []
    for number, rows in by_section.items():
        header = EWS_HEADER if number.startswith(("ews ", "kit ")) else HEADER
        lines += [f"## {number}", "", f"| {' | '.join(header)} |", "|" + " --- |" * len(header)]
        lines += [f"| {row} |" + " |" * (len(header) - 1) for row in rows]
        lines.append("")
    return "\n".join(lines) if lines else f"every row of {section} has a line\n"


def main(arguments: list[str]) -> int:
    match arguments:
        case ["totals"]:
            print(totals())
        case ["skeleton", section]:
            print(skeleton(section))
        case ["open"]:
            OPEN.write_text(open_page())
            print(f"{len(open_rows())} rows in {OPEN.relative_to(ROOT)}")
        case ["check"]:
            found = check()
            print("\n".join(found) or "docs/coverage is in order")
            return bool(found)
        case _:
            print(__doc__)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
