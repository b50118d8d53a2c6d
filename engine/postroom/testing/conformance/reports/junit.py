"""JUnit XML, for CI servers: a case a check; level, profile and rule are properties; what is waived or not applicable is skipped, with its reason.
So is a Should that does not hold: a server that goes red says what the exit code says."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from postroom.testing.conformance.results import CheckResult, Report, Result
from postroom.testing.conformance.table import Level

__all__ = ["junit"]

UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> str:
    results = report.results
    told = [_told(one) for one in results]
    suite = ElementTree.Element(
        "testsuite",
        name=f"postroom conformance: {report.provider}",
        tests=str(len(results)),
        failures=str(told.count("failure")),
        errors=str(told.count("error")),
        skipped=str(told.count("skipped")),
        time=f"{report.seconds:.3f}",
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (
        ("kit", report.kit),
        ("seed", str(report.seed)),
        ("claims", " ".join(report.claims)),
        ("verdict", report.verdict),
    ):
        ElementTree.SubElement(properties, "property", name=name, value=_clean(value))
    for one in results:
        suite.append(_case(one, report.provider))
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def _case(one: CheckResult, provider: str) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase", classname=f"{provider}.{one.check.profile}", name=f"{one.id} {one.check.name}", time=f"{one.seconds:.3f}"
    )
    properties = ElementTree.SubElement(case, "properties")
    for name, value in (("id", one.id), ("level", one.check.level.word), ("owner", one.check.owner), ("rule", one.check.rule)):
        ElementTree.SubElement(properties, "property", name=name, value=_clean(value))
    told = _told(one)
    if told == "skipped":
        ElementTree.SubElement(case, told, message=_clean(_reason(one)))
    elif told == "error":
        ElementTree.SubElement(case, told, message=_clean(one.reason)).text = _clean(one.text())
    elif told:
        message = one.observed or one.reason
        ElementTree.SubElement(case, told, message=_clean(message), type=one.result.value).text = _clean(one.text())
    return case


def _told(one: CheckResult) -> str:
    """The element that says it; "" for what holds."""
    lenient = one.result is Result.FAIL and one.check.level is not Level.MUST
    if lenient or one.result in (Result.WAIVED, Result.NOT_APPLICABLE):
        return "skipped"
    if one.result is Result.ERROR:
        return "error"
    return "failure" if one.result.bad else ""


def _reason(one: CheckResult) -> str:
    if one.result is Result.FAIL:
        return f"{one.check.level.word}, and does not hold: {one.observed or one.reason}"
    return f"waived until {one.waiver.expires}: {one.waiver.reason}" if one.waiver is not None else one.reason


def _clean(text: str) -> str:
    return UNWRITABLE.sub("?", text)
