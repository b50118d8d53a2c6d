"""What a failure says, and what the kit notices while a provider runs."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from pathlib import Path

import pytest
from kit_stage import TODAY, broken, small

from postroom.errors import ConnectionFailed, ServerTimeout, TlsError
from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.testing.conformance import run_kit, subject_for
from postroom.testing.conformance.bench import Bench
from postroom.testing.conformance.failures import CheckFailed, FixtureError, Hang
from postroom.testing.conformance.guard import Guard, Snapshot
from postroom.testing.conformance.journals import forms
from postroom.testing.conformance.mutants.security import CallsHome, LeavesFile
from postroom.testing.conformance.network import Trouble
from postroom.testing.conformance.results import Result
from postroom.testing.conformance.watchdog import limited
from postroom.testing.conformance.world import PASSWORD, KitWorld


def test_a_failure_says_everything():
    text = broken().of("LIF-06").text()
    for part in (
        "LIF-06 empty_source: fail",
        "rule:      with nothing to do a run counts zero",
        "expected:  a run over an empty source that changes nothing",
        "observed:  1 effects: state.commit",
        "state    state.commit",
        "again:     postroom provider check pop3 -k LIF-06 --seed 0",
    ):
        assert part in text


def test_the_journal_around_a_failure_holds_no_secret():
    said = "".join(one.text() for report in (broken(), small()) for one in report.results)
    assert said
    assert not any(form in said for form in forms([PASSWORD]))


def test_what_another_scenario_saw_counts_against_the_rule_and_is_told_even_when_that_check_did_not_run():
    report = run_kit(subject_for(CallsHome), only=["LIF-06"], today=TODAY)
    assert report.of("LIF-06").result is Result.PASS
    assert report.of("SEC-01") is None, "through ctx.net: seen by its own check"
    report = run_kit(subject_for(LeavesFile), only=["LIF-06"], today=TODAY)
    assert report.of("SEC-02").result is Result.FAIL
    assert "during LIF-06: wrote" in report.of("SEC-02").observed
    assert "-k LIF-06" in report.of("SEC-02").reproduce


def test_the_extra_run_is_made_after_every_scenario():
    from postroom.testing.conformance.mutants.life import Forgets

    report = run_kit(subject_for(Forgets), only=["ERR-08"], today=TODAY)
    assert report.of("LIF-12").result is Result.FAIL
    assert "during ERR-08: one more run, with nothing to do: deliver_incoming" in report.of("LIF-12").observed


@pytest.mark.parametrize("seed", range(4))
def test_a_seed_gives_the_same_run(seed):
    def journal():
        bench = Bench(subject_for(Pop3Provider), seed)
        bench.seed(2)
        bench.instance().run_all()
        lines = [entry.fields() for entry in bench.world.journal]
        bench.close()
        return lines

    assert journal() == journal()


def test_nothing_outside_loopback_can_be_reached():
    guard = Guard()
    with guard.watching(), guard.calling():
        with socket.socket() as line, pytest.raises(ConnectionRefusedError, match=r"ctx\.net"):
            line.connect(("192.0.2.1", 25))
        with pytest.raises(socket.gaierror):
            socket.getaddrinfo("mail.example.test", 25)
        with socket.socket() as line, pytest.raises(ConnectionRefusedError):
            line.connect(("127.0.0.1", 1))
    assert [(one.what, one.foreign) for one in guard.violations] == [("connect", True), ("resolve", True), ("connect", False)]
    assert guard.own_transport


def test_files_are_seen_wherever_they_are_written(tmp_path):
    granted = tmp_path / "granted"
    granted.mkdir()
    guard = Guard(lambda: granted)
    with guard.watching(), guard.calling():
        (granted / "inside").write_text("x")
        (tmp_path / "outside").write_text("x")
        (tmp_path / "folder").mkdir()
        (tmp_path / "outside").read_text()
        with tempfile.TemporaryFile() as file:
            file.write(b"x")
    foreign = [one.where for one in guard.foreign("write")]
    assert foreign[:2] == ["outside", "folder"]
    assert len(foreign) > 2
    assert "inside" not in foreign


def test_the_kit_s_own_files_are_not_held_against_the_provider(tmp_path):
    guard = Guard()
    with guard.watching():
        (tmp_path / "hook").write_text("x")
        with guard.calling(), guard.looking_away():
            (tmp_path / "world").write_text("x")
    assert guard.violations == []


def test_another_thread_is_always_watched(tmp_path):
    guard = Guard()
    with guard.watching():
        thread = threading.Thread(target=(tmp_path / "thread").write_text, args=("x",))
        thread.start()
        thread.join()
    assert [one.where for one in guard.violations] == ["thread"]


def test_settings_are_seen_and_put_back(monkeypatch):
    before = Snapshot.take()
    here = Path.cwd()
    os.environ["KIT_TEST"] = "1"
    socket.setdefaulttimeout(3.0)
    os.chdir("/")
    mask = os.umask(0o077)
    after = Snapshot.take()
    assert after.settings_changed(before) == [
        "the environment",
        "the working directory",
        "the default time-out of sockets",
        "the umask",
    ]
    before.restore()
    assert Snapshot.take().settings_changed(before) == []
    assert Path.cwd() == here
    assert os.umask(mask) == mask


def _for_ever(swallow):
    while True:
        try:
            raise ValueError
        except swallow:
            continue


@pytest.mark.parametrize("swallow", [ValueError, Exception])
def test_a_loop_that_never_ends_is_ended(swallow):
    with pytest.raises(Hang), limited(0.05):
        _for_ever(swallow)


def test_a_block_that_ends_in_time_is_left_alone():
    before = threading.active_count()
    for _ in range(50):
        with limited(60.0):
            pass
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (Trouble.REFUSED, ConnectionFailed),
        (Trouble.DNS, ConnectionFailed),
        (Trouble.TIMEOUT, ServerTimeout),
        (Trouble.RESET, ConnectionFailed),
        (Trouble.SILENT, ServerTimeout),
    ],
)
def test_a_sick_network(trouble, error):
    world = KitWorld()
    world.network.fail(trouble)
    with pytest.raises(error):
        world.network.connect(world.host, 110, timeout=5.0).recv(10)
    assert world.clock.monotonic() == (5.0 if trouble in (Trouble.TIMEOUT, Trouble.SILENT) else 0.0)
    world.heal()
    line = world.network.connect(world.host, 110, timeout=5.0)
    assert line.recv(3) == b"+OK"
    line.close()
    world.close()


def test_the_first_dials_may_be_well():
    world = KitWorld()
    world.network.fail(Trouble.REFUSED, after=1)
    world.network.connect(world.host, 110, timeout=5.0).close()
    with pytest.raises(ConnectionFailed):
        world.network.connect(world.host, 110, timeout=5.0)
    world.close()


def test_endless_words_end_and_are_told():
    world = KitWorld()
    world.network.fail(Trouble.ENDLESS)
    line = world.network.connect(world.host, 110, timeout=5.0)
    while line.recv(1 << 20):
        pass
    assert world.swallowed == 1
    world.close()


def test_a_bad_certificate_is_one_only_where_there_is_tls():
    world = KitWorld()
    world.network.fail(Trouble.CERTIFICATE)
    with pytest.raises(TlsError):
        world.network.connect(world.host, 995, timeout=5.0, tls=True)
    world.network.connect(world.host, 110, timeout=5.0).close()
    world.close()


def test_whoever_dials_and_dials_is_stopped():
    world = KitWorld()
    world.network.fail(Trouble.REFUSED)

    def storm():
        while True:
            try:
                world.network.connect(world.host, 110, timeout=1.0)
            except ConnectionFailed:
                continue

    with pytest.raises(Hang, match="dials and dials"):
        storm()
    world.close()


def test_a_bench_refuses_what_it_cannot_do():
    class Unknown(Pop3Provider):
        pass

    bench = Bench(subject_for(Unknown))
    with pytest.raises(FixtureError, match="EmailPort"):
        bench.instance({"EmailPort": "zero"})
    with pytest.raises(CheckFailed, match="message 1: never"):
        bench.expect_each_once(bench.seed(1))
    bench.close()
