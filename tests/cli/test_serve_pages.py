"""`postroom serve`: pages over HTTP and HTTPS, and what goes wrong with them."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from pathlib import Path

from test_serve import refused, serving

FEED = b'<rss version="2.0"><channel><title>News</title></channel></rss>'


def page(url: str, context: ssl.SSLContext | None = None, **headers: str) -> tuple[int, str, bytes]:
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, "", refusal.read()


def test_a_file_is_a_page_over_http_and_https(tmp_path: Path) -> None:
    (tmp_path / "news.xml").write_bytes(FEED)
    ca = tmp_path / "ca.pem"
    with serving("--publish", f"/feed={tmp_path / 'news.xml'}", "--ca-file", str(ca)) as (ready, _):
        assert page(f"{ready['http']['url']}/feed") == (200, "application/xml", FEED)
        trusted = ssl.create_default_context(cafile=str(ca))
        assert page(f"{ready['https']['url']}/feed", trusted) == (200, "application/xml", FEED)
        assert page(f"{ready['http']['url']}/other")[0] == 404


def test_what_changes_on_the_disk_changes_there(tmp_path: Path) -> None:
    file = tmp_path / "news.rss"
    file.write_bytes(FEED)
    with serving("--publish", f"/feed={file}") as (ready, _):
        url = f"{ready['http']['url']}/feed"
        with urllib.request.urlopen(url, timeout=10) as answer:
            tag = answer.headers["ETag"]
            assert answer.headers["Content-Type"] == "application/rss+xml"
        assert page(url, **{"If-None-Match": tag})[0] == 304
        file.write_bytes(FEED.replace(b"News", b"More"))
        assert page(url, **{"If-None-Match": tag}) == (200, "application/rss+xml", FEED.replace(b"News", b"More"))
        file.unlink()
        assert page(url)[0] == 404


def test_faults_of_http(tmp_path: Path) -> None:
    (tmp_path / "news.xml").write_bytes(FEED)
    faults = tmp_path / "faults.toml"
    faults.write_text(
        '[[fault]]\nprotocol = "http"\nat = "GET"\nnth = 1\neffect = { reply = "503 [Retry-After=30] come back later" }\n'
    )
    with serving("--publish", f"/feed={tmp_path / 'news.xml'}", "--faults", str(faults)) as (ready, _):
        assert page(f"{ready['http']['url']}/feed")[0] == 503
        assert page(f"{ready['http']['url']}/feed")[0] == 200


def test_a_port_alone_serves_no_page_yet() -> None:
    with serving("--http-port", "0") as (ready, _):
        assert page(f"{ready['http']['url']}/")[0] == 404
        assert "https" not in ready


def test_without_being_asked_for_nothing_listens() -> None:
    with serving() as (ready, _):
        assert not {"http", "https"} & ready.keys()


def test_what_cannot_be_published(tmp_path: Path) -> None:
    assert "give PATH=FILE" in refused("--publish", "feed=news.xml")
    assert "No such file" in refused("--publish", f"/feed={tmp_path / 'none.xml'}")
