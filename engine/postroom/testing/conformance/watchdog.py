"""Ends a check that never ends: raises `Hang` into its thread. Needed only for loops that ask neither a clock nor the network; waiting on
the kit's network costs no real time."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Iterator

from postroom.testing.conformance.failures import Hang

__all__ = ["limited"]

AGAIN = 0.5
"""Seconds until it is raised once more, for code that swallows it."""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise Hang here when the block takes longer than so many real seconds. One thread for as long as the block lasts."""
    done = threading.Event()
    target = threading.get_ident()
    lock = threading.Lock()

    def watch() -> None:
        wait = seconds
        while not done.wait(wait):
            with lock:
                if not done.is_set():
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(target), ctypes.py_object(Hang))
            wait = AGAIN

    watcher = threading.Thread(target=watch, name="postroom-kit-watchdog", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        with lock:
            done.set()
            # One that was raised and has not arrived yet is taken back.
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(target), None)
        watcher.join()
