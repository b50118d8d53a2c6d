"""`postroom serve`: Exchange Web Services by their URLs."""

from __future__ import annotations

import socket
import ssl
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path

from test_serve import refused, serving

ADA = "ada@alder.test:secret"


def status(url: str, authorization: str = "", context: ssl.SSLContext | None = None) -> tuple[int, str]:
    """And the challenges of a 401."""
    request = urllib.request.Request(url, headers={"Authorization": authorization} if authorization else {})
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, ", ".join(refusal.headers.get_all("WWW-Authenticate", ()))


def test_the_ready_line_has_urls_that_work(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    arguments = ("--account", ADA, "--ca-file", str(ca), "--ews-port", str(port), "--ews-auth", "NTLM,basic")
    with serving(*arguments) as (ready, _):
        assert ready["ews"]["url"] == f"http://localhost:{port}/EWS/Exchange.asmx"
        basic = "Basic " + b64encode(ADA.encode()).decode()
        assert status(ready["ews"]["url"]) == (401, 'NTLM, Basic realm="mail.sim.test"')
        assert status(ready["ews"]["url"], basic)[0] == 200
        assert ready["ewss"]["url"].startswith("https://localhost:")
        assert status(ready["ewss"]["url"], basic, ssl.create_default_context(cafile=str(ca)))[0] == 200


def test_a_mechanism_that_does_not_exist() -> None:
    assert "no mechanism is called 'NTML'" in refused("--ews-auth", "NTML")
