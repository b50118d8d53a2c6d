"""Reply lines: from "550 no such user" to octets, with the enhanced status code from one table.

RFC 5321 §4.2 (form), RFC 2034 and RFC 3463 (enhanced codes). Texts may hold anything: control characters are escaped here.
"""

from __future__ import annotations

import re
from functools import lru_cache

from postroom_simulator.journal import printable

__all__ = ["ENHANCED", "render"]

ENHANCED: dict[tuple[str, str] | str, str] = {
    # by verb and code
    ("MAIL", "250"): "2.1.0",
    ("RCPT", "250"): "2.1.5",
    ("MAIL", "501"): "5.5.4",
    ("end-of-data", "250"): "2.6.0",
    ("end-of-data", "452"): "4.2.2",
    ("end-of-data", "552"): "5.3.4",
    # by code
    "235": "2.7.0",
    "252": "2.5.0",
    "421": "4.3.2",
    "450": "4.2.0",
    "451": "4.3.0",
    "452": "4.3.1",
    "454": "4.7.0",
    "455": "4.5.4",
    "500": "5.5.2",
    "501": "5.5.4",
    "502": "5.5.1",
    "503": "5.5.1",
    "504": "5.5.4",
    "530": "5.7.0",
    "534": "5.7.9",
    "535": "5.7.8",
    "538": "5.7.11",
    "550": "5.1.1",
    "551": "5.1.6",
    "552": "5.3.4",
    "553": "5.1.3",
    "554": "5.5.0",
    "555": "5.5.4",
    "556": "5.1.10",
}
"""What a reply that names no enhanced code gets; all others get "2.0.0", "4.0.0" or "5.0.0" (RFC 3463, registry of RFC 5248)."""

WITHOUT = frozenset({"", "HELO", "EHLO"})
"""Verbs whose replies never carry one ("" is the greeting): RFC 2034 §3."""

_CODE = re.compile(r"[2-5][0-9]{2}\Z")
_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?: |\Z)")


@lru_cache(maxsize=256)  # most replies are the same few: 4 us each
def render(verb: str, reply: str, *, enhanced: bool = True) -> tuple[bytes, str]:
    """The octets of a reply and its first line as said.

    `reply` is a code, a blank and a text; line feeds in the text make more lines with the same code. An enhanced code that the
    text begins with is kept, and taken away where none belongs (`enhanced` False: the extension is switched off). What begins
    with no code is said as it is: faults may want that.
    """
    code, text = reply[:3], reply[4:]
    if not _CODE.match(code) or reply[3:4] not in ("", " "):
        line = _clean(reply)
        return line.encode("utf-8") + b"\r\n", line
    prefix = ""
    if code[0] in "245":
        prefix, text = _enhanced(verb, code, text)
        if not enhanced or verb in WITHOUT:
            prefix = ""
    if "\n" not in text:
        line = f"{code} {prefix}{_clean(text)}"
        return line.encode("utf-8") + b"\r\n", line
    texts = [prefix + _clean(part) for part in text.split("\n")]
    lines = [f"{code}-{part}" for part in texts[:-1]] + [f"{code} {texts[-1]}"]
    return "".join(line + "\r\n" for line in lines).encode("utf-8"), lines[0]


def _enhanced(verb: str, code: str, text: str) -> tuple[str, str]:
    """The enhanced code with a blank behind it, and the text without it."""
    given = _ENHANCED.match(text)
    if given:
        return text[: given.end()].rstrip(" ") + " ", text[given.end() :]
    named = ENHANCED.get((verb, code)) or ENHANCED.get(code)
    return f"{named or code[0] + '.0.0'} ", text


def _clean(text: str) -> str:
    return text if text.isprintable() else printable(text)
