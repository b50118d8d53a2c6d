"""Fuzzes the SMTP session, guided by coverage. How to run it: see `fuzz_pop3`, with `fuzz_smtp` and `corpus/smtp`."""

from __future__ import annotations

import re
import sys
from base64 import b64encode

if __name__ == "__main__":  # before anything else imports them: what is imported here is watched
    import atheris  # type: ignore[import-not-found, unused-ignore]

    with atheris.instrument_imports(include=["postroom_simulator"]):
        import postroom_simulator.smtp.session
        import postroom_simulator.world  # noqa: F401

from fuzzing import ANN, Broken, context, fuzz

_REPLY = re.compile(rb"(?:([2-5][0-9]{2})-[^\r\n]*\r\n(?=\1))*[2-5][0-9]{2} [^\r\n]*\r\n")


class Smtp:
    """SMTP as `fuzzing` wants it."""

    def __init__(self) -> None:
        from postroom_simulator.smtp import session, settings

        self._make, self._settings = session.SmtpSession, settings.SmtpSettings

    def session(self, world, flags):  # type: ignore[no-untyped-def]
        world.smtp.settings = self._settings(
            strict_line_ends=bool(flags & 1),
            verify="real" if flags & 2 else "vague",
            require_tls=bool(flags & 4),
            auth_without_tls=not flags & 8,
            mechanisms=("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2") if flags & 16 else ("PLAIN", "LOGIN"),
            max_bad_commands=20 if flags & 32 else 10_000,
            max_octets=200 if flags & 64 else 25 * 2**20,
            relay="nobody" if flags & 128 else "anyone",
        )
        return self._make(context(world, "smtp"))

    def logins(self, password: str) -> tuple[bytes, bytes]:
        initial = b64encode(f"\0{ANN}\0{password}".encode())
        lines = (b"AUTH LOGIN", b64encode(ANN.encode()), b64encode(password.encode()))
        return b"\r\nAUTH PLAIN " + initial + b"\r\n", b"\r\n" + b"\r\n".join(lines) + b"\r\n"

    def check_reply(self, octets: bytes) -> None:
        """RFC 5321 §4.2."""
        if octets and not _REPLY.fullmatch(octets):
            raise Broken(f"no reply: {octets!r}")
        if any(len(line) > 2048 for line in octets.split(b"\r\n")):
            raise Broken("a line of more than 2,048 octets")

    def may_show(self, octets: bytes) -> bool:
        """A chunk may end in the middle of a login: what is left of it is no command, and is shown like any that is none."""
        return b"BDAT" in octets.upper()


if __name__ == "__main__":
    fuzz(Smtp, sys.argv[1:])
