"""Every answer of every EwsService in these tests fits the published schema for the version that its request named."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from postroom_simulator.ews.http import Request, Response
from postroom_simulator.ews.service import EwsService
from postroom_simulator.ews.validate import problems_of_envelope
from postroom_simulator.ews.versions import SERVERS, Version

ASKED = re.compile(rb"<(?:\w+:)?RequestServerVersion\b[^>]*?\bVersion\s*=\s*[\"']([^\"']*)")


def version_of(request: Request, server: str) -> Version:
    """What the request names; the newest where the server does not know it (the answer is then a fault)."""
    found = ASKED.search(request.body[:20_000])
    return SERVERS[server].schema(found[1].decode("ascii", "replace") if found else "Exchange2007") or max(Version)


@pytest.fixture(autouse=True)
def answers_fit_the_schema(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Violations of all answers; the test fails when there is one. A test that wants a broken answer clears the list."""
    violations: list[str] = []
    respond = EwsService.respond

    def checked(service: EwsService, request: Request) -> Response:
        response = respond(service, request)
        if ("Content-Type", "text/xml; charset=utf-8") not in response.headers or not request.path.startswith("/ews/exchange"):
            return response
        version = version_of(request, service.server_name)
        if response.stream is not None:
            response.stream = each(response.stream, version)
        elif response.body:
            violations.extend(problems_of_envelope(response.body, version))
        return response

    def each(pieces: Iterator[bytes], version: Version) -> Iterator[bytes]:
        for piece in pieces:
            violations.extend(problems_of_envelope(piece, version))
            yield piece

    monkeypatch.setattr(EwsService, "respond", checked)
    yield violations
    assert not violations, "\n".join(violations[:20])
