"""What faults do to octets."""

from __future__ import annotations

import random
from typing import TypeGuard

from postroom_simulator.faults import Delay, Drop, Effect, Lie, LoseReply, Stall

__all__ = ["drops", "garbled", "no_tls", "pause", "told"]


def drops(effect: Effect | None) -> TypeGuard[Drop | LoseReply]:
    """Whether nothing is said and the connection ends."""
    return isinstance(effect, Drop | LoseReply)


def pause(effect: Delay | Stall, chance: random.Random) -> float | None:
    """How many seconds to wait; None for ever."""
    if isinstance(effect, Delay) and effect.jitter:
        return effect.seconds + chance.uniform(-effect.jitter, effect.jitter)
    return effect.seconds


def told(lie: Lie) -> bytes:
    """The one line of a lie."""
    return f"{lie.code} {lie.text}".encode("ascii", "backslashreplace") + b"\r\n"


def no_tls(chance: random.Random) -> bytes:
    """Octets that cannot be taken for a TLS record: none of those begins with 0xFF (RFC 8446 §5.1)."""
    return b"\xff" + chance.randbytes(63)


def garbled(octets: bytes, count: int, chance: random.Random) -> bytes:
    """Change `count` octets (as many as there are, if fewer) to others. CR and LF stay, and none appear."""
    places = [place for place, octet in enumerate(octets) if octet not in b"\r\n"]
    changed = bytearray(octets)
    for place in chance.sample(places, min(count, len(places))):
        other = chance.randrange(253)  # of the 256: all but CR, LF and what was there
        for taken in sorted((10, 13, octets[place])):
            other += other >= taken
        changed[place] = other
    return bytes(changed)
