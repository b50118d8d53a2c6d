"""docs/coverage: every row of the covered sections has a line or is listed as open, and every line is true."""

from __future__ import annotations

from pathlib import Path

import coverage_lines
import pytest
from coverage_lines import Line, Row


def test_every_row_is_covered_or_open() -> None:
    problems = coverage_lines.check()
    print(coverage_lines.totals())
    assert not problems, f"{len(problems)} problems in docs/coverage:\n" + "\n".join(problems)


def test_the_rows_of_the_reference() -> None:
    """Spot checks of what a row is; nothing of a covered section may fall through."""
    rows = coverage_lines.reference_rows()
    assert {row.section for row in rows} >= {
        "0",
        "1.1",
        "1.5",
        "1.6",
        "2.1",
        "2.6",
        "3.7",
        "4.12",
        "5",
        "7.6",
        "9",
        "10",
        "11",
        "12",
    }
    assert not {row.section for row in rows} & {"1.2", "1.3", "1.8", "6", "8.1"}
    texts = {row.text for row in rows}
    assert "0 Duplicate no message already stored" in texts
    assert "Case is ignored. [D] The token, if present, takes part in subject words. [O]" in texts
    assert "mailbox Active" in texts
    assert not any(text.startswith("Sources:") for text in texts)
    assert len({(row.section, row.text) for row in rows}) == len(rows), "two rows alike could not be told apart"


def test_the_rows_of_the_reference_of_exchange_web_services() -> None:
    """Sentences of wrapped bullets and paragraphs, body rows of tables; neither headings nor examples."""
    rows = [row for row in coverage_lines.reference_rows() if row.section.startswith("ews ")]
    assert {row.section for row in rows} == {f"ews {number}" for number in range(1, 20)}
    texts = {row.text for row in rows}
    assert {
        "POST /EWS/Exchange.asmx",
        (
            "Order of children: FolderId, ParentFolderId, FolderClass, DisplayName, TotalCount, ChildFolderCount, ExtendedProperty*, "
            "ManagedFolderInformation, EffectiveRights, DistinguishedFolderId, PolicyTag, ArchiveTag, ReplicaList, then PermissionSet and "
            "UnreadCount (per type)"
        ),
        "Exchange 2019 / Online 15.2 / 15.20 the same",
        "One envelope per flush, flushed at once",
        "Every answer that is not a fault should carry",
    } <= texts
    assert not any(
        "MajorBuildNumber=" in text or text.startswith(("Server Major", "Exchange Web Services (EWS)")) for text in texts
    )


def test_the_rows_of_the_references_of_the_router_and_the_kit() -> None:
    """Body rows of tables and items of lists, wrapped ones whole; neither prose nor what stands in fences."""
    rows = coverage_lines.reference_rows()
    router = {row.section.removeprefix("router "): 0 for row in rows if row.section.startswith("router ")}
    assert router.keys() == {"3.2", "4", "5", "6", "7.1", "7.2", "7.3", "8", "9", "14", "15"}
    kit = [row for row in rows if row.section.startswith("kit ")]
    assert sum(row.section == "kit 6.3" for row in kit) == 109, "as its prose counts them"
    assert [row.first for row in kit if row.section == "kit 5.4"] == [f"T{number}" for number in range(1, 14)]
    wrapped = next(row for row in kit if row.text.startswith("At the deadline"))
    assert wrapped.text.endswith("shutdown does (section 9).")
    assert not any("```" in row.text or "def " in row.text for row in kit)


def test_a_paragraph_is_cut_into_clauses() -> None:
    text = 'First (a; b. c) holds; second. [D] "Third" is, e.g. `x; y`, one. [O]/[I]'
    assert coverage_lines.clauses(text) == ["First (a; b. c) holds", "second. [D]", '"Third" is, e.g', "`x; y`, one. [O]/[I]"]


@pytest.mark.parametrize(
    ("section", "quote", "found"),
    [
        ("4.3", "No CRM user/queue on To/Cc", "No CRM user/queue on To/Cc => NoRecipientMatch"),
        ("4.1", "0 Duplicate", "0 Duplicate no"),
        ("4.1", "0 | Duplicate", "0 Duplicate no"),
        ("1.5", "trackingprefix", "trackingprefix S(256)"),
        ("4.6", "HashMaxCount", "HashMaxCount 20"),
        ("ews 1", "POST /EWS", "POST /EWS/Exchange.asmx"),
        ("ews 7", "0x0e23", "0x0e23 per-folder number"),
    ],
)
def test_a_quote_names_a_row(section: str, quote: str, found: str) -> None:
    row = coverage_lines.find_row(section, quote)
    assert isinstance(row, Row)
    assert row.text.startswith(found)


def test_a_quote_that_names_none_or_several() -> None:
    assert "no such row in the reference in that section, but in 4.3" in str(
        coverage_lines.find_row("4.4", "No CRM user/queue on")
    )
    assert "fits" in str(coverage_lines.find_row("2.6", "i"))
    assert coverage_lines.find_row("4.4", "nothing of the kind") == "no such row in the reference"


GOOD = Line(
    "p:1",
    '4.1 "0 Duplicate"',
    "postroom.rules.acceptance.check_incoming",
    "tests/rules/test_schedule.py::test_schedule",
    "features/pop3/incoming.feature: nothing",
)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (Line("p:1", '4.1 "0 Duplicate"', "", "x", "y"), "empty: Rule"),
        (Line("p:1", '4.1 "Nonsense"', "not ours: a fact", "-", "- a fact"), "no such row"),
        (Line("p:1", "4.1 Duplicate", "not ours: a fact", "-", "- a fact"), "not written as"),
        (Line("p:1", '4.1 "0 Duplicate"', "postroom.rules.acceptance.nothing", "-", "- x"), "no such rule"),
        (Line("p:1", '4.1 "0 Duplicate"', "postroom.rules.acceptance.check_incoming", "-", "- x"), "a test is needed"),
        (Line("p:1", '4.1 "0 Duplicate"', "not ours: x", "tests/rules/test_gone.py::test_x", "- x"), "no such test file"),
        (Line("p:1", '4.1 "0 Duplicate"', "not ours: x", "tests/rules/test_retry.py::test_no", "- x"), "no such test:"),
        (Line("p:1", '4.1 "0 Duplicate"', "not ours: x", "-", "features/gone.feature: X"), "no such feature"),
        (Line("p:1", '4.1 "0 Duplicate"', "not ours: x", "-", "-"), "why is not said"),
        (Line("p:1", '4.1 "0 Duplicate"', "not ours:", "-", "- x"), "why is not said"),
        (Line("p:1", 'ews 1 "Nonsense"', "not ours: a fact", "-", "- x"), "no such row"),
        (Line("p:1", 'ews 1 "0 Duplicate"', "not ours: a fact", "-", "- x"), "but in 4.1"),
        (Line("p:1", 'ews 1 "POST"', "postroom_simulator.ews.answering", "-", "- x"), "a test is needed"),
    ],
)
def test_a_wrong_line_is_found(line: Line, said: str) -> None:
    assert any(said in problem for problem in coverage_lines.problems_of(line)), coverage_lines.problems_of(line)


def test_pages_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "docs" / "coverage"
    folder.mkdir(parents=True)
    (folder / "x.md").write_text(
        "| Row | Rule | Test | Scenario |\n| --- | --- | --- | --- |\n| a | b \\| c | d | e |\n| a | b |\n"
    )
    (folder / "y.md").write_text('| Row | Rule | Test |\n| --- | --- | --- |\n| ews 1 "a" | b | c |\n| 1.1 "a" | b | c |\n')
    lines, problems = coverage_lines.coverage_lines(folder)
    assert lines == [
        Line("docs/coverage/x.md:3", "a", "b \\| c", "d", "e"),
        Line("docs/coverage/y.md:3", 'ews 1 "a"', "b", "c", "- no feature is about it"),
    ]
    assert "2 cells" in problems[0]
    assert "3 cells" in problems[1]
