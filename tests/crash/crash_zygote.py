"""A process with everything imported that forks a child for each life of the engine: one line of JSON in, one out.

In    {"scenario": name, "path": database, "ports": {"110": 34567}, "start": seconds after EPOCH, "rounds": n, "stop": step or null,
       "authority": PEM file or null}
Out   {"signal": 9 or 0, "names": steps reached (of a killed child: the last one alone), "error": text}

One thread only, so that forking is safe; no database and no connection is open when it forks.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import ssl
import sys
import tempfile
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from crash_stage import SCENARIOS, Stage, furnish, open_organization, run_engine

from postroom.providers.connectors import GuardedConnection, SocketConnector
from postroom.providers.contract import Connection
from postroom.testing.crash import SteppedConnector, Steps, kill_this_process, watch_store
from postroom_simulator import ManualClock
from postroom_simulator.clock import EPOCH

PATIENCE = 30.0
"""Seconds that a child may take; far more than it needs."""


class PortsConnector:
    """Real sockets; the well-known ports stand for those on which the world listens."""

    def __init__(self, ports: dict[int, int], authority: str | None) -> None:
        self._ports = ports
        self._inner = SocketConnector(lambda: ssl.create_default_context(cafile=authority))

    def connect(self, host: str, port: int, *, timeout: float, tls: bool = False) -> GuardedConnection:
        return self._inner.connect(host, self._ports[port], timeout=timeout, tls=tls)

    def start_tls(self, connection: Connection, host: str) -> GuardedConnection:
        return self._inner.start_tls(connection, host)


def live(job: dict[str, Any], pipe: int) -> None:
    """One life of the engine."""

    def die(name: str) -> NoReturn:
        os.write(pipe, json.dumps({"names": [name]}).encode())
        kill_this_process(name)

    scenario = SCENARIOS[job["scenario"]]
    clock = ManualClock(EPOCH + timedelta(seconds=job["start"]))
    steps = Steps(job["stop"], die, all_reads=False)
    ports = {int(known): port for known, port in job["ports"].items()}
    with open_organization(scenario, Path(job["path"]), clock) as deployment:
        organization = deployment.organizations["alder"]
        watch_store(organization.store, steps)
        connector = SteppedConnector(PortsConnector(ports, job["authority"]), steps)
        run_engine(organization, connector, clock=clock, rounds=job["rounds"])
    os.write(pipe, json.dumps({"names": steps.names}).encode())


def forked(job: dict[str, Any]) -> dict[str, Any]:
    """Let a child live; what it told and how it ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 0
        try:
            live(job, writing)
        except BaseException:
            os.write(writing, json.dumps({"error": traceback.format_exc()[-4000:]}).encode())
            code = 1
        finally:
            os._exit(code)
    os.close(writing)
    told = b""
    late = False
    while True:
        ready, _, _ = select.select([reading], [], [], PATIENCE)
        if not ready:
            late = True
            os.kill(child, signal.SIGKILL)
            break
        octets = os.read(reading, 65536)
        if not octets:
            break
        told += octets
    os.close(reading)
    _, status = os.waitpid(child, 0)
    answer = {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, "names": [], "error": ""}
    answer.update(json.loads(told) if told else {})
    if late:
        answer["error"] = f"the child did not end within {PATIENCE} seconds"
    return answer


def warm() -> None:
    """One life in this process, so that what is compiled once is compiled before the first fork."""
    with tempfile.TemporaryDirectory() as folder:
        scenario = SCENARIOS["fetch, delete and send"]
        furnish(scenario, Path(folder) / "template.db")
        stage = Stage(scenario, Path(folder) / "template.db", Path(folder) / "run.db")
        stage.run(Steps())
        stage.close()


def main() -> None:
    warm()
    gc.collect()
    gc.freeze()  # or each child's first collection would copy all that it shares with this process
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(forked(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
