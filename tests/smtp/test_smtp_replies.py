"""Reply lines and the table of enhanced codes."""

import re

import pytest

from postroom_simulator.smtp.replies import ENHANCED, render


@pytest.mark.parametrize(
    ("verb", "reply", "octets"),
    [
        ("NOOP", "250 OK", b"250 2.0.0 OK\r\n"),
        ("MAIL", "250 OK", b"250 2.1.0 OK\r\n"),
        ("RCPT", "250 OK", b"250 2.1.5 OK\r\n"),
        ("RCPT", "550 5.7.1 no", b"550 5.7.1 no\r\n"),
        ("RCPT", "550 no", b"550 5.1.1 no\r\n"),
        ("NOOP", "459 odd", b"459 4.0.0 odd\r\n"),
        ("NOOP", "250", b"250 2.0.0 \r\n"),
        ("", "220 host", b"220 host\r\n"),
        ("", "554 5.7.1 no", b"554 no\r\n"),
        ("EHLO", "250 host\nSIZE 1\nHELP", b"250-host\r\n250-SIZE 1\r\n250 HELP\r\n"),
        ("HELO", "501 bad", b"501 bad\r\n"),
        ("DATA", "354 go", b"354 go\r\n"),
        ("AUTH", "334 ", b"334 \r\n"),
        ("RCPT", "451 4.3.2 one\ntwo", b"451-4.3.2 one\r\n451 4.3.2 two\r\n"),
        ("RCPT", "<html>", b"<html>\r\n"),
        ("RCPT", "999 what", b"999 what\r\n"),
        ("RCPT", "550 a\rb\x1b[2J", b"550 5.1.1 a\\rb\\x1b[2J\r\n"),
        ("RCPT", "<a>\r\nb", b"<a>\\r\\nb\r\n"),
        ("RCPT", "550 5.1.1", b"550 5.1.1 \r\n"),
    ],
)
def test_octets(verb, reply, octets):
    assert render(verb, reply)[0] == octets


def test_switched_off_no_enhanced_code_is_said():
    assert render("RCPT", "550 5.7.1 no", enhanced=False) == (b"550 no\r\n", "550 no")
    assert render("RCPT", "550 no", enhanced=False)[0] == b"550 no\r\n"


def test_the_first_line_is_given_for_the_journal():
    assert render("EHLO", "250 host\nHELP")[1] == "250-host"


def test_every_enhanced_code_agrees_with_its_code():
    for key, enhanced in ENHANCED.items():
        code = key if isinstance(key, str) else key[1]
        assert re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", enhanced)
        assert enhanced[0] == code[0]
