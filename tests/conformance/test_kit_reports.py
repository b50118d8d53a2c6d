"""Reports: the same facts for people and for programs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from kit_stage import TODAY, broken, made, small, violations

from postroom.testing.conformance.reports import as_data, badge, diff, html, junit, markdown, terminal, to_json
from postroom.testing.conformance.reports.canonical import load_schema
from postroom.testing.conformance.results import Result, Waiver
from postroom.testing.conformance.table import UNTESTED, Level, Profile

WAIVER = Waiver("LIF-06", "a reason | with a bar", TODAY + timedelta(days=3), "ann")


def _waived():
    report = made(LIF_06=Result.WAIVED, LIF_02=Result.FAIL)
    results = tuple(replace(one, waiver=WAIVER) if one.id == "LIF-06" else one for one in report.results)
    return replace(report, results=results, waivers=(WAIVER,))


@pytest.mark.parametrize("give", [small, broken, _waived])
def test_json_keeps_the_published_schema(give):
    data = json.loads(to_json(give()))
    assert violations(load_schema(), data) == []


def test_the_schema_refuses_what_it_should():
    data = as_data(small())
    for change in ({"schema": 2}, {"seed": "0"}, {"surplus": 1}, {"table": "x"}):
        assert violations(load_schema(), {**data, **change}), change
    data["checks"][0] = {**data["checks"][0], "result": "maybe"}
    assert violations(load_schema(), data)


def test_json_counts_what_is_claimed():
    data = as_data(small())
    summary = data["summary"]
    assert summary["verdict"] == "conformant"
    assert summary["exit"] == 0
    assert summary["must"]["pass"] == len([one for one in small().mandatory if one.result is Result.PASS])
    assert summary["profiles"]["core"]["claimed"] is True
    assert {one["id"] for one in data["untested"]} == {one.id for one in UNTESTED}


def test_terminal_shows_failures_first():
    text = terminal(broken())
    assert text.index("LIF-06 empty_source: fail") < text.index("core: ")
    assert text.splitlines()[-1].startswith("pop3 ")
    assert "it does not conform" in text.splitlines()[-1]
    assert "REV-01" in text


def test_terminal_lists_waivers_and_what_does_not_apply():
    assert "waived:" in terminal(_waived())
    assert "a reason | with a bar" in terminal(_waived())
    text = terminal(small())
    assert "not applicable:" in text
    assert "no optional dependency is named" in text


def test_terminal_says_what_did_not_run():
    report = made()
    fewer = replace(report, results=tuple(one for one in report.results if one.id != "LIF-02"))
    assert "did not run: LIF-02" in terminal(fewer)


def test_junit_has_a_case_for_each_check():
    report = broken()
    suite = ElementTree.fromstring(junit(report))
    assert len(suite.findall("testcase")) == len(report.results) == int(suite.get("tests"))
    failed = {case.get("name").split()[0] for case in suite.findall("testcase") if case.find("failure") is not None}
    assert failed == {one.id for one in report.results if one.result.bad} == {"LIF-05", "LIF-06", "LIF-12"}
    case = next(case for case in suite.findall("testcase") if case.get("name").startswith("LIF-06"))
    properties = {one.get("name"): one.get("value") for one in case.iter("property")}
    assert (properties["id"], properties["level"]) == ("LIF-06", "Must")
    assert "state.commit" in case.find("failure").text


def test_junit_skips_with_a_reason():
    suite = ElementTree.fromstring(junit(_waived()))
    skipped = suite.find("testcase[@name='LIF-06 empty_source']/skipped")
    assert "a reason" in skipped.get("message")


def test_junit_is_red_where_the_exit_code_is():
    """A Should that does not hold is told, and fails nobody's build."""
    report = broken()
    lenient = replace(
        report.results[0], check=replace(report.results[0].check, level=Level.SHOULD), result=Result.FAIL, observed="so so"
    )
    suite = ElementTree.fromstring(junit(replace(report, results=[lenient])))
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "1")
    assert suite.find("testcase/skipped").get("message") == "Should, and does not hold: so so"


def test_markdown_has_a_row_for_each_check():
    text = markdown(_waived())
    for one in _waived().results:
        assert f"| {one.id} |" in text
    assert "a reason \\| with a bar" in text
    assert str(WAIVER.expires) in text


class _Page(HTMLParser):
    """Which tags there are, and that they are closed."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.links, self.results = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        values = dict(attrs)
        self.links += [values[name] for name in ("src", "href") if name in values]
        if tag == "details":
            self.results.append((values["data-result"], "open" in values))
        if tag not in {"meta", "input"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def _page(report):
    page = _Page()
    page.feed(html(report))
    page.close()
    return page


def test_the_page_is_one_file_and_well_formed():
    page = _page(broken())
    assert page.open == []
    assert page.links == [], "nothing is loaded from elsewhere"
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org)", html(broken()))


def test_the_page_shows_each_check_and_opens_failures():
    page = _page(broken())
    assert len(page.results) == len(broken().results)
    assert {result for result, opened in page.results if opened} == {"fail"}
    assert page.seen.count("svg") == sum(bool(one.journal) for one in broken().results) > 0
    assert "prefers-color-scheme:dark" in html(broken())


def test_the_page_escapes_what_servers_say():
    report = broken()
    evil = replace(report.results[0], result=Result.FAIL, observed="<script>alert(1)</script>", expected="&")
    assert "<script>alert" not in html(replace(report, results=(evil,)))


def test_the_badge_has_no_percentage():
    good = badge(small())
    assert good["message"].startswith("core + secure 1.0.0: ")
    assert good["message"].endswith("Must, 0 waived")
    assert "%" not in good["message"]
    bad = badge(made(LIF_01=Result.FAIL))
    assert (bad["color"], bad["isError"]) == ("red", True)
    assert bad["message"].startswith("not-conformant: ")
    assert badge(_waived())["isError"] is True


def test_a_difference_tells_regressions_first():
    old, new = as_data(made()), as_data(made(LIF_01=Result.FAIL, LIF_02=Result.NOT_APPLICABLE))
    found = diff(old, new)
    assert found.regressions == ("LIF-01 full_cycle: pass -> fail",)
    assert found.changed == ("LIF-02 check_good: pass -> not-applicable",)
    assert found.worse
    assert found.text().startswith("regressions:")
    assert diff(new, old).fixed == ("LIF-01 full_cycle: fail -> pass",)
    assert not diff(old, old)
    assert diff(old, old).text() == "nothing changed\n"


def test_a_difference_tells_checks_that_came_and_went_and_waivers():
    full = made()
    fewer = replace(full, results=full.results[1:], claims=(Profile.CORE,))
    first = full.results[0]
    assert diff(as_data(full), as_data(fewer)).gone == (f"{first.id} {first.check.name}: was pass",)
    assert diff(as_data(full), as_data(fewer)).worse
    assert diff(as_data(fewer), as_data(full)).new == (f"{first.id} {first.check.name}: pass",)
    assert "LIF-06: none -> until" in diff(as_data(full), as_data(replace(full, waivers=(WAIVER,)))).waivers[0]


def test_a_difference_of_what_is_no_report():
    with pytest.raises(ValueError, match="no report"):
        diff({}, as_data(made()))
