"""ConversationIndex, the Thread-Index field: which conversation an email belongs to (server-side-sync reference 4.7).

Its first 22 octets are the same in every email of a conversation; each answer appends five. A look-up goes by a hash of the base, and the whole base
is compared then: suggested there.
"""

from __future__ import annotations

import base64
import binascii
import zlib

__all__ = ["BASE_OCTETS", "base_hash", "base_of"]

BASE_OCTETS = 22
"""One reserved octet, five of a time, sixteen of a GUID."""
_BASE_CHARACTERS = 32
"""Base64 of a little more than the base: the rest of a long index need not be decoded."""


def base_of(index: str | None) -> bytes | None:
    """The base of a Thread-Index in base64; None when it is none."""
    text = "".join((index or "")[: _BASE_CHARACTERS * 2].split())[:_BASE_CHARACTERS]
    if not text.isascii():
        return None
    try:
        octets = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return octets[:BASE_OCTETS] if len(octets) >= BASE_OCTETS else None


def base_hash(base: bytes) -> int:
    """`email.baseconversationindexhash`: a signed 32-bit number. No equality with the product's is promised."""
    number = zlib.crc32(base)
    return number - (1 << 32) if number >= 1 << 31 else number
