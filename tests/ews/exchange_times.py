"""Moments, as exchangelib wants them."""

from __future__ import annotations

from exchangelib import EWSDateTime, EWSTimeZone

UTC = EWSTimeZone("UTC")


def at(*parts: int, zone: str = "UTC") -> EWSDateTime:
    """year, month, day and so on."""
    return EWSDateTime(*parts, tzinfo=EWSTimeZone(zone))
