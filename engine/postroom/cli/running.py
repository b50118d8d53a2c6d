"""The engine at work for a command: over real sockets, in threads, and ended in order by Ctrl-C or SIGTERM."""

from __future__ import annotations

import queue
import signal
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from postroom.cli.deployment_file import DeploymentFileError
from postroom.cli.desk import Desk, Failed

if TYPE_CHECKING:
    from postroom.channels.server_side_sync import ServerSideSync

__all__ = ["engine", "stoppable", "trust"]

T = TypeVar("T")
THREADS = 4
"""Mailboxes that are processed side by side."""


@contextmanager
def engine(desk: Desk, *, threads: int = THREADS, **told: Any) -> Iterator[ServerSideSync]:
    """The organization's engine; `told` is passed on: `reported`, `tested`."""
    from postroom.channels.server_side_sync import ServerSideSync
    from postroom.providers.connectors import SocketConnector
    from postroom.runtime.executors import PoolExecutor

    connector = SocketConnector(trust(desk.file.ca_file))
    sync = ServerSideSync(desk.organization, connector, executor=PoolExecutor(threads), **told)
    try:
        yield sync
    finally:
        sync.close()


def trust(ca_file: Path | None, named: str = "ca_file") -> Callable[[], ssl.SSLContext]:
    """What this machine trusts, and these certificates too. `named`: what people call the file. Raises DeploymentFileError."""

    def make() -> ssl.SSLContext:
        context = ssl.create_default_context()
        if ca_file is not None:
            context.load_verify_locations(cafile=ca_file)
        return context

    if ca_file is not None:
        try:
            make()  # a wrong file is said at once, not as a trouble of every mailbox
        except OSError as trouble:  # of TLS too: the file holds no certificate
            raise DeploymentFileError(f"{named} {ca_file}: {trouble.strerror or 'no certificates in PEM'}") from None
    return make


def stoppable(work: Callable[[], T], stop: Callable[[], None]) -> tuple[T, bool]:
    """Do the work in a thread of its own; a signal calls `stop` once, and the work then ends by itself. A second signal ends the command
    at once: leases run out, what was being submitted is uncertain. Returns the result, and whether it was stopped."""
    news: queue.SimpleQueue[str] = queue.SimpleQueue()
    result: list[Any] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            result.append(work())
        except BaseException as error:  # raised again in the thread that asked
            errors.append(error)
        finally:
            news.put("done")

    with _signals(lambda: news.put("stop")):
        threading.Thread(target=body, name="postroom-sync", daemon=True).start()
        stops = 0
        while news.get() != "done":
            stops += 1
            if stops > 1:
                typer.echo("postroom: ended at once", err=True)
                raise Failed("ended at once")
            typer.echo("postroom: stopping; what is being processed comes to its end (again: at once)", err=True)
            stop()
    if errors:
        raise errors[0]
    return result[0], bool(stops)


@contextmanager
def _signals(tell: Callable[[], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: tell()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
