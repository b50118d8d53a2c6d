"""Reports of a run: one function each, from a `Report` (or its data) to text.

terminal(report)  as_data(report)  to_json(report)  junit(report)  markdown(report)  html(report)  badge(report)  diff(old, new)
    write_reports(report, folder)
"""

from __future__ import annotations

from postroom.testing.conformance.reports.canonical import SCHEMA, as_data, to_json
from postroom.testing.conformance.reports.changes import Difference, diff
from postroom.testing.conformance.reports.files import write_reports
from postroom.testing.conformance.reports.junit import junit
from postroom.testing.conformance.reports.page import html
from postroom.testing.conformance.reports.texts import badge, explain, markdown, terminal

__all__ = [
    "SCHEMA",
    "Difference",
    "as_data",
    "badge",
    "diff",
    "explain",
    "html",
    "junit",
    "markdown",
    "terminal",
    "to_json",
    "write_reports",
]
