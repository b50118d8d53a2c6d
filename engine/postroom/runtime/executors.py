"""Where runs are carried out: in the caller's thread, or in a bounded pool."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Protocol

__all__ = ["Executor", "InlineExecutor", "PoolExecutor"]

Call = Callable[[], None]


class Executor(Protocol):
    """`slots` runs at most go on at once. `start` raises nothing that the call raises: calls do not raise."""

    @property
    def slots(self) -> int: ...

    @property
    def inline(self) -> bool:
        """Whether `start` returns only when the call has ended."""
        ...

    def start(self, call: Call) -> object:
        """Carry the call out. Gives a handle for `write_off`."""
        ...

    def write_off(self, handle: object) -> bool:
        """The call of this handle never ends: stop counting its thread. True when another slot is there instead."""
        ...

    def close(self, grace: float) -> bool:
        """No more calls. Waits up to `grace` seconds for those that go on; False when some still do."""
        ...


class InlineExecutor:
    """One run at a time, in the thread that asks. For in-memory stores and worlds, which refuse a second thread."""

    slots = 1
    inline = True

    def start(self, call: Call) -> object:
        call()
        return None

    def write_off(self, handle: object) -> bool:  # noqa: ARG002
        return False

    def close(self, grace: float) -> bool:  # noqa: ARG002
        return True


class _Worker:
    """One thread and what it is given. Daemonic: a provider that never returns must not keep the process alive."""

    def __init__(self, number: int, done: Callable[[_Worker], None]) -> None:
        self.calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self.written_off = False
        self._done = done
        self.thread = threading.Thread(target=self._work, name=f"postroom-{number}", daemon=True)
        self.thread.start()

    def _work(self) -> None:
        while (call := self.calls.get()) is not None:
            try:
                call()
            except BaseException:
                self.written_off = True  # this thread ends here, nothing may be given to it any more
                raise
            finally:
                self._done(self)
            if self.written_off:
                return


class PoolExecutor:
    """Up to `max_threads` runs at once. Threads are made when needed and reused.

    A run that overran is written off: its thread is counted as leaked and replaced, up to `max_leaked` (ours: as many as there are slots);
    beyond that the pool shrinks, which is better than a process full of stuck threads.
    """

    inline = False

    def __init__(self, max_threads: int, *, max_leaked: int | None = None) -> None:
        if max_threads < 1:
            raise ValueError("a pool needs at least one thread")
        self._max = max_threads
        self._max_leaked = max_leaked if max_leaked is not None else max_threads
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._leaked: set[_Worker] = set()
        self._made = 0
        self._closed = False

    @property
    def slots(self) -> int:
        with self._lock:
            return max(0, self._max - max(0, len(self._leaked) - self._max_leaked))

    @property
    def leaked(self) -> int:
        """Threads of runs that never ended, so far."""
        with self._lock:
            return len(self._leaked)

    def resize(self, max_threads: int) -> None:
        """From now on so many. Nothing that runs is disturbed: fewer threads are reached as runs end."""
        if max_threads < 1:
            raise ValueError("a pool needs at least one thread")
        with self._lock:
            if self._max_leaked == self._max:
                self._max_leaked = max_threads
            self._max = max_threads

    def start(self, call: Call) -> object:
        with self._lock:
            if self._closed:
                raise RuntimeError("the executor was closed")
            if self._idle:
                worker = self._idle.pop()
            else:
                self._made += 1
                worker = _Worker(self._made, self._ended)
            self._busy.add(worker)
        worker.calls.put(call)
        return worker

    def _ended(self, worker: _Worker) -> None:
        with self._lock:
            self._busy.discard(worker)
            if worker.written_off:
                self._leaked.discard(worker)
            elif self._closed or len(self._busy) + len(self._idle) >= self._max:
                worker.calls.put(None)
            else:
                self._idle.append(worker)

    def write_off(self, handle: object) -> bool:
        with self._lock:
            if not isinstance(handle, _Worker) or handle not in self._busy:
                return True
            handle.written_off = True
            self._busy.discard(handle)
            self._leaked.add(handle)
            return len(self._leaked) <= self._max_leaked

    def close(self, grace: float) -> bool:
        with self._lock:
            self._closed = True
            waiting = [*self._idle, *self._busy]
            for worker in self._idle:
                worker.calls.put(None)
            self._idle.clear()
        for worker in waiting:
            worker.thread.join(grace)
        return not any(worker.thread.is_alive() for worker in waiting)
