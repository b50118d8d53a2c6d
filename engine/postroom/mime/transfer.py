"""Content-Transfer-Encoding, decoded leniently and in linear time (RFC 2045 §6; mail-protocol-pitfalls 4.4)."""

from __future__ import annotations

import binascii
import re
from typing import Final

__all__ = ["decode_base64", "decode_quoted_printable"]

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BLANKS: Final = b" \t\r\n"
_NOT_BASE64: Final = bytes(set(range(256)) - set(_ALPHABET) - {0x3D})
_PADDING: Final = re.compile(rb"=+")
_QP_ODD: Final = re.compile(rb"=(?![0-9A-Fa-f]{2}|\r?\n)")
_QP_ANY: Final = re.compile(rb"=(?:([0-9A-Fa-f]{2})|[ \t]*+\r*+(?:\n|\Z))")


def decode_base64(octets: bytes) -> tuple[bytes, bool]:
    """The octets, and whether the encoding was whole. Foreign octets are skipped, missing padding is made up, several padded runs are joined."""
    packed = octets.translate(None, _NOT_BASE64)
    body = packed.rstrip(b"=")
    whole = len(packed) + sum(map(octets.count, (b"\n", b"\r", b" ", b"\t"))) == len(octets)
    if b"=" not in body:
        decoded, fits = _run(body)
        return decoded, whole and fits and len(packed) % 4 == 0
    runs = [_run(run)[0] for run in _PADDING.split(body) if run]
    return b"".join(runs), False


def _run(body: bytes) -> tuple[bytes, bool]:
    """One unpadded run. A single left-over sextet carries no octet and is dropped."""
    fits = len(body) % 4 != 1
    if not fits:
        body = body[:-1]
    return binascii.a2b_base64(body + b"==="[: -len(body) % 4]), fits


def decode_quoted_printable(octets: bytes) -> tuple[bytes, bool]:
    """The octets, and whether every escape was one. `=` with bad digits stays as text; `=` and blanks before a line end is a soft break."""
    if b"=" not in octets:
        return octets, True
    if _QP_ODD.search(octets) is None:
        return binascii.a2b_qp(octets), True
    # binascii's own ideas about `==` and `=<CR>` lose octets, so odd input takes this slower way.
    decoded = _QP_ANY.sub(lambda match: bytes((int(match[1], 16),)) if match[1] else b"", octets)
    odd = _QP_ODD.sub(b"", _QP_ANY.sub(b"", octets))
    return decoded, b"=" not in odd and not _QP_ODD.search(_QP_ANY.sub(b"", octets))
