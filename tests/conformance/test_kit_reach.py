"""Nothing beyond loopback is reachable while the kit is at work, whichever way it is tried, and whatever blocks is ended."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.testing.conformance import runner, table
from postroom.testing.conformance.failures import Hang
from postroom.testing.conformance.results import CheckResult, Result
from postroom.testing.conformance.runner import Kit
from postroom.testing.conformance.subject import Subject
from postroom.testing.conformance.watchdog import limited

EVERY = table.load()
FAR, NAME = "192.0.2.1", "beyond.example"
"""RFC 5737 §3 and RFC 2606 §3: nobody's."""


def _datagram() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.sendto(b"x", (FAR, 9))


def _unwaited() -> None:
    with socket.socket() as made:
        made.setblocking(False)
        made.connect_ex((FAR, 9))


def _in_a_thread() -> None:
    def reach() -> None:
        try:
            socket.create_connection((FAR, 9), 1)
        except OSError as error:
            raised.append(error)

    raised: list[OSError] = []
    thread = threading.Thread(target=reach)
    thread.start()
    thread.join()
    raise raised[0]


WAYS: dict[str, tuple[Callable[[], Any], str, str]] = {
    "urllib": (lambda: urllib.request.urlopen(f"http://{FAR}/", timeout=1), "SEC-01", FAR),
    "urllib by name": (lambda: urllib.request.urlopen(f"http://{NAME}/", timeout=1), "SEC-01", NAME),
    "a socket": (lambda: socket.create_connection((FAR, 9), 1), "SEC-01", FAR),
    "a socket that does not wait": (_unwaited, "SEC-01", FAR),
    "a datagram": (_datagram, "SEC-01", FAR),
    "a name": (lambda: socket.gethostbyname(NAME), "SEC-01", NAME),
    "the name of an address": (lambda: socket.gethostbyaddr(FAR), "SEC-01", FAR),
    "the names of an address": (lambda: socket.getnameinfo((FAR, 9), 0), "SEC-01", FAR),
    "a thread": (_in_a_thread, "SEC-01", FAR),
    "a process": (lambda: subprocess.run([sys.executable, "-c", ""], check=False), "SEC-02", "started python"),
}


@pytest.mark.parametrize("way", WAYS)
def test_refused_and_told_in_probes_and_in_checks(way: str) -> None:
    reach, rule, told = WAYS[way]
    got_through: list[str] = []

    class Reaches(Pop3Provider):
        def open_mailbox(self, ctx: Any) -> None:
            try:
                reach()
            except OSError as refused:
                if "the kit lets nobody" not in str(refused):
                    got_through.append(str(refused))
            else:
                got_through.append("nothing was raised")
            super().open_mailbox(ctx)

    results = _results(Reaches, "SEC-01", "SEC-02", "LIF-02")
    assert not got_through, got_through
    assert results[rule].result is Result.FAIL
    assert told in results[rule].observed
    assert results["SEC-01" if rule == "SEC-02" else "SEC-02"].result is Result.PASS, "the other rule holds"


class TestBlocking:
    def test_a_lock_that_nobody_opens(self) -> None:
        never = threading.Lock()
        never.acquire()
        with pytest.raises(Hang), limited(0.05):
            never.acquire()

    def test_in_another_thread_a_loop_is_ended(self) -> None:
        raised: list[BaseException] = []

        def work() -> None:
            try:
                with limited(0.05):
                    while True:
                        pass
            except Hang as hang:
                raised.append(hang)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join(20)
        assert raised

    def test_probes_end_and_after_some_checks_the_others_are_not_tried(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(runner, "PROBE_SECONDS", 0.05)

        class Blocks(Pop3Provider):
            def open_mailbox(self, ctx: Any) -> None:
                threading.Event().wait()

        kit = Kit(_subject(Blocks))
        kit.hung += ["INB-01", "INB-02", "INB-03"]
        result = kit.run(EVERY["INB-04"])
        assert result.result is Result.FAIL
        assert result.observed == "not tried: INB-01, INB-02, INB-03 did not end either"


def _subject(kind: type[Any]) -> Subject:
    made = Subject()
    made.provider = kind
    return made


def _results(kind: type[Any], *checks: str) -> dict[str, CheckResult]:
    kit = Kit(_subject(kind))
    return {one.id: one for one in kit.judged([kit.run(EVERY[check]) for check in checks])}
