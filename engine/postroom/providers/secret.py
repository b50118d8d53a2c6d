"""`Secret` under the name that provider authors know; it is the model's."""

from __future__ import annotations

from postroom.model.secret import Secret

__all__ = ["Secret"]
