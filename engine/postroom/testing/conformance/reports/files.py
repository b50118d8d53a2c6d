"""All reports of a run in a folder."""

from __future__ import annotations

import json
from pathlib import Path

from postroom.testing.conformance.reports.canonical import as_data, to_json
from postroom.testing.conformance.reports.junit import junit
from postroom.testing.conformance.reports.page import html
from postroom.testing.conformance.reports.texts import badge, markdown, terminal
from postroom.testing.conformance.results import Report

__all__ = ["write_reports"]


def write_reports(report: Report, folder: Path | str) -> list[Path]:
    """conformance.json, .html, .xml (JUnit), .md, .txt, badge.json, and for a whole run certificate.json. The folder is made where it is
    missing; files of an earlier run are replaced. OSError where it cannot be written."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    texts = {
        "conformance.json": to_json(report),
        "conformance.html": html(report),
        "conformance.xml": junit(report),
        "conformance.md": markdown(report),
        "conformance.txt": terminal(report, verbose=True),
        "badge.json": _json(badge(report)),
    }
    certificate = as_data(report)["certificate"]
    if certificate is not None:
        texts["certificate.json"] = _json(certificate)
    else:
        (place / "certificate.json").unlink(missing_ok=True)
    for name, text in texts.items():
        (place / name).write_text(text, encoding="utf-8")
    return [place / name for name in texts]


def _json(data: object) -> str:
    return json.dumps(data, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
