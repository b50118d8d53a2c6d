"""JUnit XML, for CI servers: a case a check; level, profile and rule are properties; what is waived or not applicable is skipped, with its reason."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from postroom.testing.conformance.results import CheckResult, Report, Result

__all__ = ["junit"]

UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> str:
    results = report.results
    failures = sum(one.result in (Result.FAIL, Result.MISDECLARED, Result.UNEXPECTED_PASS) for one in results)
    suite = ElementTree.Element(
        "testsuite",
        name=f"postroom conformance: {report.provider}",
        tests=str(len(results)),
        failures=str(failures),
        errors=str(sum(one.result is Result.ERROR for one in results)),
        skipped=str(sum(one.result in (Result.WAIVED, Result.NOT_APPLICABLE) for one in results)),
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
    if one.result in (Result.WAIVED, Result.NOT_APPLICABLE):
        waived = f"waived until {one.waiver.expires}: {one.waiver.reason}" if one.waiver is not None else one.reason
        ElementTree.SubElement(case, "skipped", message=_clean(waived))
    elif one.result is Result.ERROR:
        ElementTree.SubElement(case, "error", message=_clean(one.reason)).text = _clean(one.text())
    elif one.result.bad:
        message = one.observed or one.reason
        ElementTree.SubElement(case, "failure", message=_clean(message), type=one.result.value).text = _clean(one.text())
    return case


def _clean(text: str) -> str:
    return UNWRITABLE.sub("?", text)
