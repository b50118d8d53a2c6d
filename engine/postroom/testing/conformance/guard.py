"""What a provider does behind the context's back: sockets of its own, files outside its folder, processes; and what it changes in ours.

Seen through an audit hook of the interpreter, which sees every way to open a file or connect a socket from Python and cannot be patched away.
The hook is installed once, and does nothing while no guard is active.
"""

from __future__ import annotations

import contextlib
import ipaddress
import locale
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Guard", "Snapshot", "Violation", "unseen"]

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = frozenset({"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.truncate", "shutil.rmtree"})
PROCESSES = frozenset({"subprocess.Popen", "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.system", "pty.spawn"})
CONNECTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
RESOLVES = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"})


@dataclass(frozen=True, slots=True)
class Violation:
    """`what`: "connect", "resolve", "write" or "process"; `where` without anything that differs from machine to machine. `foreign`: not
    loopback, not the granted folder."""

    what: str
    where: str
    foreign: bool = True

    @property
    def told(self) -> str:
        did = {"connect": "connected to", "resolve": "looked up", "write": "wrote", "process": "started"}
        return f"{did[self.what]} {self.where}"


_active: list[Guard] = []
_installed = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _active:
        _active[-1].see(event, arguments)


@contextlib.contextmanager
def unseen() -> Iterator[None]:
    """What the kit or its world does on behalf of the provider: no guard looks."""
    with contextlib.ExitStack() as away:
        for guard in _active:
            away.enter_context(guard.looking_away())
        yield


@dataclass(slots=True)
class Guard:
    """While active (`with guard.watching():`) it notes what goes on, and refuses what leaves the machine: connections, datagrams, look-ups of
    names, and processes, which nobody could watch. The host of providers that are processes themselves may start those.

    granted  asked for the folder where writing is allowed, None while there is none
    """

    granted: Callable[[], Path | None] = lambda: None
    violations: list[Violation] = field(default_factory=list)
    _calls: int = 0
    _thread: int = field(default_factory=threading.get_ident)

    @contextlib.contextmanager
    def watching(self) -> Iterator[Guard]:
        global _installed  # noqa: PLW0603 - an audit hook is the interpreter's, and cannot be removed
        if not _installed:
            sys.addaudithook(_hook)
            _installed = True
        _active.append(self)
        try:
            yield self
        finally:
            _active.remove(self)

    @contextlib.contextmanager
    def calling(self) -> Iterator[None]:
        """What this thread does inside is the provider's; outside it is the kit's, or a hook's. Other threads are always watched."""
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1

    @contextlib.contextmanager
    def looking_away(self) -> Iterator[None]:
        """Inside a call of the provider: the world does something on its behalf."""
        before, self._calls = self._calls, 0
        try:
            yield
        finally:
            self._calls = before

    def see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._calls and threading.get_ident() == self._thread:
            return
        if event == "open":
            self._opened(arguments)
        elif event in CONNECTS:
            self._connects(arguments[1] if len(arguments) > 1 else None)
        elif event in RESOLVES:
            self._resolves(arguments[0])
        elif event in CHANGES:
            self._writes(arguments[0])
        elif event in PROCESSES:
            self._starts(event, arguments[0] if arguments else None)

    def _opened(self, arguments: tuple[Any, ...]) -> None:
        path, mode, flags = (*arguments, None, None, None)[:3]
        wants = bool(set(mode) & set("wax+")) if isinstance(mode, str) else bool((flags or 0) & WRITING)
        if wants and not isinstance(path, int):
            self._writes(path)

    def _writes(self, path: Any) -> None:
        if isinstance(path, int) or path is None:
            return
        text = os.fsdecode(path)
        if text == os.devnull or "__pycache__" in text:
            return
        if _called_from(SIMULATOR):  # certificates go through files
            return
        place = os.path.abspath(text)  # noqa: PTH100 - a hook of the interpreter: as little as possible
        granted = self.granted()
        inside = granted is not None and (place == str(granted) or place.startswith(str(granted) + os.sep))
        self.violations.append(Violation("write", os.path.basename(place), foreign=not inside))  # noqa: PTH119

    def _connects(self, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) and address else "local"
        loopback = not isinstance(address, tuple) or _is_loopback(host)
        self.violations.append(Violation("connect", f"{host}", foreign=not loopback))
        if not loopback:
            raise ConnectionRefusedError(f"the kit lets nobody connect to {host}: connections go through ctx.net")

    def _starts(self, event: str, program: Any) -> None:
        if _called_from(HOST):
            return
        words = os.fsdecode(program).split() if isinstance(program, str | bytes | os.PathLike) else []
        name = os.path.basename(words[0]) if words else event  # noqa: PTH119
        self.violations.append(Violation("process", name[:200]))
        raise PermissionError(f"the kit lets nobody start a process ({name}): nothing could be seen of what it does")

    def _resolves(self, host: Any) -> None:
        if isinstance(host, tuple) and host:  # getnameinfo has an address
            host = host[0]
        name = os.fsdecode(host) if isinstance(host, str | bytes) else ""
        if name and not _is_loopback(name):
            self.violations.append(Violation("resolve", name))
            raise socket.gaierror(socket.EAI_NONAME, f"the kit lets nobody look up {name}: connections go through ctx.net")

    def foreign(self, *what: str) -> list[Violation]:
        return [one for one in self.violations if one.foreign and one.what in what]

    @property
    def own_transport(self) -> bool:
        """Whether a socket was used that did not come from `ctx.net`, or tried to be."""
        return any(one.what in ("connect", "resolve") for one in self.violations)


SIMULATOR = f"{os.sep}postroom_simulator{os.sep}"
HOST = f"{os.sep}postroom{os.sep}providers{os.sep}process.py"


def _called_from(part: str) -> bool:
    """Whether a function of such a file has led to this, inside a call of the provider."""
    frame = sys._getframe(2)  # noqa: SLF001 - the documented way to look at one's callers
    while True:
        if part in frame.f_code.co_filename:
            return True
        if frame.f_back is None:
            return False
        frame = frame.f_back


def _is_loopback(host: str) -> bool:
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The process at one moment, as far as a provider could change it for others."""

    environment: tuple[tuple[str, str], ...]
    folder: str
    locale: str
    signals: tuple[Any, ...]
    socket_timeout: float | None
    umask: int
    threads: frozenset[int]
    descriptors: int
    hooks: tuple[int, int]

    @classmethod
    def take(cls) -> Snapshot:
        mask = os.umask(0o022)
        os.umask(mask)
        environment = tuple(sorted((k, v) for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"))
        return cls(
            environment,
            str(Path.cwd()),
            locale.setlocale(locale.LC_ALL),
            tuple(signal.getsignal(number) for number in sorted(signal.valid_signals())),
            socket.getdefaulttimeout(),
            mask,
            frozenset(thread.ident or 0 for thread in threading.enumerate()),
            _descriptors(),
            (id(sys.excepthook), id(threading.excepthook)),
        )

    def settings_changed(self, before: Snapshot) -> list[str]:
        """Names of process-wide settings that are not what they were."""
        names = {
            "environment": "the environment",
            "folder": "the working directory",
            "locale": "the locale",
            "signals": "signal handlers",
            "socket_timeout": "the default time-out of sockets",
            "umask": "the umask",
            "hooks": "exception hooks",
        }
        return [words for name, words in names.items() if getattr(self, name) != getattr(before, name)]

    def threads_left(self, before: Snapshot) -> list[str]:
        """Names of threads that were not there."""
        fresh = self.threads - before.threads
        return sorted(thread.name for thread in threading.enumerate() if thread.ident in fresh)

    def restore(self) -> None:
        """Put the settings back, so that one check's provider does not spoil the next one's world."""
        for name in os.environ.keys() - dict(self.environment).keys() - {"PYTEST_CURRENT_TEST"}:
            del os.environ[name]
        os.environ.update(dict(self.environment))
        os.chdir(self.folder)
        locale.setlocale(locale.LC_ALL, self.locale)
        socket.setdefaulttimeout(self.socket_timeout)
        os.umask(self.umask)
        if threading.current_thread() is threading.main_thread():
            for number, handler in zip(sorted(signal.valid_signals()), self.signals, strict=True):
                if handler is not None and signal.getsignal(number) is not handler:
                    signal.signal(number, handler)


def _descriptors() -> int:
    """Open file descriptors; 0 where the system does not tell."""
    try:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - faster, and asked often
    except OSError:
        return 0
