"""The distribution as strangers get it: built, installed in an empty environment outside the tree, and used from there."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)], check=True, capture_output=True
    )
    assert len(list(out.glob("*.tar.gz"))) == 1
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that holds the wheel and what it declares, nothing else."""
    env = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(env)], check=True)
    constraints = ROOT / "constraints.txt"
    pip = [
        str(env / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        "-c",
        str(constraints),
        str(wheel),
    ]
    subprocess.run(pip, check=True, capture_output=True)
    return env / "bin"


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PYTEST"))}
    return subprocess.run(command, cwd=cwd, env=env, text=True, capture_output=True, timeout=300, check=False)


def test_the_wheel_holds_the_two_packages_and_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"postroom", "postroom_simulator"}


def test_the_wheel_is_typed_and_carries_what_commands_need(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"postroom/py.typed", "postroom_simulator/py.typed"} <= names
    assert any(name.startswith("postroom/demo/samples/") and name.endswith(".eml") for name in names)
    assert any(name.startswith("postroom/features/") and name.endswith(".feature") for name in names)
    assert any(name.startswith("postroom/store/migrations/versions/") and name.endswith(".py") for name in names)


def test_the_demo_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    done = run(str(installed / "postroom"), "demo", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["books"]["balanced"] is True


def test_the_shipped_features_run_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    done = run(str(installed / "postroom"), "features", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_the_servers_start_from_the_wheel_and_stop_on_a_signal(installed: Path, tmp_path: Path) -> None:
    command = [str(installed / "postroom"), "serve", "--json", "--account", "ada@alder.test:secret"]
    with subprocess.Popen(command, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        assert server.stdout is not None
        ready = json.loads(server.stdout.readline())
        host, port = ready["pop3"]["host"], ready["pop3"]["port"]
        with socket.create_connection((host, port), timeout=10) as peer:
            assert peer.recv(64).startswith(b"+OK")
        server.send_signal(signal.SIGTERM)
        _, errors = server.communicate(timeout=20)
    assert server.returncode == 0, errors
