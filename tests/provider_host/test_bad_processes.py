"""Processes that do not behave: bounded time and memory, an error that says what, and nothing left of them."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from provider_scene import HELLO, Running, python, running

from postroom.clock import SystemClock
from postroom.errors import (
    AuthError,
    Cancelled,
    ConfigError,
    MessageError,
    ProtocolError,
    ProviderError,
    ServerTimeout,
    StaleRun,
    TransientError,
)
from postroom.providers.process import foreign

DONE = "say({'id': asked['id'], 'result': {'processed': 1}})"


def children() -> set[int]:
    """Processes that this one started and that are still there, zombies too."""
    me, found = str(os.getpid()), set()
    for one in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = one.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == me:
            found.add(int(one.parent.name))
    return found


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    before, files = children(), len(list(Path("/proc/self/fd").iterdir()))
    yield
    assert children() <= before
    assert len(list(Path("/proc/self/fd").iterdir())) <= files


@pytest.mark.parametrize(
    ("run", "kind", "code"),
    [
        ("print('hello there', flush=True)", ProtocolError, "process-garbage"),
        ("print('[1]', flush=True)", ProtocolError, "process-garbage"),
        ("print('[' * 100000, flush=True)", ProtocolError, "process-garbage"),
        ("print('{\"id\":' + '9' * 10000 + '}', flush=True)", ProtocolError, "process-garbage"),
        ("os.write(1, b'\\xff\\xfe\\n')", ProtocolError, "process-garbage"),
        ("say({'id': 77, 'result': {}})", ProtocolError, "process-garbage"),
        ("say({'call': 'state.commit', 'value': {}})", ProtocolError, "process-garbage"),
        ("say({'id': [1], 'call': 'state.get'})", ProtocolError, "process-garbage"),
        ("sys.exit(3)", TransientError, "process-ended"),
        ("os.kill(os.getpid(), 9)", TransientError, "process-ended"),
        ("os.close(1); time.sleep(60)", TransientError, "process-ended"),
        ("say({'id': asked['id'], 'result': {'processed': -1}})", ProtocolError, "process-values"),
        ("say({'id': asked['id'], 'result': {'processed': 'many'}})", ProtocolError, "process-values"),
        ("say({'id': asked['id'], 'error': {'kind': 'AuthError', 'text': 'no'}})", AuthError, ""),
        ("say({'id': asked['id'], 'error': {'kind': 'MessageError', 'text': 'no', 'source_key': 'k'}})", MessageError, ""),
        ("say({'id': asked['id'], 'error': {'kind': 'Nonsense'}})", RuntimeError, ""),
        ("say({'id': asked['id'], 'error': 'x'})", RuntimeError, ""),
    ],
)
def test_what_it_may_say(tmp_path: Path, run: str, kind: type[Exception], code: str) -> None:
    with running(python(tmp_path, run), {}) as one:
        with pytest.raises(kind) as caught:
            one.provider.run(one.context())
        assert getattr(caught.value, "code", "") == code
        assert type(caught.value) is kind


def test_another_run_starts_another_process(tmp_path: Path) -> None:
    marker = tmp_path / "was here"
    run = f"if os.path.exists({str(marker)!r}): {DONE}\nelse: open({str(marker)!r}, 'w').close(); sys.exit(1)"
    with running(python(tmp_path, run), {}) as one:
        with pytest.raises(TransientError, match=r"ended in the middle \(status 1\)"):
            one.provider.run(one.context())
        assert one.provider.run(one.context()).processed == 1


@pytest.mark.parametrize(
    "run", ["time.sleep(60)", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass"]
)
def test_silence_until_the_deadline(tmp_path: Path, run: str) -> None:
    with running(python(tmp_path, run), {}) as one:
        clock = SystemClock()
        start = clock.monotonic()
        with pytest.raises(ServerTimeout, match="did not end by its deadline"):
            one.provider.run(one.context(seconds=0.5))
        assert clock.monotonic() - start < 10


def test_cancelled_and_cooperating(tmp_path: Path) -> None:
    run = "sys.stdin.readline(); say({'id': asked['id'], 'result': {'processed': 2, 'more': True}})"
    with running(python(tmp_path, run), {}) as one:
        looks = iter([False, False, True])
        outcome = one.provider.run(one.context(cancelled=lambda: next(looks, True)))
        assert (outcome.processed, outcome.more) == (2, True)
        assert isinstance(outcome.error, Cancelled)


def test_cancelled_and_not_cooperating(tmp_path: Path) -> None:
    with running(python(tmp_path, "time.sleep(60)"), {}) as one:
        looks = iter([False, False, True])
        outcome = one.provider.run(one.context(cancelled=lambda: next(looks, True)))
        assert isinstance(outcome.error, Cancelled)
        assert (outcome.more, outcome.error.code) == (True, "process-silent")


@pytest.mark.parametrize(
    "run",
    [
        "while True: os.write(1, b'x' * 65536)",
        'while True: os.write(1, b\'{"call":"log","event":"x"}\\n\' * 1000)',
        "while True: os.write(2, b'x' * 65536)",
        "while True: os.write(1, b'\\n' * 65536)",
    ],
)
def test_floods(tmp_path: Path, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom.providers.pipes.LONGEST_LINE", 1024 * 1024)
    with running(python(tmp_path, run), {}) as one:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises((ProtocolError, ServerTimeout)):
            one.provider.run(one.context(seconds=1.0))
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024  # KiB; a flood is gigabytes
        assert len(one.log.lines) <= 10_001


def test_a_huge_message_is_taken_whole(tmp_path: Path) -> None:
    run = (
        "import base64\n"
        "octets = base64.b64encode(b'Subject: large\\r\\n\\r\\n' + b'x' * 20_000_000).decode()\n"
        "ask('take_in', source_key='k', octets=octets)\n" + DONE
    )
    with running(python(tmp_path, run), {}) as one:
        assert one.provider.run(one.context()).processed == 1
        assert len(one.gateway.offers[0].octets) > 20_000_000


def test_a_process_that_does_not_read(tmp_path: Path) -> None:
    many = [f"k{n:0200}" for n in range(20_000)]
    with running(
        python(tmp_path, "say({'id': 1, 'call': 'seen.recall', 'keys': [f'k{n:0200}' for n in range(20000)]}); time.sleep(60)"),
        {},
    ) as one:
        one.seen.add(dict.fromkeys(many, "digest"))
        with pytest.raises(ProviderError) as caught:
            one.provider.run(one.context(seconds=1.0))
        assert getattr(caught.value, "code", "") == "process-silent"


def test_what_it_started_ends_with_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    run = f"import subprocess\nchild = subprocess.Popen(['sleep', '600'])\nopen({str(pid)!r}, 'w').write(str(child.pid))\ntime.sleep(60)"
    with running(python(tmp_path, run), {}) as one, pytest.raises(ServerTimeout):
        one.provider.run(one.context(seconds=2.0))
    clock = SystemClock()
    until = clock.monotonic() + 10
    while Path(f"/proc/{pid.read_text()}/stat").exists() and clock.monotonic() < until:
        if " Z " in Path(f"/proc/{pid.read_text()}/stat").read_text():  # dead; whoever inherited it has not looked yet
            break
    else:
        assert not Path(f"/proc/{pid.read_text()}").exists()


class TestCalls:
    def refused(self, tmp_path: Path, call: str, **more: Any) -> Any:
        """What the process gets for a call."""
        path = tmp_path / "reply"
        run = f"reply = {call}\nopen({str(path)!r}, 'w').write(json.dumps(reply.get('error', {{}}).get('text')))\n{DONE}"
        with running(python(tmp_path, run), {}) as one:
            self.one = one
            one.provider.run(one.context()) if not more else one.provider.check(one.context())
        return path.read_text()

    @pytest.mark.parametrize(
        "call",
        [
            "ask('nonsense')",
            "ask('take_in')",
            "ask('take_in', source_key='k', octets='not base64!')",
            "ask('take_in', source_key='k' * 400, octets='')",
            "ask('take_in', source_key='\\0', octets='')",
            "ask('deliver_incoming', source_key='k')",
            "ask('deliver_incoming', source_key='k', octets='', verdict={'deliver': True})",
            "ask('batch.commit')",
            "ask('report_outgoing', email_id='x', submission={})",
            "ask('claim_outgoing', limit=-1)",
            "ask('claim_outgoing', limit=True)",
            "ask('seen.add', entries=[])",
            "ask('seen.new_among', keys=[1])",
            "ask('state.commit', value=[1])",
            "ask('state.rewind', value={})",
            "ask('net.recv', connection=5, limit=10)",
            "ask('net.connect', host='x', port=0)",
            "ask('clock.sleep', timeout='long')",
        ],
    )
    def test_refused(self, tmp_path: Path, call: str) -> None:
        assert self.refused(tmp_path, call) != "null"
        assert self.one.gateway.ledger == {}
        assert self.one.cell.commits == []

    def test_a_check_has_no_effects(self, tmp_path: Path) -> None:
        call = "ask('take_in', source_key='k', octets='')"
        assert "a check has no effects" in self.refused(tmp_path, call, check=True)
        assert self.one.gateway.calls == []

    def test_an_open_batch_is_undone(self, tmp_path: Path) -> None:
        run = f"ask('batch.begin')\nask('check_incoming', source_key='k', octets='')\nask('deliver_incoming', source_key='k')\n{DONE}"
        with running(python(tmp_path, run), {}) as one:
            one.provider.run(one.context())
            assert one.gateway.ledger == {}
            assert [call.name for call in one.gateway.calls].count("deliver_incoming") == 1

    def test_a_void_fence_is_told_whatever_the_process_says(self, tmp_path: Path) -> None:
        with running(python(tmp_path, f"ask('take_in', source_key='k', octets='')\n{DONE}"), {}) as one:
            one.gateway.stale = True
            with pytest.raises(StaleRun):
                one.provider.run(one.context())


class TestSecrets:
    @pytest.mark.parametrize(
        "run",
        [
            "say({'id': asked['id'], 'error': {'kind': 'AuthError', 'text': 'LOGIN hunter22 refused', 'reply': 'hunter22'}})",
            "say({'call': 'log', 'event': 'x', 'text': 'hunter22', 'values': {'a': 'hunter22'}}); sys.exit(1)",
            "sys.stderr.write('hunter22'); sys.stderr.flush(); sys.exit(1)",
        ],
    )
    def test_never_shown(self, tmp_path: Path, run: str) -> None:
        with running(python(tmp_path, run), {"Password": "hunter22"}) as one:
            with pytest.raises(ProviderError) as caught:
                one.provider.run(one.context())
            assert "hunter22" not in f"{caught.value} {vars(caught.value)} {one.log.lines}"
            assert one.log.lines or isinstance(caught.value, AuthError)

    def test_passed_on_the_pipe_only(self, tmp_path: Path) -> None:
        run = (
            "ok = 'hunter22' not in str(os.environ) + str(sys.argv)\nsay({'id': asked['id'], 'result': {'processed': int(ok)}})"
        )
        with running(python(tmp_path, run), {"Password": "hunter22"}) as one:
            assert one.provider.run(one.context()).processed == 1


@pytest.mark.parametrize(
    ("hello", "said"),
    [
        ("{}", "name; .*api.*direction"),
        (HELLO.replace('"bad"', '"../x"'), "name"),
        (HELLO.replace("inbound", "sideways"), "direction"),
        (HELLO.replace("[1, 0]", "[2, 0]"), "api: this is 1.0"),
        (HELLO.replace('"secret"', '"blob"'), "config"),
        (HELLO.replace('"Password"', '"a b"'), "no element name"),
        ("[]", "name"),
    ],
)
def test_a_wrong_hello(tmp_path: Path, hello: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        foreign(python(tmp_path, DONE, hello=hello))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["/none/such"], "cannot be started: No such file"),
        ([], "cannot be started"),
        (["/etc/passwd"], "cannot be started: Permission denied"),
        (["true"], "is no provider: .*ended"),
        ([sys.executable, "-c", "print('hello')"], "is no provider: .*no JSON"),
    ],
)
def test_what_is_no_provider(command: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        foreign(command)


def test_closed_means_closed(tmp_path: Path) -> None:
    with running(python(tmp_path, DONE), {}) as one:
        one.provider.run(one.context())
        one.provider.close()
        one.provider.close()
        with pytest.raises(ProviderError, match="closed"):
            one.provider.run(one.context())


def test_a_refused_configuration(tmp_path: Path) -> None:
    configure = "say({'id': asked['id'], 'error': {'kind': 'ConfigError', 'text': 'no such folder'}})"
    with running(python(tmp_path, DONE, configure=configure), {}) as one, pytest.raises(ConfigError, match="no such folder"):
        one.provider.run(one.context())


def test_running_is_not_shared(tmp_path: Path) -> None:
    """Two instances have a process each."""
    command = python(tmp_path, "say({'id': asked['id'], 'result': {'processed': os.getpid()}})")
    with running(command, {}) as one, running(command, {}) as two:
        pids = [each.provider.run(each.context()).processed for each in (one, two, one)]
    assert pids[0] == pids[2] != pids[1]
    assert isinstance(one, Running)


def test_sleeping_ends_when_the_run_is_cancelled(tmp_path: Path) -> None:
    with running(python(tmp_path, f"ask('clock.sleep', timeout=600)\n{DONE}"), {}) as one:
        looks = iter([False, False, False])
        clock = SystemClock()
        start = clock.monotonic()
        assert one.provider.run(one.context(seconds=600.0, cancelled=lambda: next(looks, True))).processed == 1
        assert clock.monotonic() - start < 30
