"""A provider in a process with a fake organization around it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from postroom.clock import SystemClock
from postroom.providers.configuration.loading import from_mapping
from postroom.providers.connectors import SocketConnector
from postroom.providers.contract import ProviderEnv, RunContext
from postroom.providers.process import ForeignState, ProcessProvider, foreign
from postroom.testing.fake_gateway import FakeGateway, MemoryLog, MemorySeenSet, MemoryStateCell, make_context

HELLO = '{"name": "bad", "direction": "inbound", "api": [1, 0], "config": [{"name": "Password", "type": "secret"}]}'


class Running:
    """One instance, run after run."""

    def __init__(self, kind: type[ProcessProvider], values: Mapping[str, str]) -> None:
        config, problems = from_mapping(kind.spec.config, values)
        assert config is not None, problems
        self.provider = kind(config, ProviderEnv("i"))
        self.gateway, self.seen, self.log = FakeGateway(), MemorySeenSet(), MemoryLog()
        self.cell = MemoryStateCell(ForeignState())

    def context(self, **more: Any) -> RunContext[Any]:
        more = {"net": SocketConnector(), "clock": SystemClock(), "seconds": 20.0, "timeout": 5.0} | more
        return make_context(ForeignState(), gateway=self.gateway, seen=self.seen, cell=self.cell, log=self.log, **more)


@contextmanager
def running(command: Sequence[str], values: Mapping[str, str], *, grace: float = 0.3) -> Iterator[Running]:
    made = Running(foreign(command, grace=grace), values)
    try:
        yield made
    finally:
        made.provider.close()


def python(
    folder: Path, run: str, *, hello: str = HELLO, configure: str = "say({'id': asked['id'], 'result': {}})"
) -> list[str]:
    """A program that says hello and then does `run`, with `asked`, `say` and `ask`."""
    path = folder / "program.py"
    body = "\n".join(f"        {line}" for line in run.strip().splitlines())
    path.write_text(
        "import json, os, sys, time\n"
        "def say(thing): sys.stdout.write(json.dumps(thing) + '\\n'); sys.stdout.flush()\n"
        "def ask(call, **given):\n"
        "    say({'id': 1, 'call': call, **given})\n"
        "    return json.loads(sys.stdin.readline())\n"
        "for line in sys.stdin:\n"
        "    asked = json.loads(line)\n"
        "    if asked['call'] == 'hello':\n"
        f"        sys.stdout.write('{{\"id\":%d,\"result\":%s}}\\n' % (asked['id'], {hello!r})); sys.stdout.flush()\n"
        "    elif asked['call'] == 'configure':\n"
        f"        {configure}\n"
        "    elif asked['call'] == 'close':\n"
        "        sys.exit()\n"
        "    elif asked['call'] in ('run', 'check'):\n"
        f"{body}\n"
    )
    return [sys.executable, "-S", "-E", str(path)]
