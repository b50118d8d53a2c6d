"""Photos of the address book in their sizes (MS-OXWSPHOTO 3.1.5.1.1; ews reference 15)."""

from __future__ import annotations

from postroom_simulator.people import Profile

__all__ = ["SIZES", "photo_of"]

SIZES = tuple(f"HR{pixels}x{pixels}" for pixels in (48, 64, 96, 120, 240, 360, 432, 504, 648))
"""Codes of sizes, the smallest first."""


def photo_of(profile: Profile, size: str) -> bytes:
    """The photo in the size asked; where that is not there, the largest that is. b"" for none."""
    exact = profile.photos.get(size)
    if exact:
        return exact
    if profile.photo:  # what its owner gave: nothing is larger
        return profile.photo
    return next((profile.photos[one] for one in reversed(SIZES) if profile.photos.get(one)), b"")
