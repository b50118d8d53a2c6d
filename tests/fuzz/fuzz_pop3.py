"""Fuzzes the POP3 session, guided by coverage.

Needs atheris, which is no dependency of ours (there are wheels for Python 3.11 on Linux). In an environment of its own:

    python3.11 -m venv /tmp/fuzzvenv && /tmp/fuzzvenv/bin/pip install atheris
    cd REPOSITORY
    export PYTHONPATH=engine:simulator:tests/fuzz:.venv/lib/python3.11/site-packages
    mkdir -p /tmp/found && /tmp/fuzzvenv/bin/python -m fuzz_pop3 /tmp/found tests/fuzz/corpus/pop3 -max_total_time=300

An input that breaks something is left as `crash-...` in the working folder: put it into `tests/fuzz/corpus/pop3`, where
`test_fuzz_corpus.py` plays every input on every run.
"""

from __future__ import annotations

import re
import sys
from base64 import b64encode

if __name__ == "__main__":  # before anything else imports them: what is imported here is watched
    import atheris  # type: ignore[import-not-found, unused-ignore]

    with atheris.instrument_imports(include=["postroom_simulator"]):
        import postroom_simulator.pop3.session
        import postroom_simulator.world  # noqa: F401

from fuzzing import ANN, Broken, context, fuzz

_LONE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


class Pop3:
    """POP3 as `fuzzing` wants it."""

    def __init__(self) -> None:
        from postroom_simulator.pop3 import session

        self._make = session.Pop3Session

    def session(self, world, flags):  # type: ignore[no-untyped-def]
        settings = world.pop3.settings
        settings.apop = bool(flags & 1)
        settings.mechanisms = ("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2") if flags & 2 else ("PLAIN",)
        settings.plaintext_without_tls = not flags & 4
        settings.utf8_heads = ("downgrade", "refuse", "raw", "downgrade")[flags >> 3 & 3]
        settings.bad_commands = 20 if flags & 32 else 10_000
        settings.line_limit = 100 if flags & 64 else 4096
        settings.pending_output = 100 if flags & 128 else 4 * 1024 * 1024
        return self._make(context(world, "pop3"))

    def logins(self, password: str) -> tuple[bytes, bytes]:
        initial = b64encode(f"\0{ANN}\0{password}".encode())
        return b"\r\nAUTH PLAIN " + initial + b"\r\n", f"\r\nUSER {ANN}\r\nPASS {password}\r\n".encode()

    def check_reply(self, octets: bytes) -> None:
        """RFC 1939 §3."""
        if not octets.startswith((b"+OK", b"-ERR", b"+ ")) or not octets.endswith(b"\r\n"):
            raise Broken(f"no reply: {octets!r}")
        first, _, rest = octets.partition(b"\r\n")
        if _LONE.search(octets) and rest == b"":
            raise Broken(f"a lone CR or LF: {octets!r}")
        if rest and not rest.endswith((b"\r\n.\r\n",)) and rest != b".\r\n":
            raise Broken(f"an answer of several lines without end: {octets!r}")
        if rest and b"\r\n.\r\n" in b"\r\n" + rest[:-3]:
            raise Broken(f"an answer that ends before its end: {octets!r}")
        if len(first) > 510:
            raise Broken(f"a first line of {len(first)} octets")

    def may_show(self, octets: bytes) -> bool:
        """Of a line that is no command nothing is shown."""
        return False


if __name__ == "__main__":
    fuzz(Pop3, sys.argv[1:])
