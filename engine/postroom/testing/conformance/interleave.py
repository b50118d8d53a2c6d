"""Several runs at once, one step at a time: who goes on is decided by a seed, so that what went wrong can be had again.

Each task has a thread of its own, and only the one that holds the baton runs. It gives the baton away where it is `pause`d: in the kit at every
connection, and every call of gateway, state, seen set and log.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any

from postroom.testing.conformance.world import KitWorld

__all__ = ["Interleaving"]

PATIENCE = 15.0
"""Real seconds until a task that never pauses and never ends counts as lost (ours)."""


class _Task:
    def __init__(self, number: int, work: Callable[[], Any]) -> None:
        self.number = number
        self.work = work
        self.turn = threading.Event()
        self.over = False
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._main, name=f"kit-task-{number}", daemon=True)
        self.owner: Interleaving

    def _main(self) -> None:
        if not self.owner.comes(self.turn):
            return  # nobody hands over any more: whoever asked is told
        try:
            self.work()
        except BaseException as error:
            self.error = error
        finally:
            self.over = True
            self.owner.hand_over(self)


class Interleaving:
    """One order of steps. `steps`: how often the baton went to somebody else."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)
        self._tasks: list[_Task] = []
        self._done = threading.Event()
        self._by_thread: dict[int, _Task] = {}
        self.steps = 0
        self._moves = 0

    def comes(self, event: threading.Event) -> bool:
        """Wait for it as long as anybody gets on: many slow ones (processes) may need long for all their steps together."""
        before = -1
        while before != self._moves:
            before = self._moves
            if event.wait(PATIENCE):
                return True
        return False

    def run(self, work: Sequence[Callable[[], Any]]) -> list[BaseException | None]:
        """Run all to their ends; what each of them raised. Raises TimeoutError for one that is stuck."""
        self._tasks = [_Task(number, one) for number, one in enumerate(work)]
        for task in self._tasks:
            task.owner = self
            task.thread.start()
            self._by_thread[task.thread.ident or 0] = task
        if self._tasks:
            self._random.choice(self._tasks).turn.set()
            if not self.comes(self._done):
                raise TimeoutError("a task neither ends nor comes to a step")
        for task in self._tasks:
            task.thread.join(PATIENCE)
        return [task.error for task in self._tasks]

    def pause(self) -> None:
        """A step of the task that calls; nothing for other threads."""
        task = self._by_thread.get(threading.get_ident())
        if task is not None and not task.over:
            self.hand_over(task)

    def hand_over(self, task: _Task) -> None:
        self._moves += 1
        live = [one for one in self._tasks if not one.over]
        if not live:
            self._done.set()
            return
        following = self._random.choice(live)
        if following is task:
            return
        self.steps += 1
        task.turn.clear()
        following.turn.set()
        if not task.over and not self.comes(task.turn):
            raise TimeoutError("its turn never came")

    @contextmanager
    def over(self, world: KitWorld) -> Iterator[None]:
        """Every note of this world is a step."""
        note = world.note

        def noted(source: str, text: str, **data: Any) -> int:
            number = note(source, text, **data)
            self.pause()
            return number

        world.note = noted  # type: ignore[method-assign]
        try:
            yield
        finally:
            del world.__dict__["note"]
