"""A process that speaks JSON lines over its pipes, with everything that it may do bounded: time, memory, lines, what it leaves behind."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from postroom.clock import Clock, SystemClock
from postroom.errors import ConfigError, ProtocolError, TransientError
from postroom.providers.lines import printable
from postroom.providers.wire import line_of, read_line

__all__ = ["LONGEST_LINE", "Pipes"]

LONGEST_LINE = 48 * 1024 * 1024
"""Octets: a message of 25 MiB in base64, and room."""
PIECE = 65536
STDERR_KEPT = 4096


class Pipes:
    """One process in a session of its own, so that whatever it starts can be ended with it.

    `clock` is real: a process does not live in simulated time. Not thread-safe; `kill` may be called from anywhere.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str | None = None,
        clock: Clock | None = None,
        longest: int = LONGEST_LINE,
    ) -> None:
        """Raises ConfigError when there is no such program."""
        self.clock = clock or SystemClock()
        self._longest = longest
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the program that the configuration names
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
                env=dict(env),
                cwd=cwd,
            )
        except (OSError, ValueError, IndexError) as error:
            reason = getattr(error, "strerror", None) or "not a command"
            raise ConfigError(
                f"the provider's program {printable(command[0]) if command else ''!r} cannot be started: {reason}"
            ) from None
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._in, self._out, self._err = process.stdin.fileno(), process.stdout.fileno(), process.stderr.fileno()
        for descriptor in (self._in, self._out, self._err):
            os.set_blocking(descriptor, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._out, selectors.EVENT_READ)
        self._selector.register(self._err, selectors.EVENT_READ)
        self._buffer = bytearray()
        self._searched = 0
        self._stderr = b""
        self._waiting = bytearray()
        self._ended = False
        self.status: int | None = None

    @property
    def alive(self) -> bool:
        return self.status is None and not self._ended

    @property
    def stderr(self) -> str:
        """The last that it said there, printable."""
        return printable(self._stderr.decode("utf-8", "replace"))

    def send(self, thing: Mapping[str, Any], until: float) -> None:
        """Write a line before the moment `until` of the clock. Raises TransientError when the process does not take it."""
        self._waiting += line_of(thing)
        while self._waiting:
            if not self._pump(until, write=True):
                raise TransientError("the provider's process does not read", code="process-silent")

    def receive(self, until: float) -> dict[str, Any] | None:
        """The next message; None when there was none by then. Raises ProtocolError for what is none, TransientError when the process
        has ended or closed its pipe."""
        while True:
            end = self._buffer.find(b"\n", self._searched)
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                self._searched = 0
                return read_line(line)
            self._searched = len(self._buffer)
            if len(self._buffer) > self._longest:
                raise ProtocolError(
                    f"the provider's process said a line of more than {self._longest} octets", code="process-endless"
                )
            if self._ended:
                raise self._gone()
            if not self._pump(until, write=False):
                return None

    def _pump(self, until: float, *, write: bool) -> bool:
        """Move what can be moved; False when the moment came and nothing was moved."""
        if write and self._ended:
            raise self._gone()
        if write and self._in not in self._selector.get_map():
            self._selector.register(self._in, selectors.EVENT_WRITE)
        if not self._selector.get_map():
            raise self._gone()
        ready = self._selector.select(max(0.0, until - self.clock.monotonic()))
        for key, _ in ready:
            if key.fd == self._in:
                self._write()
            elif key.fd == self._out:
                self._read_out()
            else:
                self._read_err()
        if self._in in self._selector.get_map() and not self._waiting:
            self._selector.unregister(self._in)
        return bool(ready) and (self.clock.monotonic() < until or not write)

    def _write(self) -> None:
        try:
            done = os.write(self._in, self._waiting[:PIECE])
        except BlockingIOError:
            return
        except OSError:
            self._waiting.clear()
            raise self._gone() from None
        del self._waiting[:done]

    def _read_out(self) -> None:
        if len(self._buffer) > self._longest:
            raise ProtocolError("the provider's process says more than anyone can read", code="process-endless")
        octets = self._octets(self._out)
        if octets is None:
            return
        if not octets:
            self._ended = True
        self._buffer += octets

    def _read_err(self) -> None:
        octets = self._octets(self._err)
        if octets:
            self._stderr = (self._stderr + octets)[-STDERR_KEPT:]

    def _octets(self, descriptor: int) -> bytes | None:
        try:
            octets = os.read(descriptor, PIECE)
        except BlockingIOError:
            return None
        except OSError:
            octets = b""
        if not octets:
            self._selector.unregister(descriptor)
        return octets

    def _gone(self) -> TransientError:
        self.kill()
        status = self.status or 0
        how = f"signal {-status}" if status < 0 else f"status {status}"
        return TransientError(f"the provider's process ended in the middle ({how})", code="process-ended")

    def end(self, grace: float) -> None:
        """Close its input, give it `grace` seconds to end by itself, then end it and all that it started. Idempotent."""
        if self.status is None:
            process = self._process
            with suppress(OSError):
                if process.stdin is not None:
                    self._forget_input()
                    process.stdin.close()
            until = self.clock.monotonic() + grace
            with suppress(TransientError, ProtocolError):
                while not self._ended and self._pump(until, write=False):
                    del self._buffer[:]
                    self._searched = 0
        self.kill()

    def _forget_input(self) -> None:
        if self._in in self._selector.get_map():
            self._selector.unregister(self._in)

    def kill(self) -> None:
        """At once, with all that it started; nothing is left, no zombie either. Idempotent."""
        if self.status is not None:
            return
        self._ended = True
        process = self._process
        # before it is waited for: as long as it is a zombie, its number is nobody else's
        with suppress(ProcessLookupError, PermissionError):
            if self._lingers():
                os.killpg(process.pid, signal.SIGKILL)
        self.status = process.wait()
        self._read_last()
        self._selector.close()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _lingers(self) -> bool:
        """Give a process that closed its pipe a moment to end with a status of its own, without taking it from the table."""
        until = self.clock.monotonic() + 0.05
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while self._out not in self._selector.get_map() and self.clock.monotonic() < until:
            if os.waitid(os.P_PID, self._process.pid, flags) is not None:
                break
            self.clock.sleep(0.002)
        return True

    def _read_last(self) -> None:
        with suppress(KeyError, OSError):
            for _ in range(16):
                if self._err not in self._selector.get_map():
                    break
                octets = os.read(self._err, PIECE)
                if not octets:
                    break
                self._stderr = (self._stderr + octets)[-STDERR_KEPT:]
