"""The trace line says by which protocol a message came (RFC 3848, RFC 6531 §3.7.3)."""

from __future__ import annotations

import pytest

from postroom_simulator import World


def received(*, login: bool, options: str) -> str:
    with World() as world:
        world.add_account("ann@sim.test", "secret")
        with world.connect("smtp") as line:
            reader = line.makefile("rb")
            commands = [b"EHLO c.test", *([b"AUTH PLAIN AGFubkBzaW0udGVzdABzZWNyZXQ="] if login else [])]
            commands += [
                f"MAIL FROM:<x@y.test>{options}".encode(),
                b"RCPT TO:<ann@sim.test>",
                b"DATA",
                b"Subject: x\r\n\r\nx\r\n.",
                b"QUIT",
            ]
            for command in commands:
                line.sendall(command + b"\r\n")
            reader.read()
        (message,) = world.inbox("ann@sim.test")
        return " ".join(message.decode().partition("Subject:")[0].split())


@pytest.mark.parametrize(
    ("login", "options", "protocol"),
    [
        (False, "", "ESMTP"),
        (True, "", "ESMTPA"),
        (False, " SMTPUTF8", "UTF8SMTP"),
        (True, " SMTPUTF8", "UTF8SMTPA"),
    ],
)
def test_the_trace_line_names_the_protocol(login: bool, options: str, protocol: str) -> None:
    assert f" with {protocol} id " in received(login=login, options=options)
