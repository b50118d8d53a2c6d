"""Ends a check that never ends: raises `Hang` into its thread. Needed for loops that ask neither a clock nor the network, and for waits on
something else; waiting on the kit's network costs no real time."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from postroom.testing.conformance.failures import Hang

__all__ = ["limited"]

AGAIN = 0.5
"""Seconds until it is raised once more, for code that swallows it."""


ALARM = getattr(signal, "SIGVTALRM", None)
"""Nobody else's, as a rule: pytest-timeout takes SIGALRM, profilers SIGPROF."""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise Hang here when the block takes longer than so many real seconds. One thread for as long as the block lasts.

    In the main thread a signal does it, which wakes locks, sleeps and blocking reads as well. Another thread is reached between two steps of
    Python only: a wait there is ended by nobody."""
    done, lock = threading.Event(), threading.Lock()
    main = ALARM is not None and threading.current_thread() is threading.main_thread()
    strike = _by_signal if main else _by_exception
    target = threading.get_ident()

    def watch() -> None:
        wait = seconds
        while not done.wait(wait):
            with lock:
                if not done.is_set():
                    strike(target)
            wait = AGAIN

    before = signal.signal(ALARM, _raiser(done)) if main and ALARM is not None else None
    watcher = threading.Thread(target=watch, name="postroom-kit-watchdog", daemon=True)
    watcher.start()
    try:
        try:
            yield
        finally:
            done.set()
    finally:
        done.set()  # once more: the first may have been struck
        with lock:
            if not main:  # one that was raised and has not arrived yet is taken back
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(target), None)
        watcher.join()
        if main and ALARM is not None:
            signal.signal(ALARM, before)


def _raiser(done: threading.Event) -> Callable[[int, Any], None]:
    def struck(number: int, frame: Any) -> None:  # noqa: ARG001
        if not done.is_set():
            raise Hang

    return struck


def _by_signal(target: int) -> None:
    if ALARM is not None:
        signal.pthread_kill(target, ALARM)


def _by_exception(target: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(target), ctypes.py_object(Hang))
