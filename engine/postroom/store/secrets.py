"""Placeholder until secrets land."""

from __future__ import annotations


class KeyRing:
    pass
